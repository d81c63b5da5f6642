"""Warming a place: fetch what hunts there would need, before anybody hunts.

Asks the very questions that hunts ask, so what it fetches is what they look for. What is fresh is not fetched
again: warming that was cut short goes on where it ended.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from weedhounds.clock import Clock
from weedhounds.model.names import slugify
from weedhounds.query.answer import FoundOffer, HuntAnswer, Missing, Place
from weedhounds.query.hunt import MAX_DEADLINE_S

MAX_ROUNDS = 1_000
"""Most hunts that gather one place: of 120 s each, more than a day."""
MAX_STRAINS = 1_000
"""Most strains whose facts are fetched for one place."""
STRAIN_S = 30.0
"""Longest time for one strain's facts, seconds."""
STRAINS_AT_ONCE = 8
"""Strains whose facts are asked for at the same time."""
PAUSES_S = (5.0, 15.0)
"""An origin that was given up for a moment is asked again after these pauses; then it stays missing."""
LEAST_S = 1.0
"""Least time that a hunt is given, seconds: one that begins at the very end still reads what is held."""

_NO_CALL_HELPS = ("not placed", "over the setting")
"""How the reasons begin that are no origin's."""

Progress = Callable[[int, int], None]


class Hunts(Protocol):
    """Answers hunts: a node in this process, or one elsewhere."""

    async def hunt(
        self,
        query: str = "",
        *,
        near: str,
        radius_km: float | None = None,
        deadline_s: float | None = None,
        progress: Progress | None = None,
    ) -> HuntAnswer:
        """Return what is found by the deadline; see :meth:`weedhounds.Node.hunt`."""
        ...


class WarmReport(msgspec.Struct, frozen=True, kw_only=True):
    """What warming a place came to.

    Args:
        shops: real shops near the place. ``records``: menus, price lists and promotions held of them at the end.
        loaded: records that came from an origin, over all rounds, facts of strains included; one that expired
            meanwhile counts again.
        strains: strains whose facts were asked for.
        rounds: hunts that it took. ``origin_calls``: call attempts at origins.
        missing: what could not be fetched, and why.
    """

    place: Place
    shops: int
    records: int
    loaded: int
    strains: int
    rounds: int
    origin_calls: int
    elapsed_s: float
    missing: tuple[Missing, ...]


class _Warming:
    """The hunts of one warming, and what they came to together."""

    def __init__(self, node: Hunts, near: str, clock: Clock, until: float, progress: Progress | None) -> None:
        self.rounds = self.loaded = self.calls = 0
        self._node = node
        self._near = near
        self._clock = clock
        self._until = until
        self._progress = progress
        self._ended = 0
        self._running: dict[object, tuple[int, int]] = {}

    @property
    def left_s(self) -> float:
        """Return the seconds that are left."""
        return self._until - self._clock.monotonic()

    async def hunt(self, query: str, radius_km: float | None, most_s: float) -> HuntAnswer:
        """Ask one question, and count what it took."""
        one = object()

        def tell(done: int, known: int) -> None:
            self._running[one] = (done, known)
            self._tell()

        answer = await self._node.hunt(
            query,
            near=self._near,
            radius_km=radius_km,
            deadline_s=min(most_s, max(LEAST_S, self.left_s)),
            progress=tell,
        )
        self._ended += self._running.pop(one, (0, 0))[0]
        self.loaded += answer.meta.by_tier.origin
        self.calls += answer.meta.origin_calls
        return answer

    async def gather(self, radius_km: float | None, pauses_s: Sequence[float]) -> HuntAnswer:
        """Hunt for everything near the place again and again; return the last answer."""
        idle = 0
        while True:
            answer = await self.hunt("", radius_km, MAX_DEADLINE_S)
            self.rounds += 1
            if not _may_come(answer.missing) or self.left_s <= 0 or self.rounds >= MAX_ROUNDS:
                return answer
            if answer.meta.by_tier.origin:
                idle = 0
            elif idle < len(pauses_s):
                await asyncio.sleep(min(pauses_s[idle], max(0.0, self.left_s)))
                idle += 1
            else:
                return answer

    async def facts(self, names: Sequence[str]) -> tuple[int, list[Missing]]:
        """Ask for the facts of strains, some at a time; return how many were asked for, and what is missing."""
        waiting, missing, asked = list(reversed(names)), list[Missing](), 0

        async def ask() -> None:
            nonlocal asked
            while waiting and self.left_s > 0:
                # A hunt of no extent asks for the strain alone: the cell around the place is fresh by now.
                answer = await self.hunt(waiting.pop(), 0.0, STRAIN_S)
                missing.extend(answer.missing)
                asked += 1

        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(len(names), STRAINS_AT_ONCE)):
                tasks.create_task(ask())
        if waiting:
            missing.append(Missing("*", f"facts of {len(waiting)} strains", "the time was over"))
        return asked, missing

    def _tell(self) -> None:
        if self._progress is not None:
            done = self._ended + sum(done for done, _ in self._running.values())
            known = self._ended + sum(known for _, known in self._running.values())
            self._progress(done, known)


async def warm_place(
    node: Hunts,
    near: str,
    *,
    clock: Clock,
    radius_km: float | None = None,
    limit_s: float = 600.0,
    strains: int = 200,
    progress: Progress | None = None,
    pauses_s: Sequence[float] = PAUSES_S,
) -> WarmReport:
    """Fetch shops, menus, prices and promotions near a place, and the facts of its strains, within all budgets.

    Hunts until nothing is missing, or hunts bring nothing more, or the time is over.

    Args:
        near: a city ("Denver, CO"), a ZIP code or "lat,lon".
        radius_km: 0..500; default the node's.
        limit_s: seconds that it may take.
        strains: facts of so many strains, those that most offers there name first; at most ``MAX_STRAINS``.
        progress: called with (loads done, loads known).
        pauses_s: seconds of waiting after hunts in a row that brought nothing while something was missing.

    Raises:
        BadInput: the place or the radius cannot be used.
    """
    started = clock.monotonic()
    warming = _Warming(node, near, clock, started + limit_s, progress)
    answer = await warming.gather(radius_km, pauses_s)
    names = strains_of(answer.offers)[: min(max(0, strains), MAX_STRAINS)]
    asked, missing = await warming.facts(names)
    return WarmReport(
        place=answer.place,
        shops=answer.meta.shops,
        records=answer.meta.records,
        loaded=warming.loaded,
        strains=asked,
        rounds=warming.rounds,
        origin_calls=warming.calls,
        elapsed_s=round(clock.monotonic() - started, 3),
        missing=tuple(sorted({*answer.missing, *missing})),
    )


def _may_come(missing: Iterable[Missing]) -> bool:
    """Tell whether asking again may bring something of what is missing."""
    return any(not each.why.startswith(_NO_CALL_HELPS) for each in missing)


def strains_of(offers: Iterable[FoundOffer]) -> list[str]:
    """Return the slugs of the strains that the offers name, those of most offers first."""
    counts = Counter(slug for offer in offers if offer.strain and (slug := slugify(offer.strain)))
    return sorted(counts, key=lambda slug: (-counts[slug], slug))

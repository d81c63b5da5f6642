"""Carries out the plans of a strategy over the tiers: who is asked when, what counts as a hit, what is copied up.

A key is found with the first fresh entry of it, wherever that is; an expired one does not end the
search. Keys that want a tier at the same moment are asked for together, and a tier that answers
without waiting (memory) is asked in place: a look-up that memory can answer starts no task.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from weedhounds.cache.entry import Entry
from weedhounds.cache.freshness import must_be_gone
from weedhounds.cache.meter import TierMeter
from weedhounds.cache.tier import Tier
from weedhounds.clock import Clock
from weedhounds.codec.envelope import open_envelope
from weedhounds.errors import CodecError
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.strategies.base import ORIGIN, PEERS, Group, ReadStrategy, TierSeen, in_order
from weedhounds.strategies.guard import TIER_TIMEOUT_S, Answer, TierGuard
from weedhounds.strategies.race import Ask, Lane, Race
from weedhounds.telemetry import Trace

WAITLESS = frozenset({"memory"})
"""Tiers that answer without waiting for anything."""
MAX_AHEAD_S = 300.0
"""How far ahead of this node's clock a peer's entry may have been fetched, as for the SQL tier."""


class Found(msgspec.Struct, frozen=True, gc=False):
    """An entry and where it was: ``memory`` | ``sql`` | ``peers`` | ``origin``; expired where ``is_stale``."""

    entry: Entry
    tier: str
    is_stale: bool = False


class TierLookup:
    """Looks keys up in the tiers.

    Args:
        tiers: fastest first; what a slower one served is copied to those before it.
        strategy: plans, and learns where it wants to.
        guard: asks the tiers.
        meters: count what each tier was asked for, by tier.
        limits: the longest time for which the terms of each origin allow to hold an entry, seconds.
        waitless: names of the tiers that answer without waiting.

    ``asked_first`` counts the look-ups that began at each tier.

    Bounds: of one look-up, as many tasks as its plans have different moments, at most one for each tier
    and group; all have ended when it returns.
    """

    def __init__(
        self,
        tiers: Sequence[Tier],
        strategy: ReadStrategy,
        *,
        clock: Clock,
        guard: TierGuard,
        meters: Mapping[str, TierMeter],
        limits: Mapping[str, float | None],
        waitless: Collection[str] = WAITLESS,
    ) -> None:
        self._tiers = tuple(tiers)
        self._names = [tier.name for tier in self._tiers]
        self._strategy = strategy
        self._guard = guard
        self._clock = clock
        self._waitless = frozenset(waitless)
        self._meters = meters
        self.asked_first = dict.fromkeys(self._names, 0)
        self._limits = {origin: limit for origin, limit in limits.items() if limit is not None}

    async def look_up(
        self,
        wanted: Sequence[RecordKey],
        trace: Trace | None = None,
        *,
        deadline: float | None = None,
        serves_expired: bool = False,
        is_counted: bool = True,
    ) -> tuple[dict[RecordKey, Found], dict[RecordKey, Found]]:
        """Return what the tiers have to serve, and the newest of the expired entries that they hold besides.

        Args:
            wanted: different keys.
            deadline: monotonic seconds after which no tier is waited for; one that does not wait still answers.
            serves_expired: whether an expired entry is as good as a fresh one: nobody else will be asked.
                Every tier is asked then, in turn, whatever the strategy.
            is_counted: no request is counted twice: looking again for the same one is not.
        """
        lanes = self._in_turn(wanted, self._names) if serves_expired else self._planned(wanted, trace)
        return await self._run(
            lanes, trace, deadline=deadline, serves_expired=serves_expired, meters=self._meters if is_counted else {}
        )

    async def look_up_forgone(
        self, wanted: Sequence[RecordKey], trace: Trace | None = None, *, deadline: float | None = None
    ) -> tuple[dict[RecordKey, Found], dict[RecordKey, Found]]:
        """Return as :meth:`look_up` what this node's own tiers have that a plan may have left out.

        For keys that their origin failed to give. Only a strategy that learns leaves tiers out: with
        others there is nothing more to be found, and nobody is asked.
        """
        if not self._strategy.is_learning:
            return {}, {}
        lanes = self._in_turn(wanted, [name for name in self._names if name != PEERS])
        return await self._run(lanes, trace, deadline=deadline, serves_expired=False, meters={})

    def loaded(self, asked: Collection[RecordKey], filled: Collection[RecordKey], latency_s: float) -> None:
        """Tell the strategy what a load at the origins came to.

        Args:
            filled: those of ``asked`` that it brought.
            latency_s: seconds that it took.
        """
        if not self._strategy.is_learning:
            return
        now = self._clock.monotonic()
        for group, keys in by_group(asked).items():
            fresh = sum(key in filled for key in keys)
            seen = TierSeen(tier=ORIGIN, latency_s=latency_s, asked=len(keys), fresh=fresh)
            self._strategy.learn(group, seen if fresh else msgspec.structs.replace(seen, outcome="failed"), now)

    def _planned(self, wanted: Iterable[RecordKey], trace: Trace | None) -> list[Lane]:
        """Return the keys by group, each with the plan of the strategy."""
        well = self._guard.well(self._names, trace)
        now, make = self._clock.monotonic(), self._strategy.plan
        return [Lane(group, keys, make(group, well, now), now) for group, keys in by_group(wanted).items()]

    def _in_turn(self, wanted: Iterable[RecordKey], names: Sequence[str]) -> list[Lane]:
        """Return the keys by group, to be looked for in one tier after the other."""
        now, plan = self._clock.monotonic(), in_order(names)
        return [Lane(group, keys, plan, now) for group, keys in by_group(wanted).items()]

    async def _run(
        self,
        lanes: Sequence[Lane],
        trace: Trace | None,
        *,
        deadline: float | None,
        serves_expired: bool,
        meters: Mapping[str, TierMeter],
    ) -> tuple[dict[RecordKey, Found], dict[RecordKey, Found]]:
        search = _Search(
            self._strategy, meters, clock=self._clock, allowed=self._allowed, serves_expired=serves_expired
        )
        race = Race(
            lanes,
            self._tiers,
            self._guard,
            judge=search,
            clock=self._clock,
            waitless=self._waitless,
            trace=trace,
            timeout_s=TIER_TIMEOUT_S,
            deadline=deadline,
        )
        await race.run()
        if race.first is not None and meters:
            self.asked_first[race.first] += 1
        await self._copy_up(search.served, trace)
        return search.found, search.held

    async def _allowed(self, entries: dict[RecordKey, Entry], now: float) -> dict[RecordKey, Entry]:
        """Return the entries that the terms of their origins still allow to hold; drop the others everywhere."""
        if not self._limits:
            return entries
        gone = {k for k, entry in entries.items() if must_be_gone(entry.held_from, self._limits.get(k.origin), now)}
        if gone:
            for tier in self._tiers:
                await self._guard.ask(tier.discard(gone), tier.name, 0, None)
        return {key: entry for key, entry in entries.items() if key not in gone}

    async def _copy_up(self, served: Mapping[str, Sequence[Entry]], trace: Trace | None) -> None:
        """Put what a slower tier served into the faster ones, each of them asked once."""
        by_depth = [served.get(tier.name, ()) for tier in self._tiers]
        for depth, tier in enumerate(self._tiers):
            if entries := [entry for from_one in by_depth[depth + 1 :] for entry in from_one]:
                await self._guard.put(tier, entries, trace)


class _Search:
    """What one look-up has found so far; judges answers."""

    def __init__(
        self,
        strategy: ReadStrategy,
        meters: Mapping[str, TierMeter],
        *,
        clock: Clock,
        allowed: Callable[[dict[RecordKey, Entry], float], Awaitable[dict[RecordKey, Entry]]],
        serves_expired: bool,
    ) -> None:
        self._strategy = strategy
        self._meters = meters
        self._clock = clock
        self._allowed = allowed
        self._serves_expired = serves_expired
        self.found: dict[RecordKey, Found] = {}
        self.held: dict[RecordKey, Found] = {}
        self.served: dict[str, list[Entry]] = {}

    async def answered(self, ask: Ask, answer: Answer) -> None:
        """Keep what can be served, and the newest expired entry of what cannot."""
        tier, now = ask.tier.name, self._clock.now()
        entries: dict[RecordKey, Entry] = {}
        if answer.entries is not None:
            entries = {k: e for k in ask.keys if (e := answer.entries.get(k)) is not None and is_of(k, e, tier, now)}
            if meter := self._meters.get(tier):
                meter.asked(ask.keys, entries)
                meter.latency.observe(answer.latency_s)
            entries = await self._allowed(entries, now)
        for lane in ask.lanes:
            self._settle(lane, tier, answer, entries, now=now)

    def given_up(self, ask: Ask, latency_s: float) -> None:
        """Tell the strategy that the answer would have taken longer."""
        if self._strategy.is_learning:
            for lane in ask.lanes:
                self._learn(lane, ask.tier.name, Answer(None, latency_s, "cancelled"), asked=len(lane.left))

    def _settle(self, lane: Lane, tier: str, answer: Answer, entries: Mapping[RecordKey, Entry], *, now: float) -> None:
        """Take off the lane what can be served."""
        left, hits, expired = [], [], 0
        for key in lane.left:
            entry = entries.get(key)
            if entry is None:
                left.append(key)
                continue
            each = Found(entry, tier, not entry.is_fresh(now))
            if self._serves_expired or not each.is_stale:
                self.found[key] = each
                hits.append(entry)
                continue
            left.append(key)
            expired += 1
            if key not in self.held or self.held[key].entry.fetched_at < entry.fetched_at:
                self.held[key] = each
        asked, lane.left = len(lane.left), left
        self.served.setdefault(tier, []).extend(hits)
        if self._strategy.is_learning and asked and answer.outcome != "skipped":
            self._learn(lane, tier, answer, asked=asked, hits=hits, expired=expired)

    def _learn(
        self, lane: Lane, tier: str, answer: Answer, *, asked: int, hits: Sequence[Entry] = (), expired: int = 0
    ) -> None:
        seen = TierSeen(
            tier=tier,
            latency_s=answer.latency_s,
            asked=asked,
            fresh=len(hits),
            expired=expired,
            size_bytes=sum(len(entry.body) for entry in hits),
            outcome=answer.outcome,
            missed=tuple(sorted(lane.missed)),
        )
        self._strategy.learn(lane.group, seen, self._clock.monotonic())


def by_group(keys: Iterable[RecordKey]) -> dict[Group, list[RecordKey]]:
    """Return the keys by their group."""
    groups: dict[tuple[DataType, str], list[RecordKey]] = {}
    for key in keys:
        groups.setdefault((key.data_type, key.origin), []).append(key)
    return {Group(*group): own for group, own in groups.items()}


def is_of(key: RecordKey, entry: Entry, tier: str, now: float) -> bool:
    """Tell whether what ``tier`` gave for ``key`` is an entry of it.

    What comes from this node's own tiers went through its own hands: its bytes are verified when they are
    decoded. What comes from a peer is verified here: damaged, it is a miss, and the next tier is asked.

    Args:
        now: Unix seconds.
    """
    if not isinstance(entry, Entry) or not (entry.key is key or entry.key == key):
        return False
    if tier != PEERS:
        return True
    try:
        open_envelope(entry.body)
    except CodecError:
        return False
    return entry.fetched_at <= now + MAX_AHEAD_S

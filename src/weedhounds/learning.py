"""What each call to an origin teaches, and the lifetimes that follow: the learner in use.

Sits between the read path, which knows what was asked for and what a call found, and
:mod:`weedhounds.ttl`, which is pure. It remembers of each key the digest of what was fetched last, so
that a fetch can be compared, and counts requests until the next fetch. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from weedhounds.cache.entry import Entry
from weedhounds.clock import Clock
from weedhounds.config import CacheSettings
from weedhounds.model.datatypes import LIFETIMES, DataType, Lifetime
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Shop
from weedhounds.ttl import prior
from weedhounds.ttl.budget_price import BudgetPrices
from weedhounds.ttl.decide import Decided, Lifetimes, StrategyName
from weedhounds.ttl.learner import Learner
from weedhounds.ttl.strategy import Seen

MAX_KNOWN = 200_000
"""Keys whose last fetch is remembered, about 300 bytes each; those fetched longest ago are forgotten."""


class Fetched(msgspec.Struct, frozen=True, gc=False):
    """One record that a load brought.

    Args:
        digest: of the record; ``at``: Unix seconds of the fetch.
        held: the entry that it replaces, where one is known.
        calls: how many calls the load took.
    """

    key: RecordKey
    digest: bytes
    at: float
    held: Entry | None = None
    calls: int = 1


class LearningStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the learner since start.

    Args:
        keys: that the learner knows; ``schedules``: daily schedules that it follows.
        decisions: lifetimes decided. ``compared``, ``changed``: fetches that could be compared with the
            one before, and those that differed.
        call_prices: what a call to each origin is worth now, in stale serves.
    """

    keys: int
    schedules: int
    decisions: int
    compared: int
    changed: int
    call_prices: Mapping[str, float]


class _Known:
    """What is remembered of a key: its last fetch, and the requests since."""

    __slots__ = ("asked", "at", "digest")

    def __init__(self) -> None:
        self.asked = 0
        self.at: float | None = None
        self.digest = b""


class Learning:
    """Learns from every load and decides lifetimes.

    Args:
        prices: what a call to each origin is worth now.
        served: how often a key was served past the read path since the last question.

    Bounds: ``MAX_KNOWN`` keys; the learner's own.
    """

    def __init__(
        self,
        lifetimes: Lifetimes,
        prices: BudgetPrices,
        *,
        clock: Clock,
        served: Callable[[RecordKey], int] | None = None,
    ) -> None:
        self.lifetimes = lifetimes
        self._prices = prices
        self._clock = clock
        self._served = served or _none_served
        self._known: dict[RecordKey, _Known] = {}
        self._origins: set[str] = set()
        self._decisions = self._compared = self._changed = 0

    def asked(self, keys: Iterable[RecordKey]) -> None:
        """Count one request for each key."""
        known = self._known
        for key in keys:
            found = known.get(key)
            if found is None:
                found = self._of(key)
            found.asked += 1

    def departed(self, key: RecordKey, served: int) -> None:
        """Count requests for a key that left the memory tier."""
        if served > 0:
            self._of(key).asked += served

    def called(self, origin: str) -> None:
        """Count a call to ``origin`` against its budget."""
        self._origins.add(origin)
        self._prices.called(origin, self._clock.now())

    def price(self, origin: str) -> float:
        """Return what a call to ``origin`` is worth now, in stale serves."""
        return self._prices.price(origin, self._clock.now())

    def fetched(self, found: Fetched, shop: Shop | None = None) -> Decided:
        """Learn from a fetch and decide how long its record counts as fresh.

        Args:
            shop: whose record it is, where that is known: its time zone and hours are used.
        """
        known = self._of(found.key)
        before = known.at, known.digest
        if known.at is None and found.held is not None:
            before = found.held.fetched_at, found.held.digest
        prev = before[0] if before[0] is not None and before[0] < found.at else None
        changed = None if prev is None else before[1] != found.digest
        seen = self._seen(found.key, found.at, known, shop, calls=found.calls, prev=prev, changed=changed)
        known.at, known.digest = found.at, found.digest
        self._known[found.key] = self._known.pop(found.key)  # those fetched longest ago stand first
        self._decisions += 1
        if changed is not None:
            self._compared += 1
            self._changed += changed
        return self.lifetimes.observe(seen)

    def failed(self, keys: Collection[RecordKey], shop: Shop | None = None) -> None:
        """Tell the learner of a load that failed: it is not taken for one that found nothing new."""
        now = self._clock.now()
        for key in keys:
            known = self._of(key)
            self.lifetimes.observe(self._seen(key, now, known, shop, prev=known.at, ok=False))

    def stale_probability(self, entry: Entry, now: float) -> float:
        """Return the chance, 0..1, that ``entry`` is stale at ``now`` (Unix seconds).

        What was not fetched here (imported, another node's) is judged by its data type's prior.
        """
        data_type, times = entry.key.data_type, (entry.fetched_at, now)
        if entry.pinned:
            return prior.stale_probability(data_type, now - entry.fetched_at)
        return self.lifetimes.stale_probability(str(entry.key), data_type, times)

    def stats(self) -> LearningStats:
        """Return the figures."""
        learner = self.lifetimes.learner
        return LearningStats(
            keys=len(learner.keys),
            schedules=len(learner.schedules),
            decisions=self._decisions,
            compared=self._compared,
            changed=self._changed,
            call_prices={origin: round(self.price(origin), 4) for origin in sorted(self._origins)},
        )

    def _of(self, key: RecordKey) -> _Known:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _Known()
            if len(self._known) > MAX_KNOWN:
                del self._known[next(iter(self._known))]
        return known

    def _seen(
        self,
        key: RecordKey,
        at: float,
        known: _Known,
        shop: Shop | None,
        *,
        calls: int = 1,
        prev: float | None = None,
        ok: bool = True,
        changed: bool | None = None,
    ) -> Seen:
        asked, known.asked = known.asked + self._served(key), 0
        zone = shop.time_zone if shop is not None else None
        return Seen(
            key=str(key),
            dtype=key.data_type.value,
            source=key.origin if shop is None else f"{key.origin}:{shop.id}",
            base_s=self.lifetimes.base_of(key.data_type),
            now=at,
            prev=prev,
            ok=ok,
            changed=changed,
            n_req=max(0, asked),
            tz=offset_s(zone, at),
            time_zone=zone,
            hours=shop.hours if shop is not None else (),
            price=calls * self._prices.price(key.origin, at),
        )


def learning_of(
    settings: CacheSettings,
    *,
    clock: Clock,
    learner: Learner | None = None,
    budgets: Mapping[str, float] | None = None,
    served: Callable[[RecordKey], int] | None = None,
) -> Learning:
    """Return the learner in use under ``settings``.

    Args:
        learner: what was learnt before; a new one where none is given.
        budgets: calls a day that each origin's budget has for keeping records fresh.

    Raises:
        ConfigError: unknown data types or strategies, lifetimes that cannot be, budgets that are no budgets.
    """
    price = settings.call_price
    lifetimes = Lifetimes(
        strategies=settings.strategies,
        base_s=settings.lifetimes_s,
        limits=_limits(settings),
        learner=learner or Learner(price),
    )
    return Learning(lifetimes, BudgetPrices(dict(budgets or {}), start=price, least=price), clock=clock, served=served)


def fixed_learning(settings: CacheSettings, clock: Clock) -> Learning:
    """Return a learner that gives every data type its base lifetime: for a read path that is given none."""
    fixed = dict.fromkeys(DataType, StrategyName.FIXED)
    return learning_of(settings.model_copy(update={"strategies": fixed}), clock=clock)


def offset_s(time_zone: str | None, now: float) -> float:
    """Return local time minus UTC at ``now`` (Unix seconds), seconds; 0 where the zone is unknown."""
    if not time_zone:
        return 0.0
    try:
        offset = datetime.fromtimestamp(now, ZoneInfo(time_zone)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OverflowError, OSError):
        return 0.0
    return offset.total_seconds() if offset is not None else 0.0


def _limits(settings: CacheSettings) -> dict[str, Lifetime]:
    """Return the limits that the settings change."""
    least, greatest = settings.least_lifetimes_s, settings.greatest_lifetimes_s
    own = {each.value: lifetime for each, lifetime in LIFETIMES.items()}
    unknown = Lifetime(1.0, 1.0, 1.0)  # of no data type: refused by its name
    limits = {}
    for name in least.keys() | greatest.keys():
        of_type = own.get(name, unknown)
        limits[name] = Lifetime(of_type.base_s, least.get(name, of_type.min_s), greatest.get(name, of_type.max_s))
    return limits


def _none_served(_: RecordKey) -> int:
    return 0

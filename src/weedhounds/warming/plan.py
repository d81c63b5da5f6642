"""Which hot keys are refreshed before they expire, when, and which first. Pure: time and chance come in.

A key that is asked for at rate r would be fetched by its first request after expiry, 1/r later on average.
Fetched a little before expiry instead, nobody waits, and each cycle is shorter by that 1/r: where r is high
for the lifetime, that is next to no call more. So a refresh is worth, in stale serves,

    a p (1 + r L)                        the stale serves it spares where the next request comes soon after
  + (1 - a) w L (1 + r L / 2)            the waits it spares where it comes later
  + p (r e - 1) / 2                      what the earlier fetch changes of the staleness within the cycle
  - price c (1/r + e) / (1/r + T)        the part of a load of c calls that it costs more

with a = 1 - exp(-r W), W the time past expiry in which the expired copy is served while it is fetched anew
(stale-while-revalidate), w the price of a second's wait, L the load's time, p how likely a copy is stale at
expiry, e how early it is fetched and T its lifetime. A heap holds hot keys alone, by when they are due;
nothing sweeps a cache.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Collection, Iterator, Mapping
from random import Random

import msgspec

from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey

WAIT_PRICE = 1.0
"""Stale serves that a second's wait of one request counts as much as."""
LEAST_USES = 5.0
"""Requests that a lifetime must see on average. `benchmarks/bench_warming.py` prints what other numbers cost and gain."""
MOST_EARLY_FRAC = 0.1
"""Largest share of a lifetime that a refresh gives up."""
SPREAD_FRAC = 0.03
"""Share of the lifetime over which refreshes are spread, so that what was fetched together is not refreshed together."""
MARGIN_S = 2.0
"""Seconds that a refresh begins before its load must: twice what the driver may oversleep."""
LOAD_LATENCIES = 2.0
"""Time of a load, in latencies of one call: a first page and the others."""
RESERVE_FRAC = 0.5
"""Share of an origin's burst that is left to hunts."""
MAX_COSTS = 4_096
"""Kinds of loads (origin and data type) whose calls are remembered."""
_COST_STEP = 0.2
_FILLED_TOGETHER = frozenset({DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING})


class OriginState(msgspec.Struct, frozen=True, kw_only=True):
    """What an origin can be asked for at this moment.

    Args:
        tokens: calls that the budget allows at once; ``capacity``: most that it ever does.
        latency_s: time of a call that most calls keep to, real seconds.
        price: of a call, in stale serves.
        waiting: calls that wait for the budget.
        may_be_asked: its breaker lets calls out.
    """

    tokens: float
    capacity: float
    latency_s: float
    price: float = 1.0
    waiting: int = 0
    may_be_asked: bool = True

    @property
    def spare(self) -> float:
        """Return the calls that are left over when hunts have their reserve."""
        return self.tokens - RESERVE_FRAC * self.capacity if self.may_be_asked and not self.waiting else 0.0


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A hot key and its entry.

    Args:
        fetched_at, expires_at: of the entry held, Unix seconds.
        rate_per_s: requests for it.
        stale_at_expiry: how likely it is stale when it expires, 0..1.
    """

    key: RecordKey
    fetched_at: float
    expires_at: float
    rate_per_s: float
    stale_at_expiry: float = 0.0

    @property
    def lifetime_s(self) -> float:
        """Return the seconds from fetch to expiry."""
        return self.expires_at - self.fetched_at


class Settling(msgspec.Struct, frozen=True, kw_only=True):
    """What a refresh's worth depends on besides the key.

    Args:
        early_s: how long before expiry it is fetched, seconds of fact time.
        calls: of its load.
        speed: seconds of fact time in a real second.
        window_frac: how far past expiry an entry is served while it is fetched anew, as a share of its lifetime.
    """

    early_s: float
    calls: float = 1.0
    speed: float = 1.0
    window_frac: float = 0.0


def worth(wanted: Wanted, origin: OriginState, settling: Settling) -> float:
    """Return what a refresh before expiry is worth over waiting for the next request, in stale serves."""
    rate, early_s, stale = wanted.rate_per_s, settling.early_s, wanted.stale_at_expiry
    load_s = LOAD_LATENCIES * origin.latency_s
    joined = rate * load_s * settling.speed
    soon = -math.expm1(-rate * settling.window_frac * wanted.lifetime_s)
    spared = soon * stale * (1.0 + joined) + (1.0 - soon) * WAIT_PRICE * load_s * (1.0 + joined / 2.0)
    gap_s = 1.0 / rate
    more_calls = settling.calls * (gap_s + early_s) / (gap_s + wanted.lifetime_s)
    return spared + stale * (rate * early_s - 1.0) / 2.0 - origin.price * more_calls


class _Planned:
    """A key in the plan; ``is_done`` once this expiry has been dealt with."""

    __slots__ = ("due", "expires_at", "is_done", "key", "value")

    def __init__(self, key: RecordKey, expires_at: float, due: float) -> None:
        self.key = key
        self.expires_at = expires_at
        self.due = due
        self.value = 0.0
        self.is_done = False


class RefreshPlan:
    """The refreshes to come.

    Args:
        rng: spreads them.
        max_keys: keys in the plan; further ones are refused.
        window_frac: as in :class:`Settling`.
        least_uses: requests that a lifetime must see on average.

    ``skipped_budget`` counts the keys that expired while their origin's budget left nothing for them.

    Bounds: ``max_keys`` keys, a heap of at most twice as many (and 64), ``MAX_COSTS`` kinds of loads.
    """

    def __init__(self, rng: Random, *, max_keys: int, window_frac: float = 0.0, least_uses: float = LEAST_USES) -> None:
        self.skipped_budget = 0
        self._rng = rng
        self._max_keys = max_keys
        self._window_frac = window_frac
        self._least_uses = least_uses
        self._planned: dict[RecordKey, _Planned] = {}
        self._ready: dict[RecordKey, _Planned] = {}
        self._heap: list[tuple[float, int, _Planned]] = []
        self._order = itertools.count()
        self._calls: dict[tuple[str, DataType], float] = {}

    def __len__(self) -> int:
        """Return how many keys wait to be refreshed."""
        return sum(not planned.is_done for planned in self._planned.values())

    def expires_at(self, key: RecordKey) -> float | None:
        """Return the expiry that a key is planned for, Unix seconds; ``None`` where it is not planned."""
        planned = self._planned.get(key)
        return None if planned is None else planned.expires_at

    def offer(self, wanted: Wanted, origin: OriginState, now: float, *, speed: float = 1.0) -> bool:
        """Plan to refresh a key, where that is worth more than it costs; tell whether it is planned now.

        An expiry is dealt with once: a key whose refresh failed is planned again when it has a new one.

        Args:
            now: Unix seconds.
            speed: seconds of fact time in a real second.
        """
        held = self._planned.get(wanted.key)
        same = held if held is not None and held.expires_at == wanted.expires_at else None
        if same is not None and same.is_done:
            return False
        uses = wanted.rate_per_s * wanted.lifetime_s
        if not (now < wanted.expires_at < math.inf and uses >= self._least_uses):
            self.forget(wanted.key)
            return False
        early_s = self._early_s(wanted, origin, speed) if same is None else wanted.expires_at - same.due
        calls = self._calls.get((wanted.key.origin, wanted.key.data_type), 1.0)
        settling = Settling(early_s=early_s, calls=calls, speed=speed, window_frac=self._window_frac)
        value = worth(wanted, origin, settling)
        if value <= 0.0 or (held is None and len(self._planned) >= self._max_keys):
            self.forget(wanted.key)
            return False
        planned = same or self._enter(_Planned(wanted.key, wanted.expires_at, wanted.expires_at - early_s))
        planned.value = value / calls
        return True

    def forget(self, key: RecordKey) -> None:
        """Drop a key from the plan."""
        self._planned.pop(key, None)
        self._ready.pop(key, None)

    def retain(self, keys: Collection[RecordKey]) -> None:
        """Drop all keys but these: the others are no longer hot."""
        for key in [key for key in self._planned if key not in keys]:
            self.forget(key)

    def has_due(self, now: float) -> bool:
        """Tell whether there may be something to refresh."""
        return bool(self._ready) or bool(self._heap and self._heap[0][0] <= now)

    def due(self, now: float, origins: Mapping[str, OriginState], *, room: int) -> list[tuple[RecordKey, ...]]:
        """Return what to refresh now, most value for a call first; each item is one load's keys.

        Args:
            now: Unix seconds.
            origins: the state of each; what is spare is shared out.
            room: most loads that may begin.
        """
        self._collect(now)
        spare = {name: state.spare for name, state in origins.items()}
        chosen: list[tuple[RecordKey, ...]] = []
        for planned in sorted(self._ready.values(), key=lambda p: p.value, reverse=True):
            if len(chosen) >= room:
                break
            key = planned.key
            if planned.is_done or key.origin not in origins:
                continue
            calls = self._calls.get((key.origin, key.data_type), 1.0)
            # A load that costs more than is ever spare may go when all of it is.
            if spare[key.origin] < min(calls, (1.0 - RESERVE_FRAC) * origins[key.origin].capacity):
                continue
            spare[key.origin] -= calls
            chosen.append(tuple(each.key for each in self._load_of(planned)))
        return chosen

    def spent(self, keys: Collection[RecordKey], calls: int) -> None:
        """Learn how many calls a load of ``keys`` took."""
        for key in keys:
            kind = (key.origin, key.data_type)
            known = self._calls.get(kind)
            if known is not None:
                self._calls[kind] = known + _COST_STEP * (max(1, calls) - known)
            elif len(self._calls) < MAX_COSTS:
                self._calls[kind] = float(max(1, calls))

    def _early_s(self, wanted: Wanted, origin: OriginState, speed: float) -> float:
        """Draw how long before expiry the refresh begins, seconds of fact time."""
        lead_s = (MARGIN_S + LOAD_LATENCIES * origin.latency_s) * speed
        spread_s = SPREAD_FRAC * wanted.lifetime_s * self._rng.random()
        return min(lead_s + spread_s, MOST_EARLY_FRAC * wanted.lifetime_s)

    def _enter(self, planned: _Planned) -> _Planned:
        self.forget(planned.key)
        self._planned[planned.key] = planned
        heapq.heappush(self._heap, (planned.due, next(self._order), planned))
        if len(self._heap) > 2 * len(self._planned) + 64:
            self._heap = [item for item in self._heap if self._planned.get(item[2].key) is item[2]]
            heapq.heapify(self._heap)
        return planned

    def _collect(self, now: float) -> None:
        """Take up what is due; let go of what has expired waiting."""
        while self._heap and self._heap[0][0] <= now:
            planned = heapq.heappop(self._heap)[2]
            if self._planned.get(planned.key) is planned:
                self._ready[planned.key] = planned
        for planned in [planned for planned in self._ready.values() if planned.expires_at <= now]:
            self.skipped_budget += 1
            self._done(planned)

    def _load_of(self, planned: _Planned) -> Iterator[_Planned]:
        """Yield the key and what its load fills besides, of what is due; they are dealt with."""
        key = planned.key
        kinds = _FILLED_TOGETHER if key.data_type in _FILLED_TOGETHER else {key.data_type}
        for data_type in sorted(kinds):
            mate = self._ready.get(RecordKey(data_type, key.origin, key.native_id, key.variant))
            if mate is not None:
                self._done(mate)
                yield mate

    def _done(self, planned: _Planned) -> None:
        planned.is_done = True
        self._ready.pop(planned.key, None)

"""Refresh-ahead over simulated hours: the product's refresher, a scripted market and demand, a manual clock.

A key is read through a cache as the read path does it: fresh entries are served; an expired one is fetched by
its first request, others join; within the stale-while-revalidate window the expired copy is served meanwhile.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from random import Random

import msgspec

from weedhounds.cache.entry import Entry
from weedhounds.clock import ManualClock
from weedhounds.model.datatypes import LIFETIMES, DataType
from weedhounds.model.keys import RecordKey
from weedhounds.readthrough import Found, ReadResult
from weedhounds.sources.allowance import TokenBucket
from weedhounds.telemetry import Trace
from weedhounds.warming import OriginState, Refresher, RefreshOptions

DAY_S = 86_400.0
CHANGES_PER_DAY = {DataType.DISPENSARY_MENU: 14.0, DataType.PRODUCT_PRICING: 5.0, DataType.PROMOTIONS: 1.35}
"""Of the standard world of `ttl-judging.md`; a price list changes with any of its products."""
SHARES = {DataType.DISPENSARY_MENU: 0.4, DataType.PRODUCT_PRICING: 0.47, DataType.PROMOTIONS: 0.13}
START_HOUR = 8.0
"""Hour of the day at which a run begins."""
ORIGIN = "weedmaps"
LATENCY_S = 0.3
LOAD_S = 2 * LATENCY_S
JITTER_FRAC = 0.05


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One run.

    Args:
        is_on: refresh-ahead works.
        window_frac: stale-while-revalidate, as a share of the lifetime; 0 for none.
        least_uses: of the refresher.
        burst, rate_per_s: budget of the origin.
    """

    is_on: bool
    window_frac: float = 0.0
    least_uses: float = 5.0
    hours: float = 24.0
    shops: int = 120
    requests_per_day: float = 50_000.0
    burst: int = 80
    rate_per_s: float = 40.0
    seed: int = 1


class Came(msgspec.Struct):
    """What a run came to; the first sixth of its time is warm-up and does not count."""

    requests: int = 0
    calls: int = 0
    waited: int = 0
    wait_s: float = 0.0
    stale: int = 0
    over_budget: int = 0
    refreshes: int = 0
    skipped: int = 0

    def per_request(self, value: float) -> float:
        """Return a count as a share of the requests."""
        return value / max(1, self.requests)


class _World:
    """Changes and requests, drawn beforehand."""

    def __init__(self, scenario: Scenario) -> None:
        rng = Random(scenario.seed)
        self.keys = [RecordKey(t, ORIGIN, str(n)) for n in range(scenario.shops) for t in SHARES]
        self.change_rates = {
            key: CHANGES_PER_DAY[key.data_type] * rng.lognormvariate(-0.5, 1.0) / DAY_S for key in self.keys
        }
        length_s = scenario.hours * 3600.0
        self.changes = {key: list(_poisson(rng, rate, length_s)) for key, rate in self.change_rates.items()}
        weights = [SHARES[key.data_type] / (int(key.native_id) + 1) ** 0.9 for key in self.keys]
        self._cumulative = list(itertools.accumulate(weights))
        self._rng = rng
        self._per_s = scenario.requests_per_day / DAY_S
        self._length_s = length_s

    def requests(self) -> Iterator[tuple[float, RecordKey]]:
        """Yield time and key of each request."""
        for at in _poisson(self._rng, 2.5 * self._per_s, self._length_s):
            if self._rng.random() < _rhythm(at) / 2.5:
                yield at, self._rng.choices(self.keys, cum_weights=self._cumulative)[0]


def _poisson(rng: Random, rate: float, length_s: float) -> Iterator[float]:
    at = rng.expovariate(rate)
    while at < length_s:
        yield at
        at += rng.expovariate(rate)


def _rhythm(at_s: float) -> float:
    """Return demand at a time of the day over its mean: peaks at 12:30 and 18:30, little at night."""
    hour = (at_s / 3600.0 + START_HOUR) % 24.0
    bumps = sum(math.exp(-0.5 * ((hour - peak) / 2.6) ** 2) for peak in (12.5, 18.5))
    return (0.12 + bumps) / 0.66


def _filled_with(keys: Iterable[RecordKey]) -> list[RecordKey]:
    """Return the keys with what their loads fill besides: a menu's call gives the prices too, and the other way round."""
    together = (DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING)
    filled: dict[RecordKey, None] = {}
    for key in keys:
        types = together if key.data_type in together else (key.data_type,)
        filled.update(dict.fromkeys(RecordKey(t, key.origin, key.native_id) for t in types))
    return list(filled)


class RefreshSim:
    """One run of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._world = _World(scenario)
        self._clock = ManualClock(0.0)
        self._rng = Random(scenario.seed + 1)
        self._entries: dict[RecordKey, Entry] = {}
        self._loading: dict[RecordKey, float] = {}
        self._landings: list[tuple[float, int, RecordKey]] = []
        self._waiting: dict[RecordKey, list[asyncio.Future[None]]] = {}
        self._order = itertools.count()
        self._demand: Counter[RecordKey] = Counter()
        self._bucket = TokenBucket(scenario.burst, scenario.rate_per_s, 0.0)
        self._warm_s = scenario.hours * 600.0
        self.came = Came()
        self._refresher = Refresher(
            self,
            drain=self._drain,
            entry_of=self._entries.get,
            origins=self._origins,
            clock=self._clock,
            rng=Random(scenario.seed + 2),
            options=RefreshOptions(window_frac=scenario.window_frac, least_uses=scenario.least_uses),
            stale_probability=self._stale_probability,
        )

    async def run(self) -> Came:
        """Run it; returns what it came to."""
        ticks = 0
        for at, key in self._world.requests():
            while ticks < at:
                await self._pass(float(ticks))
                if self._scenario.is_on:
                    await self._refresher.step()
                    await asyncio.sleep(0)  # what was begun comes to its load
                ticks += 1
            await self._pass(at)
            self._request(key)
        stats = self._refresher.stats()
        self.came.refreshes, self.came.skipped = stats.refreshes, stats.skipped_budget
        await self._refresher.close()
        return self.came

    async def refresh_many(self, keys: Iterable[RecordKey], *, deadline: float | None, trace: Trace) -> ReadResult:
        """Load keys for the refresher; a load that runs is joined."""
        wanted = list(keys)
        landed = asyncio.get_running_loop().create_future()
        if self._load(wanted):
            trace.called()
        self._waiting.setdefault(wanted[0], []).append(landed)
        await landed
        return ReadResult({key: Found(self._entries[key], "origin") for key in wanted}, {}, {})

    async def _pass(self, until: float) -> None:
        """Let loads land up to a time, and move the clock there."""
        while self._landings and self._landings[0][0] <= until:
            at, _, key = heapq.heappop(self._landings)
            self._clock.advance(max(0.0, at - self._clock.now()))
            self._land(key)
            await asyncio.sleep(0)
        self._clock.advance(max(0.0, until - self._clock.now()))

    def _request(self, key: RecordKey) -> None:
        now = self._clock.now()
        counts = now >= self._warm_s
        self._demand[key] += 1
        entry = self._entries.get(key)
        window_s = 0.0 if entry is None else self._scenario.window_frac * (entry.expires_at - entry.fetched_at)
        self.came.requests += counts
        if entry is not None and now < entry.expires_at + window_s:
            if now >= entry.expires_at:
                self._load([key])
            self.came.stale += counts and self._is_stale(entry, now)
            return
        self._load([key])
        self.came.waited += counts
        self.came.wait_s += (self._loading[key] - now) * counts

    def _load(self, keys: list[RecordKey]) -> bool:
        """Begin one load of what none runs for; tell whether there was something to begin."""
        now = self._clock.now()
        new = [key for key in _filled_with(keys) if key not in self._loading]
        if new:
            self.came.calls += now >= self._warm_s
            self.came.over_budget += not self._bucket.take(now)
        for key in new:
            self._loading[key] = now + LOAD_S
            heapq.heappush(self._landings, (now + LOAD_S, next(self._order), key))
        return bool(new)

    def _land(self, key: RecordKey) -> None:
        now = self._clock.now()
        del self._loading[key]
        lifetime_s = LIFETIMES[key.data_type].base_s * self._rng.uniform(1 - JITTER_FRAC, 1 + JITTER_FRAC)
        self._entries[key] = Entry(
            key, b"", fetched_at=now, expires_at=now + lifetime_s, digest=b"", origins=(ORIGIN,)
        )  # fmt: skip
        for landed in self._waiting.pop(key, []):
            landed.set_result(None)

    def _is_stale(self, entry: Entry, now: float) -> bool:
        changes = self._world.changes[entry.key]
        return bisect_left(changes, now) > bisect_left(changes, entry.fetched_at)

    def _stale_probability(self, entry: Entry, now: float) -> float:
        return -math.expm1(-self._world.change_rates[entry.key] * max(0.0, now - entry.fetched_at))

    def _drain(self) -> Counter[RecordKey]:
        drained, self._demand = self._demand, Counter()
        return drained

    def _origins(self) -> dict[str, OriginState]:
        tokens = self._bucket.tokens(self._clock.now())
        return {ORIGIN: OriginState(tokens=tokens, capacity=self._bucket.capacity, latency_s=LATENCY_S)}

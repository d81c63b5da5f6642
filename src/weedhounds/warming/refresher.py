"""Refresh-ahead: a task that keeps the most wanted keys from expiring, within the origins' budgets.

Demand comes in batches, the plan (:mod:`weedhounds.warming.plan`) says what is due, loads go through the read path:
a refresh joins a load that runs already, requests join a refresh, and nodes of one database share it by lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from random import Random
from typing import Protocol

import msgspec

from weedhounds.breaker import BreakerState
from weedhounds.cache.demand import HotKeys
from weedhounds.cache.entry import Entry
from weedhounds.clock import Clock
from weedhounds.errors import BadInput, WeedHoundsError
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Shop
from weedhounds.reads import ReadResult
from weedhounds.readthrough import ReadThrough
from weedhounds.sources.allowance import TokenBucket
from weedhounds.sources.base import Budget
from weedhounds.sources.fetch import OriginStats
from weedhounds.telemetry import Trace, bind_request_id, get_logger
from weedhounds.warming.plan import LEAST_USES, OriginState, RefreshPlan, Wanted

DEADLINE_S = 30.0
"""Longest time of one refresh, seconds: a lease across nodes lasts no longer."""
TRACKED_PER_KEY = 4
"""Keys whose demand is followed for each that may be refreshed: the next ones must be known before they are hot."""
LEAST_TICK_S = 0.1
LEAST_RANK_S = 1.0
"""Where the time of facts runs faster it is looked and ranked more often, in real seconds at most so often."""
MOST_SPEED = 1e6
_FIRST_LATENCY_S = 1.0
"""Latency of an origin that has not answered yet."""
_AT_ONCE = 256
"""Keys dealt with before the loop has its turn: about a millisecond."""

log = get_logger("weedhounds.warming")


class Reads(Protocol):
    """Loads records although fresh entries of them are held (:class:`weedhounds.readthrough.ReadThrough`)."""

    async def refresh_many(self, keys: Iterable[RecordKey], *, deadline: float | None, trace: Trace) -> ReadResult:
        """Load ``keys`` by ``deadline`` (monotonic seconds); what the calls cost is counted in ``trace``."""
        ...


class ReadsOfShops:
    """Refreshes through a read path, with what is held of the shops whose records are loaded.

    Args:
        shops_held: the shops, by origin and native id, that keys belong to; nobody's request is counted.
    """

    def __init__(
        self,
        read: ReadThrough,
        shops_held: Callable[[Iterable[RecordKey]], Awaitable[Mapping[tuple[str, str], Shop]]],
    ) -> None:
        self._read = read
        self._shops_held = shops_held

    async def refresh_many(self, keys: Iterable[RecordKey], *, deadline: float | None, trace: Trace) -> ReadResult:
        """Load ``keys``; see :meth:`weedhounds.readthrough.ReadThrough.refresh_many`."""
        wanted = list(keys)
        shops = await self._shops_held(wanted)
        return await self._read.refresh_many(wanted, deadline=deadline, trace=trace, shops=shops)


Drain = Callable[[], Mapping[RecordKey, int] | Mapping[str, int]]
"""Returns the requests for each key, or key's text, since it was called last."""
EntryOf = Callable[[RecordKey], Entry | None]
"""Returns the entry held of a key in memory, fresh or not, without counting a use."""


class RefreshOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How refresh-ahead is done.

    Args:
        keys: most keys that are kept fresh.
        in_flight: most refreshes that run at once.
        window_frac: how far past expiry the read path serves an entry while it fetches it anew, as a share of its
            lifetime.
        least_uses: requests that a lifetime must see on average.
        tick_s: seconds between two looks at what is due; ``rank_s``: between two rankings of the keys. Both are
            shorter where the time of facts runs faster.
    """

    keys: int = 2_000
    in_flight: int = 8
    window_frac: float = 0.0
    least_uses: float = LEAST_USES
    tick_s: float = 1.0
    rank_s: float = 10.0


class RefreshStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of refresh-ahead since start.

    Args:
        refreshes: keys that were fetched anew before they expired.
        loads: loads for that. ``calls``: their call attempts at origins, which no answer's ``meta`` counts.
        failed: keys that could not be fetched anew.
        skipped_budget: keys that expired because their origin's budget left nothing for them.
        hot_keys: keys whose demand is followed now. ``planned``: of them, those that wait to be refreshed.
        in_flight: loads that run now.
    """

    refreshes: int = 0
    loads: int = 0
    calls: int = 0
    failed: int = 0
    skipped_budget: int = 0
    hot_keys: int = 0
    planned: int = 0
    in_flight: int = 0


def _never_stale(_entry: Entry, _now: float) -> float:
    return 0.0


class Refresher:
    """Refreshes the most wanted keys shortly before they expire.

    Args:
        drain: the demand, read once in each ranking.
        entry_of: what is held of a key; keys of which nothing is held are left alone.
        origins: the state of each origin that may be asked.
        rng: spreads refreshes.
        stale_probability: how likely an entry is stale at a moment (Unix seconds), 0..1.

    Bounds: demand of ``TRACKED_PER_KEY`` x ``options.keys`` keys (twice that between two trims), a plan of
    ``options.keys``, ``options.in_flight`` loads of ``DEADLINE_S`` each.
    """

    def __init__(
        self,
        read: Reads,
        *,
        drain: Drain,
        entry_of: EntryOf,
        origins: Callable[[], Mapping[str, OriginState]],
        clock: Clock,
        rng: Random,
        options: RefreshOptions | None = None,
        stale_probability: Callable[[Entry, float], float] = _never_stale,
    ) -> None:
        self.options = options or RefreshOptions()
        self._read = read
        self._drain = drain
        self._entry_of = entry_of
        self._origins = origins
        self._clock = clock
        self._stale_probability = stale_probability
        self._hot: HotKeys[RecordKey] = HotKeys(TRACKED_PER_KEY * self.options.keys)
        self._plan = RefreshPlan(
            rng,
            max_keys=self.options.keys,
            window_frac=self.options.window_frac,
            least_uses=self.options.least_uses,
        )
        self._speed = 1.0
        self._looked = (clock.now(), clock.monotonic())
        self._ranked_at = float("-inf")
        self._refreshes = self._loads = self._calls = self._failed = 0
        self._running: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to refresh."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End it, refreshes in flight included."""
        tasks = {*self._running, *([self._task] if self._task is not None else [])}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def stats(self) -> RefreshStats:
        """Return the figures."""
        return RefreshStats(
            refreshes=self._refreshes,
            loads=self._loads,
            calls=self._calls,
            failed=self._failed,
            skipped_budget=self._plan.skipped_budget,
            hot_keys=len(self._hot),
            planned=len(self._plan),
            in_flight=len(self._running),
        )

    async def step(self) -> int:
        """Look once at demand and at what is due; return how many loads were begun.

        What :meth:`start` repeats; simulations and tests call it themselves.
        """
        real = self._clock.monotonic()
        self._learn_speed(self._clock.now(), real)
        if real - self._ranked_at >= self._sped_up(self.options.rank_s, LEAST_RANK_S):
            self._ranked_at = real
            await self._note_demand()
            await self._rank()
        return self._launch()

    async def settle(self) -> None:
        """Wait until no refresh runs."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._sped_up(self.options.tick_s, LEAST_TICK_S))
            try:
                await self.step()
            except Exception:  # refreshing is a favour: one that fails must not end all later ones
                log.exception("refresh-ahead failed")

    def _learn_speed(self, now: float, real: float) -> None:
        """See how fast the time of facts runs: latencies are real, lifetimes are not."""
        if real > self._looked[1]:
            self._speed = min(max(1.0, (now - self._looked[0]) / (real - self._looked[1])), MOST_SPEED)
            self._looked = (now, real)

    def _sped_up(self, seconds: float, least_s: float) -> float:
        """Return how long to wait where the time of facts runs faster: shorter, but not below ``least_s`` for that."""
        return max(min(seconds, least_s), seconds / self._speed)

    async def _note_demand(self) -> None:
        now = self._clock.now()
        drained: Iterable[tuple[RecordKey | str, int]] = self._drain().items()
        for n, (name, count) in enumerate(drained):
            with suppress(BadInput):  # what was asked for was no key
                self._hot.add(RecordKey.parse(name) if isinstance(name, str) else name, count, now)
            if n % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)

    async def _rank(self) -> None:
        """Offer the hottest keys that are held to the plan."""
        origins, now = self._origins(), self._clock.now()
        hottest = self._hot.top(self.options.keys, now)
        self._plan.retain({key for key, _ in hottest})
        for n, (key, rate_per_s) in enumerate(hottest):
            entry, origin = self._entry_of(key), origins.get(key.origin)
            if entry is None or origin is None:
                self._plan.forget(key)
            else:
                self._plan.offer(self._wanted(entry, rate_per_s), origin, now, speed=self._speed)
            if n % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)

    def _wanted(self, entry: Entry, rate_per_s: float) -> Wanted:
        return Wanted(
            key=entry.key,
            fetched_at=entry.fetched_at,
            expires_at=entry.expires_at,
            rate_per_s=rate_per_s,
            stale_at_expiry=self._stale_probability(entry, entry.expires_at),
        )

    def _launch(self) -> int:
        """Begin the refreshes that are due."""
        now, room = self._clock.now(), self.options.in_flight - len(self._running)
        if room <= 0 or not self._plan.has_due(now):
            return 0
        begun = 0
        for keys in self._plan.due(now, self._origins(), room=room):
            due = [key for key in keys if self._is_still_due(key)]
            if due:
                task = asyncio.create_task(self._refresh(due))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
                begun += 1
        return begun

    def _is_still_due(self, key: RecordKey) -> bool:
        """Tell whether the entry is still the one that was planned for: a menu's load renews its prices too."""
        entry = self._entry_of(key)
        return entry is not None and entry.expires_at == self._plan.expires_at(key)

    async def _refresh(self, keys: Collection[RecordKey]) -> None:
        trace = Trace()
        self._loads += 1
        failed = len(keys)
        try:
            with bind_request_id():
                deadline = self._clock.monotonic() + DEADLINE_S
                result = await self._read.refresh_many(keys, deadline=deadline, trace=trace)
            failed = sum(key in result.missing or key in result.stale_errors for key in keys)
        except WeedHoundsError as error:
            log.debug("refresh failed", keys=len(keys), why=str(error))
        except Exception:
            log.exception("refresh failed", keys=len(keys))
        finally:
            self._failed += failed
            self._refreshes += len(keys) - failed
            self._calls += trace.origin_calls
            if not failed and trace.origin_calls:
                self._plan.spent(keys, trace.origin_calls)


def origin_state(stats: OriginStats, budget: Budget, *, price: float = 1.0) -> OriginState:
    """Return an origin's state from its client's figures.

    Args:
        price: of a call, in stale serves.
    """
    return OriginState(
        tokens=stats.tokens,
        capacity=TokenBucket(max(1, budget.burst), max(0.0, budget.rate_per_s), 0.0).capacity,
        latency_s=stats.latency.p90_s if stats.latency.count else _FIRST_LATENCY_S,
        price=price,
        waiting=stats.waiting,
        may_be_asked=stats.breaker is not BreakerState.OPEN,
    )

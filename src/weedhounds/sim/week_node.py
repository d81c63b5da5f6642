"""A node's read path over a simulated week: its tiers, its loads, its learner, on a clock that is told the time.

Requests come one after the other, at the times of the trace. What the memory tier holds fresh goes the
short way, as in a node; everything else goes through the read path. A load takes no time: what is
fetched is what was in force when it was asked for. Every request is judged by the version in the body
that it was served.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import msgspec

from weedhounds.cache.address import SqliteAddress
from weedhounds.cache.database import database_of
from weedhounds.cache.entry import Entry
from weedhounds.cache.memory import MemoryTier
from weedhounds.cache.sqlite_file import SWITCH_INTERVAL_S
from weedhounds.cache.tier import Tier, TierStats
from weedhounds.clock import Clock, ManualClock
from weedhounds.config import CacheSettings
from weedhounds.hits import Hits
from weedhounds.learning import Learning
from weedhounds.model.datatypes import DataType, Lifetime
from weedhounds.readthrough import ReadThrough
from weedhounds.sim.calibration import Calibration, calibration
from weedhounds.sim.replay import Tally
from weedhounds.sim.trace import Trace
from weedhounds.sim.week_lists import Groups
from weedhounds.sim.week_origin import ORIGIN, Shelf, WeekClient, origin_of, shop_of, version_of
from weedhounds.telemetry import Trace as RequestTrace
from weedhounds.ttl.budget_price import BudgetPrices
from weedhounds.ttl.decide import Lifetimes
from weedhounds.ttl.learner import LONGEST_S, Learner

Progress = Callable[[int, int], None]
SAMPLES = 50_000
"""Most requests of which the told stale probability is kept."""
_STEP = 20_000
"""Requests between two reports of progress."""
_SHORTEST_S = 1.0


class NodeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the node is set up; what is not named here is as in a node.

    Args:
        zone: IANA name of the shops' zone.
        since: requests count from then on, Unix seconds.
        price: of a call, in stale serves.
        is_bounded: keep lifetimes within their types' limits, as a node does.
        strategy: of every data type.
        memory_bytes: budget of the memory tier.
        has_sql: whether there is a second tier, a SQLite file.
        revalidate_frac: how far past expiry an entry is served while it is fetched anew; ``None`` as in a node.
        seed: of the jitter of lifetimes.
    """

    zone: str
    since: float
    price: float = 1.0
    is_bounded: bool = True
    strategy: str = "hybrid"
    memory_bytes: int = 128 * 2**20
    has_sql: bool = True
    revalidate_frac: float | None = None
    seed: int = 1


class NodeOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a node's week came to, after the warm-up.

    Args:
        served: requests by the tier that served them, ``origin`` included.
        revalidated: those among them that were served an expired entry while it was fetched anew.
        tiers: what each tier holds at the end, and its counts over all the weeks.
        calibration: of the stale probabilities that the node told, from a sample of the requests.
    """

    by_type: dict[DataType, Tally]
    served: dict[str, int]
    revalidated: int
    tiers: dict[str, TierStats]
    calibration: Calibration

    @property
    def total(self) -> Tally:
        """Return all data types together."""
        return sum(self.by_type.values(), Tally())


async def node_week(
    trace: Trace, groups: Groups, options: NodeOptions, *, progress: Progress | None = None
) -> NodeOutcome:
    """Serve the requests of ``trace`` and return what was counted.

    Args:
        groups: which keys one call fills together.
        progress: told of requests served, and of how many.

    Raises:
        TierUnavailable: no temporary file for the SQL tier could be opened.

    Bounds: those of the tiers and the learner, and six numbers a key. About 1 us a request that memory
    serves and half a millisecond a load.
    """
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        async with _parts(trace, groups, options) as parts:
            run = _Run(trace, parts, options)
            await run.serve(progress)
            return run.outcome()
    finally:
        sys.setswitchinterval(interval_s)


class _OnePrice(BudgetPrices):
    """The same price for every call, whatever is left of any budget."""

    def __init__(self, price: float) -> None:
        super().__init__({})
        self._one = price

    def price(self, origin: str, now: float) -> float:
        return self._one


class _Parts(msgspec.Struct, frozen=True):
    """A node's parts, put together."""

    clock: ManualClock
    shelf: Shelf
    client: WeekClient
    learning: Learning
    read: ReadThrough
    hits: Hits


@asynccontextmanager
async def _parts(trace: Trace, groups: Groups, options: NodeOptions) -> AsyncIterator[_Parts]:
    """Put a node's parts together as :mod:`weedhounds.node` does, and take them apart again."""
    clock = ManualClock(trace.start)
    shelf = Shelf(trace, groups)
    origin, client = origin_of(shelf, clock)
    memory = MemoryTier(options.memory_bytes)
    learning = Learning(_lifetimes(options), _OnePrice(options.price), clock=clock, served=memory.take_served)
    memory.departed = learning.departed
    hits = Hits(memory, clock, {ORIGIN: None}, learning.stale_probability)
    async with _sql_tier(clock, has_sql=options.has_sql) as below:
        read = ReadThrough(
            tiers=[memory, *below],
            origins={ORIGIN: origin},
            clock=clock,
            settings=_settings(options),
            direct_hits=memory.direct_hits,
            learning=learning,
            rng=Random(f"{options.seed}:jitter"),
        )
        try:
            yield _Parts(clock, shelf, client, learning, read, hits)
        finally:
            await read.close()


@asynccontextmanager
async def _sql_tier(clock: Clock, *, has_sql: bool) -> AsyncIterator[list[Tier]]:
    """Open a SQLite file in a temporary folder, gone afterwards; nothing where none is wanted."""
    if not has_sql:
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="weedhounds-week-") as folder:
        database = database_of(SqliteAddress(Path(folder) / "week.sqlite3"), clock=clock)
        await database.open()
        try:
            yield [database.tier]
        finally:
            await database.close()


def _settings(options: NodeOptions) -> CacheSettings:
    own = CacheSettings()
    if options.revalidate_frac is None:
        return own
    return own.model_copy(update={"stale_while_revalidate_frac": options.revalidate_frac})


def _lifetimes(options: NodeOptions) -> Lifetimes:
    limits = None if options.is_bounded else {t.value: Lifetime(3600.0, _SHORTEST_S, LONGEST_S) for t in DataType}
    return Lifetimes(
        strategies=dict.fromkeys((t.value for t in DataType), options.strategy),
        limits=limits,
        learner=Learner(options.price),
    )


class _Run:
    """The requests served one after the other, and the counts of each key."""

    def __init__(self, trace: Trace, parts: _Parts, options: NodeOptions) -> None:
        count = len(trace.items)
        self._trace = trace
        self._parts = parts
        self._options = options
        self._texts = [str(key) for key in parts.shelf.keys]
        self._shops = [shop_of(item, options.zone) for item in trace.items]
        self._shown: list[Entry | None] = [None] * count
        self._stale_at = [0.0] * count
        self._requests, self._stale = [0] * count, [0] * count
        self._staleness_s = [0.0] * count
        self._calls, self._useful, self._unserved = [0] * count, [0] * count, [0] * count
        self._past_memory = {"origin": 0, "sql": 0}
        self._revalidated = 0
        self._told: dict[DataType, list[tuple[float, bool]]] = {item.dtype: [] for item in trace.items}

    async def serve(self, progress: Progress | None) -> None:
        """Serve all requests, the warm-up's without counting them."""
        every = len(self._trace.request_times)
        first = bisect_left(self._trace.request_times, self._options.since)
        for low in range(0, first, _STEP):
            await self._warm(low, min(first, low + _STEP))
            if progress is not None:
                progress(low, every)
        sample = max(1, -(-(every - first) // SAMPLES))
        for low in range(first, every, _STEP):
            await self._judge(low, min(every, low + _STEP), sample)
            if progress is not None:
                progress(low, every)

    async def _warm(self, low: int, high: int) -> None:
        set_now, entry_of, texts = self._parts.clock.set_now, self._parts.hits.entry, self._texts
        times, keys = self._trace.request_times, self._trace.request_keys
        for n in range(low, high):
            set_now(times[n])
            if entry_of(texts[keys[n]]) is None:
                await self._ask(keys[n])

    async def _judge(self, low: int, high: int, sample: int) -> None:
        """Serve and count; of every ``sample``-th request the stale probability is asked."""
        set_now, entry_of, texts = self._parts.clock.set_now, self._parts.hits.entry, self._texts
        times, keys = self._trace.request_times, self._trace.request_keys
        requests, stale, shown, stale_at = self._requests, self._stale, self._shown, self._stale_at
        for n in range(low, high):
            now, i = times[n], keys[n]
            set_now(now)
            entry = entry_of(texts[i])
            if entry is None:
                entry = await self._counted(i)
            requests[i] += 1
            if entry is not shown[i]:
                self._show(i, entry)
            if now >= stale_at[i]:
                stale[i] += 1
                self._staleness_s[i] += now - stale_at[i]
            if n % sample == 0 and entry is not None:
                told = self._parts.learning.stale_probability(entry, now)
                self._told[entry.key.data_type].append((told, now >= stale_at[i]))

    def _show(self, i: int, entry: Entry | None) -> None:
        """Note from when on what is served now is stale; a request without an answer counts as stale."""
        shelf = self._parts.shelf
        self._shown[i] = entry
        self._stale_at[i] = self._parts.clock.now() if entry is None else shelf.stale_at(i, version_of(entry))

    async def _ask(self, i: int) -> tuple[Entry | None, str, bool]:
        """Ask the read path; return what it served, from where, and whether it is fetched anew meanwhile."""
        key, shop = self._parts.shelf.keys[i], self._shops[i]
        shops = {(ORIGIN, shop.id): shop} if shop is not None else {}
        before = asyncio.all_tasks()
        result = await self._parts.read.get_many((key,), deadline=None, trace=RequestTrace(), shops=shops)
        found = result.found.get(key)
        if found is None:
            return None, "", False
        if found.is_stale and (beside := asyncio.all_tasks() - before):
            await asyncio.wait(beside)  # what is fetched anew has come before time goes on
        return found.entry, found.tier, found.is_stale

    async def _counted(self, i: int) -> Entry | None:
        client = self._parts.client
        calls, useful = client.calls, client.useful_calls
        entry, tier, is_revalidated = await self._ask(i)
        self._calls[i] += client.calls - calls
        self._useful[i] += client.useful_calls - useful
        self._unserved[i] += entry is None
        self._revalidated += is_revalidated
        if tier in self._past_memory:
            self._past_memory[tier] += 1
        return entry

    def outcome(self) -> NodeOutcome:
        """Return the counts."""
        by_type: dict[DataType, Tally] = {}
        for i, item in enumerate(self._trace.items):
            tally = Tally(
                requests=self._requests[i],
                calls=self._calls[i],
                useful_calls=self._useful[i],
                stale=self._stale[i],
                stale_weight=item.weight * self._stale[i],
                staleness_s=self._staleness_s[i],
                unserved=self._unserved[i],
            )
            by_type[item.dtype] = by_type.get(item.dtype, Tally()) + tally
        unserved = sum(self._unserved)
        memory = sum(self._requests) - sum(self._past_memory.values()) - unserved
        return NodeOutcome(
            by_type={data_type: tally for data_type, tally in by_type.items() if tally.requests},
            served={"memory": memory, **self._past_memory},
            revalidated=self._revalidated,
            tiers=self._parts.read.tier_stats(),
            calibration=calibration(self._told),
        )

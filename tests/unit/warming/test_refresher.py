"""Refresh-ahead: from demand to loads, on a clock that is moved by hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from random import Random

import msgspec
import pytest
import structlog

from weedhounds.breaker import BreakerState
from weedhounds.cache.entry import Entry
from weedhounds.clock import ManualClock
from weedhounds.errors import OriginUnavailable, RateLimited
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.readthrough import Found, ReadResult
from weedhounds.sources.base import Budget
from weedhounds.sources.fetch import OriginStats
from weedhounds.telemetry import Histogram, Trace
from weedhounds.warming import OriginState, Refresher, RefreshOptions, origin_state

LIFETIME_S = 600.0


def prices(shop: int, origin: str = "weedmaps") -> RecordKey:
    return RecordKey(DataType.PRODUCT_PRICING, origin, str(shop))


class World:
    """Entries in a dict, demand in a counter, and loads that renew entries, fail or wait as told."""

    def __init__(self, options: RefreshOptions | None = None) -> None:
        self.clock = ManualClock()
        self.entries: dict[RecordKey, Entry] = {}
        self.demand: Counter[RecordKey] = Counter()
        self.texts: Counter[str] = Counter()
        self.state = OriginState(tokens=40.0, capacity=40.0, latency_s=0.2)
        self.loads: list[list[RecordKey]] = []
        self.error: Exception | None = None
        self.missing: dict[RecordKey, OriginUnavailable] = {}
        self.gate: asyncio.Event | None = None
        self.has_loaded = asyncio.Event()
        self.calls_a_load = 1
        self.refresher = Refresher(
            self,
            drain=self._drain,
            entry_of=self.entries.get,
            origins=lambda: {"weedmaps": self.state},
            clock=self.clock,
            rng=Random(1),
            options=options,
        )

    async def refresh_many(self, keys: Iterable[RecordKey], *, deadline: float | None, trace: Trace) -> ReadResult:
        wanted = list(keys)
        self.loads.append(wanted)
        self.has_loaded.set()
        for _ in range(self.calls_a_load):
            trace.called()
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        result = ReadResult({}, dict(self.missing), {})
        for key in wanted:
            if key not in self.missing:
                result.found[key] = Found(self.hold(key), "origin")
        return result

    def hold(self, key: RecordKey, lifetime_s: float = LIFETIME_S) -> Entry:
        now = self.clock.now()
        entry = Entry(key, b"", fetched_at=now, expires_at=now + lifetime_s, digest=b"", origins=(key.origin,))
        self.entries[key] = entry
        return entry

    def ask(self, key: RecordKey, count: int = 1) -> None:
        self.demand[key] += count

    async def pass_time(self, seconds: float, *, asking: dict[RecordKey, int] | None = None) -> None:
        """Let time pass second by second; ask for keys so often every ten seconds."""
        for second in range(int(seconds)):
            self.clock.advance(1.0)
            if second % 10 == 0:
                for key, count in (asking or {}).items():
                    self.ask(key, count)
            await self.refresher.step()
            await asyncio.sleep(0)

    def _drain(self) -> Counter[RecordKey] | Counter[str]:
        if self.texts:
            texts, self.texts = self.texts, Counter()
            return texts
        drained, self.demand = self.demand, Counter()
        return drained


@pytest.fixture
def world() -> World:
    return World()


async def test_a_wanted_key_never_expires_and_an_unwanted_one_does(world: World) -> None:
    world.hold(prices(1))
    world.hold(prices(2))
    for _ in range(40):
        await world.pass_time(100, asking={prices(1): 5})
        assert world.entries[prices(1)].is_fresh(world.clock.now())
    assert not world.entries[prices(2)].is_fresh(world.clock.now())
    loads = 4_000 / (LIFETIME_S * 0.96)
    assert world.loads == [[prices(1)]] * int(loads)
    stats = world.refresher.stats()
    assert (stats.refreshes, stats.loads, stats.calls, stats.failed) == (6, 6, 6, 0)
    assert (stats.hot_keys, stats.planned, stats.in_flight) == (1, 1, 0)


async def test_what_is_not_held_is_not_fetched(world: World) -> None:
    await world.pass_time(2_000, asking={prices(1): 50})
    assert world.loads == []


async def test_a_key_that_is_wanted_no_longer_is_left_to_expire(world: World) -> None:
    world.hold(prices(1))
    await world.pass_time(1_000, asking={prices(1): 5})
    assert len(world.loads) == 1
    await world.pass_time(20_000)
    assert len(world.loads) < 25
    before = len(world.loads)
    await world.pass_time(5_000)
    assert len(world.loads) == before
    assert not world.entries[prices(1)].is_fresh(world.clock.now())


async def test_demand_may_name_keys_by_their_text_and_what_is_no_key_is_passed_over(world: World) -> None:
    world.hold(prices(1))
    for _ in range(7):
        world.texts.update({"no key at all": 1_000, str(prices(1)): 50})
        await world.pass_time(99)
    assert world.loads == [[prices(1)]]
    assert world.refresher.stats().hot_keys == 1


async def test_a_failed_refresh_is_counted_and_not_repeated_until_there_is_a_new_expiry(world: World) -> None:
    world.hold(prices(1))
    world.error = OriginUnavailable("down")
    await world.pass_time(900, asking={prices(1): 5})
    assert (len(world.loads), world.refresher.stats().failed, world.refresher.stats().refreshes) == (1, 1, 0)
    world.error = None
    world.hold(prices(1))  # somebody's request has fetched it
    await world.pass_time(700, asking={prices(1): 5})
    assert (len(world.loads), world.refresher.stats().refreshes) == (2, 1)


async def test_what_the_read_path_names_as_missing_has_failed(world: World) -> None:
    world.hold(prices(1))
    world.missing = {prices(1): OriginUnavailable("down")}
    await world.pass_time(700, asking={prices(1): 5})
    assert (world.refresher.stats().failed, world.refresher.stats().refreshes) == (1, 0)


async def test_an_error_that_nobody_foresaw_is_logged_and_ends_nothing(world: World) -> None:
    world.hold(prices(1))
    world.error = ZeroDivisionError("a mistake")
    with structlog.testing.capture_logs() as logs:
        await world.pass_time(700, asking={prices(1): 5})
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["refresh failed"]
    assert world.refresher.stats().failed == 1


async def test_no_more_refreshes_run_than_may() -> None:
    world = World(RefreshOptions(in_flight=3))
    world.gate = asyncio.Event()
    for n in range(10):
        world.hold(prices(n))
    await world.pass_time(598, asking={prices(n): 5 for n in range(10)})
    assert (len(world.loads), world.refresher.stats().in_flight) == (3, 3)
    world.gate.set()
    await world.refresher.settle()
    assert (world.refresher.stats().in_flight, world.refresher.stats().refreshes) == (0, 3)


async def test_only_the_hottest_keys_are_kept_fresh() -> None:
    world = World(RefreshOptions(keys=2))
    for n in range(5):
        world.hold(prices(n))
    await world.pass_time(600, asking={prices(n): 5 + n for n in range(5)})
    assert sorted(key.native_id for load in world.loads for key in load) == ["3", "4"]


async def test_an_empty_budget_refreshes_nothing_and_says_so(world: World) -> None:
    world.hold(prices(1))
    world.state = OriginState(tokens=3.0, capacity=40.0, latency_s=0.2)
    await world.pass_time(700, asking={prices(1): 5})
    assert (world.loads, world.refresher.stats().skipped_budget) == ([], 1)


async def test_an_entry_that_another_load_has_renewed_is_not_loaded_again(world: World) -> None:
    world.hold(prices(1))
    await world.pass_time(569, asking={prices(1): 5})
    world.hold(prices(1))  # after the last ranking, before the refresh is due
    await world.pass_time(100, asking={prices(1): 5})
    assert world.loads == []


async def test_calls_of_a_load_are_learnt(world: World) -> None:
    world.calls_a_load = 15
    for n in range(4):
        world.hold(prices(n))
    hot = {prices(n): 5 for n in range(4)}
    await world.pass_time(1_150, asking=hot)
    assert world.refresher.stats().calls == 15 * len(world.loads)
    world.loads.clear()
    world.gate = asyncio.Event()
    for n in range(4):
        world.hold(prices(n))
    world.clock.advance(1)
    await world.pass_time(598, asking=hot)
    world.gate.set()
    await world.refresher.settle()
    assert len(world.loads) == 4  # one a look: 20 calls are spare each time


async def test_a_clock_that_runs_faster_makes_refreshes_begin_earlier(world: World) -> None:
    world.hold(prices(1), lifetime_s=6_000.0)
    for _ in range(99):
        world.clock.advance(1.0)
        world.clock.set_now(world.clock.now() + 59.0)
        world.ask(prices(1), 20)
        await world.refresher.step()
        await asyncio.sleep(0)
    assert world.loads == [[prices(1)]]
    assert world.entries[prices(1)].is_fresh(world.clock.now())


async def test_a_clock_that_runs_faster_makes_it_look_and_rank_more_often(world: World) -> None:
    world.hold(prices(1), lifetime_s=600.0)
    for _ in range(19):  # half a minute of facts in each half second
        world.clock.advance(0.5)
        world.clock.set_now(world.clock.now() + 29.5)
        world.ask(prices(1), 20)
        await world.refresher.step()
        await asyncio.sleep(0)
    assert world.loads == [[prices(1)]]


async def test_the_task_looks_again_and_again_and_ends_when_closed() -> None:
    world = World(RefreshOptions(tick_s=0.001, rank_s=0.0))
    world.gate = asyncio.Event()
    world.hold(prices(1))
    await world.pass_time(540, asking={prices(1): 5})
    world.refresher.start()
    world.clock.advance(58)
    async with asyncio.timeout(5):
        await world.has_loaded.wait()
    await world.refresher.close()
    stats = world.refresher.stats()
    assert (stats.in_flight, stats.failed, stats.calls) == (0, 1, 1)
    assert len(asyncio.all_tasks()) == 1


async def test_a_look_that_fails_is_logged_and_followed_by_others() -> None:
    world = World(RefreshOptions(tick_s=0.001, rank_s=0.0))
    looks = 0

    def broken() -> dict[RecordKey, int]:
        nonlocal looks
        looks += 1
        raise RateLimited("not now", 1.0)

    world.refresher._drain = broken
    with structlog.testing.capture_logs() as logs:
        world.refresher.start()
        async with asyncio.timeout(5):
            while looks < 3:
                world.clock.advance(1)
                await asyncio.sleep(0)
        await world.refresher.close()
    assert {line["event"] for line in logs} == {"refresh-ahead failed"}


async def test_closing_one_that_never_ran_is_nothing(world: World) -> None:
    await world.refresher.close()


@pytest.mark.parametrize(
    ("breaker", "may_be_asked"),
    [(BreakerState.CLOSED, True), (BreakerState.HALF_OPEN, True), (BreakerState.OPEN, False)],
)
def test_an_origins_state_is_read_from_its_figures(breaker: BreakerState, may_be_asked: bool) -> None:
    latency = Histogram()
    stats = OriginStats(
        calls=0, retries=0, rate_limited=0, bytes=0, errors={}, latency=latency.summary(), tokens=7.5, in_flight=1,
        waiting=2, breaker=breaker,
    )  # fmt: skip
    state = origin_state(stats, Budget(burst=10, rate_per_s=2.0, concurrency=4), price=3.0)
    assert (state.tokens, state.capacity, state.waiting, state.price) == (7.5, 9.8, 2, 3.0)
    assert (state.latency_s, state.may_be_asked) == (1.0, may_be_asked)
    latency.observe(0.25)
    answered = msgspec.structs.replace(stats, latency=latency.summary())
    assert origin_state(answered, Budget(burst=10, rate_per_s=2.0, concurrency=4)).latency_s == pytest.approx(
        0.25, rel=0.3
    )


def test_an_origin_whose_budget_is_nothing_has_nothing_to_spare() -> None:
    stats = OriginStats(
        calls=0, retries=0, rate_limited=0, bytes=0, errors={}, latency=Histogram().summary(), tokens=0.0, in_flight=0,
        waiting=0,
    )  # fmt: skip
    assert origin_state(stats, Budget(burst=0, rate_per_s=0.0, concurrency=0)).spare < 0.0

"""Tiers that are slow, fail or lie, one at a time and two at once: a look-up degrades to the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import combinations
from math import inf

import pytest
import structlog

from scripted_tiers import Desk, ScriptedTier, entry_of, expired_entry_of, key_of
from weedhounds.breaker import BreakerState
from weedhounds.cache.entry import Entry
from weedhounds.errors import TierUnavailable
from weedhounds.sim.virtual_time import run_virtually
from weedhounds.strategies import STRATEGIES, Prices
from weedhounds.strategies.guard import SLOW_S, TIER_TIMEOUT_S

A, B = key_of("a"), key_of("b")
NAMES = ("memory", "sql", "peers")


def _damaged(entry: Entry) -> Entry:
    return Entry(
        entry.key, b"rubbish", fetched_at=entry.fetched_at, expires_at=entry.expires_at, digest=bytes(20), origins=()
    )


def fails(tier: ScriptedTier) -> None:
    tier.error = TierUnavailable("gone")


def fails_by_mistake(tier: ScriptedTier) -> None:
    tier.error = KeyError("a mistake in the tier")


def hangs(tier: ScriptedTier) -> None:
    tier.latency_s = tier.put_latency_s = inf


def gives_wrong_keys(tier: ScriptedTier) -> None:
    tier.lies = {A: entry_of(B), B: entry_of(A)}


def gives_old_entries(tier: ScriptedTier) -> None:
    tier.lies = {A: expired_entry_of(A), B: expired_entry_of(B)}


def gives_no_entries(tier: ScriptedTier) -> None:
    tier.lies = {A: "an entry", B: None}  # type: ignore[dict-item]


def gives_nonsense(tier: ScriptedTier) -> None:
    async def get_many(keys: object) -> list[object]:
        return [keys]

    tier.get_many = get_many  # type: ignore[method-assign,assignment]


Fault = Callable[[ScriptedTier], None]
FAULTS: tuple[Fault, ...] = (
    fails, fails_by_mistake, hangs, gives_wrong_keys, gives_old_entries, gives_no_entries, gives_nonsense
)  # fmt: skip


def tiers() -> list[ScriptedTier]:
    """Return tiers that all have both keys."""
    latencies_s = {"memory": 0.0, "sql": 0.005, "peers": 0.05}
    return [ScriptedTier(name, entry_of(A), entry_of(B), latency_s=s) for name, s in latencies_s.items()]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("broken", [c for count in (1, 2) for c in combinations(range(3), count)], ids=str)
def test_the_tiers_that_are_well_answer_for_those_that_are_not(
    strategy: str, fault: Fault, broken: Sequence[int]
) -> None:
    async def main() -> None:
        every = tiers()
        for number in broken:
            fault(every[number])
        desk = Desk(STRATEGIES[strategy](Prices.fixed()), *every)
        found = await desk.found(A, B)
        assert {key: each.entry.key for key, each in found.items()} == {A: A, B: B}
        assert all(not each.is_stale for each in found.values())
        assert {each.tier for each in found.values()} <= {n for i, n in enumerate(NAMES) if i not in broken}

    run_virtually(main())


@pytest.mark.parametrize("first", FAULTS[:4], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("second", FAULTS[2:], ids=lambda fault: fault.__name__)
def test_two_tiers_that_fail_in_different_ways_cost_no_more_than_their_answers(first: Fault, second: Fault) -> None:
    async def main() -> None:
        every = tiers()
        first(every[0])
        second(every[1])
        found = await Desk(STRATEGIES["local_first"](Prices.fixed()), *every).found(A, B)
        assert {each.tier for each in found.values()} == {"peers"}

    run_virtually(main())


def test_a_damaged_body_from_a_peer_is_neither_served_nor_copied() -> None:
    async def main() -> None:
        memory, sql, peers = ScriptedTier("memory"), ScriptedTier("sql"), ScriptedTier("peers", _damaged(entry_of(A)))
        assert await Desk(STRATEGIES["local_first"](Prices.fixed()), memory, sql, peers).tier_of(A) is None
        assert memory.held == sql.held == {}

    run_virtually(main())


def test_an_older_entry_from_a_peer_does_not_replace_a_newer_one() -> None:
    async def main() -> None:
        newer, older = entry_of(A, age_s=10.0), entry_of(A, age_s=90.0)
        sql, peers = ScriptedTier("sql", newer, latency_s=0.5), ScriptedTier("peers", older)
        assert (
            await Desk(STRATEGIES["parallel"](Prices.fixed()), ScriptedTier("memory"), sql, peers).tier_of(A) == "peers"
        )
        assert sql.held[A] is newer

    run_virtually(main())


def test_a_tier_that_hangs_is_skipped_after_a_few_requests_and_asked_again_when_it_is_well() -> None:
    async def main() -> None:
        memory, sql = ScriptedTier("memory"), ScriptedTier("sql", entry_of(A), latency_s=inf)
        desk = Desk(STRATEGIES["local_first"](Prices.fixed()), memory, sql)
        for _ in range(5):
            assert await desk.tier_of(A) is None
        assert desk.clock.monotonic() == pytest.approx(5 * TIER_TIMEOUT_S)
        assert desk.guard.states()["sql"] is BreakerState.OPEN
        started, asked = desk.clock.monotonic(), len(sql.asked)
        for _ in range(300):
            await desk.tier_of(A)
        assert (desk.clock.monotonic(), len(sql.asked)) == (started, asked)
        sql.latency_s = 0.001
        memory.held.clear()
        assert await _recovers_within(desk, 25.0)
        assert desk.guard.states()["sql"] is BreakerState.CLOSED

    run_virtually(main())


async def _recovers_within(desk: Desk, seconds: float) -> bool:
    for _ in range(int(seconds)):
        await asyncio.sleep(1.0)
        if await desk.tier_of(A) == "sql":
            return True
    return False


def test_the_probe_of_a_tier_that_still_hangs_costs_one_request_a_second() -> None:
    async def main() -> None:
        sql = ScriptedTier("sql", latency_s=inf)
        desk = Desk(STRATEGIES["local_first"](Prices.fixed()), sql)
        for _ in range(5):
            await desk.tier_of(A)
        await asyncio.sleep(3.0)
        took_s = []
        for _ in range(10):
            started = desk.clock.monotonic()
            await desk.tier_of(A)
            took_s.append(desk.clock.monotonic() - started)
        assert took_s == [pytest.approx(SLOW_S), *[0.0] * 9]

    run_virtually(main())


def test_a_tier_that_is_slow_serves_until_its_breaker_has_had_enough() -> None:
    async def main() -> None:
        sql = ScriptedTier("sql", entry_of(A), latency_s=SLOW_S + 0.5)
        desk = Desk(STRATEGIES["local_first"](Prices.fixed()), sql)
        served = [await desk.tier_of(A) for _ in range(8)]
        assert served == [*["sql"] * 5, *[None] * 3]

    run_virtually(main())


def test_a_tier_that_takes_no_entries_is_still_read() -> None:
    async def main() -> None:
        memory, sql = ScriptedTier("memory"), ScriptedTier("sql", entry_of(A))
        memory.put_latency_s = inf
        desk = Desk(STRATEGIES["local_first"](Prices.fixed()), memory, sql)
        for _ in range(20):
            assert await desk.tier_of(A) == "sql"
        assert desk.clock.monotonic() <= 7 * TIER_TIMEOUT_S
        assert len(memory.asked) == 20
        assert desk.guard.states()["memory"] is BreakerState.CLOSED

    run_virtually(main())


def test_an_outage_is_one_line_and_its_end_another_and_each_skip_is_counted() -> None:
    async def main() -> None:
        sql = ScriptedTier("sql", entry_of(A))
        fails(sql)
        desk = Desk(STRATEGIES["local_first"](Prices.fixed()), sql)
        with structlog.testing.capture_logs() as lines:
            for _ in range(20):
                await desk.tier_of(A)
            assert (desk.trace.tier_errors, desk.guard.errors, len(sql.asked)) == (20, 20, 5)
            sql.error = None
            assert await _recovers_within(desk, 10.0)
        assert [(line["event"], line["tier"]) for line in lines] == [("tier skipped", "sql"), ("tier is back", "sql")]

    run_virtually(main())


def test_a_probe_whose_asker_has_left_leaves_its_place_to_the_next_request() -> None:
    async def main() -> None:
        sql = ScriptedTier("sql", entry_of(A))
        fails(sql)
        desk = Desk(STRATEGIES["local_first"](Prices.fixed()), sql)
        for _ in range(5):
            await desk.tier_of(A)
        await asyncio.sleep(2.5)
        sql.error, sql.latency_s = None, inf
        probing = asyncio.create_task(desk.tier_of(A))
        await asyncio.sleep(0.1)
        probing.cancel()
        await asyncio.wait([probing])
        sql.latency_s = 0.001
        assert await desk.tier_of(A) == "sql"

    run_virtually(main())

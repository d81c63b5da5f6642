"""The gate: who goes out when, within the allowance and the calls in flight."""

from __future__ import annotations

import asyncio

import pytest

from weedhounds.clock import ManualClock, SystemClock
from weedhounds.errors import OriginUnavailable, RateLimited
from weedhounds.sources.base import Budget
from weedhounds.sources.daybudget import DAY_S
from weedhounds.sources.limits import MAX_PAUSE_S, Gate

FAR = 1e9


async def turn_of_the_loop() -> None:
    """Let every task that can run do so once."""
    await asyncio.sleep(0)


async def test_a_full_bucket_lets_calls_out_at_once() -> None:
    gate = Gate(Budget(20, 1.0, 20), ManualClock())
    await asyncio.gather(*(gate.enter(deadline=1.0) for _ in range(19)))
    assert gate.in_flight == 19


async def test_urgent_calls_go_first() -> None:
    gate = Gate(Budget(100, 100.0, 1), SystemClock())
    await gate.enter(deadline=FAR)
    order: list[str] = []

    async def call(name: str, *, is_urgent: bool) -> None:
        await gate.enter(deadline=FAR, is_urgent=is_urgent)
        order.append(name)
        gate.leave()

    tasks = [asyncio.create_task(call(name, is_urgent=name == "next page")) for name in ("one", "two", "next page")]
    await turn_of_the_loop()
    assert gate.waiting == 3
    gate.leave()
    await asyncio.gather(*tasks)
    assert order == ["next page", "one", "two"]
    assert gate.in_flight == 0


async def test_a_cancelled_call_gives_its_place_and_token_back() -> None:
    gate = Gate(Budget(3, 0.001, 1), ManualClock())
    await gate.enter(deadline=FAR)
    waiting = asyncio.create_task(gate.enter(deadline=FAR))
    await turn_of_the_loop()
    assert gate.waiting == 1
    gate.leave()  # admits the waiting call, which has not run since
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert gate.in_flight == gate.waiting == 0
    assert gate.tokens == pytest.approx(2.0, abs=0.01)
    await gate.enter(deadline=FAR)


async def test_a_cancelled_call_in_the_queue_leaves_it() -> None:
    gate = Gate(Budget(10, 1.0, 1), ManualClock())
    await gate.enter(deadline=FAR)
    waiting = asyncio.create_task(gate.enter(deadline=FAR))
    await turn_of_the_loop()
    assert gate.waiting == 1
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert gate.waiting == 0
    assert gate.in_flight == 1


async def test_a_deadline_that_passes_behind_busy_connections_is_no_rate_limit() -> None:
    clock = SystemClock()
    gate = Gate(Budget(10, 10.0, 1), clock)
    await gate.enter(deadline=FAR)
    with pytest.raises(OriginUnavailable, match="1 calls were in flight"):
        await gate.enter(deadline=clock.monotonic() + 0.02)


async def test_a_token_that_comes_too_late_to_be_answered_is_not_waited_for() -> None:
    clock = SystemClock()
    gate = Gate(Budget(1, 0.5, 4), clock)
    await gate.enter(deadline=FAR)
    with pytest.raises(RateLimited) as caught:
        await gate.enter(deadline=clock.monotonic() + 2.5, needs_s=1.0)
    assert caught.value.retry_after_s == pytest.approx(2.0, abs=0.1)


async def test_a_pause_is_bounded_however_long_the_origin_asks() -> None:
    clock = ManualClock()
    gate = Gate(Budget(5, 1.0, 1), clock)
    gate.pause(1e12)
    with pytest.raises(RateLimited) as caught:
        await gate.enter(deadline=10.0)
    assert caught.value.retry_after_s == pytest.approx(MAX_PAUSE_S)


async def test_the_days_budget_is_kept_and_its_end_is_told_at_once() -> None:
    clock = ManualClock()
    gate = Gate(Budget(50, 10.0, 50), clock, calls_per_day=3)
    for _ in range(3):
        await gate.enter(deadline=10.0)
    with pytest.raises(RateLimited, match="budget of 3 a day") as caught:
        await gate.enter(deadline=10.0)
    assert caught.value.retry_after_s is not None
    assert DAY_S <= caught.value.retry_after_s <= DAY_S + 900
    assert (gate.day_left, gate.in_flight) == (0, 3)
    clock.advance(DAY_S + 900)
    await gate.enter(deadline=clock.monotonic() + 10.0)
    assert gate.day_left == 2


async def test_those_who_wait_count_against_the_day() -> None:
    gate = Gate(Budget(50, 10.0, 1), ManualClock(), calls_per_day=2)
    await gate.enter(deadline=10.0)
    waiting = asyncio.create_task(gate.enter(deadline=10.0))
    await turn_of_the_loop()
    with pytest.raises(RateLimited, match="2 a day"):
        await gate.enter(deadline=10.0)
    gate.leave()
    await waiting
    assert gate.day_left == 0


@pytest.mark.parametrize("budget", [Budget(0, 1.0, 1), Budget(5, 0.0, 5), Budget(5, 1.0, 0)])
async def test_a_budget_of_nothing_is_refused_at_once_with_no_time_to_try_again(budget: Budget) -> None:
    with pytest.raises(RateLimited, match="never asked") as caught:
        await Gate(budget, ManualClock()).enter(deadline=FAR)
    assert caught.value.retry_after_s is None


async def test_a_call_that_waits_for_nothing_goes_only_where_all_is_free() -> None:
    gate = Gate(Budget(4, 0.001, 2), ManualClock())
    assert gate.enter_now()
    assert gate.enter_now()
    assert not gate.enter_now()  # no place in flight
    gate.leave()
    assert gate.enter_now()
    gate.leave()
    assert gate.tokens < 1.0
    assert not gate.enter_now()  # no token
    assert gate.in_flight == 1


async def test_a_call_that_waits_for_nothing_never_passes_those_who_wait() -> None:
    gate = Gate(Budget(10, 1.0, 1), ManualClock())
    await gate.enter(deadline=FAR)
    waiting = asyncio.create_task(gate.enter(deadline=FAR))
    await turn_of_the_loop()
    assert not gate.enter_now()
    gate.leave()
    await waiting


async def test_a_call_that_was_not_made_gives_back_what_it_took() -> None:
    gate = Gate(Budget(3, 0.001, 3), ManualClock(), calls_per_day=3)
    await gate.enter(deadline=FAR)
    gate.leave_unused()
    assert (gate.day_left, gate.in_flight) == (3, 0)
    assert gate.tokens == pytest.approx(3.0, abs=0.01)


async def test_what_the_origin_says_changes_the_rate() -> None:
    clock = ManualClock()
    gate = Gate(Budget(80, 40.0, 32), clock)
    gate.limited(2.0)
    assert gate.rate_per_s == 20.0
    assert gate.tokens == 0.0
    clock.advance(12.0)
    for _ in range(3):
        gate.succeeded()
    assert 20.0 < gate.rate_per_s < 40.0
    gate.challenged()
    assert gate.rate_per_s < 10.0

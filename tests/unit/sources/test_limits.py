"""The token bucket (pure) and the gate that drives it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weedhounds.clock import ManualClock, SystemClock
from weedhounds.errors import OriginUnavailable, RateLimited
from weedhounds.sources.base import Budget
from weedhounds.sources.limits import MARGIN_S, MAX_PAUSE_S, MOST_MARGIN, RATE_SHARE, Gate, TokenBucket

FAR = 1e9


class OriginBucket:
    """The bucket that an origin keeps: the configured budget itself."""

    def __init__(self, burst: int, rate_per_s: float) -> None:
        self.burst, self.rate_per_s = float(burst), rate_per_s
        self.tokens, self.at = self.burst, 0.0

    def admits(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate_per_s)
        self.at = now
        if self.tokens < 1 - 1e-9:
            return False
        self.tokens -= 1
        return True


@given(
    burst=st.integers(1, 100),
    rate_per_s=st.floats(0.05, 200),
    gaps_s=st.lists(st.floats(0, 2), min_size=1, max_size=80),
)
def test_whatever_our_bucket_lets_out_the_origins_bucket_admits(
    burst: int, rate_per_s: float, gaps_s: list[float]
) -> None:
    ours, origins = TokenBucket(burst, rate_per_s, 0.0), OriginBucket(burst, rate_per_s)
    now = 0.0
    for gap_s in gaps_s:
        now += gap_s
        while ours.take(now):
            assert origins.admits(now)


def test_a_burst_of_calls_delayed_by_up_to_the_margin_is_admitted_too() -> None:
    ours, origins = TokenBucket(80, 40.0, 0.0), OriginBucket(80, 40.0)
    now, arrivals = 0.0, []
    for n in range(400):
        now += ours.wait_s(now) + 1e-9
        assert ours.take(now)
        arrivals.append(now + (MARGIN_S if n % 2 else 0.0))
    assert all(origins.admits(at) for at in sorted(arrivals))


def test_the_long_run_rate_is_just_under_the_configured_one() -> None:
    bucket, now = TokenBucket(10, 50.0, 0.0), 0.0
    while bucket.take(now):
        pass
    for _ in range(500):
        now += bucket.wait_s(now) + 1e-9
        assert bucket.take(now)
    assert 500 / now == pytest.approx(50.0 * RATE_SHARE, rel=0.01)


def test_a_bucket_starts_full_and_never_holds_more() -> None:
    bucket = TokenBucket(80, 40.0, 0.0)
    assert bucket.tokens(0.0) == bucket.tokens(1e6) == 80 - 40.0 * MARGIN_S
    assert TokenBucket(4, 400.0, 0.0).tokens(0.0) == 4 * (1 - MOST_MARGIN)
    assert TokenBucket(1, 400.0, 0.0).tokens(0.0) == 1.0


def test_the_wait_counts_those_ahead() -> None:
    bucket = TokenBucket(1, 1.0, 0.0)
    assert bucket.wait_s(0.0) == 0.0
    assert bucket.wait_s(0.0, ahead=2) == pytest.approx(2 / RATE_SHARE)


def test_a_pause_stops_all_and_then_lets_one_out_at_a_time() -> None:
    bucket = TokenBucket(80, 1.0, 0.0)
    bucket.pause(30.0)
    assert not bucket.take(29.9)
    assert bucket.tokens(29.9) == 0.0
    assert bucket.wait_s(10.0) == pytest.approx(20.0)
    assert bucket.take(30.0)
    assert not bucket.take(30.0)


def test_a_shorter_pause_does_not_cut_a_longer_one() -> None:
    bucket = TokenBucket(80, 1.0, 0.0)
    bucket.pause(30.0)
    bucket.pause(5.0)
    assert bucket.wait_s(0.0) == pytest.approx(30.0)


def test_tokens_come_back_and_calls_outside_of_the_gate_are_charged() -> None:
    bucket = TokenBucket(2, 0.001, 0.0)
    assert bucket.take(0.0)
    bucket.give_back(0.0)
    bucket.charge(0.0)
    bucket.charge(0.0)
    bucket.charge(0.0)
    assert bucket.tokens(0.0) == pytest.approx(-1.0, abs=0.01)
    bucket.pause(5.0)
    bucket.give_back(1.0)
    assert bucket.tokens(1.0) == 0.0


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

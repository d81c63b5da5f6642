"""The token bucket, and all that bounds how often an origin is asked."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weedhounds.sources.allowance import MARGIN_S, MOST_MARGIN, RATE_SHARE, Allowance, TokenBucket
from weedhounds.sources.base import Budget
from weedhounds.sources.daybudget import DAY_S
from weedhounds.sources.learntrate import CHALLENGED_FACTOR, LEAST, LIMITED_FACTOR, STEP, STRETCH_ANSWERS, STRETCH_S


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


def test_a_scaled_bucket_is_slower_and_smaller_and_keeps_no_more_than_it_holds() -> None:
    bucket = TokenBucket(80, 40.0, 0.0)
    bucket.scale(0.5, 0.0)
    assert bucket.tokens(0.0) == bucket.tokens(1e6) == (80 - 40.0 * MARGIN_S) / 2
    while bucket.take(0.0):
        pass
    assert bucket.wait_s(0.0, ahead=9) == pytest.approx(10 / (20 * RATE_SHARE))
    bucket.scale(1.0, 1.0)
    assert bucket.tokens(1.0) == pytest.approx(20 * RATE_SHARE)


def test_scaling_a_paused_bucket_does_not_end_the_pause() -> None:
    bucket = TokenBucket(80, 40.0, 0.0)
    bucket.pause(30.0)
    bucket.scale(0.5, 1.0)
    assert not bucket.take(29.0)
    assert bucket.take(30.0)


def test_the_day_bounds_what_the_bucket_would_give() -> None:
    allowance = Allowance(Budget(50, 10.0, 10), 3, 0.0)
    assert allowance.tokens(0.0) == 3.0
    assert [allowance.take(0.0) for _ in range(5)] == [True, True, True, False, False]
    assert (allowance.day_left(0.0), allowance.tokens(0.0)) == (0, 0.0)
    assert DAY_S <= allowance.wait_s(0.0) <= DAY_S + 900
    assert "budget of 3 a day" in allowance.why_not(allowance.wait_s(0.0), 0.0)
    assert not allowance.take(DAY_S - 1)
    assert allowance.take(DAY_S + 900)


def test_a_refused_call_costs_no_token_of_the_other_budget() -> None:
    allowance = Allowance(Budget(1, 1.0, 1), 100, 0.0)
    assert allowance.take(0.0)
    assert not allowance.take(0.0)
    assert allowance.day_left(0.0) == 99
    allowance.give_back(0.0)
    assert (allowance.day_left(0.0), allowance.tokens(0.0)) == (100, 1.0)


def test_calls_outside_of_the_gate_count_for_the_day_too() -> None:
    allowance = Allowance(Budget(5, 1.0, 1), 2, 0.0)
    for _ in range(3):
        allowance.charge(0.0)
    assert allowance.day_left(0.0) == 0
    assert not allowance.take(0.0)


@pytest.mark.parametrize(
    ("budget", "calls_per_day"),
    [(Budget(0, 1.0, 1), None), (Budget(1, 0.0, 1), None), (Budget(1, 1.0, 0), None), (Budget(1, 1.0, 1), 0)],
    ids=["burst", "rate", "concurrency", "day"],
)
def test_a_budget_of_nothing_allows_nothing_and_says_so(budget: Budget, calls_per_day: int | None) -> None:
    allowance = Allowance(budget, calls_per_day, 0.0)
    assert not allowance.take(1e6)
    assert (allowance.tokens(1e6), allowance.rate_per_s, allowance.wait_s(1e6)) == (0.0, 0.0, math.inf)
    assert allowance.why_not(math.inf, 1e6) == "never asked: its budget is 0"


def test_the_rate_in_use_is_learnt_from_the_origin() -> None:
    allowance = Allowance(Budget(80, 40.0, 32), None, 0.0)
    assert allowance.rate_per_s == 40.0
    allowance.limited(0.0)
    assert allowance.rate_per_s == 40.0 * LIMITED_FACTOR
    assert allowance.tokens(1e3) == pytest.approx((80 - 40.0 * MARGIN_S) * LIMITED_FACTOR)
    for _ in range(STRETCH_ANSWERS):
        allowance.succeeded(STRETCH_S)
    assert allowance.rate_per_s > 40.0 * LIMITED_FACTOR
    allowance.challenged(100.0)
    assert allowance.rate_per_s < 40.0 * (LIMITED_FACTOR + STEP) * CHALLENGED_FACTOR + 0.01
    for second in range(20):
        allowance.challenged(200.0 + second)
    assert allowance.rate_per_s == pytest.approx(40.0 * LEAST)


@given(
    bears=st.floats(0.25, 1.2),
    gap_s=st.floats(0.001, 0.05),
)
def test_an_origin_that_bears_less_than_is_configured_is_asked_at_about_what_it_bears(
    bears: float, gap_s: float
) -> None:
    configured, now, refused, sent = 10.0, 0.0, 0, 0
    ours = Allowance(Budget(10, configured, 10), None, now)
    theirs = OriginBucket(5, configured * bears)
    while now < 600.0:
        now += max(gap_s, ours.wait_s(now))
        if not ours.take(now):
            continue
        sent += 1
        if theirs.admits(now):
            ours.succeeded(now)
        else:
            refused += 1
            ours.limited(now)
            ours.pause(now + 1.0)
    assert refused / sent < 0.06
    assert sent / 600.0 > 0.55 * configured * min(1.0, bears)

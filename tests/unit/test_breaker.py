"""The circuit breaker, moved by hand."""

from __future__ import annotations

import pytest

from weedhounds.breaker import Breaker, BreakerState
from weedhounds.errors import ConfigError

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(failures=3, open_s=2.0, longest_s=20.0)
    for _ in range(3):
        assert breaker.allows(now)
        breaker.failed(now)
    return breaker


def test_it_opens_with_the_last_of_so_many_failures_in_a_row() -> None:
    breaker = Breaker(failures=3)
    for _ in range(2):
        breaker.failed(0.0)
    assert (breaker.state, breaker.retry_at) == (CLOSED, None)
    breaker.failed(0.0)
    assert (breaker.state, breaker.retry_at) == (OPEN, 2.0)


def test_a_success_between_failures_keeps_it_closed() -> None:
    breaker = Breaker(failures=2)
    for _ in range(10):
        breaker.failed(0.0)
        breaker.succeeded(0.0)
    assert breaker.state is CLOSED


def test_while_open_nothing_is_let_through() -> None:
    breaker = opened()
    assert not breaker.allows(1.9)
    assert breaker.state is OPEN
    assert breaker.retry_in_s(0.5) == 1.5


def test_one_probe_at_a_time_is_let_through_when_it_is_time() -> None:
    breaker = opened()
    assert breaker.allows(2.0)
    assert breaker.state is HALF_OPEN
    assert not breaker.allows(2.1)


def test_a_probe_that_succeeds_closes_it_for_all() -> None:
    breaker = opened()
    breaker.allows(2.0)
    breaker.succeeded(2.5)
    assert breaker.state is CLOSED
    assert breaker.allows(2.5)
    assert breaker.allows(2.5)
    assert breaker.retry_in_s(2.5) == 0.0


def test_each_probe_that_fails_doubles_the_time_up_to_the_longest() -> None:
    breaker, now, waits = opened(), 0.0, []
    for _ in range(6):
        now += breaker.retry_in_s(now)
        assert breaker.allows(now)
        breaker.failed(now)
        waits.append(breaker.retry_in_s(now))
    assert waits == [4.0, 8.0, 16.0, 20.0, 20.0, 20.0]


def test_after_a_recovery_the_time_is_short_again() -> None:
    breaker = opened()
    breaker.allows(2.0)
    breaker.failed(2.0)
    breaker.allows(6.0)
    breaker.succeeded(6.0)
    for _ in range(3):
        breaker.failed(7.0)
    assert breaker.retry_at == 9.0


def test_a_recovery_is_noticed_within_30_seconds_however_long_the_outage_was() -> None:
    """A request each second; the origin is down for an hour."""
    breaker = Breaker()
    for second in range(3600):
        if breaker.allows(second):
            breaker.failed(second)
    back = next(second for second in range(3600, 3700) if breaker.allows(second))
    assert back - 3600 <= 30


def test_a_probe_that_was_given_up_leaves_its_place_to_the_next() -> None:
    breaker = opened()
    breaker.allows(2.0)
    breaker.released(2.5)
    assert breaker.state is HALF_OPEN
    assert breaker.allows(2.5)
    assert not breaker.allows(2.5)


def test_a_call_that_was_given_up_says_nothing_while_it_is_closed_or_open() -> None:
    closed, open_ = Breaker(failures=1), opened()
    closed.released(0.0)
    open_.released(0.0)
    assert closed.state is CLOSED
    assert (open_.state, open_.retry_at) == (OPEN, 2.0)


def test_a_probe_that_never_reports_is_taken_for_lost() -> None:
    breaker = opened()
    breaker.allows(2.0)
    assert not breaker.allows(21.9)
    assert breaker.allows(22.0)


def test_failures_of_calls_from_before_it_opened_do_not_keep_it_open_longer() -> None:
    breaker = opened()
    for _ in range(50):
        breaker.failed(1.9)
    assert breaker.retry_at == 2.0


def test_a_late_answer_closes_it_because_it_came() -> None:
    breaker = opened()
    breaker.succeeded(1.0)
    assert breaker.state is CLOSED


@pytest.mark.parametrize(("failures", "open_s", "longest_s"), [(0, 1.0, 2.0), (1, 0.0, 2.0), (1, 3.0, 2.0)])
def test_numbers_that_make_no_sense_are_refused(failures: int, open_s: float, longest_s: float) -> None:
    with pytest.raises(ConfigError):
        Breaker(failures, open_s, longest_s)


def test_nan_is_no_time_to_stay_open() -> None:
    with pytest.raises(ConfigError):
        Breaker(5, float("nan"))

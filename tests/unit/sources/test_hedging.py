"""When a call is sent a second time, and how often at most."""

from __future__ import annotations

import pytest

from weedhounds.sources.hedging import LEAST_DELAY_S, LEAST_OBSERVED, MOST_CREDIT, WINDOW, Hedging


def observed(share: float, count: int, elapsed_s: float = 0.3) -> Hedging:
    hedging = Hedging(share)
    for _ in range(count):
        hedging.observe(elapsed_s)
    return hedging


def test_nothing_is_sent_twice_before_enough_is_known() -> None:
    assert observed(0.5, LEAST_OBSERVED - 1).delay_s is None
    assert observed(0.5, LEAST_OBSERVED).delay_s is not None


def test_a_share_of_nothing_never_sends_twice() -> None:
    hedging = observed(0.0, 10_000)
    assert hedging.delay_s is None
    assert not hedging.spend()


def test_the_delay_is_what_nearly_all_answers_take() -> None:
    hedging = Hedging(0.05)
    for n in range(1000):
        hedging.observe(0.15 if n % 100 < 94 else 4.0)
    assert hedging.delay_s == pytest.approx(4.0, rel=0.35)
    assert observed(0.05, 1000, 0.15).delay_s == pytest.approx(0.2, abs=0.06)


def test_a_fast_origin_is_never_hurried() -> None:
    assert observed(0.05, 1000, 0.002).delay_s == LEAST_DELAY_S


def test_an_origin_that_has_become_slower_is_given_its_time() -> None:
    hedging = observed(0.05, WINDOW, 0.1)
    fast = hedging.delay_s
    for _ in range(2 * WINDOW):
        hedging.observe(2.5)
    assert fast is not None
    assert hedging.delay_s is not None
    assert hedging.delay_s > 10 * fast


def test_second_calls_are_a_share_of_all_and_few_can_be_saved_up() -> None:
    hedging, second = observed(0.05, 100_000), 0
    while hedging.spend():
        second += 1
    assert second == MOST_CREDIT
    for _ in range(2_000):
        hedging.observe(0.3)
        second += hedging.spend()
    assert second == pytest.approx(MOST_CREDIT + 0.05 * 2_000, abs=1)
    assert hedging.delay_s is None

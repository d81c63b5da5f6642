"""No 24 hours see more calls than the day's budget."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weedhounds.sources.daybudget import DAY_S, SLOT_S, DayBudget


@given(
    calls=st.integers(1, 20),
    start=st.floats(0, 1e6),
    gaps_s=st.lists(st.floats(0, 20_000), min_size=1, max_size=120),
)
def test_no_day_sees_more_than_its_budget(calls: int, start: float, gaps_s: list[float]) -> None:
    day, now, went_out = DayBudget(calls), start, []
    for gap_s in gaps_s:
        now += gap_s
        if day.left(now) > 0:
            day.take(now)
            went_out.append(now)
    for first in went_out:
        assert sum(first <= at < first + DAY_S for at in went_out) <= calls


@given(calls=st.integers(1, 10), gaps_s=st.lists(st.floats(0, 9000), min_size=1, max_size=40), ahead=st.integers(0, 3))
def test_the_wait_is_exact(calls: int, gaps_s: list[float], ahead: int) -> None:
    day, now = DayBudget(calls), 0.0
    for gap_s in gaps_s:
        now += gap_s
        if day.left(now) > 0:
            day.take(now)
    wait_s = day.wait_s(now, ahead)
    if ahead >= calls:
        assert wait_s > DAY_S
        return
    assert wait_s <= DAY_S + SLOT_S
    if wait_s > 0:
        assert day.left(now + wait_s - 1.0) <= ahead
    assert day.left(now + wait_s) > ahead


def test_a_budget_of_nothing_never_has_a_call() -> None:
    day = DayBudget(0)
    assert day.left(1e9) == 0
    assert day.wait_s(1e9) == math.inf


def test_a_call_given_back_can_go_out_again_and_an_overdrawn_day_says_so() -> None:
    day = DayBudget(1)
    day.take(0.0)
    day.give_back(0.0)
    assert day.left(0.0) == 1
    day.take(0.0)
    day.take(0.0)
    assert day.left(0.0) == -1
    assert day.wait_s(0.0) == pytest.approx(DAY_S + SLOT_S)


def test_what_is_remembered_is_bounded() -> None:
    day = DayBudget(10**9)
    for n in range(20_000):
        day.take(n * 60.0)
    assert len(day._slots) <= DAY_S / SLOT_S + 1
    assert day.left(20_000 * 60.0) == pytest.approx(10**9 - DAY_S / 60, abs=SLOT_S / 60)

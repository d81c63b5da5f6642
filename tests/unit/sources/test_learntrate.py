"""The rate in use falls when an origin complains and creeps back while it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weedhounds.sources.learntrate import (
    CHALLENGED_FACTOR,
    LEAST,
    LIMITED_FACTOR,
    ONE_EVENT_S,
    STEP,
    STRETCH_ANSWERS,
    STRETCH_S,
    LearntRate,
)


def test_it_starts_at_the_configured_rate_and_good_answers_do_not_pass_it() -> None:
    rate = LearntRate()
    assert not rate.succeeded(1e6)
    assert rate.share == 1.0


def test_a_429_halves_it_and_a_challenge_costs_more() -> None:
    limited, challenged = LearntRate(), LearntRate()
    limited.limited(0.0)
    challenged.challenged(0.0)
    assert limited.share == LIMITED_FACTOR
    assert challenged.share == CHALLENGED_FACTOR < LIMITED_FACTOR


def test_calls_refused_together_are_one_reason_and_the_next_is_another() -> None:
    rate = LearntRate()
    for _ in range(30):
        rate.limited(5.0)
    assert rate.share == LIMITED_FACTOR
    rate.challenged(5.1)
    assert rate.share == CHALLENGED_FACTOR
    rate.limited(5.0 + ONE_EVENT_S)
    assert rate.share == CHALLENGED_FACTOR * LIMITED_FACTOR


def test_a_good_stretch_adds_a_step_and_no_more() -> None:
    rate = LearntRate()
    rate.limited(0.0)
    for _ in range(STRETCH_ANSWERS):
        assert not rate.succeeded(STRETCH_S - 0.1)
    assert rate.succeeded(STRETCH_S)
    assert not rate.succeeded(STRETCH_S + 0.1)
    assert rate.share == pytest.approx(LIMITED_FACTOR + STEP)


def test_few_answers_are_no_stretch_however_long_they_take() -> None:
    rate = LearntRate()
    rate.limited(0.0)
    raised = [rate.succeeded(1000.0 * n) for n in range(1, 2 * STRETCH_ANSWERS + 1)]
    assert raised == 2 * [*[False] * (STRETCH_ANSWERS - 1), True]


def test_a_refusal_ends_a_stretch() -> None:
    rate = LearntRate()
    rate.limited(0.0)
    for _ in range(STRETCH_ANSWERS - 1):
        rate.succeeded(STRETCH_S)
    rate.limited(STRETCH_S)
    assert not rate.succeeded(3 * STRETCH_S)


def test_from_a_half_it_is_whole_again_after_25_good_seconds() -> None:
    rate, now = LearntRate(), 0.0
    rate.limited(now)
    while rate.share < 1.0:
        now += 0.5
        rate.succeeded(now)
    assert now == pytest.approx(STRETCH_S * (1 - LIMITED_FACTOR) / STEP, abs=STRETCH_S)


@given(st.lists(st.tuples(st.sampled_from(["limited", "challenged", "succeeded"]), st.floats(0, 1000)), max_size=60))
def test_whatever_happens_the_share_stays_in_its_range(events: list[tuple[str, float]]) -> None:
    rate, now = LearntRate(), 0.0
    for name, gap_s in events:
        now += gap_s
        before = rate.share
        getattr(rate, name)(now)
        assert LEAST <= rate.share <= 1.0
        assert rate.share >= before if name == "succeeded" else rate.share <= before

"""What is remembered of latencies and hits."""

from __future__ import annotations

from random import Random

import pytest

from weedhounds.strategies.estimates import RECENT, STREAK, Hits, Latency, summed_up


def known(*seconds: float) -> Latency:
    latency = Latency()
    for each in seconds:
        latency.observe(each)
    return latency


def test_so_many_latencies_are_remembered_and_no_more() -> None:
    latency = known(*[1.0] * 500)
    assert (len(latency), latency.mean()) == (RECENT, 1.0)


def test_the_points_have_the_mean_of_the_values_and_keep_the_tail_apart() -> None:
    values = sorted([0.001] * 45 + [0.5] * 3)
    points = summed_up(values)
    assert sum(weight for weight, _ in points) == pytest.approx(1.0)
    assert sum(weight * s for weight, s in points) == pytest.approx(sum(values) / len(values))
    assert points[0][1] == pytest.approx(0.001)
    assert points[-1][1] > 0.2


def test_a_few_values_stand_for_themselves() -> None:
    assert summed_up([1.0, 2.0]) == ((0.5, 1.0), (0.5, 2.0))


@pytest.mark.parametrize("later_s", [0.053, 0.0002])
def test_a_change_is_noticed_after_a_few_answers_and_what_was_before_is_forgotten(later_s: float) -> None:
    rng = Random(1)
    latency = known(*(0.003 * rng.uniform(0.7, 1.4) for _ in range(200)))
    noticed = [latency.observe(later_s) for _ in range(STREAK)]
    assert noticed == [*[False] * (STREAK - 1), True]
    assert len(latency) == STREAK
    assert latency.mean() == pytest.approx(later_s)


def test_slow_answers_now_and_then_are_no_change() -> None:
    rng = Random(2)
    latency = Latency()
    assert not any(latency.observe(0.5 if n % 10 == 0 else 0.003 * rng.uniform(0.7, 1.4)) for n in range(2000))


def test_a_question_given_up_early_says_nothing() -> None:
    latency = known(0.1, 0.2)
    latency.at_least(0.05, 0.1)
    assert len(latency) == 2


def test_a_question_given_up_late_counts_as_those_that_took_longer() -> None:
    latency = known(0.1, 0.2, 0.4)
    latency.at_least(0.15, 0.1)
    assert latency.mean() == pytest.approx((0.1 + 0.2 + 0.4 + 0.3) / 4)


def test_a_question_given_up_later_than_any_was_answered_took_a_little_longer() -> None:
    latency = Latency()
    latency.at_least(0.4, 0.05)
    assert latency.mean() > 0.4


def test_the_share_of_hits_begins_at_the_prior_and_moves_to_what_is_seen() -> None:
    hits = Hits()
    assert hits.mean(0.3) == 0.3
    for _ in range(60):
        hits.observe(1, 1)
        hits.observe(0, 1)
    assert hits.mean(0.9) == pytest.approx(0.5, abs=0.05)


def test_what_was_seen_long_ago_counts_little() -> None:
    hits = Hits()
    hits.observe(8, 8)
    for _ in range(400):
        hits.observe(1, 1)
        hits.observe(0, 1)
    assert hits.mean(0.5) == pytest.approx(0.5, abs=0.02)
    assert hits.weight < 150


def test_a_tier_that_loses_everything_is_known_to_after_a_few_misses() -> None:
    hits = Hits()
    for _ in range(200):
        hits.observe(1, 1)
    misses = 0
    while hits.mean(0.5) > 0.5:
        hits.observe(0, 1)
        misses += 1
    assert misses <= 6


def test_a_large_answer_counts_as_a_few_keys() -> None:
    few, many = Hits(), Hits()
    few.observe(4, 8)
    many.observe(400, 800)
    assert (few.hits, few.misses) == (many.hits, many.misses)


def test_fading_keeps_the_share_and_loses_the_weight() -> None:
    hits = Hits()
    hits.observe(3, 4)
    hits.fade(96)
    assert (hits.hits, hits.misses) == (1.5, 0.5)

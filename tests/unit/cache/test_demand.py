"""Demand: rates, decay, bounds of the summary, clocks that jump."""

from __future__ import annotations

import math
from random import Random

import pytest

from weedhounds.cache.demand import HALF_LIFE_S, LEAST_SEEN_S, MAX_KEYS, MAX_PENDING, HotKeys, PendingDemand

NOW = 1_750_000_000.0
DAY_S = 86_400.0


def asked_steadily(hot: HotKeys[str], key: str, *, every_s: float, for_s: float, start: float = NOW) -> float:
    """Ask for a key at regular times; return the last of them."""
    now = start
    for n in range(int(for_s / every_s)):
        now = start + (n + 1) * every_s
        hot.add(key, 1, now)
    return now


def test_a_steady_rate_is_told_as_it_is() -> None:
    hot: HotKeys[str] = HotKeys(10)
    hot.add("other", 1, NOW)
    now = asked_steadily(hot, "menu", every_s=10.0, for_s=6 * HALF_LIFE_S)
    assert hot.rate("menu", now) == pytest.approx(0.1, rel=0.01)


def test_a_rate_is_right_long_before_the_first_half_life_is_over() -> None:
    hot: HotKeys[str] = HotKeys(10)
    hot.add("other", 1, NOW)
    now = asked_steadily(hot, "menu", every_s=10.0, for_s=HALF_LIFE_S / 6)
    assert hot.rate("menu", now) == pytest.approx(0.1, rel=0.05)


def test_one_request_in_the_first_second_is_not_one_a_second() -> None:
    hot: HotKeys[str] = HotKeys(10)
    hot.add("menu", 1, NOW)
    assert hot.rate("menu", NOW + 0.5) <= 1.05 / LEAST_SEEN_S


def test_a_rate_halves_with_each_half_life_of_silence() -> None:
    hot: HotKeys[str] = HotKeys(10)
    hot.add("menu", 600, NOW)
    before = hot.rate("menu", NOW + 10 * HALF_LIFE_S)
    assert hot.rate("menu", NOW + 11 * HALF_LIFE_S) == pytest.approx(before / 2, rel=0.01)


def test_the_most_wanted_come_first() -> None:
    hot: HotKeys[str] = HotKeys(10)
    for key, count in (("a", 3), ("b", 5), ("c", 1)):
        hot.add(key, count, NOW)
    assert [key for key, _ in hot.top(2, NOW)] == ["b", "a"]
    assert [key for key, _ in hot.top(9, NOW)] == ["b", "a", "c"]


def test_yesterdays_favourite_makes_room_for_todays() -> None:
    hot: HotKeys[str] = HotKeys(10)
    hot.add("yesterday", 100_000, NOW)
    hot.add("today", 5, NOW + DAY_S)
    assert [key for key, _ in hot.top(2, NOW + DAY_S)] == ["today", "yesterday"]


def test_a_key_unknown_has_no_rate() -> None:
    hot: HotKeys[str] = HotKeys(10)
    assert (hot.rate("menu", NOW), hot.top(3, NOW), hot.error_per_s(NOW)) == (0.0, [], 0.0)


def test_no_more_keys_are_kept_than_twice_the_bound_and_the_hot_ones_stay() -> None:
    hot: HotKeys[int] = HotKeys(50)
    rng = Random(1)
    for n in range(20_000):
        hot.add(rng.randrange(5) if n % 2 else rng.randrange(5, 100_000), 1, NOW + n / 10)
        assert len(hot) <= 100
    assert {key for key, _ in hot.top(5, NOW + 2000)} == {0, 1, 2, 3, 4}


def test_what_was_trimmed_bounds_the_error() -> None:
    hot: HotKeys[str] = HotKeys(2)
    for key in ("a", "a", "a", "b", "b", "c", "d", "e"):
        hot.add(key, 1, NOW)
    assert hot.error_per_s(NOW) > 0.0
    true = 3 / LEAST_SEEN_S
    assert true - 1.05 * hot.error_per_s(NOW) <= hot.rate("a", NOW) <= 1.05 * true


def test_a_bound_is_kept_within_bounds() -> None:
    assert HotKeys[str](0).max_keys == 1
    assert HotKeys[str](10**9).max_keys == MAX_KEYS


@pytest.mark.parametrize("count", [0, -3])
def test_no_requests_count_nothing(count: int) -> None:
    hot: HotKeys[str] = HotKeys(10)
    hot.add("menu", count, NOW)
    assert len(hot) == 0


def test_a_clock_set_back_decays_nothing_until_it_moves_on() -> None:
    hot: HotKeys[str] = HotKeys(10)
    hot.add("other", 1, NOW)
    now = asked_steadily(hot, "menu", every_s=10.0, for_s=2 * HALF_LIFE_S)
    before = hot.rate("menu", now)
    assert hot.rate("menu", now - 10 * DAY_S) == before
    assert hot.rate("menu", now - 10 * DAY_S + HALF_LIFE_S) < 0.75 * before


def test_a_clock_that_jumps_ahead_by_years_leaves_the_summary_usable() -> None:
    hot: HotKeys[str] = HotKeys(10)
    hot.add("menu", 100, NOW)
    hot.add("prices", 7, NOW + 5_000 * DAY_S)
    assert [key for key, _ in hot.top(5, NOW + 5_000 * DAY_S)] == ["prices"]


def test_weights_stay_exact_over_months() -> None:
    hot: HotKeys[str] = HotKeys(10)
    now = NOW
    for _ in range(120 * 24):
        now += 3_600.0
        hot.add("menu", 36, now)
    assert hot.rate("menu", now) == pytest.approx(36 / 0.75 * math.log(2) / HALF_LIFE_S)  # 36 an hour, right after them


def test_pending_requests_are_drained_once_together_with_those_counted_elsewhere() -> None:
    elsewhere = {"menu": 5, "prices": 1}
    pending: PendingDemand[str] = PendingDemand(also=lambda: elsewhere)
    pending.asked(["menu", "promotions"])
    pending.asked(["menu"])
    assert pending.drain() == {"menu": 7, "promotions": 1, "prices": 1}
    elsewhere = {}
    assert pending.drain() == {}


def test_pending_requests_are_bounded() -> None:
    pending: PendingDemand[int] = PendingDemand()
    for start in range(0, MAX_PENDING + 2_000, 1_000):
        pending.asked(range(start, start + 1_000))
    pending.asked([0, -1])
    drained = pending.drain()
    assert len(drained) < MAX_PENDING + 1_000
    assert (drained[0], -1 in drained) == (2, False)

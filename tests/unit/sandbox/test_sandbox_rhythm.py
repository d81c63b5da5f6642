"""Local weeks, hours of the day, and days with a clock change."""

from __future__ import annotations

from datetime import UTC, datetime
from statistics import fmean

import pytest

from weedhounds.sandbox import rhythm
from weedhounds.sandbox.rhythm import DAY_S, FLAT, INFO, MENU, PRICE, Profile, zone_of

DENVER = zone_of("America/Denver")
SPRING_FORWARD = datetime(2026, 3, 8, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("profile", [MENU, PRICE, INFO, FLAT])
def test_a_weekly_rhythm_has_mean_1_so_that_rates_stay_true(profile: Profile) -> None:
    assert fmean(profile.day_factor(d) for d in range(7)) == pytest.approx(1.0)


def test_weekends_have_the_factors_of_the_standard_world() -> None:
    assert PRICE.day_factor(5) / PRICE.day_factor(0) == pytest.approx(0.6)
    assert PRICE.day_factor(6) / PRICE.day_factor(4) == pytest.approx(0.4)
    assert MENU.day_factor(5) / MENU.day_factor(0) == pytest.approx(1.2)


def test_prices_change_most_around_half_past_nine_and_four() -> None:
    hours = [PRICE.second_of_day((i + 0.5) / 10_000) / 3600 for i in range(10_000)]
    near = sum(abs(h - 9.5) < 3 or abs(h - 16) < 3 for h in hours) / len(hours)
    assert near > 0.75
    assert sum(h < 3 for h in hours) / len(hours) < 0.06


def test_times_of_day_rise_with_the_quantile_and_stay_within_the_day() -> None:
    times = [MENU.second_of_day(i / 1000) for i in range(1000)]
    assert times == sorted(times)
    assert times[0] >= 0
    assert MENU.second_of_day(0.999999999) <= DAY_S


def test_a_local_week_begins_on_monday_at_local_midnight() -> None:
    sunday_night = datetime(2026, 6, 1, 5, 59, tzinfo=UTC).timestamp()
    assert rhythm.local_week(sunday_night + 60, DENVER) == rhythm.local_week(sunday_night, DENVER) + 1


def test_the_day_of_a_clock_change_has_23_hours() -> None:
    midnights = rhythm.week_midnights(rhythm.local_week(SPRING_FORWARD, DENVER), DENVER)
    assert midnights[7] - midnights[6] == 23 * 3600
    assert midnights[6] - midnights[5] == DAY_S


def test_a_wall_clock_time_after_the_change_is_that_time_on_the_wall() -> None:
    day = datetime(2026, 3, 8).date()
    moment = rhythm.unix_of(day, 9.5 * 3600, DENVER)
    assert datetime.fromtimestamp(moment, DENVER).strftime("%H:%M") == "09:30"


def test_eras_are_520_weeks_and_hold_their_weeks() -> None:
    first = rhythm.FIRST_ERA_WEEK
    assert rhythm.era_start(first) == rhythm.era_start(first + 519) == first
    assert rhythm.era_start(first + 520) == first + 520
    assert rhythm.era_start(first - 1) == first - 520
    assert rhythm.week_start_date(first).isoformat() == "2023-12-11"

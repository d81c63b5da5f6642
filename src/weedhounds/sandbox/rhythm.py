"""When things happen: hours of the day, days of the week, and local weeks on the Unix clock.

Local weeks begin on Monday 00:00 in the shop's zone and are numbered from the one that holds
0001-01-01. Wall-clock times are converted with the zone's own rules, so days of 23 and 25 hours
are right.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_S = 86400
_STEP_S = 300
ERA_WEEKS = 520
FIRST_ERA_WEEK = 105552
"""The local week of Monday 2023-12-11: eras of 520 weeks count from it."""


class Profile:
    """A weekly rhythm of mean 1: Gaussian bumps over a floor, times a factor at weekends.

    Args:
        bumps_h: local hours of the bumps; each is 1 high.
        sigma_h: their standard deviation, hours.
        floor: added at every hour.
        saturday, sunday: factors of these days.
    """

    def __init__(self, *bumps_h: float, sigma_h: float, floor: float, saturday: float, sunday: float) -> None:
        self._factors = (1.0, 1.0, 1.0, 1.0, 1.0, saturday, sunday)
        self._mean_factor = sum(self._factors) / 7
        heights = [self._height(s / 3600, bumps_h, sigma_h, floor) for s in range(0, DAY_S, _STEP_S)]
        total, self._cumulative = sum(heights), [0.0]
        for height in heights:
            self._cumulative.append(self._cumulative[-1] + height / total)

    @staticmethod
    def _height(hour: float, bumps_h: tuple[float, ...], sigma_h: float, floor: float) -> float:
        return floor + sum(math.exp(-((hour - bump) ** 2) / (2 * sigma_h**2)) for bump in bumps_h)

    def day_factor(self, weekday: int) -> float:
        """Return the share of a mean day's events that falls on ``weekday`` (0 is Monday)."""
        return self._factors[weekday] / self._mean_factor

    def second_of_day(self, u: float) -> float:
        """Return the quantile ``u`` of the time of day, seconds after local midnight."""
        cumulative = self._cumulative
        i = min(max(bisect_left(cumulative, u), 1), len(cumulative) - 1)
        low, high = cumulative[i - 1], cumulative[i]
        return _STEP_S * (i - 1 + (u - low) / (high - low))


MENU = Profile(11, 15, 19, sigma_h=2.2, floor=0.06, saturday=1.2, sunday=0.7)
PRICE = Profile(9.5, 16, sigma_h=1.5, floor=0.08, saturday=0.6, sunday=0.4)
INFO = Profile(10, 14, sigma_h=2.5, floor=0.1, saturday=0.3, sunday=0.2)
FLAT = Profile(sigma_h=1, floor=1, saturday=1, sunday=1)


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """Return the zone; memoised for 64 names."""
    return ZoneInfo(name)


def local_week(now: float, zone: ZoneInfo) -> int:
    """Return the number of the local week that holds ``now`` (Unix seconds)."""
    return (datetime.fromtimestamp(now, zone).toordinal() - 1) // 7


def week_start_date(week: int) -> date:
    """Return the Monday that begins local week ``week``."""
    return date.fromordinal(week * 7 + 1)


def unix_of(day: date, second: float, zone: ZoneInfo) -> float:
    """Return the Unix time of ``second`` seconds after midnight, as the wall clock shows it, on ``day``."""
    midnight = datetime(day.year, day.month, day.day)
    return (midnight + timedelta(seconds=second)).replace(tzinfo=zone).timestamp()


def week_midnights(week: int, zone: ZoneInfo) -> list[float]:
    """Return the Unix times of the 8 local midnights that bound the days of ``week``."""
    monday = week_start_date(week)
    return [unix_of(monday + timedelta(days=d), 0, zone) for d in range(8)]


def era_start(week: int) -> int:
    """Return the first week of the era that holds ``week``; nothing is older than its era."""
    return FIRST_ERA_WEEK + ERA_WEEKS * ((week - FIRST_ERA_WEEK) // ERA_WEEKS)

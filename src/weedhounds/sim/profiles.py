"""How changes and requests spread over the local week, and events drawn from that. Pure.

A *table* is an intensity for each five minutes of a week, Monday 00:00 first, with mean 1.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

import msgspec

from weedhounds.sim.trace import DAY_S

STEP_S = 300.0
"""Width of a table's steps. Zones must be a multiple of it off UTC."""
WEEK_S = 7.0 * DAY_S
STEPS_A_WEEK = round(WEEK_S / STEP_S)
_FIRST_MONDAY_S = 4.0 * DAY_S
"""1970-01-05, the first Monday in Unix time."""


class Profile(msgspec.Struct, frozen=True):
    """Gaussian bumps over the local day on a floor, times a factor on Saturday and Sunday.

    Args:
        bumps_h: hours of the bumps' tops; none: the same at every hour.
        width_h: standard deviation of each bump, hours.
        floor: added everywhere; a bump's top is 1.
    """

    bumps_h: tuple[float, ...] = ()
    width_h: float = 1.0
    floor: float = 1.0
    saturday: float = 1.0
    sunday: float = 1.0

    def table(self) -> list[float]:
        """Return the intensity of each step of the local week; its mean is 1."""
        factors = (1.0, 1.0, 1.0, 1.0, 1.0, self.saturday, self.sunday)
        day = [self._at_hour((i + 0.5) * STEP_S / 3600.0) for i in range(STEPS_A_WEEK // 7)]
        week = [factor * value for factor in factors for value in day]
        mean = sum(week) / len(week)
        return [value / mean for value in week]

    def _at_hour(self, hour: float) -> float:
        if not self.bumps_h:
            return 1.0
        off = ((hour - top + 12.0) % 24.0 - 12.0 for top in self.bumps_h)
        return self.floor + sum(math.exp(-0.5 * (hours / self.width_h) ** 2) for hours in off)


def week_second(t: float, tz: float) -> float:
    """Return the seconds since Monday 00:00, local time, at ``t``."""
    return (t + tz - _FIRST_MONDAY_S) % WEEK_S


def unrolled(table: Sequence[float], start: float, days: float, tz: float) -> list[float]:
    """Return the table's values for each step of a period that begins at ``start``."""
    first = round(week_second(start, tz) / STEP_S)
    return [table[(first + i) % STEPS_A_WEEK] for i in range(round(days * DAY_S / STEP_S))]


def poisson_times(rng: random.Random, rates: Sequence[float], start: float, scale: float = 1.0) -> Iterator[float]:
    """Yield the times of a Poisson process.

    Args:
        rates: events per second, for each step from ``start`` on.
        scale: times all rates.
    """
    passed, wanted = 0.0, rng.expovariate(1.0)
    for i, rate in enumerate(rates):
        mean = rate * scale * STEP_S
        while passed + mean > wanted:
            yield start + (i + (wanted - passed) / mean) * STEP_S
            wanted += rng.expovariate(1.0)
        passed += mean


def poisson_count(rng: random.Random, mean: float) -> int:
    """Return a Poisson number, for means of at most a few hundred."""
    count, passed = 0, rng.expovariate(1.0)
    while passed < mean:
        count += 1
        passed += rng.expovariate(1.0)
    return count

"""What changes at a moment: streams of events, each block of weeks a function of seed and names.

A stream's block can be made without the blocks before it, so any moment can be asked. The state
of a key's parts is the latest event that hit each part, found by reading blocks backwards. The
reading ends at the start of the era (``rhythm``): 520 weeks, after which parts that no event hit
return to their first state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from weedhounds.sandbox import rhythm
from weedhounds.sandbox.draws import geometric, lognormal_mean_1, poisson, rng, uniforms
from weedhounds.sandbox.rhythm import DAY_S, Profile

REGIME_WEEKS = 4
_REGIME_FRAC = 0.10
_REGIME_FACTORS = (0.2, 5.0)
_IDS_PER_BLOCK = 1_000_000


class Event(NamedTuple):
    """A change: Unix time, an id unique in its stream, and the numbers of the parts that it hit."""

    t: float
    id: int
    hits: tuple[int, ...]


class Stream(Protocol):
    """A source of events in blocks of whole local weeks."""

    name: tuple[str | int, ...]
    zone: ZoneInfo
    block_weeks: int

    def block(self, index: int) -> tuple[Event, ...]:
        """Return the events of block ``index`` (weeks ``index * block_weeks`` on), in time order."""
        ...


Hit = Callable[[Random], tuple[int, ...]]


def no_parts(generator: Random) -> tuple[int, ...]:
    """Hit no part: for keys that change as a whole."""
    return ()


def numbered(times: list[tuple[float, tuple[int, ...]]], index: int) -> tuple[Event, ...]:
    """Return events in time order; ids count on from the block's."""
    times.sort()
    return tuple(Event(round(t, 3), index * _IDS_PER_BLOCK + n, hits) for n, (t, hits) in enumerate(times))


class RateStream:
    """Poisson events at a rate of its own, with a weekly rhythm, regimes and bursts.

    The key's rate is ``rate_per_day`` times a lognormal of mean 1 and log standard deviation
    ``sigma``. In one of ten periods of 4 weeks it is 0.2 or 5 times that from a day at 30-70 % of
    the period to its end.

    Args:
        seed, name: what the events are a function of.
        zone: whose local time the rhythm follows.
        hit: draws the parts that an event hits.
        burst_frac: share of the events that start a burst of further events (a geometric number,
            mean 5, at exponential gaps of 4 minutes on average); they end with the block.
        block_weeks: weeks made at once: 1, or 4 for what changes seldom.
    """

    def __init__(
        self,
        seed: int,
        name: tuple[str | int, ...],
        zone: ZoneInfo,
        rate_per_day: float,
        *,
        profile: Profile,
        hit: Hit = no_parts,
        sigma: float = 1.0,
        burst_frac: float = 0.0,
        block_weeks: int = 1,
    ) -> None:
        self.name = name
        self.zone = zone
        self.block_weeks = block_weeks
        self.rate_per_day = rate_per_day * lognormal_mean_1(uniforms(seed, "rate", *name)[0], sigma)
        self._seed = seed
        self._profile = profile
        self._hit = hit
        self._burst_frac = burst_frac

    def regime(self, period: int) -> tuple[int, float]:
        """Return (day, factor): from that day of a period of 4 weeks on the rate is multiplied."""
        drawn = uniforms(self._seed, "regime", *self.name, period)
        if drawn[0] >= _REGIME_FRAC:
            return REGIME_WEEKS * 7, 1.0
        return int((0.3 + 0.4 * drawn[2]) * REGIME_WEEKS * 7), _REGIME_FACTORS[drawn[1] < 0.5]

    def block(self, index: int) -> tuple[Event, ...]:
        """Return the events of a block; see :class:`Stream`."""
        generator = rng(self._seed, "events", *self.name, index)
        times: list[tuple[float, tuple[int, ...]]] = []
        for week in range(index * self.block_weeks, (index + 1) * self.block_weeks):
            times += self._week(generator, week)
        return numbered(times, index)

    def _week(self, generator: Random, week: int) -> Iterator[tuple[float, tuple[int, ...]]]:
        period, week_in = divmod(week, REGIME_WEEKS)
        shift_day, factor = self.regime(period)
        midnights: list[float] = []
        for weekday in range(7):
            is_shifted = week_in * 7 + weekday >= shift_day
            mean = self.rate_per_day * self._profile.day_factor(weekday) * (factor if is_shifted else 1.0)
            for _ in range(poisson(generator, mean)):
                midnights = midnights or rhythm.week_midnights(week, self.zone)
                t = self._moment(week, weekday, midnights, self._profile.second_of_day(generator.random()))
                yield t, self._hit(generator)
                if self._burst_frac and generator.random() < self._burst_frac:
                    yield from self._burst(generator, t, midnights[7])

    def _moment(self, week: int, weekday: int, midnights: list[float], second: float) -> float:
        """Return the Unix time of a wall-clock second; only days with a clock change need the zone."""
        if midnights[weekday + 1] - midnights[weekday] == DAY_S:
            return midnights[weekday] + second
        return rhythm.unix_of(rhythm.week_start_date(week) + timedelta(days=weekday), second, self.zone)

    def _burst(self, generator: Random, t: float, end: float) -> Iterator[tuple[float, tuple[int, ...]]]:
        for _ in range(geometric(generator, 5.0)):
            t += -240.0 * math.log(1.0 - generator.random())
            if t >= end:
                return
            yield t, self._hit(generator)


class MergedStream:
    """Several streams of one zone and block length as one."""

    def __init__(self, *streams: RateStream) -> None:
        self.name = ("merged", *streams[0].name)
        self.zone = streams[0].zone
        self.block_weeks = streams[0].block_weeks
        self._streams = streams

    def block(self, index: int) -> tuple[Event, ...]:
        """Return the events of all streams in a block; see :class:`Stream`."""
        return numbered([(e.t, e.hits) for s in self._streams for e in s.block(index)], index)


class DailyStream:
    """A scheduled daily event and some at random: the rhythm of a shop's promotions.

    The schedule is 0, 8, 9 or 10 h, or half an hour later, by shop; it happens with probability
    0.85, within 6 minutes after that time. Besides come ``extra_per_day`` at any time of day.
    """

    block_weeks = 1

    def __init__(self, seed: int, name: tuple[str | int, ...], zone: ZoneInfo, *, extra_per_day: float = 0.5) -> None:
        drawn = uniforms(seed, "schedule", *name)
        self.name = name
        self.zone = zone
        self.second = (0, 8, 9, 10)[int(drawn[0] * 4)] * 3600 + (1800 if drawn[1] < 0.5 else 0)
        self._seed = seed
        self._extra_per_day = extra_per_day

    def block(self, index: int) -> tuple[Event, ...]:
        """Return the events of a week; see :class:`Stream`."""
        generator = rng(self._seed, "events", *self.name, index)
        monday = rhythm.week_start_date(index)
        times: list[tuple[float, tuple[int, ...]]] = []
        for weekday in range(7):
            seconds = [generator.random() * DAY_S for _ in range(poisson(generator, self._extra_per_day))]
            if generator.random() < 0.85:
                seconds.append(self.second + generator.random() * 360)
            times += [(rhythm.unix_of(monday + timedelta(days=weekday), s, self.zone), ()) for s in seconds]
        return numbered(times, index)

"""The week of a data type: at which local hours and weekdays things happen, learnt from intervals. Pure.

What happens (changes, or requests) is a Poisson process with intensity rate x shape(local time). The
shape is an hour of the day times a weekday, with mean 1. Only intervals are seen: that something
changed between two fetches, or how many requests there were. The shape is the fixed point of
expectation and maximisation: each interval's expected events are laid over its half hours in
proportion to the present shape; the shape becomes events / exposure, smoothed and shrunk.

Intervals are laid out as differences, so that one costs the same however long it is. Of the newest
`RING` intervals every pass starts anew, with the present rates of their keys; older ones are settled.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
_MONDAY_S = 4 * DAY_S  # the first Monday of Unix time
SLOT_S = 1_800.0
SLOTS = 336
_DAY_SLOTS = 48
_TWO_WEEKS = 2 * SLOTS
_LONGEST_S = 3.4 * DAY_S
"""Longer intervals tell nothing of hours and are passed over."""
RING = 2_000
_PASSES = 5
_HOUR_PRIOR = 2.0
"""Events that the prior shape counts for, in each half hour. Measured 1 to 6: less costs at dear calls, more at cheap."""
_DAY_PRIOR = 4.0
_SMOOTH_SLOTS = 1.0


class Rates(Protocol):
    """Whose events they are: the expected ones a day, as far as is known now."""

    change_rate: float
    request_rate: float


class Interval(msgspec.Struct, frozen=True, gc=False):
    """A stretch of local time and what was seen in it.

    Args:
        first, last: half hours since Monday 0:00, with fraction; ``last`` may lie in the next week.
        seen: number of requests; for changes 1 or 0.
        rates: of its key.
        other: probability that nothing else (a scheduled event) changed the record in between.
    """

    first: float
    last: float
    seen: float
    rates: Rates
    other: float


class WeekShape:
    """Relative intensity by half hour of the local week.

    Bounds: `RING` intervals, about 0.4 MB.

    Args:
        counts: whether intervals tell a number of events (requests), not just whether there was any.
    """

    def __init__(self, *, counts: bool = False) -> None:
        self.counts = counts
        self.ring: deque[Interval] = deque()
        self.settled_events = [0.0] * SLOTS
        self.settled_exposure = [0.0] * SLOTS
        self.hours = [1.0] * _DAY_SLOTS
        self.days = [1.0] * 7
        self.prior_hours = [1.0] * _DAY_SLOTS
        self.prior_days = [1.0] * 7
        self.hour_tally = ([0.0] * _DAY_SLOTS, [0.0] * _DAY_SLOTS)
        self.day_tally = ([0.0] * 7, [0.0] * 7)
        self.total = 0.0
        self.new = 0
        self.settled = 0
        self.shape: list[float] = []
        self.run: list[float] = []
        self.fill()

    def fill(self) -> None:
        """Compute the shape and its running integral (days) from hours and weekdays."""
        shape = [h * d for d in self.days for h in self.hours]
        mean = sum(shape) / SLOTS
        self.shape = [v / mean for v in shape]
        run = [0.0]
        for v in self.shape:
            run.append(run[-1] + v / _DAY_SLOTS)
        self.run = run

    def clock(self, local_s: float) -> float:
        """Return the integral of the shape up to a local time, days: even in it, events come evenly."""
        weeks, rest = divmod(local_s - _MONDAY_S, WEEK_S)
        rest /= SLOT_S
        i = min(int(rest), SLOTS - 1)
        run = self.run
        return weeks * 7.0 + run[i] + (rest - i) * (run[i + 1] - run[i])

    def clocks(self, times: Sequence[float]) -> list[float]:
        """Return :meth:`clock` of each of ``times``."""
        run = self.run
        out = []
        for local_s in times:
            weeks, rest = divmod(local_s - _MONDAY_S, WEEK_S)
            rest /= SLOT_S
            i = int(rest)
            if i >= SLOTS:
                i = SLOTS - 1
            a = run[i]
            out.append(weeks * 7.0 + a + (rest - i) * (run[i + 1] - a))
        return out

    def see(self, since_s: float, until_s: float, seen: float, rates: Rates, *, other: float = 1.0) -> None:
        """Take in what was seen between two local times."""
        if not 0.0 < until_s - since_s <= _LONGEST_S:
            return
        first = ((since_s - _MONDAY_S) % WEEK_S) / SLOT_S
        self.ring.append(Interval(first, first + (until_s - since_s) / SLOT_S, seen, rates, other))
        self.total += seen
        self.new += 1
        if len(self.ring) > RING:
            old = [self.ring.popleft() for _ in range(RING // 8)]
            self._lay(old, self.settled_events, self.settled_exposure)
            self.settled += len(old)

    @property
    def is_due(self) -> bool:
        """Tell whether enough is new to learn the shape anew."""
        return self.new >= 0.2 * (len(self.ring) + self.settled)

    def learn(self) -> None:
        """Find the shape that explains the intervals best. Up to 20 ms with a full ring."""
        self.new = 0
        smooth = _smoother(_SMOOTH_SLOTS * (300.0 / (self.total + 30.0)) ** 0.2)
        for _ in range(_PASSES):
            events, exposure = self.summed()
            self._maximise(events, exposure, smooth)

    def summed(self) -> tuple[list[float], list[float]]:
        """Return expected events and exposure of all intervals by slot of the week, as seen now."""
        events, exposure = self.settled_events[:], self.settled_exposure[:]
        self._lay(self.ring, events, exposure)
        return events, exposure

    def _maximise(
        self, events: list[float], exposure: list[float], smooth: Callable[[list[float]], list[float]]
    ) -> None:
        hour_events = [sum(events[h::_DAY_SLOTS]) for h in range(_DAY_SLOTS)]
        hour_exposure = [sum(map(float.__mul__, exposure[h::_DAY_SLOTS], self.days)) for h in range(_DAY_SLOTS)]
        prior = zip(smooth(hour_events), smooth(hour_exposure), self.prior_hours, strict=True)
        self.hours = _mean_one([(n + _HOUR_PRIOR * p) / (x + _HOUR_PRIOR) for n, x, p in prior])
        parts = [slice(_DAY_SLOTS * d, _DAY_SLOTS * (d + 1)) for d in range(7)]
        day_events = [sum(events[part]) for part in parts]
        day_exposure = [sum(map(float.__mul__, exposure[part], self.hours)) for part in parts]
        week = zip(day_events, day_exposure, self.prior_days, strict=True)
        self.days = _mean_one([(n + _DAY_PRIOR * p) / (x + _DAY_PRIOR) for n, x, p in week])
        self.hour_tally = (hour_events, hour_exposure)
        self.day_tally = (day_events, day_exposure)
        self.fill()

    def _lay(self, intervals: Iterable[Interval], events: list[float], exposure: list[float]) -> None:
        """Add the intervals' expected events and exposure to the slots of the week."""
        density, rates = self._differences(intervals)
        n = x = 0.0
        for i in range(_TWO_WEEKS + 1):
            n += density[i]
            x += rates[i]
            slot = i % SLOTS
            if n > 0.0:  # sums of differences may end a little below zero
                events[slot] += n * self.shape[slot] / _DAY_SLOTS
            if x > 0.0:
                exposure[slot] += x

    def _differences(self, intervals: Iterable[Interval]) -> tuple[list[float], list[float]]:
        """Return the running differences of expected events and of exposure; written out for speed."""
        density = [0.0] * (_TWO_WEEKS + 2)
        rates = [0.0] * (_TWO_WEEKS + 2)
        run, week, counts, exp = self.run, self.run[SLOTS], self.counts, math.exp
        for interval in intervals:
            i, j = int(interval.first), int(interval.last)
            f, g = interval.first - i, interval.last - j
            rate = interval.rates.request_rate if counts else interval.rates.change_rate
            value = rate / _DAY_SLOTS
            rates[i] += value * (1.0 - f)
            rates[i + 1] += value * f
            rates[j] -= value * (1.0 - g)
            rates[j + 1] -= value * g
            if not interval.seen:
                continue
            k = j % SLOTS
            length = run[k] + g * (run[k + 1] - run[k]) - run[i] - f * (run[i + 1] - run[i])
            length = max(length + week if k != j else length, 1e-9)
            some = max(1.0 - exp(-rate * length) * interval.other, 1e-12)
            value = interval.seen / length if counts else rate / some
            density[i] += value * (1.0 - f)
            density[i + 1] += value * f
            density[j] -= value * (1.0 - g)
            density[j + 1] -= value * g
        return density, rates


def _mean_one(values: list[float]) -> list[float]:
    mean = sum(values) / len(values)
    return [v / mean for v in values]


def _smoother(sd_slots: float) -> Callable[[list[float]], list[float]]:
    """Return a Gaussian smoothing around the day; wider where little was seen."""
    sd = max(0.8, sd_slots)
    reach = max(1, int(2.5 * sd))
    kernel = [math.exp(-0.5 * (i / sd) ** 2) for i in range(-reach, reach + 1)]
    weight = sum(kernel)
    kernel = [k / weight for k in kernel]

    def smooth(values: list[float]) -> list[float]:
        wide = values[-reach:] + values + values[:reach]
        return [sum(map(float.__mul__, kernel, wide[h : h + len(kernel)])) for h in range(len(values))]

    return smooth


def pooled(tallies: Sequence[tuple[list[float], list[float]]], generic: Sequence[float], prior: float) -> list[float]:
    """Return the shape of several tallies (events, exposure) together, shrunk towards ``generic``; mean 1."""
    events = [sum(n[i] for n, _ in tallies) for i in range(len(generic))]
    exposure = [sum(x[i] for _, x in tallies) for i in range(len(generic))]
    weight = min(1.0, _POOL_EVENTS / max(sum(events), 1e-9))
    both = zip(events, exposure, generic, strict=True)
    return _mean_one([(weight * n + prior * g) / (weight * x + prior) for n, x, g in both])


_POOL_EVENTS = 400.0
"""What other types' events count for together, at most."""

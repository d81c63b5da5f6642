"""Scheduled changes of one key: the minutes of the local day at which something happens daily. Pure.

A hypothesis is a window that starts at one of 288 five-minute marks and is ten or twenty-five minutes
wide; on each day an event falls into it with probability `_HOLDS`. Against it stands "no schedule".
Each interval between two fetches multiplies the odds of the windows that it touches, so the right
window emerges after about a week, and what remains uncertain stays a spread of probability.

From the odds follows a hazard for each five minutes of the day: how many events to expect there.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence

DAY_S = 86_400.0
BIN_S = 300.0
BINS = 288
WIDTHS = (2, 5)
"""Of the windows, in bins: ten minutes and twenty-five."""
_HOLDS = 0.85
_FLOOR = 1e-3
"""No window's odds fall below this share of its prior: a schedule may begin later."""
_MOST_ODDS = 1e4
_LEAST_MASS = 0.02
_SHARP = 0.03
_SPENT_S = 3_600.0
_STALE_LOOKS = 12


def _round_times() -> list[float]:
    """Return the prior of the start: full hours are likelier than half, half than quarters, those than the rest."""
    raw = [6.0 if i % 12 == 0 else 3.0 if i % 6 == 0 else 1.5 if i % 3 == 0 else 1.0 for i in range(BINS)]
    total = sum(raw) * len(WIDTHS)
    return [v / total for v in raw]


ROUND_TIMES = tuple(_round_times())
StartPrior = Sequence[Sequence[float]]
"""For each width, the probability of each start; sums to 1 over all."""
PLAIN: StartPrior = (ROUND_TIMES,) * len(WIDTHS)


class Schedule:
    """What is believed of one key's scheduled changes.

    Bounds: 9 KB.

    Args:
        share: probability that a key of this type has a schedule.
    """

    __slots__ = ("_looks", "_run", "_spent", "_spent_at", "_total", "hazards", "initial", "is_old", "odds", "starts")

    def __init__(self, share: float, prior: StartPrior = PLAIN) -> None:
        odds = share / (1.0 - share)
        self.initial = [array("f", [odds * v for v in row]) for row in prior]
        self.odds = [array("f", row) for row in self.initial]
        self.hazards: array[float] | None = None
        self.starts: list[int] = []
        self.is_old = True
        self._run = array("d")
        self._total = 0.0
        self._looks = 0
        self._spent = 0.0
        self._spent_at = -math.inf

    @property
    def probability(self) -> float:
        """Return the probability that there is a schedule."""
        total = sum(map(sum, self.odds))
        return total / (1.0 + total)

    def look(self, since_s: float, until_s: float, *, changed: bool, background: float) -> None:
        """Take in one interval of local time.

        Args:
            background: expected changes in it other than scheduled.
        """
        days = int((until_s - since_s) // DAY_S)
        first = since_s / BIN_S
        shift = math.floor(first / BINS) * BINS
        first -= shift
        last = until_s / BIN_S - shift - days * BINS
        missed = (1.0 - _HOLDS) ** days
        same = math.exp(-background)
        some = max(1.0 - same, 1e-6)
        general = (1.0 - same * missed) / some if changed else missed
        for which, width in enumerate(WIDTHS):
            if days:
                self.odds[which] = array("f", [v * general for v in self.odds[which]])
            _touch(self.odds[which], width, (first, last), (missed, same, some, general, changed))
        self._looks += 1
        if changed or self._looks >= _STALE_LOOKS:
            self.is_old = True

    def spent(self, at_s: float, share: float) -> None:
        """Note that with probability ``share`` the change just seen was the scheduled one: it won't come again at once."""
        self._spent, self._spent_at = share, at_s

    def renew(self, share: float, prior: StartPrior) -> None:
        """Replace the prior by another one (what the type's other keys have taught)."""
        odds = share / (1.0 - share)
        for which, row in enumerate(prior):
            new = array("f", [max(odds * v, 1e-12) for v in row])
            old = self.initial[which]
            both = zip(self.odds[which], new, old, strict=True)
            self.odds[which] = array("f", [v * n / max(o, 1e-12) for v, n, o in both])
            self.initial[which] = new
        self.is_old = True

    def settle(self) -> None:
        """Compute the hazards from the odds, where these have moved."""
        if not self.is_old:
            return
        self.is_old = False
        self._looks = 0
        self._bound()
        mass = self._mass()
        if sum(mass) < _LEAST_MASS:
            self.hazards, self.starts, self._total = None, [], 0.0
            return
        self.hazards = _hazards(mass)
        self._run = array("d", [0.0])
        for h in self.hazards:
            self._run.append(self._run[-1] + h)
        self._total = self._run[-1]
        sharp = {i for i, h in enumerate(self.hazards) if h > _SHARP}
        self.starts = sorted(sharp | {i + 1 for i in sharp})

    def hazard(self, since_s: float, until_s: float) -> float:
        """Return the expected scheduled events between two local times, as known at the first."""
        if self.hazards is None or until_s <= since_s:
            return 0.0
        value = self.clock(until_s) - self.clock(since_s)
        end = self._spent_at + _SPENT_S
        if self._spent and self._spent_at <= since_s < end:
            value -= self._spent * (self.clock(min(until_s, end)) - self.clock(since_s))
        return max(0.0, value)

    def clock(self, local_s: float) -> float:
        """Return the integral of the hazards up to a local time."""
        if self.hazards is None:
            return 0.0
        days, rest = divmod(local_s, DAY_S)
        rest /= BIN_S
        i = min(int(rest), BINS - 1)
        return days * self._total + self._run[i] + (rest - i) * self.hazards[i]

    def marks(self, since_s: float, until_s: float) -> Iterator[float]:
        """Yield the local times in between at which a sharp hazard begins or ends."""
        for day in range(int(since_s // DAY_S), int(until_s // DAY_S) + 1):
            for start in self.starts:
                at = day * DAY_S + start * BIN_S
                if since_s < at < until_s:
                    yield at

    def _mass(self) -> list[float]:
        """Return the probability of a scheduled event in each bin of a day."""
        scale = _HOLDS / (1.0 + sum(map(sum, self.odds)))
        mass = [0.0] * BINS
        for width, row in zip(WIDTHS, self.odds, strict=True):
            least = 2e-4 / scale
            for start in [i for i, v in enumerate(row) if v > least]:
                for i in range(start, start + width):
                    mass[i % BINS] += row[start] * scale / width
        return mass

    def _bound(self) -> None:
        """Keep the odds above their floor and their sum within its bound."""
        rows = zip(self.odds, self.initial, strict=True)
        self.odds = [
            array("f", [v if v > _FLOOR * i else _FLOOR * i for v, i in zip(row, initial, strict=True)])
            for row, initial in rows
        ]
        total = sum(map(sum, self.odds))
        if total > 1.001 * _MOST_ODDS:
            self.odds = [array("f", [v * _MOST_ODDS / total for v in row]) for row in self.odds]


def _touch(
    row: array[float], width: int, span: tuple[float, float], terms: tuple[float, float, float, float, bool]
) -> None:
    """Multiply the odds of the windows that overlap the interval by what it tells of them."""
    first, last = span
    missed, same, some, general, changed = terms
    for k in range(math.floor(first) - width, int(last) + 1):
        low = max(float(k), first)
        high = min(float(k + width), last)
        if high <= low:
            continue
        quiet = missed * (1.0 - _HOLDS * (high - low) / width)
        row[k % BINS] *= ((1.0 - same * quiet) / some if changed else quiet) / general


def _hazards(mass: list[float]) -> array[float]:
    """Return the hazard of each bin: the chance that what has not come yet comes there.

    The day begins opposite of its likeliest bin.
    """
    peak = max(range(BINS), key=mass.__getitem__)
    out = array("d", [0.0]) * BINS
    gone = 0.0
    for i in range(BINS):
        at = (peak + BINS // 2 + i) % BINS
        after = min(0.995, gone + mass[at])
        if after > gone:
            out[at] = math.log((1.0 - gone) / (1.0 - after))
        gone = max(gone, after)
    return out

"""What has been seen of a tier lately: latencies and hits, forgotten gradually, or at once when they have changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from math import inf, log

RECENT = 48
"""Latencies that are remembered."""
STREAK = 3
OUTSIDE = 1.3
"""So many latencies in a row, outside of what nine of ten were by this factor, are a change: what was
before is forgotten. By chance it happens once in 1,000 times at most."""
LONGER = 1.25
"""What a question takes in the end that was given up later than any was answered, by factor: a guess."""
_ENOUGH = 8
"""Latencies that must be known before a change of them can be told; so often it is found out what is usual."""

HALF_LIFE = 96
"""Keys after which what was seen of hits counts half."""
UNLIKELY = log(1e-4)
"""A run of hits or misses as unlikely as this is a change."""
_BATCH = 8
"""Most keys of one answer that count: they are alike."""
_REMAINING = 4.0

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
"""A distribution of latencies is summed up by the means between these quantiles."""

Points = tuple[tuple[float, float], ...]
"""Pairs of weight (sum 1) and latency, seconds, rising."""


class Latency:
    """The recent latencies of one tier. Bounds: ``RECENT`` numbers."""

    __slots__ = ("_high", "_low", "_recent", "_since", "_streak")

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._streak = 0
        self._since = 0
        self._low, self._high = 0.0, inf

    def __len__(self) -> int:
        return len(self._recent)

    def observe(self, seconds: float) -> bool:
        """Take note of an answer; tell whether latencies have changed."""
        if seconds > OUTSIDE * self._high:
            self._streak = max(self._streak, 0) + 1
        elif seconds < self._low / OUTSIDE:
            self._streak = min(self._streak, 0) - 1
        else:
            self._streak = 0
        has_changed = abs(self._streak) >= STREAK
        self._recent.append(seconds)
        if has_changed:
            latest = list(self._recent)[-STREAK:]
            self._recent.clear()
            self._recent.extend(latest)
        self._measure(is_due=has_changed)
        return has_changed

    def at_least(self, seconds: float, expected_s: float) -> bool:
        """Take note of a question that was given up; it says something where others had been answered by then.

        It is counted as those that took longer did on average, or a little longer itself.

        Args:
            expected_s: what is usual where nothing is known, seconds.
        """
        if seconds <= min(self._recent, default=expected_s):
            return False
        longer = [latency for latency in self._recent if latency > seconds]
        return self.observe(sum(longer) / len(longer) if longer else LONGER * seconds)

    def mean(self) -> float:
        """Return the mean, seconds; there must be one."""
        return sum(self._recent) / len(self._recent)

    def points(self) -> Points:
        """Return the distribution, summed up."""
        return summed_up(sorted(self._recent))

    def _measure(self, *, is_due: bool) -> None:
        """Find out now and then what nine of ten latencies are within, but for a streak that has begun."""
        self._since += 1
        if is_due:
            self._low, self._high, self._streak = 0.0, inf, 0
        elif self._since >= _ENOUGH and not self._streak and len(self._recent) >= _ENOUGH:
            ordered = sorted(self._recent)
            tenth = len(ordered) // 10
            self._low, self._high = ordered[tenth], ordered[-1 - tenth]
        else:
            return
        self._since = 0


def summed_up(ordered: Sequence[float]) -> Points:
    """Return a few points that stand for the values, with their mean.

    Args:
        ordered: rising, at least one.
    """
    count = len(ordered)
    if count <= len(QUANTILES):
        return tuple((1 / count, value) for value in ordered)
    cuts = [round(quantile * count) for quantile in QUANTILES]
    parts = [ordered[a:b] for a, b in pairwise(cuts) if b > a]
    return tuple((len(part) / count, sum(part) / len(part)) for part in parts)


class Hits:
    """How often a tier could serve, as a decayed Beta belief. Bounds: three numbers."""

    __slots__ = ("_run", "hits", "misses")

    def __init__(self) -> None:
        self.hits = 0.0
        self.misses = 0.0
        self._run = 0.0

    @property
    def weight(self) -> float:
        """Return how many keys it rests on, after decay."""
        return self.hits + self.misses

    def fade(self, keys: float) -> None:
        """Let what was seen count less, as after ``keys`` further keys."""
        keep = 0.5 ** (keys / HALF_LIFE)
        self.hits *= keep
        self.misses *= keep

    def mean(self, prior: float, strength: float = 2.0) -> float:
        """Return the share of hits, 0..1, drawn towards ``prior`` as if that were ``strength`` keys."""
        return (self.hits + strength * prior) / (self.weight + strength)

    def observe(self, fresh: int, asked: int) -> bool:
        """Take note of an answer for ``asked`` keys, at least one; tell whether the share has changed."""
        scale = min(1.0, _BATCH / asked)
        hits, misses = scale * fresh, scale * (asked - fresh)
        has_changed = self._is_change(hits, misses)
        keep = 0.5 ** ((hits + misses) / HALF_LIFE)
        if has_changed:
            keep = min(1.0, _REMAINING / self.weight)
            self._run = 0.0
        self.hits = keep * self.hits + hits
        self.misses = keep * self.misses + misses
        return has_changed

    def _is_change(self, hits: float, misses: float) -> bool:
        """Follow the run of hits alone (a negative logarithm) or of misses alone (its opposite)."""
        share = self.mean(0.5)
        if hits and misses:
            self._run = 0.0
        elif hits:
            self._run = min(self._run, 0.0) + hits * log(share)
        else:
            self._run = max(self._run, 0.0) - misses * log(1.0 - share)
        return self.weight > 2 * _BATCH and abs(self._run) > -UNLIKELY

"""When a slow call is sent a second time: after the time in which 95 of 100 are answered. Pure.

The tail at scale (Dean and Barroso, 2013): a second request after the 95th percentile costs 5 % more
calls at most and cuts the tail. Here it also costs budget, so that it has a budget of its own.
"""

from __future__ import annotations

from weedhounds.telemetry import Histogram

QUANTILE = 0.95
LEAST_OBSERVED = 300
"""Answers that an origin has given before any call to it is sent twice. More than a first hunt asks
of all origins together, so that such a hunt makes exactly the calls that its records need."""
WINDOW = 500
"""Answers after which the older half of what is known is forgotten: an origin's speed changes."""
LEAST_DELAY_S = 0.05
"""A second call saves less than this where the first is not answered sooner."""
MOST_CREDIT = 5.0
"""Second calls that may have been saved up."""


class Hedging:
    """Knows how long an origin's answers take, and how many calls may be sent twice.

    Args:
        share: of all calls that may be sent a second time, 0..1; 0 for none.

    Bounds: two histograms; ``MOST_CREDIT`` second calls at once, ``share`` of all in the long run.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._credit = 0.0
        self._observed = 0
        self._older = Histogram()
        self._newer = Histogram()
        self._delay_s = 0.0

    def observe(self, elapsed_s: float) -> None:
        """Note a first call's answer after ``elapsed_s``, or that it had none by then and another had."""
        if self._share <= 0.0:
            return
        self._observed += 1
        self._credit = min(MOST_CREDIT, self._credit + self._share)
        self._newer.observe(elapsed_s)
        if self._newer.count >= WINDOW:
            self._older, self._newer = self._newer, Histogram()
        if self._observed % 50 == 0:
            known = self._older if self._older.count else self._newer
            self._delay_s = max(LEAST_DELAY_S, known.quantile(QUANTILE))

    @property
    def delay_s(self) -> float | None:
        """Return after how many seconds a second call is worth it; ``None`` where none may be made."""
        return self._delay_s if self._observed >= LEAST_OBSERVED and self._credit >= 1.0 else None

    def spend(self) -> bool:
        """Take the right to one second call; tell whether there was one left."""
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True

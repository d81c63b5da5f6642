"""What an origin's budget allows at a moment: a token bucket, the rate it turned out to bear, the day. Pure.

Time comes in as monotonic seconds; :mod:`weedhounds.sources.limits` drives it.
"""

from __future__ import annotations

import math

from weedhounds.sources.base import Budget
from weedhounds.sources.daybudget import DayBudget
from weedhounds.sources.learntrate import LearntRate

MARGIN_S = 0.1
"""How far our bucket stays behind the origin's, in seconds of refill.

A call reaches the origin after a connection set-up or none, behind a busy loop or a free one, so
calls arrive closer together than they were sent. An equal bucket would be overdrawn by such a
race now and then (a 429); a bucket smaller by what refills in 0.1 s is not, as long as delays
differ by less than that. The long-run rate is the same but for ``RATE_SHARE``.
"""
MOST_MARGIN = 0.25
"""Largest share of the burst given up so; an empty bucket of one call would lose what a late timer misses."""
RATE_SHARE = 0.99
"""Share of the configured rate that is used: two clocks do not run alike for ever."""


class TokenBucket:
    """A bucket of ``burst`` calls refilled at ``rate_per_s``, kept a margin below both (pure).

    Args:
        burst: calls at once from a full bucket, >= 1.
        rate_per_s: calls a second that refill it, > 0.
        now: monotonic seconds; the bucket starts full.
    """

    def __init__(self, burst: int, rate_per_s: float, now: float) -> None:
        self._full_capacity = max(1.0, burst - min(rate_per_s * MARGIN_S, burst * MOST_MARGIN))
        self._full_rate_per_s = rate_per_s * RATE_SHARE
        self.capacity = self._full_capacity
        self.rate_per_s = self._full_rate_per_s
        self._tokens = self.capacity
        self._at = now  # in the future while paused

    def tokens(self, now: float) -> float:
        """Return the calls that could go out at ``now``; 0 while paused, below 0 when overdrawn."""
        if now < self._at:
            return 0.0
        return min(self.capacity, self._tokens + (now - self._at) * self.rate_per_s)

    def wait_s(self, now: float, ahead: int = 0) -> float:
        """Return the seconds until a token is there for a call with ``ahead`` calls before it."""
        start = max(now, self._at)
        lacking = ahead + 1 - self.tokens(start)
        return (start - now) + max(0.0, lacking) / self.rate_per_s

    def take(self, now: float) -> bool:
        """Take a token; tell whether there was one."""
        tokens = self.tokens(now)
        if now < self._at or tokens < 1.0:
            return False
        self._tokens, self._at = tokens - 1.0, now
        return True

    def charge(self, now: float) -> None:
        """Take a token for a call that has gone out already; the bucket may be overdrawn."""
        self._settle(now)
        self._tokens -= 1.0

    def give_back(self, now: float) -> None:
        """Return a token whose call did not go out."""
        self._settle(now)
        self._tokens = min(self.capacity, self._tokens + 1.0)

    def pause(self, until: float) -> None:
        """Let no call out before ``until``, and then one at a time: the origin knows better."""
        if until > self._at:
            self._tokens, self._at = 1.0, until

    def scale(self, share: float, now: float) -> None:
        """Use ``share`` (over 0, at most 1) of rate and burst from ``now`` on."""
        self._settle(now)
        self.capacity = max(1.0, self._full_capacity * share)
        self.rate_per_s = self._full_rate_per_s * share
        self._tokens = min(self._tokens, self.capacity)

    def _settle(self, now: float) -> None:
        if now >= self._at:
            self._tokens, self._at = self.tokens(now), now


class Allowance:
    """Everything that bounds how often one origin is asked, but for the calls in flight.

    Args:
        calls_per_day: at most so many in any 24 hours; ``None`` for as many as the rate gives.
        now: monotonic seconds.

    A budget with a 0 in it never allows a call.
    """

    def __init__(self, budget: Budget, calls_per_day: int | None, now: float) -> None:
        self._is_nothing = min(budget.burst, budget.rate_per_s, budget.concurrency) <= 0 or calls_per_day == 0
        self._bucket = TokenBucket(max(1, budget.burst), budget.rate_per_s if budget.rate_per_s > 0 else 1.0, now)
        self._rate = LearntRate()
        self._configured_per_s = budget.rate_per_s
        self._day = None if calls_per_day is None else DayBudget(max(0, calls_per_day))

    @property
    def rate_per_s(self) -> float:
        """Return the rate in use: the configured one, or less where the origin did not bear it."""
        return 0.0 if self._is_nothing else self._configured_per_s * self._rate.share

    def tokens(self, now: float) -> float:
        """Return the calls that could go out at once now."""
        if self._is_nothing:
            return 0.0
        tokens = self._bucket.tokens(now)
        return tokens if self._day is None else min(tokens, float(self._day.left(now)))

    def day_left(self, now: float) -> int | None:
        """Return the calls left of the day's budget; ``None`` where there is none."""
        return None if self._day is None else max(0, self._day.left(now))

    def wait_s(self, now: float, ahead: int = 0) -> float:
        """Return the seconds until a call with ``ahead`` calls before it may go out; infinite for never."""
        if self._is_nothing:
            return math.inf
        wait_s = self._bucket.wait_s(now, ahead)
        return wait_s if self._day is None else max(wait_s, self._day.wait_s(now, ahead))

    def take(self, now: float) -> bool:
        """Take a call from all budgets; tell whether there was one."""
        if self._is_nothing or (self._day is not None and self._day.left(now) < 1) or not self._bucket.take(now):
            return False
        if self._day is not None:
            self._day.take(now)
        return True

    def charge(self, now: float) -> None:
        """Take a call that has gone out already; budgets may be overdrawn."""
        self._bucket.charge(now)
        if self._day is not None:
            self._day.take(now)

    def give_back(self, now: float) -> None:
        """Return a call that did not go out."""
        self._bucket.give_back(now)
        if self._day is not None:
            self._day.give_back(now)

    def pause(self, until: float) -> None:
        """Let no call out before ``until``."""
        self._bucket.pause(until)

    def limited(self, now: float) -> None:
        """Slow down: the origin answered 429."""
        self._rate.limited(now)
        self._bucket.scale(self._rate.share, now)

    def challenged(self, now: float) -> None:
        """Slow down a lot: a bot guard answered."""
        self._rate.challenged(now)
        self._bucket.scale(self._rate.share, now)

    def succeeded(self, now: float) -> None:
        """Note a good answer: after a while of them, calls may go out faster again."""
        if self._rate.succeeded(now):
            self._bucket.scale(self._rate.share, now)

    def why_not(self, wait_s: float, now: float, ahead: int = 0) -> str:
        """Say in one line why a call with ``ahead`` calls before it has to wait for ``wait_s``."""
        if self._is_nothing:
            return "never asked: its budget is 0"
        if self._day is not None and self._day.wait_s(now, ahead) > self._bucket.wait_s(now, ahead):
            return f"no call left in the budget of {self._day.calls} a day (next one in {wait_s / 60:.0f} min)"
        return f"no call left in the budget before the deadline (next one in {wait_s:.1f} s)"

"""How hard an origin is asked: a token bucket and a bound on calls in flight, in one gate.

The bucket is pure (time comes in); the gate drives it. One gate for both limits, because a call
that took its token and then waited for a connection would go out later than the bucket thinks,
and many such calls at once would be the burst that the bucket exists to prevent.
"""

from __future__ import annotations

import asyncio
from collections import deque

from weedhounds.clock import Clock
from weedhounds.errors import DeadlinePassed, RateLimited
from weedhounds.sources.base import Budget

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
MAX_WAITING = 4096
"""Most calls that wait at one gate; further ones are refused as if the budget were spent."""
MAX_PAUSE_S = 3600.0
"""Longest pause that an origin can impose; what it asks beyond is asked for again then."""
STARTS_A_TURN = 8
"""Calls let out in one turn of the event loop: building a request takes about 0.2 ms, and a
hundred of them at once would stall everything else."""
_LEAST_TIMER_S = 0.001


class TokenBucket:
    """A bucket of ``burst`` calls refilled at ``rate_per_s``, kept a margin below both (pure).

    Args:
        burst: calls at once from a full bucket, >= 1.
        rate_per_s: calls a second that refill it, > 0.
        now: monotonic seconds; the bucket starts full.
    """

    def __init__(self, burst: int, rate_per_s: float, now: float) -> None:
        self.capacity = max(1.0, burst - min(rate_per_s * MARGIN_S, burst * MOST_MARGIN))
        self.rate_per_s = rate_per_s * RATE_SHARE
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

    def _settle(self, now: float) -> None:
        if now >= self._at:
            self._tokens, self._at = self.tokens(now), now


class _Turn:
    """A waiting call: what it waits on, and until when (monotonic seconds)."""

    __slots__ = ("admitted", "deadline")

    def __init__(self, deadline: float) -> None:
        self.admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.deadline = deadline


class Gate:
    """Lets calls to one origin out: in order, urgent ones first, within budget and concurrency.

    Bounds: ``MAX_WAITING`` calls wait; each no longer than its deadline.
    """

    def __init__(self, budget: Budget, clock: Clock) -> None:
        self._clock = clock
        self._bucket = TokenBucket(budget.burst, budget.rate_per_s, clock.monotonic())
        self._concurrency = budget.concurrency
        self._urgent: deque[_Turn] = deque()
        self._waiting: deque[_Turn] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._started_this_turn = 0
        self.in_flight = 0

    @property
    def waiting(self) -> int:
        """Return how many calls wait."""
        return len(self._urgent) + len(self._waiting)

    @property
    def tokens(self) -> float:
        """Return the calls that the budget allows now."""
        return self._bucket.tokens(self._clock.monotonic())

    async def enter(self, *, deadline: float, needs_s: float = 0.0, is_urgent: bool = False) -> None:
        """Wait until a call may go out; :meth:`leave` must follow.

        Args:
            deadline: monotonic seconds; later is too late.
            needs_s: seconds that the answer takes at least: a token that comes later than that
                before the deadline is of no use, and would be spent for nothing.
            is_urgent: goes before the others: it completes what others wait for.

        Raises:
            RateLimited: the budget gives no call in time (told at once, without waiting).
            DeadlinePassed: the deadline passed while all connections were in use.
        """
        queue = self._urgent if is_urgent else self._waiting
        now = self._clock.monotonic()
        wait_s = self._bucket.wait_s(now, len(self._urgent) if is_urgent else self.waiting)
        if (wait_s > 0 and now + wait_s + needs_s > deadline) or self.waiting >= MAX_WAITING:
            raise self._refusal(wait_s)
        turn = _Turn(deadline - needs_s)
        queue.append(turn)
        self._pump()
        try:
            async with asyncio.timeout(deadline - now):
                await turn.admitted
        except TimeoutError:
            self._withdraw(turn, queue)
            wait_s = self._bucket.wait_s(self._clock.monotonic())
            raise self._refusal(wait_s) if wait_s > 0 else self._crowded() from None
        except asyncio.CancelledError:
            self._withdraw(turn, queue)
            raise

    def leave(self) -> None:
        """Say that a call that went through the gate has ended."""
        self.in_flight -= 1
        self._pump()

    def pause(self, seconds: float) -> None:
        """Let no call out for ``seconds`` (at most ``MAX_PAUSE_S``); refuse those who cannot wait so long."""
        until = self._clock.monotonic() + min(seconds, MAX_PAUSE_S)
        self._bucket.pause(until)
        for queue in (self._urgent, self._waiting):
            late = [turn for turn in queue if turn.deadline < until]
            for turn in late:
                queue.remove(turn)
                if not turn.admitted.done():
                    turn.admitted.set_exception(self._refusal(seconds))
        self._pump()

    def charge(self) -> None:
        """Charge the budget with a call that went out without passing the gate."""
        self._bucket.charge(self._clock.monotonic())

    def _pump(self) -> None:
        """Let out whoever may go now, and arrange for the next time that somebody may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        while self.waiting and self.in_flight < self._concurrency and self._started_this_turn < STARTS_A_TURN:
            now = self._clock.monotonic()
            if not self._bucket.take(now):
                delay_s = max(_LEAST_TIMER_S, self._bucket.wait_s(now))
                self._timer = loop.call_later(delay_s, self._pump)
                return
            turn = (self._urgent or self._waiting).popleft()
            if turn.admitted.done():  # its task was cancelled and has not run since
                self._bucket.give_back(now)
                continue
            if self._started_this_turn == 0:
                loop.call_soon(self._next_turn)
            self._started_this_turn += 1
            self.in_flight += 1
            turn.admitted.set_result(None)

    def _next_turn(self) -> None:
        self._started_this_turn = 0
        self._pump()

    def _withdraw(self, turn: _Turn, queue: deque[_Turn]) -> None:
        """Undo what a call that gives up holds: its place, or the token and the place in flight."""
        admitted = turn.admitted
        if admitted.done() and not admitted.cancelled() and admitted.exception() is None:
            self._bucket.give_back(self._clock.monotonic())
            self.leave()
            return
        if turn in queue:
            queue.remove(turn)
        self._pump()

    def _refusal(self, wait_s: float) -> RateLimited:
        message = f"no call left in the budget before the deadline (next one in {wait_s:.1f} s)"
        return RateLimited(message, wait_s)

    def _crowded(self) -> DeadlinePassed:
        message = f"deadline passed while {self._concurrency} calls were in flight"
        return DeadlinePassed(message)

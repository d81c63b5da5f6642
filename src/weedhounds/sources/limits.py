"""How hard an origin is asked: what its budget allows and a bound on calls in flight, in one gate.

The allowance (:mod:`weedhounds.sources.allowance`) is pure; the gate drives it. One gate for both
limits, because a call that took its token and then waited for a connection would go out later than
the bucket thinks, and many such calls at once would be the burst that the bucket exists to prevent.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque

from weedhounds.clock import Clock
from weedhounds.errors import DeadlinePassed, RateLimited
from weedhounds.sources.allowance import Allowance
from weedhounds.sources.base import Budget

MAX_WAITING = 4096
"""Most calls that wait at one gate; further ones are refused as if the budget were spent."""
MAX_PAUSE_S = 3600.0
"""Longest pause that an origin can impose; what it asks beyond is asked for again then."""
STARTS_A_TURN = 8
"""Calls let out in one turn of the event loop: building a request takes about 0.2 ms, and a
hundred of them at once would stall everything else."""
_LEAST_TIMER_S = 0.001


class _Turn:
    """A waiting call: what it waits on, and until when (monotonic seconds)."""

    __slots__ = ("admitted", "deadline")

    def __init__(self, deadline: float) -> None:
        self.admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.deadline = deadline


class Gate:
    """Lets calls to one origin out: in order, urgent ones first, within budget and concurrency.

    Args:
        calls_per_day: at most so many in any 24 hours; ``None`` for as many as the rate gives.

    Bounds: ``MAX_WAITING`` calls wait; each no longer than its deadline.
    """

    def __init__(self, budget: Budget, clock: Clock, *, calls_per_day: int | None = None) -> None:
        self._clock = clock
        self._allowance = Allowance(budget, calls_per_day, clock.monotonic())
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
        return self._allowance.tokens(self._clock.monotonic())

    @property
    def rate_per_s(self) -> float:
        """Return the rate in use, calls a second."""
        return self._allowance.rate_per_s

    @property
    def day_left(self) -> int | None:
        """Return the calls left of the day's budget; ``None`` where there is none."""
        return self._allowance.day_left(self._clock.monotonic())

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
        ahead = len(self._urgent) if is_urgent else self.waiting
        wait_s = self._allowance.wait_s(now, ahead)
        if (wait_s > 0 and now + wait_s + needs_s > deadline) or self.waiting >= MAX_WAITING:
            raise self._refusal(wait_s, ahead)
        turn = _Turn(deadline - needs_s)
        queue.append(turn)
        self._pump()
        try:
            async with asyncio.timeout(deadline - now):
                await turn.admitted
        except TimeoutError:
            self._withdraw(turn, queue)
            wait_s = self._allowance.wait_s(self._clock.monotonic())
            raise self._refusal(wait_s) if wait_s > 0 else self._crowded() from None
        except asyncio.CancelledError:
            self._withdraw(turn, queue)
            raise

    def enter_now(self) -> bool:
        """Let a call out that waits for nothing and takes no other's place; tell whether it may go.

        :meth:`leave` must follow where it may.
        """
        if self.waiting or self.in_flight >= self._concurrency or not self._allowance.take(self._clock.monotonic()):
            return False
        self.in_flight += 1
        return True

    def leave(self) -> None:
        """Say that a call that went through the gate has ended."""
        self.in_flight -= 1
        self._pump()

    def leave_unused(self) -> None:
        """Say that a call that went through the gate was not made: its token comes back."""
        self._allowance.give_back(self._clock.monotonic())
        self.leave()

    def limited(self, seconds: float) -> None:
        """Slow down and pause for ``seconds``: the origin answered 429."""
        self._allowance.limited(self._clock.monotonic())
        self.pause(seconds)

    def challenged(self) -> None:
        """Slow down a lot: a bot guard answered for the origin."""
        self._allowance.challenged(self._clock.monotonic())

    def succeeded(self) -> None:
        """Note an answer that shows the origin to bear its calls."""
        self._allowance.succeeded(self._clock.monotonic())

    def pause(self, seconds: float) -> None:
        """Let no call out for ``seconds`` (at most ``MAX_PAUSE_S``); refuse those who cannot wait so long."""
        until = self._clock.monotonic() + min(seconds, MAX_PAUSE_S)
        self._allowance.pause(until)
        for queue in (self._urgent, self._waiting):
            late = [turn for turn in queue if turn.deadline < until]
            for turn in late:
                queue.remove(turn)
                if not turn.admitted.done():
                    turn.admitted.set_exception(self._refusal(seconds))
        self._pump()

    def check_day(self) -> None:
        """Check that one more call of those let out may follow another, such as a redirect.

        Raises:
            RateLimited: the day's budget is spent.
        """
        now = self._clock.monotonic()
        if self._allowance.day_left(now) == 0:
            raise self._refusal(self._allowance.wait_s(now))

    def charge(self) -> None:
        """Charge the budget with a call that went out without passing the gate."""
        self._allowance.charge(self._clock.monotonic())

    def _pump(self) -> None:
        """Let out whoever may go now, and arrange for the next time that somebody may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        while self.waiting and self.in_flight < self._concurrency and self._started_this_turn < STARTS_A_TURN:
            now = self._clock.monotonic()
            if not self._allowance.take(now):
                delay_s = max(_LEAST_TIMER_S, self._allowance.wait_s(now))
                self._timer = loop.call_later(delay_s, self._pump)
                return
            turn = (self._urgent or self._waiting).popleft()
            if turn.admitted.done():  # its task was cancelled and has not run since
                self._allowance.give_back(now)
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
            self._allowance.give_back(self._clock.monotonic())
            self.leave()
            return
        if turn in queue:
            queue.remove(turn)
        self._pump()

    def _refusal(self, wait_s: float, ahead: int = 0) -> RateLimited:
        message = self._allowance.why_not(wait_s, self._clock.monotonic(), ahead)
        return RateLimited(message, wait_s if math.isfinite(wait_s) else None)

    def _crowded(self) -> DeadlinePassed:
        message = f"deadline passed while {self._concurrency} calls were in flight"
        return DeadlinePassed(message)

"""Whether an origin is asked at all: two circuit breakers, and the wait for the call that tries.

One opens when calls fail in a row, the other, for longer, when a bot guard answers in a row. While
one is open calls fail at once. Then one call tries; those that come meanwhile wait for its outcome a
moment, for an origin that is back should not cost a hunt its other forty calls.
"""

from __future__ import annotations

import asyncio
from enum import Enum

from weedhounds.breaker import Breaker, BreakerState
from weedhounds.clock import Clock
from weedhounds.errors import OriginUnavailable

FAILURES, OPEN_S, LONGEST_S = 5, 2.0, 20.0
"""Calls in a row that fail with all their attempts; one in ten that fails by chance never adds up to it."""
CHALLENGES, CHALLENGED_S, LONGEST_CHALLENGED_S = 3, 10.0, 25.0
"""A guard's page is no accident. The longest wait bounds how late a recovery is noticed (30 s)."""
TRIAL_WAIT_S = 2.0
"""How long calls wait for the outcome of the one that tries."""


class Outcome(Enum):
    """What a call tells of its origin."""

    ANSWERED = "answered"
    LIMITED = "limited"
    """It is there, and says no more than that: 429, "ask again"."""
    CHALLENGED = "challenged"
    FAILED = "failed"
    UNTOLD = "untold"
    """Nothing: it did not go out, or was given up early."""


class Outage:
    """Lets calls to one origin through, unless it is known to be down."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._down = Breaker(FAILURES, OPEN_S, LONGEST_S)
        self._challenged = Breaker(CHALLENGES, CHALLENGED_S, LONGEST_CHALLENGED_S)
        self._trial_ended: asyncio.Event | None = None
        self.opened = 0
        self.refused = 0

    @property
    def state(self) -> BreakerState:
        """Return the state of the breaker that is furthest from closed."""
        states = (self._down.state, self._challenged.state)
        return next((s for s in (BreakerState.OPEN, BreakerState.HALF_OPEN) if s in states), BreakerState.CLOSED)

    @property
    def is_shut(self) -> bool:
        """Tell whether calls that are not the trial must not go out."""
        return self.state is not BreakerState.CLOSED

    async def enter(self, deadline: float) -> bool:
        """Let a call through and tell whether it is the trial; :meth:`leave` must follow.

        Args:
            deadline: monotonic seconds, of the call.

        Raises:
            OriginUnavailable: the breaker is open.
        """
        give_up_at = min(deadline, self._clock.monotonic() + TRIAL_WAIT_S)
        while not self._admits():
            left_s, ended = give_up_at - self._clock.monotonic(), self._trial_ended
            if self.state is not BreakerState.HALF_OPEN or ended is None or left_s <= 0:
                raise self.refusal()
            try:
                async with asyncio.timeout(left_s):
                    await ended.wait()
            except TimeoutError:
                raise self.refusal() from None
        is_trial = self.is_shut
        if is_trial:
            self._trial_ended = asyncio.Event()
        return is_trial

    def leave(self, outcome: Outcome, *, is_trial: bool) -> None:
        """Say how a call that was let through has ended."""
        was_shut = self.is_shut
        if outcome in (Outcome.ANSWERED, Outcome.LIMITED, Outcome.CHALLENGED):
            self._down.succeeded(self._clock.monotonic())
        if outcome is Outcome.ANSWERED:
            self._challenged.succeeded(self._clock.monotonic())
        elif is_trial or not was_shut:  # a failure from before it opened says nothing new
            self._failed(outcome)
        if is_trial and self._trial_ended is not None:
            self._trial_ended.set()
            self._trial_ended = None
        if self.is_shut and not was_shut:
            self.opened += 1

    def refusal(self) -> OriginUnavailable:
        """Return the error of a call that is not let through, and count it."""
        self.refused += 1
        why = "a bot guard answered" if self._challenged.state is not BreakerState.CLOSED else "calls failed in a row"
        if self.state is BreakerState.HALF_OPEN:
            return OriginUnavailable(f"breaker open: {why}; one call is trying", retryable=False)
        now = self._clock.monotonic()
        wait_s = max(breaker.retry_in_s(now) for breaker in self._open())
        return OriginUnavailable(f"breaker open: {why}; next try in {wait_s:.1f} s", retryable=False)

    def _open(self) -> list[Breaker]:
        return [each for each in (self._down, self._challenged) if each.state is BreakerState.OPEN]

    def _admits(self) -> bool:
        now = self._clock.monotonic()
        if not self._down.allows(now):
            return False
        if self._challenged.allows(now):
            return True
        self._down.released(now)
        return False

    def _failed(self, outcome: Outcome) -> None:
        now = self._clock.monotonic()
        if outcome is Outcome.FAILED:
            self._down.failed(now)
        elif outcome is Outcome.UNTOLD:
            self._down.released(now)
        if outcome is Outcome.CHALLENGED:
            self._challenged.failed(now)
        else:
            self._challenged.released(now)

"""A circuit breaker: stops asking what does not answer, and notices when it answers again. Pure.

::

    closed ── failures in a row ──> open ── retry_at reached ──> half-open ── success ──> closed
                                     ^                               │
                                     └──── failure, twice as long ───┘

It tells nothing apart but time and outcome: what a failure is, its user decides. It knows no clock:
``now`` is monotonic seconds wherever it is asked for.
"""

from __future__ import annotations

from enum import StrEnum

from weedhounds.errors import ConfigError


class BreakerState(StrEnum):
    """What a breaker does with a call: let it through, refuse it, or try with one."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens after failures in a row, then lets one probe through at a time.

    Whoever was allowed reports once: :meth:`succeeded`, :meth:`failed`, or :meth:`released` where the
    outcome says nothing. A probe that never reports is taken for lost after ``longest_s``.

    Args:
        failures: in a row that open it, >= 1.
        open_s: how long it first stays open, seconds, > 0; doubles with each probe that fails.
        longest_s: the longest that it stays open, seconds: a recovery is noticed by the first call after that.

    Raises:
        ConfigError: a number is out of its range.

    Bounds: a few numbers, whatever happens.
    """

    __slots__ = ("_failures", "_in_row", "_longest_s", "_open_for_s", "_open_s", "_retry_at", "_state")

    def __init__(self, failures: int = 5, open_s: float = 2.0, longest_s: float = 20.0) -> None:
        if failures < 1 or not 0 < open_s <= longest_s:
            raise ConfigError(f"a breaker of {failures} failures, open for {open_s} to {longest_s} s, cannot be")
        self._failures = failures
        self._open_s = open_s
        self._longest_s = longest_s
        self._state = BreakerState.CLOSED
        self._in_row = 0
        self._open_for_s = open_s
        self._retry_at: float | None = None

    @property
    def state(self) -> BreakerState:
        """Return the state after the last call or report; open until a call is allowed again."""
        return self._state

    @property
    def retry_at(self) -> float | None:
        """Return when the next call is let through, monotonic seconds; ``None`` for any time.

        While a probe is out it is when that would be taken for lost.
        """
        return self._retry_at

    def retry_in_s(self, now: float) -> float:
        """Return the seconds until the next call is let through; 0 for at once."""
        return 0.0 if self._retry_at is None else max(0.0, self._retry_at - now)

    def allows(self, now: float) -> bool:
        """Tell whether a call may go out now; in half-open it then is the probe, and must report."""
        if self._state is BreakerState.CLOSED:
            return True
        if self._retry_at is not None and now < self._retry_at:
            return False
        self._state = BreakerState.HALF_OPEN
        self._retry_at = now + self._longest_s
        return True

    def succeeded(self, now: float) -> None:
        """Report a call that was answered: it closes, whichever call that was."""
        self._state = BreakerState.CLOSED
        self._in_row = 0
        self._open_for_s = self._open_s
        self._retry_at = None

    def failed(self, now: float) -> None:
        """Report a call that failed; one from before it opened does not keep it open for longer."""
        if self._state is BreakerState.OPEN:
            return
        if self._state is BreakerState.HALF_OPEN:
            self._open_for_s = min(2 * self._open_for_s, self._longest_s)
        else:
            self._in_row += 1
            if self._in_row < self._failures:
                return
        self._state = BreakerState.OPEN
        self._retry_at = now + self._open_for_s

    def released(self, now: float) -> None:
        """Report a call that was given up before its outcome: where it was the probe, the next call is."""
        if self._state is BreakerState.HALF_OPEN:
            self._retry_at = now

"""The one place that reads time.

A ``Clock`` tells two times. ``now()`` is the time that facts live in: Unix seconds, UTC,
possibly scaled (``ScaledClock``); expiry, ages, opening hours and changes use it.
``monotonic()`` is real elapsed time: timeouts, deadlines and measured latency use it, and it
is never scaled.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the rest of the code may know of time."""

    def now(self) -> float:
        """Return the Unix time of facts, seconds, UTC."""
        ...

    def monotonic(self) -> float:
        """Return real elapsed seconds from an arbitrary start."""
        ...


class SystemClock:
    """The machine's clock: ``now`` its Unix time, ``monotonic`` its monotonic time, both in seconds.

    They are the functions of the standard library themselves: a hit in memory costs a quarter of a
    microsecond, and a method around one would add a sixth.
    """

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


class ScaledClock:
    """A clock that runs ``speed`` times as fast as the machine's from a common instant.

    Args:
        now_s: Unix time of facts at the moment of construction.
        speed: seconds of fact time per real second, > 0.
    """

    def __init__(self, now_s: float, speed: float) -> None:
        self._origin_s = now_s
        self._speed = speed
        self._started_s = time.monotonic()

    def now(self) -> float:
        """Return the scaled Unix time, seconds."""
        return self._origin_s + (time.monotonic() - self._started_s) * self._speed

    def monotonic(self) -> float:
        """Return the machine's monotonic clock, seconds."""
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told; for tests and simulations."""

    def __init__(self, now_s: float = 1_750_000_000.0) -> None:
        self._now_s = now_s
        self._monotonic_s = 0.0

    def now(self) -> float:
        """Return the time it was last set to, Unix seconds."""
        return self._now_s

    def monotonic(self) -> float:
        """Return the seconds advanced since construction."""
        return self._monotonic_s

    def advance(self, seconds: float) -> None:
        """Move both times forward by ``seconds`` (>= 0)."""
        if seconds < 0:
            raise ValueError("a manual clock advances; set_now() may jump back")
        self._now_s += seconds
        self._monotonic_s += seconds

    def set_now(self, now_s: float) -> None:
        """Jump the time of facts to ``now_s`` without touching the monotonic time."""
        self._now_s = now_s

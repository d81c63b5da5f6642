"""Keeps the garbage collector's long walks out of hunts.

A node holds some hundred thousand objects for long. The interpreter walks all of them whenever enough
new ones have lasted, which takes 10 to 50 ms in which nothing else runs. So after each hunt, and now
and then, what has lasted is set aside (:func:`gc.freeze`) and not walked again. Young objects are
collected as always. Once an hour, when no hunt runs, all there is is walked.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager

from weedhounds.clock import Clock

AFTER_S = 0.02
"""How long after a hunt: its answer goes out first."""
LEAST_S = 1.0
"""Least time between two collections."""
LONGEST_S = 60.0
"""Longest time without one: then it is made although a hunt runs."""
THAW_S = 3600.0
"""How long what is set aside is not walked: rubbish among it that refers to itself stays so long."""
_MIDDLE = 1
_NEVER = 1_000_000_000


class IdleCollector:
    """Sets aside what has lasted, between hunts. Changes how this process collects, until :meth:`close`.

    All methods belong to one event loop; nodes in one process may each have theirs.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._working = 0
        self._timer: asyncio.TimerHandle | None = None
        self._collected_s = self._thawed_s = clock.monotonic()
        self._before = gc.get_threshold()

    def start(self) -> None:
        """Walk all there is and set it aside; from now on do so between hunts only."""
        self._before = gc.get_threshold()
        gc.set_threshold(*self._before[:2], _NEVER)
        self._set_aside(is_full=True)

    def close(self) -> None:
        """Let the interpreter collect when it likes again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gc.set_threshold(*self._before)
        gc.unfreeze()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Set nothing aside meanwhile, unless it was long ago."""
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            if not self._working and self._timer is not None:
                since_s = self._clock.monotonic() - self._collected_s
                self._after(max(AFTER_S, LEAST_S - since_s))

    def _after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """Set aside what has lasted, unless a hunt runs that will see to it when it ends."""
        now_s = self._clock.monotonic()
        since_s = now_s - self._collected_s
        if self._working and since_s < LONGEST_S:
            self._after(LONGEST_S - since_s)
            return
        is_full = not self._working and now_s - self._thawed_s >= THAW_S
        if is_full:
            gc.unfreeze()
        self._set_aside(is_full=is_full)

    def _set_aside(self, *, is_full: bool) -> None:
        self._collected_s = self._clock.monotonic()
        if is_full:
            self._thawed_s = self._collected_s
            gc.collect()
        else:
            gc.collect(_MIDDLE)
        gc.freeze()
        self._after(LONGEST_S)

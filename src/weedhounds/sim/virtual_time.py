"""An event loop whose time is simulated: it jumps to the next timer when nothing else is to be done.

What runs on it takes no time but what it sleeps; so code with time-outs, hedges and races can be run
as it is, thousands of times faster than the time it tells, and always alike. No threads, no sockets.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


class _Jumping(selectors.SelectSelector):
    """A selector that never waits: it notes how long it should have."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits, and nothing will happen")
        self.waited_s += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in simulated time, which starts at 0 seconds."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the simulated time, seconds."""
        return self._jumping.waited_s


class LoopClock:
    """The clock of the running loop.

    Args:
        start_s: Unix seconds at which the loop's time is 0.
    """

    def __init__(self, start_s: float = 1_750_000_000.0) -> None:
        self._start_s = start_s

    def now(self) -> float:
        """Return the simulated time of facts, Unix seconds."""
        return self._start_s + self.monotonic()

    def monotonic(self) -> float:
        """Return the loop's time, seconds."""
        return asyncio.get_running_loop().time()


def run_virtually(main: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end in simulated time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)

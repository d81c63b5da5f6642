"""How many calls an origin may see in a day, whichever day of 24 hours that is. Pure.

Counted in slots of 15 minutes: a slot's calls count until the last of them is 24 hours old. So a call
comes back up to 15 minutes later than it might, and no 24 hours ever see more than the budget.
"""

from __future__ import annotations

import math
from collections import deque

DAY_S = 86_400.0
SLOT_S = 900.0
_SLOTS = int(DAY_S / SLOT_S)


class DayBudget:
    """At most ``calls`` in any 24 hours; times are monotonic seconds.

    Real time, not that of facts: a scaled clock must not refill it. The count begins with the process.

    Args:
        calls: >= 0; 0 never allows one.

    Bounds: 97 slots.
    """

    __slots__ = ("_slots", "_used", "calls")

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self._slots: deque[list[int]] = deque()  # [number of the slot, its calls], oldest first
        self._used = 0

    def left(self, now: float) -> int:
        """Return the calls that may still go out now; below 0 when overdrawn."""
        self._forget(now)
        return self.calls - self._used

    def wait_s(self, now: float, ahead: int = 0) -> float:
        """Return the seconds until a call may go out that has ``ahead`` calls before it; infinite for never."""
        lacking = ahead + 1 - self.left(now)
        if lacking <= 0:
            return 0.0
        for number, count in self._slots:
            lacking -= count
            if lacking <= 0:
                return max(0.0, self._gone_at(number) - now)
        return math.inf if self.calls == 0 else DAY_S + SLOT_S  # more wait than a day allows

    def take(self, now: float) -> None:
        """Count a call that goes out, whether or not the budget had one left."""
        self._forget(now)
        number = math.floor(now / SLOT_S)
        if not self._slots or self._slots[-1][0] < number:
            self._slots.append([number, 0])
        self._slots[-1][1] += 1
        self._used += 1

    def give_back(self, now: float) -> None:
        """Return the call taken last: it did not go out."""
        self._forget(now)
        if self._slots and self._slots[-1][1] > 0:
            self._slots[-1][1] -= 1
            self._used -= 1

    def _forget(self, now: float) -> None:
        while self._slots and self._gone_at(self._slots[0][0]) <= now:
            self._used -= self._slots.popleft()[1]

    @staticmethod
    def _gone_at(number: int) -> float:
        return (number + 1 + _SLOTS) * SLOT_S

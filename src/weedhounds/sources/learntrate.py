"""How fast an origin turns out to bear being asked: additive increase, multiplicative decrease. Pure.

A configured rate is an assumption. Where the origin answers 429, or has a bot guard answer, the rate
in use falls to a share of it; while it answers well, the share creeps back to 1.
"""

from __future__ import annotations

import math

LEAST = 0.1
"""Least share of the configured rate: some calls must go out to learn that more may."""
LIMITED_FACTOR = 0.5
"""What a 429 leaves of the share, as congestion control halves its window (RFC 5681 section 3.1)."""
CHALLENGED_FACTOR = 0.2
"""What a bot guard's page leaves: who is taken for a robot is best slow for a while."""
STEP = 0.1
"""What a good stretch adds to the share."""
STRETCH_S = 5.0
"""How long a good stretch lasts at least: from a half back to the whole takes 25 s."""
STRETCH_ANSWERS = 3
"""Good answers in a row that a stretch has at least: an origin that is asked four times a minute should
not answer 429 to every fourth call."""
ONE_EVENT_S = 1.0
"""Calls that were in flight together are refused together: that is one reason to slow down."""


class LearntRate:
    """The share of the configured rate and burst that is in use, ``LEAST``..1; it starts at 1."""

    __slots__ = ("_before", "_changed_at", "_good", "_lowered_at", "share")

    def __init__(self) -> None:
        self.share = 1.0
        self._before = 1.0
        self._lowered_at = -math.inf
        self._changed_at = -math.inf
        self._good = 0

    def limited(self, now: float) -> None:
        """Note an answer 429 at ``now``, monotonic seconds."""
        self._lower(LIMITED_FACTOR, now)

    def challenged(self, now: float) -> None:
        """Note a bot guard's page in place of an answer."""
        self._lower(CHALLENGED_FACTOR, now)

    def succeeded(self, now: float) -> bool:
        """Note a good answer; tell whether it raised the share."""
        if self.share >= 1.0:
            return False
        self._good += 1
        if self._good < STRETCH_ANSWERS or now - self._changed_at < STRETCH_S:
            return False
        self.share = min(1.0, self.share + STEP)
        self._changed_at, self._good = now, 0
        return True

    def _lower(self, factor: float, now: float) -> None:
        if now - self._lowered_at >= ONE_EVENT_S:
            self._before, self._lowered_at = self.share, now
        self.share = max(LEAST, min(self.share, self._before * factor))
        self._changed_at, self._good = now, 0

"""The hybrid strategy, the default: the learner, at the price that the origin's budget sets. Pure."""

from __future__ import annotations

from weedhounds.ttl.learner import Learner
from weedhounds.ttl.strategy import Seen


class Hybrid:
    """Decides by what the learner believes of rates, hours, schedules and demand.

    Args:
        learner: may be shared with who asks it for stale probabilities.
    """

    def __init__(self, learner: Learner) -> None:
        self.learner = learner

    def __call__(self, seen: Seen) -> float:
        """Learn from a call and return the lifetime, seconds."""
        return self.learner.decide(seen, seen.price)

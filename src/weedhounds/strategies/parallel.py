"""All tiers at once: the first hit of a key wins."""

from __future__ import annotations

from collections.abc import Sequence

from weedhounds.strategies.base import Group, Plan, Step, TierSeen


class Parallel:
    """Asks all tiers together; a miss does not end the race, and whoever is still asked for nothing is cancelled."""

    name = "parallel"
    is_learning = False

    def plan(self, group: Group, tiers: Sequence[str], now: float) -> Plan:
        """Return all tiers, each started with the one before."""
        return Plan(tuple(Step(tier, 0.0) for tier in tiers))

    def learn(self, group: Group, seen: TierSeen, now: float) -> None:
        """Learn nothing."""

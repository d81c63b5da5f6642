"""This node's own tiers first, fastest first, the peers last: the default."""

from __future__ import annotations

from collections.abc import Sequence

from weedhounds.strategies.base import PEERS, Group, Plan, TierSeen, in_order


class LocalFirst:
    """Asks one tier after the other; a peer only for what no tier of this node has fresh."""

    name = "local_first"
    is_learning = False

    def plan(self, group: Group, tiers: Sequence[str], now: float) -> Plan:
        """Return the tiers in their order, the peers moved to the end."""
        return in_order(sorted(tiers, key=PEERS.__eq__))

    def learn(self, group: Group, seen: TierSeen, now: float) -> None:
        """Learn nothing."""

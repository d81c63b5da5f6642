"""The peers first, then this node's own tiers."""

from __future__ import annotations

from collections.abc import Sequence

from weedhounds.strategies.base import PEERS, Group, Plan, TierSeen, in_order


class DhtFirst:
    """Asks the peers for everything, and its own tiers for what they do not have fresh."""

    name = "dht_first"
    is_learning = False

    def plan(self, group: Group, tiers: Sequence[str], now: float) -> Plan:
        """Return the tiers in their order, the peers moved to the front."""
        return in_order(sorted(tiers, key=PEERS.__ne__))

    def learn(self, group: Group, seen: TierSeen, now: float) -> None:
        """Learn nothing."""

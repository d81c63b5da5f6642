"""Read strategies: in which order, and when, the tiers are asked; and the look-up that carries it out."""

from collections.abc import Callable, Mapping

from weedhounds.strategies.base import Group, Plan, ReadStrategy, Step, TierSeen
from weedhounds.strategies.dht_first import DhtFirst
from weedhounds.strategies.guard import TierGuard
from weedhounds.strategies.learned import Learned, Prices
from weedhounds.strategies.local_first import LocalFirst
from weedhounds.strategies.lookup import Found, TierLookup
from weedhounds.strategies.parallel import Parallel

DEFAULT = LocalFirst.name
STRATEGIES: Mapping[str, Callable[[Prices], ReadStrategy]] = {
    LocalFirst.name: lambda _: LocalFirst(),
    DhtFirst.name: lambda _: DhtFirst(),
    Parallel.name: lambda _: Parallel(),
    Learned.name: Learned,
}
"""How to make each strategy, by the name that the settings know it by."""

__all__ = [
    "DEFAULT", "STRATEGIES", "Found", "Group", "Learned", "Plan", "Prices", "ReadStrategy", "Step", "TierGuard",
    "TierLookup", "TierSeen"
]  # fmt: skip

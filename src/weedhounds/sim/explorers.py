"""Other ways to find out about tiers that the plan does not ask, to compare the probes of ``intelligent`` with."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, sqrt
from random import Random

from weedhounds.strategies.base import Group, Plan
from weedhounds.strategies.costs import Belief
from weedhounds.strategies.estimates import HALF_LIFE, Points
from weedhounds.strategies.learned import Learned, Missed, Prices, _Group

LATENCY_SPREAD = 0.5
"""What the logarithm of a latency is taken to scatter by."""


class _Unsure(Learned):
    """Plans each request anew with what the tiers might be like, the less certain the longer they are silent."""

    def plan(self, group: Group, tiers: Sequence[str], now: float) -> Plan:
        """Return the cheapest plan if the tiers are as they are imagined for this request."""
        self._group(group).planned_at = -inf
        return super().plan(group, tiers, now)

    def _to_probe(self, group: Group, own: _Group) -> str | None:
        return None

    def _certainty(self, own: _Group, tier: str, known: float) -> float:
        return float(known * 0.5 ** ((own.requests - own.last_seen.get(tier, 0)) / HALF_LIFE))

    def _known(self, own: _Group, tier: str, missed: Missed) -> Belief:
        known = super()._chance(own, tier, missed)
        return known._replace(weight=2.0 + self._certainty(own, tier, known.weight))

    def _error(self, own: _Group, tier: str) -> float:
        latency = own.latencies.get(tier)
        return LATENCY_SPREAD / sqrt(1.0 + self._certainty(own, tier, 0 if latency is None else len(latency)))


class Thompson(_Unsure):
    """Draws chances and latencies from what is believed of them (Thompson, Biometrika 25, 1933)."""

    name = "thompson"

    def __init__(self, prices: Prices, rng: Random) -> None:
        super().__init__(prices)
        self._rng = rng

    def _chance(self, own: _Group, tier: str, missed: Missed) -> Belief:
        share, weight = self._known(own, tier, missed)
        drawn = self._rng.betavariate(max(1e-3, share * weight), max(1e-3, (1.0 - share) * weight))
        return Belief(drawn, weight)

    def _points(self, own: _Group, tier: str) -> Points:
        factor = exp(self._error(own, tier) * self._rng.gauss(0.0, 1.0))
        return tuple((weight, factor * latency) for weight, latency in super()._points(own, tier))


class Optimistic(_Unsure):
    """Takes each tier for as good as it may well be: one standard deviation better than believed."""

    name = "optimistic"

    def _chance(self, own: _Group, tier: str, missed: Missed) -> Belief:
        share, weight = self._known(own, tier, missed)
        return Belief(min(1.0, share + sqrt(share * (1.0 - share) / (weight + 1.0))), weight)

    def _points(self, own: _Group, tier: str) -> Points:
        factor = exp(-self._error(own, tier))
        return tuple((weight, factor * latency) for weight, latency in super()._points(own, tier))

"""What is believed of change rates: a grid of rates for each key, a prior that its data type's keys share. Pure.

A key's belief is a likelihood on a grid of log rates, so looks at any interval, censored or not, are
taken in exactly. The prior is lognormal; its mean and width are learnt from the type's keys (empirical
Bayes). Now and then a rate is drawn anew (a shop changes its
habits): before each look the likelihood is mixed a little with its own mean under the prior.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence

STEP = 0.45
"""Distance of the grid's points in the natural logarithm. Measured: 0.3 gains nothing."""
POINTS = 36
OFFSETS = tuple(-6.3 + STEP * i for i in range(POINTS))
"""From 1/545 to 12,700 times the base rate: 0.0001 a day for strains, every second for menus."""
_REGIME_DAYS = 200.0
"""A rate keeps for so long on average. Measured 60 to 1,000 at price 4: the same cost within 0.2 %."""
_SPREAD = 1.0
_SPREAD_KEYS = 6.0
_MEAN_KEYS = 3.0
_LEAST_SPREAD = 0.3
_SIGNIFICANT = 2e-3
_MOST_LIKELIHOOD = 1e30

Mixture = list[tuple[float, float]]
"""Pairs of weight and rate (a day); the weights sum to 1."""


class RatePrior:
    """The lognormal prior of one data type's rates, on the grid.

    Args:
        base: the assumed mean rate, changes a day; the grid lies around it.
    """

    def __init__(self, base: float) -> None:
        self.base = base
        self.grid = [base * math.exp(o) for o in OFFSETS]
        self.mean = 0.0
        self.spread = _SPREAD
        self.weights: list[float] = []
        self.fill()

    def fill(self) -> None:
        """Compute the weights of the grid from mean and spread."""
        weights = [math.exp(-0.5 * ((o - self.mean) / self.spread) ** 2) for o in OFFSETS]
        total = sum(weights)
        self.weights = [w / total for w in weights]

    def learn(self, likelihoods: Sequence[Sequence[float]]) -> None:
        """Fit mean and spread to the type's keys: one step of expectation and maximisation."""
        n = len(likelihoods)
        moments = [self._moments(like) for like in likelihoods]
        self.mean = sum(m for m, _ in moments) / (_MEAN_KEYS + n)
        squares = sum(v + (m - self.mean) ** 2 for m, v in moments)
        prior = _SPREAD_KEYS * _SPREAD**2 + _MEAN_KEYS * self.mean**2 / 4.0
        self.spread = max(_LEAST_SPREAD, math.sqrt((prior + squares) / (_SPREAD_KEYS + n)))
        self.fill()

    def _moments(self, like: Sequence[float]) -> tuple[float, float]:
        weights = list(map(float.__mul__, self.weights, like))
        total = sum(weights)
        if total <= 0.0:
            return self.mean, self.spread**2
        first = list(map(float.__mul__, weights, OFFSETS))
        mean = sum(first) / total
        return mean, max(0.0, sum(map(float.__mul__, first, OFFSETS)) / total - mean * mean)

    def posterior_mean(self, like: Sequence[float]) -> float:
        """Return the expected rate, changes a day."""
        weights = list(map(float.__mul__, self.weights, like))
        total = sum(weights)
        return sum(map(float.__mul__, weights, self.grid)) / total if total > 0.0 else self.base

    def mixture(self, like: Sequence[float]) -> Mixture:
        """Return the rates that matter with their probabilities."""
        weights = list(map(float.__mul__, self.weights, like))
        least = _SIGNIFICANT * sum(weights)
        pairs = [(w, r) for w, r in zip(weights, self.grid, strict=True) if w > least]
        total = sum(w for w, _ in pairs)
        return [(w / total, r) for w, r in pairs] if total > 0.0 else [(1.0, self.base)]

    def deviation(self, like: Sequence[float]) -> float:
        """Return the standard deviation of the logarithm of the rate."""
        return math.sqrt(self._moments(like)[1])

    def look(self, like: Iterable[float], exposure: float, *, changed: bool, other: float, days: float) -> array[float]:
        """Return the likelihood after one more look.

        Args:
            exposure: days of the type's clock since the look before.
            other: probability that nothing else changed the record in between.
            days: plain days since the look before.
        """
        exp = math.exp
        same = [exp(-r * exposure) for r in self.grid]
        after = [v * (1.0 - s * other) if changed else v * s for v, s in zip(like, same, strict=True)]
        mean = sum(map(float.__mul__, self.weights, after))
        if not mean > 1e-280:
            return flat()
        anew = -math.expm1(-days / _REGIME_DAYS)
        scale = min((1.0 - anew) / mean, _MOST_LIKELIHOOD / max(after))
        return array("f", [v * scale + anew for v in after])


def flat() -> array[float]:
    """Return the likelihood of a key that nothing is known of."""
    return array("f", [1.0]) * POINTS


def same_probability(mixture: Mixture, exposure: float) -> float:
    """Return the probability of no change within ``exposure`` days of the type's clock."""
    exp = math.exp
    same = 0.0
    for weight, rate in mixture:
        same += weight * exp(-rate * exposure)
    return same

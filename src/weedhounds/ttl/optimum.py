"""The lifetime of least cost where changes and requests keep to constant rates. Pure.

Changes are Poisson with rate L, requests Poisson with rate M; a copy is kept for T and then until the
next request. With x = L T and m = M / L, the cost per second is least where

    (1 - e^-x) + m (1 - (1 + x) e^-x) = price

The left side grows with x from 0 to 1 + m, so above that price refetching never pays.
"""

from __future__ import annotations

import math

_STEPS = 8
_CLOSE = 1e-3
_MOST_CHANGES = 60.0


def changes_at_expiry(demand_ratio: float, price: float) -> float:
    """Return x, the expected changes within the best lifetime; infinite where refetching never pays.

    Args:
        demand_ratio: requests per change.
        price: of a call, in stale serves.

    Example:
        >>> round(changes_at_expiry(10.0, 1.0), 4)
        0.4085
    """
    if price >= 1.0 + demand_ratio:
        return math.inf
    x = _first_guess(demand_ratio, price)
    for _ in range(_STEPS):
        same = math.exp(-x)
        slope = same * (1.0 + demand_ratio * x)
        if slope < 1e-12:
            break
        better = x - (1.0 - same + demand_ratio * (1.0 - (1.0 + x) * same) - price) / slope
        if better <= 0.0:
            better = x / 2.0
        if abs(better - x) < _CLOSE * x:
            return better
        x = min(better, _MOST_CHANGES)
    return x


def _first_guess(demand_ratio: float, price: float) -> float:
    if demand_ratio > 1e-9:
        return max(1e-9, (math.sqrt(1.0 + 2.0 * price * demand_ratio) - 1.0) / demand_ratio)
    return max(1e-9, -math.log(max(1e-9, 1.0 - price)))

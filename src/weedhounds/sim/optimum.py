"""The lifetime of least cost where changes and requests keep to constant rates. Pure.

The baselines' own solution of the model's section 3, kept apart from the learner that they are
compared with.
"""

from __future__ import annotations

import math
from collections.abc import Callable

LONGEST_S = 400.0 * 86_400.0
"""Lifetimes end here: beyond, refetching never pays within a year."""
_SHORTEST_S = 1e-3
_STEPS = 40
_CLOSE = 1e-4


def poisson_lifetime(price: float, change_rate: float, request_rate: float) -> float:
    """Return the best lifetime, seconds, for known rates per second.

    Args:
        price: of a call, in stale serves of this key.

    Example:
        >>> round(poisson_lifetime(1.0, 1 / 3600, 10 / 3600))
        1437
    """
    if change_rate <= 0.0 or price >= 1.0 + request_rate / change_rate:
        return LONGEST_S

    def excess(t: float) -> float:
        x = change_rate * t
        gone = -math.expm1(-x)
        return gone * (1.0 + request_rate * t) - request_rate * (t - gone / change_rate) - price

    return _root(excess)


def gamma_lifetime(price: float, shape: float, rate_s: float, request_rate: float) -> float:
    """Return the best lifetime, seconds, where the change rate is known as Gamma(shape, rate_s).

    Args:
        price: of a call, in stale serves of this key.
        rate_s: the distribution's rate parameter, seconds.
    """

    def excess(t: float) -> float:
        same = math.exp(-shape * math.log1p(t / rate_s))
        return (1.0 - same) * (1.0 + request_rate * t) - request_rate * (t - _fresh_time(shape, rate_s, t)) - price

    return LONGEST_S if excess(LONGEST_S) <= 0.0 else _root(excess)


def _fresh_time(shape: float, rate_s: float, t: float) -> float:
    """Return the expected time, of the next ``t`` seconds, before the first change."""
    grown = math.log1p(t / rate_s)
    k = 1.0 - shape
    if abs(k * grown) < 1e-8:
        return rate_s * grown
    return rate_s * math.expm1(k * grown) / k


def _root(excess: Callable[[float], float]) -> float:
    """Return where an increasing function of the lifetime turns positive, between the limits."""
    low, high = math.log(_SHORTEST_S), math.log(LONGEST_S)
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        if excess(math.exp(middle)) < 0.0:
            low = middle
        else:
            high = middle
        if high - low < _CLOSE:
            break
    return math.exp(0.5 * (low + high))

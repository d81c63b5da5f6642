from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from weedhounds.sim.optimum import LONGEST_S, gamma_lifetime, poisson_lifetime

HOUR = 3600.0


def cost(ttl: float, price: float, mu: float, fresh: Callable[[float], float]) -> float:
    """Return g(T) of the model's section 3, M(T) by the trapezoidal rule."""
    steps = 2000
    width = ttl / steps
    m = width * (0.5 * (fresh(0.0) + fresh(ttl)) + sum(fresh(i * width) for i in range(1, steps)))
    return (price + mu * (ttl - m)) / (ttl + 1.0 / mu)


@pytest.mark.parametrize("price", [0.05, 0.25, 1.0, 3.0])
@pytest.mark.parametrize(("changes", "requests"), [(1.0, 10.0), (0.01, 5.0), (2.0, 300.0)])
def test_no_other_lifetime_costs_less_where_rates_are_known(price: float, changes: float, requests: float) -> None:
    rate, mu = changes / HOUR, requests / HOUR
    best = poisson_lifetime(price, rate, mu)

    def fresh(t: float) -> float:
        return math.exp(-rate * t)

    assert all(
        cost(best, price, mu, fresh) <= cost(best * f, price, mu, fresh) * 1.0001 for f in (0.8, 0.95, 1.05, 1.3)
    )
    assert -math.expm1(-rate * best) == pytest.approx(cost(best, price, mu, fresh) / mu, rel=1e-2)


def test_refetching_never_pays_above_the_models_limit() -> None:
    assert poisson_lifetime(3.0, 1.0, 2.0) == LONGEST_S
    assert poisson_lifetime(2.99, 1.0, 2.0) < LONGEST_S
    assert poisson_lifetime(1.0, 0.0, 1.0) == LONGEST_S


@pytest.mark.parametrize(("shape", "rate_s"), [(0.58, HOUR), (1.0, HOUR), (4.0, 20 * HOUR)])
def test_no_other_lifetime_costs_less_where_the_rate_is_a_gamma(shape: float, rate_s: float) -> None:
    mu, price = 5.0 / HOUR, 0.5
    best = gamma_lifetime(price, shape, rate_s, mu)

    def fresh(t: float) -> float:
        return math.pow(rate_s / (rate_s + t), shape)

    assert all(
        cost(best, price, mu, fresh) <= cost(best * f, price, mu, fresh) * 1.0001 for f in (0.8, 0.95, 1.05, 1.3)
    )


def test_a_narrow_gamma_is_a_known_rate() -> None:
    known = poisson_lifetime(1.0, 1 / HOUR, 10 / HOUR)
    assert gamma_lifetime(1.0, 1e6, 1e6 * HOUR, 10 / HOUR) == pytest.approx(known, rel=1e-3)

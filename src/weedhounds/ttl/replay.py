"""The strategies as policies of the lifetime model, for replays: `weedhounds.ttl.replay:make` is the learner. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from weedhounds.model.datatypes import LIFETIMES, DataType
from weedhounds.model.records import OpenPeriod
from weedhounds.ttl.adaptive import Adaptive
from weedhounds.ttl.belief import Observation
from weedhounds.ttl.business_hours import BusinessHours
from weedhounds.ttl.decide import fixed
from weedhounds.ttl.learner import Learner
from weedhounds.ttl.strategy import Seen, Strategy
from weedhounds.ttl.volatility import Volatility

_USUAL_HOURS = tuple(OpenPeriod(day, 9 * 60, 21 * 60) for day in range(7))
"""Traces tell no opening hours: 9 to 21 h every day stands for them."""


def make(price: float = 1.0) -> Learner:
    """Return a new policy that has learnt nothing.

    Args:
        price: of an upstream call, in stale serves of weight 1.
    """
    return Learner(price)


def as_policy(strategy: Strategy) -> Callable[[Observation], float]:
    """Return a policy that asks ``strategy``; unbounded. A call that failed is tried again after the base lifetime."""

    def policy(obs: Observation) -> float:
        base_s = _base_s(obs.dtype)
        return strategy(_seen(obs, base_s)) if obs.ok else base_s

    return policy


def _seen(obs: Observation, base_s: float) -> Seen:
    return Seen(
        key=obs.key,
        dtype=obs.dtype,
        source=obs.source,
        base_s=base_s,
        now=obs.now,
        prev=obs.prev,
        ok=obs.ok,
        changed=obs.changed,
        n_req=obs.n_req,
        tz=obs.tz,
        time_zone=_fixed_zone(obs.tz),
        hours=_USUAL_HOURS,
        weight=obs.weight,
        last_modified=obs.last_modified,
    )


def _fixed_zone(tz: float) -> str | None:
    """Return the IANA name of a zone with that offset all year: their signs are the other way round."""
    hours = round(tz / 3600.0)
    return f"Etc/GMT{-hours:+d}" if -12 <= hours <= 14 else None


def _base_s(dtype: str) -> float:
    try:
        return LIFETIMES[DataType(dtype)].base_s
    except ValueError:
        return 3_600.0


STRATEGIES: Mapping[str, Callable[[], Callable[[Observation], float]]] = MappingProxyType(
    {
        "fixed": lambda: as_policy(fixed),
        "adaptive": lambda: as_policy(Adaptive()),
        "business_hours": lambda: as_policy(BusinessHours()),
        "volatility": lambda: as_policy(Volatility()),
        "hybrid": make,
    }
)
"""Every strategy's factory by name, for replays."""

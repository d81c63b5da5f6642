"""Baselines without a price: rules that caches use, or that were proposed for this one. Pure.

A rule starts from the fixed table's lifetimes and knows nothing of what a call costs. The judge gives
each the best multiplier in hindsight. ``weedhounds.ttl`` has the product's own strategies: these are
the yardstick beside them and share no code with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from weedhounds.model.datatypes import LIFETIMES
from weedhounds.sim.judge import Family, fixed_table, scaled
from weedhounds.sim.optimum import LONGEST_S
from weedhounds.sim.replay import Observation, Policy

_BASE_S = {data_type.value: lifetime.base_s for data_type, lifetime in LIFETIMES.items()}
_OPEN_H, _CLOSE_H = 9.0, 21.0
_CLOSED_FACTOR = 3.0
_CALM_FACTOR, _LIVELY_FACTOR = 4.0, 0.5
_LIVELY_SHARE = 0.5
"""From this share of changed answers on, a key counts as lively as can be."""
_MEMORY = 0.9
_SHORTEST_S = 30.0


def business_hours() -> Policy:
    """Return the rule: the base lifetime from 9 to 21 h local time, three times that outside."""
    return lambda obs: _BASE_S[obs.dtype] * _hours_factor(obs)


def volatility() -> Policy:
    """Return the rule: from half the base lifetime where most answers have changed to four times it where none has."""
    return lambda obs: _BASE_S[obs.dtype] * _Volatility.factor(obs)


def mix() -> Policy:
    """Return the rule: both factors, each to the power of a half."""
    return lambda obs: _BASE_S[obs.dtype] * (_hours_factor(obs) * _Volatility.factor(obs)) ** 0.5


def doubling() -> Policy:
    """Return the rule: twice the lifetime after an unchanged answer, half of it after a changed one."""
    kept: dict[str, float] = {}

    def lifetime(obs: Observation) -> float:
        ttl = kept.get(obs.key, _BASE_S[obs.dtype])
        if obs.changed is not None:
            ttl = min(LONGEST_S, max(_SHORTEST_S, 0.5 * ttl if obs.changed else 2.0 * ttl))
        kept[obs.key] = ttl
        return ttl

    return lifetime


def alex() -> Policy:
    """Return the rule: a share of the time since the last change (Alex, LM-factor).

    Where the source does not tell its last change, it is taken to be midway between the last two
    calls that found different bodies; before the first such pair, one base lifetime ago.

    Source: V. Cate, "Alex: a global file system" (1992); RFC 9111 section 4.2.2.
    """
    changed_at: dict[str, float] = {}

    def lifetime(obs: Observation) -> float:
        if obs.prev is None:
            changed_at[obs.key] = obs.now - _BASE_S[obs.dtype]
        elif obs.changed:
            changed_at[obs.key] = 0.5 * (obs.prev + obs.now)
        last = changed_at.get(obs.key, obs.now) if obs.last_modified is None else obs.last_modified
        return max(_SHORTEST_S, obs.now - last)

    return lifetime


def _hours_factor(obs: Observation) -> float:
    hour = (obs.now + obs.tz) / 3600.0 % 24.0
    return 1.0 if _OPEN_H <= hour < _CLOSE_H else _CLOSED_FACTOR


class _Volatility:
    """The share of changed answers of a key, the latest weighing most; kept in ``obs.state``."""

    @staticmethod
    def factor(obs: Observation) -> float:
        known = obs.state.get("changed_share", 0.5 * _LIVELY_SHARE)
        share = known if isinstance(known, float) else 0.0
        if obs.changed is not None:
            share = _MEMORY * share + (1.0 - _MEMORY) * float(obs.changed)
        obs.state["changed_share"] = share
        lively = min(1.0, share / _LIVELY_SHARE)
        return _CALM_FACTOR * math.exp(lively * math.log(_LIVELY_FACTOR / _CALM_FACTOR))


RULES: dict[str, Callable[[], Policy]] = {
    "fixed table": fixed_table,
    "business hours x": business_hours,
    "volatility x": volatility,
    "hours and volatility x": mix,
    "doubling, halving": doubling,
    "Alex, LM-factor": alex,
}


def rule_families() -> list[Family]:
    """Return the rules, each with its multiplier as dial."""
    return [Family(name, scaled(rule), "multiplier") for name, rule in RULES.items()]

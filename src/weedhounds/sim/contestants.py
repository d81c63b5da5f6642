"""Who is judged unless somebody else is named: the product's own strategies and the baselines. Pure."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping

from weedhounds.sim.estimators import estimator_families
from weedhounds.sim.judge import Family, scaled
from weedhounds.sim.policy_file import load_family
from weedhounds.sim.rules import rule_families

LEARNER = "weedhounds.ttl.replay:make"
HYBRID = "hybrid"
"""The learner's name as a strategy."""


def own_families() -> list[Family]:
    """Return the learner, and the product's rules with a multiplier as dial; none where the learner is not built in."""
    if importlib.util.find_spec("weedhounds.ttl.replay") is None:
        return []
    learner = load_family(LEARNER)
    rules = getattr(importlib.import_module("weedhounds.ttl.replay"), "STRATEGIES", {})
    assert isinstance(rules, Mapping)
    return [
        Family(HYBRID, learner.make, learner.dial),
        *(Family(name, scaled(rule), "multiplier") for name, rule in rules.items() if name not in ("fixed", HYBRID)),
    ]


def all_families() -> list[Family]:
    """Return the product's own, then the baselines of the model."""
    return [*own_families(), *estimator_families(), *rule_families()]

"""Who is judged unless somebody else is named: the product's own strategies and the baselines. Pure."""

from __future__ import annotations

from weedhounds.sim.estimators import estimator_families
from weedhounds.sim.judge import Family, scaled
from weedhounds.sim.policy_file import load_family
from weedhounds.sim.rules import rule_families
from weedhounds.ttl.replay import STRATEGIES

LEARNER = "weedhounds.ttl.replay:make"
HYBRID = "hybrid"
"""The learner's name as a strategy."""


def own_families() -> list[Family]:
    """Return the learner, and the product's rules with a multiplier as dial."""
    learner = load_family(LEARNER)
    return [
        Family(HYBRID, learner.make, learner.dial),
        *(
            Family(name, scaled(rule), "multiplier")
            for name, rule in STRATEGIES.items()
            if name not in ("fixed", HYBRID)
        ),
    ]


def all_families() -> list[Family]:
    """Return the product's own, then the baselines of the model."""
    return [*own_families(), *estimator_families(), *rule_families()]

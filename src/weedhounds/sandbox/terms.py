"""The terms and budgets that the simulated origins have."""

from __future__ import annotations

from collections.abc import Mapping

from weedhounds.model.provenance import ShareScope, Terms
from weedhounds.sandbox.config import ORIGINS, SandboxConfig
from weedhounds.sources.base import Budget

DEFAULT_BUDGET = Budget(burst=80, rate_per_s=40.0, concurrency=32)
REAL_BUDGETS: Mapping[str, Budget] = {
    "dutchie": Budget(burst=3, rate_per_s=1 / 7, concurrency=32),
    "jane": Budget(burst=10, rate_per_s=2.0, concurrency=4),
    "weedmaps": Budget(burst=10, rate_per_s=2.0, concurrency=4),
    "leafly": Budget(burst=10, rate_per_s=2.0, concurrency=4),
    "socrata_ct": Budget(burst=20, rate_per_s=1000 / 3600, concurrency=32),
}
"""What live origins are assumed to bear; where nothing is known of concurrency, the default's."""

_MIXED = {
    "dutchie": ShareScope.PUBLIC,
    "jane": ShareScope.CIRCLE,
    "weedmaps": ShareScope.NEVER,
    "leafly": ShareScope.CIRCLE,
    "socrata_ct": ShareScope.PUBLIC,
}
_STORAGE_LIMITS_S = {"weedmaps": 30 * 86400.0}


def terms_of(config: SandboxConfig) -> dict[str, Terms]:
    """Return each origin's terms."""
    terms: dict[str, Terms] = {}
    for origin in ORIGINS:
        share = _MIXED[origin] if config.share == "mixed" else ShareScope(config.share)
        terms[origin] = Terms(
            share=share,
            storage_limit_s=_STORAGE_LIMITS_S.get(origin),
            attribution=f"Simulated data of the sandbox origin {origin}",
            licence="CC0-1.0" if share is ShareScope.PUBLIC else None,
        )
    return terms


def budgets_of(config: SandboxConfig) -> dict[str, Budget]:
    """Return each origin's budget."""
    return {origin: REAL_BUDGETS[origin] if config.budgets == "real" else DEFAULT_BUDGET for origin in ORIGINS}

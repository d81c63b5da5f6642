"""Origins as configured: adapter + base address + keys + budget + terms.

A sandbox is reached by the very same adapters: only addresses, keys, budgets and terms differ,
and those the sandbox tells itself (``/_sandbox/terms``).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from weedhounds import sources
from weedhounds.clock import ScaledClock
from weedhounds.config import OriginSettings, Settings
from weedhounds.errors import ConfigError
from weedhounds.model.provenance import ShareScope, Terms
from weedhounds.sources.base import Budget, OriginConfig

SANDBOX_KEYS: Mapping[str, Mapping[str, str]] = {"jane": {"search_key": "sandbox-key"}}
SANDBOX_OPTIONS: Mapping[str, Mapping[str, str]] = {"leafly": {"build_id": "sandbox", "web_base": ""}}
"""What the simulated market needs where live origins need a key or an address of their own."""
REFRESH_SHARE = 0.25
"""Share of what an origin's rate allows in a day that keeping records fresh may use: demand comes in
waves, and the rest is for what is asked for the first time."""
_DAY_S = 86_400.0


class SandboxTerms(msgspec.Struct):
    """One origin's line of ``/_sandbox/terms``."""

    share: ShareScope
    budget: Budget
    storage_limit_s: float | None = None
    attribution: str | None = None


class SandboxClock(msgspec.Struct):
    """The answer of ``/_sandbox/clock``: Unix seconds, and seconds of it per real second."""

    now: float
    speed: float


def live_origins(settings: Settings) -> dict[str, OriginConfig]:
    """Return the enabled origins at their live addresses, with the operator's changes."""
    return {origin: config for origin, config in known_origins(settings).items() if config.enabled}


def known_origins(settings: Settings) -> dict[str, OriginConfig]:
    """Return every origin at its live address, enabled or not, with the operator's changes."""
    return _configured({origin: sources.source_class(origin).info().live for origin in sources.ORIGINS}, settings)


def sandbox_origins(settings: Settings, terms: Mapping[str, SandboxTerms]) -> dict[str, OriginConfig]:
    """Return the enabled origins as the sandbox at ``settings.sandbox_url`` serves them."""
    base = (settings.sandbox_url or "").rstrip("/")
    configs = {}
    for origin in sources.ORIGINS:
        live = sources.source_class(origin).info().live
        told = terms.get(origin)
        if told is None:
            continue
        configs[origin] = msgspec.structs.replace(
            live,
            base_url=f"{base}/{origin}",
            options={**live.options, **SANDBOX_OPTIONS.get(origin, {})},
            keys=SANDBOX_KEYS.get(origin, {}),
            budget=told.budget,
            terms=Terms(share=told.share, storage_limit_s=told.storage_limit_s, attribution=told.attribution),
        )
    return {origin: config for origin, config in _configured(configs, settings).items() if config.enabled}


def refresh_budget_per_day(config: OriginConfig) -> float | None:
    """Return the calls a day that keeping an origin's records fresh should cost: its daily budget, else a
    share (``REFRESH_SHARE``) of what its rate allows; ``None`` for an origin that is never asked.
    """
    if config.calls_per_day is not None:
        return float(config.calls_per_day) or None
    return config.budget.rate_per_s * _DAY_S * REFRESH_SHARE or None


def scaled_clock(told: SandboxClock) -> ScaledClock:
    """Return a clock that runs as the sandbox's does."""
    return ScaledClock(told.now, told.speed)


def _configured(configs: Mapping[str, OriginConfig], settings: Settings) -> dict[str, OriginConfig]:
    unknown = sorted(settings.origins.keys() - set(sources.ORIGINS))
    if unknown:
        raise ConfigError(f"setting origins.{unknown[0]}: unknown origin (known: {', '.join(sources.ORIGINS)})")
    return {o: _changed(c, settings.origins.get(o, OriginSettings())) for o, c in configs.items()}


def _changed(config: OriginConfig, by: OriginSettings) -> OriginConfig:
    """Return ``config`` with what the operator set instead."""
    budget, terms = config.budget, config.terms
    return msgspec.structs.replace(
        config,
        enabled=config.enabled if by.enabled is None else by.enabled,
        base_url=(by.base_url or config.base_url).rstrip("/"),
        options={**config.options, **by.options},
        keys={**config.keys, **by.keys},
        currency=by.currency or config.currency,
        calls_per_day=config.calls_per_day if by.calls_per_day is None else by.calls_per_day,
        budget=Budget(
            by.burst or budget.burst, by.rate_per_s or budget.rate_per_s, by.concurrency or budget.concurrency
        ),
        terms=msgspec.structs.replace(
            terms,
            share=terms.share if by.share is None else ShareScope(by.share),
            storage_limit_s=by.storage_limit_s or terms.storage_limit_s,
        ),
    )

"""Where a fact came from, how old it is, and under which terms it is held."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class ShareScope(StrEnum):
    """Who may be given what an origin's data became; from strictest to freest."""

    NEVER = "never"
    CIRCLE = "circle"
    PUBLIC = "public"


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What a configured origin allows.

    Args:
        share: who may be given entries made from it.
        storage_limit_s: seconds after which an entry must be gone, or ``None``.
        attribution: the text to show beside its data, or ``None``.
        licence: the licence's name, or ``None``.
    """

    share: ShareScope = ShareScope.NEVER
    storage_limit_s: float | None = None
    attribution: str | None = None
    licence: str | None = None


class Provenance(msgspec.Struct, frozen=True, gc=False):
    """The source of one answered fact.

    ``age_s`` is seconds since ``fetched_at``; ``tier`` the cache level that answered
    (``memory``, ``sql``, ``peers``, ``origin``); ``stale_probability`` the chance, 0..1, that the
    origin has changed the record since; ``fetched_at`` Unix seconds, UTC.
    """

    origin: str
    key: str
    fetched_at: float
    age_s: float
    tier: str
    stale_probability: float
    signed_by: str | None = None

"""What the header fields of an answer say of its age and of the tier that gave it.

Answers hold data that their terms may forbid to share: ``Cache-Control`` is always ``private``.
"""

from __future__ import annotations

from typing import Protocol

from weedhounds.model.provenance import Provenance
from weedhounds.query.answer import ByTier, HuntAnswer

CACHE_NAME = "weedhounds"
_SLOWEST_LAST = ("memory", "sql", "peers", "origin")


class Dated(Protocol):
    """A record's answer, as an object or as bytes, as far as its header fields need it."""

    @property
    def digest(self) -> str:
        """Return the record's digest, hex."""
        ...

    @property
    def expires_at(self) -> float:
        """Return the moment of expiry, Unix seconds."""
        ...

    @property
    def provenance(self) -> Provenance:
        """Return where the record came from, and how old it is."""
        ...


def record_headers(answer: Dated) -> dict[str, str]:
    """Return the fields of one record's answer.

    ``ETag`` is weak: the same record fetched at the same time, while its age moves on, compressed or
    not. ``max-age``
    is the whole lifetime, from which a cache takes off ``Age`` (RFC 9111 section 4.2).
    """
    from_ = answer.provenance
    lifetime_s = max(0, round(answer.expires_at - from_.fetched_at))
    ttl_s = round(lifetime_s - from_.age_s)
    return {
        "etag": f'W/"{answer.digest[:16]}-{from_.fetched_at:.0f}"',
        "age": str(round(from_.age_s)),
        "cache-control": f"private, max-age={lifetime_s}",
        "cache-status": _status(from_.tier, ttl_s),
        "vary": "accept-encoding",
    }


def hunt_headers(answer: HuntAnswer) -> dict[str, str]:
    """Return the fields of a hunt: the age of its oldest fact, and the slowest tier that it needed."""
    ages = [offer.provenance.age_s for offer in answer.offers]
    return {**gathered_headers(answer.meta.by_tier), **({"age": str(round(max(ages)))} if ages else {})}


def gathered_headers(by_tier: ByTier) -> dict[str, str]:
    """Return the fields of an answer that was put together from many records."""
    used = [tier for tier in _SLOWEST_LAST if getattr(by_tier, tier)]
    return {
        "cache-control": "private, max-age=0",
        **({"cache-status": _status(used[-1])} if used else {}),
    }


def _status(tier: str, ttl_s: int | None = None) -> str:
    """Spell a Cache-Status member (RFC 9211): a hit in a tier, or a miss that an origin filled."""
    how = "fwd=miss" if tier == "origin" else "hit"
    ttl = "" if ttl_s is None else f"; ttl={ttl_s}"
    return f"{CACHE_NAME}; {how}; detail={tier}{ttl}"

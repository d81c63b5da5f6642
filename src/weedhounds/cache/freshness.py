"""When an entry may be served, and when it must be gone. Pure: time and chance come in as arguments.

Terms as in RFC 9111 (freshness lifetime, age, fresh, stale) and RFC 5861 (stale-if-error). All
times are Unix seconds, UTC, from the node's clock; never a database's.
"""

from __future__ import annotations

from enum import Enum
from random import Random

from weedhounds.model.datatypes import Lifetime


class Freshness(Enum):
    """Whether an entry may be served without asking its origin again (RFC 9111 section 4.2)."""

    FRESH = "fresh"
    STALE = "stale"


def freshness(expires_at: float, now: float) -> Freshness:
    """Return whether an entry is fresh at ``now``; at the very moment of expiry it is stale."""
    return Freshness.FRESH if now < expires_at else Freshness.STALE


def expires_at(
    fetched_at: float,
    lifetime_s: float,
    jitter_frac: float,
    rng: Random,
    *,
    limits: Lifetime | None = None,
    never_earlier: bool = False,
) -> float:
    """Return the moment from which an entry is stale: ``fetched_at`` plus its lifetime with jitter.

    Entries that were fetched together (one hunt) would otherwise all expire together. The
    lifetime is drawn evenly from ``lifetime_s`` x (1 - ``jitter_frac``) .. (1 + ``jitter_frac``),
    cut to the type's limits before the draw: a lifetime at its limit is still spread, and
    never leaves the limits.

    Args:
        lifetime_s: what the policy assigned, after :func:`weedhounds.ttl.bound.bound`; may be infinite.
        jitter_frac: 0..1, for example 0.05.
        rng: one per read path, seeded by the caller where runs must repeat.
        limits: the data type's least and greatest lifetime.
        never_earlier: draw from ``lifetime_s`` upwards only: a copy that was meant to outlast a change
            at a known hour does.
    """
    low, high = lifetime_s * (1 if never_earlier else 1 - jitter_frac), lifetime_s * (1 + jitter_frac)
    if limits is not None:
        low, high = max(low, limits.min_s), min(high, limits.max_s)
    if low >= high:
        return fetched_at + lifetime_s
    return fetched_at + low + (high - low) * rng.random()


def must_be_gone(fetched_at: float, storage_limit_s: float | None, now: float) -> bool:
    """Tell whether the origin's terms forbid to hold an entry any longer.

    Args:
        fetched_at: the moment from which the terms count: the fetch, or the import of a pinned entry.
        storage_limit_s: seconds, or ``None`` where the terms set no limit.
    """
    return storage_limit_s is not None and now - fetched_at >= storage_limit_s


def may_serve_stale_on_error(
    fetched_at: float,
    expires_at: float,
    now: float,
    *,
    lifetime_s: float,
    stale_if_error_frac: float,
    storage_limit_s: float | None,
) -> bool:
    """Tell whether an entry may be served while its origin fails (RFC 5861 section 4, stale-if-error).

    Bounded by a share of the lifetime, not by fixed seconds, and by the origin's terms. An entry
    that is still fresh may be served; with a share of 0 no stale one may.

    Args:
        lifetime_s: the freshness lifetime that the entry was given, >= 0.
        stale_if_error_frac: how far past expiry, as a share of ``lifetime_s``, >= 0.
        storage_limit_s: as in :func:`must_be_gone`.
    """
    if must_be_gone(fetched_at, storage_limit_s, now):
        return False
    return now < expires_at or now - expires_at < stale_if_error_frac * lifetime_s


def may_serve_while_revalidating(
    expires_at: float, now: float, *, lifetime_s: float, stale_while_revalidate_frac: float
) -> bool:
    """Tell whether an expired entry may be served while it is fetched anew (RFC 5861 section 3).

    Args:
        lifetime_s: the freshness lifetime that the entry was given, >= 0.
        stale_while_revalidate_frac: how far past expiry, as a share of ``lifetime_s``, >= 0.
    """
    return now < expires_at + lifetime_s * stale_while_revalidate_frac

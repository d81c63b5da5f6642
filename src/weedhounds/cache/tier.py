"""The one protocol that every cache tier speaks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from weedhounds.cache.entry import Entry
from weedhounds.model.keys import RecordKey
from weedhounds.telemetry import LatencySummary


def hit_ratio(hits: int, misses: int) -> float:
    """Return the share of what was asked for that was there, 0..1; 0 where nothing was."""
    return round(hits / (hits + misses), 4) if hits else 0.0


class TypeStats(msgspec.Struct):
    """The figures of one data type in one tier, as in :class:`TierStats`."""

    hits: int = 0
    """keys found (fresh or expired)"""
    misses: int = 0
    """keys not found"""
    stale: int = 0
    """expired entries served: their origin failed, or was not to be asked"""
    hit_ratio: float = 0.0
    """hits / (hits + misses)"""
    evictions: int | None = None
    """entries that left to make room; null where the tier does not tell them apart"""
    entries: int | None = None
    """entries held now, or null"""
    bytes: int | None = None
    """bytes held now, or null"""


class TierStats(msgspec.Struct):
    """Counters of one tier since start; the first six grow only.

    Hits + misses = different keys asked for, over all calls that were answered (a call that failed
    counts as one error instead).
    """

    hits: int = 0
    """keys found (fresh or expired)"""
    misses: int = 0
    """keys not found, unreadable rows included"""
    puts: int = 0
    """entries accepted, those that lost to a newer one of their key included"""
    evictions: int = 0
    """entries that left to make room"""
    stale: int = 0
    """expired entries served: their origin failed, or was not to be asked"""
    errors: int = 0
    """operations that the backend failed"""
    entries: int = 0
    """entries held now"""
    bytes: int = 0
    """bytes held now, bodies and bookkeeping as the tier counts them"""
    hit_ratio: float = 0.0
    """hits / (hits + misses)"""
    by_type: dict[str, TypeStats] = {}
    """the same by data type"""
    dropped: dict[str, int] = {}
    """what left to make room, by reason, representations of entries that stayed included"""
    latency: LatencySummary | None = None
    """how long its answers to the read path took"""


class Tier(Protocol):
    """A cache level. A miss is absence from the answer; expired entries are returned too."""

    name: str

    async def get_many(self, keys: Collection[RecordKey]) -> dict[RecordKey, Entry]:
        """Return the entries held, expired ones included.

        Raises:
            TierUnavailable: the backend failed as a whole.
        """
        ...

    async def put_many(self, entries: Sequence[Entry]) -> None:
        """Store the entries, replacing those of the same keys that were fetched no later.

        Raises:
            TierUnavailable: nothing of the batch was stored.
        """
        ...

    async def discard(self, keys: Collection[RecordKey]) -> int:
        """Remove the keys; return how many were held."""
        ...

    def stats(self) -> TierStats:
        """Return the counters."""
        ...

    async def close(self) -> None:
        """Write what is pending and let go of the backend."""
        ...

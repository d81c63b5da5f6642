"""The one protocol that every cache tier speaks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from weedhounds.cache.entry import Entry
from weedhounds.model.keys import RecordKey


class TierStats(msgspec.Struct):
    """Counters of one tier since start; the first five grow only.

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
    errors: int = 0
    """operations that the backend failed"""
    entries: int = 0
    """entries held now"""
    bytes: int = 0
    """bytes held now, bodies and bookkeeping as the tier counts them"""


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

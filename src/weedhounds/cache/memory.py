"""The memory tier: entries as objects under a byte budget, evicted by S3-FIFO.

Owns what an entry weighs. Belongs to one event loop; the asynchronous methods never wait.
Expired entries stay until they are evicted: whether one may still be served is the read
path's question. Pinned entries are ordinary here; another tier keeps them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence

import msgspec

from weedhounds.cache.admission import S3Fifo
from weedhounds.cache.entry import Entry
from weedhounds.cache.tier import TierStats
from weedhounds.codec.envelope import payload_bytes
from weedhounds.model.keys import RecordKey

ENTRY_BYTES = 900
"""What an entry without a decoded record takes beside its body: objects, key, validators, its
places in the queues (tracemalloc, 10,000 entries, CPython 3.11: 826 bytes each)."""

DECODED_FACTOR = 3.0
"""Bytes of a decoded record for each byte of its uncompressed payload. Measured on the recorded
Weedmaps menus of New Mexico (99 menus, 93 price lists, tracemalloc): 2.4 for menus (2.2-2.8), 3.6
for price lists (3.5-4.0). The zstd body is no measure: there it is 14 and 62 times the body."""

RECHECK_AFTER = 512
"""Uses of entries without a decoded record after which such an entry is weighed again. At most
that many entries are counted without a record that they meanwhile hold."""


def weigh(entry: Entry) -> int:
    """Return the estimated bytes that an entry takes in memory, its decoded record included."""
    record = int(payload_bytes(entry.body) * DECODED_FACTOR) if entry.is_decoded else 0
    return ENTRY_BYTES + len(entry.body) + record


class _Slot:
    """An entry held: whether its decoded record is counted, and whether it waits to be weighed again."""

    __slots__ = ("entry", "is_counted", "is_queued")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.is_counted = entry.is_decoded
        self.is_queued = False


class MemoryTier:
    """Entries in memory, at most ``max_bytes`` as :func:`weigh` counts them.

    Bounds: the budget; beside it the ghost queue, about 100 bytes for each entry held, and what
    the last ``RECHECK_AFTER`` entries put without a record have grown to. An entry heavier than the
    whole budget is not accepted.
    """

    name = "memory"

    def __init__(self, max_bytes: int) -> None:
        self._held: S3Fifo[RecordKey, _Slot] = S3Fifo(max_bytes)
        self._light: deque[_Slot] = deque()
        self._stats = TierStats()

    def get(self, key: RecordKey) -> Entry | None:
        """Return the entry held, expired or not, without waiting (a microsecond)."""
        slot = self._held.get(key)
        if slot is None:
            self._stats.misses += 1
            return None
        self._stats.hits += 1
        if not slot.is_counted:
            self._recheck(slot)
        return slot.entry

    def put(self, entry: Entry) -> None:
        """Hold the entry unless a newer one of its key is held."""
        old = self._held.peek(entry.key)
        if old is not None and old.entry.fetched_at > entry.fetched_at:
            self._stats.puts += 1
            return
        weight = weigh(entry)
        if weight > self._held.budget:
            self.remove(entry.key)
            return
        self._stats.puts += 1
        slot = _Slot(entry)
        self._stats.evictions += self._held.put(entry.key, slot, weight)
        if not slot.is_counted:
            self._recheck(slot)

    def remove(self, key: RecordKey) -> bool:
        """Let go of a key; tell whether it was held."""
        return self._held.remove(key) is not None

    async def get_many(self, keys: Collection[RecordKey]) -> dict[RecordKey, Entry]:
        """Return the entries held, expired ones included."""
        found = {}
        for key in dict.fromkeys(keys):
            entry = self.get(key)
            if entry is not None:
                found[key] = entry
        return found

    async def put_many(self, entries: Sequence[Entry]) -> None:
        """Hold the entries; an older one never replaces a newer."""
        for entry in entries:
            self.put(entry)

    async def discard(self, keys: Collection[RecordKey]) -> int:
        """Remove the keys; return how many were held."""
        return sum(self.remove(key) for key in dict.fromkeys(keys))

    def stats(self) -> TierStats:
        """Return the counters, after weighing again what was decoded meanwhile."""
        for slot in tuple(self._light):
            self._count_record(slot)
        self._stats.entries = len(self._held)
        self._stats.bytes = self._held.weight
        return msgspec.structs.replace(self._stats)

    async def close(self) -> None:
        """Let go of everything."""
        self._held.clear()
        self._light.clear()

    def _recheck(self, slot: _Slot) -> None:
        """Count a record that was decoded since; else look again some uses later."""
        self._count_record(slot)
        if not slot.is_counted and not slot.is_queued:
            slot.is_queued = True
            self._light.append(slot)
        if len(self._light) > RECHECK_AFTER:
            oldest = self._light.popleft()
            oldest.is_queued = False
            self._count_record(oldest)

    def _count_record(self, slot: _Slot) -> None:
        key = slot.entry.key
        if slot.is_counted or not slot.entry.is_decoded or self._held.peek(key) is not slot:
            return
        slot.is_counted = True
        self._stats.evictions += self._held.reweigh(key, weigh(slot.entry))

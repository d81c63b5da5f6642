"""The memory tier: entries as objects under a byte budget, evicted by S3-FIFO.

Owns what an entry weighs, and in which order an entry's representations go. Belongs to one event
loop; the asynchronous methods never wait. Expired entries stay until they are evicted: whether one
may still be served is the read path's question. Pinned entries are ordinary here; another tier
keeps them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence

import msgspec

from weedhounds.cache.admission import Held, S3Fifo
from weedhounds.cache.entry import Entry
from weedhounds.cache.freshness import must_be_gone
from weedhounds.cache.tier import TierStats, TypeStats
from weedhounds.codec.envelope import payload_bytes
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey

ENTRY_BYTES = 900
"""What an entry without representations takes beside its body: objects, key, validators, its
places in the queues (tracemalloc, 10,000 entries, CPython 3.11: 826 bytes each)."""

RECORD_FACTOR = 4.5
PRICES_FACTOR = 9.0
"""Bytes of a typed record for each byte of its uncompressed payload, price lists apart: their rows are
smallest. Medians (tracemalloc, rows of envelope 2): menus 3.7 (57 recorded of Weedmaps), 3.0 (20 of
Leafly), 5.8 (200 of the sandbox), price lists 9.1 and 9.0. The compressed body is no measure: a
record takes 4 to 34 times as much."""

PREPARED_FACTOR = 2.5
PREPARED_PRICES_FACTOR = 1.2
"""The same of what readers prepare from a record and keep with it: menus 3.0, 3.0 and 1.5, price lists
1.8 and 0.9."""

LARGEST_FRAC = 0.125
"""Share of the budget over which a single entry's representations are not kept: one huge menu would
cost the records of a whole city. Its stored bytes stay."""


def weigh(entry: Entry) -> int:
    """Return the estimated bytes that an entry takes in memory, its representations included."""
    weight = ENTRY_BYTES + len(entry.body)
    has_record, has_prepared = entry.is_decoded, entry.prepared is not None
    if has_record or has_prepared:
        is_prices = entry.key.data_type is DataType.PRODUCT_PRICING
        factor = (PRICES_FACTOR if is_prices else RECORD_FACTOR) if has_record else 0.0
        if has_prepared:
            factor += PREPARED_PRICES_FACTOR if is_prices else PREPARED_FACTOR
        weight += int(payload_bytes(entry.body) * factor)
    rendered = entry.rendered
    return weight if rendered is None else weight + rendered.weight


class Evictions(msgspec.Struct, frozen=True, kw_only=True):
    """What left the memory tier since start, by reason."""

    unused: int
    """entries that were not asked for again while they were new"""
    cooled: int
    """entries that had been asked for again, and then no longer"""
    too_large: int
    """entries refused because they are heavier than the whole budget"""
    rendered: int
    """rendered answers dropped to make room; their entries stayed"""
    records: int
    """typed records dropped to make room, and what was prepared from them; their entries stayed"""


class MemoryTier:
    """Entries in memory, at most ``max_bytes`` as :func:`weigh` counts them.

    An entry whose turn it is to leave loses first what is cheapest to make again: its rendered answer
    (encoding), then its typed record with what was prepared from it (decompressing, decoding); each time
    it goes round its queue once more. Only then the entry itself goes (a read of the SQL tier, or a call
    to its origin).

    Bounds: the budget, counted at each call; what a reader decodes meanwhile counts at the next call.
    Beside it the ghost queue, about 100 bytes for each entry held. An entry heavier than the whole
    budget is not accepted.

    ``grown`` are entries that hold more than when they were weighed. ``departed`` is told of each key that
    leaves, and how often it was served since :meth:`take_served` asked last.
    """

    name = "memory"

    def __init__(self, max_bytes: int) -> None:
        self.departed: Callable[[RecordKey, int], None] = _nobody_is_told
        self._held: S3Fifo[RecordKey, Entry] = S3Fifo(max_bytes, self._make_way)
        self._largest = int(max_bytes * LARGEST_FRAC)
        self.grown: deque[Entry] = deque()
        self._stats = TierStats()
        self._evicted_of = dict.fromkeys(DataType, 0)
        self._entries_of = dict.fromkeys(DataType, 0)
        self._bytes_of = dict.fromkeys(DataType, 0)
        self._hits_of_gone = dict.fromkeys(DataType, 0)
        self._too_large = 0
        self._rendered_dropped = 0
        self._records_dropped = 0

    def take_fresh(self, key: RecordKey, now: float, storage_limit_s: float | None = None) -> Entry | None:
        """Return the entry held if it may be served as fresh at ``now`` (Unix seconds), without waiting.

        Counts a hit where it returns one and nothing otherwise: whoever goes on to ask the tiers is
        counted there.

        Args:
            storage_limit_s: the longest time for which the terms of its origin allow to hold it.
        """
        if self.grown:
            self.settle()
        held = self._held.find(key)
        if held is None:
            return None
        entry = held.value
        if now >= entry.expires_at:
            return None
        if storage_limit_s is not None and must_be_gone(entry.held_from, storage_limit_s, now):
            return None
        held.served += 1
        return entry

    def find(self, key: RecordKey) -> Held[Entry] | None:
        """Return what is held of a key, for whoever comes back for it; nothing is counted."""
        return self._held.find(key)

    def not_served(self, key: RecordKey) -> None:
        """Take back the hit that :meth:`take_fresh` counted: its entry could not be used."""
        held = self._held.find(key)
        if held is not None:
            held.served -= 1

    def direct_hits(self) -> dict[DataType, int]:
        """Return by data type how often entries were served from what :meth:`find` and :meth:`take_fresh` gave."""
        counts = self._hits_of_gone.copy()
        for key, held in self._held.all_held():
            if held.served:
                counts[key.data_type] += held.served
        return counts

    def take_served(self, key: RecordKey) -> int:
        """Return how often a key was served without the read path since the last call."""
        held = self._held.find(key)
        return 0 if held is None else held.take_served()

    def drain_served(self) -> dict[RecordKey, int]:
        """Return what was served without the read path since the last call, by key.

        Looks at every entry held: about 0.1 us for each.
        """
        found = {}
        for key, held in self._held.all_held():
            if held.served != held.drained:
                found[key] = held.drain_served()
        return found

    def get(self, key: RecordKey) -> Entry | None:
        """Return the entry held, expired or not, without waiting (a microsecond)."""
        if self.grown:
            self.settle()
        entry = self._held.get(key)
        if entry is None:
            self._stats.misses += 1
            return None
        self._stats.hits += 1
        return entry

    def put(self, entry: Entry) -> None:
        """Hold the entry unless a newer one of its key is held."""
        if self.grown:
            self.settle()
        old = self._held.find(entry.key)
        if old is not None and old.value.fetched_at > entry.fetched_at:
            self._stats.puts += 1
            return
        weight = self._trimmed(entry)
        if weight > self._held.budget:
            self._too_large += 1
            self.remove(entry.key)
            return
        self._stats.puts += 1
        entry.tell_growth(self.grown)
        self._tally(entry, weight - (old.weight if old else 0), 0 if old else 1)
        self._stats.evictions += self._held.put(entry.key, entry, weight)

    def remove(self, key: RecordKey) -> bool:
        """Let go of a key; tell whether it was held."""
        held = self._held.find(key)
        if held is None:
            return False
        self._tally(held.value, -held.weight, -1)
        self._depart(key, held)
        self._held.remove(key)
        return True

    def settle(self) -> None:
        """Weigh again what holds more than when it was last weighed, and make room for it."""
        while self.grown:
            entry = self.grown.popleft()
            held = self._held.find(entry.key)
            if held is not None and held.value is entry:
                weight = self._trimmed(entry)
                self._tally(entry, weight - held.weight)
                self._stats.evictions += self._held.reweigh(entry.key, weight)

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
        self.settle()
        by_type = {
            t.value: TypeStats(evictions=self._evicted_of[t], entries=self._entries_of[t], bytes=self._bytes_of[t])
            for t in DataType
            if self._evicted_of[t] or self._entries_of[t]
        }
        return msgspec.structs.replace(
            self._stats,
            hits=self._stats.hits + sum(self.direct_hits().values()),
            entries=len(self._held),
            bytes=self._held.weight,
            by_type=by_type,
            dropped=msgspec.structs.asdict(self.evictions()),
        )

    def evictions(self) -> Evictions:
        """Return what left, by reason; ``unused`` and ``cooled`` together are ``stats().evictions``."""
        return Evictions(
            unused=self._held.left_small,
            cooled=self._held.left_main,
            too_large=self._too_large,
            rendered=self._rendered_dropped,
            records=self._records_dropped,
        )

    async def close(self) -> None:
        """Let go of everything."""
        for key, held in self._held.all_held():
            self._depart(key, held)
        self._held.clear()
        self.grown.clear()
        for counts in (self._entries_of, self._bytes_of):
            counts.update(dict.fromkeys(DataType, 0))

    def _trimmed(self, entry: Entry) -> int:
        """Drop the representations of an entry that would be too heavy with them; return what it weighs."""
        weight = weigh(entry)
        if weight > self._largest:
            while self._lighten(entry) is not None:
                weight = weigh(entry)
        return weight

    def _make_way(self, entry: Entry) -> int | None:
        """Lighten an entry whose turn it is to leave; return what it then weighs, or ``None``: it leaves."""
        held = self._held.find(entry.key)
        assert held is not None
        weight = self._lighten(entry)
        if weight is None:
            self._evicted_of[entry.key.data_type] += 1
            self._tally(entry, -held.weight, -1)
            self._depart(entry.key, held)
        else:
            self._tally(entry, weight - held.weight)
        return weight

    def _depart(self, key: RecordKey, held: Held[Entry]) -> None:
        """Keep the counts of a key that leaves."""
        self._hits_of_gone[key.data_type] += held.served
        self.departed(key, held.take_served())

    def _tally(self, entry: Entry, weight: int, entries: int = 0) -> None:
        """Count by data type what is held: more or less by so much."""
        self._bytes_of[entry.key.data_type] += weight
        self._entries_of[entry.key.data_type] += entries

    def _lighten(self, entry: Entry) -> int | None:
        """Drop the representation that is cheapest to make again; return what the entry then weighs."""
        if entry.rendered is not None:
            entry.drop_rendered()
            self._rendered_dropped += 1
        elif entry.is_decoded or entry.prepared is not None:
            entry.drop_record()
            self._records_dropped += 1
        else:
            return None
        return weigh(entry)


def _nobody_is_told(_key: RecordKey, _served: int) -> None:
    """Let a key leave without a word."""

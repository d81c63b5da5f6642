"""The SQL tier on SQLite: entries as rows, written behind, read in groups.

Owns the row form of an entry, what the file may grow to, and the tier's counters. Threads,
connections and transactions are :mod:`weedhounds.cache.sqlite_file`'s; the tables
:mod:`weedhounds.cache.schema`'s.

Times are UTC milliseconds from the node's clock. A hit writes nothing. An older put never replaces
a newer entry, whether it waits or is committed, and whichever process wrote it. Bodies are not
verified when read: their checksum is the codec's, and damage shows when the record is decoded.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from weedhounds.cache import rows
from weedhounds.cache.entry import Entry
from weedhounds.cache.rows import milliseconds
from weedhounds.cache.sqlite_file import SqliteFile
from weedhounds.cache.tier import TierStats
from weedhounds.cache.write_behind import WriteBehind
from weedhounds.clock import Clock
from weedhounds.errors import TierUnavailable
from weedhounds.model.keys import RecordKey

MAX_WAITING = 10_000
MAX_WAITING_BYTES = 64 * 2**20
"""Entries, and bytes of bodies, that may wait for a commit; a put beyond waits for one itself."""
MAX_BYTES = 4 * 2**30
"""Default for what all rows may take, as :func:`weedhounds.cache.rows.row_bytes` counts them."""
_EVICT = 256


class _Waiting(msgspec.Struct, frozen=True):
    """An entry that waits for its commit; ``fetched_ms`` decides which of two is newer."""

    entry: Entry
    fetched_ms: int


class _Totals(msgspec.Struct, frozen=True):
    """What the file holds after a transaction, and how many entries left in it to make room."""

    entries: int = 0
    bytes: int = 0
    evicted: int = 0


class SqliteTier:
    """Entries in a SQLite file, which several processes may have open.

    Call :meth:`open` first. All methods belong to one event loop, which never touches the file.

    Args:
        clock: measures how long a failing operation took.
        busy_timeout_s: how long another process's lock is waited for.
        write_behind_s: longest time that an accepted entry waits for its commit; until then, a
            crash of the process loses it, a :meth:`close` does not.
        max_bytes: what the rows may take; beyond it the entries that expired first leave, never
            pinned ones.

    Bounds: ``max_bytes`` in the file; ``MAX_WAITING`` entries and ``MAX_WAITING_BYTES`` in memory, plus
    one batch.
    """

    name = "sql"

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        busy_timeout_s: float = 2.0,
        write_behind_s: float = 0.2,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.file = SqliteFile(path, clock=clock, busy_timeout_s=busy_timeout_s, write_behind_s=write_behind_s)
        self._max_bytes = max_bytes
        self._waiting: WriteBehind[bytes, _Waiting, _Totals] = WriteBehind(
            self._store,
            self._count,
            lambda held: len(held.entry.body),
            max_items=MAX_WAITING,
            max_weight=MAX_WAITING_BYTES,
        )
        self.file.gather(self._waiting)
        self._totals = _Totals()
        self._stats = TierStats()

    async def open(self) -> None:
        """Open the file; make it, and its folder, where there is none.

        Raises:
            ConfigError: the folder or file cannot be used, or is not of this program's schema.
            TierUnavailable: the file is damaged or locked; one line says what to do.
        """
        await self.file.open()
        try:
            self._totals = await self.file.read(_totals)
        except TierUnavailable:
            await self.file.close()
            raise

    async def get_many(self, keys: Collection[RecordKey]) -> dict[RecordKey, Entry]:
        """Return the entries held, expired ones and those that wait for their commit included.

        Raises:
            TierUnavailable: the file cannot be read.
        """
        wanted = {key.digest: key for key in keys}
        # Looked up before the read: a commit between the two must not hide an entry from both.
        waiting = {digest: held for digest in wanted if (held := self._waiting.get(digest)) is not None}
        try:
            found = await self.file.read(lambda connection: rows.read_entries(connection, wanted)) if wanted else {}
        except TierUnavailable:
            self._stats.errors += 1
            raise
        for digest, held in waiting.items():
            stored = found.get(wanted[digest])
            if stored is None or milliseconds(stored.fetched_at) <= held.fetched_ms:
                found[wanted[digest]] = held.entry
        self._stats.hits += len(found)
        self._stats.misses += len(wanted) - len(found)
        return found

    async def put_many(self, entries: Sequence[Entry]) -> None:
        """Accept the entries; they are readable at once and committed a little later.

        Raises:
            TierUnavailable: nothing was accepted: the last commit failed and has not yet been made
                good, or too much waits and cannot be committed.
        """
        try:
            await self.file.make_room(self._waiting)
        except TierUnavailable:
            self._stats.errors += 1
            raise
        for entry in entries:
            self._accept(entry)
        self._stats.puts += len(entries)
        self.file.wake()

    async def discard(self, keys: Collection[RecordKey]) -> int:
        """Remove the keys; return how many were held.

        Raises:
            TierUnavailable: nothing was removed from the file.
        """
        digests = {key.digest for key in keys}
        held = {digest for digest in digests if self._waiting.discard(digest)}
        try:
            stored = await self.file.write(lambda connection: self._discard(connection, digests))
        except TierUnavailable:
            self._stats.errors += 1
            raise
        return len(held | stored)

    async def keys(self, prefix: str = "", limit: int = 10_000) -> list[RecordKey]:
        """Return the first ``limit`` keys whose text begins with ``prefix``, in order of the text.

        Reads every row's key: for listing and purging, not for answering.
        """
        texts = {text for held in self._waiting.items().values() if (text := str(held.entry.key)).startswith(prefix)}
        texts.update(await self.file.read(lambda connection: rows.read_keys(connection, prefix, limit)))
        parsed = (rows.parse_key(text) for text in sorted(texts))
        return list(islice((key for key in parsed if key is not None), limit))

    async def flush(self) -> None:
        """Commit what waits.

        Raises:
            TierUnavailable: it could not be committed; it still waits.
        """
        await self.file.flush()

    def stats(self) -> TierStats:
        """Return the counters; entries and bytes are those of the last commit of this process."""
        return msgspec.structs.replace(
            self._stats,
            errors=self._stats.errors + self._waiting.failures,
            entries=self._totals.entries,
            bytes=self._totals.bytes,
        )

    async def close(self) -> None:
        """Commit what waits and let go of the file. Calling it again does no harm.

        Raises:
            TierUnavailable: the last commit failed; says how many writes were lost.
        """
        await self.file.close()

    def _accept(self, entry: Entry) -> None:
        digest = entry.key.digest
        held = self._waiting.get(digest)
        new = _Waiting(entry, milliseconds(entry.fetched_at))
        if held is None or held.fetched_ms <= new.fetched_ms:
            self._waiting.add(digest, new)

    # What follows runs in the writer thread.

    def _count(self, totals: _Totals) -> None:
        self._totals = totals
        self._stats.evictions += totals.evicted

    def _discard(self, connection: sqlite3.Connection, digests: Collection[bytes]) -> set[bytes]:
        # Set here, in the order of the transactions; should this one fail to commit, the next sets it right.
        gone, self._totals = _delete(connection, digests)
        return gone

    def _store(self, connection: sqlite3.Connection, waiting: Mapping[bytes, _Waiting]) -> _Totals:
        known = rows.read_sizes(connection, waiting)
        newer = {d: w for d, w in waiting.items() if d not in known or known[d][0] <= w.fetched_ms}
        connection.executemany(rows.UPSERT, (rows.to_row(digest, w.entry) for digest, w in newer.items()))
        replaced = [known[digest] for digest in newer if digest in known]
        added = sum(rows.row_bytes(w.entry) for w in newer.values()) - sum(size for _, size in replaced)
        _add_totals(connection, len(newer) - len(replaced), added)
        return self._evict(connection)

    def _evict(self, connection: sqlite3.Connection) -> _Totals:
        """Remove entries, those that expire first, until the rest fits or nothing is left that may leave."""
        totals, evicted = _totals(connection), 0
        while totals.bytes > self._max_bytes:
            found = connection.execute(
                "SELECT digest FROM entries WHERE pinned = 0 ORDER BY expires_ms LIMIT ?", (_EVICT,)
            )
            gone, totals = _delete(connection, [digest for (digest,) in found])
            if not gone:
                break
            evicted += len(gone)
        return msgspec.structs.replace(totals, evicted=evicted)


def _delete(connection: sqlite3.Connection, digests: Collection[bytes]) -> tuple[set[bytes], _Totals]:
    """Remove rows; return the digests of those that were there, and what is left."""
    gone = rows.read_sizes(connection, digests)
    for some in rows.chunks(gone):
        connection.execute(f"DELETE FROM entries WHERE digest IN ({rows.marks(some)})", some)
    _add_totals(connection, -len(gone), -sum(size for _, size in gone.values()))
    return set(gone), _totals(connection)


def _add_totals(connection: sqlite3.Connection, entries: int, size: int) -> None:
    connection.execute("UPDATE totals SET rows = rows + ?, bytes = bytes + ? WHERE name = 'entries'", (entries, size))


def _totals(connection: sqlite3.Connection) -> _Totals:
    return _Totals(*rows.read_totals(connection))

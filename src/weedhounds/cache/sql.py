"""The SQL tier: entries as rows, written behind, looked up in groups; on SQLite or MySQL alike.

Owns what may be stored and replaced, what the rows may grow to, and the tier's counters. How the
database is reached is a :class:`weedhounds.cache.work.Backend`; the tables are
:mod:`weedhounds.cache.tables`.

Times are UTC milliseconds from the node's clock, never the database's. A hit writes nothing. An
older put never replaces a newer entry, whether it waits or is committed, and whichever process wrote
it. Bodies are not verified when read: their checksum is the codec's, and damage shows when the
record is decoded. What stands beside the body is sealed: a damaged row is a miss, and removed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from random import Random
from typing import TypeVar

import blake3
import msgspec

from weedhounds.cache import purge, rows, worth
from weedhounds.cache.entry import Entry
from weedhounds.cache.purge import Scope
from weedhounds.cache.rows import milliseconds, to_entry
from weedhounds.cache.sqlite_file import SqliteFile
from weedhounds.cache.tier import TierStats
from weedhounds.cache.totals import Totals, lock_totals, read_count
from weedhounds.cache.work import ROW_BYTES, Ask, Backend, Work
from weedhounds.cache.write_behind import WriteBehind
from weedhounds.clock import Clock
from weedhounds.errors import TierUnavailable
from weedhounds.model.keys import DIGEST_BYTES, MAX_KEY_BYTES, RecordKey

MAX_WAITING = 10_000
MAX_WAITING_BYTES = 64 * 2**20
"""Entries, and bytes of bodies, that may wait for a commit; a put beyond waits for one itself."""
MAX_BYTES = 4 * 2**30
"""Default for what all rows may take, as :func:`weedhounds.cache.rows.row_bytes` counts them."""
MAX_AHEAD_S = 300.0
"""How far ahead of this node's clock an entry may have been fetched. One from further ahead comes
from a node whose clock is wrong: it is a miss, and may be replaced, or it would pass for fresh for hours."""
MAX_USES = 10_000
"""Rows whose requests are counted in memory until they are noted."""
USES_AFTER_S = 60.0
"""How long requests are counted before they are noted with the next commit."""
MAX_NAMED = 8192
"""Keys whose digest is remembered (a look-up's own work is not much more than computing it)."""
_EVICTIONS = 4
"""Batches of rows that one transaction lets go; the rest follows in the next ones."""
_SCAN = 1000
_FLAG = "surplus"


class _Waiting(msgspec.Struct, frozen=True, gc=False):
    """An entry that waits for its commit; ``fetched_ms`` decides which of two is newer."""

    entry: Entry
    fetched_ms: int


class _Totals(msgspec.Struct, frozen=True, gc=False):
    """What the table holds after a transaction, and how many entries left in it to make room."""

    entries: int = 0
    bytes: int = 0
    evicted: int = 0

    @classmethod
    def of(cls, totals: Totals, evicted: int = 0) -> _Totals:
        """Return what the locked counts say."""
        count = totals.of("entries")
        return cls(count.rows, count.bytes, evicted)


K = TypeVar("K")
V = TypeVar("V")
_Minor = WriteBehind[K, V, _Totals]


class SqlTier:
    """Entries in a SQL database, which several processes may use at once.

    Make it, and what else lives in the database, before the backend is opened; then call :meth:`load`.
    All methods belong to one event loop.

    Args:
        backend: runs the statements; closed with the tier.
        max_bytes: what the rows may take; beyond it the least valuable leave (:mod:`weedhounds.cache.worth`),
            never pinned ones.
        stale_if_error_frac: how long expired entries may still be served, as a share of their lifetime.
        rng: says where the sample of rows begins that might leave.

    Bounds: ``max_bytes`` in the database (for a moment more, while a large surplus is worked off);
    ``MAX_WAITING`` entries and ``MAX_WAITING_BYTES`` in memory, plus one batch.
    """

    name = "sql"

    def __init__(
        self,
        backend: Backend,
        *,
        clock: Clock,
        max_bytes: int = MAX_BYTES,
        stale_if_error_frac: float = 2.0,
        rng: Random | None = None,
    ) -> None:
        self.backend = backend
        self._clock = clock
        self._max_bytes = max_bytes
        self._stale_if_error_frac = stale_if_error_frac
        self._rng = rng or Random()
        self._named = lru_cache(MAX_NAMED)(_name_of)
        self._waiting: WriteBehind[bytes, _Waiting, _Totals] = WriteBehind(
            self._store,
            self._count,
            lambda held: ROW_BYTES + len(held.entry.body),
            max_items=MAX_WAITING,
            max_weight=MAX_WAITING_BYTES,
        )
        self._damaged: _Minor[bytes, bytes] = _minor(self._remove_damaged, self._count)
        self._surplus: _Minor[str, bool] = _minor(lambda _, totals: self._evict(1, totals), self._count)
        for gathered in (self._waiting, self._damaged, self._surplus):
            backend.gather(gathered)
        self._uses: dict[bytes, int] = {}
        self._noted_s = clock.monotonic()
        self._totals = _Totals()
        self._stats = TierStats()

    async def load(self) -> None:
        """Read what the database holds; call it once the backend is open.

        Raises:
            TierUnavailable: the database cannot be read.
        """
        count = await self.backend.read(lambda: read_count("entries"))
        self._totals = _Totals(count.rows, count.bytes)
        if self._totals.bytes > self._max_bytes:  # the bound was lowered
            self._surplus.add(_FLAG, True)
            self.backend.wake()

    async def get_many(self, keys: Collection[RecordKey]) -> dict[RecordKey, Entry]:
        """Return the entries held, expired ones and those that wait for their commit included.

        Raises:
            TierUnavailable: the database cannot be read.
        """
        try:
            found, asked = await self._find(keys)
        except TierUnavailable:
            self._stats.errors += 1
            raise
        self._stats.hits += len(found)
        self._stats.misses += asked - len(found)
        return found

    async def peek_many(self, keys: Collection[RecordKey]) -> dict[RecordKey, Entry]:
        """Return what :meth:`get_many` would, without counting it: to see whether another node has loaded it.

        Raises:
            TierUnavailable: the database cannot be read.
        """
        return (await self._find(keys))[0]

    async def put_many(self, entries: Sequence[Entry]) -> None:
        """Accept the entries; they are readable at once and committed a little later.

        One that the database does not take (too large, a key that is too long) is left out, and counted
        as an error.

        Raises:
            TierUnavailable: nothing was accepted: the last commit failed and has not yet been made
                good, or too much waits and cannot be committed.
        """
        try:
            await self.backend.make_room(self._waiting)
        except TierUnavailable:
            self._stats.errors += 1
            raise
        for entry in entries:
            if not self._accept(entry):
                self._stats.errors += 1
        self._stats.puts += len(entries)
        self.backend.wake()

    async def discard(self, keys: Collection[RecordKey]) -> int:
        """Remove the keys; return how many were held.

        Raises:
            TierUnavailable: nothing was removed from the database.
        """
        digests = {self._named(key)[0] for key in keys}
        held = {digest for digest in digests if self._waiting.discard(digest)}
        try:
            stored = await self.backend.write(lambda: self._discard(digests))
        except TierUnavailable:
            self._stats.errors += 1
            raise
        return len(held | stored)

    async def purge(self, scopes: Sequence[Scope], why: str = "") -> int:
        """Remove all that the scopes cover, and keep late writes of it out; return how many entries were held.

        Tombstones come first, so that nothing fetched before comes back while rows are removed in small batches.

        Raises:
            TierUnavailable: it may not have been done as a whole; doing it again does no harm.
        """
        now_ms = milliseconds(self._clock.now())
        await self.backend.write(lambda: purge.bury(scopes, why, now_ms))
        gone = {digest for digest, held in self._waiting.items().items() if _is_meant(held.entry, scopes)}
        for digest in gone:
            self._waiting.discard(digest)
        keys = [scope.digest for scope in scopes if scope.kind == "key"]
        removed = len(gone | await self.backend.write(lambda: self._discard(keys)))
        wide = [scope for scope in scopes if scope.kind != "key"]
        after: bytes | None = b"" if wide else None
        while after is not None:
            start = after
            after, count = await self.backend.write(lambda: self._purge_some(wide, start))  # noqa: B023 - awaited here
            removed += count
        return removed

    async def keys(self, prefix: str = "", limit: int = 10_000) -> list[RecordKey]:
        """Return the first ``limit`` keys whose text begins with ``prefix``, in order of the text.

        Reads every row's key: for listing and purging, not for answering.
        """
        waiting = (str(held.entry.key) for held in self._waiting.items().values())
        texts = {text.encode() for text in waiting if text.startswith(prefix)}
        texts.update(await self.backend.read(lambda: rows.read_keys(prefix, limit)))
        parsed = (rows.parse_key(text) for text in sorted(texts))
        return list(islice((key for key in parsed if key is not None), limit))

    async def flush(self) -> None:
        """Commit what waits.

        Raises:
            TierUnavailable: it could not be committed; it still waits.
        """
        await self.backend.flush()

    async def note_uses(self) -> None:
        """Note the requests counted so far; what cannot be noted is forgotten."""
        uses, self._uses = self._uses, {}
        if uses:
            now_ms = milliseconds(self._clock.now())
            with suppress(TierUnavailable):
                await self.backend.write(lambda: worth.note_uses(self.backend.dialect, uses, now_ms))

    def stats(self) -> TierStats:
        """Return the counters; entries and bytes are those of the last commit of this process."""
        return msgspec.structs.replace(
            self._stats,
            errors=self._stats.errors + self._waiting.failures,
            entries=self._totals.entries,
            bytes=self._totals.bytes,
        )

    async def close(self) -> None:
        """Commit what waits and let go of the database. Calling it again does no harm.

        Raises:
            TierUnavailable: the last commit failed; says how many writes were lost.
        """
        await self.backend.close()

    async def _find(self, keys: Collection[RecordKey]) -> tuple[dict[RecordKey, Entry], int]:
        """Return what is held, and how many different keys were asked for."""
        wanted: dict[bytes, tuple[RecordKey, bytes]] = {}
        for key in keys:
            digest, text = self._named(key)
            wanted[digest] = (key, text)
        # Looked up before the read: a commit between the two must not hide an entry from both.
        waiting = (
            [(d, held) for d in wanted if (held := self._waiting.get(d)) is not None] if self._waiting.weight else ()
        )
        found: dict[RecordKey, Entry] = {}
        latest_s = self._clock.now() + MAX_AHEAD_S
        for row in await self.backend.look_up(list(wanted)) if wanted else ():
            key, text = wanted[row[0]]
            entry = to_entry(key, text, row)
            if entry is None:
                self._found_damaged(row[0], text)
            elif entry.fetched_at <= latest_s:
                found[key] = entry
                self._use(row[0])
        for digest, held in waiting:
            key = wanted[digest][0]
            stored = found.get(key)
            if stored is None or milliseconds(stored.fetched_at) <= held.fetched_ms:
                found[key] = held.entry
        return found, len(wanted)

    def _found_damaged(self, digest: bytes, text: bytes) -> None:
        if not self._damaged.is_full:
            self._damaged.add(digest, text)
            self.backend.wake()

    def _use(self, digest: bytes) -> None:
        uses = self._uses
        if digest in uses:
            uses[digest] += 1
        elif len(uses) < MAX_USES:
            uses[digest] = 1

    def _accept(self, entry: Entry) -> bool:
        """Let an entry wait; tell whether it can be stored at all: one that cannot would hold up all others."""
        digest, text = self._named(entry.key)
        is_too_large = len(entry.body) > self.backend.max_body_bytes or len(text) > MAX_KEY_BYTES
        if is_too_large or len(entry.digest) != DIGEST_BYTES:
            return False
        held = self._waiting.get(digest)
        new = _Waiting(entry, milliseconds(entry.fetched_at))
        if held is None or held.fetched_ms <= new.fetched_ms:
            self._waiting.add(digest, new)
        return True

    # What follows is done by the writer, which may be a thread.

    def _count(self, totals: _Totals) -> None:
        self._totals = totals
        self._stats.evictions += totals.evicted
        if totals.bytes > self._max_bytes and totals.evicted:
            self._surplus.add(_FLAG, True)
            self.backend.wake()

    def _discard(self, digests: Collection[bytes]) -> Work[set[bytes]]:
        totals = yield from lock_totals(self.backend.dialect)
        gone = yield from rows.delete_entries(self.backend.dialect, totals, digests)
        # Set here, in the order of the transactions; should this one fail to commit, the next sets it right.
        self._totals = _Totals.of(totals)
        return gone

    def _store(self, waiting: Mapping[bytes, _Waiting], totals: Totals) -> Work[_Totals]:
        dialect = self.backend.dialect
        above = purge.stones_over({d: (w.entry.key, w.entry.origins) for d, w in waiting.items()})
        wide = {stone for some in above.values() for stone in some}
        known, stones = yield from rows.read_known(dialect, waiting, wide)
        purged = purge.latest_over(above, stones)
        latest_ms = milliseconds(self._clock.now() + MAX_AHEAD_S)
        wanted = {
            digest: held.entry
            for digest, held in waiting.items()
            if (digest not in known or known[digest][0] <= held.fetched_ms or known[digest][0] > latest_ms)
            and max(held.fetched_ms, rows.pinned_ms(held.entry)) > purged.get(digest, -rows.MAX_MS)
        }
        with_size = dialect.has_size_column
        # In order of the digest: two nodes that store the same keys lock them in the same order.
        made = [rows.to_row(digest, wanted[digest], with_size=with_size) for digest in sorted(wanted)]
        yield from rows.insert_rows(dialect, made)
        replaced = [known[digest][1] for digest in wanted if digest in known]
        added = sum(map(rows.size_of, made)) - sum(replaced)
        yield from totals.add("entries", len(wanted) - len(replaced), added)
        yield from self._note_uses()
        return (yield from self._evict(_EVICTIONS, totals))

    def _note_uses(self) -> Work[None]:
        now_s = self._clock.monotonic()
        if self._uses and (now_s - self._noted_s >= USES_AFTER_S or len(self._uses) >= MAX_USES // 2):
            uses, self._uses, self._noted_s = self._uses, {}, now_s
            yield from worth.note_uses(self.backend.dialect, uses, milliseconds(self._clock.now()))

    def _evict(self, batches: int, totals: Totals) -> Work[_Totals]:
        """Let rows go until the rest fits, nothing is left that may leave, or ``batches`` are done."""
        evicted = 0
        while (surplus := totals.of("entries").bytes - self._max_bytes) > 0 and batches:
            gone = yield from worth.evict(
                self.backend.dialect,
                totals,
                surplus,
                now_ms=milliseconds(self._clock.now()),
                stale_if_error_frac=self._stale_if_error_frac,
                start=self._rng.randbytes(DIGEST_BYTES),
            )
            if not gone:
                break
            evicted += len(gone)
            batches -= 1
        return _Totals.of(totals, evicted)

    def _remove_damaged(self, seen: Mapping[bytes, bytes], totals: Totals) -> Work[_Totals]:
        digests = yield from rows.damaged_of(seen)  # a good row may have come in their place
        yield from rows.delete_entries(self.backend.dialect, totals, digests)
        return _Totals.of(totals)

    def _purge_some(self, scopes: Sequence[Scope], after: bytes) -> Work[tuple[bytes | None, int]]:
        """Remove what the scopes cover among the next rows; return where to go on (``None``: done), and how many."""
        totals = yield from lock_totals(self.backend.dialect)
        sql = "SELECT digest, `key`, origins FROM entries WHERE digest > ? ORDER BY digest LIMIT ?"
        found = yield Ask(sql, (after, _SCAN))
        meant = [digest for digest, text, origins in found if _is_row_meant(text, origins, scopes)]
        gone = yield from rows.delete_entries(self.backend.dialect, totals, meant)
        self._totals = _Totals.of(totals)
        return (found[-1][0] if len(found) == _SCAN else None), len(gone)


class SqliteTier(SqlTier):
    """A SQL tier with a SQLite file of its own: entries alone, without what else may live beside them.

    Args:
        busy_timeout_s: how long another process's lock is waited for.
        write_behind_s: longest time that an accepted entry waits for its commit; until then, a
            crash of the process loses it, a :meth:`close` does not.
    """

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
        super().__init__(self.file, clock=clock, max_bytes=max_bytes)

    async def open(self) -> None:
        """Open the file; make it, and its folder, where there is none.

        Raises:
            ConfigError: the folder or file cannot be used, or is not of this program's schema.
            TierUnavailable: the file is damaged or locked; one line says what to do.
        """
        await self.file.open()
        try:
            await self.load()
        except TierUnavailable:
            await self.file.close()
            raise


def _name_of(key: RecordKey) -> tuple[bytes, bytes]:
    """Return a key's digest and the bytes of its text."""
    text = str(key).encode()
    return blake3.blake3(text).digest(DIGEST_BYTES), text


def _minor(
    store: Callable[[Mapping[K, V], Totals], Work[_Totals]], committed: Callable[[_Totals], None]
) -> _Minor[K, V]:
    """Return a map of writes that may be lost."""
    return WriteBehind(
        store, committed, lambda _: 1, max_items=MAX_WAITING, max_weight=MAX_WAITING, is_dispensable=True
    )


def _is_meant(entry: Entry, scopes: Sequence[Scope]) -> bool:
    return any(scope.covers(entry.key, entry.origins) for scope in scopes)


def _is_row_meant(text: object, origins: object, scopes: Sequence[Scope]) -> bool:
    """Tell whether a row is covered; one whose key is damaged is: nobody can find it, and it may be meant."""
    key = rows.parse_key(text)
    made_from = origins.decode(errors="replace").split(",") if isinstance(origins, bytes) else ()
    return key is None or any(scope.covers(key, made_from) for scope in scopes)

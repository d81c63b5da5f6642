"""The identity index: which records speak of one strain, cell or other merged identity.

An identity is a text such as ``strain:blue-dream``, ``cell:85268cdbfffffff`` or ``cell:none``. The index
answers what a hunt without origins needs: which keys to ask the tiers for. It holds no facts, and
a key in it need not be held by any tier any more. Pairs are only added; adding one again changes
nothing.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from weedhounds.cache.rows import parse_key
from weedhounds.cache.sqlite_file import SqliteFile
from weedhounds.cache.write_behind import WriteBehind
from weedhounds.model.keys import RecordKey

MAX_IDENTITY_BYTES = 256
"""Longest identity; longer ones, and those that are no UTF-8, are refused."""
MAX_KEYS = 10_000
"""Most keys that are answered for one identity."""
MAX_PAIRS = 5_000_000
"""Default for the pairs in a file (about 100 bytes each); further ones are refused."""
MAX_WAITING = 20_000
"""Pairs that may wait for a commit; an addition beyond waits for one itself."""

Pair = tuple[str, str]


class IdentityStore(Protocol):
    """What every identity index does."""

    async def add_many(self, pairs: Iterable[tuple[str, RecordKey]]) -> None:
        """Note that each key speaks of its identity.

        Raises:
            TierUnavailable: nothing was noted.
        """
        ...

    async def keys_of(self, identities: Collection[str]) -> dict[str, list[RecordKey]]:
        """Return the keys of each identity, in order of their text; one that has none is absent.

        Raises:
            TierUnavailable: the backend failed.
        """
        ...


class IdentityIndex:
    """The index in the SQLite file of the tier, whose threads, connections and close it shares.

    Make it before the file is opened. Pairs are readable at once and committed with the tier's entries.

    Args:
        max_pairs: what the table may hold.

    Bounds: ``max_pairs`` in the file, ``MAX_WAITING`` in memory plus one batch, ``MAX_KEYS`` in an answer.
    """

    def __init__(self, file: SqliteFile, *, max_pairs: int = MAX_PAIRS) -> None:
        self._file = file
        self._max_pairs = max_pairs
        self._waiting: WriteBehind[Pair, bool, int] = WriteBehind(
            self._store, self._count, lambda _: 1, max_items=MAX_WAITING, max_weight=MAX_WAITING
        )
        self.refused = 0
        """pairs that were malformed or found the table full, since start"""
        file.gather(self._waiting)

    async def add_many(self, pairs: Iterable[tuple[str, RecordKey]]) -> None:
        """Note that each key speaks of its identity; a malformed identity is refused and counted.

        Raises:
            TierUnavailable: nothing was noted: the last commit failed, or the file is closed.
        """
        await self._file.make_room(self._waiting)
        for identity, key in pairs:
            if _is_identity(identity):
                self._waiting.add((identity, str(key)), True)
            else:
                self.refused += 1
        self._file.wake()

    async def keys_of(self, identities: Collection[str]) -> dict[str, list[RecordKey]]:
        """Return the keys of each identity, in order of their text, at most ``MAX_KEYS`` each.

        Raises:
            TierUnavailable: the file cannot be read.
        """
        wanted = [identity for identity in dict.fromkeys(identities) if _is_identity(identity)]
        if not wanted:
            return {}
        texts: dict[str, set[str]] = {identity: set() for identity in wanted}
        for identity, text in self._waiting.items():
            if identity in texts:
                texts[identity].add(text)
        for identity, stored in (await self._file.read(lambda connection: _read(connection, wanted))).items():
            texts[identity].update(stored)
        return _parsed(texts)

    def _count(self, refused: int) -> None:
        self.refused += refused

    def _store(self, connection: sqlite3.Connection, waiting: Mapping[Pair, bool]) -> int:
        """Write pairs as far as there is room; return how many were refused. Runs in the writer thread."""
        held = connection.execute("SELECT rows FROM totals WHERE name = 'identities'").fetchone()[0]
        accepted = list(waiting)[: max(0, self._max_pairs - held)]
        added = connection.executemany("INSERT OR IGNORE INTO identities VALUES (?, ?)", accepted).rowcount
        connection.execute("UPDATE totals SET rows = rows + ? WHERE name = 'identities'", (max(0, added),))
        return len(waiting) - len(accepted)


class MemoryIdentityIndex:
    """The index of a node without a file.

    Bounds: ``max_pairs`` pairs; the identities that were added to longest ago leave first. An identity that alone
    fills the index takes no more.
    """

    def __init__(self, max_pairs: int = 100_000) -> None:
        self._max_pairs = max_pairs
        self._keys: OrderedDict[str, dict[RecordKey, None]] = OrderedDict()
        self._pairs = 0
        self.refused = 0
        """pairs that were malformed or found one identity filling all, since start"""

    async def add_many(self, pairs: Iterable[tuple[str, RecordKey]]) -> None:
        """Note that each key speaks of its identity; a malformed identity is refused and counted."""
        for identity, key in pairs:
            if _is_identity(identity):
                self._add(identity, key)
            else:
                self.refused += 1

    async def keys_of(self, identities: Collection[str]) -> dict[str, list[RecordKey]]:
        """Return the keys of each identity, in order of their text, at most ``MAX_KEYS`` each."""
        held = {identity: self._keys[identity] for identity in identities if identity in self._keys}
        return {identity: sorted(keys, key=str)[:MAX_KEYS] for identity, keys in held.items()}

    def _add(self, identity: str, key: RecordKey) -> None:
        keys = self._keys.setdefault(identity, {})
        self._keys.move_to_end(identity)
        self._pairs += key not in keys
        keys[key] = None
        while self._pairs > self._max_pairs:
            oldest = next(iter(self._keys))
            if oldest == identity:
                keys.popitem()
                self._pairs -= 1
                self.refused += 1
            else:
                self._pairs -= len(self._keys.pop(oldest))


def _is_identity(text: str) -> bool:
    try:
        return 0 < len(text.encode()) <= MAX_IDENTITY_BYTES
    except UnicodeEncodeError:
        return False


def _read(connection: sqlite3.Connection, identities: list[str]) -> dict[str, list[str]]:
    """Return the stored key texts; needs a connection that gives texts as bytes."""
    statement = "SELECT key FROM identities WHERE identity = ? ORDER BY key LIMIT ?"
    found = {}
    for identity in identities:
        rows = connection.execute(statement, (identity, MAX_KEYS)).fetchall()
        found[identity] = [key.decode(errors="replace") for (key,) in rows if isinstance(key, bytes)]
    return found


def _parsed(texts: Mapping[str, set[str]]) -> dict[str, list[RecordKey]]:
    found = {}
    for identity, some in texts.items():
        keys = [key for text in sorted(some)[:MAX_KEYS] if (key := parse_key(text)) is not None]
        if keys:
            found[identity] = keys
    return found

"""The identity index: which records speak of one strain, cell or other merged identity.

An identity is a text such as ``strain:blue-dream``, ``cell:85268cdbfffffff`` or ``cell:none``. The index
answers what a hunt without origins needs: which keys to ask the tiers for. It holds no facts, and
a key in it need not be held by any tier any more. Pairs are only added; adding one again changes
nothing.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

from weedhounds.cache.purge import Scope
from weedhounds.cache.rows import parse_key
from weedhounds.cache.totals import Totals, lock_totals
from weedhounds.cache.work import Ask, Backend, DoMany, Work, chunks, delete_in, marks
from weedhounds.cache.write_behind import WriteBehind
from weedhounds.errors import TierUnavailable
from weedhounds.model.keys import MAX_KEY_BYTES, RecordKey
from weedhounds.telemetry import get_logger

MAX_IDENTITY_BYTES = 256
"""Longest identity; longer ones, and those that are no UTF-8, are refused."""
MAX_KEYS = 10_000
"""Most keys that are answered for one identity."""
MAX_PAIRS = 5_000_000
"""Default for the pairs in a file (about 100 bytes each); further ones are refused."""
MAX_WAITING = 20_000
"""Pairs that may wait for a commit; an addition beyond waits for one itself."""

ANSWER_S = 5.0
"""How long an index may take before it counts as failed."""
_BATCH = 500
"""Keys whose pairs are purged in one transaction."""

Pair = tuple[str, str]
log = get_logger("weedhounds.cache.identity")


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
    """The index in the database of the SQL tier, whose backend and close it shares.

    Make it before the backend is opened. Pairs are readable at once and committed with the tier's entries.

    Args:
        max_pairs: what the table may hold.

    Bounds: ``max_pairs`` in the database, ``MAX_WAITING`` in memory plus one batch, ``MAX_KEYS`` in an answer.
    """

    def __init__(self, backend: Backend, *, max_pairs: int = MAX_PAIRS) -> None:
        self._backend = backend
        self._max_pairs = max_pairs
        self._waiting: WriteBehind[Pair, bool, int] = WriteBehind(
            self._store, self._count, lambda _: 1, max_items=MAX_WAITING, max_weight=MAX_WAITING
        )
        self.refused = 0
        """pairs that were malformed or found the table full, since start"""
        backend.gather(self._waiting)

    async def add_many(self, pairs: Iterable[tuple[str, RecordKey]]) -> None:
        """Note that each key speaks of its identity; a malformed identity is refused and counted.

        Raises:
            TierUnavailable: nothing was noted: the last commit failed, or the database is closed.
        """
        await self._backend.make_room(self._waiting)
        for identity, key in pairs:
            text = str(key)
            if _is_identity(identity) and len(text) <= MAX_KEY_BYTES:
                self._waiting.add((identity, text), True)
            else:
                self.refused += 1
        self._backend.wake()

    async def keys_of(self, identities: Collection[str]) -> dict[str, list[RecordKey]]:
        """Return the keys of each identity, in order of their text, at most ``MAX_KEYS`` each.

        Raises:
            TierUnavailable: the database cannot be read.
        """
        wanted = [identity for identity in dict.fromkeys(identities) if _is_identity(identity)]
        if not wanted:
            return {}
        texts: dict[str, set[str]] = {identity: set() for identity in wanted}
        for identity, text in self._waiting.items():
            if identity in texts:
                texts[identity].add(text)
        for identity, stored in (await self._backend.read(lambda: _read(wanted))).items():
            texts[identity].update(stored)
        return _parsed(texts)

    async def purge(self, scopes: Sequence[Scope]) -> int:
        """Remove the pairs whose keys the scopes cover, in small batches; return how many.

        Raises:
            TierUnavailable: it may not have been done as a whole; doing it again does no harm.
        """
        removed = 0
        for pair in self._waiting.items():
            key = parse_key(pair[1].encode())
            if key is not None and any(scope.covers(key, ()) for scope in scopes):
                removed += self._waiting.discard(pair)
        for scope in scopes:
            for prefix in scope.prefixes():
                while count := await self._backend.write(partial(self._purge_some, prefix, scope.kind == "key")):
                    removed += count
        return removed

    # What follows is done by the writer, which may be a thread.

    def _count(self, refused: int) -> None:
        self.refused += refused

    def _store(self, waiting: Mapping[Pair, bool], totals: Totals) -> Work[int]:
        """Write pairs as far as there is room; return how many were refused."""
        accepted = sorted(waiting)[: max(0, self._max_pairs - totals.of("identities").rows)]
        head, tail = self._backend.dialect.insert_new("identities", ("identity", "key"), ("identity", "key"))
        added = yield DoMany(head, accepted, tail)
        yield from totals.add("identities", max(0, added))
        return len(waiting) - len(accepted)

    def _purge_some(self, prefix: str, is_whole: bool) -> Work[int]:
        totals = yield from lock_totals(self._backend.dialect)
        texts = [prefix] if is_whole else (yield from _keys_from(prefix))
        gone = yield from delete_in("identities", "key", texts)
        yield from totals.add("identities", -gone)
        return gone


class TolerantIndex:
    """An index whose failures cost an answer what it would have added, and not the answer.

    What is asked of it is where else to look: without it the origins are asked as if nothing were known.
    """

    def __init__(self, index: IdentityStore) -> None:
        self._index = index
        self._is_failing = False
        self.failures = 0
        """questions that the index could not answer, since start"""

    async def add_many(self, pairs: Iterable[tuple[str, RecordKey]]) -> None:
        """Note that each key speaks of its identity. Raises as the index."""
        await self._index.add_many(pairs)

    async def keys_of(self, identities: Collection[str]) -> dict[str, list[RecordKey]]:
        """Return the keys of each identity; none where the index fails."""
        try:
            async with asyncio.timeout(ANSWER_S):
                found = await self._index.keys_of(identities)
        except (TierUnavailable, TimeoutError) as error:
            self.failures += 1
            if not self._is_failing:  # one line for an outage, not one for each question
                self._is_failing = True
                log.warning("identity index skipped", why=str(error) or f"no answer within {ANSWER_S:g} s")
            return {}
        self._is_failing = False
        return found


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


def _read(identities: list[str]) -> Work[dict[str, list[str]]]:
    """Return the stored key texts: of all identities at once, or one by one where they have very many."""
    found: dict[str, list[str]] = {identity: [] for identity in identities}
    named = {identity.encode(): identity for identity in identities}
    most = MAX_KEYS + len(identities)
    for some in chunks(identities):
        sql = f"SELECT identity, `key` FROM identities WHERE identity IN ({marks(len(some))}) LIMIT ?"
        pairs = yield Ask(sql, (*some, most + 1))
        if len(pairs) > most:
            return (yield from _read_one_by_one(identities))
        for identity, text in pairs:
            if isinstance(text, bytes) and identity in named:
                found[named[identity]].append(text.decode(errors="replace"))
    return found


def _read_one_by_one(identities: list[str]) -> Work[dict[str, list[str]]]:
    found = {}
    for identity in identities:
        sql = "SELECT `key` FROM identities WHERE identity = ? ORDER BY `key` LIMIT ?"
        texts = yield Ask(sql, (identity, MAX_KEYS))
        found[identity] = [text.decode(errors="replace") for (text,) in texts if isinstance(text, bytes)]
    return found


def _keys_from(prefix: str) -> Work[list[str]]:
    """Return some stored key texts that begin with ``prefix``."""
    sql = "SELECT DISTINCT `key` FROM identities WHERE `key` >= ? AND `key` < ? ORDER BY `key` LIMIT ?"
    texts = yield Ask(sql, (prefix, prefix + "\x7f", _BATCH))
    return [text.decode(errors="replace") for (text,) in texts if isinstance(text, bytes)]


def _parsed(texts: Mapping[str, set[str]]) -> dict[str, list[RecordKey]]:
    found = {}
    for identity, some in texts.items():
        keys = [key for text in sorted(some)[:MAX_KEYS] if (key := parse_key(text.encode())) is not None]
        if keys:
            found[identity] = keys
    return found

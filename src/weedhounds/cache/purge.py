"""Purges: what they cover, and the tombstones that keep late writes of older data from coming back.

A purge of a scope says that nothing fetched up to its moment may be held any more. The moment is
the purging node's time of facts. A tombstone holds it for ``RETENTION_S``, at most ``MAX_TOMBSTONES``
of them; the numbers that they get tell other nodes what to let go of in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Literal

import blake3
import msgspec

from weedhounds.cache.work import Ask, Do, DoMany, Work, ask_in, delete_in
from weedhounds.errors import BadInput, TierUnavailable
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import DIGEST_BYTES, RecordKey

RETENTION_S = 30 * 86_400.0
"""How long a tombstone is kept: longer than any write can be late."""
MAX_TOMBSTONES = 100_000
"""Most tombstones kept; the oldest leave."""
MAX_WHY_BYTES = 256
POLL_S = 1.0
"""Seconds between two looks for purges of other nodes."""
_COLUMNS = ("digest", "scope", "purged_ms", "why")


class Scope(msgspec.Struct, frozen=True, gc=False):
    """What a purge covers.

    Args:
        kind: one key, all made from one origin, all of one data type, or everything.
        value: the key's text, the origin's id, the data type; empty for everything.
    """

    kind: Literal["key", "origin", "type", "all"]
    value: str = ""

    @classmethod
    def of_key(cls, key: RecordKey) -> Scope:
        """Return the scope of one key."""
        return cls("key", str(key))

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Return the scope that :attr:`text` spells.

        Raises:
            BadInput: it spells none.
        """
        kind, _, value = text.partition(":")
        if kind not in ("key", "origin", "type", "all"):
            raise BadInput(f"not a scope of a purge: {text!r:.80}")
        return cls(kind, value)  # type: ignore[arg-type]

    @property
    def text(self) -> str:
        """Return the form in which it is stored."""
        return f"{self.kind}:{self.value}"

    @property
    def digest(self) -> bytes:
        """Return the digest of a key, or that of the text."""
        text = self.value if self.kind == "key" else self.text
        return blake3.blake3(text.encode()).digest(DIGEST_BYTES)

    def covers(self, key: RecordKey, origins: Collection[str]) -> bool:
        """Tell whether an entry of this key, made from these origins, is meant."""
        if self.kind == "key":
            return str(key) == self.value
        if self.kind == "origin":
            return key.origin == self.value or self.value in origins
        return self.kind == "all" or key.data_type.value == self.value

    def prefixes(self) -> list[str]:
        """Return the beginnings of the key texts that are meant."""
        if self.kind == "key":
            return [self.value]
        if self.kind == "origin":
            return [f"{data_type.value}:{self.value}:" for data_type in DataType]
        return [f"{self.value}:"] if self.kind == "type" else [""]


def scopes_above(key: RecordKey, origins: Iterable[str]) -> list[Scope]:
    """Return the wide scopes that cover an entry of ``key``."""
    return [
        Scope("all"),
        Scope("type", key.data_type.value),
        *(Scope("origin", origin) for origin in {key.origin, *origins}),
    ]


class PurgeWatch:
    """Looks once in a while whether any node has purged something, and tells whom it concerns.

    Args:
        new: returns the purges since its last call, and up to which moment each reaches (Unix seconds).
        let_go: told of each.
        poll_s: seconds between two looks.
    """

    def __init__(
        self,
        new: Callable[[], Awaitable[Sequence[tuple[Scope, float]]]],
        let_go: Callable[[Scope, float], Awaitable[None]],
        *,
        poll_s: float = POLL_S,
    ) -> None:
        self._new = new
        self._let_go = let_go
        self._poll_s = poll_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._poll_s)
            with suppress(TierUnavailable, BadInput):  # the database is away, or a newer node's kind of purge
                for scope, moment in await self._new():
                    await self._let_go(scope, moment)


# Work: see weedhounds.cache.work.


def bury(scopes: Sequence[Scope], why: str, now_ms: int) -> Work[None]:
    """Leave a tombstone for each scope, in place of an older one; let the oldest go."""
    digests = [scope.digest for scope in scopes]
    yield from delete_in("tombstones", "digest", digests)
    told = why.encode(errors="replace")[:MAX_WHY_BYTES].decode(errors="ignore")
    stones = [(d, scope.text, now_ms, told) for d, scope in dict(zip(digests, scopes, strict=True)).items()]
    yield DoMany(f"INSERT INTO tombstones ({', '.join(_COLUMNS)})", stones, "")
    yield Do("DELETE FROM tombstones WHERE purged_ms < ?", (now_ms - int(RETENTION_S * 1000),))
    found = yield Ask("SELECT seq FROM tombstones ORDER BY seq DESC LIMIT 1 OFFSET ?", (MAX_TOMBSTONES,))
    if found:
        yield Do("DELETE FROM tombstones WHERE seq <= ?", (found[0][0],))


def purged_since(seq: int, limit: int = 1000) -> Work[list[tuple[int, bytes, int]]]:
    """Return (number, scope, moment in ms) of the purges after number ``seq``, the first ``limit``."""
    found = yield Ask("SELECT seq, scope, purged_ms FROM tombstones WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))
    return [(int(number), text, int(moment)) for number, text, moment in found]


def last_purge() -> Work[int]:
    """Return the number of the last purge; 0 where there was none."""
    found = yield Ask("SELECT max(seq) FROM tombstones")
    return int(found[0][0] or 0)


def stones_over(keys: Mapping[bytes, tuple[RecordKey, Collection[str]]]) -> dict[bytes, list[bytes]]:
    """Return for each digest those of the wide scopes that cover it.

    Args:
        keys: by digest: the key, and the origins that the entry was made from.
    """
    digests: dict[tuple[DataType, str, tuple[str, ...]], list[bytes]] = {}  # few different ones, of many keys
    above = {}
    for digest, (key, origins) in keys.items():
        alike = (key.data_type, key.origin, tuple(origins))
        if alike not in digests:
            digests[alike] = [scope.digest for scope in scopes_above(key, origins)]
        above[digest] = digests[alike]
    return above


def purged_ms_of(keys: Mapping[bytes, tuple[RecordKey, Collection[str]]]) -> Work[dict[bytes, int]]:
    """Return for each digest that was purged, by itself or with more, up to when (ms).

    Args:
        keys: by digest: the key, and the origins that the entry was made from.
    """
    above = stones_over(keys)
    asked = {*keys, *(digest for some in above.values() for digest in some)}
    stones: dict[bytes, int] = (
        dict((yield from ask_in("SELECT digest, purged_ms FROM tombstones WHERE digest", asked))) if keys else {}
    )
    return latest_over(above, stones)


def latest_over(above: Mapping[bytes, Sequence[bytes]], stones: Mapping[bytes, int]) -> dict[bytes, int]:
    """Return up to when (ms) each digest was purged, by its own tombstone or one of those above it."""
    if not stones:
        return {}
    found = {}
    for digest, some in above.items():
        moments = [stones[each] for each in (digest, *some) if each in stones]
        if moments:
            found[digest] = max(moments)
    return found

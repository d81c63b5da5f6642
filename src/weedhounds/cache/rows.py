"""Entries as rows of the table ``entries``: the statements, and the way there and back.

Everything that comes from the file is taken as possibly damaged: a row that makes no sense is no
entry. Functions here run in the threads of :mod:`weedhounds.cache.sqlite_file`.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from weedhounds.cache.entry import Entry
from weedhounds.errors import BadInput
from weedhounds.model.keys import DIGEST_BYTES, RecordKey
from weedhounds.model.provenance import ShareScope

CHUNK = 500
"""Most digests in one statement."""
ROW_BYTES = 200
"""What a row counts beside its key and body."""
MAX_MS = 2**62
"""Milliseconds that stand for "never"."""
_COLUMNS = (
    "digest", "key", "data_type", "origin", "fetched_ms", "expires_ms", "content", "origins", "share",
    "etag", "last_modified", "pinned", "signed_by", "body",
)  # fmt: skip
UPSERT = (
    f"INSERT INTO entries ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
    f" ON CONFLICT (digest) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}"
)
_READ = (
    "SELECT digest, key, fetched_ms, expires_ms, content, origins, share, etag, last_modified, pinned, signed_by, body"
    " FROM entries WHERE digest"
)
_SCOPES = {scope.value.encode(): scope for scope in ShareScope}


def milliseconds(seconds: float) -> int:
    """Return Unix seconds as the milliseconds that are stored; no number becomes 0, infinity ``MAX_MS``."""
    if math.isnan(seconds):
        return 0
    if abs(seconds) * 1000 >= MAX_MS:
        return MAX_MS if seconds > 0 else -MAX_MS
    return round(seconds * 1000)


def row_bytes(entry: Entry) -> int:
    """Return what the entry's row counts in the tier's bytes."""
    return ROW_BYTES + len(str(entry.key)) + len(entry.body)


def to_row(digest: bytes, entry: Entry) -> tuple[Any, ...]:
    """Return the values of a row, in the order of :data:`UPSERT`."""
    key = entry.key
    return (
        digest,
        str(key),
        key.data_type.value,
        key.origin,
        milliseconds(entry.fetched_at),
        milliseconds(entry.expires_at),
        entry.digest,
        storable(",".join(entry.origins)),
        entry.share.value,
        storable(entry.etag),
        storable(entry.last_modified),
        0 if entry.pinned_at is None else max(1, milliseconds(entry.pinned_at)),
        storable(entry.signed_by),
        entry.body,
    )


def storable(text: str | None) -> str | None:
    """Return ``text`` with what UTF-8 cannot hold (lone surrogates from an origin) replaced."""
    if text is None or text.isascii():
        return text
    return text.encode(errors="replace").decode()


def read_entries(connection: sqlite3.Connection, wanted: Mapping[bytes, RecordKey]) -> dict[RecordKey, Entry]:
    """Return the entries of the digests asked for; needs a connection that gives texts as bytes."""
    found = {}
    for some in chunks(wanted):
        for row in connection.execute(f"{_READ} IN ({marks(some)})", some).fetchall():
            key = wanted.get(row[0])
            entry = None if key is None else _to_entry(key, row)
            if entry is not None:
                found[entry.key] = entry
    return found


def read_sizes(connection: sqlite3.Connection, digests: Iterable[bytes]) -> dict[bytes, tuple[int, int]]:
    """Return for each digest held when its entry was fetched (ms), and what its row counts, bytes."""
    found = {}
    for some in chunks(digests):
        # The length of a body stands in the row's head: no overflow page is read for it.
        rows = connection.execute(
            f"SELECT digest, fetched_ms, length(key) + length(body) FROM entries WHERE digest IN ({marks(some)})", some
        )
        for digest, fetched_ms, size in rows:
            # A damaged row is as old as can be, so that any put replaces it.
            found[digest] = (fetched_ms if type(fetched_ms) is int else -MAX_MS, ROW_BYTES + (size or 0))
    return found


def read_keys(connection: sqlite3.Connection, prefix: str, limit: int) -> list[str]:
    """Return the first ``limit`` key texts with ``prefix``, in order; reads every row's key."""
    rows = connection.execute(
        "SELECT key FROM entries WHERE substr(key, 1, ?) = ? ORDER BY key LIMIT ?",
        (len(prefix), storable(prefix), min(limit, MAX_MS)),
    )
    return [key.decode(errors="replace") for (key,) in rows.fetchall() if isinstance(key, bytes)]


def read_totals(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return how many entries the file holds and what they count, bytes."""
    rows, size = connection.execute("SELECT rows, bytes FROM totals WHERE name = 'entries'").fetchone()
    return rows, size


def parse_key(text: str) -> RecordKey | None:
    """Return the key that a stored text spells, or ``None`` for a damaged one."""
    try:
        return RecordKey.parse(text)
    except BadInput:
        return None


def chunks(digests: Iterable[bytes]) -> Iterator[list[bytes | None]]:
    """Split digests for statements: at most ``CHUNK``, filled up with nulls to few different lengths.

    An equal number of marks is an equal statement, which SQLite need not compile again.
    """
    rest = iter(digests)
    while some := list(islice(rest, CHUNK)):
        length = min(CHUNK, 1 << (len(some) - 1).bit_length())
        yield [*some, *[None] * (length - len(some))]


def marks(some: list[bytes | None]) -> str:
    """Return as many placeholders as there are values."""
    return ",".join("?" * len(some))


def _to_entry(key: RecordKey, row: tuple[Any, ...]) -> Entry | None:
    """Return the entry of a row, or ``None`` where the row is another key's or makes no sense."""
    _, text, fetched_ms, expires_ms, content, origins, share, etag, last_modified, pinned, signed_by, body = row
    scope = _SCOPES.get(share)
    if text != str(key).encode() or scope is None:
        return None
    if type(fetched_ms) is not int or type(expires_ms) is not int:
        return None
    if type(body) is not bytes or type(content) is not bytes or len(content) != DIGEST_BYTES:
        return None
    return Entry(
        key,
        body,
        fetched_at=_seconds(fetched_ms),
        expires_at=_seconds(expires_ms),
        digest=content,
        origins=tuple((_text(origins) or key.origin).split(",")),
        share=scope,
        etag=_text(etag),
        last_modified=_text(last_modified),
        pinned_at=_seconds(pinned) if type(pinned) is int and pinned > 0 else None,
        signed_by=_text(signed_by),
    )


def _seconds(stored_ms: int) -> float:
    return math.inf if stored_ms >= MAX_MS else stored_ms / 1000


def _text(value: Any) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else None

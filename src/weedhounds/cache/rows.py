"""Entries as rows of the table ``entries``: the statements, and the way there and back.

Everything that comes from the database is taken as possibly damaged: a row that makes no sense,
or whose seal does not match, is no entry. The seal covers what stands beside the body, whose
checksum is the codec's. No I/O: statements are values (:mod:`weedhounds.cache.work`).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from weedhounds.cache.entry import Entry
from weedhounds.cache.totals import Totals
from weedhounds.cache.work import ROW_BYTES, Ask, Dialect, DoMany, Row, Work, ask_in, chunks, delete_in, marks
from weedhounds.errors import BadInput
from weedhounds.model.keys import DIGEST_BYTES, RecordKey
from weedhounds.model.provenance import ShareScope

MAX_MS = 2**62
"""Milliseconds that stand for "never"."""
MAX_TEXT_BYTES = 1024
"""Longest validator or signer that is stored; a longer one is left out."""
MAX_ORIGINS_BYTES = 4096
"""Longest list of origins that is stored: over a hundred."""
_COLUMNS = (
    "digest", "key", "data_type", "origin", "fetched_ms", "expires_ms", "content", "origins", "share",
    "etag", "last_modified", "pinned", "signed_by", "seal", "body",
)  # fmt: skip
READ = (
    "SELECT digest, `key`, fetched_ms, expires_ms, pinned, content, origins, share, etag, last_modified, signed_by,"
    " seal, body FROM entries WHERE digest"
)
"""What :func:`to_entry` reads; to be followed by ``IN (…)``."""
_SCOPES = {scope.value.encode(): scope for scope in ShareScope}
_SHARES = {scope: (scope.value, scope.value.encode()) for scope in ShareScope}
_NOTHING = (None, None, None)


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


def pinned_ms(entry: Entry) -> int:
    """Return the milliseconds of the import; 0 where not imported."""
    return 0 if entry.pinned_at is None else max(1, milliseconds(entry.pinned_at))


def to_row(digest: bytes, entry: Entry, *, with_size: bool = False) -> Row:
    """Return the values of a row, in the order of :func:`columns_of`."""
    text = str(entry.key)
    data_type, origin, _ = text.split(":", 2)
    fetched_ms, expires_ms, pinned = milliseconds(entry.fetched_at), milliseconds(entry.expires_at), pinned_ms(entry)
    share, share_bytes = _SHARES[entry.share]
    origins = storable(",".join(entry.origins), MAX_ORIGINS_BYTES) or origin
    etag, modified, signed_by = storable(entry.etag), storable(entry.last_modified), storable(entry.signed_by)
    rest = (
        None if etag is None else etag.encode(),
        None if modified is None else modified.encode(),
        None if signed_by is None else signed_by.encode(),
    )
    seal = seal_of((fetched_ms, expires_ms, pinned), entry.digest, (origins.encode(), share_bytes), rest)
    size = (ROW_BYTES + len(text) + len(entry.body),) if with_size else ()
    return (
        digest, text, data_type, origin, fetched_ms, expires_ms, entry.digest, origins,
        share, etag, modified, pinned, signed_by, seal, *size, entry.body,
    )  # fmt: skip


def size_of(row: Row) -> int:
    """Return what a row made by :func:`to_row` counts in the tier's bytes."""
    return ROW_BYTES + len(row[1]) + len(row[-1])


def storable(text: str | None, longest: int = MAX_TEXT_BYTES) -> str | None:
    """Return ``text`` with lone surrogates (from an origin) replaced; ``None`` where it is too long."""
    if text is None or (text.isascii() and len(text) <= longest):
        return text
    encoded = text.encode(errors="replace")
    return encoded.decode() if len(encoded) <= longest else None


def seal_of(
    times: tuple[int, int, int], content: bytes, named: tuple[bytes, bytes], rest: tuple[bytes | None, ...]
) -> int:
    """Return the CRC-32 of what stands beside the body.

    Args:
        times: fetched, expires, pinned, milliseconds.
        named: origins and share.
        rest: validators and signer.
    """
    told = b"" if rest == _NOTHING else b"\0".join([b"\xff" if text is None else text for text in rest])
    return zlib.crc32(b"%d %d %d %b%b\0%b\0%b" % (*times, content, *named, told))


def to_entry(key: RecordKey, text: bytes, row: Row) -> Entry | None:
    """Return the entry of a row (:data:`READ`), or ``None`` where the row is another key's or makes no sense.

    Args:
        text: of ``key``.
    """
    _, name, fetched_ms, expires_ms, pinned, content, origins, share, etag, modified, signed_by, seal, body = row
    scope = _SCOPES.get(share)
    if name != text or scope is None or type(body) is not bytes:
        return None
    if type(fetched_ms) is not int or type(expires_ms) is not int or type(pinned) is not int:
        return None
    if type(content) is not bytes or len(content) != DIGEST_BYTES:
        return None
    if seal is not None:  # rows of the first schema have none
        try:
            if seal != seal_of(row[2:5], content, row[6:8], row[8:11]):
                return None
        except TypeError:  # a value of another kind than was stored
            return None
    return Entry(
        key,
        body,
        fetched_at=fetched_ms / 1000 if fetched_ms < MAX_MS else math.inf,
        expires_at=expires_ms / 1000 if expires_ms < MAX_MS else math.inf,
        digest=content,
        origins=_origins(key.origin, origins),
        share=scope,
        etag=None if etag is None else _text(etag),
        last_modified=None if modified is None else _text(modified),
        pinned_at=pinned / 1000 if pinned > 0 else None,
        signed_by=None if signed_by is None else _text(signed_by),
    )


def _origins(own: str, stored: Any) -> tuple[str, ...]:
    if stored == own.encode() or type(stored) is not bytes:
        return (own,)
    return tuple(stored.decode(errors="replace").split(","))


def _text(value: Any) -> str | None:
    return value.decode(errors="replace") if type(value) is bytes else None


def parse_key(text: Any) -> RecordKey | None:
    """Return the key that a stored text spells, or ``None`` for a damaged one."""
    try:
        return RecordKey.parse(text.decode()) if type(text) is bytes else None
    except (BadInput, UnicodeDecodeError):
        return None


# Work: see weedhounds.cache.work.


def columns_of(dialect: Dialect) -> tuple[str, ...]:
    """Return the columns that :func:`to_row` fills, in its order."""
    return (*_COLUMNS[:-1], "size", _COLUMNS[-1]) if dialect.has_size_column else _COLUMNS


def insert_rows(dialect: Dialect, rows: list[Row]) -> Work[None]:
    """Insert rows, or replace those of the same digests."""
    head, tail = dialect.upsert("entries", columns_of(dialect), "digest")
    if rows:
        yield DoMany(head, rows, tail, size_of)


def read_sizes(dialect: Dialect, digests: Collection[bytes]) -> Work[dict[bytes, tuple[int, int]]]:
    """Return for each digest held when its entry was fetched (ms), and what its row counts, bytes."""
    return _sizes_of(
        (yield from ask_in(f"SELECT digest, fetched_ms, {dialect.size} FROM entries WHERE digest", digests))
    )


def read_keys(prefix: str, limit: int) -> Work[list[bytes]]:
    """Return the first ``limit`` key texts with ``prefix``, in order; reads every row's key."""
    if not prefix.isascii():  # no key is
        return []
    sql = "SELECT `key` FROM entries WHERE substr(`key`, 1, ?) = ? ORDER BY `key` LIMIT ?"
    found = yield Ask(sql, (len(prefix), prefix, min(limit, MAX_MS)))
    return [text for (text,) in found]


def delete_entries(dialect: Dialect, totals: Totals, digests: Collection[bytes]) -> Work[set[bytes]]:
    """Remove rows and what was counted of their use; return the digests of those that were there."""
    gone = (yield from read_sizes(dialect, digests)) if digests else {}
    if gone:
        yield from delete_in("entries", "digest", gone)
        yield from delete_in("uses", "digest", gone)
        yield from totals.add("entries", -len(gone), -sum(size for _, size in gone.values()))
    return set(gone)


def read_known(
    dialect: Dialect, digests: Collection[bytes], stones: Collection[bytes]
) -> Work[tuple[dict[bytes, tuple[int, int]], dict[bytes, int]]]:
    """Return sizes as :func:`read_sizes`, and the moments (ms) of the tombstones of ``stones``: in one statement."""
    sizes: list[Row] = []
    purged: dict[bytes, int] = {}
    asked = [*digests, *stones]
    for some in chunks(asked):
        several = marks(len(some))
        found = yield Ask(
            f"SELECT digest, fetched_ms, {dialect.size} FROM entries WHERE digest IN ({several})"
            f" UNION ALL SELECT digest, purged_ms, -1 FROM tombstones WHERE digest IN ({several})",
            [*some, *some],
        )
        sizes += [row for row in found if row[2] != -1]
        purged.update((row[0], row[1]) for row in found if row[2] == -1)
    return _sizes_of(sizes), purged


def _sizes_of(found: Iterable[Row]) -> dict[bytes, tuple[int, int]]:
    """Return fetch time and size by digest; a damaged row is as old as can be, so that any put replaces it."""
    return {
        digest: (fetched_ms if type(fetched_ms) is int else -MAX_MS, size if type(size) is int else ROW_BYTES)
        for digest, fetched_ms, size in found
    }


def damaged_of(seen: Mapping[bytes, bytes]) -> Work[list[bytes]]:
    """Return which of the digests (with their key's text) still have a row that is no entry."""
    found = yield from ask_in(READ, seen)
    return [row[0] for row in found if not _is_entry(seen[row[0]], row)]


def _is_entry(text: bytes, row: Row) -> bool:
    key = parse_key(text)
    return key is not None and to_entry(key, text, row) is not None

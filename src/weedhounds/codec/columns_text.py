"""Columns of text and of ids: joined to one text, numbers taken out of it. Exact both ways.

A column is bytes; the first one tells how it is written. Whatever a compact form cannot give back
exactly (a value that holds a separator, an id with a leading zero) is written as a MessagePack
list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from weedhounds.codec.columns import base_slugs, ints, pack_deltas, pack_ints, undelta
from weedhounds.errors import Corrupt

BREAK, MISSING = "\n", "\x01"
"""Between values; alone: no value."""

NAME_MARK, BRAND_MARK = "\0", "\x02"
"""In a slug: the slug of its name, the slug of its brand."""

UUID_MARK, UPPER_UUID_MARK, HEX_MARK = "\x03", "\x04", "\x05"
"""In any text: the next 16 bytes as a UUID in lower or upper case, or as 32 hexadecimal digits."""

UUID_BYTES = 16
_UUID_CHARS = 32
_MARKS = re.compile("[\x00-\x05]")
_UUID = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}|[0-9a-f]{32}"
)
_LEAST_BASE = 3
_UUID_MARKS = re.compile(f"([{UUID_MARK}{UPPER_UUID_MARK}{HEX_MARK}])")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_HEX = re.compile(r"(?:[0-9a-f]{2}){4,32}")
_PADDED = re.compile(r"(.*?)([0-9]{1,18})", re.DOTALL)
_decoder = msgspec.msgpack.Decoder(list[str | None])


def pack_texts(values: Sequence[str | None], uuids: list[bytes] | None = None) -> bytes:
    """Return a column of texts.

    Args:
        uuids: where the bytes of the UUIDs in the texts go; they stay in the texts unless given.
    """
    joined = BREAK.join([MISSING if value is None else value for value in values])
    is_plain = joined.count(BREAK) == len(values) - 1 and joined.count(MISSING) == values.count(None)
    if not values or not is_plain or UUID_MARK in joined or UPPER_UUID_MARK in joined or HEX_MARK in joined:
        return b"L" + msgspec.msgpack.encode(values)
    if uuids is not None:
        return b"T" + BREAK.join([_without_uuids(value, uuids) for value in joined.split(BREAK)]).encode()
    return b"T" + joined.encode()


def texts(column: bytes, count: int, uuids: Iterable[bytes] = ()) -> list[str | None]:
    """Return the texts that :func:`pack_texts` packed.

    Raises:
        Corrupt: another number of texts than ``count``, or of UUIDs than there are marks.
    """
    kind, data = column[:1], column[1:]
    if kind == b"T":
        text = data.decode()
        if UUID_MARK in text or UPPER_UUID_MARK in text or HEX_MARK in text:
            text = _with_uuids(text, uuids)
        values: list[str | None] = text.split(BREAK)  # type: ignore[assignment]
        if MISSING in text:
            values = [None if value == MISSING else value for value in values]
    elif kind == b"L":
        values = _decoder.decode(data)
    else:
        raise Corrupt("not a column of texts")
    if len(values) != count:
        raise Corrupt("columns have different lengths")
    return values


def _without_uuids(text: str, uuids: list[bytes]) -> str:
    if len(text) < _UUID_CHARS:
        return text

    def take(found: re.Match[str]) -> str:
        uuid = found[0]
        uuids.append(bytes.fromhex(uuid.replace("-", "")))
        return HEX_MARK if len(uuid) == _UUID_CHARS else UUID_MARK if uuid == uuid.lower() else UPPER_UUID_MARK

    return _UUID.sub(take, text)


def _with_uuids(text: str, uuids: Iterable[bytes]) -> str:
    parts = _UUID_MARKS.split(text)
    marks = parts[1::2]
    written = [
        f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}" if mark == UUID_MARK else _written(h, mark)
        for mark, h in zip(marks, map(bytes.hex, uuids), strict=False)
    ]
    if len(written) != len(marks):
        raise Corrupt("a UUID is missing")
    parts[1::2] = written
    return "".join(parts)


def _written(digits: str, mark: str) -> str:
    if mark == HEX_MARK:
        return digits
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}".upper()


def pack_ids(ids: Sequence[str]) -> bytes:
    """Return a column of ids: differences of numbers, bytes of hexadecimal digits, or texts."""
    if not ids:
        return b"L" + msgspec.msgpack.encode(ids)
    if all(map(_NUMBER.fullmatch, ids)):
        return b"D" + pack_deltas(list(map(int, ids)))
    width = len(ids[0])
    if all(len(value) == width and _HEX.fullmatch(value) for value in ids):
        return b"H" + bytes.fromhex("".join(ids))
    return _pack_padded(ids) or pack_texts(ids)


def _pack_padded(ids: Sequence[str]) -> bytes | None:
    """Return ids of one beginning and a number of fixed width (``MMBR.0000143``)."""
    found = _PADDED.fullmatch(ids[0])
    if found is None:
        return None
    start, width = found[1], len(found[2])
    numbers = [value[len(start) :] for value in ids]
    if not all(value.startswith(start) for value in ids) or len(start) > 255:
        return None
    if not all(len(number) == width and number.isascii() and number.isdigit() for number in numbers):
        return None
    written = start.encode()
    if len(written) > 255:
        return None
    return b"A" + bytes((width, len(written))) + written + pack_deltas(list(map(int, numbers)))


def ids(column: bytes, count: int) -> list[str]:
    """Return the ids that :func:`pack_ids` packed.

    Raises:
        Corrupt: another number of ids than ``count``.
    """
    kind, data = column[:1], column[1:]
    if kind == b"D":
        return list(map(str, undelta(data, count)))
    if kind == b"H":
        width = 2 * len(data) // max(count, 1)
        digits = data.hex()
        if not count or width * count != len(digits):
            raise Corrupt("columns have different lengths")
        return [digits[at : at + width] for at in range(0, len(digits), width)]
    if kind == b"A":
        return _padded(data, count)
    found = texts(column, count)
    if None in found:
        raise Corrupt("an id is missing")
    return found  # type: ignore[return-value]


def _padded(data: bytes, count: int) -> list[str]:
    if len(data) < 2 or not 1 <= data[0] <= 18:
        raise Corrupt("not a column of ids")
    width, end = data[0], 2 + data[1]
    start = data[2:end].decode()
    return [f"{start}{number:0{width}}" for number in undelta(data[end:], count)]


def pack_numbers(numbers: Sequence[int | float | None]) -> bytes:
    """Return a column of numbers: planes where all are whole and none is negative, or missing."""
    if numbers and set(map(type, numbers)) == {int}:
        if min(numbers) >= 0:  # type: ignore[type-var, operator]
            return b"P" + pack_ints(numbers)  # type: ignore[arg-type]
        return b"S" + pack_ints([n << 1 if n >= 0 else ~(n << 1) for n in numbers])  # type: ignore[operator]
    return b"L" + msgspec.msgpack.encode(numbers)


_number_decoder = msgspec.msgpack.Decoder(list[int | float | None])


def numbers(column: bytes, count: int) -> list[int | float | None]:
    """Return the numbers that :func:`pack_numbers` packed.

    Raises:
        Corrupt: another number of numbers than ``count``.
    """
    kind, data = column[:1], column[1:]
    if kind == b"P":
        return list(ints(data, count))
    if kind == b"S":
        return [n >> 1 if not n & 1 else ~(n >> 1) for n in ints(data, count)]
    if kind != b"L":
        raise Corrupt("not a column of numbers")
    found = _number_decoder.decode(data)
    if len(found) != count:
        raise Corrupt("columns have different lengths")
    return found


def pack_slugs(
    slugs: Sequence[str | None], names: Sequence[str], brands: Sequence[str | None], uuids: list[bytes]
) -> bytes:
    """Return a column of slugs, with the slugs of name and (at the beginning) brand replaced by marks."""
    if not slugs or _MARKS.search("".join(filter(None, slugs))):
        return b"W" + pack_texts(slugs)
    bases = base_slugs(names)
    starts = base_slugs([brand or "" for brand in brands])
    cut = [
        NAME_MARK if slug == base else slug if slug is None else _cut(slug, base, start)
        for slug, base, start in zip(slugs, bases, starts, strict=True)
    ]
    return b"M" + pack_texts(cut, uuids)


def _cut(slug: str, base: str, start: str) -> str:
    if len(base) >= _LEAST_BASE:
        slug = slug.replace(base, NAME_MARK, 1)
    if len(start) >= _LEAST_BASE and slug.startswith(start):
        return BRAND_MARK + slug[len(start) :]
    return slug


def slugs(
    column: bytes, names: Sequence[str], brands: Sequence[str | None], uuids: Iterable[bytes]
) -> list[str | None]:
    """Return the slugs that :func:`pack_slugs` packed; each mark is filled in once."""
    kind, data = column[:1], column[1:]
    if kind == b"W":
        return texts(data, len(names))
    if kind != b"M":
        raise Corrupt("not a column of slugs")
    found = texts(data, len(names), uuids)
    whole = [
        base if slug == NAME_MARK else slug if slug is None else slug.replace(NAME_MARK, base, 1)
        for slug, base in zip(found, base_slugs(names), strict=True)
    ]
    if BRAND_MARK.encode() not in data:
        return whole
    starts = base_slugs([brand or "" for brand in brands])
    return [
        slug if slug is None else slug.replace(BRAND_MARK, start, 1) for slug, start in zip(whole, starts, strict=True)
    ]


def pack_uuids(uuids: Sequence[bytes]) -> bytes:
    """Return UUIDs one after the other."""
    return b"".join(uuids)


def split_uuids(data: bytes) -> list[bytes]:
    """Return the UUIDs that :func:`pack_uuids` packed."""
    if len(data) % UUID_BYTES:
        raise Corrupt("a UUID is cut")
    return [data[at : at + UUID_BYTES] for at in range(0, len(data), UUID_BYTES)]

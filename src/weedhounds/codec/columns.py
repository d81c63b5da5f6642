"""Columns: the values that one field has in every record of a list, packed side by side. Exact both ways.

All work on a column is done by calls that loop in C (``map``, ``zip``, ``dict``, slices of bytes): a
Python loop over the records of a menu would take longer than compressing it. What is read is
hostile: columns of other lengths, indexes out of range and impossible widths are ``Corrupt``.
"""

from __future__ import annotations

import sys
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, count, repeat
from operator import sub
from typing import TypeVar

from weedhounds.errors import Corrupt

T = TypeVar("T")

_MOST_MEMOISED_CHARS = 256
_WIDTHS = (1, 2, 4, 8)
_TYPES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_SLUG = bytes(
    ord(chr(c).lower()) if c < 128 and chr(c).isalnum() else ord(" ")  # all else parts words
    for c in range(256)
)


def pack_ints(numbers: Sequence[int]) -> bytes:
    """Return numbers of 0 to 2**64 - 1 as planes: all lowest bytes, then all next ones, …

    The width (1, 2, 4 or 8 bytes) is the least that holds the greatest.

    Example:
        >>> pack_ints([1, 2, 258])
        b'\\x01\\x02\\x02\\x00\\x00\\x01'
    """
    if not numbers:
        return b""
    greatest = max(numbers)
    if greatest < 256:
        return bytes(numbers)
    width = next((width for width in _WIDTHS if greatest < 1 << 8 * width), 0)
    if not width:
        raise Corrupt(f"{greatest} is over 64 bits")
    flat = array(_TYPES[width], numbers)
    if sys.byteorder == "big":
        flat.byteswap()
    data = flat.tobytes()
    return b"".join([data[plane::width] for plane in range(width)])


def ints(planes: bytes, length: int) -> Sequence[int]:
    """Return ``length`` numbers that :func:`pack_ints` packed.

    Raises:
        Corrupt: the bytes are not so many planes of ``length``.
    """
    if len(planes) == length:
        return planes
    width = len(planes) // length if length else 0
    if width not in _TYPES or width * length != len(planes):
        raise Corrupt(f"{len(planes)} bytes are not {length} numbers")
    data = bytearray(len(planes))
    for plane in range(width):
        data[plane::width] = planes[plane * length : (plane + 1) * length]
    flat = array(_TYPES[width])
    flat.frombytes(data)
    if sys.byteorder == "big":
        flat.byteswap()
    return flat


def pack_deltas(numbers: Sequence[int]) -> bytes:
    """Return the differences of neighbours, the first from 0, as planes; negative ones folded in (0, -1, 1, -2, …)."""
    steps = list(map(sub, numbers, (0, *numbers)))
    return pack_ints([step << 1 if step >= 0 else ~(step << 1) for step in steps])


def undelta(planes: bytes, length: int) -> list[int]:
    """Return the numbers that :func:`pack_deltas` packed."""
    folded = ints(planes, length)
    return list(accumulate([n >> 1 if not n & 1 else ~(n >> 1) for n in folded]))


def code(values: Sequence[T]) -> tuple[list[T], bytes]:
    """Return the different values in order of appearance, and the index of each value as planes.

    No indexes are written where all values are the same. Values that are equal must be the same:
    ``0.0`` and ``-0.0`` would become one.
    """
    first = values[0]
    if values.count(first) == len(values):
        return [first], b""
    table: defaultdict[T, int] = defaultdict(count().__next__)
    indexes = list(map(table.__getitem__, values))
    return list(table), pack_ints(indexes)


def code_objects(values: Sequence[T]) -> tuple[list[T], bytes]:
    """Return :func:`code` by identity: exact for any values, best where equal ones are one object."""
    keys = list(map(id, values))
    table, indexes = code(keys)
    found = dict(zip(keys, values, strict=True))
    return list(map(found.__getitem__, table)), indexes


def decoded(table: Sequence[T], indexes: bytes, length: int) -> Iterable[T]:
    """Return ``length`` values that :func:`code` coded.

    Raises:
        Corrupt: an index without a value.
    """
    if not indexes and len(table) == 1:
        return repeat(table[0], length)
    try:
        return list(map(table.__getitem__, ints(indexes, length)))
    except IndexError:
        raise Corrupt("an index without a value") from None


def base_slugs(names: Sequence[str]) -> list[str]:
    """Return :func:`base_slug` of each name."""
    if max(map(len, names), default=0) < _MOST_MEMOISED_CHARS:
        return list(map(base_slug, names))
    return [base_slug.__wrapped__(name) for name in names]


@lru_cache(maxsize=32768)
def base_slug(name: str) -> str:
    """Return the slug of a name: its ASCII letters (in lower case) and digits, in words joined by hyphens.

    Apostrophes and what is not ASCII are dropped, everything else parts words. The rule is part of
    the format and cannot change; it is not :func:`weedhounds.model.names.slugify`, which may.

    Bounds: memoised for the 32,768 latest names (about 6 MB): a menu's names are nearly all there
    from the last time that it was read, and cutting a slug takes 0.4 us.

    Example:
        >>> base_slug("P37 - GMO Cookies (Papa's)"), base_slug("Größe")
        ('p37-gmo-cookies-papas', 'gre')
    """
    return "-".join(name.encode("ascii", "ignore").translate(_SLUG, b"'").decode("ascii").split())


def code_all(values: Sequence[T]) -> tuple[list[T], bytes]:
    """Return :func:`code`; of no values an empty table."""
    return code(values) if values else ([], b"")


def decode_all(coded: tuple[Sequence[T], bytes], length: int) -> list[T]:
    """Return the values that :func:`code_all` coded."""
    return list(decoded(*coded, length)) if length else []


def whole(values: Sequence[T | None]) -> list[T]:
    """Return the same values.

    Raises:
        Corrupt: one is missing.
    """
    if None in values:
        raise Corrupt("a value is missing")
    return values  # type: ignore[return-value]


def are_same(ones: Sequence[object], others: Sequence[object]) -> bool:
    """Tell whether packed numbers are the very same: equal ones of other types are not (0 and -0.0)."""
    return ones == others and list(map(type, ones)) == list(map(type, others))

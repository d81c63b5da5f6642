"""The envelope around every stored body. ``docs/whb.md`` specifies it.

Layout of version 2::

    0    2  magic "wh"
    2    1  envelope version (2)
    3    1  format in the high four bits, compression in the low four (``base.py``)
    4    4  id of the dictionary, only where the compression has one
    4    8  digest of the base's payload, only in a patch
    .    1  A0, only with a dictionary or in a patch
    .    4  length of the payload once decompressed, little-endian
    .    .  the payload as stored
   -4    4  CRC-32 (zlib) of everything before it, little-endian

The byte A0, the length and the stored blocks are together one zstd frame (without its magic): A0
says that a length of four bytes follows and nothing else. So the frame cannot claim another
length than the envelope, and is read without being copied together.

The checksum stands at the end and is little-endian, so that the CRC-32 of a whole envelope is one
constant: a single call checks it. Every later version keeps that, and the first three bytes, so
that a damaged envelope is told from an unknown one.

Version 1 (16 bytes of header, big-endian: "wh", 1, format, compression, three zeros, length,
CRC-32 of the twelve bytes and the payload) is still read, and no longer written.

Lengths are bounded before anything is allocated: by :data:`MAX_BODY_BYTES`, and by a ratio to the
bytes that are there (``compress.output_limit``).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from isal.isal_zlib import crc32

from weedhounds.codec.base import (
    COMPRESSION_NUMBERS,
    FORMAT_NUMBERS,
    MAX_BODY_BYTES,
    SECOND_ROWS,
    Compression,
    Format,
)
from weedhounds.codec.compress import output_limit
from weedhounds.errors import Corrupt, UnknownVersion

VERSION = 2
MAGIC = b"wh"
HEADER_BYTES = 8
"""Of an envelope without dictionary and base; the checksum at the end takes four more."""

CHECKSUM_BYTES = 4
DICTIONARY_ID_BYTES = 4
BASE_DIGEST_BYTES = 8
PATCH_NUMBER = 7
"""The compression number of a patch."""

FRAME_BYTE = 0xA0
"""Frame header descriptor of zstd: a single segment, its size in four bytes, no checksum, no dictionary id."""

RESIDUE = 0x2144DF1C
"""CRC-32 of any bytes followed by their CRC-32 in little-endian order."""

FORMATS = {number: format_ for format_, number in FORMAT_NUMBERS.items()} | {SECOND_ROWS: Format.WHB_ROW}
COMPRESSIONS = {number: compression for compression, number in COMPRESSION_NUMBERS.items()}

_V1 = struct.Struct(">2sBBB3xI")
_V1_HEADER_BYTES = 16
_HEAD = struct.Struct("<2sBB")
_ROW_HEAD = struct.Struct("<4s4sBI")
_FRAME = struct.Struct("<BI")
_U32 = struct.Struct("<I")
_NUMBERS: Mapping[Compression | None, int] = {None: PATCH_NUMBER} | dict(COMPRESSION_NUMBERS)
_DICTIONARY_NUMBER = COMPRESSION_NUMBERS[Compression.ZSTD_DICT]
ROW_HEAD = _HEAD.pack(MAGIC, VERSION, FORMAT_NUMBERS[Format.WHB_ROW] << 4 | _DICTIONARY_NUMBER)
"""What envelopes of rows compressed with a dictionary begin with: those that entries hold."""

SECOND_ROW_HEAD = _HEAD.pack(MAGIC, VERSION, SECOND_ROWS << 4 | _DICTIONARY_NUMBER)
"""The same of rows of the second layout."""

SHORT_FRAME, MIDDLE_FRAME = 0x20, 0x60
"""As ``FRAME_BYTE``, but with the size in one byte, or (less 256) in two."""


class Envelope(NamedTuple):
    """What an envelope says, its checksum verified.

    Args:
        compression: ``None`` for a patch.
        length: bytes of the payload once decompressed; within the limits.
        named: the dictionary's id, a patch's base digest, or nothing.
        stored: the payload as stored; with a dictionary or base a frame with its header.
    """

    version: int
    format: Format
    compression: Compression | None
    length: int
    named: bytes
    stored: bytes


def seal(
    stored: bytes,
    format: Format | int,
    compression: Compression | None,
    *,
    length: int,
    named: bytes = b"",
) -> bytes:
    """Return the envelope of a stored payload.

    Args:
        format: or its number, where the format has a second one.
        compression: ``None`` for a patch.
        length: bytes of the payload before it was compressed.
        named: the dictionary's id, or a patch's base digest.

    Raises:
        Corrupt: the payload is longer than an envelope may hold.
    """
    if length > MAX_BODY_BYTES:
        raise Corrupt(f"body of {length} bytes is over the limit of {MAX_BODY_BYTES}")
    kind = (format if isinstance(format, int) else FORMAT_NUMBERS[format]) << 4 | _NUMBERS[compression]
    if named:
        whole = _HEAD.pack(MAGIC, VERSION, kind) + named + _FRAME.pack(FRAME_BYTE, length) + stored
    else:
        whole = _HEAD.pack(MAGIC, VERSION, kind) + _U32.pack(length) + stored
    return whole + _U32.pack(crc32(whole))


def seal_row(blocks: bytes, dictionary_id: bytes, length: int) -> bytes:
    """Return the envelope of a row compressed with a dictionary: :func:`seal` in half the time."""
    whole = _ROW_HEAD.pack(ROW_HEAD, dictionary_id, FRAME_BYTE, length) + blocks
    return whole + _U32.pack(crc32(whole))


def seal_second_row(frame: bytes, dictionary_id: bytes) -> bytes:
    """Return the envelope of a row of the second layout: its frame has a header of its own, in as few bytes as can be."""
    whole = SECOND_ROW_HEAD + dictionary_id + frame
    return whole + _U32.pack(crc32(whole))


def open_envelope(data: bytes, max_bytes: int = MAX_BODY_BYTES) -> Envelope:
    """Return what an envelope of any version says.

    Raises:
        Corrupt: magic, length or checksum is wrong, or a length is over a limit.
        UnknownVersion: version, format or compression is not known here.
    """
    if data[:2] != MAGIC:
        raise Corrupt("not an envelope" if len(data) > 2 else "envelope is truncated")
    if data[2:3] == b"\x01":
        return _open_v1(data, max_bytes)
    if len(data) < HEADER_BYTES + CHECKSUM_BYTES or crc32(data) != RESIDUE:
        raise Corrupt("checksum does not match")
    version, kind = data[2], data[3]
    if version != VERSION:
        raise UnknownVersion(f"envelope version {version} is not known here")
    format_, number = FORMATS.get(kind >> 4), kind & 15
    if format_ is None:
        raise UnknownVersion(f"format {kind >> 4} is not known here")
    if number != PATCH_NUMBER and number not in COMPRESSIONS:
        raise UnknownVersion(f"compression {number} is not known here")
    start = 4 + _named_bytes(number)
    length, at = _length(data, start)
    if length < 0:
        raise Corrupt("not the header of a frame")
    if len(data) < at + CHECKSUM_BYTES:
        raise Corrupt("envelope is truncated")
    stored = data[start if start > 4 else at : -CHECKSUM_BYTES]
    if number != PATCH_NUMBER:  # a patch is bounded by its base besides
        check_length(length, len(stored), max_bytes)
    return Envelope(version, format_, COMPRESSIONS.get(number), length, data[4:start], stored)


def check_length(length: int, stored_bytes: int, max_bytes: int) -> None:
    """Refuse a declared length over the limits.

    Raises:
        Corrupt: it is over ``max_bytes``, or more than so many stored bytes may become.
    """
    if length > max_bytes or length > output_limit(stored_bytes):
        limit = min(max_bytes, output_limit(stored_bytes))
        raise Corrupt(f"declared length {length} is over the limit of {limit} for {stored_bytes} stored bytes")


def payload_bytes(data: bytes) -> int:
    """Return the length that an envelope declares for its payload, unchecked: an estimate for weighing.

    Never above :data:`MAX_BODY_BYTES`; what is no envelope counts as its own length.
    """
    if len(data) < HEADER_BYTES + CHECKSUM_BYTES or data[:2] != MAGIC:
        return len(data)
    if data[2] == 1:
        return min(int.from_bytes(data[8:12], "big"), MAX_BODY_BYTES)
    length, _ = _length(data, 4 + _named_bytes(data[3] & 15))
    return min(length, MAX_BODY_BYTES) if length >= 0 else len(data)


def _length(data: bytes, start: int) -> tuple[int, int]:
    """Return the length declared at ``start`` and where the payload begins; -1 for no length.

    With a dictionary or base it stands in a frame header: of four bytes, but in rows of the second
    layout of as few as can be.
    """
    if start == 4:
        return int.from_bytes(data[4:8], "little"), 8
    byte, after = data[start] if len(data) > start else 0, start + 1
    if byte == FRAME_BYTE:
        return int.from_bytes(data[after : after + 4], "little"), after + 4
    if data[3] == SECOND_ROW_HEAD[3] and byte == SHORT_FRAME and len(data) > after:
        return data[after], after + 1
    if data[3] == SECOND_ROW_HEAD[3] and byte == MIDDLE_FRAME:
        return int.from_bytes(data[after : after + 2], "little") + 256, after + 2
    return -1, start


def _named_bytes(number: int) -> int:
    if number == _DICTIONARY_NUMBER:
        return DICTIONARY_ID_BYTES
    return BASE_DIGEST_BYTES if number == PATCH_NUMBER else 0


def _open_v1(data: bytes, max_bytes: int) -> Envelope:
    """Open an envelope of version 1, which knew MessagePack, raw or with zstd."""
    if len(data) < _V1_HEADER_BYTES:
        raise Corrupt("envelope is truncated")
    head, stored = data[:12], data[_V1_HEADER_BYTES:]
    _, _, format_, compression, length = _V1.unpack(head)
    if crc32(stored, crc32(head)) != int.from_bytes(data[12:16], "big"):
        raise Corrupt("checksum does not match")
    if format_ != FORMAT_NUMBERS[Format.MSGPACK]:
        raise UnknownVersion(f"format {format_} is not known in envelope version 1")
    if compression not in (COMPRESSION_NUMBERS[Compression.NONE], COMPRESSION_NUMBERS[Compression.ZSTD]):
        raise UnknownVersion(f"compression {compression} is not known in envelope version 1")
    if length > max_bytes:
        raise Corrupt(f"declared length {length} is over the limit of {max_bytes}")
    return Envelope(1, Format.MSGPACK, COMPRESSIONS[compression], length, b"", stored)

"""The envelope around every stored body.

Layout, big-endian, 16 bytes of header::

    0   2  magic "wh"
    2   1  envelope version (1)
    3   1  format: 1 = MessagePack of tagged structs
    4   1  compression: 0 = none, 1 = zstd
    5   3  reserved, zero
    8   4  length of the payload once decompressed, bytes
    12  4  CRC-32 (zlib) of the 12 bytes before it and of the payload as stored

Any flipped bit or truncation is found by the checksum; the declared length is bounded before
anything is allocated, and a zstd frame may not claim another length: python-zstandard allocates
what a frame claims, whatever its ``max_output_size``.
"""

from __future__ import annotations

import struct
import zlib

import zstandard

from weedhounds.errors import Corrupt, UnknownVersion

VERSION = 1
FORMAT_MSGPACK = 1
COMPRESSION_NONE = 0
COMPRESSION_ZSTD = 1
HEADER_BYTES = 16
COMPRESS_FROM_BYTES = 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
_LEVEL = 3
_HEADER = struct.Struct(">2sBBB3xI")
_CRC = struct.Struct(">I")


def wrap(payload: bytes) -> bytes:
    """Return ``payload`` in its envelope, compressed where that makes it smaller.

    Raises:
        Corrupt: the payload is longer than an envelope may hold.
    """
    if len(payload) > MAX_BODY_BYTES:
        raise Corrupt(f"body of {len(payload)} bytes is over the limit of {MAX_BODY_BYTES}")
    stored, compression = payload, COMPRESSION_NONE
    if len(payload) > COMPRESS_FROM_BYTES:
        packed = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=False).compress(payload)
        if len(packed) < len(payload):
            stored, compression = packed, COMPRESSION_ZSTD
    head = _HEADER.pack(b"wh", VERSION, FORMAT_MSGPACK, compression, len(payload))
    crc = zlib.crc32(stored, zlib.crc32(head))
    return head + _CRC.pack(crc) + stored


def unwrap(data: bytes) -> bytes:
    """Return the payload of an envelope.

    Raises:
        Corrupt: magic, length or checksum is wrong.
        UnknownVersion: version, format or compression is not known here.
    """
    if len(data) < HEADER_BYTES:
        raise Corrupt("envelope is truncated")
    head, stored = data[: HEADER_BYTES - 4], data[HEADER_BYTES:]
    magic, version, format_, compression, length = _HEADER.unpack(head)
    if magic != b"wh":
        raise Corrupt("not an envelope")
    if zlib.crc32(stored, zlib.crc32(head)) != _CRC.unpack_from(data, HEADER_BYTES - 4)[0]:
        raise Corrupt("checksum does not match")
    if version != VERSION or format_ != FORMAT_MSGPACK:
        raise UnknownVersion(f"envelope version {version}, format {format_}")
    if length > MAX_BODY_BYTES:
        raise Corrupt(f"declared length {length} is over the limit")
    if compression == COMPRESSION_NONE:
        payload = stored
    elif compression == COMPRESSION_ZSTD:
        payload = _decompress(stored, length)
    else:
        raise UnknownVersion(f"compression {compression}")
    if len(payload) != length:
        raise Corrupt("payload has another length than declared")
    return payload


def payload_bytes(data: bytes) -> int:
    """Return the length that an envelope declares for its payload, unchecked: an estimate for weighing.

    Never above :data:`MAX_BODY_BYTES`; what is no envelope counts as its own length.
    """
    if len(data) < HEADER_BYTES:
        return len(data)
    return min(int.from_bytes(data[8:12], "big"), MAX_BODY_BYTES)


def _decompress(stored: bytes, length: int) -> bytes:
    try:
        claimed = zstandard.get_frame_parameters(stored).content_size
        if claimed not in (zstandard.CONTENTSIZE_UNKNOWN, length):
            raise Corrupt(f"frame claims {claimed} bytes where {length} are declared")
        return zstandard.ZstdDecompressor().decompress(stored, max_output_size=length, allow_extra_data=False)
    except (zstandard.ZstdError, MemoryError) as error:
        raise Corrupt(f"cannot decompress: {error}") from error

"""Payloads to stored bytes and back, in the standard frames that ``gzip``, ``lz4``, ``brotli`` and ``zstd`` read.

Stored bytes are hostile: whatever they claim, no more comes out, and no more is allocated, than a
limit that is known before. The limit is the length that the envelope declares, and never more
than :func:`output_limit` allows for the bytes that are there. Decompressors are driven step by
step where their one-shot call believes what a frame says of itself.

The packages of lz4 and brotli are imported on first use; without one, its compression is
unavailable, and bytes stored with it are refused in those words. zstd with a trained dictionary
is ``dictionary.py``'s work.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

import zstandard
from isal import isal_zlib

from weedhounds.codec.base import FREE_BYTES, MAX_BODY_BYTES, MAX_RATIO, Compression
from weedhounds.errors import BadInput, Corrupt, UnknownVersion

COMPRESS_FROM_BYTES = 1024
"""Payloads up to this length are stored as they are, unless a dictionary is used."""

_IsalError = cast(type[Exception], isal_zlib.error)
_ZLIB_BITS = 15
_GZIP_BITS = 31
_ZSTD_WINDOW_BYTES = MAX_BODY_BYTES


class Levels(NamedTuple):
    """The least, greatest and default level of a compression, and those that a choice tries."""

    least: int
    greatest: int
    default: int
    tried: tuple[int, ...]


LEVELS: Mapping[Compression, Levels] = {
    Compression.NONE: Levels(0, 0, 0, (0,)),
    Compression.ZLIB: Levels(1, 9, 6, (1, 6)),
    Compression.GZIP: Levels(0, 3, 2, (0, 2)),
    Compression.LZ4: Levels(0, 12, 0, (0, 9)),
    Compression.BROTLI: Levels(0, 11, 5, (1, 5, 9)),
    Compression.ZSTD: Levels(1, 19, 3, (1, 3, 9, 19)),
}
"""Levels by compression; gzip's are isal's own, which stop at 3 and lie between zlib's 1 and 6 in size."""


class _Codec(NamedTuple):
    """``compress(payload, level)`` and ``decompress(stored, limit)``; the second returns at most ``limit`` bytes."""

    compress: Callable[[bytes, int], bytes]
    decompress: Callable[[bytes, int], bytes]


def output_limit(stored_bytes: int) -> int:
    """Return the most bytes that so many stored bytes may become.

    Example:
        >>> output_limit(10), output_limit(20_000), output_limit(10**9)
        (1048576, 20000000, 67108864)
    """
    return min(MAX_BODY_BYTES, max(FREE_BYTES, stored_bytes * MAX_RATIO))


def compress(payload: bytes, compression: Compression, level: int | None = None) -> bytes:
    """Return ``payload`` in a frame of the compression's standard.

    Raises:
        BadInput: the compression has no such level, or needs a dictionary.
        UnknownVersion: its package is not installed here.
    """
    levels = LEVELS.get(compression)
    if levels is None:
        raise BadInput(f"compression {compression} needs a dictionary")
    chosen = levels.default if level is None else level
    if not levels.least <= chosen <= levels.greatest:
        raise BadInput(f"compression {compression} has levels {levels.least} to {levels.greatest}, not {chosen}")
    with_codec = _codec(compression)
    return with_codec.compress(payload, chosen)


def decompress(stored: bytes, compression: Compression, length: int | None = None) -> bytes:
    """Return the payload in ``stored``, which must be one whole frame and nothing else.

    Args:
        length: bytes that the payload must have, where it is declared.

    Raises:
        Corrupt: a damaged or cut frame, bytes after it, or a payload of another length or over the limit.
        UnknownVersion: the compression's package is not installed here.

    Bounds: memory for ``length`` (or :func:`output_limit`) and the frame's window, 64 MiB at most.
    """
    limit = output_limit(len(stored))
    if length is not None and length > limit:
        raise Corrupt(f"declared length {length} is over the limit of {limit} for {len(stored)} stored bytes")
    try:
        payload = _codec(compression).decompress(stored, limit if length is None else length)
    except (zlib.error, _IsalError, zstandard.ZstdError, EOFError, ValueError, MemoryError) as error:
        raise Corrupt(f"cannot decompress {compression}: {error}") from error
    if length is not None and len(payload) != length:
        raise Corrupt("payload has another length than declared")
    return payload


def pack(payload: bytes, compression: Compression, level: int | None = None) -> tuple[Compression, bytes]:
    """Return what to store: the compressed payload, or the payload itself where that is no longer.

    Raises:
        BadInput, UnknownVersion: as :func:`compress`.
    """
    if compression is Compression.NONE or len(payload) <= COMPRESS_FROM_BYTES:
        return Compression.NONE, payload
    packed = compress(payload, compression, level)
    if len(packed) >= len(payload) or len(payload) > output_limit(len(packed)):
        return Compression.NONE, payload
    return compression, packed


def why_unavailable(compression: Compression) -> str | None:
    """Return why a compression cannot be used here; ``None`` where it can."""
    try:
        if compression in LEVELS:
            _codec(compression)
    except UnknownVersion as error:
        return error.message
    return None


def _codec(compression: Compression) -> _Codec:
    try:
        make = _CODECS[compression]
    except KeyError:
        raise BadInput(f"compression {compression} needs a dictionary") from None
    try:
        return make()
    except ImportError as error:
        raise UnknownVersion(f"compression {compression} is unavailable here: {error}") from error


def _none() -> _Codec:
    return _Codec(lambda payload, level: payload, lambda stored, limit: _within(stored, limit))


def _within(payload: bytes, limit: int) -> bytes:
    if len(payload) > limit:
        raise Corrupt(f"payload is longer than its limit of {limit} bytes")
    return payload


def _zlib() -> _Codec:
    return _Codec(zlib.compress, lambda stored, limit: _inflate(stored, limit, _ZLIB_BITS))


def _gzip() -> _Codec:
    return _Codec(
        lambda payload, level: isal_zlib.compress(payload, level, _GZIP_BITS),
        lambda stored, limit: _inflate(stored, limit, _GZIP_BITS),
    )


def _inflate(stored: bytes, limit: int, window_bits: int) -> bytes:
    """Inflate one stream; isal reads both kinds three times as fast as zlib and checks their sums as well."""
    stream = isal_zlib.decompressobj(wbits=window_bits)
    payload: bytes = stream.decompress(stored, limit + 1)
    if len(payload) > limit:
        raise Corrupt(f"payload is longer than its limit of {limit} bytes")
    if not stream.eof or stream.unused_data:
        raise Corrupt("the stream is cut" if not stream.eof else "bytes after the stream")
    return payload


def _lz4() -> _Codec:
    import lz4.frame

    def pack_frame(payload: bytes, level: int) -> bytes:
        packed: bytes = lz4.frame.compress(payload, compression_level=level, content_checksum=True)
        return packed

    def unpack(stored: bytes, limit: int) -> bytes:
        frame = lz4.frame.LZ4FrameDecompressor()
        try:
            payload: bytes = frame.decompress(stored, max_length=limit + 1)
        except RuntimeError as error:
            raise Corrupt(f"cannot decompress lz4: {error}") from error
        if len(payload) > limit:
            raise Corrupt(f"payload is longer than its limit of {limit} bytes")
        if not frame.eof or frame.unused_data:
            raise Corrupt("the frame is cut" if not frame.eof else "bytes after the frame")
        return payload

    return _Codec(pack_frame, unpack)


def _brotli() -> _Codec:
    import brotli

    def unpack(stored: bytes, limit: int) -> bytes:
        stream = brotli.Decompressor()
        chunks: list[bytes] = []
        left, fed = limit, stored
        try:
            while not stream.is_finished():
                chunk: bytes = stream.process(fed, output_buffer_limit=left + 1)
                left -= len(chunk)
                chunks.append(chunk)
                if left < 0:
                    raise Corrupt(f"payload is longer than its limit of {limit} bytes")
                if not chunk and stream.can_accept_more_data() and not stream.is_finished():
                    raise Corrupt("the stream is cut")
                fed = b""
        except brotli.error as error:
            raise Corrupt(f"cannot decompress brotli: {error}") from error
        return b"".join(chunks)

    return _Codec(lambda payload, level: brotli.compress(payload, quality=level), unpack)


def _zstd() -> _Codec:
    return _Codec(
        lambda payload, level: zstandard.ZstdCompressor(level=level, write_content_size=False).compress(payload),
        _unzstd,
    )


def _unzstd(stored: bytes, limit: int) -> bytes:
    """Read one frame, refused first where it claims more: the call allocates what a frame claims, whatever its limit."""
    claimed = zstandard.get_frame_parameters(stored).content_size
    if claimed != zstandard.CONTENTSIZE_UNKNOWN and claimed > limit:
        raise Corrupt(f"frame claims {claimed} bytes, over its limit of {limit}")
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    payload = decompressor.decompress(stored, max_output_size=limit or 1, allow_extra_data=False)  # 0 means no limit
    if not payload:  # then the call has not looked behind the frame
        empty = decompressor.decompressobj()
        empty.decompress(stored)
        if not empty.eof or empty.unused_data:
            raise Corrupt("the frame is cut" if not empty.eof else "bytes after the frame")
    return _within(payload, limit)


_CODECS: Mapping[Compression, Callable[[], _Codec]] = {
    Compression.NONE: _none,
    Compression.ZLIB: _zlib,
    Compression.GZIP: _gzip,
    Compression.LZ4: _lz4,
    Compression.BROTLI: _brotli,
    Compression.ZSTD: _zstd,
}

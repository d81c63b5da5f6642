"""JSON for browsers: rendered once for each version of a record, and compressed once, with brotli.

Compressing on the fly costs more than all the rest of a request; once for each version it costs
little, so a quality is worth it that would be too slow otherwise.

An answer has a part that stays and a short one at its end that moves with time. The first is
compressed once (:func:`brotli_start`), as a stream that is cut at a whole byte; the second follows
it uncompressed (:func:`brotli_whole`; RFC 7932 section 9.2: a meta-block may be stored).
"""

from __future__ import annotations

from weedhounds.codec.base import Compression, Encodable
from weedhounds.codec.compress import why_unavailable
from weedhounds.codec.json_format import encode_payload

BROTLI_QUALITY = 5
"""Of a menu of 100 products, 5 takes 0.3 to 3 ms; 9 takes 4 to 20 times as long for 1 to 2 % fewer bytes."""

MOST_BYTES = 2 * 1024 * 1024
"""Longer documents are not compressed: 0.8 MB take 5 ms, in which nobody else is served."""

_STORED_BYTES = 65_536
_STORED_BIT = 1 << 19
_LAST_EMPTY = b"\x03"

FROM_BYTES = 512
"""Documents below are not compressed: the packets saved are none."""


def render_json(record: Encodable) -> bytes:
    """Return the JSON document of a record.

    Raises:
        Corrupt: JSON cannot hold it exactly (NaN, lone surrogates).
    """
    return encode_payload(record)


def brotli_start(document: bytes) -> bytes | None:
    """Return the brotli stream of a document, open at its end for :func:`brotli_whole`.

    ``None`` where it would not be shorter, where the document is over ``MOST_BYTES``, or brotli is missing.
    """
    if not FROM_BYTES <= len(document) <= MOST_BYTES or why_unavailable(Compression.BROTLI) is not None:
        return None
    import brotli

    compressor = brotli.Compressor(quality=BROTLI_QUALITY)
    start: bytes = compressor.process(document) + compressor.flush()
    return start if len(start) < len(document) else None


def brotli_whole(start: bytes, rest: bytes) -> bytes:
    """Return a whole stream: what :func:`brotli_start` compressed, and after it ``rest`` as it is.

    Example:
        >>> import brotli
        >>> start = brotli_start(b"a menu " * 100)
        >>> brotli.decompress(brotli_whole(start, b"and its age")) == b"a menu " * 100 + b"and its age"
        True
    """
    blocks = [start]
    for at in range(0, len(rest), _STORED_BYTES):
        block = rest[at : at + _STORED_BYTES]
        blocks += [(len(block) - 1 << 3 | _STORED_BIT).to_bytes(3, "little"), block]
    return b"".join([*blocks, _LAST_EMPTY])

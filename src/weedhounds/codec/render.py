"""JSON for browsers: rendered once for each version of a record, and compressed once, with brotli.

Compressing on the fly costs more than all the rest of a request; once for each version it costs
little, so a quality is worth it that would be too slow otherwise.
"""

from __future__ import annotations

from weedhounds.codec.base import Compression, Encodable
from weedhounds.codec.compress import compress, why_unavailable
from weedhounds.codec.json_format import encode_payload

BROTLI_QUALITY = 5
"""Of a menu of 100 products, 5 takes 0.3 to 3 ms; 9 takes 4 to 20 times as long for 1 to 2 % fewer bytes."""

FROM_BYTES = 512
"""Documents below are not compressed: the packets saved are none."""


def render_json(record: Encodable) -> bytes:
    """Return the JSON document of a record.

    Raises:
        Corrupt: JSON cannot hold it exactly (NaN, lone surrogates).
    """
    return encode_payload(record)


def render_brotli(document: bytes) -> bytes | None:
    """Return a document for ``Content-Encoding: br``; ``None`` where it would not be shorter, or brotli is missing."""
    if len(document) < FROM_BYTES or why_unavailable(Compression.BROTLI) is not None:
        return None
    packed = compress(document, Compression.BROTLI, BROTLI_QUALITY)
    return packed if len(packed) < len(document) else None

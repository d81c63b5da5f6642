"""MessagePack of the tagged record structs, in the envelope."""

from __future__ import annotations

import msgspec

from weedhounds.codec.envelope import unwrap, wrap
from weedhounds.errors import Corrupt
from weedhounds.model.records import Body

_encoder = msgspec.msgpack.Encoder(decimal_format="string")
_decoder: msgspec.msgpack.Decoder[Body] = msgspec.msgpack.Decoder(Body)


def encode_body(record: Body) -> bytes:
    """Return the stored bytes of ``record``."""
    return wrap(_encoder.encode(record))


def decode_body(data: bytes) -> Body:
    """Return the record in ``data``.

    Raises:
        Corrupt: damaged bytes, or bytes of no known record.
        UnknownVersion: an envelope of another version.
    """
    try:
        return _decoder.decode(unwrap(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Corrupt(f"not a known record: {error}") from error

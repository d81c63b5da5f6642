"""MessagePack of the tagged structs, with field names: the format of envelope version 1, unchanged since."""

from __future__ import annotations

import msgspec

from weedhounds.codec.base import Encodable
from weedhounds.codec.finite import check_finite
from weedhounds.errors import Corrupt

_encoder = msgspec.msgpack.Encoder(decimal_format="string")
_decoder: msgspec.msgpack.Decoder[Encodable] = msgspec.msgpack.Decoder(Encodable)


def encode_payload(record: Encodable) -> bytes:
    """Return ``record`` as MessagePack; prices as decimal text.

    Raises:
        Corrupt: it holds integers over 64 bits, lone surrogates, NaN or infinities.
    """
    try:
        packed = _encoder.encode(record)
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError, TypeError, RecursionError) as error:
        raise Corrupt(f"MessagePack cannot hold it: {error}") from error
    check_finite(record, packed)
    return packed


def decode_payload(data: bytes) -> Encodable:
    """Return the record in MessagePack bytes.

    Raises:
        Corrupt: no MessagePack of a known record, or one with NaN or infinities.
    """
    try:
        record = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as error:
        raise Corrupt(f"not a known record: {error}") from error
    check_finite(record, data)
    return record

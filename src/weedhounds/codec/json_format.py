"""JSON of the tagged structs, written and read by msgspec: what people and browsers read."""

from __future__ import annotations

import msgspec

from weedhounds.codec.base import Encodable
from weedhounds.codec.finite import check_finite, check_finite_json
from weedhounds.errors import Corrupt

_encoder = msgspec.json.Encoder(decimal_format="string")
_decoder: msgspec.json.Decoder[Encodable] = msgspec.json.Decoder(Encodable)


def encode_payload(record: Encodable) -> bytes:
    """Return ``record`` as strict, compact JSON; prices as decimal text.

    Raises:
        Corrupt: it holds integers over 64 bits, lone surrogates, NaN or infinities.
    """
    check_finite(record)  # first: JSON would write NaN as null
    return _encoder.encode(record)


def decode_payload(data: bytes) -> Encodable:
    """Return the record in JSON bytes.

    Raises:
        Corrupt: no JSON of a known record, or one with a price of NaN or infinity.
    """
    try:
        record = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as error:
        raise Corrupt(f"not a known record: {error}") from error
    check_finite_json(record, data)
    return record

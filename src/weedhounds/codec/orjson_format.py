"""JSON written and read by orjson, over plain dictionaries: the rival that most Python services use.

The bytes are JSON like ``json_format.py``'s; each reads what the other wrote.
"""

from __future__ import annotations

import msgspec
import orjson

from weedhounds.codec.base import Encodable
from weedhounds.codec.finite import check_finite, check_finite_json
from weedhounds.errors import Corrupt


def encode_payload(record: Encodable) -> bytes:
    """Return ``record`` as strict, compact JSON; prices as decimal text.

    Raises:
        Corrupt: it holds integers over 64 bits, lone surrogates, NaN or infinities.
    """
    check_finite(record)  # first: JSON would write NaN as null
    return orjson.dumps(msgspec.to_builtins(record))


def decode_payload(data: bytes) -> Encodable:
    """Return the record in JSON bytes.

    Raises:
        Corrupt: no JSON of a known record, or one with a price of NaN or infinity.
    """
    try:
        record: Encodable = msgspec.convert(orjson.loads(data), Encodable)
    except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError) as error:
        raise Corrupt(f"not a known record: {error}") from error
    check_finite_json(record, data)
    return record

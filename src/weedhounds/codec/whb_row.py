"""The payload of ``whb`` rows: one MessagePack array. The format of records and of menus in use."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from weedhounds.codec.base import Encodable
from weedhounds.codec.whb_build import BUILDS
from weedhounds.codec.whb_pack import PackedRow, pack, pack_by_row
from weedhounds.codec.whb_wire import AnyRow
from weedhounds.errors import Corrupt

ROW_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError, MemoryError)
"""What bytes that are no row can raise besides ``Corrupt``."""

_encoder = msgspec.msgpack.Encoder(decimal_format="string")
_decoder: msgspec.msgpack.Decoder[AnyRow] = msgspec.msgpack.Decoder(AnyRow)
decode_row = _decoder.decode


def encode_payload(record: Encodable) -> bytes:
    """Return the row of ``record``.

    Raises:
        Corrupt: it holds integers over 64 bits, lone surrogates, NaN or infinities.
    """
    return _encode(record, pack)


def encode_by_row(record: Encodable) -> bytes:
    """Return the row of ``record``, but menus and price lists record by record: what patches compare.

    Raises:
        Corrupt: as :func:`encode_payload`.
    """
    return _encode(record, pack_by_row)


def _encode(record: Encodable, pack_it: Callable[[Encodable], PackedRow]) -> bytes:
    try:
        return _encoder.encode(pack_it(record))
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError, TypeError, RecursionError) as error:
        raise Corrupt(f"a row cannot hold it: {error}") from error


def decode_payload(data: bytes) -> Encodable:
    """Return the record of a row.

    Raises:
        Corrupt: not a row, or one whose elements do not fit each other.
    """
    try:
        row = decode_row(data)
        return BUILDS[row.__class__](row)
    except ROW_ERRORS as error:
        raise Corrupt(f"not a row: {error}") from error

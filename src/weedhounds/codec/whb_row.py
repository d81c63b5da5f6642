"""The payload of ``whb`` rows: one MessagePack array. The format of records and of menus in use."""

from __future__ import annotations

import msgspec

from weedhounds.codec.base import Encodable
from weedhounds.codec.whb_build import BUILDS
from weedhounds.codec.whb_pack import PACKS, pack_by_row, pack_item
from weedhounds.codec.whb_records import PACKS_2, check_numbers
from weedhounds.codec.whb_wire import AnyRow
from weedhounds.errors import Corrupt
from weedhounds.model.records import AnyRecord

ROW_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError, MemoryError)
"""What bytes that are no row can raise besides ``Corrupt``."""

_WRITE_ERRORS = (msgspec.MsgspecError, UnicodeEncodeError, OverflowError, TypeError, RecursionError)
"""What a record that no row can hold raises besides ``Corrupt``."""

_encode_row = msgspec.msgpack.Encoder(decimal_format="string").encode
_decoder: msgspec.msgpack.Decoder[AnyRow] = msgspec.msgpack.Decoder(AnyRow)
_decode_row = _decoder.decode


def encode_payload(record: Encodable) -> bytes:
    """Return the row of ``record``.

    Raises:
        Corrupt: it holds integers over 64 bits, lone surrogates, NaN or infinities.
    """
    kind = record.__class__
    try:
        payload = _encode_row(PACKS[kind](record))
    except _WRITE_ERRORS as error:
        raise Corrupt(f"a row cannot hold it: {error}") from error
    if kind in PACKS_2 and (0x7F in payload or 0xFF in payload):
        check_numbers(record, payload)
    return payload


def encode_item(item: AnyRecord) -> bytes:
    """Return the row that a record has in a list.

    Raises:
        Corrupt: as :func:`encode_payload`.
    """
    try:
        return _encode_row(pack_item(item))
    except _WRITE_ERRORS as error:
        raise Corrupt(f"a row cannot hold it: {error}") from error


def encode_by_row(record: Encodable) -> bytes:
    """Return the row of ``record``, but menus and price lists record by record: what patches compare.

    Raises:
        Corrupt: as :func:`encode_payload`.
    """
    try:
        return _encode_row(pack_by_row(record))
    except _WRITE_ERRORS as error:
        raise Corrupt(f"a row cannot hold it: {error}") from error


def decode_payload(data: bytes) -> Encodable:
    """Return the record of a row.

    Raises:
        Corrupt: not a row, or one whose elements do not fit each other.
    """
    try:
        row = _decode_row(data)
        record = BUILDS[row.__class__](row)
    except ROW_ERRORS as error:
        raise Corrupt(f"not a row: {error}") from error
    if (0x7F in data or 0xFF in data) and record.__class__ in PACKS_2:
        check_numbers(record, data)
    return record

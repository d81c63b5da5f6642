"""Records to enveloped bytes and back: the one way in and out of the codec."""

from __future__ import annotations

from struct import Struct

from isal.isal_zlib import crc32
from zstandard import ZstdError

from weedhounds.codec.base import (
    FREE_BYTES,
    MAX_BODY_BYTES,
    SECOND_ROWS,
    Compression,
    Encodable,
    Format,
    payload_codec,
)
from weedhounds.codec.compress import decompress, output_limit, pack
from weedhounds.codec.dictionary import Dictionary
from weedhounds.codec.dictionary_store import SHIPPED, DictionaryStore
from weedhounds.codec.envelope import (
    CHECKSUM_BYTES,
    FRAME_BYTE,
    MIDDLE_FRAME,
    RESIDUE,
    ROW_HEAD,
    SECOND_ROW_HEAD,
    SHORT_FRAME,
    open_envelope,
    seal,
    seal_row,
    seal_second_row,
)
from weedhounds.codec.kinds import KINDS, kind_of
from weedhounds.codec.whb_column import cuts
from weedhounds.codec.whb_records import PACKS_2
from weedhounds.codec.whb_row import decode_payload as decode_row
from weedhounds.codec.whb_row import encode_payload as encode_row
from weedhounds.errors import BadInput, Corrupt, UnknownVersion
from weedhounds.model.records import AnyRecord, Body

COLUMN_LEVEL = 9
"""Level for columns unless given: twice the time of level 3 for 4 % less; they are written once and kept."""

_WHB_ROW, _WHB_COLUMN, _ZSTD_DICT = Format.WHB_ROW, Format.WHB_COLUMN, Compression.ZSTD_DICT
_ROW_HEAD = Struct("<4s4sBI")
_FRAME_AT = 8
_NAMED_BYTES = 5
"""What naming a dictionary takes."""

_LEAST_ROW_BYTES = _ROW_HEAD.size + CHECKSUM_BYTES
_SINGLE_SEGMENTS = (SHORT_FRAME, MIDDLE_FRAME, FRAME_BYTE)


def encode(
    record: Encodable,
    format: Format,
    compression: Compression,
    *,
    level: int | None = None,
    dictionary: Dictionary | None = None,
) -> bytes:
    """Return the envelope of a record.

    It is stored uncompressed where compression would not make it smaller, or so much smaller that
    reading would refuse it as a bomb.

    Args:
        level: of the compression; its default unless given.
        dictionary: for ``ZSTD_DICT``; the newest shipped one of the record's kind unless given.

    Raises:
        Corrupt: the format cannot hold the record exactly, or it is over the limit of an envelope.
        UnknownVersion: format or compression is not available here.
        BadInput: the compression has no such level, or there is no dictionary for the record.
    """
    is_row = format is _WHB_ROW
    payload = encode_row(record) if is_row else payload_codec(format).encode_payload(record)
    length = len(payload)
    if length > MAX_BODY_BYTES:
        raise Corrupt(f"body of {length} bytes is over the limit of {MAX_BODY_BYTES}")
    number = SECOND_ROWS if is_row and record.__class__ in PACKS_2 else format
    if compression is not _ZSTD_DICT:
        used, stored = pack(payload, compression, level)
        return seal(stored, number, used, length=length)
    if dictionary is None:
        dictionary = SHIPPED.newest(KINDS[record.__class__], format)
        if dictionary is None:
            raise BadInput(f"no dictionary for {kind_of(record)} as {format}")
    if number is SECOND_ROWS:
        frame = dictionary.frame(payload, level)
        is_bomb = length > FREE_BYTES and length > output_limit(len(frame))
        if is_bomb or len(frame) >= length or frame[0] not in _SINGLE_SEGMENTS:
            return seal(payload, number, Compression.NONE, length=length)
        return seal_second_row(frame, dictionary.id)
    if format is _WHB_COLUMN:
        blocks = dictionary.compress_blocks(payload, cuts(payload), COLUMN_LEVEL if level is None else level)
    else:
        blocks = dictionary.compress(payload, level)
    if len(blocks) + _NAMED_BYTES >= length or (length > FREE_BYTES and length > output_limit(len(blocks))):
        return seal(payload, format, Compression.NONE, length=length)
    if format is _WHB_ROW:
        return seal_row(blocks, dictionary.id, length)
    return seal(blocks, format, compression, length=length, named=dictionary.id)


def decode(data: bytes, *, dictionaries: DictionaryStore = SHIPPED, max_bytes: int = MAX_BODY_BYTES) -> Encodable:
    """Return the record in an envelope of any version.

    Args:
        dictionaries: where trained dictionaries are; the shipped ones unless given.
        max_bytes: of the payload; at most ``MAX_BODY_BYTES``.

    Raises:
        Corrupt: damaged bytes, bytes of no known record, or a length over the limits.
        UnknownVersion: version, format, compression or dictionary is not known here; says which.

    Bounds: ``max_bytes`` for the payload, and never more than a thousand times the bytes given
    (or 1 MiB); a record takes about three to twelve times its payload (menus 4, price lists 12).
    """
    payload = _row_payload(data, dictionaries, max_bytes)
    if payload is not None:
        return decode_row(payload)
    envelope = open_envelope(data, min(max_bytes, MAX_BODY_BYTES))
    codec = payload_codec(envelope.format)
    if envelope.compression is None:
        raise UnknownVersion(f"a patch of the payload {envelope.named.hex()} needs that payload")
    if envelope.compression is Compression.ZSTD_DICT:
        payload = dictionaries.get(envelope.named).decompress(envelope.stored, envelope.length)
    else:
        payload = decompress(envelope.stored, envelope.compression, envelope.length)
    return codec.decode_payload(payload)


def _row_payload(data: bytes, dictionaries: DictionaryStore, max_bytes: int) -> bytes | None:
    """Return the payload of a row with a dictionary, the common case, in as few calls as can be; else ``None``."""
    if len(data) < _LEAST_ROW_BYTES:
        return None
    head, named, byte, length = _ROW_HEAD.unpack_from(data)
    if head == SECOND_ROW_HEAD:
        if byte == MIDDLE_FRAME:
            length = (length & 0xFFFF) + 256
        elif byte == SHORT_FRAME:
            length &= 0xFF
        else:
            return None
    elif head != ROW_HEAD or byte != FRAME_BYTE:
        return None
    if length > FREE_BYTES or length > max_bytes or crc32(data) != RESIDUE:
        return None
    try:
        return dictionaries.get(named).own.decompress(data[_FRAME_AT:-CHECKSUM_BYTES], length, False, False)
    except (ZstdError, MemoryError) as error:
        raise Corrupt(f"not a frame of dictionary {named.hex()}: {error}") from error


def encode_body(record: Body) -> bytes:
    """Return the stored bytes of an entry's record: a row, with the shipped dictionary of its kind."""
    dictionary = SHIPPED.newest(kind_of(record), Format.WHB_ROW)
    compression = Compression.ZSTD if dictionary is None else Compression.ZSTD_DICT
    return encode(record, Format.WHB_ROW, compression, dictionary=dictionary)


def decode_body(data: bytes) -> Body:
    """Return the record of an entry's stored bytes, whichever version of this program wrote them.

    Raises:
        Corrupt: damaged bytes, or bytes of no body.
        UnknownVersion: version, format, compression or dictionary is not known here.
    """
    record = decode(data)
    if isinstance(record, AnyRecord):
        raise Corrupt("a single record, not the body of an entry")
    return record

"""Whatever record, format and compression: it comes back as it was, or a typed error says why not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from record_strategies import RECORD_TYPES, TYPE_NAMES, WILD, any_records, filled, records, typed
from weedhounds.codec import Compression, Format, decode, encode
from weedhounds.codec.base import payload_codec
from weedhounds.codec.envelope import seal
from weedhounds.errors import CodecError, Corrupt

FORMATS = list(Format)
FEW = settings(max_examples=max(10, settings().max_examples // 10))
SOME = settings(max_examples=max(10, settings().max_examples // 3))
"""For the tests of every format and type, and of every format, which are many."""

PLAIN = [compression for compression in Compression if compression is not Compression.ZSTD_DICT]
formats = pytest.mark.parametrize("format_", FORMATS, ids=str)
plain = st.sampled_from(PLAIN)


@formats
@pytest.mark.parametrize("kind", RECORD_TYPES, ids=TYPE_NAMES)
@FEW
@given(data=st.data(), compression=plain)
def test_any_record_comes_back(format_: Format, kind: Any, data: st.DataObject, compression: Compression) -> None:
    record = data.draw(records(kind))
    assert typed(decode(encode(record, format_, compression))) == typed(record)


@formats
@SOME
@given(record=any_records(WILD), compression=plain)
def test_a_wild_record_comes_back_or_is_refused(format_: Format, record: Any, compression: Compression) -> None:
    try:
        data = encode(record, format_, compression)
    except Corrupt:
        return
    assert typed(decode(data)) == typed(record)


def read_or_refused(payload: bytes, format_: Format) -> None:
    """Read a payload whose checksum is right; what is read must be a record that can be written and read again."""
    try:
        record = decode(seal(payload, format_, Compression.NONE, length=len(payload)))
    except CodecError:
        return
    try:
        again = payload_codec(format_).encode_payload(record)
    except Corrupt:  # an integer that this format reads and does not write
        return
    assert payload_codec(format_).decode_payload(again) == record


@formats
@SOME
@given(payload=st.binary(max_size=400))
def test_any_payload_is_a_record_or_a_typed_error(format_: Format, payload: bytes) -> None:
    read_or_refused(payload, format_)


@formats
@SOME
@given(data=st.data())
def test_a_changed_payload_is_a_record_or_a_typed_error(format_: Format, data: st.DataObject) -> None:
    payload = bytearray(payload_codec(format_).encode_payload(filled(data.draw(st.sampled_from(RECORD_TYPES)), 1)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(payload) - 1))
        payload[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        if not payload:
            break
    read_or_refused(bytes(payload), format_)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    )
)
def test_any_document_is_a_record_or_a_typed_error(document: Any) -> None:
    for tag in ("menu", "shop", "price_list"):
        shaped = {"type": tag, "origin": document, "products": document, "name": document}
        try:
            packed, text = msgspec.msgpack.encode(shaped), msgspec.json.encode(shaped)
        except (OverflowError, UnicodeEncodeError):
            return
        read_or_refused(packed, Format.MSGPACK)
        read_or_refused(text, Format.JSON)
        read_or_refused(text, Format.ORJSON)


@given(record=any_records(), format_=st.sampled_from(FORMATS), compression=plain, data=st.data())
def test_any_damage_to_an_envelope_is_found(
    record: Any, format_: Format, compression: Compression, data: st.DataObject
) -> None:
    whole = encode(record, format_, compression)
    damaged = bytearray(whole)
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Corrupt):
        decode(bytes(damaged))
    with pytest.raises(Corrupt):
        decode(whole[:at])


@given(st.binary(max_size=300), st.booleans())
def test_bytes_of_no_envelope_are_a_typed_error(noise: bytes, has_magic: bool) -> None:
    with pytest.raises(CodecError):
        decode((b"wh" if has_magic else b"") + noise)

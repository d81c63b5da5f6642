"""Arrow streams are tables that any Arrow reads, and hostile ones cost no more than their bytes."""

from __future__ import annotations

import pyarrow as pa
import pytest

from record_strategies import filled
from sample_entries import menu, price_list
from weedhounds.codec import arrow_format
from weedhounds.codec.arrow_format import decode_payload, encode_payload
from weedhounds.codec.arrow_stream import check_plain
from weedhounds.errors import Corrupt
from weedhounds.model.records import Brand, Menu, PriceList


def table_of(payload: bytes) -> pa.Table:
    with pa.ipc.open_stream(payload) as stream:
        return stream.read_all()


def stream_of(table: pa.Table, **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        stream.write_table(table)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def test_items_are_the_rows_of_a_table() -> None:
    table = table_of(encode_payload(price_list("9", 300)))
    assert table.num_rows == 300
    assert table.column("variant_label").to_pylist()[:2] == ["1/8 oz", "1/8 oz"]
    assert table.column("price").to_pylist()[0] == {"amount": "20", "currency": "USD"}
    assert table.schema.metadata[b"weedhounds.record"] == b"price_list"


def test_a_single_record_is_one_row() -> None:
    assert table_of(encode_payload(filled(Brand))).num_rows == 1
    two = pa.concat_tables([table_of(encode_payload(filled(Brand)))] * 2)
    with pytest.raises(Corrupt, match="2 rows"):
        decode_payload(stream_of(two))


def test_a_body_of_nothing_keeps_what_it_says() -> None:
    empty = Menu(origin="jane", shop_id="7", products=())
    assert decode_payload(encode_payload(empty)) == empty


def test_rows_are_read_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_format, "_ROWS_AT_ONCE", 7)
    record = menu("1", 40)
    assert decode_payload(encode_payload(record)) == record


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_buffers_are_refused_before_arrow_sees_them(compression: str) -> None:
    table = table_of(encode_payload(menu("1", 300)))
    with pytest.raises(Corrupt, match="compressed"):
        decode_payload(stream_of(table, compression=compression))


def test_columns_that_share_their_bytes_are_refused() -> None:
    """Offsets that all point to one long text: few bytes, many values."""
    table = table_of(encode_payload(PriceList(origin="o", shop_id="1", prices=())))
    text = pa.array(["x" * 10_000])
    rows = 2_000
    offsets = pa.array([0, 10_000] * rows, pa.int32()).buffers()[1]
    shared = pa.Array.from_buffers(pa.string(), 1, [None, offsets, text.buffers()[2]])
    assert shared.to_pylist() == ["x" * 10_000]
    assert table.num_rows == 0
    columns = [pa.nulls(1, field.type) if field.name != "product_id" else shared for field in table.schema]
    hostile = pa.table(columns, schema=table.schema)
    with pytest.raises(Corrupt):
        decode_payload(stream_of(hostile))


def test_another_schema_is_refused() -> None:
    table = table_of(encode_payload(menu("1", 3)))
    for other in (table.drop_columns(["brand"]), table.append_column("more", pa.array([1, 2, 3]))):
        with pytest.raises(Corrupt, match="schema"):
            decode_payload(stream_of(other.replace_schema_metadata(table.schema.metadata)))
    with pytest.raises(Corrupt):
        decode_payload(stream_of(table.replace_schema_metadata({})))
    with pytest.raises(Corrupt):
        decode_payload(stream_of(table.replace_schema_metadata({b"weedhounds.record": b"review"})))
    named = {**table.schema.metadata, b"weedhounds.rest": b'{"type":"price_list","origin":"o","shop_id":"1"}'}
    with pytest.raises(Corrupt):
        decode_payload(stream_of(table.replace_schema_metadata(named)))


def test_a_null_where_a_value_must_be_is_corrupt() -> None:
    table = table_of(encode_payload(menu("1", 2)))
    at = table.schema.get_field_index("name")
    hostile = table.set_column(at, table.schema.field(at), pa.array([None, "x"], pa.string()))
    with pytest.raises(Corrupt):
        decode_payload(stream_of(hostile))


def test_text_that_is_no_utf8_is_corrupt() -> None:
    payload = bytearray(encode_payload(menu("1", 2)))
    at = payload.index(b"Invented Haze")
    payload[at] = 0xFF
    with pytest.raises(Corrupt):
        decode_payload(bytes(payload))


def test_every_truncation_and_every_addition_is_found() -> None:
    payload = encode_payload(menu("1", 2))
    for length in range(0, len(payload), 7):
        with pytest.raises(Corrupt):
            decode_payload(payload[:length])
    for extra in (b"\0", payload):
        with pytest.raises(Corrupt):
            check_plain(payload + extra)


def test_a_dictionary_message_is_refused() -> None:
    table = pa.table({"a": pa.array(["x", "y"]).dictionary_encode()})
    with pytest.raises(Corrupt, match="kind 2"):
        check_plain(stream_of(table))


def test_a_message_that_claims_to_be_longer_than_its_stream_is_corrupt() -> None:
    """A body of nearly 2**63 bytes; found by the fuzzer."""
    found = bytes.fromhex("ffffffffd00100001000000000003a000e000600050008000a0000000001ffffffffffffffffffffff7f")
    with pytest.raises(Corrupt):
        check_plain(found)
    payload = bytearray(encode_payload(menu("1", 2)))
    for value in (2**62, 2**63 - 1, 2**64 - 1, len(payload) + 1):
        hostile = bytes(payload).replace(_body_length_of(payload), value.to_bytes(8, "little"))
        with pytest.raises(Corrupt):
            decode_payload(hostile)


def _body_length_of(payload: bytearray) -> bytes:
    """Return the eight bytes that state how long the body of the batch is."""
    start = payload.index(b"\xff\xff\xff\xff", 8)
    size = int.from_bytes(payload[start + 4 : start + 8], "little")
    body = len(payload) - start - 8 - size - 8
    found = body.to_bytes(8, "little")
    assert bytes(payload).count(found) >= 1
    return found


def test_a_stream_over_the_limit_is_refused() -> None:
    with pytest.raises(Corrupt, match="over the limit"):
        decode_payload(bytes(arrow_format.MAX_PAYLOAD_BYTES + 1))

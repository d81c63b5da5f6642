"""The shipped schema is what ``protoc`` makes of it, holds every field of every record, and is read within bounds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.protobuf import descriptor_pb2

from programs import needed
from record_strategies import RECORD_TYPES, TYPE_NAMES, filled, typed
from weedhounds.codec import protobuf_schema
from weedhounds.codec.protobuf_format import MAX_PAYLOAD_BYTES, decode_payload, encode_payload
from weedhounds.codec.protobuf_schema import describe, flat_class, proto_text, record_class
from weedhounds.errors import ConfigError, Corrupt
from weedhounds.model.records import Lab, Menu, Product, Strain

FOLDER = Path(protobuf_schema.__file__).parent
NUMBERS = re.compile(r"^message (\w+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)


def test_the_schema_is_what_protoc_makes_of_the_file(tmp_path: Path) -> None:
    needed("protoc")
    out = tmp_path / "schema"
    command = ("protoc", "-I", str(FOLDER), f"--descriptor_set_out={out}", "weedhounds.proto")
    subprocess.run(command, timeout=10, check=True)
    theirs = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file[0]
    for message in theirs.message_type:
        for each in (message, *message.nested_type):
            for field in each.field:
                field.ClearField("json_name")
    assert describe(proto_text()) == theirs


def shapes(kind: Any) -> set[Any]:
    """Return the struct types that a record is made of."""
    found, waiting = set(), [kind]
    while waiting:
        struct = waiting.pop()
        if struct in found:
            continue
        found.add(struct)
        for field in msgspec.structs.fields(struct):
            waiting += [
                each for each in _inner(field.type) if isinstance(each, type) and issubclass(each, msgspec.Struct)
            ]
    return found


def _inner(hint: Any) -> list[Any]:
    arguments = getattr(hint, "__args__", ())
    return [hint, *(each for argument in arguments for each in _inner(argument))]


@pytest.mark.parametrize("kind", RECORD_TYPES, ids=TYPE_NAMES)
def test_every_field_of_a_record_has_its_place(kind: Any) -> None:
    messages = {
        message.name: {field.name for field in message.field} for message in describe(proto_text()).message_type
    }
    for struct in shapes(kind):
        assert messages[struct.__name__] == set(struct.__struct_fields__)


def test_numbers_are_given_once_and_stay() -> None:
    """The numbers of the first version; a new field is added here, a retired one becomes ``reserved``."""
    bodies = dict(NUMBERS.findall(proto_text()))
    for name, body in bodies.items():
        numbers = [int(number) for number in re.findall(r"= (\d+);", body)]
        assert len(numbers) == len(set(numbers)), name
    assert re.findall(r"(\w+) = (\d+);", bodies["Price"]) == [
        ("product_id", "1"), ("variant_label", "2"), ("variant", "3"), ("market", "4"), ("price", "5"),
        ("list_price", "6"), ("in_stock", "7"), ("quantity", "8"), ("promotions", "9"),
    ]  # fmt: skip
    assert re.findall(r"(\w+) = (\d+);", bodies["Money"]) == [("amount", "1"), ("currency", "2")]


def test_a_line_that_is_not_understood_is_said() -> None:
    with pytest.raises(ConfigError, match="not understood: enum Market"):
        describe(proto_text() + "\nenum Market {\n}\n")


def test_a_reserved_line_and_a_later_field_do_no_harm() -> None:
    text = proto_text().replace("message Menu {", "message Menu {\n  reserved 9;")
    assert describe(text) == describe(proto_text())
    payload = encode_payload(filled(Menu, 2))
    product = record_class().FromString(payload)
    later = product.SerializeToString() + bytes([0xFA, 0x3F, 2]) + b"hi"  # field 1023, as a later version may write
    assert decode_payload(later) == filled(Menu, 2)


def test_nothing_stated_is_told_apart_from_zero_and_empty() -> None:
    one = Product(id="", name="", origin="", brand="", updated_at=0.0, lab=Lab())
    other = Product(id="", name="", origin="")
    for product in (one, other):
        assert typed(decode_payload(encode_payload(product))) == typed(product)
    assert encode_payload(one) != encode_payload(other)


def test_a_record_that_lacks_what_it_must_have_is_corrupt() -> None:
    strain = record_class()(strain={"slug": "a", "origin": "o"})
    with pytest.raises(Corrupt, match="name"):
        decode_payload(strain.SerializeToString())
    with pytest.raises(Corrupt, match="later version"):
        decode_payload(b"")


@pytest.mark.parametrize(
    "message",
    [
        {"price": {"product_id": "1", "variant_label": "x", "market": "black", "price": {"amount": "1"}}},
        {"price": {"product_id": "1", "variant_label": "x", "market": "rec", "price": {"amount": "much"}}},
        {"price": {"product_id": "1", "variant_label": "x", "market": "rec", "price": {"amount": "NaN"}}},
        {"product": {"id": "1", "name": "n", "origin": "o", "category": "furniture"}},
        {"strain": {"slug": "a", "name": "a", "origin": "o", "effects": {"calm": float("nan")}}},
    ],
    ids=["a word that is none", "no number", "NaN as a price", "no category", "NaN"],
)
def test_values_that_no_record_has_are_corrupt(message: dict[str, Any]) -> None:
    if "price" in message:
        message["price"]["list_price"] = message["price"]["price"]
    with pytest.raises(Corrupt):
        decode_payload(record_class()(**message).SerializeToString())


def test_a_message_over_the_limit_is_neither_read_nor_written() -> None:
    with pytest.raises(Corrupt, match="over the limit"):
        decode_payload(bytes(MAX_PAYLOAD_BYTES + 1))
    long = Strain(slug="a", name="x" * MAX_PAYLOAD_BYTES, origin="o")
    with pytest.raises(Corrupt, match="over the limit"):
        encode_payload(long)


BOMBS = {
    "empty products": lambda: b"\x1a\x00" * (4 * 2**20),
    "empty terpenes of one product": lambda: wrapped(3, b"\x0a\x00\x12\x00\x1a\x00" + b"\x62\x00" * (4 * 2**20)),
}
CHILD = """
import resource, sys
from weedhounds.codec.protobuf_format import decode_payload
from weedhounds.errors import Corrupt
payload = sys.stdin.buffer.read()
try:
    decode_payload(payload[:100])
except Corrupt:
    pass
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode_payload(payload)
except Corrupt:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def wrapped(number: int, payload: bytes) -> bytes:
    """Return a field of bytes; its length as a varint."""
    size, rest = b"", len(payload)
    while rest > 127:
        size += bytes([rest & 127 | 128])
        rest >>= 7
    return bytes([number << 3 | 2]) + size + bytes([rest]) + payload


@pytest.mark.parametrize("make", BOMBS.values(), ids=list(BOMBS))
def test_millions_of_empty_messages_are_refused_at_the_first(make: Any) -> None:
    """As protobuf reads by itself, eight million bytes become over a gigabyte."""
    payload = wrapped(1, make())
    ran = subprocess.run((sys.executable, "-c", CHILD), input=payload, capture_output=True, timeout=20, check=True)
    assert int(ran.stdout) < 200


def test_a_message_is_read_piece_by_piece() -> None:
    assert flat_class("Menu").DESCRIPTOR.fields_by_name["products"].message_type is None
    assert record_class().DESCRIPTOR.fields_by_name["menu"].message_type is not None

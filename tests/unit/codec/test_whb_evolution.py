"""Rows of later and earlier releases are read, and a layout that would break that is found."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from golden_codec_records import RECORDS, SINGLES
from weedhounds.codec import Encodable, evolve, whb_wire
from weedhounds.codec.whb_pack import pack, pack_product
from weedhounds.codec.whb_row import decode_payload, encode_payload
from weedhounds.errors import Corrupt
from weedhounds.model.records import AnyRecord, Body, Product

ALL: dict[str, Encodable] = {**RECORDS, **SINGLES}


_encoder = msgspec.msgpack.Encoder(decimal_format="string")


def encoded(row: list[object]) -> bytes:
    return _encoder.encode(row)


def test_the_layout_of_every_release_is_kept() -> None:
    assert evolve.broken() == []


def test_every_field_of_this_release_is_listed_as_released() -> None:
    assert evolve.unreleased() == [], "put new fields into RELEASED with the release that has them"


def test_every_type_that_can_be_encoded_has_a_row() -> None:
    packed = {type(record) for record in ALL.values()}
    assert packed == set(Body.__args__) | set(AnyRecord.__args__)
    numbers = [pack(record)[0] for record in ALL.values()]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("record", ALL.values(), ids=list(ALL))
def test_a_later_release_may_add_fields_at_the_end(record: Encodable) -> None:
    for extra in ([None], ["a text", 7, {"and": ["more"]}]):
        assert decode_payload(encoded([*pack(record), *extra])) == record


@pytest.mark.parametrize("name", SINGLES)
def test_an_earlier_release_may_lack_fields_at_the_end(name: str) -> None:
    """Whatever trailing fields are cut off, the rest is read, down to those that had to be there from the start."""
    row = list(pack(SINGLES[name]))
    wire = next(each for each in evolve.rows().values() if each.__struct_config__.tag == row[0])
    needed = {field.name for field in msgspec.structs.fields(wire) if field.required} | {"origin", "shop_origin"}
    least = 2 + max(place for place, field in enumerate(wire.__struct_fields__) if field in needed)
    for length in range(least, len(row)):
        assert isinstance(decode_payload(encoded(row[:length])), type(SINGLES[name]))
    with pytest.raises(Corrupt):
        decode_payload(encoded(row[:1]))


def test_a_field_that_is_missing_has_its_default() -> None:
    record = SINGLES["product"]
    assert isinstance(record, Product)
    assert record.potency_by_variant
    assert record.updated_at
    without = msgspec.structs.replace(record, potency_by_variant={})
    assert decode_payload(encoded(list(pack_product(record))[:-1])) == without
    assert decode_payload(encoded(list(pack(record))[:-1])) == msgspec.structs.replace(record, updated_at=None)


def test_nested_values_with_fields_of_a_later_release_are_read() -> None:
    menu = RECORDS["menu"]
    row = msgspec.msgpack.decode(encode_payload(menu))
    place = 1 + whb_wire.MenuRow.__struct_fields__.index("potency")
    for potency in row[place]:
        for each in potency.values():
            each["measured_at"] = "2030-01-01"
    assert decode_payload(encoded(row)) == menu


class Before(msgspec.Struct, array_like=True, tag=99):
    """A row as it was."""

    id: str
    name: str | None = None


class Added(msgspec.Struct, array_like=True, tag=99):
    """The same with a field more."""

    id: str
    name: str | None = None
    size: int | None = None


class AddedWithoutDefault(msgspec.Struct, array_like=True, tag=99, kw_only=True):
    """The same with a field that old bytes cannot give."""

    id: str
    name: str | None = None
    size: int


class Moved(msgspec.Struct, array_like=True, tag=99):
    """The same with a field in front."""

    size: int | None = None
    id: str = ""
    name: str | None = None


class Renumbered(msgspec.Struct, array_like=True, tag=98):
    """The same under another number."""

    id: str
    name: str | None = None


RELEASED = {"Row": (99, "id name")}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (Before, None),
        (Added, None),
        (AddedWithoutDefault, "Row.size is new and has no default"),
        (Moved, "Row has moved fields: id, name became size, id"),
        (Renumbered, "Row is not an array of number 99"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_change_that_breaks_old_bytes_is_named(row: Any, says: str | None) -> None:
    assert evolve.broken({"Row": row}, RELEASED) == ([] if says is None else [says])


def test_a_row_that_is_gone_is_named() -> None:
    assert evolve.broken({}, RELEASED) == ["Row is gone"]

"""Files become records, whichever of our documents or an origin's answer they hold."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from struct import unpack
from typing import Any

import msgspec
import pytest

from record_strategies import RECORD_TYPES, TYPE_NAMES, filled
from sample_entries import menu, price_list
from weedhounds.codec import Compression, Format, encode
from weedhounds.codec.finite import check_finite
from weedhounds.codec.kinds import items_of
from weedhounds.codec.samples import MAX_ITEMS, MAX_SINGLES, Origin, by_type, cut, records_in, to_measure
from weedhounds.errors import BadInput, Corrupt, SourceError
from weedhounds.model.records import Brand, Menu, PriceList, Product, Strain


@pytest.mark.parametrize("kind", RECORD_TYPES, ids=TYPE_NAMES)
def test_a_record_is_read_from_its_json_a_list_an_answer_and_an_envelope(kind: Any) -> None:
    record = filled(kind, 1)
    text = msgspec.json.encode(record)
    assert records_in(text) == [record]
    assert records_in(b"[" + text + b"," + text + b"]") == [record, record]
    assert records_in(b'{"records": [' + text + b'], "skipped": []}') == [record]
    assert records_in(b'{"records": [{"key": "k", "record": ' + text + b"}]}") == [record]
    assert records_in(encode(record, Format.PROTOBUF, Compression.GZIP)) == [record]


def test_a_recorded_answer_becomes_what_the_node_stores(golden: Path) -> None:
    data = (golden / "weedmaps" / "menu_edge_cases.json").read_bytes()
    for origin in (None, Origin("weedmaps")):
        found = records_in(data, origin)
        assert {type(each) for each in found} == {Menu, PriceList}
        assert all(items_of(each) for each in found)


def test_prices_take_the_currency_given(golden: Path) -> None:
    data = (golden / "weedmaps" / "menu_edge_cases.json").read_bytes()
    prices = next(each for each in records_in(data, Origin("weedmaps", currency="CAD")) if isinstance(each, PriceList))
    assert "CAD" in {price.price.currency for price in prices.prices}


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"no json", b"[" * 50_000, b'{"type": "review"}', b"null"])
def test_what_holds_no_record_is_bad_input(data: bytes) -> None:
    with pytest.raises(BadInput):
        records_in(data)


def test_what_only_looks_like_a_record_is_bad_input() -> None:
    with pytest.raises(BadInput, match="not a record of ours"):
        records_in(b'{"type": "menu", "origin": 5}')


def test_what_is_damaged_is_said() -> None:
    with pytest.raises(Corrupt):
        records_in(encode(menu("1"), Format.JSON, Compression.NONE)[:-1])
    with pytest.raises(SourceError):
        records_in(b"<!DOCTYPE html>", Origin("weedmaps"))


def test_a_sample_holds_bodies_of_all_sizes_and_single_records() -> None:
    records = [*(menu(str(n), n) for n in range(1, 50)), menu("long", 3 * MAX_ITEMS), price_list("1", 3), filled(Brand)]
    sample = to_measure(records, most=3)
    assert set(sample) == {"menu", "price_list", "brand", "product", "price"}
    assert [len(items_of(each)) for each in sample["menu"]] == [17, 33, MAX_ITEMS]
    assert len(sample["product"]) == MAX_SINGLES
    assert len(sample["price"]) == 3
    assert {type(each) for each in sample["product"]} == {Product}


def test_a_cut_body_keeps_its_first_items() -> None:
    whole = menu("1", 10)
    assert cut(whole, 3) == msgspec.structs.replace(whole, products=whole.products[:3])
    assert cut(whole, 10) is whole
    assert cut(filled(Brand), 0) == filled(Brand)


def test_records_are_told_apart_by_their_tag() -> None:
    assert {tag: len(each) for tag, each in by_type([menu("1"), menu("2"), price_list("1", 1)]).items()} == {
        "menu": 2,
        "price_list": 1,
    }


@pytest.mark.parametrize("text", ["\u02ff", "amount\u00a3NaN", "amountNaN", "\x7f\xf0", "amount-Infinity", "N", "inf"])
def test_text_that_looks_like_no_number_is_let_through(text: str) -> None:
    check_finite(Strain(slug=text, name=text * 3, origin="amount", effects={text: 1.0, "amount": 2.5}))


def test_floats_whose_bytes_look_like_no_number_are_let_through() -> None:
    odd = unpack(">d", b"\x40\xcb\x7f\xf0\xcb\xff\xf8\x00")[0]
    check_finite(Strain(slug="a", name="a", origin="o", effects={"x": odd}))


@pytest.mark.parametrize(
    "amount", ["NaN", "-NaN", "sNaN123", "Infinity", "-Infinity", "NaN" + "1" * 60, "NaN" + "1" * 300]
)
def test_a_price_that_is_no_number_is_found_whatever_its_digits(amount: str) -> None:
    price = filled(PriceList, 1).prices[0]
    odd = msgspec.structs.replace(price, price=msgspec.structs.replace(price.price, amount=Decimal(amount)))
    with pytest.raises(Corrupt):
        check_finite(PriceList(origin="o", shop_id="1", prices=(odd,)))

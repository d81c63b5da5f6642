"""Lenient reading of values, items and answers."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from weedhounds.errors import OriginRejected, SchemaMismatch
from weedhounds.model.units import Amount, Potency, Reading
from weedhounds.sources import wire


class Item(msgspec.Struct):
    name: str | None = None
    sizes: list[Decimal | None] | None = None
    size: int | None = None


class Answer(msgspec.Struct):
    items: list[msgspec.Raw] = []


DECODER = wire.ItemDecoder(Item, as_given=["sizes"])


def test_a_field_of_another_type_is_left_out() -> None:
    assert DECODER.decode(b'{"name":"A","size":"large","sizes":[1.50]}') == Item("A", [Decimal("1.50")], None)


def test_a_field_kept_as_given_loses_only_its_broken_elements_type() -> None:
    found = DECODER.decode(b'{"name":7,"sizes":[1.5,{"x":1},' + b"9" * 5000 + b"]}")
    assert found.name is None
    assert found.sizes is not None
    assert [type(v).__name__ for v in found.sizes] == ["Decimal", "dict", "str"]


@pytest.mark.parametrize("raw", [b"7", b'"text"', b"[]", b"null", b'{"name":"\xff"'])
def test_an_item_that_is_no_object_is_a_schema_mismatch(raw: bytes) -> None:
    with pytest.raises(SchemaMismatch):
        DECODER.decode(raw)


def test_bytes_that_are_no_utf8_lose_their_field_only() -> None:
    assert DECODER.decode(b'{"name":"\xff","size":3}') == Item(None, None, 3)


def test_what_some_encoders_get_wrong_is_mended() -> None:
    body = rb'{"items":[NaN,-Infinity,"NaN \ud83d",["\\ud800","\ud83c\udf3f"]]}'
    items = wire.decode_answer(body, Answer).items
    assert [bytes(i) for i in items] == [b"null", b"null", rb'"NaN \ufffd"', rb'["\\ud800","\ud83c\udf3f"]']


def test_mending_takes_time_in_proportion_to_the_body() -> None:
    body = b'{"items":["NaN' + rb"\"" * 500_000
    with pytest.raises(SchemaMismatch):
        wire.decode_answer(body, Answer)


def test_html_is_not_mended() -> None:
    with pytest.raises(OriginRejected):
        wire.decode_answer(b"<html>NaN</html>", Answer)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (3, 3.0),
        ("21%", 21.0),
        (" 0.5 ", 0.5),
        (Decimal("2.5"), 2.5),
        (0, 0.0),
        ("<0.1", None),
        ("-1", None),
        (-1, None),
        (True, None),
        (float("nan"), None),
        (float("inf"), None),
        ("9" * 500, None),
        (10**400, None),
        ("100mg", None),
        ([], None),
        (None, None),
    ],
)
def test_a_number_is_finite_and_not_negative(value: object, found: float | None) -> None:
    assert wire.number(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("2026-06-13T05:24:11.208Z", 1781328251.208),
        ("2026-06-13T07:24:11.208+02:00", 1781328251.208),
        ("1683310120137", 1683310120.137),
        (1683310120, 1683310120.0),
        ("2026-07-01T11:00:00.0000000", None),
        ("yesterday", None),
        ("", None),
        (0, None),
        (True, None),
        (1e300, None),
        ("9999-99-99T00:00:00Z", None),
    ],
)
def test_a_time_needs_a_zone_or_is_an_epoch(value: object, found: float | None) -> None:
    assert wire.instant(value) == found


def test_a_content_is_ordered_and_needs_a_unit() -> None:
    assert wire.potency(27.5, 20, "%") == Potency(20.0, 27.5, "%")
    assert wire.potency(20, 27.5, None) is None
    assert wire.potency(20, 100.1, "%") is None
    assert wire.potency(20, 250, "mg") == Potency(20.0, 250.0, "mg")


def test_a_reading_below_its_limit_says_so() -> None:
    assert wire.reading("CBG (Cannabigerol)", "<0.05", "%") == Reading("cbg", None, "%", 0.05)
    assert wire.reading("CBG", "none", "%") is None
    assert wire.reading("", 1, "%") is None


@pytest.mark.parametrize(
    ("given", "unit"),
    [
        ("PERCENTAGE", "%"),
        ("MILLIGRAMS", "mg"),
        ("MILLIGRAMS_PER_GRAM", "mg/g"),
        ("Milligrams per ml", "mg/ml"),
        ("DROPS", "drops"),
        ("", None),
        (None, None),
        (7.5, None),
    ],
)
def test_units_are_written_one_way_and_unknown_ones_kept(given: object, unit: str | None) -> None:
    assert wire.unit_text(given) == unit


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("THC-D9 (Delta 9–tetrahydrocannabinol)", "thc"),
        ("THCA (Δ9-tetrahydrocannabinolic acid)", "thca"),
        ("TAC - Total Active Cannabinoids", "tac"),
        ("Alpha-Pinene", "pinene_alpha"),
        ("Unheard of", "unheard_of"),
        ("()", None),
        (7.5, None),
    ],
)
def test_analytes_with_an_explanation_are_known_by_their_name(name: object, canonical: str | None) -> None:
    assert wire.analyte_name(name) == canonical


@pytest.mark.parametrize("label", ["2 x 0/0 g", "9" * 60 + "g", "g" * 10_000, "N/A", ""])
def test_an_absurd_label_states_no_amount(label: str) -> None:
    assert wire.amount_of(label) is None


def test_a_label_states_its_amount() -> None:
    assert wire.amount_of("5 x 0.5g") == Amount(0.5, "g", 5)


@pytest.mark.parametrize(("lat", "lon"), [(0, 0), (91, 0), (1, 181), (None, 1), ("x", 1), (True, 1), (float("nan"), 1)])
def test_a_position_off_the_globe_is_none(lat: object, lon: object) -> None:
    assert wire.position(lat, lon) is None


@pytest.mark.parametrize("text", ["", "-12345678901234", "ffffffffffffffff", "fffffffffffffff", "85268cdbffffffg"])
def test_a_cell_that_is_none_is_told(text: str) -> None:
    assert not wire.is_cell(text)


@pytest.mark.parametrize("value", [None, 0, "0.00", "", {}, 1e-9, Decimal("1e-999999999")])
def test_a_price_of_nothing_is_none(value: object) -> None:
    assert wire.price_of(value, "USD") is None


@pytest.mark.parametrize("value", [True, -1, "free", {"amount": 1}, Decimal("NaN"), Decimal("1e999999999"), 10**400])
def test_what_is_no_price_is_a_schema_mismatch(value: object) -> None:
    with pytest.raises(SchemaMismatch):
        wire.price_of(value, "USD")

"""Compact values come back as the very same values, or are not compact."""

from __future__ import annotations

import string
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from weedhounds.codec import columns, columns_text, whb_contents, whb_menus, whb_values
from weedhounds.errors import Corrupt
from weedhounds.model.units import Amount, Money, Potency, Reading

NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 10**9).map(lambda n: n / 100)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MARKED = st.text(st.sampled_from("ab-\n\0\1\2\3\4\5é"), max_size=8)


def same(one: object, other: object) -> bool:
    """Tell whether two values are one in every bit: zeros of both signs differ."""
    return repr(one) == repr(other)


PAIRS: list[tuple[Callable[[Any], Any], Callable[[Any], Any]]] = [
    (whb_values.pack_num, whb_values.num),
    (whb_values.pack_optional, whb_values.optional),
    (whb_values.pack_time, whb_values.time),
    (whb_values.pack_degrees, whb_values.degrees),
]


@pytest.mark.parametrize(("pack", "unpack"), PAIRS, ids=["number", "optional", "time", "degrees"])
@given(NUMBERS)
@example(-0.0)
@example(0.0)
@example(0.005)
@example(-1.25)
@example(9007199254740993.0)
@example(999999999999.99)
@example(5e-324)
def test_any_number_comes_back_exactly(
    pack: Callable[[float], Any], unpack: Callable[[Any], float], number: float
) -> None:
    assert same(unpack(pack(number)), number)


@pytest.mark.parametrize(("pack", "unpack"), PAIRS, ids=["number", "optional", "time", "degrees"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")], ids=str)
def test_what_is_no_number_is_refused_both_ways(
    pack: Callable[[float], Any], unpack: Callable[[Any], float], number: float
) -> None:
    with pytest.raises(Corrupt):
        pack(number)
    with pytest.raises(Corrupt):
        unpack(number)


@given(st.integers(-(2**63), 2**64 - 1))
def test_any_whole_number_on_the_wire_is_some_number(packed: int) -> None:
    assert isinstance(whb_values.num(packed), float)
    assert isinstance(whb_values.time(packed), float)


@given(st.decimals(allow_nan=False, allow_infinity=False) | st.decimals("0", "9999", places=2), TEXT)
@example(Decimal("35.00"), "USD")
@example(Decimal("-0.00"), "USD")
@example(Decimal("035.0"), "CAD")
@example(Decimal("1E+3"), "USD")
@example(Decimal("0.05"), "USD")
def test_any_amount_of_money_comes_back_exactly(amount: Decimal, currency: str) -> None:
    assert same(whb_values.money(whb_values.pack_cash(str(amount)), currency), Money(amount, currency))


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_money_that_is_none_is_refused_both_ways(amount: str) -> None:
    with pytest.raises(Corrupt):
        whb_values.pack_cash(amount)
    with pytest.raises(Corrupt):
        whb_values.money(amount, "USD")


@pytest.mark.parametrize("cash", [-1, "", "x", "1.2.3", "1" * 300 + "x"])
def test_cash_that_is_none_is_corrupt(cash: int | str) -> None:
    with pytest.raises(Corrupt):
        whb_values.money(cash, "USD")


@given(NUMBERS, st.integers(-(2**63), 2**63 - 1), TEXT)
@example(-0.0, 1, "g")
@example(0.0, 1, "g")
@example(0.5, 10, "fl oz")
def test_any_amount_of_a_unit_comes_back_exactly(number: float, count: int, unit: str) -> None:
    amount = Amount(number, unit, count)
    assert same(whb_values.amount(whb_values.pack_amount(amount)), amount)


@pytest.mark.parametrize("text", ["", "1", "1 2", "a 1 g", "1 b g", "nan 1 g", "inf 1 g"])
def test_an_amount_that_is_none_is_corrupt(text: str) -> None:
    with pytest.raises(Corrupt):
        whb_values.amount(text)


@given(TEXT | st.text(st.sampled_from(string.hexdigits), max_size=40) | st.integers(0, 10**20).map(str))
@example("0")
@example("00")
@example("٣")
@example("64554628b8bf460001eb7647")
@example("64554628B8BF460001EB7647")
def test_any_id_comes_back_exactly(text: str) -> None:
    assert whb_values.native_id(whb_values.pack_id(text)) == text


@given(TEXT | MARKED, TEXT | MARKED, st.none() | TEXT | MARKED)
@example("sugar-cookies-29685", "Sugar Cookies", None)
@example("kiva-sugar-cookies", "Sugar Cookies", "Kiva")
@example("aaa-aaa", "aaa", "aaa")
@example("", "", "")
def test_any_slug_comes_back_exactly(slug: str, name: str, brand: str | None) -> None:
    assert whb_values.slug(whb_values.pack_slug(slug, name, brand), name, brand) == slug
    cut, is_whole = whb_menus.cut_slugs([slug, None], [name, name], [brand, None])
    assert (cut if is_whole else whb_menus.whole_slugs(cut, [name, name], [brand, None])) == [slug, None]
    uuids: list[bytes] = []
    column = columns_text.pack_slugs([slug, None], [name, name], [brand, None], uuids)
    assert columns_text.slugs(column, [name, name], [brand, None], iter(uuids)) == [slug, None]


def test_a_slug_that_follows_from_its_name_is_one_mark() -> None:
    assert whb_values.pack_slug("gmo-cookies", "GMO Cookies!") == "\0"


def test_a_mark_is_filled_in_once_however_many_there_are() -> None:
    """Else a payload of a million marks and a name of a million letters were a bomb."""
    assert whb_values.slug("\0\0\0", "Haze") == "haze\0\0"
    with pytest.raises(Corrupt):
        whb_values.slug("\0", "x" * 10_000)


@given(st.lists(TEXT | MARKED | st.text(max_size=300), max_size=5))
def test_slugs_of_names_are_those_of_each_name(names: list[str]) -> None:
    assert columns.base_slugs(names) == [columns.base_slug.__wrapped__(name) for name in names]
    for slug in columns.base_slugs(names):
        assert set(slug) <= set(string.ascii_lowercase + string.digits + "-")
        assert not slug.startswith("-")
        assert "--" not in slug


READINGS = st.lists(
    st.builds(Reading, TEXT | MARKED, st.none() | NUMBERS, TEXT, st.none() | st.sampled_from([0.1, 0.0, -0.0, 0.25])),
    max_size=5,
)
PANEL = st.lists(
    st.builds(
        lambda analyte, hundredths, is_below: Reading(
            analyte, None if is_below else hundredths / 100, "%", 0.1 if is_below else None
        ),
        st.sampled_from(["thc", "cbd", "myrcene"]),
        st.integers(0, 10_000),
        st.booleans(),
    ),
    max_size=6,
)


@given(READINGS | PANEL)
@example([Reading("thc", -0.0, "%"), Reading("cbd", 0.0, "%")])
@example([Reading("thc", 0.1, "%", 0.1)])
@example([Reading("thc", None, "%", 0.1), Reading("cbd", None, "%"), Reading("cbg", 12.3456, "%")])
def test_any_readings_come_back_exactly(readings: list[Reading]) -> None:
    assert same(whb_contents.readings(whb_contents.pack_readings(tuple(readings))), tuple(readings))


@pytest.mark.parametrize(
    "row",
    [
        ("a\nb", "%", [100, 1], None, None),
        ("a", "%", [], None, None),
        ("a", "%", [0, 1], None, None),
        ("a", "%", [-1, 1], None, None),
        ("a", "%", [100, -3], None, None),
        ("a", ["%", "mg"], [100, 1], None, None),
        (["a"], "%", [100, -3], None, None),
        (["a"], "%", [100], None, None),
        (["a"], "%", [], None, [(1, None), (2, None)]),
        (["a"], ["%", "mg"], [], None, [(1, None)]),
        ("a", "%", [100, -1], float("nan"), None),
        ("a", "%", [], None, [(float("inf"), None)]),
    ],
    ids=repr,
)
def test_readings_that_do_not_fit_are_corrupt(row: Any) -> None:
    with pytest.raises(Corrupt):
        whb_contents.readings(row)


@given(st.dictionaries(TEXT | MARKED, st.builds(Potency, NUMBERS, NUMBERS, TEXT, st.none() | TEXT), max_size=4))
@example({"thc": Potency(0.0, -0.0, "%")})
@example({"thc": Potency(-0.0, 0.0, "%")})
@example({"a\nb": Potency(1.0, 2.0, "%", "")})
def test_any_content_comes_back_exactly(content: dict[str, Potency]) -> None:
    assert same(whb_contents.potencies(*whb_contents.pack_potency(content)), content)


@pytest.mark.parametrize(
    ("numbers", "analytes"),
    [([], "thc\0%"), ([1, 2, 3], "thc\0%"), ([1], "thc"), ([1], "a\0b\0c\0d"), ([1], []), ([float("nan")], "thc\0%")],
    ids=repr,
)
def test_contents_that_do_not_fit_are_corrupt(numbers: Any, analytes: Any) -> None:
    with pytest.raises(Corrupt):
        whb_contents.potencies(numbers, analytes)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_any_whole_numbers_survive_as_planes(numbers: list[int]) -> None:
    assert list(columns.ints(columns.pack_ints(numbers), len(numbers))) == numbers
    assert columns_text.numbers(columns_text.pack_numbers(numbers), len(numbers)) == numbers


@given(st.lists(st.integers(-(2**61), 2**61), max_size=20))
def test_any_whole_numbers_survive_as_differences(numbers: list[int]) -> None:
    assert columns.undelta(columns.pack_deltas(numbers), len(numbers)) == numbers
    assert columns_text.numbers(columns_text.pack_numbers(numbers), len(numbers)) == numbers


@given(
    st.lists(st.none() | TEXT | MARKED | st.uuids().map(str) | st.uuids().map(lambda u: f"x{u}".upper()), max_size=6)
)
@example(["\x01"])
@example([None, ""])
@example(["a\nb", None])
@example([f"https://a.example/{'0' * 8}-0000-0000-0000-{'0' * 12}.jpg"])
@example([f"https://a.example/{'0a' * 20}.jpg", "F" * 32])
@example(["\x05"])
def test_any_texts_survive_as_a_column(texts: list[str | None]) -> None:
    uuids: list[bytes] = []
    column = columns_text.pack_texts(texts, uuids)
    assert columns_text.texts(column, len(texts), iter(uuids)) == texts
    assert columns_text.texts(columns_text.pack_texts(texts), len(texts)) == texts


IDS = st.lists(TEXT | st.integers(0, 10**19).map(str) | st.just("64554628b8bf460001eb7647"), max_size=5)


@given(IDS | st.lists(st.integers(0, 9_999_999).map("MMBR.{:07}".format), max_size=5))
@example(["00", "01"])
@example(["a1", "b1"])
@example(["٣1"])
@example([""])
def test_any_ids_survive_as_a_column(ids: list[str]) -> None:
    assert columns_text.ids(columns_text.pack_ids(ids), len(ids)) == ids


@pytest.mark.parametrize(
    "column", [b"", b"X", b"T", b"Ta\nb", b"T\xff", b"T\x03", b"L\x93", b"L\x91\x01", b"D\0\0", b"H\0"]
)
def test_a_column_that_does_not_fit_is_refused(column: bytes) -> None:
    for read in (columns_text.texts, columns_text.ids, columns_text.numbers):
        try:
            assert len(read(column, 1)) == 1
        except (Corrupt, ValueError):  # whb_column turns the second into the first
            continue

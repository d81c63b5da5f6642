from __future__ import annotations

from decimal import Decimal

import pytest

from weedhounds.cli.output import to_json
from weedhounds.cli.text import age, amount, money, one_line, potency
from weedhounds.model.units import Amount, Money, Potency


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Blue Dream", "Blue Dream"),
        ("Blue\nDream\t\r", "Blue Dream"),
        ("a\x1b[2Jb", "a [2Jb"),
        ("right\u202eleft", "right left"),
        ("half \ud800 pair", "half pair"),
        ("a\u2028b\x85c", "a b c"),
        ("Käse – 3,5 g", "Käse – 3,5 g"),
    ],
)
def test_a_cell_is_one_harmless_line(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_money_shows_its_currency() -> None:
    assert money(None) == ""
    assert money(Money(Decimal("35.00"))) == "$35.00"
    assert money(Money(Decimal("9.5"), "CAD")) == "9.5 CAD"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Amount(3.5, "g"), "3.5 g"),
        (Amount(0.5, "g", 2), "2 x 0.5 g"),
        (Amount(1.0, "each"), "each"),
        (Amount(1.0, "each", 10), "10 pack"),
        (None, "King size"),
    ],
)
def test_an_amount_is_what_one_gets(value: Amount | None, shown: str) -> None:
    assert amount(value, "King\nsize") == shown


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({}, ""),
        ({"cbd": Potency(1, 1, "%")}, ""),
        ({"thc": Potency(22.4, 22.4, "%")}, "22.4%"),
        ({"thc": Potency(20, 25.5, "%"), "thca": Potency(1, 1, "%")}, "20-25.5%"),
        ({"thc": Potency(100, 100, "mg")}, "100 mg"),
        ({"thca": Potency(21, 21, "%")}, "21% thca"),
    ],
)
def test_thc_is_shown_as_reported(values: dict[str, Potency], shown: str) -> None:
    assert potency(values) == shown


def test_an_age_is_shown_in_its_largest_unit() -> None:
    assert [age(s) for s in (0, 59.9, 60, 3599, 86399, 86400, 3e7, 4e7)] == [
        "0s", "59s", "1m", "59m", "23h", "1d", "347d", "1y",
    ]  # fmt: skip


def test_json_is_strict_whatever_the_text() -> None:
    assert to_json({"a": "\ud800x", "b": ["\udfff"], "\ud800": 1}) == b'{"a":"?x","b":["?"],"?":1}\n'
    assert to_json({"a": "Käse"}) == '{"a":"Käse"}\n'.encode()

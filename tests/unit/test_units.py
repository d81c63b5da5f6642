"""Money, amounts and their labels."""

from __future__ import annotations

from decimal import Decimal

import pytest

from weedhounds.errors import SchemaMismatch
from weedhounds.model.units import Amount, Money, parse_amount


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("1/8oz", Amount(3.5, "g")),
        ("1 oz", Amount(28.0, "g")),
        ("eighth ounce", Amount(3.5, "g")),
        (".5 g", Amount(0.5, "g")),
        ("1/2 g", Amount(0.5, "g")),
        ("100mg", Amount(100.0, "mg")),
        ("2 x 0.5 g", Amount(0.5, "g", 2)),
        ("10pk", Amount(1.0, "each", 10)),
        ("each", Amount(1.0, "each")),
        ("N/A", None),
        ("King size", None),
        ("0g", None),
        ("1/0 g", None),
        ("2 x 0/0 g", None),
        ("9" * 30 + " g", None),
        ("9" * 5000, None),
    ],
)
def test_a_label_states_its_amount_or_none(label: str, expected: Amount | None) -> None:
    assert parse_amount(label) == expected


@pytest.mark.parametrize(
    ("value", "amount"),
    [(8, "8.00"), ("9.95", "9.95"), (48.75, "48.75"), ("$1,200", "1200.00"), (30.000000001, "30.00")],
)
def test_a_price_is_exact_with_two_decimals_at_least(value: object, amount: str) -> None:
    price = Money.of(value)
    assert price is not None
    assert str(price.amount) == amount


@pytest.mark.parametrize("value", [None, 0, "", "0.00", 1e-9, {}, []])
def test_zero_and_null_mean_not_sold_so(value: object) -> None:
    assert Money.of(value) is None


@pytest.mark.parametrize("value", [True, -1, "abc", "35,00", float("nan"), float("inf"), 1e12, ["5"], {"amount": 5}])
def test_what_is_no_price_is_refused(value: object) -> None:
    with pytest.raises(SchemaMismatch):
        Money.of(value)


def test_grams_count_all_pieces() -> None:
    assert Amount(0.5, "g", 2).grams == 1.0
    assert Amount(100, "mg").grams == pytest.approx(0.1)
    assert Amount(1, "each", 10).grams is None
    assert Money(Decimal("1.00")).currency == "USD"

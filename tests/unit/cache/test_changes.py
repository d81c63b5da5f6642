"""The difference of two price lists, and where a late one is put."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from sample_prices import KEY, NOW, price, prices, spelled
from weedhounds.cache.changes import difference, insertion, is_same, replay, state_of
from weedhounds.cache.history import PriceChange
from weedhounds.model.records import Price
from weedhounds.model.units import Money


def rows(at: float, *listed: Price) -> list[PriceChange]:
    return list(state_of(KEY, prices(*listed), NOW + at).values())


def test_a_row_tells_price_and_stock_as_the_list_does() -> None:
    listed = price("a", "10.00", in_stock=False, quantity=2.5, market="med", variant_label="½ oz")
    (row,) = rows(5, listed)
    assert (row.key, row.at, row.product_id, row.variant_label, row.market) == (KEY, NOW + 5, "a", "½ oz", "med")
    assert (row.price, row.list_price, row.currency) == (Decimal("10.00"), Decimal("40.00"), "USD")
    assert (row.in_stock, row.quantity) == (False, 2.5)


def test_a_regular_price_in_another_currency_is_not_told_as_if_it_were_in_this_one() -> None:
    (row,) = rows(0, price(list_price=Money(Decimal("40.00"), "CAD")))
    assert (row.currency, row.list_price) == ("USD", None)


def test_of_an_offer_listed_twice_the_first_counts() -> None:
    assert spelled(rows(0, price("a", "1.00"), price("a", "2.00"))) == [(0, "a", "1.00")]


@pytest.mark.parametrize(
    "changed",
    [
        {"price": Decimal("9.00")},
        {"list_price": None},
        {"currency": "CAD"},
        {"in_stock": False},
        {"quantity": 0.0},
    ],
)
def test_each_fact_makes_a_row_another(changed: dict[str, object]) -> None:
    (row,) = rows(0, price())
    assert is_same(row, msgspec.structs.replace(row, at=9.0))
    assert not is_same(row, msgspec.structs.replace(row, **changed))


def test_a_vanished_offer_has_a_row_without_price_and_comes_back_as_a_new_one() -> None:
    (row,) = rows(0, price("a", in_stock=True, quantity=3.0))
    (gone,) = difference({("a", "1g", "rec"): row}, {}, NOW + 60)
    assert (gone.price, gone.list_price, gone.in_stock, gone.quantity, gone.currency) == (None, None, None, None, "USD")
    assert replay([row, gone]) == {}
    back = msgspec.structs.replace(row, at=NOW + 120)
    assert replay([row, gone, back]) == {("a", "1g", "rec"): back}
    assert replay([row, gone, back], until=NOW + 119) == {}


def test_of_two_lists_of_one_moment_the_second_adds_only_what_the_first_does_not_tell() -> None:
    kept = rows(0, price("a", "1.00"))
    seen = state_of(KEY, prices(price("a", "2.00"), price("b", "3.00")), NOW)
    assert spelled(insertion(kept, seen, NOW, next_at=None, is_whole=False)) == [(0, "b", "3.00")]


def test_what_a_late_list_changes_is_as_before_at_the_next_observation() -> None:
    kept = [*rows(0, price("a", "1.00"), price("b", "1.00")), *rows(60, price("b", "5.00"))]
    seen = state_of(KEY, prices(price("a", "2.00"), price("c", "3.00")), NOW + 30)
    assert spelled(insertion(kept, seen, NOW + 30, next_at=NOW + 60)) == [
        (30, "a", "2.00"), (30, "c", "3.00"), (30, "b", None), (60, "a", "1.00"), (60, "c", None),
    ]  # fmt: skip

"""Menus and price lists as rows: field by field, so that no Python loop runs over the records.

A menu is not written as one row after the other. Its fields side by side take half the time to
write and two thirds to read, for msgspec writes whole columns and builds what is nested itself;
they are up to 8 % larger. What is done besides pays for itself in size: a slug is written as what
it adds to the slugs of name and brand (12 % of a menu), and what few values fill in a price list
(labels, markets) is coded (13 %). Coding brands and categories, or counting money in cents, saved
nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import repeat
from math import isfinite
from operator import is_
from typing import cast

import msgspec
from msgspec.structs import astuple

from weedhounds.codec import whb_wire as wire
from weedhounds.codec.base import MAX_ITEMS
from weedhounds.codec.columns import code, code_objects, decoded
from weedhounds.codec.positional import positional, retype
from weedhounds.codec.whb_values import DEFAULT_CURRENCY, HasMark, are_short, cut_slug, fill_slug
from weedhounds.errors import Corrupt
from weedhounds.model.records import Menu, Price, PriceList, Product
from weedhounds.model.units import Amount, Money, Potency

MOST_SECONDS = 1e12
NONE_CODED: tuple[list[object], bytes] = ([], b"")
"""The coded column of no records."""

_make_product, _make_price = positional(Product), positional(Price)


def pack_menu(menu: Menu) -> tuple[object, ...]:
    """Return the row of a menu.

    Raises:
        Corrupt: too many products, or numbers that are none.
    """
    check_columns(len(menu.products))
    columns = list(zip(*map(astuple, menu.products), strict=True)) or [()] * len(Product.__struct_fields__)
    ids, names, origins, brands, categories, category_names, subcategories, strains, strain_types = columns[:9]
    potencies, varied, terpenes, labs, slugs, images, updated = columns[9:]
    check_potencies(potencies)
    check_numbers(updated)
    if any(varied) or any(terpenes):
        check_finite([varied, terpenes])
    cut, is_whole = cut_slugs(slugs, names, brands)
    return (
        wire.MENU,
        menu.origin,
        menu.shop_id,
        ids,
        names,
        cut,
        is_whole,
        images,
        whole_seconds(updated),
        brands,
        categories,
        category_names,
        subcategories,
        strains,
        strain_types,
        potencies,
        varied if any(varied) else None,
        terpenes if any(terpenes) else None,
        labs if labs.count(None) != len(labs) else None,
        origins if origins.count(menu.origin) != len(origins) else None,
    )


def build_menu(row: wire.MenuRow) -> Menu:
    """Return the menu of a row.

    Raises:
        Corrupt: columns of different lengths, or numbers that are none.
    """
    count = len(row.id)
    check_columns(
        count, row.name, row.slug, row.image_url, row.updated_at, row.brand, row.category, row.category_name,
        row.subcategory, row.strain, row.strain_type, row.potency, row.potency_by_variant, row.terpenes, row.lab,
        row.origins,
    )  # fmt: skip
    check_potencies(row.potency)
    check_numbers(row.updated_at)
    if row.potency_by_variant is not None or row.terpenes is not None:
        check_finite([row.potency_by_variant, row.terpenes])
    products = make_products(
        row.id,
        row.name,
        repeat(row.origin) if row.origins is None else row.origins,
        row.brand,
        row.category,
        row.category_name,
        row.subcategory,
        row.strain,
        row.strain_type,
        row.potency,
        [{} for _ in range(count)] if row.potency_by_variant is None else row.potency_by_variant,
        repeat(()) if row.terpenes is None else row.terpenes,
        repeat(None) if row.lab is None else row.lab,
        row.slug if row.is_slug_whole else whole_slugs(row.slug, row.name, row.brand),
        row.image_url,
        row.updated_at,
    )
    return Menu(origin=row.origin, shop_id=row.shop_id, products=products)


def make_products(*columns: Iterable[object]) -> tuple[Product, ...]:
    """Return products of columns in the order of the model's fields; all of one length, or endless."""
    products = tuple(map(_make_product, *columns))
    deque(map(retype, products, repeat(Product)), maxlen=0)
    return products


def pack_price_list(body: PriceList) -> tuple[object, ...]:
    """Return the row of a price list.

    Raises:
        Corrupt: too many prices, or numbers that are none.
    """
    check_columns(len(body.prices))
    if not body.prices:
        return (wire.PRICE_LIST, body.origin, body.shop_id, [], [], None, *repeat(NONE_CODED, 4))
    columns = list(zip(*map(astuple, body.prices), strict=True))
    ids, labels, variants, markets, paid, regular, in_stock, quantities, promotions = columns
    amounts, list_amounts, currency, list_currency = pack_money(paid, regular)
    check_numbers(quantities)
    label_table, label_indexes = code(labels)
    variant_table, variant_indexes = code_objects(variants)
    check_variants(variant_table)
    return (
        wire.PRICE_LIST,
        body.origin,
        body.shop_id,
        ids,
        amounts,
        list_amounts,
        (label_table, label_indexes),
        (variant_table, None if variant_indexes == label_indexes else variant_indexes),
        code(markets),
        code(in_stock),
        None if quantities.count(None) == len(quantities) else quantities,
        code(promotions) if any(promotions) else None,
        currency,
        list_currency,
    )


def build_price_list(row: wire.PriceListRow) -> PriceList:
    """Return the price list of a row.

    Raises:
        Corrupt: columns of different lengths, indexes without a value, or numbers that are none.
    """
    count = len(row.product_id)
    check_columns(count, row.price, row.list_price, row.quantity)
    paid, regular = unpack_money(row)
    variants, indexes = row.variant
    check_variants(variants)
    if row.quantity is not None:
        check_numbers(row.quantity)
    prices = make_prices(
        row.product_id,
        decoded(*row.variant_label, count),
        decoded(variants, row.variant_label[1] if indexes is None else indexes, count),
        decoded(*row.market, count),
        paid,
        regular,
        decoded(*row.in_stock, count),
        repeat(None) if row.quantity is None else row.quantity,
        repeat(()) if row.promotions is None else decoded(*row.promotions, count),
    )
    return PriceList(origin=row.origin, shop_id=row.shop_id, prices=prices)


def make_prices(*columns: Iterable[object]) -> tuple[Price, ...]:
    """Return prices of columns in the order of the model's fields; all of one length, or endless."""
    prices = tuple(map(_make_price, *columns))
    deque(map(retype, prices, repeat(Price)), maxlen=0)
    return prices


def pack_money(
    paid: Sequence[Money], regular: Sequence[Money]
) -> tuple[list[Decimal], list[Decimal] | None, object, object]:
    """Return both amounts (the second ``None`` where all are the first) and both currencies, coded."""
    amounts = [each.amount for each in paid]
    currencies = [each.currency for each in paid]
    is_default = currencies.count(DEFAULT_CURRENCY) == len(currencies)
    currency = None if is_default else code(currencies)
    check_amounts(amounts)
    if all(map(is_, paid, regular)):
        return amounts, None, currency, None
    list_amounts = [each.amount for each in regular]
    list_currencies = [each.currency for each in regular]
    check_amounts(list_amounts)
    is_same = list(map(str, amounts)) == list(map(str, list_amounts))
    list_currency = None if list_currencies == currencies else code(list_currencies)
    return amounts, None if is_same else list_amounts, currency, list_currency


def unpack_money(row: wire.PriceListRow) -> tuple[list[Money], list[Money]]:
    """Return the prices that :func:`pack_money` packed."""
    count = len(row.price)
    check_amounts(row.price)
    own = [DEFAULT_CURRENCY] * count if row.currency is None else list(decoded(*row.currency, count))
    paid = list(map(Money, row.price, own))
    if row.list_price is None and row.list_currency is None:
        return paid, paid
    amounts = row.price if row.list_price is None else row.list_price
    check_amounts(amounts)
    listed = own if row.list_currency is None else decoded(*row.list_currency, count)
    return paid, list(map(Money, amounts, listed))


def cut_slugs(
    slugs: Sequence[str | None], names: Sequence[str], brands: Sequence[str | None]
) -> tuple[Sequence[str | None], bool]:
    """Return slugs with the slugs of name and (at the beginning) brand replaced by marks.

    Whole ones, and ``True``, where one holds a mark itself.
    """
    if not names:
        return slugs, True
    cut = cut_slug if are_short(names, slugs, brands) else cut_slug.__wrapped__
    try:
        return list(map(cut, slugs, names, brands)), False
    except HasMark:
        return slugs, True


def whole_slugs(
    slugs: Sequence[str | None], names: Sequence[str], brands: Sequence[str | None]
) -> Sequence[str | None]:
    """Return the slugs that :func:`cut_slugs` cut; each mark is filled in once."""
    fill = fill_slug if are_short(names, slugs, brands) else fill_slug.__wrapped__
    return list(map(fill, slugs, names, brands))


def whole_seconds(column: Sequence[float | None]) -> Sequence[float | None]:
    """Return times as whole numbers where all are: four bytes less each, and read as the same floats."""
    if not column or None in column:
        return column
    seconds = cast(Sequence[float], column)
    if not 0 < min(seconds) <= max(seconds) < MOST_SECONDS:
        return column
    whole = list(map(int, seconds))
    return whole if whole == list(seconds) else column


def check_columns(count: int, *columns: Sequence[object] | None) -> None:
    """Refuse lists of too many records, and columns of another length; ``None`` is no column.

    Raises:
        Corrupt: as said.
    """
    if count > MAX_ITEMS:
        raise Corrupt(f"a list of {count} records is over the limit of {MAX_ITEMS}")
    if any(column is not None and len(column) != count for column in columns):
        raise Corrupt("columns have different lengths")


def check_potencies(column: Iterable[dict[str, Potency]]) -> None:
    """Refuse contents that hold NaN or infinities; summed, for the sum of numbers is none if one of them is."""
    if not isfinite(sum([p.low + p.high for potency in column if potency for p in potency.values()])):
        check_finite(list(column))


def check_numbers(column: Iterable[float | None]) -> None:
    """Refuse a column that holds NaN or infinities."""
    if not isfinite(sum(filter(None, column))):
        check_finite(list(column))


def check_variants(table: Iterable[Amount | None]) -> None:
    """Refuse amounts of a unit of sale that are NaN or infinite."""
    check_numbers([each.amount for each in table if each is not None])


def check_amounts(amounts: Iterable[Decimal]) -> None:
    """Refuse amounts that are NaN or infinite."""
    if not all(map(Decimal.is_finite, amounts)):
        raise Corrupt("holds an amount that is none (NaN or infinite)")


def check_finite(value: object) -> None:
    """Refuse a value that holds NaN or an infinity anywhere.

    Raises:
        Corrupt: it does.
    """
    if isinstance(value, float):
        if not isfinite(value):
            raise Corrupt("holds a number that is none (NaN or infinite)")
    elif isinstance(value, msgspec.Struct):
        check_finite(astuple(value))
    elif isinstance(value, dict):
        check_finite(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            check_finite(each)

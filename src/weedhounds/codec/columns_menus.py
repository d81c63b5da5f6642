"""Menus and price lists as columns. ``docs/whb.md`` specifies heads and blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, groupby, islice, repeat
from operator import is_

import msgspec
from msgspec.structs import astuple

from weedhounds.codec import whb_wire as wire
from weedhounds.codec.columns import are_same, code_all, code_objects, decode_all, ints, pack_ints, whole
from weedhounds.codec.columns_text import (
    ids,
    numbers,
    pack_ids,
    pack_numbers,
    pack_slugs,
    pack_texts,
    pack_uuids,
    slugs,
    split_uuids,
    texts,
)
from weedhounds.codec.whb_menus import (
    NONE_CODED,
    check_columns,
    check_finite,
    check_variants,
    make_prices,
    make_products,
)
from weedhounds.codec.whb_values import (
    DEFAULT_CURRENCY,
    MOST_MEMOISED_CHARS,
    cash_of,
    cents_money,
    hundredths,
    money,
    num,
    optional,
    pack_cash,
    pack_num,
    pack_optional,
    pack_time,
    time,
)
from weedhounds.codec.whb_wire import Num
from weedhounds.errors import Corrupt
from weedhounds.model.records import Category, Lab, Market, Menu, PriceList, Product
from weedhounds.model.units import Amount, Money, Potency, Reading

Coded = tuple[list[str | None], bytes]
Group = tuple[Category, str | None, str | None, str | None]
"""Category, its name, subcategory and strain type: they go together."""

Analyte = tuple[str, str, str | None]


class MenuHead(msgspec.Struct, array_like=True, frozen=True, kw_only=True, tag=wire.MENU):
    """What is small in a menu; its blocks are names, slugs, images, UUIDs and numbers."""

    origin: str
    shop_id: str
    count: int
    lengths: list[int] = []
    brand: Coded
    group: tuple[list[Group], bytes]
    strain: Coded
    told: bytes
    analyte: tuple[list[Analyte], bytes]
    highs: list[Num] | None = None
    origins: Coded | None = None
    potency_by_variant: list[dict[str, dict[str, Potency]]] | None = None
    terpenes: list[tuple[Reading, ...]] | None = None
    lab: list[Lab | None] | None = None


def split_menu(menu: Menu) -> tuple[MenuHead, list[bytes]]:
    """Return head and blocks of a menu.

    Raises:
        Corrupt: too many products, or numbers that are none.
    """
    products = menu.products
    check_columns(len(products))
    columns = list(zip(*map(astuple, products), strict=True)) or [()] * len(Product.__struct_fields__)
    own_ids, names, origins, brands, categories, category_names, subcategories, strains, strain_types = columns[:9]
    potencies, varied, terpenes, labs, own_slugs, images, updated = columns[9:]
    if any(varied) or any(terpenes):
        check_finite([varied, terpenes])
    told = list(chain.from_iterable(map(dict.values, potencies)))
    lows, highs = _pack_numbers([p.low for p in told]), _pack_numbers([p.high for p in told])
    analytes = [(name, p.unit, p.basis) for name, p in zip(chain.from_iterable(potencies), told, strict=True)]
    uuids: list[bytes] = []
    slug_block = pack_slugs(own_slugs, names, brands, uuids)
    image_block = pack_texts(images, uuids)
    head = MenuHead(
        origin=menu.origin,
        shop_id=menu.shop_id,
        count=len(products),
        brand=code_all(brands),
        group=code_all(list(zip(categories, category_names, subcategories, strain_types, strict=True))),
        strain=code_all(strains),
        told=pack_ints(list(map(len, potencies))) if told else b"",
        analyte=code_all(analytes),
        highs=None if are_same(lows, highs) else highs,
        origins=None if origins.count(menu.origin) == len(origins) else code_all(origins),
        potency_by_variant=list(varied) if any(varied) else None,
        terpenes=list(terpenes) if any(terpenes) else None,
        lab=list(labs) if labs.count(None) != len(labs) else None,
    )
    number_blocks = [pack_ids(own_ids), pack_numbers(pack_times(updated)), pack_numbers(lows)]
    return head, [pack_texts(names), slug_block, image_block, pack_uuids(uuids), *number_blocks]


def join_menu(head: MenuHead, blocks: list[bytes]) -> Menu:
    """Return the menu of head and blocks.

    Raises:
        Corrupt: they do not fit each other.
    """
    name_block, slug_block, image_block, uuid_block, id_block, time_block, low_block = blocks
    count = head.count
    check_columns(count, head.potency_by_variant, head.terpenes, head.lab)
    if head.potency_by_variant is not None or head.terpenes is not None:
        check_finite([head.potency_by_variant, head.terpenes])
    names = whole(texts(name_block, count))
    brands = decode_all(head.brand, count)
    uuids = iter(split_uuids(uuid_block))
    own_slugs = slugs(slug_block, names, brands, uuids)
    images = texts(image_block, count, uuids)
    groups = decode_all(head.group, count)
    categories, category_names, subcategories, strain_types = zip(*groups, strict=True) if groups else ((),) * 4
    products = make_products(
        ids(id_block, count),
        names,
        repeat(head.origin) if head.origins is None else whole(decode_all(head.origins, count)),
        brands,
        categories,
        category_names,
        subcategories,
        decode_all(head.strain, count),
        strain_types,
        _contents(head, low_block),
        [{} for _ in range(count)] if head.potency_by_variant is None else head.potency_by_variant,
        repeat(()) if head.terpenes is None else head.terpenes,
        repeat(None) if head.lab is None else head.lab,
        own_slugs,
        images,
        _times(numbers(time_block, count)),
    )
    return Menu(origin=head.origin, shop_id=head.shop_id, products=products)


def _contents(head: MenuHead, low_block: bytes) -> Iterable[dict[str, Potency]]:
    if not head.told:
        return [{} for _ in range(head.count)]
    told = ints(head.told, head.count)
    total = sum(told)
    check_columns(total, head.highs)
    lows = whole_numbers(numbers(low_block, total))
    highs = lows if head.highs is None else list(map(num, head.highs))
    analytes = decode_all(head.analyte, total)
    pairs = iter([(a, Potency(low, high, u, b)) for (a, u, b), low, high in zip(analytes, lows, highs, strict=True)])
    return [dict(islice(pairs, n)) if n else {} for n in told]


def pack_times(column: Sequence[float | None]) -> list[Num | None]:
    """Return :func:`pack_time` of each."""
    if column and None not in column and all(map(float.is_integer, column)) and 0 < min(column) <= max(column) < 1e12:  # type: ignore
        return list(map(int, column))  # type: ignore[arg-type]
    return list(map(pack_time, column))


def whole_numbers(packed: Sequence[Num | None]) -> list[float]:
    """Return the numbers of a column in which none is missing."""
    return [n / 100 if n.__class__ is int and n >= 0 else num(n) for n in whole(packed)]


def _times(packed: Sequence[Num | None]) -> Sequence[float | None]:
    if set(map(type, packed)) == {int} and min(packed) >= 0:  # type: ignore[type-var, operator]
        return list(map(float, packed))  # type: ignore[arg-type]
    return list(map(time, packed))


def _quantities(packed: Sequence[Num | None]) -> list[float | None]:
    return [n / 100 if n.__class__ is int and n >= 0 else optional(n) for n in packed]


class PricesHead(msgspec.Struct, array_like=True, frozen=True, kw_only=True, tag=wire.PRICE_LIST):
    """What is small in a price list; its blocks are product ids and numbers."""

    origin: str
    shop_id: str
    count: int
    lengths: list[int] = []
    products: int
    label: tuple[list[tuple[str, Market]], bytes]
    variant: tuple[list[Amount | None], bytes]
    in_stock: tuple[list[bool | None], bytes]
    promotions: tuple[list[tuple[str, ...]], bytes] | None = None
    cash: list[str] | None = None
    list_cash: list[str] | None = None
    currency: Coded | None = None
    list_currency: Coded | None = None


def split_prices(body: PriceList) -> tuple[PricesHead, list[bytes]]:
    """Return head and blocks of a price list.

    Raises:
        Corrupt: too many prices, or numbers that are none.
    """
    prices = body.prices
    check_columns(len(prices))
    columns = list(zip(*map(astuple, prices), strict=True)) or [()] * 9
    own_ids, labels, variants, markets, paid, regular, in_stock, quantities, promotions = columns
    runs = [(key, len(list(run))) for key, run in groupby(own_ids)]
    cash = _pack_amounts(paid)
    list_cash = cash if all(map(is_, paid, regular)) else _pack_amounts(regular)
    currencies, list_currencies = [m.currency for m in paid], [m.currency for m in regular]
    variant = code_objects(variants) if variants else NONE_CODED
    check_variants(variant[0])  # type: ignore[arg-type]
    cents, texts_of = _cents(cash)
    list_cents, list_texts = (b"", None) if list_cash == cash else _cents(list_cash)
    is_default = currencies.count(DEFAULT_CURRENCY) == len(currencies)
    head = PricesHead(
        origin=body.origin,
        shop_id=body.shop_id,
        count=len(prices),
        products=len(runs),
        label=code_all(list(zip(labels, markets, strict=True))),
        variant=variant,  # type: ignore[arg-type]
        in_stock=code_all(in_stock),
        promotions=code_all(promotions) if any(promotions) else None,
        cash=texts_of,
        list_cash=list_texts,
        currency=None if is_default else code_all(currencies),
        list_currency=None if list_currencies == currencies else code_all(list_currencies),
    )
    blocks = [
        pack_ids([key for key, _ in runs]),
        pack_ints([length for _, length in runs]),
        cents,
        list_cents,
        b"" if quantities.count(None) == len(quantities) else pack_numbers(list(map(pack_optional, quantities))),
    ]
    return head, blocks


def join_prices(head: PricesHead, blocks: list[bytes]) -> PriceList:
    """Return the price list of head and blocks.

    Raises:
        Corrupt: they do not fit each other.
    """
    id_block, run_block, cents, list_cents, quantity_block = blocks
    count = head.count
    check_columns(count)
    check_columns(head.products)
    runs = ints(run_block, head.products)
    if sum(runs) != count:
        raise Corrupt("prices do not fit their products")
    own_ids = chain.from_iterable(map(repeat, ids(id_block, head.products), runs))
    labels = decode_all(head.label, count)
    check_variants(head.variant[0])
    paid, regular = _moneys(head, cents, list_cents)
    prices = make_prices(
        own_ids,
        [label for label, _ in labels],
        decode_all(head.variant, count),
        [market for _, market in labels],
        paid,
        regular,
        decode_all(head.in_stock, count),
        _quantities(numbers(quantity_block, count)) if quantity_block else repeat(None),
        repeat(()) if head.promotions is None else decode_all(head.promotions, count),
    )
    return PriceList(origin=head.origin, shop_id=head.shop_id, prices=prices)


def _moneys(head: PricesHead, cents: bytes, list_cents: bytes) -> tuple[list[Money], list[Money]]:
    count = head.count
    own = [DEFAULT_CURRENCY] * count if head.currency is None else whole(decode_all(head.currency, count))
    paid = _amounts(cents, head.cash, own)
    if not list_cents and head.list_cash is None and head.list_currency is None:
        return paid, paid
    listed = own if head.list_currency is None else whole(decode_all(head.list_currency, count))
    if not list_cents and head.list_cash is None:
        return paid, _amounts(cents, head.cash, listed)
    return paid, _amounts(list_cents, head.list_cash, listed)


def _amounts(cents: bytes, written: list[str] | None, currencies: Sequence[str]) -> list[Money]:
    if written is not None:
        check_columns(len(currencies), written)
        return list(map(money, written, currencies))
    is_short = max(map(len, currencies), default=0) < MOST_MEMOISED_CHARS
    return list(map(cents_money if is_short else money, ints(cents, len(currencies)), currencies))


def _pack_amounts(column: Sequence[Money]) -> list[wire.Cash]:
    written = list(map(str, [each.amount for each in column]))
    if max(map(len, written), default=0) < MOST_MEMOISED_CHARS:
        return list(map(cash_of, written))
    return [pack_cash(str(each.amount)) for each in column]


def _cents(cash: list[wire.Cash]) -> tuple[bytes, list[str] | None]:
    """Return the planes of cents, or decimal texts where one is no whole number of cents."""
    if any(isinstance(each, str) for each in cash):
        return b"", [each if isinstance(each, str) else f"{each // 100}.{each % 100:02}" for each in cash]
    return pack_ints(cash), None  # type: ignore[arg-type]


def _pack_numbers(column: Sequence[float]) -> list[Num]:
    packed = list(map(hundredths, column))
    if None in packed or 0 in packed:
        return list(map(pack_num, column))
    return packed  # type: ignore[return-value]

"""Records to rows of the first layout: the writing half of ``whb`` rows. Positions are those of ``whb_wire.py``.

Single offers, products and laboratory results are written in the second layout (``whb_records.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from weedhounds.codec import whb_wire as wire
from weedhounds.codec.base import Encodable
from weedhounds.codec.kinds import items_of
from weedhounds.codec.whb_contents import pack_potency, pack_readings
from weedhounds.codec.whb_menus import check_columns, pack_menu, pack_price_list
from weedhounds.codec.whb_records import PACKS_2, PackedRow
from weedhounds.codec.whb_values import (
    DEFAULT_CURRENCY,
    pack_amount,
    pack_cash,
    pack_degrees,
    pack_id,
    pack_lab,
    pack_num,
    pack_optional,
    pack_slug,
    pack_time,
    shop_key,
)
from weedhounds.codec.whb_wire import Cash
from weedhounds.model.records import (
    AnyRecord,
    Brand,
    LabResult,
    LabResultList,
    Menu,
    Price,
    PriceList,
    Product,
    Promotion,
    PromotionList,
    Shop,
    ShopList,
    Strain,
    StrainList,
)
from weedhounds.model.units import Money

_NO_CONTENT: tuple[list[wire.Num], None] = ([], None)
_NOTHING: tuple[()] = ()
_UUID_CHARS = 36
_UUID = re.compile(r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}")


def pack(record: Encodable) -> PackedRow:
    """Return the row of a record.

    Raises:
        Corrupt: it holds NaN or infinities, or too many records.
    """
    return PACKS[type(record)](record)


def pack_by_row(record: Encodable) -> PackedRow:
    """Return :func:`pack`, but of menus and price lists the records one after the other.

    Raises:
        Corrupt: it holds NaN or infinities.
    """
    check_columns(len(items_of(record)))
    if isinstance(record, Menu):
        rows = [pack_product(product, record.origin) for product in record.products]
        return wire.MENU_BY_ROW, record.origin, record.shop_id, rows
    if isinstance(record, PriceList):
        return wire.PRICE_LIST_BY_ROW, record.origin, record.shop_id, [pack_price(price) for price in record.prices]
    return pack(record)


def pack_item(item: AnyRecord) -> PackedRow:
    """Return the row that a record has in a list: in the first layout, with its origin.

    Raises:
        Corrupt: it holds NaN or infinities.
    """
    return pack_lab_result(item) if isinstance(item, LabResult) else pack(item)


def pack_shop(shop: Shop, origin: str | None = None) -> PackedRow:
    """Return a shop's row; in a list of ``origin``, that is left out."""
    return (
        wire.SHOP,
        pack_id(shop.id),
        shop.name,
        pack_slug(shop.slug, shop.name),
        shop.address,
        shop.postcode,
        pack_degrees(shop.lat),
        pack_degrees(shop.lon),
        shop.phone,
        shop.license_number,
        shop.website,
        shop.menu_size,
        shop.city,
        shop.state,
        shop.country,
        shop.time_zone,
        [minute for p in shop.hours for minute in (p.weekday, p.open_min, p.close_min)],
        shop.markets,
        shop.kind,
        shop.position,
        None if shop.origin == origin else shop.origin,
        None if shop.key == shop_key(shop.origin, shop.id) else shop.key,
    )


def pack_product(product: Product, origin: str | None = None) -> PackedRow:
    """Return a product's row; in a menu of ``origin``, that is left out."""
    numbers, analytes = pack_potency(product.potency) if product.potency else _NO_CONTENT
    varied = product.potency_by_variant
    return (
        wire.PRODUCT,
        pack_id(product.id),
        product.name,
        pack_slug(product.slug, product.name, product.brand),
        product.image_url,
        pack_time(product.updated_at),
        numbers,
        analytes,
        product.strain,
        product.brand,
        product.subcategory,
        product.category_name,
        product.category,
        product.strain_type,
        None if product.origin == origin else product.origin,
        pack_readings(product.terpenes) if product.terpenes else None,
        None if product.lab is None else pack_lab(product.lab),
        [(label, *pack_potency(p)[::-1]) for label, p in varied.items()] if varied else _NOTHING,
    )


def pack_price(price: Price) -> PackedRow:
    """Return a price's row."""
    cash, list_cash, currency, list_currency = pack_prices(price.price, price.list_price)
    return (
        wire.PRICE,
        pack_id(price.product_id),
        cash,
        list_cash,
        pack_optional(price.quantity),
        price.promotions,
        price.variant_label,
        pack_amount(price.variant),
        price.market,
        price.in_stock,
        currency,
        list_currency,
    )


def pack_promotion(promotion: Promotion, origin: str | None = None) -> PackedRow:
    """Return a promotion's row; in a list of ``origin``, that is left out."""
    return (
        wire.PROMOTION,
        promotion.id,
        promotion.name,
        promotion.description,
        pack_optional(promotion.percent_off),
        _pack_money(promotion.amount_off),
        _pack_money(promotion.target_price),
        promotion.starts_local,
        promotion.ends_local,
        promotion.shop_id,
        promotion.kind,
        promotion.categories,
        None if promotion.origin == origin else promotion.origin,
    )


def pack_strain(strain: Strain, origin: str | None = None) -> PackedRow:
    """Return a strain's row; in a list of ``origin``, that is left out."""
    numbers, analytes = pack_potency(strain.potency)
    effects = (list(strain.effects), list(map(pack_num, strain.effects.values()))) if strain.effects else None
    return (
        wire.STRAIN,
        strain.id,
        strain.name,
        pack_slug(strain.slug, strain.name),
        strain.aka,
        strain.description,
        numbers,
        analytes,
        pack_readings(strain.terpenes),
        strain.top_terpene,
        effects,
        strain.strain_type,
        None if strain.origin == origin else strain.origin,
    )


def pack_lab_result(result: LabResult, origin: str | None = None) -> PackedRow:
    """Return a laboratory result's row; in a list of ``origin``, that is left out."""
    return (
        wire.LAB_RESULT,
        result.id,
        result.product,
        True if result.strain == result.product else result.strain,
        _pack_address(result.report_url),
        result.approved_at,
        result.tested_at,
        pack_readings(result.cannabinoids),
        pack_readings(result.terpenes),
        result.form,
        result.producer,
        result.laboratory,
        result.market,
        None if result.origin == origin else result.origin,
    )


def pack_brand(brand: Brand) -> PackedRow:
    """Return a brand's row."""
    return (
        wire.BRAND,
        brand.id,
        brand.name,
        pack_slug(brand.slug, brand.name),
        brand.website,
        brand.description,
        brand.origin,
    )


def pack_prices(price: Money, list_price: Money) -> tuple[Cash, Cash | None, str | None, str | None]:
    """Return both amounts (the second ``None`` where it is the first) and both currencies."""
    paid, regular = str(price.amount), str(list_price.amount)
    list_cash = None if regular == paid else pack_cash(regular)
    currency = None if price.currency == DEFAULT_CURRENCY else price.currency
    list_currency = None if list_price.currency == price.currency else list_price.currency
    return pack_cash(paid), list_cash, currency, list_currency


def _pack_money(money: Money | None) -> tuple[Cash, str | None] | None:
    if money is None:
        return None
    return pack_cash(str(money.amount)), None if money.currency == DEFAULT_CURRENCY else money.currency


def _pack_address(url: str | None) -> str | tuple[str, bytes] | None:
    if url is None or _UUID.fullmatch(url, max(0, len(url) - _UUID_CHARS)) is None:
        return url
    return url[:-_UUID_CHARS], bytes.fromhex(url[-_UUID_CHARS:].replace("-", ""))


def _pack_shop_list(body: ShopList) -> PackedRow:
    check_columns(len(body.shops))
    return wire.SHOP_LIST, body.origin, body.cell, [pack_shop(shop, body.origin) for shop in body.shops]


def _pack_promotion_list(body: PromotionList) -> PackedRow:
    check_columns(len(body.promotions))
    rows = [pack_promotion(promotion, body.origin) for promotion in body.promotions]
    return wire.PROMOTION_LIST, body.origin, body.shop_id, rows


def _pack_strain_list(body: StrainList) -> PackedRow:
    check_columns(len(body.strains))
    return wire.STRAIN_LIST, body.origin, [pack_strain(strain, body.origin) for strain in body.strains]


def _pack_lab_result_list(body: LabResultList) -> PackedRow:
    check_columns(len(body.results))
    return wire.LAB_RESULT_LIST, body.origin, [pack_lab_result(result, body.origin) for result in body.results]


PACKS: Mapping[type, Callable[[Any], PackedRow]] = {
    **PACKS_2,
    Shop: pack_shop,
    Price: pack_price,
    Promotion: pack_promotion,
    Strain: pack_strain,
    Brand: pack_brand,
    ShopList: _pack_shop_list,
    Menu: pack_menu,
    PriceList: pack_price_list,
    PromotionList: _pack_promotion_list,
    StrainList: _pack_strain_list,
    LabResultList: _pack_lab_result_list,
}

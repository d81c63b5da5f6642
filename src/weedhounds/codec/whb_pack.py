"""Records to rows: the writing half of ``whb`` rows. Positions are those of ``whb_wire.py``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from weedhounds.codec import whb_wire as wire
from weedhounds.codec.base import Encodable
from weedhounds.codec.kinds import items_of
from weedhounds.codec.whb_contents import pack_potency, pack_readings
from weedhounds.codec.whb_menus import check_columns, pack_menu, pack_price_list
from weedhounds.codec.whb_values import (
    DEFAULT_CURRENCY,
    SHOP_KEY,
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
    Brand,
    LabResult,
    LabResultList,
    Menu,
    Offer,
    Price,
    PriceList,
    Product,
    Promotion,
    PromotionList,
    Shop,
    ShopList,
    ShopRef,
    Strain,
    StrainList,
)
from weedhounds.model.units import Money

PackedRow = tuple[Any, ...]
"""A row as MessagePack will hold it; its elements are those of the type's ``whb_wire`` struct."""

_UUID_CHARS = 36
_UUID = re.compile(r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}")


def pack(record: Encodable) -> PackedRow:
    """Return the row of a record.

    Raises:
        Corrupt: it holds NaN or infinities, or too many records.
    """
    return _PACKS[type(record)](record)


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
    numbers, analytes = pack_potency(product.potency)
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
        pack_readings(product.terpenes),
        pack_lab(product.lab),
        [(label, *pack_potency(p)[::-1]) for label, p in product.potency_by_variant.items()],
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


def pack_offer(offer: Offer) -> PackedRow:
    """Return an offer's row."""
    numbers, analytes = pack_potency(offer.potency)
    cash, list_cash, currency, list_currency = pack_prices(offer.price, offer.list_price)
    shop_id, origin, shop = _pack_ref(offer.shop)
    return (
        wire.OFFER,
        shop_id,
        pack_id(offer.product_id),
        offer.product,
        cash,
        list_cash,
        pack_optional(offer.quantity),
        numbers,
        analytes,
        offer.promotions,
        offer.brand,
        offer.strain,
        offer.subcategory,
        offer.category,
        offer.variant_label,
        pack_amount(offer.variant),
        offer.strain_type,
        offer.market,
        offer.in_stock,
        origin,
        pack_readings(offer.terpenes),
        pack_lab(offer.lab),
        currency,
        list_currency,
        shop,
    )


def pack_prices(price: Money, list_price: Money) -> tuple[Cash, Cash | None, str | None, str | None]:
    """Return both amounts (the second ``None`` where it is the first) and both currencies."""
    cash, list_cash = pack_cash(price.amount), pack_cash(list_price.amount)
    currency = None if price.currency == DEFAULT_CURRENCY else price.currency
    list_currency = None if list_price.currency == price.currency else list_price.currency
    return cash, None if list_cash == cash else list_cash, currency, list_currency


def _pack_money(money: Money | None) -> tuple[Cash, str | None] | None:
    if money is None:
        return None
    return pack_cash(money.amount), None if money.currency == DEFAULT_CURRENCY else money.currency


def _pack_address(url: str | None) -> str | tuple[str, bytes] | None:
    if url is None or _UUID.fullmatch(url, max(0, len(url) - _UUID_CHARS)) is None:
        return url
    return url[:-_UUID_CHARS], bytes.fromhex(url[-_UUID_CHARS:].replace("-", ""))


def _pack_ref(shop: ShopRef | None) -> tuple[wire.Id | None, str | None, PackedRow | None]:
    """Return a shop's id, its origin where the key follows from both, and the rest where there is any."""
    if shop is None:
        return None, None, None
    origin = shop.key[len(SHOP_KEY) : -len(shop.id) - 1]
    follows = shop.key == shop_key(origin, shop.id)
    if follows and shop.name is None and shop.address is None and shop.lat is None and shop.lon is None:
        return pack_id(shop.id), origin, None
    key = None if follows else shop.key
    rest_of = (key, shop.name, shop.address, pack_degrees(shop.lat), pack_degrees(shop.lon))
    return pack_id(shop.id), origin if follows else None, rest_of


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


_PACKS: Mapping[type, Callable[[Any], PackedRow]] = {
    Shop: pack_shop,
    Product: pack_product,
    Price: pack_price,
    Promotion: pack_promotion,
    Strain: pack_strain,
    LabResult: pack_lab_result,
    Brand: pack_brand,
    Offer: pack_offer,
    ShopList: _pack_shop_list,
    Menu: pack_menu,
    PriceList: pack_price_list,
    PromotionList: _pack_promotion_list,
    StrainList: _pack_strain_list,
    LabResultList: _pack_lab_result_list,
}

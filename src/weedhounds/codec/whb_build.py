"""Rows to records: the reading half of ``whb`` rows.

Rows come typed from msgspec, which has checked every element; what is left is put together here.
What is missing from most rows is asked for before a function is called: calls are what decoding
costs. Records of many fields are made by position (``positional.py``), in the order of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from weedhounds.codec import whb_wire as wire
from weedhounds.codec.base import Encodable
from weedhounds.codec.positional import positional, retype
from weedhounds.codec.whb_contents import potencies, readings
from weedhounds.codec.whb_menus import build_menu, build_price_list
from weedhounds.codec.whb_records import BUILDS_2
from weedhounds.codec.whb_shops import build_ref
from weedhounds.codec.whb_values import (
    DEFAULT_CURRENCY,
    amount,
    degrees,
    lab,
    money,
    native_id,
    num,
    optional,
    shop_key,
    slug,
    time,
)
from weedhounds.errors import Corrupt
from weedhounds.model.records import (
    Brand,
    LabResult,
    LabResultList,
    Menu,
    Offer,
    OpenPeriod,
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

_make_shop, _make_product, _make_offer = positional(Shop), positional(Product), positional(Offer)


def build_shop(row: wire.ShopRow, origin: str | None = None) -> Shop:
    """Return the shop of a row, in a list of ``origin``."""
    own = _origin(row.origin, origin)
    own_id = native_id(row.id)
    hours = iter(row.hours)
    if len(row.hours) % 3:
        raise Corrupt("opening hours are cut")
    shop = _make_shop(
        row.key if row.key is not None else shop_key(own, own_id),
        own,
        own_id,
        row.name,
        slug(row.slug, row.name),
        row.address,
        row.city,
        row.state,
        row.postcode,
        row.country,
        degrees(row.lat),
        degrees(row.lon),
        row.position,
        row.phone,
        row.website,
        row.time_zone,
        tuple(map(OpenPeriod, hours, hours, hours)),
        row.license_number,
        row.markets,
        row.kind,
        row.menu_size,
    )
    retype(shop, Shop)
    return shop


def build_product(row: wire.ProductRow, origin: str | None = None) -> Product:
    """Return the product of a row, in a menu of ``origin``."""
    own = row.origin
    product = _make_product(
        native_id(row.id),
        row.name,
        origin if own is None and origin is not None else _origin(own, origin),
        row.brand,
        row.category,
        row.category_name,
        row.subcategory,
        row.strain,
        row.strain_type,
        {} if row.analytes is None else potencies(row.potency, row.analytes),
        {label: potencies(n, a) for label, a, n in row.potency_by_variant} if row.potency_by_variant else {},
        () if row.terpenes is None else readings(row.terpenes),
        None if row.lab is None else lab(row.lab),
        None if row.slug is None else slug(row.slug, row.name, row.brand),
        row.image_url,
        None if row.updated_at is None else time(row.updated_at),
    )
    retype(product, Product)
    return product


def build_price(row: wire.PriceRow) -> Price:
    """Return the price of a row."""
    currency = DEFAULT_CURRENCY if row.currency is None else row.currency
    paid = money(row.price, currency)
    return Price(
        product_id=native_id(row.product_id),
        variant_label=row.variant_label,
        variant=None if row.variant is None else amount(row.variant),
        market=row.market,
        price=paid,
        list_price=paid if row.list_price is None and row.list_currency is None else _list_price(row, currency),
        in_stock=row.in_stock,
        quantity=None if row.quantity is None else num(row.quantity),
        promotions=row.promotions,
    )


def build_promotion(row: wire.PromotionRow, origin: str | None = None) -> Promotion:
    """Return the promotion of a row, in a list of ``origin``."""
    return Promotion(
        id=row.id,
        origin=_origin(row.origin, origin),
        name=row.name,
        shop_id=row.shop_id,
        kind=row.kind,
        description=row.description,
        percent_off=optional(row.percent_off),
        amount_off=_money(row.amount_off),
        target_price=_money(row.target_price),
        starts_local=row.starts_local,
        ends_local=row.ends_local,
        categories=row.categories,
    )


def build_strain(row: wire.StrainRow, origin: str | None = None) -> Strain:
    """Return the strain of a row, in a list of ``origin``."""
    effects: dict[str, float] = {}
    if row.effects is not None:
        names, numbers = row.effects
        if len(names) != len(numbers):
            raise Corrupt("effects do not fit their numbers")
        effects = dict(zip(names, map(num, numbers), strict=True))
    own_slug = slug(row.slug, row.name)
    if own_slug is None:
        raise Corrupt("a strain without a slug")
    return Strain(
        slug=own_slug,
        name=row.name,
        origin=_origin(row.origin, origin),
        id=row.id,
        aka=row.aka,
        strain_type=row.strain_type,
        description=row.description,
        potency=potencies(row.potency, row.analytes),
        terpenes=readings(row.terpenes),
        top_terpene=row.top_terpene,
        effects=effects,
    )


def build_lab_result(row: wire.LabResultRow, origin: str | None = None) -> LabResult:
    """Return the laboratory result of a row, in a list of ``origin``."""
    strain, url = row.strain, row.report_url
    if isinstance(strain, bool):
        strain = row.product if strain else None
    return LabResult(
        id=row.id,
        origin=_origin(row.origin, origin),
        product=row.product,
        strain=strain,
        form=row.form,
        producer=row.producer,
        laboratory=row.laboratory,
        tested_at=row.tested_at,
        approved_at=row.approved_at,
        market=row.market,
        report_url=_address(*url) if isinstance(url, tuple) else url,
        cannabinoids=readings(row.cannabinoids),
        terpenes=readings(row.terpenes),
    )


def build_brand(row: wire.BrandRow) -> Brand:
    """Return the brand of a row."""
    return Brand(
        id=row.id,
        name=row.name,
        origin=_origin(row.origin, None),
        slug=slug(row.slug, row.name),
        website=row.website,
        description=row.description,
    )


def build_offer(row: wire.OfferRow) -> Offer:
    """Return the offer of a row."""
    currency = DEFAULT_CURRENCY if row.currency is None else row.currency
    paid = money(row.price, currency)
    offer = _make_offer(
        None if row.shop_id is None else build_ref(row.shop_id, row.shop_origin, row.shop),
        native_id(row.product_id),
        row.product,
        row.brand,
        row.strain,
        row.strain_type,
        row.category,
        row.subcategory,
        row.market,
        row.variant_label,
        None if row.variant is None else amount(row.variant),
        paid,
        paid if row.list_price is None and row.list_currency is None else _list_price(row, currency),
        {} if row.analytes is None else potencies(row.potency, row.analytes),
        () if row.terpenes is None else readings(row.terpenes),
        None if row.lab is None else lab(row.lab),
        row.promotions,
        row.in_stock,
        None if row.quantity is None else num(row.quantity),
    )
    retype(offer, Offer)
    return offer


def _origin(own: str | None, listed: str | None) -> str:
    if own is not None:
        return own
    if listed is None:
        raise Corrupt("a record without an origin")
    return listed


def _list_price(row: wire.PriceRow | wire.OfferRow, currency: str) -> Money:
    cash = row.price if row.list_price is None else row.list_price
    return money(cash, currency if row.list_currency is None else row.list_currency)


def _money(packed: tuple[wire.Cash, str | None] | None) -> Money | None:
    if packed is None:
        return None
    cash, currency = packed
    return money(cash, DEFAULT_CURRENCY if currency is None else currency)


def _address(start: str, uuid: bytes) -> str:
    if len(uuid) != 16:
        raise Corrupt("not a UUID")
    digits = uuid.hex().upper()
    return f"{start}{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _build_shop_list(row: wire.ShopListRow) -> ShopList:
    origin = row.origin
    return ShopList(origin=origin, cell=row.cell, shops=tuple([build_shop(each, origin) for each in row.rows]))


def _build_menu_by_row(row: wire.MenuByRow) -> Menu:
    products = tuple([build_product(each, row.origin) for each in row.rows])
    return Menu(origin=row.origin, shop_id=row.shop_id, products=products)


def _build_price_list_by_row(row: wire.PriceListByRow) -> PriceList:
    return PriceList(origin=row.origin, shop_id=row.shop_id, prices=tuple(map(build_price, row.rows)))


def _build_promotion_list(row: wire.PromotionListRow) -> PromotionList:
    promotions = tuple([build_promotion(each, row.origin) for each in row.rows])
    return PromotionList(origin=row.origin, shop_id=row.shop_id, promotions=promotions)


def _build_strain_list(row: wire.StrainListRow) -> StrainList:
    return StrainList(origin=row.origin, strains=tuple([build_strain(each, row.origin) for each in row.rows]))


def _build_lab_result_list(row: wire.LabResultListRow) -> LabResultList:
    results = tuple([build_lab_result(each, row.origin) for each in row.rows])
    return LabResultList(origin=row.origin, results=results)


BUILDS: Mapping[type, Callable[[Any], Encodable]] = {
    **BUILDS_2,
    wire.ShopRow: build_shop,
    wire.ProductRow: build_product,
    wire.PriceRow: build_price,
    wire.PromotionRow: build_promotion,
    wire.StrainRow: build_strain,
    wire.LabResultRow: build_lab_result,
    wire.BrandRow: build_brand,
    wire.OfferRow: build_offer,
    wire.ShopListRow: _build_shop_list,
    wire.MenuRow: build_menu,
    wire.PriceListRow: build_price_list,
    wire.PromotionListRow: _build_promotion_list,
    wire.StrainListRow: _build_strain_list,
    wire.LabResultListRow: _build_lab_result_list,
    wire.MenuByRow: _build_menu_by_row,
    wire.PriceListByRow: _build_price_list_by_row,
}

"""The records: what sources produce, entries hold and hunts answer with. No I/O.

A menu call yields a :class:`Menu` (what a shop carries, slow) and a :class:`PriceList` (what it
costs and whether it is there, fast), which live in two entries with lifetimes of their own and
are joined again by product id. Every text that comes from an origin is kept as given, bounded
by the source; canonical values (category, analyte, market, unit) stand beside it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from weedhounds.model.units import Amount, Money, Potency, Reading

Market = Literal["rec", "med"]
Position = Literal["exact", "city"]


class Category(StrEnum):
    """The canonical product categories."""

    FLOWER = "flower"
    PRE_ROLL = "pre_roll"
    VAPE = "vape"
    CONCENTRATE = "concentrate"
    EDIBLE = "edible"
    BEVERAGE = "beverage"
    TINCTURE = "tincture"
    TOPICAL = "topical"
    CAPSULE = "capsule"
    SEED = "seed"
    ACCESSORY = "accessory"
    OTHER = "other"


class Record(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Base of all records; concrete ones carry the tag field ``type``."""


class OpenPeriod(msgspec.Struct, frozen=True, gc=False):
    """One opening period: ``weekday`` 0 is Monday; minutes after local midnight (may pass 1440)."""

    weekday: int
    open_min: int
    close_min: int


class Shop(Record, tag="shop", tag_field="type", frozen=True, gc=False, kw_only=True):
    """A dispensary as one origin lists it.

    Args:
        key: text of its ``dispensary_info`` key.
        origin: the origin's id.
        id: the native id; the menu key is ``dispensary_menu:{origin}:{id}``.
        slug: the origin's readable name in addresses, where it has one.
        lat, lon: degrees, or ``None`` where not placed.
        position: ``exact``, or ``city`` where the position is only a city's centre.
        time_zone: IANA name.
        hours: opening periods in local time; empty where unknown.
        is_closed: the origin says that the shop no longer trades.
    """

    key: str
    origin: str
    id: str
    name: str
    slug: str | None = None
    address: str | None = None
    city: str | None = None
    state: str | None = None
    postcode: str | None = None
    country: str | None = None
    lat: float | None = None
    lon: float | None = None
    position: Position = "exact"
    phone: str | None = None
    website: str | None = None
    time_zone: str | None = None
    hours: tuple[OpenPeriod, ...] = ()
    license_number: str | None = None
    markets: tuple[Market, ...] = ()
    kind: str | None = None
    menu_size: int | None = None


class Lab(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The laboratory facts that a menu states of a product's batch."""

    laboratory: str | None = None
    tested_at: str | None = None
    batch: str | None = None
    report_url: str | None = None


class Product(Record, tag="product", tag_field="type", frozen=True, gc=False, kw_only=True):
    """A product as one origin (or one shop's menu at it) lists it, without prices.

    Args:
        id: the native id, unique within the menu.
        name: as given.
        category: canonical; ``category_name`` and ``subcategory`` as given.
        strain: the strain's name as given, where the origin states it.
        strain_type: ``indica``, ``sativa``, ``hybrid``, ``cbd`` or ``None``.
        potency: by canonical analyte (``thc``, ``thca``, ``cbd``, …).
        potency_by_variant: overrides by :attr:`Price.variant_label`, where variants differ.
        updated_at: Unix seconds, as the origin says.
    """

    id: str
    name: str
    origin: str
    brand: str | None = None
    category: Category = Category.OTHER
    category_name: str | None = None
    subcategory: str | None = None
    strain: str | None = None
    strain_type: str | None = None
    potency: dict[str, Potency] = {}
    potency_by_variant: dict[str, dict[str, Potency]] = {}
    terpenes: tuple[Reading, ...] = ()
    lab: Lab | None = None
    slug: str | None = None
    image_url: str | None = None
    updated_at: float | None = None


class Price(Record, tag="price", tag_field="type", frozen=True, gc=False, kw_only=True):
    """One product x variant x market and what it costs.

    Args:
        product_id: :attr:`Product.id`.
        variant_label: the variant as given ("1/8oz"); unique with product and market.
        variant: the amount that the label (or a field beside it) states, or ``None``.
        price: what is paid now; a special, where one applies without conditions.
        list_price: the regular price.
        in_stock: ``None`` where the origin does not say.
        quantity: units in stock, where told.
        promotions: names of the specials that apply.
    """

    product_id: str
    variant_label: str
    variant: Amount | None
    market: Market
    price: Money
    list_price: Money
    in_stock: bool | None = None
    quantity: float | None = None
    promotions: tuple[str, ...] = ()


class Promotion(Record, tag="promotion", tag_field="type", frozen=True, gc=False, kw_only=True):
    """A shop's special offer. Times are Unix seconds; local stamps without zone stay in ``*_local``."""

    id: str
    origin: str
    name: str
    shop_id: str | None = None
    kind: str | None = None
    description: str | None = None
    percent_off: float | None = None
    amount_off: Money | None = None
    target_price: Money | None = None
    starts_local: str | None = None
    ends_local: str | None = None
    categories: tuple[str, ...] = ()


class Strain(Record, tag="strain", tag_field="type", frozen=True, gc=False, kw_only=True):
    """A strain as an origin describes it; ``slug`` is the normalised form of ``name``."""

    slug: str
    name: str
    origin: str
    id: str | None = None
    aka: tuple[str, ...] = ()
    strain_type: str | None = None
    description: str | None = None
    potency: dict[str, Potency] = {}
    terpenes: tuple[Reading, ...] = ()
    top_terpene: str | None = None
    effects: dict[str, float] = {}


class LabResult(Record, tag="lab_result", tag_field="type", frozen=True, gc=False, kw_only=True):
    """Laboratory values of one registered product or sample."""

    id: str
    origin: str
    product: str
    strain: str | None = None
    form: str | None = None
    producer: str | None = None
    laboratory: str | None = None
    tested_at: str | None = None
    approved_at: str | None = None
    market: str | None = None
    report_url: str | None = None
    cannabinoids: tuple[Reading, ...] = ()
    terpenes: tuple[Reading, ...] = ()


class Brand(Record, tag="brand", tag_field="type", frozen=True, gc=False, kw_only=True):
    """A brand as an origin lists it."""

    id: str
    name: str
    origin: str
    slug: str | None = None
    website: str | None = None
    description: str | None = None


class ShopRef(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The shop of an offer, as far as a menu answer tells it."""

    key: str
    id: str
    name: str | None = None
    address: str | None = None
    lat: float | None = None
    lon: float | None = None


class Offer(Record, tag="offer", tag_field="type", frozen=True, gc=False, kw_only=True):
    """A price joined with its product: what ``sources parse`` shows of a menu answer."""

    shop: ShopRef | None
    product_id: str
    product: str
    brand: str | None
    strain: str | None
    strain_type: str | None
    category: Category
    subcategory: str | None
    market: Market
    variant_label: str
    variant: Amount | None
    price: Money
    list_price: Money
    potency: dict[str, Potency]
    terpenes: tuple[Reading, ...]
    lab: Lab | None
    promotions: tuple[str, ...]
    in_stock: bool | None
    quantity: float | None


class Menu(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="menu", tag_field="type"):
    """Body of a ``dispensary_menu`` entry: the products of one shop at one origin, ordered by id."""

    origin: str
    shop_id: str
    products: tuple[Product, ...]


class PriceList(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="price_list", tag_field="type"):
    """Body of a ``product_pricing`` entry: all prices and stock of one shop, ordered."""

    origin: str
    shop_id: str
    prices: tuple[Price, ...]


class ShopList(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="shop_list", tag_field="type"):
    """Body of a ``dispensary_info:…:near:…`` entry: the shops whose position lies in the cell."""

    origin: str
    cell: str
    shops: tuple[Shop, ...]


class PromotionList(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="promotion_list", tag_field="type"):
    """Body of a ``promotions`` entry: the specials of one shop."""

    origin: str
    shop_id: str
    promotions: tuple[Promotion, ...]


class LabResultList(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="lab_result_list", tag_field="type"):
    """Body of a ``lab_results`` entry: a search's results, or one record."""

    origin: str
    results: tuple[LabResult, ...]


class StrainList(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="strain_list", tag_field="type"):
    """Body of a ``strain_data`` entry: one strain, or a search's strains."""

    origin: str
    strains: tuple[Strain, ...]


AnyRecord = Shop | Product | Price | Promotion | Strain | LabResult | Brand | Offer
"""What a parsed answer is made of."""

Body = Menu | PriceList | ShopList | PromotionList | LabResultList | StrainList
"""What an entry's body decodes to."""


def join_offers(products: dict[str, Product], prices: list[Price], shops: dict[str, ShopRef]) -> list[Offer]:
    """Return an offer for each price, joined with its product.

    Args:
        products: by id; every price's product must be there.
        prices: of any shops.
        shops: by product id, where the answer tells the shop.
    """
    return [_offer(products[p.product_id], p, shops.get(p.product_id)) for p in prices]


def _offer(product: Product, price: Price, shop: ShopRef | None) -> Offer:
    return Offer(
        shop=shop,
        product_id=product.id,
        product=product.name,
        brand=product.brand,
        strain=product.strain,
        strain_type=product.strain_type,
        category=product.category,
        subcategory=product.subcategory,
        market=price.market,
        variant_label=price.variant_label,
        variant=price.variant,
        price=price.price,
        list_price=price.list_price,
        potency={**product.potency, **product.potency_by_variant.get(price.variant_label, {})},
        terpenes=product.terpenes,
        lab=product.lab,
        promotions=price.promotions,
        in_stock=price.in_stock,
        quantity=price.quantity,
    )

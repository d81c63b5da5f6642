"""The rows of ``whb``: which field stands at which position. Specified in ``docs/whb.md``.

A row is a MessagePack array. Its first element is the number of its type; each field has a place
that is its own for ever. A new field is added at the end and has a default; a retired one keeps
its place, is written as nil and ignored (``evolve.py`` lists both, a test compares). A reader
takes the defaults for what a shorter array lacks and ignores what a longer one has besides.

Fields stand in the order that compresses best: what differs from record to record first, side by
side; what hardly differs after it, so that one match in a dictionary covers all of it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, TypeVar

import msgspec

from weedhounds.codec.base import MAX_ITEMS
from weedhounds.model.records import Category, Lab, LabResult, Market, Offer, Position, Product, ShopRef
from weedhounds.model.units import Amount, Money, Potency, Reading

Num = int | float
"""A number (``whb_values.py``): n >= 0 is n/100, n < 0 is -n/10000, a float stands for itself."""

Id = str | int | tuple[bytes]
"""A native id: text, a whole number (its decimal digits), or bytes in an array of one (their hexadecimal digits)."""

Cash = int | str
"""An amount of money: cents, or decimal text."""

Analytes = str | list[tuple[str, str, str | None]]
"""Analyte, unit and basis of each potency: joined text, or a list where a name holds a separator."""

ReadingsRow = tuple[str | list[str], str | list[str], list[int], Num | None, list[tuple[Num | None, Num | None]] | None]
"""Readings side by side: analytes, unit, scale and scaled values (-1: below the limit, -2: none), limit;
or, where that is not exact, value and limit of each."""

LabRow = tuple[str | None, str | None, str | None, str | None]
"""Laboratory, time, batch and report of a menu's product."""

VariantPotency = tuple[str, Analytes | None, list[Num]]
"""A variant's label and its content."""

ShopRest = tuple[str | None, str | None, str | None, Num | None, Num | None]
"""The rest of an offer's shop: key (nil where it follows from origin and id), name, address, lat, lon."""

T = TypeVar("T")
Column = Annotated[list[T], msgspec.Meta(max_length=MAX_ITEMS)]
"""One element for each record of a list; its length is looked at before anything is made."""

SHOP, PRODUCT, PRICE, PROMOTION, STRAIN, LAB_RESULT, BRAND, OFFER = range(1, 9)
PRODUCT_2, LAB_RESULT_2, OFFER_2 = 34, 38, 40
SHOP_LIST, MENU, PRICE_LIST, PROMOTION_LIST, STRAIN_LIST, LAB_RESULT_LIST = range(17, 23)
MENU_BY_ROW, PRICE_LIST_BY_ROW = 23, 24


class Row(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Base of all rows; positions count from 0, the type's number."""


class ShopRow(Row, tag=SHOP, frozen=True, gc=False):
    """A shop; degrees are counted in 10**-7, hours stand flat (weekday, open, close, weekday, …).

    Slugs here and below hold marks for the slugs of name and brand, or are whole in a list of one.
    """

    id: Id
    name: str
    slug: str | list[str] | None = None
    address: str | None = None
    postcode: str | None = None
    lat: Num | None = None
    lon: Num | None = None
    phone: str | None = None
    license_number: str | None = None
    website: str | None = None
    menu_size: int | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    time_zone: str | None = None
    hours: list[int] = []
    markets: tuple[Market, ...] = ()
    kind: str | None = None
    position: Position = "exact"
    origin: str | None = None
    key: str | None = None


class ProductRow(Row, tag=PRODUCT, frozen=True, gc=False):
    """A product; ``origin`` is nil within a menu of that origin."""

    id: Id
    name: str
    slug: str | list[str] | None = None
    image_url: str | None = None
    updated_at: Num | None = None
    potency: list[Num] = []
    analytes: Analytes | None = None
    strain: str | None = None
    brand: str | None = None
    subcategory: str | None = None
    category_name: str | None = None
    category: Category = Category.OTHER
    strain_type: str | None = None
    origin: str | None = None
    terpenes: ReadingsRow | None = None
    lab: LabRow | None = None
    potency_by_variant: list[VariantPotency] = []


class PriceRow(Row, tag=PRICE, frozen=True, gc=False):
    """A price; ``list_price`` nil: the same, ``currency`` nil: USD, ``list_currency`` nil: as ``currency``."""

    product_id: Id
    price: Cash
    list_price: Cash | None = None
    quantity: Num | None = None
    promotions: tuple[str, ...] = ()
    variant_label: str = ""
    variant: str | None = None
    market: Market = "rec"
    in_stock: bool | None = None
    currency: str | None = None
    list_currency: str | None = None


class PromotionRow(Row, tag=PROMOTION, frozen=True, gc=False):
    """A promotion; each money stands with its currency (nil: USD)."""

    id: str
    name: str
    description: str | None = None
    percent_off: Num | None = None
    amount_off: tuple[Cash, str | None] | None = None
    target_price: tuple[Cash, str | None] | None = None
    starts_local: str | None = None
    ends_local: str | None = None
    shop_id: str | None = None
    kind: str | None = None
    categories: tuple[str, ...] = ()
    origin: str | None = None


class StrainRow(Row, tag=STRAIN, frozen=True, gc=False):
    """A strain."""

    id: str | None
    name: str
    slug: str | list[str]
    aka: tuple[str, ...] = ()
    description: str | None = None
    potency: list[Num] = []
    analytes: Analytes | None = None
    terpenes: ReadingsRow | None = None
    top_terpene: str | None = None
    effects: tuple[list[str], list[Num]] | None = None
    strain_type: str | None = None
    origin: str | None = None


class LabResultRow(Row, tag=LAB_RESULT, frozen=True, gc=False):
    """A laboratory result; an address that ends in an upper-case UUID has it as 16 bytes."""

    id: str
    product: str
    strain: str | bool | None = None
    report_url: str | tuple[str, bytes] | None = None
    approved_at: str | None = None
    tested_at: str | None = None
    cannabinoids: ReadingsRow | None = None
    terpenes: ReadingsRow | None = None
    form: str | None = None
    producer: str | None = None
    laboratory: str | None = None
    market: str | None = None
    origin: str | None = None


class BrandRow(Row, tag=BRAND, frozen=True, gc=False):
    """A brand."""

    id: str
    name: str
    slug: str | list[str] | None = None
    website: str | None = None
    description: str | None = None
    origin: str | None = None


class OfferRow(Row, tag=OFFER, frozen=True, gc=False):
    """An offer: its shop's id (the key follows from ``shop_origin``), then price, product and constants."""

    shop_id: Id | None
    product_id: Id
    product: str
    price: Cash
    list_price: Cash | None = None
    quantity: Num | None = None
    potency: list[Num] = []
    analytes: Analytes | None = None
    promotions: tuple[str, ...] = ()
    brand: str | None = None
    strain: str | None = None
    subcategory: str | None = None
    category: Category = Category.OTHER
    variant_label: str = ""
    variant: str | None = None
    strain_type: str | None = None
    market: Market = "rec"
    in_stock: bool | None = None
    shop_origin: str | None = None
    terpenes: ReadingsRow | None = None
    lab: LabRow | None = None
    currency: str | None = None
    list_currency: str | None = None
    shop: ShopRest | None = None


class ProductRow2(Product, array_like=True, tag=PRODUCT_2, frozen=True, gc=False, kw_only=True):
    """A product in the second layout: the model's fields in the model's order, what is nested as maps."""

    slug: str | list[str] | None = None  # type: ignore[assignment]


class LabResultRow2(LabResult, array_like=True, tag=LAB_RESULT_2, frozen=True, gc=False, kw_only=True):
    """A laboratory result in the second layout."""


class OfferRow2(Offer, array_like=True, tag=OFFER_2, frozen=True, gc=False, kw_only=True):
    """An offer in the second layout; ``shop`` may be id and origin alone, ``list_price`` is nil where it is the price."""

    shop: tuple[Id, str] | ShopRef | None  # type: ignore[assignment]
    list_price: Money | None  # type: ignore[assignment]


class ShopListRow(Row, tag=SHOP_LIST, frozen=True, gc=False):
    """A cell's shops."""

    origin: str
    cell: str
    rows: Column[ShopRow]


class MenuRow(Row, tag=MENU, frozen=True, gc=False):
    """A menu's products, field by field: each column has an element for each product.

    What is small and nested (a potency, a reading) is a MessagePack map with the names of its
    fields. A slug holds a mark for the slug of its product's name, unless all are whole.
    """

    origin: str
    shop_id: str
    id: Column[str]
    name: Column[str]
    slug: Column[str | None]
    is_slug_whole: bool
    image_url: Column[str | None]
    updated_at: Column[float | None]
    brand: Column[str | None]
    category: Column[Category]
    category_name: Column[str | None]
    subcategory: Column[str | None]
    strain: Column[str | None]
    strain_type: Column[str | None]
    potency: Column[dict[str, Potency]]
    potency_by_variant: Column[dict[str, dict[str, Potency]]] | None = None
    terpenes: Column[tuple[Reading, ...]] | None = None
    lab: Column[Lab | None] | None = None
    origins: Column[str] | None = None


class PriceListRow(Row, tag=PRICE_LIST, frozen=True, gc=False):
    """A shop's prices, field by field; fields of few values are coded."""

    origin: str
    shop_id: str
    product_id: Column[str]
    price: Column[Decimal]
    list_price: Column[Decimal] | None
    variant_label: tuple[list[str], bytes]
    variant: tuple[list[Amount | None], bytes | None]
    market: tuple[list[Market], bytes]
    in_stock: tuple[list[bool | None], bytes]
    quantity: Column[float | None] | None = None
    promotions: tuple[list[tuple[str, ...]], bytes] | None = None
    currency: tuple[list[str], bytes] | None = None
    list_currency: tuple[list[str], bytes] | None = None


class PromotionListRow(Row, tag=PROMOTION_LIST, frozen=True, gc=False):
    """A shop's promotions."""

    origin: str
    shop_id: str
    rows: Column[PromotionRow]


class StrainListRow(Row, tag=STRAIN_LIST, frozen=True, gc=False):
    """Strains of one answer."""

    origin: str
    rows: Column[StrainRow]


class LabResultListRow(Row, tag=LAB_RESULT_LIST, frozen=True, gc=False):
    """Laboratory results of one answer."""

    origin: str
    rows: Column[LabResultRow]


class MenuByRow(Row, tag=MENU_BY_ROW, frozen=True, gc=False):
    """A menu's products one after the other: what patches are made of, for what changes together stands together."""

    origin: str
    shop_id: str
    rows: Column[ProductRow]


class PriceListByRow(Row, tag=PRICE_LIST_BY_ROW, frozen=True, gc=False):
    """A shop's prices one after the other, for patches."""

    origin: str
    shop_id: str
    rows: Column[PriceRow]


AnyRow = (
    ShopRow
    | ProductRow
    | PriceRow
    | PromotionRow
    | StrainRow
    | LabResultRow
    | BrandRow
    | OfferRow
    | ShopListRow
    | MenuRow
    | PriceListRow
    | PromotionListRow
    | StrainListRow
    | LabResultListRow
    | MenuByRow
    | PriceListByRow
    | ProductRow2
    | LabResultRow2
    | OfferRow2
)

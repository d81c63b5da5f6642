"""The kinds of records that dictionaries are trained for.

A kind is the type of a single record, or of what a body lists row by row. Menus and price lists,
which are written field by field, are kinds of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weedhounds.codec.base import Encodable
from weedhounds.model.records import (
    AnyRecord,
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
    Strain,
    StrainList,
)

KINDS: Mapping[type, str] = {
    Shop: "shop",
    ShopList: "shop",
    Product: "product",
    Menu: "menu",
    Price: "price",
    PriceList: "price_list",
    Promotion: "promotion",
    PromotionList: "promotion",
    Strain: "strain",
    StrainList: "strain",
    LabResult: "lab_result",
    LabResultList: "lab_result",
    Brand: "brand",
    Offer: "offer",
}

BY_FIELD = frozenset({"menu", "price_list"})
"""The kinds whose rows are written field by field."""


def kind_of(record: Encodable) -> str:
    """Return the kind of a record or body.

    Example:
        >>> kind_of(Menu(origin="jane", shop_id="1", products=()))
        'menu'
    """
    return KINDS[type(record)]


def items_of(record: Encodable) -> Sequence[AnyRecord]:
    """Return what a body lists; of a single record itself."""
    if isinstance(record, Menu):
        return record.products
    if isinstance(record, PriceList):
        return record.prices
    if isinstance(record, ShopList):
        return record.shops
    if isinstance(record, PromotionList):
        return record.promotions
    if isinstance(record, LabResultList):
        return record.results
    if isinstance(record, StrainList):
        return record.strains
    return (record,)

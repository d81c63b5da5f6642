"""Single records as rows of the second layout: offers, products, laboratory results. Specified in ``docs/whb.md``.

A row has the fields in the order of the model, and nested values as maps of their fields: msgspec
writes and reads all of it, floats as floats. Against the first layout, which lists still have, a
record is written in half the time and is a tenth larger. Coded is only what is worth more than it
costs: the key of a shop, slugs, a list price that is the price.

What msgspec reads is the record itself but for those fields and its class, which is an array of the
model's layout; the object is given its real class at last (``positional.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from msgspec.structs import astuple, force_setattr

from weedhounds.codec import whb_wire as wire
from weedhounds.codec.base import Encodable
from weedhounds.codec.finite import NO_FLOAT
from weedhounds.codec.positional import retype
from weedhounds.codec.whb_menus import check_finite
from weedhounds.codec.whb_shops import keyed_ref, pack_ref
from weedhounds.codec.whb_values import pack_slug, slug
from weedhounds.errors import Corrupt
from weedhounds.model.records import AnyRecord, LabResult, Offer, Product
from weedhounds.model.units import Money

_NOT_FINITE = "holds an amount that is none (NaN or infinite)"
PackedRow = tuple[Any, ...]


def pack_offer(offer: Offer) -> PackedRow:
    """Return an offer's row.

    Raises:
        Corrupt: a price is NaN or infinite.
    """
    fields = astuple(offer)
    shop, price, list_price = fields[0], fields[11], fields[12]
    return (
        wire.OFFER_2,
        None if shop is None else pack_ref(shop),
        *fields[1:12],
        None if _is_same(price, list_price) else list_price,
        *fields[13:],
    )


def pack_product(product: Product) -> PackedRow:
    """Return a product's row."""
    fields = astuple(product)
    own_slug = pack_slug(product.slug, product.name, product.brand)
    return (wire.PRODUCT_2, *fields[:13], own_slug, *fields[14:])


def pack_lab_result(result: LabResult) -> PackedRow:
    """Return a laboratory result's row."""
    return (wire.LAB_RESULT_2, *astuple(result))


def _is_same(price: Money, list_price: Money) -> bool:
    """Tell whether two prices are the very same; 35.0 and 35.00 are not, nor is zero with another sign.

    Raises:
        Corrupt: one is NaN or infinite.
    """
    amount, regular = price.amount, list_price.amount
    if not amount.is_finite() or not regular.is_finite():
        raise Corrupt(_NOT_FINITE)
    if amount is not regular and (amount != regular or not amount or not amount.same_quantum(regular)):
        return False
    return price.currency == list_price.currency


def build_offer(row: wire.OfferRow2) -> Offer:
    """Return the offer of a row; the row becomes it.

    Raises:
        Corrupt: a price that is none, or a shop without a key.
    """
    packed, price, regular = row.shop, row.price, row.list_price
    if regular is None:
        force_setattr(row, "list_price", price)
    elif not regular.amount.is_finite():
        raise Corrupt(_NOT_FINITE)
    if not price.amount.is_finite():
        raise Corrupt(_NOT_FINITE)
    if isinstance(packed, tuple):
        force_setattr(row, "shop", keyed_ref(*packed))
    retype(row, Offer)
    return cast(Offer, row)


def build_product(row: wire.ProductRow2) -> Product:
    """Return the product of a row; the row becomes it.

    Raises:
        Corrupt: a slug that is none.
    """
    if row.slug is not None:
        force_setattr(row, "slug", slug(row.slug, row.name, row.brand))
    retype(row, Product)
    return cast(Product, row)


def build_lab_result(row: wire.LabResultRow2) -> LabResult:
    """Return the laboratory result of a row; the row becomes it."""
    retype(row, LabResult)
    return row


def check_numbers(record: Encodable, payload: bytes) -> None:
    """Refuse a record whose row holds NaN or infinities. A row without a byte 7F or FF, as most are, has none.

    Raises:
        Corrupt: it does.
    """
    if NO_FLOAT.search(payload):
        check_finite(record)


PACKS_2: Mapping[type, Callable[[Any], PackedRow]] = {
    Offer: pack_offer,
    Product: pack_product,
    LabResult: pack_lab_result,
}
"""The records that are written in the second layout."""

BUILDS_2: Mapping[type, Callable[[Any], AnyRecord]] = {
    wire.OfferRow2: build_offer,
    wire.ProductRow2: build_product,
    wire.LabResultRow2: build_lab_result,
}

"""Weedmaps' discovery interface over the market: listings near a point, one listing, menus.

Menus have the JSON:API layout that was recorded: prices in ``prices`` (fixed keys) and, for what
is sold by weight, in ``variants``; a sale is told beside the regular prices and not taken off them.
"""

from __future__ import annotations

import re
from datetime import datetime

from weedhounds.model.names import slugify
from weedhounds.sandbox import rhythm, spelling
from weedhounds.sandbox.catalogue import Product, Variant
from weedhounds.sandbox.http import Reply, Request, decimal, json_reply, whole
from weedhounds.sandbox.market import Market
from weedhounds.sandbox.menus import MenuPages, Shown, dollars, iso_utc
from weedhounds.sandbox.shops import Listing, Opening
from weedhounds.sandbox.spelling import Item
from weedhounds.sandbox.stock import Batch, Shelf

LISTINGS_MOST, ITEMS_MOST = 150, 100
KM_PER_MILE = 1.609344
FIXED_KEYS = (
    "price_unit", "price_half_gram", "price_gram", "price_two_grams", "price_eighth", "price_quarter",
    "price_half_ounce", "price_ounce",
)  # fmt: skip
_KEY_OF_GRAMS = {
    0.5: "price_half_gram", 1.0: "price_gram", 3.5: "price_eighth", 7.0: "price_quarter", 14.0: "price_half_ounce",
    28.0: "price_ounce",
}  # fmt: skip
VARIANT_WORDS: dict[float, tuple[str, str, float, str]] = {
    0.5: ("1/2 gram", "1/2 g", 0.5, "g"), 1.0: ("1 gram", "1 g", 1, "g"), 3.5: ("1/8 ounce", "1/8 oz", 0.125, "oz"),
    7.0: ("1/4 ounce", "1/4 oz", 0.25, "oz"), 14.0: ("1/2 ounce", "1/2 oz", 0.5, "oz"), 28.0: ("1 ounce", "1 oz", 1, "oz"),
}  # fmt: skip
"""Name, label, weight and unit of a variant sold by weight."""

_LISTINGS = re.compile(r"(?:/discovery)?/v[12]/listings")
_LISTING = re.compile(r"(?:/discovery)?/v1/listings/dispensaries/([^/]+)")
_ITEMS = re.compile(r"(?:/discovery)?/v1/listings/dispensaries/([^/]+)/menu_items")
_NOT_FOUND = {"errors": [{"status": 404, "title": "Not Found", "detail": "the resource does not exist"}]}


class Weedmaps:
    """The origin ``weedmaps``."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._pages = MenuPages(market, render)

    def answer(self, request: Request, now: float) -> Reply:
        """Return the answer of a call; see :class:`weedhounds.sandbox.http.Origin`."""
        if request.method == "GET":
            if _LISTINGS.fullmatch(request.path):
                return self._near(request, now)
            if found := _ITEMS.fullmatch(request.path):
                return self._menu(found[1], request, now)
            if found := _LISTING.fullmatch(request.path):
                return self._single(found[1], now)
        return json_reply(_NOT_FOUND, status=404)

    def _near(self, request: Request, now: float) -> Reply:
        radius = request.query.get("filter[bounding_radius]", "75mi").removesuffix("mi")
        lat, _, lon = request.query.get("filter[bounding_latlng]", "").partition(",")
        found = self._market.near("weedmaps", decimal(lat), decimal(lon), decimal(radius) * KM_PER_MILE)
        page, size = _paging(request, LISTINGS_MOST)
        shown = found[(page - 1) * size : page * size]
        if not shown and page > 1:
            return json_reply({"errors": [{"detail": "page is past the end"}]}, "near", status=422)
        listings = [self._listing(x, now) for _, x in shown]
        body = {"meta": {"total_listings": len(found)}, "data": {"listings": listings}}
        return json_reply(body, "near", page=page - 1)

    def _single(self, id_or_slug: str, now: float) -> Reply:
        listing = self._market.listing("weedmaps", id_or_slug)
        if listing is None:
            return json_reply(_NOT_FOUND, "shop", status=404)
        return json_reply({"meta": {}, "data": {"listing": self._listing(listing, now)}}, "shop")

    def _menu(self, id_or_slug: str, request: Request, now: float) -> Reply:
        listing = self._market.listing("weedmaps", id_or_slug)
        if listing is None:
            return json_reply(_NOT_FOUND, "menu", status=404)
        page, size = _paging(request, ITEMS_MOST)
        indexes = self._matching(listing, request.query.get("filter[category_slug]"))
        items = b",".join(self._pages.page(listing, indexes[(page - 1) * size : page * size], now))
        head = b'{"meta":{"page":%d,"per_page":%d,"total":%d},"data":[' % (page, size, len(indexes))
        return Reply(body=b"".join((head, items, b"]}")), kind="menu", target=listing.id, page=page - 1)

    def _matching(self, listing: Listing, category: str | None) -> list[int]:
        words = spelling.CATEGORY_WORDS["weedmaps"]
        menu = self._market.menu(listing.shop)
        return [p.index for p in menu if category is None or slugify(words[p.category]) == category]

    def _listing(self, listing: Listing, now: float) -> dict[str, object]:
        shop, opening = listing.shop, self._market.opening(listing.shop, now)
        address = f"{listing.address}, {opening.suite}" if opening.suite else listing.address
        has_both = len(shop.markets) > 1
        return {
            "id": int(listing.id),
            "wmid": 900_000_000 + int(listing.id),
            "slug": listing.slug,
            "name": listing.name,
            "type": "dispensary",
            "address": address,
            "city": shop.city.name,
            "state": shop.city.state,
            "zip_code": shop.postcode,
            "country": "United States",
            "latitude": listing.lat,
            "longitude": listing.lon,
            "phone_number": listing.phone,
            "rating": round(4 + shop.index % 100 / 100, 2),
            "reviews_count": 10 + shop.index * 7 % 900,
            "license_type": "hybrid" if has_both else "recreational",
            "licenses": [{"number": listing.licence, "type": "Adult-Use Retail"}] if listing.licence else [],
            "web_url": f"https://weedmaps.example/dispensaries/{listing.slug}",
            "menu_items_count": shop.menu_size,
            "online_ordering": {"enabled_for_pickup": True, "enabled_for_delivery": False},
            "open_now": _is_open(opening, now, shop.city.zone),
            "timezone": shop.city.zone,
        }


def _paging(request: Request, most: int) -> tuple[int, int]:
    page = whole(request.query.get("page"), 1, least=1)
    return page, whole(request.query.get("page_size"), 24, least=1, most=most)


def _is_open(opening: Opening, now: float, zone: str) -> bool:
    local = datetime.fromtimestamp(now, rhythm.zone_of(zone))
    minute = local.hour * 60 + local.minute
    return any(p.weekday == local.weekday() and p.open_min <= minute < p.close_min for p in opening.hours)


def by_weight(product: Product, variant: Variant) -> bool:
    """Tell whether a variant is priced by weight; packs of several pieces are sold as one unit."""
    return variant.grams is not None and variant.grams in VARIANT_WORDS


def render(shown: Shown) -> dict[str, object]:
    """Return a product as a menu item of the JSON:API layout."""
    listing, product, item, batch, shelf = shown
    return {
        "id": int(item.id),
        "type": "menu_item",
        "attributes": _attributes(product, item, batch, shelf),
        "links": {"self": f"/dispensaries/{listing.slug}/menu/{item.slug}"},
        "relationships": _relationships(listing, product),
    }


def _attributes(product: Product, item: Item, batch: Batch | None, shelf: Shelf) -> dict[str, object]:
    parent = spelling.CATEGORY_WORDS["weedmaps"][product.category]
    sub = spelling.FORM_WORDS["weedmaps"][product.form]
    quantity = shelf.quantity[0] if not by_weight(product, product.variants[0]) else None
    return {
        "name": item.name,
        "slug": item.slug,
        "category_name": parent,
        "body": f"<p>{product.form} by {product.brand_name}. Lot {batch.code}.</p>" if batch else "",
        "is_published": True,
        "license_type": "recreational",
        "online_orderable": any(shelf.quantity),
        "avatar_image_url": item.image_url,
        "is_badged": False,
        "brand_name": product.brand_name,
        "cannabinoids": {"thc": str(batch.thc), "cbd": str(batch.cbd)} if batch and batch.unit == "%" else {},
        "genetics": product.strain.kind if product.strain and product.strain.kind != "cbd" else None,
        "prices": _prices(product, shelf),
        "grams_per_eighth": "3.5 grams",
        "created_at": f"2023-{product.index % 12 + 1:02d}-14T18:00:00Z",
        "updated_at": iso_utc(batch.since) if batch else None,
        "parent_category": {"id": 2, "name": parent, "slug": slugify(parent)},
        "sub_category": {"id": 20 + len(sub), "name": sub, "slug": slugify(sub)},
        "measurements": _measurements(item, batch) if batch else [],
        "variants": _variants(product, shelf),
        "sale": {"amount": shelf.special.percent, "type": "percentage"} if shelf.special else None,
        "sku": None,
        "inventory_quantity": quantity,
        "shared_inventory": False,
    }


def _relationships(listing: Listing, product: Product) -> dict[str, object]:
    strain = {"id": 1000 + product.strain.rank, "type": "strain"} if product.strain else None
    return {
        "brand": {"data": {"id": 18_000 + product.brand, "type": "brand"}},
        "listing": {"data": {"id": int(listing.id), "type": "dispensary"}},
        "strain": {"data": strain},
    }


def _prices(product: Product, shelf: Shelf) -> dict[str, object]:
    prices: dict[str, object] = dict.fromkeys(FIXED_KEYS, 0)
    for variant, cents in zip(product.variants, shelf.cents, strict=True):
        grams = variant.grams if by_weight(product, variant) else None
        prices[_KEY_OF_GRAMS[grams] if grams is not None else "price_unit"] = dollars(cents)
    prices["prices_other"] = {}
    return prices


def _variants(product: Product, shelf: Shelf) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for variant, cents, quantity in zip(product.variants, shelf.cents, shelf.quantity, strict=True):
        if variant.grams is None or not by_weight(product, variant):
            continue
        name, label, value, unit = VARIANT_WORDS[variant.grams]
        rows.append(
            {
                "name": name,
                "label": label,
                "price": {"amount": f"{cents / 100:.2f}", "currency": "USD"},
                "weight": {"value": value, "unit": unit},
                "inventory_quantity": quantity,
            }
        )
    return rows


_TERPENE_NAMES = {
    "pinene_alpha": "α-Pinene", "pinene_beta": "β-Pinene", "caryophyllene": "β-Caryophyllene", "myrcene": "β-Myrcene",
}  # fmt: skip


def _measurements(item: Item, batch: Batch) -> list[dict[str, object]]:
    rows = [("cannabinoid", "THC", batch.unit, batch.thc), ("cannabinoid", "CBD", batch.unit, batch.cbd)]
    rows += [("terpene", _TERPENE_NAMES.get(name) or name.title(), "%", value) for name, value in batch.terpenes]
    first = 1_400_000_000 + int(item.id[-6:]) * 16
    return [
        {"id": first + i, "classification": classification, "name": name, "unit": unit, "value": str(value)}
        for i, (classification, name, unit, value) in enumerate(rows)
    ]

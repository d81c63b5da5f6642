"""Leafly's consumer interface over the market: menus, shops near a point, strain pages.

Menu items are of one shop, with ``variants[]``; prices stand before a deal, stock is not told.
``openNow`` and ``distanceMi`` depend on the request.
"""

from __future__ import annotations

import re

from weedhounds.model.names import slugify
from weedhounds.sandbox import spelling
from weedhounds.sandbox.catalogue import Product, Strain, Variant
from weedhounds.sandbox.http import Reply, Request, decimal, json_reply, whole
from weedhounds.sandbox.market import Market
from weedhounds.sandbox.menus import MenuPages, Shown, dollars, iso_utc
from weedhounds.sandbox.shops import Listing, Opening
from weedhounds.sandbox.spelling import Item
from weedhounds.sandbox.strains import StrainPage

BUILD_ID = "sandbox"
ITEMS_MOST, SHOPS_MOST = 60, 100
KM_PER_MILE = 1.609344
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NEAR = re.compile(r"/_next/data/([^/]+)/dispensaries/near-me\.json")
_ITEMS = re.compile(r"(?:/api)?/dispensaries/v2/([^/]+)/menu_items")
_STRAIN = re.compile(r"(?:/api)?/strains/v1/([^/]+)")
_OUNCES = {3.5: "1/8 oz", 7.0: "1/4 oz", 14.0: "1/2 oz", 28.0: "1 oz"}


class Leafly:
    """The origin ``leafly``."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._pages = MenuPages(market, render)

    def answer(self, request: Request, now: float) -> Reply:
        """Return the answer of a call; see :class:`weedhounds.sandbox.http.Origin`."""
        if request.method == "GET":
            if found := _ITEMS.fullmatch(request.path):
                return self._menu(found[1], request, now)
            if (found := _NEAR.fullmatch(request.path)) and found[1] == BUILD_ID:
                return self._near(request, now)
            if found := _STRAIN.fullmatch(request.path):
                return self._strain(found[1], now)
        return _not_found("other")

    def _menu(self, id_or_slug: str, request: Request, now: float) -> Reply:
        listing = self._market.listing("leafly", id_or_slug)
        if listing is None:
            return _not_found("menu")
        take = whole(request.query.get("take"), 18, least=1, most=ITEMS_MOST)
        skip = whole(request.query.get("skip"), 0)
        total = listing.shop.menu_size
        items = b",".join(self._pages.page(listing, range(total)[skip : skip + take], now))
        tail = b'],"metadata":{"totalCount":%d}}' % total
        body = b"".join((b'{"data":[', items, tail))
        return Reply(body=body, kind="menu", target=listing.id, page=skip // take)

    def _near(self, request: Request, now: float) -> Reply:
        query = request.query
        at = decimal(query.get("lat")), decimal(query.get("lon"))
        found = self._market.near("leafly", *at, decimal(query.get("radius"), 10.0) * KM_PER_MILE)
        page = whole(query.get("page"), 1, least=1)
        size = whole(query.get("limit"), 18, least=1, most=SHOPS_MOST)
        shown = found[(page - 1) * size : page * size]
        stores = [_store(x, km, self._market.opening(x.shop, now)) for km, x in shown]
        data = {"organicStores": stores, "totalCount": len(found)}
        body = {"pageProps": {"storeLocatorResults": {"data": data}}, "__N_SSP": True}
        return json_reply(body, "near", page=page - 1)

    def _strain(self, slug: str, now: float) -> Reply:
        strain = self._market.strains.get(slug)
        if strain is None:
            return _not_found("strain")
        return json_reply(_page(strain, self._market.page(strain, now)), "strain")


def _not_found(kind: str) -> Reply:
    return json_reply({"statusCode": 404, "error": "Not Found", "message": "Not Found"}, kind, status=404)


def render(shown: Shown) -> dict[str, object]:
    """Return a product as a menu item."""
    listing, product, item, batch, shelf = shown
    deal = {"id": shelf.special.id, "title": shelf.special.name, "kind": "percentOff"} if shelf.special else None
    variants = [
        _variant(item, number, variant, cents)
        for number, (variant, cents) in enumerate(zip(product.variants, shelf.cents, strict=True))
    ]
    unit = (None, "percent", "mg")[0 if batch is None else 1 + (batch.unit == "mg")]
    return {
        "id": int(item.id),
        "menuItemId": int(item.id),
        "dispensaryId": int(listing.id),
        "dispensaryName": listing.name,
        "name": item.name,
        "slug": item.slug,
        "brandName": product.brand_name,
        "brand": {"id": 4000 + product.brand, "name": product.brand_name, "slug": slugify(product.brand_name)},
        "productCategory": spelling.CATEGORY_WORDS["leafly"][product.category],
        "subcategoryName": spelling.FORM_WORDS["leafly"].get(product.form),
        "description": f"{product.form} by {product.brand_name}" + (f", lot {batch.code}" if batch else ""),
        "imageUrl": item.image_url,
        "strain": _strain_of(product),
        "strainName": product.strain.name if product.strain else None,
        "thcContent": batch.thc if batch else None,
        "thcUnit": unit,
        "cbdContent": batch.cbd if batch else None,
        "cbdUnit": unit,
        "price": variants[0]["price"],
        "pricePerUnit": variants[0]["pricePerUnit"],
        "quantity": variants[0]["quantity"],
        "unit": variants[0]["unit"],
        "displayQuantity": variants[0]["displayQuantity"],
        "normalizedQuantity": variants[0]["quantity"],
        "deal": deal,
        "offers": [],
        "variants": variants,
        "medical": False,
        "pickupEnabled": True,
        "reviewCount": None,
        "updatedAt": iso_utc(batch.since) if batch else None,
    }


def _strain_of(product: Product) -> dict[str, object] | None:
    if product.strain is None:
        return None
    strain = product.strain
    category = "Hybrid" if strain.kind == "cbd" else strain.kind.title()
    return {"id": 70 + strain.rank, "slug": strain.slug, "name": strain.name, "category": category}


def quantity_of(variant: Variant) -> tuple[float, str, str]:
    """Return (quantity, unit, displayed quantity) of a variant."""
    if variant.grams is not None:
        return variant.grams, "g", _OUNCES.get(variant.grams) or f"{variant.grams:g} g"
    if variant.mg is not None:
        return variant.mg, "mg", f"{variant.mg} mg"
    return 1, "each", "each"


def _variant(item: Item, number: int, variant: Variant, cents: int) -> dict[str, object]:
    quantity, unit, shown = quantity_of(variant)
    return {
        "id": int(item.id) * 10 + number,
        "price": dollars(cents),
        "pricePerUnit": round(cents / 100 / quantity, 2),
        "quantity": quantity,
        "unit": unit,
        "displayQuantity": shown,
        "deal": None,
    }


def _store(listing: Listing, km: float, opening: Opening) -> dict[str, object]:
    shop = listing.shop
    return {
        "id": int(listing.id),
        "slug": listing.slug,
        "name": listing.name,
        "address1": listing.address,
        "address2": opening.suite,
        "city": shop.city.name,
        "state": shop.city.state,
        "zip": shop.postcode,
        "country": "US",
        "phone": listing.phone,
        "timeZone": shop.city.zone,
        "primaryLocation": {"lat": listing.lat, "lon": listing.lon},
        "locations": [{"lat": listing.lat, "lon": listing.lon}],
        "rating": round(3.8 + shop.index * 13 % 120 / 100, 4),
        "reviewCount": 5 + shop.index * 11 % 1200,
        "schedule": {"openPeriods": [], "weekly": _weekly(opening)},
        "tags": [],
        "pickupEnabled": True,
        "deliveryEnabled": False,
        "onlineFulfillmentEnabled": True,
        "retailType": "dispensary",
        "distanceMi": km / KM_PER_MILE,
    }


def _weekly(opening: Opening) -> dict[str, object]:
    return {
        DAYS[p.weekday]: {
            "close": f"1901-01-02T{p.close_min // 60 % 24:02d}:{p.close_min % 60:02d}:00.000Z",
            "isOpen": True,
            "open": f"1901-01-01T{p.open_min // 60:02d}:{p.open_min % 60:02d}:00.000Z",
        }
        for p in opening.hours
    }


def _page(strain: Strain, page: StrainPage) -> dict[str, object]:
    scores: dict[str, float] = {}
    for name, score in page.scores:
        short = "pinene" if name.startswith("pinene") else name
        scores[short] = round(scores.get(short, 0.0) + score, 5)
    top = max(scores, key=lambda name: (scores[name], name))
    return {
        "id": 70 + strain.rank,
        "strainId": 70 + strain.rank,
        "slug": strain.slug,
        "name": strain.name,
        "aka": None,
        "category": "Hybrid" if strain.kind == "cbd" else strain.kind.title(),
        "phenotype": "Hybrid" if strain.kind == "cbd" else strain.kind.title(),
        "averageRating": page.rating,
        "reviewCount": page.reviews,
        "cannabinoids": {"thc": _percentiles(strain.thc), "cbd": _percentiles(strain.thc * 2 if strain.kind == "cbd" else 0.2)},
        "terps": {name: {"name": name.title(), "score": score} for name, score in scores.items()},
        "topTerp": top,
        "strainTopTerp": top.title(),
        "topEffect": page.effects[0][0],
        "effects": {name: {"name": name, "score": score} for name, score in page.effects},
        "descriptionPlain": f"{strain.name} is a {strain.kind} strain with a strong note of {top} ({page.revision}).",
        "chemotype": None,
    }  # fmt: skip


def _percentiles(middle: float) -> dict[str, float]:
    return {"percentile25": round(middle * 0.9, 2), "percentile50": middle, "percentile75": round(middle * 1.1, 2)}

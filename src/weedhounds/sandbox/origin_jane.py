"""Jane's search indexes over the market: stores and menu products, as an Algolia index answers.

Every call needs ``X-Algolia-API-Key: sandbox-key``. A filter gives at most 1,000 hits over all
pages. Prices are those of adult use; a weight that is sold out has neither price nor place in
``available_weights``.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from weedhounds.model.records import Category
from weedhounds.sandbox import spelling
from weedhounds.sandbox.catalogue import Product
from weedhounds.sandbox.http import Reply, Request, decimal, json_object, json_reply, whole
from weedhounds.sandbox.market import Market
from weedhounds.sandbox.menus import MenuPages, Shown, dollars
from weedhounds.sandbox.shops import Listing, Opening
from weedhounds.sandbox.stock import Batch, Shelf, report_url

SEARCH_KEY = "sandbox-key"
HITS_MOST = 1000
WEIGHT_NAMES = {
    0.5: "half_gram",
    1.0: "gram",
    3.5: "eighth_ounce",
    7.0: "quarter_ounce",
    14.0: "half_ounce",
    28.0: "ounce",
}
_PATH = re.compile(r"/1/indexes/([a-z-]+)-production/query")
_CONDITION = re.compile(r"""(NOT\s+)?(\w+):\s*"?([^"]*?)"?""")
_ALL_WEIGHTS = ("each", "half_gram", "gram", "two_gram", "eighth_ounce", "quarter_ounce", "half_ounce", "ounce")
_NO_SPECIALS: dict[str, object] = {f"special_price_{weight}": {} for weight in _ALL_WEIGHTS}
_STATIC: dict[str, object] = {
    "applicable_brand_special_ids": [],
    "at_visible_store": True,
    "available_for_delivery": False,
    "available_for_pickup": True,
    "has_brand_discount": False,
    "net_weight_grams": 0,
    "store_types": ["recreational"],
    "terpenes": [],
    "visible": True,
}


class Jane:
    """The origin ``jane``."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._pages = MenuPages(market, render)

    def answer(self, request: Request, now: float) -> Reply:
        """Return the answer of an index query; see :class:`weedhounds.sandbox.http.Origin`."""
        if request.headers.get("x-algolia-api-key") != SEARCH_KEY:
            return json_reply({"message": "Invalid Application-ID or API key", "status": 403}, status=403)
        index = _PATH.fullmatch(request.path)
        if request.method != "POST" or index is None or index[1] not in ("stores", "menu-products"):
            return json_reply({"message": "Index does not exist", "status": 404}, status=404)
        query = _query(request.body)
        return self._stores(query, now) if index[1] == "stores" else self._menu(query, now)

    def _stores(self, query: dict[str, object], now: float) -> Reply:
        wanted = _conditions(query)
        if wanted:
            found = self._market.listing("jane", next((v for _, n, v in wanted if n == "objectID"), ""))
            listings, kind = [found] if found else [], "shop"
        else:
            lat, _, lon = str(query.get("aroundLatLng", "")).partition(",")
            radius_km = decimal(query.get("aroundRadius"), 10_000.0) / 1000
            near = self._market.near("jane", decimal(lat), decimal(lon), radius_km)
            listings, kind = [listing for _, listing in near], "near"
        page, size = _paging(query)
        shown = listings[page * size : (page + 1) * size]
        hits = [_store(x, self._market.opening(x.shop, now)) for x in shown]
        return json_reply({"hits": hits, **_counts(len(listings), page, size)}, kind, page=page)

    def _menu(self, query: dict[str, object], now: float) -> Reply:
        wanted = _conditions(query)
        store = next((value for is_not, name, value in wanted if name == "store_id" and not is_not), "")
        listing = self._market.listing("jane", store)
        indexes = self._matching(listing, wanted) if listing else []
        page, size = _paging(query)
        shown = indexes[: min(len(indexes), HITS_MOST)][page * size : (page + 1) * size]
        items = b",".join(self._pages.page(listing, shown, now)) if listing else b""
        counts = _counts(len(indexes), page, size)
        tail = b'],"nbHits":%d,"page":%d,"nbPages":%d,"hitsPerPage":%d,"exhaustiveNbHits":true,"processingTimeMS":4}'
        numbers = counts["nbHits"], counts["page"], counts["nbPages"], counts["hitsPerPage"]
        body = b'{"hits":[' + items + tail % numbers
        return Reply(body=body, kind="menu", target=listing.id if listing else None, page=page)

    def _matching(self, listing: Listing, wanted: list[tuple[bool, str, str]]) -> list[int]:
        kinds = [(is_not, value) for is_not, name, value in wanted if name == "kind"]
        words = spelling.CATEGORY_WORDS["jane"]
        return [
            product.index
            for product in self._market.menu(listing.shop)
            if all((words[product.category] == value) is not is_not for is_not, value in kinds)
        ]


def _query(body: bytes) -> dict[str, object]:
    """Return the query of a body in either form (fields, or ``params`` as a query string)."""
    posted = json_object(body)
    params = posted.get("params")
    return dict(parse_qsl(params)) if isinstance(params, str) else posted


def _conditions(query: dict[str, object]) -> list[tuple[bool, str, str]]:
    """Return (negated, attribute, value) of each condition of ``filters``."""
    parts = re.split(r"\s+AND\s+", str(query.get("filters") or ""))
    found = (_CONDITION.fullmatch(part.strip()) for part in parts)
    return [(bool(m[1]), m[2], m[3]) for m in found if m]


def _paging(query: dict[str, object]) -> tuple[int, int]:
    return whole(query.get("page"), 0), whole(query.get("hitsPerPage"), 20, least=1, most=HITS_MOST)


def _counts(total: int, page: int, size: int) -> dict[str, int]:
    return {"nbHits": total, "page": page, "nbPages": -(-min(total, HITS_MOST) // size), "hitsPerPage": size}


def weight_name(product: Product, index: int) -> str:
    """Return the weight that a variant is sold as; ``each`` for what has no weight of its own."""
    grams = product.variants[index].grams
    return WEIGHT_NAMES.get(grams, "each") if grams is not None else "each"


def render(shown: Shown) -> dict[str, object]:
    """Return a product as a hit of the menu index."""
    listing, product, item, batch, shelf = shown
    in_stock = [i for i, n in enumerate(shelf.quantity) if n]
    hit: dict[str, object] = {
        **_STATIC,
        **_NO_SPECIALS,
        "objectID": item.id,
        "product_id": 300_000 + product.brand * 1000 + product.index,
        "store_id": int(listing.id),
        "name": item.name,
        "brand": product.brand_name,
        "product_brand_id": 21_000 + product.brand,
        "kind": spelling.CATEGORY_WORDS["jane"][product.category],
        "kind_subtype": spelling.FORM_WORDS["jane"].get(product.form),
        "category": product.strain.kind if product.strain else None,
        "url_slug": item.slug,
        "available_weights": [weight_name(product, i).replace("_", " ") for i in in_stock],
        "max_cart_quantity": max(shelf.quantity),
        "pos_product_lookup": {
            weight_name(product, i).replace("_", " "): f"{item.id[-6:]}{i}" for i in range(len(product.variants))
        },
        "image_urls": [item.image_url] if item.image_url else [],
        "has_photos": item.image_url is not None,
        "applicable_special_ids": [],
        "bucket_price": dollars(shelf.paid(shelf.cents[0])),
        "sort_price": dollars(shelf.paid(shelf.cents[0])),
        "inventory_potencies": [],
        "lab_results": [],
        "version": 1,
    }
    if batch is not None:
        hit.update(_contents(product, batch))
    for i in in_stock:
        hit.update(_prices(weight_name(product, i), shelf.cents[i], shelf))
    if shelf.special is not None:
        percent = shelf.special.percent
        hit.update(special_id=shelf.special.id, special_title=shelf.special.name, special_amount=f"{percent}% OFF")
        hit["applicable_special_ids"] = [shelf.special.id]
    return hit


def _prices(weight: str, cents: int, shelf: Shelf) -> dict[str, object]:
    prices: dict[str, object] = {f"price_{weight}": dollars(cents)}
    if shelf.special is None:
        return prices
    paid = shelf.paid(cents)
    prices[f"discounted_price_{weight}"] = dollars(paid)
    prices[f"special_price_{weight}"] = {
        "price": f"{cents / 100:.1f}" if cents % 10 == 0 else f"{cents / 100:.2f}",
        "special_id": shelf.special.id,
        "discount_type": "percent",
        "discount_price": f"{paid / 100:g}",
        "discount_amount": dollars(cents - paid),
        "discount_percent": f"{shelf.special.percent:.1f}",
    }
    return prices


SOLD_BY_PERCENT = frozenset({Category.FLOWER, Category.PRE_ROLL, Category.VAPE, Category.CONCENTRATE})


def _contents(product: Product, batch: Batch) -> dict[str, object]:
    """Return the fields that a lot decides; doses in milligrams stand in the lab results only."""
    results = [("THC", batch.thc, batch.unit), ("CBD", batch.cbd, batch.unit)]
    results += [(_TERPENE_NAMES.get(name) or name.title(), value, "%") for name, value in batch.terpenes]
    listed = [{"compound_name": name, "value": value, "unit": unit} for name, value, unit in results if value]
    price_id = weight_name(product, 0).replace("_", " ")
    fields: dict[str, object] = {
        "lab_results": [{"price_id": price_id, "lab_results": listed}],
        "lab_result_urls": [report_url(batch)],
    }
    if product.category in SOLD_BY_PERCENT:
        fields |= {"percent_thc": batch.thc, "percent_cbd": batch.cbd, "has_thc_potency": True}
    return fields


_TERPENE_NAMES = {
    "pinene_alpha": "α-Pinene", "pinene_beta": "β-Pinene", "caryophyllene": "β-Caryophyllene", "myrcene": "β-Myrcene",
    "limonene": "D-Limonene", "humulene": "α-Humulene",
}  # fmt: skip


def _store(listing: Listing, opening: Opening) -> dict[str, object]:
    shop = listing.shop
    return {
        "objectID": listing.id,
        "id": int(listing.id),
        "name": listing.name,
        "url_slug": listing.slug,
        "_geoloc": {"lat": listing.lat, "lng": listing.lon},
        "address": listing.address,
        "address2": opening.suite,
        "city": shop.city.name,
        "state": shop.city.state,
        "zip": shop.postcode,
        "country": "United States",
        "phone": listing.phone,
        "time_zone_identifier": shop.city.zone,
        "recreational": True,
        "medical": False,
        "store_types": ["recreational"],
        "product_count": shop.menu_size,
        "pickup": True,
        "delivery": False,
    }

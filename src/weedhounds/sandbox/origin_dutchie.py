"""Dutchie's consumer GraphQL interface over the market.

``FilteredProducts``, ``DispensarySearch``, ``ConsumerDispensaries`` and ``GetSpecialMenuCards``, by
GET (persisted) or POST, below ``/graphql`` and ``/api-{0..4}/graphql``. Potency values, prices and
stock lines run as in recorded answers; the weights in ``measurements`` are milligrams.
"""

from __future__ import annotations

import re

from weedhounds.model.records import Category
from weedhounds.sandbox import spelling
from weedhounds.sandbox.catalogue import Product
from weedhounds.sandbox.http import Reply, Request, decimal, json_object, json_reply, validated, whole
from weedhounds.sandbox.lru import Memo
from weedhounds.sandbox.market import Market
from weedhounds.sandbox.menus import MenuPages, Shown, dollars, iso_utc
from weedhounds.sandbox.promotions import Deal
from weedhounds.sandbox.shops import Listing, Opening
from weedhounds.sandbox.spelling import Item
from weedhounds.sandbox.stock import Batch, Shelf

PAGE_MOST = 100
KM_PER_MILE = 1.609344
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WEIGHT_LABELS = {0.5: ".5g", 1.0: "1g", 2.5: "2.5g", 3.5: "1/8oz", 7.0: "1/4oz", 14.0: "1/2oz", 28.0: "1oz"}
_PATH = re.compile(r"/(?:api-[0-4]/)?graphql")
_TERPENE_NAMES = {"pinene_alpha": "Alpha Pinene", "pinene_beta": "Beta Pinene", "caryophyllene": "Beta Caryophyllene"}


class Dutchie:
    """The origin ``dutchie``.

    Bounds: the order of at most 512 menus is kept.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._pages = MenuPages(market, render)
        self._orders: Memo[str, tuple[int, ...]] = Memo(512)

    def answer(self, request: Request, now: float) -> Reply:
        """Return the answer of a GraphQL call; see :class:`weedhounds.sandbox.http.Origin`."""
        if not _PATH.fullmatch(request.path):
            return json_reply({"errors": [{"message": "Not Found"}]}, status=404)
        operation, variables = _call(request)
        reply = self._operation(operation, variables, now)
        return validated(reply, request, weak=True)

    def _operation(self, operation: str, variables: dict[str, object], now: float) -> Reply:
        if operation == "FilteredProducts":
            return self._menu(variables, now)
        if operation in ("DispensarySearch", "ConsumerDispensaries"):
            return self._shops(variables, now)
        if operation == "GetSpecialMenuCards":
            return self._cards(variables, now)
        error = {"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}
        return json_reply({"errors": [error]})

    def _menu(self, variables: dict[str, object], now: float) -> Reply:
        wanted = _mapping(variables.get("productsFilter"))
        listing = self._market.listing("dutchie", str(wanted.get("dispensaryId", "")))
        page = whole(variables.get("page"), 0)
        size = whole(variables.get("perPage"), 50, least=1, most=PAGE_MOST)
        order = self._order(listing) if listing else ()
        shown = order[page * size : (page + 1) * size]
        items = b",".join(self._pages.page(listing, shown, now)) if listing else b""
        total = len(order)
        tail = b'],"queryInfo":{"totalCount":%d,"totalPages":%d,"__typename":"queryInfoType"}' % (
            total,
            -(-total // size),
        )
        head = b'{"data":{"filteredProducts":{"products":['
        body = b"".join((head, items, tail, b',"__typename":"FilteredProductsType"}}}'))
        return Reply(body=body, kind="menu", target=listing.id if listing else None, page=page)

    def _order(self, listing: Listing) -> tuple[int, ...]:
        """Return the product numbers by name: the stable sort of the menu."""

        def make() -> tuple[int, ...]:
            items = self._pages.items(listing)
            return tuple(sorted(range(len(items)), key=lambda i: (items[i].name, items[i].id)))

        return self._orders.get(listing.id, make)

    def _shops(self, variables: dict[str, object], now: float) -> Reply:
        wanted = _mapping(variables.get("dispensaryFilter"))
        named = wanted.get("cNameOrID")
        if named is not None:
            listing = self._market.listing("dutchie", str(named))
            found, kind = [listing] if listing else [], "shop"
        else:
            at = decimal(wanted.get("nearLat")), decimal(wanted.get("nearLng"))
            radius_km = decimal(wanted.get("distance"), 10.0) * KM_PER_MILE
            found, kind = [x for _, x in self._market.near("dutchie", *at, radius_km)], "near"
        shops = [_dispensary(x, self._market.opening(x.shop, now)) for x in found]
        return json_reply({"data": {"filteredDispensaries": shops}}, kind)

    def _cards(self, variables: dict[str, object], now: float) -> Reply:
        listing = self._market.listing("dutchie", str(variables.get("dispensaryId", "")))
        deals = self._market.deals(listing.shop, now) if listing else ()
        cards = [_card(deal, rank) for rank, deal in enumerate(deals, 1)]
        body = {"data": {"getSpecialMenuCards": {"menuCards": cards}}}
        return json_reply(body, "promotions", target=listing.id if listing else None)


def _call(request: Request) -> tuple[str, dict[str, object]]:
    """Return (operation, variables) of a GET or POST call."""
    if request.method == "GET":
        return request.query.get("operationName", ""), json_object(request.query.get("variables", "").encode())
    posted = json_object(request.body)
    return str(posted.get("operationName", "")), _mapping(posted.get("variables"))


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def option(product: Product, index: int) -> str:
    """Return the option's label: a weight, a dose, or ``N/A``."""
    variant = product.variants[index]
    if variant.grams is not None:
        return WEIGHT_LABELS[variant.grams]
    return f"{variant.mg}mg" if variant.mg is not None else "N/A"


def render(shown: Shown) -> dict[str, object]:
    """Return a product as ``FilteredProducts`` gives it."""
    listing, product, item, batch, shelf = shown
    options = [option(product, i) for i in range(len(product.variants))]
    paid = [dollars(shelf.paid(c)) for c in shelf.cents] if shelf.special else []
    below = [o for o, n in zip(options, shelf.quantity, strict=True) if not n]
    brand_id = f"{product.brand:08x}-5a4d-4b0e-9c00-{product.brand:012x}"
    return {
        "_id": item.id,
        "id": item.id,
        "brand": {"id": brand_id, "name": product.brand_name},
        "brandId": brand_id,
        "brandName": product.brand_name,
        "CBD": None,
        "createdAt": str(int(product.listed_at * 1000)),
        "DispensaryID": listing.id,
        "Image": item.image_url,
        "measurements": _measurements(product),
        "medicalOnly": False,
        "medicalPrices": [dollars(c) for c in shelf.med_cents],
        "medicalSpecialPrices": [dollars(shelf.paid(c)) for c in shelf.med_cents] if shelf.special else [],
        "Name": item.name,
        "Options": options,
        "POSMetaData": _pos(product, item, shelf, options),
        "Prices": [dollars(c) for c in shelf.cents],
        "recOnly": False,
        "recPrices": [dollars(c) for c in shelf.cents],
        "recSpecialPrices": paid,
        "special": bool(paid),
        "specialData": _special_data(shelf),
        "Status": "Active",
        "strainType": _strain_type(product),
        "subcategory": spelling.FORM_WORDS["dutchie"].get(product.form),
        "THC": None,
        "type": spelling.CATEGORY_WORDS["dutchie"][product.category],
        "isBelowThreshold": len(below) == len(options),
        "optionsBelowThreshold": below,
        "cName": item.slug,
        "effects": {},
        **_contents(batch),
        "__typename": "Products",
    }


def _strain_type(product: Product) -> str:
    if product.strain is None:
        return "N/A"
    return "High CBD" if product.strain.kind == "cbd" else product.strain.kind.title()


def _measurements(product: Product) -> dict[str, object]:
    weights = [v.grams * 1000 if v.grams is not None else v.mg for v in product.variants]
    values = [int(w) for w in weights if w is not None]
    return {"netWeight": {"unit": "MILLIGRAMS", "values": values} if values else None, "volume": None}


def _pos(product: Product, item: Item, shelf: Shelf, options: list[str]) -> dict[str, object]:
    children = [
        {
            "option": label,
            "price": dollars(shelf.cents[i]),
            "quantity": shelf.quantity[i],
            "quantityAvailable": shelf.quantity[i],
        }
        for i, label in enumerate(options)
    ]
    return {
        "canonicalBrandName": product.brand_name,
        "canonicalCategory": _POS_CATEGORIES[product.category],
        "canonicalID": item.id[-9:],
        "canonicalName": item.name,
        "children": children,
    }


_POS_CATEGORIES = {
    Category.FLOWER: "Flower", Category.PRE_ROLL: "Pre-Roll", Category.VAPE: "Vape", Category.CONCENTRATE: "Concentrate",
    Category.EDIBLE: "Edible", Category.BEVERAGE: "Beverage", Category.TINCTURE: "Tincture",
    Category.TOPICAL: "Topical", Category.ACCESSORY: "Accessory",
}  # fmt: skip


def _special_data(shelf: Shelf) -> dict[str, object] | None:
    if shelf.special is None:
        return None
    sale = {
        "discount": shelf.special.percent,
        "percentDiscount": True,
        "dollarDiscount": False,
        "targetPrice": False,
        "menuType": "both",
        "specialId": str(shelf.special.id),
        "specialName": shelf.special.name,
        "specialType": "sale",
        "stackingBehavior": "cumulative",
    }
    return {"bogoSpecials": None, "saleSpecials": [sale]}


def _contents(batch: Batch | None) -> dict[str, object]:
    """Return the fields that a lot decides."""
    if batch is None:
        nothing: dict[str, object] = {"unit": None, "range": []}
        return {
            "THCContent": nothing, "CBDContent": nothing, "cannabinoidsV2": [], "terpenes": [],
            "totalTerpenes": None, "updatedAt": None,
        }  # fmt: skip
    unit = "PERCENTAGE" if batch.unit == "%" else "MILLIGRAMS"
    return {
        "THCContent": {"unit": unit, "range": [batch.thc]},
        "CBDContent": {"unit": unit, "range": [batch.cbd]},
        "cannabinoidsV2": [],
        "terpenes": [
            {"libraryTerpene": {"name": _TERPENE_NAMES.get(name) or name.title()}, "value": value, "unit": "PERCENTAGE"}
            for name, value in batch.terpenes
        ],
        "totalTerpenes": None,
        "updatedAt": iso_utc(batch.since),
    }


def _dispensary(listing: Listing, opening: Opening) -> dict[str, object]:
    shop = listing.shop
    hours = {
        DAYS[p.weekday]: {"active": True, "start": _clock(p.open_min), "end": _clock(p.close_min)}
        for p in opening.hours
    }
    location = {
        "ln1": listing.address,
        "ln2": opening.suite,
        "city": shop.city.name,
        "state": shop.city.state,
        "country": "United States",
        "zipcode": shop.postcode,
        "geometry": {"type": "Point", "coordinates": [listing.lon, listing.lat]},
    }
    return {
        "id": listing.id,
        "name": listing.name,
        "cName": listing.slug,
        "address": f"{listing.address}, {shop.city.name}, {shop.city.state} {shop.postcode}",
        "phone": listing.phone,
        "timezone": shop.city.zone,
        "location": location,
        "recDispensary": "rec" in shop.markets,
        "medicalDispensary": "med" in shop.markets,
        "hoursSettings": {"inStorePickup": {"enabled": True, "effectiveHours": hours}},
        "orderTypesConfig": {"delivery": {"enabled": False}, "pickup": {"enabled": True}},
        "embeddedMenuUrl": f"https://dutchie.example/embedded-menu/{listing.slug}",
        "status": "open",
        "__typename": "Dispensaries",
    }


def _clock(minutes: int) -> str:
    """Return minutes after midnight as "9:30am"."""
    hour, minute = divmod(minutes % 1440, 60)
    return f"{hour % 12 or 12}:{minute:02d}{'am' if hour < 12 else 'pm'}"


def _card(deal: Deal, rank: int) -> dict[str, object]:
    return {
        "applicableCategories": [{"category": deal.category, "subcategories": []}] if deal.category else [],
        "applicablePreOrderTypes": ["PICKUP", "KIOSK"],
        "displayRank": rank,
        "startStamp": deal.starts_local,
        "endStamp": deal.ends_local,
        "isBundledDiscount": deal.kind == "bogo",
        "isRestricted": False,
        "menuDisplayName": deal.name,
        "menuDisplayDescription": None,
        "menuDisplayImage": None,
        "posDiscountId": deal.id[-6:],
        "recurringSchedule": None,
        "specialType": deal.kind,
        "_id": deal.id,
        "__typename": "SpecialMenuCard",
    }

"""Dutchie (consumer): GraphQL calls for menus, specials and shops, and what their answers hold.

Options (settings ``origins.dutchie.options``; all of them change without notice):

- ``products_path``, ``stores_path``: GraphQL paths under the base address.
- ``per_page``: products asked for on one page.
- ``hash_FilteredProducts``, ``hash_GetSpecialMenuCards``, ``hash_ConsumerDispensaries``,
  ``hash_DispensarySearch``: SHA-256 of the persisted query, which is then called by GET. Empty
  (default): the full query text goes by POST.
- ``client_name``: value of the header ``apollographql-client-name``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

from weedhounds.errors import BadInput, ConfigError, SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import ShareScope, Terms
from weedhounds.model.records import Shop
from weedhounds.sources.base import Budget, Call, Kind, Load, OriginConfig, Parsed, SourceInfo, Tested
from weedhounds.sources.dutchie_shops import DAYS, parse_promotions, parse_shops
from weedhounds.sources.dutchie_wire import ORIGIN, WireStruct, parse_menu
from weedhounds.sources.places import covering_circle
from weedhounds.sources.wire import NOTHING, decode_answer, decode_field, is_cell, refusal

MAX_PAGES = 40
"""Most pages of one menu that are asked for."""

KM_PER_MILE = 1.609344

_DEFAULTS: Mapping[str, str] = {
    "products_path": "/api-2/graphql",
    "stores_path": "/graphql",
    "per_page": "100",
    "hash_FilteredProducts": "",
    "hash_GetSpecialMenuCards": "",
    "hash_ConsumerDispensaries": "",
    "hash_DispensarySearch": "",
    "client_name": "Marketplace (production)",
}

_SHOP_FIELDS = (
    "id name cName address phone timezone embedBackUrl embeddedMenuUrl recDispensary medicalDispensary "
    "location{ln1 ln2 city state country zipcode geometry{coordinates}} "
    "hoursSettings{inStorePickup{effectiveHours{"
    + " ".join(f"{day}{{active start end}}" for day in DAYS)
    + "}}}"
)  # fmt: skip
_QUERIES: Mapping[str, str] = {
    "FilteredProducts": (
        "query FilteredProducts($productsFilter:productsFilterInput!,$page:Int,$perPage:Int){"
        "filteredProducts(filter:$productsFilter,page:$page,perPage:$perPage){products{"
        "_id id Name cName type subcategory strainType Status DispensaryID brand{id name} brandName Options rawOptions Prices "
        "recPrices medicalPrices recSpecialPrices medicalSpecialPrices medicalOnly recOnly special "
        "specialData{saleSpecials{specialId specialName specialType menuType} bogoSpecials{specialId specialName specialType menuType}} "
        "THCContent{unit range} CBDContent{unit range} cannabinoidsV2{value unit cannabinoid{name}} "
        "terpenes{value unit libraryTerpene{name}} measurements{netWeight{unit values}} "
        "POSMetaData{canonicalCategory children{option quantity quantityAvailable}} "
        "isBelowThreshold optionsBelowThreshold Image createdAt updatedAt} queryInfo{totalCount totalPages}}}"
    ),
    "GetSpecialMenuCards": (
        "query GetSpecialMenuCards($dispensaryId:String!,$menuType:String,$platformType:String){"
        "getSpecialMenuCards(dispensaryId:$dispensaryId,menuType:$menuType,platformType:$platformType){menuCards{"
        "_id menuDisplayName menuDisplayDescription specialType startStamp endStamp applicableCategories{category}}}}"
    ),
    "ConsumerDispensaries": (
        "query ConsumerDispensaries($dispensaryFilter:dispensariesFilterInput!){"
        f"filteredDispensaries(filter:$dispensaryFilter){{{_SHOP_FIELDS}}}}}"
    ),
    "DispensarySearch": (
        "query DispensarySearch($dispensaryFilter:dispensariesFilterInput!){"
        f"filteredDispensaries(filter:$dispensaryFilter){{{_SHOP_FIELDS}}}}}"
    ),
}  # fmt: skip


class _Products(WireStruct):
    products: list[msgspec.Raw] | None = None
    query_info: msgspec.Raw = NOTHING


class _Cards(WireStruct):
    menu_cards: list[msgspec.Raw] | None = None
    specials: list[msgspec.Raw] | None = None


class _Data(WireStruct):
    filtered_products: _Products | None = None
    filtered_dispensaries: list[msgspec.Raw] | None = None
    get_special_menu_cards: _Cards | None = None
    filtered_specials: _Cards | list[msgspec.Raw] | None = None

    def cards(self) -> list[msgspec.Raw] | None:
        """Return the specials of either operation."""
        found = self.get_special_menu_cards or self.filtered_specials
        return (found.menu_cards or found.specials or []) if isinstance(found, _Cards) else found

    def kind(self) -> Kind | None:
        """Return what the answer holds, ``None`` for nothing known."""
        if self.filtered_products is not None and self.filtered_products.products is not None:
            return Kind.MENU
        if self.filtered_dispensaries is not None:
            return Kind.SHOPS
        return None if self.cards() is None else Kind.PROMOTIONS


class _Answer(_Data):
    data: _Data | None = None
    errors: msgspec.Raw = NOTHING


class _QueryInfo(WireStruct):
    total_count: int | None = None


_query_info = msgspec.json.Decoder(_QueryInfo, strict=False)


class DutchieSource:
    """The client side of Dutchie's consumer interface; see :class:`weedhounds.sources.base.Source`."""

    def __init__(self, config: OriginConfig) -> None:
        self.config = config

    @classmethod
    def info(cls) -> SourceInfo:
        """Return the source's description and its live defaults."""
        return SourceInfo(
            origin=ORIGIN,
            name="Dutchie (consumer)",
            protocol="GraphQL over HTTPS",
            data_types=(
                DataType.DISPENSARY_MENU,
                DataType.PRODUCT_PRICING,
                DataType.DISPENSARY_INFO,
                DataType.PROMOTIONS,
            ),
            tested={
                Kind.MENU.value: Tested.RECORDED,
                Kind.SHOPS.value: Tested.HAND_MADE,
                Kind.PROMOTIONS.value: Tested.RECORDED,
            },
            key_needed=None,
            live=OriginConfig(
                origin=ORIGIN,
                base_url="https://dutchie.com",
                budget=Budget(burst=3, rate_per_s=1 / 7, concurrency=3),
                terms=Terms(share=ShareScope.NEVER),
                options=_DEFAULTS,
            ),
        )

    @staticmethod
    def parse(body: bytes, kind: Kind | None = None, *, currency: str = "USD") -> Parsed:
        """Return the records of one answer; see :meth:`weedhounds.sources.base.Source.parse`."""
        answer = decode_answer(body, _Answer)
        data = answer if answer.data is None else answer.data
        found = data.kind()
        if found is None and bytes(answer.errors) not in (b"null", b"[]"):
            raise refusal(answer.errors, origin=ORIGIN)
        if found is None or (kind is not None and kind is not found):
            raise SchemaMismatch(f"an answer without {kind or 'products, shops or specials'}", origin=ORIGIN)
        if found is Kind.MENU and data.filtered_products is not None:
            parsed = parse_menu(data.filtered_products.products or [], currency)
            info: _QueryInfo | None = decode_field(data.filtered_products.query_info, _query_info)
            parsed.total = info.total_count if info else None
            return parsed
        if found is Kind.SHOPS:
            return parse_shops(data.filtered_dispensaries or [])
        return parse_promotions(data.cards() or [])

    def plan(self, keys: Iterable[RecordKey], shops: Mapping[str, Shop]) -> list[Load]:
        """Return the loads that fill ``keys``: one a menu, one a shop's specials, one for all cells together."""
        menus: dict[str, list[RecordKey]] = {}
        near: list[RecordKey] = []
        loads: list[Load] = []
        for key in dict.fromkeys(keys):
            what = self._what(key)
            if what == "menu":
                menus.setdefault(key.native_id, []).append(key)
            elif what == "cell":
                near.append(key)
            else:
                loads.append(self._single(what, key))
        loads += [self._load("menu", keys, self._menu_call(shop), shop) for shop, keys in menus.items()]
        if near:
            loads.append(self._load("near", near, self._search_call(near)))
        return loads

    def follow(self, call: Call, parsed: Parsed) -> list[Call]:
        """Return the further pages of a menu: all at once where the answer tells how many there are.

        Bounds: at most 40 pages a menu.
        """
        if call.kind is not Kind.MENU or not parsed.seen:
            return []
        variables = _variables(call)
        asked = variables.get("perPage")
        if parsed.total is not None:
            pages = min(MAX_PAGES, math.ceil(parsed.total / parsed.seen)) if call.page == 0 else 0
            return [self._page(variables, n) for n in range(1, pages)]
        is_full = isinstance(asked, int) and parsed.seen >= asked
        return [self._page(variables, call.page + 1)] if is_full and call.page + 1 < MAX_PAGES else []

    def _what(self, key: RecordKey) -> str:
        """Return how ``key`` is loaded: ``menu``, ``cell``, ``shop`` or ``promotions``.

        Raises:
            BadInput: this origin cannot fill it.
        """
        is_info = key.data_type is DataType.DISPENSARY_INFO
        if key.origin == ORIGIN and is_info and key.native_id == "near" and key.variant and is_cell(key.variant):
            return "cell"
        known = {
            DataType.DISPENSARY_MENU: "menu",
            DataType.PRODUCT_PRICING: "menu",
            DataType.DISPENSARY_INFO: "shop",
            DataType.PROMOTIONS: "promotions",
        }
        what = known.get(key.data_type)
        if what is None or key.origin != ORIGIN or key.variant is not None:
            raise BadInput(f"the origin {ORIGIN} cannot fill {key}", key=str(key), origin=ORIGIN)
        return what

    def _single(self, what: str, key: RecordKey) -> Load:
        if what == "promotions":
            variables = {"dispensaryId": key.native_id, "menuType": "REC", "platformType": "ONLINE_MENU"}
            call = self._call(Kind.PROMOTIONS, "GetSpecialMenuCards", variables)
            return self._load("promotions", [key], call, key.native_id)
        variables_of_shop = {"dispensaryFilter": {"cNameOrID": key.native_id}}
        return self._load("near", [key], self._call(Kind.SHOPS, "ConsumerDispensaries", variables_of_shop))

    def _load(self, what: str, keys: list[RecordKey], call: Call, shop_id: str | None = None) -> Load:
        return Load(origin=ORIGIN, what=what, keys=tuple(keys), calls=(call,), shop_id=shop_id)

    def _search_call(self, near: list[RecordKey]) -> Call:
        lat, lon, radius_km = covering_circle(key.variant for key in near if key.variant)
        place = {"nearLat": lat, "nearLng": lon, "distance": math.ceil(radius_km / KM_PER_MILE)}
        wanted = {"medical": True, "recreational": True, "activeOnly": True, "sortBy": "distance"}
        return self._call(Kind.SHOPS, "DispensarySearch", {"dispensaryFilter": {**place, **wanted}})

    def _menu_call(self, shop_id: str) -> Call:
        """Return the first page. Answers hold both price lists whichever ``pricingType`` is asked.

        Without an explicit sort, pages repeat and skip products.
        """
        products_filter = {
            "dispensaryId": shop_id,
            "pricingType": "rec",
            "Status": "Active",
            "types": [],
            "strainTypes": [],
            "subcategories": [],
            "useCache": True,
            "sortBy": "name",
            "sortDirection": 1,
            "isDefaultSort": False,
            "bypassOnlineThresholds": False,
            "isKioskMenu": False,
            "removeProductsBelowOptionThresholds": False,
            "platformType": "ONLINE_MENU",
            "preOrderType": None,
        }
        return self._page(
            {
                "includeEnterpriseSpecials": False,
                "includeCannabinoids": True,
                "productsFilter": products_filter,
                "page": 0,
                "perPage": self._per_page(),
            },
            0,
        )

    def _page(self, variables: Mapping[str, object], page: int) -> Call:
        return self._call(Kind.MENU, "FilteredProducts", {**variables, "page": page}, page=page)

    def _call(self, kind: Kind, operation: str, variables: Mapping[str, object], *, page: int = 0) -> Call:
        """Return the call of an operation: by its persisted hash where one is set, else by its text."""
        path = self._option("stores_path" if kind is Kind.SHOPS else "products_path")
        digest = self._option(f"hash_{operation}")
        headers = self._headers(operation)
        if not digest:
            query = {"operationName": operation, "variables": variables, "query": _QUERIES[operation]}
            body = msgspec.json.encode(query)
            return Call(kind=kind, path=path, method="POST", headers=headers, body=body, page=page)
        extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
        params = (
            ("operationName", operation),
            ("variables", msgspec.json.encode(variables).decode()),
            ("extensions", msgspec.json.encode(extensions).decode()),
        )
        return Call(kind=kind, path=path, params=params, headers=headers, page=page)

    def _headers(self, operation: str) -> tuple[tuple[str, str], ...]:
        return (
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("apollographql-client-name", self._option("client_name")),
            ("apollo-require-preflight", "true"),
            ("x-apollo-operation-name", operation),
            ("origin", self.config.base_url),
            ("referer", f"{self.config.base_url}/"),
        )

    def _option(self, name: str) -> str:
        return self.config.options.get(name, _DEFAULTS[name])

    def _per_page(self) -> int:
        text = self._option("per_page")
        if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= 5000:
            raise ConfigError(f"setting origins.{ORIGIN}.options.per_page: not a number from 1 to 5000: {text!r:.40}")
        return int(text)


def _variables(call: Call) -> dict[str, object]:
    """Return the variables of one of our own calls."""
    text = dict(call.params).get("variables")
    if text is not None:
        return msgspec.json.decode(text, type=dict[str, object])
    return msgspec.json.decode(call.body or b"{}", type=_Posted).variables


class _Posted(msgspec.Struct):
    variables: dict[str, object] = {}

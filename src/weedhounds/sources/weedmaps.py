"""Weedmaps: menus and shops over the discovery API (REST, JSON, no key).

Reads menus in the JSON:API layout (``{meta{total}, data[]}``, recorded), the discovery layout
(``{data{menu_items[]}, meta{total_menu_items}}``), the site's page data (camel case) and the flat
layout of 2014; listings as pages (``data.listings[]``) or alone (``data.listing``). What an item
states and what it costs is read in ``weedmaps_menu`` and ``weedmaps_prices``.

``open_now`` and distances depend on the request: they are no part of a shop. Reviews are never read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from urllib.parse import quote

import msgspec

from weedhounds.errors import OriginRejected, SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import ShareScope, Terms
from weedhounds.model.records import Shop
from weedhounds.sources import wire
from weedhounds.sources.base import (
    Budget,
    Call,
    Kind,
    Load,
    OriginConfig,
    Parsed,
    Skipped,
    SourceInfo,
    Tested,
    clip,
)
from weedhounds.sources.places import covering_circle
from weedhounds.sources.planning import KM_PER_MILE, further_pages, page_size, slug_of, sort_keys
from weedhounds.sources.weedmaps_menu import ORIGIN, MenuReader, markets_of

DATA_TYPES = (DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING, DataType.DISPENSARY_INFO)
MENU_PAGE_SIZE = 100
SHOP_PAGE_SIZE = 150

_HEADERS = (("accept", "application/json"),)
_ABSENT = msgspec.Raw(b"null")


class _Data(msgspec.Struct):
    """The object form of ``data``; the site's pages nest it once more."""

    menu_items: list[msgspec.Raw] | None = None
    menuItems: list[msgspec.Raw] | None = None  # noqa: N815 (the origin's name)
    listings: list[msgspec.Raw] | None = None
    listing: msgspec.Raw = _ABSENT
    data: msgspec.Raw = _ABSENT


class _Query(msgspec.Struct):
    state: msgspec.Raw = _ABSENT


class _State(msgspec.Struct):
    queries: list[_Query] = []


class _Answer(_Data):
    meta: object = None
    errors: object = None
    props: _Answer | None = None
    pageProps: _Answer | None = None  # noqa: N815 (the origin's name)
    dehydratedState: _State | None = None  # noqa: N815 (the origin's name)


class _Page(msgspec.Struct):
    """The items of an answer, in one of the known layouts, and how many there are in all."""

    layout: str
    items: list[msgspec.Raw]
    total: int | None


_raws = msgspec.json.Decoder(list[msgspec.Raw])
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw])
_data_decoder = msgspec.json.Decoder(_Data)
_answer_decoder = msgspec.json.Decoder(_Answer)


class WeedmapsSource:
    """The client side of Weedmaps' discovery API."""

    def __init__(self, config: OriginConfig) -> None:
        self.config = config

    @classmethod
    def info(cls) -> SourceInfo:
        """Return the source's description and its live defaults.

        Options: ``menu_page_size`` (at most 100) and ``shop_page_size`` (at most 150).
        """
        return SourceInfo(
            origin=ORIGIN,
            name="Weedmaps",
            protocol="REST, JSON (discovery API)",
            data_types=DATA_TYPES,
            tested={Kind.MENU: Tested.RECORDED, Kind.SHOPS: Tested.HAND_MADE},
            key_needed=None,
            live=OriginConfig(
                origin=ORIGIN,
                base_url="https://api-g.weedmaps.com/discovery",
                budget=Budget(burst=10, rate_per_s=2.0, concurrency=4),
                terms=Terms(share=ShareScope.NEVER),
                options={"menu_page_size": str(MENU_PAGE_SIZE), "shop_page_size": str(SHOP_PAGE_SIZE)},
            ),
        )

    @staticmethod
    def parse(body: bytes, kind: Kind | None = None, *, currency: str = "USD") -> Parsed:
        """Return the records of one answer; see :meth:`weedhounds.sources.base.Source.parse`."""
        page = _page(_decode(body), kind)
        found = Kind.SHOPS if page.layout == "listings" else Kind.MENU
        if kind is not None and kind is not found and page.items:
            raise SchemaMismatch(f"a Weedmaps answer of kind {found.value}, not {kind.value}", origin=ORIGIN)
        return _shops(page) if found is Kind.SHOPS else _menu(page, currency)

    def plan(self, keys: Iterable[RecordKey], shops: Mapping[str, Shop]) -> list[Load]:
        """Return the loads that fill ``keys``; see :meth:`weedhounds.sources.base.Source.plan`."""
        asked = sort_keys(keys, supported=DATA_TYPES)
        loads = [self._menu_load(shop_id, own, shops) for shop_id, own in asked.menus.items()]
        if asked.cells:
            loads.append(Load(origin=ORIGIN, what="near", keys=asked.cells, calls=(self._near_call(asked.cells),)))
        loads += [self._shop_load(key, shops) for key in asked.shops]
        return loads

    def follow(self, call: Call, parsed: Parsed) -> list[Call]:
        """Return the further pages of a menu or a search; a single shop has none."""
        if call.kind is Kind.MENU:
            return further_pages(call, parsed, param="page", size=self._size("menu_page_size", MENU_PAGE_SIZE), first=1)
        if any(name == "page" for name, _ in call.params):
            return further_pages(call, parsed, param="page", size=self._size("shop_page_size", SHOP_PAGE_SIZE), first=1)
        return []

    def _size(self, option: str, default: int) -> int:
        return page_size(self.config.options, option, default)

    def _menu_load(self, shop_id: str, keys: tuple[RecordKey, ...], shops: Mapping[str, Shop]) -> Load:
        size = self._size("menu_page_size", MENU_PAGE_SIZE)
        call = Call(
            kind=Kind.MENU,
            path=f"/v1/listings/{_address(shop_id, shops)}/menu_items",
            params=(("page_size", str(size)), ("page", "1")),
            headers=_HEADERS,
        )
        return Load(origin=ORIGIN, what="menu", keys=keys, calls=(call,), shop_id=shop_id)

    def _shop_load(self, key: RecordKey, shops: Mapping[str, Shop]) -> Load:
        call = Call(kind=Kind.SHOPS, path=f"/v1/listings/{_address(key.native_id, shops)}", headers=_HEADERS)
        return Load(origin=ORIGIN, what="near", keys=(key,), calls=(call,))

    def _near_call(self, cells: tuple[RecordKey, ...]) -> Call:
        lat, lon, radius_km = covering_circle(key.variant for key in cells if key.variant)
        position = f"{lat},{lon}"
        return Call(
            kind=Kind.SHOPS,
            path="/v2/listings",
            params=(
                ("filter[bounding_radius]", f"{math.ceil(radius_km / KM_PER_MILE)}mi"),
                ("filter[bounding_latlng]", position),
                ("filter[any_retailer_services][]", "storefront"),
                ("latlng", position),
                ("page_size", str(self._size("shop_page_size", SHOP_PAGE_SIZE))),
                ("page", "1"),
            ),
            headers=_HEADERS,
        )


def _address(shop_id: str, shops: Mapping[str, Shop]) -> str:
    shop = shops.get(shop_id)
    group = "deliveries" if shop is not None and shop.kind == "delivery" else "dispensaries"
    return f"{group}/{quote(slug_of(shop_id, shops), safe='')}"


def _decode(body: bytes) -> _Answer:
    if body[:64].lstrip().startswith(b"["):  # 2014, or bare items: the list that others give as data
        return wire.decode_answer(b'{"data":' + body + b"}", _Answer)
    return wire.decode_answer(body, _Answer)


def _page(answer: _Answer, kind: Kind | None) -> _Page:
    for part, meta in _parts(answer):
        page = _page_of(part, meta)
        if page is not None:
            return page
    if answer.errors is None:
        raise SchemaMismatch("no Weedmaps menu or listings in the answer", origin=ORIGIN)
    if kind is Kind.SHOPS:  # a page past the end of a search
        return _Page("listings", [], None)
    raise OriginRejected(f"error answer: {msgspec.json.encode(answer.errors).decode()[:200]}", origin=ORIGIN)


def _parts(answer: _Answer) -> Iterable[tuple[_Data, object]]:
    """Yield the objects of an answer that may hold its items, each with its ``meta``."""
    yield answer, answer.meta
    for nested in (answer.props, answer.pageProps):
        if nested is not None:
            yield from _parts(nested)
    for query in answer.dehydratedState.queries if answer.dehydratedState else ():
        state = wire.decode_field(query.state, _answer_decoder)
        inner = wire.decode_field(state.data, _answer_decoder) if state else None
        if inner:
            yield from _parts(inner)


def _page_of(part: _Data, meta: object) -> _Page | None:
    """Return the items of one object of an answer; ``None`` where it holds none."""
    listed = part.menu_items if part.menu_items is not None else part.menuItems
    if listed is not None:
        return _Page(_layout(listed, "listed"), listed, _total(meta))
    if part.listings is not None:
        return _Page("listings", part.listings, _total(meta))
    if _starts(part.listing, b"{"):
        return _Page("listings", [part.listing], None)
    if _starts(part.data, b"["):
        items = _raws.decode(part.data)
        return _Page(_layout(items), items, _total(meta))
    inner: _Data | None = wire.decode_field(part.data, _data_decoder) if _starts(part.data, b"{") else None
    return _page_of(inner, meta) if inner else None


def _starts(raw: msgspec.Raw, head: bytes) -> bool:
    return bytes(memoryview(raw)[:1]) == head


def _layout(items: list[msgspec.Raw], default: str = "api") -> str:
    """Return the layout of a list of items, told by the keys of the first object in it."""
    for raw in items[:20]:
        given = wire.decode_field(raw, _keys)
        if not given:
            continue
        if "attributes" in given:
            return "api"
        if "menu_item_category_id" in given or "price_eighth" in given:
            return "flat"
        if "wmid" in given or ("latitude" in given and "longitude" in given):
            return "listings"
        if "prices" in given or "price" in given:
            return "listed"
        raise SchemaMismatch("a list of something else than Weedmaps items", origin=ORIGIN)
    return default


def _total(meta: object) -> int | None:
    if not isinstance(meta, dict):
        return None
    names = ("total", "total_menu_items", "totalMenuItems", "total_listings", "totalListings")
    totals = (wire.number(meta.get(name)) for name in names)
    return next((int(t) for t in totals if t is not None and t < 1e9), None)


def _menu(page: _Page, currency: str) -> Parsed:
    reader = MenuReader(currency)
    read = {"api": reader.read_api, "listed": reader.read_listed, "flat": reader.read_flat}[page.layout]
    read(page.items, "data" if page.layout == "api" else "menu_items")
    return Parsed(
        products=reader.products,
        prices=reader.prices,
        skipped=reader.skipped,
        shop_id=next(iter(reader.shop_ids)) if len(reader.shop_ids) == 1 else None,
        seen=reader.seen,
        total=page.total,
    )


class _Listing(msgspec.Struct):
    id: int | str | None = None
    slug: str | None = None
    name: str | None = None
    type: str | None = None
    address: str | None = None
    city: str | None = None
    state: str | None = None
    zip_code: str | int | None = None
    country: str | None = None
    latitude: object = None
    longitude: object = None
    phone_number: str | None = None
    license_type: str | None = None
    licenses: object = None
    timezone: str | None = None
    menu_items_count: int | None = None
    web_url: str | None = None
    website: str | None = None


_listing = wire.ItemDecoder(_Listing, as_given=("latitude", "longitude", "licenses"))


def _shops(page: _Page) -> Parsed:
    shops: dict[str, Shop] = {}
    skipped: list[Skipped] = []
    for index, raw in enumerate(page.items):
        try:
            shop = _shop(_listing.decode(raw))
            shops.setdefault(shop.id, shop)
        except SchemaMismatch as error:
            skipped.append(Skipped(f"listings[{index}]", str(error)))
    return Parsed(shops=list(shops.values()), skipped=skipped, seen=len(page.items), total=page.total)


def _shop(given: _Listing) -> Shop:
    shop_id, name = wire.identifier(given.id), clip(given.name)
    if shop_id is None or name is None:
        raise SchemaMismatch("a listing without an id or a name")
    at = wire.position(given.latitude, given.longitude)
    size = given.menu_items_count
    return Shop(
        key=str(RecordKey(DataType.DISPENSARY_INFO, ORIGIN, shop_id)),
        origin=ORIGIN,
        id=shop_id,
        name=name,
        slug=clip(given.slug),
        address=clip(given.address),
        city=clip(given.city),
        state=clip(given.state),
        postcode=wire.label_text(given.zip_code),
        country=clip(given.country),
        lat=at[0] if at else None,
        lon=at[1] if at else None,
        phone=clip(given.phone_number),
        website=clip(given.website) or clip(given.web_url),
        time_zone=wire.time_zone(given.timezone),
        license_number=_licence(given.licenses),
        markets=markets_of(given.license_type),
        kind=clip(given.type),
        menu_size=size if size is not None and 0 <= size < 1_000_000 else None,
    )


def _licence(licences: object) -> str | None:
    """Return the number of the one licence that a listing states; several tell no one identity."""
    if not isinstance(licences, list) or len(licences) != 1 or not isinstance(licences[0], dict):
        return None
    return wire.label_text(licences[0].get("number"))

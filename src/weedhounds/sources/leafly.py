"""Leafly: menus, shops, strains, products and brands over its consumer API (REST, JSON, no key).

Reads menus (``{data[], metadata{totalCount}}``, ``{menuItems[], totalItems}``, the site's
``pageProps.menuData``), catalogue products with their best offer (recorded), shops (recorded
lists, the site's ``storeLocatorResults``), strains (recorded stubs, ``hits.strain[]``, one alone)
and brands (recorded). A list is known by the fields of its first object. Items are read in
``leafly_menu``, ``leafly_shops`` and ``leafly_strains``.

The search for shops lives on the web site, whose addresses hold the id of its current release:
option ``build_id``, which must be set for live use. Reviews are never read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar
from urllib.parse import quote

import msgspec

from weedhounds.errors import BadInput, OriginRejected, SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import ShareScope, Terms
from weedhounds.model.records import Brand, Shop, Strain
from weedhounds.sources import wire
from weedhounds.sources.assemble import shop_cell
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
    decode_document,
)
from weedhounds.sources.leafly_menu import ItemReader
from weedhounds.sources.leafly_shops import ORIGIN, brand_of, shop_of
from weedhounds.sources.leafly_strains import strain_of_item
from weedhounds.sources.places import covering_circle
from weedhounds.sources.planning import KM_PER_MILE, further_pages, page_size, slug_of, sort_keys

MENU_PAGE_SIZE = 60
SHOP_PAGE_SIZE = 100
NEAR_PATH = "/_next/data/{build_id}/dispensaries/near-me.json"
DATA_TYPES = (
    DataType.DISPENSARY_MENU,
    DataType.PRODUCT_PRICING,
    DataType.DISPENSARY_INFO,
    DataType.STRAIN_DATA,
    DataType.TERPENE_PROFILES,
)

_HEADERS = (
    ("accept", "application/json"),
    ("origin", "https://www.leafly.com"),
    ("referer", "https://www.leafly.com/"),
    ("x-app", "web-web"),
    ("x-environment", "prod"),
)
_ABSENT = msgspec.Raw(b"null")
_BRANDS = "brands"
_MAX_DEPTH = 6

T = TypeVar("T", Shop, Strain, Brand)
_Fields = dict[str, msgspec.Raw]


class _Page(msgspec.Struct):
    """The items of an answer, what they are (a kind, or brands), and how many there are in all."""

    holds: str
    items: list[msgspec.Raw]
    total: int | None = None


_NESTED = ("props", "pageProps", "menuData", "storeLocatorResults", "hits", "data", "strain")
_LISTS: Mapping[str, str | None] = {
    "menuItems": None, "data": None, "hits": None, "items": None, "products": Kind.PRODUCTS, "strain": Kind.STRAINS,
    "strains": Kind.STRAINS, "dispensaries": Kind.SHOPS, "stores": Kind.SHOPS, "brands": _BRANDS,
}  # fmt: skip
"""Names of lists and what they hold; ``None``: whatever their first object tells."""

_MARKS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("bestOfferVariant", "categoryName", "availableStates"), Kind.PRODUCTS),
    (("productCategory", "menuItemId", "displayQuantity", "dispensaryId"), Kind.MENU),
    (("primaryLocation", "address1", "organizationId"), Kind.SHOPS),
    (("phenotype", "strainId", "terps", "cannabinoids", "thc_level"), Kind.STRAINS),
    (("claimed", "buyBoxEnabled", "informationWebsite"), _BRANDS),
    (("price", "variants"), Kind.MENU),
)
"""Fields by which an object is known, the most telling first."""

_raws = msgspec.json.Decoder(list[msgspec.Raw])
_object = msgspec.json.Decoder(_Fields)
_any = msgspec.json.Decoder()


class LeaflySource:
    """The client side of Leafly's consumer API."""

    def __init__(self, config: OriginConfig) -> None:
        self.config = config

    @classmethod
    def info(cls) -> SourceInfo:
        """Return the source's description and its live defaults.

        Options: ``page_size`` of menus (at most 60), ``shop_page_size``, ``build_id`` (of the web
        site's release), ``near_path`` (of the search for shops), ``web_base`` (the web site's
        address; empty where the search lives under ``base_url``).
        """
        return SourceInfo(
            origin=ORIGIN,
            name="Leafly",
            protocol="REST, JSON (consumer API and web pages)",
            data_types=DATA_TYPES,
            tested={
                Kind.PRODUCTS: Tested.RECORDED,
                Kind.SHOPS: Tested.RECORDED,
                Kind.STRAINS: Tested.RECORDED,
                Kind.MENU: Tested.HAND_MADE,
            },
            key_needed=None,
            live=OriginConfig(
                origin=ORIGIN,
                base_url="https://consumer-api.leafly.com/api",
                budget=Budget(burst=10, rate_per_s=2.0, concurrency=4),
                terms=Terms(share=ShareScope.NEVER),
                options={
                    "page_size": str(MENU_PAGE_SIZE),
                    "shop_page_size": str(SHOP_PAGE_SIZE),
                    "near_path": NEAR_PATH,
                    "web_base": "https://www.leafly.com",
                },
            ),
        )

    @staticmethod
    def parse(body: bytes, kind: Kind | None = None, *, currency: str = "USD") -> Parsed:
        """Return the records of one answer; see :meth:`weedhounds.sources.base.Source.parse`."""
        page = _page(body)
        if kind is not None and page.items and not _is_kind(page.holds, kind):
            raise SchemaMismatch(f"a Leafly answer of kind {page.holds}, not {kind.value}", origin=ORIGIN)
        if page.holds == Kind.SHOPS:
            shops, skipped = _collect(page, shop_of)
            return Parsed(shops=shops, skipped=skipped, seen=len(page.items), total=page.total)
        if page.holds == Kind.STRAINS:
            strains, skipped = _collect(page, strain_of_item)
            return Parsed(strains=strains, skipped=skipped, seen=len(page.items), total=page.total)
        if page.holds == _BRANDS:
            brands, skipped = _collect(page, brand_of)
            return Parsed(brands=brands, skipped=skipped, seen=len(page.items), total=page.total)
        return _items(page, currency)

    def plan(self, keys: Iterable[RecordKey], shops: Mapping[str, Shop]) -> list[Load]:
        """Return the loads that fill ``keys``; see :meth:`weedhounds.sources.base.Source.plan`."""
        asked = sort_keys(keys, supported=DATA_TYPES)
        loads = [self._menu_load(shop_id, own, shops) for shop_id, own in asked.menus.items()]
        if asked.cells or asked.shops:
            cells = [key.variant for key in asked.cells if key.variant] + [_cell_of(k, shops) for k in asked.shops]
            near = self._near_call(cells)
            loads.append(Load(origin=ORIGIN, what="near", keys=(*asked.cells, *asked.shops), calls=(near,)))
        by_slug: dict[str, list[RecordKey]] = {}
        for own in asked.others.values():
            for key in own:
                by_slug.setdefault(key.native_id, []).append(key)
        return loads + [_strain_load(slug, tuple(own)) for slug, own in by_slug.items()]

    def follow(self, call: Call, parsed: Parsed) -> list[Call]:
        """Return the further pages of a menu or a search; a single strain has none."""
        if call.kind is Kind.MENU:
            return further_pages(call, parsed, param="skip", size=self._size("page_size", MENU_PAGE_SIZE))
        if call.kind is Kind.SHOPS:
            return further_pages(call, parsed, param="page", size=self._size("shop_page_size", SHOP_PAGE_SIZE), first=1)
        return []

    def _size(self, option: str, default: int) -> int:
        return page_size(self.config.options, option, default)

    def _menu_load(self, shop_id: str, keys: tuple[RecordKey, ...], shops: Mapping[str, Shop]) -> Load:
        call = Call(
            kind=Kind.MENU,
            path=f"/dispensaries/v2/{quote(slug_of(shop_id, shops), safe='')}/menu_items",
            params=(("take", str(self._size("page_size", MENU_PAGE_SIZE))), ("skip", "0")),
            headers=_HEADERS,
        )
        return Load(origin=ORIGIN, what="menu", keys=keys, calls=(call,), shop_id=shop_id)

    def _near_call(self, cells: Iterable[str]) -> Call:
        lat, lon, radius_km = covering_circle(cells)
        return Call(
            kind=Kind.SHOPS,
            path=self._near_path(),
            params=(
                ("lat", str(lat)),
                ("lon", str(lon)),
                ("radius", str(math.ceil(radius_km / KM_PER_MILE))),
                ("page", "1"),
                ("limit", str(self._size("shop_page_size", SHOP_PAGE_SIZE))),
            ),
            headers=_HEADERS,
        )

    def _near_path(self) -> str:
        path = self.config.options.get("near_path") or NEAR_PATH
        build_id = self.config.options.get("build_id") or ""
        if "{build_id}" in path and not build_id:
            raise OriginRejected("no build_id: origins.leafly.options.build_id", origin=ORIGIN)
        web_base = (self.config.options.get("web_base") or "").rstrip("/")
        return web_base + path.replace("{build_id}", quote(build_id, safe=""))


def _cell_of(key: RecordKey, shops: Mapping[str, Shop]) -> str:
    """Return the search cell of a known shop: single shops are only answered by searches."""
    shop = shops.get(key.native_id)
    cell = shop_cell(shop) if shop is not None else None
    if cell is None:
        raise BadInput(f"where is {key}? Leafly's shops are found by position", key=str(key), origin=ORIGIN)
    return cell


def _strain_load(slug: str, keys: tuple[RecordKey, ...]) -> Load:
    call = Call(kind=Kind.STRAINS, path=f"/strains/v1/{quote(slug, safe='')}", headers=_HEADERS)
    return Load(origin=ORIGIN, what="strains", keys=keys, calls=(call,))


def _page(body: bytes) -> _Page:
    if body[:64].lstrip().startswith(b"["):
        return _listed(decode_document(body, list[msgspec.Raw]), None)
    fields: _Fields = decode_document(body, _Fields)
    page = _find(fields, None, _MAX_DEPTH)
    if page is not None:
        return page
    stated = [name for name in ("error", "errors", "message", "statusCode") if name in fields]
    if stated:
        told = bytes(fields[stated[0]])[:200].decode(errors="replace")
        raise OriginRejected(f"error answer: {told}", origin=ORIGIN)
    raise SchemaMismatch("no Leafly menu, shops, strains, products or brands in the answer", origin=ORIGIN)


def _find(fields: _Fields, total: int | None, depth: int) -> _Page | None:
    """Return the items in an object of an answer or in those that it nests; ``None`` where there are none."""
    total = _total(fields) if total is None else total
    stores = [raw for name in ("organicStores", "sponsoredStores") for raw in _list(fields, name) or ()]
    if stores or "organicStores" in fields:
        return _Page(Kind.SHOPS, stores, total)
    for name, holds in _LISTS.items():
        items = _list(fields, name)
        if items is not None:
            return _Page(holds, items, total) if holds else _listed(items, total)
    for name in _NESTED if depth else ():
        inner = wire.decode_field(fields.get(name, _ABSENT), _object)
        page = _find(inner, total, depth - 1) if inner else None
        if page is not None:
            return page
    if "name" in fields and _holds(fields) == Kind.STRAINS:  # one strain alone
        return _Page(Kind.STRAINS, [msgspec.Raw(msgspec.json.encode(fields))])
    return None


def _list(fields: _Fields, name: str) -> list[msgspec.Raw] | None:
    found: list[msgspec.Raw] | None = wire.decode_field(fields.get(name, _ABSENT), _raws)
    return found


def _listed(items: list[msgspec.Raw], total: int | None) -> _Page:
    """Return a list of items, told by the first object in it; an empty list may hold anything."""
    for raw in items[:20]:
        fields = wire.decode_field(raw, _object)
        if not fields:
            continue
        holds = _holds(fields)
        if holds is None:
            raise SchemaMismatch("a list of something else than Leafly items", origin=ORIGIN)
        return _Page(holds, items, total)
    return _Page(Kind.MENU, items, total)


def _holds(fields: _Fields) -> str | None:
    return next((holds for names, holds in _MARKS if any(name in fields for name in names)), None)


def _is_kind(holds: str, kind: Kind) -> bool:
    if holds in (Kind.MENU, Kind.PRODUCTS, _BRANDS):
        return kind in (Kind.MENU, Kind.PRODUCTS)
    return holds == kind


def _total(fields: _Fields) -> int | None:
    metadata = wire.decode_field(fields.get("metadata", _ABSENT), _object) or {}
    for place in (metadata, fields):
        for name in ("totalCount", "totalItems", "totalStores"):
            total = wire.number(wire.decode_field(place.get(name, _ABSENT), _any))
            if total is not None and total < 1e9:
                return int(total)
    return None


def _collect(page: _Page, read: Callable[[msgspec.Raw], T]) -> tuple[list[T], list[Skipped]]:
    """Return what ``read`` makes of the items, each once by its id (by its name where it has none)."""
    found: dict[str, T] = {}
    skipped: list[Skipped] = []
    for index, raw in enumerate(page.items):
        try:
            record = read(raw)
            found.setdefault(record.id or f"name {record.name}", record)
        except SchemaMismatch as error:
            skipped.append(Skipped(f"{page.holds}[{index}]", str(error)))
    return list(found.values()), skipped


def _items(page: _Page, currency: str) -> Parsed:
    reader = ItemReader(currency)
    reader.read(page.items, page.holds)
    is_one_shops = page.holds == Kind.MENU and len(reader.menu_shops) == 1
    return Parsed(
        products=reader.products,
        prices=reader.prices,
        shops=list(reader.shops.values()),
        skipped=reader.skipped,
        shops_of={} if is_one_shops else reader.shops_of,
        shop_id=next(iter(reader.menu_shops)) if is_one_shops else None,
        seen=reader.seen,
        total=page.total,
    )

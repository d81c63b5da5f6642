"""Jane: calls to its search indexes for menus and stores, and what their answers hold.

A public search key is needed (settings ``origins.jane.keys.search_key``): the shop's page serves
it and it changes now and then. Options (settings ``origins.jane.options``):

- ``app_id``: the search application.
- ``index_menu``, ``index_stores``: names of the indexes.
- ``hits_per_page``: hits asked for on one page, at most 1,000.
- ``hits_limit``: most hits that the index gives for one filter over all pages; larger menus are
  split by kind.
- ``kinds``: the kinds to split by, separated by commas; one further call asks for all others.
- ``site``: sent as origin and referer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

from weedhounds.errors import BadInput, ConfigError, OriginRejected, SchemaMismatch, SourceError
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import ShareScope, Terms
from weedhounds.model.records import Shop
from weedhounds.sources.base import Budget, Call, Kind, Load, OriginConfig, Parsed, SourceInfo, Tested
from weedhounds.sources.jane_shops import parse_shops
from weedhounds.sources.jane_wire import ORIGIN, parse_menu
from weedhounds.sources.places import covering_circle
from weedhounds.sources.wire import NOTHING, decode_answer, decode_field, is_cell

MAX_PAGES = 40
"""Most pages of one filter that are asked for."""

KEY = "search_key"

_DEFAULTS: Mapping[str, str] = {
    "app_id": "VFM4X0N23A",
    "index_menu": "menu-products-production",
    "index_stores": "stores-production",
    "hits_per_page": "1000",
    "hits_limit": "1000",
    "kinds": "flower,pre-roll,vape,extract,edible,tincture,topical,gear",
    "site": "https://www.iheartjane.com",
}


class _Result(msgspec.Struct):
    hits: list[msgspec.Raw] | None = None
    total: msgspec.Raw = msgspec.field(default=NOTHING, name="nbHits")


class _Placed(msgspec.Struct):
    search_attributes: msgspec.Raw = NOTHING


class _Placement(msgspec.Struct):
    products: list[_Placed] | None = None


class _Answer(_Result):
    results: list[_Result] | None = None
    store: msgspec.Raw = NOTHING
    stores: list[msgspec.Raw] | None = None
    placements: list[_Placement] | None = None
    message: msgspec.Raw = NOTHING
    status: msgspec.Raw = NOTHING

    def hits_found(self) -> list[msgspec.Raw] | None:
        """Return the hits of a single, batch or placements answer; ``None`` where it is none of them."""
        if self.placements is not None:
            return [p.search_attributes for placement in self.placements for p in placement.products or ()]
        parts = [r.hits for r in (self, *(self.results or ())) if r.hits is not None]
        return [hit for part in parts for hit in part] if parts or self.results == [] else None

    def stores_found(self) -> list[msgspec.Raw] | None:
        """Return the stores of a REST answer."""
        return self.stores if bytes(self.store) == b"null" else [self.store]

    def hits_total(self) -> int | None:
        """Return the hits that exist over all pages, where every part tells."""
        parts = [r for r in (self, *(self.results or ())) if r.hits is not None]
        counts = [decode_field(r.total, _count) for r in parts]
        return sum(counts) if counts and None not in counts else None


class _Peek(msgspec.Struct):
    """Of a hit, what tells a product from a store; any type will do."""

    store_id: msgspec.Raw = NOTHING
    product_id: msgspec.Raw = NOTHING
    kind: msgspec.Raw = NOTHING
    url_slug: msgspec.Raw = NOTHING
    product_count: msgspec.Raw = NOTHING
    geo: msgspec.Raw = msgspec.field(default=NOTHING, name="_geoloc")


_count = msgspec.json.Decoder(int)
_peek = msgspec.json.Decoder(_Peek)
_text = msgspec.json.Decoder(str)


class _Query(msgspec.Struct, omit_defaults=True):
    """Body of a search call of ours."""

    query: str
    hitsPerPage: int  # noqa: N815 - the wire's own spelling
    page: int
    filters: str | None = None
    aroundLatLng: str | None = None  # noqa: N815
    aroundRadius: int | None = None  # noqa: N815


class JaneSource:
    """The client side of Jane's search indexes; see :class:`weedhounds.sources.base.Source`."""

    def __init__(self, config: OriginConfig) -> None:
        self.config = config

    @classmethod
    def info(cls) -> SourceInfo:
        """Return the source's description and its live defaults."""
        return SourceInfo(
            origin=ORIGIN,
            name="Jane",
            protocol="search index, JSON over HTTPS",
            data_types=(DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING, DataType.DISPENSARY_INFO),
            tested={Kind.MENU.value: Tested.RECORDED, Kind.SHOPS.value: Tested.HAND_MADE},
            key_needed=KEY,
            live=OriginConfig(
                origin=ORIGIN,
                base_url="https://search.iheartjane.com",
                budget=Budget(burst=10, rate_per_s=2.0, concurrency=4),
                terms=Terms(share=ShareScope.NEVER),
                options=_DEFAULTS,
            ),
        )

    @staticmethod
    def parse(body: bytes, kind: Kind | None = None, *, currency: str = "USD") -> Parsed:
        """Return the records of one answer; see :meth:`weedhounds.sources.base.Source.parse`."""
        answer = decode_answer(body, _Answer)
        hits = answer.hits_found()
        found = answer.stores_found() if hits is None else hits
        if found is None:
            raise _refusal(answer)
        holds = Kind.SHOPS if hits is None else _kind_of(hits, kind)
        if kind is not None and holds is not kind:
            raise SchemaMismatch(f"an answer without {kind}", origin=ORIGIN)
        parsed = parse_shops(found) if holds is Kind.SHOPS else parse_menu(found, currency)
        parsed.total = answer.hits_total()
        return parsed

    def plan(self, keys: Iterable[RecordKey], shops: Mapping[str, Shop]) -> list[Load]:
        """Return the loads that fill ``keys``: one a menu, one a single store, one for all cells together."""
        menus: dict[str, list[RecordKey]] = {}
        near: list[RecordKey] = []
        loads: list[Load] = []
        for key in dict.fromkeys(keys):
            what = _what(key)
            if what == "menu":
                menus.setdefault(key.native_id, []).append(key)
            elif what == "cell":
                near.append(key)
            else:
                call = self._call(Kind.SHOPS, self._query(filters=f"objectID:{key.native_id}"))
                loads.append(Load(origin=ORIGIN, what="near", keys=(key,), calls=(call,)))
        for shop, asked in menus.items():
            call = self._call(Kind.MENU, self._query(filters=f"store_id:{shop}"))
            loads.append(Load(origin=ORIGIN, what="menu", keys=tuple(asked), calls=(call,), shop_id=shop))
        if near:
            loads.append(Load(origin=ORIGIN, what="near", keys=tuple(near), calls=(self._search_call(near),)))
        return loads

    def follow(self, call: Call, parsed: Parsed) -> list[Call]:
        """Return the further pages, or the calls by kind where the index would not give all hits.

        Bounds: at most 40 pages a filter.
        """
        query = msgspec.json.decode(call.body or b"{}", type=_Query)
        if not parsed.seen or (parsed.total is not None and call.page):
            return []
        if parsed.total is None:
            is_full = parsed.seen >= query.hitsPerPage and call.page + 1 < MAX_PAGES
            return [self._page(call.kind, query, call.page + 1)] if is_full else []
        limit = self._whole("hits_limit", 1_000_000)
        if call.kind is Kind.MENU and parsed.total > limit and " AND " not in (query.filters or ""):
            return self._by_kind(query)
        pages = min(MAX_PAGES, math.ceil(min(parsed.total, limit) / parsed.seen))
        return [self._page(call.kind, query, n) for n in range(1, pages)]

    def _by_kind(self, query: _Query) -> list[Call]:
        kinds = [kind.strip() for kind in self._option("kinds").split(",") if kind.strip()]
        rest = " AND ".join([str(query.filters), *(f'NOT kind:"{kind}"' for kind in kinds)])
        filters = [*(f'{query.filters} AND kind:"{kind}"' for kind in kinds), rest]
        return [self._call(Kind.MENU, msgspec.structs.replace(query, filters=f, page=0)) for f in filters]

    def _page(self, kind: Kind, query: _Query, page: int) -> Call:
        return self._call(kind, msgspec.structs.replace(query, page=page))

    def _search_call(self, near: list[RecordKey]) -> Call:
        lat, lon, radius_km = covering_circle(key.variant for key in near if key.variant)
        return self._call(Kind.SHOPS, self._query(around=f"{lat},{lon}", radius_m=math.ceil(radius_km * 1000)))

    def _query(self, *, filters: str | None = None, around: str | None = None, radius_m: int | None = None) -> _Query:
        per_page = self._whole("hits_per_page", 1000)
        return _Query(
            query="", hitsPerPage=per_page, page=0, filters=filters, aroundLatLng=around, aroundRadius=radius_m
        )

    def _call(self, kind: Kind, query: _Query) -> Call:
        index = self._option("index_stores" if kind is Kind.SHOPS else "index_menu")
        return Call(
            kind=kind,
            path=f"/1/indexes/{index}/query",
            method="POST",
            headers=self._headers(),
            body=msgspec.json.encode(query),
            page=query.page,
        )

    def _headers(self) -> tuple[tuple[str, str], ...]:
        key = self.config.keys.get(KEY)
        if not key:
            raise OriginRejected(f"no key: origins.{ORIGIN}.keys.{KEY}", origin=ORIGIN)
        site = self._option("site")
        return (
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("x-algolia-application-id", self._option("app_id")),
            ("x-algolia-api-key", key),
            ("origin", site),
            ("referer", f"{site}/"),
        )

    def _option(self, name: str) -> str:
        return self.config.options.get(name, _DEFAULTS[name])

    def _whole(self, name: str, most: int) -> int:
        text = self._option(name)
        if not text.isascii() or not text.isdigit() or not 1 <= int(text[:8]) <= most:
            raise ConfigError(f"setting origins.{ORIGIN}.options.{name}: not a number from 1 to {most}: {text!r:.40}")
        return int(text)


def _what(key: RecordKey) -> str:
    """Return how ``key`` is loaded: ``menu``, ``cell`` or ``shop``.

    Raises:
        BadInput: this origin cannot fill it (its specials ride in the menu).
    """
    is_info = key.data_type is DataType.DISPENSARY_INFO
    if key.origin == ORIGIN and is_info and key.native_id == "near" and key.variant and is_cell(key.variant):
        return "cell"
    is_menu = key.data_type in (DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING)
    is_store = key.native_id.isascii() and key.native_id.isdigit()
    if key.origin != ORIGIN or not (is_info or is_menu) or not is_store or key.variant is not None:
        raise BadInput(f"the origin {ORIGIN} cannot fill {key}", key=str(key), origin=ORIGIN)
    return "menu" if is_menu else "shop"


def _refusal(answer: _Answer) -> SourceError:
    """Return the error that an answer without hits or stores stands for."""
    told = decode_field(answer.message, _text)
    if told:
        return OriginRejected(f"the origin refused the query: {told[:200]}", origin=ORIGIN)
    return SchemaMismatch("an answer without hits or stores", origin=ORIGIN)


def _kind_of(hits: list[msgspec.Raw], asked: Kind | None) -> Kind:
    """Return what the hits are, by the first that tells: stores count products, products name kind and store."""
    for hit in hits[:20]:
        peek: _Peek | None = decode_field(hit, _peek)
        if peek is None:
            continue
        if _is_told(peek.product_count):
            return Kind.SHOPS
        if any(map(_is_told, (peek.product_id, peek.kind, peek.store_id))):
            return Kind.MENU
        if any(map(_is_told, (peek.url_slug, peek.geo))):
            return Kind.SHOPS
    return asked if asked in (Kind.MENU, Kind.SHOPS) else Kind.MENU


def _is_told(field: msgspec.Raw) -> bool:
    return bytes(field) != b"null"

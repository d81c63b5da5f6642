"""Jane's stores (hits of the stores index, or the REST answer of one) as records."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from weedhounds.errors import SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Market, Shop
from weedhounds.sources.base import Parsed, Skipped, clip
from weedhounds.sources.jane_wire import ORIGIN
from weedhounds.sources.wire import ItemDecoder, identifier, label_text, number, position, time_zone


class _Geo(msgspec.Struct, gc=False):
    lat: float | None = None
    lng: float | None = None


class _Store(msgspec.Struct, gc=False):
    id: int | str | None = None
    object_id: str | int | None = msgspec.field(default=None, name="objectID")
    name: str | None = None
    url_slug: str | None = None
    geo: _Geo | None = msgspec.field(default=None, name="_geoloc")
    lat: float | None = None
    long: float | None = None
    lng: float | None = None
    address: str | None = None
    address2: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | int | None = None
    zip_code: str | int | None = None
    country: str | None = None
    phone: str | None = None
    boost_menu_url: str | None = None
    product_count: float | None = None
    store_types: list[str | None] | None = None
    recreational: bool | None = None
    medical: bool | None = None
    time_zone_identifier: str | None = None


_stores = ItemDecoder(_Store)


def parse_shops(stores: Sequence[msgspec.Raw]) -> Parsed:
    """Return the shops of an answer's stores."""
    parsed = Parsed(seen=len(stores))
    by_id: set[str] = set()
    for index, raw in enumerate(stores):
        try:
            shop = _shop(_stores.decode(raw))
        except SchemaMismatch as error:
            parsed.skipped.append(Skipped(f"stores[{index}]", error.message))
            continue
        if shop.id not in by_id:
            by_id.add(shop.id)
            parsed.shops.append(shop)
    return parsed


def _shop(given: _Store) -> Shop:
    native_id = identifier(given.id) or identifier(given.object_id)
    name = clip(given.name)
    if native_id is None or name is None:
        raise SchemaMismatch("no id" if native_id is None else f"no name (id {native_id})")
    at = position(given.geo.lat, given.geo.lng) if given.geo else None
    at = at or position(given.lat, given.long if given.lng is None else given.lng)
    street = ", ".join(line for line in (clip(given.address), clip(given.address2)) if line)
    size = number(given.product_count)
    return Shop(
        key=str(RecordKey(DataType.DISPENSARY_INFO, ORIGIN, native_id)),
        origin=ORIGIN,
        id=native_id,
        name=name,
        slug=clip(given.url_slug),
        address=clip(street),
        city=clip(given.city),
        state=clip(given.state),
        postcode=label_text(given.zip) or label_text(given.zip_code),
        country=clip(given.country),
        lat=at[0] if at else None,
        lon=at[1] if at else None,
        phone=clip(given.phone),
        website=clip(given.boost_menu_url),
        time_zone=time_zone(given.time_zone_identifier),
        markets=_markets(given),
        menu_size=None if size is None else int(min(size, 1e6)),
    )


def _markets(given: _Store) -> tuple[Market, ...]:
    told = " ".join(t.lower() for t in given.store_types or () if t)
    markets: list[Market] = []
    if given.recreational or "rec" in told:
        markets.append("rec")
    if given.medical or "med" in told:
        markets.append("med")
    return tuple(markets)

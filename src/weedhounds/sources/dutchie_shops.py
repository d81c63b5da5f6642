"""Dutchie's shops (``ConsumerDispensaries``, ``DispensarySearch``) and their specials cards as records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from weedhounds.errors import SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Market, OpenPeriod, Promotion, Shop
from weedhounds.sources.base import Parsed, Skipped, clip
from weedhounds.sources.dutchie_wire import ORIGIN, WireStruct
from weedhounds.sources.wire import NOTHING, ItemDecoder, decode_field, identifier, label_text, position, time_zone

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CLOCK = re.compile(r"(\d{1,2})(?::(\d{2}))?(?::\d{2})?\s*([ap]\.?m\.?)?", re.I)


class _Geometry(WireStruct):
    coordinates: list[float | None] | None = None


class _Location(WireStruct):
    ln1: str | None = None
    ln2: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    zipcode: str | int | None = None
    zip: str | int | None = None
    geometry: msgspec.Raw = NOTHING


class _Day(WireStruct):
    active: bool | None = None
    start: str | None = None
    end: str | None = None


class _OrderHours(WireStruct):
    effective_hours: dict[str, _Day | None] | None = None
    hours: dict[str, _Day | None] | None = None


class _HoursSettings(WireStruct):
    in_store_pickup: _OrderHours | None = None


class _Dispensary(WireStruct):
    id: str | int | None = None
    key: str | int | None = msgspec.field(default=None, name="_id")
    name: str | None = None
    c_name: str | None = None
    address: str | None = None
    phone: str | None = None
    location: _Location | None = None
    rec_dispensary: bool | None = None
    medical_dispensary: bool | None = None
    hours_settings: _HoursSettings | None = None
    pickup_hours: dict[str, _Day | None] | None = None
    hours: dict[str, _Day | None] | None = None
    timezone: str | None = None
    time_zone: str | None = None
    embed_back_url: str | None = None
    embedded_menu_url: str | None = None


_dispensaries = ItemDecoder(_Dispensary)
_geometry = msgspec.json.Decoder(_Geometry, strict=False)


def parse_shops(dispensaries: Sequence[msgspec.Raw]) -> Parsed:
    """Return the shops of an answer's ``filteredDispensaries``; none for an unknown slug."""
    parsed = Parsed(seen=len(dispensaries))
    by_id: set[str] = set()
    for index, raw in enumerate(dispensaries):
        try:
            shop = _shop(_dispensaries.decode(raw))
        except SchemaMismatch as error:
            parsed.skipped.append(Skipped(f"filteredDispensaries[{index}]", error.message))
            continue
        if shop.id not in by_id:
            by_id.add(shop.id)
            parsed.shops.append(shop)
    return parsed


def _shop(given: _Dispensary) -> Shop:
    native_id = identifier(given.id) or identifier(given.key)
    name = clip(given.name)
    if native_id is None or name is None:
        raise SchemaMismatch("no id" if native_id is None else f"no name (id {native_id})")
    place = given.location or _Location()
    street = ", ".join(line for line in (clip(place.ln1), clip(place.ln2)) if line)
    at = _position(place)
    return Shop(
        key=str(RecordKey(DataType.DISPENSARY_INFO, ORIGIN, native_id)),
        origin=ORIGIN,
        id=native_id,
        name=name,
        slug=clip(given.c_name),
        address=clip(street) or clip(given.address),
        city=clip(place.city),
        state=clip(place.state),
        postcode=label_text(place.zipcode) or label_text(place.zip),
        country=clip(place.country),
        lat=at[0] if at else None,
        lon=at[1] if at else None,
        phone=clip(given.phone),
        website=clip(given.embed_back_url) or clip(given.embedded_menu_url),
        time_zone=time_zone(given.timezone) or time_zone(given.time_zone),
        hours=tuple(_hours(given)),
        markets=_markets(given),
    )


def _position(place: _Location) -> tuple[float, float] | None:
    """Return (lat, lon); the origin gives ``[lng, lat]``."""
    geometry: _Geometry | None = decode_field(place.geometry, _geometry)
    pair = (geometry.coordinates if geometry else None) or []
    return position(pair[1], pair[0]) if len(pair) >= 2 else None


def _markets(given: _Dispensary) -> tuple[Market, ...]:
    markets: list[Market] = []
    if given.rec_dispensary:
        markets.append("rec")
    if given.medical_dispensary:
        markets.append("med")
    return tuple(markets)


def _hours(given: _Dispensary) -> Iterator[OpenPeriod]:
    """Yield when the shop itself is open: hours of pick-up in the store; delivery hours are no opening hours."""
    settings = given.hours_settings.in_store_pickup if given.hours_settings else None
    by_day = (settings and (settings.effective_hours or settings.hours)) or given.pickup_hours or given.hours or {}
    for weekday, name in enumerate(DAYS):
        day = by_day.get(name)
        if day is None or not day.active:
            continue
        opens, closes = _minutes(day.start), _minutes(day.end)
        if opens is not None and closes is not None:
            yield OpenPeriod(weekday, opens, closes if closes > opens else closes + 1440)


def _minutes(text: str | None) -> int | None:
    """Return the minutes after midnight of "9:30am", "9:30 AM" or "21:30"."""
    match = _CLOCK.fullmatch((text or "").strip()[:16])
    if match is None:
        return None
    hour, minute, half = int(match[1]), int(match[2] or 0), (match[3] or "").lower()[:1]
    if hour > (12 if half else 24) or minute > 59 or (half and not hour):
        return None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return hour * 60 + minute


class _CategoryOf(WireStruct):
    category: str | None = None


class _Card(WireStruct):
    key: str | int | None = msgspec.field(default=None, name="_id")
    id: str | int | None = None
    menu_display_name: str | None = None
    special_name: str | None = None
    name: str | None = None
    menu_display_description: str | None = None
    special_type: str | None = None
    start_stamp: str | None = None
    end_stamp: str | None = None
    applicable_categories: list[_CategoryOf | None] | None = None


_cards = ItemDecoder(_Card)


def parse_promotions(cards: Sequence[msgspec.Raw]) -> Parsed:
    """Return the specials of a ``GetSpecialMenuCards`` answer.

    A card states its discount only in its name, which is not parsed; its stamps have no zone and
    stay as given.
    """
    parsed = Parsed(seen=len(cards))
    by_id: set[str] = set()
    for index, raw in enumerate(cards):
        try:
            promotion = _promotion(_cards.decode(raw))
        except SchemaMismatch as error:
            parsed.skipped.append(Skipped(f"menuCards[{index}]", error.message))
            continue
        if promotion.id not in by_id:
            by_id.add(promotion.id)
            parsed.promotions.append(promotion)
    return parsed


def _promotion(card: _Card) -> Promotion:
    native_id = identifier(card.key) or identifier(card.id)
    name = clip(card.menu_display_name) or clip(card.special_name) or clip(card.name)
    if native_id is None or name is None:
        raise SchemaMismatch("no id" if native_id is None else f"no name (id {native_id})")
    categories = (clip(c.category) for c in card.applicable_categories or () if c is not None)
    return Promotion(
        id=native_id,
        origin=ORIGIN,
        name=name,
        kind=clip(card.special_type),
        description=clip(card.menu_display_description),
        starts_local=clip(card.start_stamp),
        ends_local=clip(card.end_stamp),
        categories=tuple(dict.fromkeys(c for c in categories if c)),
    )

"""Leafly's dispensaries and brands.

``openNow``, ``openNext``, ``openUntil`` and ``distanceMi`` depend on the request: no part of a shop.

Hours: ``schedule.weekly`` (by day, local times in a dummy date) is read first, for Leafly's own
``openNext`` follows it in all 49 recorded shops; ``schedule.openPeriods`` (minutes of the week
from Sunday, proven by the recorded shops whose days differ) only where it is missing: where both
are there they disagree in half the shops. A closing time not after the opening one is next day's.

Markets: shops are named "Example Shop (Med/Rec)"; only brackets of such words alone are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from weedhounds.errors import SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.names import tokens
from weedhounds.model.records import Brand, Market, OpenPeriod, Shop, ShopRef
from weedhounds.sources import wire
from weedhounds.sources.base import clip

ORIGIN = "leafly"
DAY_MIN = 1440
MAX_PERIODS = 50
"""Most opening periods that are read of one shop."""

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK = re.compile(r"\d{4}-\d\d-\d\dT(\d\d):(\d\d)")
_BRACKETS = re.compile(r"\(([^()]{1,40})\)")
_MEDICAL = frozenset({"med", "medical"})
_ADULT = frozenset({"rec", "recreational", "adult", "use", "21"})


class _Store(msgspec.Struct, rename="camel"):
    id: int | str | None = None
    slug: str | None = None
    name: str | None = None
    address1: str | None = None
    address2: str | None = None
    address: object = None
    city: str | None = None
    state: str | None = None
    zip: str | int | None = None
    country: str | None = None
    phone: str | None = None
    website: str | None = None
    time_zone: str | None = None
    primary_location: object = None
    locations: object = None
    schedule: object = None
    retail_type: str | None = None


_store = wire.ItemDecoder(_Store, as_given=("address", "primary_location", "locations", "schedule"))


class _Brand(msgspec.Struct, rename="camel"):
    id: int | str | None = None
    slug: str | None = None
    name: str | None = None
    information_website: str | None = None
    description: str | None = None


_brand = wire.ItemDecoder(_Brand)


def shop_of(raw: bytes | msgspec.Raw) -> Shop:
    """Return the shop that an object of a list, or of an offer, describes.

    Raises:
        SchemaMismatch: no object, or one without an id or a name.
    """
    given = _store.decode(raw)
    shop_id, name = wire.identifier(given.id), clip(given.name)
    if shop_id is None or name is None:
        raise SchemaMismatch("a dispensary without an id or a name")
    at = _position(given)
    lines = (clip(given.address1), clip(given.address2))
    return Shop(
        key=str(RecordKey(DataType.DISPENSARY_INFO, ORIGIN, shop_id)),
        origin=ORIGIN,
        id=shop_id,
        name=name,
        slug=clip(given.slug),
        address=", ".join(line for line in lines if line) or None,
        city=clip(given.city),
        state=clip(given.state),
        postcode=wire.label_text(given.zip),
        country=clip(given.country),
        lat=at[0] if at else None,
        lon=at[1] if at else None,
        phone=clip(given.phone),
        website=clip(given.website),
        time_zone=wire.time_zone(given.time_zone),
        hours=tuple(_hours(given.schedule)),
        markets=markets_of(name),
        kind=clip(given.retail_type),
    )


def shop_ref(shop: Shop) -> ShopRef:
    """Return what an offer keeps of its shop."""
    return ShopRef(key=shop.key, id=shop.id, name=shop.name, address=shop.address, lat=shop.lat, lon=shop.lon)


def brand_of(raw: msgspec.Raw) -> Brand:
    """Return the brand that an object of a list describes.

    Raises:
        SchemaMismatch: no object, or one without an id or a name.
    """
    given = _brand.decode(raw)
    brand_id, name = wire.identifier(given.id), clip(given.name)
    if brand_id is None or name is None:
        raise SchemaMismatch("a brand without an id or a name")
    return Brand(
        id=brand_id,
        name=name,
        origin=ORIGIN,
        slug=clip(given.slug),
        website=clip(given.information_website),
        description=clip(given.description),
    )


def markets_of(name: str) -> tuple[Market, ...]:
    """Return the markets that a shop's name states in brackets; none where it states none.

    Example:
        >>> markets_of("Example Shop (Med/Rec)"), markets_of("Example Shop (Coming Soon)")
        (('rec', 'med'), ())
    """
    found: set[Market] = set()
    for bracket in _BRACKETS.findall(name):
        words = set(tokens(bracket)) - {"only", "and"}
        if words and words <= _MEDICAL | _ADULT:
            found |= {"med"} if words & _MEDICAL else set()
            found |= {"rec"} if words & _ADULT else set()
    return tuple(market for market in ("rec", "med") if market in found)


def _position(given: _Store) -> tuple[float, float] | None:
    first = given.locations[0] if isinstance(given.locations, list) and given.locations else None
    for place in (given.primary_location, first, given.address):
        if isinstance(place, dict):
            at = wire.position(place.get("lat"), place.get("lon"))
            if at is not None:
                return at
    return None


def _hours(schedule: object) -> Iterable[OpenPeriod]:
    if not isinstance(schedule, dict):
        return ()
    weekly = schedule.get("weekly")
    found = list(_by_day(weekly)) if isinstance(weekly, dict) else []
    periods = schedule.get("openPeriods")
    return found or (_by_minute(periods) if isinstance(periods, list) else ())


def _by_day(weekly: dict[str, object]) -> Iterable[OpenPeriod]:
    for weekday, day in enumerate(_DAYS):
        stated = weekly.get(day)
        if not isinstance(stated, dict) or stated.get("isOpen") is not True:
            continue
        opens, closes = _minute(stated.get("open")), _minute(stated.get("close"))
        if opens is not None and closes is not None:
            yield OpenPeriod(weekday, opens, closes if closes > opens else closes + DAY_MIN)


def _minute(text: object) -> int | None:
    match = _CLOCK.match(text) if isinstance(text, str) else None
    minute = int(match[1]) * 60 + int(match[2]) if match else None
    return minute if minute is not None and minute < DAY_MIN else None


def _by_minute(periods: list[object]) -> Iterable[OpenPeriod]:
    for period in periods[:MAX_PERIODS]:
        opens = wire.number(period.get("open")) if isinstance(period, dict) else None
        closes = wire.number(period.get("close")) if isinstance(period, dict) else None
        if opens is None or closes is None or not opens < closes <= opens + 2 * DAY_MIN or opens >= 7 * DAY_MIN:
            continue
        day = int(opens // DAY_MIN)
        yield OpenPeriod((day - 1) % 7, int(opens) - day * DAY_MIN, int(closes) - day * DAY_MIN)

"""A city's week as a world: the standard world's rates, the shops of one city, its own time. Pure.

Owns which zone a place lies in and what is drawn for it. Changes and requests are those of
:mod:`weedhounds.sim.worlds`, so that oracle and baselines see the very trace that the node sees.
"""

from __future__ import annotations

import re

import msgspec

from weedhounds.errors import BadInput
from weedhounds.learning import offset_s
from weedhounds.query.answer import Place
from weedhounds.sim.specs import STANDARD, Spec
from weedhounds.sim.trace import DAY_S
from weedhounds.sim.worlds import World, draw_world

MAX_SHOPS = 2_000
MAX_WEEKS = 8
"""Most weeks, warm-up included: January's offset from UTC holds until the clocks change in March."""
MAX_REQUESTS = 10_000_000
"""Most requests of a run, expected: 2 GB of memory."""
_DAYS = 7
_REGION = re.compile(r", ([A-Z]{2})\b")

_EASTERN, _CENTRAL, _MOUNTAIN, _PACIFIC = "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"
_REGIONS: dict[str, str] = {
    _EASTERN: "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC TN VA VT WV",
    _CENTRAL: "AL AR IA IL KS LA MN MO MS ND NE OK SD TX WI",
    _MOUNTAIN: "CO ID MT NM UT WY",
    _PACIFIC: "CA NV OR WA",
    "America/Phoenix": "AZ",
    "America/Anchorage": "AK",
    "Pacific/Honolulu": "HI",
    "America/Halifax": "NB NS PE",
    "America/St_Johns": "NL",
    "America/Toronto": "NU ON QC",
    "America/Winnipeg": "MB",
    "America/Regina": "SK",
    "America/Edmonton": "AB NT",
    "America/Vancouver": "BC",
    "America/Whitehorse": "YT",
}
"""The zone in which most people of a state or province live."""


class CityWeek(msgspec.Struct, frozen=True, kw_only=True):
    """What is simulated.

    Args:
        city: as the gazetteer names it.
        offset_s: local time minus UTC, seconds.
        requests_per_day: keys asked of the read path, on average.
        weeks: judged; ``warmup_weeks`` before them count nothing.
    """

    city: str
    zone: str
    offset_s: float
    shops: int
    requests_per_day: float
    seed: int
    weeks: int = 1
    warmup_weeks: int = 1

    @property
    def warmup_days(self) -> float:
        """Return the days that count nothing."""
        return float(_DAYS * self.warmup_weeks)

    @property
    def days(self) -> int:
        """Return all days of the run."""
        return _DAYS * (self.weeks + self.warmup_weeks)


def city_week(
    place: Place,
    *,
    shops: int = 120,
    requests_per_day: float = 20_000.0,
    seed: int = 1,
    weeks: int = 1,
    warmup_weeks: int = 1,
) -> CityWeek:
    """Return the week of a place.

    Raises:
        BadInput: too few or too many shops, requests or weeks.
    """
    days = _DAYS * (weeks + warmup_weeks)
    if not 1 <= shops <= MAX_SHOPS:
        raise BadInput(f"a city has 1 to {MAX_SHOPS:,} shops, not {shops:,}")
    if weeks < 1 or warmup_weeks < 0 or weeks + warmup_weeks > MAX_WEEKS:
        raise BadInput(f"at least one week, and no more than {MAX_WEEKS} with the warm-up")
    if not requests_per_day >= 1.0 or not requests_per_day * days <= MAX_REQUESTS:
        raise BadInput(f"at least one request a day, and no more than {MAX_REQUESTS:,} in {days} days")
    zone = zone_of(place) or _zone_by_longitude(place.lon)
    return CityWeek(
        city=place.name,
        zone=zone,
        offset_s=offset_s(zone, STANDARD.start),
        shops=shops,
        requests_per_day=requests_per_day,
        seed=seed,
        weeks=weeks,
        warmup_weeks=warmup_weeks,
    )


def zone_of(place: Place) -> str | None:
    """Return the IANA name of the zone of a place's state or province; ``None`` for a bare point.

    Example:
        >>> zone_of(Place(name="Denver, CO 80202", lat=39.7, lon=-105.0))
        'America/Denver'
    """
    region = _REGION.search(place.name)
    if region is None:
        return None
    return next((zone for zone, codes in _REGIONS.items() if region[1] in codes.split()), None)


def _zone_by_longitude(lon: float) -> str:
    """Return the IANA name of whole hours from UTC; their signs are the other way round."""
    return f"Etc/GMT{-round(lon / 15.0):+d}"


def spec_of_city(city: CityWeek) -> Spec:
    """Return the standard world with the city's shops, demand, zone and days."""
    return msgspec.structs.replace(
        STANDARD,
        days=city.days,
        stores=city.shops,
        zones_s=(city.offset_s,),
        reference_zone_s=city.offset_s,
        requests_per_day=city.requests_per_day,
    )


def draw_city(city: CityWeek) -> World:
    """Draw changes and requests.

    Bounds: about 150 bytes a request.
    """
    return draw_world(spec_of_city(city), city.seed)


def counted_from(world: World, city: CityWeek) -> float:
    """Return the moment from which on requests count, Unix seconds."""
    return world.spec.start + city.warmup_days * DAY_S

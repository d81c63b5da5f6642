"""The shops of the market and how each origin lists them; made at once from the seed.

Numbers that a hunt's cost depends on are stratified, not left to chance: of each city's shops a
fixed share is listed at each origin, and menu sizes are one from each part of their law.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random

import msgspec

from weedhounds.model.names import slugify
from weedhounds.model.records import Market as SaleMarket
from weedhounds.model.records import OpenPeriod
from weedhounds.sandbox import vocabulary as words
from weedhounds.sandbox.cities import CITIES, City
from weedhounds.sandbox.draws import normal, quota, rng, spread, stratified, uniforms

MENU_MEDIAN, MENU_SIGMA, MENU_LEAST, MENU_MOST = 100, 0.75, 20, 400
LISTED_SHARES = {"dutchie": 0.5, "jane": 0.35, "weedmaps": 0.875, "leafly": 0.65}
"""Share of a city's shops at each origin; the first two exclude each other (one point of sale)."""

_CHAIN_SHARE = 0.15
_KM_PER_DEGREE = 111.195
_JITTER_M = 12.0


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """A dispensary of the simulated world, as it is.

    Args:
        index: its number in the market; names everything drawn for it.
        street, street_long: the address line, abbreviated and spelt out.
        licence: the same at every origin that tells it; so is ``phone`` (ten digits).
        menu_size: number of products; constant.
    """

    index: int
    city: City
    name: str
    lat: float
    lon: float
    street: str
    street_long: str
    postcode: str
    phone: str
    licence: str
    markets: tuple[SaleMarket, ...]
    menu_size: int
    price_level: float


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A shop as one origin lists it: own id, own spelling, a position some metres off.

    Args:
        style: number of the spelling that the origin uses for strains at this shop.
        phone, licence: ``None`` where the origin does not tell it.
    """

    origin: str
    id: str
    slug: str
    name: str
    address: str
    lat: float
    lon: float
    phone: str | None
    licence: str | None
    style: int
    shop: Shop


class Opening(msgspec.Struct, frozen=True):
    """What changes of a shop's entry: opening hours, and the suite of its address ("" for none)."""

    hours: tuple[OpenPeriod, ...]
    suite: str


def make_shops(seed: int) -> tuple[Shop, ...]:
    """Return all shops of the market."""
    stems = _stems(rng(seed, "names"))
    shops: list[Shop] = []
    for city in CITIES:
        generator = rng(seed, "city", city.name)
        n = city.shops if city.fixed else round(city.shops * generator.uniform(0.85, 1.15))
        sizes = [menu_size(u) for u in stratified(generator, n)]
        names = _names(generator, n, stems)
        med = quota(generator, n, city.med_frac)
        for name, size, rec_only in zip(names, sizes, med, strict=True):
            shops.append(_shop(generator, len(shops), city, name, size=size, med=not rec_only))
    return tuple(shops)


def menu_size(u: float) -> int:
    """Return the quantile ``u`` of the number of products: lognormal, cut to 20..400."""
    size = MENU_MEDIAN * math.exp(MENU_SIGMA * normal(u))
    return min(max(round(size), MENU_LEAST), MENU_MOST)


def _stems(generator: Random) -> Iterator[str]:
    stems = [f"{first} {second}" for first in words.SHOP_FIRST for second in words.SHOP_SECOND]
    generator.shuffle(stems)
    return iter(stems)


def _names(generator: Random, n: int, stems: Iterator[str]) -> list[str]:
    """Return ``n`` different names; some shops share a name and add their neighbourhood."""
    chained = round(n * _CHAIN_SHARE) if n >= 10 else 0
    own = [f"{next(stems)} {generator.choice(words.SHOP_LAST)}" for _ in range(n - chained)]
    chain = f"{next(stems)} {generator.choice(words.SHOP_LAST)}"
    places = generator.sample(words.NEIGHBOURHOODS, chained)
    names = own + [f"{chain} - {place}" for place in places]
    generator.shuffle(names)
    return names


def _shop(generator: Random, index: int, city: City, name: str, *, size: int, med: bool) -> Shop:
    lat, lon = _scatter(generator, city)
    side, kind = generator.choice(words.STREET_SIDES), generator.choice(words.STREET_KINDS)
    number, street = generator.randint(100, 9899), generator.choice(words.STREETS)
    return Shop(
        index=index,
        city=city,
        name=name,
        lat=round(lat, 6),
        lon=round(lon, 6),
        street=f"{number} {side[0]} {street} {kind[0]}",
        street_long=f"{number} {side[1]} {street} {kind[1]}",
        postcode=f"{city.zip3}{generator.randint(1, 39):02d}",
        phone=f"{city.area}555{1000 + index:04d}",
        licence=city.licence.format(100 + index),
        markets=("rec", "med") if med else ("rec",),
        menu_size=size,
        price_level=city.price * math.exp(0.08 * generator.gauss(0, 1)),
    )


def _scatter(generator: Random, city: City) -> tuple[float, float]:
    distance_km = city.spread_km + city.reach_km
    while distance_km > city.reach_km:
        distance_km = math.hypot(generator.gauss(0, city.spread_km), generator.gauss(0, city.spread_km))
    bearing = generator.uniform(0, 2 * math.pi)
    return _moved(city.lat, city.lon, distance_km * math.cos(bearing), distance_km * math.sin(bearing))


def _moved(lat: float, lon: float, north_km: float, east_km: float) -> tuple[float, float]:
    return lat + north_km / _KM_PER_DEGREE, lon + east_km / (_KM_PER_DEGREE * math.cos(math.radians(lat)))


def make_listings(seed: int, shops: Sequence[Shop]) -> tuple[Listing, ...]:
    """Return every shop's listings, ordered by shop."""
    listed: list[list[str]] = [[] for _ in shops]
    for city in CITIES:
        members = sorted((s for s in shops if s.city is city), key=lambda s: (s.menu_size, s.index))
        assigned = _assign(rng(seed, "listed", city.name), len(members))
        for shop, origins in zip(members, assigned, strict=True):
            listed[shop.index] = origins
    return tuple(_listing(seed, shop, origin) for shop in shops for origin in listed[shop.index])


def _assign(generator: Random, n: int) -> list[list[str]]:
    """Return the origins of ``n`` shops in order of size: each origin has small and large ones.

    A shop without a point of sale that is listed nowhere else is on weedmaps.
    """
    dutchie, jane = LISTED_SHARES["dutchie"], LISTED_SHARES["jane"]
    assigned: list[list[str]] = [["dutchie"] if taken else [] for taken in spread(generator, n, dutchie)]
    free = [origins for origins in assigned if not origins]
    for origins, taken in zip(free, spread(generator, len(free), jane / (1 - dutchie)), strict=True):
        origins += ["jane"] if taken else []
    for origin in ("leafly", "weedmaps"):
        for origins, taken in zip(assigned, spread(generator, n, LISTED_SHARES[origin]), strict=True):
            origins += [origin] if taken or (origin == "weedmaps" and not origins) else []
    return assigned


def _listing(seed: int, shop: Shop, origin: str) -> Listing:
    u = uniforms(seed, "listing", origin, shop.index)
    lat, lon = _moved(shop.lat, shop.lon, (u[0] - 0.5) * 2e-3 * _JITTER_M, (u[1] - 0.5) * 2e-3 * _JITTER_M)
    name = _spelt(shop, origin)
    return Listing(
        origin=origin,
        id=native_id(seed, origin, shop.index),
        slug=slugify(name if name.endswith(shop.city.name) else f"{name} {shop.city.name}"),
        name=name,
        address=shop.street_long if origin in ("jane", "leafly") else shop.street,
        lat=round(lat, 6),
        lon=round(lon, 6),
        phone=shop.phone if origin != "jane" or u[3] < 0.5 else None,
        licence=shop.licence if origin == "weedmaps" and u[4] < 0.9 else None,
        style=int(u[5] * 6),
        shop=shop,
    )


def _spelt(shop: Shop, origin: str) -> str:
    stem, _, place = shop.name.partition(" - ")
    for last in words.SHOP_LAST:
        stem = stem.removesuffix(f" {last}")
    if origin == "dutchie":
        return f"{stem} - {place}" if place else stem
    if origin == "weedmaps":
        return f"{shop.name} - {shop.city.name}" if not place else f"{stem} {place}"
    if origin == "leafly":
        return f"{stem} Dispensary ({place or ('Med/Rec' if 'med' in shop.markets else 'Rec')})"
    return shop.name.replace("Cannabis Co.", "Cannabis Company")


def native_id(seed: int, origin: str, index: int) -> str:
    """Return the id that ``origin`` uses for shop ``index``; unique within the origin."""
    u = uniforms(seed, "shop id", origin, index)
    if origin == "dutchie":
        return f"{int(u[0] * 2**60) + (6 << 60):016x}{index:04x}{int(u[1] * 2**16):04x}"
    first, gap = {"jane": (1200, 7), "weedmaps": (14000, 61), "leafly": (300000, 83)}[origin]
    return str(first + index * gap + int(u[0] * gap))


_HOURS = ((480, 1320), (540, 1260), (540, 1320), (480, 1425), (600, 1200), (420, 1320))
_SUNDAY = ((600, 1140), (600, 1080), (540, 1200))


def opening(seed: int, shop: Shop, change: int) -> Opening:
    """Return hours and suite after the event ``change`` of the shop's entry (-1: its first state)."""
    u = uniforms(seed, "opening", shop.index, change)
    weekday, sunday = _HOURS[int(u[0] * len(_HOURS))], _SUNDAY[int(u[1] * len(_SUNDAY))]
    hours = tuple(OpenPeriod(d, *(weekday if d < 6 else sunday)) for d in range(7))
    return Opening(hours, f"Suite {int(100 + u[2] * 900)}" if change >= 0 else "")

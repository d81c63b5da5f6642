"""The shops of all origins around a place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from weedhounds.cache.identity import IdentityStore
from weedhounds.errors import Corrupt
from weedhounds.model.keys import RecordKey, near_key
from weedhounds.model.records import Shop, ShopList
from weedhounds.query.answer import Missing, Place
from weedhounds.query.places import cells_within
from weedhounds.readthrough import Found, ReadThrough, Trace
from weedhounds.sources.places import distance_km

MAX_NOT_PLACED = 200
"""Most shops without a position that an answer lists."""


class Listing(msgspec.Struct, frozen=True):
    """One origin's listing of a shop near the place, and how far away it is, kilometres."""

    shop: Shop
    distance_km: float


class Area(msgspec.Struct, frozen=True, kw_only=True):
    """A circle around a place and the search cells it touches."""

    place: Place
    radius_km: float
    cells: tuple[str, ...]

    @classmethod
    def of(cls, place: Place, radius_km: float) -> Area:
        """Return the area within ``radius_km`` of ``place``."""
        return cls(place=place, radius_km=radius_km, cells=tuple(cells_within(place, radius_km)))

    def listings(self, shops: Iterable[Shop]) -> list[Listing]:
        """Return the shops that stand within the area, nearest first, each once."""
        found = {}
        for shop in shops:
            if shop.lat is None or shop.lon is None:
                continue
            away = distance_km(self.place.lat, self.place.lon, shop.lat, shop.lon)
            if away <= self.radius_km:
                found[shop.origin, shop.id] = Listing(shop, away)
        return sorted(found.values(), key=lambda each: (each.distance_km, each.shop.key))


async def search_shops(
    read: ReadThrough, origin: str, area: Area, *, deadline: float, trace: Trace
) -> tuple[list[Shop], Missing | None]:
    """Return the shops that ``origin`` lists in the area's cells, asking it where the tiers do not know."""
    keys = [near_key(origin, cell) for cell in area.cells]
    result = await read.get_many(keys, deadline=deadline, trace=trace)
    missing = None
    if result.missing:
        missing = Missing(origin, "shops near the place", str(next(iter(result.missing.values()))))
    return shops_of(result.found.values()), missing


def shops_of(found: Iterable[Found]) -> list[Shop]:
    """Return the shops that the found entries hold; damaged entries hold none."""
    shops: list[Shop] = []
    for each in found:
        try:
            record = each.entry.record
        except Corrupt:
            continue
        if isinstance(record, ShopList):
            shops.extend(record.shops)
    return shops


async def held_shops(
    read: ReadThrough, index: IdentityStore, area: Area, *, trace: Trace, pinned_only: bool
) -> tuple[Mapping[str, Sequence[Shop]], list[Missing]]:
    """Return the shops that this node holds itself in the area, by origin, and those it cannot place.

    Args:
        pinned_only: imported ones alone; learnt ones are then left to the origins' own searches.
    """
    identities = [f"cell:{cell}" for cell in area.cells]
    keys = await index.keys_of([*identities, "cell:none"])
    asked: list[RecordKey] = sorted({key for some in keys.values() for key in some})
    result = await read.get_many(asked, deadline=None, trace=trace, offline=True)
    by_origin: dict[str, list[Shop]] = defaultdict(list)
    not_placed: list[Missing] = []
    for shop in shops_of(f for f in result.found.values() if f.entry.pinned or not pinned_only):
        if shop.lat is None:
            if not _is_elsewhere(shop, area.place):
                not_placed.append(_not_placed(shop))
        else:
            by_origin[shop.origin].append(shop)
    return by_origin, sorted(not_placed)[:MAX_NOT_PLACED]


def _not_placed(shop: Shop) -> Missing:
    return Missing(shop.origin, f"shop {shop.name} ({shop.id})", "not placed: no position known")


def _is_elsewhere(shop: Shop, place: Place) -> bool:
    """Tell whether a shop without a position is known to be in another state than the place."""
    state = place.name.partition(", ")[2][:2]
    return bool(shop.state and len(shop.state) == 2 and state.isalpha() and shop.state.upper() != state)

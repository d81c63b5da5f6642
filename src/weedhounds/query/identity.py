"""Which records of several origins are the same thing.

Two listings are one shop when their licence numbers are equal, or when they stand within
150 m of each other (both positions exact) under similar names, or share a phone number and
similar names. Two native ids of one origin are never merged. A position that is only a city's
centre is no evidence.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from rapidfuzz import fuzz

from weedhounds.model.names import slugify, tokens
from weedhounds.model.records import Body, LabResultList, PromotionList, Shop, ShopList, StrainList
from weedhounds.model.strains import strain_slug
from weedhounds.sources.assemble import shop_cell
from weedhounds.sources.places import distance_km

SAME_SPOT_KM = 0.15
SIMILAR_NAME = 80.0
_GRID_DEG = 0.002
"""Side of the squares in which neighbours are looked for: about 220 m north, 150 m east at 47 degrees."""
_MAX_BLOCK = 50
_NAME_NOISE = frozenset(
    ["dispensary", "cannabis", "co", "company", "the", "llc", "inc", "marijuana", "weed", "med", "rec", "medical", "recreational", "and"]
)  # fmt: skip
_DIGITS = re.compile(r"\D+")


def merge_shops(shops: Sequence[Shop]) -> list[list[Shop]]:
    """Return the shops in groups, each group one real shop; order of first appearance.

    Bounds: pairs are compared within blocks (licence, phone, position square) of at most 50 shops.
    """
    groups = _Groups(shops)
    for one, other in _candidates(shops):
        if _is_same(shops[one], shops[other]):
            groups.join(one, other)
    return groups.lists()


class _Groups:
    """Union-find in which a group never holds two ids of one origin."""

    def __init__(self, shops: Sequence[Shop]) -> None:
        self._shops = shops
        self._parent = list(range(len(shops)))
        self._origins = [{shop.origin} for shop in shops]

    def _root(self, index: int) -> int:
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, one: int, other: int) -> None:
        a, b = sorted((self._root(one), self._root(other)))
        if a != b and not self._origins[a] & self._origins[b]:
            self._parent[b] = a
            self._origins[a] |= self._origins[b]

    def lists(self) -> list[list[Shop]]:
        found: dict[int, list[Shop]] = {}
        for index, shop in enumerate(self._shops):
            found.setdefault(self._root(index), []).append(shop)
        return list(found.values())


def _candidates(shops: Sequence[Shop]) -> Iterator[tuple[int, int]]:
    """Yield pairs of different origins that share a block, strongest evidence first."""
    by_licence: dict[str, list[int]] = defaultdict(list)
    by_phone: dict[str, list[int]] = defaultdict(list)
    by_square: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, shop in enumerate(shops):
        if shop.license_number:
            by_licence[_licence(shop.license_number)].append(index)
        if shop.phone:
            by_phone[_phone(shop.phone)].append(index)
        if shop.lat is not None and shop.lon is not None and shop.position == "exact":
            row, column = round(shop.lat / _GRID_DEG), round(shop.lon / _GRID_DEG)
            for square in ((row + i, column + j) for i in (0, 1) for j in (0, 1)):
                by_square[square].append(index)
    for block in (*by_licence.values(), *by_phone.values(), *by_square.values()):
        members = block[:_MAX_BLOCK]
        for place, one in enumerate(members):
            yield from ((one, other) for other in members[place + 1 :] if shops[one].origin != shops[other].origin)


def _is_same(one: Shop, other: Shop) -> bool:
    if one.license_number and other.license_number:
        return _licence(one.license_number) == _licence(other.license_number)
    similar = fuzz.token_set_ratio(_shop_name(one.name), _shop_name(other.name)) >= SIMILAR_NAME
    if not similar:
        return False
    if one.phone and other.phone and _phone(one.phone) == _phone(other.phone):
        return True
    return _is_same_spot(one, other)


def _is_same_spot(one: Shop, other: Shop) -> bool:
    if one.position != "exact" or other.position != "exact":
        return False
    if one.lat is None or one.lon is None or other.lat is None or other.lon is None:
        return False
    return distance_km(one.lat, one.lon, other.lat, other.lon) <= SAME_SPOT_KM


def _licence(text: str) -> str:
    return "".join(tokens(text))


def _phone(text: str) -> str:
    return _DIGITS.sub("", text)[-10:]


def _shop_name(name: str) -> str:
    words = tokens(name)
    return " ".join(w for w in words if w not in _NAME_NOISE) or " ".join(words)


def identities_of(record: Body) -> Iterable[str]:
    """Yield the merged identities under which a record can be found again.

    ``cell:{h3}`` (``cell:none`` where not placed) for a shop's own record, ``strain:{slug}`` for
    strains and laboratory results. Searches' results are found by their own keys.
    """
    if isinstance(record, ShopList) and len(record.shops) == 1:
        yield f"cell:{shop_cell(record.shops[0]) or 'none'}"
    elif isinstance(record, StrainList):
        for strain in record.strains:
            yield f"strain:{strain.slug}"
            yield from (f"strain:{slugify(name)}" for name in strain.aka)
    elif isinstance(record, LabResultList):
        yield from {f"strain:{strain_slug(r.strain)}" for r in record.results if r.strain}
    elif isinstance(record, PromotionList):
        return

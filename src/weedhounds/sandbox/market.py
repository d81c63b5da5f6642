"""The simulated world as a function of seed and time; knows nothing of wire formats or HTTP.

Everything is asked for with a time and answered from the seed: menus, lots, shelves, pages. What
was made is kept in bounded memos, which change the speed of an answer and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from random import Random

import msgspec

from weedhounds.sandbox import rhythm
from weedhounds.sandbox.catalogue import STRAINS, Product, Strain, make_menu
from weedhounds.sandbox.changes import DailyStream, Event, MergedStream, RateStream, Stream
from weedhounds.sandbox.history import History
from weedhounds.sandbox.lru import Memo
from weedhounds.sandbox.promotions import Deal, make_deals
from weedhounds.sandbox.shops import Listing, Opening, Shop, make_listings, make_shops, opening
from weedhounds.sandbox.stock import Batch, Shelf, Special, make_batch, make_shelf, make_specials
from weedhounds.sandbox.strains import (
    Profile,
    RegistryRow,
    RegistryValues,
    StrainPage,
    make_page,
    make_profile,
    make_registry,
    registry_values,
)
from weedhounds.sources.places import distance_km

MENU_PER_DAY, PRICE_PER_DAY, REPRICES_PER_DAY = 14.0, 0.6, 0.15
INFO_PER_DAY, STRAIN_PER_DAY, TERPENES_PER_DAY, LAB_PER_DAY = 1 / 45, 1 / 200, 1 / 120, 1 / 365
REPRICED_SHARE = 0.4
BURST_FRAC = 0.06
_RARE = partial(RateStream, block_weeks=4)
"""Streams of keys that change seldom are made four weeks at a time."""


class ShopState(msgspec.Struct, frozen=True):
    """What stands in a shop at a moment.

    Args:
        batches, shelves: by product number, the event that made the lot and the shelf; products
            without batches come last on a menu and have none.
        menu_since, price_since: Unix seconds of the last change of each.
    """

    batches: tuple[Event, ...]
    shelves: tuple[Event, ...]
    menu_since: float
    price_since: float


class Market:
    """The world of one seed.

    Bounds: shops and listings are held whole (about 400 and 900); kept are menus of at most 512
    shops, 16,384 lots and shelves each, 4,096 streams and 2,048 blocks of events.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.shops: tuple[Shop, ...] = make_shops(seed)
        self.listings: tuple[Listing, ...] = make_listings(seed, self.shops)
        self.registry: tuple[RegistryRow, ...] = make_registry(seed)
        self.profiles: dict[str, Profile] = {s.slug: make_profile(seed, s) for s in STRAINS}
        self.strains: dict[str, Strain] = {s.slug: s for s in STRAINS}
        self._by_id = {(x.origin, x.id): x for x in self.listings}
        self._by_slug = {(x.origin, x.slug): x for x in self.listings}
        self._by_origin: dict[str, list[Listing]] = {}
        for listing in self.listings:
            self._by_origin.setdefault(listing.origin, []).append(listing)
        self._menus: Memo[int, tuple[Product, ...]] = Memo(512)
        self._specials: Memo[int, tuple[Special, ...]] = Memo(512)
        self._streams: Memo[tuple[str, str | int], Stream] = Memo(4096)
        self._batches: Memo[tuple[int, int, int], Batch] = Memo(16_384)
        self._shelves: Memo[tuple[int, int, int], Shelf] = Memo(16_384)
        self._history = History()

    def listing(self, origin: str, id_or_slug: str) -> Listing | None:
        """Return a listing by its native id or its slug."""
        return self._by_id.get((origin, id_or_slug)) or self._by_slug.get((origin, id_or_slug))

    def near(self, origin: str, lat: float, lon: float, radius_km: float) -> list[tuple[float, Listing]]:
        """Return (kilometres, listing) of ``origin`` within the radius, the nearest first."""
        measured = ((distance_km(lat, lon, x.lat, x.lon), x) for x in self._by_origin.get(origin, ()))
        return sorted((pair for pair in measured if pair[0] <= radius_km), key=lambda pair: (pair[0], pair[1].id))

    def menu(self, shop: Shop) -> tuple[Product, ...]:
        """Return what the shop carries; constant over time."""
        return self._menus.get(shop.index, lambda: make_menu(self.seed, shop))

    def specials(self, shop: Shop) -> tuple[Special, ...]:
        """Return the shop's standing specials; constant over time."""
        return self._specials.get(shop.index, lambda: make_specials(self.seed, shop))

    def state(self, shop: Shop, now: float) -> ShopState:
        """Return which lots and shelves stand in the shop at ``now`` (Unix seconds)."""
        menu = self.menu(shop)
        batches = self._history.standing(self.stream("menu", shop.index), _with_batches(menu), now)
        shelves = self._history.standing(self.stream("price", shop.index), len(menu), now)
        return ShopState(batches.latest, shelves.latest, batches.since, shelves.since)

    def batch(self, shop: Shop, product: Product, event: Event) -> Batch:
        """Return the lot that ``event`` brought."""
        profile = self.profiles[product.strain.slug] if product.strain else None
        key = (shop.index, product.index, event.id)
        return self._batches.get(key, lambda: make_batch(self.seed, shop, product, event, profile=profile))

    def shelf(self, shop: Shop, product: Product, event: Event) -> Shelf:
        """Return the tag and count that ``event`` made."""
        key = (shop.index, product.index, event.id)
        return self._shelves.get(key, lambda: make_shelf(self.seed, shop, product, event, specials=self.specials(shop)))

    def opening(self, shop: Shop, now: float) -> Opening:
        """Return the shop's hours and suite at ``now``."""
        return opening(self.seed, shop, self._history.last(self.stream("info", shop.index), now).id)

    def deals(self, shop: Shop, now: float) -> tuple[Deal, ...]:
        """Return the shop's conditional deals at ``now``."""
        event = self._history.last(self.stream("promotions", shop.index), now)
        return make_deals(self.seed, shop, event, rhythm.zone_of(shop.city.zone))

    def page(self, strain: Strain, now: float) -> StrainPage:
        """Return the strain's page at ``now``."""
        page = self._history.last(self.stream("strain", strain.slug), now)
        terpenes = self._history.last(self.stream("terpenes", strain.slug), now)
        return make_page(self.seed, strain, self.profiles[strain.slug], page=page, terpenes=terpenes)

    def analysis(self, row: RegistryRow, now: float) -> RegistryValues:
        """Return a registry row's values at ``now``."""
        event = self._history.last(self.stream("lab", row.number), now)
        return registry_values(self.seed, row, self.profiles[row.strain.slug], event)

    def events(self, kind: str, of: str | int, start_s: float, end_s: float) -> Iterator[Event]:
        """Yield the changes with ``start_s < t <= end_s`` of a key.

        Args:
            kind: ``menu``, ``price``, ``info``, ``promotions`` (of a shop's index), ``strain``,
                ``terpenes`` (of a slug) or ``lab`` (of a registration's number).
        """
        return self._history.between(self.stream(kind, of), start_s, end_s)

    def stream(self, kind: str, of: str | int) -> Stream:
        """Return the stream of a key's changes; kinds as in :meth:`events`."""
        return self._streams.get((kind, of), lambda: self._make_stream(kind, of))

    def _make_stream(self, kind: str, of: str | int) -> Stream:
        name = (kind, of)
        if isinstance(of, int) and kind != "lab":
            return self._shop_stream(kind, self.shops[of], name)
        zone = rhythm.zone_of("America/New_York")
        rate = {"strain": STRAIN_PER_DAY, "terpenes": TERPENES_PER_DAY, "lab": LAB_PER_DAY}[kind]
        return _RARE(self.seed, name, zone, rate, profile=rhythm.FLAT)

    def _shop_stream(self, kind: str, shop: Shop, name: tuple[str | int, ...]) -> Stream:
        zone = rhythm.zone_of(shop.city.zone)
        if kind == "info":
            return _RARE(self.seed, name, zone, INFO_PER_DAY, profile=rhythm.INFO)
        if kind == "promotions":
            return DailyStream(self.seed, name, zone)
        parts = len(self.menu(shop))
        if kind == "menu":
            hit = _one_of(_with_batches(self.menu(shop)))
            return RateStream(self.seed, name, zone, MENU_PER_DAY, profile=rhythm.MENU, hit=hit, burst_frac=BURST_FRAC)
        rounds = RateStream(self.seed, name, zone, PRICE_PER_DAY, profile=rhythm.PRICE, hit=_some_of(parts))
        reprices = RateStream(
            self.seed, ("reprice", *name), zone, REPRICES_PER_DAY, profile=rhythm.PRICE, hit=_share_of(parts), sigma=0
        )
        return MergedStream(rounds, reprices)


Hit = Callable[[Random], tuple[int, ...]]


def _with_batches(menu: tuple[Product, ...]) -> int:
    """Return how many products of a menu have batches; they come first."""
    return sum(product.has_batches for product in menu)


def _one_of(n: int) -> Hit:
    return lambda generator: (int(generator.random() * n),)


def _some_of(n: int) -> Hit:
    """Hit 3 to 8 products: a round through the shop with new tags and a count."""
    return lambda generator: tuple(generator.sample(range(n), min(n, generator.randint(3, 8))))


def _share_of(n: int) -> Hit:
    """Hit two products in five: the shop reprices."""
    return lambda generator: tuple(generator.sample(range(n), round(n * REPRICED_SHARE)))

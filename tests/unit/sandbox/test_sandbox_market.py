"""The market: shops, listings and menus, and what a hunt around Denver costs for any seed."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from weedhounds.model.names import slugify, tokens
from weedhounds.model.records import Category
from weedhounds.sandbox import Market, vocabulary
from weedhounds.sandbox.catalogue import STRAINS
from weedhounds.sandbox.shops import Listing
from weedhounds.sandbox.spelling import make_items, spelt
from weedhounds.sources.places import distance_km

NOW = 1_767_600_000.0
DENVER = (39.73915, -104.9847)
SEEDS = range(1, 25)
PAGE_SIZES = {"dutchie": 100, "jane": 1000, "weedmaps": 100, "leafly": 60}


@lru_cache(maxsize=32)
def market_of(seed: int) -> Market:
    return Market(seed)


@pytest.fixture
def market() -> Market:
    return market_of(1)


def around_denver(market: Market) -> list[Listing]:
    return [x for x in market.listings if distance_km(*DENVER, x.lat, x.lon) <= 40]


def hunt_calls(market: Market) -> Counter[str]:
    """Return the upstream calls of a hunt for a strain within 40 km of Denver, by origin.

    One shop search an origin, one strain page, one registry query, all pages of every menu, and
    the specials of every shop at dutchie.
    """
    calls = Counter({"dutchie": 1, "jane": 1, "weedmaps": 1, "leafly": 2, "socrata_ct": 1})
    for listing in around_denver(market):
        calls[listing.origin] += math.ceil(listing.shop.menu_size / PAGE_SIZES[listing.origin])
        calls[listing.origin] += listing.origin == "dutchie"
    return calls


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hunt_around_denver_costs_as_much_as_promised_for_every_seed(seed: int) -> None:
    calls = hunt_calls(market_of(seed))
    assert 185 <= calls.total() <= 240
    assert max(calls.values()) <= 78


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hunt_around_denver_finds_blue_dream_for_every_seed(seed: int) -> None:
    market = market_of(seed)
    shops = {x.shop.index for x in around_denver(market)}
    products = [p for i in shops for p in market.menu(market.shops[i]) if p.strain and p.strain.slug == "blue-dream"]
    assert sum(len(p.variants) for p in products) >= 100


@pytest.mark.parametrize("seed", SEEDS)
def test_one_page_of_a_search_holds_all_shops_within_60_km_of_denver(seed: int) -> None:
    market = market_of(seed)
    assert all(len(market.near(origin, *DENVER, 60)) <= 100 for origin in PAGE_SIZES)


def test_a_search_covers_more_shops_than_lie_within_the_radius(market: Market) -> None:
    assert len(market.near("weedmaps", *DENVER, 60)) > len(market.near("weedmaps", *DENVER, 40))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_there_are_hundreds_of_shops_in_many_cities_and_four_time_zones(seed: int) -> None:
    shops = market_of(seed).shops
    moment = datetime.fromtimestamp(NOW, UTC)
    assert 300 <= len(shops) <= 420
    assert len({s.city.name for s in shops}) >= 10
    assert len({moment.astimezone(ZoneInfo(s.city.zone)).utcoffset() for s in shops}) == 4


def test_menus_have_20_to_400_products_and_vary_widely(market: Market) -> None:
    sizes = sorted(s.menu_size for s in market.shops)
    assert (sizes[0], sizes[-1]) == (20, 400)
    assert 85 <= sizes[len(sizes) // 2] <= 115
    assert all(len(market.menu(s)) == s.menu_size for s in market.shops[:40])


def test_every_shop_is_listed_and_has_at_most_one_point_of_sale(market: Market) -> None:
    origins: dict[int, list[str]] = {s.index: [] for s in market.shops}
    for listing in market.listings:
        origins[listing.shop.index].append(listing.origin)
    assert all(found and len(found) == len(set(found)) for found in origins.values())
    assert not any({"dutchie", "jane"} <= set(found) for found in origins.values())
    assert 0.4 < sum("dutchie" in found for found in origins.values()) / len(origins) < 0.6
    assert any(found == ["weedmaps"] for found in origins.values())


def test_native_ids_and_slugs_are_unique_within_an_origin(market: Market) -> None:
    for origin in PAGE_SIZES:
        listings = [x for x in market.listings if x.origin == origin]
        assert len({x.id for x in listings}) == len({x.slug for x in listings}) == len(listings)
    assert all(len(x.id) == 24 for x in market.listings if x.origin == "dutchie")
    assert all(x.id.isdigit() for x in market.listings if x.origin != "dutchie")


def test_listings_of_one_shop_agree_in_what_identifies_it_and_differ_in_spelling(market: Market) -> None:
    by_shop: dict[int, list[Listing]] = {}
    for listing in market.listings:
        by_shop.setdefault(listing.shop.index, []).append(listing)
    several = [found for found in by_shop.values() if len(found) > 1]
    for found in several:
        assert len({x.phone for x in found} - {None}) <= 1
        assert len({x.licence for x in found} - {None}) <= 1
        assert all(distance_km(a.lat, a.lon, b.lat, b.lon) < 0.05 for a in found for b in found)
    assert sum(len({x.name for x in found}) > 1 for found in several) / len(several) > 0.9
    assert any(x.licence is None for x in market.listings if x.origin == "weedmaps")
    assert any(x.phone is None for x in market.listings)


def test_no_two_shops_share_a_licence_or_a_phone(market: Market) -> None:
    assert len({s.licence for s in market.shops}) == len({s.phone for s in market.shops}) == len(market.shops)
    assert all(s.phone[3:6] == "555" for s in market.shops)


def test_a_listing_is_found_by_id_and_by_slug(market: Market) -> None:
    listing = market.listings[5]
    assert market.listing(listing.origin, listing.id) is market.listing(listing.origin, listing.slug) is listing
    assert market.listing(listing.origin, "nothing") is None


def test_a_search_gives_the_nearest_first_and_none_beyond_the_radius(market: Market) -> None:
    found = market.near("leafly", 45.5235, -122.6762, 12)
    distances = [km for km, _ in found]
    assert distances == sorted(distances)
    assert all(km <= 12 for km in distances)
    assert {x.shop.city.name for _, x in found} == {"Portland"}


def test_no_spelling_of_a_strain_becomes_another_strain() -> None:
    squashed = {s.slug: "".join(tokens(s.name)) for s in STRAINS}
    for strain in STRAINS:
        for style in range(6):
            written = "".join(tokens(spelt(strain, style)))
            assert {slug for slug, own in squashed.items() if own in written} == {strain.slug}


def test_no_brand_flavour_or_gear_contains_a_strain() -> None:
    others = [row[0] for row in vocabulary.BRAND_ROWS] + [*vocabulary.FLAVOURS, *vocabulary.GEAR]
    squashed = ["".join(tokens(s.name)) for s in STRAINS]
    assert [other for other in others if any(own in "".join(tokens(other)) for own in squashed)] == []


def test_blue_dream_is_spelt_in_six_ways_over_the_listings(market: Market) -> None:
    names = set()
    for listing in market.listings:
        menu = market.menu(listing.shop)
        for product, item in zip(menu, make_items(listing, menu), strict=True):
            if product.strain and product.strain.slug == "blue-dream" and product.form == "Flower":
                names.add(item.name.rpartition(": ")[2])
    assert names == {"Blue Dream", "BlueDream", "blue dream", "Blue Dream (H)", "BLUE DREAM | Hybrid", "Blue-Dream"}


def test_menus_follow_the_shares_of_categories_and_the_popularity_of_strains(market: Market) -> None:
    products = [p for shop in market.shops for p in market.menu(shop)]
    categories = Counter(p.category for p in products)
    assert categories[Category.FLOWER] / len(products) == pytest.approx(0.30, abs=0.01)
    assert categories[Category.EDIBLE] / len(products) == pytest.approx(0.14, abs=0.01)
    strains = Counter(p.strain.slug for p in products if p.strain)
    assert strains["blue-dream"] == max(strains.values())
    assert strains["blue-dream"] / strains[slugify("OG Kush")] == pytest.approx(2**0.9, rel=0.15)


def test_a_menu_has_no_product_twice_and_variants_of_the_trade(market: Market) -> None:
    for shop in market.shops[:30]:
        menu = market.menu(shop)
        named = [(p.category, p.form, p.strain.slug if p.strain else p.flavour, p.brand) for p in menu]
        assert len(set(named)) == len(named)
        assert all(p.variants and all(v.cents >= 100 for v in p.variants) for p in menu)
        flower = [p for p in menu if p.category is Category.FLOWER]
        assert all({v.grams for v in p.variants} <= {1.0, 3.5, 7.0, 14.0, 28.0} for p in flower)


def test_a_larger_weight_never_costs_more_a_gram(market: Market) -> None:
    for product in market.menu(market.shops[3]):
        per_gram = [v.cents / v.grams for v in product.variants if v.grams]
        assert all(later <= earlier * 1.02 for earlier, later in pairwise(per_gram))


def fingerprint(seed: int) -> str:
    market = Market(seed)
    state = market.state(market.shops[7], NOW)
    menu = market.menu(market.shops[7])
    return repr(
        (
            market.listings[11],
            menu[3],
            state,
            market.batch(market.shops[7], menu[3], state.batches[3]),
            market.page(market.strains["blue-dream"], NOW),
            market.analysis(market.registry[5], NOW),
            market.deals(market.shops[7], NOW),
        )
    )


def test_the_same_seed_gives_the_same_market_in_another_process() -> None:
    folder = str(Path(__file__).parent)
    program = f"import sys; sys.path.insert(0, {folder!r}); import test_sandbox_market as t; print(t.fingerprint(5))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == fingerprint(5)
    assert fingerprint(5) != fingerprint(6)


def test_a_market_answers_the_same_whatever_was_asked_before(market: Market) -> None:
    shop = market.shops[20]
    for i in range(40):
        market.state(shop, NOW + i * 50_000)
    assert market.state(shop, NOW) == Market(1).state(shop, NOW)


def test_two_seeds_give_two_markets() -> None:
    a, b = market_of(1), market_of(2)
    assert {s.name for s in a.shops} != {s.name for s in b.shops}
    assert msgspec.json.encode(a.menu(a.shops[0])) != msgspec.json.encode(b.menu(b.shops[0]))

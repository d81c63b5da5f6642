"""A tier's figures by data type: what the tier tells, and what was asked of it."""

from __future__ import annotations

from random import Random

import pytest

from sample_entries import NOW, menu, price_list
from weedhounds.cache.entry import Entry
from weedhounds.cache.memory import MemoryTier
from weedhounds.cache.meter import RequestMeter, TierMeter
from weedhounds.cache.tier import TierStats, TypeStats, hit_ratio
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey

MENUS, PRICES = DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING


def key(data_type: DataType, shop: int) -> RecordKey:
    return RecordKey(data_type, "weedmaps", str(shop))


def entry(data_type: DataType, shop: int, size: int, fetched_at: float = NOW) -> Entry:
    record = menu(shop, size) if data_type is MENUS else price_list(str(shop), size)
    return Entry.of(key(data_type, shop), record, fetched_at=fetched_at, expires_at=fetched_at + 600)


@pytest.mark.parametrize("seed", range(5))
async def test_in_memory_the_types_add_up_to_the_whole_whatever_happens(seed: int) -> None:
    rng = Random(seed)
    tier = MemoryTier(12_000)
    for n in range(400):
        data_type, shop = rng.choice((MENUS, PRICES)), rng.randrange(12)
        match rng.randrange(6):
            case 0:
                await tier.discard([key(data_type, shop)])
            case 1:
                found = await tier.get_many([key(data_type, shop)])
                assert all(each.record for each in found.values())
            case 2:
                tier.take_fresh(key(data_type, shop), NOW)
            case _:
                tier.put(entry(data_type, shop, rng.choice((1, 20, 60, 500)), NOW + rng.randrange(n + 1)))
        stats = tier.stats()
        assert sum(each.bytes or 0 for each in stats.by_type.values()) == stats.bytes
        assert sum(each.entries or 0 for each in stats.by_type.values()) == stats.entries
        assert sum(each.evictions or 0 for each in stats.by_type.values()) == stats.evictions
    assert tier.stats().evictions > 10
    assert sum(tier.direct_hits().values()) > 0
    await tier.close()
    assert {(each.entries, each.bytes) for each in tier.stats().by_type.values()} <= {(0, 0)}


async def test_what_is_served_without_the_read_path_is_a_hit_of_its_type() -> None:
    tier = MemoryTier(1 << 20)
    tier.put(entry(MENUS, 1, 1))
    for _ in range(2):
        assert tier.take_fresh(key(MENUS, 1), NOW) is not None
    assert tier.take_fresh(key(PRICES, 1), NOW) is None
    assert (tier.direct_hits()[MENUS], tier.direct_hits()[PRICES], tier.stats().hits) == (2, 0, 2)


def test_a_meter_lays_what_was_asked_over_what_the_tier_tells() -> None:
    meter = TierMeter(lambda: {MENUS: 5})
    meter.asked([key(MENUS, 1), key(PRICES, 1), key(PRICES, 2)], {key(PRICES, 1): entry(PRICES, 1, 1)})
    meter.served_stale(PRICES)
    own = TierStats(hits=99, misses=99, puts=3, bytes=50, by_type={"dispensary_menu": TypeStats(bytes=20)})
    stats = meter.over(own)
    assert (stats.hits, stats.misses, stats.stale, stats.puts, stats.bytes) == (6, 2, 1, 3, 50)
    assert stats.hit_ratio == 0.75
    assert stats.by_type == {
        "dispensary_menu": TypeStats(hits=5, misses=1, hit_ratio=0.8333, bytes=20),
        "product_pricing": TypeStats(hits=1, misses=1, hit_ratio=0.5, stale=1),
    }


def test_requests_are_hits_and_misses_of_every_kind() -> None:
    direct = {MENUS: 2}
    meter = RequestMeter(lambda: direct)
    for outcome in ("hits", "loaded", "stale", "missing", "missing"):
        meter.add(PRICES, outcome)
    total = meter.total()
    assert (total.requests, total.hits, total.misses) == (7, 3, 4)
    assert (total.loaded, total.stale, total.missing) == (1, 1, 2)
    by_type = meter.by_type()
    assert (by_type["dispensary_menu"].requests, by_type["dispensary_menu"].hit_ratio) == (2, 1.0)
    assert set(by_type) == {"dispensary_menu", "product_pricing"}


@pytest.mark.parametrize(("hits", "misses", "ratio"), [(0, 0, 0.0), (0, 5, 0.0), (1, 2, 0.3333), (7, 0, 1.0)])
def test_a_hit_ratio_is_a_share(hits: int, misses: int, ratio: float) -> None:
    assert hit_ratio(hits, misses) == ratio

"""The memory tier counts what it holds, decoded records included."""

from __future__ import annotations

import pytest

from sample_entries import NOW, menu_entry, menu_key, price_list, raw_entry
from weedhounds.cache.entry import Entry
from weedhounds.cache.memory import ENTRY_BYTES, RECHECK_AFTER, MemoryTier, weigh
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey


def undecoded(shop: int | str, products: int = 50) -> Entry:
    whole = menu_entry(shop, products=products)
    return Entry(
        whole.key,
        whole.body,
        fetched_at=whole.fetched_at,
        expires_at=whole.expires_at,
        digest=whole.digest,
        origins=whole.origins,
    )


def test_the_fast_path_returns_what_was_put() -> None:
    tier = MemoryTier(1 << 20)
    entry = menu_entry("1")
    tier.put(entry)
    assert tier.get(entry.key) is entry
    assert tier.get(menu_key("2")) is None
    assert (tier.stats().hits, tier.stats().misses) == (1, 1)


def test_a_decoded_record_weighs_more_than_its_bytes() -> None:
    light, heavy = undecoded("1"), menu_entry("1", products=50)
    assert weigh(light) == ENTRY_BYTES + len(light.body)
    assert weigh(heavy) > 5 * weigh(light)


def test_a_record_that_compresses_well_is_weighed_by_what_it_becomes() -> None:
    key = RecordKey(DataType.PRODUCT_PRICING, "weedmaps", "1")
    entry = Entry.of(key, price_list("1", 500), fetched_at=NOW, expires_at=NOW + 600)
    assert weigh(entry) > 30 * len(entry.body)


def test_a_record_decoded_later_is_counted_at_the_next_use() -> None:
    tier = MemoryTier(1 << 20)
    entry = undecoded("1")
    tier.put(entry)
    assert tier.stats().bytes == ENTRY_BYTES + len(entry.body)
    assert entry.record
    tier.get(entry.key)
    assert tier.stats().bytes == weigh(entry)


def test_a_record_decoded_later_is_counted_though_never_asked_for_again() -> None:
    tier = MemoryTier(1 << 30)
    entry = undecoded("first")
    tier.put(entry)
    assert entry.record
    before = tier._held.weight
    for number in range(RECHECK_AFTER + 1):
        tier.put(raw_entry(number, b"x" * 30))
    added = (RECHECK_AFTER + 1) * (ENTRY_BYTES + 30)
    assert tier._held.weight == before + added + weigh(entry) - (ENTRY_BYTES + len(entry.body))


def test_the_figures_count_what_was_decoded_meanwhile() -> None:
    tier = MemoryTier(1 << 20)
    entry = undecoded("1")
    tier.put(entry)
    assert entry.record
    assert tier.stats().bytes == weigh(entry)


def test_decoding_what_is_held_makes_others_leave() -> None:
    entries = [undecoded(number) for number in range(20)]
    tier = MemoryTier(20 * weigh(entries[0]) + 1000)
    for entry in entries:
        tier.put(entry)
    assert tier.stats().entries == 20
    for entry in entries:
        assert entry.record
    stats = tier.stats()
    assert stats.bytes <= 20 * (ENTRY_BYTES + len(entries[0].body)) + 1000
    assert stats.evictions == 20 - stats.entries > 0


def test_the_budget_holds_and_evictions_are_counted() -> None:
    tier = MemoryTier(50_000)
    for number in range(200):
        tier.put(raw_entry(number, b"x" * 1000))
    stats = tier.stats()
    assert stats.bytes <= 50_000
    assert (stats.puts, stats.entries) == (200, 200 - stats.evictions)
    assert stats.entries == 50_000 // (ENTRY_BYTES + 1000)


def test_an_entry_over_the_budget_is_not_accepted() -> None:
    tier = MemoryTier(5_000)
    tier.put(raw_entry("1", b"x" * 100, fetched_at=NOW))
    tier.put(raw_entry("1", b"x" * 6_000, fetched_at=NOW + 1))
    assert tier.get(menu_key("1")) is None
    assert tier.stats().puts == 1


def test_an_older_entry_over_the_budget_does_not_cost_the_newer_one() -> None:
    tier = MemoryTier(5_000)
    tier.put(raw_entry("1", b"new", fetched_at=NOW))
    tier.put(raw_entry("1", b"x" * 6_000, fetched_at=NOW - 1))
    held = tier.get(menu_key("1"))
    assert held is not None
    assert held.body == b"new"


@pytest.mark.parametrize("body", [b"", b"x", b"\xff" * 16, b"\xff" * 40])
def test_bytes_that_are_no_envelope_are_weighed_too(body: bytes) -> None:
    tier = MemoryTier(1 << 20)
    tier.put(raw_entry("1", body))
    assert tier.stats().bytes == ENTRY_BYTES + len(body)

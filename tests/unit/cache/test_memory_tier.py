"""The memory tier counts what it holds, decoded records included."""

from __future__ import annotations

import pytest

from sample_entries import NOW, menu_entry, menu_key, price_list, raw_entry
from weedhounds.cache.entry import Entry
from weedhounds.cache.memory import ENTRY_BYTES, MemoryTier, weigh
from weedhounds.cache.rendered import RENDERED_BYTES, Rendered
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


def answer_of(length: int) -> Rendered:
    return Rendered(b"x" * length, digest="", expires_at=NOW)


def held_of(entry: Entry) -> str:
    return ", ".join(
        name for name, held in (("rendered", entry.rendered), ("record", entry.is_decoded)) if held not in (None, False)
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


def test_a_record_decoded_later_is_counted_at_the_next_call() -> None:
    tier = MemoryTier(1 << 20)
    entry = undecoded("1")
    tier.put(entry)
    assert tier.stats().bytes == ENTRY_BYTES + len(entry.body)
    assert entry.record
    tier.get(menu_key("another"))
    assert tier._held.weight == weigh(entry) > 5 * len(entry.body)


def test_whatever_was_decoded_meanwhile_counts_at_the_next_call() -> None:
    entries = [undecoded(number) for number in range(600)]
    tier = MemoryTier(1 << 30)
    for entry in entries:
        tier.put(entry)
    assert all(entry.record for entry in entries)
    tier.put(raw_entry("another", b"x" * 30))
    assert tier._held.weight == sum(map(weigh, entries)) + ENTRY_BYTES + 30


def test_what_a_reader_prepares_is_counted_and_goes_with_the_record() -> None:
    tier = MemoryTier(1 << 20)
    entry = undecoded("1")
    tier.put(entry)
    bare = tier.stats().bytes
    entry.prepared = [entry.record]
    assert tier.stats().bytes == weigh(entry) > bare
    entry.drop_record()
    assert entry.prepared is None


def test_an_answer_that_was_rendered_is_counted() -> None:
    tier = MemoryTier(1 << 20)
    entry = undecoded("1")
    tier.put(entry)
    before = tier.stats().bytes
    entry.keep_rendered(answer_of(5000))
    assert tier.stats().bytes == before + RENDERED_BYTES + 5000


def test_representations_leave_in_the_order_of_what_they_cost_to_make_again_and_then_the_entry() -> None:
    entry = menu_entry("1", products=50)
    tier = MemoryTier(16 * weigh(entry))
    tier.put(entry)
    entry.keep_rendered(answer_of(5000))
    seen = [held_of(entry)]
    number = 0
    while tier.get(menu_key("none")) is None and tier._held.peek(entry.key) is entry and number < 5000:
        tier.put(raw_entry(f"other {number}", b"x" * 500))
        number += 1
        if held_of(entry) != seen[-1]:
            seen.append(held_of(entry))
    assert seen == ["rendered, record", "record", ""]
    assert tier._held.peek(entry.key) is None
    left = tier.evictions()
    assert (left.rendered, left.records) == (1, 1)
    assert left.unused == tier.stats().evictions > 0


def test_an_entry_asked_for_again_keeps_its_representations() -> None:
    entry = menu_entry("1", products=50)
    tier = MemoryTier(16 * weigh(entry))
    tier.put(entry)
    for number in range(3000):
        tier.put(raw_entry(f"other {number}", b"x" * 500))
        tier.get(entry.key)
    assert entry.is_decoded
    assert tier.evictions().records == 0


def test_what_was_asked_for_again_and_then_no_longer_has_cooled() -> None:
    tier = MemoryTier(20_000)
    tier.put(raw_entry("1", b"x"))
    tier.get(menu_key("1"))
    number = 0
    while tier._held.peek(menu_key("1")) and number < 1000:
        number += 1
        for _ in range(2):  # comes back while it is remembered: enters the main queue
            tier.put(raw_entry(f"other {number % 40}", b"x" * 100))
    assert tier.evictions().cooled > 0
    assert tier.evictions().cooled + tier.evictions().unused == tier.stats().evictions


def test_the_representations_of_one_huge_entry_are_not_kept() -> None:
    entry = menu_entry("1", products=400)
    others = [menu_entry(f"other {number}", products=3) for number in range(20)]
    tier = MemoryTier(6 * weigh(entry))
    for each in (*others, entry):
        tier.put(each)
    assert not entry.is_decoded
    assert tier.get(entry.key) is entry
    assert all(each.is_decoded for each in others)
    assert tier.evictions().records == 1


def test_decoding_what_is_held_costs_other_records_before_it_costs_entries() -> None:
    entries = [undecoded(number, products=20) for number in range(40)]
    tier = MemoryTier(40 * weigh(entries[0]) + 40_000)
    for entry in entries:
        tier.put(entry)
    for entry in entries:
        assert entry.record
    stats = tier.stats()
    assert stats.bytes <= 40 * (ENTRY_BYTES + len(entries[0].body)) + 40_000
    assert stats.entries == 40
    assert 0 < sum(entry.is_decoded for entry in entries) < 40
    assert tier.evictions().records == sum(not entry.is_decoded for entry in entries)


def test_a_fresh_entry_is_taken_at_once_and_counted() -> None:
    tier = MemoryTier(1 << 20)
    entry = menu_entry("1")
    tier.put(entry)
    assert tier.take_fresh(entry.key, NOW) is entry
    assert (tier.stats().hits, tier.stats().misses) == (1, 0)
    assert tier.direct_hits()[DataType.DISPENSARY_MENU] == 1
    tier.not_served(entry.key)
    assert tier.stats().hits == 0


@pytest.mark.parametrize(
    ("after_s", "limit_s", "is_taken"),
    [(0, None, True), (3599.9, None, True), (3600, None, False), (99, 100, True), (100, 100, False)],
)
def test_what_is_expired_or_must_be_gone_is_not_taken(after_s: float, limit_s: float | None, is_taken: bool) -> None:
    tier = MemoryTier(1 << 20)
    tier.put(menu_entry("1"))
    assert (tier.take_fresh(menu_key("1"), NOW + after_s, limit_s) is not None) is is_taken
    assert tier.take_fresh(menu_key("2"), NOW) is None
    assert (tier.stats().hits, tier.stats().misses) == (is_taken, 0)


def test_what_is_taken_at_once_is_a_use() -> None:
    entry = raw_entry("1", b"x" * 500)
    tier = MemoryTier(20_000)
    tier.put(entry)
    for number in range(100):
        tier.put(raw_entry(f"other {number}", b"x" * 500))
        assert tier.take_fresh(entry.key, NOW) is entry


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
    assert tier.evictions().too_large == 1


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

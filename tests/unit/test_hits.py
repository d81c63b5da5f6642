"""The short way to what the memory tier holds fresh."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from sample_entries import NOW, menu_entry, menu_key, raw_entry
from weedhounds.cache.entry import Entry
from weedhounds.cache.memory import MemoryTier, weigh
from weedhounds.cache.rendered import REUSE_S
from weedhounds.clock import ManualClock
from weedhounds.config import Settings, load_settings
from weedhounds.errors import BadInput
from weedhounds.hits import MAX_KNOWN, Hits
from weedhounds.model.datatypes import DataType
from weedhounds.node import Node
from weedhounds.telemetry import Trace

KEY = "dispensary_menu:weedmaps:1"


def _stale(entry: Entry, now: float) -> float:
    return entry.age_s(now) / 10_000


@pytest.fixture
def memory() -> MemoryTier:
    """Return a tier that holds one menu."""
    tier = MemoryTier(1 << 20)
    tier.put(menu_entry("1"))
    return tier


@pytest.fixture
def hits(memory: MemoryTier, clock: ManualClock) -> Hits:
    """Return the short way to it; the terms of the second origin limit storage to 100 s."""
    return Hits(memory, clock, {"weedmaps": None, "leafly": 100.0}, _stale)


def test_a_fresh_entry_is_returned_and_counted_once(hits: Hits, memory: MemoryTier) -> None:
    entry = hits.entry(KEY)
    assert entry is not None
    assert entry.key == menu_key("1")
    assert (memory.stats().hits, memory.stats().misses) == (1, 0)
    assert memory.direct_hits()[DataType.DISPENSARY_MENU] == 1


@pytest.mark.parametrize("text", ["dispensary_menu:weedmaps:2", "product_pricing:weedmaps:1", "dispensary_menu:jane:1"])
def test_what_is_not_held_or_not_configured_is_left_to_the_read_path(hits: Hits, memory: MemoryTier, text: str) -> None:
    memory.put(raw_entry("x", b""))
    assert hits.entry(text) is None
    assert hits.answer(text) is None
    assert (memory.stats().hits, memory.stats().misses) == (0, 0)


def test_an_expired_entry_is_left_to_the_read_path(hits: Hits, memory: MemoryTier, clock: ManualClock) -> None:
    for _ in range(2):  # the second time its place is known
        assert hits.entry(KEY) is not None
        assert hits.answer(KEY) is not None
    clock.advance(3600)
    assert hits.entry(KEY) is None
    assert hits.answer(KEY) is None
    assert memory.stats().hits == 4


def test_what_must_be_gone_is_left_to_the_read_path(clock: ManualClock) -> None:
    memory = MemoryTier(1 << 20)
    memory.put(menu_entry("1", pinned_at=NOW - 50, fetched_at=NOW - 5000, expires_at=NOW + 5000))
    hits = Hits(memory, clock, {"weedmaps": 100.0}, _stale)
    assert hits.entry(KEY) is not None
    clock.advance(50)
    assert hits.entry(KEY) is None


def test_what_was_discarded_is_found_no_more_and_what_replaces_it_is(hits: Hits, memory: MemoryTier) -> None:
    first = hits.entry(KEY)
    newer = menu_entry("1", marker="new", fetched_at=NOW)
    memory.put(newer)
    assert hits.entry(KEY) is newer is not first
    memory.remove(newer.key)
    assert hits.entry(KEY) is None
    memory.put(newer)
    assert hits.entry(KEY) is newer
    assert memory.stats().hits == 3


def test_what_was_evicted_is_not_kept_alive_by_being_remembered(clock: ManualClock) -> None:
    memory = MemoryTier(10_000)
    hits = Hits(memory, clock, {"weedmaps": None}, _stale)
    memory.put(raw_entry("1", b"x" * 5000))
    assert hits.entry(KEY) is not None
    remembered = hits._known[KEY]
    for number in range(50):
        memory.put(raw_entry(f"other {number}", b"x" * 5000))
    assert hits.entry(KEY) is None
    assert not remembered.is_held
    assert not hasattr(remembered, "value")


def test_what_is_remembered_is_bounded(clock: ManualClock) -> None:
    memory = MemoryTier(1 << 26)
    hits = Hits(memory, clock, {"weedmaps": None}, _stale)
    for number in range(MAX_KNOWN + 10):
        memory.put(raw_entry(number, b""))
        assert hits.entry(f"dispensary_menu:weedmaps:{number}") is not None
    assert len(hits._known) == 10
    assert hits.entry("dispensary_menu:weedmaps:3") is not None


def test_what_a_reader_decodes_is_counted_though_only_hits_follow(clock: ManualClock) -> None:
    memory = MemoryTier(1 << 20)
    hits = Hits(memory, clock, {"weedmaps": None}, _stale)
    made = menu_entry("1", products=50)
    entry = Entry(made.key, made.body, fetched_at=NOW, expires_at=NOW + 60, digest=made.digest, origins=made.origins)
    memory.put(entry)
    for _ in range(2):
        found = hits.entry(KEY)
        assert found is entry
        assert found.record
    assert memory._held.weight == weigh(entry)


def test_no_key_is_bad_input_however_often_it_is_asked(hits: Hits) -> None:
    for _ in range(3):
        with pytest.raises(BadInput):
            hits.entry("nonsense")


def test_an_answer_is_rendered_once_and_put_together_again_as_time_goes(hits: Hits, clock: ManualClock) -> None:
    first = hits.answer(KEY)
    assert first is not None
    body = first.body
    clock.advance(REUSE_S / 2)
    again = hits.answer(KEY)
    assert again is first
    assert again.body is body
    clock.advance(10.0)
    later = hits.answer(KEY)
    assert later is first
    assert later.provenance.age_s == pytest.approx(10.05)
    assert msgspec.json.decode(later.body)["provenance"]["age_s"] == pytest.approx(10.05)


@pytest.mark.parametrize(
    ("later_s", "is_sent_again"), [(0.0, True), (REUSE_S * 0.9, True), (REUSE_S * 1.1, False), (-0.1, False)]
)
def test_an_answer_is_sent_again_for_a_moment_and_never_after_the_clock_went_back(
    hits: Hits, clock: ManualClock, later_s: float, is_sent_again: bool
) -> None:
    first = hits.answer(KEY)
    assert first is not None
    body = first.body
    clock.set_now(NOW + later_s)
    assert hits.answer(KEY) is first
    assert (first.body is body) is is_sent_again


def test_a_new_version_of_an_entry_has_an_answer_of_its_own(hits: Hits, memory: MemoryTier) -> None:
    first = hits.answer(KEY)
    memory.put(menu_entry("1", marker="new", fetched_at=NOW))
    second = hits.answer(KEY)
    assert first is not None
    assert second is not None
    assert first.digest != second.digest
    assert b"new" in second.body


def test_a_damaged_entry_has_no_answer_and_is_no_hit(hits: Hits, memory: MemoryTier) -> None:
    memory.put(raw_entry("9", b"nonsense"))
    for _ in range(2):
        assert hits.answer("dispensary_menu:weedmaps:9") is None
    assert memory.stats().hits == 0


@pytest.fixture
async def node(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Node]:
    """Yield a node that holds one menu in memory and could ask nobody."""
    settings: Settings = load_settings(data_dir=tmp_path, fetch={"pool_workers": 0})
    async with Node(settings, clock=clock) as started:
        await started._read.fill([menu_entry("1")])
        yield started


async def test_a_get_of_what_memory_holds_fresh_asks_nobody_else(node: Node) -> None:
    before = node.stats()
    trace = Trace()
    entry = await node.get(KEY, trace=trace)
    assert entry is not None
    assert (await node.record(KEY)) is not None
    after = node.stats()
    assert after.tiers["memory"].hits - before.tiers["memory"].hits == 2
    assert after.tiers["sql"] == before.tiers["sql"]
    assert trace.by_tier["memory"] == 1


async def test_a_get_offline_of_what_nobody_holds_asks_each_tier_once(node: Node) -> None:
    trace = Trace()
    assert await node.get("dispensary_menu:weedmaps:2", offline=True, trace=trace) is None
    tiers = node.stats().tiers
    assert (tiers["memory"].misses, tiers["sql"].misses) == (1, 1)
    assert trace.by_tier["memory"] == 0


async def test_a_hit_is_no_leave_for_a_deadline_out_of_range(node: Node) -> None:
    for deadline_s in (0, -1, 121, float("nan")):
        with pytest.raises(BadInput):
            await node.get(KEY, deadline_s=deadline_s)
        with pytest.raises(BadInput):
            await node.record(KEY, deadline_s=deadline_s)


async def test_an_expired_entry_is_served_offline_and_said_to_be_stale(node: Node, clock: ManualClock) -> None:
    clock.advance(4000)
    answer = await node.record(KEY, offline=True)
    assert answer is not None
    assert answer.is_stale
    assert node.hit(KEY) is None

"""The memory tier under pressure, and its admission, through any sequence of calls."""

from __future__ import annotations

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sample_entries import NOW, menu_entry, menu_key
from weedhounds.cache.admission import MAX_USES, MIN_GHOSTS, Held, S3Fifo
from weedhounds.cache.entry import Entry
from weedhounds.cache.memory import MemoryTier, weigh
from weedhounds.cache.rendered import Rendered
from weedhounds.clock import ManualClock
from weedhounds.hits import Hits
from weedhounds.model.keys import RecordKey
from weedhounds.query.views import menu_view

keys = st.integers(0, 30)


class Layers:
    """A value whose layers are dropped one by one; the last one stays."""

    def __init__(self, key: int, layers: list[int]) -> None:
        self.key = key
        self.layers = layers

    @property
    def weight(self) -> int:
        return sum(self.layers)

    def lighten(self) -> int | None:
        if len(self.layers) == 1:
            return None
        self.layers.pop()
        return self.weight


class AdmissionMachine(RuleBasedStateMachine):
    """S3-FIFO against what was put: nothing is invented, nothing is counted twice, the budget holds."""

    @initialize(budget=st.integers(1, 400))
    def start(self, budget: int) -> None:
        self.cache: S3Fifo[int, Layers] = S3Fifo(budget, Layers.lighten)
        self.put_last: dict[int, Layers] = {}
        self.entered = self.removed = 0
        self.seen: list[tuple[int, Held[Layers]]] = []

    @rule(key=keys, layers=st.lists(st.integers(1, 60), min_size=1, max_size=4))
    def put(self, key: int, layers: list[int]) -> None:
        value, was_held = Layers(key, layers), self.cache.peek(key) is not None
        before = len(self.cache)
        fits = value.weight <= self.cache.budget
        left = self.cache.put(key, value, value.weight)
        self.put_last[key] = value
        self.entered += fits and not was_held
        self.removed += was_held and not fits
        held = self.cache.find(key)
        if held is not None:
            self.seen.append((key, held))
        assert len(self.cache) == before + (fits and not was_held) - (was_held and not fits) - left
        if not fits:
            assert (self.cache.peek(key), left) == (None, 0)

    @rule(key=keys)
    def get(self, key: int) -> None:
        held = self.cache.find(key)
        uses = held.uses if held else 0
        value = self.cache.get(key)
        assert value is self.cache.peek(key)
        if held is not None:
            assert held.uses == min(MAX_USES, uses + 1)

    @rule(key=keys, more=st.integers(1, 100))
    def grow(self, key: int, more: int) -> None:
        value = self.cache.peek(key)
        if value is not None:
            value.layers.append(more)
            self.cache.reweigh(key, value.weight)

    @rule(key=keys)
    def remove(self, key: int) -> None:
        was_held = self.cache.peek(key) is not None
        assert (self.cache.remove(key) is not None) is was_held
        self.removed += was_held

    @invariant()
    def all_is_accounted_for(self) -> None:
        if not hasattr(self, "cache"):
            return
        cache = self.cache
        values = {key: cache.peek(key) for key in cache}
        assert all(value is self.put_last[key] for key, value in values.items())
        assert cache.weight == sum(value.weight for value in values.values() if value) <= cache.budget
        assert len(cache) == self.entered - self.removed - cache.left_small - cache.left_main
        assert set(cache._small) | set(cache._main) == set(values)
        assert not set(cache._small) & set(cache._main)
        assert cache.ghosts <= max(MIN_GHOSTS, 31)
        assert not any(hash(key) in cache._ghosts for key in values)
        assert all(held.is_held is (cache.find(held_key) is held) for held_key, held in self.seen)


class PressedTierMachine(RuleBasedStateMachine):
    """A memory tier for about six decoded menus, whose entries grow and shrink behind its back."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[RecordKey, Entry] = {}
        self.asked = 0
        self.runner = asyncio.Runner()
        self.clock = ManualClock()

    @initialize()
    def start(self) -> None:
        self.tier = MemoryTier(60_000)
        self.hits = Hits(self.tier, self.clock, {"weedmaps": None}, lambda _entry, _now: 0.0)

    def teardown(self) -> None:
        self.runner.close()

    @rule(shop=keys, products=st.integers(1, 12), late_s=st.integers(-3, 3))
    def put(self, shop: int, products: int, late_s: int) -> None:
        entry = menu_entry(shop, products=products, fetched_at=NOW + late_s)
        held = self.tier._held.peek(entry.key)
        self.tier.put(entry)
        if held is None or held.fetched_at <= entry.fetched_at:
            self.model[entry.key] = entry

    @rule(shop=keys)
    def get(self, shop: int) -> None:
        entry = self.tier.get(menu_key(shop))
        self.asked += 1
        assert entry is None or entry is self.model[menu_key(shop)]

    @rule(shop=keys, late_s=st.integers(0, 7200))
    def serve(self, shop: int, late_s: int) -> None:
        self.clock.set_now(NOW + late_s)
        taken = self.hits.entry(str(menu_key(shop)))
        if taken is not None:
            assert taken is self.model[menu_key(shop)] is self.tier._held.peek(menu_key(shop))
            assert taken.is_fresh(NOW + late_s)
            self.asked += 1
            return
        entry = self.tier.get(menu_key(shop))
        self.asked += 1
        assert entry is None or not entry.is_fresh(NOW + late_s)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), grows=st.sampled_from(("decode", "prepare", "render")), length=st.integers(0, 70_000))
    def grow(self, data: st.DataObject, grows: str, length: int) -> None:
        entry = self.model[data.draw(st.sampled_from(sorted(self.model)))]
        if grows == "decode":
            assert entry.record
        elif grows == "prepare":
            assert menu_view(entry)
        else:
            entry.keep_rendered(Rendered(b"x" * length, digest="", expires_at=entry.expires_at))

    @rule(some=st.lists(keys, max_size=4))
    def discard(self, some: list[int]) -> None:
        held = {menu_key(shop) for shop in some if self.tier._held.peek(menu_key(shop)) is not None}
        assert self.runner.run(self.tier.discard([menu_key(shop) for shop in some])) == len(held)

    @invariant()
    def the_budget_holds_and_all_is_counted(self) -> None:
        if not hasattr(self, "tier"):
            return
        stats = self.tier.stats()  # settles what has grown
        held = [self.tier._held.peek(key) for key in self.tier._held]
        assert stats.bytes == sum(weigh(entry) for entry in held if entry) <= 60_000
        assert stats.entries == len(held)
        assert stats.hits + stats.misses == self.asked
        left = self.tier.evictions()
        assert left.unused + left.cooled == stats.evictions
        by_type = stats.by_type.get("dispensary_menu")
        assert (by_type.entries if by_type else 0) == stats.entries
        assert (by_type.bytes if by_type else 0) == stats.bytes
        assert (by_type.evictions if by_type else 0) == stats.evictions


TestAdmission = AdmissionMachine.TestCase
TestAdmission.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestPressedTier = PressedTierMachine.TestCase
TestPressedTier.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)

"""Each tier against a dict, through any sequence of calls."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sample_entries import menu_key, raw_entry, same
from weedhounds.cache.entry import Entry
from weedhounds.cache.memory import MemoryTier
from weedhounds.cache.sql import SqliteTier
from weedhounds.cache.tier import Tier
from weedhounds.clock import ManualClock
from weedhounds.model.keys import RecordKey

shops = st.integers(0, 11)
some_shops = st.lists(shops, max_size=8)


class TierMachine(RuleBasedStateMachine):
    """Puts, looks and discards; the model says what must be held. Nothing leaves to make room."""

    tier: Tier

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.model: dict[RecordKey, Entry] = {}
        self.asked = 0
        self.puts = 0
        self.runner = asyncio.Runner()

    async def make(self) -> Tier:
        """Return the tier under test."""
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.tier = self.runner.run(self.make())

    @rule(batch=st.lists(st.tuples(shops, st.integers(-5, 5), st.binary(max_size=40), st.booleans()), max_size=6))
    def put(self, batch: list[tuple[int, int, bytes, bool]]) -> None:
        entries = [
            raw_entry(
                shop,
                body,
                fetched_at=self.clock.now() + late_s,
                expires_at=self.clock.now() + late_s + 60,
                pinned_at=1.0 if is_pinned else None,
            )
            for shop, late_s, body, is_pinned in batch
        ]
        self.runner.run(self.tier.put_many(entries))
        self.puts += len(entries)
        for entry in entries:
            held = self.model.get(entry.key)
            if held is None or held.fetched_at <= entry.fetched_at:
                self.model[entry.key] = entry

    @rule(asked=some_shops)
    def get(self, asked: list[int]) -> None:
        keys = {menu_key(shop) for shop in asked}
        found = self.runner.run(self.tier.get_many([menu_key(shop) for shop in asked]))
        self.asked += len(keys)
        assert set(found) == keys & set(self.model)
        assert all(same(entry, self.model[key]) for key, entry in found.items())

    @rule(gone=some_shops)
    def discard(self, gone: list[int]) -> None:
        keys = {menu_key(shop) for shop in gone}
        held = [self.model.pop(key) for key in keys if key in self.model]
        assert self.runner.run(self.tier.discard([menu_key(shop) for shop in gone])) == len(held)

    @rule(seconds=st.integers(0, 200))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def counters_agree(self) -> None:
        if hasattr(self, "tier"):
            stats = self.tier.stats()
            assert stats.hits + stats.misses == self.asked
            assert (stats.puts, stats.errors, stats.evictions) == (self.puts, 0, 0)

    def teardown(self) -> None:
        if hasattr(self, "tier"):
            found = self.runner.run(self.tier.get_many([menu_key(shop) for shop in range(12)]))
            self.runner.run(self.tier.close())
            assert set(found) == set(self.model)
        self.runner.close()


class MemoryMachine(TierMachine):
    """The memory tier, large enough for everything."""

    async def make(self) -> Tier:
        return MemoryTier(1 << 24)

    @invariant()
    def what_is_held_is_counted(self) -> None:
        if hasattr(self, "tier"):
            assert self.tier.stats().entries == len(self.model)


class SqliteMachine(TierMachine):
    """The SQL tier, with commits and restarts at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="weedhounds-test-")

    async def make(self) -> Tier:
        tier = SqliteTier(Path(self.folder.name) / "tier.sqlite3", clock=self.clock, write_behind_s=10)
        await tier.open()
        return tier

    @rule()
    def flush(self) -> None:
        assert isinstance(self.tier, SqliteTier)
        self.runner.run(self.tier.flush())
        assert self.tier.stats().entries == len(self.model)

    @rule()
    def restart(self) -> None:
        self.runner.run(self.tier.close())
        self.tier = self.runner.run(self.make())
        self.asked = self.puts = 0
        assert self.tier.stats().entries == len(self.model)

    @rule(seed=st.integers(0, 99))
    def everything_at_once(self, seed: int) -> None:
        """Mix concurrent calls; only what they leave behind is sure, so nothing may leave a hole."""
        rng = Random(seed)
        newest = self.clock.now() + 10
        entries = [raw_entry(shop, b"%d" % seed, fetched_at=newest) for shop in rng.sample(range(12), 4)]
        self.clock.advance(20)

        async def storm() -> None:
            calls = [self.tier.put_many([entry]) for entry in entries]
            looks = [self.tier.get_many([entry.key for entry in entries]) for _ in range(3)]
            assert isinstance(self.tier, SqliteTier)
            await asyncio.gather(*calls, *looks, self.tier.flush())

        self.runner.run(storm())
        self.puts += 4
        self.asked += 12
        self.model.update({entry.key: entry for entry in entries})

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


TestMemoryTier = MemoryMachine.TestCase
TestMemoryTier.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSqliteTier = SqliteMachine.TestCase
TestSqliteTier.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)

"""Each tier against a dict, through any sequence of calls."""

from __future__ import annotations

import asyncio
import os
import tempfile
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mariadb import MariaDb
from sample_entries import menu_key, raw_entry, same
from sql_kits import Kit
from weedhounds.cache.database import Database
from weedhounds.cache.entry import Entry
from weedhounds.cache.memory import MemoryTier
from weedhounds.cache.purge import Scope
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


class SqlMachine(TierMachine):
    """The SQL tier, with commits, restarts, purges and a second node at any moment."""

    node: Database

    def kit(self) -> Kit:
        """Return an empty database."""
        raise NotImplementedError

    async def make(self) -> Tier:
        if not hasattr(self, "database"):
            self.database = self.kit()
        self.node = self.database.database(self.clock)
        await self.node.open()
        return self.node.tier

    @rule()
    def flush(self) -> None:
        self.runner.run(self.node.tier.flush())
        assert self.tier.stats().entries == len(self.model)

    @rule()
    def restart(self) -> None:
        self.runner.run(self.node.close())
        self.tier = self.runner.run(self.make())
        self.asked = self.puts = 0
        assert self.tier.stats().entries == len(self.model)

    @rule(gone=some_shops)
    def purge(self, gone: list[int]) -> None:
        held = [self.model.pop(key) for key in {menu_key(shop) for shop in gone} if key in self.model]
        scopes = [Scope.of_key(menu_key(shop)) for shop in gone]
        assert self.runner.run(self.node.purge(scopes)) == len(held)
        self.clock.advance(10)  # what is put from now on was fetched later

    @rule(asked=some_shops)
    def another_node_looks(self, asked: list[int]) -> None:
        async def look() -> dict[RecordKey, Entry]:
            await self.node.tier.flush()
            async with self.database.opened(self.clock) as other:
                return await other.tier.get_many([menu_key(shop) for shop in asked])

        found = self.runner.run(look())
        assert set(found) == {menu_key(shop) for shop in asked} & set(self.model)
        assert all(same(entry, self.model[key]) for key, entry in found.items())

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
            await asyncio.gather(*calls, *looks, self.node.tier.flush())

        self.runner.run(storm())
        self.puts += 4
        self.asked += 12
        self.model.update({entry.key: entry for entry in entries})

    def teardown(self) -> None:
        if hasattr(self, "tier"):
            found = self.runner.run(self.tier.get_many([menu_key(shop) for shop in range(12)]))
            self.runner.run(self.node.close())
            assert set(found) == set(self.model)
            assert self.database.count() == len(self.model)
        self.runner.close()


class SqliteMachine(SqlMachine):
    """On a file."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="weedhounds-test-")

    def kit(self) -> Kit:
        return Kit(f"sqlite:///{self.folder.name}/tier.sqlite3")

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


class MariaDbMachine(SqlMachine):
    """On the test run's server."""

    server: MariaDb

    def kit(self) -> Kit:
        return Kit(self.server.empty_database(), self.server)


@pytest.fixture
def server_of_machine(mariadb: MariaDb) -> None:
    """Give the machine its server: it is no fixture's child."""
    MariaDbMachine.server = mariadb


MANY = 40 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 1
TestMemoryTier = MemoryMachine.TestCase
TestMemoryTier.settings = settings(max_examples=60 * MANY, stateful_step_count=40, deadline=None)
TestSqliteTier = SqliteMachine.TestCase
TestSqliteTier.settings = settings(max_examples=25 * MANY, stateful_step_count=30, deadline=None)
TestMariaDbTier = pytest.mark.usefixtures("server_of_machine")(MariaDbMachine.TestCase)
TestMariaDbTier.settings = settings(max_examples=10 * MANY, stateful_step_count=25, deadline=None)

"""A load is made by one node of a database at a time; what became of it reaches the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from sample_entries import NOW, menu_entry, menu_key, same
from sql_kits import Kit, kit, until
from weedhounds.cache import lease
from weedhounds.cache.database import Database
from weedhounds.cache.entry import Entry
from weedhounds.cache.lease import SharedLoads, SqlLeases
from weedhounds.cache.work import MYSQL, SQLITE
from weedhounds.clock import ManualClock, SystemClock
from weedhounds.errors import OriginUnavailable
from weedhounds.model.keys import RecordKey

__all__ = ["kit"]

NAME, OTHER = b"n" * 20, b"o" * 20
KEY = menu_key(1)
Load = Callable[[], Awaitable[Entry]]


async def test_one_holder_at_a_time(kit: Kit) -> None:
    async with kit.opened() as one, kit.opened() as other:
        token = await one.leases.acquire(NAME, duration_s=5)
        assert token is not None
        assert await other.leases.acquire(NAME, duration_s=5) is None
        assert await one.leases.acquire(NAME, duration_s=5) is None
        assert await other.leases.is_held(NAME)
        assert await other.leases.acquire(OTHER, duration_s=5) is not None
        one.leases.release(NAME, token)
        await one.tier.flush()
        assert not await other.leases.is_held(NAME)
        assert await other.leases.acquire(NAME, duration_s=5) is not None


async def test_of_many_who_ask_at_once_one_gets_it(kit: Kit) -> None:
    async with kit.opened() as one, kit.opened() as other, kit.opened() as third:
        for round_ in range(10):
            name = bytes([round_]) * 20
            asked = [node.leases.acquire(name, duration_s=5) for node in (one, other, third) for _ in range(5)]
            tokens = [token for token in await asyncio.gather(*asked) if token is not None]
            assert len(tokens) == 1


async def test_a_dead_holder_costs_no_more_than_its_deadline(kit: Kit) -> None:
    clock = SystemClock()
    async with kit.opened() as dead, kit.opened() as other:
        started_s = clock.monotonic()
        assert await dead.leases.acquire(NAME, duration_s=0.3) is not None
        await until(lambda: is_given(other))
        assert 0.25 < clock.monotonic() - started_s < 2


async def test_a_lease_is_never_longer_than_the_longest(kit: Kit) -> None:
    async with kit.opened() as node:
        before = now_ms(kit)
        await node.leases.acquire(NAME, duration_s=float("inf"))
        until = kit.rows("SELECT until_ms FROM leases")[0][0]
        assert before - 5 <= until - 1000 * lease.MAX_LEASE_S <= now_ms(kit) + 5


async def test_a_lease_of_a_clock_that_was_set_back_holds_nothing(kit: Kit) -> None:
    """Its deadline lies further ahead than any lease lasts."""
    async with kit.opened() as node:
        await node.leases.acquire(NAME, duration_s=5)
        kit.rows("UPDATE leases SET until_ms = until_ms + 3600000")
        assert not await node.leases.is_held(NAME)
        assert await node.leases.acquire(NAME, duration_s=5) is not None


async def test_a_late_release_does_not_end_somebody_elses_lease(kit: Kit) -> None:
    async with kit.opened() as slow, kit.opened() as other:
        token = await slow.leases.acquire(NAME, duration_s=0.001)
        assert token is not None
        await until(lambda: is_given(other))
        slow.leases.release(NAME, token)
        await slow.tier.flush()
        assert await other.leases.is_held(NAME)


async def test_a_release_is_never_committed_before_what_was_filled(kit: Kit) -> None:
    async with kit.opened() as node:
        token = await node.leases.acquire(NAME, duration_s=5)
        assert token is not None
        await node.tier.put_many([menu_entry(1)])
        node.leases.release(NAME, token)
        assert (kit.count("leases"), kit.count()) == (1, 0)
        await node.tier.flush()
        assert (kit.count("leases"), kit.count()) == (0, 1)


async def test_a_node_need_not_wait_for_the_commit_of_its_own_release(kit: Kit) -> None:
    """A load that failed and is made again at once; to the others the lease was never free."""
    async with kit.opened() as one, kit.opened() as other:
        for _ in range(3):
            token = await one.leases.acquire(NAME, duration_s=5)
            assert token is not None
            one.leases.release(NAME, token)
            assert await other.leases.acquire(NAME, duration_s=5) is None
        await one.tier.flush()
        assert await other.leases.acquire(NAME, duration_s=5) is not None


async def test_rows_of_dead_holders_are_swept(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_SWEEP_EVERY", 5)
    async with kit.opened() as node:
        for number in range(4):
            await node.leases.acquire(bytes([number]) * 20, duration_s=0)
        assert kit.count("leases") == 4
        await node.leases.acquire(NAME, duration_s=5)
        assert kit.count("leases") == 1


async def test_holders_of_equal_seeds_are_one_and_of_others_are_not(kit: Kit) -> None:
    backend = kit.backend()
    names = [SqlLeases(backend, rng=Random(seed))._holder for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]
    assert SqlLeases(backend)._holder != SqlLeases(backend)._holder


async def is_given(node: Database) -> bool:
    return await node.leases.acquire(NAME, duration_s=5) is not None


async def is_counted(kit: Kit) -> bool:
    return kit.count("leases") > 0


def now_ms(kit: Kit) -> int:
    return int(kit.rows(f"SELECT {(SQLITE if kit.server is None else MYSQL).now_ms}")[0][0])


class RealWaits:
    """A clock whose facts stand still while waiting takes real time."""

    def __init__(self, facts: ManualClock) -> None:
        self.now = facts.now
        self.monotonic = SystemClock().monotonic


class Asker:
    """A node that reads KEY through its shared loads; counts the loads that it makes."""

    def __init__(self, node: Database, clock: ManualClock, *, makes: Load) -> None:
        self.node = node
        self.clock = clock
        self.makes = makes
        self.loads = SharedLoads(node.leases, node.tier.peek_many, clock=RealWaits(clock))
        self.made = 0

    async def ask(self, held: dict[RecordKey, Entry] | None = None, *, wait_s: float = 10.0) -> Entry:
        deadline = SystemClock().monotonic() + wait_s
        async with self.loads.turn("load", [KEY], held or {}, deadline=deadline) as filled:
            if filled:
                return filled[KEY]
            self.made += 1
            entry = await self.makes()
            await self.node.tier.put_many([entry])
            return entry


async def slowly() -> Entry:
    await asyncio.sleep(0.15)
    return menu_entry(1, marker="loaded")


async def test_two_nodes_that_want_the_same_load_it_once(kit: Kit, clock: ManualClock) -> None:
    async with kit.opened(clock, write_behind_s=0.05) as one, kit.opened(clock, write_behind_s=0.05) as other:
        askers = [Asker(one, clock, makes=slowly), Asker(other, clock, makes=slowly)]
        got = await asyncio.gather(*(asker.ask() for asker in askers))
        assert sum(asker.made for asker in askers) == 1
        assert same(got[0], got[1])
        assert sum(asker.loads.spared for asker in askers) == 1


async def test_who_comes_just_after_the_load_finds_it(kit: Kit, clock: ManualClock) -> None:
    """It looked in the tiers before the other's commit, and asks for the lease after the release."""
    async with kit.opened(clock) as one, kit.opened(clock) as other:
        askers = [Asker(one, clock, makes=slowly), Asker(other, clock, makes=slowly)]
        await askers[0].ask()
        await one.tier.flush()
        await askers[1].ask()
        assert [asker.made for asker in askers] == [1, 0]
        await other.tier.flush()
        assert kit.count("leases") == 0


async def test_a_load_that_failed_is_made_by_the_next_at_once(kit: Kit, clock: ManualClock) -> None:
    async def fails() -> Entry:
        await asyncio.sleep(0.1)
        raise OriginUnavailable("down")

    async with kit.opened(clock, write_behind_s=0.02) as one, kit.opened(clock, write_behind_s=0.02) as other:
        first = asyncio.create_task(Asker(one, clock, makes=fails).ask())
        await until(lambda: is_counted(kit))
        second = Asker(other, clock, makes=slowly)
        started_s = SystemClock().monotonic()
        await second.ask()
        assert SystemClock().monotonic() - started_s < 3
        with pytest.raises(OriginUnavailable):
            await first
        assert second.made == 1


@pytest.mark.parametrize("is_committed", [True, False])
@pytest.mark.parametrize("is_held", [True, False])
async def test_an_expired_entry_does_not_pass_for_the_new_one(
    kit: Kit, clock: ManualClock, is_committed: bool, is_held: bool
) -> None:
    """Its fetch is no whole millisecond, so that it comes back from the database a little other than it was."""
    old = menu_entry(1, fetched_at=NOW - 9_000.0004, expires_at=NOW - 5_000)
    async with kit.opened(clock) as node:
        await node.tier.put_many([old])
        if is_committed:
            await node.tier.flush()
        asker = Asker(node, clock, makes=slowly)
        assert (await asker.ask({KEY: old} if is_held else {})).record == menu_entry(1, marker="loaded").record
        assert asker.made == 1


async def test_an_older_entry_of_the_database_does_not_pass_for_what_memory_held(kit: Kit, clock: ManualClock) -> None:
    """The last commit had failed: memory knows a newer one, which has expired too."""
    async with kit.opened(clock) as node:
        await node.tier.put_many([menu_entry(1, fetched_at=NOW - 50, expires_at=NOW + 500)])
        await node.tier.flush()
        held = {KEY: menu_entry(1, fetched_at=NOW - 20, expires_at=NOW - 10)}
        asker = Asker(node, clock, makes=slowly)
        assert (await asker.ask(held)).record == menu_entry(1, marker="loaded").record
        assert asker.made == 1


async def test_waiting_beside_an_expired_entry_ends_with_the_new_one(kit: Kit, clock: ManualClock) -> None:
    old = menu_entry(1, fetched_at=NOW - 9_000.0004, expires_at=NOW - 5_000)
    async with kit.opened(clock, write_behind_s=0.02) as one, kit.opened(clock, write_behind_s=0.02) as other:
        await one.tier.put_many([old])
        await one.tier.flush()
        askers = [Asker(one, clock, makes=slowly), Asker(other, clock, makes=slowly)]
        got = await asyncio.gather(*(asker.ask({KEY: old}) for asker in askers))
        assert [entry.record for entry in got] == [menu_entry(1, marker="loaded").record] * 2
        assert sum(asker.made for asker in askers) == 1


@pytest.mark.parametrize("ahead_s", [3600.0, -3600.0])
async def test_clocks_an_hour_apart_neither_wait_for_ever_nor_load_again_and_again(kit: Kit, ahead_s: float) -> None:
    """The database's clock judges leases. The entry itself may look expired or too new to the other node."""
    here, there = ManualClock(NOW), ManualClock(NOW + ahead_s)

    async def by(clock: ManualClock) -> Entry:
        await asyncio.sleep(0.1)
        return menu_entry(1, fetched_at=clock.now(), expires_at=clock.now() + 600)

    async with kit.opened(here, write_behind_s=0.02) as one, kit.opened(there, write_behind_s=0.02) as other:
        askers = [Asker(one, here, makes=lambda: by(here)), Asker(other, there, makes=lambda: by(there))]
        started_s = SystemClock().monotonic()
        got = await asyncio.gather(*(asker.ask() for asker in askers))
        assert SystemClock().monotonic() - started_s < 3
        assert 1 <= sum(asker.made for asker in askers) <= 2
        assert all(entry.key == KEY for entry in got)


async def test_who_waits_gives_up_at_its_own_deadline(kit: Kit, clock: ManualClock) -> None:
    async with kit.opened(clock) as one, kit.opened(clock) as other:
        assert await one.leases.acquire(_name_of_load(), duration_s=20) is not None
        asker = Asker(other, clock, makes=slowly)
        started_s = SystemClock().monotonic()
        await asker.ask(wait_s=0.3)
        assert 0.4 < SystemClock().monotonic() - started_s < 3
        assert asker.made == 1  # its flight ends at that moment anyway


async def test_a_caller_that_goes_away_leaves_no_lease_behind(kit: Kit, clock: ManualClock) -> None:
    async with kit.opened(clock) as node:
        for pause_s in (0.0, 0.001, 0.05):
            task = asyncio.create_task(Asker(node, clock, makes=slowly).ask())
            await asyncio.sleep(pause_s)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await node.leases.close()
        await node.tier.flush()
        assert kit.count("leases") == 0


async def test_a_database_that_fails_costs_no_load(kit: Kit, clock: ManualClock) -> None:
    node = kit.database(clock)  # never opened
    asker = Asker(node, clock, makes=slowly)
    async with asker.loads.turn("load", [KEY], {}, deadline=None) as filled:
        assert filled == {}


def _name_of_load() -> bytes:
    import blake3

    return blake3.blake3(b"load").digest(20)

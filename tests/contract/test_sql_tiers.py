"""What the SQL tier does on every database: write behind, keep over a restart, list, stay within its bound."""

from __future__ import annotations

import asyncio
import os
from random import Random
from typing import Any

import pytest

from sample_entries import NOW, menu_entry, menu_key, raw_entry, same
from sql_kits import Kit, commits_of, kit
from weedhounds.cache import sql
from weedhounds.cache.rows import row_bytes
from weedhounds.clock import ManualClock
from weedhounds.errors import BadInput, TierUnavailable
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey

__all__ = ["kit"]

HOUR_S = 3600.0


async def test_making_the_tables_again_changes_nothing(kit: Kit) -> None:
    for _ in range(2):
        async with kit.opened() as node:
            assert (node.tier.stats().entries, node.tier.stats().bytes) == (0, 0)
    assert kit.rows("SELECT version_num FROM schema_version") in ([("0002",)], [(2,)])


async def test_a_put_is_readable_before_it_is_committed(kit: Kit) -> None:
    async with kit.opened() as node:
        entry = menu_entry(1)
        await node.tier.put_many([entry])
        assert kit.count() == 0
        assert (await node.tier.get_many([entry.key]))[entry.key] is entry


async def test_the_writer_commits_by_itself(kit: Kit) -> None:
    async with kit.opened(write_behind_s=0.01) as node:
        commits = commits_of(node)
        await node.tier.put_many([menu_entry(1)])
        assert await asyncio.wait_for(commits.get(), 10) is None
        assert (kit.count(), node.tier.stats().entries) == (1, 1)


async def test_what_gathers_within_the_time_becomes_one_commit(kit: Kit) -> None:
    async with kit.opened(write_behind_s=0.2) as node:
        commits = commits_of(node)
        for number in range(50):
            await node.tier.put_many([menu_entry(number)])
        assert await asyncio.wait_for(commits.get(), 10) is None
        assert (kit.count(), commits.qsize()) == (50, 0)


async def test_a_discard_does_not_hurry_what_gathers(kit: Kit) -> None:
    async with kit.opened() as node:
        await node.tier.put_many([menu_entry(1)])
        assert await node.tier.discard([menu_key(2)]) == 0
        assert kit.count() == 0


async def test_closing_commits_everything_accepted(kit: Kit) -> None:
    entries = [menu_entry(number, marker="kept") for number in range(100)]
    async with kit.opened() as node:
        await node.tier.put_many(entries)
    async with kit.opened() as node:
        found = await node.tier.get_many([entry.key for entry in entries])
        assert all(same(found[entry.key], entry) for entry in entries)
        assert node.tier.stats().entries == 100


async def test_a_put_waiting_loses_to_a_newer_row_that_is_stored(kit: Kit) -> None:
    newer = menu_entry(1, fetched_at=NOW, marker="new")
    async with kit.opened() as node:
        await node.tier.put_many([newer])
        await node.tier.flush()
        await node.tier.put_many([menu_entry(1, fetched_at=NOW - 1, marker="old")])
        assert same((await node.tier.get_many([newer.key]))[newer.key], newer)
        await node.tier.flush()
        assert same((await node.tier.get_many([newer.key]))[newer.key], newer)


async def test_a_discard_reaches_both_what_waits_and_what_is_stored(kit: Kit) -> None:
    async with kit.opened() as node:
        await node.tier.put_many([menu_entry(1), menu_entry(2)])
        await node.tier.flush()
        await node.tier.put_many([menu_entry(2, fetched_at=NOW + 1), menu_entry(3)])
        assert await node.tier.discard([menu_key(1), menu_key(2), menu_key(3)]) == 3
        await node.tier.flush()
        assert kit.count() == 0


async def test_a_discard_and_a_put_after_it_keep_their_order(kit: Kit) -> None:
    async with kit.opened() as node:
        for number in range(20):
            await node.tier.put_many([menu_entry(1, marker=f"first {number}")])
            flush = asyncio.create_task(node.tier.flush())
            discard = asyncio.create_task(node.tier.discard([menu_key(1)]))
            for _ in range(number % 5):
                await asyncio.sleep(0)
            await asyncio.wait([discard], timeout=0)
            last = menu_entry(1, fetched_at=NOW - 50 + number, marker="last")
            if not discard.done():
                await asyncio.sleep(0)
            await node.tier.put_many([last])
            await asyncio.gather(flush, discard)
            await node.tier.flush()
            assert same((await node.tier.get_many([last.key]))[last.key], last)


async def test_entries_and_bytes_follow_every_commit(kit: Kit) -> None:
    entries = [raw_entry(number, b"x" * 100 * number) for number in range(1, 6)]
    async with kit.opened() as node:
        await node.tier.put_many(entries)
        await node.tier.flush()
        assert node.tier.stats().entries == 5
        assert node.tier.stats().bytes == sum(map(row_bytes, entries))
        smaller = raw_entry(5, b"y", fetched_at=NOW + 1)
        await node.tier.put_many([smaller])
        await node.tier.discard([menu_key(1)])
        await node.tier.flush()
        expected = sum(map(row_bytes, [*entries[1:4], smaller]))
        assert (node.tier.stats().entries, node.tier.stats().bytes) == (4, expected)
    async with kit.opened() as node:
        assert (node.tier.stats().entries, node.tier.stats().bytes) == (4, expected)


async def test_the_rows_stay_within_their_bound_and_the_spent_leave_first(kit: Kit, clock: ManualClock) -> None:
    """An hour of lifetime and two more of stale use: the first half is spent, whatever it was asked for."""
    spent = [
        raw_entry(f"s{n}", b"x" * 800, fetched_at=NOW - 9 * HOUR_S, expires_at=NOW - 8 * HOUR_S) for n in range(300)
    ]
    fresh = [raw_entry(f"f{n}", b"x" * 800) for n in range(300)]
    bound = 300 * row_bytes(fresh[299])
    async with kit.opened(clock, max_bytes=bound) as node:
        await node.tier.put_many(spent)
        await node.tier.flush()
        for _ in range(3):
            await node.tier.get_many([entry.key for entry in spent])
        await node.tier.put_many(fresh)
        await node.tier.flush()
        stats = node.tier.stats()
        assert stats.bytes <= bound
        assert stats.entries == kit.count() == 600 - stats.evictions
        assert {entry.key for entry in fresh} <= set(await node.tier.get_many([entry.key for entry in fresh]))


async def test_of_fresh_rows_the_least_asked_for_by_byte_leave_first(kit: Kit, clock: ManualClock) -> None:
    wanted = [raw_entry(f"wanted{n}", b"x" * 800) for n in range(100)]
    ignored = [raw_entry(f"ignored{n}", b"x" * 800) for n in range(100)]
    large = [raw_entry(f"large{n}", b"x" * 8_000) for n in range(20)]
    room = sum(map(row_bytes, [*wanted, *ignored[:10]]))
    async with kit.opened(clock, max_bytes=room) as node:
        await node.tier.put_many(wanted[:50])
        await node.tier.flush()
        for _ in range(5):
            await node.tier.get_many([entry.key for entry in wanted[:50]])
        await node.tier.note_uses()
        await node.tier.put_many([*ignored, *large])
        await node.tier.flush()
        held = {key.native_id for key in await node.tier.keys()}
        assert {f"wanted{n}" for n in range(50)} <= held
        assert not any(name.startswith("large") for name in held)
        # Requests fade: a week later those of today count more than many of then.
        clock.advance(7 * 24 * HOUR_S)
        today = [
            raw_entry(f"today{n}", b"x" * 800, fetched_at=clock.now(), expires_at=clock.now() + HOUR_S)
            for n in range(100)
        ]
        await node.tier.put_many(today)
        await node.tier.flush()
        assert {f"today{n}" for n in range(100)} <= {key.native_id for key in await node.tier.keys()}


async def test_a_large_surplus_is_worked_off_in_small_steps(kit: Kit) -> None:
    entries = [raw_entry(number, b"x") for number in range(3_000)]
    async with kit.opened() as node:
        await node.tier.put_many(entries)
    bound = 100 * row_bytes(entries[-1])
    async with kit.opened(max_bytes=bound, write_behind_s=0.01) as node:
        async with asyncio.timeout(20):
            while node.tier.stats().bytes > bound:
                await node.tier.flush()
        assert node.tier.stats().entries == kit.count() <= 102
        assert kit.rows("SELECT `rows` FROM totals WHERE name = 'entries'") == [(kit.count(),)]


async def test_pinned_entries_never_leave_to_make_room(kit: Kit) -> None:
    pinned = [raw_entry(f"p{number}", b"x" * 800, expires_at=0, pinned_at=1.0) for number in range(20)]
    async with kit.opened(max_bytes=5_000) as node:
        await node.tier.put_many([*pinned, *(raw_entry(number, b"x" * 800) for number in range(20))])
        await node.tier.flush()
        assert {key.native_id for key in await node.tier.keys()} == {f"p{number}" for number in range(20)}


async def test_requests_are_noted_in_batches_and_only_for_rows_that_are_there(kit: Kit, clock: ManualClock) -> None:
    async with kit.opened(clock) as node:
        await node.tier.put_many([menu_entry(1), menu_entry(2)])
        await node.tier.flush()
        for _ in range(3):
            await node.tier.get_many([menu_key(1), menu_key(2), menu_key(9)])
        await node.tier.discard([menu_key(2)])
        assert kit.count("uses") == 0
        clock.advance(sql.USES_AFTER_S)
        await node.tier.put_many([menu_entry(3)])
        await node.tier.flush()
        assert [float(score) for (score,) in kit.rows("SELECT score FROM uses")] == [3.0]
        await node.tier.discard([menu_key(1)])
        assert kit.count("uses") == 0


async def test_a_put_beyond_what_may_wait_waits_for_a_commit(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "MAX_WAITING", 10)
    async with kit.opened() as node:
        await node.tier.put_many([menu_entry(number) for number in range(10)])
        assert kit.count() == 0
        await node.tier.put_many([menu_entry("next")])
        assert kit.count() == 10


async def test_a_put_beyond_the_bytes_that_may_wait_waits_for_a_commit(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "MAX_WAITING_BYTES", 1_000)
    async with kit.opened() as node:
        await node.tier.put_many([raw_entry(1, b"x" * 2_000)])
        await node.tier.put_many([raw_entry(2, b"x")])
        assert kit.count() == 1


async def test_keys_are_listed_in_order_by_prefix_and_up_to_a_limit(kit: Kit) -> None:
    prices = RecordKey(DataType.PRODUCT_PRICING, "leafly", "9")
    price_entry = raw_entry("any", b"x")
    price_entry.key = prices
    async with kit.opened() as node:
        await node.tier.put_many([menu_entry(number) for number in (3, 1, 2)])
        await node.tier.flush()
        await node.tier.put_many([menu_entry(5), price_entry])
        assert await node.tier.keys() == [menu_key(1), menu_key(2), menu_key(3), menu_key(5), prices]
        assert await node.tier.keys("product_pricing:") == [prices]
        assert await node.tier.keys("dispensary_menu:weedmaps:", limit=2) == [menu_key(1), menu_key(2)]
        assert await node.tier.keys("strain_data:") == []
        assert await node.tier.keys("\ud800%_") == []


async def test_times_are_stored_as_whole_milliseconds_of_utc_whatever_the_servers_zone(kit: Kit) -> None:
    """The test's MariaDB server lives at +05:45; lifetimes are judged by the node's clock alone."""
    async with kit.opened() as node:
        entry = raw_entry(1, b"x", fetched_at=NOW + 0.0004, expires_at=NOW + 1.2346)
        await node.tier.put_many([entry])
        await node.tier.flush()
        assert kit.rows("SELECT fetched_ms, expires_ms FROM entries") == [(int(NOW) * 1000, int(NOW) * 1000 + 1235)]
        found = (await node.tier.get_many([entry.key]))[entry.key]
        assert found.is_fresh(NOW + 1.2344)
        assert not found.is_fresh(NOW + 1.235)
    if kit.server is not None:
        assert kit.server.sql("SELECT @@global.time_zone").strip() == "+05:45"


async def test_a_lifetime_of_nothing_is_no_default(kit: Kit, clock: ManualClock) -> None:
    async with kit.opened(clock) as node:
        await node.tier.put_many([menu_entry(1, expires_at=NOW)])
        await node.tier.flush()
        found = (await node.tier.get_many([menu_key(1)]))[menu_key(1)]
        assert found.expires_at == NOW
        assert not found.is_fresh(clock.now())


async def test_a_node_that_is_closed_says_so(kit: Kit) -> None:
    node = kit.database()
    for _ in ("before", "after"):
        for call in (
            lambda: node.tier.get_many([menu_key(1)]),
            lambda: node.tier.put_many([menu_entry(1)]),
            lambda: node.tier.discard([menu_key(1)]),
            lambda: node.tier.purge([]),
            lambda: node.tier.keys(),
        ):
            with pytest.raises(TierUnavailable, match="not open"):
                await call()
        await node.close()
    assert node.tier.stats().errors == 6
    with pytest.raises(TierUnavailable):
        await node.open()


async def test_cancelling_a_caller_disturbs_nobody(kit: Kit) -> None:
    async with kit.opened() as node:
        await node.tier.put_many([raw_entry(number, b"%d" % number) for number in range(100)])
        await node.tier.flush()
        calls = [asyncio.create_task(node.tier.get_many([menu_key(number)])) for number in range(100)]
        discards = [asyncio.create_task(node.tier.discard([menu_key(number)])) for number in range(0, 100, 10)]
        await asyncio.sleep(0)
        for call in [*calls[::2], *discards]:
            call.cancel()
        results: list[Any] = await asyncio.gather(*calls, *discards, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in [*results[:100:2], *results[100:]])
        await node.tier.put_many([menu_entry("after")])
        # A discard that was asked for is done, though nobody waits for it any more.
        assert await node.tier.discard([menu_key("none")]) == 0
        await node.tier.flush()
        assert kit.count() == 91
        assert len(await node.tier.get_many([menu_key(number) for number in range(100)])) == 90


async def test_a_key_of_four_kilobytes_is_refused_and_costs_nobody_else_anything(kit: Kit) -> None:
    with pytest.raises(BadInput, match="at most 1024 bytes"):
        RecordKey.parse("dispensary_menu:weedmaps:" + "x" * 4096)
    async with kit.opened() as node:
        await node.tier.put_many([raw_entry("y" * 4096, b"long"), raw_entry(2, b"short")])
        await node.identities.add_many([("strain:haze", menu_key("y" * 4096)), ("strain:haze", menu_key(2))])
        await node.tier.flush()
        assert await node.tier.get_many([menu_key("y" * 4096)]) == {}
        assert [key.native_id for key in await node.tier.keys()] == ["2"]
        assert await node.identities.keys_of(["strain:haze"]) == {"strain:haze": [menu_key(2)]}
        assert (node.tier.stats().errors, node.identities.refused) == (1, 1)


async def test_validators_that_are_too_long_are_left_out(kit: Kit) -> None:
    async with kit.opened() as node:
        entry = raw_entry(1, b"x", etag="e" * 5_000, last_modified="m" * 1_024, signed_by="s" * 1_025)
        await node.tier.put_many([entry])
        await node.tier.flush()
        found = (await node.tier.get_many([entry.key]))[entry.key]
        assert (found.etag, found.last_modified, found.signed_by) == (None, "m" * 1_024, None)


async def test_two_nodes_on_one_database_see_each_others_entries(kit: Kit) -> None:
    async with kit.opened() as one, kit.opened() as other:
        await one.tier.put_many([menu_entry(1, fetched_at=NOW), menu_entry(2)])
        await one.tier.flush()
        assert len(await other.tier.get_many([menu_key(1), menu_key(2)])) == 2
        await other.tier.put_many([menu_entry(1, fetched_at=NOW - 10, marker="older"), menu_entry(3)])
        await other.tier.flush()
        assert (await one.tier.get_many([menu_key(1)]))[menu_key(1)].fetched_at == NOW
        await other.tier.put_many([menu_entry(1, fetched_at=NOW + 10, marker="newer")])
        await other.tier.flush()
        assert (await one.tier.get_many([menu_key(1)]))[menu_key(1)].fetched_at == NOW + 10
        await one.tier.discard([menu_key(3)])
        assert kit.rows("SELECT `rows` FROM totals WHERE name = 'entries'") == [(2,)]


async def test_many_writers_at_once_count_exactly(kit: Kit) -> None:
    """Several nodes put, replace and discard the same keys at the same time; nothing is counted twice or lost."""
    rng = Random(5)

    async def work(seed: int) -> None:
        own = Random(seed)
        async with kit.opened(write_behind_s=0.01, busy_timeout_s=10) as node:
            for _ in range(15):
                some = own.sample(range(60), 12)
                await node.tier.put_many(
                    [raw_entry(n, os.urandom(own.randrange(300)), fetched_at=NOW + own.random()) for n in some]
                )
                if own.random() < 0.4:
                    await node.tier.discard([menu_key(n) for n in own.sample(range(60), 6)])
                await node.tier.flush()

    await asyncio.gather(*(work(rng.randrange(1000)) for _ in range(4)))
    size = "length(`key`) + length(body) + 200" if kit.server is None else "size"
    counted = kit.rows("SELECT `rows`, bytes FROM totals WHERE name = 'entries'")
    assert counted == kit.rows(f"SELECT count(*), sum({size}) FROM entries")


async def test_an_entry_from_far_ahead_is_a_miss_and_may_be_replaced(kit: Kit, clock: ManualClock) -> None:
    """A node whose clock is an hour ahead wrote it: it would pass for fresh an hour too long."""
    ahead = ManualClock(NOW + HOUR_S)
    async with kit.opened(ahead) as wrong, kit.opened(clock) as right:
        await wrong.tier.put_many([menu_entry(1, fetched_at=ahead.now(), marker="ahead")])
        await wrong.tier.flush()
        assert await right.tier.get_many([menu_key(1)]) == {}
        assert (right.tier.stats().hits, right.tier.stats().misses) == (0, 1)
        own = menu_entry(1, fetched_at=clock.now(), marker="own")
        await right.tier.put_many([own])
        await right.tier.flush()
        assert same((await right.tier.get_many([menu_key(1)]))[menu_key(1)], own)
        # To the node ahead it looks an hour old: expired, and so fetched again; never wrong.
        assert not (await wrong.tier.get_many([menu_key(1)]))[menu_key(1)].is_fresh(ahead.now())


async def test_a_clock_that_is_a_little_ahead_is_no_reason_to_miss(kit: Kit, clock: ManualClock) -> None:
    async with kit.opened(clock) as node:
        await node.tier.put_many([menu_entry(1, fetched_at=NOW + 60)])
        await node.tier.flush()
        assert len(await node.tier.get_many([menu_key(1)])) == 1

"""What only the SQL tier does: write behind, keep over a restart, list, bound its file."""

# ruff: noqa: ASYNC240 - the files are small, and nothing else runs on the loop
from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sample_entries import NOW, commits_of, menu_entry, menu_key, raw_entry, same
from weedhounds.cache import sql
from weedhounds.cache.rows import row_bytes
from weedhounds.cache.sql import SqliteTier
from weedhounds.clock import ManualClock
from weedhounds.errors import ConfigError, TierUnavailable
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey

LONG_S = 10.0
"""A write-behind that never comes within a test: what is committed was asked for."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "tier.sqlite3"


@asynccontextmanager
async def opened(path: Path, *, write_behind_s: float = LONG_S, max_bytes: int = 1 << 30) -> AsyncIterator[SqliteTier]:
    tier = SqliteTier(path, clock=ManualClock(), write_behind_s=write_behind_s, max_bytes=max_bytes)
    await tier.open()
    try:
        yield tier
    finally:
        await tier.close()


def stored(path: Path) -> int:
    """Return how many entries another reader of the file sees."""
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])
    finally:
        connection.close()


async def test_a_new_file_and_its_folder_are_made(path: Path) -> None:
    async with opened(path) as tier:
        assert path.is_file()
        assert (tier.stats().entries, tier.stats().bytes) == (0, 0)


async def test_a_put_is_readable_before_it_is_committed(path: Path) -> None:
    async with opened(path) as tier:
        entry = menu_entry(1)
        await tier.put_many([entry])
        assert stored(path) == 0
        assert (await tier.get_many([entry.key]))[entry.key] is entry


async def test_the_writer_commits_by_itself(path: Path) -> None:
    async with opened(path, write_behind_s=0.01) as tier:
        commits = commits_of(tier)
        await tier.put_many([menu_entry(1)])
        assert await asyncio.wait_for(commits.get(), 10) is None
        assert (stored(path), tier.stats().entries) == (1, 1)


async def test_a_flush_commits_what_was_put_before_it(path: Path) -> None:
    async with opened(path) as tier:
        await tier.put_many([menu_entry(number) for number in range(3)])
        await tier.flush()
        assert stored(path) == 3


async def test_closing_commits_everything_accepted(path: Path) -> None:
    entries = [menu_entry(number, marker="kept") for number in range(100)]
    async with opened(path) as tier:
        await tier.put_many(entries)
    async with opened(path) as tier:
        found = await tier.get_many([entry.key for entry in entries])
        assert all(same(found[entry.key], entry) for entry in entries)
        assert tier.stats().entries == 100


async def test_a_put_waiting_loses_to_a_newer_row_that_is_stored(path: Path) -> None:
    newer = menu_entry(1, fetched_at=NOW, marker="new")
    async with opened(path) as tier:
        await tier.put_many([newer])
        await tier.flush()
        await tier.put_many([menu_entry(1, fetched_at=NOW - 1, marker="old")])
        assert same((await tier.get_many([newer.key]))[newer.key], newer)
        await tier.flush()
        assert same((await tier.get_many([newer.key]))[newer.key], newer)


async def test_a_discard_reaches_both_what_waits_and_what_is_stored(path: Path) -> None:
    async with opened(path) as tier:
        await tier.put_many([menu_entry(1), menu_entry(2)])
        await tier.flush()
        await tier.put_many([menu_entry(2, fetched_at=NOW + 1), menu_entry(3)])
        assert await tier.discard([menu_key(1), menu_key(2), menu_key(3)]) == 3
        await tier.flush()
        assert stored(path) == 0


async def test_a_discard_and_a_put_after_it_keep_their_order(path: Path) -> None:
    async with opened(path) as tier:
        await tier.put_many([menu_entry(1, marker="first")])
        flush = asyncio.create_task(tier.flush())
        discard = asyncio.create_task(tier.discard([menu_key(1)]))
        await asyncio.sleep(0)
        last = menu_entry(1, fetched_at=NOW - 50, marker="last")
        await tier.put_many([last])
        await asyncio.gather(flush, discard)
        await tier.flush()
        assert same((await tier.get_many([last.key]))[last.key], last)


async def test_a_discard_and_a_put_in_the_midst_of_the_writers_turn_keep_their_order(path: Path) -> None:
    first, last = menu_entry(1, marker="first"), menu_entry(1, fetched_at=NOW + 1, marker="last")
    async with opened(path) as tier:
        await tier.put_many([first])
        await tier.flush()
        loop, take, has_come = asyncio.get_running_loop(), tier._waiting.take, threading.Event()
        tasks: list[asyncio.Task[Any]] = []

        async def come() -> None:
            tasks.append(asyncio.create_task(tier.discard([first.key])))
            await asyncio.sleep(0)
            await tier.put_many([last])
            has_come.set()

        def come_and_take() -> bool:
            if not has_come.is_set():
                loop.call_soon_threadsafe(lambda: tasks.append(asyncio.create_task(come())))
                assert has_come.wait(10)
            return take()

        tier._waiting.take = come_and_take  # type: ignore[method-assign]
        await tier.flush()
        await asyncio.gather(*tasks)
        await tier.flush()
        assert same((await tier.get_many([last.key]))[last.key], last)
        assert stored(path) == 1


async def test_entries_and_bytes_follow_every_commit(path: Path) -> None:
    entries = [raw_entry(number, b"x" * 100 * number) for number in range(1, 6)]
    async with opened(path) as tier:
        await tier.put_many(entries)
        await tier.flush()
        assert tier.stats().entries == 5
        assert tier.stats().bytes == sum(map(row_bytes, entries))
        smaller = raw_entry(5, b"y", fetched_at=NOW + 1)
        await tier.put_many([smaller])
        await tier.discard([menu_key(1)])
        await tier.flush()
        expected = sum(map(row_bytes, [*entries[1:4], smaller]))
        assert (tier.stats().entries, tier.stats().bytes) == (4, expected)
    async with opened(path) as tier:
        assert (tier.stats().entries, tier.stats().bytes) == (4, expected)


async def test_the_file_stays_within_its_bound_and_loses_what_expired_first(path: Path) -> None:
    entries = [raw_entry(number, b"x" * 800, expires_at=NOW + number) for number in range(1_000)]
    bound = 500 * row_bytes(entries[999])
    async with opened(path, max_bytes=bound) as tier:
        await tier.put_many(entries)
        await tier.flush()
        stats = tier.stats()
        assert stats.bytes <= bound
        assert stats.entries == stored(path) == 1_000 - stats.evictions
        left = await tier.get_many([entry.key for entry in entries])
        assert set(left) == {entry.key for entry in entries[1_000 - len(left) :]}
        assert len(left) > 200


async def test_pinned_entries_never_leave_to_make_room(path: Path) -> None:
    pinned = [raw_entry(f"p{number}", b"x" * 800, expires_at=0, pinned_at=1.0) for number in range(20)]
    async with opened(path, max_bytes=5_000) as tier:
        await tier.put_many([*pinned, *(raw_entry(number, b"x" * 800) for number in range(20))])
        await tier.flush()
        assert {key.native_id for key in await tier.keys()} == {f"p{number}" for number in range(20)}


async def test_a_put_beyond_what_may_wait_waits_for_a_commit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "MAX_WAITING", 10)
    async with opened(path) as tier:
        await tier.put_many([menu_entry(number) for number in range(10)])
        assert stored(path) == 0
        await tier.put_many([menu_entry("next")])
        assert stored(path) == 10


async def test_a_put_beyond_the_bytes_that_may_wait_waits_for_a_commit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "MAX_WAITING_BYTES", 1_000)
    async with opened(path) as tier:
        await tier.put_many([raw_entry(1, b"x" * 2_000)])
        await tier.put_many([raw_entry(2, b"x")])
        assert stored(path) == 1


async def test_keys_are_listed_in_order_by_prefix_and_up_to_a_limit(path: Path) -> None:
    prices = RecordKey(DataType.PRODUCT_PRICING, "leafly", "9")
    price_entry = raw_entry("any", b"x")
    price_entry.key = prices
    async with opened(path) as tier:
        await tier.put_many([menu_entry(number) for number in (3, 1, 2)])
        await tier.flush()
        await tier.put_many([menu_entry(5), price_entry])
        assert await tier.keys() == [menu_key(1), menu_key(2), menu_key(3), menu_key(5), prices]
        assert await tier.keys("product_pricing:") == [prices]
        assert await tier.keys("dispensary_menu:weedmaps:", limit=2) == [menu_key(1), menu_key(2)]
        assert await tier.keys("strain_data:") == []
        assert await tier.keys("\ud800%_") == []


async def test_a_hit_writes_nothing(path: Path) -> None:
    async with opened(path) as tier:
        await tier.put_many([menu_entry(1)])
        await tier.flush()
        before = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(path.parent.glob("*-wal"))]
        for _ in range(20):
            assert len(await tier.get_many([menu_key(1)])) == 1
        await tier.flush()
        after = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(path.parent.glob("*-wal"))]
        assert before == after


async def test_times_are_stored_as_whole_milliseconds_of_utc(path: Path) -> None:
    async with opened(path) as tier:
        await tier.put_many([raw_entry(1, b"x", fetched_at=NOW + 0.0004, expires_at=NOW + 1.2346)])
        await tier.flush()
        connection = sqlite3.connect(path)
        row = connection.execute("SELECT fetched_ms, expires_ms FROM entries").fetchone()
        connection.close()
        assert row == (int(NOW) * 1000, int(NOW) * 1000 + 1235)


async def test_the_threads_end_with_the_tier(path: Path) -> None:
    async with opened(path):
        assert len([t for t in threading.enumerate() if t.name.startswith("weedhounds-sqlite")]) == 2
    assert not [t for t in threading.enumerate() if t.name.startswith("weedhounds-sqlite")]


async def test_a_tier_that_is_not_open_says_so(path: Path) -> None:
    tier = SqliteTier(path, clock=ManualClock())
    for _ in ("before", "after"):
        with pytest.raises(TierUnavailable, match="not open"):
            await tier.get_many([menu_key(1)])
        with pytest.raises(TierUnavailable, match="not open"):
            await tier.put_many([menu_entry(1)])
        with pytest.raises(TierUnavailable, match="not open"):
            await tier.discard([menu_key(1)])
        await tier.close()
    assert tier.stats().errors == 6
    with pytest.raises(TierUnavailable):
        await tier.open()


async def test_a_file_cannot_be_opened_twice_by_one_tier(path: Path) -> None:
    async with opened(path) as tier:
        with pytest.raises(TierUnavailable, match="opened before"):
            await tier.open()
        await tier.put_many([menu_entry(1)])


async def test_a_newer_schema_is_refused(path: Path) -> None:
    async with opened(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(ConfigError, match=r"schema version 7, this program knows 1"):
        async with opened(path):
            pass


async def test_another_programs_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="another program's database"):
        async with opened(path):
            pass
    assert path.read_bytes() == before


async def test_cancelling_a_caller_disturbs_nobody(path: Path) -> None:
    async with opened(path) as tier:
        await tier.put_many([raw_entry(number, b"%d" % number) for number in range(100)])
        await tier.flush()
        calls = [asyncio.create_task(tier.get_many([menu_key(number)])) for number in range(100)]
        discards = [asyncio.create_task(tier.discard([menu_key(number)])) for number in range(0, 100, 10)]
        await asyncio.sleep(0)
        for call in [*calls[::2], *discards]:
            call.cancel()
        results = await asyncio.gather(*calls, *discards, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in [*results[:100:2], *results[100:]])
        await tier.put_many([menu_entry("after")])
        await tier.flush()
        # A discard that was asked for is done, though nobody waits for it any more.
        assert stored(path) == 91
        assert len(await tier.get_many([menu_key(number) for number in range(100)])) == 90

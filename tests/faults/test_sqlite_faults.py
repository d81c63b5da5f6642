"""A SQLite file that is locked, full, read-only, damaged or out of reach: one clear error, and nothing hangs."""

# ruff: noqa: ASYNC240 - the files are small, and nothing else runs on the loop
from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sample_entries import commits_of, menu_entry, menu_key, raw_entry, same
from weedhounds.cache.identity import IdentityIndex
from weedhounds.cache.sql import SqliteTier
from weedhounds.clock import ManualClock
from weedhounds.errors import ConfigError, TierUnavailable

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tier.sqlite3"


@asynccontextmanager
async def opened(path: Path, *, busy_timeout_s: float = 0.05, write_behind_s: float = 10) -> AsyncIterator[SqliteTier]:
    tier = SqliteTier(path, clock=ManualClock(), busy_timeout_s=busy_timeout_s, write_behind_s=write_behind_s)
    await tier.open()
    try:
        yield tier
    finally:
        await tier.close()
        assert_no_threads()


def assert_no_threads() -> None:
    assert [t.name for t in threading.enumerate() if t.name.startswith("weedhounds-sqlite")] == []


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Hold the write lock from another connection."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        if other.in_transaction:
            other.execute("ROLLBACK")


def patch_connect(monkeypatch: pytest.MonkeyPatch, changed: Callable[..., sqlite3.Connection]) -> None:
    monkeypatch.setattr("weedhounds.cache.sqlite_file.sqlite3.connect", changed)


async def test_a_lock_held_too_long_fails_the_flush_and_loses_nothing(path: Path) -> None:
    entries = [menu_entry(number) for number in range(5)]
    async with opened(path) as tier:
        with locked(path):
            await tier.put_many(entries)
            with pytest.raises(TierUnavailable, match="locked") as caught:
                await tier.flush()
            assert str(path) in str(caught.value)
            assert caught.value.retryable
            assert tier.stats().errors == 1
            assert len(await tier.get_many([entry.key for entry in entries])) == 5
        await tier.flush()
        assert tier.stats().entries == 5
    async with opened(path) as tier:
        found = await tier.get_many([entry.key for entry in entries])
        assert all(same(found[entry.key], entry) for entry in entries)


async def test_while_commits_fail_a_put_is_refused_at_once_and_later_accepted(path: Path) -> None:
    async with opened(path) as tier:
        with locked(path):
            await tier.put_many([menu_entry(1)])
            with pytest.raises(TierUnavailable):
                await tier.flush()
            with pytest.raises(TierUnavailable, match="locked"):
                await tier.put_many([menu_entry(2)])
            assert set(await tier.get_many([menu_key(1), menu_key(2)])) == {menu_key(1)}
            assert (tier.stats().puts, tier.stats().errors) == (1, 2)
        await tier.flush()
        await tier.put_many([menu_entry(2)])
        assert len(await tier.get_many([menu_key(1), menu_key(2)])) == 2


async def test_the_writer_tries_again_by_itself(path: Path) -> None:
    async with opened(path, busy_timeout_s=0.01, write_behind_s=0.01) as tier:
        commits = commits_of(tier)
        with locked(path):
            await tier.put_many([menu_entry(1)])
            for _ in range(2):
                assert isinstance(await asyncio.wait_for(commits.get(), 10), TierUnavailable)
        async with asyncio.timeout(10):
            outcomes = [await commits.get()]
            while outcomes[-1] is not None:
                outcomes.append(await commits.get())
        assert tier.stats().entries == 1
        await tier.put_many([menu_entry(2)])


async def test_a_lock_neither_blocks_the_loop_nor_the_readers(path: Path) -> None:
    async with opened(path, busy_timeout_s=30) as tier:
        await tier.put_many([menu_entry(1)])
        await tier.flush()
        with locked(path):
            await tier.put_many([menu_entry(2)])
            flush = asyncio.create_task(tier.flush())
            discard = asyncio.create_task(tier.discard([menu_key(99)]))
            for _ in range(20):
                assert len(await tier.get_many([menu_key(1), menu_key(2)])) == 2
            assert not flush.done()
            assert not discard.done()
        async with asyncio.timeout(10):
            await flush
            assert await discard == 0


async def test_a_discard_under_a_lock_fails_and_works_afterwards(path: Path) -> None:
    async with opened(path) as tier:
        await tier.put_many([menu_entry(1)])
        await tier.flush()
        with locked(path), pytest.raises(TierUnavailable, match="locked"):
            await tier.discard([menu_key(1)])
        assert tier.stats().errors == 1
        assert await tier.discard([menu_key(1)]) == 1


async def test_a_cancelled_flush_under_a_lock_disturbs_no_later_one(path: Path) -> None:
    async with opened(path, busy_timeout_s=30) as tier:
        with locked(path):
            await tier.put_many([menu_entry(1)])
            flush = asyncio.create_task(tier.flush())
            await asyncio.sleep(0)
            flush.cancel()
            with pytest.raises(asyncio.CancelledError):
                await flush
        async with asyncio.timeout(10):
            await tier.flush()
        assert tier.stats().entries == 1


async def test_closing_under_a_lock_says_how_much_was_lost_and_does_not_hang(path: Path) -> None:
    tier = SqliteTier(path, clock=ManualClock(), busy_timeout_s=0.05, write_behind_s=10)
    await tier.open()
    with locked(path):
        await tier.put_many([menu_entry(number) for number in range(3)])
        with pytest.raises(TierUnavailable, match="3 writes not stored"):
            await tier.close()
    assert_no_threads()


async def test_the_identity_index_fails_and_recovers_with_the_tier(path: Path) -> None:
    tier = SqliteTier(path, clock=ManualClock(), busy_timeout_s=0.05, write_behind_s=10)
    index = IdentityIndex(tier.file)
    await tier.open()
    with locked(path):
        await index.add_many([("strain:haze", menu_key(1))])
        with pytest.raises(TierUnavailable):
            await tier.flush()
        with pytest.raises(TierUnavailable, match="locked"):
            await index.add_many([("strain:haze", menu_key(2))])
        assert await index.keys_of(["strain:haze"]) == {"strain:haze": [menu_key(1)]}
    await tier.flush()
    await index.add_many([("strain:haze", menu_key(2))])
    assert await index.keys_of(["strain:haze"]) == {"strain:haze": [menu_key(1), menu_key(2)]}
    await tier.close()


async def test_a_file_locked_at_the_start_is_an_unavailable_tier(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TierUnavailable, match="locked"):
            async with opened(path):
                pass
    assert_no_threads()
    async with opened(path):
        pass


async def test_a_full_disk_fails_the_commit_and_keeps_what_was_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def small(path: Path, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(path, **options)
        connection.execute("PRAGMA max_page_count = 60")
        return connection

    patch_connect(monkeypatch, small)
    async with opened(path) as tier:
        await tier.put_many([raw_entry("early", b"x" * 100_000)])
        await tier.flush()
        await tier.put_many([raw_entry("late", b"y" * 150_000)])
        with pytest.raises(TierUnavailable, match="disk is full"):
            await tier.flush()
        with pytest.raises(TierUnavailable, match="disk is full"):
            await tier.put_many([menu_entry(1)])
        found = await tier.get_many([menu_key("early"), menu_key("late")])
        assert {key.native_id: len(entry.body) for key, entry in found.items()} == {"early": 100_000, "late": 150_000}
        assert tier.stats().entries == 1
        # Room again: what waits is committed after all.
        assert await tier.discard([menu_key("early")]) == 1
        await tier.flush()
        assert tier.stats().entries == 1
        await tier.put_many([menu_entry(1)])
    monkeypatch.undo()
    async with opened(path) as tier:
        assert {key.native_id for key in await tier.keys()} == {"late", "1"}


async def test_a_read_only_file_can_still_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = menu_entry(1)
    async with opened(path) as tier:
        await tier.put_many([entry])
    connect = sqlite3.connect

    def read_only(path: Path, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(f"file:{path}?mode=ro", uri=True, **options)
        return connection

    patch_connect(monkeypatch, read_only)
    tier = SqliteTier(path, clock=ManualClock(), write_behind_s=10)
    await tier.open()
    assert same((await tier.get_many([entry.key]))[entry.key], entry)
    await tier.put_many([menu_entry(2)])
    with pytest.raises(TierUnavailable, match="read-only"):
        await tier.flush()
    with pytest.raises(TierUnavailable, match="read-only"):
        await tier.put_many([menu_entry(3)])
    with pytest.raises(TierUnavailable, match="read-only"):
        await tier.discard([menu_key(1)])
    assert len(await tier.get_many([entry.key])) == 1
    with pytest.raises(TierUnavailable, match="1 writes not stored"):
        await tier.close()
    assert_no_threads()


@pytest.mark.parametrize(
    "content",
    [b"this is no database at all, but a letter" * 50, Random(1).randbytes(8192)],
    ids=["a letter", "noise"],
)
async def test_a_file_that_is_no_database_is_named_with_the_cure(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(TierUnavailable, match="move it away to start empty") as caught:
        async with opened(path):
            pass
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not caught.value.retryable
    assert path.read_bytes() == content
    assert_no_threads()


async def _filled(path: Path) -> list[Any]:
    entries = [raw_entry(number, b"%d" % (number % 10) * 3_000) for number in range(300)]
    async with opened(path) as tier:
        await tier.put_many(entries)
    return entries


async def test_damaged_pages_fail_reads_without_a_hang(path: Path) -> None:
    entries = await _filled(path)
    content = bytearray(path.read_bytes())
    rubbish = b"\xa5" * 4096
    for page in range(30, len(content) // 4096):  # behind the roots of all tables
        content[page * 4096 : (page + 1) * 4096] = rubbish
    path.write_bytes(content)
    async with opened(path) as tier:
        for _ in range(3):
            with pytest.raises(TierUnavailable, match="damaged"):
                await tier.get_many([entry.key for entry in entries])
        assert tier.stats().errors == 3
        assert (tier.stats().hits, tier.stats().misses) == (0, 0)


async def test_a_file_cut_short_is_reported_as_damaged(path: Path) -> None:
    entries = await _filled(path)
    path.write_bytes(path.read_bytes()[: 40 * 4096])
    with pytest.raises(TierUnavailable, match="damaged"):
        async with opened(path) as tier:
            await tier.get_many([entry.key for entry in entries])
    assert_no_threads()


async def test_a_damaged_schema_is_reported_when_the_file_is_opened(path: Path) -> None:
    await _filled(path)
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xa5" * 3996
    path.write_bytes(content)
    with pytest.raises(TierUnavailable, match="damaged"):
        async with opened(path):
            pass
    assert_no_threads()


async def test_a_folder_that_is_a_file_is_a_setting_to_mend(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ConfigError, match="cannot use the folder"):
        async with opened(tmp_path / "data" / "tier.sqlite3"):
            pass
    assert_no_threads()


async def test_a_folder_in_the_place_of_the_file_is_a_setting_to_mend(path: Path) -> None:
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot open"):
        async with opened(path):
            pass
    assert_no_threads()


@contextmanager
def without_rights() -> Iterator[None]:
    """Run as a user whom permissions concern: as root, nobody stops us."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("mode", [0o000, 0o500])
async def test_a_folder_without_permission_is_a_setting_to_mend(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(mode)
    try:
        with without_rights(), pytest.raises(ConfigError, match="cannot"):
            async with opened(folder / "tier.sqlite3"):
                pass
    finally:
        folder.chmod(0o700)
    assert_no_threads()


async def test_too_many_waiting_calls_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weedhounds.cache.sqlite_file.MAX_JOBS", 5)
    async with opened(path) as tier:
        calls = [asyncio.create_task(tier.get_many([menu_key(1)])) for _ in range(8)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(result, TierUnavailable) for result in results) == 3
        assert (tier.stats().misses, tier.stats().errors) == (5, 3)
        assert await tier.get_many([menu_key(1)]) == {}

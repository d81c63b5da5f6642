"""What only the SQLite file does; what both databases do stands in tests/contract/test_sql_tiers.py."""

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

from sample_entries import NOW, menu_entry, menu_key, same
from weedhounds.cache.sql import SqliteTier
from weedhounds.clock import ManualClock
from weedhounds.errors import ConfigError, TierUnavailable

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


async def test_the_threads_end_with_the_tier(path: Path) -> None:
    async with opened(path):
        assert len([t for t in threading.enumerate() if t.name.startswith("weedhounds-sqlite")]) == 2
    assert not [t for t in threading.enumerate() if t.name.startswith("weedhounds-sqlite")]


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
    with pytest.raises(ConfigError, match=r"schema version 7, this program knows 2"):
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

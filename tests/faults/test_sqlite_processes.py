"""One SQLite file and several processes: side by side, killed, or gone without a word."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import sqlite_child
from sqlite_child import numbered

from weedhounds.cache.entry import Entry
from weedhounds.cache.sql import SqliteTier
from weedhounds.clock import ManualClock

SCRIPT = Path(sqlite_child.__file__)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared.sqlite3"


@contextmanager
def child(role: str, path: Path, argument: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, SCRIPT, role, path, str(argument)], stdout=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, "the child ended without a word"
    return line


def rest(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.read().split("\n")[:-1]


async def opened(path: Path) -> SqliteTier:
    tier = SqliteTier(path, clock=ManualClock(), busy_timeout_s=10)
    await tier.open()
    return tier


async def held(tier: SqliteTier, numbers: range) -> dict[int, Entry]:
    keys = {numbered(number).key: number for number in numbers}
    return {keys[key]: entry for key, entry in (await tier.get_many(list(keys))).items()}


async def test_two_processes_see_each_others_entries(path: Path) -> None:
    tier = await opened(path)
    with child("put_once", path, 2_000) as process:
        assert next_line(process) == "closed"
    assert (await held(tier, range(3)))[1].fetched_at == 2_000
    await tier.put_many([numbered(2)])
    await tier.flush()
    assert tier.stats().entries == 2
    await tier.close()


async def test_an_older_put_of_one_process_never_replaces_a_newer_one_of_another(path: Path) -> None:
    tier = await opened(path)
    with child("put_once", path, 2_000) as process:
        assert next_line(process) == "closed"
    await tier.put_many([numbered(1, fetched_at=1_000)])
    assert (await held(tier, range(2)))[1].fetched_at == 2_000
    await tier.flush()
    assert (await held(tier, range(2)))[1].fetched_at == 2_000
    await tier.put_many([numbered(1, fetched_at=3_000)])
    await tier.flush()
    with child("put_once", path, 2_500) as process:
        assert next_line(process) == "closed"
    assert (await held(tier, range(2)))[1].fetched_at == 3_000
    await tier.close()


async def test_processes_that_start_together_on_a_new_file_all_succeed(path: Path) -> None:
    with ExitStack() as stack:
        children = [stack.enter_context(child("put_many", path, first)) for first in (0, 200, 400, 600)]
        assert [next_line(process) for process in children] == ["closed"] * 4
    tier = await opened(path)
    assert len(await held(tier, range(800))) == 800
    assert tier.stats().entries == 800
    await tier.close()


async def test_a_program_that_forgets_to_close_ends_and_loses_nothing(path: Path) -> None:
    with child("forget_to_close", path, 5) as process:
        assert next_line(process) == "leaving"
        assert process.wait(timeout=15) == 0
    tier = await opened(path)
    assert (await held(tier, range(6)))[5].body == numbered(5).body
    await tier.close()

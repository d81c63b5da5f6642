"""Other processes on one SQLite file: run as a script by the tests of processes.

``python sqlite_child.py ROLE PATH [ARGUMENT]``; says what it has done on stdout, line by line.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from weedhounds.cache.entry import Entry
from weedhounds.cache.sql import SqliteTier
from weedhounds.clock import ManualClock
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey


def numbered(number: int, *, fetched_at: float = 1_750_000_000.0) -> Entry:
    """Return an entry whose every byte follows from its number."""
    return Entry(
        RecordKey(DataType.DISPENSARY_MENU, "weedmaps", f"n{number}"),
        b"%08d" % number * (1 + number % 700),
        fetched_at=fetched_at,
        expires_at=fetched_at + 3600,
        digest=b"%020d" % number,
        origins=("weedmaps",),
    )


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def write_for_ever(path: Path, first: int) -> None:
    """Put and flush batch after batch; say the last number of each batch that was flushed."""
    tier = SqliteTier(path, clock=ManualClock(), write_behind_s=0.01)
    await tier.open()
    say("open")
    number = first
    while True:
        size = 1 + number % 7
        await tier.put_many([numbered(number + each) for each in range(size)])
        await tier.flush()
        number += size
        say(f"flushed {number}")


async def put_once(path: Path, fetched_at: int) -> None:
    """Put number 1 as fetched at a given second, close, and say so."""
    tier = SqliteTier(path, clock=ManualClock(), busy_timeout_s=10)
    await tier.open()
    await tier.put_many([numbered(1, fetched_at=fetched_at)])
    await tier.close()
    say("closed")


async def put_many(path: Path, first: int) -> None:
    """Put 200 entries in ten commits beside whoever else does, close, and say so."""
    tier = SqliteTier(path, clock=ManualClock(), busy_timeout_s=10)
    await tier.open()
    for batch in range(10):
        await tier.put_many([numbered(first + batch * 20 + each) for each in range(20)])
        await tier.flush()
    await tier.close()
    say("closed")


async def forget_to_close(path: Path, number: int) -> None:
    """Put without a flush and leave: the loop ends, the file was not closed."""
    tier = SqliteTier(path, clock=ManualClock(), write_behind_s=0.5)
    await tier.open()
    await tier.put_many([numbered(number)])
    say("leaving")


ROLES = {role.__name__: role for role in (write_for_ever, put_once, put_many, forget_to_close)}

if __name__ == "__main__":
    asyncio.run(ROLES[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3])))

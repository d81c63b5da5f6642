"""Other processes on one SQL database: run as a script by the tests of processes.

``python sql_child.py ROLE URL``: ``writers`` forks, for every number that comes on stdin, a process
that writes from that number on until it is killed. They say what they have done on stdout, line by line.
"""

from __future__ import annotations

import asyncio
import os
import sys

from weedhounds.cache.address import parse_address
from weedhounds.cache.database import database_of
from weedhounds.cache.entry import Entry
from weedhounds.clock import ManualClock
from weedhounds.errors import TierUnavailable
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
    """Write a line in one piece: several processes share the pipe."""
    os.write(1, f"{line}\n".encode())


async def write_for_ever(url: str, first: int) -> None:
    """Put and flush batch after batch; say the last number of each batch that was flushed."""
    database = database_of(parse_address(url), clock=ManualClock(), write_behind_s=0.01, busy_timeout_s=10)
    await database.open()
    number = first
    say(f"open {number}")
    while True:
        size = 1 + number % 7
        await database.tier.put_many([numbered(number + each) for each in range(size)])
        await database.identities.add_many([("strain:haze", numbered(number).key)])
        try:
            await database.tier.flush()
        except TierUnavailable as error:
            say(f"failed {error}")
            continue
        number += size
        say(f"flushed {number}")


def writers(url: str) -> None:
    """Fork a writer for each number on stdin: a process that has imported everything once starts in no time."""
    if url.startswith("mysql"):
        import asyncmy  # noqa: F401 - imported once, before the forks
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            asyncio.run(write_for_ever(url, int(line)))
        say(f"pid {pid}")
        os.waitpid(pid, 0)


if __name__ == "__main__":
    {"writers": writers}[sys.argv[1]](sys.argv[2])

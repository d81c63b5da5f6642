"""A database of each kind for tests that hold for both, and a look into it from outside."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mariadb import MariaDb
from weedhounds.cache.address import MysqlAddress, SqliteAddress, parse_address
from weedhounds.cache.database import Database
from weedhounds.cache.mysql_server import MysqlServer
from weedhounds.cache.sqlite_file import SqliteFile
from weedhounds.cache.work import Backend
from weedhounds.clock import Clock, ManualClock
from weedhounds.errors import TierUnavailable

LONG_S = 10.0
"""A write-behind that never comes within a test: what is committed was asked for."""
KINDS = ("sqlite", "mariadb")


class Kit:
    """One empty database; several nodes may be opened on it."""

    def __init__(self, url: str, server: MariaDb | None = None) -> None:
        self.url = url
        self.address = parse_address(url)
        self.server = server
        self._nodes = 0

    def backend(
        self,
        clock: Clock | None = None,
        *,
        write_behind_s: float = LONG_S,
        busy_timeout_s: float = 2.0,
        timeout_s: float = 5.0,
    ) -> Backend:
        """Return what reaches the database, not opened yet."""
        if isinstance(self.address, SqliteAddress):
            return SqliteFile(
                self.address.path,
                clock=clock or ManualClock(),
                busy_timeout_s=busy_timeout_s,
                write_behind_s=write_behind_s,
            )
        assert isinstance(self.address, MysqlAddress)
        return MysqlServer(
            self.address,
            write_behind_s=write_behind_s,
            busy_timeout_s=busy_timeout_s,
            timeout_s=timeout_s,
            rng=Random(1),
        )

    def database(self, clock: Clock | None = None, *, max_bytes: int = 1 << 30, **options: float) -> Database:
        """Return a node's database, not opened yet; ``options`` as for :meth:`backend`."""
        clock = clock or ManualClock()
        self._nodes += 1
        return Database(self.backend(clock, **options), clock=clock, max_bytes=max_bytes, rng=Random(self._nodes))

    @asynccontextmanager
    async def opened(
        self, clock: Clock | None = None, *, max_bytes: int = 1 << 30, **options: float
    ) -> AsyncIterator[Database]:
        """Yield a node's database, open; closed afterwards."""
        database = self.database(clock, max_bytes=max_bytes, **options)
        await database.open()
        try:
            yield database
        finally:
            await database.close()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what another reader of the database sees; texts of MariaDB as its client prints them."""
        if isinstance(self.address, SqliteAddress):
            with closing(sqlite3.connect(self.address.path, isolation_level=None)) as connection:
                return connection.execute(sql).fetchall()
        assert self.server is not None
        assert isinstance(self.address, MysqlAddress)
        printed = self.server.sql(sql, self.address.database)
        return [
            tuple(int(v) if v.lstrip("-").isdigit() else v for v in line.split("\t")) for line in printed.splitlines()
        ]

    def count(self, table: str = "entries") -> int:
        """Return how many rows of a table another reader sees."""
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])


async def until(holds: Callable[[], Awaitable[bool]], *, limit_s: float = 10.0) -> None:
    """Wait until something holds that gives no event of its own: what is in a database."""
    async with asyncio.timeout(limit_s):
        while not await holds():  # noqa: ASYNC110 - there is none
            await asyncio.sleep(0.01)


def kit_of(kind: str, request: pytest.FixtureRequest) -> Kit:
    """Return an empty database of a kind."""
    if kind == "mariadb":
        return Kit(request.getfixturevalue("mysql_url"), request.getfixturevalue("mariadb"))
    folder: Path = request.getfixturevalue("tmp_path")
    return Kit(f"sqlite:///{folder / 'tier.sqlite3'}")


@pytest.fixture(params=KINDS)
def kit(request: pytest.FixtureRequest) -> Kit:
    """Return an empty database of each kind in turn."""
    return kit_of(request.param, request)


def commits_of(database: Database) -> asyncio.Queue[TierUnavailable | None]:
    """Return a queue that gets the outcome of each commit of entries: ``None``, or why it failed."""
    outcomes: asyncio.Queue[TierUnavailable | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    waiting = database.tier._waiting
    finish = waiting.finish

    def finish_and_tell(error: TierUnavailable | None) -> None:
        finish(error)
        loop.call_soon_threadsafe(outcomes.put_nowait, error)

    waiting.finish = finish_and_tell  # type: ignore[method-assign]
    return outcomes

"""What the SQL tier is measured against: the database's own driver, bare, and SQLAlchemy's asyncio."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import asyncmy
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from weedhounds.cache.address import MysqlAddress
from weedhounds.cache.entry import Entry
from weedhounds.cache.rows import READ, columns_of, to_row
from weedhounds.cache.tables import metadata_of
from weedhounds.cache.work import MYSQL, SQLITE, marks

TASKS = 32
BATCH = 256


def orders(digests: Sequence[bytes], per_task: int, seed: int) -> list[list[bytes]]:
    """Return what each task reads, in its order."""
    rng = Random(seed)
    return [rng.choices(digests, k=per_task) for _ in range(TASKS)]


class RawSqlite:
    """The standard library's driver in one thread, nothing around it.

    Args:
        cache_kib: pages kept, KiB; 0 for SQLite's own 2 MB.
    """

    def __init__(self, path: Path, cache_kib: int = 0) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA synchronous = NORMAL")
        if cache_kib:
            self._connection.execute(f"PRAGMA cache_size = -{cache_kib}")

    def read_s(self, asked: list[list[bytes]], *, what: str = "") -> float:
        """Return the seconds of reading row after row: every column, or one."""
        sql = f"SELECT {what} FROM entries WHERE digest = ?" if what else f"{READ} = ?"
        execute = self._connection.execute
        started_s = time.perf_counter()
        for some in asked:
            for digest in some:
                execute(sql, (digest,)).fetchone()
        return time.perf_counter() - started_s

    def upsert_s(self, entries: Sequence[Entry]) -> float:
        """Return the seconds of one committed upsert after another of ``BATCH`` rows, prepared before."""
        head, tail = SQLITE.upsert("entries", columns_of(SQLITE), "digest")
        sql = f"{head} VALUES ({marks(len(columns_of(SQLITE)))}){tail}"
        made = [to_row(entry.key.digest, entry) for entry in entries]
        started_s = time.perf_counter()
        for at in range(0, len(made), BATCH):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(sql, made[at : at + BATCH])
            self._connection.execute("COMMIT")
        return time.perf_counter() - started_s

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class SqlAlchemyAsync:
    """SQLAlchemy Core's asyncio over aiosqlite, a connection for each task."""

    def __init__(self, path: Path) -> None:
        self._engine: AsyncEngine = create_async_engine(
            f"sqlite+aiosqlite:///{path}",
            poolclass=AsyncAdaptedQueuePool,
            pool_size=TASKS,
            isolation_level="AUTOCOMMIT",
        )
        self._table = metadata_of(SQLITE).tables["entries"]

    async def read_s(self, asked: list[list[bytes]]) -> float:
        """Return the seconds of reading by all tasks at once."""
        columns = [self._table.c[name] for name in self._table.c.keys()]  # noqa: SIM118 - no dict

        async def task(some: list[bytes]) -> None:
            for digest in some:
                async with self._engine.connect() as connection:
                    (await connection.execute(select(*columns).where(self._table.c.digest == digest))).one()

        await task(asked[0][:5])
        started_s = time.perf_counter()
        await asyncio.gather(*map(task, asked))
        return time.perf_counter() - started_s

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.dispose()


class BareAsyncmy:
    """asyncmy with prepared statements, nothing around it.

    Args:
        size: connections; each task takes one for each read.
    """

    def __init__(self, address: MysqlAddress, size: int) -> None:
        self._address = address
        self._size = size

    async def open(self) -> None:
        """Connect."""
        address = self._address
        self._pool = await asyncmy.create_pool(
            minsize=self._size, maxsize=self._size, host=address.host, port=address.port, user=address.user,
            password=address.password, database=address.database, autocommit=True, stmt_cache_size=32,
        )  # fmt: skip

    async def read_s(self, asked: list[list[bytes]]) -> float:
        """Return the seconds of reading by all tasks at once."""

        async def task(some: list[bytes]) -> None:
            for digest in some:
                async with self._pool.acquire() as connection, connection.cursor() as cursor:
                    await cursor.execute(f"{READ} = %s", (digest,))
                    await cursor.fetchall()

        await asyncio.gather(*(task(some[:3]) for some in asked))
        started_s = time.perf_counter()
        await asyncio.gather(*map(task, asked))
        return time.perf_counter() - started_s

    async def upsert_s(self, entries: Sequence[Entry], *, is_multi_row: bool) -> float:
        """Return the seconds of one committed upsert after another of ``BATCH`` rows, prepared before.

        Args:
            is_multi_row: as one statement with all rows, else by ``executemany``.
        """
        columns = columns_of(MYSQL)
        head, tail = MYSQL.upsert("entries", columns, "digest")
        group = f"({','.join(['%s'] * len(columns))})"
        made = [to_row(entry.key.digest, entry, with_size=True) for entry in entries]
        started_s = time.perf_counter()
        async with self._pool.acquire() as connection, connection.cursor() as cursor:
            for at in range(0, len(made), BATCH):
                some = made[at : at + BATCH]
                await connection.begin()
                if is_multi_row:
                    sql = f"{head} VALUES {','.join([group] * len(some))}{tail}"
                    await cursor.execute(sql, [value for row in some for value in row])
                else:
                    await cursor.executemany(f"{head} VALUES {group}{tail}", some)
                await connection.commit()
        return time.perf_counter() - started_s

    async def close(self) -> None:
        """Close the connections."""
        self._pool.close()
        await self._pool.wait_closed()


def checkpoint(path: Path) -> None:
    """Write the log back into the file, so that all who read it find the same."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

"""What is wrong with a database, found without changing anything in it; for ``weedhounds db check``."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from weedhounds.cache.address import Address, SqliteAddress
from weedhounds.cache.ddl import SCHEMA_VERSION, head_statements
from weedhounds.cache.schema import APPLICATION_ID, transaction
from weedhounds.cache.work import SQLITE
from weedhounds.clock import Clock, SystemClock

LIMIT_S = 60.0
"""How long the search for damage may take; a file that is too large for that is said to be checked in part."""
MAX_DAMAGES = 20
_STEPS = 100_000
"""Instructions of SQLite between two looks at the time (some milliseconds)."""


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at: whether it is as it should be, and what it is or what to do."""

    what: str
    ok: bool
    detail: str


async def check_database(address: Address, *, clock: Clock, limit_s: float = LIMIT_S) -> list[Finding]:
    """Look at everything that can be judged; stops where nothing further can be.

    Args:
        clock: compared with a server's.
        limit_s: longest search for damage, seconds.
    """
    if isinstance(address, SqliteAddress):
        return await asyncio.to_thread(lambda: list(check_sqlite(address.path.absolute(), limit_s)))
    from weedhounds.cache.mysql_check import check_mysql

    return await check_mysql(address, clock=clock, limit_s=limit_s)


def check_sqlite(path: Path, limit_s: float) -> Iterator[Finding]:
    """Yield what is found of a SQLite file."""
    if not path.is_file():
        yield Finding("file", False, f"{path} is not there: weedhounds db init makes it")
        return
    beside = os.access(path.parent, os.W_OK | os.X_OK)
    if not (beside and os.access(path, os.R_OK | os.W_OK)):
        yield Finding("file", False, f"{path} or its folder cannot be read and written by this user")
        return
    yield Finding("file", True, f"{path}, {path.stat().st_size:,} bytes")
    with closing(sqlite3.connect(path, timeout=2.0, isolation_level=None)) as connection:
        try:
            yield from _look(connection, limit_s)
        except sqlite3.DatabaseError as error:
            yield Finding("pages", False, f"{error}: move the file away to start empty, or put a backup in its place")


def _look(connection: sqlite3.Connection, limit_s: float) -> Iterator[Finding]:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        yield Finding("program", False, "another program's database: name another file in database.url")
        return
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    yield _version(version)
    if version == SCHEMA_VERSION:
        yield from _compare(_structure_expected(), _structure(connection))
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    yield Finding("journal", mode == "wal", f"{mode}" if mode == "wal" else f"{mode}: weedhounds db init sets wal")
    yield _lock(connection)
    yield from _damage(connection, limit_s)
    if version == SCHEMA_VERSION:
        yield _counts(connection)


def _version(version: int) -> Finding:
    if version == SCHEMA_VERSION:
        return Finding("schema version", True, str(version))
    if version < SCHEMA_VERSION:
        return Finding("schema version", False, f"{version}, this program wants {SCHEMA_VERSION}: weedhounds db init")
    return Finding("schema version", False, f"{version}, this program knows {SCHEMA_VERSION}: use a newer weedhounds")


Structure = Mapping[str, frozenset[str]]
"""By table: its columns and indexes, each in one text that says all that matters of it."""


def _structure_expected() -> Structure:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in head_statements(SQLITE):
            connection.execute(statement)
        return _structure(connection)


def _structure(connection: sqlite3.Connection) -> Structure:
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {table: _parts(connection, table) for table in tables if not table.startswith("sqlite_")}


def _parts(connection: sqlite3.Connection, table: str) -> frozenset[str]:
    quoted = table.replace('"', '""')
    parts = set()
    for _, name, kind, not_null, _, key in connection.execute(f'PRAGMA table_info("{quoted}")').fetchall():
        parts.add(f"column {name} {kind}{' not null' if not_null else ''}{' key' if key else ''}")
    for _, name, unique, origin, *_ in connection.execute(f'PRAGMA index_list("{quoted}")').fetchall():
        if origin == "c":  # made by us, not by a primary key
            columns = [row[2] for row in connection.execute(f'PRAGMA index_info("{name}")').fetchall()]
            parts.add(f"{'unique ' if unique else ''}index {name} on {', '.join(map(str, columns))}")
    return frozenset(parts)


def _compare(expected: Structure, found: Structure) -> Iterator[Finding]:
    yield from compare(expected, found, cure="move the file away to start empty, or put a backup in its place")


def compare(expected: Structure, found: Structure, *, cure: str) -> Iterator[Finding]:
    """Yield what is missing of the structure; one line that all is there where it is."""
    missing = [f"table {table}" for table in expected if table not in found]
    for table, parts in expected.items():
        missing += [f"{table}: {part}" for part in sorted(parts - found.get(table, parts))]
    for each in missing:
        yield Finding("schema", False, f"missing or different: {each}; {cure}")
    if not missing:
        yield Finding("schema", True, f"{len(expected)} tables with their columns and indexes")


def _lock(connection: sqlite3.Connection) -> Finding:
    try:
        with transaction(connection):
            pass
    except sqlite3.OperationalError as error:
        return Finding("writing", False, f"{error}")
    return Finding("writing", True, "allowed")


def _damage(connection: sqlite3.Connection, limit_s: float) -> Iterator[Finding]:
    pace = SystemClock()
    until_s = pace.monotonic() + limit_s
    connection.set_progress_handler(lambda: int(pace.monotonic() > until_s), _STEPS)
    try:
        damages = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({MAX_DAMAGES})").fetchall()]
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_INTERRUPT:
            raise
        yield Finding("pages", True, f"no damage found within {limit_s:g} s; the file is too large for all of it")
        return
    finally:
        connection.set_progress_handler(None, 0)
    if damages == ["ok"]:
        yield Finding("pages", True, "no damage found")
    for each in damages if damages != ["ok"] else ():
        yield Finding("pages", False, f"{' '.join(each.split())}: move the file away, or put a backup in its place")


def _counts(connection: sqlite3.Connection) -> Finding:
    told = dict(connection.execute("SELECT name, rows FROM totals").fetchall())
    tables = ("entries", "identities", "history")
    found = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
    return counts_finding(told, found)


def counts_finding(told: Mapping[str, int], found: Mapping[str, int]) -> Finding:
    """Return whether the counted rows are those that are there."""
    wrong = [f"{table}: {found[table]:,} rows, {told.get(table, 0):,} counted" for table in found
             if told.get(table) != found[table]]  # fmt: skip
    right = ", ".join(f"{count:,} {table}" for table, count in found.items())
    return Finding("counts", not wrong, "; ".join(wrong) or right)

"""Every way to the current schema leads to the same tables, and loses nothing on the way."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from mariadb import MariaDb
from sample_entries import menu_entry, menu_key
from weedhounds.cache.address import Address, parse_address
from weedhounds.cache.check import _structure, check_database
from weedhounds.cache.database import database_of
from weedhounds.cache.ddl import SCHEMA_VERSION, VERSION_TABLE, head_file, head_statements
from weedhounds.cache.migrate import newest_version, render, upgrade_statements
from weedhounds.cache.schema import APPLICATION_ID
from weedhounds.cache.tables import TOTALS, metadata_of
from weedhounds.cache.work import MYSQL, SQLITE, Dialect
from weedhounds.clock import ManualClock

FIRST = (
    """CREATE TABLE entries (
        digest BLOB PRIMARY KEY NOT NULL, key TEXT NOT NULL, data_type TEXT NOT NULL, origin TEXT NOT NULL,
        fetched_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, content BLOB NOT NULL, origins TEXT NOT NULL,
        share TEXT NOT NULL, etag TEXT, last_modified TEXT,
        pinned INTEGER NOT NULL, -- milliseconds of the import; 0 where not imported
        signed_by TEXT, body BLOB NOT NULL
    )""",
    "CREATE INDEX entries_by_expiry ON entries (expires_ms) WHERE pinned = 0",
    "CREATE TABLE identities (identity TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (identity, key)) WITHOUT ROWID",
    "CREATE TABLE totals (name TEXT PRIMARY KEY NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL)",
    "INSERT INTO totals VALUES ('entries', 0, 0), ('identities', 0, 0)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    "PRAGMA user_version = 1",
    "PRAGMA journal_mode = WAL",
)
"""What the first version of the program made of a new file, word by word."""


def first_file(path: Path, shops: int = 20) -> None:
    """Make a file as the first version left it, with entries and identities in it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in FIRST:
            connection.execute(statement)
        size = 0
        for shop in range(shops):
            entry, key = menu_entry(shop), menu_key(shop)
            row = (key.digest, str(key), key.data_type.value, key.origin, round(entry.fetched_at * 1000),
                   round(entry.expires_at * 1000), entry.digest, key.origin, "never", None, None, 0, None, entry.body)  # fmt: skip
            connection.execute(f"INSERT INTO entries VALUES ({', '.join('?' * len(row))})", row)
            connection.execute("INSERT INTO identities VALUES ('strain:haze', ?)", (str(key),))
            size += 200 + len(str(key)) + len(entry.body)
        connection.execute("UPDATE totals SET rows = ?, bytes = ? WHERE name = 'entries'", (shops, size))
        connection.execute("UPDATE totals SET rows = ? WHERE name = 'identities'", (shops,))


@pytest.mark.parametrize("dialect", [SQLITE, MYSQL], ids=lambda d: d.name)
def test_the_rendering_that_is_shipped_is_that_of_the_tables(dialect: Dialect) -> None:
    """Else: ``python -m weedhounds.cache.migrate``."""
    assert head_file(dialect).read_text() == render(dialect)


def test_the_version_is_that_of_the_last_migration() -> None:
    assert newest_version() == SCHEMA_VERSION


def structure_of(statements: Sequence[str]) -> dict[str, frozenset[str]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement).fetchall()
        totals = connection.execute("SELECT name, rows, bytes FROM totals ORDER BY name").fetchall()
        assert totals == [(name, 0, 0) for name in sorted(TOTALS)]
        assert connection.execute("SELECT version_num FROM schema_version").fetchall() == [(f"{SCHEMA_VERSION:04}",)]
        return dict(_structure(connection))


def test_migrations_lead_to_what_the_rendering_makes() -> None:
    expected = structure_of(head_statements(SQLITE))
    assert structure_of(upgrade_statements(SQLITE, 0)) == expected
    noted = [VERSION_TABLE, "INSERT INTO schema_version VALUES ('0001')"]
    assert structure_of([*FIRST[:5], *noted, *upgrade_statements(SQLITE, 1)]) == expected


def test_migrations_lead_there_on_mariadb_too(mariadb: MariaDb) -> None:
    shown = []
    for statements in (head_statements(MYSQL), upgrade_statements(MYSQL, 0)):
        name = mariadb.new_database().rpartition("/")[2]
        mariadb.sql("".join(f"{statement};" for statement in statements), name)
        columns = (
            "SELECT table_name, column_name, column_type, is_nullable, column_key, extra FROM information_schema.columns"
            f" WHERE table_schema = '{name}' ORDER BY table_name, column_name"
        )
        indexes = (
            "SELECT table_name, index_name, non_unique, seq_in_index, column_name FROM information_schema.statistics"
            f" WHERE table_schema = '{name}' ORDER BY 1, 2, 4"
        )
        tables = f"SELECT table_name, engine, row_format FROM information_schema.tables WHERE table_schema = '{name}' ORDER BY 1"
        shown.append((mariadb.sql(columns), mariadb.sql(indexes), mariadb.sql(tables)))
    assert shown[0] == shown[1]


async def test_a_file_of_the_first_version_is_brought_up_to_date_and_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    first_file(path)
    database = database_of(database_address(path), clock=ManualClock())
    await database.open()
    found = await database.tier.get_many([menu_key(shop) for shop in range(20)])
    assert all(found[menu_key(shop)].record == menu_entry(shop).record for shop in range(20))
    assert all(found[menu_key(shop)].expires_at == menu_entry(shop).expires_at for shop in range(20))
    assert len((await database.identities.keys_of(["strain:haze"]))["strain:haze"]) == 20
    assert database.tier.stats().entries == 20
    await database.tier.put_many([menu_entry(1, fetched_at=1.75e9 + 1, marker="new"), menu_entry(99)])
    await database.close()
    findings = await check_database(database_address(path), clock=ManualClock())
    assert [finding for finding in findings if not finding.ok] == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("SELECT count(*) FROM entries WHERE seal IS NOT NULL").fetchone() == (2,)


def database_address(path: Path) -> Address:
    return parse_address(f"sqlite:///{path}")


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    first_file(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE leases (somebody TEXT)")  # in the way of the migration's own
        before = connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
    database = database_of(database_address(path), clock=ManualClock())
    with pytest.raises(Exception, match="already exists"):
        await database.open()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall() == before
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


@pytest.mark.parametrize("is_old", [True, False])
def test_only_an_old_file_makes_a_node_import_sqlalchemy(tmp_path: Path, is_old: bool) -> None:
    path = tmp_path / "file.sqlite3"
    if is_old:
        first_file(path)
    code = (
        "import asyncio, sys\n"
        "from weedhounds.cache.address import parse_address\n"
        "from weedhounds.cache.database import database_of\n"
        "from weedhounds.clock import SystemClock\n"
        "async def main():\n"
        "    for _ in range(2):\n"
        f"        database = database_of(parse_address('sqlite:///{path}'), clock=SystemClock())\n"
        "        await database.open()\n"
        "        await database.close()\n"
        "        print('sqlalchemy' in sys.modules, 'alembic' in sys.modules, 'asyncmy' in sys.modules)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15, check=True)
    assert done.stdout.split("\n")[:2] == [f"{is_old} {is_old} False"] * 2


def test_every_table_that_is_counted_is_a_table() -> None:
    assert set(TOTALS) <= set(metadata_of(SQLITE).tables)

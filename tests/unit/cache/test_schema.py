"""The tables are made once, whoever comes first, and a failed attempt leaves nothing."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from weedhounds.cache import schema
from weedhounds.cache.ddl import SCHEMA_VERSION, head_statements
from weedhounds.cache.schema import opening_error, prepare, transaction, unavailable
from weedhounds.errors import BadInput, ConfigError, TierUnavailable


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_a_new_file_gets_tables_version_and_write_ahead_log(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        prepare(connection, path)
        prepare(connection, path)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert {"entries", "identities", "totals", "history", "leases", "tombstones", "uses"} <= tables(path)


def test_many_who_make_one_new_file_at_the_same_moment_all_succeed(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.sqlite3" for number in range(40)]
    barrier = Barrier(4, timeout=10)

    def make_all() -> None:
        for path in paths:
            with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as connection:
                barrier.wait()
                prepare(connection, path)

    with ThreadPoolExecutor(4) as threads:
        for made in [threads.submit(make_all) for _ in range(4)]:
            made.result()
    assert all("entries" in tables(path) for path in paths)


def test_a_failed_attempt_leaves_no_half_of_a_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new.sqlite3"
    monkeypatch.setattr(schema, "head_statements", lambda dialect: [*head_statements(dialect), "CREATE NONSENSE"])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            prepare(connection, path)
        assert not connection.in_transaction
    assert tables(path) == set()


def test_a_transaction_that_fails_changes_nothing(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "any.sqlite3", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.Error), transaction(connection):
            connection.executemany("INSERT INTO t VALUES (?)", [(1,), (object(),)])
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_errors_name_the_file_in_one_line() -> None:
    path = Path("/data/weedhounds.sqlite3")
    error = unavailable(path, sqlite3.OperationalError("something odd"), 0.5)
    assert str(error) == "/data/weedhounds.sqlite3 failed: something odd"
    assert (error.elapsed_s, error.retryable) == (0.5, True)
    assert isinstance(opening_error(path, PermissionError(13, "Permission denied")), ConfigError)
    assert isinstance(opening_error(path, sqlite3.OperationalError("odd")), TierUnavailable)
    kept = BadInput("kept as it is")
    assert opening_error(path, kept) is kept

"""How the tables of a SQLite file are made or brought up to date, and how a file that cannot be used is refused.

One schema for the tier and all that lives beside it, so that everything is in one file and one
transaction. What it is says :mod:`weedhounds.cache.tables`. Its version stands in the file's head
(``user_version``), where looking costs nothing; only a file with another one imports anything more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from weedhounds.cache.ddl import SCHEMA_VERSION, VERSION_TABLE, head_statements
from weedhounds.cache.work import SQLITE
from weedhounds.errors import ConfigError, TierUnavailable, WeedHoundsError

APPLICATION_ID = 0x57486E64
"""Written into the file's header ("WHnd"), so that another program's database is left alone."""
_WAL_TRIES = 20
_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_REASONS = {
    sqlite3.SQLITE_BUSY: "is locked by another process for longer than database.busy_timeout_s",
    sqlite3.SQLITE_LOCKED: "is locked",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full",
    sqlite3.SQLITE_READONLY: "is read-only",
    sqlite3.SQLITE_IOERR: "cannot be read or written (disk error)",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
}


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables in a new file, bring those of an older one up to date; accept a file that has them.

    Several processes may do so at once: one does it, the others wait.

    Raises:
        ConfigError: a newer schema, or another program's database.
        sqlite3.Error: the file is locked, damaged or cannot be written.
    """
    # One snapshot: the file may be made by another process between two of the questions.
    connection.execute("BEGIN")
    try:
        version = _version(connection, path)
    finally:
        connection.execute("ROLLBACK")
    if version == SCHEMA_VERSION:
        return
    _use_wal(connection)
    with transaction(connection):
        # Another process may have made the tables while this one waited for the lock.
        version = _version(connection, path)
        if version != SCHEMA_VERSION:
            for statement in _statements(version):
                connection.execute(statement).fetchall()
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _statements(version: int) -> list[str]:
    """Return what leads from a schema (0: none) to the current one."""
    if version == 0:
        return head_statements(SQLITE)
    from weedhounds.cache.migrate import upgrade_statements

    noted = [VERSION_TABLE, "INSERT INTO schema_version VALUES ('0001')"] if version == 1 else []
    return [*noted, *upgrade_statements(SQLITE, version)]


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; several processes may do so at once.

    SQLite does not wait for a lock here as it does elsewhere, so another transaction waits for it.
    """
    for _ in range(_WAL_TRIES):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY:
                raise
        with transaction(connection):
            pass
    connection.execute("PRAGMA journal_mode = WAL")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock from the start; commit at the end, roll back on any error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors (a full disk).
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return 0 for an empty file, else the schema version, at most ours."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not tables:
        return 0
    if application != APPLICATION_ID:
        raise ConfigError(f"{path} is another program's database; name another file in database.url")
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"{path} has schema version {version}, this program knows {SCHEMA_VERSION}: "
            "use a newer weedhounds, or another file in database.url"
        )
    return version


def opening_error(path: Path, error: Exception) -> WeedHoundsError:
    """Return what to tell a user whose database cannot be opened."""
    if isinstance(error, WeedHoundsError):
        return error
    if isinstance(error, OSError):
        return ConfigError(f"cannot use the folder {path.parent}: {error.strerror or error}")
    if _code(error) == sqlite3.SQLITE_CANTOPEN:
        return ConfigError(f"cannot open {path}: the folder or file cannot be read and written by this user")
    return unavailable(path, error, 0.0)


def unavailable(path: Path, error: Exception, elapsed_s: float) -> TierUnavailable:
    """Return the typed error for what SQLite raised; one line that names the file and, where damaged, the cure."""
    code = _code(error)
    if code in _DAMAGED:
        message = f"{path} is damaged ({error}): move it away to start empty, or put a backup in its place"
        return TierUnavailable(message, elapsed_s=elapsed_s, retryable=False)
    return TierUnavailable(f"{path} {_REASONS.get(code, f'failed: {error}')}", elapsed_s=elapsed_s)


def _code(error: Exception) -> int:
    """Return SQLite's primary error code; 0 where there is none."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else 0

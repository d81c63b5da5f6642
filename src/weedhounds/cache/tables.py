"""The tables of the SQL tier and of what lives beside it, in SQLAlchemy Core, for both databases.

The one place that says what the schema is. Migrations lead to it (``migrations/``), new databases
are made from a rendering of it (:mod:`weedhounds.cache.ddl`), and ``weedhounds db check`` compares
with it. Importing this module imports SQLAlchemy: no node with a current schema does.

Texts are bytes to MySQL, so that neither a collation nor a server's character set changes what is
equal. Times are Unix milliseconds from the nodes' clocks, but for ``leases``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, MetaData, SmallInteger, Table, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from weedhounds.cache.work import Dialect

_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "binary", "mysql_row_format": "DYNAMIC"}


def metadata_of(dialect: Dialect) -> MetaData:
    """Return the tables as ``dialect`` has them."""
    metadata = MetaData()
    _entries(metadata, dialect)
    _identities(metadata)
    _uses(metadata)
    _tombstones(metadata)
    _leases(metadata)
    _history(metadata)
    Table(
        "totals", metadata, Column("name", _text(32), primary_key=True), Column("rows", _big(), nullable=False),
        Column("bytes", _big(), nullable=False), **_OPTIONS,
    )  # fmt: skip
    return metadata


TOTALS = ("entries", "identities", "history")
"""The rows of ``totals``: the tables whose rows are counted."""


def _entries(metadata: MetaData, dialect: Dialect) -> None:
    """Entries. An ordinary rowid table in SQLite, the body last.

    With bodies of 8 KB a ``WITHOUT ROWID`` one read in 17 instead of 8 microseconds and took half the
    inserts; and every column after the body costs a walk along its overflow pages. MySQL, which would
    read the whole body to measure it, keeps its size in a column.
    """
    size = [Column("size", Integer, nullable=False)] if dialect.has_size_column else []
    table = Table(
        "entries", metadata,
        Column("digest", _digest(), primary_key=True),
        Column("key", _text(1024), nullable=False),
        Column("data_type", _text(32), nullable=False),
        Column("origin", _text(32), nullable=False),
        Column("fetched_ms", _big(), nullable=False),
        Column("expires_ms", _big(), nullable=False),
        Column("content", _digest(), nullable=False),
        Column("origins", _text(4096), nullable=False),
        Column("share", _text(16), nullable=False),
        Column("etag", _text(1024)),
        Column("last_modified", _text(1024)),
        Column("pinned", _big(), nullable=False),  # milliseconds of the import; 0 where not imported
        Column("signed_by", _text(1024)),
        Column("seal", _big()),  # CRC-32 of all but key and body; null in rows of the first schema
        *size,
        Column("body", LargeBinary().with_variant(mysql.LONGBLOB(), "mysql"), nullable=False),
        **_OPTIONS,
    )  # fmt: skip
    by_expiry = (table.c.expires_ms,) if dialect.name == "sqlite" else (table.c.pinned, table.c.expires_ms)
    Index("entries_by_expiry", *by_expiry, sqlite_where=table.c.pinned == 0)


def _identities(metadata: MetaData) -> None:
    table = Table(
        "identities", metadata, Column("identity", _text(256), primary_key=True),
        Column("key", _text(1024), primary_key=True), sqlite_with_rowid=False, **_OPTIONS,
    )  # fmt: skip
    Index("identities_by_key", table.c.key)


def _uses(metadata: MetaData) -> None:
    """How much entries were asked for: a score that halves every day, as it was at a moment."""
    Table(
        "uses", metadata, Column("digest", _digest(), primary_key=True), Column("score", Double, nullable=False),
        Column("at_ms", _big(), nullable=False), sqlite_with_rowid=False, **_OPTIONS,
    )  # fmt: skip


def _tombstones(metadata: MetaData) -> None:
    table = Table(
        "tombstones", metadata,
        Column("seq", _id(), primary_key=True, autoincrement=True),
        Column("digest", _digest(), nullable=False),
        Column("scope", _text(1100), nullable=False),
        Column("purged_ms", _big(), nullable=False),
        Column("why", _text(256), nullable=False),
        sqlite_autoincrement=True, **_OPTIONS,
    )  # fmt: skip
    Index("tombstones_by_digest", table.c.digest, unique=True)


def _leases(metadata: MetaData) -> None:
    """Loads under way; ``until_ms`` is of the machine's (SQLite) or server's clock."""
    Table(
        "leases", metadata, Column("name", _digest(), primary_key=True), Column("holder", _binary(16), nullable=False),
        Column("until_ms", _big(), nullable=False), sqlite_with_rowid=False, **_OPTIONS,
    )  # fmt: skip


def _history(metadata: MetaData) -> None:
    """Changes of price and stock: shop and offer by number, a price as its digits and their scale."""
    keys = Table(
        "history_keys", metadata, Column("id", _id(), primary_key=True, autoincrement=True),
        Column("digest", _digest(), nullable=False), Column("key", _text(1024), nullable=False), **_OPTIONS,
    )  # fmt: skip
    Index("history_keys_by_digest", keys.c.digest, unique=True)
    items = Table(
        "history_items", metadata,
        Column("id", _id(), primary_key=True, autoincrement=True),
        Column("digest", _digest(), nullable=False),
        Column("key_id", _big(), nullable=False),
        Column("product_id", _text(8192), nullable=False),
        Column("variant_label", _text(8192), nullable=False),
        Column("market", _text(8), nullable=False),
        **_OPTIONS,
    )  # fmt: skip
    Index("history_items_by_digest", items.c.digest, unique=True)
    Index("history_items_by_key", items.c.key_id)
    Table(
        "history", metadata,
        Column("key_id", _big(), primary_key=True, autoincrement=False),
        Column("at_ms", _big(), primary_key=True, autoincrement=False),
        Column("item_id", _big(), primary_key=True, autoincrement=False),
        Column("currency", _text(16), nullable=False),
        Column("price", _big()),
        Column("list_price", _big()),
        Column("in_stock", SmallInteger),
        Column("quantity", Double),
        sqlite_with_rowid=False, **_OPTIONS,
    )  # fmt: skip


def _digest() -> TypeEngine[Any]:
    return _binary(20)


def _binary(length: int) -> TypeEngine[Any]:
    return LargeBinary(length).with_variant(mysql.BINARY(length), "mysql")


def _text(longest: int) -> TypeEngine[Any]:
    return Text().with_variant(mysql.VARBINARY(longest), "mysql")


def _big() -> TypeEngine[Any]:
    return BigInteger().with_variant(Integer(), "sqlite")


def _id() -> TypeEngine[Any]:
    return BigInteger().with_variant(Integer(), "sqlite")

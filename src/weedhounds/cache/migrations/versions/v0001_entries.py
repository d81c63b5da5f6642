"""Entries, identities and totals: what SQLite files of the first version hold."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "binary", "mysql_row_format": "DYNAMIC"}


def _digest() -> Any:
    return sa.LargeBinary(20).with_variant(mysql.BINARY(20), "mysql")


def _text(longest: int) -> Any:
    return sa.Text().with_variant(mysql.VARBINARY(longest), "mysql")


def _big() -> Any:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    is_mysql = context.config.attributes["dialect"].name == "mysql"
    size = [sa.Column("size", sa.Integer, nullable=False)] if is_mysql else []
    op.create_table(
        "entries",
        sa.Column("digest", _digest(), primary_key=True),
        sa.Column("key", _text(1024), nullable=False),
        sa.Column("data_type", _text(32), nullable=False),
        sa.Column("origin", _text(32), nullable=False),
        sa.Column("fetched_ms", _big(), nullable=False),
        sa.Column("expires_ms", _big(), nullable=False),
        sa.Column("content", _digest(), nullable=False),
        sa.Column("origins", _text(4096), nullable=False),
        sa.Column("share", _text(16), nullable=False),
        sa.Column("etag", _text(1024)),
        sa.Column("last_modified", _text(1024)),
        sa.Column("pinned", _big(), nullable=False),
        sa.Column("signed_by", _text(1024)),
        *size,
        sa.Column("body", sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql"), nullable=False),
        if_not_exists=True,
        **_OPTIONS,
    )
    op.create_table(
        "identities",
        sa.Column("identity", _text(256), primary_key=True),
        sa.Column("key", _text(1024), primary_key=True),
        sqlite_with_rowid=False,
        if_not_exists=True,
        **_OPTIONS,
    )
    op.create_table(
        "totals",
        sa.Column("name", _text(32), primary_key=True),
        sa.Column("rows", _big(), nullable=False),
        sa.Column("bytes", _big(), nullable=False),
        if_not_exists=True,
        **_OPTIONS,
    )
    by_expiry = ["pinned", "expires_ms"] if is_mysql else ["expires_ms"]
    op.create_index("entries_by_expiry", "entries", by_expiry, sqlite_where=sa.text("pinned = 0"))
    op.execute("INSERT INTO totals VALUES ('entries', 0, 0), ('identities', 0, 0)")

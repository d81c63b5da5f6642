"""Seals of rows, uses, tombstones, leases and the history of prices."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "binary", "mysql_row_format": "DYNAMIC"}


def _binary(length: int) -> Any:
    return sa.LargeBinary(length).with_variant(mysql.BINARY(length), "mysql")


def _text(longest: int) -> Any:
    return sa.Text().with_variant(mysql.VARBINARY(longest), "mysql")


def _big() -> Any:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what the first version lacks."""
    op.add_column("entries", sa.Column("seal", _big()))
    op.create_index("identities_by_key", "identities", ["key"])
    _uses_and_tombstones()
    op.create_table(
        "leases",
        sa.Column("name", _binary(20), primary_key=True),
        sa.Column("holder", _binary(16), nullable=False),
        sa.Column("until_ms", _big(), nullable=False),
        sqlite_with_rowid=False,
        **_OPTIONS,
    )
    _history()
    op.execute("INSERT INTO totals VALUES ('history', 0, 0)")


def _uses_and_tombstones() -> None:
    op.create_table(
        "uses",
        sa.Column("digest", _binary(20), primary_key=True),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("at_ms", _big(), nullable=False),
        sqlite_with_rowid=False,
        **_OPTIONS,
    )
    op.create_table(
        "tombstones",
        sa.Column("seq", _big(), primary_key=True, autoincrement=True),
        sa.Column("digest", _binary(20), nullable=False),
        sa.Column("scope", _text(1100), nullable=False),
        sa.Column("purged_ms", _big(), nullable=False),
        sa.Column("why", _text(256), nullable=False),
        sqlite_autoincrement=True,
        **_OPTIONS,
    )
    op.create_index("tombstones_by_digest", "tombstones", ["digest"], unique=True)


def _history() -> None:
    op.create_table(
        "history_keys",
        sa.Column("id", _big(), primary_key=True, autoincrement=True),
        sa.Column("digest", _binary(20), nullable=False),
        sa.Column("key", _text(1024), nullable=False),
        **_OPTIONS,
    )
    op.create_index("history_keys_by_digest", "history_keys", ["digest"], unique=True)
    op.create_table(
        "history_items",
        sa.Column("id", _big(), primary_key=True, autoincrement=True),
        sa.Column("digest", _binary(20), nullable=False),
        sa.Column("key_id", _big(), nullable=False),
        sa.Column("product_id", _text(8192), nullable=False),
        sa.Column("variant_label", _text(8192), nullable=False),
        sa.Column("market", _text(8), nullable=False),
        **_OPTIONS,
    )
    op.create_index("history_items_by_digest", "history_items", ["digest"], unique=True)
    op.create_index("history_items_by_key", "history_items", ["key_id"])
    op.create_table(
        "history",
        sa.Column("key_id", _big(), primary_key=True, autoincrement=False),
        sa.Column("at_ms", _big(), primary_key=True, autoincrement=False),
        sa.Column("item_id", _big(), primary_key=True, autoincrement=False),
        sa.Column("currency", _text(16), nullable=False),
        sa.Column("price", _big()),
        sa.Column("list_price", _big()),
        sa.Column("in_stock", sa.SmallInteger),
        sa.Column("quantity", sa.Double),
        sqlite_with_rowid=False,
        **_OPTIONS,
    )

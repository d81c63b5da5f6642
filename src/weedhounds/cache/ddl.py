"""How a new database gets the current schema: statements rendered beforehand, so that nothing is imported for it.

The renderings come from :mod:`weedhounds.cache.tables` (``python -m weedhounds.cache.migrate``
writes them anew); a test compares them with the tables, and with what the migrations lead to.
"""

from __future__ import annotations

from pathlib import Path

from weedhounds.cache.work import Dialect

SCHEMA_VERSION = 2
"""The schema that this program knows; the number of the last migration."""
VERSION_TABLE = (
    "CREATE TABLE schema_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT schema_version_pkc PRIMARY KEY (version_num))"
)
"""Alembic's note of the schema's version."""


def head_file(dialect: Dialect) -> Path:
    """Return the file with the rendering."""
    return Path(__file__).parent / "migrations" / f"head_{dialect.name}.sql"


def head_statements(dialect: Dialect) -> list[str]:
    """Return the statements that make the current schema in an empty database."""
    return head_file(dialect).read_text().split(";\n")[:-1]

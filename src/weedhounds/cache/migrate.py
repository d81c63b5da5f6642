"""The way from an older schema to the current one, and the rendering of the current one, as SQL text.

Importing this module imports Alembic and SQLAlchemy (0.2 s): only a database whose schema is not
current needs it. The text is executed by whoever holds the connection and the lock
(:mod:`weedhounds.cache.schema`, :mod:`weedhounds.cache.mysql_schema`): so there is one driver for
each database, and no second one for migrations.
"""

from __future__ import annotations

import io
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from weedhounds.cache.ddl import SCHEMA_VERSION, VERSION_TABLE, head_file
from weedhounds.cache.tables import TOTALS, metadata_of
from weedhounds.cache.work import MYSQL, SQLITE, Dialect


class _Statements(io.StringIO):
    """Collects what Alembic prints: one write for each statement."""

    def __init__(self) -> None:
        super().__init__()
        self.collected: list[str] = []

    def write(self, text: str) -> int:
        statement = "\n".join(line for line in text.strip().splitlines() if not line.startswith("--"))
        if statement.strip():
            self.collected.append(statement.strip().removesuffix(";"))
        return len(text)


def upgrade_statements(dialect: Dialect, version: int) -> list[str]:
    """Return the statements that lead from schema ``version`` (0: an empty database) to the current one."""
    printed = _Statements()
    config = _config(dialect)
    config.output_buffer = printed
    start = f"{version:04}:" if version else ""
    command.upgrade(config, f"{start}{SCHEMA_VERSION:04}", sql=True)
    return printed.collected


def newest_version() -> int:
    """Return the version that the last migration leads to."""
    return int(ScriptDirectory.from_config(_config(SQLITE)).get_current_head() or 0)


def render(dialect: Dialect) -> str:
    """Return the statements that make the current schema in an empty database, as ``head_*.sql`` has them."""
    compiler = mysql.dialect() if dialect.name == "mysql" else sqlite.dialect()
    statements: list[str] = []
    for table in metadata_of(dialect).sorted_tables:
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        parts: list[CreateTable | CreateIndex] = [CreateTable(table), *map(CreateIndex, indexes)]
        statements += [" ".join(str(part.compile(dialect=compiler)).split()) for part in parts]
    counted = ", ".join(f"('{name}', 0, 0)" for name in TOTALS)
    statements += [
        f"INSERT INTO totals VALUES {counted}",
        VERSION_TABLE,
        f"INSERT INTO schema_version VALUES ('{SCHEMA_VERSION:04}')",
    ]
    return "".join(f"{statement};\n" for statement in statements)


def _config(dialect: Dialect) -> Config:
    config = Config(attributes={"dialect": dialect})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def main() -> None:
    """Write the renderings anew; to be run after a change of the tables."""
    for dialect in (SQLITE, MYSQL):
        head_file(dialect).write_text(render(dialect))


if __name__ == "__main__":
    main()

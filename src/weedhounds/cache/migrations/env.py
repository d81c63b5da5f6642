"""Runs migrations as SQL text: :mod:`weedhounds.cache.migrate` executes it over its own connection."""

from __future__ import annotations

from alembic import context

context.configure(
    dialect_name=context.config.attributes["dialect"].name, version_table="schema_version", literal_binds=True
)
context.run_migrations()

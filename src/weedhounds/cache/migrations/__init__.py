"""The steps of the schema, for Alembic, and renderings of where they lead (``head_*.sql``)."""

"""Alembic's entry: runs inside the connection and transaction that `projections.migrations.migrate` opened."""

from __future__ import annotations

from alembic import context

from projections.migrations import VERSION_TABLE

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    version_table=VERSION_TABLE,
    version_table_schema=attributes["schema"],
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

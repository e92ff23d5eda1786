"""What processes have noted: how far they have followed the log, and what is due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables."""
    schema = context.config.attributes["schema"]
    op.create_table(
        "ops_process_positions",
        sa.Column("process", sa.String(100), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        schema=schema,
    )
    op.create_table(
        "ops_timers",
        sa.Column("process", sa.String(100), primary_key=True),
        sa.Column("timer_id", sa.String(36), primary_key=True),
        sa.Column("subject", sa.String(36), nullable=False),
        sa.Column("due_us", sa.BigInteger, nullable=False),
        schema=schema,
    )
    op.create_index("ix_ops_timers_due", "ops_timers", ["process", "due_us"], schema=schema)

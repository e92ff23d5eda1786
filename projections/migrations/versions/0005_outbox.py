"""What is to be told by e-mail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    schema = context.config.attributes["schema"]
    op.create_table(
        "ops_outbox",
        sa.Column("message_id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("recipient", sa.String(36), nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_us", sa.BigInteger, nullable=False),
        sa.Column("leased_us", sa.BigInteger, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("trouble", sa.String(200)),
        schema=schema,
    )
    op.create_index("ix_ops_outbox_next", "ops_outbox", ["status", "kind", "next_us"], schema=schema)

"""Who reads the weekly digest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    schema = context.config.attributes["schema"]
    op.create_table(
        "ops_digest_readers",
        sa.Column("reader_id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), nullable=False, unique=True),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("clinics", sa.Text),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("next_us", sa.BigInteger, nullable=False),
        sa.Column("stopped_us", sa.BigInteger),
        schema=schema,
    )

"""Links that patients answer by, and what has been answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables."""
    schema = context.config.attributes["schema"]
    op.create_table(
        "ops_home_links",
        sa.Column("link_id", sa.String(36), primary_key=True),
        sa.Column("patient_id", sa.String(36), nullable=False),
        sa.Column("clinic_id", sa.String(36), nullable=False),
        sa.Column("follow_up_id", sa.String(36)),
        sa.Column("asks", sa.Text, nullable=False),
        sa.Column("created_by", sa.String(80), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("revoked_us", sa.BigInteger),
        schema=schema,
    )
    op.create_index("ix_ops_home_links_patient", "ops_home_links", ["patient_id"], schema=schema)
    op.create_table(
        "ops_home_answered",
        sa.Column("link_id", sa.String(36), primary_key=True),
        sa.Column("asked", sa.String(40), primary_key=True),
        sa.Column("entry", sa.Integer),
        sa.Column("changes", sa.Integer, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        schema=schema,
    )

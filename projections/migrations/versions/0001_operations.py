"""Where projections stand, who leads, what was skipped; users and API keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the first `ops_` tables."""
    schema = context.config.attributes["schema"]
    _create_engine_tables(schema)
    _create_user_tables(schema)


def _create_engine_tables(schema: str | None) -> None:
    op.create_table(
        "ops_projection_positions",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("slot", sa.String(10), primary_key=True),
        sa.Column("group_name", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("tables", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("failed_position", sa.BigInteger),
        sa.Column("failed_event", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("retry_us", sa.BigInteger),
        sa.Column("started_us", sa.BigInteger, nullable=False),
        sa.Column("updated_us", sa.BigInteger, nullable=False),
        schema=schema,
    )
    op.create_table(
        "ops_projection_leaders",
        sa.Column("group_name", sa.String(100), primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("since_us", sa.BigInteger, nullable=False),
        sa.Column("beat_us", sa.BigInteger, nullable=False),
        schema=schema,
    )
    op.create_table(
        "ops_projection_skips",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("skipped_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("skipped_us", sa.BigInteger, nullable=False),
        schema=schema,
    )


def _create_user_tables(schema: str | None) -> None:
    op.create_table(
        "ops_users",
        sa.Column("user_id", sa.String(36), primary_key=True),
        sa.Column("user_name", sa.String(120), nullable=False),
        sa.Column("staff_id", sa.String(36), unique=True),
        sa.Column("pin_hash", sa.String(200)),
        sa.Column("pin_failures", sa.Integer, nullable=False),
        sa.Column("pin_locked_until_us", sa.BigInteger, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("disabled_us", sa.BigInteger),
        schema=schema,
    )
    users = f"{schema}.ops_users" if schema else "ops_users"
    op.create_table(
        "ops_api_keys",
        sa.Column("key_id", sa.String(16), primary_key=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey(f"{users}.user_id"), nullable=False),
        sa.Column("label", sa.String(120), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("clinics", sa.Text),
        sa.Column("scopes", sa.Text),
        sa.Column("secret_sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger),
        sa.Column("revoked_us", sa.BigInteger),
        schema=schema,
    )
    op.create_index("ix_ops_api_keys_user_id", "ops_api_keys", ["user_id"], schema=schema)

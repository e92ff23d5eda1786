"""How people sign in: accounts, their roles at clinics, recovery codes, outside identities, sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables."""
    schema = context.config.attributes["schema"]
    users = f"{schema}.ops_users" if schema else "ops_users"

    def of_a_user(primary_key: bool) -> sa.Column[str]:
        return sa.Column(
            "user_id", sa.String(36), sa.ForeignKey(f"{users}.user_id"), primary_key=primary_key, nullable=False
        )

    op.create_table(
        "ops_accounts",
        of_a_user(primary_key=True),
        sa.Column("sign_in_name", sa.String(120), nullable=False, unique=True),
        sa.Column("password_hash", sa.String(200)),
        sa.Column("password_changed_us", sa.BigInteger, nullable=False),
        sa.Column("must_change", sa.Boolean, nullable=False),
        sa.Column("totp_sealed", sa.LargeBinary),
        sa.Column("totp_kek", sa.String(120)),
        sa.Column("totp_confirmed_us", sa.BigInteger),
        sa.Column("totp_last_step", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("locked_until_us", sa.BigInteger, nullable=False),
        sa.Column("demo", sa.Boolean, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        schema=schema,
    )
    op.create_table(
        "ops_grants",
        of_a_user(primary_key=True),
        sa.Column("role", sa.String(20), primary_key=True),
        sa.Column("clinics", sa.Text),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        schema=schema,
    )
    op.create_table(
        "ops_recovery_codes",
        of_a_user(primary_key=True),
        sa.Column("code_sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("used_us", sa.BigInteger),
        schema=schema,
    )
    op.create_table(
        "ops_identities",
        sa.Column("issuer", sa.String(300), primary_key=True),
        sa.Column("subject", sa.String(300), primary_key=True),
        of_a_user(primary_key=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        schema=schema,
    )
    _create_sessions(schema, of_a_user(primary_key=False))


def _create_sessions(schema: str | None, user: sa.Column[str]) -> None:
    op.create_table(
        "ops_sessions",
        sa.Column("session_id", sa.String(16), primary_key=True),
        sa.Column("token_sha256", sa.LargeBinary(32), nullable=False, unique=True),
        user,
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("stage", sa.String(20), nullable=False),
        sa.Column("method", sa.String(40), nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("id_token", sa.Text),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("seen_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        schema=schema,
    )
    op.create_index("ix_ops_sessions_user_id", "ops_sessions", ["user_id"], schema=schema)

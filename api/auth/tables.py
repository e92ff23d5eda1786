"""Users and API keys, in the views database (they are configuration, not history: their changes are events)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, MetaData, String, Table, Text

METADATA = MetaData()

USERS = Table(
    "ops_users",
    METADATA,
    Column("user_id", String(36), primary_key=True),
    Column("user_name", String(120), nullable=False),
    Column("staff_id", String(36), unique=True),
    Column("pin_hash", String(200)),
    Column("pin_failures", Integer, nullable=False, default=0),
    Column("pin_locked_until_us", BigInteger, nullable=False, default=0),
    Column("created_us", BigInteger, nullable=False),
    Column("disabled_us", BigInteger),
)

API_KEYS = Table(
    "ops_api_keys",
    METADATA,
    Column("key_id", String(16), primary_key=True),
    Column("user_id", String(36), ForeignKey("ops_users.user_id"), nullable=False, index=True),
    Column("label", String(120), nullable=False),
    Column("role", String(20), nullable=False),
    Column("clinics", Text, comment="JSON array of clinic ids; null is every clinic"),
    Column("scopes", Text, comment="JSON array of scopes; null is all that the role may"),
    Column("secret_sha256", LargeBinary(32), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    Column("revoked_us", BigInteger),
)

"""Users, their API keys, accounts, roles and sessions, in the views database (configuration: changes are events)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, MetaData, String, Table, Text

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

ACCOUNTS = Table(
    "ops_accounts",
    METADATA,
    Column("user_id", String(36), ForeignKey("ops_users.user_id"), primary_key=True),
    Column("sign_in_name", String(120), nullable=False, unique=True),
    Column("password_hash", String(200)),
    Column("password_changed_us", BigInteger, nullable=False),
    Column("must_change", Boolean, nullable=False),
    Column("totp_sealed", LargeBinary, comment="the secret, wrapped by the installation's key-encryption key"),
    Column("totp_kek", String(120)),
    Column("totp_confirmed_us", BigInteger),
    Column("totp_last_step", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("locked_until_us", BigInteger, nullable=False),
    Column("demo", Boolean, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)

GRANTS = Table(
    "ops_grants",
    METADATA,
    Column("user_id", String(36), ForeignKey("ops_users.user_id"), primary_key=True),
    Column("role", String(20), primary_key=True),
    Column("clinics", Text, comment="JSON array of clinic ids; null is every clinic"),
    Column("created_us", BigInteger, nullable=False),
)

RECOVERY_CODES = Table(
    "ops_recovery_codes",
    METADATA,
    Column("user_id", String(36), ForeignKey("ops_users.user_id"), primary_key=True),
    Column("code_sha256", LargeBinary(32), primary_key=True),
    Column("used_us", BigInteger),
)

IDENTITIES = Table(
    "ops_identities",
    METADATA,
    Column("issuer", String(300), primary_key=True),
    Column("subject", String(300), primary_key=True),
    Column("user_id", String(36), ForeignKey("ops_users.user_id"), nullable=False),
    Column("created_us", BigInteger, nullable=False),
)

SESSIONS = Table(
    "ops_sessions",
    METADATA,
    Column("session_id", String(16), primary_key=True),
    Column("token_sha256", LargeBinary(32), nullable=False, unique=True),
    Column("user_id", String(36), ForeignKey("ops_users.user_id"), nullable=False, index=True),
    Column("role", String(20), nullable=False),
    Column("stage", String(20), nullable=False),
    Column("method", String(40), nullable=False),
    Column("agent", String(200), nullable=False),
    Column("address", String(45), nullable=False),
    Column("id_token", Text, comment="for the identity provider's own sign-out"),
    Column("created_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
)

"""What links and the questions behind them need beside the log: capabilities, not history (answers are events)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text

METADATA = MetaData()

LINKS = Table(
    "ops_home_links",
    METADATA,
    Column("link_id", String(36), primary_key=True),
    Column("patient_id", String(36), nullable=False, index=True),
    Column("clinic_id", String(36), nullable=False),
    Column("follow_up_id", String(36)),
    Column("asks", Text, nullable=False, comment="JSON array of what it asks, in order"),
    Column("created_by", String(80), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
)

ANSWERED = Table(
    "ops_home_answered",
    METADATA,
    Column("link_id", String(36), primary_key=True),
    Column("asked", String(40), primary_key=True),
    Column("entry", Integer, comment="The diary's entry; null: left unanswered"),
    Column("changes", Integer, nullable=False, default=0),
    Column("at_us", BigInteger, nullable=False),
)
"""Which questions of a link have been dealt with. The answers themselves are in the log only."""

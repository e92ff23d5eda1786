"""The outbox: what is to be told to whom. No addresses and no words: both are made when a letter is sent."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

METADATA = MetaData()

OUTBOX = Table(
    "ops_outbox",
    METADATA,
    Column("message_id", String(36), primary_key=True),
    Column("kind", String(20), nullable=False, comment="follow_up, alert, digest"),
    Column("recipient", String(36), nullable=False, comment="the patient's, the staff's or the reader's id"),
    Column("about", Text, nullable=False, comment="JSON: ids and days, never health data"),
    Column("status", String(12), nullable=False, comment="queued, sent, dropped, dead"),
    Column("attempts", Integer, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("leased_us", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Column("trouble", String(200)),
    Index("ix_ops_outbox_next", "status", "kind", "next_us"),
)

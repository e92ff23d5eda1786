"""Who reads the weekly digest."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text

METADATA = MetaData()

READERS = Table(
    "ops_digest_readers",
    METADATA,
    Column("reader_id", String(36), primary_key=True),
    Column("user_id", String(36), nullable=False, unique=True),
    Column("email", String(254), nullable=False),
    Column("clinics", Text, comment="JSON array of clinic ids; null is every clinic that the user may see"),
    Column("created_us", BigInteger, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("stopped_us", BigInteger),
)

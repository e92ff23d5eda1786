"""The leaf is one definition, byte for byte the same on both databases and in a dozen lines of anybody's code."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from uuid import UUID

from services.log import EventLog, open_log
from tests.conftest import Database
from tests.log.given import append, by_nurse, room, scored

CLINIC, SUBJECT = UUID(int=21), UUID(int=22)


class Fixed:
    """A recording clock that stands still."""

    def now(self) -> datetime:
        return datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)


def fill(database: Database) -> list[bytes]:
    log: EventLog = open_log(database.log_url, mode="simulation", clock=Fixed())
    nurse = by_nurse(clinic_id=CLINIC, subject=SUBJECT, correlation_id=UUID(int=1), command_id=UUID(int=2))
    append(log, UUID(int=31), 0, scored(-1), scored(-2), envelope=nurse, claims=(room(9, None),))
    append(log, UUID(int=32), 0, scored(), envelope=by_nurse())
    leaves = [record.leaf_hash for record in log.read(0, 10)]
    log.close()
    return leaves


def test_both_databases_compute_the_same_leaves(sqlite_database: Database, postgres_database: Database) -> None:
    assert fill(sqlite_database) == fill(postgres_database)


def test_a_leaf_can_be_computed_from_the_row_by_anybody(event_log: EventLog) -> None:
    nurse = by_nurse(clinic_id=CLINIC, causation_id=UUID(int=3), origin="import")
    append(event_log, UUID(int=31), 0, scored(), envelope=nurse)
    row = event_log.rows(1, 1)[0]

    def field(data: bytes | None) -> bytes:
        return b"\xff\xff\xff\xff" if data is None else len(data).to_bytes(4, "big") + data

    entry = b"\x00" + b"".join(field(data) for data in (
        b"anodyne/leaf/1", b"care", row.recorded_us.to_bytes(8, "big"), CLINIC.bytes, None, b"staff:1", b"nurse",
        b"import", None, UUID(int=3).bytes, None, (2).to_bytes(8, "big"), (1).to_bytes(8, "big"), UUID(int=31).bytes,
        (1).to_bytes(8, "big"), b"infusion.sedation_scored.v1", None, row.state,
    ))
    assert hashlib.sha256(entry).digest() == row.leaf_hash

"""Appending and reading back, on both databases."""

from __future__ import annotations

from datetime import UTC, timedelta
from uuid import uuid4

import pytest

from domain.corrections import EntryAmended
from domain.infusion.monitoring import SedationScored
from domain.kernel import Event, Sealed
from domain.patient.registration import DemographicsCorrected
from services.log import (
    ANY_VERSION,
    Append,
    EventLog,
    Idempotency,
    IdempotencyMismatch,
    InvalidEvent,
    KeyUnsealer,
    StreamConflict,
    StreamWrite,
    UnknownEvent,
)
from tests.conftest import Database
from tests.log.given import NOW, another_process, append, by_nurse, renamed, scored, write


def test_what_was_appended_is_read_back_with_its_envelope(event_log: EventLog) -> None:
    stream, clinic, subject, correlation, command = (uuid4() for _ in range(5))
    envelope = by_nurse(
        clinic_id=clinic, subject=subject, correlation_id=correlation, command_id=command, origin="device"
    )
    done = event_log.append(
        Append(writes=(StreamWrite(stream, 0, (scored(-1), scored(-2))),), envelope=envelope)
    )
    assert (done.first_position, done.last_position, done.versions) == (2, 3, {stream: 2})
    first, second = event_log.read_stream(stream)
    assert first.event == scored(-1) and first.event.occurred_at.utcoffset() == timedelta(hours=-7)
    assert (second.position, second.version, second.clinic_id, second.clinic_seq) == (3, 2, clinic, 2)
    assert (second.actor, second.role, second.origin, second.subject) == ("staff:1", "nurse", "device", subject)
    assert (second.correlation_id, second.causation_id, second.command_id) == (correlation, None, command)
    assert second.recorded_at == done.recorded_at and second.recorded_at.tzinfo is UTC
    assert len(second.leaf_hash) == 32 and first.leaf_hash != second.leaf_hash
    assert event_log.read_subject(subject) == [first, second]
    assert (event_log.first_of(stream), event_log.first_of(uuid4())) == (first, None)
    assert event_log.read(0, 10)[1:] == [first, second]
    assert event_log.read(0, 10, names=["infusion.sedation_scored.v1"], upto=2) == [first]
    scans = event_log.scan(1, 10)
    assert [(each.position, each.stream, each.clinic, each.subject) for each in scans] == [
        (2, str(stream), str(clinic), str(subject)), (3, str(stream), str(clinic), str(subject))
    ]
    assert scans[0].event == first.event and scans[0].name == "infusion.sedation_scored.v1"


def test_a_writer_that_was_not_first_is_told(event_log: EventLog) -> None:
    stream = uuid4()
    append(event_log, stream, 0, scored())
    with pytest.raises(StreamConflict) as conflict:
        append(event_log, stream, 0, scored())
    assert (conflict.value.expected, conflict.value.actual) == (0, 1)
    with pytest.raises(StreamConflict):
        append(event_log, stream, 7, scored())
    assert append(event_log, stream, ANY_VERSION, scored()).last_position == 3
    assert [record.version for record in event_log.read_stream(stream)] == [1, 2]


def test_a_stream_that_was_only_read_must_not_have_moved(event_log: EventLog) -> None:
    read, written = uuid4(), uuid4()
    append(event_log, read, 0, scored())
    ok = Append(writes=(StreamWrite(written, 0, (scored(),)),), envelope=by_nurse(), unchanged=((read, 1),))
    event_log.append(ok)
    stale = Append(writes=(StreamWrite(written, 1, (scored(),)),), envelope=by_nurse(), unchanged=((read, 0),))
    with pytest.raises(StreamConflict) as conflict:
        event_log.append(stale)
    assert conflict.value.stream_id == read
    assert event_log.head() == 3


def test_several_streams_are_written_in_one_commit_or_not_at_all(event_log: EventLog) -> None:
    one, other = uuid4(), uuid4()
    append(event_log, other, 0, scored())
    both = (StreamWrite(one, 0, (scored(),)), StreamWrite(other, 0, (scored(),)))
    with pytest.raises(StreamConflict):
        event_log.append(Append(writes=both, envelope=by_nurse()))
    assert event_log.read_stream(one) == [] and event_log.head_of(one) == 0
    both = (StreamWrite(one, 0, (scored(),)), StreamWrite(other, 1, (scored(), scored())))
    assert event_log.append(Append(writes=both, envelope=by_nurse())).versions == {one: 1, other: 3}


def test_the_same_key_gets_the_first_answer_and_another_body_is_refused(event_log: EventLog) -> None:
    stream = uuid4()
    asked = Append(
        writes=(StreamWrite(stream, 0, (scored(),)),), envelope=by_nurse(), answer={"id": "x"}, status=202,
        idempotency=Idempotency("key:1", "abc", b"1" * 32),
    )
    first = event_log.append(asked)
    again = event_log.append(asked)
    assert again.replayed and (again.status, again.answer) == (202, {"id": "x"})
    assert again.last_position == first.last_position and event_log.head() == 2
    other = Idempotency("key:1", "abc", b"2" * 32)
    with pytest.raises(IdempotencyMismatch):
        event_log.append(Append(writes=asked.writes, envelope=asked.envelope, idempotency=other))
    assert event_log.answer_of(Idempotency("key:2", "abc", b"1" * 32)) is None
    stored = event_log.answer_of(asked.idempotency) if asked.idempotency else None
    assert stored and stored.answer == {"id": "x"}


def test_clinic_seq_is_dense_per_clinic_and_zero_without_one(event_log: EventLog) -> None:
    one, other = uuid4(), uuid4()
    for clinic in (one, other, one, None, one):
        append(event_log, uuid4(), 0, scored(), envelope=by_nurse(clinic_id=clinic))
    seqs = [(record.clinic_id, record.clinic_seq) for record in event_log.read(1, 10)]
    assert seqs == [(one, 1), (other, 1), (one, 2), (None, 0), (one, 3)]


def test_secrets_are_sealed_in_the_row_and_opened_only_by_an_unsealer(event_log: EventLog) -> None:
    patient = uuid4()
    done = event_log.append(Append(writes=(StreamWrite(patient, 0, (renamed("Garcia"),)),), envelope=by_nurse()))
    (record,) = event_log.read_stream(patient)
    event = record.event
    assert isinstance(event, DemographicsCorrected) and isinstance(event.family_name, Sealed)
    assert done.events == ((event,),)
    assert b"Garcia" not in event_log.rows(1, 1)[0].state
    assert event_log.keys is not None
    unsealer = KeyUnsealer(event_log.keys, event_log.upcasters)
    assert unsealer.unseal(record, "family_name", event.family_name) == "Garcia"
    assert unsealer.unsealed(record)["family_name"] == "Garcia"


def test_what_could_not_be_read_back_is_not_written(event_log: EventLog) -> None:
    naive = SedationScored(occurred_at=NOW.replace(tzinfo=None), scale="rass", score=0)
    wrong = SedationScored(occurred_at=NOW, scale="rass", score="deep")  # type: ignore[arg-type]
    for event in (naive, wrong):
        with pytest.raises(InvalidEvent):
            append(event_log, uuid4(), 0, event)
    assert event_log.head() == 1


def test_an_event_outside_the_catalogue_is_refused_on_write_and_on_read(event_log: EventLog) -> None:
    class HouseBurnt(Event, frozen=True, kw_only=True):
        NAME = "clinic.house_burnt.v1"

    class Impostor(Event, frozen=True, kw_only=True):
        NAME = "infusion.sedation_scored.v1"

    for stranger in (HouseBurnt(occurred_at=NOW), Impostor(occurred_at=NOW)):
        with pytest.raises(UnknownEvent):
            append(event_log, uuid4(), 0, stranger)
    with pytest.raises(UnknownEvent):
        event_log.read(0, 10, names=["clinic.house_burnt.v1"])
    with pytest.raises(UnknownEvent):
        event_log.mapper.decode("os.path:join", b"{}")


def test_an_amendment_names_real_fields_and_secrets_only_sealed(event_log: EventLog) -> None:
    stream = uuid4()
    append(event_log, stream, 0, renamed("Garcia"))

    def amendment(**more: object) -> EntryAmended:
        return EntryAmended(
            occurred_at=NOW, entry=1, entry_name="patient.demographics_corrected.v1", reason_code="typing_error", **more
        )

    unknown, secret, clear = {"colour": "red"}, {"family_name": "plain"}, {"sex": "f"}
    for wrong in ({"corrections": unknown}, {"corrections": secret}, {"sealed": clear}):
        with pytest.raises(InvalidEvent):
            append(event_log, stream, 1, amendment(**wrong))
    append(event_log, stream, 1, amendment(corrections={"sex": "f"}, sealed={"family_name": "Garcia"}))
    stored = event_log.read_stream(stream)[1].event
    assert isinstance(stored, EntryAmended) and isinstance(stored.sealed["family_name"], Sealed)


def test_a_connection_that_lost_its_prepared_statements_appends_all_the_same(postgres_database: Database) -> None:
    """psycopg deallocates all of them after a ROLLBACK."""
    log = another_process(postgres_database)
    append(log, uuid4(), 0, scored())
    with log.recorder.datastore.get_connection() as connection:  # type: ignore[call-arg]
        connection.execute("DEALLOCATE ALL")  # type: ignore[attr-defined]
    assert append(log, uuid4(), 0, scored()).last_position == 3
    with log.recorder.datastore.get_connection() as connection:  # type: ignore[call-arg]
        connection.execute("DEALLOCATE ALL")  # type: ignore[attr-defined]
    assert [done.last_position for done in log.append_all([write(uuid4(), 0, scored())] * 1)] == [4]
    log.close()

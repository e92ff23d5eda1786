"""The directory: names, blind indexes, corrections, merging, erasure; and who may see whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Connection, select

from domain.kernel import Recorded, Redacted, Secret
from projections.care_relations import clinics_of, visible
from projections.directory import BlindIndexes, Person, find, named
from projections.facts.tables import care_relation_facts, directory_indexes, directory_people
from projections.registry import directory_group, facts_group
from tests.support.facts import facts_of, follow
from tests.support.histories import History, uid

AT = datetime(2026, 3, 3, 12, tzinfo=UTC)
A, B = uid(1, 1), uid(2, 1)
KEY = b"k" * 32


class Plain:
    """An Unsealer over text that was never sealed; the keys of `erased` patients are destroyed."""

    def __init__(self, *erased: UUID) -> None:
        self.erased = erased

    def unseal(self, record: Recorded, field: str, value: Secret | None) -> str | Redacted | None:
        return Redacted() if record.stream_id in self.erased else value  # type: ignore[return-value]

    def unsealed(self, record: Recorded) -> dict[str, object]:
        found: dict[str, Any] = msgspec.to_builtins(record.event)
        if record.stream_id in self.erased:
            return {name: None if isinstance(value, str) else value for name, value in found.items()}
        return found


def registered(history: History, number: int, family: str, given: str, clinic: UUID = A, **fields: Any) -> UUID:
    patient = uid(number, 3)
    history.add(
        "patient.registered.v1", patient, AT, clinic=clinic, subject=patient, family_name=family, given_name=given,
        birth_date="1970-05-0" + str(number % 9 + 1), sex="female", age_band="50-59", home_clinic_id=clinic, **fields,
    )  # fmt: skip
    history.add(
        "patient.care_relation_opened.v1", patient, AT, clinic=clinic, subject=patient, clinic_id=clinic,
        reason_code="registration",
    )  # fmt: skip
    return patient


def people() -> History:
    history = History()
    registered(history, 1, "Ångström", "Åsa", phone="+1 (555) 010-2030", email="Asa@Example.org")
    registered(history, 2, "Angel", "Ben", identifiers={"mrn": "A-17"})
    registered(history, 3, "Zimt", "Cleo", clinic=B)
    return history


def database(history: History, *erased: UUID, batches: list[int] | None = None) -> Connection:
    conn = facts_of(history, facts_group(), batches)
    group = directory_group(Plain(*erased), KEY)
    for projection in group.projections:
        follow(conn, projection, history, batches or [history.head()], whole_records=True)
    return conn


def search(conn: Connection, **asked: Any) -> list[str | None]:
    return [one.family_name for one in find(conn, BlindIndexes(KEY), **{"clinics": None, **asked})]


def test_a_name_is_found_by_its_beginning_whatever_its_case() -> None:
    """Family name, and given name after a space; ordered by name."""
    with database(people()) as conn:
        assert search(conn, name="ang") == ["Angel"]
        assert search(conn, name="ÅNGSTRÖM  å") == ["Ångström"]
        assert search(conn) == ["Angel", "Zimt", "Ångström"]


@pytest.mark.parametrize(
    "asked",
    [{"phone": "15550102030"}, {"email": "asa@example.ORG "}, {"born": ("ångström", "1970-05-02")}],
)
def test_contact_and_birth_date_are_found_by_blind_index(asked: dict[str, Any]) -> None:
    """However they are written."""
    with database(people()) as conn:
        assert search(conn, **asked) == ["Ångström"]


def test_an_identifier_is_found_under_its_own_system() -> None:
    """The same number of another system is somebody else's."""
    with database(people()) as conn:
        assert search(conn, identifier=("mrn", "a-17")) == ["Angel"]
        assert search(conn, identifier=("ssn", "a-17")) == []


def test_what_is_only_searched_by_is_not_stored() -> None:
    """No phone, no address of a mailbox, no identifier in clear; another key finds nothing."""
    with database(people()) as conn:
        stored = repr(everything(conn))
        assert not any(secret in stored for secret in ("555", "0102030", "xample", "A-17"))
        assert [one.family_name for one in find(conn, BlindIndexes(b"x" * 32), clinics=None, phone="15550102030")] == []


def test_a_clinic_finds_only_whom_it_cares_for() -> None:
    """Patients of the other clinic are not in sight."""
    with database(people()) as conn:
        assert search(conn, clinics=[str(A)]) == ["Angel", "Ångström"]
        assert search(conn, clinics=[str(B)]) == ["Zimt"]
        assert search(conn, clinics=[]) == []


def test_pages_follow_the_last_patient_seen() -> None:
    """By name, then id."""
    with database(people()) as conn:
        first = find(conn, BlindIndexes(KEY), clinics=None, limit=2)
        rest = find(conn, BlindIndexes(KEY), clinics=None, limit=2, after=first[-1].patient_id)
        assert [one.family_name for one in (*first, *rest)] == ["Angel", "Zimt", "Ångström"]


def corrected(history: History, patient: UUID, **fields: Any) -> None:
    history.add(
        "patient.demographics_corrected.v1", patient, AT + timedelta(days=1), clinic=A, subject=patient,
        reason_code="typing_error", **fields,
    )  # fmt: skip


def test_a_correction_changes_the_name_and_its_indexes_and_nothing_else() -> None:
    """The old phone finds nobody, the email still does; the old row stays for its time."""
    history = people()
    corrected(history, uid(1, 3), family_name="Engström", phone="15550109999")
    with database(history) as conn:
        assert search(conn, phone="15550109999") == ["Engström"]
        assert search(conn, phone="15550102030") == []
        assert search(conn, email="asa@example.org") == ["Engström"]
        assert search(conn, born=("engström", "1970-05-02")) == ["Engström"]
        assert search(conn, born=("ångström", "1970-05-02")) == []


def test_a_merged_record_names_its_survivor_until_it_is_unmerged() -> None:
    """So that a screen can lead on."""
    history = people()
    fields = {"survivor_id": uid(2, 3), "reason_code": "duplicate"}
    history.add("patient.merged.v1", uid(1, 3), AT + timedelta(days=2), clinic=A, subject=uid(1, 3), **fields)
    with database(history) as conn:
        assert named(conn, [str(uid(1, 3))])[str(uid(1, 3))].merged_into == str(uid(2, 3))
    history.add("patient.unmerged.v1", uid(1, 3), AT + timedelta(days=3), clinic=A, subject=uid(1, 3), **fields)
    with database(history) as conn:
        assert named(conn, [str(uid(1, 3))])[str(uid(1, 3))].merged_into is None


def erase(history: History, patient: UUID) -> None:
    history.add(
        "patient.erased.v1", patient, AT + timedelta(days=9), clinic=A, subject=patient, request_id=uid(1, 9),
        keys_destroyed=1,
    )  # fmt: skip


def everything(conn: Connection) -> list[str]:
    rows = [*conn.execute(select(directory_people)), *conn.execute(select(directory_indexes))]
    return sorted(repr(tuple(row)) for row in rows)


def test_erasure_purges_every_row_live_and_rebuilt_alike() -> None:
    """Open and closed rows; a rebuild after the keys are gone comes to the same."""
    history = people()
    corrected(history, uid(1, 3), family_name="Engström")
    erase(history, uid(1, 3))
    with database(history, batches=[1] * history.head()) as live, database(history, uid(1, 3)) as rebuilt:
        assert everything(live) == everything(rebuilt)
        assert "ngstr" not in repr(everything(live))
        assert search(live) == ["Angel", "Zimt"]


def test_a_struck_registration_leaves_the_directory() -> None:
    """The entry should never have been made."""
    history = people()
    history.strike(uid(2, 3), 1, AT + timedelta(days=1))
    with database(history) as conn:
        assert search(conn, name="angel") == []


def test_batches_do_not_matter_to_the_directory() -> None:
    """Row for row."""
    history = people()
    corrected(history, uid(1, 3), family_name="Engström", email="new@example.org")
    with database(history) as whole, database(history, batches=[1] * history.head()) as single:
        assert everything(whole) == everything(single)


# --- care relations -------------------------------------------------------------------------------


def test_a_patient_is_visible_to_the_clinics_that_care_until_they_close() -> None:
    """Registration opens the first relation, a transfer the next."""
    history = people()
    patient = uid(1, 3)
    other = {"clinic": B, "subject": patient, "clinic_id": B, "reason_code": "transfer"}
    history.add("patient.care_relation_opened.v1", patient, AT + timedelta(days=1), **other)
    with facts_of(history) as conn:
        assert visible(conn, str(patient), [str(B)])
        assert clinics_of(conn, str(patient)) == sorted([str(A), str(B)])
        assert not visible(conn, str(patient), [])
        assert visible(conn, str(patient), None)
        assert not visible(conn, str(uid(99, 3)), None)
    history.add("patient.care_relation_closed.v1", patient, AT + timedelta(days=2), **other)
    with facts_of(history) as conn:
        assert not visible(conn, str(patient), [str(B)])
        assert visible(conn, str(patient), [str(A), str(B)])


def test_a_relation_opened_twice_is_one_and_struck_is_none() -> None:
    """Closing it once closes it."""
    history = people()
    fields = {"clinic": A, "subject": uid(1, 3), "clinic_id": A, "reason_code": "again"}
    history.add("patient.care_relation_opened.v1", uid(1, 3), AT, **fields)
    history.strike(uid(2, 3), 2, AT)
    with facts_of(history) as conn:
        table = care_relation_facts
        rows = conn.execute(select(table).where(table.c.patient == str(uid(1, 3)), table.c.known_to.is_(None))).all()
        assert len(rows) == 1
        assert not visible(conn, str(uid(2, 3)), None)


def test_a_person_has_no_more_than_a_list_needs() -> None:
    """What leaves the directory is written down."""
    assert set(Person.__struct_fields__) == {
        "patient_id", "family_name", "given_name", "birth_date", "sex", "age_band", "merged_into",
    }  # fmt: skip

"""The whole import over a real log: the committed export, broken ones, the second time, the interrupted time."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api.fhir.importing import FhirImport
from api.fhir.report import ImportReport
from domain import clinic
from domain.diary import PainScored
from domain.kernel import Actor, Command, Sealed
from domain.patient.records import MergePatients
from domain.patient.registration import PatientRegistered
from domain.patient.screening import ScreeningRecorded
from domain.system import ImportRun
from services.handling import CommandHandling, Receipt, Request
from services.log import EventLog, open_log
from services.use_cases import use_cases
from tests.conftest import Database

EXPORT = Path(__file__).parents[2] / "data" / "fhir"
CLINIC = UUID(int=7)
OWNER = Actor(id="owner", role="owner")


class Wall:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Intake:
    """A log with one open clinic, and imports into it."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.handling = CommandHandling(log, Wall(), use_cases(log))
        now = Wall().now()
        opening = clinic.OpenClinic(by=OWNER, now=now, at=now, clinic_name="Elm Street", timezone="America/Los_Angeles")
        self.handling.handle(CLINIC, opening, Request(by=OWNER, clinic_id=None))

    def run(self, folder: Path, *, by: str = "import:fhir", handling: Any = None) -> ImportReport:
        importer = FhirImport(handling or self.handling, self.log, id_key=b"key", by=Actor(id=by, role="system"))
        report = importer.run(folder, clinic_for=lambda patient: CLINIC, now=Wall().now)
        counted = sum(report.used.values()) + sum(report.already.values()) + sum(report.unused.values())
        assert counted == report.lines, "every line is counted exactly once"
        return report

    def names(self) -> Counter[str]:
        return Counter(record.name for record in self.log.read(0, 100_000))


@pytest.fixture
def intake(event_log: EventLog) -> Intake:
    return Intake(event_log)


@pytest.fixture
def small(sqlite_database: Database) -> Iterator[Intake]:
    log = open_log(sqlite_database.log_url, keys_url=sqlite_database.keys_url, home=sqlite_database.home)
    yield Intake(log)
    log.close()


def patient(number: int, **changed: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": f"p{number}", "gender": "male", "birthDate": "1970-01-01",
            "name": [{"family": "Fictional", "given": [f"N{number}"]}],
            "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "h", "value": str(number)}], **changed}


def pain(number: int, score: int, when: str = "2020-01-02T03:04:05Z", of: str | None = None) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": f"o{number}", "status": "final",
            "subject": {"reference": f"Patient/{of or 'p1'}"}, "effectiveDateTime": when,
            "code": {"coding": [{"system": "http://loinc.org", "code": "72514-3"}]}, "valueQuantity": {"value": score}}


def write(folder: Path, *resources: dict[str, Any] | bytes, name: str = "export.ndjson") -> Path:
    folder.mkdir(exist_ok=True)
    lines = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in resources]
    (folder / name).write_bytes(b"\n".join(lines) + b"\n")
    return folder


# --- the export by other software ----------------------------------------------------------------


def test_the_real_export_is_imported_once_and_a_second_time_adds_nothing(intake: Intake) -> None:
    first = intake.run(EXPORT)
    names = intake.names()
    assert first.patients == 136
    assert first.unused["Patient.deceased"] == 24
    assert names["patient.registered.v1"] == 136
    assert names["diary.pain_scored.v1"] == first.used["Observation.pain"] > 5_000
    assert names["diary.weight_measured.v1"] == first.used["Observation.weight"] > 500
    assert names["patient.condition_recorded.v1"] == first.used["Condition.recorded"] > 100
    assert names["patient.screening_recorded.v1"] > 50
    assert first.unused["Observation.duplicate"] > 500, "the export repeats itself"
    assert not [reason for reason in first.unused if "refused" in reason]
    head = intake.log.head()
    second = intake.run(EXPORT)
    assert intake.log.head() == head
    assert (second.events, second.patients, sum(second.used.values())) == (0, 0, 0)
    assert sum(second.already.values()) == sum(first.used.values())
    assert second.unused == first.unused


def test_what_is_imported_is_marked_dated_and_sealed(small: Intake) -> None:
    small.run(EXPORT)
    records = small.log.read(0, 100_000)
    imported = [record for record in records if record.subject is not None]
    assert {record.origin for record in imported} == {"import"}
    assert {record.clinic_id for record in imported} == {CLINIC}
    assert all(record.command_id for record in imported)
    scores = [record for record in imported if isinstance(record.event, PainScored)]
    assert min(record.occurred_at for record in scores) < datetime(1960, 1, 1, tzinfo=UTC)
    assert all(record.recorded_at > datetime.now(UTC) - timedelta(minutes=30) for record in scores)
    registered = [record.event for record in imported if isinstance(record.event, PatientRegistered)]
    assert all(isinstance(event.family_name, Sealed) for event in registered)
    statuses = {
        finding.status for record in imported if isinstance(record.event, ScreeningRecorded)
        for finding in record.event.findings
    }
    assert statuses == {"hint"}
    (run,) = [record.event for record in records if isinstance(record.event, ImportRun)]
    assert run.unused["Condition.unknown_code"] > 1_000
    assert set(run.files) == {path.name for path in EXPORT.glob("*.ndjson.gz")}


# --- broken input --------------------------------------------------------------------------------


def test_broken_lines_stop_nothing_and_are_named_by_place(small: Intake, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "export", b'{"resourceType": "Patient"', b"\xff\xfe", patient(1), pain(1, 5), b"[]",
        pain(2, 6, when="2021"), pain(3, 99), pain(4, 4, of="nobody"), {"resourceType": "Basic"},
        pain(5, 7, when="2022-05-06"),
        patient(2, deceasedBoolean=True), pain(6, 3, of="p2"), patient(3, active=False), patient(1),
        patient(4, birthDate="2020-01-01"), pain(7, 2, of="p4"),
    )
    report = small.run(folder)
    assert report.unused == {
        "line.broken_line": 1, "line.broken_utf8": 1, "line.not_a_resource": 1, "Observation.no_usable_date": 1,
        "Observation.implausible_value": 1, "Observation.dangling_reference": 1, "Basic.type_not_read": 1,
        "Patient.deceased": 1, "Observation.patient_deceased": 1, "Patient.inactive": 1, "Patient.duplicate": 1,
        "Patient.not-an-adult": 1, "Observation.patient_not-an-adult": 1,
    }
    assert report.examples["line.broken_utf8"] == ["export.ndjson:2"]
    assert report.used == {"Patient.registered": 1, "Observation.pain": 2}


def test_a_file_cut_short_gives_what_it_holds(small: Intake, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    write(folder, patient(1), name="Patient.ndjson")
    day = datetime(2020, 1, 1, tzinfo=UTC)
    many = [json.dumps(pain(n, n % 11, when=(day + timedelta(days=n)).isoformat())).encode() for n in range(3_000)]
    whole = gzip.compress(b"\n".join(many))
    (folder / "Observation.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    report = small.run(folder)
    assert report.unused["line.file_broken_here"] == 1
    assert 100 < report.used["Observation.pain"] < 3_000


# --- again, and again differently ----------------------------------------------------------------


def test_another_export_of_the_same_hospital_adds_only_what_is_new(small: Intake, tmp_path: Path) -> None:
    small.run(write(tmp_path / "first", patient(1), pain(1, 5), pain(2, 6, when="2020-02-02T00:00:00Z")))
    renamed = {**patient(1), "id": "other-id"}
    second = small.run(write(
        tmp_path / "second", pain(3, 7, when="2020-03-03T00:00:00Z", of="other-id"), renamed,
        pain(4, 5, of="other-id"), name="shuffled.ndjson",
    ))
    assert second.already == {"Patient.registered": 1, "Observation.pain": 1}
    assert second.used == {"Observation.pain": 1}
    assert small.names()["patient.registered.v1"] == 1


def test_the_second_import_is_recognised_when_the_idempotency_rows_are_gone(small: Intake, tmp_path: Path) -> None:
    """They expire after 30 days; under another principal none of them can help."""
    folder = write(tmp_path / "export", patient(1), pain(1, 5))
    small.run(folder)
    head = small.log.head()
    report = small.run(folder, by="import:months-later")
    assert (report.events, small.log.head()) == (0, head)


class DiesAfter:
    """A handling whose process is killed after so many commands."""

    def __init__(self, handle: Callable[..., Receipt], commands: int) -> None:
        self._handle, self._left = handle, commands

    def handle(self, stream_id: UUID, command: Command, request: Request) -> Receipt:
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1
        return self._handle(stream_id, command, request)


@pytest.mark.parametrize("commands", [0, 1, 2, 3])
def test_an_interrupted_import_goes_on_where_it_was(small: Intake, tmp_path: Path, commands: int) -> None:
    folder = write(tmp_path / "export", patient(1), pain(1, 5), pain(2, 6, when="2020-02-02T00:00:00Z"))
    with pytest.raises(KeyboardInterrupt):
        small.run(folder, handling=DiesAfter(small.handling.handle, commands) if commands < 3 else _Dies(small))
    small.run(folder)
    names = small.names()
    assert (names["patient.registered.v1"], names["diary.pain_scored.v1"]) == (1, 2)
    assert names["system.import_run.v1"] == 1


class _Dies(DiesAfter):
    """The answer to the third command is lost: it was carried out."""

    def __init__(self, intake: Intake) -> None:
        super().__init__(intake.handling.handle, 2)
        self._whole = intake.handling.handle

    def handle(self, stream_id: UUID, command: Command, request: Request) -> Receipt:
        if self._left == 0:
            self._whole(stream_id, command, request)
        return super().handle(stream_id, command, request)


def test_one_who_died_after_registration_is_shown_to_a_person(small: Intake, tmp_path: Path) -> None:
    small.run(write(tmp_path / "first", patient(1)))
    report = small.run(write(tmp_path / "second", patient(1, deceasedDateTime="2026-01-01"), pain(1, 5)))
    assert report.unused["Patient.deceased_since_registration"] == 1
    assert small.names()["diary.pain_scored.v1"] == 0


def test_a_record_merged_into_another_is_left_to_a_person(small: Intake, tmp_path: Path) -> None:
    small.run(write(tmp_path / "first", patient(1), patient(2)))
    registered = [r for r in small.log.read(0, 1_000) if isinstance(r.event, PatientRegistered)]
    mine, other = (record.stream_id for record in registered)
    now = Wall().now()
    merging = MergePatients(by=OWNER, now=now, at=now, survivor_id=other, reason_code="import_duplicate")
    small.handling.handle(mine, merging, Request(by=OWNER, clinic_id=CLINIC, patient_id=mine))
    head = small.log.head()
    report = small.run(write(tmp_path / "second", patient(1), pain(1, 5)))
    assert report.unused == {"Patient.merged": 1, "Observation.patient_merged": 1}
    assert small.log.head() == head + 1, "only the run itself"


def test_without_the_key_a_record_number_does_not_tell_the_patients_id(small: Intake) -> None:
    from api.fhir.mapping import patient_of

    draft = patient_of(patient(1))
    mine = FhirImport(small.handling, small.log, id_key=b"one").patient_id(draft)
    assert mine == FhirImport(small.handling, small.log, id_key=b"one").patient_id(draft)
    assert mine != FhirImport(small.handling, small.log, id_key=b"two").patient_id(draft)

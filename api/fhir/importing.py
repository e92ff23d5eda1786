"""Carries an export out through the same services as every edge. Twice does nothing; a broken line stops nothing."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

from api.fhir.chart import Chart, Entry, registration
from api.fhir.drafts import ConditionDraft, PatientDraft, Unusable
from api.fhir.elements import text
from api.fhir.mapping import MAPPED, draft_of, patient_of, subject_of
from api.fhir.ndjson import Line, files_in, lines_of, sha256_of
from api.fhir.report import ImportReport
from api.fhir.spool import Spool
from domain.kernel import Actor, Command, DomainError, Envelope, Recorded, derived_id
from domain.patient.erasure import PatientErased
from domain.patient.records import PatientsMerged, PatientsUnmerged
from domain.patient.registration import PatientRegistered
from domain.system import ImportRun
from services.handling import Receipt, Request
from services.log import ANY_VERSION, Append, Appended, Idempotency, StreamWrite

__all__ = ["BY", "FhirImport", "Progress"]

BY = Actor(id="import:fhir", role="system")

Progress = Callable[[str, int, int], None]
"""Told (what is going on, done, total)."""


class Handling(Protocol):
    """What an import needs of `services.handling.CommandHandling`."""

    def handle(self, stream_id: UUID, command: Command, request: Request) -> Receipt: ...


class Log(Protocol):
    """What an import needs of the log."""

    def read_subject(self, subject: UUID, *, after: int = 0, upto: int | None = None) -> Sequence[Recorded]: ...

    def read_stream(
        self, stream_id: UUID, *, after_version: int = 0, upto: int | None = None
    ) -> Sequence[Recorded]: ...

    def append(self, append: Append, /) -> Appended: ...


class FhirImport:
    """One importer per process; `run` one export after another.

    `id_key` keys the pseudonyms: a patient's stream id follows from the source's record number, so that a second
    import finds the first one's patients, but nobody without the key can tell the id from the number.
    """

    def __init__(self, handling: Handling, log: Log, *, id_key: bytes, by: Actor = BY) -> None:
        self._handling, self._log, self._id_key, self._by = handling, log, id_key, by

    def run(
        self, folder: Path, *, clinic_for: Callable[[PatientDraft], UUID], now: Callable[[], datetime],
        progress: Progress = lambda what, done, total: None,
    ) -> ImportReport:
        """Imports every .ndjson(.gz) file of `folder`. Raises NothingToImport; a broken log's LogUnavailable."""
        files = files_in(folder)
        hashes = {path.name: sha256_of(path) for path in files}
        report = ImportReport(derived_id("fhir-import-run", now().isoformat(), *hashes.values()), files=hashes)
        with closing(Spool()) as spool:
            for done, path in enumerate(files):
                progress("reading", done, len(files))
                for line in lines_of(path):
                    _take(line, spool, report)
            progress("reading", len(files), len(files))
            spool.close_writing()
            total = spool.patient_count()
            for done, (patient, place) in enumerate(spool.patients()):
                progress("importing", done, total)
                self._import_patient(patient, place, spool, report, clinic_for, now)
            progress("importing", total, total)
            for resource, place in spool.orphans():
                report.skip(resource, "dangling_reference", place)
        self._record_run(report, now())
        return report

    def patient_id(self, patient: PatientDraft) -> UUID:
        """The stream id of the patient that the source calls `identity`."""
        system, value = patient.identity
        digest = hmac.digest(self._id_key, f"{system}\x1f{value}".encode(), hashlib.sha256)
        return derived_id("patient", digest.hex())

    def _import_patient(
        self, patient: PatientDraft, place: str, spool: Spool, report: ImportReport,
        clinic_for: Callable[[PatientDraft], UUID], now: Callable[[], datetime],
    ) -> None:
        rows = spool.rows_of(patient.source_id)
        patient_id, moment = self.patient_id(patient), now()
        records = self._log.read_subject(patient_id)
        standing = _standing(records)
        registered = standing is not None
        clinic_id = clinic_for(patient)
        refused = _why_not(patient, standing)
        if registered and refused is None:
            report.already["Patient.registered"] += 1
        elif refused is None:
            refused = self._register(patient, patient_id, clinic_id, moment, report)
        if refused is not None:
            report.skip("Patient", refused, place)
            for row in rows:
                report.skip(row.resource, f"patient_{refused}", row.place)
            return
        chart = Chart(
            patient, rows, spool.reasons_of(patient.source_id), patient_id=patient_id, by=self._by, now=moment
        )
        for skipped in chart.skipped:
            report.skip(skipped.row.resource, skipped.reason, skipped.row.place)
        known = {record.command_id for record in records}
        for entry in chart.entries:
            self._enter(entry, patient_id, clinic_id, known, report)

    def _register(
        self, patient: PatientDraft, patient_id: UUID, clinic_id: UUID, now: datetime, report: ImportReport
    ) -> str | None:
        command = registration(patient, clinic_id, by=self._by, now=now)
        try:
            receipt = self._handle(patient_id, command, patient_id, clinic_id, "registered")
        except DomainError as error:
            return error.code
        report.used["Patient.registered"] += 1
        report.patients += 1
        report.events += len(receipt.events)
        return None

    def _enter(
        self, entry: Entry, patient_id: UUID, clinic_id: UUID, known: set[UUID | None], report: ImportReport
    ) -> None:
        if _command_id(patient_id, entry.key) in known:
            _count(report.already, entry)
            return
        stream_id = patient_id if entry.stream == "patient" else derived_id("diary", patient_id)
        try:
            receipt = self._handle(stream_id, entry.command, patient_id, clinic_id, entry.key)
        except DomainError as error:
            for row in entry.rows:
                report.skip(row.resource, f"refused:{error.code}", row.place)
            return
        _count(report.already if receipt.replayed else report.used, entry)
        report.events += 0 if receipt.replayed else len(receipt.events)

    def _handle(self, stream_id: UUID, command: Command, patient_id: UUID, clinic_id: UUID, key: str) -> Receipt:
        command_id = _command_id(patient_id, key)
        return self._handling.handle(
            stream_id, command,
            Request(
                by=self._by, clinic_id=clinic_id, patient_id=patient_id, origin="import", command_id=command_id,
                idempotency=Idempotency(self._by.id, str(command_id), command_id.bytes),
            ),
        )

    def _record_run(self, report: ImportReport, now: datetime) -> None:
        """ImportRun, unless nothing was added and these very files have one already."""
        system = derived_id("system")
        if not report.events:
            runs = [record.event for record in self._log.read_stream(system) if isinstance(record.event, ImportRun)]
            if any(run.files == report.files for run in runs):
                return
        run = ImportRun(
            occurred_at=now, import_id=report.import_id, source="fhir_r4_ndjson", files=report.files,
            used=dict(report.used), unused=dict(report.unused),
        )
        envelope = Envelope(
            actor=self._by.id, role=self._by.role, clinic_id=None, origin="import", command_id=report.import_id
        )
        self._log.append(Append(writes=(StreamWrite(system, ANY_VERSION, (run,)),), envelope=envelope))
        report.events += 1


def _take(line: Line, spool: Spool, report: ImportReport) -> None:
    """Puts one line into the spool, or counts why not."""
    report.lines += 1
    resource = line.resource
    if resource is None:
        report.skip("line", line.problem or "broken_line", line.place)
        return
    kind = resource["resourceType"]
    try:
        if kind == "Patient":
            if not spool.add_patient(patient_of(resource), line.place):
                report.skip(kind, "duplicate", line.place)
        elif kind in MAPPED:
            _take_clinical(kind, resource, line.place, spool)
        else:
            report.skip(text(kind)[:40] or "line", "type_not_read", line.place)
    except Unusable as why:
        report.skip(kind, why.reason, line.place, why.code)


def _take_clinical(kind: str, resource: dict[str, object], place: str, spool: Spool) -> None:
    source_id = subject_of(resource)
    condition = None
    try:
        draft = draft_of(resource)
        condition = draft.condition if isinstance(draft, ConditionDraft) else None
        spool.add(source_id, kind, place, draft)
    finally:
        if kind == "Condition":
            spool.add_reason(source_id, text(resource.get("id")), condition)


def _standing(records: Sequence[Recorded]) -> str | None:
    """How our log has the patient: None (not at all), registered, merged or erased."""
    standing = None
    for record in records:
        match record.event:
            case PatientRegistered() | PatientsUnmerged():
                standing = "registered"
            case PatientsMerged():
                standing = "merged"
            case PatientErased():
                return "erased"
    return standing


def _why_not(patient: PatientDraft, standing: str | None) -> str | None:
    """Nobody registers the dead, or those whom the source has put away; of one of ours it is for a person to see."""
    if standing in ("merged", "erased"):
        return standing
    if patient.deceased:
        return "deceased_since_registration" if standing else "deceased"
    if not patient.active:
        return "inactive_since_registration" if standing else "inactive"
    return None


def _command_id(patient_id: UUID, key: str) -> UUID:
    return derived_id("fhir-import", patient_id, key)


def _count(counter: dict[str, int], entry: Entry) -> None:
    for row in entry.rows:
        name = entry.kind if "." in entry.kind else f"{row.resource}.{entry.kind}"
        counter[name] = counter.get(name, 0) + 1

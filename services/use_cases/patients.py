"""Patients: registration, care, history, screening and consent, merging, rights over the record, erasure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from domain import clinic
from domain.kernel import Command
from domain.patient import erasure, history, patient, records, registration, screening
from domain.patient.state import Facts, OtherRecord
from services.handling import Load, Plan, Request, UseCase, Write
from services.use_cases.case import (
    Case,
    Reader,
    acting_clinic,
    cared_for,
    clinic_known,
    held_by,
    local_day,
    prescribes_here,
)

PLAIN = (
    registration.CorrectDemographics, registration.CloseCareRelation, registration.ReceiveReferral,
    history.RecordCondition, history.RecordTherapyTried, history.StartAdjunctTherapy, history.EndAdjunctTherapy,
    history.RecordCoverage, screening.RecordScreening, screening.SignConsent, screening.WithdrawConsent,
    records.UnmergePatients, records.RequestAmendment, records.AcceptAmendment, records.DenyAmendment,
    records.GiveRecordCopy, records.RestrictDisclosure, erasure.PlaceLegalHold, erasure.ReleaseLegalHold,
    erasure.RequestErasure, erasure.DeclineErasure,
)
"""Commands that the patient's own stream decides alone."""


def use_cases(reader: Reader) -> Mapping[type[Command], UseCase]:
    """Every command of a patient's record."""
    asking = _Asking(reader)
    return {
        **{command: Case(patient, _plain) for command in PLAIN},
        registration.RegisterPatient: Case(patient, _registered),
        registration.OpenCareRelation: Case(patient, _care),
        registration.ChangeHomeClinic: Case(patient, _care),
        screening.ClearScreening: Case(patient, _cleared),
        records.MergePatients: Case(patient, asking.merged),
        erasure.ApproveErasure: Case(patient, asking.erased),
        erasure.CompleteErasure: Case(patient, asking.erased),
    }


def _registered(stream_id: UUID, command: registration.RegisterPatient, request: Request, load: Load) -> Plan:
    facts = Facts(clinic_known=clinic_known(load, command.home_clinic_id))
    return _plan(stream_id, command, facts, request.clinic_id or command.home_clinic_id)


def _plain(stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
    cared_for(load, stream_id, request)
    return _plan(stream_id, command, Facts(), request.clinic_id)


def _care(stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
    cared_for(load, stream_id, request)
    return _plan(stream_id, command, Facts(clinic_known=clinic_known(load, command.clinic_id)), request.clinic_id)


def _cleared(stream_id: UUID, command: screening.ClearScreening, request: Request, load: Load) -> Plan:
    cared_for(load, stream_id, request)
    here = acting_clinic(load, request, command.at)
    facts = Facts(
        prescriber_in_date=prescribes_here(load, here, command.prescriber_id, command.at),
        today=local_day(here, command.now),
    )
    return _plan(stream_id, command, facts, request.clinic_id)


@dataclass(frozen=True)
class _Asking:
    """Merging and erasing must know what is going on with a patient beyond the record itself."""

    reader: Reader

    def merged(self, stream_id: UUID, command: records.MergePatients, request: Request, load: Load) -> Plan:
        cared_for(load, stream_id, request)
        other = cared_for(load, command.survivor_id, request)
        in_visit, open_course = self._going_on(command.survivor_id, command)
        mine = self._going_on(stream_id, command)
        facts = Facts(in_visit=mine[0], open_course=mine[1], survivor=OtherRecord(
            registered=other.is_registered, erased=other.erased, merged_into=other.merged_into, in_visit=in_visit,
            open_course=open_course,
        ))
        return _plan(stream_id, command, facts, request.clinic_id)

    def erased(self, stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
        state = cared_for(load, stream_id, request)
        in_visit, open_course = self._going_on(stream_id, command)
        survivor = OtherRecord()
        if state.merged_into is not None:
            survivor = OtherRecord(registered=True, erased=load(patient, state.merged_into).state.erased)
        facts = Facts(
            in_visit=in_visit, open_course=open_course, retain_until=self._retained(stream_id),
            today=self._today(command, request, load), survivor=survivor,
        )
        return _plan(stream_id, command, facts, request.clinic_id)

    def _going_on(self, patient_id: UUID, command: Command) -> tuple[bool, bool]:
        visit = held_by(self.reader, f"patient-visit:{patient_id}", command.now, "infusion")
        course = held_by(self.reader, f"open-course:{patient_id}", command.now, "course")
        return visit is not None, course is not None

    def _retained(self, patient_id: UUID) -> date | None:
        """From the latest entry of care: what was entered to exercise the right itself does not prolong it."""
        entered = [
            record.recorded_at for record in self.reader.read_subject(patient_id)
            if not isinstance(record.event, RIGHTS)
        ]
        return erasure.retention_floor(max(entered)) if entered else None

    def _today(self, command: Command, request: Request, load: Load) -> date | None:
        if request.clinic_id is None:
            return None
        here: clinic.State = load(clinic, request.clinic_id, checked=False).state
        return local_day(here, command.now) if here.is_open else None


RIGHTS = (
    erasure.ErasureRequested, erasure.ErasureDeclined, erasure.ErasureApproved, erasure.LegalHoldPlaced,
    erasure.LegalHoldReleased,
)


def _plan(stream_id: UUID, command: Any, facts: Facts, clinic_id: UUID | None) -> Plan:
    write = Write(aggregate=patient, stream_id=stream_id, command=command, facts=facts)
    return Plan(writes=(write,), subject=stream_id, clinic_id=clinic_id)

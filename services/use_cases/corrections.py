"""Amending and striking entries, of whichever record they are in.

`AmendEntry` and `StrikeEntry` name an entry by its version in a stream; what kind of stream it is shows in its
state. A visit's corrections have the same consequences elsewhere as its entries (`infusions.Charting`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain import course, staff
from domain.corrections import AmendEntry, StrikeEntry
from domain.infusion import visit
from domain.kernel import Command
from domain.patient import patient
from services.handling import Load, NotFound, Plan, Request, UseCase, Write
from services.use_cases import courses, diaries
from services.use_cases.case import Case, Reader, cared_for, diary_of
from services.use_cases.infusions import Charting


def use_cases(reader: Reader) -> Mapping[type[Command], UseCase]:
    """The two commands that correct."""
    correcting = Case(visit, _Correcting(Charting(reader)).planned)
    return {AmendEntry: correcting, StrikeEntry: correcting}


@dataclass(frozen=True)
class _Correcting:
    charting: Charting

    def planned(self, stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
        if request.patient_id is not None and stream_id == diary_of(request.patient_id):
            return diaries.planned(stream_id, command, request, load)
        if load(visit, stream_id).state.patient_id is not None:
            return self.charting.entered(stream_id, command, request, load)
        if load(course, stream_id).state.patient_id is not None:
            return courses.planned(stream_id, command, request, load)
        if load(patient, stream_id).state.is_registered:
            cared_for(load, stream_id, request)
            return _plan(patient, stream_id, command, stream_id, request)
        if load(staff, stream_id).state.joined_at is not None:
            return _plan(staff, stream_id, command, None, request)
        raise NotFound(stream_id=str(stream_id))


def _plan(aggregate: Any, stream_id: UUID, command: Any, subject: UUID | None, request: Request) -> Plan:
    write = Write(aggregate=aggregate, stream_id=stream_id, command=command)
    return Plan(writes=(write,), subject=subject, clinic_id=request.clinic_id)

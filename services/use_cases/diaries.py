"""Diaries: what patients report, and the follow-ups they are asked for.

The stream is the patient's one diary (`derived_id("diary", patient_id)`); whose it is the request says
(`Request.patient_id`), or the stream id given is the patient's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from domain import diary
from domain.kernel import Command
from services.handling import Load, NotFound, Plan, Request, UseCase, Write
from services.use_cases.case import Case, diary_of, taken_in


def use_cases() -> Mapping[type[Command], UseCase]:
    """Every command that a person (or a timer) gives about a diary."""
    commands = (
        diary.ScorePain, diary.ScoreFunction, diary.ScoreMood, diary.ScoreCognition, diary.ReportRelief,
        diary.MeasureWeight, diary.ReportSideEffectFromHome, diary.AcknowledgeHomeAlert, diary.ScheduleFollowUps,
        diary.MissFollowUp, diary.EscalateHomeAlert, diary.RaiseHomeAlert,
    )
    return {command: Case(diary, planned) for command in commands}


def planned(stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
    """An entry in the diary, at the acting clinic or (the patient's own report) at their home clinic."""
    patient_id = whose(stream_id, request)
    state = taken_in(load, patient_id, request)
    write = Write(aggregate=diary, stream_id=diary_of(patient_id), command=command)
    return Plan(writes=(write,), subject=patient_id, clinic_id=request.clinic_id or state.home_clinic_id)


def whose(stream_id: UUID, request: Request) -> UUID:
    """The patient whose diary it is. Raises NotFound."""
    patient_id = request.patient_id or stream_id
    if stream_id not in (patient_id, diary_of(patient_id)):
        raise NotFound(stream_id=str(stream_id))
    return patient_id

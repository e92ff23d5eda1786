"""Infusions: one visit from the door to the door, and what its facts mean for the diary, the sheet and the cabinet.

In the commit of the visit's own events:
- the arrival keeps its appointment on the day sheet (so a visit and a no-show exclude each other);
- whatever changes the infusion given (the final drug stop, a late entry, an amendment, a strike) is noted in the
  patient's diary, where courses and later visits read it;
- the end of the visit opens the follow-ups after it, in the diary;
- a change of the milligrams after the waste was recorded restates it in the register of every lot drawn from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from domain import clinic, course, diary, drug_lot
from domain.corrections import AmendEntry, StrikeEntry
from domain.course.state import GivenInfusion
from domain.infusion import arrival, departure, drug_run, order, visit
from domain.infusion.rules import is_late
from domain.kernel import Code, Command
from domain.patient import patient, screening
from domain.patient.state import State as PatientState
from domain.patient.state import require_living
from services.handling import Decided, LateWrite, Load, NotFound, Plan, Request, UseCase, Write
from services.use_cases.appointments import booking_near, keeping
from services.use_cases.case import (
    Case,
    Reader,
    acting_clinic,
    diary_of,
    diary_state,
    held_by,
    local_day,
    merged_records,
    staff_state,
    taken_in,
)

FOLLOW_UP_INSTRUMENTS: tuple[Code, ...] = ("nrs", "relief_percent")
"""What a patient is asked after every infusion."""

FOLLOWED_UP = frozenset({
    departure.PatientDischarged.NAME, departure.LeftAgainstAdvice.NAME, departure.TransferredToHospital.NAME,
})
"""Endings after which follow-ups are asked for."""


def use_cases(reader: Reader) -> Mapping[type[Command], UseCase]:
    """Every command of a visit (amending and striking: `corrections.py`)."""
    charting = Charting(reader)
    entries = [command for command in visit.COMMANDS if command not in (AmendEntry, StrikeEntry)]
    return {
        **{command: Case(visit, charting.entered) for command in entries},
        arrival.ArrivePatient: Case(visit, charting.arrived),
    }


@dataclass(frozen=True)
class Charting:
    """Plans of a visit's commands; claims on the patient and on rooms are facts too."""

    reader: Reader

    def arrived(self, stream_id: UUID, command: arrival.ArrivePatient, request: Request, load: Load) -> Plan:
        here = acting_clinic(load, request, command.at)
        require_living(taken_in(load, command.patient_id, request))
        kept: tuple[Write, ...] = ()
        if command.appointment_id is not None:
            command, kept = _kept(stream_id, command, command.appointment_id, load, here)
        facts = self._facts(stream_id, command, command.patient_id, command.course_id, load, here)
        begun = Write(aggregate=visit, stream_id=stream_id, command=command, facts=facts)
        return Plan(writes=(begun, *kept), subject=command.patient_id, clinic_id=here.stream_id)

    def entered(self, stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
        state: visit.State = load(visit, stream_id).state
        if state.patient_id is None:
            raise NotFound(infusion_id=str(stream_id))
        here = acting_clinic(load, request, command.at)
        facts = self._facts(stream_id, command, state.patient_id, state.course_id, load, here)
        charted = Write(aggregate=visit, stream_id=stream_id, command=command, facts=facts)
        restated = self._restated(state, command, load, here)
        return Plan(
            writes=(charted, _noted(state, command, here), *restated), subject=state.patient_id,
            clinic_id=here.stream_id,
        )

    # --- facts ---

    def _facts(
        self, visit_id: UUID, command: Any, patient_id: UUID, course_id: UUID | None, load: Load, here: clinic.State
    ) -> visit.Facts:
        state: visit.State = load(visit, visit_id).state
        checked = isinstance(command, INTENTIONS)
        whose: PatientState = load(patient, patient_id, checked=checked).state
        if whose.entries and whose.entries[-1].event.occurred_at > command.at:
            whose = patient.as_of(whose, command.at)
        entries = diary_state(load, patient_id, checked=checked)
        started_at = state.run.started_at or command.at
        others = [*entries.other_infusions(visit_id), *self._of_merged(patient_id, command, load)]
        before = [one for one in others if one.drug_started_at < started_at]
        plan: course.State | None = None if course_id is None else load(course, course_id, checked=checked).state
        facts = visit.Facts(
            clinic_id=here.stream_id, timezone=here.timezone, protocol=here.protocol,
            course=_course_facts(plan, entries, visit_id), consultation_held_at=_consulted(plan, command.at),
            consent_signed_at=screening.consent_signed_at(whose), screened_at=screening.screened_at(whose),
            findings=tuple(
                visit.FindingFact(contraindication=one.contraindication, status=one.status) for one in whose.findings),
            clearances=tuple(
                visit.ClearanceFact(contraindication=one.contraindication, valid_until=one.valid_until)
                for one in whose.clearances),
            staff=_people(state, command, load, here), rooms=self._rooms(visit_id, state, command, here),
            patient_in_visit=self._elsewhere(visit_id, patient_id, command),
            last_drug_stop_at=max((one.drug_stopped_at for one in before), default=None),
            infusions_same_date=sum(
                local_day(here, one.drug_started_at) == local_day(here, started_at) for one in before),
            sex=whose.sex if whose.sex in ("female", "male") else None,
        )
        return _weighed(facts, entries, plan, state.arrived_at or command.at)

    def _of_merged(self, patient_id: UUID, command: Command, load: Load) -> list[GivenInfusion]:
        """Infusions of records merged into this one: the same body had the drug, whichever record it is in."""
        if not isinstance(command, GIVES_DRUG):
            return []
        return [
            one.infusion for merged in merged_records(self.reader, patient_id)
            for one in diary_state(load, merged).noted
        ]

    def _rooms(
        self, visit_id: UUID, state: visit.State, command: Command, here: clinic.State
    ) -> Mapping[UUID, visit.RoomFacts]:
        """Rooms of this clinic; who is in one is asked only when the command takes one."""
        taking = getattr(command, "room_id", None)
        return {
            room_id: visit.RoomFacts(in_service=here.in_service(room_id), in_use_by=held_by(
                self.reader, f"room-use:{room_id}", command.at, "infusion", but=visit_id,
            ) if room_id == taking else None)
            for room_id in visit.rooms_named(state, command) if here.room(room_id) is not None
        }

    def _elsewhere(self, visit_id: UUID, patient_id: UUID, command: Command) -> UUID | None:
        if not isinstance(command, ONE_VISIT_AT_A_TIME):
            return None
        return held_by(self.reader, f"patient-visit:{patient_id}", command.at, "infusion", but=visit_id)

    # --- consequences elsewhere ---

    def _restated(self, state: visit.State, command: Command, load: Load, here: clinic.State) -> list[LateWrite]:
        """For each lot drawn from: the draw's given milligrams anew, if the waste was recorded on others."""
        if not is_late(command) and not isinstance(command, AmendEntry | StrikeEntry):
            return []
        return [
            _restatement(state, lot_id, lots, command, load, here)
            for lots in [lots_of(self.reader, state.stream_id)] for lot_id in lots
        ]


INTENTIONS = (
    arrival.ArrivePatient, arrival.RoomPatient, arrival.MovePatient, order.OrderDose,
    drug_run.StartInfusion, drug_run.GiveBolus, drug_run.ResumeInfusion,
    drug_run.ChangeRate, departure.DischargePatient,
)
"""What is refused when unsafe: the facts read for it must not have moved by the time it is saved."""

GIVES_DRUG = (order.OrderDose, drug_run.StartInfusion, drug_run.GiveBolus)
"""What must know when the patient last had the drug, also under a record that was merged since."""

ONE_VISIT_AT_A_TIME = (arrival.ArrivePatient, drug_run.StartInfusion)


def _course_facts(plan: course.State | None, entries: diary.State, visit_id: UUID) -> visit.CourseFacts | None:
    if plan is None or plan.patient_id is None:
        return None
    response = plan.response
    return visit.CourseFacts(
        course_id=plan.stream_id, patient_id=plan.patient_id, is_open=plan.status == "open",
        infusions_given=sum(one.infusion_id != visit_id for one in entries.infusions_of(plan.stream_id)),
        response_positive=response.positive if response is not None else None,
        response_decision=response.decision if response is not None else None, prescriber_id=plan.prescriber_id,
    )


def _consulted(plan: course.State | None, at: datetime) -> datetime | None:
    """The last consultation by then that ended with `proceed`."""
    held = () if plan is None else plan.consultations
    return max((one.held_at for one in held if one.decision == "proceed" and one.held_at <= at), default=None)


def _people(
    state: visit.State, command: Command, load: Load, here: clinic.State
) -> Mapping[UUID, visit.StaffFacts]:
    """Those named who are assigned to this clinic."""
    people = {}
    for staff_id in visit.staff_named(state, command):
        person = staff_state(load, staff_id, command.at, checked=False)
        if person.joined_at is None or not here.works_here(staff_id):
            continue
        people[staff_id] = visit.StaffFacts(has_left=person.has_left, credentials=tuple(
            visit.CredentialFact(kind=one.kind, valid_from=one.valid_from, valid_until=one.valid_until)
            for one in person.credentials
        ))
    return people


def _weighed(
    facts: visit.Facts, entries: diary.State, plan: course.State | None, before: datetime
) -> visit.Facts:
    """With the last weight before the visit: an earlier visit's, one from home, or the consultation's."""
    known = [(one.at, one.weight_kg) for one in entries.weights if one.at < before]
    known += [(one.held_at, one.weight_kg) for one in (plan.consultations if plan else ()) if one.held_at < before]
    if not known:
        return facts
    at, weight_kg = max(known)
    return replace(facts, last_weight_kg=weight_kg, last_weighed_at=at)


# --- the appointment -----------------------------------------------------------------------------


def _kept(
    visit_id: UUID, command: arrival.ArrivePatient, appointment_id: UUID, load: Load, here: clinic.State
) -> tuple[arrival.ArrivePatient, tuple[Write, ...]]:
    """The arrival with its booking's times and course, and the booking kept. Raises AppointmentNotFound."""
    one = booking_near(appointment_id, command.patient_id, command.booked_starts_at, command.at, load, here)
    arrived = replace(
        command, booked_starts_at=one.starts_at, booked_ends_at=one.ends_at,
        course_id=command.course_id or one.course_id,
    )
    return arrived, (keeping(one, command, here, infusion_id=visit_id),)


# --- the diary -----------------------------------------------------------------------------------


def _after(before: visit.State, said: tuple[Decided, ...]) -> visit.State:
    """The visit once the first write's events are folded in."""
    return reduce(lambda state, event: visit.evolve(state, state.version + 1, event), said[0].decision.events, before)


def _noted(before: visit.State, command: Command, here: clinic.State) -> LateWrite:
    """What the visit now says was given, in the patient's diary; the follow-ups once it has ended."""

    def write(said: tuple[Decided, ...]) -> Write | None:
        after = _after(before, said)
        changed = (after.given, after.run.stopped_at, after.ending) != (
            before.given, before.run.stopped_at, before.ending)
        if not changed or after.patient_id is None:
            return None
        note = _note(before, after, command, here)
        return None if note is None else Write(
            aggregate=diary, stream_id=diary_of(after.patient_id), command=note)

    return write


def _note(before: visit.State, after: visit.State, command: Command, here: clinic.State) -> Command | None:
    if after.given is None:
        if before.given is None:
            return None
        reason = command.reason_code if isinstance(command, StrikeEntry) else "did_not_happen"
        return diary.UnnoteInfusion(
            by=command.by, now=command.now, at=command.at, infusion_id=after.stream_id, reason_code=reason)
    given = after.given.event
    ended = after.ending is not None and after.ending.name in FOLLOWED_UP
    protocol = here.protocol
    return diary.NoteInfusion(
        by=command.by, now=command.now, at=command.at, infusion_id=after.stream_id, course_id=given.course_id,
        purpose=given.purpose, drug_started_at=given.drug_started_at,
        drug_stopped_at=after.run.stopped_at or given.occurred_at,
        weight_kg=after.check.weight_kg if after.check is not None else None,
        offsets_hours=protocol.follow_up_hours if ended and protocol is not None else (),
        instruments=FOLLOW_UP_INSTRUMENTS, asks=protocol.follow_up_asks if protocol is not None else {},
    )


# --- the cabinet ---------------------------------------------------------------------------------


def lots_of(reader: Reader, infusion_id: UUID) -> tuple[UUID, ...]:
    """The lots that drug was drawn from for a visit."""
    held = (claim.holder.partition(":") for claim in reader.claims_on(drug_lot.drawn_for(infusion_id)))
    return tuple(UUID(identity) for kind, _, identity in held if kind == "drug_lot")


def draws_for(load: Load, lots: tuple[UUID, ...], infusion_id: UUID) -> list[drug_lot.Draw]:
    """All that was drawn for a visit, from whichever lot."""
    return [
        one for lot_id in lots for one in load(drug_lot, lot_id).state.draws.values()
        if one.infusion_id == infusion_id
    ]


def given_mg(state: visit.State) -> Decimal:
    """What the visit's own events come to, in mg; 0 when no drug ran."""
    return state.given.event.dose_mg if state.given is not None else Decimal(0)


def _restatement(
    before: visit.State, lot_id: UUID, lots: tuple[UUID, ...], command: Command, load: Load, here: clinic.State
) -> LateWrite:
    def write(said: tuple[Decided, ...]) -> Write | None:
        after = _after(before, said)
        if given_mg(after) == given_mg(before):
            return None
        given = drug_lot.shares(given_mg(after), draws_for(load, lots, before.stream_id))
        return Write(
            aggregate=drug_lot, stream_id=lot_id, facts=lot_facts(here, command.at),
            command=drug_lot.RestateGiven(by=command.by, now=command.now, at=command.at, given_mg=given),
        )

    return write


def lot_facts(here: clinic.State, at: datetime) -> drug_lot.Facts:
    """The clinic's day, people and tolerance, as a lot's register asks for them."""
    protocol = here.protocol
    facts = drug_lot.Facts(local_date=local_day(here, at), staff=frozenset(who for who, _ in here.staff))
    if protocol is None:
        return facts
    return replace(
        facts, tolerance_percent=protocol.waste_tolerance_percent, tolerance_mg=protocol.waste_tolerance_mg)

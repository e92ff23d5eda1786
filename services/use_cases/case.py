"""What every use case is made of, and the few questions that most of them ask of other streams."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from domain import clinic, diary, staff
from domain.day_sheet.slots import NotOnThisSheet
from domain.kernel import Claim, Command, Decision, DomainError, Event, Recorded, Role, derived_id
from domain.patient import patient
from domain.patient.records import merged_into
from domain.patient.state import State as PatientState
from domain.patient.state import require_record
from services.handling import Aggregate, Load, NotFound, Plan, Request

Planned = Callable[[UUID, Any, Request, Load], Plan]


@dataclass(frozen=True)
class Case:
    """A use case: the aggregate that the command's stream belongs to, and the plan of its commit."""

    aggregate: Aggregate
    planned: Planned

    def plan(self, stream_id: UUID, command: Any, request: Request, load: Load) -> Plan:
        return self.planned(stream_id, command, request, load)


class Reader(Protocol):
    """What facts need of the log beyond folded streams (implemented by `EventLog`)."""

    def claims_on(self, resource: str) -> Sequence[Claim]:
        """Who holds a resource now or later, by start."""

    def claims_over(self, resources: Collection[str], starts: datetime, ends: datetime) -> Sequence[Claim]:
        """Who holds any of `resources` at some moment of [starts, ends), by start."""

    def read_subject(self, subject: UUID, *, after: int = 0, upto: int | None = None) -> Sequence[Recorded]:
        """All records about one patient, ascending by position."""


class Steps(Command, frozen=True, kw_only=True):
    """Several commands on one stream in one commit, each with its own facts, decided one after another."""

    steps: tuple[tuple[Any, Any], ...]


@dataclass(frozen=True)
class InOrder:
    """`aggregate`, deciding `Steps`."""

    aggregate: Any

    def initial(self, stream_id: UUID) -> Any:
        return self.aggregate.initial(stream_id)

    def evolve(self, state: Any, version: int, event: Event) -> Any:
        return self.aggregate.evolve(state, version, event)

    def decide(self, state: Any, command: Steps, facts: Any) -> Decision:
        said: list[Decision] = []
        for step, known in command.steps:
            decision = self.aggregate.decide(state, step, known)
            for event in decision.events:
                state = self.aggregate.evolve(state, state.version + 1, event)
            said.append(decision)
        return Decision(
            tuple(event for one in said for event in one.events),
            claims=tuple(claim for one in said for claim in one.claims),
            releases=tuple(release for one in said for release in one.releases),
        )


# --- patients ------------------------------------------------------------------------------------


def cared_for(load: Load, patient_id: UUID, request: Request, *, checked: bool = True) -> PatientState:
    """The patient, if the acting clinic cares for them (and a patient acts for nobody else). Raises NotFound.

    Without an acting clinic only the organisation itself acts: its owner, or the system.
    """
    state: PatientState = load(patient, patient_id, checked=checked).state
    acting = request.clinic_id
    if acting is None and request.by.role == "patient":
        acting = state.home_clinic_id
    visible = request.by.role in ("owner", "system") if acting is None else acting in state.care
    own = request.by.role != "patient" or request.by.id in (str(patient_id), f"patient:{patient_id}")
    if not state.is_registered or not visible or not own:
        raise NotFound(patient_id=str(patient_id))
    return state


def taken_in(load: Load, patient_id: UUID, request: Request) -> PatientState:
    """Like `cared_for`, for what begins something new about them. Raises NotFound, MergedAway, RecordErased."""
    state = cared_for(load, patient_id, request)
    require_record(state)
    return state


def merged_records(reader: Reader, patient_id: UUID) -> list[UUID]:
    """The records merged into this one, directly or through another."""
    found: list[UUID] = []
    wanted = [patient_id]
    while wanted:
        held = (claim.holder.partition(":") for claim in reader.claims_on(merged_into(wanted.pop())))
        here = [UUID(identity) for kind, _, identity in held if kind == "patient"]
        wanted += [one for one in here if one not in found]
        found += [one for one in here if one not in found]
    return found


def diary_of(patient_id: UUID) -> UUID:
    """The patient's one diary."""
    return derived_id("diary", patient_id)


def diary_state(load: Load, patient_id: UUID, *, checked: bool = True) -> diary.State:
    state: diary.State = load(diary, diary_of(patient_id), checked=checked).state
    return state


# --- the clinic and its people -------------------------------------------------------------------


def acting_clinic(load: Load, request: Request, at: datetime, *, checked: bool = True) -> clinic.State:
    """The acting clinic as it was at `at`. Raises NotFound."""
    if request.clinic_id is None:
        raise NotFound("This needs a clinic to act at.")
    return clinic_state(load, request.clinic_id, at, checked=checked)


def clinic_state(load: Load, clinic_id: UUID, at: datetime, *, checked: bool = True) -> clinic.State:
    """A clinic as it was at `at`. Raises NotFound."""
    state: clinic.State = load(clinic, clinic_id, checked=checked).state
    if not state.is_open:
        raise NotFound(clinic_id=str(clinic_id))
    return state if _up_to_date(state, at) else clinic.as_of(state, at)


def clinic_known(load: Load, clinic_id: UUID) -> bool:
    return bool(load(clinic, clinic_id).state.is_open)


def staff_state(load: Load, staff_id: UUID, at: datetime, *, checked: bool = True) -> staff.State:
    """A member of staff as they were at `at`; an unknown one has never joined."""
    state: staff.State = load(staff, staff_id, checked=checked).state
    return state if _up_to_date(state, at) else staff.as_of(state, at)


def _up_to_date(state: Any, at: datetime) -> bool:
    """Whether nothing in the stream happened after `at` (then its state now is its state then)."""
    return not state.entries or state.entries[-1].event.occurred_at <= at


def sheet_of(here: clinic.State, moment: datetime) -> UUID:
    """The sheet of the clinic-local day of a moment."""
    return derived_id("day_sheet", here.stream_id, local_day(here, moment).isoformat())


def this_sheet(stream_id: UUID, here: clinic.State, moment: datetime, pointer: str) -> UUID:
    """The sheet of that day, where it or its clinic was named. Raises NotOnThisSheet."""
    sheet = sheet_of(here, moment)
    if stream_id not in (sheet, here.stream_id):
        raise NotOnThisSheet(local_date=local_day(here, moment).isoformat(), pointer=pointer)
    return sheet


def local_day(here: clinic.State, at: datetime) -> date:
    return clinic.local_date(here, at)


PRESCRIBERS: tuple[Role, ...] = ("prescriber", "owner")
NURSES: tuple[Role, ...] = ("nurse", "prescriber")
AUTHORISERS: tuple[Role, ...] = ("manager", "prescriber", "owner")


def prescribes_here(load: Load, here: clinic.State, staff_id: UUID | None, at: datetime) -> bool:
    """Assigned to the clinic as a prescriber, with a licence in date on the local date of `at`."""
    if staff_id is None or not here.works_here(staff_id, *PRESCRIBERS):
        return False
    return staff.may_prescribe(staff_state(load, staff_id, at), local_day(here, at))


def nurses_here(load: Load, here: clinic.State, staff_id: UUID | None, at: datetime) -> bool:
    """Assigned to the clinic, with a credential to nurse in date on the local date of `at`."""
    if staff_id is None or not here.works_here(staff_id, *NURSES):
        return False
    return staff.may_nurse(staff_state(load, staff_id, at), local_day(here, at))


def held_by(reader: Reader, resource: str, at: datetime, kind: str, but: UUID | None = None) -> UUID | None:
    """The id of the `kind` that holds `resource` at `at`, other than `but`."""
    for claim in reader.claims_on(resource):
        name, _, identity = claim.holder.partition(":")
        if name == kind and claim.starts <= at and (claim.ends is None or at < claim.ends) and identity != str(but):
            return UUID(identity)
    return None


__all__ = [
    "AUTHORISERS", "Case", "DomainError", "InOrder", "Planned", "Reader", "Steps", "acting_clinic", "cared_for",
    "clinic_known", "clinic_state", "diary_of", "diary_state", "held_by", "local_day", "merged_records", "nurses_here",
    "prescribes_here", "sheet_of", "staff_state", "taken_in", "this_sheet",
]

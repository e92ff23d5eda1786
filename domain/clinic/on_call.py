"""Who is on call: in which order people are told of an alert from home, how long each has, the number for patients."""

from __future__ import annotations

import re
from typing import ClassVar
from uuid import UUID

from msgspec.structs import replace

from domain.clinic.conduct import NotAssigned
from domain.clinic.state import OnCall, State, require_clinic
from domain.kernel import BadInput, Command, Decision, Event, Role

ANSWERS_ALERTS: tuple[Role, ...] = ("prescriber", "nurse", "manager", "owner")
"""Who may be on call, is told when the list is used up, and acknowledges: one list, so that nobody is woken who can do
nothing about it. A manager is on it because they can reach somebody who treats, and say so ("prescriber informed")."""

ESCALATES_AFTER_MINUTES = 10
"""How long somebody has to acknowledge where the clinic has not said otherwise. (Proposed here.)"""

LONGEST_MINUTES = 24 * 60
_PHONE = re.compile(r"[+0-9][0-9 ().-]{2,30}(?: ?(?:x|ext\.?) ?[0-9]{1,6})?")


class OnCallNotValid(BadInput):
    """An on-call list names different people who answer alerts, a time from 1 minute to a day, a number to dial."""


class OnCallSet(Event, frozen=True, kw_only=True):
    """From now on alerts from home go to `staff_ids` in this order, each with `escalate_after_minutes` to acknowledge.

    `clinic_phone` is the clinic's number as its patients' pages show it.
    """

    NAME: ClassVar[str] = "clinic.on_call_set.v1"
    staff_ids: tuple[UUID, ...] = ()
    escalate_after_minutes: int = ESCALATES_AFTER_MINUTES
    clinic_phone: str | None = None


class SetOnCall(Command, frozen=True, kw_only=True):
    staff_ids: tuple[UUID, ...]
    escalate_after_minutes: int = ESCALATES_AFTER_MINUTES
    clinic_phone: str | None = None


def decide_on_call(state: State, command: SetOnCall) -> Decision:
    """Only people who work here in one of ANSWERS_ALERTS can be on call. Raises OnCallNotValid, NotAssigned."""
    require_clinic(state)
    if len(set(command.staff_ids)) != len(command.staff_ids):
        raise OnCallNotValid("somebody is named twice", pointer="/staff_ids")
    if not 1 <= command.escalate_after_minutes <= LONGEST_MINUTES:
        raise OnCallNotValid(
            "the time to acknowledge runs from 1 minute to a day", minutes=command.escalate_after_minutes,
            pointer="/escalate_after_minutes")
    if command.clinic_phone is not None and not _PHONE.fullmatch(command.clinic_phone):
        raise OnCallNotValid("that is no telephone number", pointer="/clinic_phone")
    for index, staff_id in enumerate(command.staff_ids):
        if not state.works_here(staff_id):
            raise NotAssigned(staff_id=str(staff_id), pointer=f"/staff_ids/{index}")
        if not state.works_here(staff_id, *ANSWERS_ALERTS):
            raise OnCallNotValid(
                "somebody is named whose role cannot acknowledge an alert", staff_id=str(staff_id),
                pointer=f"/staff_ids/{index}")
    return Decision((OnCallSet(
        occurred_at=command.at, late_reason=command.late_reason, staff_ids=command.staff_ids,
        escalate_after_minutes=command.escalate_after_minutes, clinic_phone=command.clinic_phone,
    ),))


def evolve_on_call(state: State, event: Event) -> State:
    """The state after an event of this file; any other changes nothing."""
    match event:
        case OnCallSet():
            return replace(state, on_call=OnCall(
                staff_ids=event.staff_ids, escalate_after_minutes=event.escalate_after_minutes,
                clinic_phone=event.clinic_phone))
    return state


def everybody(state: State) -> tuple[UUID, ...]:
    """All who can be told of an alert: those on call first, then whoever else treats or manages here."""
    others = sorted(who for who, role in state.staff if role in ANSWERS_ALERTS)
    return tuple(dict.fromkeys((*still_here(state), *others)))


def still_here(state: State) -> tuple[UUID, ...]:
    """The on-call list without those who have left the clinic, or changed to another work, since it was set."""
    return tuple(staff_id for staff_id in state.on_call.staff_ids if state.works_here(staff_id, *ANSWERS_ALERTS))

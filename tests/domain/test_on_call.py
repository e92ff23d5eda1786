"""Who is on call at a clinic, and how an alert from home goes from one to the next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest

from domain import clinic, diary
from domain.clinic import ClinicOpened, NotAssigned, OnCallNotValid, OnCallSet, SetOnCall, StaffAssigned
from domain.clinic.state import ClinicNotOpen
from domain.diary import (
    AcknowledgeHomeAlert,
    EscalateHomeAlert,
    HomeAlertAcknowledged,
    HomeAlertEscalated,
    HomeAlertRaised,
)
from domain.diary.home_reports import AlertAlreadyAcknowledged, AlertAlreadyTold, AlertNotFound
from domain.kernel import Actor, Event
from tests.domain.given_when_then import Given, given

SPACE = UUID("0d2f6c1e-0000-4000-8000-000000000004")
T0 = datetime(2026, 3, 2, 15, tzinfo=UTC)
BY = Actor(id="manager", role="manager")


def id_of(name: str) -> UUID:
    return uuid5(SPACE, name)


ANN, BEN, CLEO, FRONT = (id_of(name) for name in ("Ann", "Ben", "Cleo", "Front"))
ROLES = ((ANN, "prescriber"), (BEN, "nurse"), (CLEO, "manager"), (FRONT, "front_desk"))


def staffed(*events: Event) -> Given[clinic.State]:
    """A clinic where Ann prescribes, Ben nurses, Cleo manages and somebody keeps the desk."""
    opened = ClinicOpened(occurred_at=T0, clinic_name="Harbour", timezone="America/Denver")
    people = [StaffAssigned(occurred_at=T0, staff_id=who, role=role) for who, role in ROLES]  # type: ignore[arg-type]
    return given(clinic.initial(id_of("clinic")), clinic.evolve, [opened, *people, *events])


def set_on_call(*staff_ids: UUID, **fields: Any) -> SetOnCall:
    return SetOnCall(by=BY, now=T0, at=T0, staff_ids=staff_ids, **fields)


def test_a_list_is_set_in_order_with_its_time_and_number() -> None:
    after = staffed().when(clinic.decide, set_on_call(BEN, ANN, escalate_after_minutes=5, clinic_phone="+1 555 0100"))
    state = after.then(OnCallSet(
        occurred_at=T0, staff_ids=(BEN, ANN), escalate_after_minutes=5, clinic_phone="+1 555 0100")).state
    assert (state.on_call.staff_ids, state.on_call.escalate_after_minutes) == ((BEN, ANN), 5)


@pytest.mark.parametrize(("command", "pointer"), [
    (set_on_call(BEN, BEN), "/staff_ids"),
    (set_on_call(BEN, escalate_after_minutes=0), "/escalate_after_minutes"),
    (set_on_call(BEN, escalate_after_minutes=1441), "/escalate_after_minutes"),
    (set_on_call(BEN, clinic_phone="call us"), "/clinic_phone"),
    (set_on_call(BEN, clinic_phone="javascript:1"), "/clinic_phone"),
])
def test_what_could_reach_nobody_is_refused(command: SetOnCall, pointer: str) -> None:
    staffed().when(clinic.decide, command).then_refused(OnCallNotValid, pointer=pointer)


def test_only_people_who_work_here_are_on_call() -> None:
    staffed().when(clinic.decide, set_on_call(BEN, id_of("stranger"))).then_refused(
        NotAssigned, pointer="/staff_ids/1")
    given(clinic.initial(id_of("none")), clinic.evolve).when(clinic.decide, set_on_call()).then_refused(ClinicNotOpen)


def test_nobody_is_on_call_who_cannot_acknowledge() -> None:
    """The front desk is refused; and a nurse on the list who keeps the desk from now on is passed over."""
    staffed().when(clinic.decide, set_on_call(BEN, FRONT)).then_refused(OnCallNotValid, pointer="/staff_ids/1")
    listed = staffed().when(clinic.decide, set_on_call(BEN, ANN)).then_kinds(OnCallSet)
    moved = listed.and_given(
        StaffAssigned(occurred_at=T0, staff_id=BEN, role="front_desk"),
        clinic.StaffUnassigned(occurred_at=T0, staff_id=BEN, role="nurse"))
    assert clinic.still_here(moved.state) == (ANN,)


def test_everybody_is_who_is_on_call_then_whoever_treats_or_manages() -> None:
    """The front desk is not woken; who has left the clinic is not told though they stand on an old list."""
    after = staffed().when(clinic.decide, set_on_call(BEN)).then_kinds(OnCallSet)
    assert clinic.everybody(after.state)[0] == BEN
    assert set(clinic.everybody(after.state)) == {ANN, BEN, CLEO}
    left = after.and_given(clinic.StaffUnassigned(occurred_at=T0, staff_id=BEN, role="nurse"))
    assert clinic.still_here(left.state) == ()
    assert BEN not in clinic.everybody(left.state)


ALERT = id_of("alert")


def alerted(*events: Event) -> Given[diary.State]:
    raised = HomeAlertRaised(occurred_at=T0, alert_id=ALERT, kind="chest_pain", entry=1)
    return given(diary.initial(id_of("diary")), diary.evolve, [raised, *events])


def escalate(step: int, *staff_ids: UUID, minutes: int = 0, alert_id: UUID = ALERT, **fields: Any) -> EscalateHomeAlert:
    at = T0 + timedelta(minutes=minutes)
    return EscalateHomeAlert(by=BY, now=at, at=at, alert_id=alert_id, step=step, staff_ids=staff_ids, **fields)


def test_an_alert_goes_from_one_to_the_next_and_each_step_is_taken_once() -> None:
    first = alerted().when(diary.decide, escalate(1, BEN)).then(
        HomeAlertEscalated(occurred_at=T0, alert_id=ALERT, step=1, staff_ids=(BEN,)))
    first.when(diary.decide, escalate(1, BEN)).then_refused(AlertAlreadyTold)
    first.when(diary.decide, escalate(3, ANN)).then_refused(AlertAlreadyTold)
    second = first.when(diary.decide, escalate(2, ANN, CLEO, minutes=10, everybody=True)).then_kinds(HomeAlertEscalated)
    assert second.state.alerts[0].told == ((BEN,), (ANN, CLEO))


def test_nobody_is_told_of_an_alert_that_somebody_has_acknowledged() -> None:
    done = alerted().when(diary.decide, AcknowledgeHomeAlert(
        by=BY, now=T0, at=T0, alert_id=ALERT, action="called_patient")).then_kinds(HomeAlertAcknowledged)
    done.when(diary.decide, escalate(1, BEN)).then_refused(AlertAlreadyAcknowledged)
    alerted().when(diary.decide, escalate(1, BEN, alert_id=id_of("none"))).then_refused(AlertNotFound)

"""From referral to relief; and the third next available slot."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.clinic import OpeningSpan
from domain.patient.screening import Finding
from domain.protocol import EXAMPLE_PROTOCOL
from projections import outcomes, utilization
from projections.metrics.calendar import Period
from projections.metrics.funnel import Funnel
from tests.support.facts import facts_of
from tests.support.histories import History, uid

CLINIC = uid(1, 1)
AT = datetime(2026, 3, 3, 17, tzinfo=UTC)
DAY = timedelta(days=1)


def clinic() -> History:
    history = History()
    before = AT - 90 * DAY
    history.add("clinic.opened.v1", CLINIC, before, clinic=CLINIC, clinic_name="A", timezone="America/Phoenix")
    return history


def referred(history: History, number: int, at: datetime = AT) -> Any:
    """A patient referred; returns how to tell what follows."""
    patient = uid(number, 3)

    def then(name: str, days: float, stream: Any = patient, **fields: Any) -> None:
        history.add(name, stream, at + days * DAY, clinic=CLINIC, subject=patient, **fields)

    then("patient.referral_received.v1", 0, referral_id=uid(number, 9), source="physician", received_on=at.date())
    return then


def consulted(then: Any, number: int, days: float, decision: str = "proceed") -> None:
    then(
        "course.consultation_held.v1", days, uid(number, 7), consultation_id=uid(number, 8), patient_id=uid(number, 3),
        prescriber_id=uid(1), condition="crps", examined=True, records_reviewed=True, history_reviewed=True,
        side_effects_discussed=True, procedure_discussed=True, visits_discussed=True, weight_kg=Decimal(70),
        decision=decision, plan="alone",
    )  # fmt: skip


def screened(then: Any, days: float, status: str) -> None:
    finding = Finding(contraindication="psychosis", status=status)
    then("patient.screening_recorded.v1", days, screening_id=uid(1, 8), findings=(finding,))


def asked(history: History, as_of: datetime) -> Funnel:
    with facts_of(history) as conn:
        return outcomes.report(conn, [str(CLINIC)], Period(date(2026, 3, 1), date(2026, 3, 31)), as_of=as_of).funnel


def test_each_step_is_done_failed_or_still_open() -> None:
    """By week of referral; who failed says why, who may still come is open."""
    history = clinic()
    one, two, three, _ = (referred(history, number) for number in (1, 2, 3, 4))
    consulted(one, 1, 5)
    screened(one, 5, "absent")
    consulted(two, 2, 6, "not_suitable")
    consulted(three, 3, 7)
    screened(three, 8, "uncontrolled")
    (week,) = asked(history, AT + 200 * DAY).weeks
    assert (week.week, week.referred) == (date(2026, 3, 2), 4)
    assert (week.steps["consulted"].done, week.steps["consulted"].open) == (3, 1)
    assert week.steps["trial"].failed == {"not_suitable": 1, "screening": 1}
    assert week.steps["trial"].open == 2


def test_a_cleared_screening_is_open_again() -> None:
    """A prescriber's reasoned clearance undoes the failure."""
    history = clinic()
    then = referred(history, 1)
    screened(then, 3, "uncontrolled")
    then(
        "patient.screening_cleared.v1", 4, contraindication="psychosis", prescriber_id=uid(1),
        valid_until=date(2026, 9, 1), reason_code="specialist",
    )  # fmt: skip
    (week,) = asked(history, AT + 200 * DAY).weeks
    assert week.steps["trial"].failed == {}


def test_an_ending_put_right_leaves_the_one_before_it() -> None:
    """Not suitable, then a screening not cleared, then cleared: nobody said since that the patient is suitable."""
    history = clinic()
    then = referred(history, 1)
    consulted(then, 1, 2, "not_suitable")
    screened(then, 3, "uncontrolled")
    (week,) = asked(history, AT + 200 * DAY).weeks
    assert week.steps["trial"].failed == {"screening": 1}
    screened(then, 4, "absent")
    (week,) = asked(history, AT + 200 * DAY).weeks
    assert week.steps["trial"].failed == {"not_suitable": 1}
    consulted(then, 1, 5)
    (week,) = asked(history, AT + 200 * DAY).weeks
    assert (week.steps["trial"].failed, week.steps["trial"].open) == ({}, 1)


@pytest.mark.parametrize(("age", "denominator", "young"), [(29, 0, {"referred_too_recently": 10}), (31, 10, {})])
def test_rates_count_only_those_referred_long_enough_ago(age: int, denominator: int, young: dict[str, int]) -> None:
    """At 30 days: nobody younger than that; a step on day 31 comes too late for it."""
    history = clinic()
    for number in range(1, 11):
        consulted(referred(history, number), number, 20 if number < 5 else 30.5)
    figure = asked(history, AT + age * DAY).within["consulted"]["30_days"]
    assert (figure.denominator, dict(figure.excluded)) == (denominator, young)
    assert figure.numerator == (4 if denominator else 0)
    assert figure.value == (0.4 if denominator else None)


def test_the_third_free_slot_is_looked_for_from_now_on() -> None:
    """One room from 8 to 17, booked from 8 to 10: the third slot begins at 14 for an infusion (two hours), at 12 for a
    consultation (one), at 11 for a follow-up (half an hour)."""
    history = clinic()
    history.add("clinic.room_added.v1", CLINIC, AT - 80 * DAY, clinic=CLINIC, room_id=uid(1, 2), room_name="1")
    history.add(
        "clinic.opening_hours_set.v1", CLINIC, AT - 80 * DAY, clinic=CLINIC, effective_from=date(2026, 1, 1),
        hours=(OpeningSpan(weekday=3, opens=time(8), closes=time(17)),),
    )  # fmt: skip
    history.add(
        "clinic.protocol_adopted.v1", CLINIC, AT - 80 * DAY, clinic=CLINIC, protocol_version=1,
        document=EXAMPLE_PROTOCOL, adopted_by=uid(1),
    )  # fmt: skip
    wednesday = datetime(2026, 3, 4, 15, tzinfo=UTC)  # 8:00 in Phoenix
    history.add(
        "appointment.booked.v1", uid(1, 4), AT - DAY, clinic=CLINIC, subject=uid(1, 3), appointment_id=uid(1, 5),
        patient_id=uid(1, 3), room_id=uid(1, 2), visit_kind="trial", starts_at=wednesday, ends_at=wednesday + DAY / 12,
    )  # fmt: skip
    with facts_of(history) as conn:
        day = Period(date(2026, 3, 4), date(2026, 3, 4))
        found = utilization.report(conn, [str(CLINIC)], day, as_of=AT).third_next_available[str(CLINIC)]
    visit = EXAMPLE_PROTOCOL.visit
    assert visit.preparation + visit.infusion + visit.monitoring + visit.turnover == 120
    for kind in ("trial", "series", "booster", "re_induction"):
        assert found[kind].value == pytest.approx((wednesday + DAY / 4 - AT) / DAY)
    assert found["consultation"].value == pytest.approx((wednesday + DAY / 6 - AT) / DAY)
    assert found["follow_up"].value == pytest.approx((wednesday + DAY / 8 - AT) / DAY)


@pytest.mark.parametrize(("held_after", "outcome"), [(0.02, "attended"), (1.5, "unresolved")])
def test_a_consultation_held_that_day_attends_its_booking(held_after: float, outcome: str) -> None:
    """Nobody arrives at an infusion for it; the consultation itself says that the patient came."""
    history = clinic()
    then = referred(history, 1)
    then(
        "appointment.booked.v1", 0, uid(1, 4), appointment_id=uid(1, 5), patient_id=uid(1, 3), room_id=uid(1, 2),
        visit_kind="consultation", starts_at=AT + DAY, ends_at=AT + DAY * 1.05,
    )  # fmt: skip
    consulted(then, 1, 1 + held_after)
    with facts_of(history) as conn:
        week = Period(date(2026, 3, 2), date(2026, 3, 8))
        report = utilization.report(conn, [str(CLINIC)], week, as_of=AT + 9 * DAY)
    assert report.together.attendance.outcomes == {outcome: 1}

"""The booster list: when one is due and why, and what its status is."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from domain.protocol import EXAMPLE_PROTOCOL
from projections import boosters
from projections.metrics.boosters import BoosterRow
from tests.projections.test_outcomes import CLINIC, COURSE, DAY, PATIENT, START, STOP, Told
from tests.support.facts import facts_of
from tests.support.histories import uid


def maintained() -> Told:
    """Trial, one of the series, optimal relief: boosters from here on. The protocol says 28 days."""
    told = Told()
    told.add(
        "clinic.protocol_adopted.v1", CLINIC, START - 80 * DAY, protocol_version=1, document=EXAMPLE_PROTOCOL,
        adopted_by=uid(1),
    )  # fmt: skip
    told.scored((-DAY, 8))
    told.infused()
    last = told.infused(START + 3 * DAY, "series")
    told.add("course.optimal_relief_reached.v1", COURSE, START + 4 * DAY, after_infusion_id=last)
    return told


def listed(told: Told, as_of: datetime) -> BoosterRow | None:
    with facts_of(told.history) as conn:
        rows = boosters.report(conn, [str(CLINIC)], as_of=as_of).boosters.rows
    assert len(rows) <= 1
    return rows[0] if rows else None


DEFAULT = timedelta(days=EXAMPLE_PROTOCOL.booster_default_days)
DUE = (STOP + 3 * DAY + DEFAULT).date()


@pytest.mark.parametrize(
    ("days_from_due", "status"),
    [(-15, "later"), (-14, "due"), (0, "due"), (1, "overdue"), (60, "overdue"), (61, "lost")],
)
def test_without_spells_the_protocols_default_is_due(days_from_due: int, status: str) -> None:
    """Labelled as the default; due within 14 days, then overdue, after 60 days of silence lost."""
    as_of = STOP + 3 * DAY + DEFAULT + days_from_due * DAY
    row = listed(maintained(), as_of)
    assert row is not None
    assert (row.due_on, row.basis, row.status, row.days_overdue) == (DUE, "protocol_default", status, days_from_due)


def test_own_spells_of_relief_come_before_the_default() -> None:
    """0.8 times the median of the completed spells since the end of the series: 25 days give 20."""
    told = maintained().scored((5 * DAY, 2), (28 * DAY, 7), (29 * DAY, 8))
    row = listed(told, STOP + 30 * DAY)
    assert row is not None
    assert (row.basis, row.basis_days) == ("own_spells", (25.0,))
    assert row.due_on == (STOP + 3 * DAY + 20 * DAY).date()


def test_a_date_that_a_clinician_set_stands_until_the_booster_is_given_or_cancelled() -> None:
    """The list shows the scheduled date and why."""
    told = maintained()
    booster = uid(1, 9)
    told.add(
        "course.booster_scheduled.v1", COURSE, START + 6 * DAY, booster_id=booster, due_on=date(2026, 5, 1),
        reason_code="clinical",
    )  # fmt: skip
    row = listed(told, START + 10 * DAY)
    assert row is not None
    assert (row.due_on, row.basis, row.basis_days) == (date(2026, 5, 1), "clinical", ())
    told.add("course.booster_cancelled.v1", COURSE, START + 8 * DAY, booster_id=booster, reason_code="medical")
    row = listed(told, START + 10 * DAY)
    assert row is not None
    assert row.basis == "protocol_default"


def booked(told: Told, starts: datetime, **fields: Any) -> None:
    told.add(
        "appointment.booked.v1", uid(1, 4), START + 6 * DAY, appointment_id=uid(1, 5), patient_id=PATIENT,
        room_id=uid(1, 2), visit_kind="booster", starts_at=starts, ends_at=starts + DAY / 12, **fields,
    )  # fmt: skip


def test_a_standing_booster_appointment_makes_it_booked_until_it_is_cancelled() -> None:
    """A booking that fell away leaves it due again."""
    told = maintained()
    booked(told, STOP + 35 * DAY)
    row = listed(told, STOP + 30 * DAY)
    assert row is not None
    assert row.status == "booked"
    told.add(
        "appointment.cancelled.v1", uid(1, 4), STOP + 20 * DAY, appointment_id=uid(1, 5), asked_by="patient",
        reason_code="illness",
    )  # fmt: skip
    row = listed(told, STOP + 30 * DAY)
    assert row is not None
    assert row.status == "due"


def test_a_score_after_the_due_date_is_contact() -> None:
    """Overdue for long, but not lost."""
    told = maintained().scored((3 * DAY + DEFAULT + 20 * DAY, 5))
    row = listed(told, STOP + 3 * DAY + DEFAULT + 70 * DAY)
    assert row is not None
    assert row.status == "overdue"


def test_closed_courses_and_courses_still_in_their_series_are_not_listed() -> None:
    """Nobody is chased who is done, and nobody who has not begun."""
    told = Told()
    told.infused()
    assert listed(told, STOP + 3 * DAY) is None
    told = maintained()
    told.add("course.closed.v1", COURSE, START + 9 * DAY, reason_code="goal_met")
    assert listed(told, STOP + 30 * DAY) is None


def test_the_gaps_between_boosters_are_counted_by_number() -> None:
    """From the drug stop before to the booster's drug start."""
    told = maintained()
    told.infused(START + 30 * DAY, "booster")
    told.infused(START + 70 * DAY, "booster")
    gaps = told.report().booster_gaps
    assert gaps["1"].median == pytest.approx(27 - 1 / 24)
    assert gaps["2"].median == pytest.approx(40 - 1 / 24)

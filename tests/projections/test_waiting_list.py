"""Who waits, and whom a freed time would suit: in order of joining, within the times they can come."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.clinic import OpeningSpan
from domain.protocol import EXAMPLE_PROTOCOL
from projections import waiting_list
from projections.waiting_list import WaitingReport
from tests.support.facts import facts_of
from tests.support.histories import History, uid

CLINIC, ROOM, SECOND = uid(1, 1), uid(1, 2), uid(2, 2)
NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
"""Eight in the morning in Phoenix, which has no summer time; open from 8 to 17 o'clock."""


def at(hour: float, days: int = 1) -> datetime:
    return NOW + timedelta(days=days, hours=hour - 8)


@pytest.fixture
def history() -> History:
    """A clinic with two rooms."""
    told, before = History(), NOW - timedelta(days=90)

    def here(name: str, **fields: Any) -> None:
        told.add(name, CLINIC, before, clinic=CLINIC, **fields)

    here("clinic.opened.v1", clinic_name="A", timezone="America/Phoenix")
    here("clinic.room_added.v1", room_id=ROOM, room_name="1")
    here("clinic.room_added.v1", room_id=SECOND, room_name="2")
    here("clinic.opening_hours_set.v1", effective_from=date(2026, 1, 1), hours=tuple(
        OpeningSpan(weekday=day, opens=time(8), closes=time(17)) for day in range(1, 8)))
    here("clinic.protocol_adopted.v1", protocol_version=1, document=EXAMPLE_PROTOCOL, adopted_by=uid(1))
    return told


def booked(history: History, number: int, starts: datetime, hours: float = 2, room: UUID = ROOM) -> UUID:
    history.add(
        "appointment.booked.v1", uid(number, 4), NOW - timedelta(days=5), clinic=CLINIC, subject=uid(number, 3),
        appointment_id=uid(number, 5), patient_id=uid(number, 3), room_id=room, visit_kind="trial", starts_at=starts,
        ends_at=starts + timedelta(hours=hours),
    )  # fmt: skip
    return uid(number, 5)


def cancelled(history: History, number: int, hours_ago: float = 1) -> None:
    history.add(
        "appointment.cancelled.v1", uid(number, 4), NOW - timedelta(hours=hours_ago), clinic=CLINIC,
        subject=uid(number, 3), appointment_id=uid(number, 5), asked_by="patient", reason_code="illness",
    )  # fmt: skip


def joined(
    history: History, number: int, earliest: datetime, latest: datetime, kind: str = "trial", hours_ago: float = 48
) -> UUID:
    history.add(
        "appointment.waitlist_joined.v1", uid(number, 4), NOW - timedelta(hours=hours_ago), clinic=CLINIC,
        subject=uid(number, 3), entry_id=uid(number, 6), patient_id=uid(number, 3), visit_kind=kind,
        earliest_at=earliest, latest_at=latest,
    )  # fmt: skip
    return uid(number, 6)


def asked(history: History, as_of: datetime = NOW) -> WaitingReport:
    with facts_of(history) as conn:
        found = waiting_list.report(conn, str(CLINIC), as_of=as_of)
    assert found is not None
    return found


def offered(report: WaitingReport) -> list[list[tuple[str, datetime]]]:
    return [[(one.waiting.entry_id, one.starts) for one in freed.candidates] for freed in report.freed]


def test_a_cancelled_time_is_freed_and_suits_waiters_in_order_of_joining(history: History) -> None:
    """Given 8 to 10, 10 to 12 and 12 to 17 booked and the middle one given up, then who joined first comes first."""
    booked(history, 1, at(8))
    booked(history, 2, at(10))
    booked(history, 3, at(12), 5)
    cancelled(history, 2)
    second = joined(history, 11, at(8), at(17), hours_ago=10)
    first = joined(history, 12, at(0, 0), at(0, 9), hours_ago=20)
    short = joined(history, 13, at(11), at(17), kind="follow_up", hours_ago=1)
    joined(history, 14, at(11), at(17))
    joined(history, 15, at(8, 2), at(17, 3))
    (freed,) = asked(history).freed
    assert (freed.starts, freed.ends, freed.free_from, freed.free_until) == (at(10), at(12), at(10), at(12))
    assert (freed.how, freed.asked_by, freed.room_name, freed.freed_at) == (
        "cancelled", "patient", "1", NOW - timedelta(hours=1))
    assert offered(asked(history)) == [[
        (str(first), at(10)), (str(second), at(10)), (str(short), at(11))]]


def test_what_was_booked_again_is_not_freed_and_of_a_part_the_rest_is(history: History) -> None:
    booked(history, 1, at(10))
    cancelled(history, 1)
    booked(history, 2, at(9), 2)
    (freed,) = asked(history).freed
    assert (freed.starts, freed.ends, freed.free_from, freed.free_until) == (at(11), at(12), at(11), at(17))
    booked(history, 3, at(11), 1)
    assert asked(history).freed == ()


def test_a_longer_visit_may_reach_into_free_time_around(history: History) -> None:
    """An hour given up before a free afternoon: a visit of two hours begins in it; who can come until twelve only
    begins earlier, in free time before, and still uses some of it."""
    booked(history, 1, at(11), 1)
    cancelled(history, 1)
    afternoon = joined(history, 11, at(11), at(17), hours_ago=9)
    until_noon = joined(history, 12, at(8), at(12), hours_ago=8)
    too_late = joined(history, 13, at(12), at(17), hours_ago=7)
    assert offered(asked(history)) == [[(str(afternoon), at(11)), (str(until_noon), at(10))]]
    assert str(too_late) in {one.entry_id for one in asked(history).waiting}


def test_a_move_frees_the_old_time_and_a_no_show_what_is_left_of_it(history: History) -> None:
    booked(history, 1, at(9))
    history.add(
        "appointment.moved.v1", uid(1, 4), NOW, clinic=CLINIC, subject=uid(1, 3), appointment_id=uid(1, 5),
        room_id=ROOM, starts_at=at(13), ends_at=at(15), was_starts_at=at(9), asked_by="clinic", reason_code="room",
    )  # fmt: skip
    booked(history, 2, at(8, 0), room=SECOND)
    history.add("appointment.no_show_recorded.v1", uid(2, 4), at(8.5, 0), clinic=CLINIC, subject=uid(2, 3),
                appointment_id=uid(2, 5))
    report = asked(history, at(8.6, 0))
    assert [(one.how, one.room_name, one.starts, one.ends) for one in report.freed] == [
        ("no_show", "2", at(8.6, 0), at(10, 0)), ("moved", "1", at(9), at(11))]


def test_nothing_is_freed_in_a_closure_or_in_the_past(history: History) -> None:
    booked(history, 1, at(10))
    cancelled(history, 1)
    assert len(asked(history).freed) == 1
    assert asked(history, at(12)).freed == ()
    history.add("clinic.closure_declared.v1", CLINIC, NOW, clinic=CLINIC, closure_id=uid(9), starts_at=at(8),
                ends_at=at(17), reason_code="weather")
    assert asked(history).freed == ()


def test_who_left_or_whose_time_has_passed_waits_no_more(history: History) -> None:
    stays = joined(history, 1, at(8), at(17))
    gone = joined(history, 2, at(8), at(17))
    history.add("appointment.slot_offered.v1", uid(1, 4), NOW, clinic=CLINIC, subject=uid(1, 3), entry_id=stays,
                room_id=ROOM, starts_at=at(9), ends_at=at(11))
    history.add("appointment.waitlist_left.v1", uid(2, 4), NOW, clinic=CLINIC, subject=uid(2, 3), entry_id=gone,
                reason_code="declined")
    (one,) = asked(history).waiting
    assert (one.entry_id, one.offers, one.local_date, one.minutes) == (str(stays), 1, date(2026, 3, 3), 120)
    assert asked(history, at(17)).waiting == ()


def test_a_clinic_that_was_not_opened_has_no_list(history: History) -> None:
    with facts_of(history) as conn:
        assert waiting_list.report(conn, str(uid(8, 8)), as_of=NOW) is None

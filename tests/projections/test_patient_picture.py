"""One patient's picture against a recount from the raw entries, at any moment, as known at any position."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.patient.screening import Finding
from projections.patient_picture import Picture, picture
from tests.projections.naive import Entry, entries
from tests.projections.test_outcomes import CLINIC, COURSE, DAY, PATIENT, START, STOP, Told
from tests.support.clinic_life import Life
from tests.support.facts import facts_of
from tests.support.histories import uid


def drawn(told: Told, as_of: datetime, known_at: int | None = None) -> Picture:
    with facts_of(told.history) as conn:
        return picture(told.history, conn, [PATIENT], CLINIC, as_of=as_of, known_at=known_at)


def _named(own: list[Entry], *names: str) -> list[Entry]:
    return [one for one in own if one.name in names]


def _baseline(own: list[Entry], course: Any) -> int | None:
    """By hand: of the scores `now` in the seven days before the first drug start, the last."""
    starts = [one.event.drug_started_at for one in _named(own, "infusion.given.v1") if one.event.course_id == course]
    if not starts:
        return None
    before = [
        one for one in _named(own, "diary.pain_scored.v1")
        if one.event.kind == "now" and min(starts) - timedelta(days=7) <= one.at < min(starts)
    ]  # fmt: skip
    return before[-1].event.score if before else None


@pytest.mark.parametrize("seed", [2, 9, 31])
def test_every_mark_is_an_entry_that_stands(seed: int) -> None:
    """Random weeks with late, amended and struck entries: as many marks, the same values, at five moments."""
    life, draw = Life(seed), random.Random(seed)
    with facts_of(life.history) as conn:
        for _ in range(5):
            as_of = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=draw.randint(0, 20_000))
            known_at = draw.choice([None, draw.randint(100, life.history.head())])
            for patient in life.patients:
                own = [one for one in entries(life.history, known_at, as_of) if one.patient == patient]
                found = picture(life.history, conn, [patient], life.clinics[0], as_of=as_of, known_at=known_at)
                assert [(one.at, one.kind, one.score) for one in found.pain] == [
                    (one.at, one.event.kind, one.event.score) for one in _named(own, "diary.pain_scored.v1")
                ]
                assert sorted((one.stopped_at, one.dose_mg_per_kg) for one in found.infusions) == sorted(
                    (one.at, one.event.dose_mg_per_kg) for one in _named(own, "infusion.given.v1")
                )
                reported = _named(
                    own, "infusion.side_effect_reported.v1", "diary.side_effect_reported_from_home.v1"
                )
                assert len(found.side_effects) == len({one.event.side_effect_id for one in reported})
                for course in found.courses:
                    assert course.baseline == _baseline(own, course.course)


def test_the_lines_are_the_baseline_and_what_is_left_of_it() -> None:
    """Baseline 8: 30 % less is 5.6, 50 % less is 4."""
    told = Told().scored((-DAY, 8))
    told.infused()
    course = drawn(told, STOP + DAY).courses[0]
    assert (course.baseline, course.moderate, course.substantial) == (8, Decimal("5.6"), Decimal(4))


def test_papers_count_the_protocols_days_by_the_clinics_dates() -> None:
    """Screened on 1 March with 90 days: on 20 March 71 are left, in June it is out of date."""
    from domain.protocol import EXAMPLE_PROTOCOL

    told = Told()
    told.add("clinic.protocol_adopted.v1", CLINIC, START - 80 * DAY, protocol_version=1, document=EXAMPLE_PROTOCOL,
             adopted_by=uid(1))  # fmt: skip
    at = datetime(2026, 3, 1, 18, tzinfo=UTC)
    finding = Finding(contraindication="hypertension", status="uncontrolled")
    told.add("patient.screening_recorded.v1", PATIENT, at, screening_id=uid(5), findings=(finding,))
    told.add("patient.screening_cleared.v1", PATIENT, at + DAY, contraindication="hypertension", prescriber_id=uid(1),
             valid_until=date(2026, 4, 1), reason_code="controlled_now")  # fmt: skip
    told.add("patient.consent_signed.v1", PATIENT, at, consent_id=uid(6), kind="treatment", form_version="1",
             signed_by="patient", taken_by=uid(1))  # fmt: skip
    told.add("patient.consent_withdrawn.v1", PATIENT, at + 2 * DAY, consent_id=uid(6), reason_code="changed_mind")
    found = drawn(told, datetime.combine(date(2026, 3, 20), time(18), tzinfo=UTC))
    papers = {one.what: one for one in found.papers}
    assert (papers["screening"].valid_until, papers["screening"].left) == (date(2026, 5, 30), 71)
    assert papers["consent: treatment"].withdrawn
    assert [(one.status, one.cleared_until) for one in found.findings] == [("uncontrolled", date(2026, 4, 1))]
    later = drawn(told, datetime(2026, 6, 2, 18, tzinfo=UTC))
    assert {one.what: one.left for one in later.papers}["screening"] == -3


def test_a_booster_is_scheduled_then_booked_then_given() -> None:
    """One mark that changes its state; the reason is that of the first scheduling."""
    told = Told()
    told.infused()
    booster, due = uid(1, 9), (START + 20 * DAY).date()
    told.add("course.booster_scheduled.v1", COURSE, START + DAY, booster_id=booster, due_on=due,
             reason_code="own_spells")  # fmt: skip
    assert [(one.state, one.reason) for one in drawn(told, START + 2 * DAY).boosters] == [("scheduled", "own_spells")]
    told.add("course.booster_rescheduled.v1", COURSE, START + 3 * DAY, booster_id=booster, due_on=due,
             reason_code="booked", appointment_id=uid(3))  # fmt: skip
    assert [(one.state, one.reason) for one in drawn(told, START + 4 * DAY).boosters] == [("booked", "own_spells")]
    told.infused(START + 19 * DAY, "booster")
    assert [one.state for one in drawn(told, START + 20 * DAY).boosters] == ["given"]
    assert [one.state for one in drawn(told, START + 2 * DAY).boosters] == ["scheduled"]


def test_an_alert_is_open_until_it_is_answered_and_a_prompt_until_a_score_comes() -> None:
    """Both lists at three moments."""
    told, diary = Told(), uid(8, 4)
    told.add("diary.alert_raised.v1", diary, START, alert_id=uid(7), kind="chest_pain")
    told.add("diary.follow_up_due.v1", diary, START, follow_up_id=uid(8), infusion_id=uid(1), due_at=START + DAY,
             instruments=("nrs",))  # fmt: skip
    now = drawn(told, START + timedelta(hours=1))
    assert ([one.kind for one in now.alerts], [one.state for one in now.asked]) == (["chest_pain"], ["coming"])
    assert [one.state for one in drawn(told, START + 4 * DAY).asked] == ["missed"]
    told.add("diary.alert_acknowledged.v1", diary, START + timedelta(hours=2), alert_id=uid(7), action="called")
    told.scored((DAY + timedelta(hours=1), 3))
    later = drawn(told, START + 4 * DAY)
    assert (later.alerts, [one.state for one in later.asked]) == ((), ["answered"])
    assert (later.follow_up.numerator, later.follow_up.denominator) == (1, 1)


def test_visits_are_what_became_of_each_booking() -> None:
    """Given one moved to another day, one confirmed, one cancelled, one missed, one kept, entered in another order than
    they happened; then each is told once, where and as the log left it, and as it was known before."""
    told, room = Told(), uid(1, 4)
    one, two, three, four, five = (uid(number, 7) for number in range(1, 6))
    sheet, other = uid(1, 8), uid(2, 8)

    def book(appointment: Any, days: int, stream: Any = sheet, at: datetime = START, **fields: Any) -> None:
        begin = START + days * DAY
        told.add(
            "appointment.booked.v1", stream, at, appointment_id=appointment, patient_id=PATIENT, room_id=room,
            visit_kind="series", starts_at=begin, ends_at=begin + timedelta(hours=2), **fields,
        )  # fmt: skip

    for number, appointment in enumerate((one, two, three, four, five), 1):
        book(appointment, number)
    before = told.history.head()
    told.add(
        "appointment.moved.v1", sheet, START + timedelta(hours=1), appointment_id=one, room_id=room,
        starts_at=START + 9 * DAY, ends_at=START + 9 * DAY + timedelta(hours=1), was_starts_at=START + DAY,
        asked_by="patient", reason_code="work", to_date=(START + 9 * DAY).date(),
    )  # fmt: skip
    book(one, 9, other, START + timedelta(hours=1), moved_from=(START + DAY).date())
    told.add("appointment.no_show_recorded.v1", sheet, START + 4 * DAY, appointment_id=four)
    told.add("appointment.confirmed.v1", sheet, START + timedelta(hours=3), appointment_id=two)
    told.add(
        "appointment.cancelled.v1", sheet, START + timedelta(hours=2), appointment_id=three, asked_by="patient",
        reason_code="illness",
    )  # fmt: skip
    told.add("appointment.kept.v2", sheet, START + 5 * DAY, appointment_id=five, infusion_id=uid(1, 6))

    def seen(as_of: datetime, known_at: int | None = None) -> list[tuple[Any, str, datetime]]:
        return [(visit.appointment, visit.state, visit.starts_at) for visit in drawn(told, as_of, known_at).visits]

    assert seen(START + 20 * DAY) == [
        (two, "confirmed", START + 2 * DAY), (three, "cancelled", START + 3 * DAY), (four, "no_show", START + 4 * DAY),
        (five, "kept", START + 5 * DAY), (one, "booked", START + 9 * DAY),
    ]  # fmt: skip
    booked = [(each, "booked", START + number * DAY) for number, each in enumerate((one, two, three, four, five), 1)]
    assert seen(START + 20 * DAY, before) == booked
    assert seen(START) == booked


def test_a_consultation_held_keeps_its_booking_of_that_clinics_day() -> None:
    """Of logs in which no `appointment.kept` came with it: the clinic's day counts (Phoenix: seven hours behind), and
    neither another kind of visit nor what was cancelled is kept by it. Struck, it never was."""
    told, room, sheet = Told(), uid(1, 4), uid(1, 8)
    evening = datetime(2026, 3, 10, 4, 30, tzinfo=UTC)  # the 9th, 21:30 in Phoenix
    kinds = ("consultation", "consultation", "follow_up", "consultation", "consultation")
    first, missed, follow_up, cancelled, next_day = ids = [uid(number, 7) for number in range(1, 6)]
    for number, (appointment, kind) in enumerate(zip(ids, kinds, strict=True)):
        begin = evening + timedelta(minutes=20 * number) if appointment != next_day else evening + timedelta(hours=4)
        told.add(
            "appointment.booked.v1", sheet, START, appointment_id=appointment, patient_id=PATIENT, room_id=room,
            visit_kind=kind, starts_at=begin, ends_at=begin + timedelta(minutes=15), prescriber_id=uid(1),
        )  # fmt: skip
    told.add("appointment.no_show_recorded.v1", sheet, evening + timedelta(hours=1), appointment_id=missed)
    told.add(
        "appointment.cancelled.v1", sheet, START + timedelta(hours=2), appointment_id=cancelled, asked_by="patient",
        reason_code="illness",
    )  # fmt: skip
    before = told.history.head()
    told.add(
        "course.consultation_held.v1", COURSE, evening - timedelta(hours=3), consultation_id=uid(9), patient_id=PATIENT,
        prescriber_id=uid(1), condition="crps", examined=True, records_reviewed=True, history_reviewed=True,
        side_effects_discussed=True, procedure_discussed=True, visits_discussed=True, weight_kg=Decimal(80),
        decision="proceed", plan="alone",
    )  # fmt: skip

    def seen(known_at: int | None = None) -> dict[Any, str]:
        return {visit.appointment: visit.state for visit in drawn(told, evening + 9 * DAY, known_at).visits}

    as_it_was = {
        first: "booked", missed: "no_show", follow_up: "booked", cancelled: "cancelled", next_day: "booked",
    }  # fmt: skip
    assert seen(before) == as_it_was
    assert seen() == {**as_it_was, first: "kept", missed: "kept"}
    version = max(record.version for record in told.history.read_stream(COURSE))
    told.add(
        "entry.struck.v1", COURSE, evening + DAY, entry=version, entry_name="course.consultation_held.v1",
        reason_code="duplicate", reason="Twice",
    )  # fmt: skip
    assert seen() == as_it_was

"""A course: consultation, opening, response gate, series, boosters from the patient's own relief, endings."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace

from domain import course
from domain.corrections import AmendEntry, StrikeEntry
from domain.course import (
    BoosterCancelled,
    BoosterRescheduled,
    BoosterScheduled,
    CancelBooster,
    CloseCourse,
    ConsultationHeld,
    CourseClosed,
    CourseNotOpen,
    CourseOpened,
    CourseTransferred,
    Facts,
    GivenInfusion,
    HoldConsultation,
    LinkBooster,
    OpenCourse,
    OptimalReliefReached,
    PainScore,
    PlanSeries,
    ReachOptimalRelief,
    RescheduleBooster,
    ResponseAssessed,
    ReviseSeries,
    ScheduleBooster,
    SeriesPlanned,
    SeriesRevised,
    State,
    TransferCourse,
    booster_due,
    completed_since_series,
    decide,
    evolve,
    initial,
    spells,
    usual_window,
)
from domain.course.boosters import (
    BoosterAlreadyScheduled,
    BoosterDueDiffers,
    BoosterTooEarly,
    NoSuchBooster,
    NothingToMaintain,
)
from domain.course.consultation import (
    AnotherPatientsCourse,
    ConsultationIncomplete,
    ConsultationOutOfDate,
    CourseAlreadyOpen,
    ImplausibleProposal,
    ImplausibleWeight,
    NoConsultation,
)
from domain.course.ending import AlreadyAtThisClinic
from domain.course.series import (
    FewerThanGiven,
    InfusionNotOfThisCourse,
    NoPositiveResponse,
    NoSeriesInForce,
    OptimalReliefAlreadyReached,
    ReasonNeeded,
    ResponseAlreadyAssessed,
    SeriesAlreadyPlanned,
    SeriesNotPossible,
)
from domain.course.state import NotAPrescriberInDate
from domain.kernel import Actor, Claim, Release
from domain.ledger import EntryCannotBeCorrected
from domain.vocabulary.term import UnknownCode
from tests.domain.given_when_then import Given, given

SPACE = UUID("0d2f6c1e-0000-4000-8000-000000000001")
T0 = datetime(2026, 3, 2, 15, tzinfo=UTC)
BY = Actor(id="dr", role="prescriber")
D = Decimal


def id_of(name: str) -> UUID:
    return uuid5(SPACE, name)


COURSE, PATIENT, DOCTOR, CLINIC = (id_of(name) for name in ("course", "patient", "doctor", "clinic"))
FACTS = Facts(clinic_id=CLINIC, timezone="America/Denver", prescriber_in_date=True, consultation_valid_days=180,
              booster_default_days=28, booster_minimum_days=14)


def of(command: type, at: datetime = T0, **fields: Any) -> Any:
    """A command, entered when it happened."""
    return command(by=BY, now=at, at=at, **fields)


def consultation(at: datetime = T0, **fields: Any) -> HoldConsultation:
    return of(HoldConsultation, at, **{
        "consultation_id": id_of("consultation"), "patient_id": PATIENT, "prescriber_id": DOCTOR, "condition": "crps",
        "examined": True, "records_reviewed": True, "history_reviewed": True, "side_effects_discussed": True,
        "procedure_discussed": True, "visits_discussed": True, "weight_kg": D(80), "decision": "proceed",
        "plan": "combined", **fields,
    })


def opening(at: datetime = T0, **fields: Any) -> OpenCourse:
    return of(OpenCourse, at, **{
        "patient_id": PATIENT, "condition": "crps", "plan": "combined", "prescriber_id": DOCTOR, **fields})


def infusion(number: int, purpose: str, started_at: datetime) -> GivenInfusion:
    return GivenInfusion(infusion_id=id_of(f"infusion {number}"), course_id=COURSE, purpose=purpose,
                         drug_started_at=started_at, drug_stopped_at=started_at + timedelta(hours=1))


TRIAL = infusion(0, "trial", T0 + timedelta(days=3))
AFTER_TRIAL = replace(FACTS, infusions=(TRIAL,))
SERIES = tuple(infusion(n, "series", T0 + timedelta(days=5 + 2 * n)) for n in range(1, 7))
AFTER_SERIES = replace(FACTS, infusions=(TRIAL, *SERIES))


def new() -> Given[State]:
    return given(initial(COURSE), evolve)


def consulted() -> Given[State]:
    return new().when(decide, consultation(), FACTS).then_kinds(ConsultationHeld)


def opened() -> Given[State]:
    return consulted().when(decide, opening(), FACTS).then_kinds(CourseOpened)


def assessed(**fields: Any) -> Any:
    return of(course.AssessResponse, T0 + timedelta(days=4), **{
        "infusion_id": TRIAL.infusion_id, "positive": True, "basis": "nrs_fall", "fall_percent": D(50),
        "decision": "go_on", "prescriber_id": DOCTOR, **fields})


def responded() -> Given[State]:
    return opened().when(decide, assessed(), AFTER_TRIAL).then_kinds(ResponseAssessed)


def six(infusions: int = 6, **fields: Any) -> PlanSeries:
    starts, ends = usual_window(TRIAL.drug_started_at, "America/Denver")
    return of(PlanSeries, T0 + timedelta(days=4), **{
        "series_id": id_of("series"), "infusions": infusions, "window_starts": starts, "window_ends": ends, **fields})


def planned() -> Given[State]:
    return responded().when(decide, six(), AFTER_TRIAL).then_kinds(SeriesPlanned)


def relieved() -> Given[State]:
    done = of(ReachOptimalRelief, T0 + timedelta(days=20), after_infusion_id=SERIES[-1].infusion_id)
    return planned().when(decide, done, AFTER_SERIES).then_kinds(OptimalReliefReached)


def boosted(**fields: Any) -> Given[State]:
    command = of(ScheduleBooster, T0 + timedelta(days=20), booster_id=id_of("booster"), **fields)
    return relieved().when(decide, command, AFTER_SERIES).then_kinds(BoosterScheduled)


# --- consultation and opening --------------------------------------------------------------------


@pytest.mark.parametrize("step", [
    "examined", "records_reviewed", "history_reviewed", "side_effects_discussed", "procedure_discussed",
    "visits_discussed",
])
def test_proceeding_needs_every_step_of_a_consultation(step: str) -> None:
    new().when(decide, consultation(**{step: False}), FACTS).then_refused(ConsultationIncomplete, missing=[step])


def test_not_proceeding_does_not() -> None:
    new().when(decide, consultation(examined=False, decision="not_suitable"), FACTS).then_kinds(ConsultationHeld)


@pytest.mark.parametrize(("fields", "error"), [
    ({"weight_kg": D("12")}, ImplausibleWeight),
    ({"weight_kg": D("501")}, ImplausibleWeight),
    ({"proposed_mg_per_kg": D("11")}, ImplausibleProposal),
    ({"proposed_minutes": 0}, ImplausibleProposal),
    ({"condition": "gout"}, UnknownCode),
    ({"decision": "maybe"}, UnknownCode),
    ({"plan": "none"}, UnknownCode),
])
def test_what_cannot_be_is_refused(fields: dict[str, Any], error: type) -> None:
    new().when(decide, consultation(**fields), FACTS).then_refused(error)


def test_only_a_prescriber_in_date_holds_a_consultation_or_opens_a_course() -> None:
    facts = replace(FACTS, prescriber_in_date=False)
    new().when(decide, consultation(), facts).then_refused(NotAPrescriberInDate, pointer="/prescriber_id")
    consulted().when(decide, opening(), facts).then_refused(NotAPrescriberInDate)


def test_a_course_opens_on_a_consultation_that_proceeds_and_takes_the_patients_one_place() -> None:
    consulted().when(decide, opening(), FACTS).then_claims(
        Claim(resource=f"open-course:{PATIENT}", holder=f"course:{COURSE}", starts=T0, ends=None))


def test_no_course_without_a_consultation_that_proceeds() -> None:
    new().when(decide, opening(), FACTS).then_refused(NoConsultation)
    deferred = new().when(decide, consultation(decision="defer"), FACTS).then_kinds(ConsultationHeld)
    deferred.when(decide, opening(), FACTS).then_refused(NoConsultation)


@pytest.mark.parametrize(("days", "opens"), [(180, True), (181, False)])
def test_a_consultation_is_good_for_the_protocols_days(days: int, opens: bool) -> None:
    outcome = consulted().when(decide, opening(T0 + timedelta(days=days)), FACTS)
    if opens:
        outcome.then_kinds(CourseOpened)
    else:
        outcome.then_refused(ConsultationOutOfDate, valid_days=180)


def test_a_newer_consultation_renews_an_old_one() -> None:
    renewed = consulted().when(decide, consultation(T0 + timedelta(days=100)), FACTS).then_kinds(ConsultationHeld)
    renewed.when(decide, opening(T0 + timedelta(days=200)), FACTS).then_kinds(CourseOpened)


def test_a_course_is_one_patients_and_opens_once() -> None:
    consulted().when(decide, opening(patient_id=id_of("other")), FACTS).then_refused(AnotherPatientsCourse)
    opened().when(decide, opening(), FACTS).then_refused(CourseAlreadyOpen)


# --- the gate and the series ---------------------------------------------------------------------


def test_the_gate_is_about_an_infusion_of_this_course_once() -> None:
    opened().when(decide, assessed(), FACTS).then_refused(InfusionNotOfThisCourse)
    responded().when(decide, assessed(), AFTER_TRIAL).then_refused(ResponseAlreadyAssessed)


def test_going_on_without_a_response_needs_a_prescribers_reason() -> None:
    opened().when(decide, assessed(positive=False), AFTER_TRIAL).then_refused(ReasonNeeded)
    opened().when(decide, assessed(positive=False, reason="late effect"), AFTER_TRIAL).then_kinds(ResponseAssessed)


def test_no_series_before_the_gate_is_passed() -> None:
    opened().when(decide, six(), AFTER_TRIAL).then_refused(NoPositiveResponse)
    stopped = opened().when(decide, assessed(positive=False, decision="stop"), AFTER_TRIAL).then_kinds(ResponseAssessed)
    stopped.when(decide, six(), AFTER_TRIAL).then_refused(NoPositiveResponse)


def test_the_usual_window_is_the_two_weeks_after_the_first_infusion_by_the_clinics_calendar() -> None:
    """23:30 in Denver is the next day in UTC."""
    late = datetime(2026, 3, 10, 5, 30, tzinfo=UTC)
    assert usual_window(late, "America/Denver") == (date(2026, 3, 10), date(2026, 3, 23))


@pytest.mark.parametrize("fields", [
    {"infusions": 0}, {"infusions": 31}, {"window_ends": date(2026, 3, 1)}, {"window_ends": date(2027, 3, 1)},
])
def test_a_series_must_be_possible(fields: dict[str, Any]) -> None:
    responded().when(decide, six(**fields), AFTER_TRIAL).then_refused(SeriesNotPossible)


def test_one_series_is_in_force_and_it_is_revised_not_planned_again() -> None:
    planned().when(decide, six(series_id=id_of("another")), AFTER_TRIAL).then_refused(SeriesAlreadyPlanned)
    fewer = of(ReviseSeries, T0 + timedelta(days=12), infusions=4, window_starts=date(2026, 3, 6),
               window_ends=date(2026, 3, 30), reason_code="response")
    after = planned().when(decide, fewer, AFTER_TRIAL).then_kinds(SeriesRevised)
    assert after.state.series is not None
    assert (after.state.series.infusions, after.state.series.series_id) == (4, id_of("series"))
    responded().when(decide, fewer, AFTER_TRIAL).then_refused(NoSeriesInForce)


def test_a_series_is_not_revised_below_what_was_given() -> None:
    facts = replace(FACTS, infusions=(TRIAL, *SERIES[:5]))
    fewer = of(ReviseSeries, T0 + timedelta(days=16), infusions=4, window_starts=date(2026, 3, 6),
               window_ends=date(2026, 3, 30), reason_code="response")
    planned().when(decide, fewer, facts).then_refused(FewerThanGiven, given=5, asked=4)


def test_optimal_relief_ends_the_series_as_a_success_and_only_once() -> None:
    after = relieved()
    assert after.state.series is None
    assert after.state.status == "open"
    again = of(ReachOptimalRelief, T0 + timedelta(days=21), after_infusion_id=SERIES[-1].infusion_id)
    after.when(decide, again, AFTER_SERIES).then_refused(OptimalReliefAlreadyReached)


def test_after_optimal_relief_a_new_series_may_be_planned_again() -> None:
    again = replace(six(series_id=id_of("second")), at=T0 + timedelta(days=90), now=T0 + timedelta(days=90))
    after = relieved().when(decide, again, AFTER_SERIES).then_kinds(SeriesPlanned)
    assert after.state.optimal_relief_after is None


# --- spells of relief ----------------------------------------------------------------------------


def scores(*pairs: tuple[float, int]) -> tuple[PainScore, ...]:
    """(days after the last drug stop of the series, score)."""
    return tuple(PainScore(SERIES[-1].drug_stopped_at + timedelta(days=days), score) for days, score in pairs)


BASELINE = (PainScore(TRIAL.drug_started_at - timedelta(days=1), 8),)


def test_a_spell_runs_from_the_drug_stop_to_the_first_of_two_bad_scores() -> None:
    found = spells((TRIAL, *SERIES), BASELINE + scores((2, 3), (10, 4), (20, 6), (21, 6)))
    assert [(spell.infusion_id, spell.days) for spell in found] == [(SERIES[-1].infusion_id, D("20.00"))]


def test_one_bad_score_ends_nothing() -> None:
    (spell,) = spells((TRIAL, *SERIES), BASELINE + scores((2, 3), (10, 7), (20, 3)))
    assert spell.days is None


@pytest.mark.parametrize(("day", "score", "responder"), [
    (2, 5, True), (2, 6, False), (0.5, 2, False), (1, 5, True), (3, 5, True), (3.1, 2, False),
])
def test_a_landmark_responder_fell_by_30_percent_at_24_to_72_hours(day: float, score: int, responder: bool) -> None:
    """5 of 8 is a fall of 37.5 %, 6 of 8 one of 25 %."""
    assert bool(spells((TRIAL, *SERIES), BASELINE + scores((day, score)))) == responder


@pytest.mark.parametrize("baseline", [(), (PainScore(TRIAL.drug_started_at - timedelta(days=1), 0),),
                                      (PainScore(TRIAL.drug_started_at - timedelta(days=8), 8),)])
def test_without_a_baseline_above_0_in_the_week_before_there_is_no_spell(baseline: tuple[PainScore, ...]) -> None:
    assert spells((TRIAL, *SERIES), baseline + scores((2, 0))) == ()


def test_a_planned_infusion_censors_and_a_rescue_ends() -> None:
    after = SERIES[-1].drug_stopped_at
    booster = infusion(7, "booster", after + timedelta(days=30))
    rescue = infusion(7, "re_induction", after + timedelta(days=30))
    some = BASELINE + scores((2, 3), (25, 3))
    assert [s.days for s in spells((TRIAL, *SERIES, booster), some)] == [None]
    assert [s.days for s in spells((TRIAL, *SERIES, rescue), some)] == [D("30.00")]


def test_a_score_said_as_the_next_drug_starts_is_the_landmark_and_the_last_of_its_spell() -> None:
    """The window ends with the next start, that moment included; nothing later belongs to the spell."""
    start = SERIES[-1].drug_stopped_at + timedelta(days=2)
    some = BASELINE + scores((2, 3), (2.5, 8), (2.6, 8))
    (cut_off,) = spells((TRIAL, *SERIES, infusion(7, "booster", start)), some)
    assert (cut_off.last_good_at, cut_off.days) == (start, None)
    (ended,) = spells((TRIAL, *SERIES, infusion(7, "re_induction", start)), some)
    assert ended.days == D("2.00")


def test_a_booster_for_returned_pain_ends_a_spell_as_a_rescue_does() -> None:
    """A planned one only censors."""
    booster = infusion(7, "booster", SERIES[-1].drug_stopped_at + timedelta(days=20))
    some, given_so_far = BASELINE + scores((2, 3), (15, 3)), (TRIAL, *SERIES, booster)
    assert completed_since_series(given_so_far, some) == ()
    assert completed_since_series(given_so_far, some, for_pain={booster.infusion_id}) == (D("20.00"),)


def test_what_comes_after_a_move_to_another_clinic_ends_no_spell() -> None:
    """Neither returned pain nor a rescue: it is cut off when the course moves."""
    after = SERIES[-1].drug_stopped_at
    given_so_far = (TRIAL, *SERIES, infusion(7, "re_induction", after + timedelta(days=40)))
    some = BASELINE + scores((2, 3), (9, 4), (20, 8), (21, 8))
    assert completed_since_series(given_so_far[:-1], some) == (D("20.00"),)
    for left in (after + timedelta(days=10), after + timedelta(days=20.5)):
        (cut_off,) = spells(given_so_far, some, departures=(left,))
        assert (cut_off.last_good_at, cut_off.days) == (after + timedelta(days=9), None)
    (ended,) = spells(given_so_far, some, departures=(after - timedelta(days=1),))
    assert ended.days == D("20.00")


def test_who_moves_before_the_landmark_shows_no_relief_there() -> None:
    after = SERIES[-1].drug_stopped_at
    (unseen,) = spells((TRIAL, *SERIES), BASELINE + scores((2, 3)), departures=(after + timedelta(days=1),))
    assert (unseen.last_good_at, unseen.days) == (after, None)


def test_only_spells_since_the_end_of_the_series_count() -> None:
    """The trial's own short spell does not; the one after the last of the series does."""
    trial = (PainScore(TRIAL.drug_stopped_at + timedelta(hours=25), 3),
             PainScore(TRIAL.drug_stopped_at + timedelta(hours=80), 8),
             PainScore(TRIAL.drug_stopped_at + timedelta(hours=81), 8))
    some = BASELINE + trial + scores((2, 3), (20, 8), (21, 8))
    assert len(spells((TRIAL, *SERIES), some)) == 2
    assert completed_since_series((TRIAL, *SERIES), some) == (D("20.00"),)


@for_all(st.lists(st.tuples(st.integers(0, 90 * 24), st.integers(0, 10)), max_size=30))
def test_spells_are_within_bounds_whatever_the_scores(raw: list[tuple[int, int]]) -> None:
    some = BASELINE + scores(*((hours / 24, score) for hours, score in raw))
    for spell in spells((TRIAL, *SERIES), some):
        assert spell.started_at < spell.last_good_at
        assert spell.ended_at is None or spell.last_good_at < spell.ended_at


# --- boosters ------------------------------------------------------------------------------------


def test_a_booster_is_due_after_the_default_when_there_are_no_spells() -> None:
    due = booster_due(T0, (), default_days=28, minimum_days=14)
    assert (due.due_at, due.reason_code, due.basis_days) == (T0 + timedelta(days=28), "protocol_default", ())


def test_a_booster_is_due_at_four_fifths_of_the_median_of_the_last_three_spells() -> None:
    due = booster_due(T0, (D(5), D(40), D(30), D(50)), default_days=28, minimum_days=14)
    assert (due.due_at, due.reason_code) == (T0 + timedelta(days=32), "own_spells")
    assert due.basis_days == (D(40), D(30), D(50))


@for_all(st.lists(st.decimals(0, 400, places=2), max_size=6), st.integers(1, 60), st.integers(0, 60))
def test_a_booster_is_never_due_under_the_minimum(lengths: list[Decimal], default: int, minimum: int) -> None:
    due = booster_due(T0, lengths, default, minimum)
    assert due.due_at >= T0 + timedelta(days=minimum)
    assert (due.reason_code == "own_spells") == bool(lengths)


def test_a_scheduled_booster_without_a_date_is_due_as_computed() -> None:
    event = boosted().state.booster
    assert event is not None
    assert event.due_on == SERIES[-1].drug_stopped_at.date() + timedelta(days=28)


def test_a_computed_date_says_from_which_spells() -> None:
    facts = replace(AFTER_SERIES, scores=BASELINE + scores((2, 3), (30, 8), (31, 8)))
    command = of(ScheduleBooster, T0 + timedelta(days=60), booster_id=id_of("booster"))
    (event,) = relieved().when(decide, command, facts).events
    assert isinstance(event, BoosterScheduled)
    assert (event.reason_code, event.basis_days) == ("own_spells", (D("30.00"),))
    assert event.due_on == SERIES[-1].drug_stopped_at.date() + timedelta(days=24)


def test_a_date_said_to_follow_from_spells_must_follow_from_them() -> None:
    stopped = SERIES[-1].drug_stopped_at.date()

    def scheduled(days: int, **fields: Any) -> Any:
        return relieved().when(decide, of(
            ScheduleBooster, T0 + timedelta(days=20), booster_id=id_of("booster"),
            due_on=stopped + timedelta(days=days), **fields), AFTER_SERIES)

    scheduled(24, reason_code="own_spells", basis_days=(D(30),)).then_kinds(BoosterScheduled)
    scheduled(25, reason_code="own_spells", basis_days=(D(30),)).then_refused(BoosterDueDiffers)
    scheduled(28, reason_code="own_spells").then_refused(BoosterDueDiffers)
    scheduled(28, reason_code="protocol_default").then_kinds(BoosterScheduled)
    scheduled(20, reason_code="clinical").then_kinds(BoosterScheduled)
    scheduled(13, reason_code="clinical").then_refused(BoosterTooEarly)


def test_one_booster_is_scheduled_at_a_time_until_it_is_given() -> None:
    second = of(ScheduleBooster, T0 + timedelta(days=50), booster_id=id_of("second"))
    boosted().when(decide, second, AFTER_SERIES).then_refused(BoosterAlreadyScheduled)
    given_since = replace(AFTER_SERIES, infusions=(
        *AFTER_SERIES.infusions, infusion(7, "booster", T0 + timedelta(days=46))))
    boosted().when(decide, second, given_since).then_kinds(BoosterScheduled)


def test_nothing_is_maintained_that_was_never_given() -> None:
    opened().when(decide, of(ScheduleBooster, booster_id=id_of("b")), FACTS).then_refused(NothingToMaintain)


def test_a_booster_is_rescheduled_and_cancelled_by_its_own_id() -> None:
    later = of(RescheduleBooster, T0 + timedelta(days=30), booster_id=id_of("booster"), due_on=date(2026, 5, 1),
               reason_code="relief_lasts")
    after = boosted().when(decide, later, AFTER_SERIES).then_kinds(BoosterRescheduled)
    assert after.state.booster is not None
    assert after.state.booster.due_on == date(2026, 5, 1)
    early = replace(later, due_on=date(2026, 3, 21))
    boosted().when(decide, early, AFTER_SERIES).then_refused(BoosterTooEarly)
    boosted().when(decide, replace(later, booster_id=id_of("?")), AFTER_SERIES).then_refused(NoSuchBooster)
    gone = of(CancelBooster, T0 + timedelta(days=31), booster_id=id_of("booster"), reason_code="medical")
    cancelled = after.when(decide, gone, AFTER_SERIES).then_kinds(BoosterCancelled)
    assert cancelled.state.booster is None
    cancelled.when(decide, gone, AFTER_SERIES).then_refused(NoSuchBooster)


def test_a_booking_links_to_the_booster_and_says_nothing_once_that_is_another() -> None:
    link = of(LinkBooster, T0 + timedelta(days=30), booster_id=id_of("booster"), appointment_id=id_of("appointment"),
              reason_code="booked")
    after = boosted().when(decide, link, AFTER_SERIES).then_kinds(BoosterRescheduled)
    assert after.state.booster is not None
    assert after.state.booster.appointment_id == id_of("appointment")
    relieved().when(decide, link, AFTER_SERIES).then()


def moved_up(reason_code: str, day: int = 34) -> Given[State]:
    """A booster brought forward to T0 + `day`, then booked for that date."""
    sooner = of(RescheduleBooster, T0 + timedelta(days=30), booster_id=id_of("booster"),
                due_on=(T0 + timedelta(days=day)).date(), reason_code=reason_code)
    link = of(LinkBooster, T0 + timedelta(days=31), booster_id=id_of("booster"), appointment_id=id_of("appointment"),
              reason_code="booked")
    moved = boosted().when(decide, sooner, AFTER_SERIES).then_kinds(BoosterRescheduled)
    return moved.when(decide, link, AFTER_SERIES).then_kinds(BoosterRescheduled)


@pytest.mark.parametrize(("reason_code", "basis"), [
    ("pain_returned", "own_spells"), ("patients_choice", "protocol_default"),
])
def test_a_booster_brought_forward_for_pain_says_how_long_relief_lasted(reason_code: str, basis: str) -> None:
    """That its appointment was booked afterwards does not change why it came sooner; another reason only censors."""
    booster = infusion(7, "booster", T0 + timedelta(days=34))
    facts = replace(AFTER_SERIES, infusions=(*AFTER_SERIES.infusions, booster),
                    scores=BASELINE + scores((2, 3), (10, 3)))
    following = of(ScheduleBooster, T0 + timedelta(days=35), booster_id=id_of("second"))
    (event,) = moved_up(reason_code).when(decide, following, facts).events
    assert isinstance(event, BoosterScheduled)
    lasted = D((booster.drug_started_at - SERIES[-1].drug_stopped_at) / timedelta(days=1)).quantize(D("0.01"))
    assert (event.reason_code, event.basis_days) == (basis, (lasted,) if basis == "own_spells" else ())


def test_a_booster_given_after_the_pain_was_taken_back_is_a_planned_one() -> None:
    """The last word before it counts: a cancellation and a new date of its own."""
    cancelled = moved_up("pain_returned").when(decide, of(
        CancelBooster, T0 + timedelta(days=32), booster_id=id_of("booster"), reason_code="medical"), AFTER_SERIES,
    ).then_kinds(BoosterCancelled)
    assert cancelled.state.brought_forward[-2:] == (
        (T0 + timedelta(days=31), True), (T0 + timedelta(days=32), False))


# --- endings -------------------------------------------------------------------------------------


def test_a_transfer_changes_the_courses_home() -> None:
    there = id_of("there")
    after = opened().when(decide, of(TransferCourse, to_clinic_id=there, reason_code="moved"), FACTS).then(
        CourseTransferred(occurred_at=T0, from_clinic_id=CLINIC, to_clinic_id=there, reason_code="moved"))
    assert after.state.clinic_id == there
    after.when(decide, of(TransferCourse, to_clinic_id=there, reason_code="moved"), FACTS).then_refused(
        AlreadyAtThisClinic)


def test_closing_gives_up_the_patients_place_and_cancels_the_booster() -> None:
    close = of(CloseCourse, T0 + timedelta(days=40), reason_code="goal_met")
    outcome = boosted().when(decide, close, AFTER_SERIES)
    outcome.then_releases(Release(resource=f"open-course:{PATIENT}", holder=f"course:{COURSE}"))
    after = outcome.then_kinds(BoosterCancelled, CourseClosed)
    after.when(decide, close, AFTER_SERIES).then_refused(CourseNotOpen)
    after.when(decide, six(), AFTER_SERIES).then_refused(CourseNotOpen)
    opened().when(decide, replace(close, reason_code="bored"), FACTS).then_refused(UnknownCode)


def test_a_consultation_entered_by_mistake_is_struck_and_plans_are_not() -> None:
    strike = of(StrikeEntry, entry=1, reason_code="wrong_patient")
    after = consulted().when(decide, strike, FACTS)
    assert after._before.and_given(*after.events).state.consultations == ()
    planned().when(decide, replace(strike, entry=4), FACTS).then_refused(EntryCannotBeCorrected)


def test_an_amendment_keeps_the_rules_of_the_entry() -> None:
    amend = of(AmendEntry, entry=1, corrections={"weight_kg": "8"}, reason_code="typing_error")
    consulted().when(decide, amend, FACTS).then_refused(ImplausibleWeight, pointer="/corrections/weight_kg")

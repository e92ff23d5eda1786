"""A diary: scores within their scales, alerts from home, one follow-up schedule, infusions noted, corrections."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.corrections import AmendEntry, EntryAmended, EntryStruck, StrikeEntry
from domain.course import GivenInfusion
from domain.diary import (
    AcknowledgeHomeAlert,
    CognitionScored,
    FollowUpDue,
    FollowUpMissed,
    FollowUpSuperseded,
    FunctionScored,
    HomeAlertAcknowledged,
    HomeAlertRaised,
    InfusionNoted,
    MeasureWeight,
    MissFollowUp,
    MoodScored,
    NoteInfusion,
    PainScored,
    ReliefReported,
    ReportRelief,
    ReportSideEffectFromHome,
    ScheduleFollowUps,
    ScoreCognition,
    ScoreFunction,
    ScoreMood,
    ScorePain,
    SideEffectReportedFromHome,
    State,
    UnnoteInfusion,
    WeightMeasured,
    answered,
    decide,
    evolve,
    initial,
)
from domain.diary.follow_ups import FollowUpNotFound, FollowUpNotOpen, FollowUpNotYetMissed
from domain.diary.home_reports import (
    AlertAlreadyAcknowledged,
    AlertNotFound,
    EndsBeforeItBegins,
    GradeOutOfRange,
    NoteNeeded,
    SideEffectAlreadyReported,
    alert_of,
)
from domain.diary.scores import ImplausibleWeight, ItemsOrTotalNeeded
from domain.kernel import Actor, Command, Event
from domain.ledger import EntryAlreadyStruck, EntryCannotBeCorrected, EntryNotFound, UnknownFieldInCorrection
from domain.vocabulary.scales import ScoreOutOfRange, TooManyMissing, WrongItemCount
from domain.vocabulary.term import UnknownCode
from tests.domain.given_when_then import Given, given

SPACE = UUID("0d2f6c1e-0000-4000-8000-000000000002")
T0 = datetime(2026, 3, 2, 15, tzinfo=UTC)
BY = Actor(id="patient:1", role="patient")
D = Decimal


def id_of(name: str) -> UUID:
    return uuid5(SPACE, name)


DIARY, COURSE, INFUSION = id_of("diary"), id_of("course"), id_of("infusion")


def of(command: type, at: datetime = T0, now: datetime | None = None, **fields: Any) -> Any:
    return command(by=BY, now=now or at, at=at, **fields)


def new(*events: Event) -> Given[State]:
    return given(initial(DIARY), evolve, events)


# --- scores --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "kind"), [
    (of(ScorePain, score=0), PainScored),
    (of(ScorePain, score=10, kind="worst"), PainScored),
    (of(ScoreFunction, instrument="peg", items=(5, 4, 6)), FunctionScored),
    (of(ScoreMood, instrument="gad7", items=(1,) * 7), MoodScored),
    (of(ScoreCognition, instrument="moca", total=D(26)), CognitionScored),
    (of(ReportRelief, relief_percent=60), ReliefReported),
    (of(MeasureWeight, weight_kg=D("82.5")), WeightMeasured),
])
def test_a_score_within_its_scale_is_entered(command: Command, kind: type[Event]) -> None:
    new().when(decide, command).then_kinds(kind)


@pytest.mark.parametrize(("command", "error"), [
    (of(ScorePain, score=11), ScoreOutOfRange),
    (of(ScorePain, score=-1), ScoreOutOfRange),
    (of(ScorePain, score=3, kind="usual"), UnknownCode),
    (of(ScoreFunction, instrument="peg", items=(5, 4)), WrongItemCount),
    (of(ScoreFunction, instrument="peg", items=(5, 4, 11)), ScoreOutOfRange),
    (of(ScoreFunction, instrument="phq9", items=(0,) * 9), UnknownCode),
    (of(ScoreMood, instrument="phq9", items=(0, None, None, None, 0, 0, 0, 0, 0)), TooManyMissing),
    (of(ScoreMood, instrument="phq9"), ItemsOrTotalNeeded),
    (of(ScoreMood, instrument="phq9", total=D(28)), ScoreOutOfRange),
    (of(ScoreCognition, instrument="moca", total=D(31)), ScoreOutOfRange),
    (of(ReportRelief, relief_percent=101), ScoreOutOfRange),
    (of(MeasureWeight, weight_kg=D(5)), ImplausibleWeight),
])
def test_a_score_outside_it_is_refused(command: Command, error: type) -> None:
    new().when(decide, command).then_refused(error)


def test_totals_are_computed_from_the_items_and_prorated_where_the_scale_allows() -> None:
    (peg,) = new().when(decide, of(ScoreFunction, instrument="peg", items=(5, 4, 6))).events
    assert isinstance(peg, FunctionScored)
    assert peg.total == D("5.00")
    one_missing = of(ScoreMood, instrument="phq9", items=(1, 1, 1, 1, 1, 1, 1, None, 0), total=D(3))
    (phq,) = new().when(decide, one_missing).events
    assert isinstance(phq, MoodScored)
    assert phq.total == D(8)


@for_all(st.integers(-5, 15))
def test_pain_is_0_to_10_and_nothing_else(score: int) -> None:
    outcome = new().when(decide, of(ScorePain, score=score))
    if 0 <= score <= 10:
        outcome.then(PainScored(occurred_at=T0, score=score))
    else:
        outcome.then_refused(ScoreOutOfRange, pointer="/score")


def test_scores_entered_late_are_read_in_order_of_occurrence() -> None:
    """Only pain `now` makes spells; average and worst do not."""
    after = new(
        PainScored(occurred_at=T0, score=3), PainScored(occurred_at=T0 - timedelta(days=2), score=8),
        PainScored(occurred_at=T0 - timedelta(days=1), score=9, kind="worst"),
    )
    assert [one.score for one in after.state.pain] == [8, 3]


# --- alerts from home ----------------------------------------------------------------------------


def side_effect(**fields: Any) -> ReportSideEffectFromHome:
    return of(ReportSideEffectFromHome, **{
        "side_effect_id": id_of("effect"), "kind": "headache", "grade": 1, "onset_at": T0 - timedelta(hours=2),
        **fields})


@pytest.mark.parametrize(("fields", "kinds"), [
    ({}, ()),
    ({"grade": 2}, ()),
    ({"grade": 3}, ("severe_side_effect",)),
    ({"kind": "chest_pain"}, ("chest_pain",)),
    ({"kind": "breathing_trouble"}, ("breathing_trouble",)),
    ({"kind": "desaturation", "grade": 4}, ("breathing_trouble", "severe_side_effect")),
    ({"serious": True}, ("harm",)),
])
def test_a_report_from_home_raises_its_alerts_in_the_same_decision(
    fields: dict[str, Any], kinds: tuple[str, ...]
) -> None:
    report, *raised = new().when(decide, side_effect(**fields)).events
    assert isinstance(report, SideEffectReportedFromHome)
    assert tuple(alert.kind for alert in raised if isinstance(alert, HomeAlertRaised)) == kinds


@pytest.mark.parametrize(("item", "raised"), [(0, False), (1, True), (3, True), (None, False)])
def test_phq9_item_9_above_0_raises_an_alert(item: int | None, raised: bool) -> None:
    events = new().when(decide, of(ScoreMood, instrument="phq9", items=(0,) * 8 + (item,))).events
    assert [type(event) for event in events] == [MoodScored] + [HomeAlertRaised] * raised


def test_an_alerts_id_follows_from_its_report_so_a_second_decision_names_the_same() -> None:
    first, second = (new().when(decide, side_effect(grade=3)).events[1] for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("begun", "later"), [
    (("chest_pain",), ("severe_side_effect",)), (("chest_pain", "severe_side_effect"), ()),
    (("breathing_trouble",), ("chest_pain", "severe_side_effect")),
])
def test_an_alert_raised_before_its_report_is_not_raised_again_by_it(
    begun: tuple[str, ...], later: tuple[str, ...]
) -> None:
    """On the tap; when the whole report comes, or is amended, only what is new calls."""
    past = new(*(HomeAlertRaised(occurred_at=T0, alert_id=alert_of(id_of("effect"), kind), kind=kind)
                 for kind in begun))
    after = past.when(decide, side_effect(kind="chest_pain", grade=3))
    assert tuple(one.kind for one in after.events[1:] if isinstance(one, HomeAlertRaised)) == later
    of_another = past.when(decide, side_effect(side_effect_id=id_of("another"), kind="chest_pain"))
    of_another.then_kinds(SideEffectReportedFromHome, HomeAlertRaised)


def test_an_old_report_pages_nobody() -> None:
    """PHQ-9 asks about two weeks."""
    phq9 = of(ScoreMood, now=T0 + timedelta(days=15), instrument="phq9", items=(0,) * 8 + (3,))
    new().when(decide, phq9).then_kinds(MoodScored)
    new().when(decide, replace(phq9, now=T0 + timedelta(days=14))).then_kinds(MoodScored, HomeAlertRaised)


def test_an_amendment_that_makes_it_alarming_raises_the_alert_then_and_only_once() -> None:
    past = new(SideEffectReportedFromHome(
        occurred_at=T0, side_effect_id=id_of("effect"), kind="headache", grade=1, onset_at=T0))
    amend = of(AmendEntry, T0 + timedelta(hours=1), entry=1, corrections={"grade": 3}, reason_code="typing_error")
    after = past.when(decide, amend).then_kinds(EntryAmended, HomeAlertRaised)
    again = replace(amend, corrections={"grade": 4})
    after.when(decide, again).then_kinds(EntryAmended)


@pytest.mark.parametrize(("fields", "error"), [
    ({"kind": "boredom"}, UnknownCode),
    ({"kind": "other"}, NoteNeeded),
    ({"grade": 0}, GradeOutOfRange),
    ({"grade": 6}, GradeOutOfRange),
    ({"onset_at": T0 + timedelta(minutes=1)}, EndsBeforeItBegins),
    ({"ended_at": T0 - timedelta(hours=3)}, EndsBeforeItBegins),
])
def test_a_report_that_cannot_be_is_refused(fields: dict[str, Any], error: type) -> None:
    new().when(decide, side_effect(**fields)).then_refused(error)


def test_a_side_effect_is_reported_once() -> None:
    after = new().when(decide, side_effect()).then_kinds(SideEffectReportedFromHome)
    after.when(decide, side_effect()).then_refused(SideEffectAlreadyReported)


def test_an_alert_is_acknowledged_once_with_what_was_done() -> None:
    raised = new().when(decide, side_effect(grade=3)).then_kinds(SideEffectReportedFromHome, HomeAlertRaised)
    alert_id = raised.state.alerts[0].alert_id
    acknowledge = of(AcknowledgeHomeAlert, alert_id=alert_id, action="called_patient")
    raised.when(decide, replace(acknowledge, action="shrug")).then_refused(UnknownCode)
    raised.when(decide, replace(acknowledge, action="other")).then_refused(NoteNeeded)
    raised.when(decide, replace(acknowledge, alert_id=id_of("?"))).then_refused(AlertNotFound)
    after = raised.when(decide, acknowledge).then_kinds(HomeAlertAcknowledged)
    after.when(decide, acknowledge).then_refused(AlertAlreadyAcknowledged)


# --- infusions noted, follow-ups -----------------------------------------------------------------


def note(name: str = "infusion", started_at: datetime = T0, **fields: Any) -> NoteInfusion:
    return of(NoteInfusion, started_at + timedelta(hours=1), **{
        "infusion_id": id_of(name), "course_id": COURSE, "purpose": "trial", "drug_started_at": started_at,
        "drug_stopped_at": started_at + timedelta(hours=1), "weight_kg": D(80), **fields})


def test_an_infusion_is_noted_once_and_a_correction_amends_the_note() -> None:
    noted = new().when(decide, note()).then_kinds(InfusionNoted)
    noted.when(decide, note()).then()
    shorter = note(drug_stopped_at=T0 + timedelta(minutes=40))
    after = noted.when(decide, shorter).then_kinds(EntryAmended)
    assert after.state.infusions_of(COURSE) == (GivenInfusion(
        infusion_id=INFUSION, course_id=COURSE, purpose="trial", drug_started_at=T0,
        drug_stopped_at=T0 + timedelta(minutes=40)),)
    after.when(decide, shorter).then()


def test_the_same_moment_at_another_offset_is_no_correction() -> None:
    noted = new().when(decide, note()).then_kinds(InfusionNoted)
    noted.when(decide, note(drug_started_at=T0.astimezone(ZoneInfo("America/Denver")))).then()


def test_a_struck_infusion_strikes_its_note_and_its_prompts_and_may_be_noted_anew() -> None:
    noted = new().when(decide, note(offsets_hours=(24, 72), instruments=("nrs",))).then_kinds(
        InfusionNoted, FollowUpDue, FollowUpDue)
    struck = noted.when(decide, of(UnnoteInfusion, infusion_id=INFUSION, reason_code="wrong_patient")).then_kinds(
        EntryStruck, FollowUpSuperseded, FollowUpSuperseded)
    assert struck.state.noted == ()
    struck.when(decide, of(UnnoteInfusion, infusion_id=INFUSION, reason_code="wrong_patient")).then()
    struck.when(decide, note()).then_kinds(InfusionNoted)


def test_weights_of_visits_and_from_home_are_known_in_order() -> None:
    after = new(WeightMeasured(occurred_at=T0 + timedelta(days=2), weight_kg=D(81))).when(decide, note())
    state = after.then_kinds(InfusionNoted).state
    assert [one.weight_kg for one in state.weights] == [D(80), D(81)]
    before = state.weight_before(T0 + timedelta(days=1))
    assert before is not None
    assert before.weight_kg == D(80)


def schedule(name: str = "infusion", stopped_at: datetime = T0) -> ScheduleFollowUps:
    return of(ScheduleFollowUps, stopped_at, infusion_id=id_of(name), drug_stopped_at=stopped_at,
              offsets_hours=(72, 24, 24), instruments=("nrs", "phq9"))


def test_prompts_are_due_after_the_drug_stop_in_order_once() -> None:
    after = new().when(decide, schedule()).then_kinds(FollowUpDue, FollowUpDue)
    assert [one.due_at for one in after.state.follow_ups] == [T0 + timedelta(hours=h) for h in (24, 72)]
    after.when(decide, schedule()).then()
    new().when(decide, replace(schedule(), instruments=("mmpi",))).then_refused(UnknownCode)


def test_a_new_infusion_supersedes_what_is_open_and_unanswered() -> None:
    """Answered at 24 h; the prompt at 72 h falls to the infusion at 60 h."""
    past = new().when(decide, schedule()).then_kinds(FollowUpDue, FollowUpDue).and_given(
        PainScored(occurred_at=T0 + timedelta(hours=25), score=3))
    after = past.when(decide, schedule("second", T0 + timedelta(hours=60))).then_kinds(
        FollowUpSuperseded, FollowUpDue, FollowUpDue)
    assert [one.status for one in after.state.follow_ups] == ["open", "superseded", "open", "open"]


def test_an_older_infusion_charted_late_does_not_take_over_the_schedule() -> None:
    past = new().when(decide, note("late one", T0 + timedelta(days=2), offsets_hours=(24,), instruments=("nrs",)))
    after = past.then_kinds(InfusionNoted, FollowUpDue)
    after.when(decide, schedule("earlier", T0)).then()


def test_a_prompt_is_missed_only_unanswered_and_after_its_time() -> None:
    due = new().when(decide, schedule()).then_kinds(FollowUpDue, FollowUpDue)
    first, second = due.state.follow_ups
    miss = of(MissFollowUp, T0 + timedelta(hours=24 + 47), follow_up_id=first.follow_up_id)
    due.when(decide, miss).then_refused(FollowUpNotYetMissed)
    after = due.when(decide, replace(miss, at=T0 + timedelta(hours=24 + 48))).then_kinds(FollowUpMissed)
    after.when(decide, replace(miss, at=T0 + timedelta(days=9))).then_refused(FollowUpNotOpen)
    due.when(decide, replace(miss, follow_up_id=id_of("?"))).then_refused(FollowUpNotFound)
    told = due.and_given(MoodScored(occurred_at=T0 + timedelta(hours=70), instrument="phq9", total=D(4)))
    assert answered(told.state, second)
    assert answered(told.state, first)
    other = due.and_given(FunctionScored(
        occurred_at=T0 + timedelta(hours=70), instrument="peg", items=(1, 1, 1), total=D(1)))
    assert not answered(other.state, second)


# --- corrections ---------------------------------------------------------------------------------


def test_an_amended_score_reads_as_amended_and_both_values_stay() -> None:
    past = new(PainScored(occurred_at=T0, score=3))
    after = past.when(decide, of(AmendEntry, entry=1, corrections={"score": 7}, reason_code="typing_error")).then_kinds(
        EntryAmended)
    assert [one.score for one in after.state.pain] == [7]
    assert after.state.entries[0].amended


def test_amended_items_bring_their_total_along() -> None:
    past = new().when(decide, of(ScoreFunction, instrument="peg", items=(5, 4, 6))).then_kinds(FunctionScored)
    amend = of(AmendEntry, entry=1, corrections={"items": [8, 8, 8]}, reason_code="typing_error")
    after = past.when(decide, amend).then_kinds(EntryAmended)
    event = after.state.entries[0].event
    assert isinstance(event, FunctionScored)
    assert event.total == D("8.00")


def test_a_score_moved_in_time_takes_its_place_among_the_others() -> None:
    past = new(PainScored(occurred_at=T0, score=3), PainScored(occurred_at=T0 + timedelta(days=1), score=5))
    corrections = {"occurred_at": (T0 + timedelta(days=2)).isoformat()}
    amend = of(AmendEntry, T0 + timedelta(days=3), entry=1, corrections=corrections, reason_code="late_information")
    after = past.when(decide, amend)
    assert [one.score for one in after.then_kinds(EntryAmended).state.pain] == [5, 3]


@pytest.mark.parametrize(("fields", "error", "pointer"), [
    ({"entry": 1, "corrections": {"score": 11}}, ScoreOutOfRange, "/corrections/score"),
    ({"entry": 1, "corrections": {"colour": 1}}, UnknownFieldInCorrection, "/corrections/colour"),
    ({"entry": 9, "corrections": {"score": 1}}, EntryNotFound, "/entry"),
    ({"entry": 2, "corrections": {"purpose": "series"}}, EntryCannotBeCorrected, "/entry"),
    ({"entry": 1, "corrections": {"score": 1}, "reason_code": "whim"}, UnknownCode, "/reason_code"),
])
def test_an_amendment_keeps_the_rules(fields: dict[str, Any], error: type, pointer: str) -> None:
    past = new(PainScored(occurred_at=T0, score=3)).when(decide, note()).then_kinds(InfusionNoted)
    past.when(decide, of(AmendEntry, **{"reason_code": "typing_error", **fields})).then_refused(error, pointer=pointer)


def test_what_is_struck_counts_no_more_and_stays_struck() -> None:
    strike = of(StrikeEntry, entry=1, reason_code="duplicate")
    after = new(PainScored(occurred_at=T0, score=3)).when(decide, strike).then_kinds(EntryStruck)
    assert after.state.pain == ()
    after.when(decide, strike).then_refused(EntryAlreadyStruck)


MOMENTS = st.integers(0, 400).map(lambda hours: T0 + timedelta(hours=hours))


@for_all(st.lists(st.tuples(MOMENTS, st.integers(0, 10)), max_size=12), st.lists(st.integers(1, 12), max_size=4))
def test_the_order_of_entry_does_not_matter_but_for_ties(
    entries: list[tuple[datetime, int]], struck: list[int]
) -> None:
    """Whatever came late or was struck, the pain scores are those that stand, by time."""
    diary = new(*(PainScored(occurred_at=at, score=score) for at, score in entries))
    for entry in struck:
        if entry <= len(entries):
            diary = diary.and_given(EntryStruck(
                occurred_at=T0, entry=entry, entry_name=PainScored.NAME, reason_code="duplicate"))
    standing = [one for number, one in enumerate(entries, 1) if number not in struck]
    expected = sorted(standing, key=lambda one: one[0])
    assert [(one.at, one.score) for one in diary.state.pain] == expected


def test_each_prompt_asks_what_the_protocol_says_for_its_hour() -> None:
    """Without a word on one of the hours, all of them are asked, as before."""
    asked = replace(schedule(), offsets_hours=(24, 72, 96), asks={"nrs": (24, 72), "phq9": (72,)})
    after = new().when(decide, asked).then_kinds(FollowUpDue, FollowUpDue, FollowUpDue)
    assert [one.instruments for one in after.state.follow_ups] == [("nrs",), ("nrs", "phq9"), ("nrs", "phq9")]
    new().when(decide, replace(asked, asks={"mmpi": (24,)})).then_refused(UnknownCode)


def test_the_score_at_the_visit_itself_is_no_answer_to_the_question_hours_later() -> None:
    """Asked 4 h after the drug stop: the score before the infusion lies within 12 h of it, yet before the prompt."""
    before = new(PainScored(occurred_at=T0 - timedelta(hours=2), score=8))
    due = before.when(decide, replace(schedule(), offsets_hours=(4,))).then_kinds(FollowUpDue)
    assert not answered(due.state, due.state.follow_ups[0])
    later = due.and_given(PainScored(occurred_at=T0 + timedelta(hours=1), score=3))
    assert answered(later.state, later.state.follow_ups[0])

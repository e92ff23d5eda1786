"""Visits through the services: what their facts mean for the diary, the course, the cabinet, other visits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from domain import course, drug_lot
from domain.corrections import AmendEntry, StrikeEntry
from domain.drug_lot.draws import VisitStillRunning
from domain.infusion import departure, drug_run
from domain.kernel import DomainError, derived_id
from domain.patient import records
from services.handling import CommandHandling, Idempotency, NotFound
from services.log import ClaimConflict
from services.use_cases import use_cases
from tests.services.practice import D, Practice


@pytest.fixture
def patient_id(practice: Practice) -> UUID:
    return practice.patient()


@pytest.fixture
def course_id(practice: Practice, patient_id: UUID) -> UUID:
    return practice.course(patient_id)


@pytest.fixture
def running(practice: Practice, patient_id: UUID, course_id: UUID) -> UUID:
    """A visit in which drug has run for an hour."""
    infusion_id = practice.arrive(patient_id, course_id)
    practice.ready(infusion_id)
    practice.start(infusion_id)
    practice.run(infusion_id)
    return infusion_id


def entry_of(practice: Practice, infusion_id: UUID, name: str) -> int:
    """The version of the (last) entry of that name."""
    return max(record.version for record in practice.log.read_stream(infusion_id) if record.name == name)


def test_the_final_drug_stop_is_noted_in_the_diary_in_the_same_commit(
    practice: Practice, patient_id: UUID, course_id: UUID, running: UUID
) -> None:
    receipt = practice.do(running, drug_run.StopInfusion)
    assert receipt.events == ("infusion.given.v1", "diary.infusion_noted.v1")
    noted = practice.diary(patient_id).infusions_of(course_id)
    assert [one.infusion_id for one in noted] == [running]
    assert noted[0].drug_stopped_at == practice.clock.now()


def test_discharge_opens_the_follow_ups_and_the_next_infusion_supersedes_them(
    practice: Practice, patient_id: UUID, course_id: UUID, running: UUID
) -> None:
    practice.do(running, drug_run.StopInfusion)
    stopped = practice.clock.now()
    practice.leave(running)
    due = practice.diary(patient_id).follow_ups
    assert [one.due_at - stopped for one in due] == [timedelta(hours=h) for h in (4, 24, 72, 168, 336, 672)]
    practice.wait(days=1)
    practice.pain(patient_id, 3)
    practice.do(course_id, course.AssessResponse, by=practice.actor("prescriber"), infusion_id=running, positive=True,
                basis="nrs_fall", decision="go_on", prescriber_id=practice.prescriber_id)
    practice.wait(days=2)
    practice.infusion(patient_id, course_id, "series")
    statuses = [one.status for one in practice.diary(patient_id).follow_ups]
    assert statuses == ["open"] * 2 + ["superseded"] * 4 + ["open"] * 6, "what was due before stays, what was not goes"


def test_walking_out_while_the_drug_runs_notes_and_follows_up_at_once(
    practice: Practice, patient_id: UUID, course_id: UUID, running: UUID
) -> None:
    practice.do(running, drug_run.StopInfusion, early_reason_code="patients_wish")
    practice.do(running, departure.LeaveAgainstAdvice, reason_code="patients_wish", risks_explained=True)
    assert len(practice.diary(patient_id).infusions_of(course_id)) == 1
    assert len(practice.diary(patient_id).follow_ups) == 6


def test_a_visit_without_drug_is_no_infusion(practice: Practice, patient_id: UUID, course_id: UUID) -> None:
    infusion_id = practice.arrive(patient_id, course_id)
    practice.do(infusion_id, departure.EndWithoutInfusion, reason_code="illness")
    assert practice.diary(patient_id).noted == ()
    assert practice.diary(patient_id).follow_ups == ()


def test_a_corrected_stop_corrects_the_figures_the_note_and_the_register(
    practice: Practice, patient_id: UUID, course_id: UUID
) -> None:
    """24 mg/h for 60 minutes turn out to have been 24 minutes: 9.6 mg, not 24, and 14.4 mg are unaccounted for."""
    lot_id, draw_id = practice.lot(), uuid4()
    infusion_id = practice.arrive(patient_id, course_id)
    practice.ready(infusion_id)
    practice.do(lot_id, drug_lot.DrawDrug, draw_id=draw_id, infusion_id=infusion_id, drawn_mg=D(30), vials_opened=1,
                drawn_by=practice.nurse_id)
    practice.start(infusion_id)
    practice.run(infusion_id)
    practice.do(infusion_id, drug_run.StopInfusion)
    practice.do(lot_id, drug_lot.WasteDrug, draw_id=draw_id, wasted_mg=D("6.3"), wasted_by=practice.nurse_id,
                witness_id=practice.second_nurse_id, method="sequestration")
    lot: drug_lot.State = practice.state(drug_lot, lot_id)
    assert (lot.draws[draw_id].given_mg, lot.draws[draw_id].rounding_mg) == (D(24), D("-0.3"))
    assert lot.on_hand_mg == D(4970)

    started = practice.visit(infusion_id).run.started_at
    assert started is not None
    entry = entry_of(practice, infusion_id, "infusion.started.v1")
    receipt = practice.do(infusion_id, AmendEntry, entry=entry, reason_code="typing_error", corrections={
        "occurred_at": (started + timedelta(minutes=36)).isoformat()})
    assert practice.names(derived_id("diary", patient_id))[-1] == "entry.amended.v1"
    assert practice.names(lot_id)[-2:] == ["entry.amended.v1", "drug_lot.discrepancy_found.v1"]
    assert {"entry.amended.v1", "drug_lot.discrepancy_found.v1"} <= set(receipt.events)
    given = practice.visit(infusion_id).given
    assert given is not None
    assert given.event.dose_mg == D("9.6")
    noted = practice.diary(patient_id).infusions_of(course_id)[0]
    assert noted.drug_started_at == started + timedelta(minutes=36)
    lot = practice.state(drug_lot, lot_id)
    assert lot.draws[draw_id].given_mg == D("9.6")
    assert sum(lot.discrepancies.values(), Decimal(0)) == D("14.1")


def test_what_was_given_is_never_typed_and_not_known_while_the_drug_runs(
    practice: Practice, patient_id: UUID, course_id: UUID
) -> None:
    lot_id, draw_id = practice.lot(), uuid4()
    infusion_id = practice.arrive(patient_id, course_id)
    practice.ready(infusion_id)
    practice.do(lot_id, drug_lot.DrawDrug, draw_id=draw_id, infusion_id=infusion_id, drawn_mg=D(30), vials_opened=1,
                drawn_by=practice.nurse_id)
    practice.start(infusion_id)

    def waste() -> None:
        practice.do(lot_id, drug_lot.WasteDrug, draw_id=draw_id, given_mg=D(1), wasted_mg=D(6),
                    wasted_by=practice.nurse_id, witness_id=practice.second_nurse_id, method="sequestration")

    with pytest.raises(VisitStillRunning):
        waste()
    practice.run(infusion_id)
    practice.do(infusion_id, drug_run.StopInfusion)
    waste()
    wasted = practice.log.read_stream(lot_id)[-1].event
    assert isinstance(wasted, drug_lot.DrugWasted)
    assert (wasted.given_mg, wasted.rounding_mg) == (D(24), D(0))


def test_two_draws_for_one_visit_share_what_was_given(practice: Practice, patient_id: UUID, course_id: UUID) -> None:
    """The first drawn is used up first."""
    lot_id = practice.lot()
    infusion_id = practice.arrive(patient_id, course_id)
    practice.ready(infusion_id)
    first, second = uuid4(), uuid4()
    for draw_id in (first, second):
        practice.do(lot_id, drug_lot.DrawDrug, draw_id=draw_id, infusion_id=infusion_id, drawn_mg=D(20),
                    vials_opened=0, drawn_by=practice.nurse_id)
        practice.wait(minutes=1)
    practice.start(infusion_id)
    practice.run(infusion_id)
    practice.do(infusion_id, drug_run.StopInfusion)
    for draw_id, wasted in ((second, D(16)), (first, D(0))):
        practice.do(lot_id, drug_lot.WasteDrug, draw_id=draw_id, wasted_mg=wasted, wasted_by=practice.nurse_id,
                    witness_id=practice.second_nurse_id, method="sequestration")
    lot: drug_lot.State = practice.state(drug_lot, lot_id)
    assert (lot.draws[first].given_mg, lot.draws[second].given_mg) == (D(20), D(4))
    assert not lot.discrepancies


def test_a_patient_is_in_one_visit_at_a_time_whoever_is_faster(
    practice: Practice, patient_id: UUID, course_id: UUID
) -> None:
    services = [CommandHandling(practice.log, practice.clock, use_cases(practice.log)) for _ in range(4)]

    def arrive(number: int) -> str:
        mine = Practice.__new__(Practice)
        mine.__dict__.update(practice.__dict__, handling=services[number])
        try:
            mine.arrive(patient_id, course_id)
        except DomainError as refusal:
            return refusal.code
        return "arrived"

    with ThreadPoolExecutor(4) as threads:
        said = sorted(threads.map(arrive, range(4)))
    assert said[0] == "arrived"
    assert set(said[1:]) <= {ClaimConflict.__name__, "claim-conflict", "patient-in-another-visit"}


def test_a_room_in_use_is_refused_by_name(practice: Practice, running: UUID) -> None:
    other = practice.patient()
    infusion_id = practice.arrive(other, practice.course(other))
    with pytest.raises(DomainError) as refused:
        practice.ready(infusion_id)
    assert refused.value.code == "room-in-use"
    assert refused.value.data["infusion_id"] == str(running)


def test_the_second_infusion_needs_the_response_gate(
    practice: Practice, patient_id: UUID, course_id: UUID, running: UUID
) -> None:
    """What the first visit gave is known to the second through the diary."""
    practice.do(running, drug_run.StopInfusion)
    practice.leave(running)
    practice.wait(days=2)
    infusion_id = practice.arrive(patient_id, course_id, "series")
    practice.ready(infusion_id)
    with pytest.raises(DomainError) as refused:
        practice.start(infusion_id, "series")
    assert "response" in refused.value.code


def test_a_second_infusion_within_a_day_is_over_the_soft_limit(
    practice: Practice, patient_id: UUID, course_id: UUID, running: UUID
) -> None:
    practice.do(running, drug_run.StopInfusion)
    practice.leave(running)
    practice.do(course_id, course.AssessResponse, by=practice.actor("prescriber"), infusion_id=running, positive=True,
                basis="patients_report", decision="go_on", prescriber_id=practice.prescriber_id)
    practice.wait(hours=2)
    infusion_id = practice.arrive(patient_id, course_id, "series")
    practice.ready(infusion_id)
    with pytest.raises(DomainError) as refused:
        practice.start(infusion_id, "series")
    assert refused.value.code in ("dose-limit-needs-reason", "second-infusion-same-day", "too-soon-after-last")


def test_an_infusion_of_a_merged_record_counts_for_the_one_that_is_left(
    practice: Practice, patient_id: UUID, course_id: UUID, running: UUID
) -> None:
    """The same body had the drug two hours ago, whichever of its two records says so, and through two merges too."""
    practice.do(running, drug_run.StopInfusion)
    practice.leave(running)
    practice.do(course_id, course.CloseCourse, by=practice.actor("prescriber"), reason_code="patients_choice")
    between, survivor = practice.patient(), practice.patient()
    for merged, into in ((patient_id, between), (between, survivor)):
        practice.do(merged, records.MergePatients, by=practice.actor("manager"), survivor_id=into,
                    reason_code="duplicate")
    practice.wait(hours=2)
    again = practice.arrive(survivor, practice.course(survivor))
    practice.ready(again)
    with pytest.raises(DomainError) as refused:
        practice.start(again)
    assert refused.value.code == "dose-limit-needs-reason"
    practice.do(between, records.UnmergePatients, by=practice.actor("manager"), survivor_id=survivor,
                reason_code="different_people")
    practice.start(again)


def test_an_infusion_struck_as_the_wrong_patients_is_struck_in_the_diary_too(
    practice: Practice, patient_id: UUID, course_id: UUID, running: UUID
) -> None:
    practice.do(running, drug_run.StopInfusion)
    practice.leave(running)
    entry = entry_of(practice, running, "infusion.started.v1")
    practice.do(running, StrikeEntry, entry=entry, reason_code="wrong_patient", reason="It was the next room")
    assert practice.visit(running).given is None
    assert practice.diary(patient_id).infusions_of(course_id) == ()
    assert {one.status for one in practice.diary(patient_id).follow_ups} == {"superseded"}


def test_a_visit_charted_the_next_day_counts_as_if_it_had_been_charted_then(
    practice: Practice, patient_id: UUID, course_id: UUID
) -> None:
    """Arrival, start and stop entered late, with a reason: given, noted at its own times, rules broken marked."""
    began = practice.clock.now()
    practice.wait(hours=30)
    infusion_id = practice.arrive(patient_id, course_id, at=began, late_reason="system down")
    practice.do(infusion_id, drug_run.StartInfusion, at=began + timedelta(minutes=20), rate_mg_per_h=D(24),
                late_reason="system down")
    practice.do(infusion_id, drug_run.StopInfusion, at=began + timedelta(minutes=80), late_reason="system down")
    noted = practice.diary(patient_id).infusions_of(course_id)
    assert [one.drug_stopped_at for one in noted] == [began + timedelta(minutes=80)]
    assert "infusion.rule_breached.v1" in practice.names(infusion_id)


def test_a_retry_of_a_command_over_several_streams_answers_as_the_first_time(
    practice: Practice, patient_id: UUID, course_id: UUID, running: UUID
) -> None:
    again = {"idempotency": Idempotency("key", "once", b"body")}
    first = practice.do(running, drug_run.StopInfusion, request=again)
    second = practice.do(running, drug_run.StopInfusion, request=again)
    assert second.replayed
    assert (second.version, second.events, second.position) == (first.version, first.events, first.position)
    assert len(practice.diary(patient_id).noted) == 1


def test_there_is_no_visit_under_an_unknown_id(practice: Practice) -> None:
    with pytest.raises(NotFound):
        practice.do(uuid4(), drug_run.StopInfusion)


def test_a_second_person_must_be_another_person(practice: Practice) -> None:
    lot_id = practice.lot()
    with pytest.raises(DomainError) as refused:
        practice.do(lot_id, drug_lot.BreakVials, vials=1, lost_mg=D(500), broken_by=practice.nurse_id,
                    witness_id=practice.nurse_id)
    assert refused.value.code == "second-person-needed"
    practice.do(lot_id, drug_lot.BreakVials, vials=1, lost_mg=D(500), broken_by=practice.nurse_id,
                witness_id=practice.second_nurse_id)
    assert practice.state(drug_lot, lot_id).on_hand_mg == D(4500)


def test_another_clinics_lot_is_not_found(practice: Practice) -> None:
    lot_id, elsewhere = practice.lot(), uuid4()
    practice.open_clinic(elsewhere, "America/Phoenix", [uuid4()])
    with pytest.raises(NotFound):
        practice.do(lot_id, drug_lot.BreakVials, at_clinic=elsewhere, vials=1, lost_mg=D(1),
                    broken_by=practice.nurse_id, witness_id=practice.second_nurse_id)

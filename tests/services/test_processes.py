"""Processes: what is due happens once, however often and by however many it is tried; rebuilds never run them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from api.bootstrap import build_services, migrate
from api.processes import Processes, SqlTimers, publish_definitions
from api.settings import Settings
from domain import clinic, day_sheet
from domain.infusion import drug_run
from domain.kernel import Actor, Command, DomainError
from domain.patient import erasure, patient, records
from projections import migrations
from projections.engine.database import ViewsDatabase
from projections.metrics.definitions import DEFINITIONS
from services.handling import CommandHandling, Idempotency, Receipt, Request
from services.processes.erased_bookings import BookingsOfErased
from services.processes.erasures import ApprovedErasures
from services.processes.follow_ups import MissedFollowUps
from services.processes.timers import Forget, MemoryTimers, Process, Timer, TimerStore, log_now, run_once
from services.use_cases import use_cases
from services.use_cases.case import diary_of
from services.use_cases.erasing import Erasing
from tests.services.practice import Practice, SetClock

MISSED = "diary.follow_up_missed.v1"


@pytest.fixture
def patient_id(practice: Practice) -> UUID:
    """Somebody with follow-ups open after a first infusion."""
    whose = practice.patient()
    infusion_id = practice.arrive(whose, practice.course(whose))
    practice.ready(infusion_id)
    practice.start(infusion_id)
    practice.run(infusion_id)
    practice.do(infusion_id, drug_run.StopInfusion)
    practice.leave(infusion_id)
    return whose


def follow_ups(practice: Practice) -> MissedFollowUps:
    """Of a worker of its own, with nothing in its cache."""
    return MissedFollowUps(CommandHandling(practice.log, practice.clock, use_cases(practice.log)))


def run(process: Process, practice: Practice, store: TimerStore) -> int:
    return run_once(process, practice.log, store, practice.clock.now(), lambda: False)


def missed(practice: Practice, whose: UUID) -> list[UUID]:
    records_ = practice.log.read_stream(diary_of(whose))
    return [r.event.follow_up_id for r in records_ if r.name == MISSED]  # type: ignore[attr-defined]


def test_a_follow_up_that_nobody_answers_is_missed_when_its_window_has_passed(
    practice: Practice, patient_id: UUID
) -> None:
    store = MemoryTimers()
    first, second = sorted(practice.diary(patient_id).follow_ups, key=lambda one: one.due_at)[:2]
    assert run(follow_ups(practice), practice, store) == 0
    practice.clock.moment = first.due_at + timedelta(hours=48) - timedelta(seconds=1)
    run(follow_ups(practice), practice, store)
    assert missed(practice, patient_id) == []
    practice.wait(seconds=2)
    run(follow_ups(practice), practice, store)
    assert missed(practice, patient_id) == [first.follow_up_id]
    (told,) = [r for r in practice.log.read_stream(diary_of(patient_id)) if r.name == MISSED]
    assert (told.role, told.origin, told.subject) == ("system", "process", patient_id)
    assert told.occurred_at == first.due_at + timedelta(hours=48)
    assert second.follow_up_id not in missed(practice, patient_id)


def test_a_follow_up_that_was_answered_is_not_missed_and_leaves_no_refusal(
    practice: Practice, patient_id: UUID
) -> None:
    store = MemoryTimers()
    first = min(practice.diary(patient_id).follow_ups, key=lambda one: one.due_at)
    practice.clock.moment = first.due_at + timedelta(hours=2)
    practice.pain(patient_id, 3)
    practice.clock.moment = first.due_at + timedelta(hours=49)
    run(follow_ups(practice), practice, store)
    assert first.follow_up_id not in missed(practice, patient_id)
    assert practice.log.read(0, 10, names=["oversight.command_refused.v1"]) == []


def test_one_record_that_is_refused_does_not_hold_up_the_others(
    practice: Practice, patient_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    practice.wait(days=40)
    process, store, refused = follow_ups(practice), MemoryTimers(), []
    carry_out = process.handling.handle

    def first_refused(stream_id: UUID, command: Command, request: Request) -> Receipt:
        if not refused:
            refused.append(command)
            raise DomainError("nobody foresaw this")
        return carry_out(stream_id, command, request)

    monkeypatch.setattr(process.handling, "handle", first_refused)
    run(process, practice, store)
    before = missed(practice, patient_id)
    assert before
    practice.wait(hours=2)
    run(process, practice, store)
    assert len(missed(practice, patient_id)) == len(before) + 1


def test_whoever_starts_again_or_beside_it_misses_nothing_twice(practice: Practice, patient_id: UUID) -> None:
    """A worker that was off for a month says so; two with timers of their own, and one that begins anew, agree."""
    practice.wait(days=40)
    closed = practice.clock.now() - timedelta(days=3)
    due = {one.follow_up_id for one in practice.diary(patient_id).follow_ups if one.due_at < closed}
    stores = MemoryTimers(), MemoryTimers(), MemoryTimers()
    for store in stores:
        run(follow_ups(practice), practice, store)
    assert set(missed(practice, patient_id)) == due
    assert len(missed(practice, patient_id)) == len(due) > 3
    late = [r for r in practice.log.read_stream(diary_of(patient_id)) if r.name == MISSED]
    assert all(r.event.late_reason is not None for r in late)
    assert practice.log.read(0, 10, names=["oversight.command_refused.v1"]) == []


def test_an_approved_erasure_is_carried_out_though_the_one_who_approved_is_gone(practice: Practice) -> None:
    """And waits while a hold on a merged record forbids it, without destroying anything."""
    whose, duplicate = practice.patient(), practice.patient()
    manager, request_id, hold_id = practice.actor("manager"), uuid4(), uuid4()
    assert practice.log.keys is not None
    erasing = Erasing(practice.handling, practice.log, practice.log.keys)
    process, store = ApprovedErasures(practice.handling, erasing), MemoryTimers()
    practice.do(duplicate, records.MergePatients, by=manager, survivor_id=whose, reason_code="duplicate")
    practice.do(duplicate, erasure.PlaceLegalHold, by=manager, hold_id=hold_id, reason="Litigation")
    practice.do(whose, erasure.RequestErasure, by=manager, request_id=request_id, reason_code="court_order")
    for person in (practice.manager_id, practice.prescriber_id):
        practice.wait(minutes=5)
        run(process, practice, store)
        assert not practice.log.keys.destroyed(whose)
        practice.do(whose, erasure.ApproveErasure, by=Actor(id=str(person), role="owner"), request_id=request_id,
                    approved_by=person)
    practice.wait(minutes=5)
    run(process, practice, store)
    assert not practice.log.keys.destroyed(whose), "under a legal hold"
    practice.do(duplicate, erasure.ReleaseLegalHold, by=manager, hold_id=hold_id)
    practice.wait(minutes=61)
    run(process, practice, store)
    for one in (whose, duplicate):
        assert practice.log.keys.destroyed(one)
        assert practice.state(patient, one).erased
    assert run(process, practice, store) == 0


def erased(practice: Practice, whose: UUID) -> Erasing:
    """`whose` is erased by court order, approved by two."""
    request_id = uuid4()
    practice.do(whose, erasure.RequestErasure, by=practice.actor("manager"), request_id=request_id,
                reason_code="court_order")
    for person in (practice.manager_id, practice.prescriber_id):
        practice.do(whose, erasure.ApproveErasure, by=Actor(id=str(person), role="owner"), request_id=request_id,
                    approved_by=person)
    assert practice.log.keys is not None
    return Erasing(practice.handling, practice.log, practice.log.keys)


def carry_out(practice: Practice, erasing: Erasing) -> None:
    practice.wait(minutes=5)
    run(ApprovedErasures(practice.handling, erasing), practice, MemoryTimers())


def test_a_record_merged_into_an_erased_one_follows_though_the_process_died_between_the_two(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    whose, duplicate = practice.patient(), practice.patient()
    practice.do(duplicate, records.MergePatients, by=practice.actor("manager"), survivor_id=whose,
                reason_code="duplicate")
    erasing = erased(practice, whose)
    with monkeypatch.context() as patched:
        patched.setattr(Erasing, "_follow", lambda *_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            carry_out(practice, erasing)
    assert practice.state(patient, whose).erased
    assert not practice.state(patient, duplicate).erased
    carry_out(practice, erasing)
    assert practice.state(patient, duplicate).erased
    names = [one.name for one in practice.log.read_stream(duplicate)]
    assert names.count(erasure.PatientErased.NAME) == 1


def test_whoever_was_erased_has_nothing_booked_any_more_and_waits_for_nothing(practice: Practice) -> None:
    """Bookings to come are given up by the clinic's side, with the room; what is over, or another's, stays."""
    whose, other = practice.patient(), practice.patient()
    course_id, entry_id = practice.course(whose), uuid4()
    now = practice.clock.now()
    over = practice.book(whose, now + timedelta(hours=1), course_id=course_id)
    coming = [practice.book(whose, now + timedelta(days=days), course_id=course_id) for days in (1, 2)]
    others_course = practice.course(other)
    others = practice.book(other, now + timedelta(days=1, hours=3), course_id=others_course)
    practice.do(practice.sheet(now + timedelta(days=3)), day_sheet.JoinWaitlist, entry_id=entry_id, patient_id=whose,
                visit_kind="trial", earliest_at=now + timedelta(days=3), latest_at=now + timedelta(days=3, hours=4))
    practice.wait(hours=2)
    carry_out(practice, erased(practice, whose))
    process = BookingsOfErased(CommandHandling(practice.log, practice.clock, use_cases(practice.log)), practice.log)
    store = MemoryTimers()
    assert [run(process, practice, one) for one in (store, store, MemoryTimers())] == [1, 0, 1]

    def status(appointment_id: UUID, days: float) -> str:
        return practice.state(day_sheet, practice.sheet(now + timedelta(days=days))).appointments[appointment_id].status

    assert [status(over, 0), *(status(one, days) for one, days in zip(coming, (1, 2), strict=True))] == [
        "booked", "cancelled", "cancelled"]
    assert status(others, 1) == "booked"
    assert practice.state(day_sheet, practice.sheet(now + timedelta(days=3))).waiting == {}
    (said, again) = practice.log.read(0, 10, names=[day_sheet.AppointmentCancelled.NAME])
    for told in (said, again):
        event = told.event
        assert isinstance(event, day_sheet.AppointmentCancelled)
        assert (told.origin, told.role, told.subject) == ("process", "system", whose)
        assert (event.asked_by, event.reason_code) == ("clinic", "record_erased")
    practice.book(other, now + timedelta(days=2), course_id=others_course)
    assert practice.log.read(0, 10, names=["oversight.command_refused.v1"]) == []


def test_timers_are_kept_in_the_views_database(tmp_path: Path, practice: Practice) -> None:
    url = f"sqlite:///{tmp_path}/views.sqlite3"
    migrations.migrate(url)
    database = ViewsDatabase(url)
    store, now = SqlTimers(database), practice.clock.now()
    early, late = (Timer(timer_id=uuid4(), subject=uuid4(), due_at=now + timedelta(hours=h)) for h in (1, 2))
    store.note("p", 7, [late, early])
    store.note("p", 8, [late])
    assert store.position("p") == 8
    assert store.position("q") == 0
    assert list(store.due("p", now, 10)) == []
    assert list(store.due("p", now + timedelta(hours=2), 10)) == [early, late]
    assert list(store.due("p", now + timedelta(hours=2), 1)) == [early]
    store.note("p", 9, [Forget(early.timer_id)])
    assert list(store.due("p", now + timedelta(hours=3), 10)) == [late]
    database.close()


def test_a_simulations_clock_is_at_least_its_last_entrys(practice: Practice) -> None:
    behind = SetClock(practice.clock.now() - timedelta(days=100))
    last = practice.log.read(practice.log.head() - 1, 1)[0].recorded_at
    assert log_now(practice.log, behind, simulated=True) == last
    assert log_now(practice.log, behind, simulated=False) == behind.now()


def test_every_definition_of_a_figure_is_on_record_once(practice: Practice) -> None:
    """So that a figure of years ago can be explained from the log alone."""
    names = ["system.metric_definition_published.v1"]
    assert publish_definitions(practice.log, practice.clock.now()) == len(DEFINITIONS)
    assert publish_definitions(practice.log, practice.clock.now()) == 0
    told = [r.event for r in practice.log.read(0, 1000, names=names)]
    assert [(e.metric, e.definition_version) for e in told] == [  # type: ignore[attr-defined]
        (one.name, one.version) for one in DEFINITIONS]


def test_the_worker_forgets_answers_that_are_older_than_thirty_days(tmp_path: Path) -> None:
    """Only those: a retry within thirty days gets its first answer. And it ends when it is told to."""
    settings = Settings(home=tmp_path)
    migrate(settings)
    clock = SetClock(datetime.now(UTC) - timedelta(days=31))
    services = build_services(settings, clock=clock, mode="simulation")
    practice = Practice(services.log, clock)
    by = practice.actor("manager")

    def opened(key: str) -> Idempotency:
        asked = Idempotency(principal="test", key=key, body_hmac=b"1" * 32)
        practice.do(uuid4(), clinic.OpenClinic, by=by, clinic_name=key, timezone="America/Denver",
                    request={"idempotency": asked})
        return asked

    old = opened("old-clinic")
    clock.moment += timedelta(days=2)
    young = opened("young-clinic")
    clock.moment = datetime.now(UTC)
    database = ViewsDatabase(f"sqlite:///{tmp_path}/views.sqlite3")
    processes = Processes(services, database, poll_s=0.05)
    processes.start()
    until = time.monotonic() + 10
    while services.log.answer_of(old) is not None and time.monotonic() < until:
        time.sleep(0.05)
    assert services.log.answer_of(old) is None
    assert services.log.answer_of(young) is not None
    assert processes.stop(10)
    database.close()
    services.close()

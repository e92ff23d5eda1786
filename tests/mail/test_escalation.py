"""An alert from home: the first on call is told at once, then the next, then everybody; and that is on record."""

from __future__ import annotations

from uuid import UUID

import pytest

from api.mail.office import ALERTS, OTHERS
from api.processes import SqlTimers
from domain import clinic
from services.processes.escalations import AlertLetters, Escalations
from services.processes.timers import MemoryTimers, run_once
from tests.mail.post import Post
from tests.support.smtp import MailServer


def recipients(server: MailServer) -> list[str]:
    return [letter["To"].partition("@")[0] for letter in server.taken]


def test_from_one_to_the_next_until_somebody_acknowledges(post: Post, server: MailServer) -> None:
    """Who was told when is in the log; after the acknowledgement nobody is told any more."""
    ann, ben = post.on_call("ann", "ben", minutes=10)
    whose = post.at_home.patient()
    alert_id, raised_at = post.alarm(whose), post.at_home.now()
    post.round()
    assert recipients(server) == ["ann"]
    post.until(9.9 / 60, after=raised_at)
    post.round()
    assert recipients(server) == ["ann"]
    post.until(10.1 / 60, after=raised_at)
    post.round()
    assert recipients(server) == ["ann", "ben"]
    assert [(one.step, one.staff_ids, one.everybody) for one in post.told(whose)] == [
        (1, (ann,), False), (2, (ben,), False)]
    post.acknowledge(whose, alert_id)
    post.until(3, after=raised_at)
    post.round()
    assert len(post.told(whose)) == 2
    assert recipients(server) == ["ann", "ben"]


def test_when_the_list_is_used_up_everybody_is_told_and_again_every_hour(letters: Post, server: MailServer) -> None:
    """Those who treat or manage here, if they have an address."""
    people = letters.on_call("ann", "ben", "cleo", minutes=5)
    letters.at_home.on_call(people[0], minutes=5)
    whose = letters.at_home.patient()
    letters.alarm(whose)
    raised_at = letters.at_home.now()
    for minutes in (0, 6, 30, 65):
        letters.until(minutes / 60, after=raised_at)
        letters.round()
    steps = letters.told(whose)
    assert [(one.step, one.everybody) for one in steps] == [(1, False), (2, True)]
    assert set(steps[1].staff_ids) >= set(people)
    letters.until(67 / 60, after=raised_at)
    letters.round()
    assert [one.everybody for one in letters.told(whose)] == [False, True, True]
    assert sorted(recipients(server)) == ["ann", "ann", "ann", "ben", "ben", "cleo", "cleo"]


def test_without_a_list_everybody_is_told_at_once(letters: Post) -> None:
    whose = letters.at_home.patient()
    letters.alarm(whose)
    letters.round()
    (step,) = letters.told(whose)
    practice = letters.at_home.practice
    assert step.everybody
    assert set(step.staff_ids) == {
        practice.prescriber_id, practice.nurse_id, practice.second_nurse_id, practice.manager_id}
    assert {one.trouble for one in letters.entries()} == {"no address"}


def test_the_letter_names_no_patient_and_no_health_detail(letters: Post, server: MailServer) -> None:
    letters.on_call("ann")
    whose = letters.at_home.patient()
    letters.alarm(whose)
    letters.round()
    (letter,) = server.taken
    assert letter["Importance"] == "high"
    said = letter.as_string().lower()
    for word in ("chest", "doe", "sam", str(whose), "side effect", "suicid"):
        assert word not in said, word
    assert "https://clinic.example/alerts" in said


@pytest.mark.parametrize("crash", ["between the step and its timer", "between the step and its letters"])
def test_a_crash_neither_skips_nor_doubles_a_step(post: Post, server: MailServer, crash: str) -> None:
    """The step is in the log, what was to follow was lost; whoever starts again goes on where it stood."""
    ann, _ = post.on_call("ann", "ben", minutes=10)
    whose = post.at_home.patient()
    post.alarm(whose)
    handling, log = post.at_home.services.handling, post.at_home.services.log
    run_once(Escalations(handling), log, MemoryTimers(), post.at_home.now(), lambda: False)  # its timers are lost
    assert [one.staff_ids for one in post.told(whose)] == [(ann,)]
    if crash == "between the step and its letters":
        assert post.entries() == []
    for _ in range(3):
        post.round()
    assert [one.staff_ids for one in post.told(whose)] == [(ann,)], "ben has his ten minutes"
    assert recipients(server) == ["ann"]


def test_two_workers_take_each_step_once(post: Post, server: MailServer) -> None:
    post.on_call("ann", "ben", minutes=10)
    whose = post.at_home.patient()
    post.alarm(whose)
    raised_at, database, log = post.at_home.now(), post.at_home.read_side.database, post.at_home.services.log
    stores = SqlTimers(database), MemoryTimers(), MemoryTimers()
    for minutes in (0, 11, 12):
        post.until(minutes / 60, after=raised_at)
        for store in stores:
            for process in post.processes:
                if isinstance(process, Escalations | AlertLetters):
                    run_once(process, log, store, post.at_home.now(), lambda: False)
        post.deliver()
    assert [one.step for one in post.told(whose)] == [1, 2]
    assert recipients(server) == ["ann", "ben"]


def test_a_slow_letter_to_a_patient_does_not_hold_an_alert(letters: Post, server: MailServer) -> None:
    """Alerts are carried by a postman of their own."""
    assert not ALERTS & OTHERS
    assert {"follow_up", "digest"} == OTHERS


def test_who_left_the_clinic_is_passed_over(letters: Post, server: MailServer) -> None:
    ann, ben = letters.on_call("ann", "ben", minutes=10)
    practice = letters.at_home.practice
    practice.do(practice.clinic_id, clinic.UnassignStaff, by=practice.actor("manager"), staff_id=ann, role="manager")
    whose: UUID = letters.at_home.patient()
    letters.alarm(whose)
    letters.round()
    assert [one.staff_ids for one in letters.told(whose)] == [(ben,)]
    assert recipients(server) == ["ben"]

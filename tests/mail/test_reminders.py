"""Reminders: one letter a follow-up, with a link that works, by day, to those who agreed; nothing about health."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from api.processes import SqlTimers, telling
from domain import diary
from domain.patient import patient, registration, screening
from services.processes.quiet import quiet_until
from services.processes.timers import MemoryTimers, run_once
from services.use_cases.case import diary_of
from tests.mail.post import Post, link_in
from tests.support.smtp import MailServer

DENVER = ZoneInfo("America/Denver")


@pytest.mark.parametrize(("local", "until"), [
    ("2026-03-02T20:59", None), ("2026-03-02T21:00", "2026-03-03T08:00"), ("2026-03-02T23:30", "2026-03-03T08:00"),
    ("2026-03-03T00:10", "2026-03-03T08:00"), ("2026-03-03T07:59", "2026-03-03T08:00"), ("2026-03-03T08:00", None),
    ("2026-03-07T22:00", "2026-03-08T08:00"),
])
def test_quiet_hours_are_the_clinics(local: str, until: str | None) -> None:
    """From nine in the evening to eight in the morning by its own clock; the last over a change of the clock."""
    said = quiet_until(datetime.fromisoformat(local).replace(tzinfo=DENVER), DENVER)
    assert said == (None if until is None else datetime.fromisoformat(until).replace(tzinfo=DENVER))


def infused(post: Post) -> UUID:
    """Somebody whose first prompt (4 h after the infusion) is due in the afternoon."""
    whose = post.at_home.patient()
    post.at_home.infused(whose)
    return whose


def test_a_due_follow_up_brings_one_letter_with_a_link_that_answers_it(post: Post, server: MailServer) -> None:
    """The whole way: the letter arrives, its link is tapped, the prompt is answered, no second letter comes."""
    whose = infused(post)
    assert post.round() == 0, "not before it is due"
    first = post.at_home.follow_ups(whose)[0]
    post.until(0.1, after=first.due_at)
    assert (post.round(), post.round()) == (1, 0)
    (letter,) = server.taken
    assert (letter["To"], letter["Subject"]) == ("sam@example.test", "A question from your clinic")
    path = link_in(letter.get_content())
    page = post.at_home.client.get(path)
    assert "How strong is your pain right now?" in page.text
    post.at_home.client.post(path, data={"asked": "nrs", "at": "0", "given": "", "value": "2"})
    state: diary.State = post.at_home.services.handling.current(diary, diary_of(whose)).state
    assert diary.answered(state, state.follow_ups[0])
    assert [(one.status, one.attempts) for one in post.entries()] == [("sent", 1)]


def test_a_letter_tells_nothing_about_health_nor_who_or_where(letters: Post, server: MailServer) -> None:
    """Neither in its words and headers nor in the outbox; nor the clinic's name, which tells what it treats."""
    whose = infused(letters)
    letters.until(0.1, after=letters.at_home.follow_ups(whose)[0].due_at)
    letters.round()
    said = server.taken[0].as_string().lower()
    for word in ("pain", "ketamine", "infusion", "phq", "doe", "clinic " + str(letters.at_home.practice.clinic_id),
                 str(whose)):
        assert word not in said, word
    assert "911" in said
    (entry,) = letters.entries()
    assert set(entry.message.about) == {"link_id"}


def test_two_workers_and_one_that_begins_anew_send_one_letter(post: Post, server: MailServer) -> None:
    whose = infused(post)
    post.until(0.1, after=post.at_home.follow_ups(whose)[0].due_at)
    services, database = post.at_home.services, post.at_home.read_side.database
    for store in (SqlTimers(database), MemoryTimers(), MemoryTimers()):
        for process in telling(services, database):
            run_once(process, services.log, store, post.at_home.now(), lambda: False)
        post.deliver()
    assert len(server.taken) == 1
    assert len(post.at_home.home.links.of_patient(whose)) == 1


def scheduled(post: Post, whose: UUID, *offsets_hours: int) -> None:
    """Prompts as after an infusion that ended now."""
    post.at_home.practice.do(
        diary_of(whose), diary.ScheduleFollowUps, infusion_id=uuid4(), drug_stopped_at=post.at_home.now(),
        offsets_hours=offsets_hours, instruments=("nrs",), request={"patient_id": whose})


def test_who_did_not_agree_or_died_or_has_answered_gets_no_letter(letters: Post, server: MailServer) -> None:
    """No consent, consent withdrawn, died, answered by the nurse's call; and one who gets it, as a control."""
    practice = letters.at_home.practice
    silent = letters.at_home.patient(messaging=False)
    withdrawn, died, answered, asked = (letters.at_home.patient(email=f"{name}@example.test") for name in "wdac")
    consent = next(one for one in _state(letters, withdrawn).consents if one.kind == "messaging")
    for whose in (silent, withdrawn, died, answered, asked):
        scheduled(letters, whose, 4)
    practice.wait(hours=3)
    practice.do(withdrawn, screening.WithdrawConsent, consent_id=consent.consent_id, reason_code="patients_choice")
    practice.do(died, registration.CorrectDemographics, deceased=True, reason_code="typing_error")
    practice.pain(answered, 3)
    practice.wait(hours=2)
    letters.round()
    assert [one["To"] for one in server.taken] == ["c@example.test"]


def _state(post: Post, whose: UUID) -> patient.State:
    state: patient.State = post.at_home.services.handling.current(patient, whose).state
    return state


def test_in_the_night_it_waits_for_the_morning(letters: Post, server: MailServer) -> None:
    """Due at 23 h of the clinic's clock: sent at eight. A letter that was held up by a server until night waits too."""
    whose = letters.at_home.patient()
    scheduled(letters, whose, 15, 60)
    first, second = letters.at_home.follow_ups(whose)
    letters.until(0, after=first.due_at)
    assert letters.at_home.now().astimezone(DENVER).hour == 23
    assert letters.round() == 0
    letters.until(8.9, after=first.due_at)
    assert letters.round() == 0
    letters.until(9.01, after=first.due_at)
    assert letters.round() == 1
    letters.until(0, after=second.due_at)  # 20 h
    server.mood = "full"
    letters.round()
    server.mood = "take"
    letters.until(3, after=second.due_at)
    letters.hurry()
    assert letters.round() == 0
    assert letters.entries()[0].trouble is not None
    letters.until(12.1, after=second.due_at)
    letters.hurry()
    assert letters.round() == 1
    assert len(server.taken) == 2


def test_a_worker_that_was_off_does_not_ask_of_the_past(letters: Post, server: MailServer) -> None:
    """Started a month later: only what can still be answered for some hours is sent."""
    whose = infused(letters)
    letters.until(672 + 1, after=letters.at_home.follow_ups(whose)[0].due_at - timedelta(hours=4))
    letters.at_home.clock.moment = letters.at_home.now().astimezone(DENVER).replace(hour=12)
    letters.round()
    assert len(server.taken) == 1
    assert link_in(server.taken[0].get_content())


def test_a_letter_that_became_pointless_while_it_waited_is_dropped(letters: Post, server: MailServer) -> None:
    """The mail server was away; meanwhile a new infusion began a new schedule."""
    whose = infused(letters)
    letters.until(0.1, after=letters.at_home.follow_ups(whose)[0].due_at)
    server.mood = "full"
    letters.round()
    server.mood = "take"
    letters.at_home.practice.wait(hours=20)
    scheduled(letters, whose, 24)
    letters.hurry()
    letters.deliver()
    assert server.taken == []
    assert [one.status for one in letters.entries()] == ["dropped"]


@pytest.mark.parametrize("address", [None, "no address", "a@b>\r\nBcc: evil@example.test", "sam@example.test "])
def test_an_address_is_one_or_nothing_is_sent(letters: Post, server: MailServer, address: str | None) -> None:
    """A line end in it is no second header; a blank at its end does no harm."""
    whose = letters.at_home.patient(email=address)
    letters.at_home.infused(whose)
    letters.until(0.1, after=letters.at_home.follow_ups(whose)[0].due_at)
    letters.round()
    good = address is not None and address.strip() == "sam@example.test"
    assert [one["To"] for one in server.taken] == (["sam@example.test"] if good else [])
    assert [one.status for one in letters.entries()] == ["sent" if good else "dropped"]


def test_the_address_is_the_latest_that_stands(letters: Post, server: MailServer) -> None:
    whose = infused(letters)
    letters.at_home.practice.do(
        whose, registration.CorrectDemographics, email="new@example.test", reason_code="typing_error")
    letters.until(0.1, after=letters.at_home.follow_ups(whose)[0].due_at)
    letters.round()
    assert [one["To"] for one in server.taken] == ["new@example.test"]

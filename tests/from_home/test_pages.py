"""The pages behind a link: one question a screen, answers that reach the diary once, and nothing that leaks."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete

from api.home.links import Link
from api.home.tables import ANSWERED
from domain import diary
from domain.kernel import Actor
from domain.patient import erasure, registration
from domain.vocabulary.questions import QUESTIONNAIRES
from services.handling import Request
from services.use_cases.case import diary_of
from tests.conftest import Database
from tests.from_home.conftest import AtHome

ALERT = "diary.alert_raised.v1"
NINE = (1, 0, 2, 1, 0, 0, 3, 1)


# --- answering -----------------------------------------------------------------------------------


def test_one_tap_is_one_score_in_the_patients_own_name(at_home: AtHome) -> None:
    """At the home clinic, by the patient; afterwards the link only says thank you."""
    whose = at_home.patient()
    link = at_home.link(whose, "nrs")
    assert "How strong is your pain right now?" in at_home.get(link).text
    answer = at_home.taps(link, "nrs", 7)
    assert (answer.status_code, answer.headers["Location"]) == (303, at_home.path(link))
    told = at_home.records(whose)[-1]
    assert (told.name, told.event.score, told.role) == ("diary.pain_scored.v1", 7, "patient")  # type: ignore[attr-defined]
    assert (told.actor, told.clinic_id, told.subject) == (f"patient:{whose}", at_home.practice.clinic_id, whose)
    assert told.occurred_at == at_home.now()
    after = at_home.get(link).text
    assert "Thank you" in after
    assert not re.search(r">[^<]*\b7\b", after)


def test_a_whole_follow_up_is_tapped_through(at_home: AtHome) -> None:
    """Pain, relief, PEG, PHQ-9 and a side effect, in this order, each in the diary as the patient said it."""
    whose = at_home.patient()
    infusion_id = at_home.infused(whose)
    at_home.practice.wait(hours=168)
    link = at_home.link(whose, "nrs", "relief_percent", "peg", "phq9", "side_effects")
    assert "Question 1 of 15" in at_home.get(link).text
    at_home.taps(link, "nrs", 3)
    at_home.taps(link, "relief_percent", 60)
    at_home.taps(link, "peg", 4, 5, 6)
    assert "Question 6 of 15" in at_home.get(link).text
    at_home.taps(link, "phq9", *NINE, 0)
    at_home.post(link, asked="side_effects", stage="any", number=1, value="yes")
    said = {"asked": "side_effects", "number": 1, "kind": "nausea", "grade": 2, "harm": "no", "onset": "day"}
    at_home.post(link, **{**said, "stage": "note", "note": "after breakfast"})
    assert "any other side effect" in at_home.get(link).text
    at_home.post(link, asked="side_effects", stage="any", number=2, value="no")
    assert "Thank you" in at_home.get(link).text
    pain, relief, peg, phq9, effect = [one.event for one in at_home.records(whose) if one.role == "patient"]
    assert (pain.score, relief.relief_percent) == (3, 60)  # type: ignore[attr-defined]
    assert (peg.items, peg.total) == ((4, 5, 6), Decimal("5.00"))  # type: ignore[attr-defined]
    assert (phq9.items, phq9.total) == ((*NINE, 0), 8)  # type: ignore[attr-defined]
    assert (effect.kind, effect.grade, effect.infusion_id) == ("nausea", 2, infusion_id)  # type: ignore[attr-defined]
    assert at_home.now() - effect.onset_at == timedelta(hours=24)  # type: ignore[attr-defined]
    assert "breakfast" not in repr(effect), "sealed"


def test_a_double_tap_and_a_retry_are_one_score(at_home: AtHome) -> None:
    """The first tap counts; the second, whatever it says, leads on."""
    whose = at_home.patient()
    link = at_home.link(whose, "nrs", "peg")
    for value in (7, 2):
        assert at_home.taps(link, "nrs", value).status_code == 303
    assert [one.event.score for one in at_home.records(whose)] == [7]  # type: ignore[attr-defined]


def test_an_answer_whose_note_was_lost_in_a_crash_is_not_written_twice(at_home: AtHome) -> None:
    """The log has it, the link's table does not: asked again, the same entry is found."""
    whose = at_home.patient()
    link = at_home.link(whose, "nrs")
    at_home.taps(link, "nrs", 7)
    _forget(at_home, link)
    assert "How strong" in at_home.get(link).text
    at_home.taps(link, "nrs", 4)
    assert [one.event.score for one in at_home.records(whose)] == [7]  # type: ignore[attr-defined]
    assert at_home.home.links.answered(link.link_id)["nrs"].entry == 1


def _forget(at_home: AtHome, link: Link) -> None:
    with at_home.read_side.database.reads.begin() as sql:
        sql.execute(delete(ANSWERED).where(ANSWERED.c.link_id == str(link.link_id)))


def test_opening_a_link_never_answers(here: AtHome) -> None:
    """Mail scanners follow links, with parameters too: nothing is written, and the patient can still answer."""
    whose = here.patient()
    link, head = here.link(whose, "nrs"), here.services.log.head()
    for path in ("", "?value=7&asked=nrs&at=0&given=", "?do=leave&asked=nrs"):
        assert here.client.get(here.path(link) + path).status_code == 200
        assert here.client.head(here.path(link) + path).status_code == 200
    assert here.services.log.head() == head
    assert here.home.links.answered(link.link_id) == {}


@pytest.mark.parametrize("form", [
    {"asked": "nrs", "at": 0, "given": "", "value": 11}, {"asked": "nrs", "at": 0, "given": "", "value": -1},
    {"asked": "nrs", "at": 0, "given": "", "value": "7; DROP"}, {"asked": "nrs", "at": 0, "given": ""},
    {"asked": "nrs", "at": 0, "given": "", "value": "\N{ARABIC-INDIC DIGIT SEVEN}"},
    {"asked": "nrs", "at": 1, "given": "7", "value": 3}, {"asked": "nrs", "at": 5, "given": "1,2", "value": 3},
    {"asked": "phq9", "at": 0, "given": "", "value": 1}, {"asked": "rass", "at": 0, "given": "", "value": 1},
    {"asked": "peg", "at": 2, "given": "3,", "value": 1}, {}, {"do": "change"}, {"asked": "side_effects", "stage": "x"},
])
def test_what_no_screen_sends_writes_nothing(here: AtHome, form: dict[str, Any]) -> None:
    whose = here.patient()
    link, head = here.link(whose, "nrs", "peg"), here.services.log.head()
    assert here.post(link, **form).status_code in (303, 422)
    assert here.services.log.head() == head


# --- leaving out, going back, changing -------------------------------------------------------------


def test_nobody_has_to_answer(here: AtHome) -> None:
    """Each question can be passed over; what was not answered is nowhere."""
    whose = here.patient()
    here.infused(whose)
    link, before = here.link(whose, "nrs", "relief_percent", "peg", "side_effects"), len(here.records(whose))
    here.taps(link, "nrs", None)
    here.taps(link, "relief_percent", None)
    here.taps(link, "peg", 4, None)
    here.post(link, asked="side_effects", stage="any", number=1, do="leave")
    assert "Thank you" in here.get(link).text
    assert len(here.records(whose)) == before


def test_two_items_of_the_phq9_may_be_left_out_and_no_more(here: AtHome) -> None:
    """Two are prorated by the scale's own rule; three make no score."""
    whose = here.patient()
    here.taps(here.link(whose, "phq9"), "phq9", 1, None, 1, 1, None, 1, 1, 1, 0)
    assert here.records(whose)[-1].event.total == 8  # type: ignore[attr-defined]
    link = here.link(whose, "phq9")
    here.taps(link, "phq9", None, None, None, 1, 1, 1, 1, 1, 0)
    assert len(here.records(whose)) == 1
    assert "Thank you" in here.get(link).text


def test_back_shows_the_question_before_and_keeps_the_rest(here: AtHome) -> None:
    link = here.link(here.patient(), "peg")
    page = here.post(link, asked="peg", at=1, given="4", do="back").text
    assert QUESTIONNAIRES["peg"].items[0].text in page
    assert 'name="do" value="back"' not in page
    assert "Question 1 of 3" in page


def test_a_wrong_tap_is_put_right_within_ten_minutes(at_home: AtHome) -> None:
    """By an amendment: both values stay in the log. The page never shows what was answered."""
    whose = at_home.patient()
    link = at_home.link(whose, "nrs", "phq9")
    at_home.taps(link, "nrs", 9)
    assert "Change it" in at_home.get(link).text
    page = at_home.post(link, do="change").text
    assert "How strong is your pain" in page
    at_home.post(link, asked="nrs", at=0, given="", changing=1, value=2)
    scored, amended = at_home.records(whose)
    assert (scored.event.score, amended.event.corrections) == (9, {"score": 2})  # type: ignore[attr-defined]
    assert amended.role == "patient"
    at_home.clock.moment += timedelta(minutes=11)
    assert "Change it" not in at_home.get(link).text
    at_home.post(link, asked="nrs", at=0, given="", changing=1, value=5)
    assert len(at_home.records(whose)) == 2


def test_what_was_passed_over_by_mistake_is_asked_again(here: AtHome) -> None:
    whose = here.patient()
    link = here.link(whose, "nrs", "peg")
    here.taps(link, "nrs", None)
    here.post(link, do="change")
    here.taps(link, "nrs", 6)
    assert [one.event.score for one in here.records(whose)] == [6]  # type: ignore[attr-defined]


# --- what calls for somebody -----------------------------------------------------------------------


def test_item_nine_above_zero_shows_the_crisis_line_at_once_and_raises_the_alert(at_home: AtHome) -> None:
    whose = at_home.patient()
    at_home.on_call(at_home.practice.nurse_id)
    link = at_home.link(whose, "phq9", "side_effects")
    page = at_home.taps(link, "phq9", *NINE, 1)
    assert page.status_code == 200
    assert "988" in page.text
    assert "You are not alone" in page.text
    assert "+1 555 0100" in page.text
    assert at_home.names(whose) == ["diary.mood_scored.v1", ALERT]
    assert "side effect" in at_home.get(link).text, "and the questions go on"
    quiet = at_home.patient()
    assert at_home.taps(at_home.link(quiet, "phq9"), "phq9", *NINE, 0).status_code == 303
    assert at_home.names(quiet) == ["diary.mood_scored.v1"]


def test_item_nine_calls_though_too_few_items_make_a_score(at_home: AtHome) -> None:
    """Three left out: no total; the ninth answered with *several days* is an alert all the same."""
    whose = at_home.patient()
    link = at_home.link(whose, "phq9")
    page = at_home.taps(link, "phq9", None, None, None, 0, 0, 0, 0, 0, 1)
    assert "You are not alone" in page.text
    assert at_home.names(whose) == [ALERT]
    (raised,) = at_home.records(whose)
    assert raised.event.kind == "suicidal_thoughts"  # type: ignore[attr-defined]


def test_an_answer_changed_to_one_that_calls_calls(here: AtHome) -> None:
    whose = here.patient()
    link = here.link(whose, "phq9")
    here.taps(link, "phq9", *NINE, 0)
    here.post(link, do="change")
    page = here.post(link, asked="phq9", at=8, given=",".join(map(str, NINE)), changing=1, value=2)
    assert "You are not alone" in page.text
    assert here.names(whose) == ["diary.mood_scored.v1", "entry.amended.v1", ALERT]


@pytest.mark.parametrize(("kind", "grade", "harm", "alerts"), [
    ("nausea", 2, "no", 0), ("nausea", 3, "no", 1), ("chest_pain", 1, "no", 1), ("breathing_trouble", 2, "no", 1),
    ("dizziness", 4, "no", 2), ("dizziness", 1, "yes", 1),
])
def test_side_effects_that_call_for_somebody(here: AtHome, kind: str, grade: int, harm: str, alerts: int) -> None:
    """Grade 3 and more, chest pain, breathing trouble, danger, harm: the page says to call, the on-call list is told.

    Sent here without the taps before, which would have called already.
    """
    whose = here.patient()
    link = here.link(whose, "side_effects")
    page = here.post(link, asked="side_effects", stage="note", number=1, kind=kind, grade=grade, harm=harm, onset="now",
                     note="")
    assert ("This may need help at once" in page.text) == bool(alerts)
    assert here.names(whose) == ["diary.side_effect_reported_from_home.v1", *[ALERT] * alerts]


def _tap(here: AtHome, link: Link, stage: str, value: object, **said: object) -> str:
    return here.post(link, asked="side_effects", stage=stage, number=1, value=value, **said).text


def _go_on(page: str) -> dict[str, str]:
    """What the form of the urgent page sends."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))


def _kinds(here: AtHome, whose: UUID) -> list[str]:
    return [one.event.kind for one in here.records(whose) if one.name == ALERT]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("stage", "value", "said", "kinds"), [
    ("kind", "chest_pain", {}, ["chest_pain"]),
    ("kind", "breathing_trouble", {}, ["breathing_trouble"]),
    ("grade", 3, {"kind": "nausea"}, ["severe_side_effect"]),
    ("grade", 4, {"kind": "nausea"}, ["severe_side_effect", "harm"]),
    ("harm", "yes", {"kind": "dizziness", "grade": 1}, ["harm"]),
    ("kind", "nausea", {}, []),
    ("grade", 2, {"kind": "nausea"}, []),
    ("harm", "no", {"kind": "dizziness", "grade": 1}, []),
])
def test_the_tap_itself_calls_somebody_though_nothing_is_sent(
    at_home: AtHome, stage: str, value: object, said: dict[str, object], kinds: list[str]
) -> None:
    """Who stops there, because they call an ambulance or can no more, has been heard."""
    whose = at_home.patient()
    page = _tap(at_home, at_home.link(whose, "side_effects"), stage, value, **said)
    assert ("This may need help at once" in page) == bool(kinds)
    assert _kinds(at_home, whose) == kinds
    assert len(at_home.records(whose)) == len(kinds), "nothing but the alerts"


def test_after_the_alert_the_report_goes_on_and_calls_nobody_twice(at_home: AtHome) -> None:
    """Going on asks the next question; a worse grade calls anew; the report itself has nothing to add."""
    whose = at_home.patient()
    link = at_home.link(whose, "side_effects")
    page = _tap(at_home, link, "kind", "chest_pain")
    page = at_home.post(link, **_go_on(page)).text
    assert "How bad was it" in page
    page = _tap(at_home, link, "grade", 3, kind="chest_pain")
    assert "This may need help at once" in page
    page = at_home.post(link, **_go_on(page)).text
    assert "Did it do you harm" in page
    assert "When did it start" in _tap(at_home, link, "harm", "no", kind="chest_pain", grade=3)
    said = {"kind": "chest_pain", "grade": 3, "harm": "no", "onset": "now"}
    answer = at_home.post(link, asked="side_effects", stage="note", number=1, note="", **said)
    assert answer.status_code == 303, "on to the next question"
    assert _kinds(at_home, whose) == ["chest_pain", "severe_side_effect"]
    assert at_home.names(whose)[-1] == "diary.side_effect_reported_from_home.v1"


def test_a_double_tap_going_back_and_a_reload_call_nobody_twice(at_home: AtHome) -> None:
    """The page says again whom to call; the alert is the same one. Another side effect of the link has its own."""
    whose = at_home.patient()
    link = at_home.link(whose, "side_effects")
    for _ in range(2):
        page = _tap(at_home, link, "kind", "chest_pain")
        assert "This may need help at once" in page
    at_home.post(link, **_go_on(page))
    assert "What was it?" in at_home.post(
        link, asked="side_effects", stage="grade", number=1, kind="chest_pain", do="back").text
    assert "This may need help at once" in _tap(at_home, link, "kind", "chest_pain")
    assert _kinds(at_home, whose) == ["chest_pain"]
    said = {"kind": "chest_pain", "grade": 1, "harm": "no", "onset": "now"}
    at_home.post(link, asked="side_effects", stage="note", number=1, note="", **said)
    at_home.post(link, asked="side_effects", stage="kind", number=2, value="chest_pain")
    assert _kinds(at_home, whose) == ["chest_pain", "chest_pain"]


def test_nobody_is_called_by_opening_a_link(here: AtHome) -> None:
    """A GET with the answer in its address (a mail scanner, a shared link) raises nothing."""
    whose = here.patient()
    link = here.link(whose, "side_effects")
    for seen in ("", "&seen=1"):
        here.client.get(here.path(link) + f"?asked=side_effects&stage=kind&number=1&value=chest_pain{seen}")
    assert here.records(whose) == []


def test_something_else_has_to_be_said(here: AtHome) -> None:
    link = here.link(here.patient(), "side_effects")
    form = {"asked": "side_effects", "stage": "note", "number": 1, "kind": "other", "grade": 1, "harm": "no",
            "onset": "now"}
    page = here.post(link, **form, note="  ")
    assert (page.status_code, "in a few words" in page.text) == (422, True)
    assert here.post(link, **form, note="<b>itchy</b> nose").status_code == 303


# --- who may, for how long -------------------------------------------------------------------------


def test_links_end(at_home: AtHome) -> None:
    """Expired, revoked, its prompt overtaken by a new infusion, the record erased: nothing can be answered."""
    whose = at_home.patient()
    at_home.infused(whose)
    prompt = at_home.follow_ups(whose)[2]
    link = at_home.link(whose, "nrs", follow_up_id=prompt.follow_up_id, hours=400)
    brief, stopped = at_home.link(whose, "nrs", hours=1), at_home.link(whose, "nrs")
    at_home.home.links.revoke(stopped.link_id, at_home.now())
    assert "no longer needed" in at_home.get(stopped).text
    at_home.practice.wait(hours=30)
    assert at_home.get(brief).status_code == 410
    assert at_home.get(link).status_code == 200
    _schedule_again(at_home, whose)
    for one in (link, brief, stopped):
        head = at_home.services.log.head()
        assert at_home.taps(one, "nrs", 5).status_code == 410
        assert at_home.services.log.head() == head


def _schedule_again(at_home: AtHome, whose: Any) -> None:
    at_home.practice.do(
        diary_of(whose), diary.ScheduleFollowUps, infusion_id=uuid4(), drug_stopped_at=at_home.now(),
        offsets_hours=(24,), instruments=("nrs",), request={"patient_id": whose})


def test_an_erased_or_deceased_patients_link_is_over(here: AtHome) -> None:
    erased, deceased = here.patient(), here.patient()
    links = [here.link(erased, "nrs"), here.link(deceased, "nrs")]
    manager, request_id = here.practice.actor("manager"), uuid4()
    here.practice.do(erased, erasure.RequestErasure, by=manager, request_id=request_id, reason_code="court_order")
    for person in (here.practice.manager_id, here.practice.prescriber_id):
        by = Actor(id=str(person), role="owner")
        here.practice.do(erased, erasure.ApproveErasure, by=by, request_id=request_id, approved_by=person)
    here.services.erasing.erase(
        erased, erasure.CompleteErasure(by=manager, now=here.now(), at=here.now(), request_id=request_id,
                                        keys_destroyed=0), _asked_by(here, erased))
    here.practice.do(deceased, registration.CorrectDemographics, deceased=True, reason_code="typing_error")
    for link in links:
        assert here.get(link).status_code == 410
        assert here.taps(link, "nrs", 5).status_code == 410


def _asked_by(here: AtHome, whose: Any) -> Any:
    return Request(by=here.practice.actor("manager"), clinic_id=here.practice.clinic_id, patient_id=whose)


def test_what_is_no_link_tells_nothing(here: AtHome) -> None:
    """A forged, a foreign and an unknown token look alike."""
    link = here.link(here.patient(), "nrs")
    token = here.path(link)[3:]
    for text in (token[:-1] + ("A" if token[-1] != "A" else "B"), "x" * 43, "x", here.home.tokens.of(uuid4())):
        answer = here.client.get(f"/p/{text}")
        assert (answer.status_code, "does not work" in answer.text) == (404, True)


def test_guesses_and_hammering_are_cut_off(here: AtHome) -> None:
    """By address for guesses, by link for a link; another link goes on."""
    link, other = here.link(here.patient(), "nrs"), here.link(here.patient(), "nrs")
    assert [here.client.get(f"/p/{'x' * 43}").status_code for _ in range(21)][-2:] == [404, 429]
    assert here.get(other).status_code == 200
    codes = [here.get(link).status_code for _ in range(61)]
    assert codes[-2:] == [200, 429]
    assert here.get(other).status_code == 200


# --- what leaves -----------------------------------------------------------------------------------


def test_nothing_on_the_page_or_in_its_headers_says_who_or_what(here: AtHome) -> None:
    """No name, no id of anybody, no referrer, nothing kept, nothing framed, nothing from elsewhere."""
    whose = here.patient()
    link = here.link(whose, "nrs", "phq9", "side_effects")
    answer = here.get(link)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in answer.headers
    shown = answer.text.lower()
    for secret in ("doe", "sam", str(whose), str(link.link_id), str(here.practice.clinic_id), "ketamine", "denver"):
        assert secret not in shown, secret
    assert set(re.findall(r'(?:src|href|action)="([^"]+)"', answer.text)) <= {
        "/p/style.css", here.path(link), "tel:911", "tel:988"}
    assert "<script" not in shown


def test_every_screen_is_small_large_typed_and_says_whom_to_call(here: AtHome) -> None:
    """Under 15 kB with its style sheet, for an old phone; emergency numbers before and after every question."""
    here.on_call(here.practice.nurse_id)
    link = here.link(here.patient(), "nrs", "phq9", "side_effects")
    style = here.client.get("/p/style.css")
    assert (style.status_code, style.content_type) == (200, "text/css; charset=utf-8")
    pages = [here.get(link).text]
    here.taps(link, "nrs", 3)
    pages.append(here.get(link).text)
    here.taps(link, "phq9", *NINE, 0)
    pages.append(here.get(link).text)
    for stage, value, said in (
        ("any", "yes", {}), ("kind", "nausea", {}), ("kind", "chest_pain", {}), ("grade", 1, {"kind": "nausea"}),
        ("harm", "no", {"kind": "nausea", "grade": 1}), ("onset", "now", {"kind": "nausea", "grade": 1, "harm": "no"}),
    ):
        pages.append(here.post(link, asked="side_effects", stage=stage, number=1, value=value, **said).text)
    pages.append(here.client.get("/p/nothing").text)
    for page in pages:
        assert len(page.encode()) + len(style.data) < 15_000
        before, _, after = page.partition("<main>")
        assert "tel:911" in before
        assert "tel:988" in before
        assert "not watched round the clock" in after
        assert "tel:911" in after
    assert "tel:+15550100" in pages[0]


def test_the_numbers_are_the_settings_own(sqlite_database: Database, make_home: Callable[..., AtHome]) -> None:
    there = make_home(sqlite_database, emergency_number="112", crisis_line="116123")
    page = there.get(there.link(there.patient(), "nrs")).text
    assert "tel:112" in page
    assert "tel:116123" in page
    assert "911" not in page


def test_the_phq9_stands_as_its_authors_wrote_it(here: AtHome) -> None:
    """Nine items word by word, the four answers, and whose it is."""
    link = here.link(here.patient(), "phq9")
    page = here.get(link).text
    assert "Over the last 2 weeks, how often have you been bothered by any of the following problems?" in page
    assert "Little interest or pleasure in doing things" in page
    assert [words for words in ("Not at all", "Several days", "More than half the days", "Nearly every day")
            if words not in page] == []
    assert "Spitzer" in page
    assert "No permission required" in page

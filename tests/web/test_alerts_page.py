"""The page of alerts from home: it renews itself, says who was told, gives a form back; and the navigation's count."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from api.http import examples as ex
from api.mail.boxes import Boxes
from api.mail.tables import OUTBOX
from api.web.schedule.place import full_name
from domain import clinic, diary
from domain.kernel import Actor, Role, derived_id
from services.handling import Request
from tests.api.world import World
from tests.web.test_alerts_and_digest import raise_alert, token

SYSTEM = Actor(id="process:alert_escalations", role="system")
WAITING = re.compile(r'id="alerts-waiting-[msp]"[^>]*>(?: <b>(\d+)</b>)?')


def waiting_in(page: str) -> set[str]:
    """The number beside Alerts, in both copies of the navigation, and beside a phone's menu; empty: none."""
    return set(WAITING.findall(page))


def diary_of(world: World) -> diary.State:
    state: diary.State = world.services.handling.current(diary, derived_id("diary", UUID(world.ids[ex.PATIENT]))).state
    return state


def forget_alerts(world: World) -> None:
    """Whatever waits is acknowledged."""
    for alert in diary_of(world).alerts:
        if not alert.acknowledged:
            send(world, world.browser("nurse"), str(alert.alert_id), action="false_alarm")
    world.caught_up()


def send(world: World, browser: FlaskClient, alert_id: str, **form: str) -> Any:
    return browser.post(f"/alerts/{world.ids[ex.PATIENT]}/{alert_id}", data={**form, **token(browser)})


def escalate(world: World, alert_id: str, step: int, *staff: UUID, everybody: bool = False) -> None:
    """As the worker does, a step after another."""
    now, whose = world.services.clock.now(), UUID(world.ids[ex.PATIENT])
    command = diary.EscalateHomeAlert(
        by=SYSTEM, now=now, at=now, alert_id=UUID(alert_id), step=step, staff_ids=staff, everybody=everybody)
    world.services.handle(derived_id("diary", whose), command, Request(by=SYSTEM, clinic_id=None, patient_id=whose))
    Boxes(world.read_side.database.reads).tell(
        whose, UUID(world.ids[ex.CLINIC]), UUID(alert_id), step, staff, everybody)


def section(page: str, alert_id: str) -> str:
    """What the page says of one alert, without its tags."""
    found = page.partition(f'aria-labelledby="alert-{alert_id}"')[2].partition("</section>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found.partition(">")[2])).split())


# --- renewing and counting -----------------------------------------------------------------------


def test_the_list_renews_itself_and_never_under_a_form_without_scripts(lived: World) -> None:
    """By HTMX every 15 s; without scripts the browser's refresh, unless there is a form that it would empty."""
    forget_alerts(lived)
    page = lived.browser("nurse").get("/alerts").text
    assert 'id="alerts" hx-get="/alerts" hx-trigger="every 15s" hx-select="#alerts"' in page
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in page
    raise_alert(lived)
    page = lived.browser("nurse").get("/alerts").text
    assert "hx-trigger" in page
    assert 'http-equiv="refresh"' not in page
    assert 'http-equiv="refresh"' in lived.browser("auditor").get("/alerts").text, "who has no form loses none"


@pytest.mark.parametrize(("role", "at", "sees"), [
    ("nurse", "A", True), ("manager", "A", True), ("auditor", "A", True), ("owner", "all", True),
    ("nurse", "B", False), ("front_desk", "A", False), ("biller", "A", False),
])
def test_the_navigation_counts_what_waits_at_the_readers_own_clinics(
    lived: World, role: Role, at: str, sees: bool
) -> None:
    """On every page, in both copies; and again with the banner that every page asks for."""
    forget_alerts(lived)
    browser = lived.browser(role, at)
    assert waiting_in(browser.get("/glossary").text) <= {""}
    raise_alert(lived)
    raise_alert(lived)
    assert len(WAITING.findall(browser.get("/glossary").text)) == (3 if sees or at == "B" else 0)
    assert waiting_in(browser.get("/glossary").text) == ({"2"} if sees else {""} if at == "B" else set())
    renewed = browser.get("/lag").text
    assert waiting_in(renewed) == ({"2"} if sees else {""} if at == "B" else set())
    assert ('hx-swap-oob="true"' in renewed) == (sees or at == "B")
    forget_alerts(lived)
    assert waiting_in(browser.get("/lag").text) <= {""}


# --- the form ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "error"), [
    ({"action": "other", "note": "  "}, "Say what was done."),
    ({"action": "", "note": "rang twice"}, "Choose what was done."),
    ({"action": "shrug", "note": "rang twice"}, "Choose what was done."),
])
def test_a_form_that_cannot_be_taken_comes_back_as_it_was(lived: World, form: dict[str, str], error: str) -> None:
    """With the error at its field and what was typed; nothing is acknowledged, and the second try is taken."""
    alert_id, browser = raise_alert(lived), lived.browser("nurse")
    answer = send(lived, browser, alert_id, **form)
    assert answer.status_code == 422
    assert f'<span class="field-error" id="wrong-{alert_id}">{error}</span>' in answer.text
    assert f'aria-describedby="wrong-{alert_id}"' in answer.text
    assert ('value="other" selected' in answer.text) == (form["action"] == "other")
    assert ('value="rang twice"' in answer.text) == ("rang" in form["note"])
    assert 'id="alerts" hx-get' not in answer.text, "nothing is renewed over it"
    assert not diary_of(lived).alerts[-1].acknowledged
    assert send(lived, browser, alert_id, action="other", note="the police went there").status_code == 303
    assert diary_of(lived).alerts[-1].acknowledged


def test_nothing_is_chosen_beforehand(lived: World) -> None:
    """On a safety record nobody says "called the patient" by pressing a button in a hurry."""
    alert_id = raise_alert(lived)
    page = lived.browser("nurse").get("/alerts").text
    select = page.partition(f'<select id="action-{alert_id}"')[2].partition("</select>")[0]
    assert select.partition(">")[0].split() == ['name="action"', "required"]
    assert re.findall(r'<option value="([^"]*)" selected', select) == [""]


# --- who was told --------------------------------------------------------------------------------


def _on_call(world: World, *staff: UUID) -> None:
    clinic_id, now = UUID(world.ids[ex.CLINIC]), world.services.clock.now()
    by = Actor(id="manager", role="manager")
    world.services.handle(
        clinic_id, clinic.SetOnCall(by=by, now=now, at=now, staff_ids=staff), Request(by=by, clinic_id=clinic_id))


def _nurses(world: World) -> tuple[UUID, UUID]:
    here: clinic.State = world.services.handling.current(clinic, UUID(world.ids[ex.CLINIC])).state
    first, second = sorted(who for who, role in here.staff if role in ("nurse", "prescriber"))[:2]
    return first, second


def _name(world: World, staff_id: UUID) -> str:
    with world.app.app_context():
        return full_name(staff_id)


def _letter(world: World, staff_id: UUID, status: str, trouble: str | None) -> None:
    with world.read_side.database.reads.begin() as sql:
        sql.execute(update(OUTBOX).where(OUTBOX.c.recipient == str(staff_id)).values(status=status, trouble=trouble))


def test_the_page_names_who_was_told_what_became_of_it_and_who_is_next(lived: World) -> None:
    nurse, second = _nurses(lived)
    _on_call(lived, nurse, second)
    alert_id = raise_alert(lived)
    said = section(lived.browser("manager").get("/alerts").text, alert_id)
    assert "Nobody has been told yet." in said
    assert f"Next: {_name(lived, nurse)}, now." in said
    escalate(lived, alert_id, 1, nurse)
    said = section(lived.browser("manager").get("/alerts").text, alert_id)
    assert f"Told so far: {_name(lived, nurse)}: letter on its way" in said
    assert re.search(rf"Next: {_name(lived, second)}, \w+ \d+ \w+ \d{{4}}, \d\d:\d\d", said), said
    _letter(lived, nurse, "dropped", "no address")
    said = section(lived.browser("manager").get("/alerts").text, alert_id)
    assert f"{_name(lived, nurse)}: no e-mail address on record" in said
    assert "No letter about it has reached anybody. See to it that somebody calls the patient." in said
    escalate(lived, alert_id, 2, nurse, second, everybody=True)
    _letter(lived, second, "sent", None)
    said = section(lived.browser("manager").get("/alerts").text, alert_id)
    assert f"{_name(lived, second)}: letter put into the mail folder" in said
    assert "No letter about it" not in said
    assert "Next: everybody here who answers alerts again," in said
    _on_call(lived)


def test_nobody_told_for_minutes_and_nobody_to_tell_is_said_loudly(
    lived: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never "0 people told": in words, and in the colour of an alarm."""
    alert_id = raise_alert(lived)
    monkeypatch.setattr("api.web.told.LATE", timedelta(minutes=-1))
    page = lived.browser("nurse").get("/alerts").text
    assert "the worker seems to stand still" in section(page, alert_id)
    assert '<p class="banner alarm"><strong>Nobody has been told of it yet' in page
    monkeypatch.setattr("domain.clinic.everybody", lambda here: ())
    assert "Nobody could be told: nobody who works at" in section(lived.browser("nurse").get("/alerts").text, alert_id)


def test_an_alert_that_was_brought_to_people_sixty_times_says_that_it_ended(
    lived: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.web.told.MOST_STEPS", 1)
    alert_id = raise_alert(lived)
    escalate(lived, alert_id, 1, UUID(lived.ids[ex.NURSE]))
    said = section(lived.browser("nurse").get("/alerts").text, alert_id)
    assert "Nobody is told of it any more: it was brought to people 1 times and nobody acknowledged." in said
    assert "Next:" not in said

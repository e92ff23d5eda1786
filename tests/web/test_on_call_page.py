"""The page of who is on call: the list in its order, the time, the number; who may set them, what is wrong in words."""

from __future__ import annotations

from html import unescape
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.http import examples as ex
from domain import clinic
from domain.clinic.on_call import ANSWERS_ALERTS
from tests.api.world import World
from tests.web.test_alerts_and_digest import token


def on_call_of(world: World) -> clinic.State:
    state: clinic.State = world.services.handling.current(clinic, UUID(world.ids[ex.CLINIC])).state
    return state


def send(world: World, browser: FlaskClient, **form: object) -> TestResponse:
    fields = {name: str(value) for name, value in form.items()}
    return browser.post(
        f"/schedule/{world.ids[ex.CLINIC]}/on-call", data={"key": str(uuid4()), **fields, **token(browser)})


def read(world: World, browser: FlaskClient) -> str:
    return unescape(browser.get(f"/schedule/{world.ids[ex.CLINIC]}/on-call").text)


@pytest.fixture
def people(lived: World) -> list[UUID]:
    """Two who answer alerts at clinic A; nobody is on call."""
    here = on_call_of(lived)
    browser = lived.browser("manager")
    for one in clinic.still_here(here):
        assert send(lived, browser, do="remove", staff=one).status_code == 303
    return sorted(who for who, role in here.staff if role in ANSWERS_ALERTS)[:2]


def test_a_manager_sets_the_list_its_order_the_time_and_the_number(lived: World, people: list[UUID]) -> None:
    """One button at a time; each change keeps the rest; the number is what patients' pages show."""
    first, second = people
    browser = lived.browser("manager")
    assert "Nobody is on call." in read(lived, browser)
    for one in people:
        assert send(lived, browser, do="add", staff=one).status_code == 303
    assert on_call_of(lived).on_call.staff_ids == (first, second)
    assert send(lived, browser, do="details", minutes=25, phone="+1 555 0199").status_code == 303
    assert send(lived, browser, do="earlier", staff=second).status_code == 303
    now = on_call_of(lived).on_call
    assert (now.staff_ids, now.escalate_after_minutes, now.clinic_phone) == ((second, first), 25, "+1 555 0199")
    assert send(lived, browser, do="remove", staff=second).status_code == 303
    assert on_call_of(lived).on_call.staff_ids == (first,)
    shown = read(lived, browser)
    assert 'value="25"' in shown
    assert 'value="+1 555 0199"' in shown
    assert send(lived, browser, do="details", minutes=10, phone="").status_code == 303
    assert on_call_of(lived).on_call.clinic_phone is None


@pytest.mark.parametrize(("form", "words"), [
    ({"do": "details", "minutes": "0", "phone": ""}, "The time to acknowledge runs from 1 minute to a day."),
    ({"do": "details", "minutes": "ten", "phone": ""}, "The time is in whole minutes, from 1 to 1440."),
    ({"do": "details", "minutes": "10", "phone": "call us"}, "That is no telephone number"),
    ({"do": "add", "staff": ""}, "Choose somebody."), ({"do": "add", "staff": "x"}, "Choose one of the list."),
    ({"do": "add", "staff": str(uuid4())}, "They do not work here any more."),
    ({"do": "remove", "staff": str(uuid4())}, "They are not on the list any more."), ({}, "Choose somebody."),
])
def test_what_cannot_be_is_told_in_words_and_changes_nothing(
    lived: World, people: list[UUID], form: dict[str, str], words: str
) -> None:
    """With what was typed still in the form."""
    before, browser = on_call_of(lived).on_call, lived.browser("manager")
    answer = send(lived, browser, **form)
    assert answer.status_code == 422
    assert words in unescape(answer.text)
    if form.get("phone"):
        assert f'value="{form["phone"]}"' in answer.text
    assert on_call_of(lived).on_call == before


def test_somebody_is_on_the_list_once(lived: World, people: list[UUID]) -> None:
    """A double click is one entry; the same again is told."""
    browser, key = lived.browser("manager"), str(uuid4())
    for _ in range(2):
        assert send(lived, browser, do="add", staff=people[0], key=key).status_code == 303
    answer = send(lived, browser, do="add", staff=people[0])
    assert (answer.status_code, "They are on the list already." in answer.text) == (422, True)
    assert on_call_of(lived).on_call.staff_ids == (people[0],)


def test_who_only_answers_reads_it_and_who_has_no_address_is_named(
    lived: World, people: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A nurse sees who is on call and no form; that no letter reaches somebody is said before it is needed."""
    send(lived, lived.browser("manager"), do="add", staff=people[0])
    shown = read(lived, lived.browser("nurse"))
    assert 'name="do"' not in shown
    assert "1. " in shown
    assert "no letter reaches them" not in shown
    monkeypatch.setattr("api.web.schedule.on_call_pages.email_of", lambda services, staff_id: None)
    assert "no e-mail address on record: no letter reaches them" in read(lived, lived.browser("nurse"))
    assert send(lived, lived.browser("nurse"), do="remove", staff=people[0]).status_code == 403

"""Another clinic's ids in a page's form: whatever field they are put into, nothing is done and nothing is told.

Each form of the schedule and of the day is taken as clinic A's desk or manager sees it, with A's own choices filled in,
and sent once for every id in it with B's thing of that kind in its place, and at last as it was, which works: so each
refusal is that one id's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.http import examples as ex
from tests.api.story import NEVER_CARES, ROOM_2
from tests.api.world import World
from tests.web.forms import Form, forms_of
from tests.web.test_schedule import at, day, page, path

STRANGER, STRANGE_ROOM, STRANGE_VISIT = "a stranger", "a strange room", "a strange visit"
SECRETS = ("Fremdling", "Strange room")
"""The name of B's patient and of its room."""


@dataclass(frozen=True)
class Sent:
    """A form as it is posted."""

    action: str
    data: dict[str, list[str]]


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World]) -> World:
    """Clinics A and B, each with a room that is open day and night, a patient, a visit booked."""
    made = make_world().tell(until="courses.open")
    other = made.ids[NEVER_CARES]
    week = [{"weekday": weekday, "opens": "00:00", "closes": "00:00"} for weekday in range(1, 8)]
    hours = {"hours": week, "prime": [], "effective_from": day(made, 0).isoformat()}
    made.ids[STRANGE_ROOM] = _at_b(made, "manager", f"/v1/clinics/{other}/rooms", {"room_name": SECRETS[1]}, "room_id")
    _at_b(made, "manager", f"/v1/clinics/{other}/opening-hours", hours)
    somebody = {"family_name": SECRETS[0], "given_name": "Sam", "birth_date": "1970-01-01", "sex": "female"}
    made.ids[STRANGER] = _at_b(made, "front_desk", "/v1/patients", {**somebody, "home_clinic_id": other}, "id")
    visit = {"patient_id": made.ids[STRANGER], "room_id": made.ids[STRANGE_ROOM], "visit_kind": "follow_up",
             "starts_at": at(made, 4, 9), "ends_at": at(made, 4, 10)}
    booked = f"/v1/appointments/{other}/{day(made, 4)}"
    made.ids[STRANGE_VISIT] = _at_b(made, "front_desk", booked, visit, "appointment_id")
    return made.caught_up()


def _at_b(world: World, role: Any, url: str, body: dict[str, Any], name: str = "") -> str:
    version = None
    for _ in range(2):
        answer = world.post(url, body, key=world.keys[role, "B"], idempotency_key=str(uuid4()), if_match=version)
        if answer.status_code != 428:
            break
        version = int(world.get(f"/v1/clinics/{world.ids[NEVER_CARES]}", "manager", "B").headers["ETag"].strip('"'))
    assert answer.status_code == 201, (url, answer.text)
    given = answer.get_json()
    return "" if not name else str(given.get("ids", {}).get(name) or given[name])


def swapped(world: World, form: Form) -> Iterator[tuple[str, Sent]]:
    """The form with one of A's ids exchanged for B's, once for each place where one stands, and where it stood."""
    pairs = {
        world.ids[ex.CLINIC]: world.ids[NEVER_CARES], world.ids[ex.ROOM]: world.ids[STRANGE_ROOM],
        world.ids[ROOM_2]: world.ids[STRANGE_ROOM], world.ids[ex.PATIENT]: world.ids[STRANGER],
        world.ids[ex.DUPLICATE]: world.ids[STRANGER],
    }  # fmt: skip
    if "visit" in world.ids:
        pairs[world.ids["visit"]] = world.ids[STRANGE_VISIT]
    for own, foreign in pairs.items():
        if own in form.action:
            yield f"{own} in the address", Sent(form.action.replace(own, foreign), form.fields)
        for name, values in form.fields.items():
            if any(own in value for value in values):
                changed = [value.replace(own, foreign) for value in values]
                yield f"{own} in {name}", Sent(form.action, {**form.fields, name: changed})


def send(browser: FlaskClient, sent: Sent) -> TestResponse:
    """With a key of its own: what was sent before is not answered again."""
    data = {**sent.data, "key": [str(uuid4())]} if "key" in sent.data else sent.data
    return browser.post(sent.action, data=data)


def faults(world: World, browser: FlaskClient, form: Form) -> list[str]:
    """What was done or told for B's ids; that nothing of the form was exchanged is one too."""
    found, tried = [], 0
    for where, sent in swapped(world, form):
        tried += 1
        head = world.services.log.head()
        answer = send(browser, sent)
        written = {record.name for record in world.services.log.read(head, 100)}
        if answer.status_code not in (403, 404, 422) or written - {"oversight.command_refused.v1"}:
            found.append(f"{where}: {answer.status_code}, wrote {written}")
        found += [f"{where}: tells {secret}" for secret in SECRETS if secret in answer.text]
    return found if tried else ["it holds no id of A"]


def _form(browser: FlaskClient, address: str, ends: str, **filled: str) -> Form:
    html = page(browser, address)
    form = next(
        one for one in forms_of(html) if one.method == "post" and one.action.partition("?")[0].endswith(ends)
    )
    fields = {**form.fields, **{name: [value] for name, value in filled.items()}}
    return replace(form, fields=fields)


def _slot(world: World, room: str, days: int, hour: int) -> str:
    return f"{world.ids[room]}|{at(world, days, hour)}"


def _booking(world: World, browser: FlaskClient) -> Form:
    address = path(world, f"book?patient={world.ids[ex.DUPLICATE]}&kind=follow_up&on={day(world, 3)}")
    return _form(browser, address, "/book", slot=_slot(world, ex.ROOM, 3, 9))


def _visit(world: World, browser: FlaskClient, hour: int) -> str:
    """The address of a visit booked at A for this."""
    sent = _booking(world, browser)
    answer = send(browser, Sent(sent.action, {**sent.fields, "slot": [_slot(world, ROOM_2, 5, hour)]}))
    world.ids["visit"] = answer.headers["Location"].rpartition("#a-")[2]
    return path(world, f"{day(world, 5)}/{world.ids['visit']}")


def _move(world: World, browser: FlaskClient) -> Form:
    return _form(browser, _visit(world, browser, 9), "/move", slot=_slot(world, ex.ROOM, 6, 11), asked_by="patient",
                 reason="transport")


def _confirm(world: World, browser: FlaskClient) -> Form:
    return _form(browser, _visit(world, browser, 11), "/confirm")


def _cancel(world: World, browser: FlaskClient) -> Form:
    return _form(browser, _visit(world, browser, 13), "/cancel", asked_by="patient", reason="illness")


def _series(world: World, browser: FlaskClient) -> Form:
    address = path(world, f"series?patient={world.ids[ex.PATIENT]}&infusions=2&from={day(world, 8)}&clock=10:00")
    return _form(browser, address, "/series")


def _wait(world: World, browser: FlaskClient) -> Form:
    return _form(browser, path(world, f"waitlist?patient={world.ids[ex.DUPLICATE]}"), "/waitlist")


def _closure(world: World, browser: FlaskClient) -> Form:
    first = day(world, 20).isoformat()
    return _form(browser, path(world, "premises"), "/closures", room=world.ids[ex.ROOM], first=first, last=first,
                 reason="maintenance", **{"from": "09:00", "until": "10:00"})


FORMS: dict[str, tuple[Any, Callable[[World, FlaskClient], Form]]] = {
    "book": ("front_desk", _booking), "confirm": ("front_desk", _confirm), "move": ("front_desk", _move),
    "series": ("front_desk", _series), "wait": ("front_desk", _wait), "closure": ("manager", _closure),
    "cancel": ("front_desk", _cancel),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_nothing_is_done_with_another_clinics_ids(world: World, name: str) -> None:
    """Each id of the form in turn, then the form as it was: that is done, so what was wrong was the id."""
    role, made = FORMS[name]
    browser = world.browser(role, "A")
    form = made(world, browser)
    assert faults(world, browser, form) == []
    head = world.services.log.head()
    answer = send(browser, Sent(form.action, form.fields))
    assert answer.status_code == 303, answer.text[-1500:]
    assert world.services.log.head() > head

"""The pages of alerts from home and of one's digest: who may, at which clinic, and what their forms do."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient

from api.auth.policy import POLICY
from api.http import examples as ex
from domain import diary
from domain.clinic.on_call import ANSWERS_ALERTS
from domain.kernel import Role, derived_id
from tests.api.world import ROLES, World


def token(client: FlaskClient) -> dict[str, str]:
    """A form's token, as the page that holds the form gives it."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/account").text)
    assert found is not None
    return {"csrf_token": found.group(1)}


def raise_alert(world: World) -> str:
    """A nurse charts what the patient reported by telephone: chest pain."""
    url = f"/v1/diary/{world.ids[ex.PATIENT]}/side-effects"
    body = {"kind": "chest_pain", "grade": 1, "onset_at": world.now.isoformat()}
    made = world.post(url, body, key=world.keys["nurse", "A"], idempotency_key=str(uuid4()))
    assert made.status_code == 201, made.text
    world.caught_up()
    state = world.services.handling.current(diary, derived_id("diary", UUID(world.ids[ex.PATIENT]))).state
    return str(state.alerts[-1].alert_id)


def test_an_alert_waits_in_the_list_until_it_is_acknowledged_on_the_page(lived: World) -> None:
    alert_id = raise_alert(lived)
    listed = lived.get("/v1/alerts", "nurse", "A").get_json()["alerts"]
    (mine,) = [one for one in listed if one["alert_id"] == alert_id]
    assert (mine["kind"], mine["patient_id"]) == ("chest_pain", lived.ids[ex.PATIENT])
    browser = lived.browser("nurse")
    page = browser.get("/alerts")
    assert page.status_code == 200
    assert "Chest pain" in page.text
    assert "Example, Alex" in page.text, "who is meant, without opening another page"
    answer = browser.post(f"/alerts/{lived.ids[ex.PATIENT]}/{alert_id}", data={
        "action": "called_patient", "note": "", **token(browser)})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/alerts?done=1")
    lived.caught_up()
    assert alert_id not in lived.get("/v1/alerts", "nurse", "A").text
    again = browser.post(f"/alerts/{lived.ids[ex.PATIENT]}/{alert_id}", data={
        "action": "false_alarm", "note": "", **token(browser)})
    assert again.status_code == 303, "somebody else was faster: that is what was wanted"


def test_another_clinics_alerts_are_not_there(lived: World) -> None:
    """Neither in the list nor by their ids; and a clinic that is not one's own is not found."""
    alert_id = raise_alert(lived)
    assert alert_id not in lived.get("/v1/alerts", "nurse", "B").text
    assert lived.get(f"/v1/alerts?clinics={lived.ids[ex.CLINIC]}", "nurse", "B").status_code == 404
    browser = lived.browser("nurse", "B")
    answer = browser.post(
        f"/alerts/{lived.ids[ex.PATIENT]}/{alert_id}", data={"action": "called_patient", **token(browser)})
    assert answer.status_code == 404
    assert alert_id in lived.get("/v1/alerts", "nurse", "A").text


@pytest.mark.parametrize("path", ["/alerts", "/account/digest"])
def test_who_may_open_the_page(lived: World, path: str) -> None:
    operation = {"/alerts": "web_alerts.show", "/account/digest": "web_digest.show"}[path]
    for role in ROLES:
        if role == "integrator":
            continue
        status = lived.browser(role).get(path).status_code
        assert status == (200 if role in POLICY[operation].roles else 403), role
    assert lived.app.test_client().get(path).status_code == 303


@pytest.mark.parametrize("role", [one for one in ROLES if one != "integrator"])
def test_whoever_is_told_of_an_alert_acknowledges_it_and_nobody_else(lived: World, role: Role) -> None:
    """A manager is on call too: who is woken can put an end to it, by page and by key."""
    alert_id, may = raise_alert(lived), role in ANSWERS_ALERTS
    browser = lived.browser(role)
    answer = browser.post(
        f"/alerts/{lived.ids[ex.PATIENT]}/{alert_id}", data={"action": "prescriber_informed", **token(browser)})
    assert answer.status_code == (303 if may else 403)
    assert (alert_id in lived.get("/v1/alerts", "owner", "A").text) != may
    alert_id = raise_alert(lived)
    said = lived.post(
        f"/v1/diary/{lived.ids[ex.PATIENT]}/alerts/{alert_id}/acknowledge", {"action": "prescriber_informed"},
        key=lived.keys[role, "A"], idempotency_key=str(uuid4()))
    assert said.status_code == (201 if may else 403), said.text
    assert lived.app.test_client().post(f"/alerts/{lived.ids[ex.PATIENT]}/{alert_id}").status_code in (303, 403)


def test_a_digest_is_asked_for_moved_and_stopped_on_ones_account(lived: World) -> None:
    browser = lived.browser("manager")

    def post(**form: Any) -> int:
        return browser.post("/account/digest", data={**form, **token(browser)}).status_code

    assert "You do not get it" in browser.get("/account/digest").text
    assert post(email="nobody") == 422
    assert post(email="mia@clinic.example") == 303
    assert "mia@clinic.example" in browser.get("/account/digest").text
    assert post(email="mia@elsewhere.example") == 303
    page = browser.get("/account/digest").text
    assert "mia@elsewhere.example" in page
    assert "mia@clinic.example" not in page
    assert post(do="stop") == 303
    assert "You do not get it" in browser.get("/account/digest").text

"""The page of a patient's one-tap links, and the way from a patient to the booking form."""

from __future__ import annotations

import re
from html import unescape
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from api.auth.policy import POLICY
from api.http import examples as ex
from domain.kernel import Role
from tests.api.world import ROLES, World
from tests.web.forms import form_of, forms_of, submit

PEOPLE = [role for role in ROLES if role != "integrator"]


def path(world: World) -> str:
    return f"/patients/{world.ids[ex.PATIENT]}/links"


def page(browser: FlaskClient, address: str, status: int = 200) -> str:
    answer = browser.get(address)
    assert answer.status_code == status, answer.text[:500]
    return unescape(answer.text)


def test_the_desk_makes_a_link_reads_out_its_address_once_and_revokes_it(lived: World) -> None:
    """The address works, says nothing of anybody, and stands on no later page; each look is on record."""
    browser, access = lived.browser("front_desk"), lived.services.access.log
    form = form_of(page(browser, path(lived)), "/links")
    head = access.head()
    made = submit(browser, form, asks=["nrs", "peg"], days=7)
    assert made.status_code == 200 and made.headers["Cache-Control"] == "no-store"
    (address,) = re.findall(r'<code class="feed">([^<]+)</code>', made.text)
    token = address.partition("/p/")[2]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    assert {one.event.resource for one in access.read(head, 10)} == {"diary.link", "diary.links"}  # type: ignore[attr-defined]
    again = submit(browser, form, asks=["nrs", "peg"], days=7)
    assert token in again.text, "a form that is sent twice makes one link"
    assert submit(browser, form, asks=["nrs"], days=7).status_code == 422
    assert lived.app.test_client().get(f"/p/{token}").status_code == 200
    html = page(browser, path(lived))
    assert token not in html and "<td>front_desk A</td>" in html
    revoke = next(one for one in forms_of(html) if one.action.endswith("/revoke"))
    assert submit(browser, revoke).headers["Location"].endswith("/links?said=revoked")
    assert "answers no more" in page(browser, f"{path(lived)}?said=revoked")
    assert lived.app.test_client().get(f"/p/{token}").status_code == 410


@pytest.mark.parametrize(("typed", "told"), [
    ({"asks": None}, "Choose what is to be asked."), ({"asks": ["party"]}, "Choose from the list"),
    ({"days": "400"}, "for how long"), ({"days": "soon"}, "for how long"), ({"key": ""}, "open the page again"),
    ({"follow_up": "x"}, "Choose one of the list"), ({"follow_up": str(uuid4())}, "follow-up"),
])
def test_what_cannot_be_is_told_in_words_and_makes_no_link(lived: World, typed: dict[str, object], told: str) -> None:
    browser = lived.browser("nurse")
    before = page(browser, path(lived)).count("/revoke\"")
    refused = submit(browser, form_of(page(browser, path(lived)), "/links"), **typed)
    assert (refused.status_code, told in unescape(refused.text)) == (422, True), refused.text
    assert page(browser, path(lived)).count("/revoke\"") == before


@pytest.mark.parametrize("role", PEOPLE)
def test_who_may_is_as_the_policy_says_and_at_no_other_clinic(lived: World, role: Role) -> None:
    allowed = role in POLICY["web_home_links.show"].roles
    assert POLICY["web_home_links.make"].roles == POLICY["diary.make_link"].roles
    assert lived.browser(role).get(path(lived)).status_code == (200 if allowed else 403)
    assert lived.browser(role, "B").get(path(lived)).status_code == (404 if allowed else 403)
    without_token = {"asks": "nrs", "days": "3", "key": str(uuid4())}
    assert lived.browser(role).post(path(lived), data=without_token).status_code == 403


def test_another_patients_link_is_not_there(lived: World) -> None:
    browser = lived.browser("nurse")
    form = form_of(page(browser, path(lived)), "/links")
    nowhere = f"{path(lived)}/{uuid4()}/revoke"
    assert browser.post(nowhere, data=form.fields).status_code == 404


def test_from_the_patient_one_click_leads_to_the_booking_form_and_to_the_links(lived: World) -> None:
    """For those who may: the auditor reads the page and has neither way."""
    patient, clinic = lived.ids[ex.PATIENT], lived.ids[ex.CLINIC]
    book = f"/schedule/{clinic}/book?patient={patient}"
    html = page(lived.browser("nurse"), f"/patients/{patient}")
    assert f'href="{book}"' in html and f'href="{path(lived)}"' in html
    assert "Kind of visit" in page(lived.browser("nurse"), book)
    html = page(lived.browser("auditor"), f"/patients/{patient}")
    assert "/book?patient=" not in html and path(lived) not in html
    html = page(lived.browser("front_desk"), f"/schedule/{clinic}/visits?patient={patient}")
    assert f'href="{book}"' in html and f'href="{path(lived)}"' in html

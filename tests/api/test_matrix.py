"""Every page and endpoint x every role x own and other clinic (issue 3, point 5: broken object level authorisation).

Generated from the URL map and the policy table, so a new page or endpoint is in it by itself: where its address or
its question cannot be made from the story's things, the test fails until a row here says how. The organisation has
two clinics, A with a patient, a course, visits and a cabinet, and B with nothing of them.

- Who may not by role is told so (403), at either clinic.
- Who may is answered at the own clinic; at the other the address of a thing of A is the 404 of nothing at all, and an
  answer without such an address holds nothing of A.
- Without a key or session nobody is answered; a key opens no page and a session no endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from api.auth import policy
from api.http import examples as ex
from api.http.context import EXTENSION
from api.http.pages import is_page
from api.http.resources import patient_reads
from domain.kernel import Role
from tests.api.story import BOOKED_ON, CLOSED_FEED, HOME_ALERT, NEVER_CARES, Step, story
from tests.api.test_reads import QUERIES
from tests.api.world import ROLES, World

STEPS: dict[str, Step] = {}
for _step in story():
    STEPS.setdefault(_step.operation, _step)

ARGUMENTS = {
    "clinic_id": ex.CLINIC, "room_id": ex.ROOM, "closure_id": ex.CLOSURE, "staff_id": ex.NURSE,
    "patient_id": ex.PATIENT, "course_id": ex.COURSE, "booster_id": ex.BOOSTER, "infusion_id": ex.INFUSION,
    "appointment_id": ex.APPOINTMENT, "entry_id": ex.WAITLIST_ENTRY, "lot_id": ex.LOT, "feed_id": CLOSED_FEED,
}  # fmt: skip
"""Which of the story's things an argument of an address stands for."""

PAGE_QUESTIONS = {
    "web_rows.show": "?figure=together.rooms.open_minutes", "web_schedule.of_patient": f"?patient={ex.PATIENT}",
}  # fmt: skip
"""What a page must be asked with."""

BODIES: dict[str, dict[str, Any]] = {
    "patients.search": {"name": "exam"}, "diary.make_link": {"asks": ["nrs"]}, "diary.revoke_link": {},
}  # fmt: skip
"""Bodies of what is posted but is no command of the log."""

ONLY_FOR_ALL_CLINICS = frozenset({"clinics.open"})
"""Whoever is bound to a clinic may not, whatever the role."""

ALSO_ASKS = {"web_rows.show": "dashboards.utilization_rows"}
"""A page that shows what an endpoint shows, to whom the endpoint shows it."""

OF_THE_ORGANISATION = frozenset({
    "clinics.open", "staff.join", "staff.record_credentials", "staff.leave", "staff.show", "staff.list",
})  # fmt: skip
"""Staff and the list of clinics are the organisation's, not one clinic's."""

FOR_ANY_PATIENT = frozenset({"patients.use_emergency_access"})
"""The one door into another clinic's record: reasoned, for a while, and loud (tests of its own)."""

ANSWERED = frozenset({200, 201, 204, 303})

EMPTY = {"dashboards.boosters_rows": frozenset({422})}
"""Figures are named by what there is; the story's clinics have no booster to name one by."""


@dataclass(frozen=True)
class Asked:
    """One operation as a client asks for it."""

    operation: str
    method: str
    address: str
    names_a_thing: bool


@pytest.fixture(scope="module")
def told(make_world: Callable[..., World]) -> World:
    """A world of the matrix's own: elsewhere strangers of clinic B open A's records in an emergency, as B may see."""
    return make_world().tell().caught_up()


@pytest.fixture(scope="module", autouse=True)
def people(told: World) -> None:
    """Those who sign in have passwords: some of their own pages are for them only."""
    accounts = told.app.extensions[EXTENSION].identity.accounts
    for (role, at), user_id in told.users.items():
        if accounts.of(user_id) is None:
            accounts.create(f"{role} {at}", "violet harbour kettle 41", user_id=user_id)


def may(operation: str, role: Role) -> bool:
    """Whether the table lets the role."""
    asked_too = ALSO_ASKS.get(operation, operation)
    return role in policy.POLICY[operation].roles and role in policy.POLICY[asked_too].roles


def operations() -> list[str]:
    """Whatever the policy lets some role do."""
    return sorted(policy.POLICY)


def rule_of(world: World, operation: str) -> Rule:
    return next(world.app.url_map.iter_rules(operation))


def asked(world: World, operation: str) -> Asked:
    """The operation on A's things."""
    rule = rule_of(world, operation)
    method = "POST" if "POST" in (rule.methods or set()) and "GET" not in (rule.methods or set()) else "GET"
    step = STEPS.get(operation)
    if step is not None:
        address = world.url(step)
    else:
        address = world.app.url_map.bind("localhost").build(operation, _arguments(world, rule))
    question = {**QUERIES, **PAGE_QUESTIONS}.get(operation, "") if method == "GET" else ""
    things = {name for name in rule.arguments if name.endswith("_id") or name == "position"}
    return Asked(operation, method, address + _real(world, question), bool(things))


def _real(world: World, question: str) -> str:
    return question.replace(ex.PATIENT, world.ids[ex.PATIENT])


def _arguments(world: World, rule: Rule) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in rule.arguments:
        if name == "local_date":
            values[name] = date.fromisoformat(world.real(BOOKED_ON))
        elif name == "position":
            values[name] = _position_at_a(world)
        elif name == "dashboard":
            values[name] = "utilization"
        elif name == "session_id":
            values[name] = "0" * 16
        elif name == "link_id":
            values[name] = _link_at_a(world)
        elif name == "alert_id":
            values[name] = UUID(world.ids[HOME_ALERT])
        elif name in ARGUMENTS:
            values[name] = UUID(world.ids[ARGUMENTS[name]])
        else:
            raise AssertionError(f"{rule.rule}: say in ARGUMENTS what {name} stands for")
    return values


def _link_at_a(world: World) -> UUID:
    made = world.post(
        f"/v1/diary/{world.ids[ex.PATIENT]}/links", {}, key=world.keys["nurse", "A"], idempotency_key=str(uuid4())
    )
    return UUID(made.get_json()["link_id"])


def _position_at_a(world: World) -> int:
    patient = UUID(world.ids[ex.PATIENT])
    return next(record.position for record in world.services.log.read(0, 1000) if record.subject == patient)


def secrets_of_a(world: World) -> set[str]:
    """What an answer to clinic B may never hold: A's id and those of its patient's things."""
    named = (ex.CLINIC, ex.PATIENT, ex.COURSE, ex.INFUSION, ex.APPOINTMENT, ex.ROOM, ex.LOT, ex.BOOSTER)
    return {world.ids[name] for name in named if name in world.ids}


def ask(world: World, one: Asked, role: Role, at: str) -> TestResponse:
    """As somebody of `role` at clinic A or B; commands carry a stale version, so that none is carried out."""
    if is_page(one.operation):
        return _ask_page(world, one, role, at)
    if one.method == "GET":
        return world.get(one.address, role, at)
    step = STEPS.get(one.operation)
    body = world.body(step) if step is not None else BODIES[one.operation]
    return world.post(
        one.address, body, key=world.keys[role, at], idempotency_key=str(uuid4()), if_match=99_999
    )


def _ask_page(world: World, one: Asked, role: Role, at: str) -> TestResponse:
    if role == "integrator":  # machines have no sessions: the best they can send is their key
        return world.client.open(
            one.address, method=one.method, headers={"Authorization": f"Bearer {world.keys[role, at]}"}
        )
    browser = world.browser(role, at)
    if one.method == "GET":
        return browser.get(one.address)
    return browser.post(one.address, headers={"X-CSRFToken": _form_token(browser)})


def _form_token(browser: FlaskClient) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/account").text)
    assert found is not None
    return found[1]


def cells() -> Iterator[tuple[Role, str]]:
    """Every role at its own clinic's things and at the other's."""
    for role in ROLES:
        for at in ("A", "B"):
            yield role, at


def fault(world: World, one: Asked, role: Role, at: str) -> str | None:
    """What is wrong with the answer in this cell of the matrix; None when it is right."""
    answer = ask(world, one, role, at)
    status, code = answer.status_code, (answer.get_json(silent=True) or {}).get("code")
    if status >= 500:
        return f"{status}: {answer.text[:200]}"
    if is_page(one.operation) and role == "integrator":
        refused = status == 303 or (one.method == "POST" and status == 403)
        return None if refused else f"a key opens a page: {status}"
    if not may(one.operation, role) or one.operation in ONLY_FOR_ALL_CLINICS:
        told = status == 403 and (is_page(one.operation) or code == "not-permitted")
        return None if told else f"may not by role, but {status} {code}"
    if at == "A":
        return _fault_at_own(one, answer, status, code)
    if one.operation in OF_THE_ORGANISATION | FOR_ANY_PATIENT:
        return None if code not in ("not-permitted", "not-found") else f"of the organisation, but {status} {code}"
    return _fault_at_other(world, one, answer, status)


def _fault_at_own(one: Asked, answer: TestResponse, status: int, code: str | None) -> str | None:
    if status == 401 or code in ("not-permitted", "form-expired", "not-found"):
        return f"may, but {status} {code}"
    if is_page(one.operation) and one.method == "GET":
        return None if status in ANSWERED else f"may, but {status}: {answer.text[-400:]}"
    if is_page(one.operation):
        own = status != 403 or "present password" in answer.text or "second step" in answer.text
        return None if own else f"may, but {status}"
    if one.method == "GET" or one.operation in BODIES:
        answered = status in ANSWERED | EMPTY.get(one.operation, frozenset())
        return None if answered else f"may, but {status} {answer.text[:200]}"
    return None


def _fault_at_other(world: World, one: Asked, answer: TestResponse, status: int) -> str | None:
    names_a_thing = one.names_a_thing or (one.operation in STEPS and one.operation not in OF_THE_ORGANISATION)
    if names_a_thing and status != 404:
        return f"a thing of A, but {status} {answer.text[:200]}"
    expected = ANSWERED | EMPTY.get(one.operation, frozenset())
    if not names_a_thing and one.method == "GET" and status not in expected:
        return f"may, but {status} {answer.text[:200]}"
    body = answer.text
    shown = sorted(secret for secret in secrets_of_a(world) if secret in body and secret not in one.address)
    return f"holds things of A: {shown}" if shown else None


@pytest.mark.parametrize("operation", operations())
def test_every_role_at_its_own_and_at_the_other_clinic(told: World, operation: str) -> None:
    """One row of the matrix: eight roles, two clinics."""
    one = asked(told, operation)
    head = told.services.log.head()
    faults = {}
    for role, at in cells():
        wrong = fault(told, one, role, at)
        if wrong is not None:
            faults[role, at] = wrong
    assert faults == {}
    written = [record.name for record in told.services.log.read(head, 1000)]
    assert set(written) <= {"oversight.permission_changed.v1", "oversight.command_refused.v1"}, written


@pytest.mark.parametrize("operation", operations())
def test_nobody_without_a_key_or_with_the_wrong_kind_of_one(told: World, operation: str) -> None:
    """Without: 401, or to the sign-in page. A session is nothing to an endpoint, a key nothing to a page."""
    one = asked(told, operation)
    owner = {"Authorization": f"Bearer {told.keys['owner', 'all']}"}
    if is_page(operation):
        expected = {303} if one.method == "GET" else {303, 403}
        answers = [
            told.app.test_client().open(one.address, method=one.method, headers=headers) for headers in ({}, owner)
        ]
        assert all(answer.status_code in expected for answer in answers), [one.status for one in answers]
        assert all("/sign-in" in answer.headers.get("Location", "/sign-in") for answer in answers)
    else:
        browser = told.browser("owner", "all")
        body = told.body(STEPS[operation]) if operation in STEPS else {}
        for client in (told.app.test_client(), browser):
            answer = client.open(one.address, method=one.method, json=body if one.method == "POST" else None)
            assert (answer.status_code, answer.get_json()["code"]) == (401, "not-authenticated")


def test_the_matrix_has_a_row_for_every_address(told: World) -> None:
    """What is served is in the policy, or is named as open to everybody (or to whoever holds a link)."""
    served = {rule.endpoint for rule in told.app.url_map.iter_rules()}
    assert served - set(operations()) == policy.PUBLIC | policy.LINKED
    assert set(operations()) <= served


def test_the_matrix_can_tell(told: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its negative control: a record that does not ask who cares for the patient, and a policy that is too loose."""
    show, chart = asked(told, "patients.show"), asked(told, "patients.chart")
    assert fault(told, show, "nurse", "B") is None
    with monkeypatch.context() as patch:
        patch.setattr(patient_reads, "patient_state", _whoever_asks)
        assert fault(told, show, "nurse", "B") is not None
    assert fault(told, chart, "biller", "A") is None
    with monkeypatch.context() as patch:
        patch.setattr(policy, "allows", lambda permit, role, scopes: True)
        assert fault(told, chart, "biller", "A") is not None


def _whoever_asks(patient_id: UUID) -> Any:
    from api.http.context import wired
    from domain.patient import patient

    return wired().services.handling.current(patient, patient_id)


def test_clinic_b_is_there_and_works(told: World) -> None:
    """Else a matrix full of 404 would prove nothing: B sees itself."""
    shown = told.get(f"/v1/clinics/{told.ids[NEVER_CARES]}", "manager", "B")
    assert shown.status_code == 200
    found = ask(told, asked(told, "patients.search"), "nurse", "A")
    assert told.ids[ex.PATIENT] in found.text, "and A finds its patient by the words that find nobody at B"
    assert [one["id"] for one in told.get("/v1/clinics", "nurse", "B").get_json()["clinics"]] == [
        told.ids[NEVER_CARES]
    ]

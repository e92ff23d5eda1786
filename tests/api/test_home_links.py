"""Making, listing and revoking one-tap links: who may, at which clinic, once under one Idempotency-Key."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from api.auth.policy import POLICY
from api.http import examples as ex
from tests.api.world import ROLES, World


def _links(world: World) -> str:
    return f"/v1/diary/{world.ids[ex.PATIENT]}/links"


def _make(world: World, role: str = "front_desk", at: str = "A", body: Any = None, key: str | None = None
          ) -> TestResponse:
    return world.post(_links(world), {} if body is None else body, key=world.keys[role, at],
                      idempotency_key=key or str(uuid4()))


def test_the_desk_makes_a_link_that_answers_at_the_patients_diary(lived: World) -> None:
    """Pain and side effects by default; the address is told once, holds no health data, and works."""
    made = _make(lived)
    told = made.get_json()
    assert (made.status_code, told["asks"], told["standing"]) == (201, ["nrs", "side_effects"], "open")
    path = told["url"].partition("/p/")[2]
    assert lived.client.get(f"/p/{path}").status_code == 200
    head = lived.services.log.head()
    lived.client.post(f"/p/{path}", data={"asked": "nrs", "at": "0", "given": "", "value": "4"})
    record = lived.services.log.read(head, 1)[0]
    assert (record.name, record.role, str(record.subject)) == (
        "diary.pain_scored.v1", "patient", lived.ids[ex.PATIENT])
    listed = lived.get(_links(lived), "nurse", "A").get_json()["links"]
    assert told["link_id"] in [one["link_id"] for one in listed]
    assert all("url" not in one for one in listed)
    opened = [r.event.resource for r in lived.services.access.log.read(0, 100_000)  # type: ignore[attr-defined]
              if r.name == "access.record_opened.v1"]
    assert {"diary.link", "diary.links"} <= set(opened)


def test_a_retry_makes_no_second_link_and_another_body_is_refused(lived: World) -> None:
    key = str(uuid4())
    first, again = _make(lived, key=key).get_json(), _make(lived, key=key).get_json()
    assert first["url"] == again["url"]
    other = _make(lived, body={"asks": ["phq9"]}, key=key)
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency-key-reused")


def test_a_revoked_link_is_over(lived: World) -> None:
    told = _make(lived).get_json()
    for _ in range(2):
        answer = lived.post(f"{_links(lived)}/{told['link_id']}/revoke", {}, key=lived.keys["nurse", "A"],
                            idempotency_key=str(uuid4()))
        assert (answer.status_code, answer.get_json()["standing"]) == (200, "over")
    assert lived.client.get(f"/p/{told['url'].partition('/p/')[2]}").status_code == 410


@pytest.mark.parametrize("body", [
    {"asks": []}, {"asks": ["rass"]}, {"asks": ["nrs", "nrs"]}, {"valid_hours": 0}, {"valid_hours": 721},
    {"follow_up_id": "x"}, {"name": "x"},
])
def test_a_link_that_cannot_be(lived: World, body: dict[str, Any]) -> None:
    assert _make(lived, body=body).status_code == 422


def test_a_follow_up_that_is_not_there(lived: World) -> None:
    assert _make(lived, body={"follow_up_id": str(uuid4())}).status_code == 404


@pytest.mark.parametrize("operation", ["make_link", "links", "revoke_link"])
def test_who_may(lived: World, operation: str) -> None:
    """Every role by the policy; another clinic's key is told nothing; no key is asked for one."""
    told = _make(lived).get_json()
    path = _links(lived) + (f"/{told['link_id']}/revoke" if operation == "revoke_link" else "")

    def ask(role: str, at: str) -> TestResponse:
        if operation == "links":
            return lived.get(path, role, at)
        return lived.post(path, {}, key=lived.keys[role, at], idempotency_key=str(uuid4()))

    for role in ROLES:
        allowed = role in POLICY[f"diary.{operation}"].roles
        assert (ask(role, "A").status_code == 403) != allowed, role
        if allowed:
            assert ask(role, "B").status_code == 404, role
    assert lived.client.open(path, method="GET" if operation == "links" else "POST").status_code == 401


def test_a_post_without_its_key(lived: World) -> None:
    answer = lived.post(_links(lived), {}, key=lived.keys["nurse", "A"])
    assert (answer.status_code, answer.get_json()["code"]) == (400, "idempotency-key-missing")

"""Keys, scopes, clinics, the second person: who may, and who is told nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.auth import policy
from api.http import examples as ex
from tests.api.story import ENDPOINTS, NEVER_CARES
from tests.api.world import PIN, WINDOW_DAYS, World


def test_the_table_has_not_changed_unnoticed() -> None:
    """Whoever changes a permission changes `VERSION` and this line with it."""
    assert (policy.VERSION, policy.fingerprint()[:16]) == ("2026-11-25.32", "01d98e27ae20d40e")


@pytest.mark.parametrize("header", [
    "", "Bearer", "Bearer ", "Basic abc", "Bearer anodyne_local_0000000000000000_x", "Bearer \x7f", "bearer nonsense",
    "Bearer anodyne_live_0000000000000000_" + "0" * 48, "Token abc", "Bearer eyJhbGciOiJub25lIn0.e30.",
])  # fmt: skip
def test_what_is_no_key(lived: World, header: str) -> None:
    """401 and the way to do it, never a hint at what was wrong with it."""
    answer = lived.client.get("/v1/clinics", headers={"Authorization": header})
    assert (answer.status_code, answer.get_json()["detail"]) == (
        401, "Send an API key: Authorization: Bearer anodyne_..."
    )  # fmt: skip


def test_scopes_narrow_a_role(lived: World) -> None:
    """A key with `events:read` reads the feed and nothing else that its role may."""
    user = lived.registry.create_user("narrow")
    clinics = [UUID(lived.ids[ex.CLINIC])]
    narrow = lived.registry.create_key(user, "owner", clinics=clinics, scopes=["events:read"]).text
    wide = lived.registry.create_key(user, "owner", clinics=clinics, scopes=["patients:*", "clinics:read"]).text

    def get(path: str, key: str) -> int:
        return lived.client.get(path, headers={"Authorization": f"Bearer {key}"}).status_code

    patient = f"/v1/patients/{lived.ids[ex.PATIENT]}"
    assert [get(path, narrow) for path in ("/v1/events", "/v1/clinics", patient)] == [200, 403, 403]
    assert [get(path, wide) for path in ("/v1/events", "/v1/clinics", patient)] == [403, 200, 200]


def test_a_revoked_key_stops(lived: World) -> None:
    """At once in the process that revokes it, elsewhere within the cache time."""
    key = lived.registry.create_key(lived.registry.create_user("gone"), "owner", clinics=None)
    headers = {"Authorization": f"Bearer {key.text}"}
    assert lived.client.get("/v1/clinics", headers=headers).status_code == 200
    lived.registry.revoke_key(key.key_id)
    assert lived.client.get("/v1/clinics", headers=headers).status_code == 401


def test_permission_changes_are_in_the_log(lived: World) -> None:
    """Making and revoking keys are events of the oversight stream."""
    changes = [record.event for record in lived.services.log.read(0, 10_000, names=["oversight.permission_changed.v1"])]
    assert {change.change for change in changes} >= {"key_created", "key_revoked"}  # type: ignore[attr-defined]


BODIES: list[tuple[str, str, dict[str, Any], str]] = [
    ("infusions", "nurse", {"visit_kind": "trial"}, "patient_id"),
    ("courses", "prescriber", {}, "patient_id"),
    ("diary/{own}/pain", "nurse", {"score": 1}, "infusion_id"),
    ("patients/{own}/merge", "manager", {"reason_code": "duplicate"}, "survivor_id"),
]


@pytest.mark.parametrize(("path", "role", "body", "field"), BODIES)
def test_ids_in_bodies_are_ids_too(lived: World, path: str, role: str, body: dict[str, Any], field: str) -> None:
    """Another clinic's patient or visit in a body: 404, the same as one that nobody has."""
    if path == "courses":
        body = dict(ENDPOINTS["courses.hold_consultation"].example)
        body = {name: value for name, value in lived.real(body).items() if name != "patient_id"}
    own = _patient_at_b(lived)
    url, key = f"/v1/{path.format(own=own)}", lived.keys[role, "B"]
    theirs = lived.ids[ex.INFUSION if field == "infusion_id" else ex.PATIENT]
    answers = [
        lived.post(url, {**body, field: one}, key=key, idempotency_key=str(uuid4()), if_match=1)
        for one in (theirs, str(uuid4()))
    ]
    mine, nowhere = (answer.get_json() for answer in answers)
    mine.pop("request_id"), nowhere.pop("request_id")
    assert mine == nowhere and mine["status"] == 404, (mine, nowhere)


def _patient_at_b(world: World) -> str:
    if "at B" not in world.ids:
        body = {**world.real(dict(ENDPOINTS["patients.register"].example)), "home_clinic_id": world.ids[NEVER_CARES]}
        made = world.post("/v1/patients", body, key=world.keys["front_desk", "B"], idempotency_key=str(uuid4()))
        assert made.status_code == 201, made.text
        world.ids["at B"] = made.get_json()["id"]
    return world.ids["at B"]


def test_the_acting_clinic_is_asked_for_where_it_is_not_clear(lived: World) -> None:
    """A key of all clinics acts at the patient's home clinic, or where the header says; never where nobody cares."""
    url, owner = f"/v1/diary/{_patient_at_b(lived)}/pain", lived.keys["owner", "all"]

    def post(**headers: str) -> Any:
        return lived.post(url, {"score": 1}, key=owner, idempotency_key=str(uuid4()), headers=headers)

    position = post().get_json()["position"]
    record = lived.services.log.read(position - 1, 1)[0]
    assert str(record.clinic_id) == lived.ids[NEVER_CARES]
    assert post(**{"X-Clinic-Id": lived.ids[ex.CLINIC]}).status_code == 404
    assert post(**{"X-Clinic-Id": str(uuid4())}).status_code == 404
    assert post(**{"X-Clinic-Id": "nonsense"}).status_code == 400


@pytest.mark.parametrize("pin", ["000000", "1357", PIN + "0"])
def test_the_second_person_signs_with_their_own_pin(lived: World, pin: str) -> None:
    """A wrong PIN refuses the waste and writes nothing; so does a witness without one."""
    head = lived.services.log.head()
    lot = f"/v1/cabinets/{lived.ids[ex.CLINIC]}/lots/{lived.ids[ex.LOT]}"
    body = {**lived.real(dict(ENDPOINTS["cabinets.break_vials"].example)), "witness_pin": pin}
    answer = lived.post(f"{lot}/breakages", body, key=lived.key_for("nurse"), idempotency_key=str(uuid4()))
    assert (answer.status_code, answer.get_json()["code"]) == (403, "second-person-not-authenticated")
    assert lived.services.log.head() == head


def test_rate_limits_are_told_and_kept(make_world: Callable[..., World]) -> None:
    """RateLimit headers count down; then 429 with Retry-After, for that key only."""
    world = make_world(rate_limit=f"5 per {WINDOW_DAYS} days")
    other = world.make_key("auditor", "all", clinics=None)
    answers = [world.get("/v1/clinics") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[0].headers["RateLimit-Policy"] == f'"default";q=5;w={WINDOW_DAYS * 86_400}'
    assert [answer.headers["RateLimit"].partition(";t=")[0] for answer in answers[:5]] == [
        f'"default";r={left}' for left in (4, 3, 2, 1, 0)
    ]
    assert answers[5].content_type == "application/problem+json"
    assert 1 <= int(answers[5].headers["Retry-After"]) <= WINDOW_DAYS * 86_400
    assert world.client.get("/v1/clinics", headers={"Authorization": f"Bearer {other}"}).status_code == 200


def test_wrong_keys_are_limited_by_address(make_world: Callable[..., World]) -> None:
    """Guessing costs look-ups, so it is cut off; the right key still works."""
    world = make_world(failure_limit=f"3 per {WINDOW_DAYS} days")
    guess = {"Authorization": "Bearer anodyne_local_0000000000000000_" + "0" * 48}
    assert [world.client.get("/v1/clinics", headers=guess).status_code for _ in range(4)] == [401, 401, 401, 429]
    assert world.get("/v1/clinics").status_code == 200


def test_one_correlation_binds_several_requests(lived: World) -> None:
    """An entry struck here and made again there carry the caller's correlation id; each has its own command id."""
    together, url = str(uuid4()), f"/v1/diary/{_patient_at_b(lived)}/pain"
    positions = [
        lived.post(
            url, {"score": 1}, key=lived.keys["nurse", "B"], idempotency_key=str(uuid4()),
            headers={"X-Correlation-Id": together},
        ).get_json()["position"]
        for _ in range(2)
    ]
    records = [lived.services.log.read(position - 1, 1)[0] for position in positions]
    assert [str(record.correlation_id) for record in records] == [together, together]
    assert records[0].command_id is not None and records[0].command_id != records[1].command_id
    nonsense = {"X-Correlation-Id": "nonsense"}
    answer = lived.post(
        url, {"score": 1}, key=lived.keys["nurse", "B"], idempotency_key=str(uuid4()), headers=nonsense
    )
    assert answer.status_code == 400

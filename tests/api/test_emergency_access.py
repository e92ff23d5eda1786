"""Emergency access: possible (by whoever treats, at any clinic), reasoned, loud; and it opens nothing but reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from werkzeug.test import TestResponse

from api.http import examples as ex
from api.http.scope import EMERGENCY_HEADER
from domain.emergency import LASTS
from services.log.verify import verify
from tests.api.story import NEVER_CARES, Ahead
from tests.api.world import World

WHY = {"reason_code": "emergency", "reason": "Collapsed in our car park"}


class Stranger:
    """A nurse at the clinic that does not care for the story's patient."""

    def __init__(self, world: World, role: Any = "nurse") -> None:
        self.world = world
        user_id = world.registry.create_user(f"stranger {uuid4()}")
        self.key = world.registry.create_key(user_id, role, clinics=[UUID(world.ids[NEVER_CARES])]).text
        self.actor = user_id
        self.patient = f"/v1/patients/{world.ids[ex.PATIENT]}"

    def get(self, url: str) -> TestResponse:
        return self.world.client.get(url, headers={"Authorization": f"Bearer {self.key}"})

    def use(self, patient: str | None = None, **body: Any) -> TestResponse:
        url = f"{patient or self.patient}/emergency-access"
        return self.world.post(url, {**WHY, **body}, key=self.key, idempotency_key=str(uuid4()))


@pytest.fixture
def stranger(lived: World) -> Stranger:
    return Stranger(lived)


@pytest.fixture
def later(lived: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Moves the clock that requests see."""
    def moved(by: timedelta) -> None:
        monkeypatch.setattr(type(lived.services.clock), "now", lambda self: datetime.now(UTC) + by)

    return moved


def test_it_opens_the_record_of_a_patient_outside_ones_care_for_hours(stranger: Stranger, later: Any) -> None:
    """404 before, 200 with the header after, 404 again when it has run out; nobody else is let in by it."""
    world, pages = stranger.world, ("", "/chart", "/timeline")
    reads = [*(stranger.patient + page for page in pages), f"/v1/courses/{world.ids[ex.COURSE]}",
             f"/v1/infusions/{world.ids[ex.INFUSION]}", f"/v1/diary/{world.ids[ex.PATIENT]}"]
    assert {stranger.get(url).status_code for url in reads} == {404}
    used = stranger.use()
    assert used.status_code == 201, used.text
    for url in reads:
        answer = stranger.get(url)
        assert answer.status_code == 200, (url, answer.text)
        until = datetime.fromisoformat(answer.headers[EMERGENCY_HEADER])
        assert timedelta(0) < until - datetime.now(UTC) <= LASTS
    assert Stranger(world).get(stranger.patient).status_code == 404
    assert EMERGENCY_HEADER not in world.get(stranger.patient, "nurse", "A").headers
    later(LASTS + timedelta(seconds=5))
    assert {stranger.get(url).status_code for url in reads} == {404}


def test_it_permits_no_entry(stranger: Stranger) -> None:
    """Not in the record, the diary or the visit, and the patient is in no search and no list."""
    world = stranger.world
    assert stranger.use().status_code == 201

    def post(url: str, body: dict[str, Any]) -> int:
        return world.post(url, body, key=stranger.key, idempotency_key=str(uuid4())).status_code

    head = world.services.log.head()
    assert post(f"{stranger.patient}/conditions", {"condition": "crps", "icd10": "G90.511"}) == 404
    assert post(f"/v1/diary/{world.ids[ex.PATIENT]}/pain", {"score": 3}) == 404
    assert post(f"/v1/infusions/{world.ids[ex.INFUSION]}/side-effects", {"kind": "nausea", "grade": 1}) in (404, 422)
    assert world.services.log.head() == head
    assert world.post("/v1/patients/search", {"name": "exam"}, key=stranger.key).get_json() is not None
    found = world.post("/v1/patients/search", {"name": "exam"}, key=stranger.key, idempotency_key=str(uuid4()))
    assert world.ids[ex.PATIENT] not in found.text


def test_it_is_loud(stranger: Stranger) -> None:
    """In the patient's own timeline, in the lists of both clinics, in the access log; the reason is sealed."""
    world = stranger.world
    assert stranger.use(reason="Collapsed: who is she?").status_code == 201
    stranger.get(stranger.patient)
    timeline = world.get(f"{stranger.patient}/timeline?limit=500&order=newest_first", "nurse", "A").get_json()
    told = [one for one in timeline["entries"] if one["name"] == "oversight.emergency_access_used.v1"]
    assert told[0]["actor"] == stranger.actor
    for at in ("A", "B"):
        listed = world.get("/v1/emergency-accesses?limit=500", "manager", at).get_json()["accesses"]
        mine = [one for one in listed if one["actor"] == stranger.actor]
        assert [(one["reason"], one["reason_code"], one["clinic_id"]) for one in mine] == [
            ("Collapsed: who is she?", "emergency", world.ids[NEVER_CARES])]
    opened = world.services.access.log.read_subject(UUID(world.ids[ex.PATIENT]))
    assert [one.event.purpose for one in opened if one.actor == stranger.actor] == ["emergency"]  # type: ignore[attr-defined]
    stored = [row for row in world.services.log.rows(0, 10**6) if row.topic == "oversight.emergency_access_used.v1"]
    assert stored
    assert not any(b"Collapsed" in bytes(row.state) for row in stored)
    assert verify(world.services.log).violations == ()


def test_a_manager_elsewhere_does_not_see_it(stranger: Stranger, lived: World) -> None:
    """Neither acting nor caring: the list is empty of it."""
    assert stranger.use().status_code == 201
    far = lived.registry.create_key(lived.registry.create_user("far"), "manager", clinics=[uuid4()])
    answer = lived.client.get("/v1/emergency-accesses", headers={"Authorization": f"Bearer {far.text}"})
    assert answer.get_json() == {"accesses": []}


def test_its_list_comes_in_pages(stranger: Stranger) -> None:
    """Each once, in order."""
    for _ in range(3):
        stranger.use()
    seen, url = [], "/v1/emergency-accesses?limit=2"
    while url:
        answer = stranger.world.get(url, "owner", "all")
        seen += [one["position"] for one in answer.get_json()["accesses"]]
        link = answer.headers.get("Link", "")
        url = link[link.index("<") + 1 : link.index(">")] if link else ""
    everything = stranger.world.get("/v1/emergency-accesses?limit=500", "owner", "all").get_json()["accesses"]
    assert seen == [one["position"] for one in everything]
    assert len(seen) >= 3


@pytest.mark.parametrize(("body", "pointer"), [
    ({"reason": "   "}, "/reason"), ({"reason_code": "curiosity"}, "/reason_code"), ({"reason": None}, "/reason"),
])
def test_without_a_reason_it_is_refused(stranger: Stranger, body: dict[str, Any], pointer: str) -> None:
    """422 with the pointer; nothing is opened."""
    answer = stranger.use(**body)
    assert answer.status_code == 422
    assert pointer in answer.text
    assert stranger.get(stranger.patient).status_code == 404


def test_of_nobody_and_by_who_does_not_treat(stranger: Stranger, lived: World) -> None:
    """404 for a patient that nobody has; 403 for the front desk, whoever it is about."""
    assert stranger.use(patient=f"/v1/patients/{uuid4()}").status_code == 404
    assert Stranger(lived, "front_desk").use().status_code == 403


def test_staff_are_listed_with_what_they_may_do(lived: World) -> None:
    """Names unsealed, credentials with their end, who has left is told as such; in pages."""
    listed = lived.get("/v1/staff?limit=500", "manager", "A").get_json()["staff"]
    by_id = {one["staff_id"]: one for one in listed}
    nurse = by_id[lived.ids[ex.NURSE]]
    assert nurse["full_name"]
    assert nurse["credentials"][0]["valid_until"] == lived.real(Ahead(365))
    assert any(one["left_at"] is not None for one in listed)
    first = lived.get("/v1/staff?limit=1", "manager", "A")
    assert first.get_json()["staff"] == listed[:1]
    assert 'rel="next"' in first.headers["Link"]

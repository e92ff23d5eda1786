"""A retry gets the first answer, whatever that was; the same key never writes twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import UUID, uuid4

from werkzeug.test import TestResponse

from api.http import examples as ex
from tests.api.story import story
from tests.api.world import World


def _score(world: World, key: str, score: int, at: str = "A", **more: object) -> TestResponse:
    return world.post(
        f"/v1/diary/{world.ids[ex.PATIENT]}/pain", {"score": score}, key=world.keys["nurse", at], idempotency_key=key,
        **more,  # type: ignore[arg-type]
    )


def test_a_refusal_is_replayed(lived: World) -> None:
    """Given a refused command, its retry gets the same problem and no second near miss is kept."""
    key = str(uuid4())
    url = f"/v1/clinics/{lived.ids[ex.CLINIC]}/staff"
    body = {"staff_id": lived.ids[ex.PRESCRIBER], "role": "prescriber"}
    first = lived.post(url, body, key=lived.key_for("manager"), idempotency_key=key)
    head = lived.services.log.head()
    again = lived.post(url, body, key=lived.key_for("manager"), idempotency_key=key)
    assert first.status_code == again.status_code == 409
    mine, theirs = first.get_json(), again.get_json()
    mine.pop("request_id"), theirs.pop("request_id")
    assert mine == theirs
    assert mine["code"] == "already-assigned"
    assert lived.services.log.head() == head
    assert lived.services.log.read(head - 1, 1)[0].name == "oversight.command_refused.v1"


def test_an_order_of_names_makes_no_other_request(lived: World) -> None:
    """Formatting is no content: the same JSON otherwise spelled is the same request."""
    key, head = str(uuid4()), lived.services.log.head()
    url = f"/v1/diary/{lived.ids[ex.PATIENT]}/pain"
    for raw in (b'{"score": 6, "kind": "now"}', b'{"kind":"now",   "score":6}'):
        answer = lived.post(url, None, key=lived.key_for("nurse"), idempotency_key=key, raw=raw)
        assert answer.status_code == 201, answer.text
    assert lived.services.log.head() == head + 1


def test_keys_of_other_callers_do_not_meet(lived: World) -> None:
    """The same Idempotency-Key from another API key is another request."""
    name, head = str(uuid4()), lived.services.log.head()
    for role in ("nurse", "prescriber"):
        answer = lived.post(
            f"/v1/diary/{lived.ids[ex.PATIENT]}/pain", {"score": 7}, key=lived.key_for(role), idempotency_key=name
        )
        assert answer.status_code == 201 and "Idempotent-Replayed" not in answer.headers
    assert lived.services.log.head() == head + 2


def test_the_same_key_on_another_path_is_refused(lived: World) -> None:
    """422: the path is part of the request."""
    name = str(uuid4())
    assert _score(lived, name, 2).status_code == 201
    other = lived.post(
        f"/v1/diary/{lived.ids[ex.PATIENT]}/relief", {"relief_percent": 2}, key=lived.key_for("nurse"),
        idempotency_key=name,
    )
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency-key-reused")


def test_many_at_once_write_one(lived: World) -> None:
    """Eight at the same moment under one key: one event, eight equal answers."""
    name, head, answers = str(uuid4()), lived.services.log.head(), []
    lock = threading.Lock()

    def send() -> None:
        answer = lived.app.test_client().post(
            f"/v1/diary/{lived.ids[ex.PATIENT]}/pain", json={"score": 1},
            headers={"Authorization": f"Bearer {lived.key_for('nurse')}", "Idempotency-Key": name},
        )
        with lock:
            answers.append((answer.status_code, answer.get_json()["position"]))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(201, head + 1)] * 8
    assert lived.services.log.head() == head + 1


def test_a_retry_is_answered_even_when_the_way_there_is_gone(make_world: Callable[..., World]) -> None:
    """Closing the clinic's own care relation hides the patient from it; the retry still gets its first answer."""
    world = make_world()
    steps = iter(story())
    for step in steps:
        world.take(step)
        if step.operation == "courses.hold_consultation":
            break
    patient = f"/v1/patients/{world.ids[ex.PATIENT]}"
    owner = world.keys["owner", "all"]

    def post(path: str, body: dict[str, object], key: str, name: str) -> TestResponse:
        version = world.services.log.head_of(UUID(world.ids[ex.PATIENT]))
        return world.post(f"{patient}/{path}", body, key=key, idempotency_key=name, if_match=version)

    other = {"clinic_id": world.ids[ex.OTHER_CLINIC]}
    assert post("care-relations", {**other, "reason_code": "second_clinic"}, owner, str(uuid4())).status_code == 201
    assert post("home-clinic", other, owner, str(uuid4())).status_code == 201
    name, close = str(uuid4()), f"care-relations/{world.ids[ex.CLINIC]}/close"
    mine = world.keys["manager", "A"]
    first = post(close, {"reason_code": "treatment_ended"}, mine, name)
    assert first.status_code == 201, first.text
    assert world.get(patient, "manager", "A").status_code == 404
    again = post(close, {"reason_code": "treatment_ended"}, mine, name)
    assert again.status_code == 201 and again.get_json() == first.get_json()
    assert again.headers["Idempotent-Replayed"] == "true"

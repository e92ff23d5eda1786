"""Bad input: a clear problem with a pointer to what is wrong, and nothing written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from api.http import examples as ex
from api.http.fields import is_storable
from tests.api.story import ENDPOINTS, ROOM_2
from tests.api.world import HERE, World
from tests.support.clock_changes import next_change

BACK, FORWARD = next_change(HERE, back=True), next_change(HERE, back=False)
SOON = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
LONG_AGO = (datetime.now(UTC) - timedelta(days=3)).isoformat()
VISIT, DIARY, PATIENT = "/v1/infusions/{infusion}", "/v1/diary/{patient}", "/v1/patients/{patient}"
SHEET = "/v1/appointments/{clinic}/{day}"

VITALS = [
    ({"heart_rate_per_min": 700}, "/vitals/heart_rate_per_min"),
    ({"systolic_mmhg": 12}, "/vitals/systolic_mmhg"),
    ({"spo2_percent": 130}, "/vitals/spo2_percent"),
    ({"temperature_c": "60"}, "/vitals/temperature_c"),
    ({"temperature_c": 36.6}, "/vitals/temperature_c"),
    ({"heart_rate_per_min": "72"}, "/vitals/heart_rate_per_min"),
    ({"heart_rate_per_min": True}, "/vitals/heart_rate_per_min"),
    ({"heart_rate_per_min": 72.5}, "/vitals/heart_rate_per_min"),
    ({"heart_rate_per_min": 10**12}, "/vitals/heart_rate_per_min"),
    ({"not_obtainable": ["no_such_sign"]}, "/vitals/not_obtainable"),
    ({"pulse": 72}, "/vitals/pulse"),
    ({}, "/vitals"),
]
BODIES: list[tuple[str, str, Any, str]] = [
    *((f"{VISIT}/vitals", "nurse", {"vitals": vitals}, pointer) for vitals, pointer in VITALS),
    (f"{VISIT}/vitals", "nurse", {"vitals": {"spo2_percent": 97}, "at": SOON}, "/at"),
    (f"{VISIT}/vitals", "nurse", {"vitals": {"spo2_percent": 97}, "at": LONG_AGO}, "/late_reason"),
    (f"{VISIT}/vitals", "nurse", {"vitals": {"spo2_percent": 97}, "at": "2026-03-02T09:00:00"}, "/at"),
    (f"{VISIT}/vitals", "nurse", {"vitals": {"spo2_percent": 97}, "at": "2026-02-30T09:00:00Z"}, "/at"),
    (f"{VISIT}/vitals", "nurse", {"vitals": {"spo2_percent": 97}, "at": "0001-01-01T00:00:00+14:00"}, "/at"),
    (f"{VISIT}/vitals", "nurse", {"vitals": {"spo2_percent": 97}, "at": "9999-12-31T23:59:59-12:00"}, "/at"),
    (f"{VISIT}/vitals", "nurse", {"vitals": {"spo2_percent": 97}, "at": 1767225600}, "/at"),
    (f"{VISIT}/vitals", "nurse", {"vitals": [1]}, "/vitals"),
    (f"{VISIT}/sedation", "nurse", {"scale": "no_such_scale", "score": 1}, "/scale"),
    (f"{VISIT}/sedation", "nurse", {"scale": "rass", "score": 9}, "/score"),
    (f"{VISIT}/side-effects", "nurse", {"kind": "no_such_kind", "grade": 1, "onset_at": LONG_AGO}, "/kind"),
    (f"{VISIT}/order", "prescriber", {"prescriber_id": "x"}, "/prescriber_id"),
    (f"{VISIT}/boluses", "nurse", {"dose_mg": "-5"}, "/dose_mg"),
    (f"{VISIT}/boluses", "nurse", {"dose_mg": "1e3"}, "/dose_mg"),
    (f"{VISIT}/boluses", "nurse", {"dose_mg": "NaN"}, "/dose_mg"),
    (f"{VISIT}/boluses", "nurse", {"dose_mg": 5}, "/dose_mg"),
    (f"{DIARY}/pain", "nurse", {"score": 11}, "/score"),
    (f"{DIARY}/pain", "nurse", {"score": 4, "kind": "no_such_kind"}, "/kind"),
    (f"{DIARY}/function", "nurse", {"instrument": "peg", "items": [1, 2]}, "/items"),
    (f"{DIARY}/function", "nurse", {"instrument": "peg", "items": [1] * 500}, "/items"),
    (f"{DIARY}/relief", "nurse", {"relief_percent": 250}, "/relief_percent"),
    (f"{DIARY}/weight", "nurse", {"weight_kg": "900"}, "/weight_kg"),
    (f"{PATIENT}/conditions", "nurse", {"condition": "no_such_condition"}, "/condition"),
    (f"{PATIENT}/conditions", "nurse", {"condition": "crps", "note": "a\u0000b"}, "/note"),
    (f"{PATIENT}/conditions", "nurse", {"condition": "crps", "note": "\ud800"}, "/note"),
    (f"{PATIENT}/conditions", "nurse", {"condition": "crps", "note": "x" * 4001}, "/note"),
    (f"{PATIENT}/conditions", "nurse", {"condition": "crps", "note": "   "}, "/note"),
    (f"{PATIENT}/conditions", "nurse", {"condition": "crps; DROP TABLE"}, "/condition"),
    (f"{PATIENT}/conditions", "nurse", {"condition": None}, "/condition"),
    ("/v1/patients", "front_desk", {"birth_date": "1850-01-01"}, "/birth_date"),
    ("/v1/patients", "front_desk", {"birth_date": "12.04.1978"}, "/birth_date"),
    ("/v1/patients", "front_desk", {"sex": "no_such_code"}, "/sex"),
    ("/v1/patients", "front_desk", {"identifiers": {"a/b~c": 1}}, "/identifiers/a~1b~0c"),
    ("/v1/patients", "front_desk", {"identifiers": {str(n): "x" for n in range(300)}}, "/identifiers"),
    (SHEET, "front_desk", {"starts_at": "2026-13-02T09:00:00-08:00"}, "/starts_at"),
]  # fmt: skip
COMPLETED = {"/v1/patients": "patients.register", SHEET: "appointments.book"}


@pytest.mark.parametrize(
    ("path", "role", "body", "pointer"), BODIES,
    ids=[f"{number}{path}{pointer}" for number, (path, _, _, pointer) in enumerate(BODIES)],
)
def test_it_is_refused_where_it_is_wrong(lived: World, path: str, role: str, body: Any, pointer: str) -> None:
    """422 with the pointer; no event, not even of the refusal; the value is not repeated in the answer."""
    if path in COMPLETED:
        body = {**lived.real(dict(ENDPOINTS[COMPLETED[path]].example)), **body}
    head = lived.services.log.head()
    answer = lived.post(_filled(lived, path), body, key=lived.key_for(role), idempotency_key=str(uuid4()))
    assert answer.status_code == 422, answer.text
    assert answer.content_type == "application/problem+json"
    pointers = [error["pointer"] for error in answer.get_json()["errors"]]
    assert any(one == pointer or one.startswith(pointer + "/") for one in pointers), pointers
    assert lived.services.log.head() == head


def _filled(world: World, path: str) -> str:
    return path.format(
        infusion=world.ids[VISITING], patient=world.ids[ex.PATIENT], clinic=world.ids[ex.CLINIC],
        day=world.now.date(),
    )  # fmt: skip


RAW: list[tuple[bytes, str, int]] = [
    (b"", "application/json", 400), (b"null", "application/json", 422), (b"[]", "application/json", 422),
    (b"{", "application/json", 400), (b'{"score": NaN}', "application/json", 400),
    (b'{"score": Infinity}', "application/json", 400), (b'{"score": 1, "score": 2}', "application/json", 400),
    (b'{"score": 1}\xff', "application/json", 400), (b'\xef\xbb\xbf{"score": 1}', "application/json", 400),
    ('{"score": 1}'.encode("utf-16"), "application/json", 400),
    (b'{"score": ' + b"9" * 6000 + b"}", "application/json", 400),
    (b'{"a":' * 20000 + b"1" + b"}" * 20000, "application/json", 400), (b'{"score": 1}', "text/json", 415),
    (b'{"score": 1}', "application/xml", 415), (b'{"score": 1}', "", 415),
    (b"score=1", "application/x-www-form-urlencoded", 415),
    (b'{"score": 1, "x": "' + b"a" * 300_000 + b'"}', "application/json", 413),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "content_type", "status"), RAW, ids=lambda value: str(value)[:40])
def test_a_body_that_is_no_json_object(lived: World, raw: bytes, content_type: str, status: int) -> None:
    """Malformed, broken UTF-8, NaN, names given twice, too deep, too large, not JSON: each its own status."""
    head = lived.services.log.head()
    headers = {
        "Authorization": f"Bearer {lived.key_for('nurse')}", "Idempotency-Key": str(uuid4()),
        "Content-Type": content_type,
    }  # fmt: skip
    answer = lived.client.post(_filled(lived, f"{DIARY}/pain"), data=raw, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    assert lived.services.log.head() == head


@pytest.mark.parametrize("key", ["short", "x" * 129, "with space in it", "t\u00e4st-key-1234"])
def test_a_wrong_idempotency_key(lived: World, key: str) -> None:
    """8 to 128 visible ASCII characters."""
    head = lived.services.log.head()
    answer = lived.post(_filled(lived, f"{DIARY}/pain"), {"score": 1}, key=lived.key_for("nurse"), idempotency_key=key)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "idempotency-key-invalid")
    assert lived.services.log.head() == head


@pytest.mark.parametrize(("given", "status"), [
    ("7", 400), ('W/"7"', 400), ('"7", "8"', 400), ("*", 400), ('"seven"', 412), ('"-1"', 412), ('"99999999999"', 412),
])  # fmt: skip
def test_a_wrong_if_match(lived: World, given: str, status: int) -> None:
    """One strong ETag; one that no version has is 412."""
    answer = lived.post(
        _filled(lived, f"{PATIENT}/demographics"), {"phone": "+1", "reason_code": "contact_changed"},
        key=lived.key_for("front_desk"), idempotency_key=str(uuid4()), headers={"If-Match": given},
    )
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(("starts", "ends", "code"), [
    (f"{FORWARD}T02:30:00", f"{FORWARD}T04:30:00", "local-time-does-not-exist"),
    (f"{BACK}T01:30:00", f"{BACK}T04:30:00", "local-time-ambiguous"),
], ids=["forward", "back"])  # fmt: skip
def test_a_wall_clock_time_that_dst_skips_or_repeats(lived: World, starts: str, ends: str, code: str) -> None:
    """Refused, not guessed: in the gap there is no such time, in the repeated hour there are two."""
    head = lived.services.log.head()
    answer = _book(lived, starts, ends)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)
    assert answer.get_json()["errors"][0]["pointer"] == "/starts_at"
    assert lived.services.log.head() == head


def test_bookings_that_overlap_only_by_the_wall_clock(lived: World) -> None:
    """On the night the clocks go back 01:30 comes twice: bookings an hour apart do not overlap, the same hour does."""
    first = _book(lived, f"{BACK}T01:00:00-07:00", f"{BACK}T02:00:00-07:00")
    assert first.status_code == 201, first.text
    again = _book(lived, f"{BACK}T01:30:00-07:00", f"{BACK}T01:45:00-07:00")
    assert (again.status_code, again.get_json()["code"]) == (409, "claim-conflict")
    later = _book(lived, f"{BACK}T01:00:00-08:00", f"{BACK}T02:00:00-08:00")
    assert later.status_code == 201, later.text


def _book(world: World, starts: str, ends: str) -> Any:
    body = {
        **world.real(dict(ENDPOINTS["appointments.book"].example)), "starts_at": starts, "ends_at": ends,
        "patient_id": world.ids[BOOKED], "room_id": world.ids[ROOM_2], "course_id": None, "visit_kind": "follow_up",
    }  # fmt: skip
    url = f"/v1/appointments/{world.ids[ex.CLINIC]}/{starts[:10]}"
    return world.post(url, body, key=world.key_for("front_desk"), idempotency_key=str(uuid4()))


BOOKED, VISITING = "booked", "visiting"


@pytest.fixture(autouse=True)
def somebody_in_a_visit(lived: World) -> None:
    """A living patient (the story's dies) who has arrived."""
    if BOOKED in lived.ids:
        return
    body = {**lived.real(dict(ENDPOINTS["patients.register"].example)), "family_name": "Booked"}
    made = lived.post("/v1/patients", body, key=lived.key_for("front_desk"), idempotency_key=str(uuid4()))
    lived.ids[BOOKED] = made.get_json()["id"]
    arrived = lived.post(
        "/v1/infusions", {"patient_id": lived.ids[BOOKED], "visit_kind": "follow_up"}, key=lived.key_for("nurse"),
        idempotency_key=str(uuid4()),
    )
    lived.ids[VISITING] = arrived.get_json()["id"]


def test_what_cannot_be_stored() -> None:
    """Control characters and lone surrogates are refused, every writing system is not."""
    assert all(is_storable(text) for text in ("Ångström", "東京", "🙂", "line\nbreak\ttab", "שלום"))
    assert not any(is_storable(text) for text in ("\x00", "\x1b[31m", "\ud800", "\x7f"))

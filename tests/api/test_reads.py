"""Every read: refused without a key, in a wrong role, at a wrong clinic; health data only after its access entry."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from werkzeug.test import TestResponse

from api.auth.policy import POLICY
from api.http import examples as ex
from api.http.pages import is_page
from domain.access import RecordOpened
from services.access_log import AccessLogUnavailable
from tests.api.story import ENDPOINTS
from tests.api.world import ROLES, World

QUERIES = {
    "events.digest": "?from=1&to=50", "dashboards.utilization_rows": "?figure=together.rooms.open_minutes",
    "dashboards.outcomes_rows": "?figure=landmark_fall", "dashboards.safety_rows": "?figure=per_100",
    "dashboards.funnel_rows": "?figure=together.steps.trial.done",
    "dashboards.operations_rows": "?figure=together.patients_in",
    "dashboards.boosters_rows": "?figure=nothing", "scheduling.series_plan": f"?patient_id={ex.PATIENT}",
}  # fmt: skip
POSTS = {"patients.search", "diary.make_link", "diary.revoke_link"}
"""No reads, and no commands of the log: tested in files of their own."""
READS = sorted(name for name in set(POLICY) - set(ENDPOINTS) - POSTS if not is_page(name))
OF_ONE_CLINIC = (
    "clinics.show", "patients.show", "patients.chart", "patients.timeline", "patients.picture",
    "patients.access_log", "courses.show", "infusions.show", "diary.show", "diary.links", "appointments.show",
    "appointments.free_slots", "cabinets.list", "cabinets.show", "scheduling.schedule", "scheduling.free_slots",
    "scheduling.stranded", "scheduling.waitlist", "scheduling.series_plan", "clinics.calendar_feeds",
)  # fmt: skip
HEALTH = (
    "patients.show", "patients.chart", "patients.timeline", "patients.picture", "patients.access_log", "courses.show",
    "infusions.show", "diary.show", "diary.links", "appointments.show", "dashboards.boosters", "dashboards.operations",
    "dashboards.utilization_rows",
    "scheduling.schedule", "scheduling.stranded", "scheduling.waitlist", "scheduling.series_plan",
    "oversight.emergency_accesses", "staff.list",
)  # fmt: skip


def _url(world: World, operation: str, ids: dict[str, str] | None = None) -> str:
    names = {
        "clinic_id": ex.CLINIC, "patient_id": ex.PATIENT, "course_id": ex.COURSE, "infusion_id": ex.INFUSION,
        "staff_id": ex.PRESCRIBER, "lot_id": ex.LOT,
    }  # fmt: skip
    rule = next(world.app.url_map.iter_rules(operation))
    values: dict[str, Any] = {}
    for argument in rule.arguments:
        if argument == "local_date":
            values[argument] = world.now.date()
        else:
            values[argument] = UUID((ids or {}).get(argument) or world.ids[names[argument]])
    return world.app.url_map.bind("localhost").build(operation, values) + (
        QUERIES.get(operation, "").replace(ex.PATIENT, world.ids[ex.PATIENT])
    )


def _allowed(operation: str) -> str:
    return next(role for role in ROLES if role in POLICY[operation].roles)


def _same_problem(one: TestResponse, other: TestResponse) -> bool:
    mine, theirs = one.get_json(), other.get_json()
    mine.pop("request_id"), theirs.pop("request_id")
    return bool(mine == theirs) and one.status_code == other.status_code


@pytest.mark.parametrize("operation", READS)
def test_without_a_key(lived: World, operation: str) -> None:
    """401, and how to do it."""
    answer = lived.client.get(_url(lived, operation))
    assert (answer.status_code, answer.get_json()["code"]) == (401, "not-authenticated")
    assert "Bearer" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("operation", READS)
def test_in_every_role(lived: World, operation: str) -> None:
    """The policy in both directions: who may is answered, who may not is 403."""
    for role in ROLES:
        answer = lived.get(_url(lived, operation), role, "A")
        if role not in POLICY[operation].roles:
            assert (answer.status_code, answer.get_json()["code"]) == (403, "not-permitted"), role
        else:
            expected = 422 if operation == "dashboards.boosters_rows" else 200
            assert answer.status_code == expected, (role, answer.text)


@pytest.mark.parametrize("operation", OF_ONE_CLINIC)
def test_at_another_clinic(lived: World, operation: str) -> None:
    """With another clinic's key 404, the same as for ids that nothing has."""
    role = _allowed(operation)
    theirs = lived.get(_url(lived, operation), role, "B")
    rule = next(lived.app.url_map.iter_rules(operation))
    random_ids = {name: str(uuid4()) for name in rule.arguments if name.endswith("_id")}
    nothing = lived.get(_url(lived, operation, random_ids), role, "B")
    assert theirs.status_code == 404
    assert _same_problem(theirs, nothing)
    assert _same_problem(theirs, lived.get("/v1/no/such/path", role, "B"))


@pytest.mark.parametrize("operation", HEALTH)
def test_health_data_leaves_an_access_entry_first(
    lived: World, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One entry per answer, saying who saw how much; and nothing is shown when it cannot be written."""
    log, role = lived.services.access.log, _allowed(operation)
    before = log.head()
    assert lived.get(_url(lived, operation), role, "A").status_code == 200
    entries = log.read(before, 10)
    assert len(entries) == 1
    opened = entries[0].event
    assert isinstance(opened, RecordOpened) and opened.care_position == lived.services.log.head()
    assert entries[0].role == role

    def fail(*args: object, **kwargs: object) -> int:
        raise AccessLogUnavailable("no")

    monkeypatch.setattr(type(lived.services.access), "record", fail)
    answer = lived.get(_url(lived, operation), role, "A")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "access-log-unavailable")
    assert answer.headers["Retry-After"] == "1"


def test_a_refused_read_leaves_no_entry(lived: World) -> None:
    """Nothing was shown, so nothing was opened."""
    before = lived.services.access.log.head()
    lived.get(_url(lived, "patients.timeline"), "nurse", "B")
    lived.get(_url(lived, "patients.timeline"), "biller", "A")
    assert lived.services.access.log.head() == before


def test_a_record_shows_its_entries_unsealed(lived: World) -> None:
    """A visit entry by entry, with its version as ETag; what was amended or struck says so."""
    answer = lived.get(_url(lived, "infusions.show"), "nurse", "A")
    shown = answer.get_json()
    assert answer.headers["ETag"] == f'"{shown["version"]}"'
    assert [entry["entry"] for entry in shown["entries"]] == list(range(1, shown["version"] + 1))
    checked = next(entry for entry in shown["entries"] if entry["event"] == "infusion.pre_infusion_checked.v1")
    assert checked["data"]["driver_name"] == "Sam Example" and checked["amended"]
    assert any(entry["struck"] for entry in shown["entries"])


def test_a_timeline_pages(lived: World) -> None:
    """Page by page in order of occurrence: the pages together are the whole."""
    url = _url(lived, "patients.timeline")
    whole = lived.get(f"{url}?limit=500", "nurse", "A").get_json()
    found, following = [], f"{url}?limit=7"
    while following:
        page = lived.get(following, "nurse", "A")
        found += page.get_json()["entries"]
        link = page.headers.get("Link")
        following = link.partition(">")[0][1:] if link else ""
    positions = [entry["position"] for entry in found]
    assert positions == [entry["position"] for entry in whole["entries"]][: len(positions)]
    assert len(found) == whole["total"]
    times = [entry["occurred_at"] for entry in whole["entries"]]
    assert whole["total"] > 50 and len(times) == whole["total"]


@pytest.mark.parametrize("query", [
    "?cursor=!!", "?cursor=AAAA", "?limit=0", "?limit=501", "?limit=x", "?kinds=nonsense", "?as_of=2026-01-01",
    "?as_of=2026-01-01T00:00:00", "?known_at=2026-13-01T00:00:00Z", "?nothing=1", "?limit=5&limit=6",
])  # fmt: skip
def test_a_wrong_query_is_refused(lived: World, query: str) -> None:
    """422 with a pointer to the parameter."""
    answer = lived.get(_url(lived, "patients.timeline") + query, "nurse", "A")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid-request")
    assert answer.get_json()["errors"][0]["pointer"].startswith("/")


def test_search_finds_by_what_identifies(lived: World) -> None:
    """By name's beginning, family name with birth date, phone however written, identifier; at own clinics only."""
    questions: list[dict[str, Any]] = [
        {"name": "exam"}, {"family_name": "example", "birth_date": "1978-04-12"}, {"phone": "(1) 555-0143"},
        {"identifier_system": "mrn", "identifier": "F-000142"},
    ]  # fmt: skip
    for question in questions:
        found = _search(lived, "A", question).get_json()["patients"]
        assert lived.ids[ex.PATIENT] in [one["patient_id"] for one in found], question
        assert _search(lived, "B", question).get_json()["patients"] == []
    assert _search(lived, "A", {"birth_date": "1978-04-12"}).status_code == 422


def _search(world: World, at: str, question: dict[str, Any]) -> TestResponse:
    return world.post("/v1/patients/search", question, key=world.keys["nurse", at], idempotency_key=str(uuid4()))


def test_who_looked_is_shown(lived: World) -> None:
    """The access log of a patient names those who opened the record."""
    lived.get(_url(lived, "patients.show"), "prescriber", "A")
    entries = lived.get(_url(lived, "patients.access_log") + "?limit=500", "auditor", "A").get_json()["entries"]
    assert ("prescriber", "patient") in {(entry["role"], entry["resource"]) for entry in entries}


def test_free_slots_are_free(lived: World) -> None:
    """Within opening hours, on the quarter hour, none of them in the past or booked."""
    day = lived.now.date().isoformat()
    shown = lived.get(f"/v1/appointments/{lived.ids[ex.CLINIC]}/{day}/free-slots?minutes=60", "nurse", "A").get_json()
    assert shown["minutes"] == 60
    assert all(slot["starts_at"][14:16] in ("00", "15", "30", "45") for slot in shown["slots"])


def test_the_cabinet_adds_up(lived: World) -> None:
    """received = given + wasted + rounding + broken + open + on hand + differences."""
    from decimal import Decimal

    lot = lived.get(f"/v1/cabinets/{lived.ids[ex.CLINIC]}", "nurse", "A").get_json()["lots"][0]
    parts = ("given_mg", "wasted_mg", "rounding_mg", "broken_mg", "open_mg", "on_hand_mg", "difference_mg")
    assert Decimal(lot["received_mg"]) == sum(Decimal(lot[part]) for part in parts)

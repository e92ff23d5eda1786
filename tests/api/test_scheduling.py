"""Scheduling over HTTP: what is free, a series planned and booked, bookings to make again, the waitlist."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from api.http import examples as ex
from domain.kernel import Role
from domain.vocabulary.reasons import VISIT_KINDS
from projections import utilization
from projections.metrics.calendar import Period
from tests.api.story import NEVER_CARES
from tests.api.world import HERE, PIN, World
from tests.conftest import Database
from tests.support.clock_changes import next_change

ROOM_2 = "3c1f7a90-2b64-4d7e-9a11-5f0e8d3c2b02"


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, make_world: Callable[..., World]) -> Iterator[World]:
    """Two clinics, people and a patient with an open course, on each database; nothing booked from day 20 on."""
    if request.param == "postgres":
        database: Database = request.getfixturevalue("postgres_database")
        made = make_world(
            home=database.home, database_url=database.log_url, migration_url=database.admin_url
        )
    else:
        made = make_world()
    yield made.tell(until="courses.open")
    made.read_side.close()
    made.services.close()


def here(world: World) -> str:
    return f"/v1/clinics/{world.ids[ex.CLINIC]}"


def day(world: World, days: int, clock: str = "") -> str:
    """A local day, or a wall clock time of it, so many days ahead."""
    date = (world.now.astimezone(HERE) + timedelta(days=days)).date().isoformat()
    return f"{date}T{clock}" if clock else date


def aware(world: World, days: int, clock: str) -> str:
    return datetime.fromisoformat(day(world, days, clock)).replace(tzinfo=HERE).isoformat()


def get(world: World, path: str, role: str = "front_desk", at: str = "A", status: int = 200) -> Any:
    answer = world.get(path, role, at)
    assert answer.status_code == status, answer.text
    return answer.get_json()


def post(world: World, path: str, body: Any, role: Role = "front_desk", at: str = "A", **more: Any) -> Any:
    sent = {"idempotency_key": str(uuid4()), **more}
    return world.post(path, body, key=world.keys[role, at], **sent)


def series(world: World, *occurrences: tuple[int, str, str], **more: Any) -> dict[str, Any]:
    return {
        "patient_id": world.ids[ex.PATIENT], "course_id": world.ids[ex.COURSE],
        "occurrences": [
            {"number": number, "room_id": world.ids[room], "starts_at": starts}
            for number, room, starts in occurrences
        ], **more,
    }  # fmt: skip


def test_a_series_is_planned_mended_and_booked(world: World) -> None:
    """Given a room taken on one of three wished days, when the plan's alternative is taken for it, then all three are
    booked in one answer, and a retry gets that answer again."""
    taken = world.real({"patient_id": ex.DUPLICATE, "room_id": ex.ROOM, "visit_kind": "follow_up"})
    sheet = f"/v1/appointments/{world.ids[ex.CLINIC]}/{day(world, 22)}"
    assert post(world, sheet, {
        **taken, "starts_at": day(world, 22, "10:00"), "ends_at": day(world, 22, "11:00")}).status_code == 201
    wished = ",".join(day(world, days, "09:30") for days in (20, 22, 24))
    asked = (f"?patient_id={world.ids[ex.PATIENT]}&course_id={world.ids[ex.COURSE]}&starts_at={wished}"
             f"&room_id={world.ids[ex.ROOM]}")
    plan = get(world, f"{here(world)}/series-plan{asked}")
    assert (plan["bookable"], [len(one["obstacles"]) for one in plan["occurrences"]]) == (False, [0, 1, 0])
    met = plan["occurrences"][1]["obstacles"][0]
    assert (met["rule"], met["what"], met["until"][:16]) == ("claim-conflict", "room", day(world, 22, "11:00"))
    assert "holder" not in met
    refused = post(world, f"{here(world)}/series-bookings", series(world, *[
        (one["number"], ex.ROOM, one["starts_at"]) for one in plan["occurrences"]]))
    assert (refused.status_code, refused.get_json()["data"]) == (409, {"conflicts": "2:claim-conflict:room"})
    best = plan["occurrences"][1]["alternatives"][0]
    room = next(name for name, real in world.ids.items() if real == best["room_id"])
    chosen = series(world, (1, ex.ROOM, plan["occurrences"][0]["starts_at"]), (2, room, best["starts_at"]),
                    (3, ex.ROOM, plan["occurrences"][2]["starts_at"]))
    key = str(uuid4())
    booked = post(world, f"{here(world)}/series-bookings", chosen, idempotency_key=key)
    assert booked.status_code == 201, booked.text
    said = booked.get_json()
    assert said["events"] == ["appointment.booked.v1"] * 3
    assert said["told"] == {f"occurrence_{number}": "booked" for number in (1, 2, 3)}
    again = post(world, f"{here(world)}/series-bookings", chosen, idempotency_key=key)
    assert (again.get_json(), again.headers["Idempotent-Replayed"]) == (said, "true")
    week = get(world, f"{here(world)}/schedule?from={day(world, 20)}&to={day(world, 24)}")
    ids = {said["ids"][f"appointment_{number}"] for number in (1, 2, 3)}
    assert ids <= {one["appointment_id"] for each in week["days"] for one in each["appointments"]}
    free = week["days"][0]["free_minutes"]
    assert free[world.ids[ex.ROOM]] == free[world.ids[ROOM_2]] - 120


def test_only_those_that_are_free_and_the_rest_is_told(world: World) -> None:
    """The same for occurrences in another clinic's room and before now."""
    body = series(world, (1, ex.ROOM, aware(world, 20, "09:00")), (2, ex.ROOM, aware(world, -2, "09:00")),
                  only_free=True)
    body["occurrences"].append({"number": 3, "room_id": str(uuid4()), "starts_at": aware(world, 21, "09:00")})
    answer = post(world, f"{here(world)}/series-bookings", body)
    assert (answer.status_code, answer.get_json()["told"]) == (201, {
        "occurrence_1": "booked", "occurrence_2": "starts-in-the-past:starts_at",
        "occurrence_3": "room-not-in-service:room_id"})


@pytest.mark.parametrize(("query", "status", "pointer"), [
    ("patient_id=nonsense", 422, "/patient_id"),
    ("infusions=0", 422, "/infusions"),
    ("starts_at=2026-03-08T02:30:00", 422, "/starts_at"),
    ("starts_at=2026-11-01T01:30:00", 422, "/starts_at"),
    ("no_such=1", 422, "/no_such"),
    ("visit_kind=party", 422, "/visit_kind"),
])
def test_a_plan_that_cannot_be_asked_for(world: World, query: str, status: int, pointer: str) -> None:
    """Local times that the clocks skip or show twice among them: the answer says which offsets to send."""
    patient = "" if query.startswith("patient_id") else f"&patient_id={world.ids[ex.PATIENT]}"
    said = get(world, f"{here(world)}/series-plan?{query}{patient}", status=status)
    assert said["errors"][0]["pointer"] in (pointer, f"/query{pointer}"), said
    if "2026-11-01" in query:
        assert "2026-11-01T01:30:00-07:00 or 2026-11-01T01:30:00-08:00" in said["errors"][0]["detail"]


def test_the_repeated_hour_with_its_offset_is_two_different_times(world: World) -> None:
    """1:30 comes twice on a night in Los Angeles: with the offset each is its own occurrence."""
    back = next_change(HERE, back=True)
    times = f"{back}T01:30:00-07:00,{back}T01:30:00-08:00"
    plan = get(world, f"{here(world)}/series-plan?patient_id={world.ids[ex.PATIENT]}&visit_kind=follow_up"
                      f"&starts_at={times.replace('+', '%2B')}")
    assert [one["starts_at"] for one in plan["occurrences"]] == times.split(",")
    assert plan["bookable"]


def test_another_clinics_patient_course_and_nurse_are_not_to_be_asked_about(world: World) -> None:
    b = f"/v1/clinics/{world.ids[NEVER_CARES]}"
    get(world, f"{b}/series-plan?patient_id={world.ids[ex.PATIENT]}", at="B", status=404)
    get(world, f"{b}/free-slots?patient_id={world.ids[ex.PATIENT]}", at="B", status=404)
    get(world, f"{here(world)}/free-slots?nurse_id={uuid4()}", status=404)
    get(world, f"{here(world)}/series-plan?patient_id={world.ids[ex.PATIENT]}&course_id={uuid4()}", status=404)
    assert post(world, f"{b}/series-bookings", series(world, (1, ex.ROOM, aware(world, 20, "09:00"))),
                at="B").status_code == 404


def test_free_slots_and_the_third_next_available_agree_with_the_dashboard(world: World) -> None:
    """Given the first hours of a day booked in each room, the figure and the slots name the same third slot."""
    found = get(world, f"{here(world)}/free-slots?from={day(world, 20)}&to={day(world, 21)}&visit_kind=consultation")
    assert found["minutes"] == 60
    assert found["slots"][0]["starts_at"] == aware(world, 20, "00:00")
    world.caught_up()
    now = world.services.clock.now()
    today = now.astimezone(HERE).date()
    with world.read_side.database.reads.connect() as connection:
        figures = utilization.report(
            connection, [world.ids[ex.CLINIC]], Period(today, today), as_of=now
        ).third_next_available[world.ids[ex.CLINIC]]
    assert set(figures) == set(VISIT_KINDS)
    for kind, figure in figures.items():
        third = get(world, f"{here(world)}/free-slots?visit_kind={kind}")["third_next_available"]
        assert figure.value is not None
        away = datetime.fromisoformat(third["starts_at"]) - now
        assert float(figure.value) == pytest.approx(away / timedelta(days=1), abs=60 / 86400), kind


def test_a_closure_is_a_work_list_until_its_bookings_are_made_again(world: World) -> None:
    body = series(world, (1, ex.ROOM, aware(world, 20, "09:00")), (2, ex.ROOM, aware(world, 22, "09:00")))
    booked = post(world, f"{here(world)}/series-bookings", body).get_json()
    closed = post(world, f"{here(world)}/closures", {
        "starts_at": day(world, 20, "00:00"), "ends_at": day(world, 21, "00:00"), "reason_code": "holiday"},
        role="manager").get_json()
    listed = get(world, f"{here(world)}/stranded-bookings")["bookings"]
    assert [(one["why"], one["closure_id"], one["appointment"]["appointment_id"]) for one in listed] == [
        ("closure", closed["ids"]["closure_id"], booked["ids"]["appointment_1"])]
    moved = post(world, (f"/v1/appointments/{world.ids[ex.CLINIC]}/{day(world, 20)}/"
                         f"{booked['ids']['appointment_1']}/move"), {
        "room_id": world.ids[ex.ROOM], "starts_at": day(world, 21, "09:00"), "asked_by": "clinic",
        "reason_code": "clinic_closure"}, if_match=1)
    assert moved.status_code == 201, moved.text
    assert get(world, f"{here(world)}/stranded-bookings")["bookings"] == []


def test_a_cancelled_time_is_offered_to_who_waits_and_filled(world: World) -> None:
    """Cancel, read the work list at that position, book from it: the entry is gone and the time taken."""
    booked = post(world, f"{here(world)}/series-bookings", series(world, *[
        (number, ex.ROOM, aware(world, 20, clock)) for number, clock in ((1, "09:00"), (2, "11:00"))])).get_json()
    sheet = f"/v1/appointments/{world.ids[ex.CLINIC]}/{day(world, 20)}"
    joined = post(world, f"{sheet}/waitlist", {
        "patient_id": world.ids[ex.DUPLICATE], "visit_kind": "follow_up", "earliest_at": day(world, 20, "08:00"),
        "latest_at": day(world, 20, "12:00")}).get_json()
    cancelled = post(world, f"{sheet}/{booked['ids']['appointment_1']}/cancel", {
        "asked_by": "patient", "reason_code": "illness"}, if_match=joined["version"]).get_json()
    world.caught_up()
    said = get(world, f"{here(world)}/waitlist?min_position={cancelled['position']}")
    assert [one["entry_id"] for one in said["waiting"]] == [joined["ids"]["entry_id"]]
    (freed,) = said["freed"]
    (candidate,) = freed["candidates"]
    assert (freed["how"], freed["starts_at"], candidate["starts_at"]) == (
        "cancelled", aware(world, 20, "09:00"), aware(world, 20, "09:00"))
    filled = post(world, f"{sheet}/waitlist/{candidate['entry_id']}/book", {
        "room_id": freed["room_id"], "starts_at": candidate["starts_at"]})
    assert (filled.status_code, filled.get_json()["events"]) == (
        201, ["appointment.booked.v1", "appointment.waitlist_left.v1"])
    world.caught_up()
    after = get(world, f"{here(world)}/waitlist")
    assert after["waiting"] == []
    assert [(one["starts_at"], one["ends_at"]) for one in after["freed"]] == [
        (aware(world, 20, "09:30"), aware(world, 20, "11:00"))]


def test_who_may_not_book_may_not_book_a_series(world: World) -> None:
    for role in ("biller", "auditor"):
        answer = post(world, f"{here(world)}/series-bookings",
                      series(world, (1, ex.ROOM, aware(world, 20, "09:00"))), role=role)  # type: ignore[arg-type]
        assert answer.status_code == 403


def test_overbooking_is_authorised_by_whoever_asks_or_by_a_pin(world: World) -> None:
    """The front desk names the prescriber, whose PIN it does not know; the prescriber needs none for themselves."""
    sheet = f"/v1/appointments/{world.ids[ex.CLINIC]}/{day(world, 27)}"
    visit = world.real({
        "patient_id": ex.DUPLICATE, "room_id": ex.ROOM, "visit_kind": "follow_up",
        "overbooking": {"authorised_by": ex.PRESCRIBER, "reason_code": "urgent"}})

    def book(patient: str, role: Role = "front_desk", clock: str = "10:00", **more: Any) -> Any:
        return post(world, sheet, {
            **visit, "patient_id": world.ids[patient], "starts_at": day(world, 27, clock), **more}, role)

    assert book(ex.DUPLICATE, overbooking=None).status_code == 201
    head = world.services.log.head()
    for more in ({}, {"authoriser_pin": "000000"}):
        refused = book(ex.PATIENT, **more)
        assert (refused.status_code, refused.get_json()["errors"][0]["pointer"]) == (403, "/authoriser_pin")
    assert world.services.log.head() == head
    for role, clock, until, pin in (
        ("front_desk", "10:00", "10:15", {"authoriser_pin": PIN}), ("prescriber", "10:15", "10:30", {}),
    ):
        made = book(ex.PATIENT, role, clock, ends_at=day(world, 27, until), **pin)
        assert made.status_code == 201, made.text
        assert "appointment.overbooking_authorised.v1" in made.get_json()["events"]

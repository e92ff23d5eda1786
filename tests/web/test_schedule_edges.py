"""The schedule's pages at their edges: nights, odd zones, rooms gone, nonsense in the address, what nobody closed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from uuid import UUID, uuid4

import pytest

from api.http import examples as ex
from tests.api.world import HERE, World
from tests.web.forms import form_of, forms_of, submit
from tests.web.test_schedule import ROOM_2, book, day, page, path, sheet, slot


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World]) -> World:
    """Two clinics open day and night, people, a patient with an open course. Each test has days of its own."""
    return make_world().tell(until="courses.open").caught_up()


def made(world: World, address: str, body: dict[str, object], role: str = "manager", at: str = "A", **more: int) -> str:
    """Posts to the API; the id that it made, under whatever name."""
    answer = world.post(f"/v1/clinics{address}", body, key=world.keys[role, at], idempotency_key=str(uuid4()), **more)
    assert answer.status_code == 201, answer.text
    told = answer.get_json()
    return str(next(iter(told["ids"].values()), told["id"]))


# --- the grid ------------------------------------------------------------------------------------


def test_in_a_zone_off_by_three_quarters_of_an_hour_the_hours_are_the_clinics(world: World) -> None:
    """Kathmandu is 5:45 ahead: the grid begins when the clinic opens and is cut at its full hours."""
    clinic_id = made(world, "", {"clinic_name": "Hill (fictional)", "timezone": "Asia/Kathmandu", "fictional": True},
                     "owner", "all")
    made(world, f"/{clinic_id}/rooms", {"room_name": "Room 1"}, "owner", "all")
    made(world, f"/{clinic_id}/opening-hours", {"effective_from": "2020-01-01", "prime": [], "hours": [
        {"weekday": number, "opens": "08:00", "closes": "10:00"} for number in range(1, 8)]}, "owner", "all")
    html = page(world.browser("owner", "all"), f"/schedule/{clinic_id}/{day(world, 9)}")
    rows = re.findall(r'<tr class="(hour|quarter)">\s*<th scope="row" class="clock">(.*?)</th>', html)
    assert [re.sub("<[^>]+>", "", label) for _, label in rows] == [
        "08:00", "08:15", "08:30", "08:45", "09:00", "09:15", "09:30", "09:45"]
    assert [kind for kind, _ in rows] == ["hour", "quarter", "quarter", "quarter"] * 2
    assert re.findall(r"&at=\S+?T(\d\d:\d\d):00(?:\+|%2B)05:45", html) == ["08:00", "09:00"]


def test_a_visit_over_midnight_stands_in_both_days(world: World) -> None:
    """With the time that is its own; the evening's visit that is over by then does not."""
    desk = world.browser("front_desk", "A")
    form = next(one for one in forms_of(page(
        desk, path(world, f"book?patient={world.ids[ex.DUPLICATE]}&kind=follow_up&on={day(world, 3)}")))
        if one.method == "post")
    late = submit(desk, form, slot=slot(world, ex.ROOM, 3, 23, 45)).headers["Location"].rpartition("#a-")[2]
    early = book(world, desk, 3, 20)
    html = page(desk, path(world, str(day(world, 4))))
    assert f'id="a-{late}"' in html and "23:45–00:15" in html and f'id="a-{early}"' not in html
    assert f"/{day(world, 3)}/{late}" in html, "its sheet is that of its beginning"


# --- rooms that are gone -------------------------------------------------------------------------


def test_a_booking_in_a_retired_room_stands_in_the_week_and_is_to_be_made_again_however_far(world: World) -> None:
    desk, clinic_id = world.browser("front_desk", "A"), world.ids[ex.CLINIC]
    name = str(uuid4())
    world.ids[name] = made(world, f"/{clinic_id}/rooms", {"room_name": "Room 9"})
    near, far = book(world, desk, 5, 9, name), book(world, desk, 300, 9, name)
    assert "In a room that is gone" not in page(desk, path(world, f"week/{day(world, 5)}"))
    made(world, f"/{clinic_id}/rooms/{world.ids[name]}/retire", {"reason_code": "renovation"},
         if_match=world.services.log.head_of(UUID(clinic_id)))
    week = page(desk, path(world, f"week/{day(world, 5)}")).partition("In a room that is gone")[2]
    assert near in week and "Room 9" in week
    again = page(desk, path(world, "premises"))
    assert near in again and far in again and again.count("the room is gone") == 2


# --- no-shows, and what nobody closed ------------------------------------------------------------


def test_what_is_over_with_nothing_recorded_is_listed_until_somebody_says_what_became_of_it(world: World) -> None:
    """On today's sheet. The button for a no-show is one step further, where it is said what reverses it."""
    desk = world.browser("front_desk", "A")
    began = world.now - timedelta(minutes=90)
    on = began.astimezone(HERE).date()
    answer = world.post(f"/v1/appointments/{world.ids[ex.CLINIC]}/{on}", {
        "patient_id": world.ids[ex.PATIENT], "room_id": world.ids[ROOM_2], "visit_kind": "follow_up",
        "starts_at": began.isoformat(), "at": (world.now - timedelta(minutes=100)).isoformat(),
    }, key=world.keys["front_desk", "A"], idempotency_key=str(uuid4()))
    address = path(world, f"{on}/{answer.get_json()['ids']['appointment_id']}")
    today = page(desk, path(world, str(day(world, 0)))).partition("To be closed")[2]
    assert f'href="{address}"' in today
    assert "To be closed" not in page(desk, path(world, str(day(world, 1))))
    html = page(desk, address)
    step = re.search(r"<details[^>]*>\s*<summary>They did not come</summary>(.*?)</details>", html, re.DOTALL)
    assert step is not None and "/no-show" in step[1] and "recording their arrival for it reverses it" in step[1]
    assert "/no-show" not in html.replace(step[0], "")
    assert submit(desk, form_of(html, "/no-show")).status_code == 303
    assert "To be closed" not in page(desk, path(world, str(day(world, 0))))
    assert "recording their arrival for this booking reverses it" in page(desk, address)


# --- nonsense ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rest", [
    "book?patient=x", "book?nurse=x", "book?patient={patient}&nurse=x", "book?patient={patient}&prescriber=%00",
    "waitlist?patient=x", "waitlist?patient={patient}&nurse=x", "series?patient=x", "series?patient={patient}&nurse=x",
    "series?patient={patient}&room=x",
])
def test_nonsense_in_the_address_shows_the_form_and_says_so(world: World, rest: str) -> None:
    desk = world.browser("front_desk", "A")
    html = page(desk, path(world, rest.format(patient=world.ids[ex.PATIENT])), 422)
    assert "names somebody or something that is not there" in html
    assert ("somebody else" if "{patient}" in rest else "Family name") in html
    for form in forms_of(html):
        assert not {"x", "\0"} & {value for values in form.fields.values() for value in values}


def test_a_form_with_nonsense_is_refused_and_shown_again(world: World) -> None:
    desk, head = world.browser("front_desk", "A"), world.services.log.head()
    for name in ("book", "series", "waitlist"):
        kind = {"book": "&kind=follow_up"}.get(name, "")
        html = page(desk, path(world, f"{name}?patient={world.ids[ex.PATIENT]}{kind}"))
        form = next(one for one in forms_of(html) if one.method == "post" and one.action.endswith(f"/{name}"))
        answer = desk.post(form.action, data={**form.fields, "patient": "x", "slot": slot(world, ex.ROOM, 8, 9)})
        assert (answer.status_code, "Family name" in answer.text) == (422, True), name
    assert world.services.log.head() == head


# --- a series ------------------------------------------------------------------------------------


def test_a_series_proposes_what_is_left_and_keeps_the_rooms_that_were_chosen(world: World) -> None:
    """Of the usual six, what is booked is not proposed again. A refusal names the room, and comes back with every
    time in the room in which it was chosen."""
    desk = world.browser("front_desk", "A")
    address = path(world, f"series?patient={world.ids[ex.PATIENT]}")
    html = page(desk, address)
    assert "Of 6 in the series: 0 given, 0 booked." in html and 'name="infusions" min="1" max="30" value="6"' in html
    assert submit(desk, form_of(page(desk, f"{address}&infusions=2&clock=06:00"), "/series")).status_code == 303
    html = page(desk, address)
    assert "Of 6 in the series: 0 given, 2 booked." in html and 'max="30" value="4"' in html
    taken = book(world, desk, 22, 9, ROOM_2)
    wished = [slot(world, ROOM_2, 21, 9), slot(world, ROOM_2, 22, 9)]
    form = form_of(page(desk, f"{address}&infusions=2&clock=09:00"), "/series")
    refused = submit(desk, form, visit_1=wished[0], visit_2=wished[1])
    assert (refused.status_code, "Room 2 is taken until 09:30." in unescape(refused.text)) == (422, True)
    again = form_of(refused.text, "/series")
    assert again.fields["visit-1"] == [wished[0]] and again.fields["visit-2"] != [wished[1]]
    assert submit(desk, again).status_code == 303
    assert UUID(taken) in sheet(world, 22).appointments
    assert submit(desk, form_of(page(desk, f"{address}&clock=16:00"), "/series")).status_code == 303
    html = page(desk, address)
    assert "Nothing is left to book." in html and "Book these visits" not in html
    assert "Book these visits" in page(desk, f"{address}&infusions=1")

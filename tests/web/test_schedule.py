"""The schedule's pages: who may, what they show, and that their forms do what the API does, told in a desk's words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from html import unescape
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient

from api.auth.policy import POLICY
from api.http import examples as ex
from api.http.app import create_app
from domain import clinic, day_sheet
from domain.kernel import derived_id
from tests.api.story import NEVER_CARES
from tests.api.world import HERE, PIN, ROLES, World
from tests.conftest import Database
from tests.support.clock_changes import next_change
from tests.web.forms import Form, form_of, forms_of, submit

ROOM_2 = "3c1f7a90-2b64-4d7e-9a11-5f0e8d3c2b02"
PEOPLE = [role for role in ROLES if role != "integrator"]


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World]) -> World:
    """Two clinics open day and night, people, a patient with an open course. Each test has days of its own."""
    return _lived(make_world())


def _lived(made: World) -> World:
    return made.tell(until="courses.open").caught_up()


def day(world: World, days: int) -> date:
    return (world.now.astimezone(HERE) + timedelta(days=days)).date()


def at(world: World, days: int, hour: int, minute: int = 0) -> str:
    """As a form sends it."""
    return datetime(*day(world, days).timetuple()[:3], hour, minute, tzinfo=HERE).isoformat()


def slot(world: World, room: str, days: int, hour: int, minute: int = 0) -> str:
    return f"{world.ids[room]}|{at(world, days, hour, minute)}"


def path(world: World, rest: str) -> str:
    return f"/schedule/{world.ids[ex.CLINIC]}/{rest}"


def page(browser: FlaskClient, address: str, status: int = 200) -> str:
    answer = browser.get(address)
    assert answer.status_code == status, answer.text[:500]
    return unescape(answer.text)


def book(world: World, browser: FlaskClient, days: int, hour: int, room: str = ex.ROOM, who: str = ex.DUPLICATE) -> str:
    """A follow-up of half an hour by the form; the appointment's id."""
    (form,) = _posts(browser, world, days, who)
    answer = submit(browser, form, slot=slot(world, room, days, hour))
    assert answer.status_code == 303, unescape(answer.text)
    return answer.headers["Location"].rpartition("#a-")[2]


def _posts(browser: FlaskClient, world: World, days: int, who: str, kind: str = "follow_up") -> list[Form]:
    html = page(browser, path(world, f"book?patient={world.ids[who]}&kind={kind}&on={day(world, days)}"))
    return [one for one in forms_of(html) if one.method == "post"]


def sheet(world: World, days: int) -> day_sheet.State:
    stream = derived_id("day_sheet", UUID(world.ids[ex.CLINIC]), day(world, days).isoformat())
    state: day_sheet.State = world.services.handling.current(day_sheet, stream).state
    return state


# --- who may -------------------------------------------------------------------------------------

PAGES = {
    "web_schedule.day": "{day}", "web_schedule.week": "week/{day}", "web_schedule.book": "book",
    "web_schedule.series": "series", "web_schedule.waitlist": "waitlist", "web_schedule.premises": "premises",
    "web_schedule.of_patient": "visits?patient={patient}", "web_schedule.on_call": "on-call",
}
FORMS = {
    "web_schedule.find": "find", "web_schedule.make_booking": "book", "web_schedule.book_series": "series",
    "web_schedule.join_waitlist": "waitlist",
    "web_schedule.confirm": "{day}/{id}/confirm", "web_schedule.cancel": "{day}/{id}/cancel",
    "web_schedule.no_show": "{day}/{id}/no-show", "web_schedule.move": "{day}/{id}/move",
    "web_schedule.arrive": "{day}/{id}/arrive", "web_schedule.end_visit": "{day}/{id}/end",
    "web_schedule.refill": "{day}/waitlist/{id}/book", "web_schedule.offer": "{day}/waitlist/{id}/offer",
    "web_schedule.leave_waitlist": "{day}/waitlist/{id}/leave",
    "web_schedule.declare_closure": "closures", "web_schedule.lift_closure": "closures/{id}/lift",
    "web_schedule.set_hours": "hours", "web_schedule.open_feed": "calendar-feeds",
    "web_schedule.close_feed": "calendar-feeds/{id}/close", "web_schedule.set_on_call": "on-call",
}


def test_every_form_is_in_this_file() -> None:
    """A new form is tried in every role too."""
    named = {name for name in POLICY if name.startswith("web_schedule.")}
    assert named - {"web_schedule.index", "web_schedule.appointment"} == set(PAGES) | set(FORMS)


def _token(browser: FlaskClient, world: World) -> str:
    """Any form's, of a page that everybody has."""
    return form_of(page(browser, "/account"), "/sign-out").fields["csrf_token"][0]


@pytest.mark.parametrize("role", PEOPLE)
def test_each_role_sees_and_does_what_the_policy_says(world: World, role: str) -> None:
    """Pages and forms, both ways; another clinic's are the 404 that a random id is; nothing is written."""
    mine, theirs = world.browser(role, "A"), world.browser(role, "B")  # type: ignore[arg-type]
    fill = {"day": day(world, 90), "id": uuid4(), "patient": world.ids[ex.PATIENT]}
    head = world.services.log.head()
    for operation, rest in PAGES.items():
        allowed = role in POLICY[operation].roles
        address = path(world, rest.format(**fill))
        assert mine.get(address).status_code == (200 if allowed else 403), operation
        assert theirs.get(address).status_code == (404 if allowed else 403), operation
        nowhere = address.replace(world.ids[ex.CLINIC], str(uuid4()))
        assert theirs.get(nowhere).status_code == (404 if allowed else 403), operation
    for operation, rest in FORMS.items():
        allowed = role in POLICY[operation].roles
        address = path(world, rest.format(**fill))
        data = {"csrf_token": _token(mine, world), "key": str(uuid4())}
        refused = (200,) if operation == "web_schedule.find" else (404, 422)
        assert mine.post(address, data=data).status_code in (refused if allowed else (403,)), operation
        data["csrf_token"] = _token(theirs, world)
        assert theirs.post(address, data=data).status_code == (404 if allowed else 403), operation
    written = [record.name for record in world.services.log.read(head, 100)]
    assert set(written) <= {"oversight.command_refused.v1"}


def test_without_a_session_the_way_leads_to_signing_in_and_without_a_token_nothing_is_done(world: World) -> None:
    stranger = world.app.test_client()
    address = path(world, str(day(world, 90)))
    answer = stranger.get(address)
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, "/sign-in")
    assert stranger.post(path(world, "book")).status_code in (303, 403)
    assert world.browser("front_desk", "A").post(path(world, "book"), data={"key": str(uuid4())}).status_code == 403


def test_looking_is_on_record(world: World) -> None:
    """A day's sheet with how many bookings, one booking with its patient."""
    browser, log = world.browser("front_desk", "A"), world.services.access.log
    booked = book(world, browser, 2, 9)
    before = log.head()
    page(browser, path(world, str(day(world, 2))))
    page(browser, path(world, f"{day(world, 2)}/{booked}"))
    seen = [(record.event.resource, record.subject, record.event.result_count)  # type: ignore[attr-defined]
            for record in log.read(before, 10)]
    assert seen == [("schedule", None, 1), ("appointment", UUID(world.ids[ex.DUPLICATE]), 1)]
    before = log.head()
    page(browser, path(world, f"series?patient={world.ids[ex.PATIENT]}"))
    assert [record.event.resource for record in log.read(before, 10)] == ["patient", "series_plan"]  # type: ignore[attr-defined]


# --- the day and the week ------------------------------------------------------------------------


def test_the_front_door_leads_to_today_at_the_clinic_asked_for(world: World) -> None:
    browser = world.browser("owner", "all")
    answer = browser.get(f"/schedule?clinics={world.ids[NEVER_CARES]}")
    assert answer.headers["Location"].startswith(f"/schedule/{world.ids[NEVER_CARES]}/")
    assert browser.get("/schedule").status_code == 303


def test_a_day_shows_rooms_bookings_free_time_and_what_was_given_up(world: World) -> None:
    """The name and the status in words; free time leads into the form with room and time chosen."""
    browser = world.browser("front_desk", "A")
    booked = book(world, browser, 3, 10)
    html = page(browser, path(world, str(day(world, 3))))
    assert "Room 1" in html and f'id="a-{booked}"' in html and "10:00–10:30" in html and "Exemple" in html
    assert f"/book?on={day(world, 3)}&room={world.ids[ROOM_2]}&at={at(world, 3, 10)}" in html
    cancel = form_of(page(browser, path(world, f"{day(world, 3)}/{booked}")), "/cancel")
    assert submit(browser, cancel, asked_by="patient", reason="illness").status_code == 303
    html = page(browser, path(world, f"{day(world, 3)}?said=cancelled"))
    assert "Given up" in html and "the time is free again" in html
    week = page(browser, path(world, f"week/{day(world, 3)}"))
    assert "24 h 00 min free" in week


def test_a_day_without_bookings_leads_to_the_next_one(world: World) -> None:
    browser = world.browser("front_desk", "A")
    booked = book(world, browser, 60, 9)
    html = page(browser, path(world, str(day(world, 59))))
    assert "Nothing is booked on this day" in html and f"/{day(world, 60)}/{booked}" in html
    assert "Nothing is booked" not in page(browser, path(world, str(day(world, 60))))


def test_the_row_of_this_quarter_hour_says_now(world: World) -> None:
    html = page(world.browser("front_desk", "A"), path(world, str(day(world, 0))))
    assert html.count("now-mark") == 1
    assert "now-mark" not in page(world.browser("front_desk", "A"), path(world, str(day(world, 1))))


@pytest.mark.parametrize(("on", "rows", "label"), [
    (date(2027, 3, 14), 92, "03:00 PDT"), (date(2027, 11, 7), 100, "01:00 PST"), (date(2027, 3, 15), 96, "03:00"),
])
def test_a_day_has_as_many_quarter_hours_as_it_is_long(world: World, on: date, rows: int, label: str) -> None:
    """23 and 25 hours on the days of the change, where every time says its zone."""
    html = page(world.browser("front_desk", "A"), path(world, on.isoformat()))
    assert html.count("<tr class=") == rows
    assert f'class="clock">{label}<' in html
    week = page(world.browser("front_desk", "A"), path(world, f"week/{on}"))
    assert [said.count("the clocks change") for said in (html, week)] == [0 if rows == 96 else 1] * 2


# --- booking -------------------------------------------------------------------------------------


def test_a_form_sent_twice_books_once(world: World) -> None:
    """The key in the hidden field makes it the same act; another form under that key is refused."""
    browser = world.browser("front_desk", "A")
    (form,) = _posts(browser, world, 4, ex.DUPLICATE)
    first = submit(browser, form, slot=slot(world, ex.ROOM, 4, 9))
    again = submit(browser, form, slot=slot(world, ex.ROOM, 4, 9))
    assert first.status_code == again.status_code == 303
    assert first.headers["Location"] == again.headers["Location"]
    assert len(sheet(world, 4).appointments) == 1
    assert submit(browser, form, slot=slot(world, ex.ROOM, 4, 11)).status_code == 422


def test_what_cannot_be_booked_is_told_in_words_and_the_form_stays(world: World) -> None:
    browser = world.browser("front_desk", "A")
    book(world, browser, 5, 9)
    form = _posts(browser, world, 5, ex.PATIENT, "series")[0]
    answer = submit(browser, form, slot=slot(world, ex.ROOM, 5, 8))
    assert answer.status_code == 422
    assert "Room 1 is taken until 09:30." in unescape(answer.text)
    again = form_of(answer.text, "/book")
    assert again.fields["key"] != form.fields["key"]
    assert "Choose a time" in unescape(submit(browser, again, slot=None).text)
    past = submit(browser, again, slot=slot(world, ex.ROOM, -2, 8))
    assert "That time has passed." in past.text
    (other,) = _posts(browser, world, 5, ex.DUPLICATE, "series")
    refused = submit(browser, other, slot=slot(world, ROOM_2, 5, 12))
    assert "this patient has none here" in refused.text


def test_overbooking_needs_a_person_and_a_reason_and_is_an_event(world: World) -> None:
    browser = world.browser("front_desk", "A")
    book(world, browser, 6, 9)
    book(world, browser, 6, 14)  # in the same room, over nothing
    form = _posts(browser, world, 6, ex.PATIENT, "follow_up")[0]
    wanted = {"slot": slot(world, ex.ROOM, 6, 9), "overbook": "1", "over": "room"}
    assert "who authorises it, and a reason" in unescape(submit(browser, form, **wanted).text)
    assert form.offered["authorised_by"][1:] == [world.ids[ex.PRESCRIBER]]
    wanted |= {"authorised_by": world.ids[ex.PRESCRIBER], "overbook_reason": "urgent"}
    head = world.services.log.head()
    for pin in ("", "000000"):
        refused = submit(browser, form, **wanted, authoriser_pin=pin)
        assert (refused.status_code, "types their own PIN" in refused.text) == (422, True)
    assert world.services.log.head() == head
    assert PIN not in submit(browser, form, **{**wanted, "slot": "other"}, authoriser_pin=PIN).text
    head = world.services.log.head()
    done = submit(browser, form, **wanted, authoriser_pin=PIN)
    assert done.status_code == 303, unescape(done.text)
    assert [record.name for record in world.services.log.read(head, 9)] == [
        "appointment.booked.v1", "appointment.overbooking_authorised.v1"]
    html = page(browser, path(world, str(day(world, 6))))
    assert 'colspan="2"' in html and html.count("overbooked</span>") == 2
    over = world.services.log.read(head, 1)[0].event.appointment_id  # type: ignore[attr-defined]
    told = unescape(page(browser, path(world, f"{day(world, 6)}/{over}")))
    assert re.search(r"<dt>Overbooked</dt><dd>authorised by [^<]+: urgent</dd>", told)


def test_who_may_authorise_overbooking_does_so_by_booking(world: World) -> None:
    """Nobody is chosen from a list and no PIN is asked; over nothing no such event is written."""
    browser = world.browser("prescriber", "A")
    book(world, browser, 17, 9)
    form = _posts(browser, world, 17, ex.PATIENT, "follow_up")[0]
    assert not {"authorised_by", "authoriser_pin"} & set(form.offered)
    over = {"overbook": "1", "over": "room", "overbook_reason": "urgent"}
    free = submit(browser, form, **over, slot=slot(world, ROOM_2, 17, 14))
    assert free.status_code == 303, unescape(free.text)
    again = _posts(browser, world, 17, ex.PATIENT, "follow_up")[0]
    assert submit(browser, again, **over, slot=slot(world, ex.ROOM, 17, 9)).status_code == 303
    by = [one.overbooked_by for one in sheet(world, 17).appointments.values()]
    assert sorted(map(str, by)) == sorted(["None", "None", world.ids[ex.PRESCRIBER]])


def test_the_time_clicked_in_the_grid_stays_chosen_for_another_kind_of_visit(world: World) -> None:
    """Until another day is looked at; where it is not free for the visit, the form says so and chooses nothing."""
    browser = world.browser("front_desk", "A")
    book(world, browser, 7, 10)
    clicked = f"patient={world.ids[ex.PATIENT]}&on={day(world, 7)}&room={world.ids[ex.ROOM]}&at="
    ask = next(one for one in forms_of(page(browser, path(world, f"book?{clicked}{quote(at(world, 7, 9))}")))
               if one.method == "get" and "kind" in one.offered)

    def answered(**changed: object) -> tuple[str, list[str]]:
        html = page(browser, f"{ask.action}?{urlencode({**ask.fields, **changed}, doseq=True)}")
        form = next(one for one in forms_of(html) if one.method == "post")
        return html, form.fields.get("slot", [])

    assert answered(kind="follow_up")[1] == [slot(world, ex.ROOM, 7, 9)]
    html, chosen = answered(kind="series")  # two hours from nine, and ten is taken
    assert (chosen, "not free for this visit" in html) == ([], True)
    html, chosen = answered(kind="follow_up", on=str(day(world, 8)))
    assert (chosen, "not free for this visit" in html) == ([], False)


def test_a_time_by_hand_on_the_nights_of_the_change(world: World) -> None:
    """The skipped hour is refused; the repeated one asks which, by the zone's names; then it is booked as meant."""
    browser = world.browser("front_desk", "A")
    back, forward = next_change(HERE, back=True).isoformat(), next_change(HERE, back=False).isoformat()
    address = path(world, f"book?patient={world.ids[ex.DUPLICATE]}&kind=follow_up&on={back}")
    form = next(one for one in forms_of(page(browser, address)) if one.method == "post")
    by_hand = {"slot": "other", "room": world.ids[ex.ROOM], "clock": "01:30"}
    skipped = submit(browser, form, **{**by_hand, "on": forward, "clock": "02:30"})
    assert "02:30 does not exist on that day" in skipped.text
    asked = submit(browser, form, **by_hand, on=back)
    assert "the first (PDT) or the second (PST)" in asked.text
    for fold in ("1", "0"):
        again = next(one for one in forms_of(page(browser, address)) if one.method == "post")
        assert submit(browser, again, **by_hand, on=back, fold=fold).status_code == 303
    stream = derived_id("day_sheet", UUID(world.ids[ex.CLINIC]), back)
    held = world.services.handling.current(day_sheet, stream).state.appointments.values()
    assert sorted(one.starts_at.isoformat() for one in held) == [
        f"{back}T01:30:00-07:00", f"{back}T01:30:00-08:00"]


def test_a_patient_is_found_by_the_family_name(world: World) -> None:
    browser = world.browser("front_desk", "A")
    html = page(browser, path(world, f"book?on={day(world, 5)}"))
    found = submit(browser, form_of(html, "/find"), name="exem")
    assert found.status_code == 200 and world.ids[ex.DUPLICATE] in found.text
    way = next(one for one in forms_of(found.text) if one.fields.get("patient") == [world.ids[ex.DUPLICATE]])
    assert (way.action, way.fields["on"]) == (path(world, "book"), [str(day(world, 5))])
    assert "Nobody of this clinic" in submit(browser, form_of(html, "/find"), name="zzz").text
    assert browser.get(path(world, f"book?patient={uuid4()}")).status_code == 404


# --- what becomes of it --------------------------------------------------------------------------


def test_a_booking_is_confirmed_and_moved(world: World) -> None:
    """To another day and room by a free time of the list; then nothing of it is left to do on the old day."""
    browser = world.browser("nurse", "A")
    booked = book(world, browser, 8, 9)
    address = path(world, f"{day(world, 8)}/{booked}")
    assert submit(browser, form_of(page(browser, address), "/confirm")).status_code == 303
    html = page(browser, f"{address}?on={day(world, 9)}")
    assert "confirmed" in html
    move = form_of(html, "/move")
    there = slot(world, ROOM_2, 9, 14)
    assert there in move.offered["slot"]
    moved = submit(browser, move, slot=there, asked_by="patient", reason="work")
    assert moved.headers["Location"].partition("?")[0].endswith(str(day(world, 9)))
    one = sheet(world, 9).appointments[UUID(booked)]
    assert (str(one.room_id), one.starts_at.isoformat()) == (world.ids[ROOM_2], at(world, 9, 14))
    assert "/move" not in page(browser, address)
    late = submit(browser, move, slot=slot(world, ROOM_2, 9, 15), asked_by="patient", reason="work", key=str(uuid4()))
    assert "moved, cancelled or ended meanwhile" in late.text


def test_a_no_show_is_for_a_visit_that_was_to_begin(world: World) -> None:
    browser = world.browser("front_desk", "A")
    booked = book(world, browser, 10, 9)
    html = page(browser, path(world, f"{day(world, 10)}/{booked}"))
    assert "/no-show" not in html
    token = form_of(html, "/confirm").fields
    early = browser.post(path(world, f"{day(world, 10)}/{booked}/no-show"), data=token)
    assert (early.status_code, "before it was to begin" in early.text) == (422, True)
    minutes_ago = world.now - timedelta(minutes=6)
    on = minutes_ago.astimezone(HERE).date()
    made = world.post(f"/v1/appointments/{world.ids[ex.CLINIC]}/{on}", {
        "patient_id": world.ids[ex.PATIENT], "room_id": world.ids[ROOM_2], "visit_kind": "follow_up",
        "starts_at": minutes_ago.isoformat(), "at": (world.now - timedelta(minutes=10)).isoformat(),
    }, key=world.keys["front_desk", "A"], idempotency_key=str(uuid4()))
    address = path(world, f"{on}/{made.get_json()['ids']['appointment_id']}")
    html = page(browser, address)
    assert "/confirm" not in html
    assert submit(browser, form_of(html, "/no-show")).status_code == 303
    assert "no-show</span>" in page(browser, address)


# --- a series ------------------------------------------------------------------------------------


def test_a_series_with_a_conflict_is_mended_by_one_click_and_booked(world: World) -> None:
    """The conflict is told at its visit, a free time is chosen already; the rest stays as wished."""
    browser = world.browser("front_desk", "A")
    plan = page(browser, path(world, f"series?patient={world.ids[ex.PATIENT]}&infusions=3&clock=09:00"))
    wished = form_of(plan, "/series").fields
    assert "All free" in plan
    times = [wished[f"visit-{number}"][0] for number in (1, 2, 3)]
    second = datetime.fromisoformat(times[1].partition("|")[2])
    days = (second.date() - day(world, 0)).days
    for room in (ex.ROOM, ROOM_2, "3c1f7a90-2b64-4d7e-9a11-5f0e8d3c2b03"):
        book(world, browser, days, 9, room, ex.DUPLICATE if room == ex.ROOM else _another(world))
    html = page(browser, path(world, f"series?patient={world.ids[ex.PATIENT]}&infusions=3&clock=09:00"))
    assert "1 visit cannot be at the time wished" in html.replace("\u00a0", " ")
    assert "Room 1 is taken until 09:30." in html
    form = form_of(html, "/series")
    assert form.fields["visit-1"] == [times[0]] and form.fields["visit-2"] != [times[1]]
    done = submit(browser, form)
    assert done.status_code == 303, unescape(done.text)
    world.caught_up()
    listed = page(browser, done.headers["Location"])
    assert "The series is booked." in listed
    coming = re.findall(r'<time datetime="([^"]+)"', listed.partition("Earlier and cancelled")[0])
    chosen = datetime.fromisoformat(form.fields["visit-2"][0].partition("|")[2])
    wished = datetime.fromisoformat(times[0].partition("|")[2])
    assert {wished, chosen} <= {datetime.fromisoformat(one) for one in coming}
    state = sheet(world, days)
    mine = [one for one in state.appointments.values() if str(one.patient_id) == world.ids[ex.PATIENT]]
    assert [one.starts_at for one in mine] == [chosen]
    again = submit(browser, form, key=str(uuid4()))
    assert again.status_code == 422 and "none was" in again.text


def _another(world: World) -> str:
    """Somebody else, registered now."""
    from tests.api.story import ENDPOINTS

    name = str(uuid4())
    body = {**world.real(dict(ENDPOINTS["patients.register"].example)), "family_name": "Weiter"}
    made = world.post("/v1/patients", body, key=world.keys["front_desk", "A"], idempotency_key=name)
    world.ids[name] = made.get_json()["id"]
    world.caught_up()
    return name


def test_without_an_open_course_there_is_no_series(world: World) -> None:
    html = page(world.browser("front_desk", "A"), path(world, f"series?patient={world.ids[ex.DUPLICATE]}"))
    assert "No open course" in html and "Book these visits" not in html


# --- the waitlist --------------------------------------------------------------------------------


def test_a_freed_time_is_filled_from_the_waitlist_by_one_click(world: World) -> None:
    """Given a cancelled hour and somebody who waits for that day, the list offers it; then both are off the list."""
    browser = world.browser("front_desk", "A")
    booked = book(world, browser, 16, 9)
    join = next(one for one in forms_of(page(browser, path(world, f"waitlist?patient={world.ids[ex.PATIENT]}")))
                if one.method == "post" and one.action.endswith("/waitlist"))
    when = {"first": day(world, 16), "from": "08:00", "last": day(world, 16), "until": "12:00", "kind": "follow_up"}
    assert submit(browser, join, **when).status_code == 303
    cancel = form_of(page(browser, path(world, f"{day(world, 16)}/{booked}")), "/cancel")
    submit(browser, cancel, asked_by="clinic", reason="staff_absence")
    world.caught_up()
    html = page(browser, path(world, "waitlist"))
    offer = next(one for one in forms_of(html) if "/waitlist/" in one.action and one.action.endswith("/book"))
    assert offer.fields["slot"] == [slot(world, ex.ROOM, 16, 9)]
    noted = next(one for one in forms_of(html) if one.action.endswith("/offer"))
    assert submit(browser, noted).headers["Location"].endswith("/waitlist?said=offered")
    (record,) = world.services.log.read(world.services.log.head() - 1, 1)
    assert isinstance(record.event, day_sheet.SlotOffered)
    assert record.event.ends_at.isoformat() == at(world, 16, 9, 30)
    world.caught_up()
    told = page(browser, path(world, "waitlist")).replace("\u00a0", " ")
    assert ", 1 offer</span>" in told and '<td class="num">1</td>' in told
    assert submit(browser, offer).headers["Location"].endswith("/waitlist?said=refilled")
    world.caught_up()
    html = page(browser, path(world, "waitlist"))
    assert "Nobody waits." in html
    mine = [one for one in sheet(world, 16).appointments.values() if str(one.patient_id) == world.ids[ex.PATIENT]]
    assert [one.starts_at.isoformat() for one in mine] == [at(world, 16, 9)]


def test_who_no_longer_waits_is_taken_off_with_a_reason(world: World) -> None:
    browser = world.browser("front_desk", "A")
    forms = forms_of(page(browser, path(world, f"waitlist?patient={world.ids[ex.DUPLICATE]}")))
    join = next(one for one in forms if one.method == "post" and one.action.endswith("/waitlist"))
    wrong = submit(browser, join, first=day(world, 18), last=day(world, 17))
    assert wrong.status_code == 422
    assert submit(browser, join, key=str(uuid4())).status_code == 303
    again = submit(browser, join, key=str(uuid4()))
    assert again.status_code == 422
    said = unescape(again.text).partition("They wait for this kind of visit already, from ")[2]
    assert re.match(r"\w+ \d+ \w+ \d+, \d\d:\d\d P[DS]T until ", said), said[:80]
    assert "without a break until day" in again.text
    world.caught_up()
    leave = next(one for one in forms_of(page(browser, path(world, "waitlist"))) if one.action.endswith("/leave"))
    assert submit(browser, leave).status_code == 422
    assert submit(browser, leave, reason="declined", key=str(uuid4())).status_code == 303
    world.caught_up()
    assert "Nobody waits." in page(browser, path(world, "waitlist"))


# --- closures and hours --------------------------------------------------------------------------


def test_a_closure_lists_what_it_strands_until_it_is_lifted(world: World) -> None:
    manager, desk = world.browser("manager", "A"), world.browser("front_desk", "A")
    booked = book(world, desk, 20, 9)
    close = form_of(page(manager, path(world, "premises")), "/closures")
    when = {"first": day(world, 20), "from": "00:00", "last": day(world, 21), "until": "00:00"}
    assert submit(manager, close, **when).status_code == 422  # no reason
    assert submit(manager, close, **when, reason="holiday", key=str(uuid4())).status_code == 303
    html = page(desk, path(world, "premises"))
    assert f"/{day(world, 20)}/{booked}#move" in html and "closed then" in html
    assert "/lift" not in html
    assert "Closed</strong> The clinic, all day." in page(desk, path(world, str(day(world, 20))))
    lift = next(one for one in forms_of(page(manager, path(world, "premises"))) if one.action.endswith("/lift"))
    assert submit(manager, lift).status_code == 303
    assert booked not in page(desk, path(world, "premises"))


def test_new_opening_hours_hold_from_their_day_on_and_list_what_they_strand(world: World) -> None:
    manager = world.browser("manager", "A")
    booked = book(world, manager, 40, 22)
    form = form_of(page(manager, path(world, "premises")), "/hours")
    times = {f"opens_{number}_1": "08:00" for number in range(1, 8)} | {
        f"closes_{number}_1": "20:00" for number in range(1, 8)}
    half = submit(manager, form, **{**times, "closes_3_1": ""}, effective_from=day(world, 40))
    assert "Wednesday: give both times, or none." in half.text
    assert submit(manager, form, **times, effective_from=day(world, 40), key=str(uuid4())).status_code == 303
    html = page(manager, path(world, "premises"))
    assert booked in html and "outside opening hours" in html and "08:00–20:00" in html
    state: clinic.State = world.services.handling.current(clinic, UUID(world.ids[ex.CLINIC])).state
    assert clinic.hours_on(state, day(world, 39)) != clinic.hours_on(state, day(world, 40))


def test_a_break_and_prime_time_outlive_the_form_of_hours(make_world: Callable[..., World]) -> None:
    """The form comes filled with the week as it is: sent unchanged, it changes nothing. Of prime time that a break
    cuts, what is open stays."""
    world = _lived(make_world())
    made = world.post(f"/v1/clinics/{world.ids[ex.CLINIC]}/opening-hours", {
        "effective_from": str(day(world, 0)), "hours": [{"weekday": 2, "opens": "08:00", "closes": "00:00"}],
        "prime": [{"weekday": 2, "opens": "09:00", "closes": "15:00"}],
    }, key=world.keys["manager", "A"], idempotency_key=str(uuid4()))
    assert made.status_code == 201, made.get_json()
    manager = world.browser("manager", "A")

    def week_after(**fields: str) -> list[list[tuple[int, str]]]:
        form = form_of(page(manager, path(world, "premises")), "/hours")
        answer = submit(manager, form, **fields, effective_from=day(world, 0))
        assert answer.status_code == 303, unescape(answer.text)
        state: clinic.State = world.services.handling.current(clinic, UUID(world.ids[ex.CLINIC])).state
        week = clinic.hours_on(state, day(world, 0))
        assert week is not None
        return [[(one.weekday, f"{one.opens:%H:%M}–{one.closes:%H:%M}") for one in spans]
                for spans in (week.hours, week.prime)]

    assert week_after() == [[(2, "08:00–00:00")], [(2, "09:00–15:00")]]
    broken = week_after(closes_2_1="12:00", opens_2_2="13:00", closes_2_2="00:00")
    assert broken == [[(2, "08:00–12:00"), (2, "13:00–00:00")], [(2, "09:00–12:00"), (2, "13:00–15:00")]]
    assert week_after() == broken
    assert "08:00–12:00, 13:00–00:00" in page(manager, path(world, "premises"))
    world.read_side.close()
    world.services.close()


def test_a_calendar_address_is_given_out_read_and_withdrawn(world: World) -> None:
    manager = world.browser("manager", "A")
    give = form_of(page(manager, path(world, "premises")), "/calendar-feeds")
    assert submit(manager, give, label="Front desk wall").status_code == 303
    html = page(manager, path(world, "premises"))
    address = html.partition('<code class="feed">http://localhost')[2].partition("<")[0]
    assert world.app.test_client().get(address).status_code == 200
    assert address not in page(world.browser("front_desk", "A"), path(world, "premises"))
    take = next(one for one in forms_of(html) if "/calendar-feeds/" in one.action)
    assert submit(manager, take).status_code == 303
    assert world.app.test_client().get(address).status_code == 404


def test_a_calendar_address_is_the_public_one(world: World) -> None:
    """Given ANODYNE_PUBLIC_URL, a phone subscribes to that, and not to the name by which this page was asked for."""
    settings = replace(world.services.settings, public_url="https://clinic.example")
    app = create_app(settings, services=world.services, read_side=world.read_side)
    manager = replace(world, app=app).browser("manager", "A")
    give = form_of(page(manager, path(world, "premises")), "/calendar-feeds")
    assert submit(manager, give, label="Phone").status_code == 303
    shown = page(manager, path(world, "premises")).partition('id="feeds"')[2].partition("</section>")[0]
    assert '<code class="feed">https://clinic.example/calendar/' in shown and "localhost" not in shown
    for withdraw in [one for one in forms_of(shown) if "/calendar-feeds/" in one.action]:
        submit(manager, withdraw)


# --- the same on PostgreSQL ----------------------------------------------------------------------


def test_booking_and_moving_on_postgresql(postgres_database: Database, make_world: Callable[..., World]) -> None:
    world = _lived(make_world(
        home=postgres_database.home, database_url=postgres_database.log_url,
        migration_url=postgres_database.admin_url))
    browser = world.browser("front_desk", "A")
    booked = book(world, browser, 3, 9)
    move = form_of(page(browser, path(world, f"{day(world, 3)}/{booked}")), "/move")
    assert submit(browser, move, slot=slot(world, ROOM_2, 3, 11), asked_by="clinic", reason="room").status_code == 303
    html = page(browser, path(world, str(day(world, 3))))
    assert "11:00–11:30" in html
    world.read_side.close()
    world.services.close()

"""Who came: the desk says so on the booking's page, where a visit without infusion ends too; a consultation that was
held says it by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from html import unescape
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace

from api.http import examples as ex
from domain import course, day_sheet
from domain.infusion.arrival import PatientArrived
from domain.infusion.departure import VisitEndedWithoutInfusion
from domain.kernel import Actor, derived_id
from services.handling import CommandHandling, Load, Plan, Request
from services.use_cases import use_cases
from services.use_cases.case import Case
from tests.api.story import Step
from tests.api.world import HERE, World
from tests.conftest import Database
from tests.services.practice import SetClock
from tests.web.forms import form_of, submit

NINE = datetime(2026, 9, 14, 9, tzinfo=HERE)
ROOM_2 = "3c1f7a90-2b64-4d7e-9a11-5f0e8d3c2b02"


@pytest.fixture
def world(make_world: Callable[..., World]) -> Iterator[World]:
    """A Monday at nine; a patient with an open course (and one without) whose bookings are of this week."""
    yield from lived(make_world)


@pytest.fixture
def world_on_postgresql(postgres_database: Database, make_world: Callable[..., World]) -> Iterator[World]:
    """The same on PostgreSQL."""
    yield from lived(
        make_world, home=postgres_database.home, database_url=postgres_database.log_url,
        migration_url=postgres_database.admin_url,
    )


def lived(make_world: Callable[..., World], **settings: object) -> Iterator[World]:
    made = make_world(clock=SetClock(NINE), **settings)
    yield made.tell(until="courses.open")
    made.read_side.close()
    made.services.close()


def pass_time(world: World, **much: float) -> datetime:
    clock = world.services.clock
    assert isinstance(clock, SetClock)
    clock.moment += timedelta(**much)
    return clock.moment


def book(world: World, kind: str, starts_at: datetime, who: str = ex.DUPLICATE, room: str = ex.ROOM) -> str:
    """By the API; the address of the booking's page."""
    on, clinic = starts_at.date(), world.ids[ex.CLINIC]
    body = {"patient_id": world.ids[who], "room_id": world.ids[room], "visit_kind": kind,
            "starts_at": starts_at.isoformat()}
    if kind == "consultation":
        body["prescriber_id"] = world.ids[ex.PRESCRIBER]
    elif kind != "follow_up":
        body["course_id"] = world.ids[ex.COURSE]
    made = world.post(f"/v1/appointments/{clinic}/{on}", body, key=world.keys["front_desk", "A"],
                      idempotency_key=str(uuid4()))
    assert made.status_code == 201, made.text
    return f"/schedule/{clinic}/{on}/{made.get_json()['ids']['appointment_id']}"


def page(browser: FlaskClient, address: str) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200, answer.text[:500]
    return unescape(answer.text)


def booking(world: World, address: str) -> day_sheet.Appointment:
    on, appointment_id = address.split("/")[-2:]
    stream = derived_id("day_sheet", UUID(world.ids[ex.CLINIC]), on)
    one: day_sheet.Appointment = world.services.handling.current(day_sheet, stream).state.appointments[
        UUID(appointment_id)]
    return one


def visits_of(world: World, browser: FlaskClient, who: str = ex.DUPLICATE) -> str:
    return page(browser, f"/schedule/{world.ids[ex.CLINIC]}/visits?patient={world.ids[who]}")


FORMS = ("/confirm", "/no-show", "/cancel", "/move", "/arrive", "/end")


def offers(html: str) -> set[str]:
    return {one for one in FORMS if f'{one}"' in html}


# --- they came -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "who"), [
    pytest.param("follow_up", ex.DUPLICATE, id="follow-up"), pytest.param("booster", ex.PATIENT, id="booster"),
    pytest.param("trial", ex.PATIENT, id="trial"),
])  # fmt: skip
def test_they_came_puts_them_on_todays_board(world: World, kind: str, who: str) -> None:
    """Before the booked start: the visit begins, the booking is kept, and sending the form twice is one arrival."""
    address, browser = book(world, kind, NINE + timedelta(minutes=20), who), world.browser("front_desk", "A")
    pass_time(world, minutes=12)
    form = form_of(page(browser, address), "/arrive")
    answer = submit(browser, form)
    assert answer.status_code == 303, unescape(answer.text)
    assert "Today's board" in page(browser, answer.headers["Location"].partition("#")[0])
    assert submit(browser, form).headers["Location"] == answer.headers["Location"]
    one = booking(world, address)
    assert one.status == "kept" and one.infusion_id is not None
    (arrived,) = world.services.log.read_stream(one.infusion_id)
    assert isinstance(arrived.event, PatientArrived)
    assert arrived.event.appointment_id == one.appointment_id
    assert (arrived.event.visit_kind, arrived.event.course_id) == (kind, one.course_id)
    assert (arrived.occurred_at, arrived.role) == (NINE + timedelta(minutes=12), "front_desk")
    assert offers(page(browser, address)) == set()
    world.caught_up()
    figures = world.get("/v1/dashboards/operations", "nurse", "A").get_json()["figures"]
    board = figures["by_clinic"][world.ids[ex.CLINIC]]
    assert [waiting["patient"] for waiting in board["waiting"]] == [world.ids[who]]
    assert "Arrived" in page(browser, "/today") and "Nobody is expected" in page(browser, "/today")
    assert "kept" in visits_of(world, browser, who)


def test_todays_list_of_those_expected_leads_to_the_booking(world: World) -> None:
    address = book(world, "follow_up", NINE + timedelta(hours=1))
    html = page(world.caught_up().browser("front_desk", "A"), "/today")
    assert f'href="{address}"' in html


def test_a_nurse_may_say_it_and_who_only_reads_may_not(world: World) -> None:
    address = book(world, "follow_up", NINE + timedelta(minutes=15))
    assert "/arrive" in offers(page(world.browser("nurse", "A"), address))
    assert offers(page(world.browser("auditor", "A"), address)) == set()


def test_nobody_comes_before_the_day(world: World) -> None:
    address = book(world, "follow_up", NINE.replace(day=15))
    assert "/arrive" not in offers(page(world.browser("front_desk", "A"), address))


def test_who_comes_late_came_after_all(world: World) -> None:
    address, browser = book(world, "follow_up", NINE + timedelta(minutes=15)), world.browser("front_desk", "A")
    pass_time(world, minutes=40)
    assert submit(browser, form_of(page(browser, address), "/no-show")).status_code == 303
    html = page(browser, address)
    assert offers(html) == {"/arrive"}
    assert submit(browser, form_of(html, "/arrive"), came_at="09:35").status_code == 303
    one = booking(world, address)
    assert one.status == "kept" and one.infusion_id is not None
    (arrived,) = world.services.log.read_stream(one.infusion_id)
    assert (arrived.occurred_at, arrived.recorded_at) == (NINE.replace(minute=35), NINE.replace(minute=40))


def test_of_an_earlier_day_the_time_is_asked_and_after_more_than_a_day_the_reason(world: World) -> None:
    address = book(world, "follow_up", NINE + timedelta(minutes=15))
    pass_time(world, days=2)
    browser = world.browser("front_desk", "A")
    form = form_of(page(browser, address), "/arrive")
    for typed, said in (
        ({}, "Say at what time they came."), ({"came_at": "09:20"}, "say why it is recorded only now"),
        ({"came_at": "25:20"}, "Give a day and a time."),
        ({"came_at": "09:20", "came_on": "2026-09-19"}, "That time is still to come."),
    ):
        answer = submit(browser, form, key=str(uuid4()), **typed)
        assert (answer.status_code, said in unescape(answer.text)) == (422, True), said
        assert booking(world, address).status == "booked"
    assert submit(browser, form, came_at="09:20", late_reason="The list was on paper").status_code == 303
    assert booking(world, address).status == "kept"


def test_somebody_in_another_visit_is_told_in_words(world: World) -> None:
    first, second = (book(world, "follow_up", NINE + timedelta(minutes=each)) for each in (15, 120))
    browser = world.browser("front_desk", "A")
    assert submit(browser, form_of(page(browser, first), "/arrive")).status_code == 303
    pass_time(world, minutes=90)
    answer = submit(browser, form_of(page(browser, second), "/arrive"))
    assert (answer.status_code, "in another visit" in unescape(answer.text)) == (422, True)
    assert booking(world, second).status == "booked"


# --- the visit is over, no infusion was given ------------------------------------------------------


def come(world: World, address: str) -> UUID:
    """By the desk's form, now; the visit."""
    desk = world.browser("front_desk", "A")
    assert submit(desk, form_of(page(desk, address), "/arrive")).status_code == 303
    infusion_id = booking(world, address).infusion_id
    assert infusion_id is not None
    return infusion_id


def waiting(world: World) -> list[str]:
    """Patients of the board that wait for a room."""
    figures = world.caught_up().get("/v1/dashboards/operations", "nurse", "A").get_json()["figures"]
    return [one["patient"] for one in figures["by_clinic"][world.ids[ex.CLINIC]]["waiting"]]


def test_a_follow_up_that_is_over_leaves_the_board_and_the_next_arrival_is_taken(world: World) -> None:
    first, second = (book(world, "follow_up", NINE + timedelta(minutes=each)) for each in (15, 120))
    nurse, desk = world.browser("nurse", "A"), world.browser("front_desk", "A")
    assert "/end" not in offers(page(nurse, first))
    infusion_id = come(world, first)
    assert waiting(world) == [world.ids[ex.DUPLICATE]]
    visits = f"/schedule/{world.ids[ex.CLINIC]}/visits?patient={world.ids[ex.DUPLICATE]}"
    assert f'href="{visits}"' in page(nurse, "/today") and f'href="{first}"' in page(nurse, visits)
    assert f'href="{visits}"' not in page(desk, "/today")
    pass_time(world, minutes=40)
    assert offers(page(nurse, first)) == {"/end"} and offers(page(desk, first)) == set()
    assert "a nurse or a prescriber ends it" in page(desk, first)
    form = form_of(page(nurse, first), "/end")
    assert form.offered["end_reason"][:2] == ["", "consultation_only"] and form.fields["end_reason"] == [""]
    token = form_of(page(desk, "/account"), "/sign-out").fields["csrf_token"][0]
    assert submit(desk, form, csrf_token=token, end_reason="consultation_only").status_code == 403
    answer = submit(nurse, form, end_reason="consultation_only")
    assert answer.status_code == 303, unescape(answer.text)
    assert "without an infusion" in page(nurse, answer.headers["Location"].partition("#")[0])
    again = submit(nurse, form, end_reason="consultation_only")
    assert (again.status_code, again.headers["Location"]) == (303, answer.headers["Location"])
    _, ended = world.services.log.read_stream(infusion_id)
    assert isinstance(ended.event, VisitEndedWithoutInfusion) and ended.event.reason_code == "consultation_only"
    assert (ended.occurred_at, ended.role) == (NINE + timedelta(minutes=40), "nurse")
    late = submit(nurse, form, end_reason="other", key=str(uuid4()))
    assert (late.status_code, "ended already" in unescape(late.text)) == (422, True)
    assert offers(page(nurse, first)) == set() and waiting(world) == []
    come(world, second)
    assert waiting(world) == [world.ids[ex.DUPLICATE]]


def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(world: World) -> None:
    """Nothing is recorded; left open overnight the time is asked, after more than a day the reason for being late."""
    address, nurse = book(world, "follow_up", NINE + timedelta(minutes=15)), world.browser("nurse", "A")
    infusion_id = come(world, address)
    pass_time(world, minutes=40)
    form = form_of(page(nurse, address), "/end")

    def refused(typed: dict[str, str], field: str, said: str) -> None:
        answer = submit(nurse, form, key=str(uuid4()), end_note="By telephone & post", **typed)
        html = unescape(answer.text)
        assert answer.status_code == 422 and html.count("field-error") == html.count('aria-invalid="true"') == 1
        assert f'name="{field}"' in html.partition(' aria-invalid="true"')[0].rpartition("<")[2]
        assert said in html.partition('class="field-error"')[2].partition("</span>")[0]
        back = form_of(html, "/end").fields
        assert {name: back[name][0] for name in typed} == typed and back["end_note"] == ["By telephone & post"]
        assert len(world.services.log.read_stream(infusion_id)) == 1

    refused({"ended_at": "09:20"}, "end_reason", "Choose one of the list.")
    for clock, said in (("08:50", "not come by then"), ("11:30", "still to come")):
        refused({"end_reason": "illness", "ended_at": clock}, "ended_at", said)
    pass_time(world, days=2)
    form = form_of(page(nurse, address), "/end")
    assert form.fields["ended_on"] == ["2026-09-14"]
    refused({"end_reason": "illness"}, "ended_at", "Say at what time the visit ended.")
    refused({"end_reason": "illness", "ended_at": "09:30"}, "late_reason", "say why it is recorded only now")
    answer = submit(nurse, form, end_reason="illness", ended_at="09:30", late_reason="The list was on paper")
    assert answer.status_code == 303, unescape(answer.text)
    ended = world.services.log.read_stream(infusion_id)[-1]
    assert ended.occurred_at == NINE.replace(minute=30)


def test_a_visit_in_which_drug_was_started_does_not_end_so(world: World) -> None:
    address, nurse = book(world, "trial", NINE + timedelta(minutes=15), ex.PATIENT), world.browser("nurse", "A")
    world.ids[ex.INFUSION] = str(come(world, address))
    stale = form_of(page(nurse, address), "/end")
    assert stale.offered["end_reason"][:2] == ["", "vital_signs"]
    for step in ("room", "check", "record_vitals", "order", "place_iv", "hang_bag", "start"):
        assert "/end" in offers(page(nurse, address)), step
        pass_time(world, minutes=1)
        world.take(Step(f"infusions.{step}", "prescriber" if step == "order" else "nurse"))
    assert offers(page(nurse, address)) == set()
    answer = submit(nurse, stale, end_reason="no_iv")
    assert (answer.status_code, "Drug was given" in unescape(answer.text)) == (422, True)


# --- a consultation ------------------------------------------------------------------------------


def hold(world: World) -> None:
    world.take(Step("courses.hold_consultation", "prescriber", {"patient_id": ex.DUPLICATE}))


def hold_as_before(world: World) -> None:
    """As the program did before a consultation kept its booking: the course alone is written."""
    log = world.services.log
    known = use_cases(log)[course.HoldConsultation]

    def alone(stream_id: UUID, command: course.HoldConsultation, request: Request, load: Load) -> Plan:
        plan = known.plan(stream_id, command, request, load)
        return replace(plan, writes=plan.writes[:1])

    before = CommandHandling(log, world.services.clock, {course.HoldConsultation: Case(course, alone)})
    by, now = Actor(id="prescriber", role="prescriber"), world.services.clock.now()
    example = world.body(Step("courses.hold_consultation", "prescriber", {"patient_id": ex.DUPLICATE}))
    ids = {name: UUID(example[name]) for name in ("patient_id", "prescriber_id")}
    receipt = before.handle(uuid4(), course.HoldConsultation(
        by=by, now=now, at=now, consultation_id=uuid4(), **ids, condition="crps", examined=True,
        records_reviewed=True, history_reviewed=True, side_effects_discussed=True, procedure_discussed=True,
        visits_discussed=True, weight_kg=Decimal(80), decision="proceed", plan="alone",
    ), Request(by=by, clinic_id=UUID(world.ids[ex.CLINIC])))
    assert receipt.events == ("course.consultation_held.v1",)


@pytest.mark.parametrize("held", [hold, hold_as_before])
def test_a_consultation_that_was_held_leaves_nothing_to_be_done(world: World, held: Callable[[World], None]) -> None:
    """The list says kept, the page offers no form, a stale form changes nothing; so in a log of before."""
    address, browser = book(world, "consultation", NINE + timedelta(minutes=30)), world.browser("front_desk", "A")
    pass_time(world, minutes=35)
    stale = form_of(page(browser, address), "/no-show")
    assert offers(page(browser, address)) == {"/no-show", "/cancel", "/move"}
    held(world)
    world.caught_up()
    html = page(browser, address)
    assert offers(html) == set() and "held</span>" in html
    answer = submit(browser, stale)
    assert (answer.status_code, "ended meanwhile" in unescape(answer.text)) == (422, True)
    pass_time(world, hours=3)
    assert "kept" in visits_of(world, browser)
    assert "nothing recorded since" not in visits_of(world, browser)
    day = page(browser, address.rpartition("/")[0])
    week = page(browser, f"/schedule/{world.ids[ex.CLINIC]}/week/2026-09-14")
    assert "held" in day and "confirmed" not in day and "held" in week
    picture = world.get(f"/v1/patients/{world.ids[ex.DUPLICATE]}/picture", "nurse", "A").get_json()
    assert [visit["state"] for visit in picture["visits"]] == ["kept"]


def test_a_consultation_of_another_day_leaves_the_booking_as_it_is(world: World) -> None:
    address = book(world, "consultation", NINE.replace(day=15))
    hold_as_before(world)
    pass_time(world, days=1, hours=2)
    browser = world.caught_up().browser("front_desk", "A")
    assert "/no-show" in offers(page(browser, address))
    assert "nothing recorded since" in visits_of(world, browser)


def test_the_api_tells_which_consultation_kept_it(world: World) -> None:
    address = book(world, "consultation", NINE + timedelta(minutes=30))
    other = book(world, "consultation", NINE + timedelta(hours=3))
    pass_time(world, minutes=35)
    world.take(Step("courses.hold_consultation", "prescriber", {
        "patient_id": ex.DUPLICATE, "appointment_id": address.rpartition("/")[2]}))
    sheet = world.get(f"/v1/appointments/{world.ids[ex.CLINIC]}/2026-09-14", "front_desk", "A").get_json()
    said = {one["appointment_id"]: one for one in sheet["appointments"]}
    one, untouched = (said[each.rpartition("/")[2]] for each in (address, other))
    assert (one["status"], one["infusion_id"]) == ("kept", None) and one["consultation_id"]
    assert (untouched["status"], untouched["consultation_id"]) == ("booked", None)


# --- the same on PostgreSQL ----------------------------------------------------------------------


def test_they_came_on_postgresql(world_on_postgresql: World) -> None:
    test_they_came_puts_them_on_todays_board(world_on_postgresql, "follow_up", ex.DUPLICATE)


def test_a_follow_up_is_over_on_postgresql(world_on_postgresql: World) -> None:
    test_a_follow_up_that_is_over_leaves_the_board_and_the_next_arrival_is_taken(world_on_postgresql)


def test_a_consultation_of_before_on_postgresql(world_on_postgresql: World) -> None:
    test_a_consultation_that_was_held_leaves_nothing_to_be_done(world_on_postgresql, hold_as_before)

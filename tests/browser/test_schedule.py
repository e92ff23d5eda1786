"""Booking a series with a conflict in Chromium, by scripts and without; a day's sheet at work."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from api.bootstrap import build_read_side, build_services, key_registry
from api.settings import Settings
from tests.browser.conftest import Served
from tests.browser.support import axe, follow, keep, watch

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

FREE_WITHIN = 21


@pytest.fixture(scope="module")
def api(served: Served) -> Callable[..., Any]:
    """Asks the API of the same organisation, with a key of its owner made for this."""
    settings = Settings(home=served.home)
    services = build_services(settings)
    read_side = build_read_side(settings, services)
    registry = key_registry(settings, services, read_side)
    key = registry.create_key(registry.create_user("Browser tests"), "owner", clinics=None).text
    read_side.close()
    services.close()

    def ask(method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
        answer = requests.request(method, f"{served.address}/v1{path}", headers=headers, timeout=30, **more)
        assert answer.ok, answer.text
        return answer.json()

    return ask


@pytest.fixture(scope="module")
def clinic_id(api: Callable[..., Any]) -> str:
    """The clinic that the front desk of the demo works at."""
    clinics = api("GET", "/clinics")["clinics"]
    return next(str(one["id"]) for one in clinics if "Harbor" in one["clinic_name"])


@pytest.fixture(scope="module")
def patients(api: Callable[..., Any], clinic_id: str, served: Served) -> list[dict[str, str]]:
    """Two of that clinic with an open course, none of the series given, and room for six, and their names."""
    found = []
    for event in api("GET", "/events?types=course.opened.v1&limit=500")["events"]:
        patient_id, course_id = event["patient"], event["subject"].removeprefix("course/")
        if event["clinic"] != clinic_id:
            continue
        asked = f"patient_id={patient_id}&course_id={course_id}&infusions=6&clock=10:00"
        if api("GET", f"/clinics/{clinic_id}/series-plan?{asked}")["bookable"]:
            who = api("GET", f"/patients/{patient_id}")
            found.append({"id": patient_id, "family_name": who["family_name"]})
            if len(found) == 2:
                return found
    raise AssertionError("the demo has not two whose series could be booked")


@pytest.fixture
def patient(patients: list[dict[str, str]]) -> dict[str, str]:
    """One of them."""
    return patients[0]


@pytest.fixture(scope="module")
def another(api: Callable[..., Any], clinic_id: str) -> str:
    """Somebody else of that clinic, registered now."""
    return str(api("POST", "/patients", headers={"Idempotency-Key": "browser-another"}, json={
        "family_name": "Weiter", "given_name": "Robin", "birth_date": "1971-04-02", "sex": "female",
        "home_clinic_id": clinic_id})["id"])


def find(page: Page, patient: dict[str, str], clinic_id: str) -> None:
    """From the day's sheet to the form of the patient's series, as one clicks."""
    page.goto("/schedule")
    follow(page.get_by_role("link", name="Book a series"))
    page.get_by_label("Family name").fill(patient["family_name"])
    follow(page.get_by_role("button", name="Find the patient"))
    follow(page.locator(f'form:has(input[value="{patient["id"]}"]) button'))
    expect(page.get_by_role("heading", name="What is wished")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_series_of_six_with_a_conflict_is_booked_in_one_go(
    scripts: bool, open_as: Callable[..., Page], served: Served, patients: list[dict[str, str]], clinic_id: str,
    api: Callable[..., Any], another: str,
) -> None:
    """Given a plan of six visits, when the room that one of them needs is booked for another patient meanwhile, then
    the conflict stands at that visit with free times beside it; one click takes another, and all six are booked."""
    patient = patients[0 if scripts else 1]
    page = open_as("front_desk", "/schedule", java_script_enabled=scripts)
    watched = watch(page, served.address)
    find(page, patient, clinic_id)
    clock = "13:00" if scripts else "10:00"
    if scripts:  # each change plans again by itself
        page.locator("#infusions").fill("6")
        page.locator("#infusions").blur()
        page.wait_for_url(re.compile("infusions=6"))
        page.locator("#room").select_option(index=1)
        page.wait_for_url(re.compile("room=[0-9a-f]"))
        page.locator("#clock").fill(clock)
        page.locator("#clock").blur()
        page.wait_for_url(re.compile("clock=13"))
    else:
        page.locator("#infusions").fill("6")
        page.locator("#room").select_option(index=1)
        page.locator("#clock").fill(clock)
        follow(page.get_by_role("button", name="Plan again"))
    expect(page.locator("ol.visits > li")).to_have_count(6)
    expect(page.get_by_text("All free.")).to_be_visible()
    wished = page.locator('input[name="visit-3"]:checked').get_attribute("value")
    assert wished is not None
    room, _, starts_at = wished.partition("|")
    api("POST", f"/appointments/{clinic_id}/{starts_at[:10]}", headers={
        "Idempotency-Key": f"browser-{scripts}-{starts_at}"},
        json={"patient_id": another, "room_id": room, "visit_kind": "follow_up", "starts_at": starts_at})
    follow(page.get_by_role("button", name="Book these visits"))
    expect(page.get_by_role("alert")).to_contain_text("none was")
    conflict = page.locator("ol.visits > li.conflict")
    expect(conflict).to_have_count(1)
    expect(conflict).to_contain_text("Visit 3")
    expect(conflict).to_contain_text(re.compile(r"Room .+ is taken until"))
    keep(page, f"series-with-a-conflict{'' if scripts else '-without-script'}")
    if scripts:
        assert axe(page) == []
    alternative = conflict.locator("label.slot").nth(1)
    alternative.click()
    chosen = conflict.locator("input:checked").get_attribute("value")
    all_six = [one.get_attribute("value") for one in page.locator("ol.visits input:checked").all()]
    follow(page.get_by_role("button", name="Book these visits"))
    expect(page.locator(".banner.ok")).to_have_text("The series is booked.")
    assert chosen is not None and chosen != wished
    assert chosen in all_six
    booked = {(room, datetime.fromisoformat(at)) for room, _, at in (str(one).partition("|") for one in all_six)}
    assert len(booked) == 6 and booked <= booked_for(patient["id"], clinic_id, api)
    day = chosen.partition("|")[2][:10]
    page.goto(f"/schedule/{clinic_id}/{day}")
    expect(page.locator("td.booked", has_text=patient["family_name"]).first).to_be_visible()
    assert [one for one in watched.found(page) if "422" not in one] == []


def booked_for(patient_id: str, clinic_id: str, api: Callable[..., Any]) -> set[tuple[str, datetime]]:
    """Rooms and times of a patient's live bookings of the next weeks."""
    days = api("GET", f"/clinics/{clinic_id}/schedule?to={datetime.now(UTC).date() + timedelta(days=30)}")["days"]
    return {
        (one["room_id"], datetime.fromisoformat(one["starts_at"]))
        for day in days for one in day["appointments"]
        if one["patient_id"] == patient_id and one["status"] == "booked"
    }


def test_free_time_of_a_day_leads_to_a_booking_and_the_booking_to_its_end(
    open_as: Callable[..., Page], patient: dict[str, str], clinic_id: str
) -> None:
    """Click into the grid, find the patient, book; then confirm, and cancel with whose side and why."""
    page = open_as("front_desk", "/schedule")
    for _ in range(FREE_WITHIN):
        follow(page.get_by_role("link", name="The day after"))
        if page.locator("a.take").count() > 3:
            break
    follow(page.locator("a.take").last)
    page.get_by_label("Family name").fill(patient["family_name"])
    follow(page.get_by_role("button", name="Find the patient"))
    follow(page.locator(f'form:has(input[value="{patient["id"]}"]) button'))
    page.locator("#kind").select_option("follow_up")
    page.wait_for_url(re.compile("kind=follow_up"))
    page.locator('input[name="slot"]:not([value="other"])').first.check()
    follow(page.get_by_role("button", name="Book", exact=True))
    expect(page.locator(".banner.ok")).to_have_text("Booked.")
    follow(page.locator("td.booked:target a.visit"))
    follow(page.get_by_role("button", name=re.compile("Confirm")))
    expect(page.locator("td.booked:target")).to_contain_text("confirmed")
    follow(page.locator("td.booked:target a.visit"))
    page.locator("#c-by").select_option("patient")
    page.locator("#c-why").select_option("illness")
    follow(page.get_by_role("button", name="Cancel the booking"))
    expect(page.locator(".banner.ok")).to_contain_text("the time is free again")
    expect(page.locator("#gone + .lines li:target")).to_contain_text("cancelled")

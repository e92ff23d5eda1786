"""Boosters, Patients, Patient and Funnel: who may, whom one sees, what is on record, that API and page say the same."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from api.http import examples as ex
from domain.kernel import Role
from tests.api.world import PERIOD, World

MEETS: tuple[Role, ...] = ("owner", "manager", "prescriber", "nurse", "front_desk")
CHART: tuple[Role, ...] = ("owner", "prescriber", "nurse", "auditor")
FIGURES: tuple[Role, ...] = ("owner", "manager", "prescriber", "auditor")
EVERYBODY: tuple[Role, ...] = ("owner", "manager", "prescriber", "nurse", "front_desk", "biller", "auditor")


def _chart(lived: World) -> str:
    return f"/patients/{lived.ids[ex.PATIENT]}"


@pytest.mark.parametrize("role", EVERYBODY)
def test_each_page_opens_for_its_roles_and_no_other(lived: World, role: Role) -> None:
    """A manager sees the list of boosters and the funnel, but no chart; a biller finds patients by name only."""
    browser = lived.browser(role, "A")
    expected = {
        "/boosters": role in (*MEETS, "auditor"), "/patients": role in (*MEETS, "biller", "auditor"),
        _chart(lived): role in CHART, f"/funnel?{PERIOD}": role in FIGURES,
    }  # fmt: skip
    assert {path: browser.get(path).status_code for path in expected} == {
        path: 200 if may else 403 for path, may in expected.items()
    }


def test_nobody_opens_them_without_signing_in(lived: World) -> None:
    """The way in is shown instead."""
    for path in ("/boosters", "/patients", _chart(lived), "/funnel", "/today"):
        answer = lived.app.test_client().get(path)
        assert answer.status_code == 303 and "/sign-in" in answer.headers["Location"], path


def test_another_clinics_patient_is_not_there(lived: World) -> None:
    """B's nurse gets for A's patient what a random id gets, and does not find the name."""
    browser = lived.browser("nurse", "B")
    random = browser.get("/patients/0b9d2f34-5c1e-4f0a-8a55-0c6d6a1b7eff")
    asked = browser.get(_chart(lived))
    assert (asked.status_code, random.status_code) == (404, 404)
    assert lived.ids[ex.PATIENT] not in browser.get("/patients").text
    assert browser.get(f"/boosters?clinics={lived.ids[ex.CLINIC]}").status_code == 404
    assert lived.browser("manager", "B").get(f"/funnel?clinics={lived.ids[ex.CLINIC]}").status_code == 404


def _events(lived: World, path: str, role: Role = "nurse", patient: bool = False) -> list[Any]:
    before = lived.services.access.log.head()
    assert lived.browser(role, "A").get(path).status_code == 200
    return [one for one in lived.services.access.log.read(before, 20) if one.name == "access.record_opened.v1"]


@pytest.mark.parametrize(("path", "resource"), [("/boosters", "boosters"), ("/patients", "patients.search")])
def test_reading_a_list_is_on_record(lived: World, path: str, resource: str) -> None:
    """One entry, with how many were shown."""
    assert [one.event.resource for one in _events(lived, path)] == [resource]


def test_opening_a_chart_is_on_record_under_the_patient(lived: World) -> None:
    """So that "who looked at this patient" finds it."""
    noted = _events(lived, _chart(lived))
    assert [(one.event.resource, str(one.subject)) for one in noted] == [("patient_page", lived.ids[ex.PATIENT])]


def test_the_page_draws_what_the_api_gives(lived: World) -> None:
    """As many infusions and scores in the picture's table as in the data for programs."""
    data = lived.get(f"/v1/patients/{lived.ids[ex.PATIENT]}/picture", "nurse", "A").get_json()
    lines = lived.browser("nurse", "A").get(f"{_chart(lived)}?format=csv&table=course").text.splitlines()
    assert sum(",Infusion," in line for line in lines) == len(data["infusions"]) > 0
    assert sum(",Pain (" in line for line in lines) == len(data["pain"])
    given = lived.services.log.read(0, 10_000, names=["infusion.given.v1"])
    assert len(data["infusions"]) == sum(str(one.subject) == lived.ids[ex.PATIENT] for one in given)


def test_the_past_is_in_the_address(lived: World) -> None:
    """As of before the first infusion there is none; the page says which moment it shows."""
    given = next(iter(lived.services.log.read(0, 10_000, names=["infusion.given.v1"])))
    before = given.event.drug_started_at.isoformat().replace("+", "%2B")  # type: ignore[attr-defined]
    browser = lived.browser("nurse", "A")
    assert "You look at the past" in browser.get(f"{_chart(lived)}?as_of={before}").text
    assert ",Infusion," not in browser.get(f"{_chart(lived)}?as_of={before}&format=csv&table=course").text
    known = lived.get(f"/v1/patients/{lived.ids[ex.PATIENT]}/picture?known_at={given.position - 1}", "nurse", "A")
    assert known.get_json()["infusions"] == []


@pytest.mark.parametrize("query", ["as_of=yesterday", "kind=nonsense", "cursor=%00", "known_at=x", "cursor=AAAA"])
def test_what_cannot_be_asked_is_told_in_words(lived: World, query: str) -> None:
    """422 as a page."""
    answer = lived.browser("nurse", "A").get(f"{_chart(lived)}?{query}")
    assert (answer.status_code, answer.mimetype) == (422, "text/html")


def test_the_list_filters_by_kind_and_pages(lived: World) -> None:
    """Only entries of the kind; the whole list over its pages is as long as the total says."""
    browser = lived.browser("nurse", "A")
    total, seen, address = None, 0, _chart(lived)
    while address:
        page = browser.get(address).text
        total = total or int(re.search(r"([\d\u2009]+)\sentr", page)[1].replace("\u2009", ""))  # type: ignore[index]
        seen += page.count('<div class="at">')
        older = re.search(r'href="([^"]*)#list" rel="next"', page)
        address = unescape(older[1]) if older else ""
    assert seen == total and total > 50
    pain = browser.get(f"{_chart(lived)}?kind=pain").text
    assert 0 < pain.count('<div class="at">') == pain.count(">Pain scored</a>")


def test_corrections_show_both_values(lived: World) -> None:
    """Given an amended or struck entry of the story, the list marks it and keeps what stood before."""
    entries = lived.get(f"/v1/patients/{lived.ids[ex.PATIENT]}/timeline?limit=500", "nurse", "A").get_json()["entries"]
    browser, pages, address = lived.browser("nurse", "A"), "", _chart(lived)
    while address:
        page = browser.get(address).text
        pages += page
        older = re.search(r'href="([^"]*)#list" rel="next"', page)
        address = unescape(older[1]) if older else ""
    assert pages.count(">struck</span>") == sum(one["struck"] for one in entries) > 0
    assert pages.count(">amended</span>") == sum(one["amended"] for one in entries) > 0
    assert pages.count(">before: ") > 0


def test_a_name_is_found_without_standing_in_an_address(lived: World) -> None:
    """The form posts; a token is asked for; a whole id leads to the chart."""
    browser = lived.browser("nurse", "A")
    form = browser.get("/patients").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', form)
    assert token is not None and 'method="post"' in form
    who = lived.get(f"/v1/patients/{lived.ids[ex.PATIENT]}", "nurse", "A").get_json()
    found = browser.post("/patients", data={"csrf_token": token[1], "q": who["family_name"][:4].lower()})
    assert found.status_code == 200 and f"{who['family_name']}, {who['given_name']}" in found.text
    by_id = browser.post("/patients", data={"csrf_token": token[1], "q": lived.ids[ex.PATIENT]})
    assert (by_id.status_code, by_id.headers["Location"]) == (303, _chart(lived))
    assert browser.post("/patients", data={"q": "a"}).status_code in (400, 403)


def test_a_manager_finds_names_but_no_way_to_a_chart(lived: World) -> None:
    """READS_CHART only."""
    assert "/patients/" not in lived.browser("manager", "A").get("/patients").text


def test_boosters_on_the_page_are_those_of_the_api(lived: World) -> None:
    """The same rows in both."""
    rows = lived.get("/v1/dashboards/boosters", "nurse", "A").get_json()["figures"]["boosters"]["rows"]
    lines = lived.browser("nurse", "A").get("/boosters?format=csv").text.splitlines()
    assert len(lines) - 1 == len(rows)


def test_a_funnel_of_a_few_shows_the_shortest_time(lived: World) -> None:
    """Ninety days would leave nearly everybody out of thirteen weeks: the tiles take the longest time that enough have
    had, and the shortest when too few have had any."""
    page = lived.browser("manager", "A").get(f"/funnel?{PERIOD}").text
    assert "t-together-within-booster-30_days" in page and "t-together-within-booster-90_days" not in page


def test_the_funnel_counts_what_the_api_counts(lived: World) -> None:
    """Referrals, and each step reached."""
    whole = lived.get(f"/v1/dashboards/funnel?{PERIOD}", "manager", "A").get_json()["figures"]["together"]
    lines = lived.browser("manager", "A").get(f"/funnel?{PERIOD}&format=csv&table=steps").text.splitlines()[1:]
    done = [int(line.split(",")[1]) for line in lines]
    assert whole["referred"] > 0 and done == [one["done"]["n"] for one in whole["steps"].values()]
    for one in whole["steps"].values():
        assert one["done"]["n"] + one["failed"]["n"] + one["open"]["n"] == whole["referred"]

"""Today: who may see the board, what it shows whom, and that looking is on record."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest

from api.http import examples as ex
from domain.kernel import Role
from tests.api.world import World

RUNNERS: tuple[Role, ...] = ("owner", "manager", "prescriber", "nurse", "front_desk", "auditor")


@pytest.mark.parametrize("role", [*RUNNERS, "biller"])
def test_those_who_run_the_day_open_it(lived: World, role: Role) -> None:
    """Everybody at the clinic and the auditor; a biller is told in words that it is not for them."""
    answer = lived.browser(role, "A").get("/today")
    assert answer.status_code == (200 if role in RUNNERS else 403)
    if role in RUNNERS:
        assert answer.text.count("<h1>") == 1 and "in use" in answer.text


def test_it_renews_itself_with_and_without_scripts_but_not_in_the_past(lived: World) -> None:
    """Every 15 s by HTMX, by the browser's own refresh without; a past moment stays as it is."""
    browser = lived.browser("nurse", "A")
    page = browser.get("/today").text
    assert 'hx-trigger="every 15s"' in page and '<noscript><meta http-equiv="refresh" content="15"></noscript>' in page
    past = browser.get("/today?as_of=2026-01-01T12:00:00Z").text
    assert "every 15s" not in past and "You look at the past" in past


def test_looking_at_it_is_an_entry_of_the_access_log(lived: World) -> None:
    """With how many patients were shown."""
    before = lived.services.access.log.head()
    assert lived.browser("nurse", "A").get("/today").status_code == 200
    noted = [one.event for one in lived.services.access.log.read(before, 10)]
    assert [getattr(one, "resource", "") for one in noted].count("today") == 1


def test_another_clinic_is_not_there(lived: World) -> None:
    """A nurse of clinic B who asks for A's board gets the 404 that a random id gets."""
    browser = lived.browser("nurse", "B")
    assert browser.get(f"/today?clinics={lived.ids[ex.CLINIC]}").status_code == 404


def _during_the_visit(lived: World) -> str:
    """A moment at which the story's drug ran."""
    started = next(one for one in lived.services.log.read(0, 10_000, names=["infusion.started.v1"]))
    return (started.occurred_at + timedelta(minutes=3)).isoformat().replace("+", "%2B")


def test_a_moment_of_the_past_shows_who_was_there_then(lived: World) -> None:
    """Given the story's visit, as of three minutes into its drug, the room infuses and the patient has a name."""
    page = lived.browser("nurse", "A").get(f"/today?as_of={_during_the_visit(lived)}").text
    assert re.search(r'class="state-word">infusing<', page)
    who = lived.get(f"/v1/patients/{lived.ids[ex.PATIENT]}", "nurse", "A").get_json()
    assert f"{who['family_name']}, {who['given_name']}" in page
    assert "Drug ran" in page and "3 of" in page


def test_in_tables_over_several_clinics_every_time_says_its_zone(lived: World) -> None:
    """When somebody may go home, since when something is open and until when it is due, as when somebody is booked."""
    browser, during = lived.browser("nurse", "A"), _during_the_visit(lived)
    later = (lived.now + timedelta(days=2)).isoformat().replace("+", "%2B")
    told = {name: browser.get(f"/today?as_of={at}").text.partition(f'id="table-{name}"')[2].partition("</table>")[0]
            for name, at in (("rooms", during), ("left-open", later))}
    for name, least in (("rooms", 1), ("left-open", 1)):
        times = re.findall(r">([^<]*\b\d\d:\d\d\b[^<]*)<", told[name])
        assert len(times) >= least and all(re.search(r"\d\d:\d\d P[DS]T$", one.strip()) for one in times), times


def test_the_front_desk_sees_that_an_alert_is_open_but_not_which_sign(lived: World) -> None:
    """Signs are the chart's; whoever reads no chart gets no link to it either."""
    moment = _during_the_visit(lived)
    desk = lived.browser("front_desk", "A").get(f"/today?as_of={moment}").text
    assert "state-word" in desk and "/patients/" not in desk.replace('href="/patients"', "") and "/rows/" not in desk


def test_api_and_page_count_alike(lived: World) -> None:
    """One report, one number."""
    moment = _during_the_visit(lived)
    counts = lived.get(f"/v1/dashboards/operations?as_of={moment}", "nurse", "A").get_json()["figures"]["together"]
    page = lived.browser("nurse", "A").get(f"/today?as_of={moment}&format=csv&table=rooms").text.splitlines()
    assert counts["rooms"]["infusing"]["value"] == sum(",infusing," in line for line in page) == 1


def test_a_demonstration_shows_the_way_to_its_last_busy_moment(lived: World) -> None:
    """Nobody is in the house now, but the story's drug ran: the page leads to where the room infuses."""
    browser = lived.browser("nurse", "A")
    later = (lived.now + timedelta(days=200)).isoformat().replace("+", "%2B")
    page = browser.get(f"/today?as_of={later}").text
    found = re.search(r"""<a href="([^"]+)">look at that moment</a>""", page)
    assert found is not None
    assert "look at that moment" not in browser.get(unescape(found[1])).text

"""The pages Outcomes and Safety: the API's own figures, greyed where follow-up is thin, down to the entry."""

from __future__ import annotations

import csv
import io
import re
from types import SimpleNamespace

import pytest

from api.web.safety import _breaches as listed_breaches
from projections.metrics.figures import amount
from tests.api.story import NEVER_CARES
from tests.api.world import PERIOD, World
from tests.web.test_alerts_and_digest import raise_alert


def table(lived: World, page: str, name: str, period: str = PERIOD) -> list[dict[str, str]]:
    """A table of a page as its CSV gives it."""
    answer = lived.browser("manager", "A").get(f"/{page}?{period}&format=csv&table={name}")
    assert answer.status_code == 200 and answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.parametrize("path", ["outcomes", "safety"])
@pytest.mark.parametrize(("role", "status"), [("manager", 200), ("prescriber", 200), ("auditor", 200), ("nurse", 403),
                                              ("front_desk", 403), ("biller", 403)])
def test_those_who_read_figures_open_it(lived: World, path: str, role: str, status: int) -> None:
    """Given a role, the page opens for those who may read figures and for nobody else."""
    assert lived.browser(role, "A").get(f"/{path}?{PERIOD}").status_code == status  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["outcomes", "safety"])
def test_another_clinic_s_page_is_not_there(lived: World, path: str) -> None:
    """Given clinic B's id, a manager of A is told that there is no such thing."""
    clinic_b = lived.ids[NEVER_CARES]
    assert lived.browser("manager", "A").get(f"/{path}?clinics={clinic_b}").status_code == 404


def test_outcomes_shows_the_api_s_figures(lived: World) -> None:
    """One definition, one number, whoever asks: numerator, denominator and n of every single figure."""
    figures = lived.get(f"/v1/dashboards/outcomes?{PERIOD}", "manager", "A").get_json()["figures"]
    expected = [*figures["responders"].values(), figures["onset"], figures["follow_up_answered"],
                figures["path"]["gate_rate"]]
    shown = {row["Definition"].partition(" ")[0]: row for row in table(lived, "outcomes", "figures")}
    assert figures["infusions"] > 0
    for figure in expected:
        row = shown[figure["metric"]]
        for title, name in (("Numerator", "numerator"), ("Denominator", "denominator"), ("n", "n")):
            value = figure.get(name)
            assert (float(row[title]) if row[title] else None) == value, (figure["metric"], name)


def test_the_waterfall_is_as_deep_as_the_api_says(lived: World) -> None:
    """A bar a patient, in the API's order."""
    bars = lived.get(f"/v1/dashboards/outcomes?{PERIOD}", "manager", "A").get_json()["figures"]["waterfall"]["bars"]
    shown = [float(row["Fall, %"]) for row in table(lived, "outcomes", "waterfall")]
    assert shown == pytest.approx([bar["fall"] for bar in bars])


def test_every_rows_link_of_the_page_opens(lived: World) -> None:
    """Given all links to rows of both pages, each opens and none is empty."""
    browser = lived.browser("manager", "A")
    for page in ("outcomes", "safety"):
        links = set(re.findall(r'href="(/rows/[^"]+)"', browser.get(f"/{page}?{PERIOD}").text))
        assert len(links) > 3
        for link in links:
            answer = browser.get(link.replace("&amp;", "&"))
            assert answer.status_code == 200 and "/events/" in answer.text, link


def test_safety_lists_what_waits_with_its_entry(lived: World) -> None:
    """Given open alerts, orders overdue and side effects that go on, each stands in the work list."""
    raise_alert(lived)
    board = lived.get(f"/v1/dashboards/safety?{PERIOD}", "manager", "A").get_json()["figures"]["board"]
    waiting = len(board["alerts_open"]) + len(board["verbal_orders_overdue"])
    rows = table(lived, "safety", "work")
    ours = ("alert not acknowledged", "order not countersigned in time")
    assert sum(row["What"] in ours for row in rows) == waiting > 0
    kinds = table(lived, "safety", "kinds")
    by_kind = lived.get(f"/v1/dashboards/safety?{PERIOD}", "manager", "A").get_json()["figures"]["by_kind"]
    assert len(kinds) == len(by_kind) > 0


def test_breaches_are_a_record_with_the_newest_first() -> None:
    """Given breaches of two rules, they stand in one list by time, whatever their rule: nothing closes one."""
    breaches = {rule: amount("breaches", len(rows), "entries", n=len(rows), rows=rows)
                for rule, rows in (("dose_hard", ("y7", "y30")), ("no_driver", ("y12",)))}  # fmt: skip
    board = SimpleNamespace(board=SimpleNamespace(breaches=breaches))
    assert [one.fact for one in listed_breaches(board)] == ["y30", "y12", "y7"]  # type: ignore[arg-type]


def test_a_list_longer_than_the_page_is_whole_in_its_csv(lived: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given more entries than the page shows, it says so, and the CSV has every one."""
    raise_alert(lived)
    raise_alert(lived)
    monkeypatch.setattr("api.web.safety.LISTED", 1)
    monkeypatch.setattr("api.web.safety.CHUNK", 1)
    page = lived.browser("manager", "A").get(f"/safety?{PERIOD}").text
    whole = table(lived, "safety", "work")
    assert len(whole) > 1 and f"The first 1 of {len(whole)} rows." in page


def test_onset_and_duration_stand_in_sight(lived: World) -> None:
    """Given side effects, their medians are the API's, in a table that nothing has to be opened for."""
    by_kind = lived.get(f"/v1/dashboards/safety?{PERIOD}", "manager", "A").get_json()["figures"]["by_kind"]
    rows = table(lived, "safety", "onset")
    assert [float(row["Onset, min"]) for row in rows] == [one["onset"]["median"] for one in by_kind] != []
    page = lived.browser("manager", "A").get(f"/safety?{PERIOD}").text
    before = page[: page.index('id="table-onset"')]
    assert before.count("<details") == before.count("</details>")


def test_what_is_open_now_waits_whatever_period_is_looked_at(lived: World) -> None:
    """Given an alert that nobody has acknowledged, a period that ended long before does not hide it."""
    raise_alert(lived)
    still_open = lived.get("/v1/alerts", "manager", "A").get_json()["alerts"]
    rows = table(lived, "safety", "work", "from=2019-01-01&to=2019-02-01")
    assert sum(row["What"] == "alert not acknowledged" for row in rows) >= len(still_open) > 0


def test_a_period_without_infusions_says_so(lived: World) -> None:
    """Nothing to show is told in words, not as zeros."""
    browser = lived.browser("manager", "A")
    for page in ("outcomes", "safety"):
        assert "No infusion in this period" in browser.get(f"/{page}?from=2019-01-01&to=2019-02-01").text

"""From a figure to its facts, from a fact to its event: the same figure, one's own clinics only, always noted."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime
from html import unescape
from statistics import median
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest

from api.http import examples as ex
from api.web.rows import event_title
from tests.api.story import NEVER_CARES
from tests.api.world import PERIOD, World


def _rows(lived: World, figure: str, more: str = "", role: Any = "manager") -> str:
    answer = lived.browser(role, "A").get(f"/rows/utilization?figure={figure}&{PERIOD}{more}")
    assert answer.status_code == 200, answer.text
    return answer.text


def _events(page: str) -> list[int]:
    return [int(one) for one in re.findall(r'href="/events/([0-9]+)"', page)]


def test_every_link_to_rows_opens(lived: World) -> None:
    """Each figure of the page leads to a page with as many facts as it says."""
    client = lived.browser("manager", "A")
    page = client.get(f"/utilization?{PERIOD}").text
    found = {unescape(one): int(many) for one, many in re.findall(
        r'class="figure-rows"><a href="([^"]+)">([0-9]+)', page.replace("&nbsp;", " "))}
    assert len(found) >= 3
    for address, many in found.items():
        assert len(_events(client.get(address).text)) == many, address


def test_the_numerator_can_be_seen_alone(lived: World) -> None:
    """Counted and not counted add up to all."""
    client = lived.browser("manager", "A")
    whole, counted, other = (
        _events(client.get(f"/rows/safety?figure=any_side_effect&{PERIOD}&which={which}").text)
        for which in ("all", "counted", "other")
    )
    assert sorted(counted + other) == sorted(whole) and counted


def test_the_csv_has_the_rows(lived: World) -> None:
    """The table of a page of rows, for a spreadsheet: ids whole, moments with offset."""
    figure = "together.rooms.actual_utilization"
    text = _rows(lived, figure, "&format=csv&table=rows")
    read = list(csv.DictReader(io.StringIO(text)))
    assert [int(one["Event no."]) for one in read] == _events(_rows(lived, figure))
    for column in ("When", "Event happened"):
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT.*[+-]\d\d:\d\d", one[column]) for one in read)


def _csv(lived: World, dashboard: str, figure: str, more: str = "") -> list[dict[str, str]]:
    answer = lived.browser("manager", "A").get(f"/rows/{dashboard}?figure={figure}&{PERIOD}{more}&format=csv")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_the_csv_has_all_rows_whatever_fits_a_page(lived: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given more rows than a page and than are read at once, the CSV has every one of the figure, and the access log
    says how many left."""
    many, dashboard, href = max(
        (one["count"], dashboard, one["href"]) for dashboard in ("utilization", "outcomes", "safety", "funnel")
        for one in _behind(lived.get(f"/v1/dashboards/{dashboard}?{PERIOD}", "manager", "A").get_json()["figures"])
    )
    figure = parse_qs(urlsplit(href).query)["figure"][0]
    monkeypatch.setattr("api.web.rows.PAGE", 1)
    monkeypatch.setattr("api.web.rows.CHUNK", 1)
    access = lived.services.access.log
    before = access.head()
    rows = _csv(lived, dashboard, figure, "&page=2")
    page = lived.browser("manager", "A").get(f"/rows/{dashboard}?figure={figure}&{PERIOD}").text
    assert len(_events(page)) == 1 < many == len(rows) == len({one["Fact"] for one in rows})
    noted = [record.event for record in access.read(before, 10)]
    assert many in [getattr(one, "result_count", 0) for one in noted]


def test_a_median_can_be_checked_from_its_rows(lived: World) -> None:
    """Given a figure of the middle of some numbers, each row has its own: their median is the figure's, on the page, in
    the CSV and of the API alike."""
    for dashboard in ("utilization", "outcomes", "safety"):
        figures = _spreads(lived.get(f"/v1/dashboards/{dashboard}?{PERIOD}", "manager", "A").get_json()["figures"])
        assert figures or dashboard == "outcomes"
        for figure in figures:
            path = parse_qs(urlsplit(figure["rows"]["href"]).query)["figure"][0]
            told = [float(one[column]) for one in _csv(lived, dashboard, path) for column in one if ", " in column]
            assert median(told) == pytest.approx(figure["median"]), path
            answer = lived.get(figure["rows"]["href"], "manager", "A").get_json()
            assert [one["value"] for one in answer["rows"]] == pytest.approx(told)
            assert answer["value_unit"] == figure["unit"]


def _behind(value: Any) -> list[dict[str, Any]]:
    """Of every figure how many rows it has, and where."""
    if isinstance(value, dict):
        return [value["rows"]] if "metric" in value else [one for inner in value.values() for one in _behind(inner)]
    return [one for inner in value for one in _behind(inner)] if isinstance(value, list) else []


def _spreads(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        if "median" in value and "p90" in value:
            return [value] if value["n"] else []
        return [one for inner in value.values() for one in _spreads(inner)]
    return [one for inner in value for one in _spreads(inner)] if isinstance(value, list) else []


def test_a_booking_is_shown_by_the_start_that_was_booked(lived: World) -> None:
    """The day that the period looks at, not the day on which it was booked; and what became of it."""
    rows = _csv(lived, "utilization", "together.attendance.no_show_rate")
    booked = lived.services.log.read(0, 10_000, names=["appointment.booked.v1"])
    starts = {one.position: one.event.starts_at for one in booked}
    for row in rows:
        assert datetime.fromisoformat(row["When"]) == starts[int(row["Event no."])]
        assert row["When: which moment"] == "booked start"
        assert row["In the numerator"] == ("yes" if row["Outcome"] == "no_show" else "no")


def test_what_was_left_out_can_be_opened(lived: World) -> None:
    """Given bookings left out for a reason, the page leads to just as many rows, under the reason."""
    client = lived.browser("manager", "A")
    figures = lived.get(f"/v1/dashboards/utilization?{PERIOD}", "manager", "A").get_json()["figures"]
    left_out = figures["together"]["attendance"]["no_show_rate"]["excluded"]
    assert left_out
    page = client.get(f"/rows/utilization?figure=together.attendance.no_show_rate&{PERIOD}").text
    for reason, many in left_out.items():
        link = next(one for one in re.findall(r'href="([^"]+)"', page) if f"which=left-out.{reason}" in one)
        assert len(_events(client.get(unescape(link)).text)) == many


def test_opening_rows_and_events_is_noted(lived: World) -> None:
    """The access log says who was shown what, before it was shown."""
    access = lived.services.access.log
    before = access.head()
    event = _events(_rows(lived, "together.rooms.actual_utilization"))[0]
    lived.browser("manager", "A").get(f"/events/{event}")
    noted = [record.event for record in access.read(before, 100)]
    shown = [getattr(one, "resource", "") for one in noted]
    assert "dashboard.utilization.rows" in shown and "event" in shown


def test_roles_that_read_no_figures_open_no_rows(lived: World) -> None:
    """A nurse reads charts and may open events, but not the rows of a dashboard that is not hers."""
    answer = lived.browser("nurse", "A").get(f"/rows/utilization?figure=together.rooms.open_minutes&{PERIOD}")
    assert answer.status_code == 403
    assert lived.browser("front_desk", "A").get("/events/1").status_code == 403


@pytest.mark.parametrize(("path", "status"), [
    ("/rows/nothing?figure=a", 404), ("/rows/utilization", 422), ("/rows/utilization?figure=together.nothing", 422),
    ("/rows/utilization?figure=together.rooms.open_minutes&page=0", 422),
    ("/rows/utilization?figure=together.rooms.open_minutes&which=none", 422),
    ("/events/999999999", 404), ("/events/0", 404), ("/events/99999999999999999999999", 404), ("/events/x", 404),
])  # fmt: skip
def test_what_is_not_there(lived: World, path: str, status: int) -> None:
    """Told in words."""
    answer = lived.browser("manager", "A").get(path)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")


# --- events ---------------------------------------------------------------------------------------


def _position(lived: World, name: str, clinic: str = ex.CLINIC) -> int:
    records = lived.services.log.read(0, 10_000, names=[name])
    return next(one.position for one in records if str(one.clinic_id) == lived.ids[clinic])


def test_another_clinic_s_event_is_not_there(lived: World) -> None:
    """At the clinic that never cared for anybody of A, A's events are 404; the auditor of all sees them."""
    position = _position(lived, "infusion.given.v1")
    assert lived.browser("manager", "A").get(f"/events/{position}").status_code == 200
    assert lived.browser("manager", "B").get(f"/events/{position}").status_code == 404
    assert lived.browser("owner", "all").get(f"/events/{position}").status_code == 200
    assert NEVER_CARES in lived.ids


def test_sealed_text_is_opened_for_those_who_read_charts_only(lived: World) -> None:
    """A prescriber reads the name that was registered; a manager is told that it is sealed."""
    position = _position(lived, "patient.registered.v1")
    record = lived.services.log.read(position - 1, 1)[0]
    name = lived.services.unsealer.unsealed(record)["family_name"]
    prescriber = lived.browser("prescriber", "A").get(f"/events/{position}").text
    manager = lived.browser("manager", "A").get(f"/events/{position}").text
    assert isinstance(name, str) and f"<td>{name}</td>" in prescriber
    assert f"<td>{name}</td>" not in manager and "sealed: not for your role" in manager


def test_an_event_shows_its_envelope(lived: World) -> None:
    """Both clocks with the clinic's zone, who, leaf; and leads to its neighbours in the stream."""
    position = _position(lived, "infusion.given.v1")
    record = lived.services.log.read(position - 1, 1)[0]
    page = lived.browser("auditor", "A").get(f"/events/{position}").text
    assert record.leaf_hash.hex() in page and str(record.stream_id) in page and "infusion.given.v1" in page
    assert len(re.findall(r'<time datetime="[^"]+" title="America/Los_Angeles">', page)) == 2
    stream = [one.position for one in lived.services.log.read_stream(record.stream_id)]
    at = stream.index(position)
    assert set(_events(page)) == {stream[at - 1], *stream[at + 1 : at + 2]}


def test_who_acted_is_named(lived: World) -> None:
    """A member of staff by name, where the log holds one."""
    position = _position(lived, "infusion.started.v1")
    record = lived.services.log.read(position - 1, 1)[0]
    joined = lived.services.log.read_stream(UUID(record.actor))[0]
    page = lived.browser("manager", "A").get(f"/events/{position}").text
    assert str(lived.services.unsealer.unsealed(joined)["full_name"]) in page


def test_an_entry_struck_as_another_patient_s_is_withheld(lived: World) -> None:
    """Only its author and auditors read it; the page says why nothing is there."""
    position = _struck_as_wrong_patient(lived)
    assert "Withheld" in lived.browser("manager", "A").get(f"/events/{position}").text
    assert "Withheld" in lived.browser("prescriber", "A").get(f"/events/{position}").text
    assert "Withheld" not in lived.browser("auditor", "A").get(f"/events/{position}").text
    assert "Withheld" not in lived.browser("nurse", "A").get(f"/events/{position}").text, "its author"


def _struck_as_wrong_patient(lived: World) -> int:
    """A nurse scores the wrong patient's pain and strikes it; the position of the score."""
    key, diary = lived.key_for("nurse"), f"/v1/diary/{lived.ids[ex.PATIENT]}"
    scored = lived.post(f"{diary}/pain", {"score": 9}, key=key, idempotency_key=str(uuid4())).get_json()
    body = {"reason_code": "wrong_patient", "reason": "The patient of the next room."}
    struck = lived.post(
        f"{diary}/entries/{scored['version']}/strike", body, key=key, idempotency_key=str(uuid4()),
        if_match=scored["version"],
    )
    assert struck.status_code == 201, struck.text
    return int(scored["position"])


@pytest.mark.parametrize(("name", "title"), [
    ("infusion.given.v1", "Infusion given"), ("infusion.iv_placed.v1", "IV placed"),
    ("no.such_event.v9", "No such event"),
])
def test_an_events_name_in_words(name: str, title: str) -> None:
    assert event_title(name) == title

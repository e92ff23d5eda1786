"""The address says what is shown: a view can be shared, read by hand, and led back to now."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html import unescape
from uuid import uuid4

import pytest

from api.http import examples as ex
from tests.api.story import NEVER_CARES
from tests.api.world import World


def _links(page: str) -> list[str]:
    return [unescape(one) for one in re.findall(r'href="([^"]+)"', page)]


def _preset(page: str, label: str) -> tuple[date, date]:
    found = re.search(r'href="([^"]+)"[^>]*>' + label, page)
    assert found is not None
    first, last = re.findall(r"(?:from|to)=([0-9-]+)", unescape(found[1]))
    return date.fromisoformat(first), date.fromisoformat(last)


@pytest.mark.parametrize(("label", "days"), [("Last week", 7), ("4 weeks", 28), ("13 weeks", 91)])
def test_presets_are_whole_weeks_that_are_over(lived: World, label: str, days: int) -> None:
    """Monday to Sunday, the last of them before today at the clinic."""
    page = lived.browser("manager", "A").get("/utilization").text
    first, last = _preset(page, label)
    assert (first.isoweekday(), last.isoweekday(), (last - first).days + 1) == (1, 7, days)
    assert timedelta(0) < lived.now.date() - last <= timedelta(days=8)


def test_without_a_period_it_is_the_last_thirteen_weeks(lived: World) -> None:
    """What the preset of that name leads to."""
    page = lived.browser("manager", "A").get("/utilization").text
    chosen = re.findall(r'aria-current="true">([^<]+)', page)
    assert "13 weeks" in chosen


def test_a_form_s_empty_fields_and_many_boxes_are_understood(lived: World) -> None:
    """A browser sends every field of a form, empty ones too, and a name once for each box that is ticked."""
    client = lived.browser("owner", "all")
    both = f"clinics={lived.ids[ex.CLINIC]}&clinics={lived.ids[NEVER_CARES]}"
    page = client.get(f"/utilization?{both}&from=2026-01-01&to=&as_of=")
    assert page.status_code == 200 and "1 Jan" in page.text
    one = client.get(f"/utilization?clinics={lived.ids[ex.CLINIC]}")
    assert len(re.findall(r'name="clinics" value="[^"]+" checked', one.text)) == 1
    assert len(re.findall(r'name="clinics" value="[^"]+" checked', page.text)) == 2


def test_the_question_stays_from_page_to_page(lived: World) -> None:
    """The navigation keeps clinics, period and moment, and drops what belonged to one page."""
    page = lived.browser("manager", "A").get("/utilization?from=2026-01-05&to=2026-02-01&sort=day").text
    assert "/clinics?from=2026-01-05&to=2026-02-01" in _links(page)


@pytest.mark.parametrize("past", ["as_of=2026-06-01T00:00:00Z", "known_at=1", "known_at=2026-06-01T00:00:00Z"])
def test_whoever_looks_at_the_past_is_told_and_led_back(lived: World, past: str) -> None:
    """A banner says as of when and as known when; one link goes back to now."""
    client = lived.browser("manager", "A")
    page = client.get(f"/utilization?from=2026-01-05&to=2026-02-01&{past}").text
    assert "You look at the past" in page
    assert "/utilization?from=2026-01-05&to=2026-02-01" in _links(page)
    assert "You look at the past" not in client.get("/utilization").text


@pytest.mark.parametrize(("query", "field"), [
    ("from=yesterday", "from"), ("to=2026-13-01", "to"), ("as_of=noon", "as_of"), ("known_at=then", "known_at"),
    ("clinics=everywhere", "clinics"), ("from=2026-02-01&to=2026-01-01", "from"), ("from=1990-01-01", "from"),
    ("format=xml", "format"),
])  # fmt: skip
def test_what_cannot_be_is_told_with_its_field(lived: World, query: str, field: str) -> None:
    """422 in words, naming the field, never repeating the value."""
    answer = lived.browser("manager", "A").get(f"/utilization?{query}")
    assert answer.status_code == 422 and answer.mimetype == "text/html"
    assert re.search(rf"<strong>{field.replace('_', ' ')}|<strong>{field}", answer.text), answer.text


def test_another_clinic_is_not_there(lived: World) -> None:
    """Another clinic's id and one that nobody has get the same page."""
    client = lived.browser("manager", "A")
    pages = [client.get(f"/utilization?clinics={one}") for one in (lived.ids[NEVER_CARES], uuid4())]
    assert [page.status_code for page in pages] == [404, 404]
    differs = re.compile(r'[0-9a-f]{8}-[0-9a-f-]{27}|name="csrf_token" value="[^"]+"|data-(token|seconds)="[^"]+"')
    mine, nobodys = (differs.sub("", page.text) for page in pages)
    assert mine == nobodys

"""Calendar addresses of a clinic: given out with a label, withdrawn once, not without end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest

from domain import clinic
from domain.clinic.calendar_feed import (
    MOST_FEEDS,
    CalendarFeedAlreadyOpened,
    CalendarFeedNotFound,
    FeedLabelNotValid,
    TooManyCalendarFeeds,
)
from domain.clinic.state import ClinicNotOpen
from domain.kernel import Actor
from tests.domain.given_when_then import Given, given

SPACE = UUID("0d2f6c1e-0000-4000-8000-000000000010")
NOW = datetime(2026, 3, 9, 15, tzinfo=UTC)
BY = Actor(id="manager", role="manager")
FEED = uuid5(SPACE, "feed")


def of(command: type, **fields: Any) -> Any:
    return command(by=BY, now=NOW, at=NOW, **fields)


def opened() -> Given[clinic.State]:
    return given(clinic.initial(SPACE), clinic.evolve, (
        clinic.ClinicOpened(occurred_at=NOW, clinic_name="A", timezone="America/Denver"),))


def test_an_address_is_given_out_and_withdrawn_once() -> None:
    give = of(clinic.OpenCalendarFeed, feed_id=FEED, label="  Front desk ")
    after = opened().when(clinic.decide, give, None).then_kinds(clinic.CalendarFeedOpened)
    assert [(one.label, one.closed) for one in after.state.feeds] == [("Front desk", False)]
    after.when(clinic.decide, give, None).then_refused(CalendarFeedAlreadyOpened)
    close = of(clinic.CloseCalendarFeed, feed_id=FEED)
    gone = after.when(clinic.decide, close, None).then_kinds(clinic.CalendarFeedClosed)
    assert gone.state.feeds[0].closed
    gone.when(clinic.decide, close, None).then_refused(CalendarFeedNotFound)


@pytest.mark.parametrize("label", ["", "   ", "x" * 81])
def test_an_address_says_whom_it_is_for(label: str) -> None:
    give = of(clinic.OpenCalendarFeed, feed_id=FEED, label=label)
    opened().when(clinic.decide, give, None).then_refused(FeedLabelNotValid, pointer="/label")


def test_what_was_never_given_out_is_not_withdrawn_and_a_clinic_comes_first() -> None:
    opened().when(clinic.decide, of(clinic.CloseCalendarFeed, feed_id=FEED), None).then_refused(CalendarFeedNotFound)
    nothing = given(clinic.initial(SPACE), clinic.evolve, ())
    nothing.when(clinic.decide, of(clinic.OpenCalendarFeed, feed_id=FEED, label="A"), None).then_refused(ClinicNotOpen)


def test_there_is_an_end_to_addresses_and_withdrawn_ones_do_not_count() -> None:
    many = opened()
    for number in range(MOST_FEEDS):
        give = of(clinic.OpenCalendarFeed, feed_id=uuid5(SPACE, str(number)), label="A")
        many = many.when(clinic.decide, give, None).then_kinds(clinic.CalendarFeedOpened)
    one_more = of(clinic.OpenCalendarFeed, feed_id=FEED, label="A")
    many.when(clinic.decide, one_more, None).then_refused(TooManyCalendarFeeds)
    close = of(clinic.CloseCalendarFeed, feed_id=uuid5(SPACE, "0"))
    fewer = many.when(clinic.decide, close, None).then_kinds(clinic.CalendarFeedClosed)
    fewer.when(clinic.decide, one_more, None).then_kinds(clinic.CalendarFeedOpened)

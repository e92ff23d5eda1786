"""Addresses at which a clinic's bookings can be subscribed to as a calendar: given out, and withdrawn.

Such an address shows when rooms are booked and nothing about anybody; still it is access, so giving it and taking it
back are on record. What makes the address secret is no part of the event.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from msgspec.structs import replace

from domain.clinic.state import CalendarFeed, State, require_clinic
from domain.kernel import BadInput, Command, Decision, DomainError, Event

MOST_FEEDS = 50
LONGEST_LABEL = 80


class FeedLabelNotValid(BadInput):
    """An address needs a label of at most 80 characters: who it is for."""


class CalendarFeedAlreadyOpened(DomainError):
    """This calendar address has been given out."""


class TooManyCalendarFeeds(DomainError):
    """The clinic has as many calendar addresses as it may: withdraw one first."""


class CalendarFeedNotFound(DomainError):
    """There is no such calendar address, or it has been withdrawn."""


class CalendarFeedOpened(Event, frozen=True, kw_only=True):
    """From now on the clinic's bookings can be read at a secret address. `label`: what or which desk it is for."""

    NAME: ClassVar[str] = "clinic.calendar_feed_opened.v1"
    feed_id: UUID
    label: str


class CalendarFeedClosed(Event, frozen=True, kw_only=True):
    """The address answers no more."""

    NAME: ClassVar[str] = "clinic.calendar_feed_closed.v1"
    feed_id: UUID


class OpenCalendarFeed(Command, frozen=True, kw_only=True):
    """Gives out an address. `label` names a place or device ("front desk wall"), never a patient."""

    feed_id: UUID
    label: str


class CloseCalendarFeed(Command, frozen=True, kw_only=True):
    """Withdraws an address."""

    feed_id: UUID


def decide_feed(state: State, command: OpenCalendarFeed | CloseCalendarFeed) -> Decision:
    """Raises FeedLabelNotValid, CalendarFeedAlreadyOpened, TooManyCalendarFeeds; CalendarFeedNotFound."""
    require_clinic(state)
    known = next((one for one in state.feeds if one.feed_id == command.feed_id), None)
    if isinstance(command, CloseCalendarFeed):
        if known is None or known.closed:
            raise CalendarFeedNotFound(feed_id=str(command.feed_id), pointer="/feed_id")
        return Decision((CalendarFeedClosed(
            occurred_at=command.at, late_reason=command.late_reason, feed_id=command.feed_id),))
    if not 0 < len(command.label.strip()) <= LONGEST_LABEL:
        raise FeedLabelNotValid(longest=LONGEST_LABEL, pointer="/label")
    if known is not None:
        raise CalendarFeedAlreadyOpened(feed_id=str(command.feed_id), pointer="/feed_id")
    if sum(not one.closed for one in state.feeds) >= MOST_FEEDS:
        raise TooManyCalendarFeeds(most=MOST_FEEDS)
    return Decision((CalendarFeedOpened(
        occurred_at=command.at, late_reason=command.late_reason, feed_id=command.feed_id,
        label=command.label.strip()),))


def evolve_feeds(state: State, event: Event) -> State:
    """The state after an event of this file; any other changes nothing."""
    match event:
        case CalendarFeedOpened():
            feed = CalendarFeed(feed_id=event.feed_id, label=event.label, opened_at=event.occurred_at)
            return replace(state, feeds=(*state.feeds, feed))
        case CalendarFeedClosed():
            return replace(state, feeds=tuple(
                replace(one, closed=True) if one.feed_id == event.feed_id else one for one in state.feeds))
    return state

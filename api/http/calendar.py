"""The calendar that staff subscribe to: `/calendar/<token>.ics`, which rooms of one clinic are booked when.

The token is the whole permission: it names the clinic and the feed and carries an HMAC of both, so that it can be
shown again to whoever manages the clinic and is stored nowhere. Withdrawing the feed (an event of the clinic) ends
it at once. An entry says room, time and "booked": no name, no id of a patient, no kind of visit, no reason.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, request
from icalendar import Calendar, Event, Timezone
from werkzeug.wrappers import Response

from api.http.context import wired
from api.http.limits import limiter
from api.http.problems import not_found
from domain import clinic
from domain.kernel import derived_id
from projections import calendar_feed
from projections.calendar_feed import BookedRoom
from projections.facts.encoding import micros

__all__ = ["address_of", "blueprint", "calendar_text", "token_of"]

blueprint = Blueprint("calendar", __name__)

PAST = timedelta(days=31)
AHEAD = timedelta(days=200)
REFRESH_MINUTES = 15
MAC_BYTES = 20


def token_of(secret: bytes, clinic_id: UUID, feed_id: UUID) -> str:
    """The secret part of a feed's address."""
    named = clinic_id.bytes + feed_id.bytes
    return urlsafe_b64encode(named + _mac(secret, named)).decode().rstrip("=")


def address_of(clinic_id: UUID, feed_id: UUID) -> str:
    """The feed's path."""
    return f"/calendar/{token_of(wired().secret, clinic_id, feed_id)}.ics"


def _mac(secret: bytes, named: bytes) -> bytes:
    return hmac.new(secret, b"anodyne/calendar-feed/1" + named, hashlib.sha256).digest()[:MAC_BYTES]


def _opened(secret: bytes, token: str) -> tuple[UUID, UUID] | None:
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (NotBase64, ValueError):
        return None
    named, mac = raw[:32], raw[32:]
    if len(named) != 32 or not hmac.compare_digest(mac, _mac(secret, named)):
        return None
    return UUID(bytes=named[:16]), UUID(bytes=named[16:])


@blueprint.get("/calendar/<token>.ics")
def feed(token: str) -> Response:
    """The calendar of the feed that the token names; the one 404 for a token that is wrong or was withdrawn."""
    parts = wired()
    named = _opened(parts.secret, token)
    if named is None:
        limiter().count_failure()
        raise not_found()
    clinic_id, feed_id = named
    here: clinic.State = parts.services.handling.current(clinic, clinic_id).state
    if not any(one.feed_id == feed_id and not one.closed for one in here.feeds):
        raise not_found()
    now = parts.services.clock.now()
    span = (_us(now - PAST), _us(now + AHEAD))
    with parts.read_side.database.reads.connect() as connection:
        rooms = calendar_feed.bookings(connection, str(clinic_id), span, now)
    booked = rooms.bookings if rooms is not None else ()
    body = calendar_text(here, booked, feed_id)
    response = current_app.response_class(body, mimetype="text/calendar")
    response.headers["Cache-Control"] = f"private, max-age={REFRESH_MINUTES * 60}"
    response.headers["Content-Disposition"] = 'inline; filename="rooms.ics"'
    response.set_etag(hashlib.sha256(body).hexdigest()[:32])
    return response.make_conditional(request)


def calendar_text(here: clinic.State, booked: tuple[BookedRoom, ...], feed_id: UUID) -> bytes:
    """The same bookings give the same bytes, whenever they are asked for: so the ETag holds until one changes."""
    zone = ZoneInfo(here.timezone)
    calendar = Calendar()
    calendar.add("prodid", "-//Anodyne//Rooms//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", f"{here.clinic_name}: rooms")
    calendar.add("x-wr-timezone", here.timezone)
    calendar.add("refresh-interval", timedelta(minutes=REFRESH_MINUTES), parameters={"VALUE": "DURATION"})
    if booked:
        first, last = booked[0].starts.astimezone(zone).year, booked[-1].ends.astimezone(zone).year
        calendar.add_component(Timezone.from_tzinfo(
            zone, here.timezone, first_date=datetime(first - 1, 1, 1, tzinfo=UTC).date(),
            last_date=datetime(last + 2, 1, 1, tzinfo=UTC).date(),
        ))  # fmt: skip
    for one in booked:
        calendar.add_component(_event(one, zone, feed_id))
    text: bytes = calendar.to_ical(sorted=False)
    return text


def _event(one: BookedRoom, zone: ZoneInfo, feed_id: UUID) -> Event:
    event = Event()
    event.add("uid", f"{derived_id('calendar', feed_id, one.appointment_id)}@anodyne")
    event.add("sequence", one.sequence)
    event.add("dtstamp", one.changed.astimezone(UTC))
    event.add("created", one.made.astimezone(UTC))
    event.add("last-modified", one.changed.astimezone(UTC))
    event.add("dtstart", one.starts.astimezone(zone))
    event.add("dtend", one.ends.astimezone(zone))
    event.add("summary", f"{one.room_name}: booked")
    event.add("location", one.room_name)
    event.add("status", "CANCELLED" if one.cancelled else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if one.cancelled else "OPAQUE")
    event.add("class", "PRIVATE")
    return event


def _us(moment: datetime) -> int:
    us = micros(moment)
    assert us is not None
    return us

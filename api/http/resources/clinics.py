"""Clinics: rooms, opening hours, closures, staff on duty, protocol versions, price lists."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from flask import Response
from marshmallow import Schema, fields

from api.http import examples as ex
from api.http.calendar import address_of
from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.context import principal, wired
from api.http.reading import answer, read_endpoint
from api.http.scope import clinic_state, new_clinic, of_clinic, see_clinic
from domain import clinic
from projections.clinic_list import opened_clinics

blueprint = ResourceBlueprint("clinics", __name__, url_prefix="/v1", description=__doc__)

HERE = "/clinics/<uuid:clinic_id>"
SEEN = "/clinics/{id}"

COMMANDS = (
    CommandEndpoint(
        name="open", path="/clinics", command=clinic.OpenClinic, place=new_clinic, link=SEEN,
        example={"clinic_name": "Harbour Pain Clinic (fictional)", "timezone": "America/Los_Angeles",
                 "fictional": True},
    ),
    CommandEndpoint(
        name="add_room", path=f"{HERE}/rooms", command=clinic.AddRoom, place=of_clinic, link=SEEN,
        new_ids=("room_id",), example={"room_name": "Room 1"},
    ),
    CommandEndpoint(
        name="retire_room", path=f"{HERE}/rooms/<uuid:room_id>/retire", command=clinic.RetireRoom, place=of_clinic,
        link=SEEN, from_path=("room_id",), if_match=True, example={"reason_code": "renovation"},
    ),
    CommandEndpoint(
        name="set_opening_hours", path=f"{HERE}/opening-hours", command=clinic.SetOpeningHours, place=of_clinic,
        link=SEEN,
        example={
            "effective_from": "2026-01-05",
            "hours": [{"weekday": day, "opens": "08:00", "closes": "17:00"} for day in range(1, 6)],
            "prime": [{"weekday": day, "opens": "09:00", "closes": "15:00"} for day in range(1, 6)],
        },
    ),
    CommandEndpoint(
        name="declare_closure", path=f"{HERE}/closures", command=clinic.DeclareClosure, place=of_clinic, link=SEEN,
        new_ids=("closure_id",), local_moments=("starts_at", "ends_at"),
        example={"starts_at": "2026-12-25T00:00:00-08:00", "ends_at": "2026-12-26T00:00:00-08:00",
                 "reason_code": "holiday"},
    ),
    CommandEndpoint(
        name="lift_closure", path=f"{HERE}/closures/<uuid:closure_id>/lift", command=clinic.LiftClosure,
        place=of_clinic, link=SEEN, from_path=("closure_id",), if_match=True, example={},
    ),
    CommandEndpoint(
        name="assign_staff", path=f"{HERE}/staff", command=clinic.AssignStaff, place=of_clinic, link=SEEN,
        example={"staff_id": ex.NURSE, "role": "nurse"},
    ),
    CommandEndpoint(
        name="unassign_staff", path=f"{HERE}/staff/<uuid:staff_id>/unassign", command=clinic.UnassignStaff,
        place=of_clinic, link=SEEN, from_path=("staff_id",), if_match=True, example={"role": "nurse"},
    ),
    CommandEndpoint(
        name="adopt_protocol", path=f"{HERE}/protocol", command=clinic.AdoptProtocol, place=of_clinic, link=SEEN,
        if_match=True, example={"document": ex.ADOPTED_PROTOCOL, "adopted_by": ex.PRESCRIBER},
    ),
    CommandEndpoint(
        name="set_on_call", path=f"{HERE}/on-call", command=clinic.SetOnCall, place=of_clinic, link=SEEN,
        if_match=True,
        example={"staff_ids": [ex.NURSE, ex.PRESCRIBER], "escalate_after_minutes": 10,
                 "clinic_phone": "+1 555 0199"},
    ),
    CommandEndpoint(
        name="publish_price_list", path=f"{HERE}/price-lists", command=clinic.PublishPriceList, place=of_clinic,
        link=SEEN, new_ids=("price_list_id",),
        example={
            "effective_from": "2026-01-01", "currency": "USD",
            "items": [{"code": "infusion-60", "description": "Ketamine infusion, first hour", "amount_cents": 45000}],
        },
    ),
    CommandEndpoint(
        name="open_calendar_feed", path=f"{HERE}/calendar-feeds", command=clinic.OpenCalendarFeed, place=of_clinic,
        link="/clinics/{id}/calendar-feeds", new_ids=("feed_id",), example={"label": "Front desk wall"},
    ),
    CommandEndpoint(
        name="close_calendar_feed", path=f"{HERE}/calendar-feeds/<uuid:feed_id>/close",
        command=clinic.CloseCalendarFeed, place=of_clinic, link="/clinics/{id}/calendar-feeds",
        from_path=("feed_id",), if_match=True, example={},
    ),
)

register_commands(blueprint, COMMANDS)


class ClinicNameSchema(Schema):
    """A clinic as a list shows it."""

    id = fields.UUID(required=True)
    clinic_name = fields.String(required=True)
    timezone = fields.String(required=True, metadata={"description": "IANA name."})
    fictional = fields.Boolean(required=True)


class ClinicsSchema(Schema):
    """The clinics that the key may see."""

    clinics = fields.List(fields.Nested(ClinicNameSchema), required=True)


class ClinicSchema(ClinicNameSchema):
    """A clinic as it stands now."""

    version = fields.Integer(required=True)
    rooms = fields.List(fields.Dict(keys=fields.String()), required=True)
    hours = fields.List(fields.Dict(keys=fields.String()), required=True)
    closures = fields.List(fields.Dict(keys=fields.String()), required=True)
    staff = fields.List(fields.Dict(keys=fields.String()), required=True)
    protocol = fields.Dict(keys=fields.String(), required=True, allow_none=True)
    price_lists = fields.List(fields.Dict(keys=fields.String()), required=True)
    on_call = fields.Dict(keys=fields.String(), required=True)


class CalendarFeedSchema(Schema):
    """An address at which the clinic's bookings can be subscribed to. Whoever has it can read it."""

    feed_id = fields.UUID(required=True)
    label = fields.String(required=True)
    opened_at = fields.AwareDateTime(required=True)
    path = fields.String(required=True, metadata={"description": "Secret: put the server's name before it."})


class CalendarFeedsSchema(Schema):
    """The addresses that were given out and not withdrawn."""

    version = fields.Integer(required=True)
    feeds = fields.List(fields.Nested(CalendarFeedSchema), required=True)


_NAME = {"id": ex.CLINIC, "clinic_name": "Harbour Pain Clinic (fictional)", "timezone": "America/Los_Angeles",
         "fictional": True}
_CLINIC = {
    **_NAME, "version": 9,
    "rooms": [{"room_id": ex.ROOM, "room_name": "Room 1", "added_at": "2026-01-05T08:00:00-08:00", "retired_at": None}],
    "hours": [{"effective_from": "2026-01-05", "hours": [{"weekday": 1, "opens": "08:00:00", "closes": "17:00:00"}],
               "prime": []}],
    "closures": [], "staff": [{"staff_id": ex.NURSE, "role": "nurse"}], "protocol": ex.PROTOCOL, "price_lists": [],
    "on_call": {"staff_ids": [ex.NURSE], "escalate_after_minutes": 10, "clinic_phone": "+1 555 0199"},
}


def _name(clinic_id: UUID, state: clinic.State) -> dict[str, Any]:
    return {"id": str(clinic_id), "clinic_name": state.clinic_name, "timezone": state.timezone,
            "fictional": state.fictional}


@read_endpoint(blueprint, "/clinics", "list", ClinicsSchema, {"clinics": [_NAME]})
def list_clinics() -> Response:
    """List the clinics that the key may see."""
    mine = principal().clinics
    if mine is None:
        with wired().read_side.database.reads.connect() as connection:
            mine = frozenset(UUID(clinic_id) for clinic_id in opened_clinics(connection))
    handling = wired().services.handling
    states = [(clinic_id, handling.current(clinic, clinic_id).state) for clinic_id in sorted(mine)]
    return answer({"clinics": [_name(clinic_id, state) for clinic_id, state in states if state.is_open]})


@read_endpoint(blueprint, HERE, "show", ClinicSchema, _CLINIC, etag=True)
def show(clinic_id: UUID) -> Response:
    """Read a clinic as it stands now."""
    see_clinic(clinic_id)
    loaded = clinic_state(clinic_id)
    state: clinic.State = loaded.state
    body = {
        **_name(clinic_id, state), "version": loaded.version, "rooms": msgspec.to_builtins(state.rooms),
        "hours": msgspec.to_builtins(state.hours), "closures": msgspec.to_builtins(state.closures),
        "staff": [{"staff_id": str(who), "role": role} for who, role in sorted(state.staff)],
        "protocol": None if state.protocol is None else msgspec.to_builtins(state.protocol),
        "price_lists": msgspec.to_builtins(state.price_lists), "on_call": msgspec.to_builtins(state.on_call),
    }
    return answer(body, loaded.version)


_FEEDS = {"version": 9, "feeds": [{
    "feed_id": ex.REQUEST, "label": "Front desk wall", "opened_at": ex.NINE,
    "path": "/calendar/C50vNFweT0qKVQxtamsH.ics",
}]}


@read_endpoint(blueprint, f"{HERE}/calendar-feeds", "calendar_feeds", CalendarFeedsSchema, _FEEDS, etag=True)
def show_calendar_feeds(clinic_id: UUID) -> Response:
    """List the calendar addresses of a clinic."""
    see_clinic(clinic_id)
    loaded = clinic_state(clinic_id)
    feeds = [
        {"feed_id": str(one.feed_id), "label": one.label, "opened_at": one.opened_at.isoformat(),
         "path": address_of(clinic_id, one.feed_id)}
        for one in loaded.state.feeds if not one.closed
    ]
    return answer({"version": loaded.version, "feeds": feeds}, loaded.version)

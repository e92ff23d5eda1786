"""Clinics: rooms, opening hours, closures, staff on duty, protocol versions, price lists."""

from __future__ import annotations

from api.http import examples as ex
from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.scope import new_clinic, of_clinic
from domain import clinic

blueprint = ResourceBlueprint("clinics", __name__, url_prefix="/v1", description=__doc__)

HERE = "/clinics/<uuid:clinic_id>"
SEEN = "/clinics/{id}"

COMMANDS = (
    CommandEndpoint(
        name="open", path="/clinics", command=clinic.OpenClinic, place=new_clinic, link=SEEN,
        example={"clinic_name": "Harbour Pain Clinic (fictional)", "timezone": "America/Los_Angeles", "fictional": True},
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
        if_match=True, example={"document": ex.PROTOCOL, "adopted_by": ex.PRESCRIBER},
    ),
    CommandEndpoint(
        name="publish_price_list", path=f"{HERE}/price-lists", command=clinic.PublishPriceList, place=of_clinic,
        link=SEEN, new_ids=("price_list_id",),
        example={
            "effective_from": "2026-01-01", "currency": "USD",
            "items": [{"code": "infusion-60", "description": "Ketamine infusion, first hour", "amount_cents": 45000}],
        },
    ),
)

register_commands(blueprint, COMMANDS)

"""Appointments: a clinic's local day as one sheet; booking without double-booking, the waiting list.

Times may be given with an offset, or without one in the clinic's wall clock; a wall clock time that a DST change
skips or repeats is refused.
"""

from __future__ import annotations

from api.http import examples as ex
from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.scope import of_sheet
from domain import day_sheet

blueprint = ResourceBlueprint("appointments", __name__, url_prefix="/v1", description=__doc__)

SHEET = "/appointments/<uuid:clinic_id>/<date:local_date>"
HERE = f"{SHEET}/<uuid:appointment_id>"
SEEN = "/appointments/{clinic_id}/{local_date}"

TIMES = ("starts_at", "ends_at")


def _of_appointment(name: str, command: type, example: dict[str, object], **more: object) -> CommandEndpoint:
    return CommandEndpoint(
        name=name, path=f"{HERE}/{name.replace('_', '-')}", command=command, place=of_sheet, link=SEEN,
        from_path=("appointment_id",), example=example, **more,  # type: ignore[arg-type]
    )


COMMANDS = (
    CommandEndpoint(
        name="book", path=SHEET, command=day_sheet.BookAppointment, place=of_sheet, link=SEEN,
        new_ids=("appointment_id",), local_moments=TIMES,
        example={"patient_id": ex.PATIENT, "room_id": ex.ROOM, "visit_kind": "trial", "starts_at": ex.NINE,
                 "ends_at": ex.ELEVEN, "course_id": ex.COURSE},
    ),
    _of_appointment(
        "move", day_sheet.MoveAppointment,
        {"room_id": ex.ROOM, "starts_at": "2026-03-02T10:00:00", "ends_at": "2026-03-02T12:00:00",
         "asked_by": "patient", "reason_code": "work"},
        local_moments=TIMES, if_match=True,
    ),
    _of_appointment("confirm", day_sheet.ConfirmAppointment, {}),
    _of_appointment(
        "cancel", day_sheet.CancelAppointment, {"asked_by": "patient", "reason_code": "illness"}, if_match=True
    ),
    _of_appointment("no_show", day_sheet.RecordNoShow, {}),
    CommandEndpoint(
        name="join_waitlist", path=f"{SHEET}/waitlist", command=day_sheet.JoinWaitlist, place=of_sheet, link=SEEN,
        new_ids=("entry_id",), local_moments=("earliest_at", "latest_at"),
        example={"patient_id": ex.PATIENT, "visit_kind": "booster", "earliest_at": "2026-03-02T08:00:00",
                 "latest_at": "2026-03-02T16:00:00"},
    ),
    CommandEndpoint(
        name="offer_slot", path=f"{SHEET}/waitlist/<uuid:entry_id>/offer", command=day_sheet.OfferSlot,
        place=of_sheet, link=SEEN, from_path=("entry_id",), local_moments=TIMES,
        example={"room_id": ex.ROOM, "starts_at": ex.NINE, "ends_at": ex.ELEVEN},
    ),
    CommandEndpoint(
        name="leave_waitlist", path=f"{SHEET}/waitlist/<uuid:entry_id>/leave", command=day_sheet.LeaveWaitlist,
        place=of_sheet, link=SEEN, from_path=("entry_id",), if_match=True, example={"reason_code": "declined"},
    ),
)

register_commands(blueprint, COMMANDS)

"""Staff: who works for the organisation, with which credentials, until when."""

from __future__ import annotations

from uuid import UUID

from flask import Response

from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.reading import RECORD, read_endpoint, record_response
from api.http.scope import new_staff, of_staff, see_staff
from domain import staff

blueprint = ResourceBlueprint("staff", __name__, url_prefix="/v1", description=__doc__)

HERE = "/staff/<uuid:staff_id>"
SEEN = "/staff/{id}"

COMMANDS = (
    CommandEndpoint(
        name="join", path="/staff", command=staff.JoinStaff, place=new_staff, link=SEEN,
        example={"full_name": "Robin Example", "email": "robin@example.org", "profession": "registered_nurse"},
    ),
    CommandEndpoint(
        name="record_credentials", path=f"{HERE}/credentials", command=staff.RecordCredentials, place=of_staff,
        link=SEEN,
        example={"kind": "nursing_license", "number": "RN-000000", "jurisdiction": "US-CA",
                 "valid_from": "2025-01-01", "valid_until": "2027-12-31"},
    ),
    CommandEndpoint(
        name="leave", path=f"{HERE}/leave", command=staff.LeaveStaff, place=of_staff, link=SEEN, if_match=True,
        example={"reason_code": "moved"},
    ),
)

register_commands(blueprint, COMMANDS)


@read_endpoint(blueprint, HERE, "show", *RECORD, etag=True)
def show(staff_id: UUID) -> Response:
    """Read a member of staff with all entries."""
    see_staff(staff_id)
    return record_response("staff", staff_id)

"""Staff: who works for the organisation, with which credentials, until when."""

from __future__ import annotations

from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.scope import new_staff, of_staff
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

"""Staff: who works for the organisation, with which credentials, until when."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import RAISE, Schema, fields, validate

from api.http import examples as ex
from api.http.access import opened
from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.context import wired
from api.http.cursors import link_next, read_cursor, write_cursor
from api.http.fields import Text
from api.http.reading import RECORD, answer, read_endpoint, record_response
from api.http.scope import new_staff, of_staff, see_staff
from domain import staff
from domain.kernel import Recorded

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


class CredentialSchema(Schema):
    """What somebody may do, where and until when."""

    kind = fields.String(required=True)
    jurisdiction = fields.String(required=True)
    valid_until = fields.Date(required=True)


class MemberSchema(Schema):
    """A member of staff as the list shows them."""

    staff_id = fields.UUID(required=True)
    full_name = fields.Raw(required=True, metadata={"description": "As they joined."})
    profession = fields.String(required=True)
    joined_at = fields.AwareDateTime(required=True)
    left_at = fields.AwareDateTime(required=True, allow_none=True)
    credentials = fields.List(fields.Nested(CredentialSchema), required=True)


class StaffSchema(Schema):
    """A page of the organisation's staff, in the order in which they joined."""

    staff = fields.List(fields.Nested(MemberSchema), required=True)


class PageSchema(Schema):
    """A page."""

    class Meta:
        """Unknown parameters are refused."""

        unknown = RAISE

    cursor = Text(longest=512, pattern=r"[A-Za-z0-9_-]+")
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 500))


_STAFF = {"staff": [{
    "staff_id": ex.NURSE, "full_name": "Robin Example", "profession": "registered_nurse",
    "joined_at": "2025-12-01T08:00:00+00:00", "left_at": None,
    "credentials": [{"kind": "nursing_license", "jurisdiction": "US-CA", "valid_until": "2027-12-31"}],
}]}


@read_endpoint(blueprint, "/staff", "list", StaffSchema, _STAFF, query=PageSchema, pages=True)
def list_staff(query: dict[str, Any]) -> Response:
    """List who works, or worked, for the organisation. Who works where, and as what, is told by each clinic."""
    after = read_cursor(query["cursor"], int)[0] if "cursor" in query else 0
    joined = wired().services.log.read(after, query["limit"] + 1, names=(staff.StaffJoined.NAME,))
    page = joined[: query["limit"]]
    opened("staff.list", count=len(page))
    response = answer({"staff": [_member(record) for record in page]})
    if len(joined) > len(page):
        link_next(response, cursor=write_cursor(page[-1].position))
    return response


def _member(record: Recorded) -> dict[str, Any]:
    services = wired().services
    state: staff.State = services.handling.current(staff, record.stream_id).state
    return {
        "staff_id": str(record.stream_id), "full_name": services.unsealer.unsealed(record)["full_name"],
        "profession": state.profession, "joined_at": record.event.occurred_at.isoformat(),
        "left_at": None if state.left_at is None else state.left_at.isoformat(),
        "credentials": [
            {"kind": one.kind, "jurisdiction": one.jurisdiction, "valid_until": one.valid_until.isoformat()}
            for one in state.credentials
        ],
    }


@read_endpoint(blueprint, HERE, "show", *RECORD, etag=True)
def show(staff_id: UUID) -> Response:
    """Read a member of staff with all entries."""
    see_staff(staff_id)
    return record_response("staff", staff_id)

"""Reading patients: search, who they are, their record, their timeline, who looked at it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from flask import Response
from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema
from webargs.fields import DelimitedList

from api.http import examples as ex
from api.http.access import opened
from api.http.context import principal, wired
from api.http.cursors import link_next, read_cursor, write_cursor
from api.http.fields import AwareMoment, LocalDate, StrictId, StrictInteger, Text
from api.http.idempotency import key_of_request
from api.http.problems import Problem
from api.http.questions import known_position, wait_for_position
from api.http.reading import RECORD, answer, read_endpoint, record_response
from api.http.resources.patients import HERE, blueprint
from api.http.scope import patient_state, see_clinic
from domain.kernel import Actor
from projections.directory import Person, find, named
from projections.facts.reading import Cut
from projections.facts.relief import identities_of
from projections.timeline import KINDS, UnknownCursor, timeline

__all__ = ["blueprint", "with_merged"]


class PersonSchema(Schema):
    """A patient as a list shows them. Names are null when the record cannot be opened."""

    patient_id = fields.UUID(required=True)
    family_name = fields.String(required=True, allow_none=True)
    given_name = fields.String(required=True, allow_none=True)
    birth_date = fields.String(required=True, allow_none=True)
    sex = fields.String(required=True, allow_none=True)
    age_band = fields.String(required=True, allow_none=True)
    merged_into = fields.UUID(required=True, allow_none=True)


class SearchSchema(Schema):
    """Whom to find: everything given must match. Exact, but for the name's beginning."""

    class Meta:
        """Unknown fields are refused."""

        unknown = RAISE

    name = Text(longest=200, metadata={"description": "Beginning of the family name; given name after a space."})
    family_name = Text(longest=200, metadata={"description": "With `birth_date`: both, exactly."})
    birth_date = LocalDate()
    phone = Text(longest=40)
    email = Text(longest=200)
    identifier_system = Text(longest=64)
    identifier = Text(longest=64)
    limit = StrictInteger(low=1, high=200, load_default=50)
    cursor = Text(longest=512, pattern=r"[A-Za-z0-9_-]+")
    min_position = StrictInteger(low=0, high=2**53, metadata={"description": "Read your writes."})

    @validates_schema
    def in_pairs(self, data: dict[str, Any], **kwargs: Any) -> None:
        """What only means something together comes together."""
        for one, other in (("family_name", "birth_date"), ("identifier_system", "identifier")):
            for given, missing in ((one, other), (other, one)):
                if given in data and missing not in data:
                    raise ValidationError({missing: [f"Needed with {given}."]})


class FoundSchema(Schema):
    """A page of patients, by name."""

    patients = fields.List(fields.Nested(PersonSchema), required=True)
    next = fields.String(required=True, allow_none=True, metadata={"description": "Cursor of the next page."})


class PatientSchema(PersonSchema):
    """A patient as the record stands now: who they are, and what holds for their care."""

    version = fields.Integer(required=True)
    home_clinic_id = fields.UUID(required=True)
    clinics = fields.List(fields.UUID(), required=True, metadata={"description": "That care for the patient."})
    deceased = fields.Boolean(required=True)
    erased = fields.Boolean(required=True)


_PERSON = {
    "patient_id": ex.PATIENT, "family_name": "Example", "given_name": "Alex", "birth_date": "1978-04-12",
    "sex": "female", "age_band": "45-54", "merged_into": None,
}


@blueprint.route("/patients/search", methods=["POST"], endpoint="search")
@blueprint.arguments(SearchSchema, example={"name": "exam"})
@blueprint.response(200, FoundSchema, example={"patients": [_PERSON], "next": None})
@blueprint.doc(operationId="patients.search", **{"x-post": True})
def search(body: dict[str, Any]) -> Response:
    """Find patients by name, birth date, phone, e-mail or identifier.

    A POST, so that names stay out of addresses and their logs. It changes nothing; the Idempotency-Key is asked for
    like on every POST.
    """
    key_of_request()
    wait_for_position(body.get("min_position"))
    clinics = principal().clinics
    after = read_cursor(body["cursor"], str)[0] if "cursor" in body else None
    pair = (body["identifier_system"], body["identifier"]) if "identifier" in body else None
    born = (body["family_name"], body["birth_date"].isoformat()) if "birth_date" in body else None
    read_side = wired().read_side
    with read_side.database.reads.connect() as connection:
        found = find(
            connection, read_side.indexes, clinics=None if clinics is None else [str(one) for one in clinics],
            name=body.get("name"), phone=body.get("phone"), email=body.get("email"), identifier=pair, born=born,
            after=after, limit=body["limit"] + 1,
        )
    page = found[: body["limit"]]
    opened("patients.search", count=len(page))
    more = write_cursor(page[-1].patient_id) if len(found) > len(page) else None
    return answer({"patients": [_person(one) for one in page], "next": more})


def _person(one: Person) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


@read_endpoint(
    blueprint, HERE, "show", PatientSchema,
    {**_PERSON, "version": 4, "home_clinic_id": ex.CLINIC, "clinics": [ex.CLINIC], "deceased": False, "erased": False},
    etag=True,
)
def show(patient_id: UUID) -> Response:
    """Read who a patient is and which clinics care for them."""
    loaded = patient_state(patient_id)
    opened("patient", patient_id=patient_id)
    with wired().read_side.database.reads.connect() as connection:
        person = named(connection, [str(patient_id)]).get(str(patient_id))
    state = loaded.state
    known = _person(person) if person is not None else {
        "patient_id": str(patient_id), "family_name": None, "given_name": None, "birth_date": None,
        "sex": state.sex, "age_band": state.age_band,
    }
    body = {
        **known, "merged_into": None if state.merged_into is None else str(state.merged_into),
        "version": loaded.version, "home_clinic_id": str(state.home_clinic_id),
        "clinics": [str(one) for one in sorted(state.care)], "deceased": state.deceased, "erased": state.erased,
    }
    return answer(body, loaded.version)


@read_endpoint(blueprint, f"{HERE}/chart", "chart", *RECORD, etag=True)
def chart(patient_id: UUID) -> Response:
    """Read a patient's own record, entry by entry."""
    patient_state(patient_id)
    return record_response("chart", patient_id, patient_id=patient_id)


class AccessEntrySchema(Schema):
    """One look at the record."""

    position = fields.Integer(required=True, metadata={"description": "In the access log."})
    recorded_at = fields.AwareDateTime(required=True)
    event = fields.String(required=True)
    actor = fields.String(required=True)
    role = fields.String(required=True)
    clinic_id = fields.UUID(required=True, allow_none=True)
    resource = fields.String(required=True)
    care_position = fields.Integer(required=True, metadata={"description": "How much of the care log it showed."})
    purpose = fields.String(required=True, allow_none=True, metadata={"description": "Why, e.g. `emergency`."})


class AccessLogSchema(Schema):
    """Who looked at a patient's record."""

    entries = fields.List(fields.Nested(AccessEntrySchema), required=True)


class AccessQuerySchema(Schema):
    """A page of the access log."""

    class Meta:
        """Unknown parameters are refused."""

        unknown = RAISE

    cursor = Text(longest=512, pattern=r"[A-Za-z0-9_-]+")
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 500))


_ACCESS = {"entries": [{
    "position": 1201, "recorded_at": "2026-03-02T17:04:11.120000+00:00", "event": "access.record_opened.v1",
    "actor": ex.NURSE, "role": "nurse", "clinic_id": ex.CLINIC, "resource": "timeline", "care_position": 48190,
    "purpose": "treatment",
}]}


@read_endpoint(blueprint, f"{HERE}/access-log", "access_log", AccessLogSchema, _ACCESS, query=AccessQuerySchema,
               pages=True)
def access_log(query: dict[str, Any], patient_id: UUID) -> Response:
    """Who looked at this patient's record, oldest first. Reading this is an entry too."""
    patient_state(patient_id)
    opened("access_log", patient_id=patient_id)
    after = read_cursor(query["cursor"], int)[0] if "cursor" in query else 0
    records = wired().services.access.log.read_subject(patient_id, after=after)
    page = records[: query["limit"]]
    response = answer({"entries": [
        {
            "position": one.position, "recorded_at": one.recorded_at.isoformat(), "event": one.name,
            "actor": one.actor, "role": one.role, "clinic_id": None if one.clinic_id is None else str(one.clinic_id),
            "resource": getattr(one.event, "resource", one.name),
            "care_position": getattr(one.event, "care_position", 0), "purpose": getattr(one.event, "purpose", None),
        }
        for one in page
    ]})
    if len(records) > len(page):
        link_next(response, cursor=write_cursor(page[-1].position))
    return response


TIMELINE_KINDS = sorted({*KINDS.values(), "record", "course", "appointment", "visit", "diary"})


class TimelineQuerySchema(Schema):
    """A page of a timeline."""

    class Meta:
        """Unknown parameters are refused."""

        unknown = RAISE

    kinds = DelimitedList(
        fields.String(validate=validate.OneOf(TIMELINE_KINDS)), validate=validate.Length(min=1, max=30),
        metadata={"description": "Only entries of these kinds."},
    )
    clinics = DelimitedList(
        StrictId(), validate=validate.Length(min=1, max=50), metadata={"description": "Only acts at these clinics."}
    )
    order = fields.String(
        load_default="oldest_first", validate=validate.OneOf(["oldest_first", "newest_first"]),
        metadata={"description": "By when it happened."},
    )
    as_of = AwareMoment(metadata={"description": "Only what had happened by then."})
    known_at = Text(
        longest=40, pattern=r"[0-9]{1,18}|[0-9]{4}-[0-9T:.+Zz-]+",
        metadata={"description": "Only what the log held by then: a position, or a time."},
    )
    cursor = Text(longest=512, pattern=r"[A-Za-z0-9_-]+")
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 500))


class CorrectionSchema(Schema):
    """One amendment or strike of an entry."""

    position = fields.Integer(required=True)
    at = fields.AwareDateTime(required=True)
    recorded_at = fields.AwareDateTime(required=True)
    actor = fields.String(required=True)
    what = fields.String(required=True, metadata={"enum": ["amended", "struck"]})
    reason_code = fields.String(required=True)
    before = fields.Dict(keys=fields.String(), required=True, metadata={"description": "Clear values before it."})


class TimelineEntrySchema(Schema):
    """One entry as it stands, corrected; with where it left the patient."""

    position = fields.Integer(required=True)
    stream_id = fields.UUID(required=True)
    version = fields.Integer(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    occurred_at = fields.AwareDateTime(required=True)
    recorded_at = fields.AwareDateTime(required=True)
    actor = fields.String(required=True)
    role = fields.String(required=True)
    clinic_id = fields.UUID(required=True, allow_none=True)
    origin = fields.String(required=True)
    late_minutes = fields.Integer(required=True)
    late = fields.Boolean(required=True)
    amended = fields.Boolean(required=True)
    struck = fields.Boolean(required=True)
    corrections = fields.List(fields.Nested(CorrectionSchema), required=True)
    facts = fields.Dict(keys=fields.String(), required=True, metadata={"description": "The payload as it stands."})
    bearings = fields.Dict(
        keys=fields.String(), required=True, metadata={"description": "Infusion, course and booster state after it."}
    )


class TimelineSchema(Schema):
    """A page of what happened to a patient, in order of occurrence."""

    patient_id = fields.UUID(required=True)
    entries = fields.List(fields.Nested(TimelineEntrySchema), required=True)
    total = fields.Integer(required=True)
    known_at = fields.Integer(required=True, metadata={"description": "Position of the log that it shows."})
    as_of = fields.AwareDateTime(required=True, allow_none=True)


_TIMELINE = {
    "patient_id": ex.PATIENT, "total": 1, "known_at": 51004, "as_of": None,
    "entries": [{
        "position": 48213, "stream_id": ex.INFUSION, "version": 14, "name": "infusion.given.v1", "kind": "dose",
        "occurred_at": "2026-03-02T10:31:00-08:00", "recorded_at": "2026-03-02T18:31:04.120000+00:00",
        "actor": ex.NURSE, "role": "nurse", "clinic_id": ex.CLINIC, "origin": "entered", "late_minutes": 0,
        "late": False, "amended": False, "struck": False, "corrections": [],
        "facts": {"purpose": "trial", "dose_mg": "20", "minutes": "60", "complete": True}, "bearings": {},
    }],
}


@read_endpoint(blueprint, f"{HERE}/timeline", "timeline", TimelineSchema, _TIMELINE, query=TimelineQuerySchema,
               pages=True)
def show_timeline(query: dict[str, Any], patient_id: UUID) -> Response:
    """Read a patient's timeline: late entries and corrections marked, side effects tied to their infusion."""
    patient_state(patient_id)
    for clinic_id in query.get("clinics", ()):
        see_clinic(clinic_id)
    known_at = known_position(query.get("known_at"))
    position = opened("timeline", patient_id=patient_id)
    who, services = principal(), wired().services
    try:
        found = timeline(
            services.log, with_merged(patient_id), unsealer=services.unsealer,
            viewer=Actor(id=who.actor_id, role=who.role), kinds=query.get("kinds"), clinics=query.get("clinics"),
            cursor=read_cursor(query["cursor"], str)[0] if "cursor" in query else None, limit=query["limit"],
            newest_first=query["order"] == "newest_first", as_of=query.get("as_of"),
            known_at=position if known_at is None else min(known_at, position),
        )
    except UnknownCursor as error:
        raise Problem(422, "invalid-request", "The cursor is not one of ours.",
                      errors=[{"pointer": "/cursor", "detail": "Not a cursor."}]) from error
    response = answer({
        "patient_id": str(patient_id), "entries": msgspec.to_builtins(found.entries), "total": found.total,
        "known_at": found.known_at, "as_of": None if found.as_of is None else found.as_of.isoformat(),
    })
    if found.next_cursor is not None:
        link_next(response, cursor=write_cursor(found.next_cursor), known_at=str(found.known_at))
    return response


def with_merged(patient_id: UUID) -> list[UUID]:
    """The patient's id and those of the duplicates that were merged into it."""
    cut = Cut.at(datetime.now(UTC))
    with wired().read_side.database.reads.connect() as connection:
        aliases = identities_of(connection, [str(patient_id)], cut).aliases(str(patient_id))
    return [patient_id, *sorted(UUID(one) for one in aliases if one != str(patient_id))]

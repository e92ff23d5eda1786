"""Patients: registration, history, screening, consent, the patient's rights over the record."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from api.http import examples as ex
from api.http.access import opened
from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.corrections import correction_endpoints
from api.http.context import principal, wired
from api.http.cursors import link_next, read_cursor, write_cursor
from api.http.fields import LocalDate, StrictInteger, Text
from api.http.idempotency import key_of_request
from api.http.questions import wait_for_position
from api.http.reading import RECORD, answer, read_endpoint, record_response
from api.http.scope import new_patient, of_patient, patient_state
from domain.patient import erasure, history, records, registration, screening
from projections.directory import Person, find, named

blueprint = ResourceBlueprint("patients", __name__, url_prefix="/v1", description=__doc__)

HERE = "/patients/<uuid:patient_id>"
SEEN = "/patients/{id}"


def _of_patient(name: str, step: str, command: type, example: dict[str, object], **more: object) -> CommandEndpoint:
    return CommandEndpoint(
        name=name, path=f"{HERE}/{step}", command=command, place=of_patient, link=SEEN, example=example,
        **more,  # type: ignore[arg-type]
    )


_WHO = (
    CommandEndpoint(
        name="register", path="/patients", command=registration.RegisterPatient, place=new_patient, link=SEEN,
        example={"family_name": "Example", "given_name": "Alex", "birth_date": "1978-04-12", "sex": "female",
                 "phone": "+1 555 0142", "home_clinic_id": ex.CLINIC,
                 "identifiers": {"mrn": "F-000142"}},
    ),
    _of_patient("correct_demographics", "demographics", registration.CorrectDemographics,
                {"phone": "+1 555 0143", "reason_code": "contact_changed"}, if_match=True),
    _of_patient("open_care_relation", "care-relations", registration.OpenCareRelation,
                {"clinic_id": ex.OTHER_CLINIC, "reason_code": "second_clinic"}),
    _of_patient("close_care_relation", "care-relations/<uuid:clinic_id>/close", registration.CloseCareRelation,
                {"reason_code": "treatment_ended"}, from_path=("clinic_id",), if_match=True),
    _of_patient("change_home_clinic", "home-clinic", registration.ChangeHomeClinic, {"clinic_id": ex.OTHER_CLINIC},
                if_match=True),
    _of_patient("receive_referral", "referrals", registration.ReceiveReferral,
                {"source": "pain_specialist", "referred_by": "Dr. Jo Example", "conditions": ["crps"],
                 "received_on": "2026-02-16"}, new_ids=("referral_id",)),
)

_HISTORY = (
    _of_patient("record_condition", "conditions", history.RecordCondition,
                {"condition": "crps", "icd10": "G90.511", "onset_on": "2021-06-01"}),
    _of_patient("record_therapy", "therapies", history.RecordTherapyTried,
                {"therapy": "gabapentinoid", "result": "partial_relief", "started_on": "2022-01-10"}),
    _of_patient("start_adjunct", "adjuncts", history.StartAdjunctTherapy,
                {"therapy": "physical_therapy", "started_on": "2026-02-01"}, new_ids=("adjunct_id",)),
    _of_patient("end_adjunct", "adjuncts/<uuid:adjunct_id>/end", history.EndAdjunctTherapy,
                {"ended_on": "2026-03-01", "reason_code": "completed"}, from_path=("adjunct_id",), if_match=True),
    _of_patient("record_coverage", "coverages", history.RecordCoverage, {"self_pay": True, "valid_from": "2026-01-01"},
                new_ids=("coverage_id",)),
)

_SCREENING = (
    _of_patient("record_screening", "screenings", screening.RecordScreening,
                {"findings": [{"contraindication": "hypertension", "status": "absent", "basis": "examination"},
                              {"contraindication": "substance_abuse", "status": "absent", "basis": "history"},
                              {"contraindication": "thyroid_disease", "status": "absent", "basis": "laboratory"},
                              {"contraindication": "heart_disease", "status": "absent", "basis": "ecg"}]},
                new_ids=("screening_id",)),
    _of_patient("clear_screening", "clearances", screening.ClearScreening,
                {"contraindication": "hypertension", "prescriber_id": ex.PRESCRIBER, "valid_until": "2026-06-01",
                 "reason_code": "treated"}),
    _of_patient("sign_consent", "consents", screening.SignConsent,
                {"kind": "treatment", "form_version": "2026-01", "signed_by": "patient", "taken_by": ex.NURSE},
                new_ids=("consent_id",)),
    _of_patient("withdraw_consent", "consents/<uuid:consent_id>/withdraw", screening.WithdrawConsent,
                {"reason_code": "patients_choice"}, from_path=("consent_id",), if_match=True),
)

_RECORD = (
    _of_patient("merge", "merge", records.MergePatients, {"survivor_id": ex.DUPLICATE, "reason_code": "duplicate"},
                if_match=True),
    _of_patient("unmerge", "unmerge", records.UnmergePatients,
                {"survivor_id": ex.DUPLICATE, "reason_code": "different_people"}, if_match=True),
    _of_patient("request_amendment", "amendment-requests", records.RequestAmendment,
                {"text": "The onset was in 2020, not 2021."}, new_ids=("request_id",)),
    _of_patient("accept_amendment", "amendment-requests/<uuid:request_id>/accept", records.AcceptAmendment, {},
                from_path=("request_id",), if_match=True),
    _of_patient("deny_amendment", "amendment-requests/<uuid:request_id>/deny", records.DenyAmendment,
                {"reason_code": "accurate"}, from_path=("request_id",), if_match=True),
    _of_patient("give_record_copy", "record-copies", records.GiveRecordCopy,
                {"given_to": "the patient", "scope": "whole_record"}, new_ids=("copy_id",)),
    _of_patient("restrict_disclosure", "disclosure-restrictions", records.RestrictDisclosure, {"scope": "payer"},
                new_ids=("restriction_id",)),
    _of_patient("place_legal_hold", "legal-holds", erasure.PlaceLegalHold, {"reason": "Letter of 2 March 2026"},
                new_ids=("hold_id",)),
    _of_patient("release_legal_hold", "legal-holds/<uuid:hold_id>/release", erasure.ReleaseLegalHold, {},
                from_path=("hold_id",), if_match=True),
    _of_patient("request_erasure", "erasure-requests", erasure.RequestErasure, {"reason_code": "patients_request"},
                new_ids=("request_id",)),
    _of_patient("decline_erasure", "erasure-requests/<uuid:request_id>/decline", erasure.DeclineErasure,
                {"reason_code": "retention"}, from_path=("request_id",), if_match=True),
    _of_patient("approve_erasure", "erasure-requests/<uuid:request_id>/approve", erasure.ApproveErasure,
                {"approved_by": ex.PRESCRIBER}, from_path=("request_id",), if_match=True),
    *correction_endpoints(HERE, SEEN, of_patient, {"icd10": "G90.512"}),
)

COMMANDS = (*_WHO, *_HISTORY, *_SCREENING, *_RECORD)

register_commands(blueprint, COMMANDS)


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
            "resource": getattr(one.event, "resource", one.name), "care_position": getattr(one.event, "care_position", 0),
        }
        for one in page
    ]})
    if len(records) > len(page):
        link_next(response, cursor=write_cursor(page[-1].position))
    return response

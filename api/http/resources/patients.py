"""Patients: registration, history, screening, consent, the patient's rights over the record."""

from __future__ import annotations

from uuid import UUID

from api.http import examples as ex
from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.context import wired
from api.http.corrections import correction_endpoints
from api.http.scope import in_emergency, new_patient, of_patient
from domain import emergency
from domain.patient import erasure, history, records, registration, screening
from services.handling import Receipt, Request

blueprint = ResourceBlueprint("patients", __name__, url_prefix="/v1", description=__doc__)

HERE = "/patients/<uuid:patient_id>"
SEEN = "/patients/{id}"


def _of_patient(name: str, step: str, command: type, example: dict[str, object], **more: object) -> CommandEndpoint:
    return CommandEndpoint(
        name=name, path=f"{HERE}/{step}", command=command, place=of_patient, link=SEEN, example=example,
        **more,  # type: ignore[arg-type]
    )


def _erase(patient_id: UUID, command: erasure.CompleteErasure, request: Request) -> Receipt:
    return wired().services.erasing.erase(patient_id, command, request)


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
                              {"contraindication": "heart_disease", "status": "absent", "basis": "ecg"}],
                 "screened_by": ex.NURSE},
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
    _of_patient("complete_erasure", "erasure-requests/<uuid:request_id>/complete", erasure.CompleteErasure, {},
                from_path=("request_id",), fills={"keys_destroyed": 0}, flow=_erase,
                summary="Carry out an erasure that two people have approved.\n\nThe patient's keys are destroyed, for "
                        "ever and in every copy of the log; those of records merged into theirs too."),
    *correction_endpoints(HERE, SEEN, of_patient, {"icd10": "G90.512"}),
)

_EMERGENCY = (
    CommandEndpoint(
        name="use_emergency_access", path=f"{HERE}/emergency-access", command=emergency.UseEmergencyAccess,
        place=in_emergency, link="/patients/{patient_id}", from_path=("patient_id",), new_ids=("access_id",),
        example={"reason_code": "emergency", "reason": "Found unconscious in the car park, our ward was called."},
        summary="Open the record of a patient outside your care, for four hours, to read.\n\nThe reason is kept as an "
                "event of the patient's own timeline, whoever oversees the clinics concerned sees it, every answer "
                "given by it says so and so does its entry in the access log. It permits no entry.",
    ),
)

COMMANDS = (*_WHO, *_HISTORY, *_SCREENING, *_RECORD, *_EMERGENCY)

register_commands(blueprint, COMMANDS)

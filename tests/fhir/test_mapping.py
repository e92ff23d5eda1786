"""Resource to draft: what each type comes to, and every reason why one is not used."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.fhir.drafts import (
    ConditionDraft,
    HintDraft,
    MoodDraft,
    PainDraft,
    PressureDraft,
    TherapyDraft,
    ThyrotropinDraft,
    Unusable,
    WeightDraft,
)
from api.fhir.elements import moment, text
from api.fhir.mapping import MAPPED, draft_of, patient_of, subject_of
from api.fhir.medicines import medicine

SUBJECT = {"reference": "Patient/p1"}


def concept(system: str, code: str, display: str = "") -> dict[str, Any]:
    systems = {
        "snomed": "http://snomed.info/sct", "loinc": "http://loinc.org",
        "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm", "icd10": "http://hl7.org/fhir/sid/icd-10-cm",
    }
    return {"coding": [{"system": systems.get(system, system), "code": code, "display": display}]}


def patient(**changed: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1970-02-28",
        "name": [{"use": "maiden", "family": "Old", "given": ["A"]},
                 {"use": "official", "family": "Doe", "given": ["Ann", "B"]}],
        "identifier": [
            {"type": concept("v2", "SS"), "system": "ssn", "value": "999-11-2222"},
            {"type": concept("v2", "MR"), "system": "hospital", "value": "42"}],
        "telecom": [{"system": "phone", "use": "old", "value": "1"}, {"system": "phone", "value": "555-0100"}],
        "address": [{"line": ["1 Main St"], "city": "Reno", "state": "NV"}], **changed,
    }


def condition(code: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "id": "c1", "subject": SUBJECT, "code": code,
            "onsetDateTime": "2019-03-04T05:06:07Z", **changed}


def observation(loinc: str, value: Any, unit: str = "", **changed: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "subject": SUBJECT, "code": concept("loinc", loinc),
            "effectiveDateTime": "2024-05-06T07:08:09.123456789+02:00",
            "valueQuantity": {"value": value, "code": unit}, **changed}


def reason_not_used(resource: dict[str, Any]) -> str:
    with pytest.raises(Unusable) as refused:
        draft_of(resource)
    return refused.value.reason


# --- Patient -------------------------------------------------------------------------------------


def test_a_patient_is_known_by_the_record_number_and_the_official_name() -> None:
    draft = patient_of(patient())
    assert draft.identity == ("hospital", "42")
    assert (draft.family_name, draft.given_name, draft.birth_date) == ("Doe", "Ann B", date(1970, 2, 28))
    assert (draft.phone, draft.address) == ("555-0100", "1 Main St, Reno, NV")


def test_social_security_numbers_are_left_behind() -> None:
    assert "999-11-2222" not in repr(patient_of(patient()))


def test_without_a_record_number_the_resource_id_is_the_identity() -> None:
    assert patient_of(patient(identifier=[])).identity == ("fhir:Patient.id", "p1")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"name": []}, "no_name"), ({"name": "Doe"}, "no_name"), ({"birthDate": "1970"}, "no_birth_date"),
     ({"birthDate": None}, "no_birth_date"), ({"birthDate": "1970-02-30"}, "no_birth_date"), ({"id": None}, "no_id")],
)
def test_a_patient_without_what_registration_needs_is_not_used(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unusable) as refused:
        patient_of(patient(**changed))
    assert refused.value.reason == reason


def test_the_dead_and_the_put_away_are_marked() -> None:
    assert patient_of(patient(deceasedDateTime="2020-01-01")).deceased
    assert patient_of(patient(deceasedBoolean=True)).deceased
    assert not patient_of(patient(deceasedBoolean=False)).deceased
    assert not patient_of(patient(active=False)).active


@pytest.mark.parametrize(
    "reference",
    ["p1", "Patient/p1", "urn:uuid:p1", "https://ehr.example/fhir/Patient/p1", "Patient/p1/_history/3"],
)
def test_references_of_every_form_lead_to_the_same_patient(reference: str) -> None:
    assert subject_of({"subject": {"reference": reference}}) == "p1"
    assert subject_of({"patient": {"reference": reference}}) == "p1"


def test_a_resource_about_nobody_is_not_used() -> None:
    for subject in ({}, {"reference": 5}, [], None):
        with pytest.raises(Unusable, match="no_subject"):
            subject_of({"subject": subject})


# --- Condition -----------------------------------------------------------------------------------


def test_an_indication_is_recorded_with_its_onset() -> None:
    draft = draft_of(condition(concept("snomed", "203082005", "Fibromyalgia")))
    assert draft == ConditionDraft(condition="fibromyalgia", label="Fibromyalgia", onset_on=date(2019, 3, 4))


def test_an_icd10_code_maps_and_is_kept() -> None:
    draft = draft_of(condition(concept("icd10", "G50.0", "Trigeminal neuralgia")))
    assert isinstance(draft, ConditionDraft)
    assert (draft.condition, draft.icd10) == ("trigeminal_neuropathic", "G50.0")


@pytest.mark.parametrize(
    ("system", "code", "hint"),
    [("snomed", "6525002", "substance_abuse"), ("snomed", "59621000", "hypertension"),
     ("snomed", "83664006", "thyroid_disease"), ("snomed", "414545008", "heart_disease"),
     ("icd10", "I50.9", "heart_disease"), ("icd10", "F11.20", "substance_abuse")],
)
def test_what_may_preclude_ketamine_becomes_a_hint(system: str, code: str, hint: str) -> None:
    draft = draft_of(condition(concept(system, code, "x")))
    assert isinstance(draft, HintDraft)
    assert (draft.contraindication, draft.basis) == (hint, "imported_condition")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"verificationStatus": concept("s", "entered-in-error")}, "entered_in_error"),
     ({"verificationStatus": concept("s", "refuted")}, "refuted"),
     ({"clinicalStatus": concept("s", "resolved")}, "resolved"), ({"abatementDateTime": "2020"}, "resolved"),
     ({"code": concept("snomed", "66383009")}, "unknown_code"), ({"code": {}}, "no_code"),
     ({"code": {"text": "pain"}}, "no_code"), ({"code": "pain"}, "no_code")],
)
def test_conditions_not_used(changed: dict[str, Any], reason: str) -> None:
    assert reason_not_used(condition(**{"code": concept("snomed", "203082005"), **changed})) == reason


# --- Observation ---------------------------------------------------------------------------------


def test_a_pain_score_keeps_its_own_time_to_the_microsecond() -> None:
    draft = draft_of(observation("72514-3", 7.0, "{score}"))
    assert isinstance(draft, PainDraft)
    assert draft.score == 7
    assert draft.at == datetime.fromisoformat("2024-05-06T07:08:09.123456+02:00")


def test_pounds_become_kilograms() -> None:
    draft = draft_of(observation("29463-7", 176, "[lb_av]"))
    assert isinstance(draft, WeightDraft)
    assert draft.weight_kg == Decimal("79.83")


def test_questionnaire_totals_pressures_and_thyrotropin_are_read() -> None:
    assert isinstance(draft_of(observation("44261-6", 12)), MoodDraft)
    panel = observation("85354-9", None, component=[
        {"code": concept("loinc", "8480-6"), "valueQuantity": {"value": 165}},
        {"code": concept("loinc", "8462-4"), "valueQuantity": {"value": 88.5}}])
    pressure = draft_of(panel)
    assert isinstance(pressure, PressureDraft)
    assert (pressure.systolic_mmhg, pressure.diastolic_mmhg) == (165, Decimal("88.5"))
    high = observation("3016-3", 9.1, referenceRange=[{"low": {"value": 0.45}, "high": {"value": 4.5}}])
    at = datetime.fromisoformat("2024-05-06T07:08:09.123456+02:00")
    assert draft_of(high) == ThyrotropinDraft(at=at, abnormal=True)


@pytest.mark.parametrize(
    ("resource", "reason"),
    [(observation("72514-3", 7.5), "not_a_whole_number"), (observation("72514-3", 11), "implausible_value"),
     (observation("72514-3", -1), "implausible_value"), (observation("72514-3", True), "no_value"),
     (observation("72514-3", "7"), "no_value"), (observation("72514-3", 1e300), "implausible_value"),
     (observation("72514-3", 7, status="entered-in-error"), "entered_in_error"),
     (observation("72514-3", 7, status="preliminary"), "not_final"),
     (observation("72514-3", 7, effectiveDateTime="2024"), "no_usable_date"),
     (observation("72514-3", 7, effectiveDateTime="2024-02-30"), "no_usable_date"),
     (observation("72514-3", 7, effectiveDateTime="2024-05-06T07:08:09"), "no_usable_date"),
     (observation("29463-7", 80, "stone"), "unknown_unit"), (observation("29463-7", 8, "kg"), "implausible_value"),
     (observation("44261-6", 28), "implausible_value"), (observation("8867-4", 70), "not_needed_at_intake"),
     (observation("85354-9", 120), "no_value"), (observation("00000-0", 1), "unknown_code")],
)
def test_observations_not_used(resource: dict[str, Any], reason: str) -> None:
    assert reason_not_used(resource) == reason


# --- therapies, procedures, allergies ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "therapy"),
    [("Acetaminophen 325 MG / Oxycodone Hydrochloride 5 MG Oral Tablet", "opioid"),
     ("Acetaminophen 325 MG Oral Tablet", "acetaminophen"), ("Naproxen sodium 220 MG Oral Tablet", "nsaid"),
     ("sumatriptan 50 MG Oral Tablet", "triptan"), ("Gabapentin 300 MG Oral Capsule", "gabapentinoid"),
     ("duloxetine 60 MG Delayed Release Oral Capsule", "antidepressant"),
     ("72 HR Fentanyl 0.025 MG/HR Transdermal System", "opioid")],
)
def test_a_medicine_is_known_by_its_strongest_ingredient(name: str, therapy: str) -> None:
    found = medicine(name)
    assert found is not None
    assert found.therapy == therapy


def test_cough_syrup_is_no_therapy_of_pain_and_suboxone_is_a_hint() -> None:
    assert medicine("Acetaminophen 21.7 MG/ML / Dextromethorphan Hydrobromide 1 MG/ML Oral Solution") is None
    found = medicine("buprenorphine 2 MG / naloxone 0.5 MG Sublingual Tablet")
    assert found is not None
    assert found.hint == "substance_abuse"


def order(name: str, **changed: Any) -> dict[str, Any]:
    return {"resourceType": "MedicationRequest", "status": "stopped", "intent": "order", "subject": SUBJECT,
            "medicationCodeableConcept": concept("rxnorm", "1", name), "authoredOn": "2020-09-25T00:21:07Z", **changed}


def test_an_order_is_a_therapy_tried_with_its_start_and_reasons() -> None:
    draft = draft_of(order("topiramate 100 MG Oral Tablet", reasonReference=[{"reference": "urn:uuid:c1"}]))
    assert draft == TherapyDraft(
        therapy="anticonvulsant", label="topiramate 100 MG Oral Tablet", started_on=date(2020, 9, 25), reasons=("c1",),
        needs_reason=True)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"status": "entered-in-error"}, "entered_in_error"), ({"status": "draft"}, "draft"),
     ({"intent": "plan"}, "not_an_order"), ({"medicationCodeableConcept": {}}, "no_code")],
)
def test_orders_not_used(changed: dict[str, Any], reason: str) -> None:
    assert reason_not_used(order("Ibuprofen 200 MG Oral Tablet", **changed)) == reason


def procedure(name: str, **changed: Any) -> dict[str, Any]:
    return {"resourceType": "Procedure", "status": "completed", "subject": SUBJECT,
            "performedPeriod": {"start": "2018-01-02", "end": "2018-03-04"}, "code": concept("snomed", "1", name),
            **changed}


def test_procedures_are_therapies_or_hints() -> None:
    therapy = draft_of(procedure("Stellate ganglion block (procedure)"))
    assert isinstance(therapy, TherapyDraft)
    assert (therapy.therapy, therapy.started_on, therapy.ended_on) == (
        "nerve_block", date(2018, 1, 2), date(2018, 3, 4))
    hint = draft_of(procedure("Coronary artery bypass grafting"))
    assert isinstance(hint, HintDraft)
    assert hint.contraindication == "heart_disease"
    assert reason_not_used(procedure("Dental scaling")) == "unknown_code"
    assert reason_not_used(procedure("Acupuncture", status="not-done")) == "not_done"


def test_only_an_allergy_to_ketamine_matters() -> None:
    allergy = {"resourceType": "AllergyIntolerance", "patient": SUBJECT, "code": concept("rxnorm", "6130", "Ketamine")}
    draft = draft_of(allergy)
    assert isinstance(draft, HintDraft)
    assert draft.contraindication == "ketamine_hypersensitivity"
    assert reason_not_used({**allergy, "code": concept("rxnorm", "1191", "Aspirin")}) == "not_needed_at_intake"
    assert reason_not_used({**allergy, "verificationStatus": concept("s", "refuted")}) == "refuted"


# --- elements ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read"),
    [("2024-05-06", datetime(2024, 5, 6, 12, tzinfo=UTC)),
     ("2024-05-06T07:08Z", datetime(2024, 5, 6, 7, 8, tzinfo=UTC)),
     ("2024-05-06T07:08:09.1Z", datetime(2024, 5, 6, 7, 8, 9, 100000, tzinfo=UTC)), ("2024-05", None), ("", None),
     (None, None), (5, None), ("2024-05-06T25:00:00Z", None), ("2024-05-06T07:08:09+99:00", None),
     ("0000-01-01", None)],
)
def test_moments(written: Any, read: datetime | None) -> None:
    assert moment(written) == read


def test_text_has_no_control_characters_and_an_end() -> None:
    assert text("a\x00b\nc \ud800") == "a b c"
    assert len(text("x" * 1000)) == 200
    assert text({"not": "text"}) == ""


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from(["72514-3", "29463-7", "http://loinc.org", "kg", "final", "2024-05-06T07:08:09Z", "ketamine"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["coding", "code", "system", "display", "value", "reference", "start", "text", "unit"]), inner),
    max_leaves=12,
)
FIELDS = ["code", "status", "subject", "valueQuantity", "effectiveDateTime", "component", "clinicalStatus", "intent",
          "verificationStatus", "medicationCodeableConcept", "reasonReference", "referenceRange", "interpretation",
          "onsetDateTime", "performedPeriod", "dispenseRequest", "authoredOn", "birthDate", "name", "identifier",
          "gender", "telecom", "address", "id"]


@given(st.sampled_from(sorted(MAPPED)), st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_whatever_the_shape_a_resource_is_used_or_refused_with_a_reason(kind: str, fields: dict[str, Any]) -> None:
    for read in (draft_of, patient_of, subject_of):
        with suppress(Unusable):
            assert read({**fields, "resourceType": kind})

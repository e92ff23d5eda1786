"""Resource to draft, one function per type, pure. What cannot be used raises `Unusable` with its reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from api.fhir.drafts import (
    AnyDraft,
    ConditionDraft,
    HintDraft,
    MoodDraft,
    PainDraft,
    PatientDraft,
    PressureDraft,
    TherapyDraft,
    ThyrotropinDraft,
    Unusable,
    WeightDraft,
)
from api.fhir.elements import (
    code_of,
    codings,
    day,
    items,
    label,
    moment,
    number,
    part,
    reference_id,
    text,
)
from api.fhir.medicines import is_ketamine, medicine, procedure_hint, procedure_therapy
from domain.kernel import Code
from domain.vocabulary import conditions, contraindications, scales, vitals
from domain.vocabulary.people import SEXES

__all__ = ["MAPPED", "draft_of", "patient_of", "subject_of"]

PAIN_LOINC = "72514-3"
WEIGHT_LOINC = "29463-7"
PRESSURE_LOINC, SYSTOLIC_LOINC, DIASTOLIC_LOINC = "85354-9", "8480-6", "8462-4"
THYROTROPIN_LOINC = "3016-3"

_KILOGRAMS = {
    "kg": Decimal(1), "g": Decimal("0.001"), "[lb_av]": Decimal("0.45359237"), "lb": Decimal("0.45359237"),
    "lbs": Decimal("0.45359237"),
}
_RECORD_NUMBER_TYPES = ("MR", "MRN", "PI", "PT")
_OVER = ("resolved", "inactive", "remission")
_ICD10: dict[str, Code] = {
    coding.code: condition.code for condition in conditions.RECORDABLE.values() for coding in condition.icd10
}
_ICD10_HINTS: dict[str, Code] = {
    code: term.code for term in contraindications.SCREENED.values() for code in term.icd10
}


def subject_of(resource: dict[str, Any]) -> str:
    """The id of the patient that the resource is about. Raises Unusable("no_subject")."""
    source_id = reference_id(part(resource, "subject")) or reference_id(part(resource, "patient"))
    if not source_id:
        raise Unusable("no_subject")
    return source_id


def draft_of(resource: dict[str, Any]) -> AnyDraft:
    """The draft of any mapped resource but a Patient. Raises Unusable."""
    return MAPPED[resource["resourceType"]](resource)


# --- Patient -------------------------------------------------------------------------------------


def patient_of(resource: dict[str, Any]) -> PatientDraft:
    """Name, birth date, sex, contact and record number. Social security, passport and driver's licence numbers are
    left behind on purpose: a pain clinic has no need of them. Raises Unusable."""
    source_id = text(resource.get("id"))
    if not source_id:
        raise Unusable("no_id")
    family, given = _name(items(resource, "name"))
    birth_date = day(resource.get("birthDate"))
    if birth_date is None or len(str(resource["birthDate"])) < 10:
        raise Unusable("no_birth_date")
    sex = text(resource.get("gender"))
    identity = _identity(items(resource, "identifier"), source_id)
    return PatientDraft(
        source_id=source_id, identity=identity, family_name=family, given_name=given, birth_date=birth_date,
        sex=sex if sex in SEXES else "unknown", phone=_contact(resource, "phone"), email=_contact(resource, "email"),
        address=_address(items(resource, "address")), identifiers={identity[0]: identity[1]},
        deceased=resource.get("deceasedBoolean") is True or bool(resource.get("deceasedDateTime")),
        active=resource.get("active") is not False,
    )


def _name(names: list[dict[str, Any]]) -> tuple[str, str]:
    for use in ("official", "usual", "", "nickname", "anonymous"):
        for name in names:
            given = name.get("given") if isinstance(name.get("given"), list) else []
            family, first = text(name.get("family")), " ".join(filter(None, map(text, given or [])))
            if text(name.get("use")) == use and family and first:
                return family, first
    raise Unusable("no_name")


def _identity(identifiers: list[dict[str, Any]], source_id: str) -> tuple[str, str]:
    """The medical record number; without one, the source's own id of the resource."""
    for identifier in identifiers:
        kinds = {coded.code for coded in codings(part(identifier, "type"))}
        system, value = text(identifier.get("system")), text(identifier.get("value"))
        if kinds & set(_RECORD_NUMBER_TYPES) and system and value:
            return system, value
    return "fhir:Patient.id", source_id


def _contact(resource: dict[str, Any], system: str) -> str | None:
    for contact in items(resource, "telecom"):
        if contact.get("system") == system and contact.get("use") != "old":
            return text(contact.get("value")) or None
    return None


def _address(addresses: list[dict[str, Any]]) -> str | None:
    for address in addresses:
        if address.get("use") in ("old", "temp", "billing"):
            continue
        lines = address.get("line") if isinstance(address.get("line"), list) else []
        parts = [*(lines or []), *(address.get(name) for name in ("city", "state", "postalCode", "country"))]
        return ", ".join(filter(None, map(text, parts))) or None
    return None


# --- Condition -----------------------------------------------------------------------------------


def _condition(resource: dict[str, Any]) -> ConditionDraft | HintDraft:
    concept = part(resource, "code")
    _refuse_status(code_of(part(resource, "verificationStatus")), {"entered-in-error", "refuted"})
    onset = day(resource.get("onsetDateTime")) or day(part(resource, "onsetPeriod").get("start"))
    over = code_of(part(resource, "clinicalStatus")) in _OVER or "abatementDateTime" in resource
    for coded in codings(concept):
        hint = {"snomed": contraindications.HINTS, "icd10cm": _ICD10_HINTS}.get(coded.system, {}).get(coded.code)
        if hint:
            if over:
                raise Unusable("resolved")
            return HintDraft(contraindication=hint, basis="imported_condition", label=label(concept), since=onset)
    for coded in codings(concept):
        known = {"snomed": conditions.BY_SNOMED, "icd10cm": _ICD10}.get(coded.system, {}).get(coded.code)
        if known:
            if over:
                raise Unusable("resolved")
            icd10 = next((c.code for c in codings(concept) if c.system == "icd10cm" and c.code in _ICD10), None)
            return ConditionDraft(condition=known, label=label(concept), icd10=icd10, onset_on=onset)
    raise _unknown(concept)


# --- Observation ---------------------------------------------------------------------------------


def _observation(resource: dict[str, Any]) -> AnyDraft:
    concept = part(resource, "code")
    codes = {coded.code for coded in codings(concept) if coded.system == "loinc"}
    reader = next((_OBSERVATIONS[code] for code in _OBSERVATIONS if code in codes), None)
    if reader is None:
        if codes & (set(vitals.BY_LOINC) | set(scales.BY_LOINC)):
            raise Unusable("not_needed_at_intake", code_of(concept))
        raise _unknown(concept)
    status = text(resource.get("status"))
    _refuse_status(status, {"entered-in-error", "cancelled"})
    if status not in ("final", "amended", "corrected"):
        raise Unusable("not_final")
    return reader(resource)


def _at(resource: dict[str, Any]) -> datetime:
    raw = resource.get("effectiveDateTime") or resource.get("effectiveInstant") or part(
        resource, "effectivePeriod").get("start")
    at = moment(raw)
    if at is None:
        raise Unusable("no_usable_date")
    return at


def _quantity(resource: dict[str, Any]) -> tuple[Decimal, str]:
    quantity = part(resource, "valueQuantity")
    value = number(quantity.get("value"))
    if value is None and isinstance(resource.get("valueInteger"), int):
        value = number(resource["valueInteger"])
    if value is None:
        raise Unusable("no_value")
    return value, text(quantity.get("code")) or text(quantity.get("unit"))


def _pain(resource: dict[str, Any]) -> PainDraft:
    value, _ = _quantity(resource)
    if value != int(value):
        raise Unusable("not_a_whole_number")
    if not 0 <= value <= 10:
        raise Unusable("implausible_value")
    return PainDraft(at=_at(resource), score=int(value))


def _weight(resource: dict[str, Any]) -> WeightDraft:
    value, unit = _quantity(resource)
    if unit not in _KILOGRAMS:
        raise Unusable("unknown_unit", unit)
    weight_kg = (value * _KILOGRAMS[unit]).quantize(Decimal("0.01"))
    _plausible("weight_kg", weight_kg)
    return WeightDraft(at=_at(resource), weight_kg=weight_kg)


def _mood(instrument: Code) -> Callable[[dict[str, Any]], MoodDraft]:
    def read(resource: dict[str, Any]) -> MoodDraft:
        value, _ = _quantity(resource)
        scale = scales.SCALES[instrument]
        if not scale.low <= value <= scale.high:
            raise Unusable("implausible_value")
        if value != int(value):
            raise Unusable("not_a_whole_number")
        return MoodDraft(at=_at(resource), instrument=instrument, total=Decimal(int(value)))

    return read


def _pressure(resource: dict[str, Any]) -> PressureDraft:
    found: dict[str, Decimal] = {}
    for component in items(resource, "component"):
        value = number(part(component, "valueQuantity").get("value"))
        for coded in codings(part(component, "code")):
            if value is not None:
                found[coded.code] = value
    if SYSTOLIC_LOINC not in found or DIASTOLIC_LOINC not in found:
        raise Unusable("no_value")
    systolic, diastolic = found[SYSTOLIC_LOINC], found[DIASTOLIC_LOINC]
    _plausible("systolic_mmhg", systolic)
    _plausible("diastolic_mmhg", diastolic)
    return PressureDraft(at=_at(resource), systolic_mmhg=systolic, diastolic_mmhg=diastolic)


def _thyrotropin(resource: dict[str, Any]) -> ThyrotropinDraft:
    value, _ = _quantity(resource)
    flags = {coded.code for concept in items(resource, "interpretation") for coded in codings(concept)}
    abnormal = bool(flags & {"H", "HH", "HU", "L", "LL", "LU", "A", "AA"})
    for reference in items(resource, "referenceRange"):
        low, high = number(part(reference, "low").get("value")), number(part(reference, "high").get("value"))
        abnormal |= (low is not None and value < low) or (high is not None and value > high)
    return ThyrotropinDraft(at=_at(resource), abnormal=abnormal)


_OBSERVATIONS: dict[str, Callable[[dict[str, Any]], AnyDraft]] = {
    PAIN_LOINC: _pain, WEIGHT_LOINC: _weight, PRESSURE_LOINC: _pressure, THYROTROPIN_LOINC: _thyrotropin,
    **{loinc: _mood(code) for loinc, code in scales.BY_LOINC.items() if code in scales.MOOD},
}


# --- MedicationRequest, Procedure, AllergyIntolerance --------------------------------------------


def _medication(resource: dict[str, Any]) -> TherapyDraft | HintDraft:
    _refuse_status(text(resource.get("status")), {"entered-in-error", "cancelled", "draft"})
    if text(resource.get("intent")) in ("proposal", "plan"):
        raise Unusable("not_an_order")
    concept = part(resource, "medicationCodeableConcept")
    found = medicine(label(concept))
    if found is None:
        raise _unknown(concept)
    started = day(resource.get("authoredOn"))
    if found.hint:
        if text(resource.get("status")) in ("stopped", "completed"):
            raise Unusable("resolved")
        return HintDraft(
            contraindication=found.hint, basis="imported_medication", label=label(concept), since=started)
    reasons = tuple(filter(None, map(reference_id, items(resource, "reasonReference"))))
    period = part(part(resource, "dispenseRequest"), "validityPeriod")
    return TherapyDraft(
        therapy=found.therapy or "other_medication", label=label(concept), started_on=started,
        ended_on=day(period.get("end")), reasons=reasons, needs_reason=found.needs_reason)


def _procedure(resource: dict[str, Any]) -> TherapyDraft | HintDraft:
    _refuse_status(text(resource.get("status")), {"entered-in-error", "not-done", "preparation"})
    concept = part(resource, "code")
    period = part(resource, "performedPeriod")
    started = day(resource.get("performedDateTime")) or day(period.get("start"))
    if hint := procedure_hint(label(concept)):
        return HintDraft(contraindication=hint, basis="imported_condition", label=label(concept), since=started)
    therapy = procedure_therapy(label(concept))
    if therapy is None:
        raise _unknown(concept)
    return TherapyDraft(
        therapy=therapy, label=label(concept), started_on=started, ended_on=day(period.get("end")) or started)


def _allergy(resource: dict[str, Any]) -> HintDraft:
    _refuse_status(code_of(part(resource, "verificationStatus")), {"entered-in-error", "refuted"})
    concept = part(resource, "code")
    if not any(is_ketamine(coded.system, coded.code, coded.display) for coded in codings(concept)) and (
            "ketamine" not in text(concept.get("text")).lower()):
        raise Unusable("not_needed_at_intake", code_of(concept))
    return HintDraft(
        contraindication="ketamine_hypersensitivity", basis="imported_allergy", label=label(concept),
        since=day(resource.get("onsetDateTime")) or day(resource.get("recordedDate")))


MAPPED: dict[str, Callable[[dict[str, Any]], AnyDraft]] = {
    "Condition": _condition, "Observation": _observation, "MedicationRequest": _medication, "Procedure": _procedure,
    "AllergyIntolerance": _allergy,
}


# --- shared --------------------------------------------------------------------------------------


def _refuse_status(status: str, refused: set[str]) -> None:
    if status in refused:
        raise Unusable(status.replace("-", "_"))


def _plausible(sign: Code, value: Decimal) -> None:
    try:
        vitals.check_plausible(sign, value, "")
    except vitals.ImplausibleValue:
        raise Unusable("implausible_value") from None


def _unknown(concept: dict[str, Any]) -> Unusable:
    first = next(codings(concept), None)
    if first is None:
        return Unusable("no_code")
    return Unusable("unknown_code", f"{first.system} {first.code} {first.display}".strip())

"""Coded facts about people: staff and patients. None of it identifies anybody, so it stays readable for ever."""

from __future__ import annotations

from datetime import date

from domain.kernel import BadInput, Code, DomainError, Role
from domain.vocabulary.term import PROPOSED, Term, by_code, plain

FHIR_GENDER = "HL7 FHIR R4 administrative-gender"

SEXES = plain(FHIR_GENDER, True, female="female", male="male", other="other", unknown="unknown")


class NotAnAdult(DomainError):
    """The clinics treat adults: under 18 nobody is registered."""


class ImplausibleBirthDate(BadInput):
    """Born in the future, or more than 120 years ago."""


AGE_BANDS: dict[Code, Term] = by_code(
    Term(code=band, text=f"{band} years at registration", source=PROPOSED)
    for band in ("18-24", "25-34", "35-44", "45-54", "55-64", "65-74", "75+")
)
ADULT_FROM = 18
OLDEST = 120
"""Implausible beyond: nobody has been shown to live longer than 122 years."""


def age_on(birth_date: date, on: date) -> int:
    """Completed years; somebody born on 29 February completes one on 1 March of a common year."""
    return on.year - birth_date.year - ((on.month, on.day) < (birth_date.month, birth_date.day))


def age_band(birth_date: date, on: date, pointer: str = "/birth_date") -> Code:
    """The band of the age completed on `on`.

    Raises NotAnAdult under 18: the page and the guideline's evidence are about adults, minors consent through
    guardians and keep records longer, none of which is built. Raises ImplausibleBirthDate.
    """
    age = age_on(birth_date, on)
    if birth_date > on or age > OLDEST:
        raise ImplausibleBirthDate(pointer=pointer)
    if age < ADULT_FROM:
        raise NotAnAdult(minimum_age=ADULT_FROM, pointer=pointer)
    if age < 25:
        return "18-24"
    if age >= 75:
        return "75+"
    floor = 25 + (age - 25) // 10 * 10
    return f"{floor}-{floor + 9}"


class Profession(Term, frozen=True, kw_only=True):
    """`licence` is the credential without which the profession is not practised here; `prescribes` on it."""

    licence: Code | None = None
    prescribes: bool = False


PROFESSIONS: dict[Code, Profession] = by_code((
    Profession(code="physician", text="Physician", source=PROPOSED, licence="medical_license", prescribes=True),
    Profession(code="nurse_practitioner", text="Nurse practitioner", source=PROPOSED,
               licence="advanced_practice_license", prescribes=True),
    Profession(code="physician_assistant", text="Physician assistant", source=PROPOSED,
               licence="physician_assistant_license", prescribes=True),
    Profession(code="nurse_anesthetist", text="Nurse anesthetist", source=PROPOSED,
               licence="advanced_practice_license", prescribes=True),
    Profession(code="registered_nurse", text="Registered nurse", source=PROPOSED, licence="nursing_license"),
    Profession(code="practical_nurse", text="Licensed practical nurse", source=PROPOSED, licence="nursing_license"),
    Profession(code="medical_assistant", text="Medical assistant", source=PROPOSED),
    Profession(code="receptionist", text="Receptionist", source=PROPOSED),
    Profession(code="manager", text="Practice manager", source=PROPOSED),
    Profession(code="biller", text="Biller", source=PROPOSED),
    Profession(code="auditor", text="Auditor", source=PROPOSED),
    Profession(code="other", text="Other", source=PROPOSED),
))

CREDENTIAL_KINDS = plain(
    PROPOSED, False, medical_license="medical licence", nursing_license="nursing licence",
    advanced_practice_license="advanced practice nursing licence",
    physician_assistant_license="physician assistant licence", dea_registration="DEA registration (schedule III)",
    acls="advanced cardiac life support", bls="basic life support", other="other")

STAFF_ROLES: tuple[Role, ...] = ("owner", "manager", "prescriber", "nurse", "front_desk", "biller", "auditor")
"""Roles a person can hold in a clinic; integrator, patient and system are no members of staff."""

STAFF_LEAVING = plain(
    PROPOSED, False, resigned="resigned", retired="retired", dismissed="dismissed", moved="moved away",
    contract_ended="contract ended", deceased="died", entered_in_error="entered in error", other="other")

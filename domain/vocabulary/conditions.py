"""The 11 chronic pain conditions of the clinic's page, with their codes and the guideline's evidence.

ICD-10-CM validity: April 2026 release. The choice of mapping is the data dictionary's. Evidence is that
of the 2018 ASRA/AAPM/ASA consensus guideline on intravenous ketamine for chronic pain, as digested there.
"""

from __future__ import annotations

import re

from domain.kernel import BadInput, Code
from domain.vocabulary.term import Coding, Term, by_code

GUIDELINE = "2018 ASRA/AAPM/ASA guideline, https://www.guidelinecentral.com/guideline/8150/"
DIGEST = "guideline digest, https://doctoryg.blogspot.com/2019/03/ketamine-infusions-for-chronic-pain.html"
SNOMED_HPO = "Human Phenotype Ontology 2025-01-16 cross-references"

ICD10CM = re.compile(r"[A-Z][0-9][0-9AB](\.[0-9A-Z]{1,4})?")
"""The shape of an ICD-10-CM code, with its dot."""


class Condition(Term, frozen=True, kw_only=True):
    """`id` is the dictionary's row. `not_indicated` are neighbouring codes that are no reason for ketamine;
    `not_billable` are categories that need one more character. `also_snomed` are narrower concepts."""

    id: str
    icd10: tuple[Coding, ...]
    snomed: Coding | None = None
    also_snomed: tuple[Coding, ...] = ()
    not_indicated: tuple[str, ...] = ()
    not_billable: tuple[str, ...] = ()
    evidence: str
    evidence_source: str = GUIDELINE


class NotAnIndication(BadInput):
    """This ICD-10-CM code is no indication for ketamine, or is a category too broad to bill."""


class MalformedIcd10(BadInput):
    """Not shaped like an ICD-10-CM code."""


def _icd(*codes: str, confirmed: bool = True) -> tuple[Coding, ...]:
    return tuple(Coding("icd10cm", code, confirmed=confirmed) for code in codes)


def _snomed(code: str, text: str, confirmed: bool = True) -> Coding:
    return Coding("snomed", code, text, confirmed)


PAGE = "the clinic's page (table 1)"

CONDITIONS: dict[Code, Condition] = by_code((
    Condition(
        code="cancer", id="C01", text="Cancer", source=PAGE, confirmed=True, icd10=_icd("G89.3"),
        evidence="weak or none"),
    Condition(
        code="migraine", id="C02", text="Migraines", source=PAGE, confirmed=True,
        icd10=_icd("G43.909", "G43.709", "G43.719", "G43.711"), snomed=_snomed("37796009", "Migraine"),
        also_snomed=(
            _snomed("124171000119105", "Chronic intractable migraine without aura"),
            _snomed("427419006", "Transformed migraine")),
        evidence="weak or none (headache)"),
    Condition(
        code="spinal_injury", id="C03", text="Spinal injury", source=PAGE, confirmed=True,
        icd10=_icd("S14.109S", "S24.109S", "S34.109S", "G95.89", "G89.21", "G89.0"),
        evidence="weak, short-term (grade C, low)"),
    Condition(
        code="sickle_cell", id="C04", text="Sickle cell disease", source=PAGE, confirmed=True,
        icd10=_icd("D57.1", "D57.00", "D57.20", "D57.219", "D57.40"), not_indicated=("D57.3",),
        snomed=_snomed("417357006", "Sickling disorder due to hemoglobin S", confirmed=False),
        evidence="not in the chronic guideline's list; the acute guideline names sickle crisis",
        evidence_source="https://reference.medscape.com/viewarticle/913357_2"),
    Condition(
        code="neuropathic_pain", id="C05", text="Neuropathic pain", source=PAGE, confirmed=True,
        icd10=_icd("M79.2", "G62.9", "G60.9", "G57.90"),
        snomed=_snomed("247398009", "Neuropathic pain", confirmed=False),
        evidence="weak or none (mixed neuropathic)"),
    Condition(
        code="phantom_limb", id="C06", text="Phantom limb pain after amputation", source=PAGE, confirmed=True,
        icd10=_icd("G54.6"), not_indicated=("G54.7",), evidence="weak or none", evidence_source=DIGEST),
    Condition(
        code="crps", id="C07", text="Complex regional pain syndrome (CRPS)", source=PAGE, confirmed=True,
        icd10=(
            _icd("G90.50", "G90.511", "G90.512", "G90.513", "G90.519", "G90.521", "G90.522", "G90.523", "G90.529",
                 "G90.59", "G56.40", "G57.70")
            + _icd("G56.41", "G56.42", "G56.43", "G57.71", "G57.72", "G57.73", confirmed=False)),
        not_billable=("G90.5", "G90.51", "G90.52", "G56.4", "G57.7"),
        snomed=_snomed("128200000", "Complex regional pain syndrome"),
        evidence="moderate, up to 12 weeks (grade B)"),
    Condition(
        code="post_herpetic_neuralgia", id="C08", text="Post-herpetic neuralgia", source=PAGE, confirmed=True,
        icd10=_icd("B02.29", "B02.22", "B02.23"), snomed=_snomed("2177002", "Postherpetic neuralgia", confirmed=False),
        evidence="weak or none", evidence_source=DIGEST),
    Condition(
        code="trigeminal_neuropathic", id="C09", text="Trigeminal neuropathic pain", source=PAGE, confirmed=True,
        icd10=_icd("G50.0", "G50.1", "G50.8"), snomed=_snomed("31681005", "Trigeminal neuralgia"),
        evidence="not graded", evidence_source=SNOMED_HPO),
    Condition(
        code="tmj", id="C10", text="Temporomandibular joint (TMJ) pain", source=PAGE, confirmed=True,
        icd10=_icd("M26.601", "M26.602", "M26.603", "M26.609", "M26.621", "M26.622", "M26.623", "M26.629"),
        not_billable=("M26.6", "M26.60", "M26.62"),
        snomed=_snomed("41888000", "Temporomandibular joint disorder", confirmed=False),
        also_snomed=(_snomed("248401009", "Temporomandibular joint abnormality"),),
        evidence="not graded", evidence_source=SNOMED_HPO),
    Condition(
        code="fibromyalgia", id="C11", text="Fibromyalgia", source=PAGE, confirmed=True,
        icd10=_icd("M79.7"), snomed=_snomed("203082005", "Fibromyalgia"), evidence="weak or none"),
))
"""The 11 indications, by code: what a course may be opened for."""

OTHER_CONDITIONS: dict[Code, Condition] = by_code((
    Condition(
        code="chronic_pain", id="C+", text="Chronic pain, otherwise", source="data dictionary, secondary codes",
        confirmed=True, icd10=_icd("G89.29", "G89.4", "G89.28"), snomed=_snomed("82423001", "Chronic pain"),
        also_snomed=(
            _snomed("278860009", "Chronic low back pain"), _snomed("1121000119107", "Chronic neck pain")),
        evidence="not graded"),
))
"""Worth recording beside an indication, but none of the page's 11."""

RECORDABLE: dict[Code, Condition] = {**CONDITIONS, **OTHER_CONDITIONS}
"""What `ConditionRecorded.condition` may hold."""

BY_SNOMED: dict[str, Code] = {
    coding.code: condition.code
    for condition in RECORDABLE.values()
    for coding in (*((condition.snomed,) if condition.snomed else ()), *condition.also_snomed)
}
"""SNOMED CT concept to condition, for imports."""


def check_icd10(condition: Condition, icd10: str, pointer: str) -> None:
    """Raises MalformedIcd10, or NotAnIndication for a neighbour that is none or a category too broad to bill.

    A well-formed code outside the suggested list is accepted: the physician codes, not the list.
    """
    if not ICD10CM.fullmatch(icd10):
        raise MalformedIcd10(icd10=icd10[:20], pointer=pointer)
    if icd10 in condition.not_indicated or icd10 in condition.not_billable:
        raise NotAnIndication(condition=condition.code, icd10=icd10, pointer=pointer)

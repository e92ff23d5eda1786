"""What may preclude ketamine: the page's four and the 2018 guideline's, gates of the visit among them.

The guideline calls all of its conditions relative. `default` is how the product treats an uncontrolled one
until a clinic's protocol says otherwise (a proposal without clinical authority): `hard` stops a series,
`soft` warns. Either way an uncontrolled finding blocks a start until a prescriber clears it with a reason;
what is not `clearable` stays blocked.
"""

from __future__ import annotations

from typing import Literal

from domain.kernel import Code
from domain.vocabulary.conditions import DIGEST, GUIDELINE
from domain.vocabulary.term import Coding, Term, by_code

PAGE = "the clinic's page (table 2)"
LABEL = "ketamine label, https://fda.report/DailyMed/f8b01c77-620d-4734-a771-b8524b65bcca"
KETALAR = "Ketalar label, http://dailymed.nlm.nih.gov/dailymed/drugInfo.cfm?id=97511"


class Contraindication(Term, frozen=True, kw_only=True):
    """`gate`: asked at screening, or at the door of each visit. `hint_snomed`: what an import points at it."""

    id: str
    guideline: str
    gate: Literal["screening", "visit"] = "screening"
    default: Literal["hard", "soft"]
    default_note: str = ""
    clearable: bool = True
    resolves: str
    icd10: tuple[str, ...] = ()
    hint_snomed: tuple[Coding, ...] = ()


def _snomed(*pairs: tuple[str, str]) -> tuple[Coding, ...]:
    return tuple(Coding("snomed", code, text) for code, text in pairs)


CONTRAINDICATIONS: dict[Code, Contraindication] = by_code((
    Contraindication(
        code="hypertension", id="X01", text="High blood pressure, uncontrolled", source=PAGE, confirmed=True,
        guideline="relative, grade B low", default="hard",
        default_note="hard at systolic >= 180, soft at >= 160/100 (proposed; holds published in "
                     "http://html.scirp.org/file/_3-1750111_1.htm)",
        resolves="repeat blood pressure after rest; physician's override with a reason",
        icd10=("I10", "I16.0", "I16.1", "I16.9", "I15.9", "R03.0"),
        hint_snomed=_snomed(("59621000", "Essential hypertension"))),
    Contraindication(
        code="substance_abuse", id="X02", text="Active substance abuse", source=PAGE, confirmed=True,
        guideline="relative, grade C low; serial infusions not to be given (" + DIGEST + ")", default="hard",
        default_note="for a series, until cleared",
        resolves="urine drug screen, prescription monitoring check, addiction note; remission codes F19.11, F19.21",
        icd10=("F10.20", "F11.10", "F11.20", "F12.20", "F13.20", "F14.20", "F15.20", "F16.10", "F16.20", "F19.10",
               "F19.20"),
        hint_snomed=_snomed(
            ("6525002", "Dependent drug abuse"), ("5602001", "Opioid abuse"), ("361055000", "Misuses drugs"),
            ("10939881000119105", "Unhealthy alcohol drinking behavior"), ("1149222004", "Overdose"))),
    Contraindication(
        code="thyroid_disease", id="X03", text="Uncontrolled thyroid disease, above all hyperthyroidism",
        source=PAGE, confirmed=True, guideline="not in the guideline's list", default="hard",
        default_note="if TSH low and free T4 high; soft if TSH is older than 12 months (proposed)",
        resolves="TSH (LOINC 3016-3, unconfirmed), free T4 (3024-7, unconfirmed)",
        icd10=("E05.90", "E05.00", "E05.91", "E05.01", "E03.9", "E07.9"),
        hint_snomed=_snomed(("83664006", "Idiopathic atrophic hypothyroidism"), ("34486009", "Hyperthyroidism"))),
    Contraindication(
        code="heart_disease", id="X04", text="Unstable heart disease: arrhythmia, congestive failure, coronary disease",
        source=PAGE, confirmed=True, guideline="relative, grade B low; baseline ECG if suspected (C low)",
        default="hard", default_note="if unstable", resolves="ECG, cardiology clearance, ejection fraction",
        icd10=("I49.9", "I48.91", "I47.20", "I45.81", "I50.9", "I50.23", "I25.10", "I25.110", "I20.0", "I20.9",
               "I21.9", "I25.2"),
        hint_snomed=_snomed(
            ("414545008", "Ischemic heart disease"), ("399261000", "History of coronary artery bypass grafting"),
            ("22298006", "Myocardial infarction"), ("88805009", "Chronic congestive heart failure"),
            ("49436004", "Atrial fibrillation"), ("60234000", "Aortic valve regurgitation"),
            ("60573004", "Aortic valve stenosis"))),
    Contraindication(
        code="psychosis", id="X05", text="Active psychosis", source=GUIDELINE, confirmed=True,
        guideline="relative, grade B low", default="hard", resolves="psychiatric clearance",
        icd10=("F20.9", "F25.9", "F29", "F30.2", "F31.2", "F05")),
    Contraindication(
        code="pregnancy", id="X06", text="Pregnancy", source=GUIDELINE, confirmed=True,
        guideline="relative, grade B low; label: avoid in pregnancy, labour, delivery (" + LABEL + ")",
        default="hard", resolves="urine or serum hCG the same day if of child-bearing potential",
        icd10=("Z33.1", "O26.90", "Z32.01"), hint_snomed=()),
    Contraindication(
        code="liver_disease", id="X07", text="Severe or moderate hepatic disease", source=GUIDELINE, confirmed=True,
        guideline="relative, grade C low: avoid if severe, caution if moderate", default="hard",
        default_note="severe is hard, moderate soft with laboratory; stop above 3 x the upper limit (proposed)",
        resolves="liver function tests before and after infusion",
        icd10=("K72.90", "K72.10", "K74.60", "K70.30", "K76.9", "R74.01"),
        hint_snomed=_snomed(("128302006", "Chronic hepatitis C"), ("61977001", "Chronic type B viral hepatitis"))),
    Contraindication(
        code="intracranial_pressure", id="X08", text="Raised intracranial pressure", source=GUIDELINE, confirmed=True,
        guideline="relative, grade C low", default="hard", resolves="neurological clearance",
        icd10=("G93.2", "G93.5", "I67.1")),
    Contraindication(
        code="intraocular_pressure", id="X09", text="Raised intra-ocular pressure", source=GUIDELINE, confirmed=True,
        guideline="relative, grade C low", default="soft", resolves="ophthalmology, pressure reading",
        icd10=("H40.051", "H40.053", "H40.059", "H40.9")),
    Contraindication(
        code="ketamine_hypersensitivity", id="X10", text="Hypersensitivity to ketamine", confirmed=False,
        source="label (not read in full); hospital policies, http://html.scirp.org/file/_3-1750111_1.htm",
        guideline="absolute (label)", default="hard", clearable=False, resolves="nothing",
        icd10=("Z88.4", "T41.295A")),
    Contraindication(
        code="drug_interaction", id="X11", source=LABEL, confirmed=True,
        text="Interactions: theophylline (seizure), sympathomimetics, benzodiazepines, opioids, CNS depressants",
        guideline="label warnings", default="soft", default_note="opioid with benzodiazepine: a monitoring plan",
        resolves="medication reconciliation", icd10=("Z79.899", "Z79.891")),
    Contraindication(
        code="no_escort", id="X12", text="No responsible adult to take the patient home", confirmed=True,
        source="the clinic's page; " + KETALAR, guideline="-", gate="visit", default="hard", clearable=False,
        resolves="a named escort with a telephone number", icd10=("Z53.29",)),
    Contraindication(
        code="not_fasted", id="X13", text="Not fasted", gate="visit", default="soft", guideline="-", confirmed=True,
        source="one hospital asks for 8 h, https://www.cheyenneregional.org/service/medical-imaging-radiology/"
               "radiology-care-unit/ketamine-infusion-for-chronic-pain-patient-education/",
        resolves="time of last intake; the clinic's own rule"),
    Contraindication(
        code="urinary_symptoms", id="X14", text="Cystitis or urinary symptoms with repeated use", confirmed=False,
        source="background knowledge, no source read", guideline="-", gate="visit", default="soft",
        resolves="urinalysis; asked at every visit", icd10=("N30.10", "N30.90")),
    Contraindication(
        code="suicidality", id="X15", text="Active suicidality (PHQ-9 item 9 above 0)", confirmed=False,
        source="proposed here", guideline="-", default="soft",
        resolves="a clinician's review the same day, C-SSRS", icd10=("R45.851",),
        hint_snomed=_snomed(("225444004", "At risk for suicide"))),
))
"""X01 to X15 by code."""

PAGE_FOUR: tuple[Code, ...] = ("hypertension", "substance_abuse", "thyroid_disease", "heart_disease")
"""The four that the clinic's page names: no screening is complete without them."""

SCREENED: dict[Code, Contraindication] = {c: t for c, t in CONTRAINDICATIONS.items() if t.gate == "screening"}
"""What a screening may find; the rest is asked at the visit itself."""

HINTS: dict[str, Code] = {
    coding.code: term.code for term in CONTRAINDICATIONS.values() for coding in term.hint_snomed
}
"""SNOMED CT concept to the contraindication it hints at, for imports. The choice is this product's."""

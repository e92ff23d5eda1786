"""Side effects: the page's 18 bullets as 19 codable effects, the common ones it omits, and `other`.

SNOMED CT from HPO cross-references (release 2025-01-16); MedDRA names are background knowledge except where a
code stands; ICD-10-CM symptom codes checked against the April 2026 release. Grades: CTCAE v5.
"""

from __future__ import annotations

from domain.kernel import Code
from domain.vocabulary.term import Coding, Term, by_code

CTCAE = "CTCAE v5, https://studylib.net/doc/26082781/ctcae-v5"
PAGE = "the clinic's page (table 3)"
OMITTED = "data dictionary: not on the page but must be codable"
OURS = "added here: the rules for reports from home name it"
DRUG_CAUSE = Coding("icd10cm", "T41.295A", "Adverse effect of other general anaesthetics, initial encounter")
"""Coded beside the symptom to say that the drug caused it."""

Grades = tuple[str, str, str, str, str]

GENERAL: Grades = (
    "mild: no or mild symptoms, watch only",
    "moderate: minimal or local intervention; limits instrumental activities of daily living",
    "severe: hospital, or limits self-care",
    "life-threatening: urgent intervention",
    "death",
)
NO_SUCH_GRADE = "not a grade of this term"

_HALLUCINATIONS: Grades = (
    "mild (distortions)", "moderate", "severe", "danger to self or others", GENERAL[4])
_EUPHORIA: Grades = ("mild lift", "moderate", "severe (hypomania)", NO_SUCH_GRADE, NO_SUCH_GRADE)
_BALANCE: Grades = (
    "mild unsteadiness", "limits instrumental activities", "limits self-care", NO_SUCH_GRADE, NO_SUCH_GRADE)
_CONFUSION: Grades = ("mild", "limits instrumental activities", "limits self-care", "threat to life", GENERAL[4])
_MEMORY: Grades = ("mild", "limits instrumental activities", "limits self-care", NO_SUCH_GRADE, NO_SUCH_GRADE)
_SPEECH: Grades = ("mild slur", "moderate", "severe", NO_SUCH_GRADE, NO_SUCH_GRADE)
_VISION: Grades = (
    "no action needed", "symptomatic, acuity 20/40 or better", "worse than 20/40", "20/200 or worse", NO_SUCH_GRADE)
_NAUSEA: Grades = (
    "appetite less, eats", "intake down, no weight loss", "intake inadequate: tube, parenteral nutrition or hospital",
    NO_SUCH_GRADE, NO_SUCH_GRADE)
_VOMITING: Grades = (
    "no treatment", "outpatient fluids or a drug", "tube, parenteral nutrition or hospital", "life-threatening",
    GENERAL[4])
_ANXIETY: Grades = ("mild", "limits instrumental activities", "limits self-care", "threat to life", GENERAL[4])
_HYPERTENSION: Grades = (
    "120-139 / 80-89 mmHg",
    "140-159 / 90-99 mmHg, or a symptomatic rise over 20 diastolic or over 140/90 if normal before; one drug",
    "160 / 100 mmHg or more; more than one drug, or stronger",
    "crisis, neurological deficit", GENERAL[4])


class SideEffect(Term, frozen=True, kw_only=True):
    """`id` is the dictionary's row (SE01..SE19, SE+). `grades` says what grades 1 to 5 mean for this one;
    `own_grades` is False where CTCAE has no term and the general scale stands in."""

    id: str
    on_page: bool = True
    meddra: tuple[Coding, ...] = ()
    snomed: tuple[Coding, ...] = ()
    icd10: tuple[Coding, ...] = ()
    grades: Grades = GENERAL
    own_grades: bool = False
    grades_source: str = CTCAE
    grades_confirmed: bool = True


def _effect(
    code: str, id: str, text: str, meddra: str, snomed: str, icd10: str, grades: Grades | None = None, *,
    meddra_code: str = "", on_page: bool = True, source: str = "", grades_confirmed: bool = False,
    grades_source: str = CTCAE,
) -> SideEffect:
    return SideEffect(
        code=code, id=id, text=text, source=source or (PAGE if on_page else OMITTED), confirmed=not source,
        on_page=on_page,
        meddra=tuple(
            Coding("meddra", meddra_code, name.strip(), bool(meddra_code)) for name in meddra.split("/") if name),
        snomed=tuple(Coding("snomed", concept, "", True) for concept in snomed.split()),
        icd10=tuple(Coding("icd10cm", symptom) for symptom in icd10.split()),
        grades=grades or GENERAL, own_grades=grades is not None, grades_source=grades_source,
        grades_confirmed=grades is None or grades_confirmed,
    )


SIDE_EFFECTS: dict[Code, SideEffect] = by_code((
    _effect("hallucinations", "SE01", "Hallucinations", "Hallucination / Hallucination, auditory",
            "7011001 45150006", "R44.3 R44.0", _HALLUCINATIONS),
    _effect("altered_reality", "SE02", "Altered perception of reality", "Derealisation / Dissociation",
            "42341009", "F48.1 R44.8"),
    _effect("paranoia", "SE03", "Paranoid ideas", "Paranoia", "191667009", "R45.89"),
    _effect("panic_attack", "SE04", "Panic attacks", "Panic attack", "", "F41.0", _ANXIETY),
    _effect("uncontrolled_thoughts", "SE05", "Inability to control thoughts", "Thinking abnormal", "", "R41.89"),
    _effect("altered_time_space", "SE06", "Altered realization of time and space",
            "Time perception altered / Disorientation", "286933003", "R41.0", _CONFUSION),
    _effect("visual_hallucinations", "SE07", "Visual hallucinations", "Hallucination, visual", "64269007", "R44.1",
            _HALLUCINATIONS),
    _effect("heightened_senses", "SE08", "Increased awareness of sound and color", "Hyperacusis / Sensory disturbance",
            "25289003", "R44.8"),
    _effect("euphoria", "SE09", "Euphoria (sometimes unpleasant)", "Euphoric mood / Dysphoria", "", "R45.89",
            _EUPHORIA),
    _effect("dizziness", "SE10", "Dizziness", "Dizziness", "404640003", "R42", _BALANCE),
    _effect("blurred_vision", "SE11", "Blurred vision", "Vision blurred", "111516008 24982008", "H53.8 H53.2", _VISION),
    _effect("vertigo", "SE12", "Vertigo", "Vertigo", "399153001", "R42", _BALANCE),
    _effect("nausea", "SE13", "Nausea", "Nausea", "422587007", "R11.0", _NAUSEA, meddra_code="10028813"),
    _effect("vomiting", "SE14", "Vomiting", "Vomiting", "422400008", "R11.10 R11.2", _VOMITING, meddra_code="10047700"),
    _effect("speech_impairment", "SE15", "Speech impairment", "Dysarthria / Speech disorder", "8011004 289195008",
            "R47.1 R47.81 R47.02", _SPEECH),
    _effect("nystagmus", "SE16", "Rapid, involuntary eye movement", "Nystagmus", "563001", "H55.00 H55.09"),
    _effect("nightmares", "SE17", "Nightmares or vivid dreams", "Nightmare / Abnormal dreams", "", "F51.5"),
    _effect("motor_impairment", "SE18", "Impaired motor function",
            "Psychomotor skills impaired / Coordination abnormal", "302289002 85102008", "R27.8 R26.81"),
    _effect("memory_deficits", "SE19", "Memory deficits", "Memory impairment", "386807006", "R41.3", _MEMORY),
    _effect("sedation", "SE+", "Sedation, drowsiness", "Somnolence", "271782001", "R40.0", on_page=False),
    _effect("headache", "SE+", "Headache", "Headache", "25064002", "R51.9", on_page=False),
    _effect("raised_blood_pressure", "SE+", "Raised blood pressure", "Blood pressure increased", "38341003", "R03.0",
            _HYPERTENSION, on_page=False, grades_confirmed=True,
            grades_source="https://pmc.ncbi.nlm.nih.gov/articles/PMC8451955/table/T2"),
    _effect("tachycardia", "SE+", "Fast heart beat", "Tachycardia", "3424008", "R00.0", on_page=False),
    _effect("desaturation", "SE+", "Low oxygen saturation", "Oxygen saturation decreased", "", "R09.02", on_page=False),
    _effect("hypersalivation", "SE+", "Excess saliva", "Salivary hypersecretion", "", "K11.7", on_page=False),
    _effect("rash", "SE+", "Rash", "Rash", "", "R21", on_page=False),
    _effect("anaphylaxis", "SE+", "Anaphylaxis", "Anaphylactic reaction", "", "T78.2XXA T88.6XXA", on_page=False),
    _effect("extravasation", "SE+", "Extravasation at the line", "Infusion site extravasation", "", "T80.1XXA",
            on_page=False),
    _effect("emergence_delirium", "SE+", "Emergence delirium", "Delirium", "", "F05", _CONFUSION, on_page=False),
    _effect("liver_injury", "SE+", "Drug-induced liver injury", "Drug-induced liver injury", "", "", on_page=False),
    _effect("cystitis", "SE+", "Cystitis, urinary symptoms", "Cystitis", "", "N30.90", on_page=False),
    _effect("chest_pain", "SE+", "Chest pain", "Chest pain", "", "R07.9", on_page=False, source=OURS),
    _effect("breathing_trouble", "SE+", "Trouble breathing", "Dyspnoea", "", "R06.00", on_page=False,
            source=OURS),
    _effect("other", "SE+", "Other (described in the note)", "", "", "", on_page=False),
))
"""Every side effect that can be coded, by code."""

PAGE_EFFECTS: tuple[Code, ...] = tuple(code for code, effect in SIDE_EFFECTS.items() if effect.on_page)
"""The 19 codable effects behind the page's 18 bullets."""

GRADES = range(1, 6)
SEVERE = 3
"""From this CTCAE grade on a side effect reported from home raises an alert."""

URINARY: frozenset[Code] = frozenset({"cystitis"})
MEMORY: frozenset[Code] = frozenset({"memory_deficits"})
HOME_ALERTS: dict[Code, Code] = {"chest_pain": "chest_pain", "breathing_trouble": "breathing_trouble",
                                 "anaphylaxis": "breathing_trouble", "desaturation": "breathing_trouble"}
"""Side effects that raise an alert from home whatever their grade, and the alert's kind."""

"""Which past therapy a medicine's name stands for, and which medicines are no therapy of pain.

RxNorm codes name packages and strengths (thousands); exports agree on the ingredient in the display, so the
ingredient decides. The grouping into classes is pharmacology's usual one; the choice is this product's (no outside
authority). Order matters: a combination counts as its strongest part.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from domain.kernel import Code

__all__ = [
    "KETAMINE_RXNORM", "KETAMINE_SNOMED", "Medicine", "is_ketamine", "medicine", "procedure_hint", "procedure_therapy",
]

KETAMINE_RXNORM = "6130"
KETAMINE_SNOMED = "373464007"
"""Ketamine's ingredient codes (data dictionary section 4)."""


class Medicine(NamedTuple):
    """`therapy` None: no therapy of pain. `hint`: the contraindication that it points at.

    `needs_reason`: also given for much else, so it counts only when the order's reason is one of our conditions.
    """

    therapy: Code | None = None
    needs_reason: bool = False
    hint: Code | None = None


_NOT_FOR_PAIN = ("dextromethorphan", "doxylamine", "guaifenesin", "pseudoephedrine")

_CLASSES: tuple[tuple[Medicine, tuple[str, ...]], ...] = (
    (Medicine(hint="substance_abuse"),
     ("naltrexone", "disulfiram", "acamprosate", "buprenorphine / naloxone", "naloxone / buprenorphine")),
    (Medicine(hint="thyroid_disease"),
     ("levothyroxine", "methimazole", "propylthiouracil", "carbimazole", "liothyronine")),
    (Medicine(hint="drug_interaction"), ("theophylline", "aminophylline")),
    (Medicine("esketamine"), ("esketamine",)),
    (Medicine("ketamine_infusion"), ("ketamine",)),
    (Medicine("opioid"),
     ("oxycodone", "hydrocodone", "morphine", "fentanyl", "tramadol", "tapentadol", "hydromorphone", "oxymorphone",
      "methadone", "codeine", "meperidine", "buprenorphine", "levorphanol", "pentazocine", "butorphanol")),
    (Medicine("gabapentinoid"), ("gabapentin", "pregabalin")),
    (Medicine("triptan"),
     ("sumatriptan", "rizatriptan", "zolmitriptan", "eletriptan", "naratriptan", "almotriptan", "frovatriptan")),
    (Medicine("cgrp"),
     ("erenumab", "fremanezumab", "galcanezumab", "eptinezumab", "rimegepant", "ubrogepant", "atogepant")),
    (Medicine("antidepressant", needs_reason=True),
     ("duloxetine", "venlafaxine", "desvenlafaxine", "milnacipran", "amitriptyline", "nortriptyline", "imipramine",
      "desipramine")),
    (Medicine("anticonvulsant", needs_reason=True),
     ("topiramate", "carbamazepine", "oxcarbazepine", "valpro", "lamotrigine", "levetiracetam")),
    (Medicine("beta_blocker", needs_reason=True), ("propranolol", "metoprolol", "timolol", "atenolol", "nadolol")),
    (Medicine("benzodiazepine", needs_reason=True), ("diazepam", "clonazepam", "lorazepam", "alprazolam")),
    (Medicine("steroid", needs_reason=True), ("prednisone", "methylprednisolone", "dexamethasone")),
    (Medicine("muscle_relaxant"),
     ("cyclobenzaprine", "tizanidine", "baclofen", "methocarbamol", "carisoprodol", "metaxalone", "orphenadrine")),
    (Medicine("cannabinoid"), ("dronabinol", "nabilone", "cannabidiol")),
    (Medicine("hydroxyurea"), ("hydroxyurea",)),
    (Medicine("topical"), ("capsaicin", "lidocaine 0.05 mg/mg", "lidocaine patch", "diclofenac sodium 0.01 mg/mg")),
    (Medicine("nsaid"),
     ("ibuprofen", "naproxen", "diclofenac", "celecoxib", "meloxicam", "ketorolac", "indomethacin", "etodolac",
      "nabumetone")),
    (Medicine("acetaminophen"), ("acetaminophen", "paracetamol")),
)

_PROCEDURES: tuple[tuple[Code, tuple[str, ...]], ...] = (
    ("spinal_cord_stimulation", ("spinal cord stimul", "dorsal column stimul")),
    ("intrathecal_pump", ("intrathecal",)),
    ("epidural_injection", ("epidural",)),
    ("radiofrequency", ("radiofrequency", "rhizotomy")),
    ("botulinum_toxin", ("botulinum",)),
    ("nerve_block", ("nerve block", "block of nerve", "ganglion block", "block anesthesia", "facet")),
    ("tens", ("transcutaneous electrical nerve",)),
    ("acupuncture", ("acupuncture",)),
    ("chiropractic", ("chiropractic", "spinal manipulation")),
    ("physical_therapy", ("physical therapy", "physiotherapy")),
    ("occupational_therapy", ("occupational therapy",)),
    ("psychotherapy", ("cognitive and behavioral therapy", "cognitive behavio", "psychotherapy")),
    ("biofeedback", ("biofeedback",)),
    ("exercise", ("exercise therapy", "therapeutic exercise")),
    ("pain_programme", ("pain management program", "pain rehabilitation")),
    ("lidocaine_infusion", ("lidocaine infusion", "infusion of lidocaine")),
    ("ketamine_infusion", ("ketamine infusion", "infusion of ketamine")),
)

_HEART_PROCEDURES = (
    "coronary artery bypass", "percutaneous coronary", "coronary angioplast", "cardiac pacemaker", "defibrillator",
    "cardioversion", "catheter ablation of tissue of heart", "heart valve",
)


def medicine(display: str) -> Medicine | None:
    """What a medicine of this name is to a pain clinic; None for one that it has no use for."""
    name = " ".join(display.lower().split())
    if any(word in name for word in _NOT_FOR_PAIN):
        return None
    name = re.sub(r"\d[\d.]* (mg|ml|mcg|unt)(/\w+)? ?", "", name) + " " + name
    for found, words in _CLASSES:
        if any(word in name for word in words):
            return found
    return None


def procedure_therapy(display: str) -> Code | None:
    """The past therapy that a procedure of this name was."""
    name = display.lower()
    return next((therapy for therapy, words in _PROCEDURES if any(word in name for word in words)), None)


def procedure_hint(display: str) -> Code | None:
    """The contraindication that a procedure of this name points at: only the heart's."""
    name = display.lower()
    return "heart_disease" if any(word in name for word in _HEART_PROCEDURES) else None


def is_ketamine(system: str, code: str, display: str) -> bool:
    """Whether an allergy's substance is ketamine (esketamine, its half, counts)."""
    return (system, code) in {("rxnorm", KETAMINE_RXNORM), ("snomed", KETAMINE_SNOMED)} or "ketamine" in display.lower()

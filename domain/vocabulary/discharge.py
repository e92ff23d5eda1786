"""Discharge scores: modified Aldrete and PADSS, item by item."""

from __future__ import annotations

from collections.abc import Mapping

from domain.kernel import BadInput, Code
from domain.vocabulary.term import Term, by_code


class DischargeScore(Term, frozen=True, kw_only=True):
    """Each item scores 0, 1 or 2; `items` gives the words for them in that order. Home at `minimum` or more."""

    items: dict[Code, tuple[str, str, str]]
    maximum: int
    minimum: int


class WrongDischargeItems(BadInput):
    """Exactly the scale's items are needed, each 0, 1 or 2."""


DISCHARGE_SCORES: dict[Code, DischargeScore] = by_code((
    DischargeScore(
        code="aldrete", text="Modified Aldrete score", confirmed=True,
        source="https://en.wikipedia.org/wiki/Aldrete%27s_scoring_system; one web copy "
               "(omicsonline 2155-6148-3-231-t001) prints the columns swapped and was not used",
        maximum=10, minimum=9,
        items={
            "activity": ("moves no limb", "moves 2 limbs", "moves 4 limbs"),
            "respiration": ("apnoea", "dyspnoea or limited breathing", "breathes deeply and coughs"),
            "circulation": ("blood pressure 50 % or more off", "20-49 % off baseline", "within 20 % of baseline"),
            "consciousness": ("not responding", "arousable on calling", "fully awake"),
            "oxygen_saturation": ("under 90 % on oxygen", "needs oxygen to hold over 90 %", "over 92 % on air"),
        }),
    DischargeScore(
        code="padss", text="Post-anaesthetic discharge scoring system", confirmed=True,
        source="https://www.clinmedjournals.org/articles/ijodh/ijodh-2-036table4.html", maximum=10, minimum=9,
        items={
            "vital_signs": ("more than 40 % off baseline", "20-40 % off baseline", "within 20 % of baseline"),
            "activity_mental": ("neither", "oriented or steady gait", "oriented x 3 and steady gait"),
            "pain_nausea_vomiting": ("severe", "moderate, treated", "minimal"),
            "bleeding": ("severe", "moderate", "minimal"),
            "intake_output": ("neither", "drank or voided", "drank and voided"),
        }),
    DischargeScore(
        code="padss_ambulatory", text="PADSS, ambulatory variant (Marshall and Chung 1999)", confirmed=True,
        source="https://en.wikipedia.org/wiki/Aldrete%27s_scoring_system", maximum=10, minimum=9,
        items={
            "activity": ("cannot walk", "walks with help", "steady gait"),
            "blood_pressure": ("more than 40 % off baseline", "20-40 % off baseline", "within 20 % of baseline"),
            "pain": ("severe", "moderate", "minimal"),
            "bleeding": ("severe", "moderate", "minimal"),
            "nausea_vomiting": ("severe", "moderate", "minimal"),
        }),
))


def score(scale: DischargeScore, items: Mapping[Code, int], pointer: str = "/items") -> int:
    """The total. Raises WrongDischargeItems unless exactly the scale's items are given, each 0 to 2."""
    wrong = sorted(set(items) ^ set(scale.items)) or [code for code, points in items.items() if points not in (0, 1, 2)]
    if wrong:
        raise WrongDischargeItems(scale=scale.code, items=wrong, pointer=f"{pointer}/{wrong[0]}")
    return sum(items.values())

"""Every number the demo's make-believe patients are made with, by name, unit and source.

Sources: `DOMAIN n` is section n of docs/domain.md (the domain's data dictionary, which lists the
addresses); `literature` is data/literature.csv; `page` is the clinic's own page (DESIGN section 2);
`assumed` is ours and has no authority. Nothing here says anything about real patients.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


def _of(value: Any, unit: str, source: str) -> Any:
    return field(default=value, metadata={"unit": unit, "source": source})


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The simulation's parameters; `describe()` lists them with units and sources."""

    weeks: int = _of(26, "weeks", "the issue: 26 weeks")
    patients_per_scale: int = _of(125, "referred patients at scale 1", "assumed: gives about 500 infusions")

    baseline_nrs_mean: float = _of(6.8, "NRS 0-10", "literature: Corriger 2022, 6.8 +/- 1.8")
    baseline_nrs_sd: float = _of(1.8, "NRS 0-10", "literature: Corriger 2022, 6.8 +/- 1.8")
    responder_share: float = _of(0.53, "share", "literature: responders 51.3 % with ketamine; DOMAIN 10: 50 %")
    responder_share_crps: float = _of(0.65, "share", "DOMAIN 1: CRPS has the best evidence; DOMAIN 7, n.s.")
    responder_fall_low: float = _of(0.32, "share of baseline", "IMMPACT: >= 30 % is moderate (DOMAIN 6)")
    responder_fall_high: float = _of(0.85, "share of baseline", "literature: Patil 2012, 5.9 of about 8 points")
    nonresponder_fall_high: float = _of(0.25, "share of baseline", "below the 30 % line (DOMAIN 6)")
    relief_days_first: float = _of(4.0, "days, median after the first infusion", "page: a few days after the first")
    relief_growth: float = _of(1.35, "factor per infusion", "page: longer with each")
    relief_days_longest: float = _of(42.0, "days", "literature: 23-51 % beyond 3 weeks (Patil 2012)")
    score_noise_sd: float = _of(0.5, "NRS points", "assumed")
    score_answered: float = _of(0.86, "share of prompts answered", "assumed")

    consult_no_show: float = _of(0.30, "share", "DOMAIN 10: 36 % with a specialist's referral")
    visit_no_show: float = _of(0.08, "share", "DOMAIN 10: 8-19 %")
    patient_cancels: float = _of(0.06, "share", "assumed")
    clinic_cancels: float = _of(0.02, "share", "assumed")
    patient_moves: float = _of(0.05, "share", "assumed")
    screening_fails: float = _of(0.10, "share", "assumed")
    drop_out_after_series: float = _of(0.35, "share", "DOMAIN 10: 47.1 % stop by the end of induction")
    optimal_relief_early: float = _of(0.12, "share of series", "page: many get significant relief after 1-2")
    adjunct_share: float = _of(0.4, "share with a combined plan", "assumed")

    series_infusions: int = _of(6, "infusions in two weeks", "page: usually six more in the two weeks after")
    dose_mg_per_kg_low: float = _of(0.35, "mg/kg", "DOMAIN 4: 0.35-0.5 published")
    dose_effect: float = _of(0.3, "relative depth per relative dose", "literature: larger with high dose, n.s.")
    dose_mg_per_kg_high: float = _of(0.5, "mg/kg", "DOMAIN 4: soft limit 0.5 mg/kg/h")

    stopped_early: float = _of(0.03, "share of infusions", "DOMAIN 3: under 5 % withdrew; 0.7 % for good")
    paused: float = _of(0.06, "share of infusions", "assumed")
    needs_antihypertensive: float = _of(0.05, "share", "DOMAIN 3: 44.3 % at or over 165/100, 12 % of them treated")
    late_charted: float = _of(0.05, "share of visits with an entry charted hours later", "assumed")
    amended: float = _of(0.04, "share of visits with an amended entry", "assumed")
    verbal_order: float = _of(0.04, "share of orders", "assumed")
    over_soft_limit: float = _of(0.04, "share of orders", "assumed")
    no_driver: float = _of(0.015, "share of visits", "assumed")
    home_report: float = _of(0.06, "share of infusions followed by a report from home", "DOMAIN 3: dreams, 3 nights")


PARAMETERS = Parameters()

SIDE_EFFECT_RATES: dict[str, tuple[float, str]] = {
    # kind: (share of infusions, source). Published shares are per patient or at week 1; scaled to one visit.
    "sedation": (0.30, "DOMAIN 3: drowsiness 56.4 % of patients over a series"),
    "dizziness": (0.22, "DOMAIN 3: 45.2 % of patients over a series"),
    "altered_reality": (0.18, "DOMAIN 3: dissociation 35.6 %, falling after the first"),
    "nausea": (0.08, "DOMAIN 3: 13.3 %"),
    "vomiting": (0.02, "DOMAIN 3: GI, RD 12 % in all"),
    "raised_blood_pressure": (0.06, "DOMAIN 3: 44.3 % at or over 165/100"),
    "hallucinations": (0.02, "DOMAIN 3: each other effect under about 5 %"),
    "visual_hallucinations": (0.02, "DOMAIN 3: under about 5 %"),
    "paranoia": (0.008, "DOMAIN 3: under about 5 %"),
    "panic_attack": (0.01, "DOMAIN 3: distress 33 of 6,630 patients stopped"),
    "uncontrolled_thoughts": (0.015, "DOMAIN 3: under about 5 %"),
    "altered_time_space": (0.03, "DOMAIN 3: under about 5 %"),
    "heightened_senses": (0.025, "DOMAIN 3: under about 5 %"),
    "euphoria": (0.03, "DOMAIN 3: under about 5 %"),
    "blurred_vision": (0.04, "DOMAIN 3: under about 5 %"),
    "vertigo": (0.02, "DOMAIN 3: under about 5 %"),
    "speech_impairment": (0.015, "DOMAIN 3: under about 5 %"),
    "nystagmus": (0.015, "DOMAIN 3: under about 5 %"),
    "nightmares": (0.02, "DOMAIN 3: bad dreams up to 3 nights"),
    "motor_impairment": (0.02, "DOMAIN 3: under about 5 %"),
    "memory_deficits": (0.015, "DOMAIN 3: under about 5 %"),
    "headache": (0.03, "DOMAIN 3: codable, not on the page"),
}
"""The page's 18 kinds (19 codable) and the commonest it omits. Slugs are domain.vocabulary.side_effects'."""

CONDITION_MIX: dict[str, float] = {
    # DOMAIN 10: CRPS 37 % as in Patil 2012; the rest assumed.
    "crps": 0.37, "fibromyalgia": 0.13, "neuropathic_pain": 0.13, "migraine": 0.12, "spinal_injury": 0.06,
    "post_herpetic_neuralgia": 0.05, "trigeminal_neuropathic": 0.04, "phantom_limb": 0.03,
    "tmj": 0.02, "sickle_cell": 0.02, "cancer": 0.03,
}


def describe() -> list[dict[str, object]]:
    """Name, value, unit and source of each parameter."""
    return [
        {"name": f.name, "value": f.default, "unit": f.metadata["unit"], "source": f.metadata["source"]}
        for f in fields(Parameters)
    ] + [
        {"name": f"side_effect.{kind}", "value": share, "unit": "share of infusions", "source": source}
        for kind, (share, source) in SIDE_EFFECT_RATES.items()
    ]

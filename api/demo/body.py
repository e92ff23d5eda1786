"""A make-believe patient: how much it hurts, whether and how long ketamine helps, what the monitor shows."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from api.demo.parameters import PARAMETERS as P
from api.demo.parameters import SIDE_EFFECT_RATES


@dataclass
class Body:
    """One patient's hidden truth. Only what is measured or said of it reaches the log."""

    patient_id: UUID
    condition: str
    sex: str
    rng: random.Random
    baseline: float = 0.0
    responds: bool = False
    fall: float = 0.0
    weight_kg: Decimal = Decimal(70)
    systolic: int = 125
    infusions: int = 0
    last_stop: datetime | None = None
    spell_days: float = 0.0
    depth: float = 1.0
    spells: list[float] = field(default_factory=list)

    @classmethod
    def born(cls, patient_id: UUID, condition: str, sex: str, rng: random.Random) -> Body:
        """Draws the patient's truth."""
        body = cls(patient_id, condition, sex, rng)
        body.baseline = min(10.0, max(4.0, rng.gauss(P.baseline_nrs_mean, P.baseline_nrs_sd)))
        share = P.responder_share_crps if condition == "crps" else P.responder_share
        body.responds = rng.random() < share
        if body.responds:
            body.fall = rng.uniform(P.responder_fall_low, P.responder_fall_high)
        else:
            body.fall = rng.uniform(0.0, P.nonresponder_fall_high)
        mean = 82 if sex == "male" else 70
        body.weight_kg = Decimal(round(min(130.0, max(46.0, rng.gauss(mean, 13))), 1)).quantize(Decimal("0.1"))
        body.systolic = round(min(150, max(102, rng.gauss(126, 10))))
        return body

    def infused(self, stopped_at: datetime, share_given: float, mg_per_kg_h: float) -> None:
        """The drug has run: a new spell of relief starts, longer than the last, deeper after a higher dose."""
        self.depth = 1 + P.dose_effect * (mg_per_kg_h / P.dose_mg_per_kg_low - 1)
        self.infusions += 1
        self.last_stop = stopped_at
        median = min(P.relief_days_longest, P.relief_days_first * P.relief_growth ** (self.infusions - 1))
        self.spell_days = median * math.exp(self.rng.gauss(0.0, 0.35)) * min(1.0, 0.4 + 0.6 * share_given)

    def pain(self, at: datetime) -> int:
        """What the patient says when asked, NRS 0-10."""
        level = self.baseline
        if self.last_stop is not None and at >= self.last_stop:
            days = (at - self.last_stop) / timedelta(days=1)
            held = math.exp(-math.log(2) * (days / max(self.spell_days, 0.5)) ** 2)
            level *= 1 - min(0.95, self.fall * self.depth) * held
        return max(0, min(10, round(level + self.rng.gauss(0, P.score_noise_sd))))

    def relief_percent(self, at: datetime) -> int:
        """The patient's own estimate of relief, 0-100 %."""
        return max(0, min(100, round(100 * (1 - self.pain(at) / self.baseline) / 5) * 5))

    def vitals(self, minutes_in: float | None) -> dict[str, int | Decimal | None]:
        """A set of vital signs; `minutes_in` is the time since the drug started, None at rest."""
        rng = self.rng
        rise = 0.0 if minutes_in is None else 16 * min(1.0, minutes_in / 20)
        systolic = round(min(174 if rise else 156, max(98, self.systolic + rise + rng.gauss(0, 5))))
        diastolic = round(min(99, systolic * 0.62 + rng.gauss(0, 3)))
        return {
            "heart_rate_per_min": round(min(128, max(56, 74 + rise * 0.6 + rng.gauss(0, 6)))),
            "systolic_mmhg": systolic,
            "diastolic_mmhg": diastolic,
            "spo2_percent": min(100, max(94, round(97.6 + rng.gauss(0, 1.0)))),
            "respiratory_rate_per_min": min(22, max(12, round(15 + rng.gauss(0, 1.5)))),
        }

    def side_effects(self) -> list[str]:
        """The kinds that this infusion brings; dissociation gets rarer with experience (DOMAIN 3)."""
        kinds = []
        for kind, (share, _source) in SIDE_EFFECT_RATES.items():
            if kind == "altered_reality":
                share /= 1 + 0.25 * self.infusions
            if self.rng.random() < share:
                kinds.append(kind)
        return kinds

    def grade(self) -> int:
        """CTCAE grade of an effect at analgesic doses: mostly mild."""
        return self.rng.choices((1, 2, 3), weights=(78, 20, 2))[0]

"""What a dose is divided by: the weight measured at this visit, or ideal or adjusted weight computed from height.

No source fixes the basis; trials give mg/kg of measured weight (data dictionary section 4), so which was used is
recorded with the order.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from domain.infusion.facts import Facts
from domain.infusion.state import State
from domain.kernel import Code, DomainError
from domain.vocabulary import require
from domain.vocabulary.reasons import WEIGHT_BASES


class WeightNotMeasured(DomainError):
    """The patient was not weighed at this visit."""


class WeightBasisUnknown(DomainError):
    """Ideal and adjusted weight need height and sex."""


DEVINE_KG = {"male": Decimal(50), "female": Decimal("45.5")}
"""Devine's constants (background knowledge, no source read): 50 or 45.5 kg + 2.3 kg per inch over 60."""


def dosing_weight(then: State, basis: Code, facts: Facts, *, late: bool) -> Decimal:
    """The weight in kg, never under the plausible 20. Raises WeightNotMeasured, WeightBasisUnknown, UnknownCode.

    An order charted late may fall back on the patient's last weight.
    """
    require(basis, WEIGHT_BASES, "/weight_basis")
    check = then.check
    actual = check.weight_kg if check is not None else None
    if actual is None and late:
        actual = facts.last_weight_kg
    if actual is None:
        raise WeightNotMeasured()
    if basis == "actual":
        return actual
    height = check.height_cm if check is not None else None
    if height is None or facts.sex not in DEVINE_KG:
        raise WeightBasisUnknown(
            weight_basis=basis, missing="height" if height is None else "sex", pointer="/weight_basis")
    ideal = ideal_weight_kg(height, facts.sex)
    chosen = ideal if basis == "ideal" else ideal + Decimal("0.4") * (actual - ideal)
    return max(chosen, Decimal(20)).quantize(Decimal("0.1"), ROUND_HALF_UP)


def ideal_weight_kg(height_cm: Decimal, sex: Code) -> Decimal:
    """Devine's ideal body weight."""
    return DEVINE_KG[sex] + Decimal("2.3") * (height_cm / Decimal("2.54") - 60)

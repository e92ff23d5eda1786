"""Figures of relief that rest on thin follow-up are greyed and say why: those who answer may not be like those who do
not (DESIGN section 7 asks for 60 % answered).
"""

from __future__ import annotations

from msgspec import structs

from api.web.figures import Shown, shown
from projections.metrics import definitions
from projections.metrics.figures import Figure, Spread

__all__ = ["COMPLETE_ENOUGH", "doubted", "thin"]

COMPLETE_ENOUGH = 0.6
"""Under this share of the follow-ups due that were answered, relief is in doubt."""

RELIEF = frozenset(one.name for one in definitions.RELIEF) - {"follow_up_answered"}
"""Metrics that are made of scores after infusions: of those who answered."""


def thin(answered: Figure | Spread) -> str:
    """Why relief is in doubt, with these follow-ups answered; empty where enough were, or none was due."""
    if not isinstance(answered, Figure) or not answered.denominator:
        return ""
    if (answered.numerator or 0) / answered.denominator >= COMPLETE_ENOUGH:
        return ""
    one = shown(answered, "")
    many = f"{one.value} {one.unit} of the" if one.unit else one.value
    return f"Greyed: only {many} follow-ups due were answered."


def doubted(one: Shown, why: str) -> Shown:
    """The figure, greyed if it is one of relief and there is a reason."""
    return structs.replace(one, doubt=why) if why and one.definition.name in RELIEF else one

"""Vital signs: LOINC codes, UCUM units, plausibility limits at entry, and what may be not obtainable.

The published ranges (devicecodex 0.0.2, for consumer devices) are too tight to refuse by in a monitored clinic;
the hard entry limits are wider and proposed here. 0 is accepted for heart and respiratory rate: arrest and
apnoea are facts, and they raise alerts.
"""

from __future__ import annotations

from decimal import Decimal

from domain.kernel import BadInput, Code
from domain.vocabulary.term import Term, by_code

RANGES = "devicecodex 0.0.2 validation/ranges.py"


class VitalSign(Term, frozen=True, kw_only=True):
    """`code` is the field of `VitalSigns` (or of the check before the infusion). `derived` ones are never typed."""

    loinc: str
    also_loinc: tuple[str, ...] = ()
    unit: str
    published_low: Decimal | None = None
    published_high: Decimal | None = None
    entry_low: Decimal
    entry_high: Decimal
    zero_accepted: bool = False
    may_be_not_obtainable: bool = True
    derived: bool = False
    entry_confirmed: bool = False


class ImplausibleValue(BadInput):
    """No living patient has this value: a slip at entry."""


def _sign(
    code: str, text: str, loinc: str, unit: str, published: tuple[str, str] | None, entry: tuple[str, str], *,
    also_loinc: tuple[str, ...] = (), zero_accepted: bool = False, may_be_not_obtainable: bool = True,
    derived: bool = False,
) -> VitalSign:
    low, high = published or (None, None)
    return VitalSign(
        code=code, text=text, source=RANGES if published else "proposed here", confirmed=True, loinc=loinc, unit=unit,
        published_low=Decimal(low) if low else None, published_high=Decimal(high) if high else None,
        entry_low=Decimal(entry[0]), entry_high=Decimal(entry[1]), also_loinc=also_loinc,
        zero_accepted=zero_accepted, may_be_not_obtainable=may_be_not_obtainable, derived=derived,
    )


VITALS: dict[Code, VitalSign] = by_code((
    _sign("heart_rate_per_min", "Heart rate", "8867-4", "/min", ("30", "200"), ("20", "300"), zero_accepted=True),
    _sign("systolic_mmhg", "Systolic blood pressure", "8480-6", "mm[Hg]", ("70", "250"), ("40", "300"),
          also_loinc=("85354-9",)),
    _sign("diastolic_mmhg", "Diastolic blood pressure", "8462-4", "mm[Hg]", ("40", "150"), ("20", "200")),
    _sign("mean_mmhg", "Mean blood pressure", "8478-0", "mm[Hg]", None, ("25", "250"), derived=True),
    _sign("spo2_percent", "Oxygen saturation", "59408-5", "%", ("70", "100"), ("40", "100"), also_loinc=("2708-6",)),
    _sign("respiratory_rate_per_min", "Respiratory rate", "9279-1", "/min", ("4", "60"), ("0", "80"),
          zero_accepted=True),
    _sign("temperature_c", "Temperature", "8310-5", "Cel", ("30", "45"), ("30", "45")),
    _sign("etco2_mmhg", "End-tidal carbon dioxide", "19889-5", "mm[Hg]", None, ("0", "120")),
    _sign("weight_kg", "Weight", "29463-7", "kg", ("20", "500"), ("20", "500"), may_be_not_obtainable=False),
    _sign("height_cm", "Height", "8302-2", "cm", ("50", "250"), ("50", "250")),
    _sign("bmi_kg_per_m2", "Body mass index", "39156-5", "kg/m2", ("10", "80"), ("10", "80"), derived=True),
))
"""By code. `SET` names those of one set of vital signs."""

SET: tuple[Code, ...] = (
    "heart_rate_per_min", "systolic_mmhg", "diastolic_mmhg", "spo2_percent", "respiratory_rate_per_min",
    "temperature_c", "etco2_mmhg",
)
"""The fields of one `VitalSigns`."""

CORE: tuple[Code, ...] = (
    "heart_rate_per_min", "systolic_mmhg", "diastolic_mmhg", "spo2_percent", "respiratory_rate_per_min",
)
"""What a set must hold, measured or named as not obtainable, to count as one."""

BY_LOINC: dict[str, Code] = {
    code: sign.code for sign in VITALS.values() for code in (sign.loinc, *sign.also_loinc) if code != "85354-9"
}
"""LOINC to code, for imports (85354-9 is the panel of both pressures)."""

POUNDS_PER_KG = Decimal("2.20462262")


def check_plausible(code: Code, value: Decimal | int, pointer: str) -> None:
    """Raises ImplausibleValue outside the hard entry limits; 0 passes where arrest or apnoea is a fact."""
    sign = VITALS[code]
    number = Decimal(value)
    if sign.zero_accepted and number == 0:
        return
    if not number.is_finite() or not sign.entry_low <= number <= sign.entry_high:
        raise ImplausibleValue(
            sign=code, value=str(number), low=str(sign.entry_low), high=str(sign.entry_high), pointer=pointer)


def check_pressure(systolic_mmhg: int | None, diastolic_mmhg: int | None, pointer: str) -> None:
    """Raises ImplausibleValue unless systolic is above diastolic."""
    if systolic_mmhg is not None and diastolic_mmhg is not None and systolic_mmhg <= diastolic_mmhg:
        raise ImplausibleValue(
            "systolic pressure is not above diastolic", sign="systolic_mmhg", value=str(systolic_mmhg),
            low=str(diastolic_mmhg), pointer=pointer)


def looks_like_pounds(weight_kg: Decimal, before_kg: Decimal, tolerance_percent: Decimal = Decimal(3)) -> bool:
    """Whether `weight_kg` is what a scale set to pounds would have shown for about `before_kg`."""
    expected = before_kg * POUNDS_PER_KG
    return abs(weight_kg - expected) <= expected * tolerance_percent / 100

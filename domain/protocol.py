"""A clinic's protocol document: the limits and intervals that a prescriber adopted.

`EXAMPLE_PROTOCOL` is shipped as an example: its figures come from published protocols where there are any and
are proposals otherwise, without clinical authority. No clinic works by it until a prescriber has adopted a
copy under their own name (`adopted`).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

import msgspec

from domain.kernel import BadInput, Code
from domain.vocabulary.discharge import DISCHARGE_SCORES
from domain.vocabulary.scales import ASKED_AT_HOME, SEDATION
from domain.vocabulary.vitals import SET


class ProtocolNotValid(BadInput):
    """The protocol document contradicts itself or asks for what cannot be."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """Warn (with a prescriber's reason) outside soft; refuse outside hard. None: no such limit.

    A value on the limit itself is inside.
    """

    soft_low: Decimal | None = None
    soft_high: Decimal | None = None
    hard_low: Decimal | None = None
    hard_high: Decimal | None = None


class DoseLimits(msgspec.Struct, frozen=True, kw_only=True):
    """`second_same_day`: new_order (a second infusion on one local date needs its own order) or never."""

    bolus_mg_per_kg: Limit
    dose_mg_per_kg: Limit
    rate_mg_per_kg_h: Limit
    rate_mg_per_h: Limit
    total_mg: Limit
    concentration_mg_per_ml: Limit
    duration_minutes: Limit
    hours_since_last: Limit
    second_same_day: Code = "new_order"


class VitalLimits(msgspec.Struct, frozen=True, kw_only=True):
    """soft: repeat or a reason before start; hold: no start; pause: alert during the infusion.

    Codes are fields of `VitalSigns`, and sedation scales in `pause`. `soft` uses the soft bounds of its
    limits, `hold` and `pause` the hard ones, so that `check_limit` answers `soft` or `hard`.
    """

    soft: dict[Code, Limit]
    hold: dict[Code, Limit]
    pause: dict[Code, Limit]


class VisitMinutes(msgspec.Struct, frozen=True, kw_only=True):
    """How long the room is needed: preparation, drug running, watching afterwards, cleaning."""

    preparation: int
    infusion: int
    monitoring: int
    turnover: int


class Protocol(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`example` marks a shipped, unadopted document: values without clinical authority.

    `follow_up_asks`: which questionnaires are asked at which of `follow_up_hours` after the latest infusion; without
    it (documents of before) every prompt asks pain and relief. `baseline_minutes`: how long vital signs taken before
    the start stand for it; documents of before set no bound.
    """

    title: str
    protocol_version: int
    author: str
    sources: tuple[str, ...]
    example: bool
    dose: DoseLimits
    vitals: VitalLimits
    visit: VisitMinutes
    vitals_every_minutes: int
    vitals_every_minutes_recovery: int
    monitoring_minutes: int
    consultation_valid_days: int
    consent_valid_days: int
    screening_valid_days: int
    nurse_patients: int
    discharge_scale: Code
    discharge_minimum: int
    verbal_order_hours: int
    waste_tolerance_percent: Decimal
    waste_tolerance_mg: Decimal
    booster_default_days: int
    booster_minimum_days: int
    weight_change_percent: Decimal
    follow_up_hours: tuple[int, ...]
    follow_up_asks: dict[Code, tuple[int, ...]] = {}
    baseline_minutes: int | None = None


# --- limits --------------------------------------------------------------------------------------

Verdict = Literal["within", "soft", "hard"]


def check_limit(limit: Limit, value: Decimal | int) -> Verdict:
    """Where `value` lies: `hard` outside the hard bounds, `soft` outside the soft ones, else `within`."""
    if _outside(value, limit.hard_low, limit.hard_high) is not None:
        return "hard"
    if _outside(value, limit.soft_low, limit.soft_high) is not None:
        return "soft"
    return "within"


def crossed(limit: Limit, value: Decimal | int) -> Decimal | None:
    """The bound that `value` crosses, the hard one first; None when it is within."""
    hard = _outside(value, limit.hard_low, limit.hard_high)
    return hard if hard is not None else _outside(value, limit.soft_low, limit.soft_high)


def _outside(value: Decimal | int, low: Decimal | None, high: Decimal | None) -> Decimal | None:
    if low is not None and value < low:
        return low
    if high is not None and value > high:
        return high
    return None


# --- validation ----------------------------------------------------------------------------------

_POSITIVE = (
    "protocol_version", "vitals_every_minutes", "vitals_every_minutes_recovery", "monitoring_minutes",
    "consultation_valid_days", "consent_valid_days", "screening_valid_days", "nurse_patients", "verbal_order_hours",
    "booster_default_days", "booster_minimum_days", "weight_change_percent",
)


def validate(document: Protocol, at: str = "/document") -> None:
    """Raises ProtocolNotValid with every problem found; `pointer` is the first one's."""
    problems = [{"pointer": f"{at}/{path}", "problem": problem} for path, problem in _problems(document)]
    if problems:
        raise ProtocolNotValid(problems[0]["problem"], problems=problems, pointer=problems[0]["pointer"])


def _problems(document: Protocol) -> Iterator[tuple[str, str]]:
    for name in ("title", "author"):
        if not getattr(document, name).strip():
            yield name, "is empty"
    for name in _POSITIVE:
        if not _above(getattr(document, name), 0):
            yield name, "is not positive"
    if document.baseline_minutes is not None and document.baseline_minutes < 1:
        yield "baseline_minutes", "is not positive"
    for name in VisitMinutes.__struct_fields__:
        minutes = getattr(document.visit, name)
        if minutes < 0 or (name == "infusion" and minutes == 0):
            yield f"visit/{name}", "is not a length of time"
    for name in ("waste_tolerance_percent", "waste_tolerance_mg"):
        if not _above(getattr(document, name), -1) or getattr(document, name) < 0:
            yield name, "is negative"
    yield from _dose_problems(document.dose)
    yield from _vital_problems(document.vitals)
    yield from _discharge_problems(document)
    if document.booster_minimum_days > document.booster_default_days:
        yield "booster_minimum_days", "is more than booster_default_days"
    if list(document.follow_up_hours) != sorted({hours for hours in document.follow_up_hours if hours > 0}):
        yield "follow_up_hours", "are not positive, ascending and different"
    yield from _asked_problems(document)


def _asked_problems(document: Protocol) -> Iterator[tuple[str, str]]:
    asked = document.follow_up_asks
    for code, hours in asked.items():
        if code not in ASKED_AT_HOME:
            yield f"follow_up_asks/{code}", "is no questionnaire that a patient answers at home"
        if not set(hours) <= set(document.follow_up_hours):
            yield f"follow_up_asks/{code}", "names hours that are none of follow_up_hours"
    silent = set(document.follow_up_hours) - {hour for hours in asked.values() for hour in hours}
    if asked and silent:
        yield "follow_up_asks", f"leaves {min(silent)} hours without a question"


def _above(value: Decimal | int, floor: int) -> bool:
    return Decimal(value).is_finite() and value > floor


def _dose_problems(dose: DoseLimits) -> Iterator[tuple[str, str]]:
    for name in DoseLimits.__struct_fields__:
        limit = getattr(dose, name)
        if isinstance(limit, Limit):
            yield from ((f"dose/{name}", problem) for problem in _limit_problems(limit))
            if any(bound is not None and bound.is_finite() and bound < 0 for bound in msgspec.structs.astuple(limit)):
                yield f"dose/{name}", "a bound is negative"
    if dose.second_same_day not in ("new_order", "never"):
        yield "dose/second_same_day", "is neither new_order nor never"


def _vital_problems(vitals: VitalLimits) -> Iterator[tuple[str, str]]:
    for name, codes in (("soft", SET), ("hold", SET), ("pause", (*SET, *SEDATION))):
        for code, limit in getattr(vitals, name).items():
            path = f"vitals/{name}/{code}"
            if code not in codes:
                yield path, "is no vital sign or scale of this list"
            yield from ((path, problem) for problem in _limit_problems(limit))
            bounds = (limit.soft_low, limit.soft_high) if name == "soft" else (limit.hard_low, limit.hard_high)
            if bounds == (None, None):
                yield path, "has no soft bound" if name == "soft" else "has no hard bound"


def _limit_problems(limit: Limit) -> Iterator[str]:
    low, high = limit.soft_low, limit.soft_high
    if any(bound is not None and not bound.is_finite() for bound in msgspec.structs.astuple(limit)):
        yield "a bound is not a number"
        return
    if low is not None and high is not None and low > high:
        yield "soft_low is above soft_high"
    if limit.hard_low is not None and limit.hard_high is not None and limit.hard_low > limit.hard_high:
        yield "hard_low is above hard_high"
    for soft in (low, high):
        if soft is not None and _outside(soft, limit.hard_low, limit.hard_high) is not None:
            yield "a soft bound lies outside the hard ones"


def _discharge_problems(document: Protocol) -> Iterator[tuple[str, str]]:
    scale = DISCHARGE_SCORES.get(document.discharge_scale)
    if scale is None:
        yield "discharge_scale", "is no discharge score"
    elif not 0 < document.discharge_minimum <= scale.maximum:
        yield "discharge_minimum", f"lies outside 1 to {scale.maximum}"


# --- the example ---------------------------------------------------------------------------------


def adopted(document: Protocol, author: str, protocol_version: int) -> Protocol:
    """`document` as its author's own: no longer an example, under their name, with the clinic's next version."""
    return msgspec.structs.replace(document, example=False, author=author, protocol_version=protocol_version)


def _limit(
    soft_low: str | None = None, soft_high: str | None = None,
    hard_low: str | None = None, hard_high: str | None = None,
) -> Limit:
    def number(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return Limit(
        soft_low=number(soft_low), soft_high=number(soft_high), hard_low=number(hard_low), hard_high=number(hard_high))


EXAMPLE_AUTHOR = "Anodyne example, without clinical authority"

EXAMPLE_PROTOCOL = Protocol(
    title="Example protocol for ketamine infusions against chronic pain",
    protocol_version=1,
    author=EXAMPLE_AUTHOR,
    example=True,
    sources=(
        "bolus, rates: 2018 ASRA/AAPM/ASA guideline, https://www.guidelinecentral.com/guideline/8150/",
        "mg/h: trial cap 25, https://journals.lww.com/pain/Abstract/2009/12150/"
        "Outpatient_intravenous_ketamine_for_the_treatment.21.aspx; clinic 10-50, https://restoreorthopedics.com/blog/"
        "intravenous-ketamine-infusion-would-it-relieve-your-chronic-pain",
        "concentration: https://www.droracle.ai/articles/807630 (quotes the label)",
        "holds: SBP < 90 or > 180, HR < 50 or > 150, RR < 10 or > 30, http://html.scirp.org/file/_3-1750111_1.htm",
        "discharge: modified Aldrete >= 9, https://en.wikipedia.org/wiki/Aldrete%27s_scoring_system",
        "60 + 30 minutes, adult driver, six in two weeks, boosters: the clinic's page",
        "everything else is a proposal of this product, to be decided by the adopting prescriber",
    ),
    dose=DoseLimits(
        bolus_mg_per_kg=_limit(soft_high="0.30", hard_high="0.35"),
        dose_mg_per_kg=_limit(soft_high="2", hard_high="4"),
        rate_mg_per_kg_h=_limit(soft_low="0.05", soft_high="0.5", hard_high="2"),
        rate_mg_per_h=_limit(soft_high="25", hard_high="50"),
        total_mg=_limit(soft_high="200", hard_high="500"),
        concentration_mg_per_ml=_limit(soft_low="1", soft_high="2", hard_high="10"),
        duration_minutes=_limit(soft_low="30", soft_high="240", hard_high="480"),
        hours_since_last=_limit(soft_low="24"),
    ),
    vitals=VitalLimits(
        soft={
            "systolic_mmhg": _limit(soft_low="90", soft_high="159"),
            "diastolic_mmhg": _limit(soft_high="99"),
            "spo2_percent": _limit(soft_low="92"),
        },
        hold={
            "systolic_mmhg": _limit(hard_low="90", hard_high="180"),
            "heart_rate_per_min": _limit(hard_low="50", hard_high="150"),
            "respiratory_rate_per_min": _limit(hard_low="10", hard_high="30"),
            "spo2_percent": _limit(hard_low="90"),
        },
        pause={
            "systolic_mmhg": _limit(hard_low="90", hard_high="180"),
            "heart_rate_per_min": _limit(hard_low="50", hard_high="150"),
            "respiratory_rate_per_min": _limit(hard_low="10", hard_high="30"),
            "spo2_percent": _limit(hard_low="90"),
            "rass": _limit(hard_low="-2"),
            "moaa_s": _limit(hard_low="4"),
            "ramsay": _limit(hard_high="4"),
        },
    ),
    visit=VisitMinutes(preparation=20, infusion=60, monitoring=30, turnover=10),
    vitals_every_minutes=15,
    vitals_every_minutes_recovery=15,
    monitoring_minutes=30,
    consultation_valid_days=180,
    consent_valid_days=365,
    screening_valid_days=90,
    nurse_patients=2,
    discharge_scale="aldrete",
    discharge_minimum=9,
    verbal_order_hours=24,
    waste_tolerance_percent=Decimal(2),
    waste_tolerance_mg=Decimal(1),
    booster_default_days=28,
    booster_minimum_days=14,
    weight_change_percent=Decimal(10),
    follow_up_hours=(4, 24, 72, 168, 336, 672),
    follow_up_asks={
        "nrs": (4, 24, 72, 168, 336, 672),
        "relief_percent": (24, 72, 168, 336, 672),
        "peg": (168, 336, 672),
        "phq9": (168, 336, 672),
    },
    baseline_minutes=60,
)
"""What a prescriber may start from. `check_limit` holds a value on a bound for inside, so RASS <= -3 is low -2."""

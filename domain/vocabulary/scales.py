"""Scales and questionnaires: sedation, pain, function, mood; their ranges, how they are scored, their LOINC codes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from domain.kernel import BadInput, Code
from domain.vocabulary.term import Term, by_code

Purpose = Literal["sedation", "pain", "function", "mood", "cognition", "change"]
Items = Sequence[int | None]


class Scale(Term, frozen=True, kw_only=True):
    """`items` of `item_low`..`item_high` make a total in `low`..`high`; 0 items: the total is given itself.

    `levels` names each level of a one-item scale. `missing_allowed` items may be left out and are prorated.
    """

    purpose: Purpose
    low: Decimal
    high: Decimal
    items: int = 0
    item_low: int = 0
    item_high: int = 0
    missing_allowed: int = 0
    mean: bool = False
    higher_is_worse: bool = True
    loinc: str | None = None
    loinc_items: tuple[str, ...] = ()
    levels: dict[int, str] = {}
    minimal_change: Decimal | None = None
    bands: tuple[tuple[int, str], ...] = ()
    scoring_confirmed: bool = True


class ScoreOutOfRange(BadInput):
    """The score or an item lies outside the scale."""


class WrongItemCount(BadInput):
    """The scale has another number of items."""


class TooManyMissing(BadInput):
    """Too many items are unanswered to score this scale."""


RASS_LEVELS = {
    4: "combative", 3: "very agitated", 2: "agitated", 1: "restless", 0: "alert and calm",
    -1: "drowsy (eye contact over 10 s)", -2: "light sedation (under 10 s)",
    -3: "moderate sedation (moves to voice, no eye contact)", -4: "deep sedation (to touch)", -5: "unrousable",
}
RAMSAY_LEVELS = {
    1: "anxious or agitated", 2: "cooperative, oriented", 3: "responds to commands only", 4: "asleep, brisk response",
    5: "asleep, sluggish response", 6: "no response",
}
MOAA_S_LEVELS = {
    5: "responds readily to name", 4: "lethargic response to name", 3: "only to loud or repeated name",
    2: "after mild prodding", 1: "not to mild prodding", 0: "not to pain",
}
PHQ9_BANDS = ((0, "minimal"), (5, "mild"), (10, "moderate"), (15, "moderately severe"), (20, "severe"))

D = Decimal

SCALES: dict[Code, Scale] = by_code((
    Scale(code="rass", text="Richmond Agitation-Sedation Scale", purpose="sedation", low=D(-5), high=D(4),
          levels=RASS_LEVELS, source="http://dss.dign.eu/details.php?id=45; SNOMED CT 457441000124102", confirmed=True,
          higher_is_worse=False),
    Scale(code="moaa_s", text="Modified Observer's Assessment of Alertness/Sedation", purpose="sedation", low=D(0),
          high=D(5), levels=MOAA_S_LEVELS, source="https://thorax.bmj.com/highwire/markup/168316/expansion",
          confirmed=True, higher_is_worse=False),
    Scale(code="ramsay", text="Ramsay sedation scale", purpose="sedation", low=D(1), high=D(6), levels=RAMSAY_LEVELS,
          source="https://ccforum.biomedcentral.com/articles/10.1186/cc697/tables/3", confirmed=True),
    Scale(code="nrs", text="Pain, numeric rating 0-10", purpose="pain", low=D(0), high=D(10), loinc="72514-3",
          minimal_change=D(2), source="http://www.bandolier.org.uk/booth/painpag/Chronout.html", confirmed=True),
    Scale(code="peg", text="PEG: pain, enjoyment, general activity", purpose="function", low=D(0), high=D(10), items=3,
          item_high=10, mean=True, loinc="91147-9", loinc_items=("75893-8", "91145-3", "91146-1"),
          minimal_change=D(1), source="https://link.springer.com/article/10.1007/s11606-009-0981-1", confirmed=True),
    Scale(code="bpi_interference", text="Brief Pain Inventory, interference", purpose="function", low=D(0), high=D(10),
          items=7, item_high=10, mean=True, loinc="77565-0", minimal_change=D(1), scoring_confirmed=False,
          source="http://www.bandolier.org.uk/booth/painpag/Chronout.html", confirmed=True),
    Scale(code="promis_pain_interference", text="PROMIS pain interference 6a, raw score", purpose="function", low=D(6),
          high=D(30), items=6, item_low=1, item_high=5, loinc="90974-7", scoring_confirmed=False,
          source="LOINC 90973-9 panel", confirmed=True),
    Scale(code="phq9", text="PHQ-9 depression", purpose="mood", low=D(0), high=D(27), items=9, item_high=3,
          missing_allowed=2, loinc="44261-6", minimal_change=D(5), bands=PHQ9_BANDS, confirmed=True,
          source="https://www.oskarflygare.com/sources/scientific-publications/Kroenke2001---The-PHQ-9,-validity-of-a-"
                 "brief-depression-severity-measure"),
    Scale(code="phq2", text="PHQ-2 depression screen", purpose="mood", low=D(0), high=D(6), items=2, item_high=3,
          loinc="55758-7", source="LOINC 55758-7", confirmed=True, scoring_confirmed=False),
    Scale(code="gad7", text="GAD-7 anxiety", purpose="mood", low=D(0), high=D(21), items=7, item_high=3,
          loinc="70274-6", source="LOINC 69737-5 panel", confirmed=True, scoring_confirmed=False,
          bands=((0, "minimal"), (5, "mild"), (10, "moderate"), (15, "severe"))),
    Scale(code="bdi", text="Beck Depression Inventory", purpose="mood", low=D(0), high=D(63), minimal_change=D(5),
          source="http://www.bandolier.org.uk/booth/painpag/Chronout.html", confirmed=True, scoring_confirmed=False),
    Scale(code="moca", text="Montreal Cognitive Assessment", purpose="cognition", low=D(0), high=D(30),
          higher_is_worse=False, source="background knowledge, no source read", confirmed=False,
          scoring_confirmed=False),
    Scale(code="memory_self_rating", text="Memory, the patient's own rating 0-10 (10 is worst)", purpose="cognition",
          low=D(0), high=D(10), source="proposed here", confirmed=False, scoring_confirmed=False),
    Scale(code="relief_percent", text="Relief reported by the patient", purpose="change", low=D(0), high=D(100),
          higher_is_worse=False, source="http://www.bandolier.org.uk/booth/painpag/Chronout.html", confirmed=True),
    Scale(code="pgic", text="Patient's global impression of change", purpose="change", low=D(1), high=D(7),
          higher_is_worse=False, confirmed=True, scoring_confirmed=False,
          source="http://www.bandolier.org.uk/booth/painpag/Chronout.html"),
))


def _for(purpose: Purpose) -> dict[Code, Scale]:
    return {code: scale for code, scale in SCALES.items() if scale.purpose == purpose}


SEDATION = _for("sedation")
FUNCTION = _for("function")
MOOD = _for("mood")
COGNITION = _for("cognition")

PAIN_KINDS: dict[Code, Term] = by_code(
    Term(code=code, text=text, source="DESIGN section 3, diary", confirmed=True)
    for code, text in (("now", "pain now"), ("average", "average pain"), ("worst", "worst pain")))

ASKED_AT_HOME: tuple[Code, ...] = ("nrs", "relief_percent", "peg", "phq9")
"""What a patient can be asked on the page behind a link, in the order in which it is asked."""

SUICIDE_ITEM = 8
"""Index of PHQ-9 item 9, thoughts of being better off dead: above 0 raises an alert from home."""

BY_LOINC: dict[str, Code] = {scale.loinc: code for code, scale in SCALES.items() if scale.loinc}


def check_score(scale: Scale, score: Decimal | int, pointer: str) -> None:
    """Raises ScoreOutOfRange outside the scale."""
    if not scale.low <= score <= scale.high:
        raise ScoreOutOfRange(
            scale=scale.code, score=str(score), low=str(scale.low), high=str(scale.high), pointer=pointer)


def total(scale: Scale, items: Items, pointer: str = "/items") -> Decimal:
    """The scale's total from its items: the sum, or the mean where the scale says so (two decimals).

    Missing items (None) are prorated (total of the answered x items / answered, to the nearest whole number)
    where the scale allows so many. Raises WrongItemCount, ScoreOutOfRange, TooManyMissing.
    """
    if scale.items == 0 or len(items) != scale.items:
        raise WrongItemCount(scale=scale.code, given=len(items), items=scale.items, pointer=pointer)
    answered = [item for item in items if item is not None]
    for index, item in enumerate(items):
        if item is not None and not scale.item_low <= item <= scale.item_high:
            raise ScoreOutOfRange(scale=scale.code, score=str(item), low=str(scale.item_low),
                                  high=str(scale.item_high), pointer=f"{pointer}/{index}")
    missing = scale.items - len(answered)
    if missing > scale.missing_allowed:
        raise TooManyMissing(scale=scale.code, missing=missing, allowed=scale.missing_allowed, pointer=pointer)
    summed = Decimal(sum(answered))
    if scale.mean:
        return (summed / scale.items).quantize(Decimal("0.01"))
    return (summed * scale.items / len(answered)).quantize(Decimal(1)) if missing else summed


def band(scale: Scale, score: Decimal) -> str | None:
    """The named band the score lies in, e.g. PHQ-9 12 is `moderate`."""
    names = [name for floor, name in scale.bands if score >= floor]
    return names[-1] if names else None

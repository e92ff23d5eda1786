"""Coded values in the words of their own vocabulary: pages say `Complex regional pain syndrome (CRPS)`, never `crps`.

An old event may hold a code that no list has any more: it is then written as words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from api.web.wording import words
from domain.vocabulary import reasons
from domain.vocabulary.conditions import RECORDABLE
from domain.vocabulary.contraindications import CONTRAINDICATIONS
from domain.vocabulary.scales import SCALES
from domain.vocabulary.side_effects import SIDE_EFFECTS
from domain.vocabulary.term import Term
from domain.vocabulary.vitals import VITALS

__all__ = ["condition", "contraindication", "instrument", "plan", "reason", "said", "side_effect", "sign", "therapy"]

Vocabulary = Mapping[str, Term]

FIELDS: dict[str, Vocabulary] = {
    "condition": RECORDABLE, "conditions": RECORDABLE, "contraindication": CONTRAINDICATIONS, "instrument": SCALES,
    "instruments": SCALES, "scale": SCALES, "medication": reasons.MEDICATIONS, "indication": reasons.INDICATIONS,
    "route": reasons.ROUTES, "plan": reasons.PLANS, "result": reasons.THERAPY_RESULTS, "site": reasons.IV_SITES,
    "therapy": reasons.THERAPIES, "treatment": reasons.TREATMENTS, "visit_kind": reasons.VISIT_KINDS,
    "phase": reasons.PHASES, "weight_basis": reasons.WEIGHT_BASES,
}  # fmt: skip
"""Fields of events that always hold a code of one list. `kind` is a side effect, a consent, a sort of pain."""


def _text(code: str, *vocabularies: Vocabulary) -> str:
    return next((found[code].text for found in vocabularies if code in found), words(code))


@lru_cache(maxsize=1024)
def condition(code: str) -> str:
    """The condition's name."""
    return _text(code, RECORDABLE)


@lru_cache(maxsize=1024)
def side_effect(code: str) -> str:
    """The side effect's name."""
    return _text(code, SIDE_EFFECTS)


def contraindication(code: str) -> str:
    """The contraindication's name."""
    return _text(code, CONTRAINDICATIONS)


def therapy(code: str) -> str:
    """The other therapy's name."""
    return _text(code, reasons.THERAPIES)


def instrument(code: str) -> str:
    """The scale's or questionnaire's name."""
    return _text(code, SCALES)


def plan(code: str) -> str:
    """Whether the infusions stand alone."""
    return _text(code, reasons.PLANS)


def sign(code: str) -> str:
    """What an alert is about: a vital sign, or what was told from home."""
    return _text(code, VITALS, reasons.HOME_ALERTS)


def reason(code: str) -> str:
    """Why something was done or ended: the text that all lists of reasons agree on."""
    return _agreed().get(code) or words(code)


@lru_cache(maxsize=1024)
def _agreed() -> Mapping[str, str]:
    texts: dict[str, set[str]] = defaultdict(set)
    lists: Iterable[Vocabulary] = (
        reasons.STOPPED_EARLY, reasons.PAUSED, reasons.RATE_CHANGED, reasons.LEFT_AGAINST_ADVICE, reasons.NO_INFUSION,
        reasons.TRANSFERRED, reasons.COURSE_CLOSED, reasons.APPOINTMENT_MOVED, reasons.APPOINTMENT_CANCELLED,
        reasons.SERIES_REVISED, reasons.BOOSTER_CANCELLED, reasons.BOOSTER_RESCHEDULED, reasons.COURSE_TRANSFERRED,
        reasons.DOSE_OVERRIDES, reasons.GO_ON_REASONS, reasons.START_OVERRIDES, reasons.IV_FAILED,
        reasons.ADJUNCT_ENDED, reasons.CONSENT_WITHDRAWN, reasons.ALERT_REASONS, reasons.ROOM_MOVED,
    )  # fmt: skip
    for one in lists:
        for code, term in one.items():
            texts[code].add(term.text)
    return {code: next(iter(some)) for code, some in texts.items() if len(some) == 1}


def said(field: str, value: Any, event: str = "") -> str | None:
    """An event's coded field in words; None when it holds no code that a list has."""
    if not isinstance(value, str):
        return None
    known = FIELDS.get(field)
    if field == "kind" and "side_effect" in event:
        known = SIDE_EFFECTS
    elif field == "kind" and "consent" in event:
        known = reasons.CONSENT_KINDS
    if known is not None:
        return known[value].text if value in known else None
    return _agreed().get(value) if field == "reason_code" else None

"""Codes are never shown: the vocabulary's own words stand on every page."""

from __future__ import annotations

import re

import pytest

from api.http import examples as ex
from api.web import terms
from api.web.patient import in_words
from api.web.wording import words
from domain.vocabulary.conditions import RECORDABLE
from domain.vocabulary.reasons import NO_INFUSION, STOPPED_EARLY
from tests.api.world import World


@pytest.mark.parametrize(("say", "code", "text"), [
    (terms.condition, "crps", "Complex regional pain syndrome (CRPS)"),
    (terms.condition, "retired_code", "retired code"),
    (terms.side_effect, "altered_reality", "Altered perception of reality"),
    (terms.contraindication, "psychosis", "Active psychosis"),
    (terms.therapy, "cgrp", "CGRP antibody or antagonist"),
    (terms.instrument, "phq9", "PHQ-9 depression"),
    (terms.sign, "spo2_percent", "Oxygen saturation"),
    (terms.sign, "breathing_trouble", "trouble breathing"),
    (terms.reason, "patients_wish", "the patient's wish"),
    (terms.reason, "lost_to_follow_up", "lost to follow-up"),
    (terms.reason, "moved", "moved"),
])  # fmt: skip
def test_a_code_is_said_by_its_vocabulary(say: object, code: str, text: str) -> None:
    """Each list's own text; a code that no list has any more as words; where lists differ, the code's words."""
    assert say(code) == text  # type: ignore[operator]


@pytest.mark.parametrize(("code", "term"), [*STOPPED_EARLY.items(), *NO_INFUSION.items()])
def test_the_reasons_on_dashboards_are_those_that_were_chosen(code: str, term: object) -> None:
    """What somebody picked from the list is what the dashboard says, but where lists use one code for two things."""
    assert terms.reason(code) in (term.text, code.replace("_", " "))  # type: ignore[attr-defined]
    assert terms.reason(code) == term.text or code in ("equipment", "other")  # type: ignore[attr-defined]


@pytest.mark.parametrize(("event", "facts", "told"), [
    ("infusion.paused.v1", {"reason_code": "patients_wish"}, "reason the patient's wish"),
    ("course.opened.v1", {"condition": "crps", "plan": "alone"},
     "condition Complex regional pain syndrome (CRPS); plan infusions alone"),
    ("diary.follow_up_due.v1", {"instruments": ["nrs", "phq9"]},
     "instruments Pain, numeric rating 0-10 · PHQ-9 depression"),
    ("infusion.side_effect_reported.v1", {"kind": "altered_reality"}, "kind Altered perception of reality"),
    ("patient.screening_recorded.v1", {"findings": [{"contraindication": "psychosis", "status": "absent"}]},
     "findings contraindication Active psychosis, status absent"),
])  # fmt: skip
def test_the_timeline_says_what_was_chosen(event: str, facts: dict[str, object], told: str) -> None:
    """An entry's coded facts read as their lists have them."""
    assert in_words(facts, "UTC", event) == told


def test_the_patient_s_page_names_the_condition(lived: World) -> None:
    """Given the story's course, its condition stands by name among conditions and courses, and nowhere as a code."""
    page = lived.browser("prescriber", "A").get(f"/patients/{lived.real(ex.PATIENT)}").text
    assert not set(re.findall(r'<th scope="row">([a-z][a-z ]+)</th>', page)) & {words(one) for one in RECORDABLE}
    assert any(term.text in page for term in RECORDABLE.values())

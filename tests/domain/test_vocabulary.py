"""The vocabularies hold what the data dictionary lists, and refuse what cannot be."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.vocabulary import UnknownCode, reasons, require
from domain.vocabulary.conditions import (
    BY_SNOMED,
    CONDITIONS,
    RECORDABLE,
    MalformedIcd10,
    NotAnIndication,
    check_icd10,
)
from domain.vocabulary.contraindications import CONTRAINDICATIONS, HINTS, PAGE_FOUR, SCREENED
from domain.vocabulary.discharge import DISCHARGE_SCORES, WrongDischargeItems, score
from domain.vocabulary.people import AGE_BANDS, PROFESSIONS, ImplausibleBirthDate, NotAnAdult, age_band, age_on
from domain.vocabulary.scales import (
    SCALES,
    SEDATION,
    ScoreOutOfRange,
    TooManyMissing,
    WrongItemCount,
    band,
    check_score,
    total,
)
from domain.vocabulary.side_effects import GRADES, PAGE_EFFECTS, SIDE_EFFECTS
from domain.vocabulary.term import Term, by_code
from domain.vocabulary.vitals import (
    CORE,
    SET,
    VITALS,
    ImplausibleValue,
    check_plausible,
    check_pressure,
    looks_like_pounds,
)

ALL_TERMS = [
    term
    for vocabulary in (CONDITIONS, CONTRAINDICATIONS, SIDE_EFFECTS, VITALS, SCALES, DISCHARGE_SCORES, PROFESSIONS,
                       *reasons.VOCABULARIES.values())
    for term in vocabulary.values()
]


def test_counts_are_those_of_the_page() -> None:
    assert len(CONDITIONS) == 11
    assert len(PAGE_FOUR) == 4
    assert len(CONTRAINDICATIONS) == 15
    assert len(PAGE_EFFECTS) == 19
    assert "other" in SIDE_EFFECTS


@pytest.mark.parametrize("term", ALL_TERMS, ids=lambda term: term.code)
def test_every_term_has_a_text_and_a_source(term: Term) -> None:
    assert term.text
    assert term.source
    assert re.fullmatch(r"[A-Za-z0-9_+-]+", term.code)


def test_a_code_twice_in_a_vocabulary_is_found_at_import() -> None:
    with pytest.raises(ValueError, match="twice"):
        by_code((Term(code="a", text="A", source="s"), Term(code="a", text="B", source="s")))


def test_an_unknown_code_is_refused_with_what_would_be_known() -> None:
    with pytest.raises(UnknownCode) as refused:
        require("gout", CONDITIONS, "/condition")
    assert refused.value.data["pointer"] == "/condition"
    assert "crps" in refused.value.data["allowed"]
    assert refused.value.code == "unknown-code"


def test_an_unknown_code_is_echoed_only_in_part() -> None:
    """A body field may hold anything; the near-miss record is no place for it."""
    with pytest.raises(UnknownCode) as refused:
        require("x" * 5000, CONDITIONS, "/condition")
    assert len(refused.value.data["given"]) == 60


# --- conditions and contraindications ---


@pytest.mark.parametrize(("condition", "icd10"), [("phantom_limb", "G54.7"), ("sickle_cell", "D57.3"),
                                                  ("crps", "G90.51"), ("tmj", "M26.60"), ("tmj", "M26.62")])
def test_codes_that_are_no_indication_or_not_billable_are_refused(condition: str, icd10: str) -> None:
    with pytest.raises(NotAnIndication):
        check_icd10(CONDITIONS[condition], icd10, "/icd10")


@pytest.mark.parametrize("icd10", ["", "G9051", "g90.511", "90.511", "G90.", "G90.51111"])
def test_malformed_icd10_is_refused(icd10: str) -> None:
    with pytest.raises(MalformedIcd10):
        check_icd10(CONDITIONS["crps"], icd10, "/icd10")


def test_every_suggested_icd10_code_is_accepted() -> None:
    for condition in RECORDABLE.values():
        for coding in condition.icd10:
            check_icd10(condition, coding.code, "/icd10")


def test_snomed_concepts_lead_back_to_one_meaning() -> None:
    assert BY_SNOMED["203082005"] == "fibromyalgia"
    assert BY_SNOMED["82423001"] == "chronic_pain"
    assert HINTS["59621000"] == "hypertension"
    assert not set(BY_SNOMED) & set(HINTS)


def test_what_the_page_names_is_screened_and_the_door_is_not() -> None:
    assert set(PAGE_FOUR) <= set(SCREENED)
    assert {"no_escort", "not_fasted", "urinary_symptoms"} == set(CONTRAINDICATIONS) - set(SCREENED)
    assert not CONTRAINDICATIONS["ketamine_hypersensitivity"].clearable


def test_every_side_effect_says_what_its_five_grades_mean() -> None:
    for effect in SIDE_EFFECTS.values():
        assert len(effect.grades) == len(GRADES)
        assert all(effect.grades)


# --- vital signs ---


def test_zero_is_a_fact_for_heart_and_breathing_alone() -> None:
    check_plausible("heart_rate_per_min", 0, "/vitals")
    check_plausible("respiratory_rate_per_min", 0, "/vitals")
    for code in set(VITALS) - {"heart_rate_per_min", "respiratory_rate_per_min", "etco2_mmhg"}:
        with pytest.raises(ImplausibleValue):
            check_plausible(code, 0, "/vitals")


@pytest.mark.parametrize("code", VITALS)
def test_entry_limits_are_inside_and_beyond_is_refused(code: str) -> None:
    sign = VITALS[code]
    check_plausible(code, sign.entry_low, "/v")
    check_plausible(code, sign.entry_high, "/v")
    for value in (sign.entry_high + 1, sign.entry_low - 1):
        with pytest.raises(ImplausibleValue) as refused:
            check_plausible(code, value, "/v")
        assert refused.value.data["pointer"] == "/v"


def test_published_ranges_lie_inside_the_entry_limits() -> None:
    for sign in VITALS.values():
        if sign.published_low is not None and not sign.zero_accepted:
            assert sign.entry_low <= sign.published_low
        if sign.published_high is not None:
            assert sign.published_high <= sign.entry_high


def test_systolic_is_above_diastolic() -> None:
    check_pressure(120, 80, "/vitals/systolic_mmhg")
    check_pressure(None, 80, "/vitals/systolic_mmhg")
    for systolic in (80, 79):
        with pytest.raises(ImplausibleValue):
            check_pressure(systolic, 80, "/vitals/systolic_mmhg")


def test_a_set_has_its_core() -> None:
    assert set(CORE) <= set(SET) <= set(VITALS)


@for_all(st.integers(40, 150), st.integers(-2, 2))
def test_pounds_entered_as_kilograms_are_recognised(kg: int, off_percent: int) -> None:
    shown = Decimal(kg) * Decimal("2.20462262") * (100 + off_percent) / 100
    assert looks_like_pounds(shown, Decimal(kg))
    assert not looks_like_pounds(Decimal(kg), Decimal(kg))


# --- scales ---


@for_all(st.lists(st.integers(0, 3), min_size=9, max_size=9))
def test_phq9_is_the_sum_of_its_items(items: list[int]) -> None:
    assert total(SCALES["phq9"], items) == sum(items)


@for_all(st.lists(st.integers(0, 10), min_size=3, max_size=3))
def test_peg_is_the_mean_of_its_three_items(items: list[int]) -> None:
    assert abs(total(SCALES["peg"], items) - Decimal(sum(items)) / 3) <= Decimal("0.005")


@for_all(st.lists(st.integers(0, 3), min_size=9, max_size=9), st.sets(st.integers(0, 8), max_size=9))
def test_phq9_is_prorated_with_up_to_two_missing(items: list[int], missing: set[int]) -> None:
    given = [None if index in missing else item for index, item in enumerate(items)]
    if len(missing) > 2:
        with pytest.raises(TooManyMissing):
            total(SCALES["phq9"], given)
        return
    answered = [item for item in given if item is not None]
    assert abs(total(SCALES["phq9"], given) - Decimal(sum(answered) * 9) / len(answered)) <= Decimal("0.5")


def test_peg_needs_all_three() -> None:
    with pytest.raises(TooManyMissing):
        total(SCALES["peg"], [3, None, 4])


def test_wrong_counts_and_items_are_refused_where_they_stand() -> None:
    with pytest.raises(WrongItemCount):
        total(SCALES["phq9"], [1] * 8)
    with pytest.raises(WrongItemCount):
        total(SCALES["nrs"], [5])
    with pytest.raises(ScoreOutOfRange) as refused:
        total(SCALES["gad7"], [0, 1, 4, 0, 0, 0, 0])
    assert refused.value.data["pointer"] == "/items/2"


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_scales_keep_their_range(scale: object) -> None:
    known = SCALES[scale.code]  # type: ignore[attr-defined]
    check_score(known, known.low, "/score")
    check_score(known, known.high, "/score")
    for value in (known.low - 1, known.high + 1):
        with pytest.raises(ScoreOutOfRange):
            check_score(known, value, "/score")


def test_sedation_scales_name_each_level() -> None:
    for scale in SEDATION.values():
        assert sorted(scale.levels) == list(range(int(scale.low), int(scale.high) + 1))


def test_phq9_bands() -> None:
    named = [band(SCALES["phq9"], Decimal(score)) for score in (0, 4, 5, 10, 15, 20, 27)]
    assert named == ["minimal", "minimal", "mild", "moderate", "moderately severe", "severe", "severe"]


# --- discharge scores ---


@pytest.mark.parametrize("code", DISCHARGE_SCORES)
def test_a_discharge_score_adds_its_own_items(code: str) -> None:
    scale = DISCHARGE_SCORES[code]
    assert score(scale, dict.fromkeys(scale.items, 2)) == scale.maximum == 10
    assert score(scale, dict.fromkeys(scale.items, 0)) == 0


@for_all(st.dictionaries(st.sampled_from([*DISCHARGE_SCORES["aldrete"].items, "mood"]), st.integers(-1, 3)))
def test_aldrete_wants_exactly_its_items_each_0_to_2(items: dict[str, int]) -> None:
    scale = DISCHARGE_SCORES["aldrete"]
    if set(items) == set(scale.items) and all(points in (0, 1, 2) for points in items.values()):
        assert score(scale, items) == sum(items.values())
    else:
        with pytest.raises(WrongDischargeItems):
            score(scale, items)


# --- people ---


@for_all(st.dates(date(1910, 1, 1), date(2010, 1, 1)), st.dates(date(2026, 1, 1), date(2027, 12, 31)))
def test_the_age_band_holds_the_age(birth: date, on: date) -> None:
    age = age_on(birth, on)
    if age < 18:
        with pytest.raises(NotAnAdult):
            age_band(birth, on)
        return
    found = age_band(birth, on)
    low, _, high = found.rstrip("+").partition("-")
    assert found in AGE_BANDS
    assert int(low) <= age <= int(high or 120)


def test_the_18th_birthday_is_the_first_day() -> None:
    assert age_band(date(2008, 3, 9), date(2026, 3, 9)) == "18-24"
    with pytest.raises(NotAnAdult):
        age_band(date(2008, 3, 9), date(2026, 3, 8))


def test_born_on_29_february_turns_18_on_1_march() -> None:
    with pytest.raises(NotAnAdult):
        age_band(date(2008, 2, 29), date(2026, 2, 28))
    assert age_band(date(2008, 2, 29), date(2026, 3, 1)) == "18-24"


def test_nobody_is_born_tomorrow_or_in_1899() -> None:
    today = date(2026, 3, 9)
    for birth in (today + timedelta(days=1), date(1899, 1, 1)):
        with pytest.raises(ImplausibleBirthDate):
            age_band(birth, today)


def test_age_bands_leave_no_gap() -> None:
    edges = [band.rstrip("+").split("-") for band in AGE_BANDS]
    assert all(int(before[1]) + 1 == int(after[0]) for before, after in pairwise(edges))

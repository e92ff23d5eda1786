"""Protocol documents: limits checked inside out, contradictions refused, examples without authority."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.protocol import (
    EXAMPLE_PROTOCOL,
    Limit,
    Protocol,
    ProtocolNotValid,
    adopted,
    check_limit,
    crossed,
    validate,
)

D = Decimal
BOUNDS = st.none() | st.integers(-50, 50).map(Decimal)


def test_the_example_is_valid_and_marked() -> None:
    validate(EXAMPLE_PROTOCOL)
    assert EXAMPLE_PROTOCOL.example
    assert "without clinical authority" in EXAMPLE_PROTOCOL.author


def test_the_example_survives_storing() -> None:
    stored = msgspec.json.encode(EXAMPLE_PROTOCOL)
    assert msgspec.json.decode(stored, type=Protocol) == EXAMPLE_PROTOCOL


def test_a_copy_under_a_name_is_no_example() -> None:
    own = adopted(EXAMPLE_PROTOCOL, "Dr. Ada Example", 3)
    assert (own.example, own.author, own.protocol_version) == (False, "Dr. Ada Example", 3)
    validate(own)


@for_all(BOUNDS, BOUNDS, BOUNDS, BOUNDS, st.integers(-60, 60).map(Decimal))
def test_a_value_is_hard_outside_hard_soft_outside_soft_and_within_on_a_bound(
    soft_low: Decimal | None, soft_high: Decimal | None, hard_low: Decimal | None, hard_high: Decimal | None,
    value: Decimal,
) -> None:
    limit = Limit(soft_low=soft_low, soft_high=soft_high, hard_low=hard_low, hard_high=hard_high)

    def outside(low: Decimal | None, high: Decimal | None) -> bool:
        return (low is not None and value < low) or (high is not None and value > high)

    wanted = "hard" if outside(hard_low, hard_high) else "soft" if outside(soft_low, soft_high) else "within"
    assert check_limit(limit, value) == wanted
    assert (crossed(limit, value) is None) == (wanted == "within")


def test_which_bound_was_crossed_is_named() -> None:
    limit = Limit(soft_high=D("0.30"), hard_high=D("0.35"))
    assert [crossed(limit, D(v)) for v in ("0.30", "0.31", "0.35", "0.36")] == [None, D("0.30"), D("0.30"), D("0.35")]


def test_no_limit_lets_everything_pass() -> None:
    assert check_limit(Limit(), D("1e9")) == "within"


@pytest.mark.parametrize(("code", "value", "verdict"), [
    ("spo2_percent", 90, "within"), ("spo2_percent", 89, "hard"), ("rass", -2, "within"), ("rass", -3, "hard"),
    ("moaa_s", 4, "within"), ("moaa_s", 3, "hard"), ("heart_rate_per_min", 0, "hard"),
    ("systolic_mmhg", 180, "within"), ("systolic_mmhg", 181, "hard"),
])
def test_the_example_pauses_at_the_designed_limits(code: str, value: int, verdict: str) -> None:
    assert check_limit(EXAMPLE_PROTOCOL.vitals.pause[code], value) == verdict


def changed(**fields: Any) -> Protocol:
    return replace(EXAMPLE_PROTOCOL, **fields)


def dose(**limits: Any) -> Protocol:
    return changed(dose=replace(EXAMPLE_PROTOCOL.dose, **limits))


def vitals(**lists: Any) -> Protocol:
    return changed(vitals=replace(EXAMPLE_PROTOCOL.vitals, **lists))


NAN = D("NaN")


@pytest.mark.parametrize(("document", "pointer"), [
    (changed(title=" "), "/document/title"),
    (changed(author=""), "/document/author"),
    (changed(monitoring_minutes=0), "/document/monitoring_minutes"),
    (changed(vitals_every_minutes=-5), "/document/vitals_every_minutes"),
    (changed(nurse_patients=0), "/document/nurse_patients"),
    (changed(baseline_minutes=0), "/document/baseline_minutes"),
    (changed(weight_change_percent=NAN), "/document/weight_change_percent"),
    (changed(waste_tolerance_mg=D(-1)), "/document/waste_tolerance_mg"),
    (changed(waste_tolerance_percent=D("Infinity")), "/document/waste_tolerance_percent"),
    (changed(visit=replace(EXAMPLE_PROTOCOL.visit, infusion=0)), "/document/visit/infusion"),
    (changed(visit=replace(EXAMPLE_PROTOCOL.visit, turnover=-1)), "/document/visit/turnover"),
    (changed(discharge_scale="apgar"), "/document/discharge_scale"),
    (changed(discharge_minimum=11), "/document/discharge_minimum"),
    (changed(booster_minimum_days=40), "/document/booster_minimum_days"),
    (changed(follow_up_hours=(48, 24)), "/document/follow_up_hours"),
    (changed(follow_up_hours=(0, 24)), "/document/follow_up_hours"),
    (changed(follow_up_hours=(24, 24)), "/document/follow_up_hours"),
    (dose(total_mg=Limit(soft_high=D(600), hard_high=D(500))), "/document/dose/total_mg"),
    (dose(total_mg=Limit(soft_low=D(300), soft_high=D(200))), "/document/dose/total_mg"),
    (dose(total_mg=Limit(hard_low=D(3), hard_high=D(2))), "/document/dose/total_mg"),
    (dose(total_mg=Limit(hard_low=D(-3))), "/document/dose/total_mg"),
    (dose(total_mg=Limit(hard_high=NAN)), "/document/dose/total_mg"),
    (dose(second_same_day="perhaps"), "/document/dose/second_same_day"),
    (vitals(soft={"mood": Limit(soft_low=D(1))}), "/document/vitals/soft/mood"),
    (vitals(soft={"rass": Limit(soft_low=D(1))}), "/document/vitals/soft/rass"),
    (vitals(soft={"spo2_percent": Limit(hard_low=D(1))}), "/document/vitals/soft/spo2_percent"),
    (vitals(pause={"rass": Limit(soft_low=D(-2))}), "/document/vitals/pause/rass"),
])
def test_contradictions_are_named_where_they_stand(document: Protocol, pointer: str) -> None:
    with pytest.raises(ProtocolNotValid) as refused:
        validate(document)
    assert pointer in [problem["pointer"] for problem in refused.value.data["problems"]]
    assert refused.value.data["pointer"] == refused.value.data["problems"][0]["pointer"]


def test_all_problems_come_at_once() -> None:
    with pytest.raises(ProtocolNotValid) as refused:
        validate(changed(title="", monitoring_minutes=0, nurse_patients=0))
    assert len(refused.value.data["problems"]) == 3


ASKS = EXAMPLE_PROTOCOL.follow_up_asks


@pytest.mark.parametrize(("asks", "problem"), [
    ({**ASKS, "rass": (24,)}, "/document/follow_up_asks/rass"),
    ({**ASKS, "peg": (48,)}, "/document/follow_up_asks/peg"),
    ({"phq9": (672,)}, "/document/follow_up_asks"),
])
def test_questionnaires_are_asked_at_the_protocols_own_hours(asks: dict[str, tuple[int, ...]], problem: str) -> None:
    """Only what a page can ask, only when there is a prompt, and no prompt without a question."""
    with pytest.raises(ProtocolNotValid) as refused:
        validate(changed(follow_up_asks=asks))
    assert refused.value.data["pointer"] == problem


def test_the_example_asks_hours_after_and_on_days_1_3_7_14_28() -> None:
    """Pain at each; how life goes and mood once a week has passed."""
    validate(EXAMPLE_PROTOCOL)
    assert EXAMPLE_PROTOCOL.follow_up_hours == (4, 24, 72, 168, 336, 672)
    assert ASKS["nrs"] == EXAMPLE_PROTOCOL.follow_up_hours
    assert ASKS["phq9"] == ASKS["peg"] == (168, 336, 672)


def test_a_document_of_before_asks_what_it_asked() -> None:
    validate(changed(follow_up_hours=(24, 48), follow_up_asks={}))

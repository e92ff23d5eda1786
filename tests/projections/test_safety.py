"""Side effects against a recount from the raw events; attribution, the board and its counts by example."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import scipy.stats
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from projections import safety
from projections.metrics.calendar import Period
from projections.safety import SafetyReport
from tests.projections.naive import entries
from tests.projections.test_outcomes import CLINIC, DAY, DIARY, HOUR, PATIENT, START, STOP, Told
from tests.support.clinic_life import Life
from tests.support.facts import facts_of
from tests.support.histories import uid

FIRST = date(2026, 3, 2)


@given(seed=st.integers(0, 10_000), days=st.sampled_from([8, 90]))
@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.generate))
def test_side_effects_are_the_recount(seed: int, days: int) -> None:
    """Episodes with their highest grade, tied to their infusion; shares, grades, rates, what was treated or is open."""
    life = Life(seed, days=10)
    as_of = datetime(2026, 3, 2, 20, tzinfo=UTC) + timedelta(days=days)
    period = Period(FIRST, FIRST + timedelta(days=9))
    with facts_of(life.history) as conn:
        report = safety.report(conn, [str(one) for one in life.clinics], period, as_of=as_of)
    known = entries(life.history, as_of=as_of)
    given_by = [one for one in known if one.name == "infusion.given.v1"]
    counted = {
        one.stream for one in given_by
        if period.first <= one.event.drug_started_at.astimezone(life.zones[one.clinic]).date() <= period.last
    }  # fmt: skip
    assert report.infusions == len(counted)
    steps: dict[UUID, list[Any]] = defaultdict(list)
    for one in known:
        if hasattr(one.event, "side_effect_id"):
            steps[one.event.side_effect_id].append(one)
    worst: dict[str, dict[UUID, int]] = defaultdict(dict)
    episodes: Counter[str] = Counter()
    treated: Counter[str] = Counter()
    for own in steps.values():
        told = next((one for one in own if "reported" in one.name), None)
        if told is None:
            continue
        infusion = told.stream
        if "from_home" in told.name:
            stops = [
                one for one in given_by
                if one.patient == told.patient and timedelta(0) <= told.event.onset_at - one.at <= timedelta(days=7)
            ]  # fmt: skip
            infusion = max(stops, key=lambda one: one.at).stream if stops else None
        if infusion not in counted:
            continue
        kind = told.event.kind
        grade = max(one.event.grade for one in own if hasattr(one.event, "grade"))
        worst[kind][infusion] = max(grade, worst[kind].get(infusion, 0))
        episodes[kind] += 1
        treated[kind] += any("treated" in one.name for one in own)
    assert report.episodes == episodes.total()
    for one in report.by_kind:
        hit = worst[one.kind]
        assert (one.share.numerator, one.share.denominator) == (len(hit), len(counted))
        assert {grade: figure.numerator for grade, figure in one.by_grade.items()} == dict(Counter(hit.values()))
        assert one.treated.numerator == treated[one.kind]
        assert one.per_100.numerator == episodes[one.kind]
        if len(counted) >= 10:
            low = scipy.stats.chi2.ppf(0.025, 2 * episodes[one.kind]) / 2 * 100 / len(counted)
            high = scipy.stats.chi2.ppf(0.975, 2 * episodes[one.kind] + 2) / 2 * 100 / len(counted)
            assert one.per_100.interval == pytest.approx((low, high))
    assert {one.kind for one in report.by_kind} == set(episodes)


# --- by example -----------------------------------------------------------------------------------

AS_OF = datetime(2026, 5, 1, tzinfo=UTC)


def report_of(told: Told, **asked: Any) -> SafetyReport:
    with facts_of(told.history) as conn:
        return safety.report(
            conn, [str(CLINIC)], Period(date(2026, 3, 1), date(2026, 4, 30)), **{"as_of": AS_OF, **asked}
        )


def from_home(told: Told, onset: datetime, number: int = 1, **fields: Any) -> None:
    told.add(
        "diary.side_effect_reported_from_home.v1", DIARY, onset + HOUR, side_effect_id=uid(number, 9),
        kind="nightmares", grade=2, onset_at=onset, **fields,
    )  # fmt: skip


def test_a_side_effect_from_home_belongs_to_the_last_drug_stop_within_seven_days() -> None:
    """The last one before its onset, wherever it says it comes from; later than seven days to none."""
    told = Told()
    told.infused()
    later = told.infused(START + 3 * DAY, "series")
    from_home(told, STOP + 3 * DAY + 2 * HOUR, 1)
    from_home(told, STOP + 20 * DAY, 2)
    report = report_of(told)
    assert report.any_side_effect.numerator == 1
    assert report.any_side_effect.excluded == {"unattributed": 1}
    assert len(report.unattributed) == 1
    with facts_of(told.history) as conn:
        rows = safety.report(
            conn, [str(CLINIC)], Period(date(2026, 3, 7), date(2026, 3, 7)), as_of=AS_OF
        ).any_side_effect  # fmt: skip
    assert (rows.numerator, rows.denominator) == (1, 1), later


def test_an_open_episode_over_28_days_is_on_the_list() -> None:
    """Until it is resolved."""
    told = Told()
    told.infused()
    from_home(told, STOP + DAY, 1)
    assert report_of(told).open_over_28_days.value == 1
    assert report_of(told, as_of=STOP + 20 * DAY).open_over_28_days.value == 0
    from_home(told, STOP + DAY, 2, ended_at=STOP + 2 * DAY)
    assert report_of(told).open_over_28_days.value == 1


def open_at(told: Told, as_of: datetime) -> list[tuple[str, int, bool, bool]]:
    """What is to be seen to at a moment: kind, highest grade, whether a signature is missing, whether it is over."""
    with facts_of(told.history) as conn:
        found = safety.open_now(conn, [str(CLINIC)], as_of=as_of).episodes
        listed = (*found.unsigned, *found.going_on)
    return [(one.kind, one.grade, one.unsigned, one.resolved) for one in listed]


def test_a_side_effect_is_seen_to_once_it_is_over_and_if_serious_signed_off() -> None:
    """Given one that became serious: it waits for a signature and for its end, each by itself; called serious anew it
    waits again. One from home waits until its end is known."""
    told, minutes = Told(), timedelta(minutes=1)
    visit, effect = told.infused(), uid(5, 9)
    told.add("infusion.side_effect_reported.v1", visit, START, side_effect_id=effect, kind="nausea", grade=1,
             serious=False, onset_at=START)  # fmt: skip
    for at, grade, serious in ((10, 3, True), (40, 2, False), (50, 3, True)):
        told.add("infusion.side_effect_regraded.v1", visit, START + at * minutes, side_effect_id=effect, grade=grade,
                 serious=serious)  # fmt: skip
    for at in (20, 60):
        told.add("infusion.side_effect_signed_off.v1", visit, START + at * minutes, side_effect_id=effect,
                 prescriber_id=uid(1))  # fmt: skip
    told.add("infusion.side_effect_resolved.v1", visit, START + 30 * minutes, side_effect_id=effect)
    from_home(told, STOP + DAY, 1)
    from_home(told, STOP + DAY, 2, ended_at=STOP + 2 * DAY)
    seen = {at: open_at(told, START + at * minutes) for at in (5, 15, 25, 35, 55, 65)}
    assert seen == {
        5: [("nausea", 1, False, False)], 15: [("nausea", 3, True, False)], 25: [("nausea", 3, False, False)],
        35: [], 55: [("nausea", 3, True, True)], 65: [],
    }  # fmt: skip
    assert open_at(told, AS_OF) == [("nightmares", 2, False, False)]


def test_stops_transfers_and_deaths_are_shares_of_the_infusions_given() -> None:
    """Each by reason, with the infusions given below the line."""
    told = Told()
    first, second = told.infused(), told.infused(START + 3 * DAY)
    told.add("infusion.stopped_early.v1", first, STOP, reason_code="vital_signs")
    told.add("infusion.transferred_to_hospital.v1", first, STOP + HOUR, reason_code="cardiac")
    told.add("infusion.patient_discharged.v1", second, STOP, driver_present=True, instructions_given=True,
             discharged_by=uid(1))  # fmt: skip
    endings = report_of(told).endings
    assert (endings["stopped_early"].numerator, endings["stopped_early"].denominator) == (1, 2)
    assert endings["stopped_early:vital_signs"].numerator == 1
    assert endings["transferred"].numerator == 1
    assert endings["died"].numerator == 0


def test_the_board_counts_and_opens_into_its_rows() -> None:
    """Refusals by rule, overrides by limit, breaches by rule, alerts with the time they stood."""
    told = Told()
    visit = told.infused()
    for rule in ("driver-not-named", "driver-not-named", "dose-above-hard-limit"):
        told.add("oversight.command_refused.v1", uid(1, 9), START, command="StartInfusion", rule=rule)
    told.add("infusion.rule_breached.v1", visit, STOP, rule="monitoring-too-short", entry=3)
    told.add(
        "infusion.dose_limit_overridden.v1", visit, START, order_id=uid(1, 9), limit="total_mg", limit_value=200,
        asked=250, prescriber_id=uid(1), reason_code="body_weight",
    )  # fmt: skip
    for number in (1, 2):
        told.add(
            "infusion.alert_raised.v1", visit, START + number * HOUR, alert_id=uid(number, 9), sign="spo2_percent",
            value=88, limit=90, entry=4,
        )  # fmt: skip
    told.add(
        "infusion.alert_acknowledged.v1", visit, START + HOUR + timedelta(minutes=3), alert_id=uid(1, 9),
        action="paused",
    )  # fmt: skip
    told.add(
        "infusion.verbal_order_taken.v1", visit, START, order_id=uid(7, 9), prescriber_id=uid(1), nurse_id=uid(2),
        read_back=True, countersign_by=START + DAY,
    )  # fmt: skip
    board = report_of(told).board
    assert {name: figure.value for name, figure in board.refusals.items()} == {
        "driver-not-named": 2, "dose-above-hard-limit": 1,
    }  # fmt: skip
    assert len(board.refusals["driver-not-named"].rows) == 2
    assert board.breaches["monitoring-too-short"].value == 1
    assert board.overrides["total_mg"].value == 1
    assert board.alerts["spo2_percent"].value == 2
    assert board.minutes_to_acknowledge.median == 3.0
    assert len(board.alerts_open) == 1
    assert len(board.verbal_orders_overdue) == 1


def test_an_infusion_struck_leaves_every_denominator() -> None:
    """Ordinals and denominators count InfusionGiven not struck."""
    told = Told()
    visit = told.infused()
    told.infused(START + 3 * DAY)
    assert report_of(told).infusions == 2
    told.history.strike(visit, 1, AS_OF)
    assert report_of(told).infusions == 1
    assert PATIENT

"""The demo lives through what a clinic lives through, entirely through the services, the same every time."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from api.bootstrap import build_services
from api.demo.load import DemoRefused, Summary, load
from api.demo.parameters import describe
from api.settings import Settings
from domain.clinic import ClinicOpened
from domain.infusion.arrival import PatientArrived
from domain.infusion.departure import PatientDischarged
from domain.infusion.drug_run import InfusionGiven
from domain.kernel import Recorded
from domain.vocabulary.side_effects import SIDE_EFFECTS
from projections.patient_visits import visits
from projections.timeline import standing_entries
from services.log import WrongLogMode
from services.log.verify import verify

pytestmark = pytest.mark.xdist_group("demo")
SCALE = 0.4


@dataclass(frozen=True)
class Lived:
    settings: Settings
    summary: Summary
    records: list[Recorded]


def _live(home: Path, seed: int = 2026, scale: float = SCALE) -> Lived:
    settings = Settings(home=home)
    summary = load(settings, seed=seed, scale=scale)
    services = build_services(settings)
    try:
        return Lived(settings, summary, list(services.log.read(0, 10**6)))
    finally:
        services.close()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Three clinics that have lived through their 26 weeks."""
    return _live(tmp_path_factory.mktemp("demo") / "home")


def _named(lived: Lived, name: str) -> list[Recorded]:
    return [record for record in lived.records if record.name == name]


@pytest.mark.parametrize("name", [
    "patient.referral_received.v1", "course.consultation_held.v1", "patient.screening_cleared.v1",
    "course.series_planned.v1", "course.booster_scheduled.v1", "appointment.no_show_recorded.v1",
    "appointment.cancelled.v1", "appointment.moved.v1", "appointment.overbooking_authorised.v1",
    "appointment.waitlist_left.v1", "entry.amended.v1", "entry.struck.v1", "infusion.verbal_order_taken.v1",
    "infusion.order_countersigned.v1", "infusion.dose_limit_overridden.v1", "infusion.alert_raised.v1",
    "infusion.alert_acknowledged.v1", "infusion.paused.v1", "infusion.stopped_early.v1",
    "infusion.left_against_advice.v1", "infusion.transferred_to_hospital.v1",
    "infusion.visit_ended_without_infusion.v1", "course.transferred.v1", "clinic.closure_declared.v1",
    "clinic.closure_lifted.v1", "drug_lot.drug_wasted.v1", "oversight.command_refused.v1",
    "diary.side_effect_reported_from_home.v1", "system.import_run.v1",
])
def test_it_happens(lived: Lived, name: str) -> None:
    """Each thing that the issue names occurs at least once."""
    assert _named(lived, name)


def test_every_side_effect_of_the_page_occurs(lived: Lived) -> None:
    """All of the page's kinds, at grades of which most are mild."""
    effects = _named(lived, "infusion.side_effect_reported.v1")
    kinds = {record.event.kind for record in effects}  # type: ignore[attr-defined]
    assert kinds >= {kind for kind, effect in SIDE_EFFECTS.items() if effect.on_page}
    grades = Counter(record.event.grade for record in effects)  # type: ignore[attr-defined]
    assert grades[1] > grades[2] > grades[3]


def test_trials_that_do_not_work_end_the_course(lived: Lived) -> None:
    """The response gate says no to some, and a course without response is closed."""
    gates = [record.event for record in _named(lived, "course.response_assessed.v1")]
    assert {gate.decision for gate in gates} == {"go_on", "stop"}  # type: ignore[attr-defined]
    closed = Counter(record.event.reason_code for record in _named(lived, "course.closed.v1"))  # type: ignore[attr-defined]
    assert closed["no_response"]


def test_unanswered_follow_ups_are_missed_in_time(lived: Lived) -> None:
    """As the worker says it of a real clinic: when the window closes, in the log within a day, once."""
    missed = [r for r in lived.records if r.name == "diary.follow_up_missed.v1"]
    assert missed
    assert all(timedelta(0) <= r.recorded_at - r.occurred_at <= timedelta(days=1) for r in missed)
    assert {(r.role, r.origin) for r in missed} == {("system", "process")}


def test_function_mood_and_memory_are_asked_before_the_first_infusion_and_later(lived: Lived) -> None:
    """So that every patient who is treated has something to be held against, and most have a later answer."""
    first: dict[object, Recorded] = {}
    for record in _named(lived, "infusion.started.v1"):
        first.setdefault(record.subject, record)
    for name in ("diary.function_scored.v1", "diary.mood_scored.v1", "diary.cognition_scored.v1"):
        times: dict[object, list[datetime]] = defaultdict(list)
        for record in _named(lived, name):
            times[record.subject].append(record.occurred_at)
        begun = {one: (start.occurred_at, times[one]) for one, start in first.items()}
        assert all(any(began - timedelta(days=28) < at < began for at in own) for began, own in begun.values()), name
        later = sum(any(at > began for at in own) for began, own in begun.values())
        assert later > len(begun) / 2, name


def test_a_visit_goes_over_midnight(lived: Lived) -> None:
    """Somewhere a patient arrives on one local day and goes home on the next."""
    zones = {r.clinic_id: ZoneInfo(r.event.timezone) for r in lived.records if isinstance(r.event, ClinicOpened)}
    assert {str(zone) for zone in zones.values()} == {
        "America/Los_Angeles", "America/Phoenix", "America/New_York"
    }
    days: dict[object, set[object]] = defaultdict(set)
    for record in lived.records:
        if isinstance(record.event, PatientArrived | PatientDischarged):
            days[record.stream_id].add(record.occurred_at.astimezone(zones[record.clinic_id]).date())
    assert any(len(each) == 2 for each in days.values())


def test_dates_cross_the_end_of_daylight_saving_time(lived: Lived) -> None:
    """New York's infusions lie on both sides of 1 November; Phoenix never changes its offset."""
    offsets: dict[str, set[object]] = defaultdict(set)
    zones = {r.clinic_id: ZoneInfo(r.event.timezone) for r in lived.records if isinstance(r.event, ClinicOpened)}
    for record in lived.records:
        if isinstance(record.event, InfusionGiven):
            zone = zones[record.clinic_id]
            offsets[str(zone)].add(record.occurred_at.astimezone(zone).utcoffset())
    assert len(offsets["America/New_York"]) == 2
    assert len(offsets["America/Phoenix"]) == 1


def test_the_wrong_patients_entry_is_struck_and_made_again_with_one_correlation(lived: Lived) -> None:
    """What was charted on the wrong patient is found again on the right one by its correlation id."""
    struck = [r for r in _named(lived, "entry.struck.v1") if r.event.reason_code == "wrong_patient"]  # type: ignore[attr-defined]
    assert struck
    for strike in struck:
        together = [r for r in lived.records if r.correlation_id == strike.correlation_id]
        assert {r.subject for r in together} - {strike.subject}


def test_a_consultation_that_was_held_kept_its_booking(lived: Lived) -> None:
    """Read without the look-up for older logs: nobody's list of visits says that nothing was recorded since."""
    services = build_services(lived.settings)
    zones = {r.clinic_id: ZoneInfo(r.event.timezone) for r in lived.records if isinstance(r.event, ClinicOpened)}
    held = defaultdict(set)
    for record in _named(lived, "course.consultation_held.v1"):
        held[record.subject].add((record.clinic_id, record.occurred_at.astimezone(zones[record.clinic_id]).date()))
    last = lived.records[-1].recorded_at
    try:
        became = Counter(
            one.state for patient, days in held.items() if patient is not None
            for one in visits(standing_entries(services.log, [patient], as_of=last), lambda _: None)
            if one.visit_kind == "consultation"
            and (one.clinic, one.starts_at.astimezone(zones[one.clinic]).date()) in days
        )
    finally:
        services.close()
    assert set(became) == {"kept"}
    assert became["kept"] > len(held) / 2


def test_everything_is_marked_fictional(lived: Lived) -> None:
    """The clinics say so in their events, and the log says it is a simulation."""
    assert all(r.event.fictional for r in lived.records if isinstance(r.event, ClinicOpened))
    assert lived.records[0].event.mode == "simulation"  # type: ignore[attr-defined]


def test_the_log_verifies_and_time_never_runs_backwards(lived: Lived) -> None:
    """Every leaf, position, head and claim of a half-year holds."""
    services = build_services(lived.settings)
    try:
        report = verify(services.log)
    finally:
        services.close()
    assert report.holds
    moments = [record.recorded_at for record in lived.records]
    assert moments == sorted(moments)


def test_the_same_seed_lives_the_same_half_year(lived: Lived, tmp_path: Path) -> None:
    """Same names, streams, times and clear facts; sealed bytes differ, since keys are drawn anew."""
    again = _live(tmp_path / "again")
    assert [_bare(record) for record in again.records] == [_bare(record) for record in lived.records]


def test_another_seed_lives_another(lived: Lived, tmp_path: Path) -> None:
    """Chance comes from the seed alone."""
    other = _live(tmp_path / "other", seed=7, scale=0.2)
    ours = {record.stream_id for record in lived.records if record.name == "infusion.given.v1"}
    assert not ours & {record.stream_id for record in other.records}


def test_a_demo_is_never_loaded_over_anything(lived: Lived) -> None:
    """A second load into the same database is refused and adds nothing."""
    with pytest.raises(DemoRefused):
        load(lived.settings)


def test_production_settings_refuse_the_demos_log(lived: Lived) -> None:
    """A simulation log has a settable clock; production must not trust it."""
    with pytest.raises(WrongLogMode):
        build_services(replace(lived.settings, allow_simulation=False))


def test_every_parameter_names_its_source() -> None:
    """No number without a unit and a source."""
    assert all(row["unit"] and row["source"] for row in describe())


def _bare(record: Recorded) -> tuple[Any, ...]:
    return (
        record.position, record.stream_id, record.version, record.name, record.occurred_at, record.recorded_at,
        record.actor, record.clinic_id, record.subject, record.correlation_id, record.command_id,
        _without_seals(msgspec.to_builtins(record.event)),
    )


def _without_seals(value: Any) -> Any:
    if isinstance(value, dict):
        return "sealed" if "secret" in value else {name: _without_seals(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_seals(each) for each in value]
    return value



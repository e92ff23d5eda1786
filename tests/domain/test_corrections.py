"""Corrections: applied to what an entry says, never to the log; lenient towards old ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid5

from hypothesis import given
from hypothesis import strategies as st

from domain.corrections import Entry, EntryAmended, EntryStruck, apply_correction, in_order, standing
from domain.infusion.departure import PatientDischarged
from domain.infusion.drug_run import BolusGiven, RateChanged
from domain.infusion.monitoring import VitalSigns, VitalsRecorded
from domain.kernel import NAMESPACE, Event, Redacted, Sealed

NINE = datetime(2026, 3, 10, 9, tzinfo=UTC)


def bolus(minutes: int, dose: str = "5") -> BolusGiven:
    return BolusGiven(occurred_at=NINE + timedelta(minutes=minutes), dose_mg=Decimal(dose))


def amended(entry: int, **corrections: object) -> EntryAmended:
    return EntryAmended(
        occurred_at=NINE, entry=entry, entry_name="x", corrections=dict(corrections), reason_code="typing_error")


def struck(entry: int) -> EntryStruck:
    return EntryStruck(occurred_at=NINE, entry=entry, entry_name="x", reason_code="duplicate")


def test_named_fields_are_replaced_and_typed() -> None:
    corrected = apply_correction(bolus(0), {"dose_mg": "7.5", "occurred_at": "2026-03-10T09:05:00Z"})
    assert corrected == bolus(5, "7.5")


def test_an_object_corrects_the_members_it_names() -> None:
    vitals = VitalsRecorded(occurred_at=NINE, vitals=VitalSigns(spo2_percent=98, systolic_mmhg=120), phase="baseline")
    corrected = apply_correction(vitals, {"vitals": {"spo2_percent": 91, "systolic_mmhg": None}})
    assert corrected.vitals == VitalSigns(spo2_percent=91)


def test_secret_fields_come_sealed_or_redacted() -> None:
    left = PatientDischarged(
        occurred_at=NINE, driver_present=True, instructions_given=True, discharged_by=uuid5(NAMESPACE, "n"), note="a")
    box = Sealed("key", "box")
    assert apply_correction(left, {}, {"note": box}).note == box
    assert apply_correction(left, {}, {"note": Redacted()}).note == Redacted()


def test_what_no_longer_fits_is_passed_over() -> None:
    """An amendment of a field that was renamed, or of another type now, leaves the entry readable."""
    assert apply_correction(bolus(0), {"amount": "7", "dose_mg": "much", "occurred_at": 3.5}) == bolus(0)
    assert apply_correction(bolus(0), {"dose_mg": "much", "occurred_at": "2026-03-10T09:05:00Z"}) == bolus(5)


def test_entries_stand_corrected_in_order_of_occurrence() -> None:
    recorded = [(1, bolus(30)), (2, bolus(10)), (3, amended(1, occurred_at="2026-03-10T09:05:00Z")), (4, bolus(10)),
                (5, struck(2)), (6, amended(99)), (7, struck(98))]
    assert [(entry.version, entry.amended) for entry in standing(recorded)] == [(1, True), (4, False)]


def test_later_amendments_win_field_by_field() -> None:
    changed = RateChanged(occurred_at=NINE, rate_mg_per_h=Decimal(10), reason_code="titration")
    (entry,) = standing([
        (1, changed), (2, amended(1, rate_mg_per_h="20", reason_code="side_effect")),
        (3, amended(1, rate_mg_per_h="30"))])
    assert isinstance(entry.event, RateChanged)
    assert (entry.event.rate_mg_per_h, entry.event.reason_code) == (Decimal(30), "side_effect")


def test_a_struck_entry_stays_struck_when_amended() -> None:
    assert standing([(1, bolus(0)), (2, struck(1)), (3, amended(1, dose_mg="9"))]) == ()


def test_the_ledger_agrees_with_standing() -> None:
    """Aggregates fold through `ledger.record`, projections through `standing`: one meaning."""
    from domain.ledger import record

    recorded: list[tuple[int, Event]] = [
        (1, bolus(30)), (2, bolus(10)), (3, amended(1, occurred_at="2026-03-10T09:05:00Z", dose_mg="oops")),
        (4, bolus(10)), (5, struck(2)), (6, amended(4, dose_mg="2"))]
    entries: tuple[Entry, ...] = ()
    for version, event in recorded:
        entries = record(entries, version, event)
    assert in_order(entries) == standing(recorded)


@given(st.permutations(list(range(8))))
def test_order_is_by_occurrence_then_version(minutes: list[int]) -> None:
    entries = [Entry(version, bolus(minute // 2)) for version, minute in enumerate(minutes, 1)]
    ordered = in_order(entries)
    keys = [(entry.event.occurred_at, entry.version) for entry in ordered]
    assert keys == sorted(keys)
    assert len(ordered) == 8

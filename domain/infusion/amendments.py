"""Amending and striking entries of a visit: validated like at entry, kept consistent, never an edit.

What the system computed or judged (milligrams, totals, alerts, breaches, overrides) is not corrected by hand: correct
what it was computed from. An entry's own ids name it and stay; a wrong patient is a strike. Striking an entry
strikes what only exists because of it. An amended entry can be amended again; a struck one is entered anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from domain import ledger
from domain.corrections import AmendEntry, Entry, EntryAmended, StrikeEntry
from domain.infusion import arrival, departure, drug_given, drug_run, limits, line, monitoring, order, side_effects
from domain.infusion.facts import Facts
from domain.infusion.folding import just_before
from domain.infusion.rules import Outcome, check_moments
from domain.infusion.state import State
from domain.infusion.striking import strikes
from domain.infusion.watched_again import alerts_again
from domain.kernel import BadInput, DomainError, Event
from domain.ledger import EntryCannotBeCorrected, decide_amendment
from domain.ledger import decide_strike as struck_entry
from domain.vocabulary import require
from domain.vocabulary.discharge import DISCHARGE_SCORES, score
from domain.vocabulary.reasons import AMENDED, STRUCK


class ComputedNotTyped(BadInput):
    """The field is computed; correct the entries it is computed from."""


_CHECKS: Mapping[type[Event], Callable[[Any], None]] = {
    arrival.PatientArrived: arrival.check_arrival,
    arrival.PatientMovedRoom: arrival.check_move,
    arrival.PreInfusionChecked: arrival.check_check,
    order.DoseOrdered: order.check_order,
    monitoring.VitalsRecorded: monitoring.check_vitals,
    monitoring.SedationScored: monitoring.check_sedation,
    monitoring.AlertAcknowledged: monitoring.check_acknowledgement,
    side_effects.SideEffectReported: side_effects.check_report,
    side_effects.SideEffectRegraded: lambda event: side_effects.check_grade(event.grade),
    side_effects.SideEffectTreated: side_effects.check_treatment,
    departure.RecoveryAssessed: departure.check_recovery,
    departure.LeftAgainstAdvice: departure.check_ending,
    departure.TransferredToHospital: departure.check_ending,
    departure.VisitEndedWithoutInfusion: departure.check_ending,
    drug_run.InfusionStarted: drug_given.check_drug_entry,
    drug_run.InfusionResumed: drug_given.check_drug_entry,
    drug_run.RateChanged: drug_given.check_drug_entry,
    drug_run.BolusGiven: drug_given.check_drug_entry,
    drug_run.InfusionPaused: drug_given.check_drug_entry,
    drug_run.InfusionStoppedEarly: drug_given.check_drug_entry,
    drug_run.BagHung: line.check_line_entry,
    drug_run.MedicationGiven: line.check_line_entry,
    drug_run.IVPlaced: line.check_line_entry,
    drug_run.IVFailed: line.check_line_entry,
}

_DERIVED_ENTRIES = (
    monitoring.AlertRaised, monitoring.VitalLimitOverridden, departure.RuleBreached, order.DoseLimitOverridden)

_COMPUTED: Mapping[type[Event], frozenset[str]] = {
    drug_run.InfusionGiven: frozenset(drug_run.InfusionGiven.__struct_fields__) - {"occurred_at"},
    order.DoseOrdered: frozenset({"dose_mg", "weight_kg", "protocol_version", "mode"}),
    order.VerbalOrderTaken: frozenset({"countersign_by"}),
    drug_run.BagHung: frozenset({"concentration_mg_per_ml"}),
    monitoring.VitalsRecorded: frozenset({"phase"}),
    departure.RecoveryAssessed: frozenset({"total"}),
    arrival.PatientMovedRoom: frozenset({"from_room_id"}),
}

_NAMING = frozenset({"patient_id", "order_id", "side_effect_id", "alert_id", "late_reason"})
"""Fields that say what the entry is about, or why it came late; they are not amended but struck and entered anew."""


# --- amend ---------------------------------------------------------------------------------------


def decide_amend(state: State, then: State, command: AmendEntry, facts: Facts) -> Outcome:
    """The amendment, with what must move with it. Raises EntryNotFound, EntryAlreadyStruck, ComputedNotTyped,
    EntryCannotBeCorrected, UnknownFieldInCorrection, CorrectionNotValid, NothingToCorrect, InTheFuture, and
    whatever the entry would have raised at entry; rules of care it breaks become RuleBreached."""
    require(command.reason_code, AMENDED, "/reason_code")
    was = ledger.entry_of(state.entries, command.entry)
    _may_be_amended(was.event, command)
    amendment, standing = decide_amendment(state.entries, command)
    check_moments(standing, command.corrections, was.event.occurred_at, "/corrections")
    check = _CHECKS.get(type(standing))
    if check is not None:
        _checked(check, standing)
    if isinstance(standing, arrival.PatientRoomed | arrival.PatientMovedRoom) and "room_id" in command.corrections:
        arrival.unfit_room(state, standing.room_id, facts)
    derived = _derived(state, was, standing)
    amendment = msgspec.structs.replace(amendment, corrections={**amendment.corrections, **derived})
    standing = ledger.corrected(standing, derived)
    companions = _moved_with(state, was, standing, command)
    return Outcome((amendment, *companions, *alerts_again(state, was, standing, command.at, facts)))


def _may_be_amended(event: Event, command: AmendEntry) -> None:
    if isinstance(event, _DERIVED_ENTRIES):
        raise EntryCannotBeCorrected(entry=command.entry, entry_name=event.NAME, pointer="/entry")
    for name in command.corrections:
        if name in _COMPUTED.get(type(event), ()):
            raise ComputedNotTyped(field=name, pointer=f"/corrections/{name}")
        if name in _NAMING:
            raise EntryCannotBeCorrected(entry=command.entry, field=name, pointer=f"/corrections/{name}")


def _checked(check: Callable[[Any], None], standing: Event) -> None:
    try:
        check(standing)
    except DomainError as error:
        if "pointer" in error.data:
            error.data["pointer"] = f"/corrections{error.data['pointer']}"
        raise


def _derived(state: State, was: Entry, standing: Event) -> dict[str, Any]:
    """Computed fields of the entry that its corrected ones change, as JSON builtins."""
    match standing:
        case order.DoseOrdered():
            dose = limits.order_dose(standing.bolus_mg, standing.rate_mg_per_h, standing.planned_minutes)
            return _if_changed("dose_mg", standing.dose_mg, dose)
        case drug_run.BagHung():
            mixed = line.concentration(standing.drug_mg, standing.volume_ml)
            return _if_changed("concentration_mg_per_ml", standing.concentration_mg_per_ml, mixed)
        case departure.RecoveryAssessed():
            total = score(DISCHARGE_SCORES[standing.scale], standing.items)
            return _if_changed("total", standing.total, total)
        case monitoring.VitalsRecorded() if standing.occurred_at != was.event.occurred_at:
            phase = monitoring.phase_of(just_before(state, standing.occurred_at, was.version))
            return _if_changed("phase", standing.phase, phase)
    return {}


def _if_changed(name: str, before: object, now: object) -> dict[str, Any]:
    return {} if before == now else {name: msgspec.to_builtins(now)}


def _moved_with(state: State, was: Entry, standing: Event, command: AmendEntry) -> Iterator[EntryAmended]:
    """An early stop is two entries of one moment: when one is moved, so is the other."""
    pair = (drug_run.InfusionStoppedEarly, drug_run.InfusionGiven)
    if not isinstance(standing, pair) or standing.occurred_at == was.event.occurred_at:
        return
    for entry in state.entries:
        other = isinstance(entry.event, pair) and entry.version != was.version and not entry.struck
        if other and entry.event.occurred_at == was.event.occurred_at:
            yield EntryAmended(
                occurred_at=command.at, entry=entry.version, entry_name=entry.event.NAME, reason_code="recomputed",
                corrections={"occurred_at": msgspec.to_builtins(standing.occurred_at)})


# --- strike --------------------------------------------------------------------------------------


def decide_strike(state: State, then: State, command: StrikeEntry, facts: Facts) -> Outcome:
    """The strike, and the strikes of what hangs on the entry. Raises EntryNotFound, EntryAlreadyStruck,
    EntryCannotBeCorrected, UnknownCode."""
    require(command.reason_code, STRUCK, "/reason_code")
    entry = ledger.entry_of(state.entries, command.entry)
    if isinstance(entry.event, _DERIVED_ENTRIES):
        raise EntryCannotBeCorrected(entry=command.entry, entry_name=entry.event.NAME, pointer="/entry")
    first = struck_entry(state.entries, command)
    rest = tuple(strikes(state, entry, command.at, command.reason_code))[1:]
    return Outcome((first, *rest))

"""Deciding over the line, the bag and other medicines."""

from __future__ import annotations

from decimal import Decimal

from domain.infusion import limits
from domain.infusion.drug_run import (
    BagHung,
    FailIV,
    GiveMedication,
    HangBag,
    IVFailed,
    IVPlaced,
    MedicationGiven,
    PlaceIV,
    per_kg,
)
from domain.infusion.facts import Facts
from domain.infusion.rules import NoProtocolAdopted, Outcome, positive, present
from domain.infusion.state import State
from domain.kernel import BadInput, Event
from domain.vocabulary import require
from domain.vocabulary.reasons import DOSE_UNITS, INDICATIONS, IV_FAILED, IV_SITES, MEDICATIONS, ROUTES


class ImplausibleLine(BadInput):
    """A cannula that is not made, or no attempt at all."""


def decide_iv(state: State, then: State, command: PlaceIV, facts: Facts) -> Outcome:
    """Raises UnknownCode, ImplausibleLine."""
    present(state, then, command)
    placed = IVPlaced(occurred_at=command.at, site=command.site, gauge=command.gauge, attempts=command.attempts)
    check_line_entry(placed)
    return Outcome((placed,))


def decide_iv_failed(state: State, then: State, command: FailIV, facts: Facts) -> Outcome:
    """Raises UnknownCode."""
    present(state, then, command)
    failed = IVFailed(occurred_at=command.at, site=command.site, reason_code=command.reason_code)
    check_line_entry(failed)
    return Outcome((failed,))


def decide_bag(state: State, then: State, command: HangBag, facts: Facts) -> Outcome:
    """Raises ImplausibleAmount; breaks the concentration limits unless the order overrode them."""
    present(state, then, command)
    positive((("drug_mg", command.drug_mg), ("volume_ml", command.volume_ml)))
    hung = BagHung(
        occurred_at=command.at, bag_id=command.bag_id, draw_id=command.draw_id, drug_mg=command.drug_mg,
        volume_ml=command.volume_ml, concentration_mg_per_ml=concentration(command.drug_mg, command.volume_ml))
    if facts.protocol is None:
        return Outcome((hung,), (NoProtocolAdopted(),))
    hits = limits.hits({"concentration_mg_per_ml": hung.concentration_mg_per_ml}, facts.protocol.dose)
    return Outcome((hung,), tuple(map(limits.error_of, limits.uncovered(hits, then.order))))


def concentration(drug_mg: Decimal, volume_ml: Decimal) -> Decimal:
    """mg/mL to 0.001."""
    return per_kg(drug_mg, volume_ml)


def decide_medication(state: State, then: State, command: GiveMedication, facts: Facts) -> Outcome:
    """Raises UnknownCode, ImplausibleAmount."""
    present(state, then, command)
    given = MedicationGiven(
        occurred_at=command.at, medication=command.medication, dose=command.dose, unit=command.unit,
        route=command.route, indication=command.indication)
    check_line_entry(given)
    return Outcome((given,))


# --- what an entry must be, when made and when amended -------------------------------------------


def check_line_entry(event: Event) -> None:
    """Raises UnknownCode, ImplausibleAmount, ImplausibleLine."""
    match event:
        case BagHung():
            positive((("drug_mg", event.drug_mg), ("volume_ml", event.volume_ml)))
        case MedicationGiven():
            require(event.medication, MEDICATIONS, "/medication")
            require(event.unit, DOSE_UNITS, "/unit")
            require(event.route, ROUTES, "/route")
            require(event.indication, INDICATIONS, "/indication")
            positive((("dose", event.dose),))
        case IVPlaced():
            require(event.site, IV_SITES, "/site")
            if not 14 <= event.gauge <= 28 or not 1 <= event.attempts <= 20:
                raise ImplausibleLine(gauge=event.gauge, attempts=event.attempts, pointer="/gauge")
        case IVFailed():
            require(event.site, IV_SITES, "/site")
            require(event.reason_code, IV_FAILED, "/reason_code")

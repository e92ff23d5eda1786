"""The dose limits of the clinic's protocol, soft and hard, for an order and for every act that gives more drug.

Over a hard limit is refused to everybody. Over a soft one needs a prescriber and a reason, given with the act or
with the order in force (an override covers the same limit up to the value it was given for). Limits downwards
(a rate or concentration lower than usual) are asked of orders only: giving less is never refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from domain.infusion.drug_run import THOUSANDTH, dose_of
from domain.infusion.facts import Facts
from domain.infusion.state import Order, Override, State
from domain.kernel import Code, DomainError
from domain.protocol import DoseLimits, Limit, check_limit, crossed


class DoseAboveHardLimit(DomainError):
    """More than the protocol's hard limit allows; nobody can override it."""


class DoseBelowHardLimit(DomainError):
    """Less than the protocol's hard limit allows; nobody can override it."""


class DoseLimitNeedsReason(DomainError):
    """Outside the protocol's soft limit: needs a prescriber's reason, or a verbal order read back."""


class SecondInfusionSameDay(DomainError):
    """A second infusion on one local date."""


DOSE_RULES: frozenset[Code] = frozenset({"dose-above-hard-limit", "dose-below-hard-limit", "dose-limit-needs-reason"})
"""The breaches that are judged again when a correction changes what was given."""


class Hit(msgspec.Struct, frozen=True):
    """`asked` lies beyond `bound` of the protocol's limit `limit`."""

    limit: Code
    bound: Decimal
    asked: Decimal
    hard: bool

    @property
    def above(self) -> bool:
        """Whether it is too much rather than too little."""
        return self.asked > self.bound


def hits(asked: Mapping[Code, Decimal], limits: DoseLimits) -> tuple[Hit, ...]:
    """The limits that `asked` (by field of DoseLimits) crosses, the hard ones first."""
    found = []
    for code, value in asked.items():
        limit: Limit = getattr(limits, code)
        bound = crossed(limit, value)
        if bound is not None:
            found.append(Hit(code, bound, value, check_limit(limit, value) == "hard"))
    return tuple(sorted(found, key=lambda hit: not hit.hard))


def uncovered(found: Iterable[Hit], order: Order | None) -> tuple[Hit, ...]:
    """The hits that no override of `order` covers; hard ones are never covered."""
    overrides = order.overrides if order is not None else ()
    return tuple(hit for hit in found if hit.hard or not any(_covers(override, hit) for override in overrides))


def _covers(override: Override, hit: Hit) -> bool:
    if override.limit != hit.limit:
        return False
    return hit.asked <= override.asked if hit.above else hit.asked >= override.asked


def error_of(hit: Hit) -> DomainError:
    """The named error: DoseAboveHardLimit, DoseBelowHardLimit or DoseLimitNeedsReason, with limit and asked."""
    data: dict[str, Any] = {"limit": hit.limit, "limit_value": str(hit.bound), "asked": str(hit.asked)}
    data["pointer"] = POINTERS.get(hit.limit, "/rate_mg_per_h")
    if not hit.hard:
        return DoseLimitNeedsReason(**{**data, "pointer": "/override_reason_code"})
    return DoseAboveHardLimit(**data) if hit.above else DoseBelowHardLimit(**data)


POINTERS = {
    "bolus_mg_per_kg": "/bolus_mg", "concentration_mg_per_ml": "/concentration_mg_per_ml",
    "duration_minutes": "/planned_minutes", "hours_since_last": "/at",
}


def order_dose(bolus_mg: Decimal, rate_mg_per_h: Decimal, planned_minutes: int) -> Decimal:
    """What an order comes to in mg: bolus + rate x planned time, to 0.01 mg."""
    return (bolus_mg + rate_mg_per_h * planned_minutes / 60).quantize(Decimal("0.01"), ROUND_HALF_UP)


def of_order(
    *, weight_kg: Decimal, bolus_mg: Decimal, rate_mg_per_h: Decimal, planned_minutes: int,
    concentration_mg_per_ml: Decimal,
) -> dict[Code, Decimal]:
    """What an order asks of each limit."""
    dose_mg = order_dose(bolus_mg, rate_mg_per_h, planned_minutes)
    asked = {
        **_rate(rate_mg_per_h, weight_kg), **_total(dose_mg, weight_kg),
        "concentration_mg_per_ml": concentration_mg_per_ml, "duration_minutes": Decimal(planned_minutes),
    }
    if bolus_mg > 0:
        asked["bolus_mg_per_kg"] = _per_kg(bolus_mg, weight_kg)
    return asked


def of_rate(state: State, rate_mg_per_h: Decimal, weight_kg: Decimal, at: datetime) -> dict[Code, Decimal]:
    """What running at this rate from `at` to the order's planned end asks: rates, and the total it would come to."""
    so_far = dose_of(state.run, at)
    planned = Decimal(state.order.planned_minutes if state.order is not None else 0)
    left = max(planned - so_far.minutes, Decimal(0))
    total = (so_far.dose_mg + rate_mg_per_h * left / 60).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return {**_rate(rate_mg_per_h, weight_kg), **_total(total, weight_kg)}


def of_bolus(state: State, dose_mg: Decimal, weight_kg: Decimal, at: datetime) -> dict[Code, Decimal]:
    """What a bolus at `at` asks: itself, and the total if the pump goes on as it runs to the planned end."""
    rate = state.run.rate_mg_per_h if state.run.running else Decimal(0)
    if state.run.started_at is None and state.order is not None:
        rate = state.order.rate_mg_per_h
    total = of_rate(state, rate, weight_kg, at)["total_mg"] + dose_mg
    return {"bolus_mg_per_kg": _per_kg(dose_mg, weight_kg), **_total(total, weight_kg)}


def too_much(found: Iterable[Hit]) -> tuple[Hit, ...]:
    """Only the hits upwards: giving less is never refused."""
    return tuple(hit for hit in found if hit.above)


def since_last(facts: Facts, at: datetime) -> dict[Code, Decimal]:
    """Hours since the patient's last drug stop in another visit, if there is one."""
    if facts.last_drug_stop_at is None:
        return {}
    hours = Decimal((at - facts.last_drug_stop_at) // timedelta(seconds=1)) / 3600
    return {"hours_since_last": max(hours, Decimal(0)).quantize(Decimal("0.01"), ROUND_HALF_UP)}


def same_day(facts: Facts, order: Order | None) -> tuple[DomainError, ...]:
    """SecondInfusionSameDay: never, or (`new_order`) when the order is older than the earlier infusion's stop."""
    protocol, stop = facts.protocol, facts.last_drug_stop_at
    if protocol is None or facts.infusions_same_date == 0:
        return ()
    if protocol.dose.second_same_day == "new_order" and order is not None and (stop is None or order.at > stop):
        return ()
    return (SecondInfusionSameDay(infusions_same_date=facts.infusions_same_date),)


def _rate(rate_mg_per_h: Decimal, weight_kg: Decimal) -> dict[Code, Decimal]:
    return {"rate_mg_per_kg_h": _per_kg(rate_mg_per_h, weight_kg), "rate_mg_per_h": rate_mg_per_h}


def _total(dose_mg: Decimal, weight_kg: Decimal) -> dict[Code, Decimal]:
    return {"total_mg": dose_mg, "dose_mg_per_kg": _per_kg(dose_mg, weight_kg)}


def _per_kg(amount: Decimal, weight_kg: Decimal) -> Decimal:
    return (amount / weight_kg).quantize(THOUSANDTH, ROUND_HALF_UP)

"""What a lot's register holds, and what it must know of the clinic and the visit to decide."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from domain.kernel import BadInput, Code, DomainError
from domain.ledger import Entries

ZERO = Decimal(0)


class QuantityImpossible(BadInput):
    """The quantity cannot be meant."""


class LotExpired(DomainError):
    """The lot is past its expiry date."""


class NotEnoughOnHand(DomainError):
    """More than the cabinet holds of this lot."""


class SecondPersonNeeded(DomainError):
    """Waste and breakage are seen by a second person, who is not the first."""


class NotStaffHere(DomainError):
    """The person named does not work at this clinic."""


class Draw(msgspec.Struct, frozen=True, kw_only=True):
    """One draw; closed once its waste is recorded (`entry` is that record's version)."""

    draw_id: UUID
    infusion_id: UUID
    drawn_mg: Decimal
    drawn_at: datetime
    entry: int | None = None
    given_mg: Decimal = ZERO
    wasted_mg: Decimal = ZERO
    rounding_mg: Decimal = ZERO

    @property
    def is_open(self) -> bool:
        return self.entry is None

    @property
    def difference_mg(self) -> Decimal:
        """What the figures leave over beyond rounding."""
        return ZERO if self.is_open else self.drawn_mg - self.given_mg - self.wasted_mg - self.rounding_mg


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Milligrams throughout. `discrepancies` are those not yet explained, with their difference."""

    stream_id: UUID
    version: int = 0
    entries: Entries = ()
    drug: Code | None = None
    ndc: Code | None = None
    lot_number: Code | None = None
    expires_on: date | None = None
    mg_per_vial: Decimal = ZERO
    ml_per_vial: Decimal = ZERO
    received_mg: Decimal = ZERO
    broken_mg: Decimal = ZERO
    draws: dict[UUID, Draw] = {}
    discrepancies: dict[UUID, Decimal] = {}
    discrepancy_ids: frozenset[UUID] = frozenset()

    @property
    def on_hand_mg(self) -> Decimal:
        return self.received_mg - self.broken_mg - sum((one.drawn_mg for one in self.draws.values()), ZERO)

    @property
    def open_mg(self) -> Decimal:
        return sum((one.drawn_mg for one in self.draws.values() if one.is_open), ZERO)

    def closed(self, part: str) -> Decimal:
        """The sum over closed draws of given_mg, wasted_mg, rounding_mg or difference_mg."""
        return sum((getattr(one, part) for one in self.draws.values() if not one.is_open), ZERO)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What `drug_lot.decide` is told. local_date: the clinic's day of the command's `at`. staff: who works there.
    visit_here: the visit a draw names is one of this clinic, and not ended. given_known: the drug of the draw's visit
    has stopped for good. tolerance: the adopted protocol's, the larger of a share of the draw (percent) and mg."""

    local_date: date
    staff: frozenset[UUID] = frozenset()
    visit_here: bool = False
    given_known: bool = False
    tolerance_percent: Decimal = ZERO
    tolerance_mg: Decimal = ZERO

    def tolerance(self, drawn_mg: Decimal) -> Decimal:
        """Up to this difference is rounding."""
        return max(self.tolerance_mg, drawn_mg * self.tolerance_percent / 100)


def require_staff(person: UUID, facts: Facts, pointer: str) -> None:
    """Raises NotStaffHere."""
    if person not in facts.staff:
        raise NotStaffHere(staff_id=str(person), pointer=pointer)


def require_two(first: UUID, second: UUID, pointer: str, facts: Facts) -> None:
    """Raises SecondPersonNeeded, NotStaffHere."""
    if first == second:
        raise SecondPersonNeeded(pointer="/witness_id")
    require_staff(first, facts, pointer)
    require_staff(second, facts, "/witness_id")

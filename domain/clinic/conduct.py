"""Who works in the clinic, by which protocol, at which prices."""

from __future__ import annotations

import re
from datetime import date
from typing import ClassVar
from uuid import UUID

from msgspec.structs import replace

from domain.clinic.state import Facts, PriceItem, PriceList, State, require_clinic
from domain.kernel import BadInput, Code, Command, Decision, DomainError, Event, Role
from domain.protocol import EXAMPLE_AUTHOR, Protocol, validate
from domain.vocabulary.people import STAFF_ROLES


class RoleNotForStaff(BadInput):
    """Members of staff do not hold this role."""


class StaffNotInService(DomainError):
    """The organisation has no such member of staff, or they have left."""


class LicenceNotInDate(DomainError):
    """The person's licence for this role is not in date."""


class AlreadyAssigned(DomainError):
    """The person already has this role here."""


class NotAssigned(DomainError):
    """The person does not have this role here."""


class NotThePrescriber(DomainError):
    """Only the prescriber may do this, under their own sign-in."""


class PrescriberNotAssigned(DomainError):
    """The prescriber is not assigned to this clinic."""


class ExampleProtocol(DomainError):
    """An example has no clinical authority: adopt a copy under its author's own name, no longer marked so."""


class ProtocolVersionNotNext(DomainError):
    """Protocol versions only go up."""


class PriceListNotValid(BadInput):
    """A price list has different codes, amounts of 0 cents or more, and a currency."""


class PriceListAlreadyPublished(DomainError):
    """This price list has been published."""


class StaffAssigned(Event, frozen=True, kw_only=True):
    """A member of staff works here from now on, in this role."""

    NAME: ClassVar[str] = "clinic.staff_assigned.v1"
    staff_id: UUID
    role: Role


class StaffUnassigned(Event, frozen=True, kw_only=True):
    """A member of staff no longer works here in this role."""

    NAME: ClassVar[str] = "clinic.staff_unassigned.v1"
    staff_id: UUID
    role: Role


class ProtocolAdopted(Event, frozen=True, kw_only=True):
    """A prescriber adopted a protocol document: from now on its limits are this clinic's."""

    NAME: ClassVar[str] = "clinic.protocol_adopted.v1"
    protocol_version: int
    document: Protocol
    adopted_by: UUID


class PriceListPublished(Event, frozen=True, kw_only=True):
    """In force from local date `effective_from` until the next."""

    NAME: ClassVar[str] = "clinic.price_list_published.v1"
    price_list_id: UUID
    effective_from: date
    currency: Code
    items: tuple[PriceItem, ...]


class AssignStaff(Command, frozen=True, kw_only=True):
    staff_id: UUID
    role: Role


class UnassignStaff(Command, frozen=True, kw_only=True):
    staff_id: UUID
    role: Role


class AdoptProtocol(Command, frozen=True, kw_only=True):
    """`adopted_by` is the prescriber who gives the command. An example is refused: see `protocol.adopted`."""

    document: Protocol
    adopted_by: UUID


class PublishPriceList(Command, frozen=True, kw_only=True):
    price_list_id: UUID
    effective_from: date
    currency: Code
    items: tuple[PriceItem, ...]


def decide_staff(state: State, command: AssignStaff | UnassignStaff, facts: Facts) -> Decision:
    """Raises RoleNotForStaff, StaffNotInService, LicenceNotInDate, AlreadyAssigned; NotAssigned."""
    require_clinic(state)
    at = command.at
    assigned = (command.staff_id, command.role) in state.staff
    if isinstance(command, UnassignStaff):
        if not assigned:
            raise NotAssigned(staff_id=str(command.staff_id), role=command.role, pointer="/staff_id")
        return Decision((StaffUnassigned(
            occurred_at=at, late_reason=command.late_reason, staff_id=command.staff_id, role=command.role),))
    if command.role not in STAFF_ROLES:
        raise RoleNotForStaff(role=command.role, pointer="/role")
    if assigned:
        raise AlreadyAssigned(staff_id=str(command.staff_id), role=command.role, pointer="/staff_id")
    if not facts.staff_in_service:
        raise StaffNotInService(staff_id=str(command.staff_id), pointer="/staff_id")
    licensed = {"prescriber": facts.prescriber_in_date, "nurse": facts.nurse_in_date}
    if not licensed.get(command.role, True):
        raise LicenceNotInDate(staff_id=str(command.staff_id), role=command.role, pointer="/staff_id")
    return Decision((StaffAssigned(
        occurred_at=at, late_reason=command.late_reason, staff_id=command.staff_id, role=command.role),))


def decide_adoption(state: State, command: AdoptProtocol, facts: Facts) -> Decision:
    """A prescriber of this clinic, in date and in person, adopts a document under its author's own name.

    Raises NotThePrescriber, PrescriberNotAssigned, LicenceNotInDate, ExampleProtocol, ProtocolVersionNotNext,
    ProtocolNotValid.
    """
    require_clinic(state)
    who, document = str(command.adopted_by), command.document
    if command.by.role not in ("prescriber", "owner") or command.by.id != who:
        raise NotThePrescriber(prescriber_id=who, pointer="/adopted_by")
    if not state.works_here(command.adopted_by, "prescriber"):
        raise PrescriberNotAssigned(prescriber_id=who, pointer="/adopted_by")
    if not facts.prescriber_in_date:
        raise LicenceNotInDate(staff_id=who, role="prescriber", pointer="/adopted_by")
    if document.example or document.author.strip() == EXAMPLE_AUTHOR:
        raise ExampleProtocol(author=document.author, pointer="/document/example")
    highest = max((one.protocol_version for one in state.protocols), default=0)
    if document.protocol_version <= highest:
        raise ProtocolVersionNotNext(
            protocol_version=document.protocol_version, highest=highest, pointer="/document/protocol_version")
    validate(document)
    return Decision((ProtocolAdopted(
        occurred_at=command.at, late_reason=command.late_reason, protocol_version=document.protocol_version,
        document=document, adopted_by=command.adopted_by,
    ),))


_CURRENCY = re.compile(r"[A-Z]{3}")


def decide_prices(state: State, command: PublishPriceList) -> Decision:
    """Raises PriceListAlreadyPublished, PriceListNotValid."""
    require_clinic(state)
    if any(one.price_list_id == command.price_list_id for one in state.price_lists):
        raise PriceListAlreadyPublished(price_list_id=str(command.price_list_id), pointer="/price_list_id")
    if not _CURRENCY.fullmatch(command.currency):
        raise PriceListNotValid("not an ISO 4217 currency code", currency=command.currency[:10], pointer="/currency")
    if not command.items:
        raise PriceListNotValid("a price list has at least one item", pointer="/items")
    seen: set[Code] = set()
    for index, item in enumerate(command.items):
        if item.code in seen or not item.code.strip() or item.amount_cents < 0:
            raise PriceListNotValid(code=item.code[:60], amount_cents=item.amount_cents, pointer=f"/items/{index}")
        seen.add(item.code)
    return Decision((PriceListPublished(
        occurred_at=command.at, late_reason=command.late_reason, price_list_id=command.price_list_id,
        effective_from=command.effective_from, currency=command.currency, items=command.items,
    ),))


def prices_on(state: State, local_date: date) -> PriceList | None:
    """The price list in force on a local date: the last published of those with the latest `effective_from`."""
    lists = [one for one in state.price_lists if one.effective_from <= local_date]
    return max(reversed(lists), key=lambda one: one.effective_from, default=None)


def evolve_conduct(state: State, event: Event) -> State:
    """The state after an event of this file; any other changes nothing."""
    match event:
        case StaffAssigned():
            return replace(state, staff=state.staff | {(event.staff_id, event.role)})
        case StaffUnassigned():
            return replace(state, staff=state.staff - {(event.staff_id, event.role)})
        case ProtocolAdopted():
            return replace(state, protocols=(*state.protocols, event.document))
        case PriceListPublished():
            prices = PriceList(
                price_list_id=event.price_list_id, effective_from=event.effective_from, currency=event.currency,
                items=event.items)
            return replace(state, price_lists=(*state.price_lists, prices))
    return state

"""Intention or fact: a rule refuses the first and marks the second.

A command whose `at` is more than `LATE_AFTER` before `now` is a *late entry*: a fact that somebody charts
afterwards. All else is an *intention*: it is about to happen and can still be refused. A broken rule raises for
an intention; for a late entry the fact is accepted with its reason and each broken rule is added as
`RuleBreached`. What cannot have happened (stop before start, two runs at once) is refused either way: the
deciding functions raise that themselves and hand over only rules of care as `broken`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from domain.infusion.facts import Facts
from domain.infusion.state import State
from domain.kernel import BadInput, Code, Command, DomainError, Event
from domain.vocabulary.people import PROFESSIONS

LATE_AFTER: Final = timedelta(minutes=2)
"""How long before `now` an act may lie and still count as happening now; as wide as the tolerance ahead."""

WITHIN: Final = timedelta(days=3653)
"""How far from `now` (or from what it corrects) a moment may lie: ten years, to catch 2206 and year 1 (a proposal)."""

PRESCRIBING: Final = frozenset({"prescriber", "owner"})
"""Roles in which somebody orders, overrides and signs off (an owner acts in every role)."""


class VisitNotBegun(DomainError):
    """The patient has not arrived (yet, at that time)."""


class VisitEnded(DomainError):
    """The visit had ended by then."""


class BreachNeedsReason(DomainError):
    """A late entry that breaks a rule needs its reason."""


class PrescriberNeeded(DomainError):
    """Only a prescriber may do this."""


class PrescriberNotLicensed(DomainError):
    """The prescriber has no medical licence in date."""


class NurseNotCredentialed(DomainError):
    """The nurse has no credential in date."""


class NoProtocolAdopted(DomainError):
    """The clinic has adopted no protocol, so there are no limits to give drug by."""


class ImplausibleAmount(BadInput):
    """A dose, rate, volume or duration that cannot be."""


class ImplausibleMoment(BadInput):
    """A moment without an offset, or more than ten years away: a slip at entry."""


class Outcome(msgspec.Struct, frozen=True):
    """What an act comes to: its events (the first is the act itself) and the rules of care it breaks.

    `broken` refuses an intention; `noted` never refuses, it only goes on the work list.
    """

    events: tuple[Event, ...]
    broken: tuple[DomainError, ...] = ()
    noted: tuple[DomainError, ...] = ()


def is_late(command: Command) -> bool:
    """Whether the command charts a fact afterwards."""
    return command.at < command.now - LATE_AFTER


def local_date(moment: datetime, facts: Facts) -> date:
    """The clinic's calendar day."""
    return moment.astimezone(ZoneInfo(facts.timezone)).date()


def enforce(command: Command, broken: Sequence[DomainError]) -> None:
    """Raises the first broken rule of an intention (naming the others in `also`); lets a reasoned fact pass."""
    if not broken:
        return
    if not is_late(command):
        if len(broken) > 1:
            broken[0].data["also"] = ",".join(error.code for error in broken[1:])
        raise broken[0]
    if not command.late_reason:
        rules = ",".join(error.code for error in broken)
        raise BreachNeedsReason(rules=rules, pointer="/late_reason")


def check_moments(of: msgspec.Struct, names: Iterable[str], near: datetime, at: str = "") -> None:
    """Raises ImplausibleMoment for a datetime among the fields `names` that is naive or too far from `near`."""
    for name in names:
        moment = getattr(of, name)
        if isinstance(moment, datetime) and (moment.tzinfo is None or abs(moment - near) > WITHIN):
            raise ImplausibleMoment(field=name, value=moment.isoformat(), pointer=f"{at}/{name}")


def present(state: State, then: State, command: Command) -> None:
    """Raises VisitNotBegun, VisitEnded unless the patient was in the visit at `command.at`."""
    if then.arrived_at is None:
        raise VisitNotBegun(arrived_at=state.arrived_at.isoformat() if state.arrived_at else None, pointer="/at")
    if then.ending is not None:
        raise VisitEnded(ended_at=then.ending.at.isoformat(), pointer="/at")


def begun(state: State, then: State) -> None:
    """Raises VisitNotBegun; for what may be done after the visit has ended too."""
    if then.arrived_at is None:
        raise VisitNotBegun(arrived_at=state.arrived_at.isoformat() if state.arrived_at else None, pointer="/at")


def positive(amounts: Iterable[tuple[str, Decimal | int]], *, zero: bool = False) -> None:
    """Raises ImplausibleAmount for a field that is not a finite number above 0 (or, with `zero`, at least 0)."""
    for field, amount in amounts:
        number = Decimal(amount)
        if not number.is_finite() or number < 0 or (number == 0 and not zero) or number >= 1_000_000:
            raise ImplausibleAmount(field=field, value=str(amount), pointer=f"/{field}")


def credential_in_date(facts: Facts, staff_id: UUID, kinds: Iterable[Code], at: datetime) -> bool:
    """Whether the person holds one of `kinds` on the clinic-local date of `at`."""
    person = facts.staff.get(staff_id)
    if person is None or person.has_left:
        return False
    wanted, day = frozenset(kinds), local_date(at, facts)
    return any(c.kind in wanted and c.valid_from <= day <= c.valid_until for c in person.credentials)


PRESCRIBES: Final = frozenset(p.licence for p in PROFESSIONS.values() if p.prescribes and p.licence)
"""Credentials that a prescriber practises on; any one of them in date will do."""

NURSES: Final = PRESCRIBES | frozenset({"nursing_license"})
"""Credentials on which somebody watches an infusion."""


def unlicensed_prescriber(facts: Facts, staff_id: UUID, at: datetime) -> tuple[DomainError, ...]:
    """PrescriberNotLicensed unless a licence to prescribe is in date."""
    if credential_in_date(facts, staff_id, PRESCRIBES, at):
        return ()
    return (PrescriberNotLicensed(prescriber_id=str(staff_id), pointer="/prescriber_id"),)


def uncredentialed_nurse(facts: Facts, staff_id: UUID, at: datetime) -> tuple[DomainError, ...]:
    """NurseNotCredentialed unless a nursing (or a prescriber's) licence is in date."""
    if credential_in_date(facts, staff_id, NURSES, at):
        return ()
    return (NurseNotCredentialed(nurse_id=str(staff_id), pointer="/nurse_id"),)


def not_a_prescriber(command: Command) -> tuple[DomainError, ...]:
    """PrescriberNeeded unless the command comes in a prescribing role."""
    return () if command.by.role in PRESCRIBING else (PrescriberNeeded(role=command.by.role),)

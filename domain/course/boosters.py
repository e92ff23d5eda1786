"""Boosters: maintenance infusions scheduled before relief has gone, and when the next one is due.

DESIGN section 7: due = drug stop + 0.8 x median of the patient's last three completed spells since the end of
the series; with none, the protocol's default interval, labelled so; never under its minimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from domain.course.spells import completed_since_series
from domain.course.state import Facts, GivenInfusion, State, require_open
from domain.kernel import Code, Command, Decision, DomainError, Event
from domain.vocabulary.reasons import BOOSTER_CANCELLED, BOOSTER_RESCHEDULED, BOOSTER_SCHEDULED
from domain.vocabulary.term import require

SHARE_OF_SPELL = Decimal("0.8")
LAST_SPELLS = 3



class NothingToMaintain(DomainError):
    """A booster follows an infusion of this course that helped; none was given."""


class BoosterAlreadyScheduled(DomainError):
    """A booster is scheduled; reschedule or cancel it."""


class BoosterTooEarly(DomainError):
    """Sooner after the last infusion than the protocol's minimum interval."""


class BoosterDueDiffers(DomainError):
    """The date is not the one these spells give."""


class NoSuchAppointment(DomainError):
    """The patient has no such appointment booked."""


class NoSuchBooster(DomainError):
    """No such booster is scheduled."""


PAIN_RETURNED, BOOKED = "pain_returned", "booked"
"""Reasons of rescheduling that mean more than another date: BOOKED means none."""


class BoosterScheduled(Event, frozen=True, kw_only=True):
    """reason_code: own_spells (with them in `basis_days`), protocol_default, clinical."""

    NAME: ClassVar[str] = "course.booster_scheduled.v1"
    booster_id: UUID
    due_on: date
    reason_code: Code
    basis_days: tuple[Decimal, ...] = ()
    appointment_id: UUID | None = None


class BoosterRescheduled(Event, frozen=True, kw_only=True):
    """A maintenance infusion has another due date, or got its appointment."""

    NAME: ClassVar[str] = "course.booster_rescheduled.v1"
    booster_id: UUID
    due_on: date
    reason_code: Code
    appointment_id: UUID | None = None


class BoosterCancelled(Event, frozen=True, kw_only=True):
    """A planned maintenance infusion will not take place."""

    NAME: ClassVar[str] = "course.booster_cancelled.v1"
    booster_id: UUID
    reason_code: Code


class ScheduleBooster(Command, frozen=True, kw_only=True):
    """`due_on` None: computed by `booster_due`, which then also says from what (the reason code given is not used)."""

    booster_id: UUID
    due_on: date | None = None
    reason_code: Code = "own_spells"
    basis_days: tuple[Decimal, ...] = ()
    appointment_id: UUID | None = None


class RescheduleBooster(Command, frozen=True, kw_only=True):
    booster_id: UUID
    due_on: date
    reason_code: Code
    appointment_id: UUID | None = None


class CancelBooster(Command, frozen=True, kw_only=True):
    booster_id: UUID
    reason_code: Code


class LinkBooster(Command, frozen=True, kw_only=True):
    """An appointment was booked for the scheduled booster, or fell through (None); issued with the booking."""

    booster_id: UUID
    appointment_id: UUID | None
    reason_code: Code


class BoosterDue(msgspec.Struct, frozen=True, kw_only=True):
    """When the next booster is due. reason_code: own_spells or protocol_default. `basis_days` are the spells used."""

    due_at: datetime
    reason_code: Code
    basis_days: tuple[Decimal, ...] = ()

    def due_on(self, timezone: str) -> date:
        """The clinic-local date."""
        return self.due_at.astimezone(ZoneInfo(timezone)).date()


def booster_due(
    drug_stopped_at: datetime, spells_days: Sequence[Decimal], default_days: int, minimum_days: int
) -> BoosterDue:
    """Due after the last drug stop, from completed spells of relief in days (oldest first), or by default."""
    basis = tuple(spells_days[-LAST_SPELLS:])
    interval = SHARE_OF_SPELL * median(basis) if basis else Decimal(default_days)
    interval = max(interval, Decimal(minimum_days))
    return BoosterDue(
        due_at=drug_stopped_at + timedelta(days=float(interval)),
        reason_code="own_spells" if basis else "protocol_default",
        basis_days=basis,
    )


def next_booster(state: State, facts: Facts) -> BoosterDue:
    """What the course's own history gives. Raises NothingToMaintain."""
    if not facts.infusions:
        raise NothingToMaintain()
    spells = completed_since_series(
        facts.infusions, facts.scores, state.transferred_at, given_for_pain(state, facts.infusions)
    )
    return booster_due(
        facts.infusions[-1].drug_stopped_at, spells, facts.booster_default_days, facts.booster_minimum_days,
    )


def given_for_pain(state: State, infusions: Sequence[GivenInfusion]) -> frozenset[UUID]:
    """The boosters given after the last word before them had brought one forward because pain had returned."""
    found = set()
    for one in infusions:
        said = [returned for at, returned in state.brought_forward if at <= one.drug_started_at]
        if one.purpose == "booster" and said and said[-1]:
            found.add(one.infusion_id)
    return frozenset(found)


def still_scheduled(state: State, infusions: Sequence[GivenInfusion]) -> bool:
    """Whether the scheduled booster has not been given yet."""
    booster = state.booster
    return booster is not None and not any(
        one.purpose == "booster" and one.drug_started_at >= booster.scheduled_at for one in infusions
    )


def decide_booster(state: State, command: ScheduleBooster, facts: Facts) -> Decision:
    """Raises CourseNotOpen, UnknownCode, NothingToMaintain, BoosterAlreadyScheduled, NoSuchAppointment,
    BoosterTooEarly, BoosterDueDiffers."""
    require_open(state)
    require(command.reason_code, BOOSTER_SCHEDULED, "/reason_code")
    if command.booster_id in state.booster_ids or still_scheduled(state, facts.infusions):
        raise BoosterAlreadyScheduled(booster_id=str(state.booster_ids[-1]))
    _require_booked(command.appointment_id, facts)
    computed = next_booster(state, facts)
    if command.due_on is None:
        due_on, reason, basis = computed.due_on(facts.timezone), computed.reason_code, computed.basis_days
    else:
        due_on, reason, basis = command.due_on, command.reason_code, command.basis_days
        _require_not_before_minimum(due_on, facts)
        _require_as_computed(command, due_on, facts)
    return Decision((BoosterScheduled(
        occurred_at=command.at, late_reason=command.late_reason, booster_id=command.booster_id, due_on=due_on,
        reason_code=reason, basis_days=basis, appointment_id=command.appointment_id,
    ),))


def decide_reschedule(state: State, command: RescheduleBooster, facts: Facts) -> Decision:
    """Raises CourseNotOpen, NoSuchBooster, UnknownCode, NoSuchAppointment, BoosterTooEarly."""
    require_open(state)
    _require_scheduled(state, command.booster_id, facts)
    require(command.reason_code, BOOSTER_RESCHEDULED, "/reason_code")
    _require_booked(command.appointment_id, facts)
    _require_not_before_minimum(command.due_on, facts)
    return Decision((BoosterRescheduled(
        occurred_at=command.at, late_reason=command.late_reason, booster_id=command.booster_id,
        due_on=command.due_on, reason_code=command.reason_code, appointment_id=command.appointment_id,
    ),))


def decide_link(state: State, command: LinkBooster, facts: Facts) -> Decision:
    """The due date stays; nothing when that booster is no longer the one scheduled."""
    booster = state.booster
    if booster is None or booster.booster_id != command.booster_id:
        return Decision(())
    return Decision((BoosterRescheduled(
        occurred_at=command.at, late_reason=command.late_reason, booster_id=command.booster_id,
        due_on=booster.due_on, reason_code=command.reason_code, appointment_id=command.appointment_id,
    ),))


def decide_cancel(state: State, command: CancelBooster, facts: Facts) -> Decision:
    """Raises CourseNotOpen, NoSuchBooster, UnknownCode."""
    require_open(state)
    _require_scheduled(state, command.booster_id, facts)
    require(command.reason_code, BOOSTER_CANCELLED, "/reason_code")
    return Decision((BoosterCancelled(
        occurred_at=command.at, late_reason=command.late_reason, booster_id=command.booster_id,
        reason_code=command.reason_code,
    ),))


def _require_scheduled(state: State, booster_id: UUID, facts: Facts) -> None:
    if state.booster is None or state.booster.booster_id != booster_id or not still_scheduled(state, facts.infusions):
        raise NoSuchBooster(booster_id=str(booster_id), pointer="/booster_id")


def _require_booked(appointment_id: UUID | None, facts: Facts) -> None:
    if appointment_id is not None and appointment_id not in facts.appointments:
        raise NoSuchAppointment(appointment_id=str(appointment_id), pointer="/appointment_id")


def _require_not_before_minimum(due_on: date, facts: Facts) -> None:
    if not facts.infusions:
        raise NothingToMaintain()
    stopped = facts.infusions[-1].drug_stopped_at.astimezone(ZoneInfo(facts.timezone)).date()
    earliest = stopped + timedelta(days=facts.booster_minimum_days)
    if due_on < earliest:
        raise BoosterTooEarly(due_on=due_on.isoformat(), earliest=earliest.isoformat(), pointer="/due_on")


def _require_as_computed(command: ScheduleBooster, due_on: date, facts: Facts) -> None:
    """A date said to follow from spells or from the default must follow from them."""
    if command.reason_code == "clinical":
        return
    spells = command.basis_days if command.reason_code == "own_spells" else ()
    given = booster_due(
        facts.infusions[-1].drug_stopped_at, spells, facts.booster_default_days, facts.booster_minimum_days,
    )
    if given.reason_code != command.reason_code or given.due_on(facts.timezone) != due_on:
        raise BoosterDueDiffers(due_on=due_on.isoformat(), computed=given.due_on(facts.timezone).isoformat(),
                                pointer="/due_on")

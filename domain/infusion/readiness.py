"""What must hold before the first drug of a visit flows: course, papers, people, and this visit's own checks.

Each broken rule is its own error. Days are clinic-local calendar days; "inside n days" includes the n-th.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from domain.infusion.arrival import PatientNotRoomed, RoomNotInService, elsewhere
from domain.infusion.facts import Facts
from domain.infusion.limits import same_day
from domain.infusion.rules import NoProtocolAdopted, local_date, uncredentialed_nurse, unlicensed_prescriber
from domain.infusion.state import State
from domain.infusion.weight import WeightNotMeasured
from domain.kernel import Code, DomainError
from domain.protocol import Limit, Protocol, check_limit, crossed
from domain.vocabulary.contraindications import CONTRAINDICATIONS


class NoOpenCourse(DomainError):
    """The patient has no open course for this visit."""


class ConsultationOutOfDate(DomainError):
    """There is no consultation inside the protocol's days."""


class ConsentOutOfDate(DomainError):
    """There is no consent inside the protocol's days."""


class ScreeningOutOfDate(DomainError):
    """There is no screening inside the protocol's days."""


class ResponseNotPositive(DomainError):
    """After the first infusion: no positive response, and no prescriber's decision to go on."""


class UncontrolledContraindication(DomainError):
    """A condition that precludes ketamine is uncontrolled and not cleared by a prescriber."""


class DriverNotNamed(DomainError):
    """Nobody is named who takes the patient home."""


class VitalsMissing(DomainError):
    """Vital signs that the protocol's hold limits need were not taken at this visit."""


class VitalsOutOfDate(DomainError):
    """Vital signs that the protocol's hold limits need were taken too long before the start: take them again."""


class VitalBeyondHoldLimit(DomainError):
    """A vital sign is beyond the protocol's hold limit: no start."""


class VitalBeyondSoftLimit(DomainError):
    """A vital sign is beyond the protocol's soft limit: repeat after rest, or give a prescriber's reason."""


class NoDoseOrder(DomainError):
    """There is no dose order in this visit."""


class VitalHit(msgspec.Struct, frozen=True):
    """The latest value of a sign beyond a limit before the start."""

    sign: Code
    value: Decimal
    bound: Decimal


def unready(then: State, at: datetime, facts: Facts) -> Iterator[DomainError]:
    """Every rule that starting drug at `at` would break, except soft vital limits (`soft_vitals`)."""
    yield from _course(then, facts)
    if facts.protocol is None:
        yield NoProtocolAdopted()
    else:
        yield from _papers(facts, facts.protocol, at)
        yield from _vitals(then, facts.protocol, at)
    yield from _contraindications(then, at, facts)
    yield from _visit(then, at, facts)
    if then.order is None:
        yield NoDoseOrder()
    else:
        yield from unlicensed_prescriber(facts, then.order.prescriber_id, at)
    yield from same_day(facts, then.order)


def own_unready(then: State, at: datetime, facts: Facts) -> Iterator[DomainError]:
    """The part of it that the visit's own entries and the protocol decide: judged again after a correction."""
    if then.room_id is None:
        yield PatientNotRoomed()
    if then.check is None:
        yield WeightNotMeasured()
    elif not then.check.driver_named:
        yield DriverNotNamed()
    if then.order is None:
        yield NoDoseOrder()
    if facts.protocol is not None:
        yield from _vitals(then, facts.protocol, at)
        yield from (soft_error(hit) for hit in soft_vitals(then, facts) if hit.sign not in then.vital_overrides)


def soft_error(hit: VitalHit) -> VitalBeyondSoftLimit:
    """The named error of a soft limit."""
    return VitalBeyondSoftLimit(
        sign=hit.sign, value=str(hit.value), limit=str(hit.bound), pointer="/override_reason_code")


def _course(then: State, facts: Facts) -> Iterator[DomainError]:
    course = facts.course
    if course is None or not course.is_open:
        yield NoOpenCourse(course_id=str(then.course_id) if then.course_id is not None else None)
        return
    go_on = course.response_decision == "go_on" or (course.response_positive and course.response_decision != "stop")
    if course.infusions_given >= 1 and not go_on:
        yield ResponseNotPositive(
            assessed=course.response_positive is not None, decision=course.response_decision,
            infusions_given=course.infusions_given)


def _papers(facts: Facts, protocol: Protocol, at: datetime) -> Iterator[DomainError]:
    papers = (
        (ConsultationOutOfDate, facts.consultation_held_at, protocol.consultation_valid_days),
        (ConsentOutOfDate, facts.consent_signed_at, protocol.consent_valid_days),
        (ScreeningOutOfDate, facts.screened_at, protocol.screening_valid_days),
    )
    for error, dated, days in papers:
        if dated is None or (local_date(at, facts) - local_date(dated, facts)).days > days:
            yield error(dated=dated.isoformat() if dated is not None else None, valid_days=days)


def _contraindications(then: State, at: datetime, facts: Facts) -> Iterator[DomainError]:
    today = local_date(at, facts)
    found = {finding.contraindication for finding in facts.findings if finding.status == "uncontrolled"}
    if then.check is not None and then.check.questions.pregnancy == "positive":
        found.add("pregnancy")
    cleared = {
        clearance.contraindication for clearance in facts.clearances
        if clearance.valid_until >= today and _clearable(clearance.contraindication)
    }
    for code in sorted(found - cleared):
        yield UncontrolledContraindication(contraindication=code)


def _clearable(code: Code) -> bool:
    known = CONTRAINDICATIONS.get(code)
    return known is None or known.clearable


def _visit(then: State, at: datetime, facts: Facts) -> Iterator[DomainError]:
    yield from elsewhere(facts)
    room = then.room_id
    if room is None:
        yield PatientNotRoomed()
    elif room in facts.rooms and not facts.rooms[room].in_service:
        yield RoomNotInService(room_id=str(room))
    if then.check is None:
        yield WeightNotMeasured()
        return
    if not then.check.driver_named:
        yield DriverNotNamed()
    yield from uncredentialed_nurse(facts, then.check.nurse_id, at)


def _vitals(then: State, protocol: Protocol, at: datetime) -> Iterator[DomainError]:
    missing = sorted(sign for sign in protocol.vitals.hold if sign not in then.vitals)
    if missing:
        yield VitalsMissing(missing=",".join(missing))
    if protocol.baseline_minutes is not None:
        oldest = at - timedelta(minutes=protocol.baseline_minutes)
        old = sorted(sign for sign in protocol.vitals.hold if sign in then.vitals and then.vitals[sign].at < oldest)
        if old:
            yield VitalsOutOfDate(signs=",".join(old), valid_minutes=protocol.baseline_minutes)
    for hit in _hits(then, protocol.vitals.hold, "hard"):
        yield VitalBeyondHoldLimit(sign=hit.sign, value=str(hit.value), limit=str(hit.bound))


def soft_vitals(then: State, facts: Facts) -> tuple[VitalHit, ...]:
    """Latest values (a repeat after rest counts) beyond a soft limit but not beyond a hold limit."""
    if facts.protocol is None:
        return ()
    held = {hit.sign for hit in _hits(then, facts.protocol.vitals.hold, "hard")}
    return tuple(hit for hit in _hits(then, facts.protocol.vitals.soft, "soft") if hit.sign not in held)


def _hits(then: State, limits: dict[Code, Limit], verdict: str) -> tuple[VitalHit, ...]:
    found = []
    for sign, limit in limits.items():
        reading = then.vitals.get(sign)
        bound = crossed(limit, reading.value) if reading is not None else None
        if reading is not None and bound is not None and check_limit(limit, reading.value) == verdict:
            found.append(VitalHit(sign, reading.value, bound))
    return tuple(found)

"""What follows from an entry besides itself: computed figures, rules judged again, claims on room and patient.

Nothing is edited: a changed figure is an `EntryAmended(reason_code="recomputed")` on InfusionGiven in the same
decision, a rule that turns out broken is one more `RuleBreached`, one that turns out kept strikes its breach.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from domain.corrections import Entry, EntryAmended, EntryStruck
from domain.infusion.alerts import unwatched
from domain.infusion.departure import PatientDischarged, RuleBreached, unfit_to_leave
from domain.infusion.drug_given import drug_hits, given_of
from domain.infusion.drug_run import BolusGiven, InfusionGiven, InfusionResumed, InfusionStarted, RateChanged
from domain.infusion.facts import Facts
from domain.infusion.folding import apply, as_of
from domain.infusion.limits import error_of, uncovered
from domain.infusion.order import DoseOrdered, order_hits
from domain.infusion.readiness import own_unready
from domain.infusion.rules import is_late
from domain.infusion.sequence import only_adds
from domain.infusion.state import State, initial
from domain.infusion.watched_again import phases_again
from domain.kernel import Claim, Code, Command, DomainError, Event, Release

RECOMPUTED: Code = "recomputed"
NO_LONGER_SO: Code = "did_not_happen"


def breaches(broken: Iterable[DomainError], entry: int, at: datetime) -> tuple[RuleBreached, ...]:
    """The broken rules as facts of the visit, about entry `entry`."""
    return tuple(_breach(error, entry, at) for error in broken)


def _breach(error: DomainError, entry: int, at: datetime) -> RuleBreached:
    data = {key: str(value) for key, value in error.data.items() if key not in ("pointer", "also")}
    return RuleBreached(occurred_at=at, rule=error.code, entry=entry, data=data)


def consequences(before: State, after: State, command: Command, facts: Facts) -> tuple[Event, ...]:
    """What `after` needs on top, given that `before` was consistent."""
    if only_adds(before, after) and not is_late(command):
        return ()
    return (
        *phases_again(before, after, command.now, facts),
        *_judged_again(before, after, command, facts),
        *_recomputed(after, command, facts))


# --- what was given ------------------------------------------------------------------------------


def _recomputed(after: State, command: Command, facts: Facts) -> Iterator[Event]:
    """The one InfusionGiven brought in line with the run; written or struck when the run came or went."""
    run, given = after.run, after.given
    if not run.over:
        return
    if given is None:
        if run.ran and run.stopped_early:
            yield given_of(as_of(after, _moment(run.stopped_at)), run, facts)
        return
    if not run.ran:
        yield EntryStruck(
            occurred_at=command.now, entry=given.version, entry_name=InfusionGiven.NAME, reason_code=NO_LONGER_SO)
        return
    expected = given_of(as_of(after, _moment(run.stopped_at)), run, facts)
    if as_of(after, _moment(run.stopped_at)).dosing_weight_kg is None:
        expected = msgspec.structs.replace(expected, dose_mg_per_kg=given.event.dose_mg_per_kg)
    corrections = _difference(given.event, expected)
    if corrections:
        yield EntryAmended(
            occurred_at=command.now, entry=given.version, entry_name=InfusionGiven.NAME, corrections=corrections,
            reason_code=RECOMPUTED)


def _moment(at: datetime | None) -> datetime:
    assert at is not None
    return at


def _difference(was: InfusionGiven, expected: InfusionGiven) -> dict[str, Any]:
    names = ("course_id", "purpose", "drug_started_at", "dose_mg", "dose_mg_per_kg", "minutes", "complete")
    return {
        name: msgspec.to_builtins(getattr(expected, name))
        for name in names if getattr(expected, name) != getattr(was, name)
    }


# --- rules judged again --------------------------------------------------------------------------


class Judgement(NamedTuple):
    """A rule that entry `entry` broke; `about` tells apart several of one rule (a limit, a sign)."""

    entry: int
    rule: Code
    about: str


def _judged_again(before: State, after: State, command: Command, facts: Facts) -> Iterator[Event]:
    """Breaches that a correction or late entry made, and strikes of those that it took away.

    Only what this visit and the protocol decide is judged again, and before and after by the same protocol, so a
    protocol adopted in between changes nothing.
    """
    was, now, standing = judged(before, facts), judged(after, facts), _standing(after)
    for key, error in now.items():
        if key not in was and key not in standing:
            yield _breach(error, key.entry, _time_of(after, key.entry))
    for key, version in standing.items():
        if key in was and key not in now:
            yield EntryStruck(
                occurred_at=command.now, entry=version, entry_name=RuleBreached.NAME, reason_code=NO_LONGER_SO)


def judged(state: State, facts: Facts) -> dict[Judgement, DomainError]:
    """Every rule of this visit's own that its entries break, each entry judged by what stood just before it."""
    found: dict[Judgement, DomainError] = {}
    overrides = {order.order_id: order.overrides for order in state.orders}
    then = initial(state.stream_id)
    for entry in state.entries:
        if entry.struck:
            continue
        covered = tuple(msgspec.structs.replace(o, overrides=overrides.get(o.order_id, ())) for o in then.orders)
        seen = msgspec.structs.replace(then, orders=covered, vital_overrides=state.vital_overrides)
        for error in _broken_by(seen, entry, state, facts):
            found.setdefault(Judgement(entry.version, error.code, _about(error.data)), error)
        then = apply(then, entry)
    return found


def _broken_by(then: State, entry: Entry, whole: State, facts: Facts) -> Iterator[DomainError]:
    event = entry.event
    match event:
        case DoseOrdered():
            order = next((order for order in whole.orders if order.version == entry.version), None)
            weight = then.check.weight_kg if then.check is not None else event.weight_kg
            weighed = event if event.weight_basis != "actual" else msgspec.structs.replace(event, weight_kg=weight)
            hits = uncovered(order_hits(weighed, facts), order)
        case InfusionStarted() | BolusGiven() | RateChanged() | InfusionResumed():
            hits = drug_hits(then, event, facts)
            if not then.run.given:
                yield from own_unready(then, event.occurred_at, facts)
            elif not isinstance(event, InfusionStarted | RateChanged) or _up(then, event):
                yield from unwatched(then, event.occurred_at, facts)
        case PatientDischarged() if then.run.given and (then.run.over or then.run.started_at is None):
            yield from unfit_to_leave(then, event, facts)
            return
        case _:
            return
    yield from (error_of(hit) for hit in hits if hit.limit != "hours_since_last")


def _up(then: State, event: InfusionStarted | RateChanged) -> bool:
    return isinstance(event, RateChanged) and event.rate_mg_per_h > then.run.rate_mg_per_h


def _standing(state: State) -> dict[Judgement, int]:
    return {
        Judgement(entry.event.entry, entry.event.rule, _about(entry.event.data)): entry.version
        for entry in state.entries if isinstance(entry.event, RuleBreached) and not entry.struck
    }


def _about(data: Mapping[str, Any]) -> str:
    return str(next((data[name] for name in ("limit", "sign", "side_effect_id") if name in data), ""))


def _time_of(state: State, version: int) -> datetime:
    return next(entry.event.occurred_at for entry in state.entries if entry.version == version)


# --- claims --------------------------------------------------------------------------------------


class Hold(NamedTuple):
    """An interval of a resource; open-ended until it is given back."""

    starts: datetime
    ends: datetime | None


def holds(state: State) -> dict[str, tuple[Hold, ...]]:
    """What the visit holds: the patient from arrival to the ending, each room from roomed to released or moved."""
    held: dict[str, tuple[Hold, ...]] = {}
    if state.arrived_at is not None and state.patient_id is not None:
        ended_at = state.ending.at if state.ending is not None else None
        held[f"patient-visit:{state.patient_id}"] = (Hold(state.arrived_at, ended_at),)
    for use in state.rooms:
        resource = f"room-use:{use.room_id}"
        held[resource] = (*held.get(resource, ()), Hold(use.starts, use.ends))
    return held


def claims_between(before: State, after: State, *, enforced: bool) -> tuple[tuple[Claim, ...], tuple[Release, ...]]:
    """The claims and releases that take what `before` held to what `after` holds.

    A past fact is written even if it overlaps (`enforced=False`); releases are to be applied first.
    """
    held, wanted, holder = holds(before), holds(after), f"infusion:{after.stream_id}"
    claims: list[Claim] = []
    releases: list[Release] = []
    for resource in sorted(held.keys() | wanted.keys()):
        was, now = held.get(resource, ()), wanted.get(resource, ())
        if was == now:
            continue
        if was and now[: len(was) - 1] == was[:-1] and len(now) >= len(was):
            last, same = was[-1], now[len(was) - 1]
            if last.starts == same.starts and last.ends is None and same.ends is not None:
                releases.append(Release(resource=resource, holder=holder, ends=same.ends))
                now = now[len(was):]
            elif last == same:
                now = now[len(was):]
            else:
                releases.append(Release(resource=resource, holder=holder))
        elif was:
            releases.append(Release(resource=resource, holder=holder))
        claims.extend(
            Claim(resource=resource, holder=holder, starts=hold.starts, ends=hold.ends, enforce=enforced)
            for hold in now)
    return tuple(claims), tuple(releases)

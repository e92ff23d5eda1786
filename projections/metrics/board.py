"""The room board: where each room and each patient in the house stands at one moment, and what waits to be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec

from domain.infusion.drug_run import (
    BolusGiven,
    DrugRun,
    InfusionPaused,
    InfusionResumed,
    InfusionStarted,
    InfusionStoppedEarly,
    RateChanged,
    dose_of,
    step,
)
from domain.kernel import Event
from projections.facts.encoding import HOUR, MINUTE, micros, moment
from projections.metrics.bookings import Slot
from projections.metrics.calendar import ClinicCalendar, Period, Room, local_date
from projections.metrics.figures import Figure, amount
from projections.metrics.intervals import Span
from projections.metrics.visits import INFUSION_KINDS, Visit, ready_us

ROOM_STATES = (
    "preparing", "infusing", "paused", "recovering", "waiting_for_driver", "cleaning", "free", "closed",
)  # fmt: skip
UNCLOSED_AFTER = 12 * HOUR
"""A visit of an earlier day counts as unclosed once it has lasted this long: one over midnight does not."""
EXPECTED_WITHIN = 8 * HOUR
LATE_FOR = 4 * HOUR
"""A patient whose booking began longer ago is no longer expected."""

Row = Mapping[str, Any]


class Intervals(msgspec.Struct, frozen=True):
    """How often the protocol in force has patients looked at, in microseconds, and how long they are watched."""

    at_us: int
    infusing_us: int
    recovering_us: int
    monitoring_us: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One patient in the house. driver: named, missing (asked, none), not_asked.

    `drug_minutes` is the time drug ran, pauses and a rate of 0 left out; `dose_mg` what flowed. Until the drug has
    stopped, `earliest_discharge_us` rests on the order's planned minutes (discharge_basis: plan), afterwards on the
    drug stop (stop). `overdue`: vitals, sedation. `alerts` are the signs of open alerts.
    """

    infusion: str
    patient: str
    clinic: str
    visit_kind: str
    room: str | None
    state: str
    since_us: int
    arrived_us: int | None
    booked_starts_us: int | None
    driver: str
    drug_minutes: Decimal | None
    dose_mg: Decimal | None
    planned_minutes: int | None
    earliest_discharge_us: int | None
    discharge_basis: str | None
    vitals_due_us: int | None
    sedation_due_us: int | None
    overdue: tuple[str, ...]
    alerts: tuple[str, ...]
    unclosed: bool
    fact: str


class RoomNow(msgspec.Struct, frozen=True, kw_only=True):
    """One room. `since_us` is when it came into this state; `until_us` the next opening (closed) or booking (free).

    Normally one patient at most; two only where a late entry says that both were there.
    """

    room: str
    name: str
    state: str
    since_us: int | None
    until_us: int | None
    patients: tuple[Standing, ...]
    fact: str


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """A booking whose patient has not arrived. `late`: it has begun."""

    appointment: str
    patient: str
    room: str
    visit_kind: str
    starts_us: int
    late: bool
    fact: str


class LooseEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Something begun and not ended. what: visit, order, draw, alert, home_alert; `code` its kind or sign."""

    what: str
    subject: str
    infusion: str | None
    patient: str | None
    code: str | None
    since_us: int
    due_us: int | None
    overdue: bool
    fact: str


class BoardCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The board's figures, each with the facts it counts."""

    rooms: Mapping[str, Figure]
    patients_in: Figure
    waiting_for_room: Figure
    watch_overdue: Figure
    driver_needed: Figure
    unclosed_charts: Figure
    orders_open: Figure
    draws_open: Figure
    alerts_open: Figure
    arrivals_expected: Figure
    arrivals_late: Figure


class ClinicNow(msgspec.Struct, frozen=True, kw_only=True):
    """One clinic's board."""

    clinic: str
    timezone: str
    counts: BoardCounts
    rooms: tuple[RoomNow, ...]
    waiting: tuple[Standing, ...]
    expected: tuple[Expected, ...]
    loose_ends: tuple[LooseEnd, ...]


# --- one patient ----------------------------------------------------------------------------------


def standing(
    visit: Visit, watched: Sequence[Row], alerts: Iterable[str], calendar: ClinicCalendar,
    intervals: Sequence[Intervals], as_of_us: int,
) -> Standing:  # fmt: skip
    """Where one patient stands at `as_of_us`; `watched` are the visit's rows of `watch_facts`."""
    state, since = state_of(visit, calendar)
    run = drug_run(watched)
    given = dose_of(run, moment(as_of_us)) if run.given else None
    planned = next((row["planned_minutes"] for row in reversed(watched) if row["kind"] == "ordered"), None)
    inforce = _in_force(intervals, as_of_us)
    earliest, basis = _earliest_discharge(run, visit, planned, inforce, as_of_us)
    due = {what: _due(what, visit, watched, inforce) for what in ("vitals", "sedation")}
    return Standing(
        infusion=visit.infusion, patient=visit.patient, clinic=visit.clinic, visit_kind=visit.visit_kind,
        room=visit.stays[-1].room if visit.stays and visit.stays[-1].until_us is None else None,
        state=state, since_us=since, arrived_us=visit.arrived_us, booked_starts_us=visit.booked_starts_us,
        driver=_driver(watched), drug_minutes=given.minutes if given else None,
        dose_mg=given.dose_mg if given else None, planned_minutes=planned,
        earliest_discharge_us=earliest, discharge_basis=basis,
        vitals_due_us=due["vitals"], sedation_due_us=due["sedation"],
        overdue=tuple(what for what, us in due.items() if us is not None and us < as_of_us), alerts=tuple(alerts),
        unclosed=_unclosed(visit, calendar, as_of_us), fact=visit.fact,
    )  # fmt: skip


def state_of(visit: Visit, calendar: ClinicCalendar) -> tuple[str, int]:
    """The phase the visit is in and since when: see the definition of `phase_share`."""
    arrived = visit.arrived_us if visit.arrived_us is not None else visit.roomed_us
    roomed = visit.roomed_us if visit.roomed_us is not None else next((one.from_us for one in visit.stays), None)
    if roomed is None:
        return ("waiting_for_room", arrived or 0) if visit.ended_us is None else ("ended", visit.ended_us)
    if visit.ended_us is not None:
        return "cleaning", visit.ended_us
    turns = [("preparing", roomed), *((what, us) for us, what in visit.run)]
    ready = ready_us(visit, calendar)
    if ready is not None:
        turns.append(("waiting_for_driver", ready))
    return turns[-1]


def drug_run(watched: Iterable[Row]) -> DrugRun:
    """The drug's run as the rules of care fold it, from `watched` in order of occurrence."""
    run = DrugRun()
    for row in watched:
        event = _run_event(row)
        if event is not None:
            run = step(run, event)
    return run


def _run_event(row: Row) -> Event | None:
    at = moment(row["at_us"])
    match row["kind"]:
        case "started":
            return InfusionStarted(occurred_at=at, rate_mg_per_h=_milli(row["rate_ug_per_h"]))
        case "rate_changed":
            return RateChanged(occurred_at=at, rate_mg_per_h=_milli(row["rate_ug_per_h"]), reason_code="")
        case "resumed":
            return InfusionResumed(occurred_at=at, rate_mg_per_h=_milli(row["rate_ug_per_h"]))
        case "paused":
            return InfusionPaused(occurred_at=at, reason_code="")
        case "stopped":
            return InfusionStoppedEarly(occurred_at=at, reason_code="")
        case "bolus":
            return BolusGiven(occurred_at=at, dose_mg=_milli(row["dose_ug"]))
    return None


def _milli(value: int) -> Decimal:
    return Decimal(value) / 1000


def _in_force(intervals: Sequence[Intervals], at_us: int) -> Intervals | None:
    return max((one for one in intervals if one.at_us <= at_us), key=lambda one: one.at_us, default=None)


def _earliest_discharge(
    run: DrugRun, visit: Visit, planned: int | None, inforce: Intervals | None, as_of_us: int
) -> tuple[int | None, str | None]:
    if inforce is None or not run.given or visit.ended_us is not None:
        return None, None
    stops = [us for us in (micros(run.stopped_at), micros(run.last_bolus_at)) if us is not None]
    if run.over or run.started_at is None:
        return max(stops) + inforce.monitoring_us, "stop"
    if planned is None:
        return None, None
    left = max(0, planned * MINUTE - int(dose_of(run, moment(as_of_us)).minutes * MINUTE))
    return as_of_us + left + inforce.monitoring_us, "plan"


def _due(what: str, visit: Visit, watched: Iterable[Row], inforce: Intervals | None) -> int | None:
    """When the next look is due: by the infusion's interval until the drug stop, by recovery's afterwards.

    A look that was due before the stop stays due; the stop itself begins an interval of recovery.
    """
    if inforce is None or visit.started_us is None or visit.ended_us is not None:
        return None
    looks: list[int] = [row["at_us"] for row in watched if row["kind"] == what and row["measured"]]
    last = max([visit.started_us, *looks])
    if visit.stopped_us is None:
        return last + inforce.infusing_us
    if last < visit.stopped_us:
        return min(last + inforce.infusing_us, visit.stopped_us + inforce.recovering_us)
    return last + inforce.recovering_us


def _driver(watched: Sequence[Row]) -> str:
    checked = [row for row in watched if row["kind"] == "checked"]
    if not checked:
        return "not_asked"
    return "named" if checked[-1]["driver"] else "missing"


def _unclosed(visit: Visit, calendar: ClinicCalendar, as_of_us: int) -> bool:
    began = visit.arrived_us if visit.arrived_us is not None else visit.roomed_us
    return visit.ended_us is None and began is not None and long_open(began, calendar, as_of_us)


def long_open(since_us: int, calendar: ClinicCalendar, as_of_us: int) -> bool:
    """Whether it began on an earlier local day, and over 12 hours ago."""
    earlier = local_date(calendar.timezone, since_us) < local_date(calendar.timezone, as_of_us)
    return earlier and as_of_us - since_us > UNCLOSED_AFTER


# --- rooms ----------------------------------------------------------------------------------------


class RoomFacts(msgspec.Struct, frozen=True):
    """What is known of a clinic's rooms besides who is in them: the fact that added each, the last release of each."""

    added: Mapping[str, str]
    released: Mapping[str, int]


def rooms_now(
    calendar: ClinicCalendar, facts: RoomFacts, here: Sequence[Standing], slots: Sequence[Slot], as_of_us: int
) -> tuple[RoomNow, ...]:
    """Every room in service, or with a patient in it, by name."""
    today = local_date(calendar.timezone, as_of_us)
    week = Period(today - timedelta(days=1), today + timedelta(days=7))
    opening = calendar.open_spans(week)
    by_room: dict[str, list[Standing]] = {}
    for one in here:
        if one.room is not None:
            by_room.setdefault(one.room, []).append(one)
    known = {one.room: one for one in calendar.rooms}
    shown = {room for room, one in known.items() if one.from_us <= as_of_us < one.until_us} | by_room.keys()
    rooms = [known.get(room, Room(room, "", 0, 0)) for room in shown]
    return tuple(
        _room_now(
            one, facts, by_room.get(one.room, []), calendar.room_open(one.room, opening),
            [slot for slot in slots if slot.room == one.room], as_of_us,
        )
        for one in sorted(rooms, key=lambda one: (one.name, one.room))
    )  # fmt: skip


def _room_now(
    room: Room, facts: RoomFacts, patients: list[Standing], opening: Sequence[Span], slots: Sequence[Slot],
    as_of_us: int,
) -> RoomNow:  # fmt: skip
    ordered = tuple(sorted(patients, key=lambda one: one.since_us))
    now = next((span for span in opening if span[0] <= as_of_us < span[1]), None)
    since: int | None
    until: int | None = None
    if ordered:
        state, since = ordered[-1].state, ordered[-1].since_us
    elif now is None:
        state, since = "closed", max((end for _, end in opening if end <= as_of_us), default=None)
        until = min((start for start, _ in opening if start > as_of_us), default=None)
    else:
        state, since = "free", max(now[0], facts.released.get(room.room, 0))
        until = min((one.starts_us for one in slots if one.left is None and one.starts_us > as_of_us), default=None)
    return RoomNow(
        room=room.room, name=room.name, state=state, since_us=since, until_us=until, patients=ordered,
        fact=facts.added.get(room.room, ""),
    )  # fmt: skip


# --- arrivals, loose ends, counts -----------------------------------------------------------------


def expected(slots: Iterable[Slot], as_of_us: int) -> tuple[Expected, ...]:
    """Bookings of the next hours, and those begun whose patient is not there."""
    return tuple(
        Expected(
            appointment=one.appointment, patient=one.patient, room=one.room, visit_kind=one.visit_kind,
            starts_us=one.starts_us, late=one.starts_us < as_of_us, fact=one.fact,
        )
        for one in slots
        if one.left is None and not one.attended and not one.no_show
        and as_of_us - LATE_FOR < one.starts_us <= as_of_us + EXPECTED_WITHIN
    )  # fmt: skip


def loose_ends(rows: Iterable[Row], calendar: ClinicCalendar, as_of_us: int) -> tuple[LooseEnd, ...]:
    """Visits of earlier days, verbal orders, draws whose visit is over or of an earlier day, and open alerts."""
    listed = list(rows)
    running = {row["subject"] for row in listed if row["kind"] == "visit"}
    return tuple(
        LooseEnd(
            what=row["kind"], subject=row["subject"], infusion=row["infusion"], patient=row["patient"],
            code=row["code"], since_us=row["at_us"], due_us=row["due_us"],
            overdue=row["due_us"] is not None and row["due_us"] < as_of_us, fact=row["fact_id"],
        )
        for row in listed if _is_loose(row, running, calendar, as_of_us)
    )  # fmt: skip


def _is_loose(row: Row, running: set[str], calendar: ClinicCalendar, as_of_us: int) -> bool:
    if row["kind"] == "room":
        return False
    if row["kind"] == "visit":
        return long_open(row["at_us"], calendar, as_of_us)
    if row["kind"] == "draw":
        return row["infusion"] not in running or long_open(row["at_us"], calendar, as_of_us)
    return True


def counts(
    rooms: Iterable[RoomNow], here: Sequence[Standing], arriving: Sequence[Expected], ends: Sequence[LooseEnd]
) -> BoardCounts:
    """The figures of one clinic, or of several together."""
    rooms, inside = list(rooms), [one for one in here if one.state not in ("cleaning", "ended")]

    def count(metric: str, facts: Iterable[str], unit: str) -> Figure:
        rows = tuple(facts)
        return amount(metric, len(rows), unit, n=len(rows), rows=rows)

    def of(metric: str, *what: str) -> Figure:
        return count(metric, (one.fact for one in ends if one.what in what), "entries")

    return BoardCounts(
        rooms={
            state: count("rooms_now", (_fact_of(one) for one in rooms if one.state == state), "rooms")
            for state in ROOM_STATES
        },
        patients_in=count("patients_in", (one.fact for one in inside), "patients"),
        waiting_for_room=count(
            "waiting_for_room", (one.fact for one in inside if one.state == "waiting_for_room"), "patients"
        ),
        watch_overdue=count("watch_overdue", (one.fact for one in inside if one.overdue), "patients"),
        driver_needed=count(
            "driver_needed",
            (one.fact for one in inside if one.driver != "named" and one.visit_kind in INFUSION_KINDS), "patients",
        ),
        unclosed_charts=of("unclosed_charts", "visit"), orders_open=of("orders_open", "order"),
        draws_open=of("draws_open", "draw"), alerts_open=of("alerts_open", "alert", "home_alert"),
        arrivals_expected=count("arrivals_expected", (one.fact for one in arriving), "bookings"),
        arrivals_late=count("arrivals_late", (one.fact for one in arriving if one.late), "bookings"),
    )  # fmt: skip


def _fact_of(room: RoomNow) -> str:
    return room.patients[-1].fact if room.patients else room.fact

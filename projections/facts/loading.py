"""From fact rows to what the metrics work on: calendars, visits, bookings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, select, union

from projections.facts.encoding import DAY
from projections.facts.reading import Cut, fetch, fetch_in
from projections.facts.tables import appointment_facts, clinic_facts, course_facts, visit_facts
from projections.metrics.bookings import Slot, slots
from projections.metrics.calendar import (
    ClinicCalendar,
    Closure,
    Hours,
    LocalSpan,
    Period,
    ProtocolMinutes,
    Room,
    local_date,
    period_span,
)
from projections.metrics.intervals import Span
from projections.metrics.visits import LONGEST_VISIT, Visit, visits

FOREVER = 2**62
_SPANS = lru_cache(maxsize=1024)(msgspec.json.Decoder(tuple[LocalSpan, ...]).decode)


class _Minutes(msgspec.Struct):
    preparation: int
    infusion: int
    monitoring: int
    turnover: int


class _Protocol(msgspec.Struct):
    """The few fields of an adopted protocol that metrics need."""

    visit: _Minutes
    monitoring_minutes: int
    discharge_scale: str
    discharge_minimum: int
    booster_default_days: int
    booster_minimum_days: int


_PROTOCOL = lru_cache(maxsize=256)(msgspec.json.Decoder(_Protocol).decode)


def calendars(conn: Connection, clinics: Collection[str], cut: Cut) -> dict[str, ClinicCalendar]:
    """The calendars of these clinics, by id, ordered; a clinic that was not opened is absent."""
    by_clinic: dict[str, list[Mapping[str, Any]]] = {}
    for row in fetch_in(conn, clinic_facts, cut, "clinic", clinics):
        by_clinic.setdefault(row["clinic"], []).append(row)
    found = {clinic: _calendar(clinic, rows) for clinic, rows in sorted(by_clinic.items())}
    return {clinic: calendar for clinic, calendar in found.items() if calendar is not None}


def _calendar(clinic: str, rows: list[Mapping[str, Any]]) -> ClinicCalendar | None:
    rows.sort(key=lambda row: (row["at_us"], row["position"]))
    of_kind: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        of_kind.setdefault(row["kind"], []).append(row)
    if "opened" not in of_kind:
        return None
    lifted = {row["closure"]: row["at_us"] for row in of_kind.get("reopened", ())}
    return ClinicCalendar(
        clinic=clinic, timezone=of_kind["opened"][-1]["detail"],
        rooms=tuple(_rooms(of_kind.get("room_added", ()), of_kind.get("room_retired", ()))),
        hours=tuple(_hours(row) for row in of_kind.get("hours", ())),
        closures=tuple(
            Closure(row["room"], row["starts_us"], min(row["ends_us"], lifted.get(row["closure"], FOREVER)))
            for row in of_kind.get("closed", ())
        ),
        protocols=tuple(_protocol(row) for row in of_kind.get("protocol", ())),
        rows=tuple(row["fact_id"] for row in rows),
    )  # fmt: skip


def _rooms(added: Sequence[Mapping[str, Any]], retired: Sequence[Mapping[str, Any]]) -> Iterable[Room]:
    until = {row["room"]: row["at_us"] for row in retired}
    for row in added:
        yield Room(row["room"], row["detail"], row["at_us"], until.get(row["room"], FOREVER))


def _hours(row: Mapping[str, Any]) -> Hours:
    return Hours(
        date.fromisoformat(row["from_date"]), row["at_us"], _SPANS(row["detail"]), _SPANS(row["prime"])
    )


def _protocol(row: Mapping[str, Any]) -> ProtocolMinutes:
    one = _PROTOCOL(row["detail"])
    return ProtocolMinutes(
        row["at_us"], one.visit.preparation, one.visit.infusion, one.visit.monitoring, one.visit.turnover,
        one.monitoring_minutes, one.discharge_scale, one.discharge_minimum, one.booster_default_days,
        one.booster_minimum_days,
    )  # fmt: skip


def widest(calendar: Iterable[ClinicCalendar], period: Period) -> Span:
    """From the first local midnight of the period anywhere to the last."""
    spans = [period_span(one.timezone, period) for one in calendar]
    return (min(span[0] for span in spans), max(span[1] for span in spans)) if spans else (0, 0)


def load_visits(conn: Connection, clinics: Collection[str], span: Span, cut: Cut) -> list[Visit]:
    """Visits with a step in these clinics within `span` or shortly before it, whole."""
    c = visit_facts.c
    seen = (
        select(c.infusion)
        .where(c.clinic.in_(sorted(clinics)), c.at_us >= span[0] - LONGEST_VISIT, c.at_us < span[1] + DAY)
        .where(cut.on(visit_facts))
    )
    return visits(fetch(conn, select(visit_facts).where(c.infusion.in_(seen), cut.on(visit_facts))))


def load_slots(conn: Connection, clinics: Collection[str], span: Span, cut: Cut) -> list[Slot]:
    """Bookings that begin in these clinics within `span` or the day before it, with those moved away from it."""
    c = appointment_facts.c
    here = c.clinic.in_(sorted(clinics))
    low, high = span[0] - DAY, span[1]
    begins = select(c.appointment).where(here, c.starts_us >= low, c.starts_us < high, cut.on(appointment_facts))
    left = select(c.appointment).where(here, c.was_starts_us >= low, c.was_starts_us < high, cut.on(appointment_facts))
    concerned = c.appointment.in_(union(begins, left))  # not two INs with OR: PostgreSQL would read the whole table
    rows = fetch(conn, select(appointment_facts).where(concerned, cut.on(appointment_facts)))
    came = (
        select(visit_facts.c.appointment)
        .where(visit_facts.c.kind == "arrived", visit_facts.c.appointment.in_(begins), cut.on(visit_facts))
    )  # fmt: skip
    found = slots(rows, {appointment for (appointment,) in conn.execute(came)})
    wanted = set(clinics)
    return [slot for slot in found if slot.clinic in wanted and low <= slot.starts_us < high]


def with_consultations(
    conn: Connection, found: Sequence[Slot], known: Mapping[str, ClinicCalendar], span: Span, cut: Cut
) -> list[Slot]:
    """`found` with the bookings attended whose consultation was held: same clinic, patient and local day."""
    c = course_facts.c
    query = select(c.clinic, c.patient, c.at_us).where(
        c.clinic.in_(sorted(known)), c.at_us >= span[0] - DAY, c.at_us < span[1], c.kind == "consultation",
        cut.on(course_facts),
    )  # fmt: skip
    held = {(row["clinic"], row["patient"], _day(known, row["clinic"], row["at_us"])) for row in fetch(conn, query)}

    def attended(slot: Slot) -> bool:
        day = _day(known, slot.clinic, slot.starts_us)
        return slot.visit_kind == "consultation" and slot.left is None and (slot.clinic, slot.patient, day) in held

    return [
        msgspec.structs.replace(slot, attended=True, no_show=False) if attended(slot) else slot for slot in found
    ]


def _day(known: Mapping[str, ClinicCalendar], clinic: str, us: int) -> date | None:
    calendar = known.get(clinic)
    return local_date(calendar.timezone, us) if calendar is not None else None

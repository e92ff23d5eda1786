"""From fact rows to what the outcome metrics work on; each query bounded by clinics and period, or by ids found so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import CTE, BigInteger, Connection, Select, and_, column, or_, select, true, values

from projections.engine.projection import Id
from projections.facts.encoding import DAY
from projections.facts.loading import calendars, widest
from projections.facts.reading import Cut, Row, fetch, fetch_in
from projections.facts.tables import (
    appointment_facts,
    course_facts,
    follow_up_facts,
    infusion_facts,
    patient_facts,
    score_facts,
    visit_facts,
)
from projections.metrics.bookings import slots
from projections.metrics.calendar import Period, local_date, period_span
from projections.metrics.courses import Course, Gate, Identities, Infusion, Plan, courses, infusions
from projections.metrics.figures import Figure
from projections.metrics.intervals import Span, union
from projections.metrics.outcomes import Material
from projections.metrics.pain_course import FOLLOWED
from projections.metrics.path import (
    ANSWERS_FROM,
    ANSWERS_UNTIL,
    CHANGE_DAYS,
    MEDICAL_HOLDS,
    Excuses,
    closed_in,
    follow_up,
    last_gates,
    plans_ending,
)
from projections.metrics.relief import VISIT_BASELINE, WINDOW, Relief, Scores, pain_by_patient, relief

WINDOWS_AT_ONCE = 3_000
"""Score windows bound in one query: three values each."""

EVER = 2**62
"""After every moment: for what counts by position alone."""

LONGEST_SERIES = 200 * DAY
"""A series' plan is written at most this long before its window ends."""


class OutcomeFacts:
    """What one outcome report rests on."""

    def __init__(self, conn: Connection, clinics: Collection[str], period: Period, cut: Cut) -> None:
        self._conn, self._cut, self.period = conn, cut, period
        self.calendars = calendars(conn, clinics, cut)
        self.span = widest(self.calendars.values(), period)
        self._clinics = sorted(self.calendars)
        given = self._given_here()
        steps = self._course_steps()
        patients = {row["patient"] for row in (*given, *steps) if row["patient"]}
        self.identities = identities_of(conn, patients, cut)
        patients |= {alias for alias in self.identities.everyone() if self.identities.of(alias) in self._kept(patients)}
        self.infusions = infusions(fetch_in(conn, infusion_facts, cut, "patient", patients), self.identities)
        self.here = [one for one in self.infusions if self._in_period(one.clinic, one.started_us)]
        wanted = {one.course for one in self.here if one.course} | {row["course"] for row in steps}
        self.courses = courses(fetch_in(conn, course_facts, cut, "course", wanted), self.identities)
        self._prompts = self._prompts_due()
        self.scores = scores_in(conn, self._windows(), cut)
        self.material = self._material(patients)

    def _kept(self, patients: Iterable[str]) -> set[str]:
        return {self.identities.of(patient) for patient in patients}

    def _in_period(self, clinic: str, us: int) -> bool:
        calendar = self.calendars.get(clinic)
        if calendar is None:
            return False
        low, high = period_span(calendar.timezone, self.period)
        return low <= us < high

    def _given_here(self) -> list[Row]:
        c = infusion_facts.c
        query = select(infusion_facts).where(
            c.clinic.in_(self._clinics), c.at_us >= self.span[0], c.at_us < self.span[1] + 2 * DAY,
            self._cut.on(infusion_facts),
        )  # fmt: skip
        return [row for row in fetch(self._conn, query) if self._in_period(row["clinic"], row["started_us"])]

    def _course_steps(self) -> list[Row]:
        """Gates and closings of the period, and plans of series whose window ends in it."""
        c = course_facts.c
        here = and_(c.clinic.in_(self._clinics), self._cut.on(course_facts))
        low, high = self.span
        now = and_(c.at_us >= low, c.at_us < high, c.kind.in_(("gate", "closed")))
        planned = and_(
            c.at_us >= low - LONGEST_SERIES, c.at_us < high, c.kind.in_(("series_planned", "series_revised")),
            c.until_date >= self.period.first.isoformat(), c.until_date <= self.period.last.isoformat(),
        )  # fmt: skip
        return fetch(self._conn, select(course_facts).where(here, or_(now, planned)))

    def _prompts_due(self) -> list[Row]:
        c = follow_up_facts.c
        due = select(c.follow_up).where(
            c.clinic.in_(self._clinics), c.due_us >= self.span[0], c.due_us < self.span[1],
            self._cut.on(follow_up_facts),
        )  # fmt: skip
        steps = select(follow_up_facts).where(c.follow_up.in_(due), self._cut.on(follow_up_facts))
        return fetch(self._conn, steps)

    def _windows(self) -> dict[str, list[Span]]:
        """Where scores are needed, by patient: before a course, around an infusion until the next, at prompts."""
        needed: dict[str, list[Span]] = defaultdict(list)
        for one in self.here:
            until = one.next_us if one.next_us is not None else self._cut.as_of_us
            needed[one.patient].append((one.started_us - VISIT_BASELINE, max(until, one.stopped_us + WINDOW) + 1))
            needed[one.patient].append((one.first_of_course_us - CHANGE_DAYS, one.first_of_course_us))
            if one.in_course == 1:
                needed[one.patient].append((one.started_us, one.started_us + FOLLOWED))
        begun = {one.course for one in self.here}
        for one in self.infusions:
            if one.course in begun:
                needed[one.patient].append((one.stopped_us, one.stopped_us + CHANGE_DAYS + 1))
        at_gate = {gate.infusion for gate in self._gates()}
        for one in self.infusions:
            if one.infusion in at_gate:
                needed[one.patient].append((one.first_of_course_us - CHANGE_DAYS, one.first_of_course_us))
                needed[one.patient].append((one.started_us, one.stopped_us + WINDOW + 1))
        for row in self._prompts:
            if row["kind"] == "due":
                span = (row["due_us"] - ANSWERS_FROM, row["due_us"] + ANSWERS_UNTIL + 1)
                needed[self.identities.of(row["patient"] or "")].append(span)
        return {alias: union(spans) for patient, spans in needed.items() for alias in self.identities.aliases(patient)}

    def _gates(self) -> list[Gate]:
        return [gate for _, gate in self.gates_of_period()]

    def gates_of_period(self) -> list[tuple[Course, Gate]]:
        """Courses' last gates that lie in the period."""
        return last_gates(self.courses.values(), lambda gate: self._in_period(gate.clinic, gate.at_us))

    def _material(self, patients: Collection[str]) -> Material:
        pain = pain_by_patient(self.scores, self.identities)
        at_gate = {gate.infusion for gate in self._gates()}

        def after(one: Infusion) -> Relief:
            return relief(one, pain.get(one.patient) or Scores(), self._cut.as_of_us)

        return Material(
            calendars=self.calendars, infusions=self.infusions, reliefs=[after(one) for one in self.here],
            gate_reliefs={one.infusion: after(one) for one in self.infusions if one.infusion in at_gate},
            courses=self.courses, pain=pain, as_of_us=self._cut.as_of_us, on_adjunct=self._on_adjunct(patients),
        )  # fmt: skip

    def _on_adjunct(self, patients: Collection[str]) -> frozenset[str]:
        """Infusions of the period given while another therapy ran, by the clinic's dates."""
        adjunct = patient_facts.c.kind.in_(("adjunct_started", "adjunct_ended"))
        rows = fetch_in(self._conn, patient_facts, self._cut, "patient", patients, adjunct)
        ends = [row for row in rows if row["kind"] == "adjunct_ended"]
        ended = {row["subject"]: date.fromisoformat(row["until_date"]) for row in ends}
        running: dict[str, list[tuple[date, date | None]]] = defaultdict(list)
        for row in rows:
            if row["kind"] == "adjunct_started":
                span = (date.fromisoformat(row["from_date"]), ended.get(row["subject"]))
                running[self.identities.of(row["patient"])].append(span)
        found = set()
        for one in self.here:
            day = local_date(self.calendars[one.clinic].timezone, one.started_us)
            if any(since <= day and (until is None or day <= until) for since, until in running[one.patient]):
                found.add(one.infusion)
        return frozenset(found)

    def follow_up(self) -> Figure:
        """Prompts due in the period, answered or not."""

        def due(row: Mapping[str, Any]) -> bool:
            return row["due_us"] <= self._cut.as_of_us and self._in_period(row["clinic"] or "", row["due_us"])

        return follow_up(self._prompts, self.scores, due, self._cut.as_of_us, self.identities.of)

    def plans(self) -> list[tuple[Course, Plan]]:
        """Series whose window ended in the period, at the clinic that planned them."""

        def today(clinic: str) -> date:
            calendar = self.calendars.get(clinic)
            return local_date(calendar.timezone, self._cut.as_of_us) if calendar else date.min

        return plans_ending(self.courses.values(), self.period, today)

    def closed(self) -> list[Course]:
        """Courses closed in the period, at the clinic that closed them."""
        return closed_in(self.courses.values(), self._in_period)

    def excuses(self, plans: Sequence[tuple[Course, Plan]]) -> Excuses:
        """Medical holds and the clinic's cancellations among the bookings of these courses."""
        concerned = {course.course for course, _ in plans}
        patients = {alias for course, _ in plans for alias in self.identities.aliases(course.patient)}
        booked = slots(fetch_in(self._conn, appointment_facts, self._cut, "patient", patients), ())
        own = [slot for slot in booked if slot.course in concerned]
        cancelled: dict[str, list[int]] = defaultdict(list)
        for slot in own:
            if slot.left == "cancelled" and slot.asked_by == "clinic" and slot.course is not None:
                cancelled[slot.course].append(slot.starts_us)
        return Excuses(self._holds({slot.appointment for slot in own}), cancelled)

    def _holds(self, appointments: Collection[str]) -> dict[str, list[int]]:
        arrived = fetch_in(
            self._conn, visit_facts, self._cut, "appointment", appointments, visit_facts.c.kind == "arrived"
        )
        course_of = {row["infusion"]: row["course"] for row in arrived if row["course"]}
        held: dict[str, list[int]] = defaultdict(list)
        not_infused = visit_facts.c.kind == "not_infused"
        for row in fetch_in(self._conn, visit_facts, self._cut, "infusion", course_of, not_infused):
            if row["reason"] in MEDICAL_HOLDS:
                held[course_of[row["infusion"]]].append(row["at_us"])
        return held


def identities_of(conn: Connection, patients: Collection[str], cut: Cut) -> Identities:
    """Merges that concern these patients, through chains of any length.

    Two records are one patient from the merge's position on, whatever moment is asked about.
    """
    kind = patient_facts.c.kind.in_(("merged", "unmerged"))
    known = Cut(EVER, cut.known_at)
    rows: dict[tuple[str, int], Row] = {}
    seen, wanted = set(patients), set(patients)
    while wanted:
        found = [
            *fetch_in(conn, patient_facts, known, "patient", wanted, kind),
            *fetch_in(conn, patient_facts, known, "subject", wanted, kind),
        ]
        rows.update(((row["fact_id"], row["known_from"]), row) for row in found)
        wanted = {row[side] for row in found for side in ("patient", "subject")} - seen
        seen |= wanted
    return Identities(rows.values())


def scores_in(conn: Connection, windows: dict[str, list[Span]], cut: Cut) -> list[Row]:
    """Scores of every kind inside each patient's windows, in order of occurrence."""
    flat = [(patient, low, high) for patient, spans in sorted(windows.items()) for low, high in spans]
    found: list[Row] = []
    for start in range(0, len(flat), WINDOWS_AT_ONCE):
        part = flat[start : start + WINDOWS_AT_ONCE]
        asked = values(
            column("patient", Id), column("low", BigInteger), column("high", BigInteger), name="asked"
        ).data(part).cte("windows")  # fmt: skip
        found += fetch(conn, _inside(asked, cut, conn.dialect.name))
    return sorted(found, key=lambda row: (row["at_us"], row["position"]))


def _inside(asked: CTE, cut: Cut, dialect: str) -> Select[Any]:
    """The scores inside the windows asked for, looked up window by window.

    SQLite does so by itself; PostgreSQL would rather read the whole table once it has grown (it cannot guess how
    narrow the windows are), so it is given a lateral subquery, which OFFSET 0 keeps from being joined otherwise.
    """
    c = score_facts.c
    inside = and_(c.patient == asked.c.patient, c.at_us >= asked.c.low, c.at_us < asked.c.high, cut.on(score_facts))
    if dialect == "sqlite":
        return select(score_facts).join(asked, inside)
    each = select(score_facts).where(inside).correlate(asked).offset(0).lateral("scores")
    return select(*each.c).select_from(asked.join(each, true()))

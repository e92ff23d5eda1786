"""The booster list by rows, one object per course. The oracle of the columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from projections.boosters import LOOK_BACK, BoosterReport
from projections.facts.loading import calendars
from projections.facts.reading import Cut, fetch, fetch_in
from projections.facts.relief import identities_of, scores_in
from projections.facts.tables import appointment_facts, course_facts, infusion_facts
from projections.metrics.bookings import Slot, slots
from projections.metrics.boosters import BoosterRow, Standing, booster_list, booster_row, maintained
from projections.metrics.courses import Course, Identities, Infusion, courses, infusions
from projections.metrics.outcomes import Material, end_of_series
from projections.metrics.relief import COURSE_BASELINE, Scores, pain_by_patient


def report(
    conn: Connection, clinics: Collection[str], *, as_of: datetime, known_at: int | None = None
) -> BoosterReport:
    """Open courses past their series, each with when its next booster is due and why."""
    cut = Cut.at(as_of, known_at)
    known = calendars(conn, clinics, cut)
    c = infusion_facts.c
    k = course_facts.c
    closed = select(k.course).where(k.course == c.course, k.kind == "closed", cut.on(course_facts)).exists()
    recent = select(infusion_facts).where(
        c.clinic.in_(sorted(known)), c.at_us >= cut.as_of_us - LOOK_BACK, cut.on(infusion_facts), ~closed
    )
    moved_here = select(course_facts).where(
        k.other_clinic.in_(sorted(known)), k.kind == "transferred", cut.on(course_facts)
    )  # fmt: skip
    patients = {row["patient"] for query in (recent, moved_here) for row in fetch(conn, query)}
    identities = identities_of(conn, patients, cut)
    patients |= identities.everyone()
    given = infusions(fetch_in(conn, infusion_facts, cut, "patient", patients), identities)
    every = courses(
        fetch_in(conn, course_facts, cut, "course", {one.course for one in given if one.course}), identities
    )
    here = {course: one for course, one in every.items() if one.clinic in known}
    own = _by_course(given, here)
    material = Material(
        calendars=known, infusions=given, reliefs=(), gate_reliefs={}, courses=here, pain={},
        on_adjunct=frozenset(), as_of_us=cut.as_of_us,
    )  # fmt: skip
    listed = {
        course: one
        for course, one in here.items()
        if own[course] and own[course][-1].stopped_us >= cut.as_of_us - LOOK_BACK
        and maintained(one, own[course], end_of_series(one, own[course], material) is not None)
    }
    rows = _rows(conn, cut, listed, own, material, identities)
    return BoosterReport(as_of=as_of, known_at=known_at, clinics=tuple(known), boosters=booster_list(rows))


def _by_course(given: list[Infusion], here: dict[str, Course]) -> dict[str, list[Infusion]]:
    own: dict[str, list[Infusion]] = defaultdict(list)
    for one in given:
        if one.course in here and one.course is not None:
            own[one.course].append(one)
    return own


def _rows(
    conn: Connection, cut: Cut, listed: dict[str, Course], own: dict[str, list[Infusion]], material: Material,
    identities: Identities,
) -> Iterable[BoosterRow]:  # fmt: skip
    patients = {alias for one in listed.values() for alias in identities.aliases(one.patient)}
    booked = _bookings(conn, cut, patients, identities)
    windows = {
        alias: [(own[one.course][0].started_us - COURSE_BASELINE, cut.as_of_us + 1)]
        for one in listed.values()
        for alias in identities.aliases(one.patient)
    }
    scored = scores_in(conn, windows, cut)
    pain = pain_by_patient(scored, identities)
    heard: dict[str, int] = {}
    for row in scored:
        patient = identities.of(row["patient"])
        heard[patient] = max(row["at_us"], heard.get(patient, 0))
    for course in listed.values():
        slots_of = booked.get(course.patient, [])
        ahead = [
            slot.starts_us for slot in slots_of
            if slot.left is None and slot.starts_us > cut.as_of_us and slot.visit_kind == "booster"
        ]  # fmt: skip
        words = [heard.get(course.patient), *(one.at_us for one in course.boosters)]
        contacts = [*words, *(slot.taken_us for slot in slots_of)]
        standing = Standing(
            booked_starts_us=min(ahead, default=None), last_contact_us=max((us for us in contacts if us), default=None)
        )
        scores = pain.get(course.patient) or Scores()
        calendar = material.calendars[course.clinic]
        listing = booster_row(course, own[course.course], scores, calendar, standing, cut.as_of_us)
        if listing is not None:
            yield listing


def _bookings(
    conn: Connection, cut: Cut, patients: Collection[str], identities: Identities
) -> dict[str, list[Slot]]:
    """Bookings made since the look-back began, by patient."""
    since = appointment_facts.c.at_us >= cut.as_of_us - LOOK_BACK
    found: dict[str, list[Slot]] = defaultdict(list)
    for slot in slots(fetch_in(conn, appointment_facts, cut, "patient", patients, since), ()):
        found[identities.of(slot.patient)].append(slot)
    return found

"""A series booked in one go: conflicts shown per visit, alternatives taken by one click, all in one commit."""

from __future__ import annotations

from datetime import time
from uuid import UUID

import msgspec
from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from api.web.schedule import choosing
from api.web.schedule.place import NEW, Desk, FormSlip, blueprint, desk, new_key
from api.web.schedule.refusals import obstacle_in_words, refused
from api.web.schedule.views import show
from api.web.wording import day as day_in_words
from domain import day_sheet
from domain.course.series import USUAL_INFUSIONS
from domain.kernel import DomainError
from services.scheduling import LeftOfSeries, PlannedOccurrence, SeriesPlan, Wishes, left_of_series, plan_series
from services.use_cases.series import open_course_of, series_in_force

KIND = "series"
LEFT_OUT = "-"


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One visit of the series as the page shows it: the time wished and what to choose from."""

    number: int
    day: str
    time: str
    obstacles: tuple[str, ...]
    inside_window: bool
    choices: tuple[choosing.Choice, ...]


@blueprint.get("/<uuid:clinic_id>/series")
def series(clinic_id: UUID) -> Response:
    """Whom and how many; then the plan, visit by visit."""
    return _form(desk(clinic_id))


@blueprint.post("/<uuid:clinic_id>/series")
def book_series(clinic_id: UUID) -> AnyResponse:
    """Books every visit chosen, or none; a refusal comes back with the plan as things stand now."""
    at = desk(clinic_id)
    try:
        found = choosing.patient_found(at)
        if found is None:
            raise FormSlip("Choose a patient.", pointer="/patient")
        occurrences = _chosen(at)
        course_id = open_course_of(at.known.reader, found[0], KIND, at.known.now)
        at.act(
            at.clinic_id, day_sheet.BookSeries, booking_id=NEW, patient_id=found[0], visit_kind=KIND,
            occurrences=occurrences, course_id=course_id,
            series_id=series_in_force(at.known.load, KIND, course_id, None), nurse_id=choosing.id_of("nurse"),
            prescriber_id=None,
        )
    except DomainError as error:
        return _form(at, refused(at, error), 422)
    return redirect(at.to("of_patient", patient=found[0], said="series"), code=303)


def _chosen(at: Desk) -> tuple[day_sheet.Occurrence, ...]:
    """The visits that the form chose; those left out are left out. Raises FormSlip."""
    found = []
    for name, value in request.form.items():
        if name.startswith("visit-") and name[6:].isdigit() and value != LEFT_OUT:
            room_id, starts_at = choosing.slot_of(at, value)
            found.append(day_sheet.Occurrence(number=int(name[6:]), room_id=room_id, starts_at=starts_at))
    return tuple(sorted(found, key=lambda one: one.number))


def _form(at: Desk, problem: str = "", status: int = 200) -> Response:
    slip = choosing.unreadable()
    problem, status = problem or slip, 422 if slip else status
    found = choosing.patient_found(at)
    course_id = open_course_of(at.known.reader, found[0], KIND, at.known.now) if found else None
    plan: SeriesPlan | None = None
    left = left_of_series(at.known, at.clinic_id, found[0], course_id) if found and course_id else None
    infusions = _infusions(left)
    if found is not None and course_id is not None:
        at.opened("series_plan", count=1, patient_id=found[0])
    if found is not None and course_id is not None and infusions:
        try:
            plan = plan_series(at.known, at.clinic_id, _wishes(at, found[0], course_id, infusions))
        except DomainError as error:
            problem = problem or refused(at, error)
    return show(
        "series", at, title="Book a series", status=status,
        day=at.today, patient=found, given=choosing.given(),
        problem=problem, key=new_key(), plan=plan,
        course=course_id, visits=[_visit(at, one) for one in plan.occurrences] if plan else [],
        nurses=at.nurses(), infusions=infusions, clock=_clock().isoformat("minutes"),
        left_out=LEFT_OUT, left=left,
        window=(day_in_words(plan.window_starts, weekday=True), day_in_words(plan.window_ends, weekday=True))
        if plan else ("", ""),
    )


def _wishes(at: Desk, patient_id: UUID, course_id: UUID, infusions: int) -> Wishes:
    """As the address says; after a refusal the times and rooms that were chosen."""
    chosen = _chosen(at) if request.method == "POST" else ()
    return Wishes(
        patient_id=patient_id, course_id=course_id, visit_kind=KIND, infusions=infusions, clock=_clock(),
        starts_at=tuple(one.starts_at for one in chosen), rooms=tuple(one.room_id for one in chosen),
        room_id=choosing.id_of("room"),
        nurse_id=choosing.id_of("nurse"),
    )


def _infusions(left: LeftOfSeries | None) -> int:
    """As many as the address asks for, else what is left of the series: 0 when nothing is."""
    given = request.values.get("infusions", "")
    if given.isdigit() and 1 <= int(given) <= day_sheet.MOST_OCCURRENCES:
        return int(given)
    return left.left if left is not None else USUAL_INFUSIONS


def _clock() -> time:
    try:
        return time.fromisoformat(request.values.get("clock", ""))
    except ValueError:
        return time(9)


def _visit(at: Desk, one: PlannedOccurrence) -> Visit:
    wished = choosing.slot_value(one.room_id, one.starts_at)
    choices = []
    if not one.obstacles:
        choices.append(choosing.Choice(
            value=wished, label=at.span(one.starts_at, one.ends_at), note=at.room_name(one.room_id), chosen=True))
    for number, each in enumerate(one.alternatives):
        same_day = each.starts_at.date() == one.starts_at.date()
        on = "" if same_day else day_in_words(each.starts_at.date(), weekday=True, year=False) + ", "
        choices.append(choosing.Choice(
            value=choosing.slot_value(each.room_id, each.starts_at),
            label=f"{on}{at.span(each.starts_at, each.ends_at)}", note=at.room_name(each.room_id),
            chosen=number == 0 and bool(one.obstacles)))
    return Visit(
        number=one.number, day=day_in_words(one.starts_at.date(), weekday=True),
        time=at.span(one.starts_at, one.ends_at), inside_window=one.inside_window,
        obstacles=tuple(obstacle_in_words(at, each, one.room_id) for each in one.obstacles), choices=tuple(choices),
    )

"""Where a patient stands after each event: course, booster, and the infusion that an entry belongs to."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from domain.kernel import Event, Recorded

HOME_WITHIN = timedelta(days=7)


class Bearings(msgspec.Struct, frozen=True, kw_only=True):
    """After the entry: the course and its state, the booster, the infusion the entry is tied to.

    course_state: none, consulted, open, trial_given, gate_passed, gate_failed, in_series, optimal_relief, maintained,
    closed (with the reason). booster_state: none, scheduled, booked, given, cancelled. `infusion_ordinal` counts
    within the course; `pain_now` is the last NRS (now).
    """

    course_id: UUID | None = None
    course_state: str = "none"
    booster_state: str = "none"
    booster_due_on: date | None = None
    infusion_id: UUID | None = None
    infusion_ordinal: int | None = None
    attributed: str | None = None
    pain_now: int | None = None


class PatientState:
    """Folds standing events in order of occurrence; knows no rule, only what was written."""

    def __init__(self) -> None:
        self._now = Bearings()
        self._given: dict[UUID, int] = {}
        self._in_course: dict[UUID | None, int] = {}
        self._stops: list[tuple[datetime, UUID]] = []

    def now(self) -> Bearings:
        """The state without an entry of its own."""
        return msgspec.structs.replace(self._now, infusion_id=None, infusion_ordinal=None, attributed=None)

    def after(self, event: Event, record: Recorded) -> Bearings:
        """The state once `event` is folded in, with the infusion it is tied to."""
        self._now = msgspec.structs.replace(self._now, **self._changes(event, record))
        infusion, why = self._infusion(event, record)
        return msgspec.structs.replace(self._now, infusion_id=infusion, attributed=why)

    def numbered(self, bearings: Bearings) -> Bearings:
        """With the infusion's ordinal within its course, once all is folded."""
        ordinal = self._given.get(bearings.infusion_id) if bearings.infusion_id is not None else None
        return msgspec.structs.replace(bearings, infusion_ordinal=ordinal)

    def _changes(self, event: Event, record: Recorded) -> dict[str, object]:
        name = record.name
        if name.startswith("course."):
            return self._course(name, event, record)
        if name == "infusion.given.v1":
            return self._infusion_given(event, record)
        if name == "diary.pain_scored.v1" and event.kind == "now":  # type: ignore[attr-defined]
            return {"pain_now": event.score}  # type: ignore[attr-defined]
        return {}

    def _course(self, name: str, event: Event, record: Recorded) -> dict[str, object]:
        course: dict[str, object] = {"course_id": record.stream_id}
        match name:
            case "course.consultation_held.v1":
                return course if self._now.course_state not in ("none", "closed") else {
                    **course, "course_state": "consulted"
                }
            case "course.opened.v1":
                return {**course, "course_state": "open", "booster_state": "none", "booster_due_on": None}
            case "course.response_assessed.v1":
                positive = event.positive  # type: ignore[attr-defined]
                return {**course, "course_state": "gate_passed" if positive else "gate_failed"}
            case "course.series_planned.v1" | "course.series_revised.v1":
                return {**course, "course_state": "in_series"}
            case "course.optimal_relief_reached.v1":
                return {**course, "course_state": "optimal_relief"}
            case "course.closed.v1":
                reason = event.reason_code  # type: ignore[attr-defined]
                return {**course, "course_state": f"closed: {reason}", "booster_state": "none", "booster_due_on": None}
        return self._booster(name, event) | course

    def _booster(self, name: str, event: Event) -> dict[str, object]:
        if name == "course.booster_cancelled.v1":
            return {"booster_state": "cancelled", "booster_due_on": None}
        if name in ("course.booster_scheduled.v1", "course.booster_rescheduled.v1"):
            booked = event.appointment_id is not None  # type: ignore[attr-defined]
            due_on = event.due_on  # type: ignore[attr-defined]
            return {"booster_state": "booked" if booked else "scheduled", "booster_due_on": due_on}
        return {}

    def _infusion_given(self, event: Event, record: Recorded) -> dict[str, object]:
        course, purpose = event.course_id, event.purpose  # type: ignore[attr-defined]
        self._in_course[course] = self._in_course.get(course, 0) + 1
        self._given[record.stream_id] = self._in_course[course]
        self._stops.append((event.occurred_at, record.stream_id))
        if purpose == "trial":
            return {"course_state": "trial_given"}
        if purpose == "booster":
            return {"course_state": "maintained", "booster_state": "given", "booster_due_on": None}
        return {}

    def _infusion(self, event: Event, record: Recorded) -> tuple[UUID | None, str | None]:
        """The infusion this entry is tied to, and how: its own visit, named in the entry, or by time."""
        if record.name.startswith("infusion."):
            return record.stream_id, "visit"
        if record.name == "diary.side_effect_reported_from_home.v1":
            onset = event.onset_at  # type: ignore[attr-defined]
            earlier = [stop for stop in self._stops if timedelta(0) <= onset - stop[0] <= HOME_WITHIN]
            return (earlier[-1][1], "last drug stop within 7 days") if earlier else (None, "unattributed")
        named = getattr(event, "infusion_id", None)
        return (named, "named") if isinstance(named, UUID) else (None, None)

"""Which boosters are due, overdue, booked or lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, timedelta
from uuid import UUID

import msgspec

from domain.course.boosters import booster_due
from domain.course.spells import completed_since_series
from domain.course.state import GivenInfusion, PainScore
from projections.facts.encoding import DAY, moment
from projections.metrics.calendar import ClinicCalendar, local_date
from projections.metrics.courses import Course, Infusion, ScheduledBooster
from projections.metrics.figures import Figure, amount
from projections.metrics.lazy import Sorted
from projections.metrics.relief import Scores, brought_forward

DUE_WITHIN_DAYS = 14
LOST_AFTER_DAYS = 60
STATUSES = ("due", "overdue", "booked", "lost", "later")


class BoosterRow(msgspec.Struct, frozen=True, kw_only=True):
    """One patient on the list. basis: own_spells, protocol_default, or why it was set; `basis_days` are the spells'
    days when it is own_spells, as known when the booster was scheduled or, without a booster, now.

    `spells_days` are the patient's last completed spells of relief, whether or not the date rests on them.
    """

    patient: str
    course: str
    clinic: str
    condition: str
    last_infusion: str
    last_stopped_us: int
    due_on: date
    basis: str
    basis_days: tuple[float, ...]
    status: str
    days_overdue: int
    booked_starts_us: int | None
    facts: tuple[str, ...]
    spells_days: tuple[float, ...] = ()


class BoosterList(msgspec.Struct, frozen=True, kw_only=True):
    """The list and its counts by status."""

    counts: Mapping[str, Figure]
    rows: Sequence[BoosterRow]

    def of(self, status: str) -> Sequence[BoosterRow]:
        """The rows of one status, in their order; from columns no others are made for it."""
        if isinstance(self.rows, Sorted):
            return self.rows.of(status)
        return [row for row in self.rows if row.status == status]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one patient besides scores: the next booking, and the last contact of any kind."""

    booked_starts_us: int | None
    last_contact_us: int | None


def maintained(course: Course, own: Sequence[Infusion], series_over: bool) -> bool:
    """Whether the course is open and past its series, so that boosters keep the relief."""
    if course.opened_us is None or course.closed_us is not None or not own:
        return False
    scheduled = bool(course.boosters) and not course.boosters[-1].cancelled
    return own[-1].purpose == "booster" or series_over or course.relief_us is not None or scheduled


def standing_booster(course: Course, last: Infusion) -> ScheduledBooster | None:
    """The booster scheduled after the last infusion, unless cancelled."""
    said = course.boosters[-1] if course.boosters else None
    return said if said is not None and not said.cancelled and said.at_us > last.started_us else None


def booster_row(
    course: Course, own: Sequence[Infusion], scores: Scores, calendar: ClinicCalendar, known: Standing, as_of_us: int
) -> BoosterRow | None:
    """One course's place on the list; None without a protocol to take the default interval from."""
    last = own[-1]
    protocol = calendar.protocol_at(as_of_us)
    if protocol is None:
        return None
    given = tuple(_given(one) for one in own)
    heard = tuple(
        PainScore(moment(one.at_us), one.value // 1000)
        for one in scores.between(own[0].started_us - 8 * DAY, as_of_us)
    )
    computed = booster_due(
        given[-1].drug_stopped_at, completed_since_series(
            given, heard, [moment(us) for us in course.transferred_us],
            {UUID(one.infusion) for one in own if one.purpose == "booster" and brought_forward(course, one.started_us)},
        ), protocol.booster_default_days, protocol.booster_minimum_days,
    )  # fmt: skip
    said = standing_booster(course, last)
    due_on = said.due_on if said else computed.due_on(calendar.timezone)
    today = local_date(calendar.timezone, as_of_us)
    return BoosterRow(
        patient=course.patient, course=course.course, clinic=course.clinic, condition=course.condition,
        last_infusion=last.infusion, last_stopped_us=last.stopped_us, due_on=due_on,
        basis=said.because if said else computed.reason_code,
        basis_days=_basis_days(said) if said else tuple(float(days) for days in computed.basis_days),
        days_overdue=(today - due_on).days,
        status=status(due_on, today, known, calendar), booked_starts_us=known.booked_starts_us,
        facts=(last.fact, *((said.fact,) if said else ())),
        spells_days=tuple(float(days) for days in computed.basis_days),
    )  # fmt: skip


def _basis_days(said: ScheduledBooster) -> tuple[float, ...]:
    """The spells behind the date, where they are its reason."""
    return said.basis_days if said.because == "own_spells" else ()


def _given(one: Infusion) -> GivenInfusion:
    return GivenInfusion(
        infusion_id=UUID(one.infusion), course_id=UUID(one.course) if one.course else None, purpose=one.purpose,
        drug_started_at=moment(one.started_us).astimezone(UTC), drug_stopped_at=moment(one.stopped_us),
    )  # fmt: skip


def status(due_on: date, today: date, known: Standing, calendar: ClinicCalendar) -> str:
    """due, overdue, booked, lost or later: see the definition of `booster_due`."""
    if known.booked_starts_us is not None:
        return "booked"
    if today <= due_on:
        return "due" if due_on - today <= timedelta(days=DUE_WITHIN_DAYS) else "later"
    contact = known.last_contact_us
    silent = contact is None or local_date(calendar.timezone, contact) <= due_on
    return "lost" if silent and (today - due_on).days > LOST_AFTER_DAYS else "overdue"


def booster_list(rows: Iterable[BoosterRow]) -> BoosterList:
    """The list, most overdue first, with counts."""
    ordered = tuple(sorted(rows, key=lambda row: (row.due_on, row.course)))
    counts = {}
    for name in STATUSES:
        facts = [row.facts[0] for row in ordered if row.status == name]
        counts[name] = amount("booster_due", len(facts), "boosters", n=len(facts), rows=facts)
    return BoosterList(counts=counts, rows=ordered)


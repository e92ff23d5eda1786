"""Bookings (slots), folded from columns: what `projections.metrics.bookings` folds from rows, all at once.

An appointment has at most one standing slot at a time in all but odd histories; then the steps before and after a slot
tell all of it. Appointments of other histories are folded by the rows' own code.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from projections.columns.codes import NONE, Bools, Ints, Known
from projections.columns.groups import coming_after, cut, is_word, pick, standing_before, whole
from projections.columns.snapshot import Array, Rows
from projections.columns.store import Facts
from projections.columns.zones import local_days
from projections.facts.encoding import DAY
from projections.facts.reading import Cut
from projections.facts.tables import appointment_facts, course_facts, visit_facts
from projections.metrics.bookings import Slot, slots
from projections.metrics.calendar import ClinicCalendar
from projections.metrics.intervals import Span

_COPIED = ("patient", "visit_kind", "course", "series")


@dataclass(frozen=True)
class Slots:
    """One place per slot, as of a moment. `left` is the code of moved or cancelled, -1 while it stands."""

    appointment: Array
    clinic: Array
    patient: Array
    room: Array
    visit_kind: Array
    course: Array
    starts_us: Array
    ends_us: Array
    taken_us: Array
    first_booked_us: Array
    left: Array
    left_us: Array
    asked_by: Array
    no_show: Bools
    attended: Bools
    fact: Array

    def __len__(self) -> int:
        return len(self.fact)

    @property
    def live_at_start(self) -> Bools:
        """Still standing when it began."""
        found: Bools = (self.left_us == NONE) | (self.left_us >= self.starts_us)
        return found

    def where(self, chosen: Array) -> Slots:
        """Those chosen."""
        return Slots(**{name: column[chosen] for name, column in vars(self).items()})


def load_slots(facts: Facts, clinics: Collection[str], span: Span, at: Cut) -> Slots:
    """Bookings that begin in these clinics within `span` or the day before it, with those moved away from it."""
    table = facts.of(appointment_facts)
    here = facts.codes("clinic").marked(clinics)
    low, high = span[0] - DAY, span[1]
    size = len(facts.codes("appointment")) + 1
    member = np.zeros(size, dtype=bool)
    candidates = np.zeros(size, dtype=bool)
    for column in ("starts_us", "was_starts_us"):
        candidates[table.near(column, low, high)["appointment"]] = True
    candidates[-1] = False
    rows = whole(facts.of(appointment_facts), "appointment", candidates, at)
    inside = here[rows["clinic"]] & (
        ((rows["starts_us"] >= low) & (rows["starts_us"] < high))
        | ((rows["was_starts_us"] >= low) & (rows["was_starts_us"] < high))
    )  # fmt: skip
    member[rows["appointment"][inside]] = True
    found = folded(facts, rows.where(member[rows["appointment"]]), _came(facts, member, at))
    return found.where(here[found.clinic] & (found.starts_us >= low) & (found.starts_us < high))


def _came(facts: Facts, member: Bools, at: Cut) -> Bools:
    """By appointment whether its patient arrived."""
    arrived = whole(facts.of(visit_facts), "appointment", member, at)
    came = np.zeros(len(member), dtype=bool)
    came[arrived["appointment"][is_word(facts, arrived["kind"], "arrived")]] = True
    return came


def folded(facts: Facts, rows: Rows, came: Bools) -> Slots:
    """Slots from rows in order of time; `came` are the appointments (by code) whose patient arrived."""
    rows = rows.where(np.argsort(rows["appointment"], kind="stable"))
    kind = rows["kind"]
    group = rows["appointment"]
    moved = is_word(facts, kind, "moved")
    booked, cancelled = is_word(facts, kind, "booked"), is_word(facts, kind, "cancelled")
    takes = booked | (moved & (rows["to_date"] == NONE))
    setting = takes | moved | cancelled
    before = standing_before(group, setting)
    stands = (before >= 0) & takes[before]
    odd_group = np.zeros(len(came), dtype=bool)
    odd_group[group[(booked & stands) | (moved & ~stands)]] = True
    if odd_group.any():
        odd = odd_group[group]
        return _both(folded(facts, rows.where(~odd), came), _one_by_one(facts, rows.where(odd), came))
    leaves = coming_after(group, setting)
    own = np.flatnonzero(takes)
    left_at = leaves[own]
    shows = np.zeros(len(group), dtype=bool)
    missed = is_word(facts, kind, "no_show") & stands
    shows[before[missed]] = True
    first_take = standing_before(group, takes & (standing_before(group, takes) < 0), own=True)
    last = left_at < 0
    attended = came[group[own]] & last
    copied = {name: _carried(group, takes, rows[name])[own] for name in _COPIED}
    return Slots(
        appointment=group[own], clinic=rows["clinic"][own], patient=copied["patient"], room=rows["room"][own],
        visit_kind=copied["visit_kind"], course=copied["course"], starts_us=rows["starts_us"][own],
        ends_us=rows["ends_us"][own], taken_us=rows["at_us"][own],
        first_booked_us=pick(rows["at_us"], first_take[own]), left=pick(kind, left_at, -1),
        left_us=pick(rows["at_us"], left_at), asked_by=pick(rows["asked_by"], left_at, -1),
        no_show=shows[own] & ~attended, attended=attended, fact=rows["position"][own],
    )  # fmt: skip


def _carried(group: Ints, takes: Bools, values: Array) -> Array:
    """What a slot does not say is as it was in the slot before."""
    return pick(values, standing_before(group, takes & (values >= 0), own=True), -1)


def _one_by_one(facts: Facts, rows: Rows, came: Bools) -> Slots:
    """The same by the rows' own code, for histories with several standing slots of one appointment."""
    words, names = facts.codes("word"), {name: facts.codes(name) for name in ("appointment", "clinic", "patient",
                                                                              "room", "course", "series")}
    plain = []
    for place in range(len(rows)):
        row: dict[str, object] = {name: _text(codes, rows[name][place]) for name, codes in names.items()}
        row |= {name: _text(words, rows[name][place]) for name in ("kind", "visit_kind", "asked_by", "reason")}
        for name in ("at_us", "position", "starts_us", "ends_us", "was_starts_us", "to_date"):
            value = int(rows[name][place])
            row[name] = None if value == NONE else value
        plain.append({**row, "fact_id": f"a{row['position']}"})
    arrived = {str(row["appointment"]) for row in plain if came[names["appointment"].of(str(row["appointment"]))]}
    return _of_slots(facts, slots(plain, arrived))


def _text(codes: Known, code: int) -> str | None:
    return codes.name(int(code)) if code >= 0 else None


def _of_slots(facts: Facts, found: list[Slot]) -> Slots:
    def codes(domain: str, field: str) -> Array:
        known = facts.codes(domain)
        return np.array([known.of(text) if (text := getattr(one, field)) else -1 for one in found], dtype=np.int32)

    def moments(field: str) -> Array:
        values = [getattr(one, field) for one in found]
        return np.array([NONE if value is None else value for value in values], dtype=np.int64)

    return Slots(
        appointment=codes("appointment", "appointment"), clinic=codes("clinic", "clinic"),
        patient=codes("patient", "patient"), room=codes("room", "room"), visit_kind=codes("word", "visit_kind"),
        course=codes("course", "course"), starts_us=moments("starts_us"), ends_us=moments("ends_us"),
        taken_us=moments("taken_us"), first_booked_us=moments("first_booked_us"), left=codes("word", "left"),
        left_us=moments("left_us"), asked_by=codes("word", "asked_by"),
        no_show=np.array([one.no_show for one in found], dtype=bool),
        attended=np.array([one.attended for one in found], dtype=bool),
        fact=np.array([int(one.fact[1:]) for one in found], dtype=np.int64),
    )  # fmt: skip


def _both(some: Slots, others: Slots) -> Slots:
    return Slots(**{name: np.concatenate((column, getattr(others, name))) for name, column in vars(some).items()})


def with_consultations(
    facts: Facts, found: Slots, known: Mapping[str, ClinicCalendar], span: Span, at: Cut
) -> Slots:
    """`found` with the bookings attended whose consultation was held: same clinic, patient and local day."""
    here = facts.codes("clinic").marked(list(known))
    held = facts.of(course_facts).between(span[0] - DAY, min(span[1], at.as_of_us + 1))
    held = cut(held.where(is_word(facts, held["kind"], "consultation")), at)
    asks = is_word(facts, found.visit_kind, "consultation") & (found.left < 0)
    mine, held = np.flatnonzero(asks & here[found.clinic]), held.where(here[held["clinic"]])

    def keys(clinic: Array, patient: Array, us: Array) -> Ints:
        whose = clinic.astype(np.int64) * len(facts.codes("patient")) + patient
        return whose << 20 | local_days(facts, known, clinic, us)

    days = keys(held["clinic"], held["patient"], held["at_us"])
    came = mine[np.isin(keys(found.clinic[mine], found.patient[mine], found.starts_us[mine]), days)]
    attended, no_show = found.attended.copy(), found.no_show.copy()
    attended[came], no_show[came] = True, False
    return Slots(**{**vars(found), "attended": attended, "no_show": no_show})

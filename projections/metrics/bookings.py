"""A booking of one room and time (a slot), folded from its appointment's steps. A move ends one slot and makes one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from projections.facts.encoding import HOUR

Row = Mapping[str, Any]


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One booking as of a moment. `left` says how it was given up: moved, cancelled, or None while it stands."""

    appointment: str
    clinic: str
    patient: str
    room: str
    visit_kind: str
    starts_us: int
    ends_us: int
    taken_us: int
    first_booked_us: int
    left: str | None = None
    left_us: int | None = None
    asked_by: str | None = None
    reason: str | None = None
    no_show: bool = False
    attended: bool = False
    course: str | None = None
    series: str | None = None
    fact: str = ""

    @property
    def live_at_start(self) -> bool:
        """Still standing when it began: what leaves it after the start does not unbook it."""
        return self.left_us is None or self.left_us >= self.starts_us

    @property
    def notice_us(self) -> int | None:
        """How long before the start it was given up."""
        return None if self.left_us is None else self.starts_us - self.left_us

    @property
    def late_by_patient(self) -> bool:
        """Given up by the patient's side less than 24 h before the start."""
        return self.asked_by == "patient" and self.notice_us is not None and self.notice_us < 24 * HOUR


class _Open:
    """The slots of one appointment while they are folded."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []

    def take(self, row: Row, like: Slot | None) -> None:
        first = self.slots[0].first_booked_us if self.slots else row["at_us"]
        self.slots.append(Slot(
            appointment=row["appointment"], clinic=row["clinic"] or "", room=row["room"] or "",
            patient=row["patient"] or (like.patient if like else ""),
            visit_kind=row["visit_kind"] or (like.visit_kind if like else ""),
            starts_us=row["starts_us"], ends_us=row["ends_us"], taken_us=row["at_us"], first_booked_us=first,
            course=row["course"] or (like.course if like else None),
            series=row["series"] or (like.series if like else None), fact=row["fact_id"],
        ))  # fmt: skip

    def standing(self, starts_us: int | None = None) -> int | None:
        """Index of the standing slot, of the one that begins at `starts_us` if there is one."""
        live = [index for index, slot in enumerate(self.slots) if slot.left is None]
        named = [index for index in live if self.slots[index].starts_us == starts_us]
        found = named or live
        return found[-1] if found else None

    def change(self, index: int | None, **changes: Any) -> Slot | None:
        if index is None:
            return None
        self.slots[index] = msgspec.structs.replace(self.slots[index], **changes)
        return self.slots[index]


def slots(rows: Iterable[Row], attended: Collection[str]) -> list[Slot]:
    """Slots from the rows of `appointment_facts`; `attended` are the appointments whose patient arrived."""
    steps: dict[str, list[Row]] = {}
    for row in rows:
        steps.setdefault(row["appointment"], []).append(row)
    found: list[Slot] = []
    for appointment, taken in steps.items():
        found += _slots_of(sorted(taken, key=lambda row: (row["at_us"], row["position"])), appointment in attended)
    return sorted(found, key=lambda slot: (slot.starts_us, slot.appointment, slot.taken_us))


def _slots_of(rows: Sequence[Row], attended: bool) -> list[Slot]:
    one = _Open()
    for row in rows:
        kind = row["kind"]
        if kind == "booked":
            one.take(row, one.slots[-1] if one.slots else None)
        elif kind == "moved":
            gone = one.change(
                one.standing(row["was_starts_us"]), left="moved", left_us=row["at_us"], asked_by=row["asked_by"],
                reason=row["reason"],
            )  # fmt: skip
            if row["to_date"] is None:
                one.take(row, gone)
        elif kind == "cancelled":
            one.change(
                one.standing(), left="cancelled", left_us=row["at_us"], asked_by=row["asked_by"], reason=row["reason"]
            )
        elif kind == "no_show":
            one.change(one.standing(), no_show=True)
    if attended:
        one.change(one.standing(), attended=True, no_show=False)
    return one.slots


def outcome(slot: Slot, as_of_us: int) -> str:
    """How the booking counts for the no-show rate: attended, no_show, patient_late, or why it does not count."""
    if slot.left is not None and not slot.attended:
        if slot.asked_by != "patient":
            return "clinic_side"
        return "patient_late" if slot.late_by_patient else "patient_24h_or_more"
    if slot.attended:
        return "attended"
    if slot.no_show:
        return "no_show"
    return "not_due" if slot.starts_us > as_of_us else "unresolved"

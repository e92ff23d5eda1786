"""Courses and their infusions, folded from facts: ordinals, purposes, plans, how they ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

Row = Mapping[str, Any]


class Infusion(msgspec.Struct, frozen=True, kw_only=True):
    """One InfusionGiven as it stands. Ordinals count from 1 by drug start; `next_us` is the patient's next start."""

    infusion: str
    patient: str
    clinic: str
    course: str | None
    purpose: str
    started_us: int
    stopped_us: int
    dose_ug: int
    dose_ng_per_kg: int
    run_us: int
    complete: bool
    fact: str
    in_course: int = 1
    in_patient: int = 1
    first_of_course_us: int = 0
    next_us: int | None = None
    next_purpose: str | None = None
    next_infusion: str | None = None

    @property
    def mg_per_kg(self) -> float:
        return self.dose_ng_per_kg / 1_000_000

    @property
    def mg_per_kg_h(self) -> float | None:
        """Dose per kg over the hours the drug ran; None for a bolus alone."""
        return self.mg_per_kg / (self.run_us / 3_600_000_000) if self.run_us else None


class Identities:
    """Which ids are one patient, from merges and unmerges in order of position."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._survivor: dict[str, str] = {}
        for row in sorted(rows, key=lambda row: int(row["position"])):
            if row["kind"] == "merged":
                self._survivor[row["patient"]] = row["subject"]
            elif row["kind"] == "unmerged":
                self._survivor.pop(row["patient"], None)

    def of(self, patient: str) -> str:
        """The surviving id, through chains of merges."""
        seen = {patient}
        while (after := self._survivor.get(patient)) is not None and after not in seen:
            seen.add(after)
            patient = after
        return patient

    def aliases(self, patient: str) -> set[str]:
        """Every id read as this patient, its own included."""
        return {patient} | {one for one in self.everyone() if self.of(one) == patient}

    def everyone(self) -> set[str]:
        """Every id that takes part in a merge that stands."""
        return {*self._survivor, *self._survivor.values()}


def infusions(rows: Iterable[Row], identities: Identities) -> list[Infusion]:
    """The infusions of whole patients, ordered by drug start, with their ordinals and what came next."""
    by_patient: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_patient[identities.of(row["patient"] or "")].append(row)
    found: list[Infusion] = []
    for patient, own in by_patient.items():
        own.sort(key=lambda row: (row["started_us"], row["position"]))
        of_course: dict[str, int] = defaultdict(int)
        first: dict[str, int] = {}
        for index, row in enumerate(own):
            course = row["course"] or row["infusion"]  # without a course it is a course of its own
            of_course[course] += 1
            after = own[index + 1] if index + 1 < len(own) else None
            found.append(Infusion(
                infusion=row["infusion"], patient=patient, clinic=row["clinic"] or "", course=row["course"],
                purpose=row["purpose"], started_us=row["started_us"], stopped_us=row["at_us"],
                dose_ug=row["dose_ug"], dose_ng_per_kg=row["dose_ng_per_kg"], run_us=row["run_us"],
                complete=bool(row["complete"]), fact=row["fact_id"], in_course=of_course[course],
                in_patient=index + 1, first_of_course_us=first.setdefault(course, row["started_us"]),
                next_us=after["started_us"] if after else None, next_purpose=after["purpose"] if after else None,
                next_infusion=after["infusion"] if after else None,
            ))  # fmt: skip
    return sorted(found, key=lambda one: (one.started_us, int(one.fact[1:])))


class Gate(msgspec.Struct, frozen=True):
    """One response gate."""

    at_us: int
    infusion: str | None
    positive: bool
    clinic: str
    fact: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The series as last planned. `relief_us`: when optimal relief ended the need for more."""

    series: str
    planned: int
    first_day: date
    last_day: date
    planned_us: int
    relief_us: int | None
    clinic: str
    facts: tuple[str, ...]


class ScheduledBooster(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of a booster: when it is due, and why on that day (`because`, from spells of `basis_days`).

    That is the reason of the word that set the date; that an appointment was booked or fell through set none.
    """

    booster: str
    due_on: date
    at_us: int
    because: str
    basis_days: tuple[float, ...]
    appointment: str | None
    cancelled: bool
    fact: str


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """One course as of a moment."""

    course: str
    patient: str
    clinic: str
    condition: str
    plan: str
    opened_us: int | None
    closed_us: int | None
    closed_reason: str | None
    closed_fact: str | None
    closed_clinic: str | None
    transferred_us: tuple[int, ...]
    gates: tuple[Gate, ...]
    plans: tuple[Plan, ...]
    boosters: tuple[ScheduledBooster, ...]
    relief_us: int | None
    fact: str

    def left_us(self, after: int) -> int | None:
        """When the patient died or the course moved to another clinic, at or after a moment."""
        left = [us for us in self.transferred_us if us >= after]
        if self.closed_reason == "deceased" and self.closed_us is not None and self.closed_us >= after:
            left.append(self.closed_us)
        return min(left, default=None)

    def booster_before(self, us: int) -> ScheduledBooster | None:
        """The last word on boosters before a moment."""
        earlier = [one for one in self.boosters if one.at_us <= us]
        return earlier[-1] if earlier else None


def courses(rows: Iterable[Row], identities: Identities) -> dict[str, Course]:
    """Courses by id from the rows of `course_facts`; one with only consultations has opened_us None."""
    by_course: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_course[row["course"]].append(row)
    return {
        course: _course(course, sorted(own, key=lambda row: (row["at_us"], row["position"])), identities)
        for course, own in by_course.items()
    }


def _course(course: str, rows: Sequence[Row], identities: Identities) -> Course:
    of_kind: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of_kind[row["kind"]].append(row)
    begun = (of_kind["opened"] or of_kind["consultation"] or list(rows))[-1]
    closed = of_kind["closed"][-1] if of_kind["closed"] else None
    relief = of_kind["optimal_relief"][0]["at_us"] if of_kind["optimal_relief"] else None
    moved = of_kind["transferred"]
    return Course(
        course=course, patient=identities.of(begun["patient"] or ""), condition=begun["condition"] or "unknown",
        clinic=(moved[-1]["other_clinic"] if moved else begun["clinic"]) or "", plan=begun["plan"] or "unknown",
        opened_us=of_kind["opened"][0]["at_us"] if of_kind["opened"] else None,
        closed_us=closed["at_us"] if closed else None, closed_reason=closed["reason"] if closed else None,
        closed_fact=closed["fact_id"] if closed else None, closed_clinic=closed["clinic"] if closed else None,
        transferred_us=tuple(row["at_us"] for row in moved),
        gates=tuple(
            Gate(row["at_us"], row["infusion"], bool(row["positive"]), row["clinic"] or "", row["fact_id"])
            for row in of_kind["gate"]
        ),
        plans=tuple(_plans(of_kind["series_planned"], of_kind["series_revised"], relief)),
        boosters=tuple(_boosters(rows)), relief_us=relief, fact=begun["fact_id"],
    )  # fmt: skip


def _plans(planned: Sequence[Row], revised: Sequence[Row], relief_us: int | None) -> Iterable[Plan]:
    for first in planned:
        changes = [row for row in revised if row["subject"] == first["subject"]]
        last = changes[-1] if changes else first
        yield Plan(
            series=first["subject"], planned=last["infusions"], first_day=date.fromisoformat(last["from_date"]),
            last_day=date.fromisoformat(last["until_date"]), planned_us=first["at_us"], clinic=first["clinic"] or "",
            relief_us=relief_us if relief_us is not None and relief_us >= first["at_us"] else None,
            facts=(first["fact_id"], *(row["fact_id"] for row in changes)),
        )  # fmt: skip


def _boosters(rows: Sequence[Row]) -> Iterable[ScheduledBooster]:
    """Every word on boosters in order, each as it then stood."""
    standing: dict[str, Row] = {}
    for row in rows:
        if row["kind"] not in ("booster_scheduled", "booster_rescheduled", "booster_cancelled"):
            continue
        said = {**row}
        before = standing.get(row["subject"])
        if before is not None:
            said["until_date"] = row["until_date"] or before["until_date"]
            said["appointment"] = row["appointment"] or before["appointment"]
        if before is None or (said["until_date"] != before["until_date"] and row["reason"] != "booked"):
            said["because"], said["basis"] = row["reason"], row["plan"]
        else:
            said["because"], said["basis"] = before["because"], before["basis"]
        standing[row["subject"]] = said
        if said["until_date"] is None:
            continue
        yield ScheduledBooster(
            booster=row["subject"], due_on=date.fromisoformat(said["until_date"]), at_us=row["at_us"],
            because=said["because"] or "", basis_days=_days(said["basis"]),
            appointment=said["appointment"],
            cancelled=row["kind"] == "booster_cancelled", fact=row["fact_id"],
        )  # fmt: skip


def _days(basis: str | None) -> tuple[float, ...]:
    """Days of spells, as the scheduling wrote them down."""
    return tuple(float(days) for days in msgspec.json.decode(basis, type=list[str])) if basis else ()

"""A visit, folded from its steps: the room's stays, the drug's run, how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from projections.facts.encoding import DAY, MINUTE
from projections.metrics.calendar import ClinicCalendar
from projections.metrics.intervals import Span

ENDINGS = frozenset({"discharged", "left_against_advice", "transferred", "not_infused", "died"})
INFUSION_KINDS = frozenset({"trial", "series", "booster", "re_induction"})


class Stay(msgspec.Struct, frozen=True):
    """The patient in one room; `until_us` None while the room is not released."""

    room: str
    from_us: int
    until_us: int | None


class Recovery(msgspec.Struct, frozen=True):
    """One recovery score."""

    at_us: int
    scale: str
    score: int


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One visit as of a moment; what has not happened is None. `run` is the drug's run: (from, what); `last_us` the
    last of its steps."""

    infusion: str
    clinic: str
    patient: str
    visit_kind: str
    appointment: str | None = None
    booked_starts_us: int | None = None
    arrived_us: int | None = None
    roomed_us: int | None = None
    stays: tuple[Stay, ...] = ()
    started_us: int | None = None
    stopped_us: int | None = None
    run: tuple[tuple[int, str], ...] = ()
    recoveries: tuple[Recovery, ...] = ()
    ended_us: int | None = None
    ending: str | None = None
    reason: str | None = None
    released_us: int | None = None
    last_us: int = 0
    facts: tuple[str, ...] = ()
    fact: str = ""

    @property
    def day_us(self) -> int | None:
        """The moment whose local day the visit counts on: the booked start, else roomed, else arrival."""
        return next((us for us in (self.booked_starts_us, self.roomed_us, self.arrived_us) if us is not None), None)

    @property
    def infused(self) -> bool:
        """Whether drug ran and was finally stopped."""
        return self.stopped_us is not None


def visits(rows: Iterable[Mapping[str, Any]]) -> list[Visit]:
    """Visits from the rows of `visit_facts`, ordered by their first step; a visit without an arrival is left out."""
    steps: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        steps.setdefault(row["infusion"], []).append(row)
    folded = [_visit(infusion, taken) for infusion, taken in steps.items()]
    return sorted((one for one in folded if one is not None), key=lambda one: (one.arrived_us or 0, one.infusion))


def _visit(infusion: str, rows: list[Mapping[str, Any]]) -> Visit | None:
    rows.sort(key=lambda row: (row["at_us"], row["position"]))
    first: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        first.setdefault(row["kind"], row)
    arrived = first.get("arrived") or first.get("roomed")
    if arrived is None:
        return None
    ending = next((row for row in rows if row["kind"] in ENDINGS), None)
    released = next((row for row in reversed(rows) if row["kind"] == "released"), None)
    return Visit(
        infusion=infusion, clinic=arrived["clinic"] or "", patient=arrived["patient"] or "",
        visit_kind=arrived["visit_kind"] or "", appointment=arrived["appointment"],
        booked_starts_us=arrived["booked_starts_us"], arrived_us=_at(first.get("arrived")),
        roomed_us=_at(first.get("roomed")), stays=tuple(_stays(rows)), started_us=_at(first.get("started")),
        stopped_us=_at(first.get("stopped")), run=tuple(_run(rows)),
        recoveries=tuple(
            Recovery(row["at_us"], row["scale"], row["score"]) for row in rows if row["kind"] == "recovery"
        ),
        ended_us=_at(ending), ending=ending["kind"] if ending else None, reason=ending["reason"] if ending else None,
        released_us=_at(released), last_us=rows[-1]["at_us"],
        facts=tuple(row["fact_id"] for row in rows), fact=arrived["fact_id"],
    )  # fmt: skip


def _at(row: Mapping[str, Any] | None) -> int | None:
    return None if row is None else int(row["at_us"])


def _stays(rows: Sequence[Mapping[str, Any]]) -> Iterable[Stay]:
    room, since = None, 0
    for row in rows:
        if row["kind"] in ("roomed", "moved_room"):
            if room is not None:
                yield Stay(room, since, row["at_us"])
            room, since = row["room"], row["at_us"]
        elif row["kind"] == "released" and room is not None:
            yield Stay(room, since, row["at_us"])
            room = None
    if room is not None:
        yield Stay(room, since, None)


def _run(rows: Sequence[Mapping[str, Any]]) -> Iterable[tuple[int, str]]:
    what = {"started": "infusing", "resumed": "infusing", "paused": "paused", "stopped": "recovering"}
    begun = False
    for row in rows:
        turn = what.get(row["kind"])
        begun = begun or row["kind"] == "started"
        if turn is not None and begun:
            yield row["at_us"], turn
            if turn == "recovering":
                return


def ready_us(visit: Visit, calendar: ClinicCalendar) -> int | None:
    """When the patient could have left: see the definition of `phase_share`."""
    if visit.stopped_us is None:
        return None
    protocol = calendar.protocol_at(visit.stopped_us)
    earliest = visit.stopped_us + (protocol.monitoring_minutes * MINUTE if protocol else 0)
    for one in visit.recoveries:
        enough = protocol is None or (
            one.scale == protocol.discharge_scale and one.score >= protocol.discharge_minimum
        )  # fmt: skip
        if enough and one.at_us >= visit.stopped_us:
            return max(one.at_us, earliest)
    return None


def counted_in(visit: Visit, calendar: ClinicCalendar, span: Span) -> bool:
    """Whether the visit counts in the period whose local days make `span`."""
    return visit.day_us is not None and span[0] <= visit.day_us < span[1]


LONGEST_VISIT = 2 * DAY
"""How far before the period a visit that reaches into it may have been roomed."""

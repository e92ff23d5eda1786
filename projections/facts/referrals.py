"""From fact rows to what became of each referral."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date

from sqlalchemy import Connection, select

from projections.facts.reading import Cut, Row, fetch, fetch_in
from projections.facts.relief import identities_of
from projections.facts.tables import course_facts, infusion_facts, patient_facts
from projections.metrics.calendar import ClinicCalendar, Period, local_date
from projections.metrics.courses import Identities
from projections.metrics.funnel import Referred, monday
from projections.metrics.intervals import Span

_STEP_OF = {
    ("patient", "screening"): "screened", ("patient", "consent"): "consented",
    ("course", "optimal_relief"): "optimal_relief",
}  # fmt: skip


def referrals(
    conn: Connection, calendars: Mapping[str, ClinicCalendar], period: Period, span: Span, cut: Cut
) -> list[Referred]:
    """Referrals received in the period at these clinics, by the clinic's local date."""
    c = patient_facts.c
    received = fetch(conn, select(patient_facts).where(
        c.clinic.in_(sorted(calendars)), c.at_us >= span[0], c.at_us < span[1], c.kind == "referral",
        cut.on(patient_facts),
    ))  # fmt: skip
    patients = {row["patient"] for row in received if row["patient"]}
    identities = identities_of(conn, patients, cut)
    everyone = patients | identities.everyone()
    steps = _steps(conn, everyone, identities, cut)
    found = []
    for row in received:
        day = local_date(calendars[row["clinic"]].timezone, row["at_us"])
        if period.first <= day <= period.last:
            found.append(_referred(row, day, steps[identities.of(row["patient"] or "")]))
    return sorted(found, key=lambda one: (one.at_us, one.fact))


def _steps(conn: Connection, patients: set[str], identities: Identities, cut: Cut) -> dict[str, list[tuple[int, str]]]:
    """(moment, what) by patient: steps as they are called, failures with an exclamation mark before the reason."""
    own = patient_facts.c.kind.in_(("screening", "cleared", "consent"))
    taken = (
        *(("patient", row) for row in fetch_in(conn, patient_facts, cut, "patient", patients, own)),
        *(("course", row) for row in fetch_in(conn, course_facts, cut, "patient", patients)),
        *(("infusion", row) for row in fetch_in(conn, infusion_facts, cut, "patient", patients)),
    )
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for source, row in taken:
        for what in _what(source, row):
            found[identities.of(row["patient"] or "")].append((row["at_us"], what))
    for steps in found.values():
        steps.sort()
    return found


def _what(source: str, row: Row) -> Iterable[str]:
    kind = row["kind"]
    if source == "infusion":
        if row["purpose"] in ("trial", "series", "booster"):
            yield row["purpose"]
    elif kind == "consultation":
        yield "consulted"
        if row["decision"] == "not_suitable":
            yield "!not_suitable"
    elif kind == "gate":
        yield "gate_passed" if row["positive"] or row["decision"] == "go_on" else "!no_response"
    elif kind == "closed":
        yield f"!{row['reason']}"
    elif kind == "cleared":
        yield "cleared"
    elif (source, kind) in _STEP_OF:
        yield _STEP_OF[source, kind]
        if kind == "screening" and row["failed"]:
            yield "!screening"


def _referred(row: Row, day: date, steps: Iterable[tuple[int, str]]) -> Referred:
    reached: dict[str, int] = {}
    failed: str | None = None
    for us, what in steps:
        if us < row["at_us"]:
            continue
        if what.startswith("!"):
            failed = what[1:]
        elif what == "cleared":
            failed = None if failed == "screening" else failed
        else:
            reached.setdefault(what, us)
    return Referred(
        fact=row["fact_id"], patient=row["patient"] or "", week=monday(day), at_us=row["at_us"], reached=reached,
        failed=failed, clinic=row["clinic"],
    )  # fmt: skip

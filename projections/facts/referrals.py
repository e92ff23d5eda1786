"""From fact rows to what became of each referral."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date

from sqlalchemy import Connection, select

from projections.facts.encoding import DAY
from projections.facts.reading import Cut, Row, fetch, fetch_in
from projections.facts.relief import identities_of
from projections.facts.tables import course_facts, infusion_facts, patient_facts
from projections.metrics.calendar import ClinicCalendar, Period, period_span
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
    """Referrals received in the period at these clinics, by the date on which each was received.

    It may be typed in later, never sooner: a step taken in between was taken by somebody referred.
    """
    c = patient_facts.c
    received = fetch(conn, select(patient_facts).where(
        c.clinic.in_(sorted(calendars)), c.at_us >= span[0] - DAY, c.kind == "referral", cut.on(patient_facts),
        c.from_date >= period.first.isoformat(), c.from_date <= period.last.isoformat(),
    ))  # fmt: skip
    patients = {row["patient"] for row in received if row["patient"]}
    identities = identities_of(conn, patients, cut)
    everyone = patients | identities.everyone()
    steps = _steps(conn, everyone, identities, cut)
    found = []
    for row in received:
        day = date.fromisoformat(row["from_date"])
        since, _ = period_span(calendars[row["clinic"]].timezone, Period(day, day))
        found.append(_referred(row, day, since, steps[identities.of(row["patient"] or "")]))
    return sorted(found, key=lambda one: (one.at_us, one.fact))


def _steps(conn: Connection, patients: set[str], identities: Identities, cut: Cut) -> dict[str, list[tuple[int, str]]]:
    """(moment, what) by patient: steps as they are called, `!` before the reason of an ending, `~` before the reason
    that no longer holds (`~` alone: none does, care went on). At one moment endings come first. The last ending that
    still holds is why care ended.
    """
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
        yield "~"
    elif kind == "consultation":
        yield "consulted"
        if row["decision"] == "not_suitable":
            yield "!not_suitable"
        if row["decision"] == "proceed":
            yield from ("~not_suitable", "~closed")
    elif kind == "gate":
        went_on = row["positive"] or row["decision"] == "go_on"
        yield from ("gate_passed", "~no_response") if went_on else ("!no_response",)
    elif kind == "opened":
        yield "~closed"
    elif kind == "closed":
        yield f"!closed:{row['reason']}"
    elif kind == "cleared":
        yield "~screening"
    elif (source, kind) in _STEP_OF:
        yield _STEP_OF[source, kind]
        if kind == "screening":
            yield "!screening" if row["failed"] else "~screening"


def _referred(row: Row, day: date, since: int, steps: Iterable[tuple[int, str]]) -> Referred:
    reached: dict[str, int] = {}
    standing: list[str] = []
    for us, what in steps:
        if us < since:
            continue
        if what.startswith("!"):
            standing = [one for one in standing if _sort(one) != _sort(what[1:])] + [what[1:]]
        elif what.startswith("~"):
            standing = [one for one in standing if not one.startswith(what[1:])]
        else:
            reached.setdefault(what, us)
    failed = standing[-1] if standing else None
    return Referred(
        fact=row["fact_id"], patient=row["patient"] or "", week=monday(day), at_us=since, reached=reached,
        failed=None if failed is None else failed.removeprefix("closed:"), clinic=row["clinic"],
    )  # fmt: skip


def _sort(ending: str) -> str:
    return ending.partition(":")[0]

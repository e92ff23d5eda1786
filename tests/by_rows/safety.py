"""The safety report by rows, one object per infusion and episode. The oracle of the columns."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, Select, and_, or_, select

from projections.facts.encoding import DAY
from projections.facts.loading import calendars, widest
from projections.facts.reading import Cut, Row, fetch, fetch_in
from projections.facts.relief import identities_of
from projections.facts.tables import safety_facts
from projections.metrics.calendar import ClinicCalendar, Period, period_span
from projections.metrics.safety import (
    Board,
    Episode,
    Given,
    SafetyMaterial,
    board,
    by_kind,
    control_chart,
    cumulative,
    endings,
    episodes,
    given,
    open_long,
    per_100,
    serious,
    share,
)
from projections.safety import SafetyReport

TOLD_WITHIN = 28 * DAY
"""So long after its onset a side effect at home is looked for among the reports."""

STEPS = ("side_effect", "regraded", "treated", "resolved", "signed_off")
ENDS = ("stopped_early", "left_against_advice", "transferred", "died")
BOARD = ("refusal", "override", "breach", "alert", "home_alert", "verbal_order")


def report(
    conn: Connection, clinics: Collection[str], period: Period, *, as_of: datetime, known_at: int | None = None
) -> SafetyReport:
    """The dashboard's figures; eight queries, each bounded by clinics and period or by what those found."""
    found = _Facts(conn, clinics, period, Cut.at(as_of, known_at))
    material = found.material
    return SafetyReport(
        period=period, as_of=as_of, known_at=known_at, clinics=tuple(found.calendars),
        infusions=len(material.infusions), episodes=len(material.episodes),
        any_side_effect=share(material, material.episodes), per_100=per_100(material, material.episodes),
        serious=serious(material), by_kind=by_kind(material), endings=endings(found.ends, material),
        open_over_28_days=open_long(material), cumulative_symptoms=cumulative(material),
        unattributed=tuple(one.fact for one in material.unattributed), control_chart=control_chart(material),
        board=found.board(),
    )  # fmt: skip


class _Facts:
    """What one safety report rests on."""

    def __init__(self, conn: Connection, clinics: Collection[str], period: Period, cut: Cut) -> None:
        self._conn, self._cut, self._period = conn, cut, period
        self.calendars: dict[str, ClinicCalendar] = calendars(conn, clinics, cut)
        self._clinics = sorted(self.calendars)
        self._span = widest(self.calendars.values(), period)
        here = self._given_here()
        patients = {row["patient"] for row in here if row["patient"]}
        home_here = self._home_reports_here()
        patients |= {row["patient"] for row in home_here if row["patient"]}
        kind = safety_facts.c.kind
        identities = identities_of(conn, patients, cut)
        patients |= identities.everyone()
        every = given(fetch_in(conn, safety_facts, cut, "patient", patients, kind == "given"), identities)
        infusions = [one for one in every if self._in_period(one.clinic, one.started_us)]
        own = fetch(conn, self._of_infusions().where(kind.in_((*STEPS, *ENDS))))
        self.ends = [row for row in own if row["kind"] in ENDS]
        home = {row["fact_id"]: row for row in (*home_here, *self._home_reports_of(patients))}
        self._loose_here = {
            row["subject"] for row in home_here if self._in_period(row["clinic"] or "", row["onset_us"])
        }  # fmt: skip
        steps = [*(row for row in own if row["kind"] in STEPS), *home.values(), *self._steps_of(home.values())]
        self.material = self._material(infusions, episodes(steps, every, identities))

    def _in_period(self, clinic: str, us: int) -> bool:
        calendar = self.calendars.get(clinic)
        if calendar is None:
            return False
        low, high = period_span(calendar.timezone, self._period)
        return low <= us < high

    def _around(self) -> Select[tuple[str]]:
        """Ids of the infusions whose drug stop lies around the period here."""
        c = safety_facts.c
        return select(c.infusion).where(
            c.clinic.in_(self._clinics), c.kind == "given", c.at_us >= self._span[0],
            c.at_us < self._span[1] + 2 * DAY, self._cut.on(safety_facts),
        )  # fmt: skip

    def _given_here(self) -> list[Row]:
        c = safety_facts.c
        rows = fetch(self._conn, self._of_infusions().where(c.kind == "given"))
        return [row for row in rows if self._in_period(row["clinic"] or "", row["onset_us"])]

    def _of_infusions(self) -> Select[tuple[object, ...]]:
        return select(safety_facts).where(safety_facts.c.infusion.in_(self._around()), self._cut.on(safety_facts))

    def _home_reports_here(self) -> list[Row]:
        c = safety_facts.c
        query = select(safety_facts).where(
            c.clinic.in_(self._clinics), c.at_us >= self._span[0], c.at_us < self._span[1] + TOLD_WITHIN,
            c.kind == "side_effect_from_home", self._cut.on(safety_facts),
        )  # fmt: skip
        return fetch(self._conn, query)

    def _home_reports_of(self, patients: Collection[str]) -> list[Row]:
        """What these patients reported since the period began: it may belong to an infusion of the period."""
        c = safety_facts.c
        home = and_(c.kind == "side_effect_from_home", c.at_us >= self._span[0])
        return fetch_in(self._conn, safety_facts, self._cut, "patient", patients, home)

    def _steps_of(self, reports: Collection[Row]) -> list[Row]:
        later = safety_facts.c.kind.in_(STEPS[1:])
        return fetch_in(self._conn, safety_facts, self._cut, "subject", {row["subject"] for row in reports}, later)

    def _material(self, infusions: list[Given], found: list[Episode]) -> SafetyMaterial:
        counted = {one.infusion for one in infusions}
        return SafetyMaterial(
            infusions=infusions, episodes=[one for one in found if one.infusion in counted],
            unattributed=[one for one in found if one.infusion is None and one.side_effect in self._loose_here],
            as_of_us=self._cut.as_of_us,
            timezones={clinic: calendar.timezone for clinic, calendar in self.calendars.items()},
        )  # fmt: skip

    def board(self) -> Board:
        """Counts of the period, with what became of alerts and verbal orders."""
        c = safety_facts.c
        query = select(safety_facts).where(
            c.clinic.in_(self._clinics), c.at_us >= self._span[0], c.at_us < self._span[1], c.kind.in_(BOARD),
            self._cut.on(safety_facts),
        )  # fmt: skip
        rows = [row for row in fetch(self._conn, query) if self._in_period(row["clinic"] or "", row["at_us"])]
        answered = ("alert_acknowledged", "home_alert_acknowledged", "countersigned")
        subjects = {row["subject"] for row in rows if row["kind"] in ("alert", "home_alert", "verbal_order")}
        later = fetch_in(self._conn, safety_facts, self._cut, "subject", subjects, or_(c.kind.in_(answered)))
        acknowledged: dict[str, int] = {}
        for row in later:
            acknowledged[row["subject"]] = min(row["at_us"], acknowledged.get(row["subject"], row["at_us"]))
        signed = frozenset(row["subject"] for row in later if row["kind"] == "countersigned")
        return board(rows, acknowledged, signed, self._cut.as_of_us)

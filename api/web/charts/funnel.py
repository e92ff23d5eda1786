"""The pictures of the page Funnel."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from api.web.address import Rows
from api.web.charts import Chart
from api.web.figures import shown
from api.web.tables import Cell, Column, Table, basis_of, cell, rate_column
from api.web.terms import reason
from api.web.wording import count, day, number
from projections.metrics.definitions import current
from projections.metrics.funnel import STEPS, WITHIN_DAYS, FunnelWeek
from projections.referral_funnel import ReferralFunnel

STEP_WORDS = {
    "consulted": "Consultation", "screened": "Screening", "consented": "Consent", "trial": "First infusion",
    "gate_passed": "Response gate passed", "series": "Series", "optimal_relief": "Optimal relief", "booster": "Booster",
}  # fmt: skip
DRAWN = ("consulted", "trial", "series", "booster")
"""Steps whose weeks are drawn."""
STATES = ("reached", "still open", "ended before")
COLOURS = ("@series-1", "@band", "@series-6")


def steps(whole: ReferralFunnel, table: Table, rows: Rows) -> Chart:
    """Of everybody referred: how many reached each step, may still reach it, or ended before it."""
    values: list[dict[str, Any]] = []
    for order, step in enumerate(STEPS):
        one = whole.steps[step]
        for place, (state, figure) in enumerate(zip(STATES, (one.done, one.open, one.failed), strict=True)):
            values.append({"step": STEP_WORDS[step], "order": order, "state": state, "place": place, "n": figure.n})
    spec = {
        "data": {"values": values},
        "mark": {"type": "bar", "height": {"band": 0.68}},
        "encoding": {
            "y": {"field": "step", "type": "nominal", "title": None, "sort": {"field": "order"},
                  "axis": {"ticks": False, "domain": False, "labelLimit": 170}},
            "x": {"field": "n", "type": "quantitative", "title": None, "axis": {"tickMinStep": 1, "tickCount": 6}},
            "color": {"field": "state", "type": "nominal", "title": None,
                      "scale": {"domain": list(STATES), "range": list(COLOURS)}, "legend": {"orient": "top"}},
            "order": {"field": "place"},
            "tooltip": [{"field": "step", "title": "Step"}, {"field": "state", "title": "State"},
                        {"field": "n", "title": "Referrals"}],
        },
    }  # fmt: skip
    first, last = whole.steps["trial"].done.n, whole.steps["booster"].done.n
    referred = count(whole.referred, "referral")
    said = (f"Of {referred}, {number(first)} had a first infusion and {number(last)} a booster."
            if whole.referred else "Nobody was referred in this period.")
    return Chart(
        name="steps", title="How far referrals have come", spec=spec, table=table, description=said, height=300,
        aid="Each bar is everybody referred in the period: reached, still open, or ended before the step.",
        definitions=(current("funnel_done"), current("funnel_open"), current("funnel_failed")),
        rows=_reached(whole, rows), nothing="" if whole.referred else said,
    )  # fmt: skip


def weeks(whole: ReferralFunnel, rows: Rows) -> Chart:
    """Referrals by week, and how many of each week had consultation, first infusion, series and booster."""
    values = [
        {"week": one.week.isoformat(), "what": label, "n": n}
        for one in whole.weeks
        for label, n in [("Referred", one.referred), *((STEP_WORDS[at], one.steps[at].done) for at in DRAWN)]
    ]
    domain = ["Referred", *(STEP_WORDS[step] for step in DRAWN)]
    spec = {
        "data": {"values": values},
        "mark": {"type": "line", "interpolate": "linear", "point": {"size": 18, "filled": True}, "strokeWidth": 1.5},
        "encoding": {
            "x": {"field": "week", "type": "temporal", "title": None, "axis": {"format": "%-d %b", "grid": False,
                  "tickCount": 8}},
            "y": {"field": "n", "type": "quantitative", "title": None, "axis": {"tickMinStep": 1, "tickCount": 5}},
            "color": {"field": "what", "type": "nominal", "title": None, "legend": {"orient": "top"},
                      "scale": {"domain": domain, "range": ["@series-6", "@series-1", "@series-2", "@series-3",
                                                            "@series-4"]}},
            "tooltip": [{"field": "week", "type": "temporal", "title": "Week of", "format": "%-d %b %Y"},
                        {"field": "what", "title": "Reached"}, {"field": "n", "title": "Referrals"}],
        },
    }  # fmt: skip
    return Chart(
        name="weeks", title="By week of referral", spec=spec, table=weeks_table(whole.weeks, rows), height=240,
        aid="Each point: of the referrals of that week, how many have reached the step by now.",
        description=f"{count(len(whole.weeks), 'week')} with referrals; later weeks have had less time.",
        definitions=(current("funnel"),), rows=_reached(whole, rows),
        nothing="" if whole.weeks else "Nobody was referred in this period.",
    )


def _reached(whole: ReferralFunnel, rows: Rows) -> tuple[tuple[str, str], ...]:
    return tuple(
        (STEP_WORDS[step].lower(), rows(f"together.steps.{step}.done")) for step in DRAWN if whole.steps[step].done.n
    )


def weeks_table(some: tuple[FunnelWeek, ...], rows: Rows) -> Table:
    """One row per week: referred, and per step reached / ended before / still open; what was reached opens into the
    rows of that week."""
    return Table(
        name="weeks", title="By week of referral", empty="Nobody was referred in this period.",
        note="Each step: reached · ended before · still open.",
        columns=(
            Column("week", "Week of"), Column("referred", "Referred", numeric=True, definition=current("funnel")),
            *(Column(step, STEP_WORDS[step], numeric=True, definition=current("funnel_done"),
                     basis=("ended before", "still open")) for step in STEPS),
        ),
        rows=tuple((cell(one.week, day(one.week)), cell(one.referred), *_counts(one, rows)) for one in some),
    )  # fmt: skip


def _counts(week: FunnelWeek, rows: Rows) -> list[Cell]:
    found = []
    for step in STEPS:
        one = week.steps[step]
        failed = sum(one.failed.values())
        why = ", ".join(f"{reason(code)} {many}" for code, many in one.failed.items())
        text = f"{one.done} · {failed} · {one.open}"
        path, sunday = f"together.steps.{step}.done", week.week + timedelta(days=6)
        href = rows.between(path, week.week, sunday) if one.done else None
        found.append(cell(one.done, text, note=why, basis=(failed, one.open), href=href))
    return found


def rates_table(whole: ReferralFunnel, href: Any) -> Table:
    """The rates at 30, 60 and 90 days, only of those referred long enough ago."""
    return Table(
        name="rates", title="Reached in time", empty="Nobody was referred in this period.",
        note="Only those referred at least that many days ago are counted.",
        columns=(Column("step", "Step"), *(
            rate_column(f"d{days}", f"Within {days} days", current("funnel")) for days in WITHIN_DAYS
        )),
        rows=tuple(
            (cell(STEP_WORDS[step]), *(_rate(whole, step, days, href) for days in WITHIN_DAYS)) for step in STEPS
        ) if whole.referred else (),
    )  # fmt: skip


def _rate(whole: ReferralFunnel, step: str, days: int, href: Any) -> Cell:
    path = f"together.within.{step}.{days}_days"
    one = shown(whole.within[step][f"{days}_days"], path, href)
    text = f"{one.value} {one.unit}".strip()
    note = " · ".join(part for part in (one.basis, one.interval) if part)
    return Cell(text=text, value=one.raw, href=one.href, note=note, basis=basis_of(one.figure))

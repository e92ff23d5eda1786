"""The digest's lines: the figures of the dashboards' own reports, and for each how to check it.

`as_of` and `known_at` are fixed when the digest is scheduled, so that every link and command gives the very figure that
was sent, whatever has been charted or corrected since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from sqlalchemy import Connection

from api.digest.week import Week
from api.reports import DASHBOARDS, figures
from api.web.deltas import Delta, delta
from api.web.doubt import doubted, thin
from api.web.figures import Shown, shown
from projections.metrics.calendar import Period
from projections.metrics.figures import Figure, Spread

__all__ = ["LINES", "Digest", "Line", "compose"]

LINES: tuple[tuple[str, str], ...] = (
    ("utilization", "together.rooms.actual_utilization"),
    ("utilization", "together.rooms.scheduled_utilization"),
    ("utilization", "together.rooms.overtime_minutes"),
    ("utilization", "together.attendance.no_show_rate"),
    ("utilization", "together.attendance.on_time"),
    ("utilization", "together.attendance.wait"),
    ("outcomes", "responders.first_30"),
    ("outcomes", "landmark_fall"),
    ("outcomes", "follow_up_answered"),
    ("safety", "any_side_effect"),
    ("safety", "serious"),
    ("safety", "open_over_28_days"),
)
"""Dashboard and path, as `/v1/dashboards/<dashboard>` names its figures."""


@dataclass(frozen=True, kw_only=True)
class Digest:
    """What is asked: a week of some clinics, as of a moment, as known at a position."""

    week: Week
    clinics: tuple[str, ...]
    as_of: datetime
    known_at: int
    address: str

    def query(self, period: Period) -> str:
        """The question as an address's parameters, everything written out."""
        return urlencode({
            "clinics": ",".join(self.clinics), "from": period.first.isoformat(), "to": period.last.isoformat(),
            "as_of": self.as_of.isoformat(), "known_at": str(self.known_at),
        }, safe=",:")

    @property
    def command(self) -> str:
        """What prints every line again, on the server."""
        clinics = " ".join(f"--clinic {one}" for one in self.clinics)
        return (f"anodyne digest show --week {self.week.name} --as-of {self.as_of.isoformat()} "
                f"--known-at {self.known_at} {clinics}")

    @property
    def href(self) -> str:
        """The page of the same week, side by side."""
        return f"{self.address}/clinics?{self.query(self.week.period)}"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure: last week's, what changed, and how to check both."""

    now: Shown
    change: Delta
    dashboard: str
    path: str
    rows_href: str
    command: str

    @property
    def counted(self) -> str:
        """Numerator, denominator and n as they are."""
        figure = self.now.figure
        if isinstance(figure, Spread):
            return f"n {figure.n}"
        if figure.denominator is None:
            return f"n {figure.n}"
        return f"{_plain(figure.numerator)} / {_plain(figure.denominator)}, n {figure.n}"

    @property
    def left_out(self) -> str:
        """What was left out, by reason."""
        return ", ".join(f"{many} {reason}" for reason, many in self.now.left_out)


def _plain(value: float | None) -> str:
    return "0" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def compose(conn: Connection, asked: Digest) -> Sequence[Line]:
    """Every line, from the same reports that the pages and the API show."""
    now, then = _shown(conn, asked, asked.week), _shown(conn, asked, asked.week.before)
    return [
        Line(
            now=now[one], change=delta(now[one], then[one]), dashboard=dashboard, path=path,
            rows_href=f"{asked.address}/rows/{dashboard}?{asked.query(asked.week.period)}&figure={path}",
            command=_command(asked, dashboard, path),
        )
        for one in LINES for dashboard, path in [one]
    ]


def _shown(conn: Connection, asked: Digest, week: Week) -> dict[tuple[str, str], Shown]:
    """A week's figures; those of relief in doubt where follow-up was thin."""
    found = _figures(conn, asked, week)
    doubt = thin(found["outcomes", "follow_up_answered"])
    return {one: doubted(shown(figure, one[1]), doubt) for one, figure in found.items()}


def _figures(conn: Connection, asked: Digest, week: Week) -> dict[tuple[str, str], Figure | Spread]:
    found: dict[tuple[str, str], Figure | Spread] = {}
    for dashboard in dict.fromkeys(name for name, _ in LINES):
        report = DASHBOARDS[dashboard][0](
            conn, asked.clinics, week.period, as_of=asked.as_of, known_at=asked.known_at)
        paths = dict(figures(report))
        found.update({(dashboard, path): paths[path] for name, path in LINES if name == dashboard})
    return found


def _command(asked: Digest, dashboard: str, path: str) -> str:
    url = f"{asked.address}/v1/dashboards/{dashboard}?{asked.query(asked.week.period)}"
    return f"curl -sH \"Authorization: Bearer $ANODYNE_KEY\" '{url}' | jq .figures.{path}"

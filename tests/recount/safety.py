"""What harms: side effects by kind and grade, how they went, how visits ended, what rules refused or saw broken."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tests.recount import stats
from tests.recount.clinic import Period
from tests.recount.courses import DAY, Courses
from tests.recount.exported import instants, moment
from tests.recount.visits import ENDINGS

MINUTE = pd.Timedelta(minutes=1)
BELONGS = 7 * DAY
LONG = 28 * DAY
BANDS = ((1, 6, "1 to 6"), (7, 12, "7 to 12"), (13, 24, "13 to 24"), (25, 10**9, "25 and more"))


class Safety:
    """Episodes of side effects, and the safety board."""

    def __init__(self, courses: Courses, chosen: list[str], period: Period) -> None:
        self.courses, self.known, self.chosen, self.period = courses, courses.known, chosen, period
        infusions = courses.infusions.sort_values(["started", "position"])
        self.all = infusions.assign(so_far=infusions.groupby("patient").cumcount() + 1)
        self.own = courses.in_period(self.all, chosen, period, "started")
        self.every_episode = self._episodes()
        self.episodes = self.every_episode[self.every_episode.infusion.isin(self.own.stream)]
        self.out = {"unattributed": self.unattributed()} if self.unattributed() else {}

    # --- episodes ----------------------------------------------------------------------------------------

    def _episodes(self) -> pd.DataFrame:
        """One row per episode, in a visit or from home, with its highest grade."""
        first = self.known.of("infusion.side_effect_reported", "diary.side_effect_reported_from_home",
                              fields=["side_effect_id", "kind", "grade", "onset_at", "ended_at", "infusion_id"],
                              serious=False)
        later = self.known.of("infusion.side_effect_regraded", "infusion.side_effect_treated",
                              "infusion.side_effect_resolved", fields=["side_effect_id", "grade"], serious=False)
        after = dict(iter(later.groupby("side_effect_id")))
        rows = []
        for row in first.drop_duplicates("side_effect_id").itertuples():
            own = after.get(row.side_effect_id, later.iloc[:0])
            regraded = own[own.name == "infusion.side_effect_regraded.v1"]
            resolved = own[own.name == "infusion.side_effect_resolved.v1"]["at"]
            home = row.name.startswith("diary.")
            ended = resolved.min() if len(resolved) else moment(row.ended_at) if row.ended_at else None
            if ended is not None and ended > self.courses.as_of:
                ended = None
            onset = moment(row.onset_at)
            rows.append({
                "episode": row.side_effect_id, "kind": row.kind, "clinic": row.clinic, "patient": row.patient,
                "grade": int(max([row.grade, *regraded.grade])), "onset": onset, "ended": ended,
                "serious": bool(row.serious) or bool(regraded.serious.any()),
                "treated": bool((own.name == "infusion.side_effect_treated.v1").any()),
                "infusion": self._belongs(row.patient, onset) if home else row.stream, "home": home, "reported": row.at,
            })  # fmt: skip
        columns = ["episode", "kind", "clinic", "patient", "grade", "onset", "ended", "serious", "treated", "infusion",
                   "home", "reported"]
        frame = pd.DataFrame(rows, columns=columns)
        for column in ("onset", "ended", "reported"):
            frame[column] = pd.to_datetime(frame[column], utc=True).astype("datetime64[us, UTC]")
        return frame.astype({"serious": bool, "treated": bool, "home": bool})

    def _belongs(self, patient: str, onset: pd.Timestamp) -> str | None:
        ago = onset - self.all.stopped
        own = self.all[(self.all.patient == patient) & (ago >= pd.Timedelta(0)) & (ago <= BELONGS)]
        return str(own.sort_values("stopped").stream.iloc[-1]) if len(own) else None

    # --- figures -----------------------------------------------------------------------------------------

    def figures(self) -> dict[str, Any]:
        """By the safety dashboard's own names."""
        n = len(self.own)
        return {
            "infusions": n, "episodes": len(self.episodes),
            "any_side_effect": self._share(self.episodes),
            "per_100": {**_rate(len(self.episodes), n), "rows": len(self.episodes)},
            "serious": self._share(self.episodes[self.episodes.serious]),
            "by_kind": {kind: self._kind(own) for kind, own in self.episodes.groupby("kind")},
            "endings": self.endings(), "open_over_28_days": self.still_open(),
            "cumulative_symptoms": self.cumulative(), "unattributed": self.unattributed(),
            "control_chart": self.chart(), "board": self.board(),
        }

    def _share(self, episodes: pd.DataFrame) -> dict[str, Any]:
        return stats.share(episodes.infusion.nunique(), len(self.own), self.out)

    def _kind(self, own: pd.DataFrame) -> dict[str, Any]:
        worst = own.groupby("infusion").grade.max()
        started = own.infusion.map(self.all.set_index("stream").started)
        lasted = (own.ended - own.onset).dropna() / MINUTE
        still = int(own.ended.isna().sum())
        return {
            "share": self._share(own),
            "by_grade": {str(grade): stats.share(int(count), len(self.own), self.out)
                         for grade, count in worst.value_counts().sort_index().items()},
            "per_100": {**_rate(len(own), len(self.own)), "rows": len(own)},
            "onset": stats.spread((own.onset - started) / MINUTE),
            "duration": stats.spread(lasted, {"open": still} if still else {}),
            "treated": stats.share(int(own.treated.sum()), len(own)),
        }  # fmt: skip

    def endings(self) -> dict[str, Any]:
        """Stopped early by reason; transfers, deaths, left against advice, of visits with drug given."""
        stops = self.known.of("infusion.stopped_early", fields=["reason_code"])
        early = self.own[~self.own.complete.fillna(True).astype(bool)]
        reasons = dict(zip(stops.stream, stops.reason_code, strict=True))
        ends = self.known.of(*(f"infusion.{end}" for end in ENDINGS)).drop_duplicates("stream")
        ended = dict(zip(ends.stream, ends.name, strict=True))
        n, how = len(self.own), self.own.stream.map(ended)
        found = {
            "stopped_early": stats.share(len(early), n),
            **{f"stopped_early:{reason}": stats.share(int(count), n)
               for reason, count in early.stream.map(reasons).value_counts().sort_index().items()},
        }
        for name, event in (("transferred", "transferred_to_hospital"), ("left_against_advice", "left_against_advice"),
                            ("died", "died_in_care")):
            found[name] = stats.share(int((how == f"infusion.{event}.v1").sum()), n)
        return found

    def still_open(self) -> int:
        """Episodes of the period's infusions, and of the period's home reports without one, open after 28 days."""
        own = pd.concat([self.episodes, self._loose()])
        return int((own.ended.isna() & (self.courses.as_of - own.onset > LONG)).sum())

    def cumulative(self) -> dict[str, Any]:
        """Infusions with urinary or memory symptoms by how many the patient had had."""
        kinds = {"urinary": {"cystitis"}, "memory": {"memory_deficits"}}
        found: dict[str, Any] = {}
        for name, own in kinds.items():
            affected = set(self.episodes[self.episodes.kind.isin(own)].infusion)
            for low, high, label in BANDS:
                band = self.own[(self.own.so_far >= low) & (self.own.so_far <= high)]
                if len(band):
                    found.setdefault(name, {})[label] = stats.share(int(band.stream.isin(affected).sum()), len(band))
        return found

    def unattributed(self) -> int:
        """Episodes from home, of the period, that belong to no infusion."""
        return len(self._loose())

    def _loose(self) -> pd.DataFrame:
        loose = self.every_episode[self.every_episode.infusion.isna()]
        return self.courses.in_period(loose.assign(position=0), self.chosen, self.period, "onset")

    def chart(self) -> list[dict[str, Any]]:
        """Shares (p-chart) and rates (u-chart) by month, three standard errors around the whole."""
        zones = {one: clinic.zone for one, clinic in self.courses.clinics.items()}
        months = pd.Series(
            [row.started.tz_convert(zones[row.clinic]).strftime("%Y-%m") for row in self.own.itertuples()],
            index=self.own.index, dtype=object,
        )  # fmt: skip
        centre = self.episodes.infusion.nunique() / len(self.own) if len(self.own) else 0.0
        mean = len(self.episodes) / len(self.own) if len(self.own) else 0.0
        found = []
        for month, own in self.own.groupby(months):
            episodes = self.episodes[self.episodes.infusion.isin(own.stream)]
            n, with_episode = len(own), episodes.infusion.nunique()
            p, u = 3 * (centre * (1 - centre) / n) ** 0.5, 3 * (mean / n) ** 0.5
            found.append({
                "month": month, "infusions": n, "with_episode": with_episode, "episodes": len(episodes),
                "share": with_episode / n if n >= stats.FEW else None, "share_centre": centre,
                "share_limits": [max(0.0, centre - p), min(1.0, centre + p)],
                "rate": len(episodes) / n if n >= stats.FEW else None, "rate_centre": mean,
                "rate_limits": [max(0.0, mean - u), mean + u],
            })  # fmt: skip
        return found

    # --- board -------------------------------------------------------------------------------------------

    def board(self) -> dict[str, Any]:
        """Refusals, overrides, breaches, alerts; what is still open."""

        def count(name: str, field: str, *more: str) -> dict[str, int]:
            own = self._in_period(self.known.of(name, *more, fields=[field]))
            return {str(code): int(n) for code, n in own[field].value_counts().items()}

        alerts, minutes, still = self._alerts()
        return {
            "refusals": count("oversight.command_refused", "rule"),
            "overrides": count("infusion.dose_limit_overridden", "limit"),
            "breaches": count("infusion.rule_breached", "rule"),
            "alerts": alerts, "minutes_to_acknowledge": stats.spread(minutes, {"open": still} if still else {}),
            "alerts_open": still, "verbal_orders_overdue": self._verbal(),
        }

    def _in_period(self, frame: pd.DataFrame) -> pd.DataFrame:
        return self.courses.in_period(frame, self.chosen, self.period, "at")

    def _alerts(self) -> tuple[dict[str, int], list[float], int]:
        raised = self.known.of("infusion.alert_raised", "diary.alert_raised", fields=["alert_id", "sign", "kind"])
        raised = self._in_period(raised)
        answered = self.known.of("infusion.alert_acknowledged", "diary.alert_acknowledged", fields=["alert_id"])
        when = answered.drop_duplicates("alert_id").set_index("alert_id")["at"]
        minutes = [(when[row.alert_id] - row.at) / MINUTE for row in raised.itertuples() if row.alert_id in when.index]
        return raised.sign.fillna(raised.kind).value_counts().to_dict(), minutes, len(raised) - len(minutes)

    def _verbal(self) -> int:
        taken = self.known.of("infusion.verbal_order_taken", fields=["order_id", "countersign_by"])
        signed = set(self.known.of("infusion.order_countersigned", fields=["order_id"]).order_id)
        taken = self._in_period(taken[~taken.order_id.isin(signed)])
        return int((instants(taken.countersign_by) < self.courses.as_of).sum())


def _rate(episodes: int, infusions: int) -> dict[str, Any]:
    return {
        "value": 100 * episodes / infusions if infusions >= stats.FEW else None, "numerator": episodes,
        "denominator": infusions, "n": infusions,
        "interval": stats.exact_poisson(episodes, infusions, 100.0),
    }  # fmt: skip

"""How numbers, moments and codes are written for people: one place, so that every page writes them alike."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

__all__ = [
    "NBSP", "NOTHING", "UNIT_WORDS", "count", "day", "duration", "lapse", "moment", "number", "period", "quantity",
    "when", "words",
]

NOTHING = "–"
THIN = "\u2009"
NBSP = "\u00a0"

PLAIN: dict[str, str] = {
    "no_show": "no-show", "patient_late": "cancelled or moved late by the patient", "as_of": "as of",
    "unclosed": "room never released", "going_on": "still going on", "still_waiting": "still waiting",
    "idle": "room idle over 60 min", "walk_in": "walk-in", "not_started": "drug not started",
    "no_protocol": "no protocol in force", "no_baseline": "no baseline score", "baseline_zero": "baseline 0",
    "baseline_under_3": "baseline under 3", "superseded": "superseded by the next infusion",
    "pending": "too early to say", "missing": "no score", "per 100": "per 100 infusions",
    "waiting_for_driver": "waiting for driver", "clinic_side": "by the clinic",
    "patient_24h_or_more": "by the patient, 24 h ahead or more", "not_due": "not due yet",
    "patient_side": "by the patient", "follow_up": "follow-up", "re_induction": "re-induction",
}


def words(code: str) -> str:
    """A code of ours as words: `left_against_advice` is `left against advice`."""
    return PLAIN.get(code, code.replace("_", " ").replace("-", " "))


def number(value: float | int | None, digits: int = 0) -> str:
    """A number with thousands set apart; a dash for none."""
    if value is None:
        return NOTHING
    text = f"{value:,.{digits}f}".replace(",", THIN)
    if text.strip("0.\u2009-") == "":
        text = text.lstrip("-")
    return text.replace("-", "\u2212")


def count(many: int, one: str, more: str | None = None) -> str:
    """`1 visit`, `4 visits`."""
    return f"{number(many)}{NBSP}{one if many == 1 else more or one + 's'}"


_DIGITS = {"minutes": 0, "days": 1, "hours": 1, "rooms": 2, "points": 1, "rho": 2, "infusions": 1, "per 100": 1,
           "percent": 0, "boosters": 0, "episodes": 0, "commands": 0, "orders": 0, "entries": 0, "alerts": 0,
           "patients": 0, "bookings": 0, "referrals": 0}
UNIT_WORDS = {"minutes": "min", "hours": "h", "days": "days", "share": "%", "percent": "%", "rho": "",
              "per 100": "per 100"}


def quantity(value: float | None, unit: str) -> tuple[str, str]:
    """A value of a unit as (number, unit) to print; a share becomes per cent."""
    if value is None:
        return NOTHING, ""
    if unit == "share":
        return number(value * 100, 1), "%"
    if unit == "minutes" and abs(value) >= 60_000:
        return number(value / 60), "h"
    digits = _DIGITS.get(unit, 1)
    if unit == "minutes" and abs(value) < 100 and value != int(value):
        digits = 1
    return number(value, digits), UNIT_WORDS.get(unit, unit)


def duration(minutes: float | None) -> str:
    """Minutes as `1 h 05 min`."""
    if minutes is None:
        return NOTHING
    whole = round(abs(minutes))
    sign = "\u2212" if minutes < 0 else ""
    return f"{sign}{whole} min" if whole < 60 else f"{sign}{whole // 60} h {whole % 60:02d} min"


def lapse(minutes: float) -> str:
    """A stretch of time as people say it: `12 min`, `3 h 05 min`, `9 days`, `4 years`."""
    if abs(minutes) < 48 * 60:
        return duration(minutes)
    days = abs(minutes) / 1440
    return count(round(days), "day") if days < 730 else count(round(days / 365.25), "year")


def day(value: date, *, weekday: bool = False, year: bool = True) -> str:
    """`24 Nov 2026`, with `weekday` `Tue 24 Nov 2026`."""
    text = f"{value.day} {value:%b}" + (f" {value.year}" if year else "")
    return f"{value:%a} {text}" if weekday else text


def period(first: date, last: date) -> str:
    """`26 Oct – 22 Nov 2026`."""
    if first == last:
        return day(first, weekday=True)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last)}"
    return f"{day(first, year=first.year != last.year)} – {day(last)}"


def moment(value: datetime, timezone: str) -> str:
    """A moment on the clinic's clock, with its zone: `Tue 24 Nov 2026, 14:05 PST`."""
    local = value.astimezone(ZoneInfo(timezone))
    return f"{day(local.date(), weekday=True)}, {local:%H:%M} {local:%Z}"


def when(value: datetime, timezone: str, *, seconds: bool = False) -> Markup:
    """The same as a `<time>` element that names the zone in full."""
    local = value.astimezone(ZoneInfo(timezone))
    clock = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    shown = f"{day(local.date(), weekday=True)}, {clock} {local:%Z}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(local.isoformat(), timezone, shown)

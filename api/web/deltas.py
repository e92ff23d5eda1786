"""What changed from one period to the next, and whether it means anything.

A difference is called clear by a test of its kind (`projections.metrics.differences`): of shares by Newcombe's
interval, of rates by the exact test of two Poisson rates, of medians by the ranks of the numbers behind them. A change
of anything else (minutes, a share of minutes) is only told. Better and worse are said for figures of which everybody
would say so, in words and not by colour alone, and not for figures in doubt.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from api.web.figures import Shown
from api.web.wording import NBSP, number, quantity
from projections.metrics.differences import differ

__all__ = ["Delta", "delta"]

Good = Literal["more", "less", "neither"]

GOOD: dict[str, Good] = {
    "scheduled_utilization": "more", "actual_utilization": "more", "prime_time_utilization": "more", "on_time": "more",
    "refill": "more", "follow_up_answered": "more", "responders_first_30": "more", "gate_rate": "more",
    "no_show_rate": "less", "late_cancellation_rate": "less", "arrived_not_infused": "less", "wait": "less",
    "overtime_minutes": "less", "turnover": "less", "drug_start_delay": "less", "side_effect_share": "less",
    "serious_share": "less", "side_effect_rate": "less",
}  # fmt: skip


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """A change in words: `text`, what it `was`, an arrow, and a tone where it is clear and means something."""

    text: str
    was: str = ""
    arrow: str = ""
    tone: str = ""
    clear: bool | None = None


def delta(now: Shown, before: Shown) -> Delta:
    """From `before` to `now`."""
    if not before.n and before.raw is None:
        return Delta(text="nothing to compare with")
    counted = f" (n{NBSP}{number(before.n)})" if before.n and before.raw is not None else ""
    was = f"before: {f'{before.value}{NBSP}{before.unit}'.strip()}{counted}"
    if before.doubt:
        was += "; follow-up was thin"
    if now.raw is None or before.raw is None:
        return Delta(text="too few to compare", was=was)
    change = now.raw - before.raw
    if abs(change) < 1e-9:
        return Delta(text="as before", was=was, clear=False)
    arrow, size = ("▲" if change > 0 else "▼"), _size(change, now.figure.unit)
    clear = differ(now.figure, before.figure)
    if clear is False:
        return Delta(text=f"{size}, within chance", was=was, arrow=arrow, clear=False)
    good = "neither" if now.doubt or before.doubt else GOOD.get(now.definition.name, "neither")
    verdict = "better" if (change > 0) == (good == "more") else "worse"
    if not clear or good == "neither":
        verdict = ""
    tone = {"better": "ok", "worse": "attention"}.get(verdict, "")
    text = f"{size}, {verdict}" if verdict else size
    return Delta(text=text, was=was, arrow=arrow, tone=tone, clear=clear)


def _size(change: float, unit: str) -> str:
    if unit == "share":
        return f"{number(abs(change) * 100, 1)}{NBSP}points"
    value, name = quantity(abs(change), unit)
    return f"{value}{NBSP}{name}".strip()

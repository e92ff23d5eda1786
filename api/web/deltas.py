"""What changed from one period to the next, and whether it means anything.

A difference of two rates is called clear when Newcombe's interval for it (method 10, from the two Wilson intervals)
leaves out 0; of two medians when the intervals of their means do not overlap; of amounts without an interval it is only
told. Better and worse are said for figures of which everybody would say so, in words and not by colour alone.
"""

from __future__ import annotations

from math import hypot
from typing import Literal

import msgspec

from api.web.figures import Shown
from api.web.wording import NBSP, number, quantity
from projections.metrics.figures import Figure, Spread

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
    if now.raw is None or before.raw is None:
        return Delta(text="too few to compare", was=was)
    change = now.raw - before.raw
    if abs(change) < 1e-9:
        return Delta(text="as before", was=was, clear=False)
    arrow, size = ("▲" if change > 0 else "▼"), _size(change, now.figure.unit)
    clear = _clear(now.figure, before.figure)
    if clear is False:
        return Delta(text=f"{size}, within chance", was=was, arrow=arrow, clear=False)
    good = GOOD.get(now.definition.name, "neither")
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


def _clear(now: Figure | Spread, before: Figure | Spread) -> bool | None:
    """Whether the change is more than chance; None where that cannot be said."""
    if isinstance(now, Figure) and isinstance(before, Figure):
        if now.interval is None or before.interval is None or now.value is None or before.value is None:
            return None
        low = now.value - before.value - hypot(now.value - now.interval[0], before.interval[1] - before.value)
        high = now.value - before.value + hypot(now.interval[1] - now.value, before.value - before.interval[0])
        return not low <= 0 <= high
    if isinstance(now, Spread) and isinstance(before, Spread):
        if now.mean_interval is None or before.mean_interval is None:
            return None
        return now.mean_interval[0] > before.mean_interval[1] or now.mean_interval[1] < before.mean_interval[0]
    return None

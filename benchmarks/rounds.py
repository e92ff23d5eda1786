"""Interleaved rounds: A B C, A B C, ... so that a drifting machine hits all contenders alike."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True)
class Outcome:
    """Figures per contender, one per round."""

    figures: dict[str, list[float]]
    unit: str

    def median(self, name: str) -> float:
        """The contender's median over the rounds."""
        return statistics.median(self.figures[name])

    def ratio(self, ours: str, theirs: str) -> float:
        """Median of the round-by-round ratios."""
        return statistics.median(a / b for a, b in zip(self.figures[ours], self.figures[theirs], strict=True))

    def spread(self, name: str) -> str:
        """`median (lowest-highest)`."""
        values = self.figures[name]
        return f"{statistics.median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})"


def interleaved(contenders: Mapping[str, Callable[[], float]], unit: str, rounds: int = ROUNDS) -> Outcome:
    """Runs each contender once per round, in turn; a contender returns its figure (higher is better)."""
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, run in contenders.items():
            figures[name].append(run())
            print(f"  round {number + 1}/{rounds} {name}: {figures[name][-1]:,.1f} {unit}", file=sys.stderr)
    return Outcome(figures, unit)

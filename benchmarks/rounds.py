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
        pairs = zip(self.figures[ours], self.figures[theirs], strict=True)
        return statistics.median(a / b if b else float("inf") for a, b in pairs)

    def spread(self, name: str, digits: int = 0) -> str:
        """`median (lowest-highest) unit`."""
        values = self.figures[name]
        low, middle, high = (f"{one:,.{digits}f}" for one in (min(values), statistics.median(values), max(values)))
        return f"{middle} ({low}-{high}) {self.unit}"


def tell(text: str) -> None:
    """A line of progress for the person waiting."""
    print(text, file=sys.stderr, flush=True)


def interleaved(contenders: Mapping[str, Callable[[], float]], unit: str, rounds: int = ROUNDS) -> Outcome:
    """Runs each contender once per round, in turn; a contender returns its figure."""
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, run in contenders.items():
            figures[name].append(run())
            tell(f"  round {number + 1}/{rounds}  {name}: {figures[name][-1]:,.1f} {unit}")
    return Outcome(figures, unit)

"""What a part of the benchmark found, kept as JSON beside its page, and the page itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
KEPT = ROOT / "docs" / "performance.json"
"""The figures behind the page, so that `--only` renews one part and leaves the others as they were."""


@dataclass(frozen=True)
class Line:
    """One figure of ours against one of a peer. `bar` is what is demanded, None where nothing is."""

    what: str
    ours: str
    peer: str = ""
    theirs: str = ""
    ratio: str = ""
    bar: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Part:
    """One part's lines; `notes` say what a reader has to know to believe them."""

    name: str
    title: str
    about: str
    lines: Sequence[Line]
    notes: Sequence[str] = ()
    machine: Mapping[str, str] = field(default_factory=dict)
    taken: str = ""
    rounds: int = 0
    seconds: float = 0.0
    quick: bool = False


def at_least(ratio: float, bar: float) -> tuple[str, str, bool]:
    """A ratio that must be high: how it is shown, its bar, whether it is met."""
    return f"{ratio:,.2f} x" if ratio < 20 else f"{ratio:,.0f} x", f">= {bar:g} x", ratio >= bar


def at_most(ratio: float, bar: float) -> tuple[str, str, bool]:
    """A ratio that must be low."""
    return f"{ratio:,.2f} x", f"<= {bar:g} x", ratio <= bar


def keep(part: Part) -> None:
    """Stores a part in place of its older self and writes the page anew."""
    kept = _kept()
    kept[part.name] = asdict(part)
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page([Part(**{**one, "lines": [Line(**line) for line in one["lines"]]}) for one in kept.values()]))


def _kept() -> dict[str, Any]:
    return dict(json.loads(KEPT.read_text())) if KEPT.exists() else {}


ORDER = ("append", "rebuild", "tail", "growth", "dashboards", "http", "pages")

HEAD = """# Performance

Measured by `make bench` (`benchmarks/`), never by hand; this page is its output. Every figure of ours stands beside
a peer's or a floor's that was taken in the same run on the same machine, in interleaved rounds (A B C, A B C, ...);
a ratio is the median of the rounds' own ratios, a figure the median of the rounds, lowest and highest in brackets.
Durability is the databases' default throughout (PostgreSQL: fsync, full_page_writes and synchronous_commit on; SQLite:
WAL, synchronous=FULL), for us and for the peers alike.

Absolute figures depend on the machine, most of all on how long a flush to disk takes; compare ratios.
"""


def page(parts: Sequence[Part]) -> str:
    """The page."""
    ordered = sorted(parts, key=lambda part: ORDER.index(part.name))
    judged = [line for part in ordered for line in part.lines if line.met is not None]
    missed = [f"{part.title}: {line.what}" for part in ordered for line in part.lines if line.met is False]
    text = [HEAD, f"**{len(judged) - len(missed)} of {len(judged)} bars met.**"]
    text += ["", *(f"- not met: {one}" for one in missed)] if missed else []
    for part in ordered:
        text += ["", f"## {part.title}", "", part.about, ""]
        text += ["| what | ours | against | theirs | ratio | bar | |", "|---|---|---|---|---|---|---|"]
        text += [_row(line) for line in part.lines]
        text += ["", *(f"- {note}" for note in part.notes)] if part.notes else []
        text += ["", _taken(part)]
    return "\n".join(text) + "\n"


def _row(line: Line) -> str:
    verdict = {None: "", True: "met", False: "**not met**"}[line.met]
    return f"| {line.what} | {line.ours} | {line.peer} | {line.theirs} | {line.ratio} | {line.bar} | {verdict} |"


def _taken(part: Part) -> str:
    machine = "; ".join(f"{what}: {value}" for what, value in part.machine.items())
    quick = " **A quick run: not to be quoted.**" if part.quick else ""
    return f"Taken {part.taken} in {part.seconds:,.0f} s, {part.rounds} rounds, on {machine}.{quick}"

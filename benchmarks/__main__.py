"""`python -m benchmarks [--only NAME] [--quick]`: measures, and writes docs/performance.md."""

from __future__ import annotations

import argparse
import importlib
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.places import ground
from benchmarks.report import ORDER, PAGE, keep
from benchmarks.rounds import ROUNDS, tell


def main() -> None:
    """All parts, or those named; each has its own cluster, so that none inherits another's dirty pages."""
    asked = _arguments()
    rounds = asked.rounds or (2 if asked.quick else ROUNDS)
    began = time.monotonic()
    for name in asked.only or ORDER:
        tell(f"{name} ({time.monotonic() - began:,.0f} s so far)")
        with ground(asked.folder) as place:
            started = time.monotonic()
            machine = describe(place.postgres_version(), place.folder)
            part = importlib.import_module(f"benchmarks.{name}").run(place, rounds, asked.quick)
            keep(replace(
                part, machine=machine, taken=datetime.now(UTC).date().isoformat(), rounds=rounds, quick=asked.quick,
                seconds=time.monotonic() - started,
            ))
        for line in part.lines:
            verdict = {None: "", True: "met", False: "NOT MET"}[line.met]
            tell(f"  {line.what}: {line.ours}  {line.peer} {line.theirs}  {line.ratio}  {line.bar} {verdict}")
    tell(f"{time.monotonic() - began:,.0f} s; see {PAGE}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=ORDER, help="this part alone (may be given again)")
    parser.add_argument("--quick", action="store_true", help="two rounds of small sizes: to see whether it runs")
    parser.add_argument("--rounds", type=int, help=f"default {ROUNDS}")
    parser.add_argument("--folder", type=Path, help="where the databases lie (default: the system's temporary folder)")
    return parser.parse_args()


if __name__ == "__main__":
    main()

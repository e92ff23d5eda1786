"""How fast a command is: load, decide, save, envelope, sealing, leaf, idempotency row; one event per commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.bootstrap import build_services, migrate
from benchmarks import library, practice
from benchmarks.appending import (
    BareInsert,
    BareSqliteInsert,
    LibraryGetAndSave,
    OurCommand,
    make_bare_table,
)
from benchmarks.crew import crews
from benchmarks.places import Ground
from benchmarks.report import Line, Part, at_least
from benchmarks.rounds import Outcome, interleaved, tell

TURN_S = 2.5
"""How long each contender's turn is, in seconds."""

ONE_PROCESS, FOUR_PROCESSES, SQLITE_PER_SECOND = 2.0, 1.6, 1_000
"""The bars: times the library with one and with four processes; commands per second on SQLite."""


def run(ground: Ground, rounds: int, quick: bool) -> Part:
    """PostgreSQL with one and four processes, SQLite with one."""
    turn = 1.0 if quick else TURN_S
    lines: list[Line] = []
    builders = _contenders(ground, "postgresql")
    for size, bar in ((1, ONE_PROCESS), (4, FOUR_PROCESSES)):
        found = _measured(builders, size, turn, rounds, "PostgreSQL")
        lines += _postgres_lines(found, size, bar)
    found = _measured(_contenders(ground, "sqlite"), 1, turn, rounds, "SQLite")
    lines += _sqlite_lines(found)
    return Part(
        "append", "One command, one event, one commit",
        "Ours: `services.handle(ReportSideEffect)`, from the command to the receipt: state, facts of six streams, "
        "decision, envelope, the note sealed under the patient's key, leaf hash, idempotency row, all in one "
        "round trip and one commit. Theirs: the library's `repository.get`, a decorated method and `save` of the "
        "same act on its own default recorder; and one bare `INSERT` per commit of as many bytes, which nothing "
        "can beat.",
        lines,
        notes=(
            f"{practice.PER_VISIT} side effects per visit, then the next visit; for us and for the library the visit's "
            "own beginning takes its time and is not counted.",
            "A bare insert of four processes shares flushes (group commit); appends in commit order cannot, neither "
            "ours nor the library's.",
        ),
    )


def _contenders(ground: Ground, kind: str) -> dict[str, tuple[Any, Sequence[Any]]]:
    settings = ground.settings(kind, "ours")
    migrate(settings)
    services = build_services(settings)
    clinic_id = practice.open_clinic(services)
    services.close()
    environment = ground.library_environment(kind, "library")
    library.Visits(env=environment).close()
    environment |= {"CREATE_TABLE": "no"}  # four at once would replace the library's functions under each other
    bare: tuple[Any, Sequence[Any]]
    if kind == "postgresql":
        url = ground.cluster.url(ground.new_database("bare"))
        make_bare_table(url)
        bare = (BareInsert, (url,))
    else:
        bare = (BareSqliteInsert, (str(ground.new_folder("bare") / "bare.sqlite3"),))
    return {
        "ours": (OurCommand, (settings, clinic_id)), "library": (LibraryGetAndSave, (environment,)), "bare": bare,
    }


def _measured(
    builders: dict[str, tuple[Any, Sequence[Any]]], size: int, turn: float, rounds: int, database: str
) -> Outcome:
    tell(f" {database}, {size} process{'es' if size > 1 else ''}")
    with crews(builders, size) as made:
        for crew in made.values():
            crew.rate(0.3)
        return interleaved({name: lambda crew=crew: crew.rate(turn) for name, crew in made.items()}, "/s", rounds)


def _postgres_lines(found: Outcome, size: int, bar: float) -> list[Line]:
    what = f"PostgreSQL, {size} process{'es' if size > 1 else ''}"
    ours, judged = found.spread("ours"), at_least(found.ratio("ours", "library"), bar)
    return [
        Line(what, ours, "library, get and save", found.spread("library"), *judged),
        Line(what, ours, "bare insert", found.spread("bare"), f"{found.ratio('ours', 'bare'):.2f} x"),
    ]


def _sqlite_lines(found: Outcome) -> list[Line]:
    what, ours, rate = "SQLite, 1 process", found.spread("ours"), found.median("ours")
    return [
        Line(what, ours, bar=f">= {SQLITE_PER_SECOND:,} /s", met=rate >= SQLITE_PER_SECOND),
        Line(what, ours, "library, get and save", found.spread("library"), f"{found.ratio('ours', 'library'):.2f} x"),
        Line(what, ours, "bare insert", found.spread("bare"), f"{found.ratio('ours', 'bare'):.2f} x"),
    ]

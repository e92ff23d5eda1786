"""`anodyne projections ...`: how far the read models are, and what to do when one stands still."""

from __future__ import annotations

import getpass
import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from api.cli.command import speaks
from api.cli.output import AskedWrongly, Failed, Output
from api.cli.system import read_side

if TYPE_CHECKING:
    from projections.engine.engine import ProjectionEngine
    from projections.engine.rebuild import Progress

__all__ = ["COMMANDS"]

COLUMNS = ["name", "group", "state", "position", "lag_events", "lag_seconds", "leader", "trouble"]


@click.group()
def projections() -> None:
    """Read models: how far they are, rebuild, retry, skip."""


@projections.command()
@click.option("--max-lag-seconds", type=click.FloatRange(min=0), help="Exit 1 when one is further behind.")
@speaks
def status(output: Output, max_lag_seconds: float | None) -> None:
    """How far each is. Exit 1 when one has failed (or is further behind than asked)."""
    from msgspec import to_builtins

    with read_side() as (_, reads):
        found = reads.engine.status()
    rows = [{**to_builtins(each), "trouble": _trouble(each)} for each in found]
    output.table(rows, COLUMNS, empty="no projections: anodyne db migrate")
    failed = [each.name for each in found if each.state == "failed"]
    late = [each.name for each in found if max_lag_seconds is not None and each.lag_seconds > max_lag_seconds]
    if not found or failed or late:
        why = "failed: " + ", ".join(failed) if failed else "late: " + ", ".join(late) if late else "no projections"
        raise Failed(why, code="projections", hint="docs/runbook.md says what to do.")


def _trouble(status: Any) -> str | None:
    if status.rebuild is not None:
        return f"rebuilding: {status.rebuild.position:,} of {status.head:,}"
    if status.error is None:
        return None
    return f"{status.failed_event} at {status.failed_position}: {status.error.strip().splitlines()[-1]}"


@projections.command()
@click.argument("names", nargs=-1, metavar="NAME...")
@click.option("--all", "everything", is_flag=True, help="Every projection.")
@click.option("--from-start", is_flag=True, help="Do not go on with an unfinished rebuild.")
@speaks
def rebuild(output: Output, names: tuple[str, ...], everything: bool, from_start: bool) -> None:
    """Fill shadow tables from the log while the old ones serve, then swap. Killed, the same command goes on."""
    if bool(names) == everything:
        raise AskedWrongly("name projections, or say --all", code="no-names")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with read_side() as (_, reads), output.progress("rebuilding") as advance:
        wanted = [each.name for each in reads.engine.status()] if everything else list(_known(reads.engine, names))
        done = _translated(
            lambda: reads.engine.rebuild(
                wanted, report=lambda at: advance(at.position, at.head), stopping=stopping.is_set, resume=not from_start
            )
        )
    _say_rebuilt(output, done)


def _say_rebuilt(output: Output, done: list[Progress]) -> None:
    data = [
        {"projections": each.projections, "position": each.position, "rows": each.rows_opened, "seconds": each.seconds}
        for each in done
    ]
    text = "\n".join(
        f"{', '.join(each.projections)}: {each.position:,} events, {each.rows_opened:,} rows in {each.seconds:.1f} s"
        for each in done
    )
    output.result(data, text)


@projections.command()
@click.argument("name")
@speaks
def retry(output: Output, name: str) -> None:
    """Try the event again that NAME failed at, now."""
    _one(output, name, "retry", "tries again")


@projections.command()
@click.argument("name")
@speaks
def pause(output: Output, name: str) -> None:
    """Leave NAME where it is until it is resumed."""
    _one(output, name, "pause", "is paused")


@projections.command()
@click.argument("name")
@speaks
def resume(output: Output, name: str) -> None:
    """Let a paused or failed NAME run on from where it stands."""
    _one(output, name, "resume", "runs")


@projections.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why its figures may do without the event; kept with the skip.")
@speaks
def skip(output: Output, name: str, reason: str) -> None:
    """Pass over the event that NAME failed at. Recorded with your name; rebuilds of this version honour it."""
    with read_side() as (_, reads):
        _known(reads.engine, (name,))
        at = _translated(lambda: reads.engine.skip(name, by=getpass.getuser(), reason=reason))
    output.result({"name": name, "skipped_position": at}, f"{name} passed over position {at}")


@projections.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@speaks
def compare(output: Output, names: tuple[str, ...]) -> None:
    """Replay beside the live tables and compare row by row. Exit 1 when they differ."""
    with read_side() as (_, reads):
        found = _translated(lambda: reads.engine.compare(_known(reads.engine, names) or None))
    rows = [
        {
            "projection": each.projection, "position": each.position, "equal": each.equal,
            "differing": {str(table.table): table.differing for table in each.tables if table.differing},
        }
        for each in found
    ]
    output.table(rows, ["projection", "position", "equal", "differing"], empty="nothing to compare")
    different = [each for each in found if not each.equal]
    if different:
        raise Failed(f"{len(different)} differ from a replay of the log", code="not-equal")


def _one(output: Output, name: str, what: str, said: str) -> None:
    with read_side() as (_, reads):
        _known(reads.engine, (name,))
        getattr(reads.engine, what)(name)
    output.result({"name": name, "done": what}, f"{name} {said}")


def _known(engine: ProjectionEngine, names: tuple[str, ...]) -> tuple[str, ...]:
    """`names` as they are. Raises AskedWrongly for one that is none of ours."""
    known = {projection.name for group in engine.groups for projection in group.projections}
    unknown = sorted(set(names) - known)
    if unknown:
        hint = f"there are: {', '.join(sorted(known))}"
        raise AskedWrongly(f"no projection is called {', '.join(unknown)}", code="unknown-projection", hint=hint)
    return names


def _translated(work: Any) -> Any:
    """The engine's own refusals in the words of the command line."""
    from projections.engine.engine import NotFailed
    from projections.engine.rebuild import RebuildBusy, RebuildFailed, RebuildStopped, SwapBlocked

    try:
        return work()
    except NotFailed as error:
        raise Failed(f"{error} has not failed: there is nothing to skip", code="not-failed") from None
    except RebuildBusy as error:
        raise Failed(f"{error} is being rebuilt by another process", code="rebuild-busy") from None
    except RebuildStopped:
        raise Failed("stopped; the same command goes on from here", code="rebuild-stopped") from None
    except RebuildFailed as error:
        hint = f'Mend the program, or: anodyne projections skip {error.projection} --reason "..."'
        raise Failed(str(error), code="rebuild-failed", hint=hint) from None
    except SwapBlocked as error:
        raise Failed(f"readers held on to the tables of {error}; try again", code="swap-blocked") from None


COMMANDS = {"projections": projections}

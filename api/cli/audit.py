"""`anodyne audit verify|export`: is the log whole, and the log itself for other programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import UUID

import click

from api.auth.policy import Permit, allows
from api.cli.command import speaks
from api.cli.output import AskedWrongly, Failed, Output
from api.cli.system import read_side, services

if TYPE_CHECKING:
    from api.auth.keys import Principal
    from api.bootstrap import ReadSide, Services

__all__ = ["COMMANDS"]

UNSEALS = Permit(frozenset({"owner", "auditor"}), "audit:unseal")
"""Whose key may export names and free text in the clear."""

SHOWN = 50
"""So many violations are printed for people; --json has all."""


@click.group()
def audit() -> None:
    """Verify and export the log."""


# --- verify --------------------------------------------------------------------------------------


@audit.command()
@click.option("--log", "logs", type=click.Choice(["care", "access"]), multiple=True, help="Default: both.")
@speaks
def verify(output: Output, logs: tuple[str, ...]) -> None:
    """Recompute every leaf, density, order, heads, claims and answers; exit 1 and name what does not hold.

    If all holds, snapshots are compared with what their events fold to; those that differ are deleted.
    """
    from msgspec import to_builtins

    from services.log.verify import verify as verify_log

    with services() as opened:
        found = []
        for log in (opened.log, opened.access.log):
            if not logs or log.log in logs:
                with output.progress(f"verifying the {log.log} log") as advance:
                    found.append(verify_log(log, progress=advance))
        holds = all(each.holds for each in found)
        snapshots = opened.handling.snapshots.check() if holds else None
    lines = []
    for each in found:
        lines.append(f"{each.log}: {each.events:,} events up to position {each.head:,}: "
                     + ("holds" if each.holds else f"{len(each.violations):,} violations"))
        lines += [f"  {wrong.kind} at {wrong.position}: {wrong.detail}" for wrong in each.violations[:SHOWN]]
        if len(each.violations) > SHOWN:
            lines.append(f"  and {len(each.violations) - SHOWN:,} more (--json has them all)")
    output.result([{**to_builtins(each), "holds": each.holds} for each in found], "\n".join(lines))
    if not holds:
        raise Failed("the log does not hold", code="does-not-hold", hint="docs/runbook.md says what to do.")
    if snapshots is not None and snapshots.wrong:
        raise Failed(f"snapshots differed from their events and were deleted: {', '.join(map(str, snapshots.wrong))}",
                     code="snapshot-differs", hint="The log holds; docs/runbook.md says what to look at.")


# --- export --------------------------------------------------------------------------------------


@audit.command()
@click.option("--log", "log_name", type=click.Choice(["care", "access"]), default="care", show_default=True)
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only events after this position.")
@click.option("--upto", type=click.IntRange(min=0), help="Only events up to this position.")
@click.option("--clinic", "clinics", multiple=True, type=click.UUID, help="Only this clinic's events; repeat for more.")
@click.option("--unseal", is_flag=True, help="Names and free text in the clear. Needs ANODYNE_API_KEY of one who may.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="To this file (readable by you only).")
@speaks
def export(
    output: Output, log_name: str, after: int, upto: int | None, clinics: tuple[UUID, ...], unseal: bool,
    out: Path | None,
) -> None:
    """The log as NDJSON, one event a line, in order. The export itself is noted in the access log first."""
    from services.log.export import export as export_log

    with read_side() as (opened, reads):
        principal = _principal(opened, reads)
        wanted = _allowed_clinics(principal, clinics)
        if unseal and (principal is None or not allows(UNSEALS, principal.role, principal.scopes)):
            raise Failed(
                "only an owner's or an auditor's key may unseal", code="not-permitted",
                hint="Set ANODYNE_API_KEY (a key narrowed by scopes needs audit:unseal).",
            )
        log = opened.log if log_name == "care" else opened.access.log
        upto = min(log.head(), upto if upto is not None else log.head())
        _note_export(opened, principal, log_name, max(upto - after, 0), unseal=unseal)
        unsealer = opened.unsealer if unseal else None
        lines = export_log(log, after=after, upto=upto, clinics=wanted, unsealer=unsealer)
        written = _write(lines, out)
    if out is not None:
        output.result({"file": str(out), "records": written, "upto": upto}, f"{written:,} events to {out}")


def _principal(opened: Services, reads: ReadSide) -> Principal | None:
    """Who ANODYNE_API_KEY says is asking; None without one (the operator, who gets sealed fields sealed)."""
    from api.bootstrap import key_registry

    key = os.environ.get("ANODYNE_API_KEY", "")
    if not key:
        return None
    found = key_registry(opened.settings, opened, reads).authenticate(key)
    if found is None:
        raise Failed("ANODYNE_API_KEY is not a live key of this installation", code="not-authenticated")
    return found


def _allowed_clinics(principal: Principal | None, asked: tuple[UUID, ...]) -> frozenset[UUID] | None:
    """The clinics exported: those asked for, or all that the key sees. Raises AskedWrongly outside them."""
    if principal is None or principal.clinics is None:
        return frozenset(asked) or None
    outside = set(asked) - principal.clinics
    if outside:
        raise AskedWrongly(f"the key does not see {', '.join(map(str, outside))}", code="unknown-clinic")
    return frozenset(asked) or principal.clinics


def _note_export(opened: Services, principal: Principal | None, log: str, records: int, *, unseal: bool) -> None:
    from domain.access import ExportMade
    from domain.kernel import Actor

    by = Actor(id="operator", role="system") if principal is None else Actor(id=principal.actor_id, role=principal.role)
    event = ExportMade(
        occurred_at=opened.clock.now(), scope=f"audit_export_{log}", care_position=opened.log.head(), records=records,
        unsealed=unseal,
    )
    opened.access.record(event, by=by, clinic_id=None)


def _write(lines: Iterable[bytes], out: Path | None) -> int:
    with _target(out) as stream:
        count = 0
        for line in lines:
            stream.write(line)
            count += 1
    return count


@contextmanager
def _target(out: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that appears under its name only when it is whole."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        yield stream
    draft.replace(out)


COMMANDS = {"audit": audit}

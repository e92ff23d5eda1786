"""`anodyne reminders ...` and `anodyne digest ...`: what leaves by e-mail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import click

from api.cli.command import speaks
from api.cli.output import AskedWrongly, Failed, Output
from api.cli.system import read_side

if TYPE_CHECKING:
    from api.bootstrap import Services
    from api.digest.sending import Digests
    from api.digest.week import Week

__all__ = ["COMMANDS"]

STATUSES = ("queued", "sent", "dropped", "dead")
COLUMNS = ["message_id", "kind", "status", "attempts", "created_at", "next_at", "trouble"]


# --- the outbox ----------------------------------------------------------------------------------


@click.group()
def reminders() -> None:
    """Letters to patients and staff: the outbox."""


@reminders.command("list")
@click.option("--status", "statuses", multiple=True, type=click.Choice(STATUSES), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True)
@speaks
def list_letters(output: Output, statuses: Sequence[str], limit: int) -> None:
    """What is or was to be sent, the newest first. No addresses and no words: they are made when a letter is sent."""
    from api.mail.outbox import Outbox

    with read_side() as (_, reads):
        found = Outbox(reads.database.reads).entries(statuses=statuses, limit=limit)
    rows = [
        {"message_id": str(one.message.message_id), "kind": one.message.kind, "status": one.status,
         "attempts": one.attempts, "created_at": one.created_at.isoformat(timespec="seconds"),
         "next_at": one.next_at.isoformat(timespec="seconds") if one.status == "queued" else None,
         "trouble": one.trouble}
        for one in found
    ]
    output.table(rows, COLUMNS, empty="nothing in the outbox")


@reminders.command("resend")
@click.argument("message_id", type=click.UUID)
@speaks
def resend(output: Output, message_id: UUID) -> None:
    """Send a letter (again), under its own Message-ID; what has become pointless is dropped instead."""
    from api.mail.outbox import Outbox

    with read_side() as (_, reads):
        found = Outbox(reads.database.reads).again(message_id)
    if not found:
        raise Failed("there is no such letter", code="unknown-letter", hint="anodyne reminders list")
    output.result({"message_id": str(message_id), "status": "queued"}, f"{message_id} is queued")


# --- the digest ----------------------------------------------------------------------------------


@click.group()
def digest() -> None:
    """The weekly digest."""


@digest.command("show")
@click.option("--week", "week_name", help="ISO week such as 2026-W47. Default: the last complete one.")
@click.option("--clinic", "clinics", multiple=True, type=click.UUID, help="Default: every clinic.")
@click.option("--as-of", help="A moment with its offset, as the letter has it. Default: now.")
@click.option("--known-at", type=click.IntRange(min=0), help="A position of the log. Default: its end.")
@speaks
def show(
    output: Output, week_name: str | None, clinics: Sequence[UUID], as_of: str | None, known_at: int | None
) -> None:
    """Compute a digest's figures (again) and print it."""
    with read_side() as (opened, reads):
        from api.digest.sending import Digests

        digests = Digests(opened.settings, opened, reads)
        ids = [str(one) for one in clinics] or digests.all_clinics()
        now = _now(opened) if as_of is None else _moment(as_of)
        asked = digests.question(
            _week(week_name, now, digests, ids), ids, now, opened.log.head() if known_at is None else known_at)
        lines = digests.lines(asked)
        text = digests.text(asked, lines, "(not sent)")
    data = {
        "week": asked.week.name, "clinics": list(asked.clinics), "as_of": asked.as_of.isoformat(),
        "known_at": asked.known_at, "lines": [
            {"dashboard": one.dashboard, "figure": one.path, "value": one.now.raw, "counted": one.counted,
             "definition": f"{one.now.definition.name} v{one.now.definition.version}", "rows": one.rows_href,
             "command": one.command}
            for one in lines
        ],
    }
    output.result(data, text)


@digest.command("send")
@click.option("--week", "week_name", help="ISO week such as 2026-W47. Default: the last complete one.")
@speaks
def send(output: Output, week_name: str | None) -> None:
    """Put a week's digest into the outbox for every reader, once for reader and week; the worker sends it."""
    with read_side() as (opened, reads):
        from api.digest.sending import Digests

        digests, now = Digests(opened.settings, opened, reads), _now(opened)
        everything, sent = digests.all_clinics(), []
        for reader in digests.readers.all():
            ids = digests.readers.clinics_of(reader, everything)
            if ids:
                week = _week(week_name, now, digests, ids)
                if digests.readers.put(reader, week, now, opened.log.head()):
                    sent.append({"reader_id": str(reader.reader_id), "week": week.name})
    output.result({"queued": sent}, f"{len(sent)} digests queued")


@digest.command("subscribe")
@click.argument("user_name")
@click.argument("email")
@click.option("--clinic", "clinics", multiple=True, type=click.UUID, help="Default: every clinic the user may see.")
@speaks
def subscribe(output: Output, user_name: str, email: str, clinics: Sequence[UUID]) -> None:
    """Send USER_NAME the digest every Monday at EMAIL."""
    from api.digest.readers import NoAddress

    with read_side() as (opened, reads):
        from api.digest.sending import Digests

        digests = Digests(opened.settings, opened, reads)
        user_id = _user_id(opened, reads, user_name)
        ids = [str(one) for one in clinics] or digests.all_clinics()
        try:
            reader = digests.readers.subscribe(user_id, email, clinics or None, _now(opened), digests.zone(ids))
        except NoAddress:
            raise AskedWrongly(f"{email!r} is no e-mail address", code="no-address") from None
        if not digests.readers.clinics_of(reader, digests.all_clinics()):
            digests.readers.stop(reader.reader_id, _now(opened))
            raise Failed(f"{user_name} may see no clinic's figures", code="no-clinics", hint="anodyne user grant")
    output.result({"reader_id": str(reader.reader_id), "next_at": reader.next_at.isoformat()},
                  f"{user_name} gets it at {email}, next {reader.next_at:%Y-%m-%d %H:%M} UTC")


@digest.command("unsubscribe")
@click.argument("user_name")
@speaks
def unsubscribe(output: Output, user_name: str) -> None:
    """End USER_NAME's digest."""
    with read_side() as (opened, reads):
        from api.digest.readers import Readers

        readers = Readers(reads.database.reads)
        mine = readers.of(_user_id(opened, reads, user_name))
        if mine is None:
            raise Failed(f"{user_name} does not get it", code="not-subscribed")
        readers.stop(mine.reader_id, _now(opened))
    output.result({"reader_id": str(mine.reader_id)}, f"{user_name} gets no more digests")


@digest.command("readers")
@speaks
def list_readers(output: Output) -> None:
    """Who gets it."""
    with read_side() as (opened, reads):
        from api.bootstrap import key_registry
        from api.digest.readers import Readers

        names = {one["user_id"]: one["user_name"] for one in key_registry(opened.settings, opened, reads).users()}
        rows = [
            {"user_name": names.get(one.user_id), "email": one.email, "next_at": one.next_at.isoformat(),
             "clinics": "all" if one.clinics is None else len(one.clinics)}
            for one in Readers(reads.database.reads).all()
        ]
    output.table(rows, ["user_name", "email", "clinics", "next_at"], empty="nobody")


def _now(opened: Services) -> datetime:
    from services.processes.timers import log_now

    return log_now(opened.log, opened.clock, simulated=opened.log.mode() == "simulation")


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise AskedWrongly(f"{text!r} is no moment such as 2026-11-23T15:00:00+00:00", code="no-moment") from None
    if found.tzinfo is None:
        raise AskedWrongly(f"{text!r} has no offset", code="no-moment")
    return found


def _week(name: str | None, now: datetime, digests: Digests, clinics: Sequence[str]) -> Week:
    from api.digest.week import Week, last_complete

    if name is None:
        return last_complete(now, digests.zone(clinics))
    try:
        return Week.of(name)
    except ValueError as error:
        raise AskedWrongly(str(error), code="no-week") from None


def _user_id(opened: Services, reads: object, user_name: str) -> str:
    from api.bootstrap import key_registry

    registry = key_registry(opened.settings, opened, reads)  # type: ignore[arg-type]
    for one in registry.users():
        if one["user_name"] == user_name and one["disabled_us"] is None:
            return str(one["user_id"])
    raise Failed(f"there is no user called {user_name}", code="unknown-user", hint="anodyne user list")


COMMANDS = {"reminders": reminders, "digest": digest}

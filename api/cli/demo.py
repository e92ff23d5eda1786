"""`anodyne demo load`: fictional clinics that have run for months, with accounts and a key to look at them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.command import settings_of, speaks
from api.cli.output import Failed, Output
from api.settings import Settings

if TYPE_CHECKING:
    from api.demo.clinics import Clinic
    from api.demo.load import Summary

__all__ = ["COMMANDS"]

STEPS = 1000
"""The bar's resolution."""

KEY_FILE = "demo-key.txt"
PASSWORD_FILE = "demo-password.txt"  # noqa: S105  a file's name
MEMORY = Path("/dev/shm")  # noqa: S108  a private folder is made in it
ROOM_NEEDED = 2 * 2**30
LAST = "log.sqlite3"
"""Moved into place last: without it a home holds no demo, whatever else lies there."""


@click.group()
def demo() -> None:
    """Three fictional clinics that have run for months."""


@demo.command()
@click.option("--seed", type=int, default=2026, show_default=True, help="The same seed makes the same events.")
@click.option("--scale", type=click.FloatRange(0.25, 100), default=1.0, show_default=True, help="1: ~500 infusions.")
@click.option("--if-empty", is_flag=True, help="Do nothing when there is data already.")
@speaks
def load(output: Output, seed: int, scale: float, if_empty: bool) -> None:
    """Fill an empty database with the demo organisation. Everybody in it is fictional."""
    settings = settings_of()
    if not settings.allow_simulation:
        raise Failed("these settings forbid a simulation log (ANODYNE_ALLOW_SIMULATION)", code="simulation-forbidden")
    if _holds_data(settings):
        if not if_empty:
            raise Failed("the database is not empty", code="not-empty", hint="Set ANODYNE_HOME to a new folder.")
        _show_key(output, settings)
        return
    draft = _draft_of(settings)
    try:
        with output.progress("Three fictional clinics live through 26 weeks") as advance:
            summary = _simulate(draft, seed, scale, lambda share: advance(round(share * STEPS), STEPS))
        key, password = _make_people(draft, summary.clinics)
        _put_in_place(draft, settings)
    finally:
        if draft.home != settings.home:
            shutil.rmtree(draft.home, ignore_errors=True)
    _tell(output, settings, summary, key, password)


@demo.command()
@click.option("--count", type=click.IntRange(1, 50), default=3, show_default=True)
@speaks
def links(output: Output, count: int) -> None:
    """Addresses by which fictional patients answer from home: open one (on a phone, say) and follow it to the chart."""
    from api.cli.system import read_side
    from api.demo.links import NotTheDemo, open_links

    with read_side() as (services, reads):
        try:
            found = open_links(services, reads, count)
        except NotTheDemo:
            raise Failed("this is no demo: real patients' links are theirs alone", code="no-demo") from None
    if not found:
        raise Failed("nobody in this log can be asked", code="nobody", hint="anodyne demo load")
    output.result({"links": found}, "\n".join(found))


def _simulate(settings: Settings, seed: int, scale: float, progress: Callable[[float], None]) -> Summary:
    from api.demo.load import load as live

    return live(settings, seed=seed, scale=scale, progress=lambda share, label: progress(share))


def _holds_data(settings: Settings) -> bool:
    """More than the log's own first event. Makes no file."""
    from api.bootstrap import Urls
    from services.log import EventLog, migrate

    if not settings.is_postgresql and not (settings.home / LAST).exists():
        return False
    urls = Urls.of(settings)
    migrate(urls.log_migration)
    log = EventLog(urls.log)
    try:
        return log.head() > 1
    finally:
        log.close()


def _draft_of(settings: Settings) -> Settings:
    """Embedded, the demo is made elsewhere and put in place whole, so that a Ctrl-C leaves no half-lived demo.

    In memory where there is room: a draft that would be thrown away anyway need not wait for a slow disk at each
    of its 25,000 commits. What is put in place is on the disk before it counts.
    """
    if settings.is_postgresql:
        return settings
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_NEEDED:
        return replace(settings, home=Path(tempfile.mkdtemp(prefix="anodyne-demo-", dir=MEMORY)))
    draft = settings.home.with_name(f".{settings.home.name}.loading")
    shutil.rmtree(draft, ignore_errors=True)
    return replace(settings, home=draft)


def _put_in_place(draft: Settings, settings: Settings) -> None:
    if draft.home == settings.home:
        return
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for stale in settings.home.glob("*.sqlite3-*"):  # a journal of the file replaced would spoil the new one
        stale.unlink()
    for path in sorted(draft.home.iterdir(), key=lambda each: each.name == LAST):
        arriving = settings.home / f".{path.name}.arriving"
        shutil.copyfile(path, arriving)
        arriving.chmod(path.stat().st_mode & 0o777)
        _to_disk(arriving)
        os.replace(arriving, settings.home / path.name)
        _to_disk(settings.home)
    shutil.rmtree(draft.home)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_people(settings: Settings, clinics: Sequence[Clinic]) -> tuple[str, str]:
    """Accounts to sign in with and an owner's key; both are kept beside the data, which is fictional."""
    from api.bootstrap import build_read_side, build_services, identity, key_registry
    from api.demo.people import make_password, make_people

    password = make_password()
    services = build_services(settings)
    try:
        reads = build_read_side(settings, services)
        try:
            registry = key_registry(settings, services, reads)
            owner = make_people(identity(settings, services, reads), registry, clinics, password)
            made = registry.create_key(owner, "owner", clinics=None, label="demo")
        finally:
            reads.close()
    finally:
        services.close()
    assert made.text is not None
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in ((KEY_FILE, made.text), (PASSWORD_FILE, password)):
        path = settings.home / name
        path.touch(mode=0o600)
        path.write_text(text + "\n")
    return made.text, password


def _tell(output: Output, settings: Settings, summary: Summary, key: str, password: str) -> None:
    clinics = [
        {"clinic_id": str(clinic.clinic_id), "name": clinic.plan.name, "timezone": clinic.plan.timezone}
        for clinic in summary.clinics
    ]
    data = {
        "clinics": clinics, "patients": summary.patients, "events": summary.events, "seconds": summary.seconds,
        "refused": summary.refused, "api_key": key, "key_file": str(settings.home / KEY_FILE), "password": password,
    }
    lines = [f"{summary.events:,} events in {summary.seconds:.0f} s. Everybody is fictional."]
    lines += [f"  {clinic['name']:<30} {clinic['timezone']:<22} {clinic['clinic_id']}" for clinic in clinics]
    lines.append(f"API key (owner, all clinics; also in {settings.home / KEY_FILE}):\n  {key}")
    lines.append(_sign_in_lines(password))
    output.result(data, "\n".join(lines))


def _sign_in_lines(password: str) -> str:
    from api.demo.people import NAMES

    names = ", ".join(role.replace("_", " ") for role in NAMES)
    return f"Sign in as {names}\n  password: {password}"


def _show_key(output: Output, settings: Settings) -> None:
    key, password = _kept(settings.home / KEY_FILE), _kept(settings.home / PASSWORD_FILE)
    lines = ["There is data already: nothing is loaded."]
    if key:
        lines.append(f"The demo's API key is in {settings.home / KEY_FILE}")
    if password:
        lines.append(_sign_in_lines(password))
    output.result({"loaded": False, "api_key": key, "password": password}, "\n".join(lines))


def _kept(path: Path) -> str | None:
    return path.read_text().strip() if path.exists() else None


COMMANDS = {"demo": demo}

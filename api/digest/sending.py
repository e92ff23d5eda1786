"""Scheduling digests and writing their letters: text and simple HTML, with one-click unsubscribing (RFC 8058)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from api.bootstrap import ReadSide, Services
from api.digest.lines import Digest, Line, compose
from api.digest.readers import Reader, Readers
from api.digest.week import Week
from api.home.links import Tokens
from api.mail.letters import Drop, Later, Letters
from api.mail.outbox import Entry
from api.settings import Settings
from api.web.wording import period
from domain import clinic
from projections.clinic_list import opened_clinics

__all__ = ["Digests"]

TEMPLATES = Path(__file__).parent / "templates"
BEHIND_S = 5.0
"""How long a letter waits for a read side that has not come to the digest's position."""


@dataclass(frozen=True)
class Digests:
    """What the worker, the pages and the command line do about digests."""

    settings: Settings
    services: Services
    read_side: ReadSide

    @property
    def readers(self) -> Readers:
        """The subscriptions."""
        return Readers(self.read_side.database.reads)

    def all_clinics(self) -> list[str]:
        """Every clinic of the organisation."""
        with self.read_side.database.reads.connect() as sql:
            return sorted(opened_clinics(sql))

    def zone(self, clinics: Sequence[str]) -> ZoneInfo:
        """The zone of the first clinic by name: Monday morning is that clinic's."""
        states = [self._state(one) for one in clinics]
        named = sorted((state.clinic_name, state.timezone) for state in states if state.is_open)
        return ZoneInfo(named[0][1] if named else "UTC")

    def _state(self, clinic_id: str) -> clinic.State:
        state: clinic.State = self.services.handling.recent(clinic, UUID(clinic_id)).state
        return state

    def schedule(self, now: datetime) -> int:
        """Puts every digest that is due into the outbox; how many. Who may see no clinic any more is left out."""
        due = [one for one in self.readers.all() if one.next_at <= now]
        if not due:
            return 0
        everything, known_at, many = self.all_clinics(), self.services.log.head(), 0
        for reader in due:
            clinics = self.readers.clinics_of(reader, everything)
            if clinics:
                many += self.readers.schedule(reader, now, known_at, self.zone(clinics))
            else:
                self.readers.stop(reader.reader_id, now)
        return many

    def letter(self, letters: Letters, entry: Entry, now: datetime) -> EmailMessage:
        """The letter of a scheduled digest, as of then. Raises Drop, Later."""
        reader = self.readers.find(entry.message.recipient)
        if reader is None or reader.stopped_at is not None:
            raise Drop("unsubscribed")
        clinics = self.readers.clinics_of(reader, self.all_clinics())
        if not clinics:
            raise Drop("no clinic to report on")
        about = entry.message.about
        asked = self.question(
            Week.of(about["week"]), clinics, datetime.fromisoformat(about["as_of"]), int(about["known_at"]))
        if not self.read_side.engine.wait_for(asked.known_at, 0.0):
            raise Later(now, BEHIND_S)
        lines = self.lines(asked)
        stop = self.stop_url(reader)
        letter = letters.letter(entry, reader.email, f"Your clinics, week {asked.week.name}",
                                self.text(asked, lines, stop))
        letter.add_alternative(self.html(asked, lines, stop), subtype="html")
        letter["List-Unsubscribe"] = f"<{stop}>"
        letter["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return letter

    def question(self, week: Week, clinics: Sequence[str], as_of: datetime, known_at: int) -> Digest:
        """What a digest asks."""
        return Digest(
            week=week, clinics=tuple(clinics), as_of=as_of, known_at=known_at, address=self.settings.address)

    def lines(self, asked: Digest) -> Sequence[Line]:
        """Its figures."""
        with self.read_side.database.reads.connect() as sql:
            return compose(sql, asked)

    def stop_url(self, reader: Reader) -> str:
        """Where the subscription is ended without signing in."""
        return f"{self.settings.address}/digest/stop/{Tokens(self.settings.secret(), 'digest').of(reader.reader_id)}"

    def text(self, asked: Digest, lines: Sequence[Line], stop: str) -> str:
        """For reading as it is, and for checking by copying a line."""
        return _TEMPLATES.get_template("digest.txt").render(**self._context(asked, lines, stop))

    def html(self, asked: Digest, lines: Sequence[Line], stop: str) -> str:
        """The same in a table, without a picture, a script or anything that is loaded."""
        return _TEMPLATES.get_template("digest.html").render(**self._context(asked, lines, stop))

    def _context(self, asked: Digest, lines: Sequence[Line], stop: str) -> dict[str, object]:
        zone = self.zone(asked.clinics)
        names = sorted(self._state(one).clinic_name for one in asked.clinics)
        return {
            "asked": asked, "lines": lines, "stop": stop, "clinics": names,
            "week": period(asked.week.period.first, asked.week.period.last),
            "week_before": period(asked.week.before.period.first, asked.week.before.period.last),
            "as_of": f"{asked.as_of.astimezone(zone):%Y-%m-%d %H:%M %Z}",
        }


_TEMPLATES = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(["html"]), undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True)

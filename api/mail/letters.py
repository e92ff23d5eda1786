"""The letters: what stands in them, made at the moment of sending. Never a health detail, a name, or a kind of clinic.

A letter that has become pointless (the prompt was answered or overtaken, the alert acknowledged, the patient no longer
agrees to be written to) is dropped instead of sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from uuid import UUID
from zoneinfo import ZoneInfo

from api.bootstrap import Services
from api.home.answering import Answering
from api.home.links import LinkStore, Tokens
from api.mail.addresses import email_of
from api.mail.outbox import NO_ADDRESS, Entry
from api.settings import Settings
from domain import clinic, diary
from domain.patient import patient
from services.processes.quiet import quiet_until
from services.processes.reminders import may_be_written_to
from services.use_cases.case import diary_of

__all__ = ["Drop", "Later", "Letters"]


class Drop(Exception):
    """There is nothing to send any more."""


class Later(Exception):
    """Not now."""

    def __init__(self, until: datetime, seconds: float) -> None:
        super().__init__(until)
        self.until, self.seconds = until, seconds


Writer = Callable[[Entry, datetime], EmailMessage]


@dataclass(frozen=True)
class Letters:
    """Writes the letter for an entry of the outbox. `more` are other kinds' writers (the digest's)."""

    settings: Settings
    services: Services
    links: LinkStore
    more: Mapping[str, Writer]

    def of(self, entry: Entry, now: datetime) -> EmailMessage:
        """The letter, as it stands at `now` (the log's clock). Raises Drop, Later."""
        writers: Mapping[str, Writer] = {"follow_up": self._follow_up, "alert": self._alert, **self.more}
        writer = writers.get(entry.message.kind)
        if writer is None:
            raise Drop(f"nobody writes {entry.message.kind}")
        return writer(entry, now)

    # --- to patients ---

    def _follow_up(self, entry: Entry, now: datetime) -> EmailMessage:
        link = self.links.find(UUID(entry.message.about["link_id"]))
        whose = entry.message.recipient
        if link is None or Answering(self.services, self.links).standing(link, now) != "open":
            raise Drop("the question is no longer open")
        if set(link.asks) <= set(self.links.answered(link.link_id)):
            raise Drop("answered")
        state: patient.State = self.services.handling.current(patient, whose).state
        if not may_be_written_to(state, now):
            raise Drop("no consent to messages")
        zone = self._zone(link.clinic_id)
        until = quiet_until(now, zone)
        if until is not None:
            raise Later(until, (until - now).total_seconds())
        address = email_of(self.services, whose)
        if address is None:
            raise Drop(NO_ADDRESS)
        token = Tokens(self.settings.secret(), "home").of(link.link_id)
        ends = link.expires_at.astimezone(zone)
        return self.letter(entry, address, "A question from your clinic", FOLLOW_UP.format(
            url=f"{self.settings.address}/p/{token}", emergency=self.settings.emergency_number,
            until=f"{ends:%A, %B} {ends.day}, {ends:%H:%M %Z}",
        ))

    # --- to staff ---

    def _alert(self, entry: Entry, now: datetime) -> EmailMessage:
        about, whose = entry.message.about, UUID(entry.message.about["patient_id"])
        state: diary.State = self.services.handling.current(diary, diary_of(whose)).state
        alert = next((one for one in state.alerts if str(one.alert_id) == about["alert_id"]), None)
        if alert is None or alert.acknowledged:
            raise Drop("acknowledged")
        address = email_of(self.services, entry.message.recipient)
        if address is None:
            raise Drop(NO_ADDRESS)
        here: clinic.State = self.services.handling.recent(clinic, UUID(about["clinic_id"])).state
        raised = alert.raised_at.astimezone(ZoneInfo(here.timezone))
        following = EVERYBODY if about["everybody"] else NEXT.format(minutes=here.on_call.escalate_after_minutes)
        return self.letter(entry, address, f"An alert needs you ({here.clinic_name})", ALERT.format(
            clinic=here.clinic_name, raised=f"{raised:%Y-%m-%d %H:%M %Z}", following=following,
            url=f"{self.settings.address}/alerts",
        ), urgent=True)

    # --- every letter ---

    def letter(
        self, entry: Entry, address: str, subject: str, text: str, *, urgent: bool = False
    ) -> EmailMessage:
        """A letter with the headers that every one has; its Message-ID is the entry's own, whenever it is sent."""
        letter = EmailMessage()
        letter["From"] = self.settings.mail_from
        letter["To"] = address
        letter["Subject"] = subject
        letter["Date"] = format_datetime(datetime.now(UTC))
        letter["Message-ID"] = message_id(entry, self.settings)
        letter["Auto-Submitted"] = "auto-generated"
        if urgent:
            letter["Importance"] = "high"
            letter["X-Priority"] = "1"
        letter.set_content(text)
        return letter

    def _zone(self, clinic_id: UUID) -> ZoneInfo:
        here: clinic.State = self.services.handling.recent(clinic, clinic_id).state
        return ZoneInfo(here.timezone)


def message_id(entry: Entry, settings: Settings) -> str:
    """Stable: a mail program shows a letter that was sent twice once."""
    domain = parseaddr(settings.mail_from)[1].rpartition("@")[2] or make_msgid().rpartition("@")[2].strip(">")
    return f"<{entry.message.message_id}@{domain}>"


FOLLOW_UP = """Hello,

your clinic has a few short questions for you. Most people need a minute:

{url}

The link is for you alone; please do not pass it on. It works until {until}.

Nobody reads replies to this message. In an emergency call {emergency}.
You agreed to messages like this one. To end them, tell your clinic.
"""

ALERT = """An alert from home was raised at {clinic} at {raised} and nobody has acknowledged it yet.

Please sign in, look at it and acknowledge it:

{url}

{following}
"""

NEXT = "You are on call. Without an acknowledgement within {minutes} minutes the next person is told."
EVERYBODY = "Everybody here who can acknowledge it has been told, because nobody who is on call has."

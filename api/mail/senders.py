"""Who carries letters: SMTP, (the embedded default) a folder of `.eml` files, or what ANODYNE_MAIL_SENDER names.

The setting is `package.module:factory`; the factory is called with the `Settings` and gives a `Sender`.
"""

from __future__ import annotations

import importlib
import os
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Literal, Protocol, cast

from api.settings import InsecureSettings, Settings

__all__ = ["FolderSender", "NotSent", "Refused", "Sender", "SmtpSender", "delivery", "sender_of"]


class NotSent(Exception):
    """It could not be sent now; another time it may."""


class Refused(Exception):
    """It will never be taken: the address does not exist, the letter is refused."""


class Sender(Protocol):
    """Carries one letter to its one recipient. Returns when it has been taken; raises NotSent or Refused."""

    def send(self, letter: EmailMessage) -> None: ...


@dataclass(frozen=True, kw_only=True)
class SmtpSender:
    """To a mail server: STARTTLS by default, TLS from the start, or none (only to this machine in production)."""

    host: str
    port: int
    security: str
    user: str | None
    password: str | None
    timeout_s: float

    def send(self, letter: EmailMessage) -> None:
        """One connection a letter: letters are few, and a connection kept open would be lost unseen.

        Raises NotSent (no answer, a 4xx, the server's or our own configuration), Refused (a 5xx about this letter).
        """
        try:
            with self._connected() as server:
                if self.security == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if self.user is not None:
                    server.login(self.user, self.password or "")
                server.send_message(letter)
        except smtplib.SMTPRecipientsRefused as error:
            code = max(code for code, _ in error.recipients.values())
            raise (Refused if code >= 500 else NotSent)(f"recipient refused: {code}") from error
        except smtplib.SMTPDataError as error:
            raise (Refused if error.smtp_code >= 500 else NotSent)(f"letter refused: {error.smtp_code}") from error
        except smtplib.SMTPResponseException as error:
            raise NotSent(f"{type(error).__name__}: {error.smtp_code}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(type(error).__name__) from error

    def _connected(self) -> smtplib.SMTP:
        if self.security == "tls":
            return smtplib.SMTP_SSL(
                self.host, self.port, timeout=self.timeout_s, context=ssl.create_default_context())
        return smtplib.SMTP(self.host, self.port, timeout=self.timeout_s)


@dataclass(frozen=True)
class FolderSender:
    """Into a folder, for a machine without a mail server: `note` is told where each letter lies."""

    folder: Path
    note: Callable[[str], None]

    def send(self, letter: EmailMessage) -> None:
        """Raises NotSent."""
        name = letter["Message-ID"].strip("<>").partition("@")[0]
        path = self.folder / f"{name}.eml"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = path.with_suffix(".part")
            with suppress(FileNotFoundError):
                draft.unlink()
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(letter.as_bytes())
            draft.replace(path)
        except OSError as error:
            raise NotSent(type(error).__name__) from error
        self.note(f"a letter (\"{letter['Subject']}\") lies in {path}")


def sender_of(settings: Settings, note: Callable[[str], None]) -> Sender | None:
    """The one that is named, else SMTP where a server is; else embedded a folder in the home, in production nobody.

    Raises `InsecureSettings` when what is named cannot be had.
    """
    if settings.mail_sender is not None:
        return _named(settings.mail_sender, settings)
    if settings.smtp_host:
        return SmtpSender(
            host=settings.smtp_host, port=settings.smtp_port, security=settings.smtp_security,
            user=settings.smtp_user, password=settings.smtp_password, timeout_s=settings.smtp_timeout_seconds)
    return FolderSender(settings.home / "mail", note) if settings.environment == "embedded" else None


def _named(name: str, settings: Settings) -> Sender:
    module, _, factory = name.partition(":")
    try:
        made = getattr(importlib.import_module(module), factory)(settings)
    except Exception as error:
        raise InsecureSettings(f"ANODYNE_MAIL_SENDER={name}: {type(error).__name__}: {error}") from error
    if not callable(getattr(made, "send", None)):
        raise InsecureSettings(f"ANODYNE_MAIL_SENDER={name} gives a {type(made).__name__}, which has no send(letter)")
    return cast(Sender, made)


def delivery(settings: Settings) -> Literal["sent", "folder", "nowhere"]:
    """Where letters go with these settings."""
    if settings.mail_sender is not None or settings.smtp_host is not None:
        return "sent"
    return "folder" if settings.environment == "embedded" else "nowhere"

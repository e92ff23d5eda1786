"""Which carrier takes the letters: the one that is named, SMTP, a folder, or nobody; a wrong name is told at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from api.mail.senders import delivery, sender_of
from api.settings import InsecureSettings, Settings
from services.processes import escalations
from tests.conftest import Database
from tests.from_home.conftest import AtHome
from tests.mail.post import Post
from tests.support.carrier import Carrier

NAMED = "tests.support.carrier:carrier"


def test_a_letter_goes_by_the_carrier_that_is_named(
    sqlite_database: Database, make_home: Callable[..., AtHome]
) -> None:
    """Built from the settings, before SMTP; the whole way from an alert to the carrier."""
    post = Post(make_home(
        sqlite_database, mail_sender=NAMED, smtp_host="127.0.0.1", mail_from="Your clinic <a@clinic.example>"))
    assert isinstance(post.sender, Carrier)
    post.on_call("ann")
    post.alarm(post.at_home.patient())
    assert post.round() == 1
    (letter,) = post.sender.taken
    assert (letter["To"], letter["From"]) == ("ann@clinic.example", post.sender.sent_from)


@pytest.mark.parametrize(("name", "said"), [
    ("tests.support.carrier:nothing", "NoneType, which has no send"), ("tests.support.carrier:broken", "no line"),
    ("tests.support.carrier:absent", "AttributeError"), ("tests.nowhere:carrier", "ModuleNotFoundError"),
])
def test_a_carrier_that_cannot_be_had_is_told_at_the_start(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(InsecureSettings, match=said):
        sender_of(Settings(home=tmp_path, mail_sender=name), lambda text: None)


@pytest.mark.parametrize("name", ["carrier", "tests.support.carrier", "a:b:c", "a b:c", "os;x:y", ":carrier", "a:"])
def test_what_names_no_factory_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InsecureSettings, match="ANODYNE_MAIL_SENDER"):
        Settings(home=tmp_path, mail_sender=name).check()


def test_a_named_carrier_needs_addresses_for_its_links_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As SMTP does in production; the environment names it."""
    for name, value in {"ENVIRONMENT": "production", "SECRET": "s" * 40, "DATABASE_URL": "postgresql://db/x",
                        "MAIL_SENDER": NAMED, "MAIL_FROM": "Your clinic <a@clinic.example>"}.items():
        monkeypatch.setenv(f"ANODYNE_{name}", value)
    with pytest.raises(InsecureSettings, match="ANODYNE_PUBLIC_URL"):
        Settings.from_environment()
    monkeypatch.setenv("ANODYNE_PUBLIC_URL", "https://clinic.example")
    assert Settings.from_environment().mail_sender == NAMED


@pytest.mark.parametrize(("fields", "goes"), [
    ({}, "folder"), ({"environment": "production"}, "nowhere"),
    ({"environment": "production", "smtp_host": "mail.clinic.example"}, "sent"),
    ({"environment": "production", "mail_sender": NAMED}, "sent"),
])
def test_where_letters_go(tmp_path: Path, fields: dict[str, Any], goes: str) -> None:
    assert delivery(Settings(home=tmp_path, **fields)) == goes


def test_giving_up_on_an_alert_is_told(letters: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many steps nobody is told any more: an error of the worker, not silence."""
    monkeypatch.setattr(escalations, "MOST_STEPS", 1)
    letters.on_call("ann", minutes=1)
    letters.alarm(letters.at_home.patient())
    raised_at = letters.at_home.now()
    letters.work()
    told = structlog.testing.LogCapture()
    logger = structlog.wrap_logger(None, processors=[told], wrapper_class=structlog.BoundLogger)
    monkeypatch.setattr(escalations, "_log", logger)
    letters.until(1, after=raised_at)
    letters.work()
    letters.work()
    assert [(one["event"], one["steps"], one["log_level"]) for one in told.entries] == [
        ("alerts.given_up", 1, "error")]

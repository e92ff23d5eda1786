"""The outbox and a real mail server: refused, full, slow, dying in the middle, dying after it took the letter."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from email.message import EmailMessage
from pathlib import Path
from uuid import uuid4

import pytest

from api.mail.outbox import Entry, Message
from api.mail.senders import FolderSender, NotSent, Refused, SmtpSender, sender_of
from api.settings import InsecureSettings, Settings
from tests.mail.post import Post
from tests.mail.test_reminders import infused
from tests.support.smtp import MailServer, mail_server


def letter() -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "a@clinic.example", "sam@example.test", "Hello"
    made["Message-ID"] = "<1@clinic.example>"
    made.set_content("Hello")
    return made


def sender(port: int, timeout_s: float = 2.0) -> SmtpSender:
    return SmtpSender(
        host="127.0.0.1", port=port, security="none", user=None, password=None, timeout_s=timeout_s)


@pytest.mark.parametrize(("mood", "raised"), [
    ("refuse_recipient", Refused), ("refuse_letter", Refused), ("full", NotSent), ("hang_up", NotSent),
    ("deaf", NotSent),
])
def test_what_a_server_may_say(server: MailServer, mood: str, raised: type[Exception]) -> None:
    """A 5xx about the letter is for good; everything else may be different another time."""
    server.mood = mood
    with pytest.raises(raised):
        sender(server.port).send(letter())


def test_a_slow_server_is_waited_for_so_long_and_no_longer(server: MailServer) -> None:
    server.mood, server.seconds = "slow", 5.0
    began = time.monotonic()
    with pytest.raises(NotSent):
        sender(server.port, timeout_s=0.5).send(letter())
    assert time.monotonic() - began < 4
    server.seconds = 0.1
    sender(server.port).send(letter())


def test_no_server_at_all() -> None:
    with mail_server() as gone:
        port = gone.port
    with pytest.raises(NotSent):
        sender(port).send(letter())


def test_a_server_without_starttls_gets_nothing_in_the_clear(server: MailServer) -> None:
    """The default asks for it and sends nothing without."""
    asking = SmtpSender(
        host="127.0.0.1", port=server.port, security="starttls", user=None, password=None, timeout_s=2.0)
    with pytest.raises(NotSent):
        asking.send(letter())
    assert server.taken == []


def test_a_full_mailbox_is_tried_again_with_growing_pauses_and_then_given_up(post: Post, server: MailServer) -> None:
    """Twelve times, each pause longer; then it is dead and says why; by hand it goes out under the same id."""
    whose = infused(post)
    post.until(0.1, after=post.at_home.follow_ups(whose)[0].due_at)
    post.work()
    server.mood, pauses = "full", []
    for _ in range(12):
        post.deliver()
        (entry,) = post.entries()
        pauses.append((entry.next_at - entry.created_at).total_seconds())
        post.hurry()
    assert pauses[:5] == sorted(pauses[:5])
    assert (entry.status, entry.attempts, "452" in (entry.trouble or "")) == ("dead", 12, True)
    assert post.deliver() == 0
    server.mood = "take"
    assert post.outbox.again(entry.message.message_id)
    assert post.deliver() == 1
    assert not post.outbox.again(uuid4())
    assert server.taken[0]["Message-ID"] == f"<{entry.message.message_id}@clinic.example>"


def test_an_address_that_does_not_exist_is_given_up_at_once(letters: Post, server: MailServer) -> None:
    whose = infused(letters)
    letters.until(0.1, after=letters.at_home.follow_ups(whose)[0].due_at)
    server.mood = "refuse_recipient"
    letters.round()
    assert [(one.status, one.attempts) for one in letters.entries()] == [("dead", 1)]


def test_a_worker_that_dies_after_the_server_took_the_letter_sends_it_again_as_the_same(
    post: Post, server: MailServer
) -> None:
    """The mark is missing, the lease ends, another worker sends it: at least once, one Message-ID, the same link."""
    whose = infused(post)
    post.until(0.1, after=post.at_home.follow_ups(whose)[0].due_at)
    post.work()

    class Dies:
        def send(self, letter: EmailMessage) -> None:
            post.sender.send(letter)
            raise SystemExit("killed between the server's word and our mark")

    with pytest.raises(SystemExit):
        post.deliver(Dies())
    assert post.deliver() == 0, "leased by the dead one"
    post.hurry()
    assert (post.deliver(), post.deliver()) == (1, 0)
    first, second = server.taken
    assert first["Message-ID"] == second["Message-ID"]
    assert first.get_content() == second.get_content()


KILLED = """
import sys
from pathlib import Path
from api.bootstrap import build_read_side, build_services
from api.mail.office import ALERTS, OTHERS, letters_of
from api.mail.outbox import Outbox
from api.mail.postman import deliver
from api.mail.senders import sender_of
from api.settings import Settings
from datetime import datetime

home, port, now = Path(sys.argv[1]), int(sys.argv[2]), datetime.fromisoformat(sys.argv[3])
settings = Settings(home=home, smtp_host="127.0.0.1", smtp_port=port, smtp_security="none", smtp_timeout_seconds=30.0,
                    public_url="https://clinic.example", mail_from="Your clinic <no-reply@clinic.example>")
services = build_services(settings)
reads = build_read_side(settings, services)
deliver(Outbox(reads.database.reads), letters_of(services, reads), sender_of(settings, print), ALERTS | OTHERS,
        lambda: now)
"""


def test_a_worker_killed_with_9_while_the_server_answers_loses_nothing(letters: Post, server: MailServer) -> None:
    """A real process, killed at the moment at which the server has the letter and has not said so yet."""
    whose = infused(letters)
    letters.until(0.1, after=letters.at_home.follow_ups(whose)[0].due_at)
    letters.work()
    server.mood, server.seconds = "slow", 20.0
    worker = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(letters.at_home.settings.home), str(server.port),
         letters.at_home.now().isoformat()], cwd=Path(__file__).parents[2])
    until = time.monotonic() + 60
    while server.seen == 0 and time.monotonic() < until and worker.poll() is None:
        time.sleep(0.05)
    assert server.seen == 1, worker.poll()
    worker.kill()
    worker.wait()
    (entry,) = letters.entries()
    assert (entry.status, entry.attempts) == ("queued", 1)
    server.mood = "take"
    letters.hurry()
    assert letters.deliver() == 1
    assert server.taken[-1]["Message-ID"] == f"<{entry.message.message_id}@clinic.example>"


def test_two_postmen_never_take_one_letter(post: Post) -> None:
    """Eight threads over forty messages: each is taken once."""
    outbox = post.outbox
    for _ in range(40):
        outbox.put(Message(message_id=uuid4(), kind="digest", recipient=uuid4(), about={}))
    taken: list[Entry] = []

    def take() -> None:
        while found := outbox.take({"digest"}, limit=7):
            taken.extend(found)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    ids = [one.message.message_id for one in taken]
    assert len(ids) == len(set(ids)) == 40


def test_what_is_put_in_twice_is_in_once(post: Post) -> None:
    message = Message(message_id=uuid4(), kind="digest", recipient=uuid4(), about={"week": "2026-W10"})
    assert [post.outbox.put(message), post.outbox.put(message)] == [1, 0]
    assert [one.message for one in post.outbox.entries(kinds=["digest"], statuses=["queued"])] == [message]
    assert post.outbox.entries(statuses=["dead"]) == []


def test_without_a_server_letters_lie_in_a_folder(tmp_path: Path) -> None:
    """The embedded default; in production they wait."""
    told: list[str] = []
    chosen = sender_of(Settings(home=tmp_path), told.append)
    assert isinstance(chosen, FolderSender)
    for _ in range(2):
        chosen.send(letter())
    (path,) = (tmp_path / "mail").iterdir()
    assert b"Subject: Hello" in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert len(told) == 2
    assert sender_of(Settings(home=tmp_path, environment="production"), told.append) is None


@pytest.mark.parametrize("wrong", [
    {"smtp_security": "ssl"}, {"mail_from": "nobody"}, {"mail_from": "a@b.example\nBcc: c@d.example"},
    {"environment": "production", "smtp_security": "none"}, {"environment": "production", "public_url": None},
    {"environment": "production", "public_url": "http://clinic.example"},
    {"environment": "production", "mail_from": "Your clinic <no-reply@localhost>"},
])
def test_settings_that_would_send_in_the_clear_or_from_nobody_are_refused(wrong: dict[str, str]) -> None:
    good = {"smtp_host": "mail.example", "public_url": "https://clinic.example", "given_secret": "s" * 40,
            "mail_from": "Your clinic <no-reply@clinic.example>", "database_url": "postgresql://x/y",
            "allow_simulation": False}
    Settings(**{**good, "environment": "production"}).check()  # type: ignore[arg-type]
    with pytest.raises(InsecureSettings):
        Settings(**{**good, **wrong}).check()  # type: ignore[arg-type]

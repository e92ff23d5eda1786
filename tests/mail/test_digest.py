"""The weekly digest: once a week and reader, Monday at seven of the clinic's clock, each line checkable for ever."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from api.auth.grants import Grant
from api.cli.main import cli
from api.digest.lines import LINES
from api.digest.readers import NoAddress, Reader
from api.digest.sending import Digests
from api.digest.week import Week, last_complete, next_monday
from api.http.context import EXTENSION
from api.reports import DASHBOARDS, figures
from domain.corrections import StrikeEntry
from domain.kernel import Role
from services.use_cases.case import diary_of
from tests.mail.post import Post
from tests.support.smtp import MailServer

DENVER = ZoneInfo("America/Denver")
MONDAY = datetime(2026, 3, 9, 7, tzinfo=DENVER)
"""After the practice's first week; daylight saving time began the day before."""


# --- weeks ---------------------------------------------------------------------------------------


@given(st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)), st.sampled_from(  # noqa: DTZ001  made aware below
    ["America/Denver", "America/New_York", "America/Phoenix", "Asia/Kolkata", "Pacific/Auckland", "UTC"]))
def test_the_next_monday_is_one_within_a_week_at_seven_by_the_clinics_clock(naive: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    now = naive.replace(tzinfo=UTC)
    following = next_monday(now, zone)
    local = following.astimezone(zone)
    assert (local.weekday(), local.hour, local.minute) == (0, 7, 0)
    assert now < following <= now + timedelta(days=7, hours=1), "an hour more where the clock changes"
    week = last_complete(following, zone)
    assert week.period.last == local.date() - timedelta(days=1)
    assert Week.of(week.name) == week
    assert week.before.period.last + timedelta(days=1) == week.monday


def test_weeks_are_isos() -> None:
    """The week of 1 January 2027 is the 53rd of 2026."""
    assert Week(date(2026, 12, 28)).name == "2026-W53"
    for wrong in ("2026-47", "2026-W54", "2026-W00", "last"):
        with pytest.raises(ValueError, match=r"week|Week"):
            Week.of(wrong)


# --- a week lived ----------------------------------------------------------------------------------


def user(post: Post, name: str, role: Role = "manager", clinics: list[UUID] | None = None) -> str:
    """Somebody who may sign in."""
    parts = post.at_home.app.extensions[EXTENSION]
    user_id: str = parts.keys.create_user(name)
    parts.identity.grants.set(user_id, [Grant(role=role, clinics=None if clinics is None else frozenset(clinics))])
    return user_id


def digests(post: Post) -> Digests:
    home = post.at_home
    return Digests(home.settings, home.services, home.read_side)


def reader(post: Post, name: str = "manager", email: str = "manager@clinic.example", **more: Any) -> Reader:
    """Somebody who asked for the digest."""
    return digests(post).readers.subscribe(user(post, name, **more), email, None, post.at_home.now(), DENVER)


def lived(post: Post) -> UUID:
    """A week with one infusion and its follow-up; the projections have it."""
    whose = post.at_home.patient()
    post.at_home.infused(whose)
    post.at_home.practice.wait(hours=24)
    post.at_home.practice.pain(whose, 3)
    assert post.at_home.read_side.engine.catch_up()
    return whose


def monday(post: Post, *, weeks: int = 0, hours: float = 0.1) -> None:
    post.at_home.clock.moment = MONDAY + timedelta(weeks=weeks, hours=hours)


def rounds(post: Post) -> int:
    """What a worker does: schedules, catches up, delivers."""
    digests(post).schedule(post.at_home.now())
    assert post.at_home.read_side.engine.catch_up()
    return post.deliver()


def test_on_monday_at_seven_one_letter_a_reader_and_week(post: Post, server: MailServer) -> None:
    """Not before; once however often it is tried; the next week again."""
    lived(post)
    reader(post)
    monday(post, hours=-0.1)
    assert rounds(post) == 0
    monday(post)
    assert [rounds(post) for _ in range(3)] == [1, 0, 0]
    (letter,) = server.taken
    assert (letter["To"], letter["Subject"]) == ("manager@clinic.example", "Your clinics, week 2026-W10")
    monday(post, weeks=1)
    assert rounds(post) == 1
    assert server.taken[1]["Subject"] == "Your clinics, week 2026-W11"


def test_a_worker_that_was_off_for_weeks_sends_the_last_only(letters: Post, server: MailServer) -> None:
    lived(letters)
    reader(letters)
    monday(letters, weeks=3, hours=50)
    assert [rounds(letters), rounds(letters)] == [1, 0]
    assert server.taken[0]["Subject"] == "Your clinics, week 2026-W13"


def test_every_line_is_the_reports_own_figure_and_stays_it(post: Post, server: MailServer) -> None:
    """Numerator, denominator and n stand there; asked again with what the letter says, each command and link gives the
    same figure, though an entry of that week was struck since."""
    whose = lived(post)
    reader(post)
    monday(post)
    rounds(post)
    text = server.taken[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    reports = _reports_as_sent(post, text)
    for dashboard, path in LINES:
        figure = dict(figures(reports[dashboard]))[path]
        block = _block(text, path)
        denominator = getattr(figure, "denominator", None)
        if denominator is not None:
            assert f"{_plain(figure.numerator)} / {_plain(denominator)}, n {figure.n}" in block, path  # type: ignore[union-attr]
        else:
            assert f"n {figure.n}" in block, path
        assert f"{figure.definition} v{figure.definition_version}" in block
    before = {path: _asked_by_command(post, _block(text, path)) for _, path in LINES}
    post.at_home.clock.moment += timedelta(hours=1)
    _strike_a_score(post, whose)
    assert post.at_home.read_side.engine.catch_up()
    assert {path: _asked_by_command(post, _block(text, path)) for _, path in LINES} == before
    assert before["together.rooms.actual_utilization"]["numerator"] > 0
    assert "recompute it" in text


def _plain(value: float | None) -> str:
    return f"{value or 0:.2f}".rstrip("0").rstrip(".")


def _block(text: str, path: str) -> str:
    """The lines about one figure."""
    lines = text.splitlines()
    last = next(number for number, line in enumerate(lines) if line.endswith(f".figures.{path}"))
    first = max((number for number, line in enumerate(lines[:last]) if ".figures." in line), default=0)
    return "\n".join(lines[first + 1:last + 1])


def _reports_as_sent(post: Post, text: str) -> dict[str, Any]:
    known_at = int(re.search(r"known_at=(\d+)", text)[1])  # type: ignore[index]
    week = Week.of(re.search(r"Week (\S+)", text)[1])  # type: ignore[index]
    as_of = datetime.fromisoformat(re.search(r"as_of=([^&]+)&", text)[1].replace("%2B", "+"))  # type: ignore[index]
    clinics = [str(post.at_home.practice.clinic_id)]
    with post.at_home.read_side.database.reads.connect() as sql:
        return {
            name: DASHBOARDS[name][0](sql, clinics, week.period, as_of=as_of, known_at=known_at)
            for name in {dashboard for dashboard, _ in LINES}
        }


def _asked_by_command(post: Post, block: str) -> Any:
    """What the line's own command answers (its address asked of the application itself)."""
    url, path = re.search(r"'https://clinic\.example(/v1/[^']+)' \| jq \.figures\.(\S+)", block).groups()  # type: ignore[union-attr]
    keys = post.at_home.app.extensions[EXTENSION].keys
    key = keys.create_key(keys.create_user(f"checker {uuid4()}"), "manager", clinics=None).text
    answer = post.at_home.client.get(url, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    found = answer.get_json()["figures"]
    for step in path.split("."):
        found = found[step]
    return found


def _strike_a_score(post: Post, whose: UUID) -> None:
    scored = next(one for one in post.at_home.records(whose) if one.name == "diary.pain_scored.v1")
    post.at_home.practice.do(
        diary_of(whose), StrikeEntry, entry=scored.version, reason_code="duplicate", request={"patient_id": whose})


def test_the_links_open_the_pages_they_name(letters: Post, server: MailServer) -> None:
    """Signed in, each line's rows and the whole week are there."""
    lived(letters)
    reader(letters)
    monday(letters)
    rounds(letters)
    html = server.taken[0].get_body(("html",)).get_content()  # type: ignore[union-attr]
    links = set(re.findall(r'href="https://clinic\.example([^"]+)"', html))
    rules = letters.at_home.app.url_map.bind("localhost")
    opened = {rules.match(link.partition("?")[0])[0] for link in links}
    assert opened == {"web_rows.show", "web_clinics.show", "web_digest.stop"}
    assert len(links) == len(LINES) + 2
    assert "<script" not in html
    assert "http://" not in html
    assert not re.search(r"<img|<link|url\(", html)


def test_no_patients_data_leaves(letters: Post, server: MailServer) -> None:
    whose = lived(letters)
    reader(letters)
    monday(letters)
    rounds(letters)
    said = server.taken[0].as_string()
    for secret in ("Doe", "Sam", "sam@example.test", str(whose)):
        assert secret not in said, secret


# --- who gets it -----------------------------------------------------------------------------------


def test_only_clinics_that_the_reader_may_see_today(letters: Post, server: MailServer) -> None:
    """Two clinics, a manager of one; another who lost the right; one whose account was disabled."""
    practice, other = letters.at_home.practice, uuid4()
    practice.open_clinic(other, "America/New_York", [uuid4()])
    lived(letters)
    reader(letters, "of one", "one@clinic.example", clinics=[practice.clinic_id])
    reader(letters, "of all", "all@clinic.example")
    lost = reader(letters, "lost", "lost@clinic.example")
    gone = reader(letters, "gone", "gone@clinic.example")
    reader(letters, "nurse", "nurse@clinic.example", role="nurse")
    parts = letters.at_home.app.extensions[EXTENSION]
    parts.identity.grants.set(lost.user_id, [])
    parts.keys.disable_user(gone.user_id)
    monday(letters)
    rounds(letters)
    by_address = {one["To"]: one.as_string() for one in server.taken}
    assert set(by_address) == {"one@clinic.example", "all@clinic.example"}
    assert str(other) not in by_address["one@clinic.example"]
    assert str(other) in by_address["all@clinic.example"].replace("=\n", "")


def test_unsubscribing_takes_one_click_and_a_scanner_does_not_do_it(post: Post, server: MailServer) -> None:
    """RFC 8058: the headers, a POST without a session; a GET only asks; another's token is none."""
    lived(post)
    mine = reader(post)
    monday(post)
    rounds(post)
    header = server.taken[0]["List-Unsubscribe"]
    assert server.taken[0]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = re.fullmatch(r"<https://clinic\.example(/digest/stop/\S+)>", header)[1]  # type: ignore[index]
    client = post.at_home.app.test_client()
    assert "Stop the weekly digest?" in client.get(path).text
    assert digests(post).readers.of(mine.user_id) is not None
    assert client.post(path[:-1] + ("A" if path[-1] != "A" else "B")).status_code == 404
    assert client.post("/digest/stop/" + post.at_home.home.tokens.of(mine.reader_id)).status_code == 404
    answer = client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, "no more" in answer.text) == (200, True)
    assert digests(post).readers.of(mine.user_id) is None
    monday(post, weeks=1)
    assert rounds(post) == 0


def test_who_unsubscribes_while_a_letter_waits_does_not_get_it(letters: Post, server: MailServer) -> None:
    lived(letters)
    mine = reader(letters)
    monday(letters)
    digests(letters).schedule(letters.at_home.now())
    digests(letters).readers.stop(mine.reader_id, letters.at_home.now())
    assert letters.deliver() == 0
    assert [one.status for one in letters.entries()] == ["dropped"]


def test_a_letter_waits_for_the_read_side(letters: Post, server: MailServer) -> None:
    """Figures of a read side that is behind the digest's position would not be the ones it names."""
    lived(letters)
    reader(letters)
    monday(letters)
    letters.at_home.patient()
    digests(letters).schedule(letters.at_home.now())
    assert letters.deliver() == 0
    (entry,) = letters.entries()
    assert (entry.status, entry.attempts) == ("queued", 0)
    assert letters.at_home.read_side.engine.catch_up()
    letters.hurry()
    assert letters.deliver() == 1
    assert len(server.taken) == 1


@pytest.mark.parametrize("address", ["", "nobody", "a@b\r\nBcc: c@d", "a b@c.example", "a@b.example, c@d.example"])
def test_what_is_no_address(letters: Post, address: str) -> None:
    with pytest.raises(NoAddress):
        digests(letters).readers.subscribe(user(letters, "x"), address, None, letters.at_home.now(), DENVER)


# --- by hand ---------------------------------------------------------------------------------------


def run(post: Post, *arguments: str) -> Any:
    """`anodyne ... --json` over the practice's home."""
    home = str(post.at_home.settings.home)
    runner = CliRunner(env={"ANODYNE_HOME": home, "ANODYNE_PUBLIC_URL": "https://clinic.example"})
    result = runner.invoke(cli, ["--json", *arguments])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_command_line_subscribes_shows_sends_and_tells_of_letters(letters: Post, server: MailServer) -> None:
    """`digest send` twice is one letter; `digest show` at a position prints what was sent."""
    lived(letters)
    user(letters, "mia")
    assert letters.at_home.read_side.engine.catch_up()
    run(letters, "digest", "subscribe", "mia", "mia@clinic.example")
    assert [one["email"] for one in run(letters, "digest", "readers")] == ["mia@clinic.example"]
    assert [len(run(letters, "digest", "send", "--week", "2026-W10")["queued"]) for _ in range(2)] == [1, 0]
    (told,) = run(letters, "reminders", "list", "--status", "queued")
    assert letters.deliver() == 1
    text = server.taken[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    command = re.search(r"^anodyne (digest show .+)$", text, re.MULTILINE)[1].split()  # type: ignore[index]
    shown = run(letters, *command)
    assert {one["figure"] for one in shown["lines"]} == {path for _, path in LINES}
    for one in shown["lines"]:
        assert one["command"] in text
        assert one["counted"] in _block(text, one["figure"])
    run(letters, "reminders", "resend", told["message_id"])
    assert letters.deliver() == 1
    assert server.taken[0]["Message-ID"] == server.taken[1]["Message-ID"]
    run(letters, "digest", "unsubscribe", "mia")
    assert run(letters, "digest", "readers") == []


def test_what_the_command_line_refuses(letters: Post) -> None:
    home = str(letters.at_home.settings.home)
    for arguments, code in (
        (["digest", "show", "--week", "2026-W99"], 2), (["digest", "show", "--as-of", "2026-11-23T15:00:00"], 2),
        (["digest", "subscribe", "nobody", "a@b.example"], 1),
        (["reminders", "resend", str(uuid4())], 1),
    ):
        result = CliRunner(env={"ANODYNE_HOME": home}).invoke(cli, ["--json", *arguments])
        assert result.exit_code == code, (arguments, result.output)


def test_the_worker_does_it_by_itself(letters: Post, server: MailServer) -> None:
    """A real worker process over the practice: Monday has come, the letter is in the folder of the embedded default."""
    lived(letters)
    reader(letters)
    monday(letters)
    letters.at_home.read_side.close()  # the worker leads the projections
    home = letters.at_home.settings.home
    worker = subprocess.Popen([sys.executable, "-m", "api.worker"], cwd=Path(__file__).parents[2],
                              env={**_environment(), "ANODYNE_HOME": str(home)})
    try:
        _wait_for(lambda: list((home / "mail").glob("*.eml")))
    finally:
        worker.terminate()
        worker.wait(60)
    (path,) = (home / "mail").glob("*.eml")
    assert b"2026-W" in path.read_bytes()
    assert server.taken == []


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ANODYNE_")}


def _wait_for(condition: Any) -> None:
    until = time.monotonic() + 90
    while not condition() and time.monotonic() < until:
        time.sleep(0.2)
    assert condition()

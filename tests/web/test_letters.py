"""Letters that reached nobody: told to whoever runs the clinic, and where none leaves the system, to who must know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, update

from api.http import examples as ex
from api.http.context import EXTENSION
from api.mail.boxes import Boxes
from api.mail.outbox import Message, Outbox
from api.mail.tables import OUTBOX
from api.web.wording import NBSP
from domain.kernel import Role
from tests.api.world import World


@pytest.fixture
def letters(lived: World) -> Iterator[World]:
    """An alert's letter that the server refused, one to somebody without an address, a dead digest; and good ones."""
    reads, clinic = lived.read_side.database.reads, UUID(lived.ids[ex.CLINIC])
    with reads.begin() as sql:
        sql.execute(delete(OUTBOX))  # what other tests of this world left
    Boxes(reads).tell(UUID(lived.ids[ex.PATIENT]), clinic, uuid4(), 1, (
        UUID(lived.ids[ex.NURSE]), UUID(lived.ids[ex.PRESCRIBER]), UUID(lived.ids[ex.SECOND_NURSE])), False)
    Outbox(reads).put(Message(message_id=uuid4(), kind="digest", recipient=uuid4(), about={"week": "2026-W10"}))
    for whose, status, trouble in (
        (lived.ids[ex.NURSE], "dead", "recipient refused: 550"), (lived.ids[ex.PRESCRIBER], "dropped", "no address"),
        (lived.ids[ex.SECOND_NURSE], "sent", None),
    ):
        with reads.begin() as sql:
            sql.execute(update(OUTBOX).where(OUTBOX.c.recipient == whose).values(status=status, trouble=trouble))
    with reads.begin() as sql:
        sql.execute(update(OUTBOX).where(OUTBOX.c.kind == "digest").values(status="dead", trouble="OSError"))
    yield lived
    with reads.begin() as sql:
        sql.execute(delete(OUTBOX))


@pytest.mark.parametrize(("role", "at", "count"), [("owner", "all", 3), ("manager", "A", 2), ("manager", "B", 0)])
def test_whoever_runs_the_clinic_sees_its_own(letters: World, role: Role, at: str, count: int) -> None:
    """Of their clinics, what is about none (the digest) only for who sees all; and the list of alerts leads there."""
    browser = letters.browser(role, at)
    page = browser.get("/alerts/letters").text
    assert page.count("could not be delivered") + page.count("no e-mail address on record") == count
    assert ("(recipient refused: 550)" in page) == (count > 0)
    assert ("No letter was given up." in page) == (count == 0)
    alerts = browser.get("/alerts").text.replace(NBSP, " ")
    assert 'href="/alerts/letters"' in alerts
    assert (f"{count} letters of the last 30 days reached nobody." in alerts) == (count > 0)


def test_who_does_not_run_it_is_not_led_there(letters: World) -> None:
    browser = letters.browser("nurse")
    assert "/alerts/letters" not in browser.get("/alerts").text
    assert browser.get("/alerts/letters").status_code == 403


@pytest.mark.parametrize(("goes", "alerts", "today"), [
    ("nowhere", "alarm", "alarm"), ("folder", "attention", ""), ("sent", "", ""),
])
def test_where_no_letter_leaves_those_who_answer_alerts_are_told(
    lived: World, monkeypatch: pytest.MonkeyPatch, goes: str, alerts: str, today: str
) -> None:
    """On the list of alerts and on Today; who answers none is not bothered."""
    monkeypatch.setattr("api.web.letters.delivery", lambda settings: goes)
    for path, tone in (("/alerts", alerts), ("/today", today)):
        page = lived.browser("nurse").get(path).text
        assert ("nobody is told of an alert" in page) == bool(tone), path
        assert (f'<p class="banner {tone}"><strong>' in page) or not tone
    assert "nobody is told of an alert" not in lived.browser("front_desk").get("/today").text
    assert "nobody is told of an alert" not in lived.browser("auditor").get("/alerts").text


def test_readiness_says_where_letters_go_and_is_not_hurt(lived: World) -> None:
    kept = lived.app.extensions[EXTENSION]
    lived.app.extensions[EXTENSION] = replace(kept, settings=replace(kept.settings, environment="production"))
    answer = lived.client.get("/healthz/ready")
    lived.app.extensions[EXTENSION] = kept
    assert (answer.status_code, answer.get_json()["mail"]) == (200, "nowhere")

"""Tokens: nothing in them tells anything, nobody makes one up, and each purpose has its own."""

from __future__ import annotations

import string
from datetime import timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from api.home.links import TOKEN_LENGTH, Answered, Tokens
from tests.from_home.conftest import AtHome

TOKENS = Tokens(b"a secret of 32 characters or more", "home")


@given(st.uuids())
def test_a_token_is_read_back_and_needs_no_escaping(link_id: UUID) -> None:
    token = TOKENS.of(link_id)
    assert len(token) == TOKEN_LENGTH
    assert set(token) <= set(string.ascii_letters + string.digits + "-_")
    assert TOKENS.read(token) == link_id


@given(st.uuids(), st.integers(0, TOKEN_LENGTH - 1), st.sampled_from(string.ascii_letters + string.digits + "-_"))
def test_a_token_changed_in_any_character_is_none(link_id: UUID, place: int, other: str) -> None:
    """The last one too, whose lowest bits base64 would let pass."""
    token = TOKENS.of(link_id)
    forged = token[:place] + other + token[place + 1:]
    assert TOKENS.read(forged) == (link_id if forged == token else None)


@given(st.text(max_size=60))
def test_what_is_no_token(text: str) -> None:
    assert TOKENS.read(text) is None


def test_another_purpose_or_secret_signs_differently() -> None:
    link_id = uuid4()
    for other in (Tokens(b"a secret of 32 characters or more", "digest"), Tokens(b"another secret", "home")):
        assert other.read(TOKENS.of(link_id)) is None


def test_links_are_kept_found_listed_and_stopped_once(at_home: AtHome) -> None:
    whose = at_home.patient()
    first, second = at_home.link(whose, "nrs"), at_home.link(whose, "phq9", "nrs")
    assert at_home.home.links.find(first.link_id) == first
    assert at_home.home.links.issue(first) == first, "a retry keeps the one that is there"
    assert second.asks == ("nrs", "phq9")
    assert {one.link_id for one in at_home.home.links.of_patient(whose)} == {first.link_id, second.link_id}
    assert at_home.home.links.of_patient(uuid4()) == []
    assert at_home.home.links.revoke(first.link_id, at_home.now())
    assert not at_home.home.links.revoke(first.link_id, at_home.now() + timedelta(hours=1))
    assert at_home.home.links.find(uuid4()) is None


def test_a_question_is_noted_changed_and_opened_again(at_home: AtHome) -> None:
    store, link = at_home.home.links, at_home.link(at_home.patient(), "nrs", "peg")
    store.note(link.link_id, Answered(asked="nrs", entry=3, at=at_home.now()))
    store.note(link.link_id, Answered(asked="nrs", entry=3, at=at_home.now(), changes=1))
    store.note(link.link_id, Answered(asked="peg", entry=None, at=at_home.now()))
    assert {code: (one.entry, one.changes) for code, one in store.answered(link.link_id).items()} == {
        "nrs": (3, 1), "peg": (None, 0)}
    for asked in ("nrs", "peg"):
        store.reopen(link.link_id, asked)
    assert set(store.answered(link.link_id)) == {"nrs"}, "what was answered stays so"

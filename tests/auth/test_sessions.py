"""When sessions end: unused, at the end of the day, signed out, everywhere, and in every process at once."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from api.auth.grants import Grant
from api.auth.keys import KeyRegistry
from api.auth.sessions import Limits, Sessions
from api.auth.tables import SESSIONS
from projections.engine.database import ViewsDatabase
from tests.auth.conftest import People
from tests.conftest import Database

HARBOR, MESA = UUID(int=1), UUID(int=2)


def start(people: People, user_id: str, stage: str = "full") -> str:
    return people.identity.sessions.start(user_id, "manager", method="password", stage=stage)  # type: ignore[arg-type]


def test_unused_it_ends_and_used_it_goes_on_until_the_day_is_over(people: People) -> None:
    """Half an hour of nothing ends it; asked every twenty minutes it lasts ten hours and no longer."""
    user_id = people.maria()
    idle, used = start(people, user_id), start(people, user_id)
    lasted = 0
    for _ in range(40):
        people.later(20 * 60)
        if people.identity.sessions.find(used) is None:
            break
        lasted += 20
    assert lasted == 10 * 60 - 20
    assert people.identity.sessions.find(idle) is None


def test_what_a_page_asks_by_itself_does_not_lengthen_it(people: People) -> None:
    token = start(people, people.maria())
    for _ in range(2):
        people.later(16 * 60)
        found = people.identity.sessions.find(token, touch=False)
    assert found is None


def test_only_the_hash_of_the_token_is_kept(people: People, views: ViewsDatabase) -> None:
    token = start(people, people.maria())
    with views.reads.connect() as connection:
        row = connection.execute(select(SESSIONS)).mappings().one()
    assert token not in str(dict(row)) and len(row["token_sha256"]) == 32
    assert people.identity.sessions.find(token[:-1]) is None
    assert people.identity.sessions.find("") is None
    assert people.identity.sessions.find("\udcff\x00") is None


def test_everywhere_is_everywhere(people: People, database: Database) -> None:
    """Given sessions opened and looked at by another process, one sign-out everywhere ends them all there too."""
    user_id = people.maria()
    tokens = [start(people, user_id) for _ in range(3)]
    elsewhere = Sessions(
        ViewsDatabase(database.views_url).reads, Limits(idle_s=1800, longest_s=36_000), now_us=lambda: people.now_us
    )
    assert all(elsewhere.find(token) for token in tokens)
    assert people.identity.sessions.end_all(user_id) == 3
    assert not any(elsewhere.find(token) for token in tokens)
    assert elsewhere.of(user_id) == []


def test_all_but_this_one(people: People) -> None:
    user_id = people.maria()
    tokens = [start(people, user_id) for _ in range(3)]
    mine = people.identity.sessions.find(tokens[1])
    assert mine is not None
    people.identity.sessions.end_all(user_id, but=mine.session_id)
    assert [people.identity.sessions.find(token) is not None for token in tokens] == [False, True, False]


def test_one_cannot_end_anothers(people: People) -> None:
    token = start(people, people.maria())
    session = people.identity.sessions.find(token)
    assert session is not None
    people.identity.sessions.end("somebody else", session.session_id)
    assert people.identity.sessions.find(token) is not None
    people.identity.sessions.end(session.user_id, session.session_id)
    assert people.identity.sessions.find(token) is None


def test_a_disabled_user_is_out_at_once(people: People, views: ViewsDatabase) -> None:
    user_id = people.maria()
    token = start(people, user_id)
    KeyRegistry(views.reads, prefix="local").disable_user(user_id)
    assert people.identity.sessions.find(token) is None


def test_a_session_acts_in_one_role_and_may_change_to_another_of_its_user(people: People) -> None:
    """Manager of one clinic and nurse of another: each entry has exactly one of the two, at its own clinics."""
    user_id = people.maria()
    people.identity.grants.set(user_id, [
        Grant(role="manager", clinics=frozenset({HARBOR})), Grant(role="nurse", clinics=frozenset({MESA})),
    ])  # fmt: skip
    token = start(people, user_id)
    session = people.identity.sessions.find(token)
    assert session is not None and session.principal.clinics == {HARBOR}
    assert people.identity.sessions.change_role(session, "nurse")
    changed = people.identity.sessions.find(token)
    assert changed is not None
    assert (changed.principal.role, changed.principal.clinics) == ("nurse", {MESA})
    assert not people.identity.sessions.change_role(session, "owner")
    assert not changed.principal.sees(HARBOR)


def test_a_role_that_is_taken_takes_its_sessions_with_it(people: People) -> None:
    user_id = people.maria()
    token = start(people, user_id)
    people.identity.grants.set(user_id, [Grant(role="nurse", clinics=frozenset({MESA}))])
    assert people.identity.sessions.find(token) is None
    assert [(event.change, event.role) for event in people.told[-2:]] == [
        ("role_taken", "manager"), ("role_given", "nurse")
    ]


def test_clinics_that_change_hold_from_the_next_request(people: People) -> None:
    user_id = people.maria()
    token = start(people, user_id)
    people.identity.grants.set(user_id, [Grant(role="manager", clinics=frozenset({MESA}))])
    session = people.identity.sessions.find(token)
    assert session is not None and session.principal.clinics == {MESA}


def test_an_unfinished_sign_in_does_not_last(people: People) -> None:
    token = start(people, people.maria(), "code")
    people.later(9 * 60)
    assert people.identity.sessions.find(token) is not None
    people.later(90)
    assert people.identity.sessions.find(token) is None

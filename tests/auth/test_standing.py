"""Of several browsers on their way into one account one goes on, and a change of how one signs in stops the others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest

from api.auth import passwords
from api.auth.sessions import Stage
from api.auth.standing import Overtaken
from tests.auth.conftest import PASSWORD, People

GIVEN = "given by an operator"
BROWSERS = 6


def half_way(people: People, user_id: str, stage: Stage) -> str:
    """A session that has come as far as `stage`; its id."""
    token = people.identity.sessions.start(user_id, "manager", method="password", stage=stage)
    session = people.identity.sessions.find(token)
    assert session is not None
    return session.session_id


def at_once(step: Callable[[str], object], sessions: list[str]) -> list[str]:
    """The step taken in all of these sessions at the same moment: those that got through."""

    def take(session_id: str) -> bool:
        try:
            step(session_id)
        except Overtaken:
            return False
        return True

    with ThreadPoolExecutor(len(sessions)) as pool:
        return [one for one, through in zip(sessions, pool.map(take, sessions), strict=True) if through]


def living(people: People, user_id: str, sessions: list[str]) -> list[str]:
    """Those of them that may still go on."""
    found = []
    for one in sessions:
        try:
            people.identity.sessions.start(user_id, "manager", method="password", after=one)
        except Overtaken:
            continue
        found.append(one)
    return found


def test_of_many_at_once_one_sets_the_password(people: People) -> None:
    """Given six browsers that were let in by an operator's password: one sets its own, the others are out."""
    user_id = people.maria()
    people.identity.accounts.set_password(user_id, GIVEN, must_change=True)
    sessions = [half_way(people, user_id, "password") for _ in range(BROWSERS)]
    own = {one: f"violet harbour {one}" for one in sessions}
    through = at_once(
        lambda one: people.identity.accounts.change_password(user_id, own[one], by=one, given=True), sessions
    )
    assert len(through) == 1
    assert people.identity.accounts.has_this_password(user_id, own[through[0]])
    assert living(people, user_id, sessions) == through
    assert [event.change for event in people.told].count("password_changed") == 2, "the operator's and the one's"


def test_of_many_at_once_one_sets_up_its_app(people: People) -> None:
    user_id, step = people.maria(), people.identity.second_step
    sessions = [half_way(people, user_id, "enrol") for _ in range(BROWSERS)]
    pending = {one: step.pending(user_id, "maria", step.sealed_new(user_id)) for one in sessions}
    now = people.now_us // 1_000_000

    def enrol(session_id: str) -> None:
        mine = pending[session_id]
        assert mine is not None
        assert step.confirm(user_id, mine, pyotp.TOTP(mine.secret).at(now), by=session_id, first=True)

    through = at_once(enrol, sessions)
    assert len(through) == 1
    people.later(60)
    kept = pending[through[0]]
    assert kept is not None
    assert step.check(user_id, pyotp.TOTP(kept.secret).at(people.now_us // 1_000_000)) == "totp"
    assert living(people, user_id, sessions) == through


def test_an_ended_session_changes_nothing(people: People) -> None:
    """Whoever signed out everywhere while another browser was about to change the account has stopped it."""
    user_id, step = people.maria(), people.identity.second_step
    session_id = half_way(people, user_id, "full")
    pending = step.pending(user_id, "maria", step.sealed_new(user_id))
    assert pending is not None
    code = pyotp.TOTP(pending.secret).at(people.now_us // 1_000_000)
    people.identity.sessions.end_all(user_id)
    for change in (
        lambda: people.identity.accounts.change_password(user_id, "another harbour kettle 7", by=session_id),
        lambda: step.confirm(user_id, pending, code, by=session_id),
        lambda: step.remove(user_id, by=session_id),
    ):
        with pytest.raises(Overtaken):
            change()
    account = people.identity.accounts.of(user_id)
    assert account is not None and account.totp_confirmed_at is None
    assert people.identity.accounts.has_this_password(user_id, PASSWORD)


def test_an_operator_s_change_ends_every_session(people: People) -> None:
    """With it, not after it: no unfinished sign-in sees the account in between."""
    user_id = people.maria()
    for change in (
        lambda: people.identity.accounts.set_password(user_id, GIVEN, must_change=True),
        lambda: people.identity.second_step.remove(user_id),
    ):
        sessions = [half_way(people, user_id, stage) for stage in ("full", "code", "enrol", "password")]
        change()
        assert living(people, user_id, sessions) == []


def test_a_password_that_was_changed_while_it_was_judged_opens_nothing(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashing takes its time. The owner changes the password in that time; what was judged is the old one."""
    user_id = people.maria()
    people.later(1)
    _while_judging(monkeypatch, lambda: people.identity.accounts.set_password(user_id, "another harbour kettle 7"))
    attempt = people.identity.accounts.attempt("maria manager", PASSWORD)
    assert attempt.passed and attempt.account is not None
    with pytest.raises(Overtaken):
        people.identity.sessions.start(user_id, "manager", method="password", proved=attempt.account.stamp)
    assert people.identity.sessions.of(user_id) == []


def test_nor_does_one_that_needs_a_code_since(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    user_id, step = people.maria(), people.identity.second_step
    pending = step.pending(user_id, "maria", step.sealed_new(user_id))
    assert pending is not None
    code = pyotp.TOTP(pending.secret).at(people.now_us // 1_000_000)
    _while_judging(monkeypatch, lambda: step.confirm(user_id, pending, code))
    attempt = people.identity.accounts.attempt("maria manager", PASSWORD)
    assert attempt.passed and attempt.account is not None and attempt.account.totp_confirmed_at is None
    with pytest.raises(Overtaken):
        people.identity.sessions.start(user_id, "manager", method="password", proved=attempt.account.stamp)


def test_hashing_anew_does_not_bring_an_old_password_back(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a hash of yesterday's parameters and a password that is changed while the old one is judged."""
    user_id = people.maria()
    monkeypatch.setattr(passwords, "outdated", lambda password_hash: True)
    new = "another harbour kettle 7"
    _while_judging(monkeypatch, lambda: people.identity.accounts.set_password(user_id, new))
    people.identity.accounts.attempt("maria manager", PASSWORD)
    assert people.identity.accounts.has_this_password(user_id, new)
    assert not people.identity.accounts.has_this_password(user_id, PASSWORD)


def test_a_code_of_an_app_that_is_replaced_while_it_is_judged_is_not_good(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next code counts as now too, and its step is later than the one that set the new app up."""
    user_id, step = people.maria(), people.identity.second_step
    old, new = (step.pending(user_id, "maria", step.sealed_new(user_id)) for _ in range(2))
    assert old is not None and new is not None
    assert step.confirm(user_id, old, pyotp.TOTP(old.secret).at(people.now_us // 1_000_000))
    people.later(60)
    now, judge = people.now_us // 1_000_000, step._step_of

    def replaced(secret: str, code: str) -> int | None:
        found = judge(secret, code)
        if secret == old.secret:
            assert step.confirm(user_id, new, pyotp.TOTP(new.secret).at(now))
        return found

    monkeypatch.setattr(step, "_step_of", replaced)
    assert step.check(user_id, pyotp.TOTP(old.secret).at(now + 30)) is None


def test_only_all_that_signing_in_asks_for_is_proof(people: People) -> None:
    """Password alone until there is an app; then its code as well, and the two are counted as one attempt."""
    user_id, step = people.maria(), people.identity.second_step
    assert people.identity.proves(user_id, PASSWORD, "")
    pending = step.pending(user_id, "maria", step.sealed_new(user_id))
    assert pending is not None
    app = pyotp.TOTP(pending.secret)
    codes = step.confirm(user_id, pending, app.at(people.now_us // 1_000_000))
    assert codes is not None
    people.later(60)
    assert not people.identity.proves(user_id, PASSWORD, "")
    assert not people.identity.proves(user_id, "violet harbour kettle 42", app.at(people.now_us // 1_000_000))
    assert people.identity.proves(user_id, PASSWORD, app.at(people.now_us // 1_000_000))
    assert [people.identity.proves(user_id, PASSWORD, "000000") for _ in range(5)] == [False] * 5
    assert not people.identity.proves(user_id, PASSWORD, codes[0]), "locked: the password did not set the count back"


def _while_judging(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    judge = passwords.matches

    def judged(password_hash: str | None, password: str) -> bool:
        monkeypatch.setattr(passwords, "matches", judge)
        right = judge(password_hash, password)
        happens()
        return right

    monkeypatch.setattr(passwords, "matches", judged)

"""Codes of an authenticator app: one step of skew, each once; recovery codes: each once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest
from sqlalchemy import select

from api.auth.tables import ACCOUNTS, RECOVERY_CODES
from projections.engine.database import ViewsDatabase
from tests.auth.conftest import People


@pytest.fixture
def enrolled(people: People) -> tuple[People, str, pyotp.TOTP, list[str]]:
    """Maria with an app; its codes; her recovery codes. A minute has passed since."""
    user_id = people.maria()
    step = people.identity.second_step
    pending = step.pending(user_id, "maria manager", step.sealed_new(user_id))
    assert pending is not None
    app = pyotp.TOTP(pending.secret)
    codes = step.confirm(user_id, pending, app.at(people.now_us // 1_000_000))
    assert codes is not None
    people.later(60)
    return people, user_id, app, codes


Enrolled = tuple[People, str, pyotp.TOTP, list[str]]


@pytest.mark.parametrize(("offset_s", "good"), [(0, True), (-30, True), (30, True), (-60, False), (60, False)])
def test_clocks_may_differ_by_one_step(enrolled: Enrolled, offset_s: int, good: bool) -> None:
    people, user_id, app, _ = enrolled
    code = app.at(people.now_us // 1_000_000 + offset_s)
    assert (people.identity.second_step.check(user_id, code) == "totp") == good


def test_a_code_is_good_once_and_closes_those_before_it(enrolled: Enrolled) -> None:
    """Whoever looks over a shoulder cannot use what was seen, nor the code before it."""
    people, user_id, app, _ = enrolled
    now = people.now_us // 1_000_000
    assert people.identity.second_step.check(user_id, app.at(now)) == "totp"
    assert people.identity.second_step.check(user_id, app.at(now)) is None
    assert people.identity.second_step.check(user_id, app.at(now - 30)) is None
    assert people.identity.second_step.check(user_id, app.at(now + 30)) == "totp"


def test_the_code_that_set_it_up_is_spent(people: People) -> None:
    user_id = people.maria()
    step = people.identity.second_step
    pending = step.pending(user_id, "maria", step.sealed_new(user_id))
    assert pending is not None
    code = pyotp.TOTP(pending.secret).at(people.now_us // 1_000_000)
    assert step.confirm(user_id, pending, code)
    assert step.check(user_id, code) is None


def test_of_many_at_once_one_spends_the_code(enrolled: Enrolled) -> None:
    people, user_id, app, _ = enrolled
    code = app.at(people.now_us // 1_000_000)
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda _: people.identity.second_step.check(user_id, code), range(12)))
    assert found.count("totp") == 1


def test_recovery_codes_are_good_once_each(enrolled: Enrolled) -> None:
    people, user_id, _, codes = enrolled
    step = people.identity.second_step
    assert len(set(codes)) == 10 and all(len(code.replace("-", "")) == 24 for code in codes)
    assert step.check(user_id, codes[0].lower().replace("-", " ")) == "recovery-code"
    assert step.check(user_id, codes[0]) is None
    assert step.recovery_codes_left(user_id) == 9
    assert step.check(user_id, "AAAA-BBBB-CCCC-DDDD-EEEE-FFFF") is None


def test_setting_up_again_makes_old_codes_worthless(enrolled: Enrolled) -> None:
    people, user_id, app, codes = enrolled
    step = people.identity.second_step
    pending = step.pending(user_id, "maria", step.sealed_new(user_id))
    assert pending is not None
    assert step.confirm(user_id, pending, pyotp.TOTP(pending.secret).at(people.now_us // 1_000_000))
    people.later(60)
    assert step.check(user_id, app.at(people.now_us // 1_000_000)) is None
    assert step.check(user_id, codes[1]) is None
    assert step.recovery_codes_left(user_id) == 10


def test_a_wrong_first_code_sets_up_nothing(people: People) -> None:
    user_id = people.maria()
    step = people.identity.second_step
    pending = step.pending(user_id, "maria", step.sealed_new(user_id))
    assert pending is not None
    right = pyotp.TOTP(pending.secret).at(people.now_us // 1_000_000)
    assert step.confirm(user_id, pending, f"{(int(right) + 1) % 1_000_000:06d}") is None
    account = people.identity.accounts.of(user_id)
    assert account is not None and account.totp_confirmed_at is None


def test_a_sealed_secret_opens_for_its_own_user_only(people: People) -> None:
    step, user_id = people.identity.second_step, people.maria()
    sealed = step.sealed_new(user_id)
    assert step.pending(user_id, "maria", sealed) is not None
    assert step.pending("another", "maria", sealed) is None
    assert step.pending(user_id, "maria", "nonsense") is None
    assert step.pending(user_id, "maria", sealed[:-8] + "AAAAAAAA") is None


def test_neither_secret_nor_codes_stand_readable(enrolled: Enrolled, views: ViewsDatabase) -> None:
    _, _, app, codes = enrolled
    with views.reads.connect() as connection:
        kept = str([dict(row) for row in connection.execute(select(ACCOUNTS)).mappings()])
        kept += str([dict(row) for row in connection.execute(select(RECOVERY_CODES)).mappings()])
    assert app.secret not in kept
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)


def test_without_an_app_no_code_is_good(people: People) -> None:
    user_id = people.maria()
    assert people.identity.second_step.check(user_id, "000000") is None
    assert people.identity.second_step.check("nobody", "000000") is None

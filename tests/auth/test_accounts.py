"""Wrong passwords are counted before they are judged; locks grow; nobody learns which names exist."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from api.auth import passwords
from api.auth.accounts import FOR_GOOD, Accounts, NameTaken
from api.auth.tables import ACCOUNTS
from projections.engine.database import ViewsDatabase
from tests.auth.conftest import PASSWORD, People
from tests.conftest import Database

WRONG = "violet harbour kettle 42"


def reasons(people: People, *tries: str) -> list[str]:
    return [people.identity.accounts.attempt("Maria Manager", one).reason for one in tries]


def test_names_are_told_apart_without_case_and_only_once(people: People) -> None:
    people.maria()
    assert people.identity.accounts.attempt("  MARIA   manager ", PASSWORD).passed
    with pytest.raises(NameTaken):
        people.identity.accounts.create("maria MANAGER", PASSWORD)
    assert len(people.identity.accounts.all()) == 1


def test_the_fifth_wrong_one_locks_and_locks_grow(people: People) -> None:
    """Given four wrong ones, the fifth locks for a minute; each further one twice as long, up to an hour."""
    people.maria()
    assert reasons(people, *[WRONG] * 5) == ["wrong-password"] * 5
    locks = []
    for _ in range(9):
        account = people.identity.accounts.named("maria manager")
        assert account is not None and account.locked_until is not None
        locks.append(round(account.locked_until.timestamp() - people.now_us / 1e6))
        assert reasons(people, PASSWORD) == ["locked"], "while locked even the right one is not judged"
        people.later(locks[-1] + 1)
        assert reasons(people, WRONG) == ["wrong-password"]
    assert locks == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_after_the_lock_the_right_one_opens_and_clears_the_count(people: People) -> None:
    user_id = people.maria()
    reasons(people, *[WRONG] * 5)
    people.later(61)
    assert reasons(people, PASSWORD) == ["ok"]
    people.identity.accounts.succeeded(user_id)
    assert reasons(people, *[WRONG] * 4, PASSWORD) == ["wrong-password"] * 4 + ["ok"]


def test_a_hundred_in_a_row_hold_until_an_operator_lets_in(people: People) -> None:
    """NIST SP 800-63B 3.2.2: no more than 100 consecutive failures."""
    user_id = people.maria()
    failures = 0
    while failures < FOR_GOOD:
        failures += people.identity.accounts.count(user_id)  # as an attempt does before it judges
        people.later(3601)
    people.later(365 * 24 * 3600)
    assert reasons(people, PASSWORD) == ["locked"]
    people.identity.accounts.set_password(user_id, "another harbour kettle 7")
    assert reasons(people, "another harbour kettle 7") == ["ok"]


def test_knowing_the_password_does_not_set_the_count_back(people: People) -> None:
    """A right password is taken back, not forgiven: codes guessed in between still add up to a lock."""
    user_id = people.maria()
    outcomes = []
    for _ in range(6):
        outcomes.append(people.identity.accounts.attempt("maria manager", PASSWORD).reason)
        people.identity.accounts.count(user_id)  # a wrong code
    assert outcomes == ["ok"] * 5 + ["locked"]


def test_guesses_at_the_same_moment_do_not_pass(people: People) -> None:
    """Of forty threads that guess at once no more than five are judged."""
    people.maria()
    with ThreadPoolExecutor(40) as pool:
        found = list(pool.map(lambda _: reasons(people, WRONG)[0], range(40)))
    assert found.count("wrong-password") == 5 and found.count("locked") == 35


def guess(url: str, results: multiprocessing.Queue[str]) -> None:
    accounts = Accounts(ViewsDatabase(url).reads, lambda event: None, demo_allowed=True)
    for _ in range(10):
        results.put(accounts.attempt("Maria Manager", WRONG).reason)


def test_nor_do_guesses_of_several_processes(people: People, database: Database) -> None:
    people.now_us = time.time_ns() // 1000
    people.maria()
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[str] = context.Queue()
    guessing = [context.Process(target=guess, args=(database.views_url, results)) for _ in range(4)]
    for process in guessing:
        process.start()
    found = [results.get(timeout=120) for _ in range(40)]
    for process in guessing:
        process.join(30)
    assert found.count("wrong-password") == 5 and found.count("locked") == 35


def test_an_unknown_name_costs_the_same(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow work is done once whatever is wrong: counted, and measured with room to spare."""
    people.maria()
    done = []
    matches = passwords.matches
    monkeypatch.setattr(passwords, "matches", lambda *given: (done.append(given[0]), matches(*given))[1])
    took: dict[str, list[float]] = {"maria manager": [], "nobody": []}
    for _ in range(4):
        for name, times in took.items():
            begun = time.perf_counter()
            people.identity.accounts.attempt(name, WRONG)
            times.append(time.perf_counter() - begun)
    assert len(done) == 8
    known, unknown = (statistics.median(times) for times in took.values())
    assert unknown > known / 4, "an unknown name is answered without the work"


def test_disabled_and_demo_accounts_are_refused(people: People, views: ViewsDatabase) -> None:
    """A demo account signs in to a demo only, not where production settings are in force."""
    people.identity.person("Demo manager", PASSWORD, "manager", clinics=None, demo=True)
    assert people.identity.accounts.attempt("demo manager", PASSWORD).passed
    production = Accounts(views.reads, lambda event: None, demo_allowed=False, now_us=lambda: people.now_us)
    assert production.attempt("demo manager", PASSWORD).reason == "demo-account"
    assert production.attempt("demo manager", WRONG).reason == "wrong-password"


def test_no_password_stands_readable(people: People, views: ViewsDatabase) -> None:
    people.maria()
    with views.reads.connect() as connection:
        row = connection.execute(select(ACCOUNTS)).mappings().one()
    assert PASSWORD not in str(dict(row)) and row["password_hash"].startswith("$argon2id$")


def test_every_change_is_announced(people: People) -> None:
    user_id = people.maria()
    people.identity.accounts.set_password(user_id, "another harbour kettle 7")
    assert [(event.change, event.principal) for event in people.told] == [
        ("account_created", user_id), ("role_given", user_id), ("password_changed", user_id)
    ]

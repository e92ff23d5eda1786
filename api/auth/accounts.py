"""Accounts of people who sign in here: name, password, and how often it was got wrong.

Every attempt is counted before it is judged, in one statement that also locks, so guesses made at the same moment do
not pass. The lock grows with each further failure; a hundred in a row hold until an operator lets the account in again
(NIST SP 800-63B). Password and second factor count together, and only a whole sign-in sets the count back: whoever
knows the password cannot use it to guess codes for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Engine, RowMapping, case, insert, select, update
from sqlalchemy.exc import IntegrityError

from api.auth import passwords
from api.auth.standing import Overtaken, Stamp, changing, stamp_of
from api.auth.tables import ACCOUNTS, USERS
from domain.oversight import PermissionChanged
from projections.engine.database import writing

__all__ = ["Account", "Accounts", "Attempt", "NameTaken", "folded"]

FREE_TRIES = 4
FIRST_LOCK_S = 60
LONGEST_LOCK_S = 3600
FOR_GOOD = 100
"""So many failures in a row lock until an operator resets."""
_FOR_EVER_US = 4_000_000_000_000_000


class NameTaken(Exception):
    """Somebody else signs in with this name."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """How one user signs in. `disabled` users cannot."""

    user_id: str
    actor_id: str
    user_name: str
    sign_in_name: str
    has_password: bool
    must_change: bool
    totp_confirmed_at: datetime | None
    locked_until: datetime | None
    demo: bool
    disabled: bool
    stamp: Stamp


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What an attempt came to. `reason` is for the access log, never for who tried."""

    account: Account | None
    reason: str
    """`ok`, `unknown-name`, `wrong-password`, `locked`, `disabled`, `demo-account`, `no-password`."""

    @property
    def passed(self) -> bool:
        """Whether it was right."""
        return self.reason == "ok"


class Accounts:
    """The accounts of one installation. `demo_allowed`: whether accounts of the demo may sign in."""

    def __init__(
        self,
        engine: Engine,
        announce: Callable[[PermissionChanged], None],
        *,
        demo_allowed: bool,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._engine = engine
        self._announce = announce
        self._demo_allowed = demo_allowed
        self._now_us = now_us

    # --- making and changing ---

    def create(
        self, user_name: str, password: str | None, *, sign_in_name: str | None = None, user_id: str | None = None,
        must_change: bool = False, demo: bool = False,
    ) -> Account:
        """An account for a new user (or for `user_id`). Raises `NameTaken`, `WeakPassword`.

        Without a password the user comes by the identity provider only.
        """
        name = folded(sign_in_name or user_name)
        if password is not None:
            passwords.check_strength(password, name, user_name)
        password_hash = None if password is None else passwords.hashed(password)
        now_us, made_id = self._now_us(), user_id or str(uuid4())
        try:
            with writing(self._engine) as connection:
                if user_id is None:
                    connection.execute(
                        insert(USERS).values(
                            user_id=made_id, user_name=user_name, pin_failures=0, pin_locked_until_us=0,
                            created_us=now_us,
                        )
                    )
                connection.execute(
                    insert(ACCOUNTS).values(
                        user_id=made_id, sign_in_name=name, password_hash=password_hash, password_changed_us=now_us,
                        must_change=must_change, totp_last_step=0, failures=0, locked_until_us=0, demo=demo,
                        created_us=now_us,
                    )
                )
        except IntegrityError as error:
            raise NameTaken(name) from error
        self._tell(made_id, "account_created")
        made = self.of(made_id)
        assert made is not None
        return made

    def of(self, user_id: str) -> Account | None:
        """The user's account."""
        row = self._row(ACCOUNTS.c.user_id == user_id)
        return None if row is None else self._account(row)

    def named(self, sign_in_name: str) -> Account | None:
        """The account that signs in with this name."""
        row = self._row(ACCOUNTS.c.sign_in_name == folded(sign_in_name))
        return None if row is None else self._account(row)

    def all(self) -> list[Account]:
        """Every account, by name."""
        with self._engine.connect() as connection:
            rows = connection.execute(_WITH_USER.order_by(ACCOUNTS.c.sign_in_name)).mappings().all()
        return [self._account(row) for row in rows]

    def set_password(self, user_id: str, password: str, *, must_change: bool = False) -> None:
        """By an operator (raises `WeakPassword`): all sessions end, and whoever was locked out may try again."""
        self._set_password(user_id, password, by=None, must_change=must_change, failures=0, locked_until_us=0)

    def change_password(self, user_id: str, password: str, *, by: str, given: bool = False) -> None:
        """By its owner, in session `by`; their other sessions end. Raises `WeakPassword`, `Overtaken`.

        With `given` only while the password is one that an operator gave.
        """
        self._set_password(user_id, password, by=by, given=given, must_change=False)

    def _set_password(
        self, user_id: str, password: str, *, by: str | None, given: bool = False, **values: object
    ) -> None:
        self.check_strength(user_id, password)
        password_hash, now_us = passwords.hashed(password), self._now_us()
        with changing(self._engine, user_id, now_us, by=by) as (connection, account):
            if given and not account["must_change"]:
                raise Overtaken(user_id)
            connection.execute(
                update(ACCOUNTS)
                .where(ACCOUNTS.c.user_id == user_id)
                .values(password_hash=password_hash, password_changed_us=now_us, **values)
            )
        self._tell(user_id, "password_changed")

    def check_strength(self, user_id: str, password: str) -> None:
        """Raises `WeakPassword` for one that this user may not choose."""
        account = self.of(user_id)
        assert account is not None
        passwords.check_strength(password, account.sign_in_name, account.user_name)

    def has_this_password(self, user_id: str, password: str) -> bool:
        """Whether it is the user's present password. Not counted: count before."""
        row = self._row(ACCOUNTS.c.user_id == user_id)
        return row is not None and passwords.matches(row["password_hash"], password)

    # --- signing in ---

    def attempt(self, sign_in_name: str, password: str) -> Attempt:
        """Judges a name and a password, in the same time whatever is wrong with them.

        A right password is taken back from the count but does not set it back: see `succeeded`.
        """
        row = self._row(ACCOUNTS.c.sign_in_name == folded(sign_in_name))
        free = row is not None and self.count(row["user_id"])
        right = passwords.matches(row["password_hash"] if row is not None and free else None, password)
        if row is None:
            return Attempt(account=None, reason="unknown-name")
        account = self._account(row)
        if not free:
            return Attempt(account=account, reason="locked")
        if not right:
            return Attempt(account=account, reason="wrong-password" if account.has_password else "no-password")
        if account.disabled:
            return Attempt(account=account, reason="disabled")
        if account.demo and not self._demo_allowed:
            return Attempt(account=account, reason="demo-account")
        self.take_back(account.user_id)
        if passwords.outdated(row["password_hash"]):
            self._hash_anew(row, password)
        return Attempt(account=account, reason="ok")

    def _hash_anew(self, judged: RowMapping, password: str) -> None:
        """By today's parameters, unless another password was set while this one was judged."""
        with writing(self._engine) as connection:
            connection.execute(
                update(ACCOUNTS)
                .where(ACCOUNTS.c.user_id == judged["user_id"], ACCOUNTS.c.password_hash == judged["password_hash"])
                .values(password_hash=passwords.hashed(password))
            )

    def count(self, user_id: str) -> bool:
        """Counts an attempt before it is judged; False when the account is locked. One statement: see the module."""
        now_us = self._now_us()
        with writing(self._engine) as connection:
            counted = connection.execute(
                update(ACCOUNTS)
                .where(ACCOUNTS.c.user_id == user_id, ACCOUNTS.c.locked_until_us <= now_us)
                .values(failures=ACCOUNTS.c.failures + 1, locked_until_us=_lock_of_the_next(now_us))
            )
        return counted.rowcount == 1

    def succeeded(self, user_id: str) -> None:
        """A whole sign-in: the count begins anew."""
        self._update(user_id, failures=0, locked_until_us=0)

    def take_back(self, user_id: str) -> None:
        """Takes the last attempt back: it was right, but more is to come."""
        with writing(self._engine) as connection:
            connection.execute(
                update(ACCOUNTS)
                .where(ACCOUNTS.c.user_id == user_id, ACCOUNTS.c.failures > 0)
                .values(failures=ACCOUNTS.c.failures - 1, locked_until_us=0)
            )

    # --- rows ---

    def _row(self, condition: object) -> RowMapping | None:
        with self._engine.connect() as connection:
            return connection.execute(_WITH_USER.where(condition)).mappings().one_or_none()  # type: ignore[arg-type]

    def _account(self, row: RowMapping) -> Account:
        locked_us, confirmed_us = row["locked_until_us"], row["totp_confirmed_us"]
        return Account(
            user_id=row["user_id"], actor_id=row["staff_id"] or row["user_id"], user_name=row["user_name"],
            sign_in_name=row["sign_in_name"],
            has_password=row["password_hash"] is not None, must_change=bool(row["must_change"]),
            totp_confirmed_at=None if confirmed_us is None else _moment(confirmed_us),
            locked_until=_moment(locked_us) if locked_us > self._now_us() else None, demo=bool(row["demo"]),
            disabled=row["disabled_us"] is not None, stamp=stamp_of(row),
        )

    def _update(self, user_id: str, **values: object) -> None:
        with writing(self._engine) as connection:
            connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.user_id == user_id).values(**values))

    def _tell(self, user_id: str, change: str) -> None:
        self._announce(PermissionChanged(occurred_at=datetime.now(UTC), principal=user_id, change=change))


_WITH_USER = select(ACCOUNTS, USERS.c.user_name, USERS.c.staff_id, USERS.c.disabled_us).join(USERS)


def _lock_of_the_next(now_us: int) -> object:
    """How long the account is locked once this attempt is counted: the statement's own sum, not a value read before."""
    counted = ACCOUNTS.c.failures + 1
    steps = [(counted >= FOR_GOOD, _FOR_EVER_US)]
    lock_s = LONGEST_LOCK_S
    for failures in range(FREE_TRIES + 7, FREE_TRIES, -1):
        lock_s = min(LONGEST_LOCK_S, FIRST_LOCK_S * 2 ** (failures - FREE_TRIES - 1))
        steps.append((counted >= failures, now_us + lock_s * 1_000_000))
    return case(*steps, else_=0)


def folded(name: str) -> str:
    """A sign-in name as it is kept: case does not matter."""
    return " ".join(passwords.normal(name).split()).casefold()[:120]


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1_000_000, UTC)

"""Of several browsers on their way into one account one goes on; a change of how one signs in stops the others.

What somebody proved is good for the account as it was then. Whoever changes its password or second step ends the
user's other sessions, finished or not, in the same transaction; and a session begins, or changes something, only
where nothing of the kind has happened since. The account's row is locked first, so that both are true at the commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, RowMapping, select, update

from api.auth.tables import ACCOUNTS, SESSIONS
from projections.engine.database import writing

__all__ = ["Overtaken", "Stamp", "changing", "end_sessions", "lock", "stamp_of"]

Stamp = tuple[int, bool, int | None]
"""What signing in rests on: when the password was set, whether it must be changed, since when there is an app."""


class Overtaken(Exception):
    """Meanwhile the account was changed or the session ended, from elsewhere: nothing was done."""

    def __init__(self, user_id: str) -> None:
        super().__init__(user_id)
        self.user_id = user_id


def stamp_of(account: RowMapping) -> Stamp:
    """The stamp of a row of `ACCOUNTS`."""
    return account["password_changed_us"], bool(account["must_change"]), account["totp_confirmed_us"]


def lock(connection: Connection, user_id: str) -> RowMapping | None:
    """The user's account as it is now, unchanged by others until the commit."""
    chosen = select(ACCOUNTS).where(ACCOUNTS.c.user_id == user_id).with_for_update()
    return connection.execute(chosen).mappings().one_or_none()


@contextmanager
def changing(engine: Engine, user_id: str, now_us: int, *, by: str | None) -> Iterator[tuple[Connection, RowMapping]]:
    """A transaction that changes how the user signs in, with the account locked in it; ends their other sessions.

    `by` is the session that asks for it (None: an operator does). Raises `Overtaken` where that has ended.
    """
    with writing(engine) as connection:
        account = lock(connection, user_id)
        if account is None or (by is not None and not _lives(connection, by)):
            raise Overtaken(user_id)
        yield connection, account
        end_sessions(connection, user_id, now_us, but=by)


def end_sessions(connection: Connection, user_id: str, now_us: int, *, but: str | None = None) -> int:
    """Ends every session of the user (but one); how many lived. Lock the account first: see the module."""
    lived = [SESSIONS.c.user_id == user_id, SESSIONS.c.ended_us.is_(None)]
    if but is not None:
        lived.append(SESSIONS.c.session_id != but)
    return connection.execute(update(SESSIONS).where(*lived).values(ended_us=now_us, id_token=None)).rowcount


def _lives(connection: Connection, session_id: str) -> bool:
    chosen = select(SESSIONS.c.session_id).where(SESSIONS.c.session_id == session_id, SESSIONS.c.ended_us.is_(None))
    return connection.execute(chosen).one_or_none() is not None

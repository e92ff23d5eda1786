"""The second person: authenticated in the act by their own PIN, on the same device.

A PIN is short, so it is hashed slowly (argon2id) and locked for a while after a few wrong tries.
"""

from __future__ import annotations

import time
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import Engine, select, update

from api.auth.tables import USERS
from projections.engine.database import writing

__all__ = ["PinMixin"]

MINIMUM_PIN_LENGTH = 4
TRIES = 5
LOCKED_SECONDS = 15 * 60

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class PinMixin:
    """PINs of users who are members of staff."""

    _engine: Engine

    def set_pin(self, user_id: str, pin: str) -> None:
        """Sets the user's PIN; ValueError unless it is at least four digits."""
        if len(pin) < MINIMUM_PIN_LENGTH or not (pin.isascii() and pin.isdigit()):
            raise ValueError(f"a PIN has at least {MINIMUM_PIN_LENGTH} digits")
        values = {"pin_hash": _hasher.hash(pin), "pin_failures": 0, "pin_locked_until_us": 0}
        with writing(self._engine) as connection:
            connection.execute(update(USERS).where(USERS.c.user_id == user_id).values(**values))

    def check_pin(self, staff_id: UUID, pin: str) -> bool:
        """Whether `pin` is that of the staff member's user. Five wrong ones lock it for a quarter of an hour."""
        now_us = time.time_ns() // 1000
        chosen = select(USERS.c.user_id, USERS.c.pin_hash, USERS.c.pin_locked_until_us).where(
            USERS.c.staff_id == str(staff_id), USERS.c.disabled_us.is_(None)
        )
        with self._engine.connect() as connection:
            row = connection.execute(chosen).one_or_none()
        if row is None or not row.pin_hash or row.pin_locked_until_us > now_us:
            return False
        one = USERS.c.user_id == row.user_id
        with writing(self._engine) as connection:  # counted before it is checked: parallel guesses do not pass
            counted = connection.execute(
                update(USERS).where(one, USERS.c.pin_failures < TRIES).values(pin_failures=USERS.c.pin_failures + 1)
            )
        right = counted.rowcount == 1 and _matches(row.pin_hash, pin)
        with writing(self._engine) as connection:
            if right:
                connection.execute(update(USERS).where(one).values(pin_failures=0))
            else:
                locked_until_us = now_us + LOCKED_SECONDS * 1_000_000
                connection.execute(
                    update(USERS)
                    .where(one, USERS.c.pin_failures >= TRIES)
                    .values(pin_failures=0, pin_locked_until_us=locked_until_us)
                )
        return right


def _matches(pin_hash: str, pin: str) -> bool:
    try:
        return _hasher.verify(pin_hash, pin)
    except (VerifyMismatchError, InvalidHashError):
        return False

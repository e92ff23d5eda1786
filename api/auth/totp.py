"""The second step: codes of an authenticator app (RFC 6238), and recovery codes for when it is lost.

The secret is wrapped by the installation's key-encryption key, so a copy of the database makes no codes. A code is
good for its half minute and the ones beside it (clocks differ) and only once: the step it belongs to is spent in one
statement. Recovery codes have 120 random bits, so a plain hash of each is kept; each is good once.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hmac import compare_digest

import pyotp
import segno
from sqlalchemy import Engine, delete, func, insert, select, update

from api.auth.standing import Overtaken, changing
from api.auth.tables import ACCOUNTS, RECOVERY_CODES
from domain.oversight import PermissionChanged
from projections.engine.database import writing
from services.log.key_encryption import KekError, KekProvider

__all__ = ["Pending", "SecondStep"]

STEP_S = 30
SKEW = (0, -1, 1)
"""Steps that count as now."""

ISSUER = "Anodyne"
RECOVERY_CODES_MADE = 10
_CODE_BYTES = 15


class Pending:
    """A secret that is being set up: shown as a picture and as text, kept by nobody until its first code is right."""

    def __init__(self, secret: str, sign_in_name: str) -> None:
        self.secret = secret
        self._name = sign_in_name

    @property
    def address(self) -> str:
        """The otpauth:// address behind the picture."""
        return pyotp.TOTP(self.secret).provisioning_uri(name=self._name, issuer_name=ISSUER)

    @property
    def spoken(self) -> str:
        """The secret in groups of four, for typing."""
        return " ".join(self.secret[i : i + 4] for i in range(0, len(self.secret), 4))

    def picture(self) -> str:
        """The QR code as an SVG document (black on white in any theme: cameras want it so)."""
        code = segno.make(self.address, error="m", micro=False)
        return str(code.svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True))


class SecondStep:
    """The second steps of one installation's accounts."""

    def __init__(
        self,
        engine: Engine,
        kek: Callable[[], KekProvider],
        announce: Callable[[PermissionChanged], None],
        *,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._kek = kek
        self._announce = announce
        self._now_s = now_s

    # --- setting up ---

    def sealed_new(self, user_id: str) -> str:
        """A new secret, wrapped, as text: the browser carries it (signed) until it is confirmed."""
        secret = pyotp.random_base32().encode()
        kek = self._kek()
        return f"{kek.kek_id} {base64.b64encode(kek.wrap(secret, _context(user_id))).decode()}"

    def pending(self, user_id: str, sign_in_name: str, sealed: str) -> Pending | None:
        """The secret that `sealed_new` wrapped for this user; None for another's or nonsense."""
        kek_id, _, blob = sealed.partition(" ")
        try:
            secret = self._kek().unwrap(base64.b64decode(blob), _context(user_id), kek_id)
        except (KekError, ValueError):
            return None
        return Pending(secret.decode(), sign_in_name)

    def fits(self, pending: Pending, code: str) -> bool:
        """Whether `code` is one of the secret's codes."""
        return self._step_of(pending.secret, code) is not None

    def confirm(
        self, user_id: str, pending: Pending, code: str, *, by: str | None = None, first: bool = False
    ) -> list[str] | None:
        """Keeps the secret when `code` is one of its codes: the recovery codes, shown only now. Else None.

        `by` is the user's session that asks; the others end. With `first` only where no app is set up. Raises
        `Overtaken`.
        """
        step = self._step_of(pending.secret, code)
        if step is None:
            return None
        kek, codes, now_us = self._kek(), [_new_code() for _ in range(RECOVERY_CODES_MADE)], self._now_us()
        with changing(self._engine, user_id, now_us, by=by) as (connection, account):
            if first and account["totp_confirmed_us"] is not None:
                raise Overtaken(user_id)
            connection.execute(
                update(ACCOUNTS).where(ACCOUNTS.c.user_id == user_id).values(
                    totp_sealed=kek.wrap(pending.secret.encode(), _context(user_id)), totp_kek=kek.kek_id,
                    totp_confirmed_us=now_us, totp_last_step=step,
                )
            )
            connection.execute(delete(RECOVERY_CODES).where(RECOVERY_CODES.c.user_id == user_id))
            connection.execute(
                insert(RECOVERY_CODES), [{"user_id": user_id, "code_sha256": _hash(code)} for code in codes]
            )
        self._tell(user_id, "second_step_set_up")
        return codes

    def remove(self, user_id: str, *, by: str | None = None) -> None:
        """Takes the second step away, with its recovery codes; sessions but `by` end. Raises `Overtaken`."""
        with changing(self._engine, user_id, self._now_us(), by=by) as (connection, _):
            connection.execute(
                update(ACCOUNTS).where(ACCOUNTS.c.user_id == user_id).values(
                    totp_sealed=None, totp_kek=None, totp_confirmed_us=None, totp_last_step=0
                )
            )
            connection.execute(delete(RECOVERY_CODES).where(RECOVERY_CODES.c.user_id == user_id))
        self._tell(user_id, "second_step_removed")

    # --- checking ---

    def check(self, user_id: str, given: str) -> str | None:
        """`totp` or `recovery-code` when it is a good one, which is spent by this; else None."""
        code = given.replace(" ", "").replace("-", "").upper()
        if len(code) == 6:
            return "totp" if self._spend_code(user_id, code) else None
        return "recovery-code" if self._spend_recovery_code(user_id, code) else None

    def recovery_codes_left(self, user_id: str) -> int:
        """How many recovery codes are unspent."""
        unspent = select(func.count()).where(
            RECOVERY_CODES.c.user_id == user_id, RECOVERY_CODES.c.used_us.is_(None)
        )
        with self._engine.connect() as connection:
            return int(connection.execute(unspent).scalar_one())

    def _spend_code(self, user_id: str, code: str) -> bool:
        chosen = select(ACCOUNTS.c.totp_sealed, ACCOUNTS.c.totp_kek, ACCOUNTS.c.totp_confirmed_us).where(
            ACCOUNTS.c.user_id == user_id, ACCOUNTS.c.totp_confirmed_us.is_not(None)
        )
        with self._engine.connect() as connection:
            row = connection.execute(chosen).one_or_none()
        if row is None:
            return False
        secret = self._kek().unwrap(bytes(row.totp_sealed), _context(user_id), row.totp_kek).decode()
        step = self._step_of(secret, code)
        if step is None:
            return False
        with writing(self._engine) as connection:
            spent = connection.execute(
                update(ACCOUNTS)
                .where(
                    ACCOUNTS.c.user_id == user_id, ACCOUNTS.c.totp_last_step < step,
                    ACCOUNTS.c.totp_confirmed_us == row.totp_confirmed_us,
                )
                .values(totp_last_step=step)
            )
        return spent.rowcount == 1

    def _spend_recovery_code(self, user_id: str, code: str) -> bool:
        with writing(self._engine) as connection:
            spent = connection.execute(
                update(RECOVERY_CODES)
                .where(
                    RECOVERY_CODES.c.user_id == user_id, RECOVERY_CODES.c.code_sha256 == _hash(code),
                    RECOVERY_CODES.c.used_us.is_(None),
                )
                .values(used_us=self._now_us())
            )
        return spent.rowcount == 1

    def _step_of(self, secret: str, code: str) -> int | None:
        """The step whose code it is, of those that count as now; all are compared, whichever fits."""
        now, totp = int(self._now_s()) // STEP_S, pyotp.TOTP(secret)
        found = None
        for offset in SKEW:
            if compare_digest(totp.generate_otp(now + offset).encode(), code.encode("utf-8", "replace")):
                found = now + offset
        return found

    def _now_us(self) -> int:
        return int(self._now_s() * 1e6)

    def _tell(self, user_id: str, change: str) -> None:
        self._announce(PermissionChanged(occurred_at=datetime.now(UTC), principal=user_id, change=change))


def _context(user_id: str) -> bytes:
    return b"anodyne/totp/1 " + user_id.encode()


def _new_code() -> str:
    code = base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode()
    return "-".join(code[i : i + 4] for i in range(0, len(code), 4))


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.replace("-", "").encode("utf-8", "replace")).digest()

"""Passwords: hashed with argon2id, judged as NIST SP 800-63B asks (length and a blocklist, no composition rules)."""

from __future__ import annotations

import unicodedata
from functools import cache
from itertools import pairwise
from pathlib import Path
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

__all__ = ["MINIMUM_LENGTH", "WeakPassword", "check_strength", "hashed", "matches", "outdated"]

MINIMUM_LENGTH = 12
_AROUND = "0123456789!?.,@#$%&*-_+= "
"""What is put around a common word to make it long enough."""

LONGEST = 256
"""Longer ones are refused before they cost anything."""

COMMON = Path(__file__).with_name("common_passwords.txt")

_hasher = PasswordHasher(time_cost=1, memory_cost=46 * 1024, parallelism=1)
"""OWASP's recommendation for argon2id on a server that also has other work: 46 MiB, one pass."""

_at_once = BoundedSemaphore(4)
"""So that many attempts at the same moment cannot take all memory."""


class WeakPassword(ValueError):
    """The password is refused; the text says why, for the person who chose it."""


def normal(password: str) -> str:
    """The same characters typed on another keyboard are the same password (NFKC, as NIST asks)."""
    return unicodedata.normalize("NFKC", password)


def hashed(password: str) -> str:
    """The argon2id hash, with its salt and parameters."""
    with _at_once:
        return _hasher.hash(normal(password))


def matches(password_hash: str | None, password: str) -> bool:
    """Whether it is the password; without a hash the same work is done and the answer is no."""
    given = normal(password[:LONGEST])
    with _at_once:
        try:
            _hasher.verify(password_hash or _nobodys(), given)
        except (VerifyMismatchError, InvalidHashError):
            return False
    return password_hash is not None


def outdated(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def check_strength(password: str, *names: str) -> None:
    """Raises `WeakPassword`. `names` are what it must not be made of: the user's, the product's."""
    given = normal(password)
    if len(given) < MINIMUM_LENGTH:
        raise WeakPassword(f"Choose at least {MINIMUM_LENGTH} characters: some words that only you put together.")
    if len(given) > LONGEST:
        raise WeakPassword(f"Choose at most {LONGEST} characters.")
    plain = given.casefold()
    if {plain, plain.strip(_AROUND)} & _common() or len(set(plain)) <= 3 or _is_run(plain):
        raise WeakPassword("This is one of the passwords that are guessed first. Choose another.")
    bare = "".join(character for character in plain if character.isalpha())
    for word in sorted(_words(*names), key=len, reverse=True):
        bare = bare.replace(word, "")
    if not bare and any(character.isalpha() for character in plain):
        raise WeakPassword("This is made of your name or ours. Choose another.")


def _words(*names: str) -> set[str]:
    words = {"anodyne", "password", "ketamine", "clinic", "infusion"}
    for name in names:
        for part in (name, *name.replace("@", " ").replace(".", " ").split()):
            word = "".join(character for character in part.casefold() if character.isalpha())
            if len(word) >= 3:
                words.add(word)
    return words


def _is_run(plain: str) -> bool:
    """Characters that follow one another (abcdefghijkl, 123456789012) or one short piece repeated."""
    steps = {ord(after) - ord(before) for before, after in pairwise(plain)}
    if steps <= {1, -9} or steps <= {-1, 9}:
        return True
    return any(plain == (plain[:size] * len(plain))[: len(plain)] for size in range(1, 5))


@cache
def _common() -> frozenset[str]:
    return frozenset(COMMON.read_text().split())


@cache
def _nobodys() -> str:
    """A hash that no password has, so that an unknown name takes as long as a known one."""
    return _hasher.hash("nobody's password, made when it is first needed")

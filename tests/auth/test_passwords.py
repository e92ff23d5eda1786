"""Which passwords are taken, and how they are kept."""

from __future__ import annotations

import pytest

from api.auth import passwords


@pytest.mark.parametrize("password", [
    "violet harbour kettle", "correct-harbour-battery-kettle", "пароль из нескольких слов", "aB3$xY9!qW2z",
    "nospacesbutlongandodd",
])  # fmt: skip
def test_long_ones_are_taken_whatever_they_are_made_of(password: str) -> None:
    """No rule of capitals, digits or signs: only length, and not what is guessed first."""
    passwords.check_strength(password, "maria", "Maria Manager")


@pytest.mark.parametrize("password", [
    "short", "elevenchars", "password1234", "Password1234!!", "PASSWORDpassword", "123456789012", "abcdefghijklm",
    "aaaaaaaaaaaaaaa", "abababababab", "qwertyuiop12", "1qaz2wsx3edc4rfv", "Welcome2026!", "correcthorsebatterystaple",
    "maria123456789", "MariaManager2026", "anodyne-anodyne-1", "ketamine2026!!!", "maria-ketamine-1",
    "Summer2026!!!", "x" * 257,
])  # fmt: skip
def test_short_common_and_own_names_are_refused(password: str) -> None:
    """NIST SP 800-63B: at least 12 characters, none of the commonest, no context words."""
    with pytest.raises(passwords.WeakPassword):
        passwords.check_strength(password, "maria", "Maria Manager")


def test_the_hash_is_argon2id_and_each_has_its_own_salt() -> None:
    first, second = passwords.hashed("violet harbour kettle"), passwords.hashed("violet harbour kettle")
    assert first.startswith("$argon2id$v=19$m=47104,t=1,p=1$") and first != second
    assert passwords.matches(first, "violet harbour kettle")
    assert not passwords.matches(first, "violet harbour kettlf")
    assert not passwords.outdated(first)


def test_the_same_characters_typed_otherwise_are_the_same_password() -> None:
    """A combining accent or a full-width letter is what another keyboard makes of the same key."""
    assert passwords.matches(passwords.hashed("caf\u00e9 au lait complet"), "cafe\u0301 au lait complet")


def test_without_a_hash_nothing_matches() -> None:
    assert not passwords.matches(None, "nobody's password, made when it is first needed")
    assert not passwords.matches("nonsense", "violet harbour kettle")

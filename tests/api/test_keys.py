"""API keys and PINs: what lets somebody in, and what no longer does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, select

from api.auth.keys import KeyRegistry, UnknownUser
from api.auth.tables import API_KEYS, METADATA
from domain.oversight import PermissionChanged


@pytest.fixture
def announced() -> list[PermissionChanged]:
    return []


@pytest.fixture
def engine() -> Engine:
    from sqlalchemy.pool import StaticPool

    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    METADATA.create_all(engine)
    return engine


@pytest.fixture
def registry(engine: Engine, announced: list[PermissionChanged]) -> KeyRegistry:
    return KeyRegistry(engine, prefix="local", announce=announced.append, cache_seconds=0)


def test_a_key_lets_its_user_in(registry: KeyRegistry) -> None:
    """Given a key for a nurse at one clinic, it authenticates as that."""
    clinic, staff_id = uuid4(), uuid4()
    user = registry.create_user("Robin", staff_id=staff_id)
    key = registry.create_key(user, "nurse", clinics=[clinic], scopes=["infusions:*"])
    assert key.text is not None and key.text.startswith("anodyne_local_")
    principal = registry.authenticate(key.text)
    assert principal is not None
    assert (principal.actor_id, principal.role, principal.clinics) == (str(staff_id), "nurse", frozenset({clinic}))
    assert principal.scopes == {"infusions:*"}
    assert principal.sees(clinic) and not principal.sees(uuid4()) and not principal.sees(None)


def test_the_secret_is_not_stored(registry: KeyRegistry, engine: Engine) -> None:
    """A copy of the database opens nothing: it holds a hash of the secret."""
    key = registry.create_key(registry.create_user("Robin"), "nurse", clinics=None)
    assert key.text is not None
    secret = key.text.rpartition("_")[2]
    with engine.connect() as connection:
        assert secret not in str(connection.execute(select(API_KEYS)).all())


@pytest.mark.parametrize("spoil", [
    lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
    lambda text: text.replace("_local_", "_live_"),
    lambda text: text.rpartition("_")[0],
    lambda text: text + "x",
    lambda text: "",
    lambda text: "anodyne_local_" + "é" * 16 + "_x",
    lambda text: "anodyne_local_ffffffffffffffff_" + "0" * 48,
])  # fmt: skip
def test_a_wrong_key_does_not(registry: KeyRegistry, spoil) -> None:  # type: ignore[no-untyped-def]
    """Another secret, another environment, no secret, too long, nothing, not ASCII, an unknown id."""
    key = registry.create_key(registry.create_user("Robin"), "nurse", clinics=None)
    assert key.text is not None
    assert registry.authenticate(spoil(key.text)) is None


def test_an_expired_key_does_not(registry: KeyRegistry) -> None:
    """A key ends when it said it would."""
    user = registry.create_user("Robin")
    over = registry.create_key(user, "nurse", clinics=None, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    lasting = registry.create_key(user, "nurse", clinics=None, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert registry.authenticate(over.text or "") is None
    assert registry.authenticate(lasting.text or "") is not None


def test_a_revoked_key_does_not(registry: KeyRegistry, engine: Engine) -> None:
    """Revoked in one process it is refused in another as soon as its cache time is over."""
    key = registry.create_key(registry.create_user("Robin"), "nurse", clinics=None)
    other = KeyRegistry(engine, prefix="local", cache_seconds=0)
    assert other.authenticate(key.text or "") is not None
    assert registry.revoke_key(key.key_id) and not registry.revoke_key(key.key_id)
    assert other.authenticate(key.text or "") is None
    listed = registry.keys()
    assert [kept.revoked_at is not None for kept in listed] == [True]


def test_a_disabled_user_has_no_key(registry: KeyRegistry) -> None:
    """Disabling somebody stops all their keys and refuses new ones."""
    user = registry.create_user("Robin")
    key = registry.create_key(user, "nurse", clinics=None)
    registry.disable_user(user)
    assert registry.authenticate(key.text or "") is None
    with pytest.raises(UnknownUser):
        registry.create_key(user, "nurse", clinics=None)


def test_every_change_is_announced(registry: KeyRegistry, announced: list[PermissionChanged]) -> None:
    """Making and revoking a key become events of the log, without the secret."""
    clinic = uuid4()
    key = registry.create_key(registry.create_user("Robin"), "nurse", clinics=[clinic])
    registry.revoke_key(key.key_id)
    assert [(event.change, event.principal) for event in announced] == [
        ("key_created", f"key:{key.key_id}"), ("key_revoked", f"key:{key.key_id}"),
    ]  # fmt: skip
    assert announced[0].clinics == (clinic,)


@pytest.mark.parametrize("role", ["patient", "system", "root"])
def test_no_key_for(registry: KeyRegistry, role: str) -> None:
    """Roles that no machine or member of staff holds."""
    with pytest.raises(ValueError, match="role"):
        registry.create_key(registry.create_user("Robin"), role, clinics=None)  # type: ignore[arg-type]


def test_a_pin_is_checked(registry: KeyRegistry) -> None:
    """The second person's PIN, theirs only; short ones and letters are refused."""
    staff_id = uuid4()
    user = registry.create_user("Robin", staff_id=staff_id)
    assert not registry.check_pin(staff_id, "135790")
    registry.set_pin(user, "135790")
    assert registry.check_pin(staff_id, "135790")
    assert not registry.check_pin(uuid4(), "135790")
    for bad in ("123", "12ab", "١٢٣٤"):
        with pytest.raises(ValueError, match="PIN"):
            registry.set_pin(user, bad)


def test_guessing_a_pin_locks_it(registry: KeyRegistry) -> None:
    """After five wrong tries even the right PIN is refused for a while."""
    staff_id = uuid4()
    registry.set_pin(registry.create_user("Robin", staff_id=staff_id), "135790")
    for _ in range(5):
        assert not registry.check_pin(staff_id, "000000")
    assert not registry.check_pin(staff_id, "135790")

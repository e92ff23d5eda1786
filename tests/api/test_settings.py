"""The environment is read once; production refuses weak secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.settings import EXAMPLE_SECRET, InsecureSettings, Settings
from domain.vocabulary.people import STAFF_ROLES

STRONG = "a-secret-of-more-than-thirty-two-characters"
PRODUCTION = {
    "ANODYNE_ENVIRONMENT": "production",
    "ANODYNE_SECRET": STRONG,
    "ANODYNE_DATABASE_URL": "postgresql://app@db/anodyne",
}


def _from(monkeypatch: pytest.MonkeyPatch, **changed: str) -> Settings:
    for name, value in {**PRODUCTION, **changed}.items():
        monkeypatch.setenv(name, value)
    return Settings.from_environment()


def test_production_starts_with_strong_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a long secret and a database, production settings load."""
    assert _from(monkeypatch).environment == "production"


@pytest.mark.parametrize("weak", ["", EXAMPLE_SECRET, "short"])
def test_production_refuses_a_weak_secret(monkeypatch: pytest.MonkeyPatch, weak: str) -> None:
    """A secret that is missing, short or the example's is refused."""
    with pytest.raises(InsecureSettings, match="ANODYNE_SECRET"):
        _from(monkeypatch, ANODYNE_SECRET=weak)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANODYNE_DATABASE_URL", ""),
        ("ANODYNE_ALLOW_SIMULATION", "true"),
        ("ANODYNE_KEY_PROVIDER", "environment"),
        ("ANODYNE_KEY_PROVIDER", "nonsense"),
        ("ANODYNE_KEY_ENCRYPTION_KEY", "short"),
        ("ANODYNE_ENVIRONMENT", "staging"),
    ],
)
def test_production_refuses(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """No database, a simulation log, a missing or short key-encryption key, an unknown environment."""
    with pytest.raises(InsecureSettings):
        _from(monkeypatch, **{name: value})


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """A settings object that lands in a log tells no secret."""
    assert STRONG not in repr(_from(monkeypatch))
    assert "app@db" not in repr(_from(monkeypatch))


def test_embedded_makes_its_own_secret(tmp_path: Path) -> None:
    """Embedded without ANODYNE_SECRET: one random secret per home, readable by its owner only, and it stays."""
    first = Settings(home=tmp_path / "a").secret()
    assert len(first) >= 32
    assert Settings(home=tmp_path / "a").secret() == first
    assert Settings(home=tmp_path / "b").secret() != first
    assert (tmp_path / "a" / "secret").stat().st_mode & 0o077 == 0
    assert Settings(home=tmp_path / "a", given_secret=EXAMPLE_SECRET).secret() == first


def test_the_example_file_names_every_setting() -> None:
    """`.env.example` and the loader agree."""
    root = Path(__file__).parents[2]
    example = (root / ".env.example").read_text().splitlines()
    named = {line.partition("=")[0] for line in example if line.startswith("ANODYNE_")}
    source = (root / "api" / "settings.py").read_text()
    import re

    read = {f"ANODYNE_{name}" for name in re.findall(r'env\.\w+\("([A-Z_]+)"', source)}
    assert named == read


OIDC = {
    "ANODYNE_OIDC_ISSUER": "https://id.clinic.example", "ANODYNE_OIDC_CLIENT_ID": "anodyne",
    "ANODYNE_OIDC_CLIENT_SECRET": "secret-of-the-client", "ANODYNE_PUBLIC_URL": "https://anodyne.clinic.example/",
    "ANODYNE_OIDC_ROLES": '{"managers": {"role": "manager", "clinics": "all"}}',
}  # fmt: skip


def test_in_production_every_role_needs_a_second_step_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Embedded none does; a setting names roles, or all, or none."""
    assert _from(monkeypatch).second_step_roles == frozenset(STAFF_ROLES)
    assert _from(monkeypatch, ANODYNE_SECOND_STEP_ROLES="owner, manager").second_step_roles == {"owner", "manager"}
    assert _from(monkeypatch, ANODYNE_SECOND_STEP_ROLES="none").second_step_roles == frozenset()
    monkeypatch.delenv("ANODYNE_SECOND_STEP_ROLES")
    monkeypatch.setenv("ANODYNE_ENVIRONMENT", "embedded")
    assert Settings.from_environment().second_step_roles == frozenset()


def test_an_identity_provider_is_taken_with_all_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _from(monkeypatch, **OIDC, ANODYNE_LOCAL_SIGN_IN="false")
    assert (settings.oidc_issuer, settings.public_url) == (
        "https://id.clinic.example", "https://anodyne.clinic.example"
    )
    assert "secret-of-the-client" not in repr(settings)


def test_an_issuer_is_kept_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slash at the end of Auth0's and authentik's is part of the name that tokens carry."""
    given = {**OIDC, "ANODYNE_OIDC_ISSUER": "https://clinic.eu.auth0.example/"}
    assert _from(monkeypatch, **given).oidc_issuer == "https://clinic.eu.auth0.example/"


@pytest.mark.parametrize(("name", "value"), [
    ("ANODYNE_OIDC_ISSUER", "http://id.clinic.example"), ("ANODYNE_OIDC_ISSUER", "id.clinic.example"),
    ("ANODYNE_OIDC_ISSUER", "http://127.0.0.1:9400"), ("ANODYNE_OIDC_CLIENT_ID", ""),
    ("ANODYNE_OIDC_CLIENT_SECRET", ""), ("ANODYNE_PUBLIC_URL", ""), ("ANODYNE_PUBLIC_URL", "http://clinic.example"),
    ("ANODYNE_OIDC_SCOPES", "profile email"), ("ANODYNE_OIDC_USER_CLAIM", "name"),
    ("ANODYNE_OIDC_ROLES", '{"managers": "manager"}'), ("ANODYNE_SECOND_STEP_ROLES", "boss"),
    ("ANODYNE_SESSION_IDLE_MINUTES", "1"), ("ANODYNE_SESSION_HOURS", "0"),
])  # fmt: skip
def test_settings_of_signing_in_that_cannot_work_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A plain http:// provider or address, a secret that is missing, a mapping that cannot be read."""
    with pytest.raises(InsecureSettings, match=name):
        _from(monkeypatch, **{**OIDC, name: value})


def test_without_local_sign_in_and_without_a_provider_nobody_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InsecureSettings, match="nobody gets in"):
        _from(monkeypatch, ANODYNE_LOCAL_SIGN_IN="false")

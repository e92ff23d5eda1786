"""The environment is read once; production refuses weak secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.settings import EXAMPLE_SECRET, InsecureSettings, Settings

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

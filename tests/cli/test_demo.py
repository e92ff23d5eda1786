"""`anodyne demo load`: all of it or nothing, once, with a key that works."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.bootstrap import build_read_side, build_services, identity, key_registry
from api.cli.main import cli
from api.settings import Settings

NAMES = ("owner", "manager", "auditor", "biller", "nurse", "prescriber", "front desk")

Run = Callable[..., Result]
SMALL = ("demo", "load", "--scale", "0.25")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    def run(*args: str, **environment: str) -> Result:
        return CliRunner().invoke(cli, list(args), env={"ANODYNE_HOME": str(home), **environment})

    return run


def test_the_demo_is_loaded_once_with_a_key_that_works_and_a_log_that_holds(run: Run, home: Path) -> None:
    loaded = run(*SMALL, "--json")
    assert loaded.exit_code == 0, loaded.output
    told = json.loads(loaded.stdout)
    assert len(told["clinics"]) == 3
    assert all("fictional" in clinic["name"] for clinic in told["clinics"])
    assert (home / "demo-key.txt").read_text().strip() == told["api_key"]
    assert sorted(path.name for path in home.glob("*.sqlite3*")) == ["keys.sqlite3", "log.sqlite3", "views.sqlite3"]
    services = build_services(Settings(home=home))
    reads = build_read_side(services.settings, services)
    principal = key_registry(services.settings, services, reads).authenticate(told["api_key"])
    accounts = identity(services.settings, services, reads).accounts
    attempts = {name: accounts.attempt(name, told["password"]).reason for name in NAMES}
    reads.close()
    services.close()
    assert principal is not None
    assert (principal.role, principal.clinics) == ("owner", None)
    assert set(attempts.values()) == {"ok"}, attempts
    assert run("audit", "verify").exit_code == 0
    before = json.loads(run("demo", "load", "--if-empty", "--json").stdout)
    assert before == {"loaded": False, "api_key": told["api_key"], "password": told["password"]}
    assert "not empty" in run(*SMALL).stderr
    _importing_again_recognises_everybody(run, told["clinics"][0]["clinic_id"])


def _importing_again_recognises_everybody(run: Run, clinic: str) -> None:
    report = json.loads(run("import", "fhir", "data/fhir", "--clinic", clinic, "--json").stdout)
    assert report["patients"] == 0
    assert report["already"]["Patient.registered"] == 136


def test_one_that_is_interrupted_leaves_nothing_behind(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(settings: Settings, **_: Any) -> None:
        settings.home.mkdir(parents=True, exist_ok=True)
        sqlite3.connect(settings.home / "log.sqlite3").close()
        raise KeyboardInterrupt

    monkeypatch.setattr("api.demo.load.load", interrupted)
    assert run(*SMALL).exit_code == 1
    assert not home.exists()


def test_production_never_loads_a_demo(run: Run) -> None:
    production = {
        "ANODYNE_ENVIRONMENT": "production", "ANODYNE_SECRET": "5ec7e7" * 11,
        "ANODYNE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    }
    refused = run(*SMALL, **production)
    assert refused.exit_code == 1
    assert "simulation" in refused.stderr

"""The deployment files: valid by the Compose schema, and every command, setting and health check of them really run.

No container is started here (a test machine need not have Docker): the same scripts, commands, environments and
checks run as processes against a PostgreSQL of their own.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest
import yaml
from click.testing import CliRunner

from api.cli.main import cli
from api.settings import Settings
from tests.support.postgres import Cluster

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = ("migrate", "api", "worker")
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")
FILLED_IN = {
    "POSTGRES_ADMIN_PASSWORD": "admin-password", "ANODYNE_MIGRATOR_PASSWORD": "migrator-password",
    "ANODYNE_APP_PASSWORD": "app-password", "ANODYNE_KEYS_PASSWORD": "keys-password",
    "ANODYNE_SECRET": "5ec7e7" * 11, "ANODYNE_KEY_ENCRYPTION_KEY": "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=",
}


def interpolated(value: Any) -> Any:
    """As compose does it: ${NAME}, ${NAME:-default}, ${NAME:?error}."""
    if isinstance(value, dict):
        return {key: interpolated(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [interpolated(inner) for inner in value]
    if not isinstance(value, str):
        return value
    return VARIABLE.sub(lambda found: FILLED_IN.get(found["name"]) or _default(found), value)


def _default(found: re.Match[str]) -> str:
    assert found["kind"] == "-", f"{found['name']} is not filled in"
    return str(found["rest"])


# --- by reading ----------------------------------------------------------------------------------


def test_the_file_is_valid_by_the_compose_specification() -> None:
    schema = json.loads((ROOT / "tests/ops/vendored/compose-spec.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(COMPOSE)
    broken = {**COMPOSE, "services": {**COMPOSE["services"], "api": {"imagee": "x"}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(broken)


def test_every_secret_that_compose_asks_for_is_in_the_example_and_has_no_default() -> None:
    asked = {found["name"]: found["kind"] for found in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text())}
    example = dict(
        line.split("=", 1) for line in (ROOT / "deploy/compose.env.example").read_text().splitlines()
        if "=" in line and not line.startswith("#"))
    assert set(asked) == set(example)
    assert {name for name, kind in asked.items() if kind == "?"} == set(FILLED_IN)
    assert all(example[name] == "" for name in FILLED_IN)


@pytest.mark.parametrize("service", OURS)
def test_every_setting_is_one_the_program_reads_and_production_would_start(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = interpolated(COMPOSE["services"][service]["environment"])
    example = (ROOT / ".env.example").read_text()
    for name in environment:
        assert f"{name}=" in example, f"{name} is no setting of ours"
        monkeypatch.setenv(name, environment[name])
    settings = Settings.from_environment()
    assert settings.environment == "production"
    assert settings.is_postgresql
    assert not settings.allow_simulation
    only_migrate = settings.migration_url is not None
    assert only_migrate == (service == "migrate"), "only the migration job may change the schema"


@pytest.mark.parametrize("service", OURS)
def test_every_command_is_one_of_ours(service: str) -> None:
    result = CliRunner().invoke(cli, [*COMPOSE["services"][service]["command"], "--help"])
    assert result.exit_code == 0, result.output


def test_everything_waits_for_what_it_needs_and_everything_lasting_is_checked() -> None:
    services = COMPOSE["services"]
    assert {name: on["condition"] for name, on in services["migrate"]["depends_on"].items()} == {
        "db": "service_healthy", "keys": "service_healthy"}
    for service in ("api", "worker"):
        assert services[service]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert [name for name in services if "healthcheck" not in services[name]] == ["migrate"]


def test_keys_and_log_are_kept_apart() -> None:
    services = COMPOSE["services"]
    assert set(services["db"]["volumes"][0].split(":")) & set(services["keys"]["volumes"][0].split(":")) == {
        "/var/lib/postgresql/data"}
    assert set(services["db"]["networks"]).isdisjoint(services["keys"]["networks"])
    assert all(COMPOSE["networks"][name]["internal"] for name in ("log", "keys"))


def test_the_image_copies_only_what_is_there_and_installs_only_what_is_hashed() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied: set[str] = set()
    for line in dockerfile.splitlines():
        if line.startswith("COPY") and "--from" not in line:
            copied |= set(line.split()[1:-1])
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)
    for line in re.findall(r"pip install[^\n]*", dockerfile):
        assert "--require-hashes" in line or "--no-index" in line, line
    assert re.search(r"^USER anodyne$", dockerfile, re.MULTILINE)
    assert 'ENTRYPOINT ["anodyne"]' in dockerfile


# --- by running ----------------------------------------------------------------------------------


@dataclass
class Deployment:
    """The compose file's services as processes on this machine."""

    cluster: Cluster
    home: Path
    port: int
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def environment(self, service: str) -> dict[str, str]:
        wanted = interpolated(COMPOSE["services"][service]["environment"])
        here = {name: re.sub(r"@(db|keys):5432/", f"@127.0.0.1:{self.cluster.port}/", value)
                for name, value in wanted.items()}
        home = self.home / service
        home.mkdir(exist_ok=True)
        return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **here, "ANODYNE_HOME": str(home)}

    def command(self, service: str) -> list[str]:
        return ["anodyne", *(self._here(word) for word in COMPOSE["services"][service]["command"])]

    def _here(self, word: str) -> str:
        return word.replace("0.0.0.0", "127.0.0.1").replace("8000", str(self.port))

    def start(self, service: str) -> subprocess.Popen[bytes]:
        log = (self.home / f"{service}.log").open("wb")
        process = subprocess.Popen(
            self.command(service), env=self.environment(service), cwd=ROOT, stdout=log, stderr=log)
        self.running.append(process)
        return process

    def run(self, service: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(service), env=self.environment(service), cwd=ROOT, capture_output=True, text=True, timeout=60)

    def anodyne(self, service: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = ["anodyne", *arguments]
        return subprocess.run(
            words, env=self.environment(service), cwd=ROOT, capture_output=True, text=True, timeout=60)

    def healthy(self, service: str) -> bool:
        """Runs the service's own check."""
        kind, *words = COMPOSE["services"][service]["healthcheck"]["test"]
        if kind == "CMD-SHELL":
            words = ["sh", "-c", words[0]]
            environment = {"PATH": f"{self.cluster.binaries}:{os.environ['PATH']}", "PGHOST": "127.0.0.1",
                           "PGPORT": str(self.cluster.port)}
        else:
            environment = self.environment(service)
        done = subprocess.run(
            [self._here(word) for word in words], env=environment, cwd=ROOT, capture_output=True, timeout=30)
        return done.returncode == 0

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(40)


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    cluster = Cluster.create()
    try:
        _as_the_containers_would(cluster)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        made = Deployment(cluster, tmp_path, port)
        yield made
        made.stop()
    finally:
        cluster.remove()


def _as_the_containers_would(cluster: Cluster) -> None:
    """What the postgres image does with POSTGRES_* and the script in /docker-entrypoint-initdb.d."""
    db, keys = (interpolated(COMPOSE["services"][name]["environment"]) for name in ("db", "keys"))
    cluster.create_database(db["POSTGRES_DB"])
    environment = {"PATH": f"{cluster.binaries}:{os.environ['PATH']}", "PGHOST": "127.0.0.1",
                   "PGPORT": str(cluster.port), **db}
    subprocess.run(["sh", str(ROOT / "deploy/postgres-roles.sh")], env=environment, check=True, capture_output=True)
    cluster.execute(f"CREATE ROLE {keys['POSTGRES_USER']} LOGIN PASSWORD '{keys['POSTGRES_PASSWORD']}'")
    cluster.execute(f"CREATE DATABASE {keys['POSTGRES_DB']} OWNER {keys['POSTGRES_USER']}")
    (cluster.data / "pg_hba.conf").write_text(
        "local all postgres trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    cluster.execute("SELECT pg_reload_conf()")


def eventually(what: Callable[[], bool], seconds: float = 40) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.2)
    return False


def test_the_deployment_comes_up_serves_and_drains(deployment: Deployment) -> None:
    """Databases healthy, migration twice, API and worker healthy, a key works, SIGTERM ends all with 0."""
    assert eventually(lambda: deployment.healthy("db"))
    assert eventually(lambda: deployment.healthy("keys"))
    assert not deployment.healthy("api"), "the check must be able to fail"
    for _ in range(2):
        migrated = deployment.run("migrate")
        assert migrated.returncode == 0, migrated.stderr
    api, worker = deployment.start("api"), deployment.start("worker")
    assert eventually(lambda: deployment.healthy("api")), (deployment.home / "api.log").read_text()
    assert eventually(lambda: deployment.healthy("worker")), (deployment.home / "worker.log").read_text()
    made = deployment.anodyne("api", "user", "create", "Ann")
    assert made.returncode == 0, made.stderr
    keyed = deployment.anodyne("api", "key", "create", "--user", "Ann", "--role", "owner", "--all-clinics", "--json")
    assert json.loads(keyed.stdout)["key"].startswith("anodyne_live_")
    assert deployment.anodyne("api", "audit", "verify").returncode == 0
    for process in (api, worker):
        process.terminate()
    assert [process.wait(40) for process in (api, worker)] == [0, 0]


def test_the_application_may_neither_change_the_log_nor_its_schema(deployment: Deployment) -> None:
    assert deployment.run("migrate").returncode == 0
    url = deployment.environment("api")["ANODYNE_DATABASE_URL"]
    assert deployment.anodyne("api", "user", "create", "Ann").returncode == 0
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in ("DELETE FROM log.care_events", "UPDATE log.care_events SET actor = 'x'",
                          "TRUNCATE log.care_events", "INSERT INTO log.care_events DEFAULT VALUES",
                          "CREATE TABLE log.mine (x int)", "ALTER TABLE log.care_events DISABLE TRIGGER ALL",
                          "SET ROLE anodyne_owner"):
            with pytest.raises(psycopg.Error, match=r"permission denied|must be owner"):
                connection.execute(statement)  # type: ignore[call-overload]
    refused = deployment.anodyne("api", "db", "migrate")
    assert refused.returncode in (0, 1), "an application may find the schema current; it may never change it"


def test_a_wrong_password_is_one_sentence(deployment: Deployment) -> None:
    environment = {**deployment.environment("api"),
                   "ANODYNE_DATABASE_URL": f"postgresql://anodyne_app:wrong@127.0.0.1:{deployment.cluster.port}/anodyne"}
    done = subprocess.run(
        ["anodyne", "audit", "verify"], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "wrong" not in done.stderr.replace("went wrong", "")

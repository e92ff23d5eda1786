"""The two sides of a comparison: `anodyne audit export`, and `/v1/dashboards/*` over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

import pandas as pd
from flask.testing import FlaskClient

from api.auth.grants import Grant
from api.bootstrap import build_read_side, build_services, key_registry
from api.http.app import create_app
from api.http.context import EXTENSION
from api.http.cookies import SESSION
from api.logs import configure_logging
from api.settings import Settings
from tests.recount.compare import differences
from tests.recount.exported import Export
from tests.recount.recount import Base, Recount

ROOT = Path(__file__).parents[2]
DASHBOARDS = ("utilization", "outcomes", "safety", "boosters", "funnel")


@dataclass
class Question:
    """Clinics (all: none named), period, as of when, known at which position."""

    first: date
    last: date
    as_of: pd.Timestamp
    clinics: tuple[str, ...] = ()
    known_at: int | None = None

    def query(self) -> str:
        """The query string."""
        asked = {"from": self.first.isoformat(), "to": self.last.isoformat(), "as_of": self.as_of.isoformat()}
        if self.clinics:
            asked["clinics"] = ",".join(self.clinics)
        if self.known_at is not None:
            asked["known_at"] = str(self.known_at)
        return urlencode(asked)


class Installation:
    """An installation: its application, its projections caught up, a manager's key."""

    def __init__(self, settings: Settings) -> None:
        configure_logging("CRITICAL")
        often = "1000000 per minute"
        self.settings = replace(settings, rate_limit=often, failure_limit=often)

    def __enter__(self) -> Installation:
        self.services = build_services(self.settings)
        self.read_side = build_read_side(self.settings, self.services)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.read_side.close()
        self.services.close()

    def asked(self) -> Asked:
        """The application and the export of the same log."""
        assert self.read_side.engine.catch_up()
        registry = key_registry(self.settings, self.services, self.read_side)
        user = registry.create_user("a manager")
        key = registry.create_key(user, "manager", clinics=None).text
        app = create_app(self.settings, services=self.services, read_side=self.read_side)
        return Asked(app.test_client(), key, exported(self.settings), user)


def exported(settings: Settings) -> Export:
    """What the real command prints, run by nobody who may unseal anything."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANODYNE_")}
    environment["ANODYNE_HOME"] = str(settings.home)
    if settings.database_url is not None and settings.keys_url is not None:
        environment |= {"ANODYNE_DATABASE_URL": settings.database_url, "ANODYNE_KEYS_URL": settings.keys_url}
    command = [sys.executable, "-m", "api.cli.main", "audit", "export"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True, timeout=300)
    return Export(done.stdout.splitlines())


@dataclass
class Asked:
    """Asks both sides the same question."""

    client: FlaskClient
    key: str
    export: Export
    user: str
    _bases: dict[Any, Base] = field(default_factory=dict)

    def shown(self, name: str, question: Question) -> dict[str, Any]:
        """The dashboard's JSON."""
        answer = self.client.get(f"/v1/dashboards/{name}?{question.query()}",
                                 headers={"Authorization": f"Bearer {self.key}"})
        assert answer.status_code == 200, answer.text
        return json.loads(answer.data)  # type: ignore[no-any-return]

    def browser(self) -> FlaskClient:
        """A browser in which the manager has signed in."""
        identity = self.client.application.extensions[EXTENSION].identity
        identity.grants.set(self.user, [Grant(role="manager", clinics=None)])
        client = self.client.application.test_client()
        client.set_cookie(SESSION, identity.sessions.start(self.user, "manager", method="password"))
        return client

    def recount(self, question: Question) -> Recount:
        """The recount for the question, whatever its clinics."""
        key = (question.as_of, question.known_at)
        if key not in self._bases:
            self._bases[key] = Base(self.export, *key)
        return Recount(self._bases[key], (question.first, question.last))

    def differences(self, name: str, question: Question) -> list[str]:
        """Where the dashboard and the recount differ."""
        shown = self.shown(name, question)
        recounted = getattr(self.recount(question), name)(shown["clinics"])
        return differences(name, recounted, shown["figures"])

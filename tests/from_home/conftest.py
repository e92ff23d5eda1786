"""A clinic with a patient who was infused, and the pages behind links, over real databases of both kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.bootstrap import ReadSide, Services, build_read_side, build_services, migrate
from api.home.links import Link
from api.http.app import create_app
from api.logs import configure_logging
from api.settings import Settings
from api.web.from_home import EXTENSION, Home
from domain import clinic, diary
from domain.kernel import Code, Recorded
from domain.patient import registration, screening
from domain.vocabulary.questions import ASKABLE
from services.use_cases.case import diary_of
from tests.conftest import Database
from tests.services.practice import BEGAN, Practice, SetClock


@pytest.fixture(scope="session", autouse=True)
def quiet() -> None:
    """Requests are not told line by line while testing."""
    configure_logging("CRITICAL")


@dataclass
class AtHome:
    """A practice, its pages, and what a patient does with them."""

    app: Flask
    services: Services
    read_side: ReadSide
    practice: Practice
    clock: SetClock
    settings: Settings

    def __post_init__(self) -> None:
        self.client: FlaskClient = self.app.test_client()
        self.home: Home = self.app.extensions[EXTENSION]

    # --- people ---

    def patient(self, *, email: str | None = "sam@example.test", messaging: bool = True) -> UUID:
        """Somebody registered with an address, who agreed to be written to."""
        patient_id = self.practice.patient()
        if email is not None:
            self.practice.do(patient_id, registration.CorrectDemographics, email=email,
                             reason_code="typing_error")
        if messaging:
            self.practice.do(patient_id, screening.SignConsent, consent_id=uuid4(), kind="messaging",
                             form_version="2026-01", signed_by="patient", taken_by=self.practice.nurse_id)
        return patient_id

    def infused(self, patient_id: UUID) -> UUID:
        """A whole visit; its follow-ups are scheduled."""
        return self.practice.infusion(patient_id, self.practice.course(patient_id))

    def follow_ups(self, patient_id: UUID) -> list[Any]:
        """The patient's prompts, the earliest first."""
        state: diary.State = self.services.handling.current(diary, diary_of(patient_id)).state
        return sorted(state.follow_ups, key=lambda one: one.due_at)

    def on_call(self, *staff_ids: UUID, minutes: int = 10) -> None:
        """The clinic's on-call list and number are set."""
        self.practice.do(self.practice.clinic_id, clinic.SetOnCall, by=self.practice.actor("manager"),
                         staff_ids=staff_ids, escalate_after_minutes=minutes, clinic_phone="+1 555 0100")

    # --- links ---

    def link(
        self, patient_id: UUID, *asks: Code, follow_up_id: UUID | None = None, hours: float = 72
    ) -> Link:
        """A link handed out at the desk."""
        now = self.clock.now()
        return self.home.links.issue(Link(
            link_id=uuid4(), patient_id=patient_id, clinic_id=self.practice.clinic_id,
            asks=tuple(code for code in ASKABLE if code in asks), created_by="desk", created_at=now,
            expires_at=now + timedelta(hours=hours), follow_up_id=follow_up_id,
        ))

    def path(self, link: Link) -> str:
        """Where the link is answered."""
        return f"/p/{self.home.tokens.of(link.link_id)}"

    def get(self, link: Link) -> TestResponse:
        """The page, as opened (or fetched by a mail scanner)."""
        return self.client.get(self.path(link))

    def post(self, link: Link, **form: object) -> TestResponse:
        """One tap."""
        return self.client.post(self.path(link), data={name: str(value) for name, value in form.items()})

    def taps(self, link: Link, asked: Code, *values: object) -> TestResponse:
        """A whole questionnaire tapped through as the screens lead; None is *prefer not to answer*."""
        given: list[str] = []
        for value in values:
            form: dict[str, object] = {"asked": asked, "at": len(given), "given": ",".join(given)}
            answer = self.post(link, **form, **({"do": "leave"} if value is None else {"value": value}))
            given.append("" if value is None else str(value))
        return answer

    # --- what came of it ---

    def records(self, patient_id: UUID) -> list[Recorded]:
        """The patient's diary."""
        return list(self.services.log.read_stream(diary_of(patient_id)))

    def names(self, patient_id: UUID, *, by: str = "patient") -> list[str]:
        """The events in the diary that somebody of this role wrote."""
        return [one.name for one in self.records(patient_id) if one.role == by]

    def now(self) -> datetime:
        """The clinic's clock."""
        return self.clock.now()


def settings_of(database: Database, **more: Any) -> Settings:
    """Settings for a database of either kind."""
    if database.kind == "sqlite":
        return Settings(home=database.home, **more)
    return Settings(
        home=database.home, database_url=database.log_url, migration_url=database.admin_url,
        keys_url=database.keys_url, **more)


@pytest.fixture
def make_home() -> Iterator[Callable[..., AtHome]]:
    """Opens a practice on a database, with a clock that is set, and serves its pages."""
    opened: list[AtHome] = []

    def make(database: Database, **more: Any) -> AtHome:
        settings, clock = settings_of(database, **more), SetClock(BEGAN)
        migrate(settings)
        services = build_services(settings, clock=clock, mode="simulation")
        read_side = build_read_side(settings, services)
        app = create_app(settings, services=services, read_side=read_side)
        made = AtHome(app, services, read_side, Practice(services.log, clock).opened(), clock, settings)
        opened.append(made)
        return made

    yield make
    for made in opened:
        made.read_side.close()
        made.services.close()


@pytest.fixture
def at_home(database: Database, make_home: Callable[..., AtHome]) -> AtHome:
    """A practice on each kind of database."""
    return make_home(database)


@pytest.fixture
def here(sqlite_database: Database, make_home: Callable[..., AtHome]) -> AtHome:
    """A practice on SQLite alone, for what no database decides."""
    return make_home(sqlite_database)

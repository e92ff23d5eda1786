"""A running API with keys for every role at two clinics, for the story's steps and whoever probes them."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.auth.grants import Grant
from api.bootstrap import ReadSide, Services
from api.http import examples as ex
from api.http.context import EXTENSION
from api.http.cookies import SESSION
from domain.kernel import Role
from tests.api.story import ENDPOINTS, Ago, Ahead, DayOf, Step, story

ROLES: tuple[Role, ...] = (
    "owner", "manager", "prescriber", "nurse", "front_desk", "biller", "auditor", "integrator",
)  # fmt: skip
PIN = "135790"
HERE = ZoneInfo("America/Los_Angeles")
"""The zone of clinic A."""


_TODAY = datetime.now(UTC).date()
PERIOD = f"from={_TODAY - timedelta(days=300)}&to={_TODAY + timedelta(days=60)}"
"""A period that the story lies in, as addresses ask for it."""
WINDOW_DAYS = 10_000
"""For tests of rate limits: windows are laid on the clock, and no test meets the end of so long a one (next: 2052)."""


@dataclass
class World:
    """`ids` maps an example's id to the story's own."""

    app: Flask
    services: Services
    read_side: ReadSide
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    ids: dict[str, str] = field(default_factory=dict)
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    users: dict[tuple[str, str], str] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client: FlaskClient = self.app.test_client()
        self.registry = self.app.extensions[EXTENSION].keys
        self.make_key("owner", "all", clinics=None)

    # --- who ---

    def make_key(self, role: Role, at: str, *, clinics: list[UUID] | None, staff_id: UUID | None = None) -> str:
        """A key of `role` `at` a clinic ("A", "B", "all")."""
        user_id = self.registry.create_user(f"{role} {at}", staff_id=staff_id)
        if staff_id is not None:
            self.registry.set_pin(user_id, PIN)
        key: str = self.registry.create_key(user_id, role, clinics=clinics).text
        self.keys[role, at] = key
        self.users[role, at] = user_id
        return key

    def make_keys(self, at: str, clinic_id: str, people: dict[str, str]) -> None:
        """Keys of every role at one clinic; `people` are the staff ids of some roles."""
        for role in ROLES:
            staff_id = UUID(people[role]) if role in people else None
            self.make_key(role, at, clinics=[UUID(clinic_id)], staff_id=staff_id)

    def key_for(self, role: str) -> str:
        """The key for the story's role: "owner" is the organisation's, the others clinic A's."""
        return self.keys["owner", "all"] if role == "owner" else self.keys[role, "A"]

    def browser(self, role: Role, at: str = "A") -> FlaskClient:
        """A browser with a session of the user who is `role` at a clinic ("A", "B", "all")."""
        identity, key = self.app.extensions[EXTENSION].identity, self.registry.authenticate(self.keys[role, at])
        user_id = self.users[role, at]
        identity.grants.set(user_id, [Grant(role=role, clinics=key.clinics)])
        client = self.app.test_client()
        client.set_cookie(SESSION, identity.sessions.start(user_id, role, method="password"))
        return client

    # --- what ---

    def real(self, value: Any) -> Any:
        """`value` with the examples' ids replaced by the story's, and moments worked out."""
        if isinstance(value, Ago):
            return (self.now - timedelta(minutes=value.minutes)).isoformat()
        if isinstance(value, Ahead):
            day = self.now.astimezone(HERE).date() + timedelta(days=value.days)
            return f"{day.isoformat()}T{value.clock}" if value.clock else day.isoformat()
        if isinstance(value, DayOf):
            return (self.now - timedelta(minutes=value.minutes)).astimezone(HERE).date().isoformat()
        if isinstance(value, str):
            return self.ids.get(value, value)
        if isinstance(value, dict):
            return {key: self.real(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.real(inner) for inner in value]
        return value

    def body(self, step: Step) -> dict[str, Any]:
        """The step's body: the documented example with its changes."""
        body = copy.deepcopy(dict(step.endpoint.example))
        body.update(step.changes)
        return {name: self.real(value) for name, value in body.items() if value is not None}

    def url(self, step: Step, ids: dict[str, str] | None = None) -> str:
        """The step's address; with `ids` another's ids in the path."""
        adapter = self.app.url_map.bind("localhost")
        rule = next(self.app.url_map.iter_rules(step.operation))
        names = {
            "clinic_id": ex.CLINIC, "room_id": ex.ROOM, "closure_id": ex.CLOSURE, "staff_id": ex.NURSE,
            "patient_id": ex.PATIENT, "course_id": ex.COURSE, "booster_id": ex.BOOSTER, "infusion_id": ex.INFUSION,
            "appointment_id": ex.APPOINTMENT, "entry_id": ex.WAITLIST_ENTRY, "order_id": ex.ORDER,
            "alert_id": ex.ALERT, "side_effect_id": ex.SIDE_EFFECT, "lot_id": ex.LOT, "draw_id": ex.DRAW,
            "discrepancy_id": ex.DISCREPANCY, "request_id": ex.REQUEST,
        }  # fmt: skip
        values: dict[str, Any] = {}
        for argument in rule.arguments:
            given = step.path.get(argument, names.get(argument))
            value = (ids or {}).get(argument) or self.real(given(self) if callable(given) else given)
            if argument == "local_date":
                values[argument] = date.fromisoformat(value)
            else:
                values[argument] = UUID(value) if isinstance(value, str) else value
        return adapter.build(step.operation, values)

    def version(self, step: Step) -> int:
        """The version of the stream that the step writes, as the log has it now."""
        with self.app.test_request_context(self.url(step), method="POST"):
            from flask import g, request

            from api.http.scope import Call
            from services.log import Idempotency

            g.principal = self.registry.authenticate(self.key_for(step.role))
            call = Call(request.view_args or {}, _typed(self.body(step)), Idempotency("x", "x" * 8, b""))
            return self.services.log.head_of(ENDPOINTS[step.operation].place(call).stream_id)

    # --- doing ---

    def post(
        self, url: str, body: Any, *, key: str | None, idempotency_key: str | None = None,
        if_match: int | str | None = None, raw: bytes | None = None, headers: dict[str, str] | None = None,
    ) -> TestResponse:
        """A POST as a client would send it."""
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        if idempotency_key is not None:
            sent["Idempotency-Key"] = idempotency_key
        if if_match is not None:
            sent["If-Match"] = f'"{if_match}"'
        if raw is not None:
            return self.client.post(url, data=raw, headers={"Content-Type": "application/json", **sent})
        return self.client.post(url, json=body, headers=sent)

    def get(self, url: str, role: str = "owner", at: str = "all", **headers: str) -> TestResponse:
        """A GET as `role` at a clinic."""
        return self.client.get(url, headers={"Authorization": f"Bearer {self.keys[role, at]}", **headers})

    def prepare(self, step: Step) -> None:
        """Looks up what the step needs of what happened before."""
        if step.needs is not None:
            step.needs(self)

    def tell(self, *, until: str | None = None) -> World:
        """Takes every step of the story, or those to the first one of the operation `until`."""
        for step in story():
            self.take(step)
            if step.operation == until:
                break
        return self

    def take(self, step: Step, *, prepared: bool = False) -> TestResponse:
        """Takes a step and keeps the ids it gives; asserts its status."""
        if not prepared:
            self.prepare(step)
        version = self.version(step) if step.endpoint.if_match else None
        answer = self.post(
            self.url(step), self.body(step), key=self.key_for(step.role), idempotency_key=str(uuid4()), if_match=version
        )
        assert answer.status_code == step.status, (step.operation, answer.status_code, answer.text)
        self.remember(step, answer)
        return answer

    def remember(self, step: Step, answer: TestResponse) -> None:
        """Keeps the ids that the step's answer gives, under the examples' names."""
        if step.status == 201:
            given = answer.get_json()
            for example_id, name in step.keep.items():
                self.ids[example_id] = given["id"] if name == "id" else given["ids"][name]

    def caught_up(self) -> World:
        """Runs the projections to the log's end."""
        assert self.read_side.engine.catch_up()
        return self


def _typed(body: dict[str, Any]) -> dict[str, Any]:
    typed = dict(body)
    for name, value in body.items():
        if name.endswith("_id") and isinstance(value, str):
            typed[name] = UUID(value)
    return typed

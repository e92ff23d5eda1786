"""Clients that never give up: each command is sent with one Idempotency-Key until it is answered."""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as wall
from typing import Any
from uuid import UUID

from tests.crash.organisation import Organisation

AGAIN = frozenset({409, 429, 502, 503, 504})
"""Statuses after which a client sends the same key again (409 only while the first try is in flight)."""


@dataclass(frozen=True)
class Answered:
    """What a client was told of one command; `tries` counts the times it had to be sent."""

    key: str
    what: str
    number: int
    status: int
    body: dict[str, Any]
    tries: int


@dataclass
class Client(threading.Thread):
    """One client: scores its own patient's pain over and over, and fights the others for slots of one room."""

    organisation: Organisation
    number: int
    stopping: threading.Event
    answers: list[Answered] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(name=f"client-{self.number}", daemon=True)

    def __hash__(self) -> int:
        return id(self)

    @property
    def patient(self) -> UUID:
        return self.organisation.patients[self.number]

    def run(self) -> None:
        count = 0
        while not self.stopping.is_set():
            if count % 4 == 3:
                self._book(count // 4)
            elif count % 10 == 5:
                self._score_nonsense(count)
            else:
                self._score(count)
            count += 1

    def _score(self, count: int) -> None:
        self._send("pain", count, f"/v1/diary/{self.patient}/pain", {"score": count % 11, "kind": "now"})

    def _score_nonsense(self, count: int) -> None:
        self._send("nonsense", count, f"/v1/diary/{self.patient}/pain", {"score": 11 + count, "kind": "now"})

    def _book(self, slot: int) -> None:
        """The n-th slot of the room, which every client wants."""
        org = self.organisation
        starts = datetime.combine(org.first_day, wall(0), tzinfo=UTC) + timedelta(hours=slot)
        body = {
            "patient_id": str(self.patient), "room_id": str(org.room_id), "visit_kind": "follow_up",
            "starts_at": starts.isoformat(), "ends_at": (starts + timedelta(minutes=30)).isoformat(),
        }
        self._send("slot", slot, f"/v1/appointments/{org.clinic_id}/{starts.date()}", body)

    def _send(self, what: str, number: int, path: str, body: dict[str, Any]) -> None:
        key = f"{self.name}-{what}-{number}"
        tries = 0
        while True:
            tries += 1
            status, answer = self._post(path, key, body)
            in_flight = status == 409 and answer.get("code") == "idempotency-key-in-flight"
            if status and (status not in AGAIN or (status == 409 and not in_flight)):
                break
            time.sleep(0.05)
        if status >= 500:
            self.surprises.append(f"{key}: {status} {answer}")
        self.answers.append(Answered(key, what, number, status, answer, tries))

    def _post(self, path: str, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status 0: no answer came."""
        connection = http.client.HTTPConnection("127.0.0.1", self.organisation.port, timeout=20)
        headers = {
            "Authorization": f"Bearer {self.organisation.key}", "Idempotency-Key": key,
            "Content-Type": "application/json", "X-Clinic-Id": str(self.organisation.clinic_id),
        }
        try:
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"{}")
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            return 0, {}
        finally:
            connection.close()

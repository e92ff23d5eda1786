"""What a worker does about letters, one step at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import update

from api.mail.office import ALERTS, OTHERS, letters_of
from api.mail.outbox import Entry, Outbox
from api.mail.postman import deliver
from api.mail.senders import Sender, sender_of
from api.mail.tables import OUTBOX
from api.processes import SqlTimers, processes_of, telling
from domain import diary, staff
from domain.kernel import Actor
from services.processes.timers import run_once
from services.use_cases.case import diary_of
from tests.from_home.conftest import AtHome


@dataclass
class Post:
    """The processes and the postman of a worker over a practice."""

    at_home: AtHome

    def __post_init__(self) -> None:
        services, database = self.at_home.services, self.at_home.read_side.database
        self.outbox = Outbox(database.reads)
        self.processes = (*processes_of(services), *telling(services, database))
        self.store = SqlTimers(database)
        self.letters = letters_of(services, self.at_home.read_side)
        sender = sender_of(self.at_home.settings, lambda text: None)
        assert sender is not None
        self.sender: Sender = sender

    def work(self) -> None:
        """Every process once (and once more: one follows what another wrote)."""
        for _ in range(2):
            for process in self.processes:
                run_once(process, self.at_home.services.log, self.store, self.at_home.now(), lambda: False)

    def deliver(self, sender: Sender | None = None) -> int:
        """What waits is given to the mail server; how much it took."""
        return deliver(
            self.outbox, self.letters, sender or self.sender, ALERTS | OTHERS, self.at_home.now)

    def round(self) -> int:
        """A worker's whole round."""
        self.work()
        return self.deliver()

    def entries(self) -> list[Entry]:
        """The outbox."""
        return list(self.outbox.entries())

    def hurry(self) -> None:
        """Pauses and leases are over."""
        with self.at_home.read_side.database.reads.begin() as sql:
            sql.execute(update(OUTBOX).values(next_us=0, leased_us=0))

    # --- people ---

    def on_call(self, *names: str, minutes: int = 10) -> list[UUID]:
        """Nurses with addresses, on call in this order."""
        practice, people = self.at_home.practice, []
        for name in names:
            person = uuid4()
            practice.do(person, staff.JoinStaff, by=Actor(id="owner", role="owner"), full_name=name,
                        profession="manager", email=f"{name}@clinic.example")
            _assigned(self.at_home, person)
            people.append(person)
        self.at_home.on_call(*people, minutes=minutes)
        return people

    def alarm(self, patient_id: UUID) -> UUID:
        """The patient reports chest pain; the alert's id."""
        now = self.at_home.now()
        self.at_home.practice.do(
            diary_of(patient_id), diary.ReportSideEffectFromHome, side_effect_id=uuid4(), kind="chest_pain", grade=1,
            onset_at=now, request={"patient_id": patient_id})
        state: diary.State = self.at_home.services.handling.current(diary, diary_of(patient_id)).state
        return state.alerts[-1].alert_id

    def acknowledge(self, patient_id: UUID, alert_id: UUID) -> None:
        """A nurse called the patient."""
        self.at_home.practice.do(
            diary_of(patient_id), diary.AcknowledgeHomeAlert, alert_id=alert_id, action="called_patient",
            request={"patient_id": patient_id})

    def told(self, patient_id: UUID) -> list[Any]:
        """The steps of escalation that the log holds."""
        return [one.event for one in self.at_home.records(patient_id) if one.name == "diary.alert_escalated.v1"]

    def until(self, hours: float, *, after: Any) -> None:
        """The clock stands so many hours after a moment."""
        self.at_home.clock.moment = after + timedelta(hours=hours)


def _assigned(at_home: AtHome, person: UUID) -> None:
    from domain import clinic

    at_home.practice.do(at_home.practice.clinic_id, clinic.AssignStaff, by=at_home.practice.actor("manager"),
                        staff_id=person, role="manager")


def link_in(text: str) -> str:
    """The path of the link in a letter."""
    found = re.search(r"https://clinic\.example(/p/\S+)", text)
    assert found is not None, text
    return found.group(1)

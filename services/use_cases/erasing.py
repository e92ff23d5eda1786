"""Carrying out an approved erasure: the patient's keys, and those of records merged into theirs, are destroyed.

The keys go first and the event follows: a process that dies in between leaves a record that nobody can read and
an approval that is still open, so carrying it out again completes it. The other way round the log would claim
an erasure that did not happen. Whether it may happen at all is decided before anything is destroyed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from msgspec.structs import replace

from domain.kernel import Recorded
from domain.patient import patient
from domain.patient.erasure import APPROVERS, CompleteErasure, UnderLegalHold
from domain.patient.records import PatientsMerged, PatientsUnmerged
from domain.patient.state import State as PatientState
from services.handling import Aggregate, CommandHandling, Loaded, Receipt, Request
from services.use_cases import patients
from services.use_cases.case import Reader

BATCH = 1000


def is_approved(state: PatientState, request_id: UUID) -> bool:
    """Whether this request is open and all have approved it who must, so that it may be carried out."""
    open_request = state.erasure
    return (
        open_request is not None and open_request.request_id == request_id
        and len(open_request.approved_by) >= APPROVERS
    )


class Keys(Protocol):
    """Destroys keys (implemented by `KeyStore`)."""

    def destroy(self, owner: UUID, *, by: str, reason: str) -> int:
        """Destroys every key of `owner`, for ever; how many there were."""


class Log(Reader, Protocol):
    """Tells, beyond what facts need, who was merged into whom (implemented by `EventLog`)."""

    def read(
        self, after: int, limit: int, *, names: Iterable[str] | None = None, upto: int | None = None
    ) -> Sequence[Recorded]:
        """Records in order of position, only those of `names`."""


@dataclass(frozen=True)
class Erasing:
    """Erases one patient, once it has been requested and approved by two."""

    handling: CommandHandling
    log: Log
    keys: Keys

    def erase(self, patient_id: UUID, command: CompleteErasure, request: Request) -> Receipt:
        """Carries out the approved request that `command` names (its `keys_destroyed` is counted here).

        Raises RequestNotFound, SecondApproverNeeded, UnderLegalHold, RetentionNotOver, ErasureInVisit, NotFound.
        """
        merged = self._merged_into(patient_id)
        self._require_possible(patient_id, command, request, merged)
        counted = self._destroyed((patient_id, *merged), command, request)
        receipt = self._complete(patient_id, command, request, counted)
        self._follow(merged, command, request, counted)
        return receipt

    def finish(self, patient_id: UUID, command: CompleteErasure, request: Request) -> None:
        """What a process that died after the survivor's event left undone: the events of the records merged into it.

        Raises UnderLegalHold for one that has come under a hold since.
        """
        merged = self._merged_into(patient_id)
        self._follow(merged, command, request, self._destroyed(merged, command, request))

    def _destroyed(self, records: tuple[UUID, ...], command: CompleteErasure, request: Request) -> dict[UUID, int]:
        """How many keys each record had (none, where they are gone already)."""
        counted = {
            one: self.keys.destroy(one, by=request.by.id, reason=str(command.request_id)) for one in records
        }
        for one in counted:
            self.handling.snapshots.forget(one)
        return counted

    def _follow(
        self, merged: tuple[UUID, ...], command: CompleteErasure, request: Request, counted: dict[UUID, int]
    ) -> None:
        for one in merged:
            if not self.handling.current(patient, one).state.erased:
                self._complete(one, command, replace(request, idempotency=None), counted)

    def _complete(
        self, patient_id: UUID, command: CompleteErasure, request: Request, counted: dict[UUID, int]
    ) -> Receipt:
        done = CompleteErasure(
            by=command.by, now=command.now, at=command.at, late_reason=command.late_reason,
            request_id=command.request_id, keys_destroyed=counted[patient_id],
        )
        return self.handling.handle(patient_id, done, request)

    def _require_possible(
        self, patient_id: UUID, command: CompleteErasure, request: Request, merged: tuple[UUID, ...]
    ) -> None:
        """Decides without saving: what is refused is refused while the keys still exist."""
        holds = [hold for one in merged for hold in self.handling.current(patient, one).state.holds]
        if holds:
            raise UnderLegalHold(holds=[str(hold) for hold in sorted(holds)])
        completing = patients.use_cases(self.log)[CompleteErasure]
        plan = completing.plan(patient_id, command, request, self._load)
        for write in plan.writes:
            if not callable(write):
                state = self._load(write.aggregate, write.stream_id).state
                write.aggregate.decide(state, write.command, write.facts)

    def _load(self, aggregate: Aggregate, stream_id: UUID, *, checked: bool = True) -> Loaded:
        return self.handling.current(aggregate, stream_id)

    def _merged_into(self, patient_id: UUID) -> tuple[UUID, ...]:
        """Every record that is merged into this one now, directly or through another."""
        into: dict[UUID, UUID] = {}
        for record in self._merges():
            match record.event:
                case PatientsMerged(survivor_id=survivor):
                    into[record.stream_id] = survivor
                case PatientsUnmerged():
                    into.pop(record.stream_id, None)
        found: list[UUID] = []
        wanted = [patient_id]
        while wanted:
            survivor = wanted.pop()
            here = [one for one, its in into.items() if its == survivor and one not in found]
            found += here
            wanted += here
        return tuple(found)

    def _merges(self) -> list[Recorded]:
        names = (PatientsMerged.NAME, PatientsUnmerged.NAME)
        records: list[Recorded] = []
        while batch := self.log.read(records[-1].position if records else 0, BATCH, names=names):
            records += batch
        return records

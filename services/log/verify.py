"""Does the log hold together? Everything is computed anew from the rows, and what does not hold is named.

What a database's owner could still hide from this (rewriting every later leaf, or cutting the tail together with
its heads) only a checkpoint kept elsewhere shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from services.log.event_log import EventLog
from services.log.leaf import common_part, leaf_hash
from services.log.rows import FOREVER_US, Query
from services.log.shapes import LogError

BATCH = 5_000

ClaimKey = tuple[str, str]
ClaimRow = tuple[int, int, int, int]


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that does not hold. `position` 0 when it concerns no single event.

    kind: leaf, position-hole, position-order, version, clinic-seq, recorded-at, unreadable, not-opened, head,
    event-missing, claim, idempotency.
    """

    kind: str
    detail: str
    position: int = 0
    stream_id: str | None = None
    version: int | None = None


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome: how many events were checked, up to which position, and what was found."""

    log: str
    events: int
    head: int
    violations: tuple[Violation, ...]

    @property
    def holds(self) -> bool:
        return not self.violations


def verify(log: EventLog, *, progress: Callable[[int, int], None] | None = None) -> Verification:
    """Recomputes leaves, density and order, heads, claims and answers over one state of the log.

    `progress(done, of)` is called after every batch.
    """
    with log.recorder.snapshot() as query:
        check = _Check(log, query)
        check.events(progress)
        check.heads()
        check.claims()
        check.answers()
    return Verification(
        log=log.log, events=check.counted, head=check.position, violations=tuple(check.violations)
    )


class _Check:
    def __init__(self, log: EventLog, query: Query) -> None:
        self._log = log
        self._query = query
        self._ids = _pg_bytes if log.kind == "postgres" else _hex_bytes
        self._versions: dict[bytes, int] = {}
        self._clinic_seqs: dict[bytes, int] = {}
        self._claims: dict[ClaimKey, ClaimRow] = {}
        self.violations: list[Violation] = []
        self.position = 0
        self.counted = 0
        self._recorded_us = 0

    def _found(self, kind: str, detail: str, position: int = 0, stream: bytes | None = None, version: int = 0) -> None:
        self.violations.append(Violation(
            kind=kind, detail=detail, position=position, stream_id=None if stream is None else str(UUID(bytes=stream)),
            version=version or None,
        ))

    # --- events ---

    def events(self, progress: Callable[[int, int], None] | None) -> None:
        statement = self._statement()
        of = self._query(f"SELECT coalesce(max(position), 0) FROM log.{self._log.log}_events")[0][0]
        after = -1
        while True:
            rows = self._query(statement, (after, BATCH))
            for row in rows:
                self._event(row)
            self.counted += len(rows)
            if progress:
                progress(self.counted, of)
            if len(rows) < BATCH:
                return
            after = rows[-1][0]

    def _statement(self) -> str:
        ids = ("stream_id", "clinic_id", "subject", "correlation_id", "causation_id", "command_id")
        columns = [f"uuid_send({name})" for name in ids] if self._log.kind == "postgres" else list(ids)
        return (
            f"SELECT position, {', '.join(columns)}, version, name, payload, recorded_us, clinic_seq, actor, role, "
            f"origin, claims, leaf_hash FROM log.{self._log.log}_events WHERE position > %s ORDER BY position LIMIT %s"
        )

    def _event(self, row: tuple[Any, ...]) -> None:
        position = row[0]
        stream, clinic, subject, correlation, causation, command = [self._ids(value) for value in row[1:7]]
        version, name, payload, recorded_us, clinic_seq, actor, role, origin, claims, leaf = row[7:]
        assert stream is not None
        expected = leaf_hash(
            common_part(
                log=self._log.log, recorded_us=recorded_us, clinic_id=clinic, subject=subject, actor=actor, role=role,
                origin=origin, correlation_id=correlation, causation_id=causation, command_id=command,
            ),
            position=position, clinic_seq=clinic_seq, stream_id=stream, version=version, name=name, claims=claims,
            payload=payload,
        )
        if expected != leaf:
            self._found("leaf", f"{name} is not what was recorded", position, stream, version)
        self._order(position, stream, version, clinic, clinic_seq, recorded_us)
        self._content(position, stream, version, name, payload)
        if claims is not None:
            self._apply_claims(position, claims)

    def _order(
        self, position: int, stream: bytes, version: int, clinic: bytes | None, clinic_seq: int, recorded_us: int
    ) -> None:
        if position != self.position + 1:
            missing = f"{self.position + 1}" + (f" to {position - 1}" if position > self.position + 2 else "")
            self._found("position-hole", f"no event at position {missing}", self.position + 1)
        self.position = position
        before = self._versions.get(stream, 0)
        if version != before + 1:
            self._found("version", f"version {version} follows version {before}", position, stream, version)
        self._versions[stream] = version
        if clinic is None:
            if clinic_seq != 0:
                self._found("clinic-seq", f"clinic_seq {clinic_seq} without a clinic", position, stream, version)
        else:
            last = self._clinic_seqs.get(clinic, 0)
            if clinic_seq != last + 1:
                detail = f"clinic {UUID(bytes=clinic)}: {clinic_seq} follows {last}"
                self._found("clinic-seq", detail, position, stream, version)
            self._clinic_seqs[clinic] = clinic_seq
        if recorded_us < self._recorded_us:
            self._found("recorded-at", "recorded before the event ahead of it", position, stream, version)
        self._recorded_us = max(recorded_us, self._recorded_us)

    def _content(self, position: int, stream: bytes, version: int, name: str, payload: str) -> None:
        if (name == "system.log_opened.v1") != (position == 1):
            self._found("not-opened", "LogOpened is the first event, and only the first", position, stream, version)
        try:
            self._log.mapper.decode(name, payload.encode())
        except LogError as error:
            self._found("unreadable", str(error), position, stream, version)

    # --- what is derived ---

    def heads(self) -> None:
        column = "uuid_send(stream_id)" if self._log.kind == "postgres" else "stream_id"
        rows = self._query(f"SELECT {column}, version FROM log.{self._log.log}_heads")
        seen = set()
        for value, version in rows:
            stream = self._ids(value)
            assert stream is not None
            seen.add(stream)
            last = self._versions.get(stream, 0)
            if version > last:
                self._found("event-missing", f"the head is {version}, the last event {last}", 0, stream, version)
            elif version < last:
                self._found("head", f"the head is {version}, the last event {last}", 0, stream, last)
        for stream, last in self._versions.items():
            if stream not in seen:
                self._found("head", f"the stream has {last} events and no head", 0, stream, last)

    def _apply_claims(self, position: int, text: str) -> None:
        """As the append does: releases first, then claims."""
        told = msgspec.json.decode(text)
        first = position
        for release in told["releases"]:
            key = (release["resource"], release["holder"])
            held = self._claims.get(key)
            if held is None:
                continue
            if release["ends"] is None or held[0] >= release["ends"]:
                del self._claims[key]
            elif held[1] > release["ends"]:
                self._claims[key] = (held[0], release["ends"], held[2], first)
        for claim in told["claims"]:
            ends = FOREVER_US if claim["ends"] is None else claim["ends"]
            self._claims[claim["resource"], claim["holder"]] = (claim["starts"], ends, claim["capacity"], first)

    def claims(self) -> None:
        stored = {
            (resource, holder): tuple(rest)
            for resource, holder, *rest in self._query(
                f"SELECT resource, holder, starts_us, ends_us, capacity, position FROM log.{self._log.log}_claims"
            )
        }
        for key in sorted(stored.keys() | self._claims.keys()):
            wanted, actual = self._claims.get(key), stored.get(key)
            if wanted != actual:
                position = (wanted or actual or (0, 0, 0, 0))[3]
                self._found("claim", f"{key[0]} held by {key[1]}: table {actual}, log {wanted}", position)

    def answers(self) -> None:
        rows = self._query(
            f"SELECT principal, key, last_position FROM log.{self._log.log}_idempotency "
            "WHERE last_position > %s OR first_position < 1", (self.position,)
        )
        for principal, key, last in rows:
            self._found("idempotency", f"the answer to {principal}/{key} speaks of position {last}", last)


def _pg_bytes(value: bytes | None) -> bytes | None:
    return value


def _hex_bytes(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value.replace("-", ""))

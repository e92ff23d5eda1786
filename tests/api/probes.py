"""What every command endpoint is probed with, at the moment of the story at which it is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from werkzeug.test import TestResponse

from api.auth.policy import POLICY
from tests.api.story import Step
from tests.api.world import ROLES, World

ORGANISATION = frozenset({
    "clinics.open", "staff.join", "staff.record_credentials", "staff.leave", "patients.use_emergency_access",
})  # fmt: skip
"""Of the organisation, not of one clinic: no clinic is the wrong one for them."""

REFUSING = (
    "no key", "wrong role", "wrong clinic", "no Idempotency-Key", "unknown field", "malformed JSON", "broken UTF-8",
    "not an object", "not JSON", "huge body", "deep body", "stale If-Match", "missing If-Match",
)  # fmt: skip
ANSWERING = ("works", "same key, same body", "same key, other body")


@dataclass
class Findings:
    """What went wrong, by operation and probe; and which were made."""

    wrong: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    made: set[tuple[str, str]] = field(default_factory=set)
    ended: str = "the story does not reach it"

    def note(self, operation: str, probe: str, problem: str | None) -> None:
        """Keeps the outcome of one probe."""
        self.made.add((operation, probe))
        if problem is not None:
            self.wrong.setdefault((operation, probe), []).append(problem)


def probe_story(world: World, steps: list[Step]) -> Findings:
    """Lives through the story, probing each operation (once) before it is carried out and afterwards."""
    findings = Findings()
    probed: set[str] = set()
    for step in steps:
        world.prepare(step)
        ready = ("nurse", "B") in world.keys
        try:
            if step.operation in probed or not ready:
                world.take(step, prepared=True)
                continue
            probed.add(step.operation)
            for probe, problem in (*refusals(world, step), *answers(world, step)):
                findings.note(step.operation, probe, problem)
        except AssertionError as error:
            findings.ended = str(error)
            break
    return findings


def refusals(world: World, step: Step) -> Iterator[tuple[str, str | None]]:
    """Each must be refused in its own way, and write nothing."""
    url, body, key = world.url(step), world.body(step), world.key_for(step.role)
    match = world.version(step) if step.endpoint.if_match else None

    def post(body: Any = body, *, key: str | None = key, **more: Any) -> TestResponse:
        sent = {"idempotency_key": str(uuid4()), "if_match": match, **more}
        return world.post(sent.pop("url", url), body, key=key, **sent)

    head = world.services.log.head()

    def check(probe: str, answer: TestResponse, status: int, code: str | None = None) -> tuple[str, str | None]:
        return probe, _problem(world, answer, status, code, head)

    yield check("no key", post(key=None), 401, "not-authenticated")
    yield check("wrong role", post(key=_wrong_role(world, step)), 403, "not-permitted")
    if step.operation not in ORGANISATION:
        yield "wrong clinic", _wrong_clinic(world, step, post, head)
    yield check("no Idempotency-Key", post(idempotency_key=None), 400, "idempotency-key-missing")
    yield check("unknown field", post({**body, "no_such_field": 1}), 422, "invalid-request")
    yield check("malformed JSON", post(raw=b'{"at": '), 400, "malformed-json")
    yield check("broken UTF-8", post(raw=b'{"at": "\xff\xfe"}'), 400, "malformed-json")
    yield check("not an object", post([body]), 422, "invalid-request")
    yield check("not JSON", post(raw=b"a=b", headers={"Content-Type": "text/plain"}), 415, "unsupported-media-type")
    yield check("huge body", post(raw=b'{"note": "' + b"x" * 300_000 + b'"}'), 413, "body-too-large")
    yield check("deep body", post(raw=b'{"a":' * 50_000 + b"1" + b"}" * 50_000), 413)
    yield check("stale If-Match", post(if_match=9999), 412, "version-mismatch")
    if step.endpoint.if_match:
        yield check("missing If-Match", post(if_match=None), 428, "precondition-required")


def answers(world: World, step: Step) -> Iterator[tuple[str, str | None]]:
    """It works; a retry gets the first answer; another body under the same key is refused."""
    url, body, key, name = world.url(step), world.body(step), world.key_for(step.role), str(uuid4())
    match = world.version(step) if step.endpoint.if_match else None
    first = world.post(url, body, key=key, idempotency_key=name, if_match=match)
    yield "works", None if first.status_code == 201 else f"{first.status_code} {first.text}"
    if first.status_code != 201:
        raise AssertionError(f"the story ends at {step.operation}: {first.status_code} {first.text}")
    world.remember(step, first)
    head = world.services.log.head()
    again = world.post(url, body, key=key, idempotency_key=name, if_match=match)
    told = again.headers.get("Idempotent-Replayed")
    same = again.status_code == 201 and again.get_json() == first.get_json() and told == "true"
    written = world.services.log.head() != head
    yield "same key, same body", None if same and not written else f"{again.status_code} {again.text} {told} {written}"
    other = world.post(url, {**body, "at": "2026-01-01T00:00:00Z"}, key=key, idempotency_key=name, if_match=match)
    yield "same key, other body", _problem(world, other, 422, "idempotency-key-reused", head)


def _wrong_role(world: World, step: Step) -> str:
    allowed = POLICY[step.operation].roles
    return next(world.keys[role, "A"] for role in reversed(ROLES) if role not in allowed)


def _wrong_clinic(world: World, step: Step, post: Callable[..., TestResponse], head: int) -> str | None:
    """With clinic B's key: 404, and not to be told from ids that do not exist anywhere."""
    key = world.keys[step.role, "B"]
    answer = post(key=key)
    problem = _problem(world, answer, 404, "not-found", head)
    if problem is not None:
        return problem
    rule = next(world.app.url_map.iter_rules(step.operation))
    random_ids = {name: str(uuid4()) for name in rule.arguments if name.endswith("_id")}
    nowhere = post(key=key, url=world.url(step, random_ids))
    mine, theirs = answer.get_json(), nowhere.get_json()
    mine.pop("request_id"), theirs.pop("request_id")
    return None if mine == theirs else f"{mine} is not {theirs}"


def _problem(world: World, answer: TestResponse, status: int, code: str | None, head: int) -> str | None:
    said = answer.get_json(silent=True) or {}
    if answer.status_code != status or (code is not None and said.get("code") != code):
        return f"{answer.status_code} {answer.text[:300]}"
    if answer.content_type != "application/problem+json":
        return f"content type {answer.content_type}"
    if said.get("status") != status or "request_id" not in said or not answer.headers.get("X-Request-Id"):
        return f"not a whole problem: {answer.text[:300]}"
    if world.services.log.head() != head:
        return f"wrote {world.services.log.head() - head} events"
    return None

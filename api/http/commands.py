"""Command endpoints by table: path, command, where its stream is found, an example. One view serves them all.

A view here translates only: schema in, `services.handling.handle`, receipt out. The order of refusals: 401, 403,
body (400, 413, 415, 422), Idempotency-Key (400), If-Match (400, 428), what may be seen (404), the rules (409, 412,
422). Before a 404 or 412 the idempotency row is consulted, so that a retry of what succeeded gets its first answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flask import Response, current_app, g, json
from flask_smorest import Blueprint
from marshmallow import fields as marshmallow_fields

from api.http.context import principal, wired
from api.http.idempotency import REPLAYED_HEADER, correlation, id_for, idempotency
from api.http.local_times import resolve_local_moments
from api.http.parser import StrictParser
from api.http.preconditions import if_match, set_version
from api.http.problems import Problem
from api.http.receipts import ReceiptSchema, receipt_example
from api.http.schema_of import command_schema
from api.http.scope import ASK_FOR_THE_CLINIC, Call, Place, check_references
from domain.kernel import Actor, Command, DomainError
from services.handling import Receipt, Request, StoredRefusal
from services.log import Idempotency

__all__ = ["CommandEndpoint", "ResourceBlueprint", "register_commands"]


class ResourceBlueprint(Blueprint):
    """A flask-smorest blueprint that reads requests strictly."""

    ARGUMENTS_PARSER = StrictParser()


@dataclass(frozen=True, kw_only=True)
class CommandEndpoint:
    """One POST. `place` finds the stream and the acting clinic, and refuses what the caller may not see.

    `new_ids` are ids the caller may leave to the server, `from_path` are command fields taken from the path,
    `local_moments` may be given in the clinic's wall clock, `fills` are values that the services work out whatever
    a caller would say, `extra` are fields beside the command's own that `before` checks. `flow` carries the command
    out where it is more than one commit. `link` is where the thing can be read afterwards, with the receipt's id as
    `{id}`.
    """

    name: str
    path: str
    command: type[Command]
    place: Callable[[Call], Place]
    example: Mapping[str, Any]
    link: str
    summary: str = ""
    if_match: bool = False
    new_ids: tuple[str, ...] = ()
    from_path: tuple[str, ...] = ()
    local_moments: tuple[str, ...] = ()
    fills: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, marshmallow_fields.Field[Any]] = field(default_factory=dict)
    before: Callable[[dict[str, Any]], None] | None = None
    flow: Callable[[UUID, Any, Request], Receipt] | None = None


def register_commands(blueprint: Blueprint, endpoints: Sequence[CommandEndpoint]) -> None:
    """Adds one route per endpoint; its operation is `<blueprint>.<name>`."""
    for endpoint in endpoints:
        _register(blueprint, endpoint)


def _register(blueprint: Blueprint, endpoint: CommandEndpoint) -> None:
    schema = command_schema(
        endpoint.command,
        leave_out=frozenset(endpoint.from_path) | frozenset(endpoint.fills),
        optional=frozenset(endpoint.new_ids),
        local_moments=frozenset(endpoint.local_moments),
        extra=dict(endpoint.extra),
    )

    def view(body: dict[str, Any], **path: Any) -> Response:
        return carry_out(endpoint, body, path)

    view.__name__ = endpoint.name
    view.__doc__ = endpoint.summary or _summary(endpoint.command)
    described = blueprint.doc(
        operationId=f"{blueprint.name}.{endpoint.name}",
        **{"x-command": endpoint.command.__name__, "x-if-match": endpoint.if_match,
           "x-acting-clinic": endpoint.place in ASK_FOR_THE_CLINIC},
    )
    taken = blueprint.arguments(schema(), example=dict(endpoint.example))
    receipt = receipt_example(blueprint.name, endpoint.link, endpoint.new_ids)
    answered = blueprint.response(201, ReceiptSchema, example=receipt)
    wrapped = taken(answered(described(view)))
    blueprint.add_url_rule(endpoint.path, endpoint.name, wrapped, methods=["POST"])


def carry_out(endpoint: CommandEndpoint, body: dict[str, Any], path: dict[str, Any]) -> Response:
    """Carries the command out for this request's principal; the receipt as a response."""
    who, parts = principal(), wired()
    request_key = idempotency(who.key_id, g.sent, parts.secret)
    new_ids = _new_ids(endpoint, body, request_key)
    try:
        expected = if_match(required=endpoint.if_match)
        call = Call(path=path, body=body, request_key=request_key)
        place = endpoint.place(call)
        check_references(body, place)
        if endpoint.before is not None:
            endpoint.before(body)
        command = _command(endpoint, body, path, place, new_ids)
        asked = Request(
            by=command.by, clinic_id=place.clinic_id, patient_id=place.patient_id, idempotency=request_key,
            if_match=expected, correlation_id=correlation(), command_id=id_for(request_key, "command"),
        )
        receipt = (endpoint.flow or parts.services.handle)(place.stream_id, command, asked)
    except Problem as refused:
        if refused.status not in (404, 412):
            raise
        receipt = _first_answer(request_key, refused)
    except DomainError as refused:
        if endpoint.flow is None:  # the services have looked for a first answer themselves
            raise
        receipt = _first_answer(request_key, refused)
    return receipt_response(receipt, endpoint.link, path, new_ids)


def _command(
    endpoint: CommandEndpoint, body: dict[str, Any], path: dict[str, Any], place: Place, new_ids: Mapping[str, UUID]
) -> Command:
    now = wired().services.clock.now()
    values = {name: value for name, value in body.items() if name not in endpoint.extra}
    values.update({name: path[name] for name in endpoint.from_path}, **endpoint.fills)
    values.update(new_ids)
    resolve_local_moments(values, endpoint.local_moments, place.clinic_id)
    values.setdefault("at", now)
    by = Actor(id=principal().actor_id, role=principal().role)
    return endpoint.command(by=by, now=now, **values)


def _new_ids(endpoint: CommandEndpoint, body: dict[str, Any], request_key: Idempotency) -> dict[str, UUID]:
    """The ids of what this request makes: the caller's own, else ours, the same in every retry."""
    return {name: body.get(name) or id_for(request_key, name) for name in endpoint.new_ids}


def _first_answer(request_key: Idempotency, refused: Problem | DomainError) -> Receipt:
    """The first answer to this request if it has one; otherwise raises `refused`."""
    stored = wired().services.log.answer_of(request_key)
    if stored is None:
        raise refused
    answer = stored.answer
    if "refused" in answer:
        raise StoredRefusal(answer["refused"], answer["message"], answer["data"])
    return Receipt(
        stream_id=UUID(answer["stream_id"]), version=answer["version"], position=stored.last_position,
        events=tuple(answer["events"]), ids=answer["ids"], told=answer.get("told", {}), replayed=True,
        status=stored.status,
    )


def receipt_response(
    receipt: Receipt, link: str, path: Mapping[str, Any], new_ids: Mapping[str, UUID]
) -> Response:
    """Ids, version, position and links; no patient data."""
    shown = "/v1" + link.format(id=receipt.stream_id, **{name: str(value) for name, value in path.items()})
    body = {
        "id": str(receipt.stream_id), "version": receipt.version, "position": receipt.position,
        "events": list(receipt.events), "links": {"self": shown},
        "ids": {**receipt.ids, **{name: str(value) for name, value in new_ids.items()}},
    }
    if receipt.told:
        body["told"] = receipt.told
    response = current_app.response_class(json.dumps(body), status=201, mimetype="application/json")
    set_version(response, receipt.version)
    response.headers["Location"] = shown
    response.headers["Anodyne-Position"] = str(receipt.position)
    if receipt.replayed:
        response.headers[REPLAYED_HEADER] = "true"
    return response


def _summary(command: type[Command]) -> str:
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in command.__name__).strip()
    said = (command.__doc__ or "").strip()
    return f"{words.capitalize()}.\n\n{said}" if said else f"{words.capitalize()}."

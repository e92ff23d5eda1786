"""The feed: every event of the caller's clinics in order, complete and of unlimited age, in CloudEvents shape."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, current_app, json
from marshmallow import RAISE, Schema, ValidationError, fields, validate
from webargs.fields import DelimitedList

from api.http.access import note_export
from api.http.cloudevents import EVENT_EXAMPLE, CloudEventSchema, cloud_event
from api.http.commands import ResourceBlueprint
from api.http.context import principal, wired
from api.http.cursors import link_next, read_cursor, write_cursor
from api.http.fields import StrictId, Text
from api.http.problems import Problem, not_found
from domain.catalogue import EVENTS
from services.log.feed import Feed, FeedPage

blueprint = ResourceBlueprint("events", __name__, url_prefix="/v1", description=__doc__)

LONGEST_WAIT_SECONDS = 30
LARGEST_PAGE = 1000
WIDEST_DIGEST = 200_000
ACCESS_EVENTS = frozenset(name for name in EVENTS if name.startswith("access."))
TYPES = frozenset(EVENTS) - ACCESS_EVENTS


def _type_names(values: list[str]) -> None:
    for value in values:
        if not _matching(value):
            raise ValidationError(f"No event is named {value[:80]}.")


def _matching(value: str) -> set[str]:
    if value.endswith(".*"):
        return {name for name in TYPES if name.startswith(value[:-1])}
    return {value} & TYPES


class FilterSchema(Schema):
    """What of the log is meant."""

    class Meta:
        """Unknown parameters are refused."""

        unknown = RAISE

    types = DelimitedList(
        Text(longest=80, pattern=r"[a-z0-9_.]+(\.\*)?"), validate=[validate.Length(min=1, max=50), _type_names],
        metadata={"description": "Event names, or families such as `infusion.*`.", "example": ["infusion.given.v1"]},
    )
    clinic = DelimitedList(
        StrictId(), validate=validate.Length(min=1, max=50),
        metadata={"description": "Clinics; all of the key's if absent."},
    )


class PageSchema(FilterSchema):
    """A page of the feed."""

    after = Text(
        longest=512, pattern=r"[A-Za-z0-9_-]+",
        metadata={"description": "`next` of the page before, or a sequence number; the log's beginning if absent."},
    )
    limit = fields.Integer(strict=False, load_default=100, validate=validate.Range(1, LARGEST_PAGE))
    wait = fields.Integer(
        strict=False, load_default=0, validate=validate.Range(0, LONGEST_WAIT_SECONDS),
        metadata={"description": "Seconds to wait at most for a first item when there is none (long poll)."},
    )


class FeedSchema(Schema):
    """A page of the feed. `next` is always there: poll with it."""

    events = fields.List(fields.Nested(CloudEventSchema), required=True)
    next = fields.String(required=True, metadata={"description": "Cursor of the next page; of unlimited age."})
    head = fields.Integer(required=True, metadata={"description": "Highest position of the log when it was read."})


class DigestQuerySchema(FilterSchema):
    """A range of the log."""

    first = fields.Integer(
        required=True, data_key="from", validate=validate.Range(1, 2**62), metadata={"description": "First position."}
    )
    last = fields.Integer(
        required=True, data_key="to", validate=validate.Range(1, 2**62), metadata={"description": "Last position."}
    )


class TypeDigestSchema(Schema):
    """One type's share."""

    count = fields.Integer(required=True)
    sha256 = fields.String(required=True, metadata={"description": "Over the leaf hashes in order, concatenated."})


class DigestSchema(Schema):
    """What a client recomputes from the `leafhash` of the items that it received."""

    first = fields.Integer(required=True, data_key="from")
    last = fields.Integer(required=True, data_key="to")
    count = fields.Integer(required=True)
    types = fields.Dict(keys=fields.String(), values=fields.Nested(TypeDigestSchema), required=True)


def _names(query: dict[str, Any]) -> frozenset[str] | None:
    asked = query.get("types")
    if asked is None:
        return None
    return frozenset().union(*(_matching(value) for value in asked))


def _clinics(query: dict[str, Any]) -> frozenset[UUID] | None:
    """The clinics to read: those asked for (404 outside the key's), else all of the key's; None is no filter."""
    asked = query.get("clinic")
    if asked is None:
        return principal().clinics
    if not all(principal().sees(clinic_id) and _exists(clinic_id) for clinic_id in asked):
        raise not_found()
    return frozenset(asked)


def _exists(clinic_id: UUID) -> bool:
    origin = wired().origins.of(clinic_id)
    return origin is not None and origin.name.startswith("clinic.")


def _start(after: str | None) -> int:
    """The position to read after; raises `Problem` 422 for what is no cursor, or one from beyond the log's end."""
    if after is None:
        return 0
    position: int = int(after) if after.isdigit() and len(after) < 19 else read_cursor(after, int, pointer="/after")[0]
    if not 0 <= position <= wired().services.log.head():
        raise Problem(
            422, "cursor-beyond-the-end", "The log has not come so far: is this another log's cursor?",
            errors=[{"pointer": "/after", "detail": "Beyond the log's end."}],
        )
    return position


def _page(query: dict[str, Any]) -> FeedPage:
    """The page asked for; waits only while enough threads are left to answer others."""
    start, names, clinics = _start(query.get("after")), _names(query), _clinics(query)
    feed, limit, waiting = Feed(wired().services.log), query["limit"], wired().waiting
    if query["wait"] == 0 or not waiting.acquire(blocking=False):
        return feed.page(start, types=names, clinics=clinics, limit=limit)
    try:
        return feed.page(start, types=names, clinics=clinics, limit=limit, wait_s=query["wait"])
    finally:
        waiting.release()


@blueprint.route("/events", endpoint="list")
@blueprint.arguments(PageSchema, location="query")
@blueprint.doc(operationId="events.list", **{"x-pages": True})
@blueprint.response(
    200, FeedSchema, example={"events": [EVENT_EXAMPLE], "next": write_cursor(48213), "head": 51004}
)
def list_events(query: dict[str, Any]) -> Response:
    """Page the feed."""
    page = _page(query)
    note_export("feed", len(page.items))
    following = write_cursor(page.next_after)
    shown = [cloud_event(item.record, item.prevsequence) for item in page.items]
    body = {"events": shown, "next": following, "head": page.head}
    response = current_app.response_class(json.dumps(body), mimetype="application/json")
    link_next(response, after=following)
    return response


@blueprint.route("/events/digest", endpoint="digest")
@blueprint.arguments(DigestQuerySchema, location="query")
@blueprint.doc(operationId="events.digest")
@blueprint.response(
    200, DigestSchema,
    example={"from": 1, "to": 51004, "count": 1, "types": {"infusion.given.v1": {"count": 1, "sha256": "9f" * 32}}},
)
def digest(query: dict[str, Any]) -> Response:
    """Count and hash what a client should have received.

    Per type a SHA-256 over the leaf hashes in order; it does not change when content is erased or upcast.
    """
    first, last = query["first"], query["last"]
    if last - first >= WIDEST_DIGEST:
        raise Problem(422, "invalid-request", f"A digest spans at most {WIDEST_DIGEST} positions.",
                      errors=[{"pointer": "/to", "detail": "Too far from `from`."}])
    found = Feed(wired().services.log).digest(first, last, types=_names(query), clinics=_clinics(query))
    types = {name: {"count": one.count, "sha256": one.hash} for name, one in found.types.items()}
    count = sum(one.count for one in found.types.values())
    body = {"from": found.first, "to": found.last, "count": count, "types": types}
    return current_app.response_class(json.dumps(body), mimetype="application/json")

"""One-tap links for a patient: made at the desk or by a nurse, listed, revoked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Response, current_app, g, json
from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates

from api.home.links import Link
from api.http import examples as ex
from api.http.access import opened
from api.http.context import principal, wired
from api.http.fields import StrictId, StrictInteger, Text
from api.http.idempotency import id_for, idempotency
from api.http.problems import not_found
from api.http.reading import answer, read_endpoint
from api.http.resources.diary import HERE, blueprint
from api.http.scope import patient_state
from api.web.from_home import home
from domain import diary
from domain.diary.follow_ups import ANSWERS_UNTIL, FollowUpNotFound, FollowUpNotOpen
from domain.kernel import Code
from domain.vocabulary.questions import ASKABLE, SIDE_EFFECTS_ASKED
from services.log import IdempotencyMismatch
from services.use_cases.case import diary_of

__all__ = ["LONGEST_HOURS", "USUAL_HOURS", "blueprint", "issued", "links_of", "stopped"]

USUAL_HOURS = 72
LONGEST_HOURS = 30 * 24


class NewLinkSchema(Schema):
    """What the link asks: some questionnaires, or an open follow-up's own."""

    class Meta:
        """Unknown fields are refused."""

        unknown = RAISE

    asks = fields.List(
        Text(longest=40, validate=validate.OneOf(ASKABLE)), validate=validate.Length(1, len(ASKABLE)),
        metadata={"description": "What to ask; without it and without a follow-up: pain and side effects."},
    )
    follow_up_id = StrictId(metadata={"description": "An open follow-up; the link ends when that does."})
    valid_hours = StrictInteger(low=1, high=LONGEST_HOURS, load_default=USUAL_HOURS)

    @validates("asks")
    def different(self, value: list[str], data_key: str = "asks") -> None:
        """Each is asked once."""
        if len(set(value)) != len(value):
            raise ValidationError("Each question once.")


class LinkSchema(Schema):
    """A link as it is listed: never its address."""

    link_id = fields.UUID(required=True)
    asks = fields.List(fields.String(), required=True)
    follow_up_id = fields.UUID(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)
    created_by = fields.String(required=True)
    expires_at = fields.AwareDateTime(required=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)
    standing = fields.String(required=True, metadata={"description": "open, expired or over."})


class MadeLinkSchema(LinkSchema):
    """A link with its address, told to whoever made it."""

    url = fields.String(required=True)


class LinksSchema(Schema):
    """A patient's links, the newest first."""

    links = fields.List(fields.Nested(LinkSchema), required=True)


class NothingSchema(Schema):
    """An empty object."""

    class Meta:
        """Unknown fields are refused."""

        unknown = RAISE


_LINK = {
    "link_id": "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d77", "asks": ["nrs", "side_effects"], "follow_up_id": None,
    "created_at": "2026-03-02T18:00:00+00:00", "created_by": ex.NURSE, "expires_at": "2026-03-05T18:00:00+00:00",
    "revoked_at": None, "standing": "open",
}
_MADE = {**_LINK, "url": "https://clinic.example/p/bxwqUgs6Sh6aQz5fCnqdd9Nq0VvC4m3hT5k2y8w1zQ0"}


@blueprint.route(f"{HERE}/links", methods=["POST"], endpoint="make_link")
@blueprint.arguments(NewLinkSchema, example={"asks": ["nrs", "side_effects"]})
@blueprint.response(201, MadeLinkSchema, example=_MADE)
@blueprint.doc(operationId="diary.make_link", **{"x-post": True})
def make_link(body: dict[str, Any], patient_id: UUID) -> Response:
    """Make a one-tap link by which the patient answers without signing in.

    Whoever holds the address can answer for the patient and read nothing: give it to the patient only.
    """
    now = wired().services.clock.now()
    link_id = id_for(idempotency(principal().key_id, g.sent, wired().secret), "home-link")
    link = issued(body, patient_id, link_id, now)
    response = current_app.response_class(
        json.dumps({**_shown(link, now), "url": home().url(link)}), status=201, mimetype="application/json")
    response.headers["Location"] = f"/v1/diary/{patient_id}/links"
    return response


def issued(body: dict[str, Any], patient_id: UUID, link_id: UUID, now: datetime) -> Link:
    """The link that `body` asks for, made or made before; noted in the access log.

    Raises the 404 for whom the caller may not see, FollowUpNotFound, FollowUpNotOpen, IdempotencyMismatch.
    """
    state = patient_state(patient_id).state
    asks, expires_at = _asked(body, patient_id, now)
    opened("diary.link", patient_id=patient_id, clinic_id=state.home_clinic_id)
    link = home().links.issue(Link(
        link_id=link_id, patient_id=patient_id, clinic_id=state.home_clinic_id, asks=asks,
        created_by=principal().actor_id, created_at=now, expires_at=expires_at, follow_up_id=body.get("follow_up_id"),
    ))
    if (link.patient_id, link.asks, link.follow_up_id) != (patient_id, asks, body.get("follow_up_id")):
        raise IdempotencyMismatch("this Idempotency-Key made another link")
    return link


def _asked(body: dict[str, Any], patient_id: UUID, now: datetime) -> tuple[tuple[Code, ...], datetime]:
    """What is asked, in the usual order, and until when. Raises FollowUpNotFound, FollowUpNotOpen."""
    chosen, until = body.get("asks"), now + timedelta(hours=body["valid_hours"])
    if "follow_up_id" in body:
        state: diary.State = wired().services.handling.current(diary, diary_of(patient_id)).state
        prompt = next((one for one in state.follow_ups if one.follow_up_id == body["follow_up_id"]), None)
        if prompt is None:
            raise FollowUpNotFound(follow_up_id=str(body["follow_up_id"]), pointer="/follow_up_id")
        if prompt.status != "open" or now >= prompt.due_at + ANSWERS_UNTIL:
            raise FollowUpNotOpen(follow_up_id=str(body["follow_up_id"]))
        chosen, until = chosen or [*prompt.instruments, SIDE_EFFECTS_ASKED], min(until, prompt.due_at + ANSWERS_UNTIL)
    wanted = chosen or ["nrs", SIDE_EFFECTS_ASKED]
    return tuple(code for code in ASKABLE if code in wanted), until


@read_endpoint(blueprint, f"{HERE}/links", "links", LinksSchema, {"links": [_LINK]})
def links(patient_id: UUID) -> Response:
    """List a patient's one-tap links, without their addresses."""
    found, now = links_of(patient_id), wired().services.clock.now()
    return answer({"links": [_shown(link, now) for link in found]})


def links_of(patient_id: UUID) -> Sequence[Link]:
    """A patient's links, the newest first; noted in the access log. Raises the 404."""
    state = patient_state(patient_id).state
    opened("diary.links", patient_id=patient_id, clinic_id=state.home_clinic_id)
    return home().links.of_patient(patient_id)


@blueprint.route(f"{HERE}/links/<uuid:link_id>/revoke", methods=["POST"], endpoint="revoke_link")
@blueprint.arguments(NothingSchema, example={})
@blueprint.response(200, LinkSchema, example={**_LINK, "revoked_at": "2026-03-02T19:00:00+00:00", "standing": "over"})
@blueprint.doc(operationId="diary.revoke_link", **{"x-post": True})
def revoke_link(body: dict[str, Any], patient_id: UUID, link_id: UUID) -> Response:
    """Stop a one-tap link. Again: nothing changes."""
    idempotency(principal().key_id, body, wired().secret)
    now = wired().services.clock.now()
    return answer(_shown(stopped(patient_id, link_id, now), now))


def stopped(patient_id: UUID, link_id: UUID, now: datetime) -> Link:
    """The patient's link, revoked now or before. Raises the 404."""
    patient_state(patient_id)
    found = home().links.find(link_id)
    if found is None or found.patient_id != patient_id:
        raise not_found()
    home().links.revoke(link_id, now)
    return home().links.find(link_id) or found


def _shown(link: Link, now: datetime) -> dict[str, Any]:
    return {
        "link_id": str(link.link_id), "asks": list(link.asks),
        "follow_up_id": None if link.follow_up_id is None else str(link.follow_up_id),
        "created_at": link.created_at.isoformat(), "created_by": link.created_by,
        "expires_at": link.expires_at.isoformat(),
        "revoked_at": None if link.revoked_at is None else link.revoked_at.isoformat(),
        "standing": home().answering.standing(link, now),
    }

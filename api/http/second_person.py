"""What needs a second person, authenticated in the act by their own PIN: waste and breakage of a controlled drug,
and overbooking where whoever books may not authorise it themselves."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from api.http.context import principal, wired
from api.http.fields import Text
from api.http.problems import Problem

__all__ = ["AUTHORISER_PIN", "WITNESS_PIN", "authorised", "check_authoriser", "check_witness"]

WITNESS_PIN = {
    "witness_pin": Text(
        required=True, shortest=4, longest=32, pattern="[0-9]{4,32}",
        metadata={"description": "The second person's own PIN, typed by them on this device."},
    )
}


def check_witness(body: dict[str, Any]) -> None:
    """Raises `Problem` 403 unless `witness_pin` is the PIN of `witness_id`; the same whatever is wrong with it."""
    if not wired().keys.check_pin(body["witness_id"], body["witness_pin"]):
        raise Problem(
            403, "second-person-not-authenticated", "The second person's PIN is wrong, not set, or locked for a while.",
            errors=[{"pointer": "/witness_pin", "detail": "Not accepted."}],
        )


AUTHORISER_PIN = {
    "authoriser_pin": Text(
        required=False, shortest=4, longest=32, pattern="[0-9]{4,32}",
        metadata={"description": "The PIN of `overbooking.authorised_by`, typed by them on this device. Not needed "
                  "where that is whoever asks."},
    )
}


def check_authoriser(body: dict[str, Any]) -> None:
    """Raises `Problem` 403 unless an overbooking is authorised by whoever asks, or by `authoriser_pin`."""
    overbooking = body.get("overbooking")
    if overbooking is not None and not authorised(overbooking.authorised_by, body.get("authoriser_pin", "")):
        raise Problem(
            403, "second-person-not-authenticated",
            "Overbooking is authorised by whoever books, or by the other's own PIN: it is wrong, not set, or locked "
            "for a while.",
            errors=[{"pointer": "/authoriser_pin", "detail": "Not accepted."}],
        )


def authorised(staff_id: UUID, pin: str) -> bool:
    """Whether the member of staff is the one who asks, or has typed their own PIN."""
    return str(staff_id) == principal().actor_id or bool(pin and wired().keys.check_pin(staff_id, pin))

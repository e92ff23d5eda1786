"""Waste and breakage of a controlled drug need a second person, authenticated in the act by their own PIN."""

from __future__ import annotations

from typing import Any

from api.http.context import wired
from api.http.fields import Text
from api.http.problems import Problem

__all__ = ["WITNESS_PIN", "check_witness"]

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

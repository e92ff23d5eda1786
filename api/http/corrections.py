"""Amending and striking an entry: the same two endpoints under every resource whose entries can be corrected."""

from __future__ import annotations

from collections.abc import Callable

from api.http.commands import CommandEndpoint
from api.http.scope import Call, Place
from domain.corrections import AmendEntry, StrikeEntry

__all__ = ["correction_endpoints"]


def correction_endpoints(
    here: str, link: str, place: Callable[[Call], Place], corrections: dict[str, object]
) -> tuple[CommandEndpoint, CommandEndpoint]:
    """The endpoints that amend and strike entry `entry` (its version in the stream) of the resource at `here`."""
    return (
        CommandEndpoint(
            name="amend_entry", path=f"{here}/entries/<int(max=1000000):entry>/amend", command=AmendEntry, place=place,
            link=link, from_path=("entry",), if_match=True,
            example={"corrections": corrections, "reason_code": "typing_error"},
        ),
        CommandEndpoint(
            name="strike_entry", path=f"{here}/entries/<int(max=1000000):entry>/strike", command=StrikeEntry,
            place=place, link=link, from_path=("entry",), if_match=True, example={"reason_code": "did_not_happen"},
        ),
    )

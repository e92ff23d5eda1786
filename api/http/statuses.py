"""The one table from a domain error to its HTTP status.

A broken rule is 409: the request is fine but the state of things forbids it. A value that no state would accept is
422; a thing that is not there is 404; somebody who may not is 403; a precondition that does not hold is 412.
Errors are named here by their class name, so that the edge need not import every aggregate.
"""

from __future__ import annotations

from domain.kernel import DomainError

__all__ = ["STATUSES", "status_of"]

STATUSES: dict[str, int] = {
    # kernel: the two clocks
    "InTheFuture": 422,
    "LateWithoutReason": 422,
    # the log and its handling
    "NotFound": 404,
    "StreamConflict": 409,
    "ClaimConflict": 409,
    "PreconditionFailed": 412,
    "IdempotencyMismatch": 422,
}

RULE = 409


def status_of(error: DomainError) -> int:
    """The status of the nearest class of `error` in the table, else 409."""
    for cls in type(error).__mro__:
        if cls.__name__ in STATUSES:
            return STATUSES[cls.__name__]
    return RULE

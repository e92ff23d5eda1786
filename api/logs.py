"""What this program writes to its own logs: one JSON line per entry on standard error, only keys known as harmless.

Logs go where health data must not: to collectors, tickets, mail. So keys are allow-listed, and an exception shows its
type and where it came from, but neither its message (drivers put values into it) nor any local variable.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog

__all__ = ["ALLOWED", "configure_logging"]

ALLOWED = frozenset({
    "at", "attempts", "check", "epoch", "error", "event", "event_name", "group", "head", "key", "kind", "level",
    "method", "ms", "name", "phase", "pid", "policy", "port", "position", "projection", "projections", "reason",
    "request_id", "retry_in_s", "role", "route", "rows", "seconds", "slot", "status", "where", "worker",
})  # fmt: skip
"""Everything else is left out, and named in `left_out`."""

DEEPEST = 12
"""Innermost frames shown of an exception."""

Entry = MutableMapping[str, Any]


def configure_logging(level: str) -> None:
    """For the whole process. `level` as in logging: DEBUG, INFO, WARNING, ERROR."""
    least = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _exception_without_values,
            _only_allowed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _exception_without_values(logger: object, method: str, entry: Entry) -> Entry:
    raised = entry.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()[1]
    elif isinstance(raised, tuple):
        raised = raised[1]
    if isinstance(raised, BaseException):
        entry["error"] = type(raised).__name__
        entry["where"] = _frames(raised.__traceback__)
    return entry


def _frames(trace: TracebackType | None) -> list[str]:
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace, limit=-DEEPEST)
    ]


def _only_allowed(logger: object, method: str, entry: Entry) -> Entry:
    left_out = sorted(set(entry) - ALLOWED)
    kept: Entry = {key: entry[key] for key in entry if key in ALLOWED}
    if left_out:
        kept["left_out"] = left_out
    return kept

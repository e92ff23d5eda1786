"""A worker reads the dashboards' columns before anybody asks: for thirty clinics that takes seconds."""

from __future__ import annotations

import threading
import time
from typing import Any

import structlog

from api.http.context import EXTENSION
from projections.columns import store

__all__ = ["read_ahead"]

_log = structlog.get_logger("anodyne.http")


def read_ahead(app: Any) -> threading.Thread | None:
    """Begins to read them, beside the requests; whoever asks a dashboard meanwhile waits for the same reading.

    None for an application that is not ours. What fails here is logged, and tried again by the first question.
    """
    kept = getattr(app, "extensions", {}).get(EXTENSION)
    if kept is None:
        return None
    reads = kept.read_side.database.reads

    def read() -> None:
        began = time.monotonic()
        try:
            with reads.connect() as connection:
                store.facts(connection)
        except Exception:
            _log.warning("columns.not_read", exc_info=True)
        else:
            _log.info("columns.read", seconds=round(time.monotonic() - began, 1))

    thread = threading.Thread(target=read, name="columns", daemon=True)
    thread.start()
    return thread

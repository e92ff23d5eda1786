"""Rate limits by key or session (by address for wrong keys and passwords), told in the IETF draft's RateLimit headers.

Fixed windows. The counters live where `rate_limit_storage` says: memory counts per worker process (here, without
the thread that the library starts for it), redis and others are shared by all workers (by the library `limits`).
"""

from __future__ import annotations

import time
from threading import Lock
from typing import Protocol, cast

from flask import Flask, Response, current_app, g, request
from limits import RateLimitItem, parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from api.http.problems import Problem

__all__ = ["Limiter", "Windows", "limiter", "windows_of"]

EXTENSION = "anodyne-limiter"


class Windows(Protocol):
    """Counts hits in fixed windows."""

    def hit(self, limit: RateLimitItem, kind: str, who: str) -> tuple[int, float]:
        """Counts one; what is left (negative: too many) and the seconds until the window ends."""


class MemoryWindows:
    """Counters of this process. All begin anew with each window, so they cannot pile up."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = {}
        self._window: dict[str, int] = {}
        self._lock = Lock()

    def hit(self, limit: RateLimitItem, kind: str, who: str) -> tuple[int, float]:
        """See `Windows`."""
        now, length = time.time(), limit.get_expiry()
        window = int(now // length)
        with self._lock:
            if self._window.get(kind) != window:
                self._window[kind] = window
                self._counts = {key: count for key, count in self._counts.items() if key[0] != kind}
            count = self._counts.get((kind, who, window), 0) + 1
            self._counts[kind, who, window] = count
        return limit.amount - count, (window + 1) * length - now


class SharedWindows:
    """Counters in a storage that `limits` knows."""

    def __init__(self, storage: str) -> None:
        self._limiter = FixedWindowRateLimiter(storage_from_string(storage))

    def hit(self, limit: RateLimitItem, kind: str, who: str) -> tuple[int, float]:
        """See `Windows`."""
        allowed = self._limiter.hit(limit, kind, who)
        window = self._limiter.get_window_stats(limit, kind, who)
        return window.remaining if allowed else -1, window.reset_time - time.time()


def windows_of(storage: str) -> Windows:
    """Counters in memory, or wherever `storage` says."""
    return MemoryWindows() if storage == "memory://" else SharedWindows(storage)


class Limiter:
    """The three limits: per key or session, per address for wrong keys and for attempts to sign in."""

    def __init__(self, storage: str, limit: str, failure_limit: str, sign_in_limit: str) -> None:
        self._windows = windows_of(storage)
        self._limit: RateLimitItem = parse(limit)
        self._failures: RateLimitItem = parse(failure_limit)
        self._sign_ins: RateLimitItem = parse(sign_in_limit)
        self.policy = f'"default";q={self._limit.amount};w={self._limit.get_expiry()}'

    def count(self, key_id: str) -> None:
        """Counts one request of a key; raises `Problem` 429 with Retry-After when its window is used up."""
        left, seconds = self._windows.hit(self._limit, "key", key_id)
        g.rate_limit = f'"default";r={max(0, left)};t={max(1, round(seconds))}'
        if left < 0:
            raise _too_many(seconds)

    def count_failure(self) -> None:
        """Counts a request with a wrong key (it cost a look-up), by address; raises `Problem` 429 after too many."""
        left, seconds = self._windows.hit(self._failures, "failed", request.remote_addr or "-")
        if left < 0:
            raise _too_many(seconds)

    def count_sign_in(self) -> None:
        """Counts an attempt to sign in, by address and before it is judged; raises `Problem` 429 after too many."""
        left, seconds = self._windows.hit(self._sign_ins, "sign-in", request.remote_addr or "-")
        if left < 0:
            raise _too_many(seconds)

    def register(self, app: Flask) -> None:
        """Adds the headers to the answers of counted requests."""
        app.extensions[EXTENSION] = self

        @app.after_request
        def tell(response: Response) -> Response:
            told = g.get("rate_limit")
            if told is not None:
                response.headers["RateLimit-Policy"] = self.policy
                response.headers["RateLimit"] = told
            return response


def limiter() -> Limiter:
    """The limiter of the application that serves this request."""
    return cast(Limiter, current_app.extensions[EXTENSION])


def _too_many(seconds: float) -> Problem:
    return Problem(
        429, "too-many-requests", "The rate limit is used up; try again after Retry-After seconds.",
        headers={"Retry-After": str(max(1, round(seconds)))},
    )

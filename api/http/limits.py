"""Rate limits by key (by address for those without a key), told in the IETF draft's RateLimit headers.

The counters live where `rate_limit_storage` says: memory counts per worker process, redis is shared by all.
"""

from __future__ import annotations

import time

from flask import Flask, Response, g, request
from limits import RateLimitItem, parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from api.http.problems import Problem

__all__ = ["Limiter"]



class Limiter:
    """Counts requests of one kind in fixed windows."""

    def __init__(self, storage: str, limit: str, failure_limit: str) -> None:
        self._limiter = FixedWindowRateLimiter(storage_from_string(storage))
        self._limit: RateLimitItem = parse(limit)
        self._failures: RateLimitItem = parse(failure_limit)
        self.policy = f'"default";q={self._limit.amount};w={self._limit.get_expiry()}'

    def count(self, key_id: str) -> None:
        """Counts one request of a key; raises `Problem` 429 with Retry-After when its window is used up."""
        allowed = self._limiter.hit(self._limit, "key", key_id)
        window = self._limiter.get_window_stats(self._limit, "key", key_id)
        seconds = max(1, round(window.reset_time - time.time()))
        g.rate_limit = f'"default";r={window.remaining};t={seconds}'
        if not allowed:
            raise _too_many(seconds)

    def count_failure(self) -> None:
        """Counts a request with a wrong key (it cost a look-up), by address; raises `Problem` 429 after too many."""
        address = request.remote_addr or "-"
        if not self._limiter.hit(self._failures, "failed", address):
            window = self._limiter.get_window_stats(self._failures, "failed", address)
            raise _too_many(max(1, round(window.reset_time - time.time())))

    def register(self, app: Flask) -> None:
        """Adds the headers to the answers of counted requests."""

        @app.after_request
        def tell(response: Response) -> Response:
            told = g.get("rate_limit")
            if told is not None:
                response.headers["RateLimit-Policy"] = self.policy
                response.headers["RateLimit"] = told
            return response


def _too_many(seconds: int) -> Problem:
    return Problem(
        429, "too-many-requests", "The rate limit is used up; try again after Retry-After seconds.",
        headers={"Retry-After": str(seconds)},
    )

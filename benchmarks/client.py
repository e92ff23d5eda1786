"""A small load generator: so many connections, each sending its next request when it has its answer.

Connections are kept alive where the server keeps them (gthread) and opened anew where it does not (sync).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

CONNECTIONS = 8
Asking = Callable[[], bytes]


def post(port: int, path: str, body: dict[str, Any], headers: dict[str, str]) -> bytes:
    """One request's bytes."""
    data = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(data)}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


class Client:
    """A contender (see `benchmarks.crew`): drives one address, in a process of its own."""

    def __init__(self, port: int, path: str, body: dict[str, Any], headers: dict[str, str], ids: Sequence[str]) -> None:
        self.port, self.path, self.body, self.headers = port, path, body, headers
        self.ids: Iterator[str] = itertools.cycle(ids or [""])
        self.statuses: Counter[int] = Counter()
        self.took: list[float] = []

    def prepare(self) -> None:
        """Nothing: the server is up."""

    def run(self, seconds: float) -> tuple[int, list[float], dict[int, int]]:
        """How many were answered with 201, how long each took (ms), and all statuses."""
        self.statuses, self.took = Counter(), []
        asyncio.run(self._all(seconds))
        return self.statuses[201], self.took, dict(self.statuses)

    async def _all(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        await asyncio.gather(*(self._one(until) for _ in range(CONNECTIONS)))

    async def _one(self, until: float) -> None:
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        identity, left = "", 0
        while time.perf_counter() < until:
            if not left:
                identity, left = next(self.ids), 20
            left -= 1
            sent = post(self.port, self.path.replace("ID", identity), self.body, {
                **self.headers, "Idempotency-Key": str(uuid4()),
            })
            began = time.perf_counter()
            try:
                if streams is None:
                    streams = await asyncio.open_connection("127.0.0.1", self.port)
                streams[1].write(sent)
                status, kept = await _answer(streams[0])
            except (ConnectionError, asyncio.IncompleteReadError):
                self.statuses[0] += 1
                streams = None
                continue
            self.took.append((time.perf_counter() - began) * 1000)
            self.statuses[status] += 1
            if not kept:
                streams[1].close()
                streams = None
        if streams is not None:
            streams[1].close()

    def close(self) -> None:
        """Nothing is kept between runs."""


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """The status, and whether the server keeps the connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    lines = head.split("\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
    if length:
        await reader.readexactly(length)
    return int(lines[0].split()[1]), "connection: close" not in head

"""Contenders in processes of their own: each says when it is ready, all start together, their rates are added."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any, Protocol

START_WITHIN_S = 120.0


class Contender(Protocol):
    """One process's part of a contender."""

    def prepare(self) -> None:
        """What has to be there before the clock runs (patients to treat, connections)."""

    def run(self, seconds: float) -> Any:
        """Works for so long; how many it has done, or what else it has to tell."""

    def close(self) -> None: ...


class Crew:
    """`size` processes of one contender; `build(*arguments)` makes it, inside its process."""

    def __init__(self, build: Callable[..., Contender], arguments: Sequence[Any], size: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._members: list[tuple[Any, Connection]] = []
        for _ in range(size):
            ours, theirs = context.Pipe()
            process = context.Process(target=_member, args=(theirs, build, tuple(arguments)), daemon=True)
            process.start()
            self._members.append((process, ours))
        self._await("built")

    def rate(self, seconds: float) -> float:
        """Done per second by all together."""
        self.start(seconds)
        return sum(count / took for count, took in self.finish())

    def start(self, seconds: float) -> None:
        """Prepares all, then sets them to work together."""
        self._tell("prepare")
        self._await("prepared")
        self._tell(seconds)

    def finish(self) -> list[tuple[Any, float]]:
        """What each has to tell, and the seconds it took."""
        return self._await("ran")

    def close(self) -> None:
        for process, pipe in self._members:
            with pipe:
                pipe.send(None)
            process.join(10)
            if process.is_alive():
                process.kill()

    def _tell(self, what: Any) -> None:
        for _, pipe in self._members:
            pipe.send(what)

    def _await(self, step: str) -> list[Any]:
        answers = []
        for process, pipe in self._members:
            if not pipe.poll(START_WITHIN_S):
                raise RuntimeError(f"a contender did not answer ({step}); alive: {process.is_alive()}")
            kind, value = pipe.recv()
            if kind == "error":
                raise RuntimeError(value)
            answers.append(value)
        return answers


@contextmanager
def crews(builders: Mapping[str, tuple[Callable[..., Contender], Sequence[Any]]], size: int) -> Any:
    """A crew per contender; yields their rates as functions of nothing but the seconds."""
    with ExitStack() as stack:
        made = {}
        for name, (build, arguments) in builders.items():
            crew = Crew(build, arguments, size)
            stack.callback(crew.close)
            made[name] = crew
        yield made


def _member(pipe: Connection, build: Callable[..., Contender], arguments: tuple[Any, ...]) -> None:
    try:
        contender = build(*arguments)
        pipe.send(("ok", "built"))
        while (asked := pipe.recv()) is not None:
            if asked == "prepare":
                contender.prepare()
                pipe.send(("ok", None))
                continue
            began = time.perf_counter()
            count = contender.run(asked)
            pipe.send(("ok", (count, time.perf_counter() - began)))
        contender.close()
    except (EOFError, KeyboardInterrupt):
        return
    except BaseException as error:
        import traceback

        pipe.send(("error", f"{error!r}\n{traceback.format_exc()}"))

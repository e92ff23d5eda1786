"""Reading what older versions of the program wrote: name.vN -> name.vN+1 over plain builtins.

A stored event is never rewritten. What is read passes through the chain of upcasters from its stored name to the
one the program knows; a gap in a chain stops the program at start, not a reader years later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from domain.kernel import Event
from services.log.shapes import LogError


class UpcasterGap(LogError):
    """A version of an event that nothing can read; found at start."""


class Upcaster(msgspec.Struct, frozen=True, kw_only=True):
    """One step. `convert` takes and gives a payload of builtins, sealed fields as their stored form.

    `renamed`: new name -> old name of *sealed* fields that the step renames (a seal binds the old name).
    """

    source: str
    target: str
    convert: Callable[[dict[str, Any]], dict[str, Any]]
    renamed: Mapping[str, str] = {}


_NAME = re.compile(r"(?P<stem>[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+)\.v(?P<number>[1-9][0-9]*)")


def split_name(name: str) -> tuple[str, int]:
    """`infusion.given.v1` -> (`infusion.given`, 1)."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise UpcasterGap(f"not a stable event name: {name!r} (expected words.with_dots.v1)")
    return match["stem"], int(match["number"])


class Upcasters:
    """The registry. Raises UpcasterGap unless every version ever released can be read."""

    def __init__(self, upcasters: Iterable[Upcaster], events: Mapping[str, type[Event]]) -> None:
        self._by_source: dict[str, Upcaster] = {}
        for upcaster in upcasters:
            self._add(upcaster)
        self._check(events)

    def _add(self, upcaster: Upcaster) -> None:
        stem, number = split_name(upcaster.source)
        if split_name(upcaster.target) != (stem, number + 1):
            raise UpcasterGap(f"{upcaster.source} -> {upcaster.target} is not one version up")
        if upcaster.source in self._by_source:
            raise UpcasterGap(f"two upcasters read {upcaster.source}")
        self._by_source[upcaster.source] = upcaster

    def _check(self, events: Mapping[str, type[Event]]) -> None:
        known = {split_name(name) for name in (*events, *self._by_source)}
        for stem, newest in {(stem, max(n for s, n in known if s == stem)) for stem, _ in known}:
            for number in range(1, newest + 1):
                name = f"{stem}.v{number}"
                if name not in events and name not in self._by_source:
                    raise UpcasterGap(f"nothing reads {name}: neither an event nor an upcaster has that name")
                if name in events and name in self._by_source:
                    raise UpcasterGap(f"{name} is still written, though an upcaster replaces it")
        for source in self._by_source:
            if self.chain(source)[-1].target not in events:
                raise UpcasterGap(f"the upcasters of {source} end in a name that is not an event")

    def chain(self, name: str) -> tuple[Upcaster, ...]:
        """The steps from a stored name to the one the program knows; empty when it is that one."""
        steps: list[Upcaster] = []
        while name in self._by_source:
            steps.append(self._by_source[name])
            name = steps[-1].target
        return tuple(steps)

    def sources(self) -> Iterable[str]:
        """Names that are read but no longer written."""
        return self._by_source

    def stored_names(self, names: Iterable[str]) -> list[str]:
        """`names` and every older name that is read as one of them."""
        wanted = set(names)
        older = [source for source in self._by_source if self.chain(source)[-1].target in wanted]
        return [*wanted, *older]

    def sealed_as(self, name: str, field: str) -> list[tuple[str, str]]:
        """Under which (stored name, stored field) field `field` of event `name` may have been sealed."""
        found = [(name, field)]
        for source in self._by_source:
            chain = self.chain(source)
            if chain[-1].target != name:
                continue
            stored = field
            for step in reversed(chain):
                top, _, rest = stored.partition("/")
                stored = "/".join(part for part in (step.renamed.get(top, top), rest) if part)
            found.append((source, stored))
        return found


UPCASTERS: tuple[Upcaster, ...] = (
    Upcaster(source="appointment.kept.v1", target="appointment.kept.v2", convert=dict),  # an arrival's: infusion_id
)
"""Those of released schema versions. Add one, and golden samples, with every new version of an event."""

"""Every event of the system by its stable name; the log refuses any other."""

from __future__ import annotations

from domain import (
    access,
    clinic,
    corrections,
    course,
    day_sheet,
    diary,
    drug_lot,
    oversight,
    staff,
    system,
)
from domain.infusion import arrival, departure, drug_run, monitoring, order, side_effects
from domain.kernel import Event
from domain.patient import erasure, history, records, registration, screening

_MODULES = (
    system, clinic, staff, registration, history, screening, records, erasure, course, day_sheet,
    arrival, order, drug_run, monitoring, side_effects, departure, corrections,
    diary, drug_lot, oversight, access,
)


def _collect() -> dict[str, type[Event]]:
    events: dict[str, type[Event]] = {}
    for module in _MODULES:
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, Event) and _is_of(thing, module.__name__):
                if not thing.NAME or thing.NAME in events:
                    raise TypeError(f"{thing.__qualname__} has no stable name of its own: {thing.NAME!r}")
                events[thing.NAME] = thing
    return events


def _is_of(thing: type[Event], module: str) -> bool:
    """Defined in the module, or in a file of the package, of that name."""
    return thing.__module__ == module or thing.__module__.startswith(f"{module}.")


EVENTS: dict[str, type[Event]] = _collect()
"""Stable name -> event struct, in the order in which the modules define them."""

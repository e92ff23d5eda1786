"""docs/events.md: every event of the log, by stream, rendered from the structs themselves."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from typing import Any

import msgspec

from domain.catalogue import EVENTS
from domain.kernel import Event, Redacted, Sealed, secret_fields

__all__ = ["as_data", "render"]

STREAMS: dict[str, tuple[str, str]] = {
    "system": ("system", "One, `derived_id(\"system\")`; written by operators and imports."),
    "clinic": ("clinic", "One per clinic; set-up changes, some per month."),
    "staff": ("staff", "One per member of staff; some per year."),
    "patient": ("patient", "One per patient, for as long as the organisation keeps the record."),
    "course": ("course", "One per course of treatment; ends with CourseClosed."),
    "appointment": ("day sheet", "One per clinic and local date."),
    "infusion": ("infusion (a visit)", "One per visit; ends with the visit."),
    "entry": ("any stream", "Corrections point at an entry of their own stream by its version."),
    "diary": ("diary", "One per patient; snapshots bound the reading."),
    "drug_lot": ("drug lot", "One per clinic, NDC and lot number; ends when the lot is empty."),
    "oversight": ("oversight", "One per clinic and UTC day."),
    "access": ("access log", "In a log of its own, with its own positions."),
}
"""First part of an event's name: the stream it is written to, and what bounds that stream."""

INTRODUCTION = """\
# The events

Generated from `domain/` by `make docs`; CI fails when it is old. Do not edit.

{count} events. A name is stored for ever: a changed meaning is a new version (`.v2`) with an upcaster.

Every event has `occurred_at` (when it happened in the world, with its offset) and `late_reason` (sealed; present when
it was recorded more than 24 hours later). What is known about the act itself stands in the log's own columns: position,
stream and version, recorded_at, actor and role, clinic and clinic_seq, subject patient, origin, correlation, causation
and command ids, leaf hash.

**sealed**: encrypted under the key of the patient whom the event is about (or of the stream); unreadable once that key
is destroyed. Everything else stays readable under a pseudonymous id.
"""

_INHERITED = frozenset(field.name for field in msgspec.structs.fields(Event))


def render() -> str:
    """The whole page."""
    by_stream: dict[str, list[type[Event]]] = {}
    for name, event in EVENTS.items():
        by_stream.setdefault(name.split(".", 1)[0], []).append(event)
    missing = [prefix for prefix in by_stream if prefix not in STREAMS]
    if missing:
        raise ValueError(f"event_catalogue.STREAMS does not say which stream holds {missing}")
    parts = [INTRODUCTION.format(count=len(EVENTS)), _contents(by_stream)]
    parts += [_stream(prefix, events) for prefix, events in by_stream.items()]
    return "\n".join(parts).rstrip() + "\n"


def as_data() -> list[dict[str, Any]]:
    """The same for machines: name, class, stream, text and fields of every event."""
    return [
        {
            "name": name, "event": event.__name__, "stream": STREAMS[name.split(".", 1)[0]][0], "text": _own_doc(event),
            "fields": [
                {
                    "name": field.encode_name, "type": _type(field.type), "required": field.required,
                    "sealed": field.encode_name in secret_fields(event),
                }
                for field in msgspec.structs.fields(event)
            ],
        }
        for name, event in EVENTS.items()
    ]


def _contents(by_stream: dict[str, list[type[Event]]]) -> str:
    lines = ["| stream | events |", "|---|---|"]
    for prefix, events in by_stream.items():
        title = STREAMS[prefix][0]
        lines.append(f"| [{title}](#{_anchor(title)}) | {', '.join(event.__name__ for event in events)} |")
    return "\n".join(lines) + "\n"


def _stream(prefix: str, events: list[type[Event]]) -> str:
    title, bound = STREAMS[prefix]
    return f"## {title}\n\n{bound}\n\n" + "\n".join(_event(event) for event in events)


def _event(event: type[Event]) -> str:
    lines = [f"### {event.__name__}", "", f"`{event.NAME}`"]
    if doc := _own_doc(event):
        lines += ["", doc]
    fields = [field for field in msgspec.structs.fields(event) if field.name not in _INHERITED]
    if fields:
        sealed = secret_fields(event)
        lines += ["", "| field | type | |", "|---|---|---|"]
        lines += [f"| {field.name} | {_type(field.type)} | {_marks(field, sealed)} |" for field in fields]
    return "\n".join(lines) + "\n"


def _own_doc(event: type[Event]) -> str:
    """The struct's own docstring (not an inherited one), its lines joined."""
    doc = event.__dict__.get("__doc__")
    return inspect.cleandoc(doc).replace("\n", " ") if doc else ""


def _marks(field: msgspec.structs.FieldInfo, sealed: tuple[str, ...]) -> str:
    marks = []
    if field.encode_name in sealed:
        marks.append("**sealed**")
    if not field.required:
        marks.append("optional")
    return ", ".join(marks)


def _type(annotation: Any) -> str:
    """A field's type in the words of a reader: `text`, not `str`; `Secret` is text."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        parts = [part for part in typing.get_args(annotation) if part not in (Sealed, Redacted, type(None))]
        return " or ".join(dict.fromkeys(_type(part) for part in parts))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"map of {_type(arguments[0])} to {_type(arguments[1])}"
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return _struct(annotation)
    named = {
        "str": "text", "int": "integer", "bool": "yes or no", "Decimal": "decimal", "datetime": "moment",
        "UUID": "id", "Any": "any value",
    }
    name = getattr(annotation, "__name__", str(annotation))
    return named.get(name, name)


def _struct(struct: type[msgspec.Struct]) -> str:
    inner = ", ".join(field.name for field in msgspec.structs.fields(struct))
    return f"{struct.__name__} ({inner})"


def _anchor(title: str) -> str:
    return "".join(c if c.isalnum() else "-" if c in " -" else "" for c in title.lower())


if __name__ == "__main__":
    sys.stdout.write(render())

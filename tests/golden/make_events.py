"""Makes a golden sample of every event of the catalogue that has none with all of its fields filled.

    python -m tests.golden.make_events            adds what is missing
    python -m tests.golden.make_events --check    says what is missing, writes nothing

A committed sample is never changed: it is what a log out there holds. An event that gained a field gets another
sample (`NAME.2.json`) beside the old one; an event of a new version has a name of its own.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID, uuid5

import msgspec

from domain.catalogue import EVENTS
from domain.kernel import NAMESPACE, Event, Sealed

FOLDER = Path(__file__).parent / "events"
MOMENT = datetime(2026, 3, 9, 14, 30, 15, 250000, tzinfo=timezone(timedelta(hours=-7)))
"""A day after a change of the clock; the offset must survive."""


def sample_of(event: type[Event]) -> Event:
    """An event with every field filled, none with its default; secrets as the log stores them, sealed."""
    sample = _struct(event, event.NAME)
    assert isinstance(sample, event)
    return sample


def _struct(struct: type[Any], path: str) -> Any:
    values = {field.name: _other_than(field, f"{path}/{field.name}") for field in msgspec.structs.fields(struct)}
    return struct(**values)


def _other_than(field: msgspec.structs.FieldInfo, path: str) -> Any:
    value = _value(field.type, path)
    if value == field.default:
        raise TypeError(f"the sample of {path} is its default, which is not stored: {value!r}")
    return value


_PLAIN: Mapping[Any, Any] = {
    bool: True, int: 7, Decimal: Decimal("12.50"), datetime: MOMENT, date: MOMENT.date(), time: time(8, 30),
}


def _value(kind: Any, path: str) -> Any:
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind is str:
        return "sample_code"
    if kind is UUID:
        return uuid5(NAMESPACE, f"golden/{path}")
    if kind is Any:
        return {"nested": ["value", 1, "2.50"]}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return Sealed("golden-key", f"c2FtcGxl{len(path)}") if kind is Sealed else _struct(kind, path)
    return _generic(kind, path)


def _generic(kind: Any, path: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return arguments[-1]
    if origin in (Union, types.UnionType):
        kinds = [one for one in arguments if one is not type(None)]
        return _value(Sealed if Sealed in kinds else kinds[0], path)
    if origin is tuple:
        kinds = arguments[:1] if arguments[-1] is Ellipsis else arguments
        return tuple(_value(one, f"{path}/{index}") for index, one in enumerate(kinds))
    if origin is dict:
        return {_value(arguments[0], path): _value(arguments[1], f"{path}/value")}
    raise TypeError(f"no sample for {kind!r} at {path}")


def encoded(event: Event) -> Any:
    """What the log stores of it, as JSON builtins."""
    return json.loads(msgspec.json.Encoder(decimal_format="string", uuid_format="canonical").encode(event))


def samples() -> dict[Path, str]:
    """The committed samples: path to the event's name."""
    return {path: _name(path) for path in sorted(FOLDER.glob("*.json"))}


def _name(path: Path) -> str:
    stem = path.name.removesuffix(".json")
    return stem if not stem.rpartition(".")[2].isdigit() else stem.rpartition(".")[0]


def lacking() -> dict[str, set[str]]:
    """Event names to the fields that no committed sample fills (all of them for an event without any)."""
    filled: dict[str, set[str]] = {name: set() for name in EVENTS}
    for path, name in samples().items():
        filled.setdefault(name, set()).update(json.loads(path.read_text()))
    missing = {name: set(event.__struct_encode_fields__) - filled[name] for name, event in EVENTS.items()}
    return {name: fields for name, fields in missing.items() if fields}


def write(name: str) -> Path:
    """A new sample of `name`, beside those that are there."""
    number = sum(1 for known in samples().values() if known == name) + 1
    path = FOLDER / (f"{name}.json" if number == 1 else f"{name}.{number}.json")
    path.write_text(json.dumps(encoded(sample_of(EVENTS[name])), indent=2, sort_keys=True) + "\n")
    return path


def main(arguments: list[str]) -> int:
    missing = lacking()
    for name, fields in missing.items():
        print(f"{name}: {', '.join(sorted(fields))}" if "--check" in arguments else write(name).name)
    return 1 if missing and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""One generator: the marshmallow schema of a request from its command struct.

The commands in `domain/` are the request shapes, so nothing is written twice. The server fills `by` and `now`;
`at` may be left out (then it is now). Unknown fields are refused; a field is required exactly when the struct has no
default for it. marshmallow works at the edge only, never per event.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from inspect import get_annotations
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

import msgspec
from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from api.http.fields import (
    AwareMoment,
    ExactDecimal,
    LocalDate,
    LocalOrAwareMoment,
    LocalTime,
    StrictBoolean,
    StrictId,
    StrictInteger,
    Text,
    is_storable,
)
from domain.kernel import Command

__all__ = ["command_schema", "struct_schema"]

FILLED_BY_SERVER = frozenset({"by", "now"})
CODE_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.:/+-]*"
LONGEST_LIST = 200
LONGEST_CODE = 64
LONGEST_TEXT = 4000

_NEVER_NEGATIVE = (
    "_mg", "_kg", "_cm", "_ml", "_mg_per_h", "_mg_per_kg", "_mg_per_ml", "_percent", "_cents", "_minutes",
)  # fmt: skip


def command_schema(
    command: type[Command],
    *,
    leave_out: frozenset[str] = frozenset(),
    optional: frozenset[str] = frozenset(),
    local_moments: frozenset[str] = frozenset(),
    extra: dict[str, fields.Field[Any]] | None = None,
) -> type[Schema]:
    """The schema of a request for `command`; its load is a dict of the command's own field values.

    `leave_out` are filled from the path, `optional` are ids the server makes when they are missing,
    `local_moments` may be given in the clinic's wall clock, `extra` are fields beside the command's own.
    """
    members: dict[str, Any] = {}
    skipped = FILLED_BY_SERVER | leave_out
    for field in msgspec.structs.fields(command):
        if field.name in skipped:
            continue
        required = field.required and field.name not in optional and field.name != "at"
        if field.name in local_moments:
            made: fields.Field[Any] = LocalOrAwareMoment(required=required)
        else:
            made = _field(field.type, _annotation(command, field.name), field.name, required=required)
        members[field.name] = made
    members.update(extra or {})
    return _made(command.__name__, tuple(members), members)


def _made(name: str, names: tuple[str, ...], members: dict[str, Any]) -> type[Schema]:
    """One class per command and set of fields, so that operations which share it share its name in OpenAPI."""
    known = _MADE.get((name, names))
    if known is None:
        meta = type("Meta", (), {"unknown": RAISE})
        known = _MADE[name, names] = type(name, (Schema,), {**members, "Meta": meta})
    return known


_MADE: dict[tuple[str, tuple[str, ...]], type[Schema]] = {}


@cache
def struct_schema(struct: type[msgspec.Struct]) -> type[Schema]:
    """The schema of a nested struct; its load is the struct itself."""
    members: dict[str, Any] = {
        field.name: _field(field.type, _annotation(struct, field.name), field.name, required=field.required)
        for field in msgspec.structs.fields(struct)
    }
    members["Meta"] = type("Meta", (), {"unknown": RAISE})

    def build(self: Schema, data: dict[str, Any], **kwargs: Any) -> msgspec.Struct:
        return struct(**data)

    members["build"] = post_load(build)
    return type(struct.__name__, (Schema,), members)


def _annotation(struct: type, name: str) -> str:
    """The annotation as written: `Code` and `str` are the same type but not the same thing to a reader."""
    for cls in struct.__mro__:
        written = get_annotations(cls).get(name)
        if written is not None:
            return str(written)
    return ""


def _field(annotation: Any, written: str, name: str, *, required: bool) -> fields.Field[Any]:
    members = [part for part in _members(annotation) if part is not NoneType]
    nullable = len(members) < len(_members(annotation))
    common: dict[str, Any] = {"required": required}
    if nullable:
        common["allow_none"] = True
    if len(members) != 1:
        raise TypeError(f"{name}: no schema for {annotation}")
    return _plain_field(members[0], written, name, common)


def _members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _plain_field(kind: Any, written: str, name: str, common: dict[str, Any]) -> fields.Field[Any]:
    origin = get_origin(kind)
    if origin is Literal:
        return fields.String(validate=validate.OneOf(get_args(kind)), **common)
    if origin is tuple:
        inner = _field(get_args(kind)[0], written.removeprefix("tuple["), name, required=True)
        return _Tuple(inner, validate=validate.Length(max=LONGEST_LIST), **common)
    if origin is dict:
        return _dict_field(kind, written, name, common)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return fields.Nested(struct_schema(kind), **common)
    makers: dict[Any, Callable[..., fields.Field[Any]]] = {
        bool: StrictBoolean, UUID: StrictId, datetime: AwareMoment, date: LocalDate, time: LocalTime,
    }
    if kind in makers:
        return makers[kind](**common)
    if kind is int:
        return StrictInteger(low=0 if name.endswith(_NEVER_NEGATIVE) else -1_000_000_000, **common)
    if kind is Decimal:
        return ExactDecimal(negative=not name.endswith(_NEVER_NEGATIVE), **common)
    if kind is str:
        return _text(written, common)
    raise TypeError(f"{name}: no schema for {kind}")


def _text(written: str, common: dict[str, Any]) -> Text:
    if "Code" in written:
        return Text(longest=LONGEST_CODE, pattern=CODE_PATTERN, **common)
    return Text(longest=LONGEST_TEXT, **common)


def _dict_field(kind: Any, written: str, name: str, common: dict[str, Any]) -> fields.Field[Any]:
    value_type = get_args(kind)[1]
    values = AnyJson() if value_type is Any else _field(value_type, written.partition(",")[2], name, required=True)
    keys = Text(longest=LONGEST_CODE, pattern=CODE_PATTERN)
    return fields.Dict(keys=keys, values=values, validate=validate.Length(max=LONGEST_LIST), **common)


class _Tuple(fields.List[Any]):
    """A JSON array; the structs hold tuples."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(value, list):
            raise ValidationError("Not an array.")
        return tuple(super()._deserialize(value, *args, **kwargs))


class AnyJson(fields.Field[Any]):
    """Any JSON value of bounded size: the new value of a field that an amendment corrects."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if sys.getsizeof(str(value)) > 2 * LONGEST_TEXT:
            raise ValidationError("Too large.")
        _check_storable(value)
        return value


def _check_storable(value: Any) -> None:
    if isinstance(value, str) and not is_storable(value):
        raise ValidationError("Holds a character that cannot be stored.")
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_storable(key)
            _check_storable(inner)
    if isinstance(value, list):
        for inner in value:
            _check_storable(inner)

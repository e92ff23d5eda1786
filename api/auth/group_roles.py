"""What the groups of an identity provider mean here: each a role, at some clinics or at all.

The setting is JSON: `{"pain-managers": {"role": "manager", "clinics": "all"}, "harbor-nurses": {"role": "nurse",
"clinics": ["0b9d2f34-..."]}}`. A group that does not stand there means nothing; who has none that does is not let in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from domain.kernel import Role
from domain.vocabulary.people import STAFF_ROLES

__all__ = ["BadGroupRoles", "GroupRole", "parse", "roles_of"]


class BadGroupRoles(ValueError):
    """The setting cannot be read; the text says where."""


@dataclass(frozen=True, kw_only=True)
class GroupRole:
    """What one group means; `clinics` None is every clinic."""

    group: str
    role: Role
    clinics: frozenset[UUID] | None


def parse(text: str) -> tuple[GroupRole, ...]:
    """The setting's meaning. Raises `BadGroupRoles`."""
    try:
        given = json.loads(text or "{}")
    except ValueError as error:
        raise BadGroupRoles("it is not JSON") from error
    if not isinstance(given, dict):
        raise BadGroupRoles("it is not an object of groups")
    return tuple(_one(group, meaning) for group, meaning in given.items())


def _one(group: str, meaning: object) -> GroupRole:
    if not isinstance(meaning, dict) or set(meaning) != {"role", "clinics"}:
        raise BadGroupRoles(f"{group!r} needs role and clinics, and nothing else")
    role = next((one for one in STAFF_ROLES if one == meaning["role"]), None)
    if role is None:
        raise BadGroupRoles(f"{group!r}: {meaning['role']!r} is no role of a person")
    if meaning["clinics"] == "all":
        return GroupRole(group=group, role=role, clinics=None)
    try:
        clinics = frozenset(UUID(clinic) for clinic in meaning["clinics"])
    except (ValueError, TypeError, AttributeError) as error:
        raise BadGroupRoles(f"{group!r}: clinics are \"all\" or a list of clinic ids") from error
    if not clinics or isinstance(meaning["clinics"], str):
        raise BadGroupRoles(f"{group!r}: clinics are \"all\" or a list of clinic ids")
    return GroupRole(group=group, role=role, clinics=clinics)


def roles_of(groups: Iterable[str], meanings: Iterable[GroupRole]) -> dict[Role, frozenset[UUID] | None]:
    """The roles of somebody in these groups; the clinics of groups of one role are put together."""
    held, found = set(groups), dict[Role, frozenset[UUID] | None]()
    for meaning in meanings:
        if meaning.group not in held:
            continue
        before = found.get(meaning.role, frozenset())
        found[meaning.role] = None if before is None or meaning.clinics is None else before | meaning.clinics
    return found

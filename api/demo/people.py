"""Who can sign in to the demo: one account per role, all with one password made for this demo.

The accounts are marked as the demo's: production settings let none of them in.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from uuid import UUID

from api.auth.grants import Grant
from api.auth.identity import Identity
from api.auth.keys import KeyRegistry
from api.demo.clinics import Clinic
from domain.kernel import Role

__all__ = ["NAMES", "make_people", "make_password"]

NAMES: tuple[Role, ...] = ("owner", "manager", "auditor", "biller", "nurse", "prescriber", "front_desk")
"""They sign in with the name of their role."""

WORDS = """
    amber anchor apricot autumnal basket beacon bramble bridge cabin candle canvas cedar chalk cherry clover
    cobalt copper coral cotton cricket crystal cypress daisy ember fable falcon feather fennel fiddle garnet
    glacier granite hammock harvest hazel heather indigo island ivory jasmine kettle ladder lagoon lantern lemon
    lilac linen marble meadow mitten mosaic nutmeg oyster paddle pebble pepper pigeon plum quartz quilt raven
    river saddle saffron sailor sparrow spruce teapot thimble thunder timber tulip turnip umbrella velvet violin
    walnut willow window yonder
"""


def make_password() -> str:
    """Four words: easy to type from a terminal, and nobody else's demo has the same."""
    return " ".join(secrets.choice(WORDS.split()) for _ in range(4))


def make_people(identity: Identity, registry: KeyRegistry, clinics: Sequence[Clinic], password: str) -> str:
    """Makes the accounts; the owner's user id. Owner, manager, auditor and biller see all clinics, the others one."""
    harbor = clinics[0]
    staff: dict[Role, UUID] = {"nurse": harbor.nurses[0], "prescriber": harbor.prescribers[0]}
    ids: dict[Role, str] = {}
    for role in NAMES:
        name = role.replace("_", " ")
        ids[role] = registry.create_user(f"Demo {name}", staff_id=staff.get(role))
        identity.accounts.create(f"Demo {name}", password, sign_in_name=name, user_id=ids[role], demo=True)
        everywhere = role in ("owner", "manager", "auditor", "biller")
        clinics_of_role = None if everywhere else frozenset({harbor.clinic_id})
        identity.grants.set(ids[role], [Grant(role=role, clinics=clinics_of_role)])
    return ids["owner"]

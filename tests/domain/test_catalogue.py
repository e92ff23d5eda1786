"""The catalogue: every event of the design by a stable name, every coded list within reach."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from domain.catalogue import EVENTS
from domain.kernel import Event, secret_fields

DOMAIN = Path(__file__).parents[2] / "domain"


@pytest.mark.parametrize(("name", "event"), EVENTS.items(), ids=EVENTS)
def test_names_are_stable_and_versioned(name: str, event: type[Event]) -> None:
    assert name == event.NAME
    assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)+\.v[1-9][0-9]*", name)


def test_no_event_class_is_left_out() -> None:
    """Read from the source, so an event in a module that the catalogue does not know is found."""
    defined = set()
    for path in DOMAIN.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any(
                isinstance(base, ast.Name) and base.id == "Event" for base in node.bases
            ):
                defined.add(node.name)
    assert {event.__name__ for event in EVENTS.values()} == defined


def test_events_are_frozen() -> None:
    assert all(event.__struct_config__.frozen for event in EVENTS.values())


IDENTIFYING = {"family_name", "given_name", "birth_date", "phone", "email", "address", "identifiers", "full_name",
               "driver_name", "driver_phone", "hospital", "payer", "member_number", "referred_by", "number", "text",
               "given_to", "recipient"}
FREE_TEXT = {"note", "notes", "reason", "late_reason", "description", "explanation"}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_what_identifies_a_person_or_is_free_text_is_sealed(event: type[Event]) -> None:
    """By name, so that a new event cannot forget it. Clear texts that are about no patient are listed here."""
    clear = {("clinic.price_list_published.v1", "description"), ("system.metric_definition_published.v1", "text")}
    secrets = set(secret_fields(event))
    for field in event.__struct_encode_fields__:
        if field in IDENTIFYING | FREE_TEXT and (event.NAME, field) not in clear:
            assert field in secrets, field


def test_the_events_named_by_the_user_are_there() -> None:
    assert {"course.consultation_held.v1", "infusion.given.v1", "infusion.side_effect_reported.v1",
            "course.booster_scheduled.v1"} <= set(EVENTS)


def test_the_domain_imports_nothing_of_the_other_layers() -> None:
    for path in DOMAIN.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                assert name.split(".")[0] not in {"services", "projections", "api", "tests"}, (path, name)

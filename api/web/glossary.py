"""The glossary: every figure's one written definition, with all its versions."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from flask import Blueprint, Response

from api.web.page import render
from api.web.tables import Column, Table, cell, row_of
from projections.metrics import definitions
from projections.metrics.definitions import DEFINITIONS, Definition

blueprint = Blueprint("web_glossary", __name__)

GROUPS: tuple[tuple[str, Sequence[Definition]], ...] = (
    ("The day", definitions.BOARD),
    ("Rooms and time", definitions.ROOMS), ("Punctuality", definitions.PUNCTUALITY),
    ("Attendance", definitions.ATTENDANCE), ("Relief", definitions.RELIEF),
    ("The path through care", (*definitions.PATH, *definitions.FUNNEL_STEPS)),
    ("Boosters", definitions.BOOSTERS), ("Safety", definitions.SAFETY),
)  # fmt: skip


class Entry(msgspec.Struct, frozen=True):
    """One term: the definition in force and those that figures were made by before."""

    now: Definition
    before: tuple[Definition, ...]


def entries(some: Sequence[Definition]) -> list[Entry]:
    """The terms of a group in its order, each once, with every version that there was."""
    versions: dict[str, list[Definition]] = {one.name: [] for one in some}
    for one in DEFINITIONS:
        if one.name in versions:
            versions[one.name].append(one)
    ordered = [sorted(each, key=lambda one: one.version, reverse=True) for each in versions.values()]
    return [Entry(each[0], tuple(each[1:])) for each in ordered]


def groups() -> list[tuple[str, list[Entry]]]:
    """All terms by group; what stands in no group comes last."""
    grouped = {one.name for _, some in GROUPS for one in some}
    others = [one for one in DEFINITIONS if one.name not in grouped]
    named = [*GROUPS, *([("More", others)] if others else [])]
    return [(title, entries(some)) for title, some in named]


@blueprint.get("/glossary")
def show() -> Response:
    """All definitions on one page."""
    table = Table(
        name="glossary", title="All definitions",
        columns=(Column("name", "Name"), Column("version", "Version", numeric=True), Column("title", "Title"),
                 Column("unit", "Unit"), Column("text", "Definition"), Column("formula", "Formula")),
        rows=tuple(row_of(one.name, cell(one.version), one.title, one.unit, one.text, one.formula)
                   for one in DEFINITIONS),
    )
    return render(
        "glossary.html", title="Glossary", active="web_glossary.show", tables=[table], groups=groups(),
        lede="One definition for all clinics. A new meaning is a new version; every figure names the version it was "
             "made by.",
    )

"""`anodyne import fhir DIR`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from api.cli.command import speaks
from api.cli.output import AskedWrongly, Output
from api.cli.system import services

if TYPE_CHECKING:
    from api.bootstrap import Services

__all__ = ["COMMANDS"]


@click.group("import")
def imports() -> None:
    """Read other software's exports."""


@imports.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--clinic", required=True, type=click.UUID, help="The clinic where the patients are registered.")
@speaks
def fhir(output: Output, folder: Path, clinic: UUID) -> None:
    """Import a FHIR R4 bulk export (.ndjson, .ndjson.gz) from FOLDER.

    Reads Patient, Condition, Observation, MedicationRequest, Procedure and AllergyIntolerance. Importing twice adds
    nothing. What cannot be used is counted by reason; a broken line stops nothing.
    """
    from api.fhir.importing import FhirImport
    from domain import clinic as clinics

    with services() as opened, output.progress("importing") as advance:
        if opened.handling.current(clinics, clinic).version == 0:
            raise AskedWrongly(f"there is no clinic {clinic}", code="unknown-clinic")
        importer = FhirImport(opened, opened.log, id_key=_id_key(opened))
        report = importer.run(
            folder, clinic_for=lambda patient: clinic, now=opened.clock.now,
            progress=lambda what, done, total: advance(done, total) if what == "importing" else None,
        )
    data = report.as_dict()
    lines = [f"{report.lines:,} lines in {len(report.files)} files: {report.patients} new patients, "
             f"{report.events:,} new events"]
    for title in ("used", "already", "unused"):
        counts: dict[str, int] = data[title]
        if counts:
            lines.append({"used": "used", "already": "there already", "unused": "not used"}[title])
            lines += [f"  {count:>7,}  {name}" + _where(title, data, name) for name, count in counts.items()]
    output.result(data, "\n".join(lines))


def _id_key(opened: Services) -> bytes:
    """The installation's secret; in the demo's log the demo's own, so that its patients are recognised."""
    if opened.log.mode() == "simulation":
        from api.demo.load import ID_KEY

        return ID_KEY
    return opened.settings.secret()


def _where(title: str, data: dict[str, dict[str, list[str]]], name: str) -> str:
    places = data["examples"].get(name, []) if title == "unused" else []
    return f"   e.g. {places[0]}" if places else ""


COMMANDS = {"import": imports}

"""Finding a patient by the beginning of the name. The search is a POST, so that names stay out of addresses."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, redirect, request, url_for
from marshmallow import EXCLUDE, Schema, fields, validate
from werkzeug.wrappers import Response as AnyResponse

from api.http.access import opened
from api.http.context import principal, wired
from api.web.address import link, parameters
from api.web.names import name_of
from api.web.page import may, render
from api.web.tables import Cell, Column, Table, cell
from api.web.wording import words
from projections.directory import Person, find

blueprint = Blueprint("web_patients", __name__)

PAGE = 50
CHUNK = 500
"""So many at a time for the CSV of everybody."""


class _Asked(Schema):
    """The beginning of a name, or a patient's id; `after` opens the next page."""

    class Meta:
        """The table is read elsewhere."""

        unknown = EXCLUDE

    q = fields.String(load_default="", validate=validate.Length(max=200))
    after = fields.UUID()


@blueprint.route("/patients", methods=["GET", "POST"], endpoint="find")
def find_patient() -> AnyResponse:
    """Whom the reader's clinics care for, by name; a full id leads to its chart."""
    asked = parameters(_Asked, (request.form if request.method == "POST" else request.args).to_dict())
    wanted = asked["q"].strip()
    if (patient := _as_id(wanted)) is not None and may("web_patients.show"):
        return redirect(url_for("web_patients.show", patient_id=patient), code=303)
    whole = request.args.get("format") == "csv" and not wanted
    found = _everybody() if whole else _found(wanted, asked.get("after"))
    page = found if whole else found[:PAGE]
    opened("patients.search", count=len(page))
    more = link(after=page[-1].patient_id) if len(found) > PAGE and not wanted and not whole else None
    return _page(wanted, page, more, cut_off=len(found) > PAGE and bool(wanted))


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


def _found(wanted: str, after: UUID | None, limit: int = PAGE + 1) -> list[Person]:
    clinics, read_side = principal().clinics, wired().read_side
    with read_side.database.reads.connect() as connection:
        return find(
            connection, read_side.indexes, clinics=None if clinics is None else [str(one) for one in clinics],
            name=wanted.replace(",", " ") or None, after=None if after is None else str(after), limit=limit,
        )


def _everybody() -> list[Person]:
    """The whole list, as a CSV has it. What was searched for is in no address, so a search has none."""
    found = part = _found("", None, CHUNK)
    while len(part) == CHUNK:
        part = _found("", UUID(part[-1].patient_id), CHUNK)
        found = found + part
    return found


def _page(wanted: str, page: list[Person], more: str | None, *, cut_off: bool) -> Response:
    opens = may("web_patients.show")
    return render(
        "patients.html", title="Patients", active="web_patients.find", wanted=wanted, more=more, cut_off=cut_off,
        lede="Everybody whom your clinics care for, by name.",
        tables=[Table(
            name="patients", title="Found" if wanted else "Everybody",
            empty=f"No patient whose name begins with “{wanted}” is in the care of your clinics." if wanted
            else "Nobody is in the care of your clinics yet.",
            columns=(Column("name", "Name"), Column("born", "Born"), Column("sex", "Sex"), Column("id", "Id"),
                     Column("merged", "Merged into", on_page=False)),
            rows=tuple(_row(one, opens) for one in page),
        )],
    )  # fmt: skip


def _row(one: Person, opens: bool) -> tuple[Cell, ...]:
    href = f"/patients/{one.merged_into or one.patient_id}" if opens else None
    return (
        cell(name_of(one) or "name not readable", href=href, note="merged into another" if one.merged_into else ""),
        cell(one.birth_date), cell(words(one.sex) if one.sex else None), cell(one.patient_id, one.patient_id[:8]),
        cell(one.merged_into),
    )  # fmt: skip

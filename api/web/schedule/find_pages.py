"""Finding a patient by the family name, on the way to a form. A name is sent in a form, never in an address."""

from __future__ import annotations

from uuid import UUID

from flask import Response, request

from api.web.schedule import choosing
from api.web.schedule.place import blueprint, desk
from api.web.schedule.views import show

WAYS = {"book": "Book a visit", "series": "Book a series", "waitlist": "Waitlist"}
KEPT = ("on", "room", "at", "kind")
"""What of the way here goes on with the patient: the day, the room and time that were clicked, the kind of visit."""


@blueprint.post("/<uuid:clinic_id>/find")
def find(clinic_id: UUID) -> Response:
    """Patients of this clinic, each with the way on."""
    at = desk(clinic_id)
    to = request.form.get("to", "")
    if to not in WAYS:
        to = "book"
    people = choosing.found_by_name(at)
    kept = {name: request.form[name] for name in KEPT if request.form.get(name)}
    return show("find", at, title=WAYS[to], tab=to, day=at.today, people=people, to=to, kept=kept, given=request.form)

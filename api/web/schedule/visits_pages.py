"""All visits of one patient at the reader's clinics: what a desk reads out, or prints, when a series is booked."""

from __future__ import annotations

from uuid import UUID

from flask import redirect
from werkzeug.wrappers import Response as AnyResponse

from api.http.context import principal, wired
from api.http.resources.patient_reads import with_merged
from api.web.address import clinic_name
from api.web.schedule import choosing
from api.web.schedule.place import FormSlip, blueprint, desk
from api.web.schedule.views import show
from api.web.visits import visit_tables
from projections.patient_visits import visits
from projections.timeline import standing_entries


@blueprint.get("/<uuid:clinic_id>/visits")
def of_patient(clinic_id: UUID) -> AnyResponse:
    """The visits to come first; without a patient in the address today's sheet."""
    at = desk(clinic_id)
    try:
        found = choosing.patient_found(at)
    except FormSlip:
        found = None
    if found is None:
        return redirect(at.to("day", local_date=at.today), code=303)
    patient_id, name = found
    entries = standing_entries(wired().services.log, with_merged(patient_id), as_of=at.known.now)
    seen = [one for one in visits(entries, lambda one: clinic_name(str(one)).timezone) if principal().sees(one.clinic)]
    return show("visits", at, title=name, day=at.today, tables=visit_tables(seen, at.known.now), patient_id=patient_id)

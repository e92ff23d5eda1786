"""What a key may see: a clinic in its set, a patient one of its clinics cares for, what happened at its clinics.

Everything else answers the one 404, so that an id of another clinic cannot be told from a random one. Ids in bodies
are checked like ids in paths. An act takes place at one clinic: that of the path, of the visit, of `X-Clinic-Id`, of
the key that has one clinic only, or else the patient's home clinic.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from threading import Lock
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Response, after_this_request, g, request

from api.http.context import principal, wired
from api.http.idempotency import CLINIC_HEADER, id_for
from api.http.problems import Problem, not_found
from domain import clinic, course
from domain.kernel import derived_id
from domain.patient import patient
from services.handling import Loaded
from services.log import Idempotency
from services.use_cases.oversight import day_of, emergency_until

__all__ = [
    "ASK_FOR_THE_CLINIC", "EMERGENCY_HEADER", "Call", "Origin", "Origins", "Place", "check_references",
    "clinic_state", "course_state", "in_emergency", "is_clinic", "new_clinic", "new_course", "new_lot", "new_patient",
    "new_staff", "new_visit", "of_clinic", "of_course", "of_diary", "of_lot", "of_patient", "of_sheet", "of_staff",
    "of_visit", "patient_state", "see_clinic", "see_lot", "see_patient", "see_staff", "see_visit", "sheet_id",
    "timezone_of",
]


EMERGENCY_HEADER = "Anodyne-Emergency-Access"
"""Until when: on every answer that is given by emergency access only."""

EMERGENCY_ROLES = frozenset({"prescriber", "nurse"})


@dataclass(frozen=True)
class Call:
    """One request for a command: where its stream is looked for."""

    path: Mapping[str, Any]
    body: Mapping[str, Any]
    request_key: Idempotency


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a command goes, and at which clinic it acts, for which patient."""

    stream_id: UUID
    clinic_id: UUID | None
    patient_id: UUID | None = None


@dataclass(frozen=True)
class Origin:
    """What never changes about a stream: its first event's name, clinic and patient."""

    name: str
    clinic_id: UUID | None
    subject: UUID | None


class Origins:
    """Origins of streams, remembered (bounded)."""

    def __init__(self, size: int = 16_384) -> None:
        self._size = size
        self._known: OrderedDict[UUID, Origin] = OrderedDict()
        self._lock = Lock()

    def of(self, stream_id: UUID) -> Origin | None:
        """The origin of a stream; None when nothing has been written to it."""
        with self._lock:
            known = self._known.get(stream_id)
            if known is not None:
                self._known.move_to_end(stream_id)
                return known
        first = wired().services.log.first_of(stream_id)
        if first is None:
            return None
        origin = Origin(first.name, first.clinic_id, first.subject)
        with self._lock:
            self._known[stream_id] = origin
            if len(self._known) > self._size:
                self._known.popitem(last=False)
        return origin


# --- seeing --------------------------------------------------------------------------------------


def _origin(stream_id: UUID, kind: str) -> Origin:
    origin = wired().origins.of(stream_id)
    if origin is None or not origin.name.startswith(kind + "."):
        raise not_found()
    return origin


def clinic_state(clinic_id: UUID) -> Loaded:
    """The clinic as it stands now; raises the 404 unless it exists (whoever asks)."""
    loaded = wired().services.handling.current(clinic, clinic_id)
    if loaded.version == 0:
        raise not_found()
    return loaded


def is_clinic(clinic_id: UUID) -> bool:
    """Whether such a clinic has been opened (whoever asks)."""
    origin = wired().origins.of(clinic_id)
    return origin is not None and origin.name.startswith("clinic.")


def see_clinic(clinic_id: UUID) -> None:
    """Raises the 404 unless the clinic exists and is one of the caller's."""
    if not principal().sees(clinic_id):
        raise not_found()
    _origin(clinic_id, "clinic")


def patient_state(patient_id: UUID) -> Loaded:
    """The patient as it stands now; raises the 404 unless one of the caller's clinics cares for them, or the caller
    reads by emergency access."""
    _origin(patient_id, "patient")
    loaded = wired().services.handling.current(patient, patient_id)
    clinics = principal().clinics
    if clinics is not None and not clinics & loaded.state.care and not _in_emergency(patient_id):
        raise not_found()
    return loaded


def _in_emergency(patient_id: UUID) -> bool:
    """Whether the caller reads this record by emergency access: then every answer says so, and so does its entry in
    the access log. Reading only: whatever is written, is written by those who care for the patient."""
    who, services = principal(), wired().services
    if request.method not in ("GET", "HEAD") or who.role not in EMERGENCY_ROLES:
        return False
    until = emergency_until(services.log, patient_id, who.actor_id, services.clock.now())
    if until is None:
        return False
    if g.get("emergency") is None:
        g.emergency = until
        after_this_request(_tell_emergency)
    return True


def _tell_emergency(response: Response) -> Response:
    response.headers[EMERGENCY_HEADER] = g.emergency.isoformat()
    return response


def see_patient(patient_id: UUID) -> None:
    """Raises the 404 unless one of the caller's clinics cares for the patient."""
    patient_state(patient_id)


def course_state(course_id: UUID) -> Loaded:
    """The course; raises the 404 unless its patient is one the caller may see."""
    origin = _origin(course_id, "course")
    if origin.subject is None:
        raise not_found()
    see_patient(origin.subject)
    return wired().services.handling.current(course, course_id)


def see_visit(infusion_id: UUID) -> Origin:
    """The visit's origin; raises the 404 unless it is at one of the caller's clinics (or read in an emergency)."""
    origin = _origin(infusion_id, "infusion")
    if not principal().sees(origin.clinic_id) and (origin.subject is None or not _in_emergency(origin.subject)):
        raise not_found()
    return origin


def _see_visit_or_patient(infusion_id: UUID) -> None:
    """A visit may be referred to by those who see its patient too (a course that moved to another clinic)."""
    origin = _origin(infusion_id, "infusion")
    if not principal().sees(origin.clinic_id):
        if origin.subject is None:
            raise not_found()
        see_patient(origin.subject)


def see_staff(staff_id: UUID) -> None:
    """Raises the 404 unless the member of staff exists (staff belong to the organisation)."""
    _origin(staff_id, "staff")


def see_lot(clinic_id: UUID, lot_id: UUID) -> None:
    """Raises the 404 unless the lot is in the cabinet of that clinic and the clinic is one of the caller's."""
    see_clinic(clinic_id)
    if _origin(lot_id, "drug_lot").clinic_id != clinic_id:
        raise not_found()


def check_references(body: Mapping[str, Any], place: Place) -> None:
    """Raises the 404 when the body names a patient, course, visit or clinic that the caller may not see."""
    for name, value in body.items():
        if not isinstance(value, UUID):
            continue
        if name in ("patient_id", "survivor_id"):
            if value != place.patient_id:
                see_patient(value)
        elif name == "course_id":
            course_state(value)
        elif name in ("infusion_id", "after_infusion_id"):
            _see_visit_or_patient(value)
        elif name in ("clinic_id", "to_clinic_id"):
            _origin(value, "clinic")
        elif name == "home_clinic_id":
            see_clinic(value)
        elif name in ("staff_id", "prescriber_id", "nurse_id", "witness_id"):
            see_staff(value)


# --- the acting clinic ---------------------------------------------------------------------------


def acting_clinic(home: UUID | None = None, cared_by: frozenset[UUID] | None = None) -> UUID:
    """Where the act takes place when the path does not say; raises `Problem` 400, or the 404 for a clinic not seen."""
    who = principal()
    given = request.headers.get(CLINIC_HEADER)
    if given is not None:
        try:
            clinic_id = UUID(given)
        except ValueError as error:
            raise Problem(400, "invalid-clinic-header", f"{CLINIC_HEADER} is not a UUID.") from error
        see_clinic(clinic_id)
        return clinic_id
    mine = who.clinics
    if mine is not None and len(mine) == 1:
        return next(iter(mine))
    if home is not None and who.sees(home):
        return home
    shared = sorted((cared_by or frozenset()) & (mine or frozenset()))
    if len(shared) == 1:
        return shared[0]
    raise Problem(400, "clinic-needed", f"This key has several clinics: say which one acts, in {CLINIC_HEADER}.")


def _caring_clinic(patient_id: UUID) -> UUID:
    """The acting clinic of a command about the patient, one that cares for them; raises the 404.

    Where the caller's clinic is plain, the patient is taken as last seen here, which saves a round trip: the use case
    makes sure of the care relation under the save's own check. What does not show here is asked of the log.
    """
    _origin(patient_id, "patient")
    mine = principal().clinics
    if CLINIC_HEADER in request.headers or (mine is not None and len(mine) == 1):
        clinic_id = acting_clinic()
        if clinic_id in wired().services.handling.recent(patient, patient_id).state.care:
            return clinic_id
    state: patient.State = patient_state(patient_id).state
    clinic_id = acting_clinic(state.home_clinic_id, state.care)
    if clinic_id not in state.care:
        raise not_found()
    return clinic_id


# --- places of commands --------------------------------------------------------------------------


def of_clinic(call: Call) -> Place:
    """The clinic of the path."""
    clinic_id = call.path["clinic_id"]
    see_clinic(clinic_id)
    return Place(stream_id=clinic_id, clinic_id=clinic_id)


def new_clinic(call: Call) -> Place:
    """A clinic that is being opened; only a key for all clinics may."""
    if principal().clinics is not None:
        raise Problem(403, "not-permitted", "Only a key for all clinics may open another.")
    clinic_id = id_for(call.request_key, "clinic")
    return Place(stream_id=clinic_id, clinic_id=clinic_id)


def new_staff(call: Call) -> Place:
    """A new member of staff: of the organisation, not of one clinic."""
    return Place(stream_id=id_for(call.request_key, "staff"), clinic_id=None)


def of_staff(call: Call) -> Place:
    """The member of staff of the path."""
    staff_id = call.path["staff_id"]
    _origin(staff_id, "staff")
    return Place(stream_id=staff_id, clinic_id=None)


def new_patient(call: Call) -> Place:
    """A patient being registered, at their home clinic."""
    home = call.body["home_clinic_id"]
    see_clinic(home)
    return Place(stream_id=id_for(call.request_key, "patient"), clinic_id=home)


def of_patient(call: Call) -> Place:
    """The patient of the path; the act takes place at the acting clinic."""
    patient_id = call.path["patient_id"]
    clinic_id = _caring_clinic(patient_id)
    return Place(stream_id=patient_id, clinic_id=clinic_id, patient_id=patient_id)


def of_diary(call: Call) -> Place:
    """The diary of the patient of the path."""
    place = of_patient(call)
    diary_id = derived_id("diary", place.patient_id)
    return Place(stream_id=diary_id, clinic_id=place.clinic_id, patient_id=place.patient_id)


def new_course(call: Call) -> Place:
    """A course that begins with its first consultation, for the patient of the body."""
    patient_id = call.body["patient_id"]
    clinic_id = _caring_clinic(patient_id)
    return Place(stream_id=id_for(call.request_key, "course"), clinic_id=clinic_id, patient_id=patient_id)


def of_course(call: Call) -> Place:
    """The course of the path."""
    course_id = call.path["course_id"]
    state = course_state(course_id).state
    clinic_id = _caring_clinic(state.patient_id)
    return Place(stream_id=course_id, clinic_id=clinic_id, patient_id=state.patient_id)


def new_visit(call: Call) -> Place:
    """A visit that begins with the arrival of the patient of the body, at the acting clinic."""
    patient_id = call.body["patient_id"]
    clinic_id = _caring_clinic(patient_id)
    return Place(stream_id=id_for(call.request_key, "infusion"), clinic_id=clinic_id, patient_id=patient_id)


def in_emergency(call: Call) -> Place:
    """Any patient there is, for somebody at the acting clinic: what that costs is an event (`domain/emergency.py`)."""
    patient_id = call.path["patient_id"]
    _origin(patient_id, "patient")
    clinic_id = acting_clinic()
    return Place(
        stream_id=day_of(clinic_id, wired().services.clock.now()), clinic_id=clinic_id, patient_id=patient_id
    )


def of_visit(call: Call) -> Place:
    """The visit of the path, at the clinic where it takes place."""
    infusion_id = call.path["infusion_id"]
    origin = see_visit(infusion_id)
    return Place(stream_id=infusion_id, clinic_id=origin.clinic_id, patient_id=origin.subject)


def sheet_id(clinic_id: UUID, local_date: date) -> UUID:
    """The day sheet of a clinic's local day."""
    return derived_id("day_sheet", clinic_id, local_date.isoformat())


def of_sheet(call: Call) -> Place:
    """The day sheet of the path's clinic and local date."""
    clinic_id, local_date = call.path["clinic_id"], call.path["local_date"]
    see_clinic(clinic_id)
    return Place(stream_id=sheet_id(clinic_id, local_date), clinic_id=clinic_id)


def new_lot(call: Call) -> Place:
    """The lot that vials are received into: named by clinic, NDC and lot number."""
    clinic_id = call.path["clinic_id"]
    see_clinic(clinic_id)
    lot_id = derived_id("drug_lot", clinic_id, call.body["ndc"], call.body["lot_number"])
    return Place(stream_id=lot_id, clinic_id=clinic_id)


def of_lot(call: Call) -> Place:
    """A lot in the cabinet of the path's clinic."""
    clinic_id, lot_id = call.path["clinic_id"], call.path["lot_id"]
    see_lot(clinic_id, lot_id)
    return Place(stream_id=lot_id, clinic_id=clinic_id)


def timezone_of(clinic_id: UUID) -> ZoneInfo:
    """The clinic's own zone."""
    return ZoneInfo(clinic_state(clinic_id).state.timezone)


ASK_FOR_THE_CLINIC = frozenset({in_emergency, of_patient, of_diary, new_course, of_course, new_visit})
"""Places where `X-Clinic-Id` is heeded: elsewhere the path or the visit says where the act takes place."""

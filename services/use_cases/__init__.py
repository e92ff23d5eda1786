"""For every command of the domain: which streams it writes, what it must know of others, whom and where it concerns.

`use_cases(log)` is the registry that `CommandHandling` dispatches on. What `stream_id` is for each kind:
clinic, staff, patient, course, infusion: the stream itself; appointments: the day sheet's derived id (or, for
booking, the clinic's); diaries: the diary's derived id with `Request.patient_id`, or the patient's id; drug
lots: the lot's derived id. A patient outside the acting clinic's care is `NotFound`.
"""

from __future__ import annotations

from domain.kernel import Command
from services.handling import UseCase
from services.use_cases import (
    appointments,
    cabinets,
    clinics,
    corrections,
    courses,
    diaries,
    infusions,
    oversight,
    patients,
    series,
    staff,
    waitlist,
)
from services.use_cases.case import Reader

__all__ = ["Reader", "use_cases"]


def use_cases(reader: Reader) -> dict[type[Command], UseCase]:
    """Every command's use case; `reader` is the event log (claims and a patient's records are facts too)."""
    return {
        **clinics.use_cases(reader),
        **staff.use_cases(),
        **patients.use_cases(reader),
        **courses.use_cases(reader),
        **appointments.use_cases(reader),
        **series.use_cases(reader),
        **waitlist.use_cases(reader),
        **infusions.use_cases(reader),
        **diaries.use_cases(),
        **cabinets.use_cases(reader),
        **corrections.use_cases(reader),
        **oversight.use_cases(),
    }

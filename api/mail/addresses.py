"""Where somebody is written to: the address is unsealed at the moment of sending and kept nowhere."""

from __future__ import annotations

import re
from uuid import UUID

from api.bootstrap import Services
from domain.corrections import EntryAmended, EntryStruck
from domain.kernel import Recorded
from domain.patient.registration import DemographicsCorrected, PatientRegistered
from domain.staff import StaffJoined

__all__ = ["email_of"]

_ADDRESS = re.compile(r"[^@\s<>,;:\"\\()\[\]]{1,64}@[^@\s<>,;:\"\\()\[\]]{1,190}", re.ASCII)


def email_of(services: Services, stream_id: UUID) -> str | None:
    """The e-mail address that stands in a patient's or a staff member's record; None without one, or once erased."""
    records = services.log.read_stream(stream_id)
    struck = {one.event.entry for one in records if isinstance(one.event, EntryStruck)}
    for record in reversed(records):
        if record.version in struck or _about(record) in struck:
            continue
        given = _given(services, record)
        if given is not None:
            return given if _ADDRESS.fullmatch(given) else None
    return None


def _about(record: Recorded) -> int | None:
    return record.event.entry if isinstance(record.event, EntryAmended) else None


def _given(services: Services, record: Recorded) -> str | None:
    event = record.event
    if isinstance(event, PatientRegistered | DemographicsCorrected | StaffJoined):
        value = services.unsealer.unseal(record, "email", event.email)
    elif isinstance(event, EntryAmended) and "email" in event.sealed:
        value = services.unsealer.unseal(record, "sealed/email", event.sealed["email"])
    else:
        return None
    return value.strip() if isinstance(value, str) and value.strip() else None

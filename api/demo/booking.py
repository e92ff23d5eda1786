"""What the front desk knows of a visit before it begins, and what chance or the script has in store for it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api.demo.clinics import Clinic
from api.demo.parameters import PARAMETERS as P


@dataclass
class Booking:
    """What the front desk knows of a visit."""

    clinic: Clinic
    appointment_id: UUID
    room: UUID
    nurse: UUID
    starts: datetime
    ends: datetime
    visit_kind: str


@dataclass(frozen=True)
class Twists:
    """What is special about this visit; drawn by chance, or set by a scripted episode."""

    verbal_order: bool = False
    over_soft: bool = False
    over_hard: bool = False
    no_driver: bool = False
    paused: bool = False
    low_oxygen: bool = False
    stops_early: str | None = None
    walks_out: bool = False
    to_hospital: bool = False
    late_vitals: bool = False
    long_recovery_minutes: int = 0
    forced_effects: tuple[tuple[str, int], ...] = ()

    @classmethod
    def drawn(cls, rng: random.Random) -> Twists:
        """An ordinary visit's luck."""
        return cls(
            verbal_order=rng.random() < P.verbal_order,
            over_soft=rng.random() < P.over_soft_limit,
            no_driver=rng.random() < P.no_driver,
            paused=rng.random() < P.paused,
            stops_early=rng.choice(("side_effect", "patients_wish")) if rng.random() < P.stopped_early else None,
            late_vitals=rng.random() < P.late_charted,
        )

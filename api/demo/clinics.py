"""The demo's three clinics in three time zones, their people, rooms, hours and cabinets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from api.demo.world import World
from domain.clinic import (
    AddRoom,
    AdoptProtocol,
    AssignStaff,
    DeclareClosure,
    LiftClosure,
    OpenClinic,
    OpeningSpan,
    PriceItem,
    PublishPriceList,
    SetOnCall,
    SetOpeningHours,
)
from domain.drug_lot import ReceiveVials
from domain.kernel import Actor, Role, derived_id
from domain.protocol import EXAMPLE_PROTOCOL, Limit, Protocol
from domain.staff import JoinStaff, RecordCredentials

OWNER = Actor(id="demo:owner", role="owner")
NDC = "67457-001-10"
"""A real NDC of ketamine 50 mg/mL, 10 mL (DOMAIN 4)."""


@dataclass(frozen=True)
class Plan:
    """What a clinic is opened with."""

    name: str
    timezone: str
    rooms: int
    opens: time
    closes: time
    evening: int | None = None  # ISO weekday of the late evening, open to 23:00


PLANS = (
    Plan("Anodyne Harbor (fictional)", "America/Los_Angeles", 3, time(8), time(18)),
    Plan("Anodyne Mesa (fictional)", "America/Phoenix", 2, time(7, 30), time(17, 30), evening=4),
    Plan("Anodyne Hudson (fictional)", "America/New_York", 2, time(8, 30), time(18)),
)
"""Phoenix keeps no daylight saving time; the other two change on 1 November 2026."""


@dataclass
class Clinic:
    """A clinic as its own staff know it: who is there, and what is booked (for finding free slots)."""

    clinic_id: UUID
    plan: Plan
    zone: ZoneInfo
    rooms: list[UUID]
    prescribers: list[UUID]
    nurses: list[UUID]
    protocol: Protocol
    lots: list[UUID] = field(default_factory=list)
    bookings: dict[UUID, list[tuple[datetime, datetime]]] = field(default_factory=dict)
    nurse_load: dict[UUID, list[tuple[datetime, datetime]]] = field(default_factory=dict)
    closures: list[tuple[datetime, datetime]] = field(default_factory=list)

    def prescriber(self, index: int) -> Actor:
        return Actor(id=str(self.prescribers[index % len(self.prescribers)]), role="prescriber")

    def nurse(self, index: int) -> Actor:
        return Actor(id=str(self.nurses[index % len(self.nurses)]), role="nurse")

    @property
    def desk(self) -> Actor:
        return Actor(id=str(derived_id("demo-desk", self.clinic_id)), role="front_desk")

    @property
    def manager(self) -> Actor:
        return Actor(id=str(derived_id("demo-manager", self.clinic_id)), role="manager")

    def local(self, day: date, at: time) -> datetime:
        """A wall-clock time at the clinic as a moment."""
        return datetime.combine(day, at, tzinfo=self.zone)

    def hours(self, day: date) -> tuple[datetime, datetime] | None:
        """When the clinic is open on a local day; Saturdays by appointment until 13:00, Sundays closed."""
        weekday = day.isoweekday()
        if weekday == 7:
            return None
        closes = time(13) if weekday == 6 else time(23) if weekday == self.plan.evening else self.plan.closes
        return self.local(day, self.plan.opens), self.local(day, closes)

    def free_slot(self, day: date, minutes: int, not_before: datetime) -> tuple[UUID, UUID, datetime] | None:
        """The first (room, nurse, start) on a quarter hour of that day with `minutes` free."""
        span = self.hours(day)
        if span is None:
            return None
        opens, closes = span
        starts = opens
        while starts.timestamp() + minutes * 60 <= closes.timestamp():
            ends = starts + timedelta(minutes=minutes)
            if starts > not_before and not _overlaps(self.closures, starts, ends):
                nurse = next((n for n in self.nurses if _load(self.nurse_load.get(n, []), starts, ends) < 2), None)
                for room in self.rooms:
                    if nurse is not None and not _overlaps(self.bookings.get(room, []), starts, ends):
                        return room, nurse, starts
            starts += timedelta(minutes=15)
        return None

    def take(self, room: UUID, nurse: UUID, starts: datetime, ends: datetime) -> None:
        self.bookings.setdefault(room, []).append((starts, ends))
        self.nurse_load.setdefault(nurse, []).append((starts, ends))

    def free(self, room: UUID, nurse: UUID, starts: datetime, ends: datetime) -> None:
        self.bookings[room].remove((starts, ends))
        self.nurse_load[nurse].remove((starts, ends))


def _overlaps(held: Sequence[tuple[datetime, datetime]], starts: datetime, ends: datetime) -> bool:
    return any(a < ends and starts < b for a, b in held)


def _load(held: Sequence[tuple[datetime, datetime]], starts: datetime, ends: datetime) -> int:
    return sum(1 for a, b in held if a < ends and starts < b)


def open_clinics(world: World) -> list[Clinic]:
    """Opens the demo's clinics with their staff, rooms, hours, protocol, prices and first vials."""
    return [_open(world, plan, index) for index, plan in enumerate(PLANS)]


def _open(world: World, plan: Plan, index: int) -> Clinic:
    clinic_id = world.new_id()
    world.do(
        OWNER, clinic_id, clinic_id, OpenClinic, clinic_name=plan.name, timezone=plan.timezone, fictional=True
    )
    prescribers = [_hire(world, clinic_id, "prescriber", index, n) for n in range(2)]
    nurses = [_hire(world, clinic_id, "nurse", index, n) for n in range(3)]
    rooms = []
    for number in range(plan.rooms):
        room = world.new_id()
        world.do(OWNER, clinic_id, clinic_id, AddRoom, room_id=room, room_name=f"Room {number + 1}")
        rooms.append(room)
    protocol = _adopt(world, clinic_id, prescribers[0])
    clinic = Clinic(clinic_id, plan, ZoneInfo(plan.timezone), rooms, prescribers, nurses, protocol)
    _set_hours(world, clinic)
    _publish_prices(world, clinic)
    _set_on_call(world, clinic, index)
    receive_vials(world, clinic, lot=1, vials=30)
    return clinic


def _hire(world: World, clinic_id: UUID, role: Role, clinic_index: int, number: int) -> UUID:
    staff_id = world.new_id()
    title = "Dr" if role == "prescriber" else "Nurse"
    name = f"{title} {'ABCDEF'[number]}. Example-{clinic_index + 1} (fictional)"
    profession = "physician" if role == "prescriber" else "registered_nurse"
    email = f"{role}{number + 1}.clinic{clinic_index + 1}@example.org"
    world.do(OWNER, clinic_id, staff_id, JoinStaff, full_name=name, email=email, profession=profession)
    today = world.clock.now().date()
    kinds = ("medical_license", "dea_registration") if role == "prescriber" else ("nursing_license", "acls")
    for kind in kinds:
        world.do(
            OWNER, clinic_id, staff_id, RecordCredentials, kind=kind, number=f"DEMO-{clinic_index}{number}",
            jurisdiction="US", valid_from=today - timedelta(days=400), valid_until=today + timedelta(days=700),
        )
    world.do(OWNER, clinic_id, clinic_id, AssignStaff, staff_id=staff_id, role=role)
    return staff_id


def _adopt(world: World, clinic_id: UUID, prescriber: UUID) -> Protocol:
    """The example with the clinic's own mg/h limits: 0.5 mg/kg/h of a heavy patient is over the example's 25."""
    limits = msgspec.structs.replace(
        EXAMPLE_PROTOCOL.dose, rate_mg_per_h=Limit(soft_high=Decimal(45), hard_high=Decimal(60))
    )
    document = msgspec.structs.replace(
        EXAMPLE_PROTOCOL, dose=limits, title="Chronic pain, outpatient (fictional clinic)",
        author="Dr A. Example (fictional)",
        example=False, protocol_version=1,
    )
    by = Actor(id=str(prescriber), role="prescriber")
    world.do(by, clinic_id, clinic_id, AdoptProtocol, document=document, adopted_by=prescriber)
    return document


def _set_hours(world: World, clinic: Clinic) -> None:
    plan = clinic.plan
    hours = [
        OpeningSpan(weekday=day, opens=plan.opens, closes=time(23) if day == plan.evening else plan.closes)
        for day in range(1, 6)
    ]
    hours.append(OpeningSpan(weekday=6, opens=plan.opens, closes=time(13)))
    prime = tuple(OpeningSpan(weekday=day, opens=time(9), closes=time(15)) for day in range(1, 6))
    first = world.clock.now().astimezone(clinic.zone).date()
    world.do(
        clinic.manager, clinic.clinic_id, clinic.clinic_id, SetOpeningHours,
        effective_from=first, hours=tuple(hours), prime=prime,
    )


def _publish_prices(world: World, clinic: Clinic) -> None:
    items = (
        PriceItem(code="consultation", description="Consultation", amount_cents=25_000),
        PriceItem(code="infusion_60", description="Ketamine infusion, 60 minutes", amount_cents=45_000),
        PriceItem(code="series_6", description="Series of six infusions", amount_cents=240_000),
        PriceItem(code="booster", description="Booster infusion", amount_cents=42_500),
    )
    world.do(
        clinic.manager, clinic.clinic_id, clinic.clinic_id, PublishPriceList, price_list_id=world.new_id(),
        effective_from=world.clock.now().astimezone(clinic.zone).date(), currency="USD", items=items,
    )


def _set_on_call(world: World, clinic: Clinic, index: int) -> None:
    """A nurse first, then a prescriber; the number is one of those kept for fiction."""
    world.do(
        clinic.manager, clinic.clinic_id, clinic.clinic_id, SetOnCall,
        staff_ids=(clinic.nurses[0], clinic.prescribers[0]), escalate_after_minutes=10,
        clinic_phone=f"+1 555 01{index + 1:02d}", command_id=world.own_id("on call", clinic.clinic_id),
    )


def receive_vials(world: World, clinic: Clinic, *, lot: int, vials: int) -> None:
    """A delivery of 500 mg vials; the newest lot is used first."""
    number = f"DEMO{lot:03d}"
    stream = derived_id("drug_lot", clinic.clinic_id, NDC, number)
    world.do(
        clinic.nurse(0), clinic.clinic_id, stream, ReceiveVials, drug="ketamine", ndc=NDC, lot_number=number,
        expires_on=world.clock.now().date() + timedelta(days=500), vials=vials,
        mg_per_vial=Decimal(500), ml_per_vial=Decimal(10), supplier="Example Pharma (fictional)",
    )
    clinic.lots.append(stream)


def close_for(world: World, clinic: Clinic, day: date, reason: str, stranded: Sequence[UUID] = ()) -> UUID:
    """Declares a day's closure; the front desk stops booking it."""
    starts, ends = clinic.local(day, time(0)), clinic.local(day + timedelta(days=1), time(0))
    closure = world.new_id()
    world.do(
        clinic.manager, clinic.clinic_id, clinic.clinic_id, DeclareClosure, closure_id=closure, starts_at=starts,
        ends_at=ends, reason_code=reason, stranded=tuple(stranded),
    )
    clinic.closures.append((starts, ends))
    return closure


def lift_closure(world: World, clinic: Clinic, closure: UUID) -> None:
    """The closure is called off again."""
    world.do(clinic.manager, clinic.clinic_id, clinic.clinic_id, LiftClosure, closure_id=closure)
    clinic.closures.pop()

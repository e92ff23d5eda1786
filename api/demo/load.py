"""Fills an empty database with three fictional clinics that have run for 26 weeks.

Deterministic: the same seed and scale give the same events, ids and times (sealed bytes and their leaf
hashes differ, since every database has keys of its own).
"""

from __future__ import annotations

import time as wall
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from api.bootstrap import Services, build_services, migrate
from api.demo import episodes
from api.demo.body import Body
from api.demo.booking import Twists
from api.demo.clinics import Clinic, open_clinics
from api.demo.clock import MovableClock
from api.demo.journey import Patient
from api.demo.parameters import CONDITION_MIX
from api.demo.parameters import PARAMETERS as P
from api.demo.world import Journey, World
from api.fhir.importing import FhirImport
from api.processes import processes_of
from api.settings import Settings
from domain.patient.history import ConditionRecorded, RecordCondition
from domain.patient.registration import PatientRegistered, RegisterPatient
from domain.vocabulary.conditions import CONDITIONS
from services.processes.timers import MemoryTimers, run_once

FIRST_DAY = datetime(2026, 5, 25, 13, 0, tzinfo=UTC)
"""A Monday; 26 weeks later is 23 November 2026. US daylight saving time ends on 1 November inside it."""

SURNAMES = (
    "Ashdown", "Birchwood", "Cloudsley", "Dovetail", "Elmsworth", "Fernhill", "Greengage", "Hazelnutt", "Inkwell",
    "Juniper", "Kettlewell", "Larkspur", "Meadowcroft", "Nettlebed", "Oakapple", "Primrose", "Quillfeather",
    "Rosehip", "Sandpiper", "Thistledown", "Underhill", "Violetta", "Willowby", "Yarrowdale",
)
GIVEN = (
    "Ada", "Basil", "Clover", "Dill", "Erica", "Florian", "Ginger", "Hollis", "Iris", "Jasper", "Kale", "Linden",
    "Marigold", "Nigel", "Olive", "Poppy", "Quince", "Reed", "Sage", "Tansy", "Umber", "Verbena", "Wren", "Zinnia",
)


@dataclass(frozen=True)
class Summary:
    """What the demo holds."""

    clinics: tuple[Clinic, ...]
    patients: int
    events: int
    done: dict[str, int]
    refused: dict[str, int]
    seconds: float


class DemoRefused(Exception):
    """The database already holds something; a demo is only ever loaded into an empty one."""


EXPORT = Path(__file__).resolve().parents[2] / "data" / "fhir"
"""The repository's copy of a FHIR export by other software (see its README)."""

ID_KEY = b"the demo's patients are fictional; their pseudonyms need no secret"


def load(
    settings: Settings, *, seed: int = 2026, scale: float = 1.0,
    progress: Callable[[float, str], None] = lambda share, label: None,
) -> Summary:
    """Migrates, then fills the empty database of `settings`; a simulation log, which production refuses.

    Raises DemoRefused when the log holds anything already.
    """
    migrate(settings)
    clock = MovableClock(FIRST_DAY)
    services = build_services(settings, clock=clock, mode="simulation")
    try:
        if services.log.head() > 1:
            raise DemoRefused(f"the log already holds {services.log.head():,} events")
        importer = FhirImport(services, services.log, id_key=ID_KEY)

        def import_export(clinic_id: UUID) -> object:
            return importer.run(EXPORT, clinic_for=lambda patient: clinic_id, now=clock.now)

        world = World(services, services.log, clock, seed)
        world.start(FIRST_DAY, _by_itself(services, clock))
        return live(world, import_export, scale, progress)
    finally:
        services.close()


def _by_itself(services: Services, clock: MovableClock) -> Journey:
    """Every evening what is due by itself: the follow-ups that nobody answered."""
    store, evening = MemoryTimers(), FIRST_DAY
    while True:
        evening += timedelta(days=1)
        yield evening
        for process in processes_of(services):
            run_once(process, services.log, store, clock.now(), lambda: False)


def live(
    world: World, import_fhir: Callable[[UUID], object], scale: float,
    progress: Callable[[float, str], None] = lambda share, label: None,
) -> Summary:
    """Opens the clinics, imports the export, and lives through the weeks. Raises whatever goes wrong unplanned."""
    began = wall.monotonic()
    world.clock.set(FIRST_DAY)
    progress(0.0, "opening clinics")
    clinics = open_clinics(world)
    progress(0.02, "importing FHIR export")
    import_fhir(clinics[0].clinic_id)
    patients = _patients(world, clinics, round(P.patients_per_scale * scale))
    _script(world, clinics, patients)
    end = FIRST_DAY + timedelta(weeks=P.weeks)
    whole = (end - FIRST_DAY).total_seconds()

    def tick(moment: datetime) -> None:
        done = (moment - FIRST_DAY).total_seconds() / whole
        progress(0.1 + 0.9 * max(0.0, min(1.0, done)), moment.date().isoformat())

    world.run(end, tick)
    progress(1.0, "done")
    return Summary(
        tuple(clinics), len(patients), world.reader.head(), dict(world.done), dict(world.refused),
        wall.monotonic() - began,
    )


def _imported(world: World) -> list[tuple[UUID, str, str]]:
    """Living imported patients with a condition of ours: (patient, condition, sex)."""
    sexes: dict[UUID, str] = {}
    found: dict[UUID, str] = {}
    after = 0
    names = (PatientRegistered.NAME, ConditionRecorded.NAME)
    while records := world.reader.read(after, 5000, names=names):
        after = records[-1].position
        for record in records:
            event, subject = record.event, record.subject
            if subject is None:
                continue
            if isinstance(event, PatientRegistered) and not event.deceased:
                sexes[subject] = event.sex
            elif isinstance(event, ConditionRecorded) and subject in sexes and event.condition in CONDITIONS:
                found.setdefault(subject, event.condition)
    return [(patient, condition, sexes[patient]) for patient, condition in found.items()]


def _patients(world: World, clinics: Sequence[Clinic], count: int) -> list[Patient]:
    """Imported people first (at the first clinic), then newly registered ones, spread over all three."""
    people: list[Patient] = []
    imported = _imported(world)[: count // 3]
    for number in range(count):
        rng = world.random_for(f"patient {number}")
        if number % 3 == 0 and imported:
            patient_id, condition, sex = imported.pop(0)
            clinic = clinics[0]
        else:
            clinic = clinics[number % 3]
            patient_id, sex = world.new_id(), rng.choice(("female", "male"))
            condition = rng.choices(list(CONDITION_MIX), weights=list(CONDITION_MIX.values()))[0]
            _register(world, clinic, patient_id, condition, sex, number)
        body = Body.born(patient_id, condition, sex, world.random_for(patient_id))
        tuned = episodes.tuning(number)
        scripted = len(tuned)
        person = Patient(world, clinic, body, _once(tuned))
        if scripted:
            person.keeps_all = True
            if scripted > 1:
                body.responds, body.fall = True, max(body.fall, 0.6)
        start_day = rng.uniform(0, 7 * (P.weeks - 6)) if number >= 12 else rng.uniform(0, 10)
        start = FIRST_DAY + timedelta(days=start_day, hours=3)
        world.start(start, person.live())
        people.append(person)
    return people


def _once(tuned: dict[int, Twists]) -> Callable[[int], Twists | None]:
    """Each scripted visit happens once: a visit without an infusion is repeated as an ordinary one."""
    return lambda ordinal: tuned.pop(ordinal, None)


def _register(world: World, clinic: Clinic, patient_id: UUID, condition: str, sex: str, number: int) -> None:
    rng = world.random_for(f"person {number}")
    born = date(rng.randint(1948, 2004), rng.randint(1, 12), rng.randint(1, 28))
    world.do(
        clinic.desk, clinic.clinic_id, patient_id, RegisterPatient,
        family_name=f"{SURNAMES[number % len(SURNAMES)]}-{number} (fictional)", given_name=rng.choice(GIVEN),
        birth_date=born, sex=sex, phone=f"555-01{number % 100:02d}", email=f"patient{number}@example.org",
        address="1 Example Street", home_clinic_id=clinic.clinic_id,
    )
    world.do(clinic.desk, clinic.clinic_id, patient_id, RecordCondition, condition=condition)


def _script(world: World, clinics: Sequence[Clinic], patients: list[Patient]) -> None:
    """Puts the scripted episodes on the agenda."""
    harbor, mesa, hudson = clinics
    for clinic in clinics:
        world.start(FIRST_DAY, episodes.deliveries(world, clinic, FIRST_DAY, P.weeks))
        world.start(FIRST_DAY, episodes.closures(world, clinic, FIRST_DAY.year))
        for week in (6, 14, 20):
            at = FIRST_DAY + timedelta(weeks=week, days=2, hours=4)
            own = [p for p in patients if p.clinic is clinic]
            world.start(FIRST_DAY, episodes.double_booking(world, clinic, own[week % len(own)], at))
            world.start(FIRST_DAY, episodes.waitlist(world, clinic, own[(week + 1) % len(own)], at))
            late = at + timedelta(days=1, hours=5)
            world.start(FIRST_DAY, episodes.wrong_patient(world, clinic, patients, late))
    world.start(FIRST_DAY, episodes.amendments(world, patients, FIRST_DAY, P.weeks))
    regulars = [p for p in patients if p.clinic is mesa][:2]
    for week, regular in zip((12, 18), regulars, strict=False):
        world.start(FIRST_DAY, episodes.over_midnight(world, mesa, regular, FIRST_DAY + timedelta(weeks=week)))
    mover = next(p for p in patients[12:] if p.clinic is hudson)
    world.start(FIRST_DAY, episodes.transfer(world, mover, harbor, FIRST_DAY + timedelta(weeks=20)))
    end = FIRST_DAY + timedelta(weeks=P.weeks)
    for number, before, done in ((1, timedelta(weeks=5), True), (4, timedelta(minutes=40), False)):
        world.start(FIRST_DAY, episodes.chest_pain(world, patients[number], end - before, acknowledged=done))

"""One story through every command: two clinics, their people, a patient's course with its visits, cabinet, diary.

Each step is one POST, told with the documented example of its operation (so the examples are true) and a few
changes. Ids of the examples stand for those of the story's own things.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from api.http import examples as ex
from api.http.commands import CommandEndpoint
from api.http.resources import (
    appointments,
    cabinets,
    clinics,
    courses,
    diary,
    infusions,
    patients,
    scheduling,
    staff,
)
from domain.kernel import derived_id

MODULES = (clinics, staff, patients, courses, appointments, scheduling, infusions, diary, cabinets)
ENDPOINTS: dict[str, CommandEndpoint] = {
    f"{module.blueprint.name}.{endpoint.name}": endpoint for module in MODULES for endpoint in module.COMMANDS
}


@dataclass(frozen=True)
class Step:
    """One POST of the story.

    `changes` are laid over the example (None takes a field away), `path` are values of the path that no example
    names (a function of the world where they have to be looked up),
    `keep` says under which example id the receipt's own id (or one of its `ids`) goes on.
    """

    operation: str
    role: str
    changes: dict[str, Any] = field(default_factory=dict)
    path: dict[str, Any] = field(default_factory=dict)
    keep: dict[str, str] = field(default_factory=dict)
    needs: Callable[[Any], None] | None = None
    status: int = 201

    @property
    def endpoint(self) -> CommandEndpoint:
        return ENDPOINTS[self.operation]


VISIT_2 = "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d20"
VISIT_3 = "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d30"
VISIT_4 = "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d40"
VISIT_5 = "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d50"
VISIT_6 = "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d60"
HOME_ALERT = "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d14"
FOLLOW_UP = "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d15"
NEVER_CARES = "0b9d2f34-5c1e-4f0a-8a55-0c6d6a1b7e03"
LEAVER = "9e5a1c20-7b8d-4e3f-a1c2-3d4e5f607110"
OWNER = "9e5a1c20-7b8d-4e3f-a1c2-3d4e5f607108"
MANAGER = "9e5a1c20-7b8d-4e3f-a1c2-3d4e5f607109"
FEED = "1c3e5a70-4b6d-4f8a-9c2e-8d7f6e5a4d01"
CLOSED_FEED = "1c3e5a70-4b6d-4f8a-9c2e-8d7f6e5a4d02"
ROOM_2 = "3c1f7a90-2b64-4d7e-9a11-5f0e8d3c2b02"
ROOM_3 = "3c1f7a90-2b64-4d7e-9a11-5f0e8d3c2b03"


@dataclass(frozen=True)
class Ago:
    """So many minutes before the story's now, as an RFC 3339 time with an offset."""

    minutes: float


@dataclass(frozen=True)
class Ahead:
    """A wall clock time of the clinic so many days after the story's today."""

    days: int
    clock: str = ""


@dataclass(frozen=True)
class DayOf:
    """The clinic's day on which a moment so many minutes before the story's now lies."""

    minutes: float


BOOKED_ON = DayOf(6)
"""The day of the appointment that nobody keeps: that of its beginning, also when the story is told at midnight."""


def story() -> list[Step]:
    """Every command once or more, in an order in which each is right."""
    return [
        *_earlier(_clinic(), 900), *_earlier(_patient(), 600), *_earlier(_course_begins(), 400), *_booking(),
        *_follow_ups(), *_first_visit(), *_cabinet(), *_first_visit_ends(),
        *_course_goes_on(), *_other_visits(), *_diary(), *_record(), *_ends(),
    ]  # fmt: skip


def _earlier(steps: list[Step], minutes: float) -> list[Step]:
    """The steps, told as having happened so many minutes ago, in this order."""
    return [
        replace(step, changes={"at": Ago(minutes - number / 10), **step.changes}) for number, step in enumerate(steps)
    ]


def _keys_at_a(world: Any) -> None:
    world.make_keys("A", world.ids[ex.CLINIC], {
        "prescriber": world.ids[ex.PRESCRIBER], "nurse": world.ids[ex.NURSE], "front_desk": world.ids[ex.SECOND_NURSE],
    })


def _keys_at_b(world: Any) -> None:
    world.make_keys("B", world.ids[NEVER_CARES], {})


def _clinic() -> list[Step]:
    in_date = {"valid_until": Ahead(365)}
    licence = {"kind": "medical_license", **in_date}
    week = [{"weekday": day, "opens": "00:00", "closes": "00:00"} for day in range(1, 8)]
    at_b = {"clinic_id": ex.OTHER_CLINIC}
    return [
        Step("clinics.open", "owner", keep={ex.CLINIC: "id"}),
        Step("clinics.open", "owner", {"clinic_name": "Hill Clinic (fictional)", "timezone": "America/Phoenix"},
             keep={ex.OTHER_CLINIC: "id"}),
        Step("clinics.open", "owner", {"clinic_name": "Valley Clinic (fictional)", "timezone": "America/New_York"},
             keep={NEVER_CARES: "id"}),
        Step("staff.join", "owner", {"profession": "physician"}, keep={ex.PRESCRIBER: "id"}),
        Step("staff.join", "owner", keep={ex.NURSE: "id"}),
        Step("staff.join", "owner", keep={ex.SECOND_NURSE: "id"}),
        Step("staff.record_credentials", "owner", licence, path={"staff_id": ex.PRESCRIBER}),
        Step("staff.record_credentials", "owner", in_date, path={"staff_id": ex.NURSE}),
        Step("staff.record_credentials", "owner", in_date, path={"staff_id": ex.SECOND_NURSE}, needs=_keys_at_a),
        Step("clinics.add_room", "manager", keep={ex.ROOM: "room_id"}, needs=_keys_at_b),
        Step("clinics.add_room", "manager", {"room_name": "Room 2"}, keep={ROOM_2: "room_id"}),
        Step("clinics.add_room", "manager", {"room_name": "Room 3"}, keep={ROOM_3: "room_id"}),
        Step("clinics.set_opening_hours", "manager", {"hours": week, "prime": [], "effective_from": "2020-01-01"}),
        Step("clinics.assign_staff", "manager", {"staff_id": ex.PRESCRIBER, "role": "prescriber"}),
        Step("clinics.assign_staff", "manager"),
        Step("clinics.assign_staff", "manager", {"staff_id": ex.SECOND_NURSE}),
        Step("clinics.assign_staff", "owner", {"staff_id": ex.PRESCRIBER, "role": "prescriber"}, path=at_b),
        Step("clinics.adopt_protocol", "prescriber"),
        Step("clinics.declare_closure", "manager", {"starts_at": Ahead(40, "00:00"), "ends_at": Ahead(41, "00:00")},
             keep={ex.CLOSURE: "closure_id"}),
        Step("clinics.lift_closure", "manager"),
        Step("clinics.publish_price_list", "manager"),
        Step("clinics.open_calendar_feed", "manager", keep={CLOSED_FEED: "feed_id"}),
        Step("clinics.close_calendar_feed", "manager", path={"feed_id": CLOSED_FEED}),
        Step("clinics.open_calendar_feed", "manager", {"label": "Back office"}, keep={FEED: "feed_id"}),
        Step("clinics.set_on_call", "manager"),
    ]


def _patient() -> list[Step]:
    adjunct, request = "5a7c3e10-9d2b-4f6a-8c1e-2b3d4f5a6c11", ex.REQUEST
    return [
        Step("patients.register", "front_desk", keep={ex.PATIENT: "id"}),
        Step("patients.register", "front_desk", {"family_name": "Exemple"}, keep={ex.DUPLICATE: "id"}),
        Step("patients.correct_demographics", "front_desk"),
        Step("patients.receive_referral", "front_desk", {"received_on": Ahead(-1)}),
        Step("patients.record_condition", "nurse"),
        Step("patients.record_therapy", "nurse"),
        Step("patients.start_adjunct", "nurse", keep={adjunct: "adjunct_id"}),
        Step("patients.end_adjunct", "nurse", path={"adjunct_id": adjunct}),
        Step("patients.record_coverage", "front_desk"),
        Step("patients.record_screening", "nurse",
             {"findings": [{"contraindication": "hypertension", "status": "uncontrolled", "basis": "examination"},
                           {"contraindication": "substance_abuse", "status": "absent", "basis": "history"},
                           {"contraindication": "thyroid_disease", "status": "absent", "basis": "laboratory"},
                           {"contraindication": "heart_disease", "status": "absent", "basis": "ecg"}]}),
        Step("patients.clear_screening", "prescriber", {"valid_until": Ahead(60)}),
        Step("patients.sign_consent", "nurse"),
        Step("patients.request_amendment", "front_desk", keep={request: "request_id"}),
        Step("patients.accept_amendment", "prescriber"),
        Step("patients.request_amendment", "front_desk", keep={request: "request_id"}),
        Step("patients.deny_amendment", "prescriber"),
        Step("patients.give_record_copy", "front_desk"),
        Step("patients.restrict_disclosure", "front_desk"),
    ]


def _course_begins() -> list[Step]:
    return [
        Step("courses.hold_consultation", "prescriber", keep={ex.COURSE: "id"}),
        Step("courses.hold_another_consultation", "prescriber"),
        Step("courses.open", "prescriber"),
    ]


def _booking() -> list[Step]:
    day, later = {"local_date": Ahead(3)}, {"local_date": Ahead(5)}
    times = {"starts_at": Ahead(3, "09:00"), "ends_at": Ahead(3, "11:00")}
    moved = {"starts_at": Ahead(3, "10:00"), "ends_at": Ahead(3, "12:00")}
    waits = {"earliest_at": Ahead(5, "08:00"), "latest_at": Ahead(5, "16:00")}
    offered = {"starts_at": Ahead(5, "09:00"), "ends_at": Ahead(5, "11:00"), "room_id": ex.ROOM}
    now = {"local_date": BOOKED_ON}
    return [
        Step("appointments.book", "front_desk", times, path=day, keep={ex.APPOINTMENT: "appointment_id"}),
        Step("appointments.move", "front_desk", moved, path=day),
        Step("appointments.confirm", "front_desk", path=day),
        Step("appointments.cancel", "front_desk", path=day),
        Step("appointments.join_waitlist", "front_desk", waits, path=later, keep={ex.WAITLIST_ENTRY: "entry_id"}),
        Step("appointments.offer_slot", "front_desk", offered, path=later),
        Step("appointments.leave_waitlist", "front_desk", path=later),
        Step("appointments.join_waitlist", "front_desk", waits, path=later, keep={ex.WAITLIST_ENTRY: "entry_id"}),
        Step("scheduling.book_from_waitlist", "front_desk", offered, path=later),
        Step("scheduling.book_series", "front_desk", {"occurrences": [
            {"number": number, "room_id": ex.ROOM, "starts_at": Ago(-1440 * days)}
            for number, days in enumerate((7, 9, 11), 1)
        ]}),
        Step("appointments.book", "front_desk",
             {"starts_at": Ago(6), "ends_at": Ago(-114), "at": Ago(10), "visit_kind": "trial"},
             path=now, keep={ex.APPOINTMENT: "appointment_id"}),
        Step("appointments.no_show", "front_desk", path=now),
    ]


def _visit(name: str, room: str, began: float, kind: str = "trial") -> list[Step]:
    """A visit from the door to running drug, `began` minutes ago."""
    path = {"infusion_id": name}
    return [
        Step("infusions.arrive", "nurse", {"at": Ago(began), "visit_kind": kind}, keep={name: "id"}),
        Step("infusions.room", "nurse", {"at": Ago(began - 2), "room_id": room}, path=path),
        Step("infusions.check", "nurse", {"at": Ago(began - 4)}, path=path),
        Step("infusions.record_vitals", "nurse", {"at": Ago(began - 5)}, path=path),
        Step("infusions.order", "prescriber", {"at": Ago(began - 6), "purpose": kind}, path=path,
             keep={ex.ORDER: "order_id"}),
        Step("infusions.place_iv", "nurse", {"at": Ago(began - 8)}, path=path),
        Step("infusions.hang_bag", "nurse", {"at": Ago(began - 9)}, path=path),
        Step("infusions.start", "nurse", {"at": Ago(began - 10)}, path=path),
    ]


def _first_visit() -> list[Step]:
    visit = _visit(ex.INFUSION, ex.ROOM, 200)
    order = Step(
        "infusions.order", "nurse",
        {"at": Ago(194), "mode": "verbal", "nurse_id": ex.NURSE, "read_back": True, "purpose": "trial"},
        keep={ex.ORDER: "order_id"},
    )
    return [
        *visit[:2], Step("infusions.move_room", "nurse", {"at": Ago(197.5), "room_id": ROOM_2}), *visit[2:4], order,
        Step("infusions.countersign", "prescriber", {"at": Ago(193)}),
        Step("infusions.fail_iv", "nurse", {"at": Ago(192.5)}), *visit[5:],
        Step("infusions.give_bolus", "nurse", {"at": Ago(189)}),
        Step("infusions.score_sedation", "nurse", {"at": Ago(185)}),
        Step("infusions.change_rate", "nurse", {"at": Ago(184)}),
        Step("infusions.report_side_effect", "nurse", {"at": Ago(180), "onset_at": Ago(181), "serious": True},
             keep={ex.SIDE_EFFECT: "side_effect_id"}),
        Step("infusions.treat_side_effect", "nurse", {"at": Ago(178)}),
        Step("infusions.give_medication", "nurse", {"at": Ago(178)}),
        Step("infusions.regrade_side_effect", "nurse", {"at": Ago(176), "serious": True}),
        Step("infusions.sign_off_side_effect", "prescriber", {"at": Ago(174)}),
        Step("infusions.resolve_side_effect", "nurse", {"at": Ago(172)}),
        Step("infusions.record_vitals", "nurse", {"at": Ago(171), "vitals": {"spo2_percent": 86}}),
        Step("infusions.acknowledge_alert", "prescriber", {"at": Ago(170.5)}, needs=_find_alert),
        Step("infusions.pause", "nurse", {"at": Ago(170)}),
        Step("infusions.record_vitals", "nurse", {"at": Ago(168)}),
        Step("infusions.score_sedation", "nurse", {"at": Ago(168)}),
        Step("infusions.resume", "nurse", {"at": Ago(167)}),
        Step("infusions.record_vitals", "nurse", {"at": Ago(150)}),
        Step("infusions.stop", "nurse", {"at": Ago(125)}),
    ]


def _find_alert(world: Any) -> None:
    records = world.services.log.read_stream(UUID(world.ids[ex.INFUSION]))
    world.ids[ex.ALERT] = str(next(r.event.alert_id for r in records if r.name == "infusion.alert_raised.v1"))


def _cabinet() -> list[Step]:
    return [
        Step("cabinets.receive", "nurse", {"at": Ago(300), "expires_on": Ahead(300)}, keep={ex.LOT: "id"}),
        Step("cabinets.draw", "nurse", {"at": Ago(195)}, keep={ex.DRAW: "draw_id"}),
        Step("cabinets.waste", "nurse", {"wasted_mg": "10"}),
        Step("cabinets.explain_discrepancy", "nurse", needs=_find_discrepancy),
        Step("cabinets.break_vials", "nurse"),
    ]


def _find_discrepancy(world: Any) -> None:
    records = world.services.log.read_stream(UUID(world.ids[ex.LOT]))
    found = next(r.event for r in records if r.name == "drug_lot.discrepancy_found.v1")
    world.ids[ex.DISCREPANCY] = str(found.discrepancy_id)


def _first_visit_ends() -> list[Step]:
    return [
        Step("infusions.record_vitals", "nurse", {"at": Ago(110)}),
        Step("infusions.assess_recovery", "nurse", {"at": Ago(95)}),
        Step("infusions.discharge", "nurse", {"at": Ago(90)}),
        Step("infusions.release_room", "nurse", {"at": Ago(85)}),
        Step("infusions.amend_entry", "nurse", path={"entry": 4}),
        Step("infusions.strike_entry", "nurse", path={"entry": 8}),
    ]


def _course_goes_on() -> list[Step]:
    window = {"window_starts": Ahead(1), "window_ends": Ahead(14)}
    return [
        Step("courses.assess_response", "prescriber"),
        Step("courses.plan_series", "prescriber", window, keep={ex.SERIES: "series_id"}),
        Step("courses.revise_series", "prescriber", {**window, "window_ends": Ahead(18)}),
        Step("courses.reach_optimal_relief", "prescriber"),
        Step("courses.schedule_booster", "prescriber", {"due_on": Ahead(28)}, keep={ex.BOOSTER: "booster_id"}),
        Step("courses.reschedule_booster", "prescriber", {"due_on": Ahead(35)}),
        Step("courses.cancel_booster", "prescriber"),
        Step("courses.amend_entry", "prescriber", path={"entry": 1}),
        Step("courses.strike_entry", "prescriber", path={"entry": 2}),
    ]


def _other_visits() -> list[Step]:
    """One visit for each ending; none of them at the same time."""
    arrive = [
        Step("infusions.arrive", "nurse", {"at": Ago(ago), "visit_kind": "follow_up", "course_id": None},
             keep={name: "id"})
        for name, ago in ((VISIT_2, 60), (VISIT_3, 50), (VISIT_4, 40), (VISIT_5, 30))
    ]
    return [
        arrive[0], Step("infusions.end_without_infusion", "nurse", {"at": Ago(55)}, path={"infusion_id": VISIT_2}),
        arrive[1], Step("infusions.leave_against_advice", "nurse", {"at": Ago(45)}, path={"infusion_id": VISIT_3}),
        arrive[2], Step("infusions.transfer_to_hospital", "nurse", {"at": Ago(35)}, path={"infusion_id": VISIT_4}),
        arrive[3], Step("infusions.die_in_care", "nurse", {"at": Ago(25)}, path={"infusion_id": VISIT_5}),
    ]


def _diary() -> list[Step]:
    return [
        Step("diary.score_pain", "nurse"),
        Step("diary.score_function", "nurse"),
        Step("diary.score_mood", "nurse"),
        Step("diary.score_cognition", "nurse"),
        Step("diary.report_relief", "nurse"),
        Step("diary.measure_weight", "nurse"),
        Step("diary.report_side_effect", "nurse", {"onset_at": Ago(60), "grade": 3}),
        Step("diary.acknowledge_alert", "nurse", path={"alert_id": HOME_ALERT}, needs=_find_home_alert),
        Step("diary.amend_entry", "nurse", path={"entry": _score}),
        Step("diary.strike_entry", "nurse", path={"entry": _score}),
    ]


def _find_home_alert(world: Any) -> None:
    raised = [r.event for r in _diary_of(world) if r.name == "diary.alert_raised.v1"]
    world.ids[HOME_ALERT] = str(raised[-1].alert_id)


def _diary_of(world: Any) -> Any:
    return world.services.log.read_stream(derived_id("diary", UUID(world.ids[ex.PATIENT])))


def _score(world: Any) -> int:
    """The version of the pain score in the diary."""
    return int(next(r.version for r in _diary_of(world) if r.name == "diary.pain_scored.v1"))


def _follow_ups() -> list[Step]:
    """Prompts after an infusion of ten days ago, which nobody answered."""
    visit = {"infusion_id": VISIT_6}
    return [
        Step("infusions.arrive", "nurse", {"at": Ago(300), "visit_kind": "follow_up", "course_id": None},
             keep={VISIT_6: "id"}),
        Step("infusions.end_without_infusion", "nurse", {"at": Ago(290)}, path=visit),
        Step("diary.schedule_follow_ups", "nurse",
             {**visit, "drug_stopped_at": Ago(14400), "offsets_hours": [24], "instruments": ["nrs"]}),
        Step("diary.miss_follow_up", "nurse", path={"follow_up_id": FOLLOW_UP}, needs=_name_follow_up),
    ]


def _name_follow_up(world: Any) -> None:
    world.ids[FOLLOW_UP] = str(derived_id("follow_up", UUID(world.ids[VISIT_6]), 24))


def _record() -> list[Step]:
    hold, duplicate = "1c3e5a70-4b6d-4f8a-9c2e-8d7f6e5a4c11", {"patient_id": ex.DUPLICATE}
    survivor = {"survivor_id": ex.PATIENT}
    consent = "1c3e5a70-4b6d-4f8a-9c2e-8d7f6e5a4c21"
    return [
        Step("patients.sign_consent", "nurse", keep={consent: "consent_id"}),
        Step("patients.withdraw_consent", "nurse", path={"consent_id": consent}),
        Step("patients.amend_entry", "nurse", path={"entry": 5}),
        Step("patients.use_emergency_access", "nurse"),
        Step("patients.strike_entry", "nurse", path={"entry": 6}),
        Step("patients.merge", "manager", survivor, path=duplicate),
        Step("patients.unmerge", "manager", survivor, path=duplicate),
        Step("patients.place_legal_hold", "manager", path=duplicate, keep={hold: "hold_id"}),
        Step("patients.release_legal_hold", "manager", path={**duplicate, "hold_id": hold}),
        Step("patients.request_erasure", "front_desk", path=duplicate, keep={ex.REQUEST: "request_id"}),
        Step("patients.decline_erasure", "manager", path=duplicate),
        Step("patients.request_erasure", "front_desk", {"reason_code": "court_order"}, path=duplicate,
             keep={ex.REQUEST: "request_id"}),
        Step("patients.approve_erasure", "manager", {"approved_by": MANAGER}, path=duplicate, needs=_name_manager),
        Step("patients.approve_erasure", "owner", {"approved_by": OWNER}, path=duplicate),
        Step("patients.complete_erasure", "manager", path=duplicate),
    ]


def _name_manager(world: Any) -> None:
    world.ids[MANAGER], world.ids[OWNER] = world.users["manager", "A"], world.users["owner", "all"]


def _ends() -> list[Step]:
    other = {"clinic_id": ex.OTHER_CLINIC}
    return [
        Step("patients.open_care_relation", "prescriber"),
        Step("courses.transfer", "prescriber"),
        Step("patients.change_home_clinic", "prescriber", {"clinic_id": ex.CLINIC}),
        Step("patients.close_care_relation", "prescriber", path=other),
        Step("courses.close", "prescriber"),
        Step("clinics.unassign_staff", "manager", path={"staff_id": ex.NURSE}),
        Step("clinics.retire_room", "manager"),
        Step("staff.join", "manager", keep={LEAVER: "id"}),
        Step("staff.record_credentials", "manager", path={"staff_id": LEAVER}),
        Step("clinics.open", "owner", {"clinic_name": "Fourth Clinic (fictional)"}),
        Step("staff.leave", "manager", path={"staff_id": ex.NURSE}),
    ]

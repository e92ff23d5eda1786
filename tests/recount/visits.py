"""Bookings and visits: one row per slot ever held, one per visit, one per stay in a room."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd

from tests.recount.clinic import Clinic
from tests.recount.exported import Known, moment

INFUSION_KINDS = {"trial", "series", "booster", "re_induction"}
ENDINGS = ("patient_discharged", "left_against_advice", "transferred_to_hospital", "visit_ended_without_infusion",
           "died_in_care")
CALLED = {"patient_discharged": "discharged", "left_against_advice": "left_against_advice",
          "transferred_to_hospital": "transferred", "visit_ended_without_infusion": "not_infused",
          "died_in_care": "died"}
"""How a dashboard calls an ending that has no reason of its own."""
STEPS = ("started", "paused", "resumed", "given", "recovery_assessed")
HOUR = pd.Timedelta(hours=1)
NAT = pd.NaT


def slots(known: Known) -> pd.DataFrame:
    """Every slot that an appointment ever held: a move ends one and begins another.

    `left`: when it was given up, `by` whom. `first_booked` is the appointment's own.
    """
    events = known.of(
        "appointment.booked", "appointment.moved", "appointment.cancelled", "appointment.no_show_recorded",
        fields=["appointment_id", "room_id", "visit_kind", "starts_at", "ends_at", "was_starts_at", "asked_by",
                "moved_from", "to_date", "reason_code"],
    )
    found: list[dict[str, Any]] = []
    for appointment, own in events.groupby("appointment_id", sort=False):
        held: list[dict[str, Any]] = []
        kind, first_booked = None, None
        for _, row in own.iterrows():
            live = [slot for slot in held if pd.isna(slot["left"])]
            name = row["name"]
            if name in ("appointment.booked.v1", "appointment.moved.v1"):
                kind = row.visit_kind or kind
                first_booked = first_booked if first_booked is not None else row["at"]
                starts = moment(row.starts_at)
                if name == "appointment.moved.v1" and live:
                    was = moment(row.was_starts_at)
                    left = next((slot for slot in live if slot["starts"] == was), live[-1])
                    left.update(left=row["at"], by=row.asked_by, moved=True)
                    live = [slot for slot in held if pd.isna(slot["left"])]
                if name == "appointment.booked.v1" and any(
                    slot["starts"] == starts and slot["room"] == row.room_id for slot in live
                ):
                    continue  # the other day's sheet says once more what the move said
                held.append({
                    "appointment": appointment, "patient": row.patient, "clinic": row.clinic, "room": row.room_id,
                    "kind": kind, "starts": starts, "ends": moment(row.ends_at), "taken": row["at"], "left": NAT,
                    "by": None, "moved": False, "no_show": False, "first_booked": first_booked,
                    "position": row.position, "reason": None,
                })  # fmt: skip
            elif name == "appointment.cancelled.v1" and live:
                live[-1].update(left=row["at"], by=row.asked_by, reason=row.reason_code)
            elif name == "appointment.no_show_recorded.v1" and live:
                live[-1].update(no_show=True)
        found.extend(held)
    columns = ["appointment", "patient", "clinic", "room", "kind", "starts", "ends", "taken", "left", "by", "moved",
               "no_show", "first_booked", "position", "reason"]
    frame = pd.DataFrame(found, columns=columns)
    for column in ("starts", "ends", "taken", "left", "first_booked"):
        frame[column] = pd.to_datetime(frame[column], utc=True).astype("datetime64[us, UTC]")
    return frame


def live_at_start(found: pd.DataFrame) -> pd.DataFrame:
    """Slots that still stood when they began: no-shows in, given up before out."""
    return found[found.left.isna() | (found.left >= found.starts)]


def visits(known: Known) -> pd.DataFrame:
    """One row per visit, with the moments that matter."""
    steps = ("patient_arrived", "patient_roomed", "started", "given", *ENDINGS)
    events = known.of(
        *(f"infusion.{step}" for step in steps),
        fields=["visit_kind", "appointment_id", "booked_starts_at", "course_id", "reason_code", "drug_started_at"],
    )
    rows = []
    for stream, own in events.groupby("stream", sort=False):
        first: dict[str, Any] = {}
        for _, row in own.iterrows():
            first.setdefault(row["name"].removeprefix("infusion.").removesuffix(".v1"), row)
        begun = first.get("patient_arrived", first.get("patient_roomed"))
        if begun is None:
            continue
        ending = min((first[end] for end in ENDINGS if end in first), key=lambda one: one["at"], default=None)
        arrival = first.get("patient_arrived")
        booked = None if arrival is None or arrival.booked_starts_at is None else moment(arrival.booked_starts_at)
        rows.append({
            "visit": stream, "patient": begun.patient, "clinic": begun.clinic, "position": begun.position,
            "kind": None if arrival is None else arrival.visit_kind,
            "appointment": None if arrival is None else arrival.appointment_id, "booked": booked,
            "arrived": None if arrival is None else arrival["at"],
            "roomed": _at(first, "patient_roomed"), "started": _at(first, "started"), "stopped": _at(first, "given"),
            "ended": None if ending is None else ending["at"],
            "ending": None if ending is None else CALLED[ending["name"].removeprefix("infusion.").removesuffix(".v1")],
            "reason": None if ending is None else ending.reason_code,
        })  # fmt: skip
    columns = ["visit", "patient", "clinic", "position", "kind", "appointment", "booked", "arrived", "roomed",
               "started", "stopped", "ended", "ending", "reason"]
    frame = pd.DataFrame(rows, columns=columns)
    for column in ("booked", "arrived", "roomed", "started", "stopped", "ended"):
        frame[column] = pd.to_datetime(frame[column], utc=True).astype("datetime64[us, UTC]")
    return frame


def stays(known: Known, clinics: dict[str, Clinic], as_of: pd.Timestamp) -> pd.DataFrame:
    """Room, from, until (at most `as_of`), and whether the room was never released.

    One never released ends with the next patient roomed in that room or the clinic's closing, after the last closing of
    the day with the visit's ending (or at midnight), but not before the last step on record.
    """
    moves = known.of("infusion.patient_roomed", "infusion.patient_moved_room", "infusion.room_released",
                     fields=["room_id"])
    roomed = moves[moves.name != "infusion.room_released.v1"]
    steps = known.of(*(f"infusion.{one}" for one in (*STEPS, *ENDINGS))).groupby("stream")["at"].max()
    endings = known.of(*(f"infusion.{one}" for one in ENDINGS)).groupby("stream")["at"].min()
    rows = []
    for visit, own in moves.groupby("stream", sort=False):
        room, since, clinic = None, None, own.clinic.iloc[0]
        for _, row in own.iterrows():
            if room is not None:
                rows.append((visit, clinic, room, since, row["at"], False, row["name"] == "infusion.room_released.v1"))
            room, since = (None, None) if row["name"] == "infusion.room_released.v1" else (row.room_id, row["at"])
        if room is not None and clinic in clinics:
            others = roomed[(roomed.room_id == room) & (roomed["at"] > since) & (roomed.stream != visit)]["at"]
            closing = clinics[clinic].closing_after(since)
            if closing is None:
                closing = endings.get(visit, clinics[clinic].at(clinics[clinic].day(since) + timedelta(days=1)))
            until = min([as_of, closing, *others])
            until = min(as_of, max(until, steps.get(visit, until)))
            rows.append((visit, clinic, room, since, until, True, False))
    frame = pd.DataFrame(rows, columns=["visit", "clinic", "room", "since", "until", "unclosed", "released"])
    for column in ("since", "until"):
        frame[column] = pd.to_datetime(frame[column], utc=True).astype("datetime64[us, UTC]")
    frame["unclosed"] = frame.unclosed.astype(bool)
    return frame[frame.until >= frame.since].reset_index(drop=True)


def _at(first: dict[str, Any], step: str) -> pd.Timestamp | None:
    return first[step]["at"] if step in first else None

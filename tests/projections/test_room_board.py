"""The room board against a naive replay of the log, at any moment, as known at any position."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from projections import room_board
from projections.engine.database import ViewsDatabase
from projections.engine.engine import ProjectionEngine
from projections.facts.encoding import micros
from projections.metrics.board import ROOM_STATES, ClinicNow, Standing
from projections.migrations import migrate
from projections.registry import board_group, facts_group
from tests.projections.board_recount import CLINIC, DAY, MINUTE, QUESTIONS, ROOMS, STAFF, Replay, clinic_opened, days
from tests.projections.naive import Clinic, entries
from tests.support.clinic_life import Life
from tests.support.facts import facts_of, follow
from tests.support.histories import History, uid


def facts(history: History, batches: list[int] | None = None) -> Any:
    """The facts of both groups that the board reads."""
    conn = facts_of(history, facts_group(), batches)
    for projection in board_group().projections:
        follow(conn, projection, history, batches or [])
    return conn


def board(
    history: History, as_of: datetime, known_at: int | None = None, batches: list[int] | None = None
) -> ClinicNow:  # fmt: skip
    """The clinic's board at that moment."""
    with facts(history, batches) as conn:
        return room_board.report(conn, [str(CLINIC)], as_of=as_of, known_at=known_at).by_clinic[str(CLINIC)]


def everyone(now: ClinicNow) -> dict[str, Standing]:
    return {one.infusion: one for one in (*now.waiting, *(one for room in now.rooms for one in room.patients))}


@settings(max_examples=120, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    history=days(), minutes=st.integers(0, 700), known=st.one_of(st.none(), st.integers(5, 200)),
    batch=st.integers(1, 40),
)  # fmt: skip
def test_the_board_is_what_a_replay_of_the_log_says(
    history: History, minutes: int, known: int | None, batch: int
) -> None:
    """Given any day, when asked for any moment as known at any position, then states, timers and lists agree."""
    as_of = DAY + minutes * MINUTE
    known_at = None if known is None else min(known, history.head())
    now = board(history, as_of, known_at, [batch] * (history.head() // batch))
    replay = Replay(history, as_of, known_at)
    assert {
        room.room: {f"{one.infusion} {one.state}" for one in room.patients} for room in now.rooms if room.patients
    } == replay.rooms()
    assert {one.infusion for one in now.waiting} == replay.waiting()
    here = {infusion: one for infusion, one in everyone(now).items() if infusion in replay.in_the_house()}
    assert here.keys() == {
        key for key, one in replay.in_the_house().items() if one["room"] is not None or not one["roomed"]
    }
    assert {(key, what) for key, one in here.items() for what in one.overdue} == {
        (key, what) for key, what in replay.overdue() if key in here
    }
    for key, one in here.items():
        ran = replay.drug_seconds(key)
        assert (None if one.drug_minutes is None else float(one.drug_minutes)) == pytest.approx(
            None if ran is None else ran / 60, abs=0.02
        )
    driver_needed = {
        key for key, one in here.items() if one.driver != "named" and one.visit_kind == "trial"
    }  # fmt: skip
    assert driver_needed == {key for key in replay.without_driver() if key in here}
    listed: dict[str, set[str]] = {}
    for end in now.loose_ends:
        listed.setdefault(end.what, set()).add(end.subject)
    alerts = replay.open_things("infusion.alert_raised.v1", "infusion.alert_acknowledged.v1", "alert_id")
    orders = replay.open_things("infusion.verbal_order_taken.v1", "infusion.order_countersigned.v1", "order_id")
    drawn = replay.open_things("drug_lot.drug_drawn.v1", "drug_lot.drug_wasted.v1", "draw_id")
    assert listed.get("alert", set()) == alerts
    assert listed.get("order", set()) == orders
    assert listed.get("draw", set()) <= drawn
    assert "room" not in listed


# --- one thing at a time --------------------------------------------------------------------------


VISIT, PATIENT = uid(1, 23), uid(1, 24)


class Told:
    """A clinic, and one visit told step by step from eight o'clock on."""

    def __init__(self) -> None:
        self.history = clinic_opened()
        self.eight = DAY + 60 * MINUTE

    def at(self, minute: int, name: str, stream: Any = VISIT, **fields: Any) -> int:
        return self.history.add(
            name, stream, self.eight + minute * MINUTE, clinic=CLINIC, subject=PATIENT, **fields
        )  # fmt: skip

    def arrived(self, minute: int = 0, kind: str = "trial") -> Told:
        self.at(minute, "infusion.patient_arrived.v1", patient_id=PATIENT, visit_kind=kind)
        return self

    def roomed(self, minute: int = 5) -> Told:
        self.at(minute, "infusion.patient_roomed.v1", room_id=ROOMS[0])
        return self

    def checked(self, minute: int, *, driver: bool) -> Told:
        self.at(
            minute, "infusion.pre_infusion_checked.v1", weight_kg=Decimal(70), questions=QUESTIONS, driver_named=driver,
            nurse_id=STAFF,
        )  # fmt: skip
        return self

    def started(self, minute: int = 20, rate: int = 30) -> Told:
        self.at(minute, "infusion.started.v1", rate_mg_per_h=Decimal(rate))
        return self

    def stopped(self, minute: int) -> Told:
        self.at(
            minute, "infusion.given.v1", course_id=None, purpose="trial", drug_started_at=self.eight + 20 * MINUTE,
            dose_mg=Decimal(30), dose_mg_per_kg=Decimal("0.4"), minutes=Decimal(60), complete=True,
        )  # fmt: skip
        return self

    def discharged(self, minute: int) -> Told:
        self.at(
            minute, "infusion.patient_discharged.v1", driver_present=True, instructions_given=True, discharged_by=STAFF
        )  # fmt: skip
        return self

    def now(self, minute: int, known_at: int | None = None) -> ClinicNow:
        return board(self.history, self.eight + minute * MINUTE, known_at)

    def standing(self, minute: int) -> Standing:
        return everyone(self.now(minute))[str(VISIT)]


def test_a_free_room_is_free_since_it_was_released_and_until_its_next_booking() -> None:
    """Released at nine, booked at eleven; outside opening hours it is closed until the clinic opens."""
    told = Told().arrived().roomed().discharged(50)
    told.at(60, "infusion.room_released.v1", room_id=ROOMS[0])
    told.at(
        61, "appointment.booked.v1", uid(1, 30), appointment_id=uid(1, 31), patient_id=PATIENT, room_id=ROOMS[0],
        visit_kind="series", starts_at=told.eight + 180 * MINUTE, ends_at=told.eight + 300 * MINUTE,
    )  # fmt: skip
    room = told.now(90).rooms[0]
    assert (room.name, room.state) == ("Room 1", "free")
    assert (room.since_us, room.until_us) == (micros(told.eight + 60 * MINUTE), micros(told.eight + 180 * MINUTE))
    closed = told.now(-30).rooms[0]
    assert (closed.state, closed.until_us) == ("closed", micros(told.eight))
    assert closed.since_us == micros(told.eight - 15 * 60 * MINUTE)


def test_the_earliest_discharge_follows_the_order_and_then_the_drug_stop() -> None:
    """Sixty planned minutes with a pause of ten: stop at 90, home from 120; stopped at 85, home from 115."""
    told = Told().arrived().roomed()
    told.at(
        10, "infusion.dose_ordered.v1", order_id=uid(1, 26), prescriber_id=STAFF, purpose="trial",
        weight_kg=Decimal(70), weight_basis="actual", dose_mg=Decimal(30), bolus_mg=Decimal(0),
        rate_mg_per_h=Decimal(30), planned_minutes=60, concentration_mg_per_ml=Decimal(1), protocol_version=1,
    )  # fmt: skip
    told.started(20)
    assert told.standing(15).earliest_discharge_us is None
    told.at(30, "infusion.paused.v1", reason_code="bathroom")
    told.at(40, "infusion.resumed.v1", rate_mg_per_h=Decimal(30))
    one = told.standing(50)
    assert (one.state, one.drug_minutes, one.dose_mg) == ("infusing", Decimal(20), Decimal(10))
    assert (one.earliest_discharge_us, one.discharge_basis) == (micros(told.eight + 120 * MINUTE), "plan")
    told.stopped(85)
    one = told.standing(95)
    assert (one.state, one.earliest_discharge_us) == ("recovering", micros(told.eight + 115 * MINUTE))
    assert one.discharge_basis == "stop"


def test_a_driver_is_needed_until_the_latest_check_names_one() -> None:
    """Not asked, then asked and missing, then named; the figure counts the first two."""
    told = Told().arrived().roomed().checked(10, driver=False).checked(30, driver=True)
    assert [told.standing(minute).driver for minute in (8, 12, 31)] == ["not_asked", "missing", "named"]
    assert [told.now(minute).counts.driver_needed.value for minute in (8, 12, 31)] == [1, 1, 0]
    assert told.now(8).counts.driver_needed.rows == (told.standing(8).fact,)


def test_a_visit_is_unclosed_on_the_next_day_but_not_over_midnight() -> None:
    """Begun at 23:00: on the board at one at night, unclosed at noon, and its room shown as held all along."""
    told = Told().arrived(15 * 60).roomed(15 * 60 + 5)
    at_one = told.now(17 * 60)
    assert at_one.loose_ends == ()
    assert not at_one.rooms[0].patients[0].unclosed
    at_noon = told.now(28 * 60)
    assert [(end.what, end.subject) for end in at_noon.loose_ends] == [("visit", str(VISIT))]
    assert at_noon.rooms[0].patients[0].unclosed
    assert at_noon.counts.unclosed_charts.rows == (at_noon.loose_ends[0].fact,)


def test_a_draw_is_a_loose_end_once_its_visit_is_over() -> None:
    """While the visit runs an open draw is as it should be."""
    told = Told().arrived().roomed()
    told.at(
        15, "drug_lot.drug_drawn.v1", uid(1, 28), draw_id=uid(1, 27), infusion_id=VISIT, drawn_mg=Decimal(50),
        vials_opened=1, drawn_by=STAFF,
    )  # fmt: skip
    told.discharged(100)
    assert told.now(50).loose_ends == ()
    assert [end.what for end in told.now(101).loose_ends] == ["draw"]


def test_the_past_is_shown_as_it_was_known_then() -> None:
    """A discharge entered an hour late: at its moment the board knows it now, and did not know it then."""
    told = Told().arrived().roomed().started().stopped(80)
    before = told.history.head()
    told.history.add(
        "infusion.patient_discharged.v1", VISIT, told.eight + 120 * MINUTE, clinic=CLINIC, subject=PATIENT,
        recorded=told.eight + 180 * MINUTE, driver_present=True, instructions_given=True, discharged_by=STAFF,
    )  # fmt: skip
    assert told.now(130).rooms[0].state == "cleaning"
    assert told.now(130, before).rooms[0].state == "recovering"


def test_every_room_counts_once_and_every_count_names_its_rows() -> None:
    """The states add up to the rooms in service."""
    told = Told().arrived().roomed().started()
    rooms = told.now(30).counts.rooms
    assert tuple(rooms) == ROOM_STATES
    assert {state: figure.value for state, figure in rooms.items() if figure.value} == {"infusing": 1, "free": 2}
    assert all(len(figure.rows) == figure.value for figure in rooms.values())


# --- a clinic's weeks, both databases -------------------------------------------------------------


@pytest.mark.parametrize("seed", [3, 11, 27])
def test_free_closed_and_expected_agree_with_a_minute_by_minute_recount(seed: int) -> None:
    """Random weeks in three zones: rooms by state and bookings still awaited at eight moments."""
    life = Life(seed, clinics=3)
    with facts(life.history) as conn:
        for hour in range(0, 12 * 24, 37):
            as_of = datetime(2026, 3, 2, 5, 30, tzinfo=UTC) + timedelta(hours=hour)
            report = room_board.report(conn, [str(one) for one in life.clinics], as_of=as_of)
            for clinic in life.clinics:
                day = as_of.date()
                naive = Clinic(clinic, entries(life.history, None, as_of), day - timedelta(days=1), day, as_of)
                now = report.by_clinic[str(clinic)]
                minute = as_of.replace(second=0, microsecond=0)
                for room in now.rooms:
                    if not room.patients:
                        is_open = any((one, minute) in naive.open for one in naive.rooms if str(one) == room.room)
                        assert room.state == ("free" if is_open else "closed"), (clinic, as_of)
                awaited = {
                    slot["fact"] for slot in naive.slots
                    if slot["left"] is None and not slot["attended"] and not slot["no_show"]
                    and as_of - timedelta(hours=4) < slot["starts"] <= as_of + timedelta(hours=8)
                }  # fmt: skip
                assert {one.fact for one in now.expected} == awaited


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def views(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ViewsDatabase]:
    """An empty, migrated read models' database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/views.sqlite3"
    else:
        url = request.getfixturevalue("pg_empty_database")
    migrate(url)
    database = ViewsDatabase(url)
    yield database
    database.close()


def test_both_databases_give_the_same_board_followed_or_rebuilt(views: ViewsDatabase) -> None:
    """In small batches, then rebuilt: the rows are the same, and the board is that of a plain replay in memory."""
    life = Life(5)
    clinics, as_of = [str(one) for one in life.clinics], datetime(2026, 3, 5, 17, 12, tzinfo=UTC)
    engine = ProjectionEngine(views, life.history, [facts_group(), board_group()])
    engine.install()
    assert engine.catch_up()
    with views.reads.connect() as conn:
        followed = rows_of(conn)
        shown = [room_board.report(conn, clinics, as_of=as_of, known_at=known) for known in (None, 400)]
    engine.rebuild([projection.name for projection in board_group().projections])
    with views.reads.connect() as conn:
        assert rows_of(conn) == followed
    with facts(life.history, [17] * 200) as conn:
        assert rows_of(conn) == followed
        assert [room_board.report(conn, clinics, as_of=as_of, known_at=known) for known in (None, 400)] == shown


def rows_of(conn: Connection) -> dict[str, list[Any]]:
    tables = [table for projection in board_group().projections for table in projection.tables]
    return {table.name: sorted((tuple(row) for row in conn.execute(select(table))), key=repr) for table in tables}

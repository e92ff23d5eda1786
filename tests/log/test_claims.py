"""Rooms, patients and nurses are held by claims, checked in the append's own transaction."""

from __future__ import annotations

import random
from uuid import uuid4

import pytest

from domain.day_sheet import Board
from services.log import ClaimConflict, EventLog, InvalidEvent
from services.log.verify import verify
from tests.log.given import append, at, given_up, room, scored, write


def claimed(log: EventLog, *claims: object, releases: tuple[object, ...] = ()) -> None:
    append(log, uuid4(), 0, scored(), claims=claims, releases=releases)


def test_a_room_taken_for_part_of_the_time_is_refused_and_nothing_is_written(event_log: EventLog) -> None:
    claimed(event_log, room(9, 11))
    head = event_log.head()
    for starts, ends in ((8, 9.5), (9.5, 10), (10, 12), (8, 12), (9, 11)):
        with pytest.raises(ClaimConflict) as taken:
            claimed(event_log, room(starts, ends, holder="b"))
        assert (taken.value.resource, taken.value.holder) == ("room:1", "a")
        assert (taken.value.starts, taken.value.ends) == (at(9), at(11))
        assert taken.value.code == "claim-conflict"
    assert event_log.head() == head


def test_intervals_are_half_open(event_log: EventLog) -> None:
    claimed(event_log, room(9, 10))
    claimed(event_log, room(10, 11, holder="b"))
    claimed(event_log, room(8, 9, holder="c"))
    claimed(event_log, room(9, 10, resource="room:2", holder="d"))


def test_an_open_ended_claim_holds_until_it_is_released(event_log: EventLog) -> None:
    claimed(event_log, room(9, None))
    with pytest.raises(ClaimConflict) as taken:
        claimed(event_log, room(300, 301, holder="b"))
    assert taken.value.ends is None
    claimed(event_log, releases=(given_up("a"),))
    claimed(event_log, room(300, 301, holder="b"))


def test_a_claim_cut_short_frees_the_rest(event_log: EventLog) -> None:
    claimed(event_log, room(9, None))
    claimed(event_log, releases=(given_up("a", ends=10),))
    with pytest.raises(ClaimConflict):
        claimed(event_log, room(9.5, 11, holder="b"))
    claimed(event_log, room(10, 11, holder="b"))
    claimed(event_log, releases=(given_up("b", ends=10),))
    claimed(event_log, room(10, 12, holder="c"))


def test_a_nurse_may_hold_as_many_visits_at_once_as_the_ratio_says(event_log: EventLog) -> None:
    """Not as many as overlap the new one: two short visits, one after the other, count once each moment."""
    claimed(event_log, room(9, 10, holder="a", capacity=2), room(10, 11, holder="b", capacity=2))
    claimed(event_log, room(9, 11, holder="c", capacity=2))
    with pytest.raises(ClaimConflict):
        claimed(event_log, room(9.5, 10.5, holder="d", capacity=2))
    with pytest.raises(ClaimConflict):
        claimed(event_log, room(10.5, 12, holder="d", capacity=2))
    claimed(event_log, room(11, 12, holder="d", capacity=2))


def test_a_claim_by_the_same_holder_replaces_its_former_one(event_log: EventLog) -> None:
    claimed(event_log, room(9, 11))
    claimed(event_log, room(10, 12))
    claimed(event_log, room(9, 10, holder="b"))


def test_a_move_gives_up_and_takes_in_one_commit_or_keeps_what_it_had(event_log: EventLog) -> None:
    claimed(event_log, room(9, 10), room(12, 13, holder="b"))
    with pytest.raises(ClaimConflict):
        claimed(event_log, room(12, 13), releases=(given_up("a"),))
    with pytest.raises(ClaimConflict):
        claimed(event_log, room(9, 10, holder="c"))
    claimed(event_log, room(14, 15), releases=(given_up("a"),))
    claimed(event_log, room(9, 10, holder="c"))


def test_a_fact_that_happened_is_kept_though_it_overlaps(event_log: EventLog) -> None:
    claimed(event_log, room(9, 11))
    claimed(event_log, room(10, 12, holder="b", enforce=False))
    with pytest.raises(ClaimConflict):
        claimed(event_log, room(11.5, 12, holder="c"))


def test_two_claims_of_one_commit_cannot_overlap_each_other(event_log: EventLog) -> None:
    with pytest.raises(ClaimConflict):
        claimed(event_log, room(9, 10), room(9.5, 10.5, holder="b"))
    claimed(event_log, room(9, 10, holder="c"))


def test_claims_without_an_event_are_refused_because_the_log_could_not_tell_of_them(event_log: EventLog) -> None:
    with pytest.raises(InvalidEvent):
        event_log.append(write(uuid4(), 0, claims=(room(9, 10),)))


def test_the_claims_table_is_what_the_log_says(event_log: EventLog) -> None:
    claimed(event_log, room(9, 11), room(9, None, holder="v", resource="room-use:1"))
    claimed(event_log, room(12, 13, holder="b"), releases=(given_up("a"),))
    claimed(event_log, releases=(given_up("v", resource="room-use:1", ends=10),))
    claimed(event_log, room(13, 14, holder="b"))
    assert verify(event_log).holds


def test_what_is_held_over_a_window_and_nothing_before_or_after_it(event_log: EventLog) -> None:
    """Half-open like the claims themselves; several resources in one question; open ends reach every window."""
    claimed(event_log, room(8, 9), room(9, 10, holder="b"), room(11, 12, holder="c"), room(7, None, resource="room:2"))
    claimed(event_log, room(9, 12, holder="d", resource="room:3"))

    def over(starts: float, ends: float, *resources: str) -> list[tuple[str, str]]:
        return [(one.resource, one.holder) for one in event_log.claims_over(resources, at(starts), at(ends))]

    assert over(9, 11, "room:1") == [("room:1", "b")]
    assert over(8.5, 11.5, "room:1") == [("room:1", "a"), ("room:1", "b"), ("room:1", "c")]
    assert over(20, 21, "room:1", "room:2") == [("room:2", "a")]
    assert over(9, 10, *(f"room:{number}" for number in range(2, 600))) == [("room:2", "a"), ("room:3", "d")]
    assert over(9, 10) == []


@pytest.mark.parametrize("seed", range(6))
def test_what_a_board_calls_taken_is_what_the_log_refuses(event_log: EventLog, seed: int) -> None:
    """The rule is told in two places, beforehand for people and in the append; here both judge the same 60 claims."""
    rng = random.Random(seed)
    refused = 0
    for number in range(60):
        starts = rng.randrange(0, 40) / 2
        asked = room(starts, starts + rng.randrange(1, 8) / 2, holder=f"h{number}", capacity=rng.choice([1, 2, 3]),
                     enforce=rng.random() < 0.9)
        assert asked.ends is not None
        held = Board.of(event_log.claims_over(["room:1"], asked.starts, asked.ends))
        expected = held.blocker(asked)
        if expected is None:
            claimed(event_log, asked)
            continue
        refused += 1
        with pytest.raises(ClaimConflict) as taken:
            claimed(event_log, asked)
        held_by = (taken.value.holder, taken.value.starts, taken.value.ends)
        assert (expected.holder, expected.starts, expected.ends) == held_by
    assert 10 < refused < 55

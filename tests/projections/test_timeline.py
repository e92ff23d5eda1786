"""The timeline: order of occurrence, marks, secrets, bearings, both clocks, paging."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from msgspec import structs

from domain.kernel import Actor, Recorded, Redacted, Sealed, Secret
from projections.timeline import Timeline, TimelineEntry, UnknownCursor, timeline
from tests.projections.test_outcomes import COURSE, DAY, DIARY, HOUR, PATIENT, START, STOP, Told
from tests.support.clinic_life import Life
from tests.support.histories import uid


class OpensAll:
    """An Unsealer whose boxes hold their own text; `lost` has no key any more."""

    def unseal(self, record: Recorded, field: str, value: Secret | None) -> str | Redacted | None:
        if not isinstance(value, Sealed):
            return value
        return Redacted() if value.box == "lost" else f"{value.box} ({record.position}/{field})"

    def unsealed(self, record: Recorded) -> dict[str, object]:
        raise AssertionError("the timeline opens field by field")


def told() -> Told:
    """A trial with a side effect in the visit and one from home, a note under seal, a late score."""
    story = Told().scored((-DAY, 8))
    visit = story.infused()
    story.add(
        "infusion.side_effect_reported.v1", visit, START + HOUR / 2, side_effect_id=uid(1, 9), kind="nausea", grade=2,
        onset_at=START + HOUR / 2, note=Sealed("k", "felt sick"),
    )  # fmt: skip
    story.add(
        "diary.side_effect_reported_from_home.v1", DIARY, STOP + 2 * DAY, side_effect_id=uid(2, 9), kind="nightmares",
        grade=1, onset_at=STOP + DAY, note=Sealed("k", "lost"),
    )  # fmt: skip
    story.add(
        "course.response_assessed.v1", COURSE, STOP + 3 * DAY, infusion_id=visit, positive=True, basis="nrs_fall",
        decision="go_on", prescriber_id=uid(1),
    )  # fmt: skip
    story.add(
        "course.booster_scheduled.v1", COURSE, STOP + 4 * DAY, booster_id=uid(3, 9), due_on=date(2026, 4, 1),
        reason_code="clinical",
    )  # fmt: skip
    story.scored((30 * HOUR, 3))
    return story


def read(story: Told, **asked: Any) -> Timeline:
    return timeline(story.history, PATIENT, **asked)


def named(found: Timeline, name: str) -> TimelineEntry:
    return next(one for one in found.entries if one.name == name)


def test_entries_come_in_order_of_occurrence_whenever_they_were_recorded() -> None:
    """The score of the day after, entered last, stands before the gate that used it, and is marked late."""
    found = read(told())
    moments = [one.occurred_at for one in found.entries]
    assert moments == sorted(moments)
    score = next(one for one in found.entries if one.facts.get("score") == 3)
    assert score.late
    assert score.late_minutes == (4 * DAY - 30 * HOUR) // timedelta(minutes=1)
    assert found.entries.index(score) < found.entries.index(named(found, "course.response_assessed.v1"))


@pytest.mark.parametrize(("origin", "late"), [("entered", True), ("device", True), ("process", False),
                                               ("import", False)])  # fmt: skip
def test_only_what_somebody_charted_can_be_charted_late(origin: str, late: bool) -> None:
    """A missed follow-up that the timer enters the next morning is dated to when it was due: nobody was late."""
    story = told()
    story.history.add(
        "diary.follow_up_missed.v1", DIARY, STOP + 2 * DAY, subject=PATIENT, recorded=STOP + 5 * DAY,
        follow_up_id=uid(7, 9),
    )  # fmt: skip
    records = story.history.records
    records[-1] = structs.replace(records[-1], origin=origin)
    missed = named(read(story), "diary.follow_up_missed.v1")
    assert missed.late is late
    assert missed.late_minutes >= 24 * 60


def test_side_effects_are_tied_to_their_infusion() -> None:
    """In the visit by its stream; from home by the last drug stop within seven days."""
    found = read(told(), kinds={"side_effect"})
    tied = [(one.name.partition(".")[0], one.bearings.attributed) for one in found.entries]
    assert tied == [("infusion", "visit"), ("diary", "last drug stop within 7 days")]
    assert {one.bearings.infusion_ordinal for one in found.entries} == {1}


def test_each_entry_shows_where_it_left_course_booster_and_pain() -> None:
    """Open, trial given, gate passed; booster scheduled; the last score."""
    found = read(told())
    states = [one.bearings.course_state for one in found.entries]
    assert list(dict.fromkeys(states)) == ["open", "trial_given", "gate_passed"]
    last = found.entries[-1].bearings
    assert (last.booster_state, last.booster_due_on, last.pain_now) == ("scheduled", date(2026, 4, 1), 3)


def test_an_amended_entry_shows_what_stands_and_what_stood() -> None:
    """The new value in the facts, the old one with the correction; moved in time it moves in the list."""
    story = told()
    story.history.amend(DIARY, 1, STOP + 9 * DAY, score=6, occurred_at=(STOP - 2 * DAY).isoformat())
    entry = read(story).entries[1]
    assert entry.amended
    assert entry.facts["score"] == 6
    assert entry.corrections[0].before["score"] == 8
    assert entry.occurred_at == STOP - 2 * DAY


def test_a_struck_entry_stays_and_counts_for_nothing() -> None:
    """Shown as struck; course and pain are as if it had not been."""
    story = told()
    story.history.strike(story.infused(START + 9 * DAY), 1, STOP + 20 * DAY)
    found = read(story)
    struck = [one for one in found.entries if one.struck]
    assert len(struck) == 1
    assert struck[0].corrections[0].what == "struck"
    assert found.entries[-1].bearings.course_state == "gate_passed"


def test_secrets_stay_sealed_without_an_unsealer() -> None:
    """No key, no text, and no box either."""
    entry = read(told(), kinds={"side_effect"}).entries[0]
    assert entry.facts["note"] == {"secret": "sealed"}


def test_secrets_open_with_one_and_lost_keys_say_so() -> None:
    """Each is opened under its own record and field; a destroyed key is no error."""
    first, second = read(told(), kinds={"side_effect"}, unsealer=OpensAll()).entries
    assert first.facts["note"] == f"felt sick ({first.position}/note)"
    assert second.facts["note"] == {"secret": "redacted", "why": "key destroyed"}


def test_an_amended_secret_opens_under_the_amendment() -> None:
    """Its box is bound to the record that brought it."""
    story = told()
    visit = uid(1, 6)
    story.history.amend(visit, 2, STOP + 9 * DAY, sealed={"note": Sealed("k", "felt very sick")})
    entry = read(story, kinds={"side_effect"}, unsealer=OpensAll()).entries[0]
    assert entry.facts["note"] == f"felt very sick ({story.history.head()}/sealed/note)"


@pytest.mark.parametrize(
    ("viewer", "seen"),
    [(None, False), (Actor(id="nurse-2", role="nurse"), False), (Actor(id="nurse-1", role="nurse"), True),
     (Actor(id="x", role="auditor"), True)],
)  # fmt: skip
def test_text_written_for_the_wrong_patient_opens_to_its_author_and_auditors_only(
    viewer: Actor | None, seen: bool
) -> None:
    """Struck as wrong patient: it is about somebody else."""
    story = told()
    visit = uid(1, 6)
    story.add(
        "entry.struck.v1", visit, STOP + 5 * DAY, entry=2, entry_name="infusion.side_effect_reported.v1",
        reason_code="wrong_patient",
    )  # fmt: skip
    entry = read(story, kinds={"side_effect"}, unsealer=OpensAll(), viewer=viewer).entries[0]
    assert (entry.facts["note"] == f"felt sick ({entry.position}/note)") is seen
    assert seen or entry.facts["note"]["secret"] == "withheld"


def test_known_at_and_as_of_are_different_cuts() -> None:
    """Known at: before the late score was entered. As of: before the gate happened."""
    story = told()
    early = read(story, known_at=story.history.head() - 1)
    assert all(one.facts.get("score") != 3 for one in early.entries)
    then = read(story, as_of=STOP + 2 * DAY)
    assert any(one.facts.get("score") == 3 for one in then.entries)
    assert all(one.name != "course.response_assessed.v1" for one in then.entries)


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_join_to_the_whole(newest_first: bool) -> None:
    """Every entry once, in order, whatever the page's size."""
    life = Life(4, days=8, patients=3)
    patient = life.patients[0]
    whole = timeline(life.history, patient, limit=10_000, newest_first=newest_first).entries
    cursor, seen = None, []
    while True:
        page = timeline(life.history, patient, limit=7, cursor=cursor, newest_first=newest_first)
        seen += [one.position for one in page.entries]
        assert page.total == len(whole)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [one.position for one in whole]
    assert all((a.occurred_at <= b.occurred_at) is not newest_first or a.occurred_at == b.occurred_at
               for a, b in pairwise(whole))  # fmt: skip


def test_a_cursor_of_another_kind_is_refused() -> None:
    """Named, not a traceback."""
    with pytest.raises(UnknownCursor):
        read(told(), cursor="yesterday")


def test_every_record_of_the_patient_is_an_entry_or_a_correction_of_one() -> None:
    """Nothing is left out of the whole timeline."""
    life = Life(9, days=6, patients=3)
    for patient in life.patients:
        found = timeline(life.history, patient, limit=10_000)
        shown = {one.position for one in found.entries} | {c.position for one in found.entries for c in one.corrections}
        assert shown == {record.position for record in life.history.read_subject(patient)}


def test_merged_patients_are_read_as_one() -> None:
    """Their records interleave in order of occurrence."""
    story = told()
    story.history.add("diary.pain_scored.v1", uid(2, 8), START, clinic=uid(1, 1), subject=uid(2, 3), score=9)
    found = timeline(story.history, [PATIENT, uid(2, 3)])
    assert any(one.facts.get("score") == 9 for one in found.entries)
    assert [one.occurred_at for one in found.entries] == sorted(one.occurred_at for one in found.entries)

"""A patient's drafts to commands: what repeats is folded, every row is counted once, keys follow content."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from api.fhir.chart import LATE_REASON, Chart
from api.fhir.drafts import (
    AnyDraft,
    ConditionDraft,
    HintDraft,
    PainDraft,
    PatientDraft,
    PressureDraft,
    TherapyDraft,
    ThyrotropinDraft,
    WeightDraft,
)
from api.fhir.spool import Row, Spool
from domain.diary import MeasureWeight, ScorePain
from domain.kernel import Actor
from domain.patient.history import RecordCondition, RecordTherapyTried
from domain.patient.screening import RecordScreening

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BY = Actor(id="import:fhir", role="system")
PATIENT = PatientDraft(
    source_id="p1", identity=("hospital", "42"), family_name="Doe", given_name="Ann", birth_date=date(1970, 1, 1),
    sex="female",
)


def chart(*drafts: AnyDraft, reasons: dict[str, str | None] | None = None) -> Chart:
    rows = [Row(type(draft).__name__, f"file:{number}", draft) for number, draft in enumerate(drafts)]
    made = Chart(PATIENT, rows, reasons or {}, patient_id=UUID(int=1), by=BY, now=NOW)
    counted = [row for entry in made.entries for row in entry.rows] + [skipped.row for skipped in made.skipped]
    assert sorted(row.place for row in counted) == sorted(row.place for row in rows), "each row is counted once"
    return made


def pain(days_ago: float, score: int) -> PainDraft:
    return PainDraft(at=NOW - timedelta(days=days_ago), score=score)


def reasons_skipped(made: Chart) -> list[str]:
    return [skipped.reason for skipped in made.skipped]


def test_a_condition_said_many_times_is_recorded_once_with_its_earliest_onset() -> None:
    made = chart(
        ConditionDraft(condition="migraine", label="Migraine", onset_on=date(2010, 1, 1)),
        ConditionDraft(condition="migraine", label="Chronic migraine", icd10="G43.709", onset_on=date(2005, 1, 1)),
        ConditionDraft(condition="fibromyalgia", label="Fibromyalgia"),
    )
    commands = [entry.command for entry in made.entries]
    assert all(isinstance(command, RecordCondition) for command in commands)
    migraine = commands[1]
    assert isinstance(migraine, RecordCondition)
    assert (migraine.condition, migraine.onset_on, migraine.icd10) == ("migraine", date(2005, 1, 1), "G43.709")
    assert migraine.note == "Migraine; Chronic migraine"
    assert reasons_skipped(made) == ["duplicate"]


def test_refills_are_one_therapy_tried_whose_result_nobody_knows() -> None:
    made = chart(*(
        TherapyDraft(therapy="opioid", label=f"Opioid {number}", started_on=date(2015 + number, 1, 1))
        for number in range(7)
    ))
    (entry,) = made.entries
    assert isinstance(entry.command, RecordTherapyTried)
    assert len(entry.rows) == 7
    assert (entry.command.result, entry.command.started_on, entry.command.ended_on) == (
        "unknown", date(2015, 1, 1), None)
    assert entry.command.description == "Opioid 0; Opioid 1; Opioid 2; Opioid 3; and 3 more"


def test_a_medicine_given_for_much_else_counts_only_with_one_of_our_conditions_as_reason() -> None:
    beta_blocker = TherapyDraft(therapy="beta_blocker", label="x", reasons=("c1",), needs_reason=True)
    assert len(chart(beta_blocker, reasons={"c1": "migraine"}).entries) == 1
    assert reasons_skipped(chart(beta_blocker, reasons={"c1": None})) == ["not_for_pain"]
    assert reasons_skipped(chart(beta_blocker)) == ["not_for_pain"]


def test_a_painkiller_given_for_something_else_that_the_export_names_does_not_count() -> None:
    ibuprofen = TherapyDraft(therapy="nsaid", label="Ibuprofen", reasons=("c1",))
    assert reasons_skipped(chart(ibuprofen, reasons={"c1": None})) == ["not_for_pain"]
    assert len(chart(ibuprofen).entries) == 1, "a dangling reason is no reason against it"


def test_all_hints_make_one_screening_and_nothing_is_called_absent() -> None:
    made = chart(
        HintDraft(contraindication="substance_abuse", basis="imported_condition", label="Drug abuse",
                  since=date(2014, 5, 1)),
        HintDraft(contraindication="heart_disease", basis="imported_condition", label="Ischemic heart disease"),
        HintDraft(contraindication="substance_abuse", basis="imported_medication", label="Suboxone"),
    )
    (entry,) = made.entries
    assert isinstance(entry.command, RecordScreening)
    assert [(f.contraindication, f.status) for f in entry.command.findings] == [
        ("heart_disease", "hint"), ("substance_abuse", "hint")]
    assert entry.command.notes["substance_abuse"] == "Drug abuse; Suboxone (since 2014-05-01)"


def test_only_the_last_pressure_and_thyrotropin_can_be_a_hint() -> None:
    def pressure(days_ago: int, systolic: int, diastolic: int) -> PressureDraft:
        at = NOW - timedelta(days=days_ago)
        return PressureDraft(at=at, systolic_mmhg=Decimal(systolic), diastolic_mmhg=Decimal(diastolic))

    high_now = chart(pressure(400, 120, 80), pressure(3, 161, 88))
    assert [entry.kind for entry in high_now.entries] == ["hint"]
    assert reasons_skipped(high_now) == ["not_the_latest"]
    high_then = chart(pressure(400, 190, 120), pressure(3, 130, 85))
    assert high_then.entries == []
    assert reasons_skipped(high_then) == ["not_the_latest", "unremarkable"]
    thyroid = chart(ThyrotropinDraft(at=NOW - timedelta(days=9), abnormal=True))
    assert [entry.key for entry in thyroid.entries] == ["screening:thyroid_disease"]


def test_the_diary_is_entered_in_order_of_its_own_dates_with_import_as_reason_for_being_late() -> None:
    made = chart(pain(0.1, 3), pain(4000, 8), WeightDraft(at=NOW - timedelta(days=30), weight_kg=Decimal("80.10")))
    commands = [entry.command for entry in made.entries]
    assert [type(command) for command in commands] == [ScorePain, MeasureWeight, ScorePain]
    assert [command.late_reason for command in commands] == [LATE_REASON, LATE_REASON, None]
    assert [command.at for command in commands] == sorted(command.at for command in commands)


def test_the_same_score_at_the_same_moment_is_a_duplicate_another_score_is_not() -> None:
    made = chart(pain(10, 5), pain(10, 5), pain(10, 6))
    assert len(made.entries) == 2
    assert reasons_skipped(made) == ["duplicate"]


def test_scores_from_the_future_or_before_birth_are_not_entered() -> None:
    made = chart(pain(-2, 5), PainDraft(at=datetime(1969, 5, 5, tzinfo=UTC), score=5))
    assert made.entries == []
    assert sorted(reasons_skipped(made)) == ["before_birth", "in_the_future"]


def test_keys_follow_from_what_is_said_not_from_the_order_of_the_export() -> None:
    drafts: list[AnyDraft] = [
        pain(10, 5), pain(20, 7), ConditionDraft(condition="migraine", label="m"),
        HintDraft(contraindication="hypertension", basis="imported_condition", label="h"),
        TherapyDraft(therapy="opioid", label="o"),
    ]
    forwards = {entry.key for entry in chart(*drafts).entries}
    assert forwards == {entry.key for entry in chart(*reversed(drafts)).entries}
    assert len(forwards) == len(drafts)


def test_the_spool_gives_back_what_it_was_given_patient_by_patient() -> None:
    spool = Spool()
    assert spool.add_patient(PATIENT, "p:1")
    assert not spool.add_patient(PATIENT, "p:2")
    spool.add("p1", "Observation", "o:1", pain(1, 4))
    spool.add("gone", "Observation", "o:2", pain(1, 5))
    spool.add("p1", "Observation", "o:3", WeightDraft(at=NOW, weight_kg=Decimal("70.5")))
    spool.add_reason("p1", "c1", "migraine")
    spool.close_writing()
    assert list(spool.patients()) == [(PATIENT, "p:1")]
    assert [row.place for row in spool.rows_of("p1")] == ["o:1", "o:3"]
    assert spool.rows_of("p1")[1].draft == WeightDraft(at=NOW, weight_kg=Decimal("70.5"))
    assert spool.reasons_of("p1") == {"c1": "migraine"}
    assert list(spool.orphans()) == [("Observation", "o:2")]
    spool.close()

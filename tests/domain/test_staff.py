"""Members of staff: joining, credentials in date, leaving, corrections."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid5

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.corrections import AmendEntry, EntryAmended, EntryStruck, StrikeEntry
from domain.kernel import NAMESPACE, Actor, Event, Redacted, Sealed
from domain.staff import (
    AlreadyJoined,
    CredentialNotValid,
    CredentialsRecorded,
    JoinStaff,
    LeaveStaff,
    NotCorrectable,
    NotInService,
    RecordCredentials,
    StaffJoined,
    StaffLeft,
    StaffNameMissing,
    State,
    as_of,
    decide,
    evolve,
    in_date,
    initial,
    licence_in_date,
    may_nurse,
    may_prescribe,
)
from domain.vocabulary import UnknownCode
from tests.domain.given_when_then import Given, given

AT = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
WHO = uuid5(NAMESPACE, "doctor")
OWNER = Actor(id="owner", role="owner")
FROM, UNTIL = date(2026, 1, 1), date(2026, 12, 31)


def ask(kind: type[Any], /, **fields: Any) -> Any:
    return kind(**{"by": OWNER, "now": AT, "at": AT, **fields})


def joined(profession: str = "physician") -> StaffJoined:
    return StaffJoined(occurred_at=AT, full_name="Ada Example", profession=profession)


def holds(kind: str = "medical_license", since: date = FROM, until: date = UNTIL) -> CredentialsRecorded:
    return CredentialsRecorded(
        occurred_at=AT, kind=kind, number="A1", jurisdiction="US-CA", valid_from=since, valid_until=until)


def somebody(*events: Event) -> Given[State]:
    return given(initial(WHO), evolve, events)


def test_staff_join_once_and_may_join_again_after_leaving() -> None:
    joining = ask(JoinStaff, full_name="Ada Example", profession="physician")
    there = somebody().when(decide, joining).then(joined())
    there.when(decide, joining).then_refused(AlreadyJoined)
    gone = there.when(decide, ask(LeaveStaff, reason_code="moved")).then(StaffLeft(occurred_at=AT, reason_code="moved"))
    gone.when(decide, ask(LeaveStaff, reason_code="moved")).then_refused(NotInService)
    gone.when(decide, joining).then_kinds(StaffJoined)


def test_staff_have_a_name_and_a_known_profession() -> None:
    somebody().when(decide, ask(JoinStaff, full_name=" ", profession="physician")).then_refused(StaffNameMissing)
    somebody().when(decide, ask(JoinStaff, full_name="X", profession="shaman")).then_refused(UnknownCode)


@pytest.mark.parametrize(("changed", "error", "pointer"), [
    ({"kind": "driving_licence"}, UnknownCode, "/kind"),
    ({"number": " "}, CredentialNotValid, "/number"),
    ({"jurisdiction": "California"}, CredentialNotValid, "/jurisdiction"),
    ({"valid_until": date(2025, 12, 31)}, CredentialNotValid, "/valid_until"),
])
def test_credentials_that_cannot_be(changed: dict[str, Any], error: type[Any], pointer: str) -> None:
    fields = {"kind": "medical_license", "number": "A1", "jurisdiction": "US-CA", "valid_from": FROM,
              "valid_until": UNTIL, **changed}
    somebody(joined()).when(decide, ask(RecordCredentials, **fields)).then_refused(error, pointer=pointer)


def test_credentials_are_recorded_of_who_is_there() -> None:
    recording = ask(RecordCredentials, kind="medical_license", number="A1", jurisdiction="US-CA", valid_from=FROM,
                    valid_until=UNTIL)
    somebody(joined()).when(decide, recording).then(holds())
    somebody().when(decide, recording).then_refused(NotInService)


@for_all(st.dates(date(2025, 6, 1), date(2027, 6, 1)))
def test_a_licence_is_in_date_from_its_first_day_through_its_last(on: date) -> None:
    state = somebody(joined(), holds()).state
    assert in_date(state, "medical_license", on) == (FROM <= on <= UNTIL)
    assert not in_date(state, "acls", on)


@for_all(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)).map(sorted), max_size=4), st.integers(0, 400))
def test_any_credential_that_holds_will_do(spans: list[list[int]], day: int) -> None:
    def on(number: int) -> date:
        return FROM + timedelta(days=number)

    state = somebody(joined(), *(holds(since=on(a), until=on(b)) for a, b in spans)).state
    assert licence_in_date(state, on(day)) == any(a <= day <= b for a, b in spans)


@pytest.mark.parametrize(("profession", "kind", "prescribes", "nurses"), [
    ("physician", "medical_license", True, True),
    ("physician", "nursing_license", False, True),
    ("nurse_practitioner", "advanced_practice_license", True, True),
    ("registered_nurse", "nursing_license", False, True),
    ("registered_nurse", "medical_license", False, False),
    ("receptionist", "nursing_license", False, True),
    ("receptionist", "acls", False, False),
])
def test_who_may_prescribe_and_who_may_nurse(profession: str, kind: str, prescribes: bool, nurses: bool) -> None:
    state = somebody(joined(profession), holds(kind)).state
    assert (may_prescribe(state, FROM), may_nurse(state, FROM)) == (prescribes, nurses)


def test_who_left_holds_nothing_any_more_but_did_before() -> None:
    left = StaffLeft(occurred_at=AT + timedelta(days=30), reason_code="retired")
    state = somebody(joined(), holds(), left).state
    assert not may_prescribe(state, FROM)
    assert may_prescribe(as_of(state, AT + timedelta(days=1)), FROM)


def test_a_wrong_expiry_is_amended_and_a_wrong_credential_struck() -> None:
    past = somebody(joined(), holds(until=date(2099, 12, 31)))
    amending = ask(AmendEntry, entry=2, corrections={"valid_until": "2026-06-30"}, reason_code="typing_error")
    amended = past.when(decide, amending).then(EntryAmended(
        occurred_at=AT, entry=2, entry_name="staff.credentials_recorded.v1",
        corrections={"valid_until": "2026-06-30"}, reason_code="typing_error"))
    assert in_date(amended.state, "medical_license", date(2026, 6, 30))
    assert not in_date(amended.state, "medical_license", date(2026, 7, 1))
    struck = amended.when(decide, ask(StrikeEntry, entry=2, reason_code="duplicate")).then_kinds(EntryStruck)
    assert not in_date(struck.state, "medical_license", FROM)


def test_an_amended_credential_keeps_the_rules() -> None:
    amending = ask(AmendEntry, entry=2, corrections={"valid_until": "2020-01-01"}, reason_code="typing_error")
    somebody(joined(), holds()).when(decide, amending).then_refused(
        CredentialNotValid, pointer="/corrections/valid_until")
    joining = ask(AmendEntry, entry=1, corrections={"profession": "physician"}, reason_code="typing_error")
    somebody(joined(), holds()).when(decide, joining).then_refused(NotCorrectable)


@pytest.mark.parametrize("secret", [Sealed("key", "box"), Redacted(), "plain"])
def test_sealed_and_redacted_values_fold_as_well(secret: Any) -> None:
    event = StaffJoined(occurred_at=AT, full_name=secret, email=secret, profession="physician")
    assert somebody(event, holds()).state.full_name == secret
    assert may_prescribe(somebody(event, holds()).state, FROM)

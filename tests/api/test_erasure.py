"""An erased patient: nobody reads the name again, the log still proves the same, coded facts and counts stay."""

from __future__ import annotations

from uuid import UUID, uuid4

from api.http import examples as ex
from tests.api.world import World


def test_nothing_that_identifies_is_left(lived: World) -> None:
    """The chart says redacted where names stood; neither search nor directory knows the person."""
    patient = lived.ids[ex.DUPLICATE]
    chart = lived.get(f"/v1/patients/{patient}/chart", "prescriber", "A").get_json()
    registered = chart["entries"][0]["data"]
    assert {registered[field]["secret"] for field in ("family_name", "given_name", "birth_date")} == {"redacted"}
    assert registered["sex"] == "female" and registered["age_band"] == "45-54"
    shown = lived.get(f"/v1/patients/{patient}", "prescriber", "A").get_json()
    assert shown["erased"] and shown["family_name"] is None
    found = lived.post(
        "/v1/patients/search", {"name": "exemple"}, key=lived.keys["nurse", "A"], idempotency_key=str(uuid4())
    )
    assert found.get_json()["patients"] == []


def test_nothing_more_is_written_about_them(lived: World) -> None:
    """A command about an erased patient is refused."""
    answer = lived.post(
        f"/v1/patients/{lived.ids[ex.DUPLICATE]}/conditions", {"condition": "crps"}, key=lived.keys["nurse", "A"],
        idempotency_key=str(uuid4()),
    )
    assert (answer.status_code, answer.get_json()["code"]) == (409, "record-erased")


def test_the_feed_and_its_proof_are_as_before(lived: World) -> None:
    """The registration is still in its place with the leaf hash it always had."""
    record = lived.services.log.read_stream(UUID(lived.ids[ex.DUPLICATE]))[0]
    page = lived.get(f"/v1/events?after={record.position - 1}&limit=1", "auditor", "A").get_json()
    assert page["events"][0]["leafhash"] == record.leaf_hash.hex()
    assert page["events"][0]["data"]["family_name"] == {"withheld": True}

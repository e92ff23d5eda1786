"""The feed: complete, in order, scoped, provable by what the client itself received."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import defaultdict
from typing import Any
from uuid import uuid4

import pytest

from api.http import examples as ex
from api.http.context import EXTENSION
from tests.api.world import World


def _all(
    world: World, query: str = "", role: str = "integrator", at: str = "A", limit: int = 13
) -> list[dict[str, Any]]:
    """Every item, page by page, as a client would."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = world.get(f"/v1/events?limit={limit}{query}{after}", role, at).get_json()
        found += page["events"]
        if not page["events"]:
            return found
        after = f"&after={page['next']}"


@pytest.mark.parametrize("query", ["", "&types=infusion.*", "&types=infusion.given.v1,diary.pain_scored.v1"])
def test_pages_are_the_whole_and_each_item_names_the_one_before(lived: World, query: str) -> None:
    """`prevsequence` chains without a hole under any filter, from 0 to the last item."""
    found = _all(lived, query)
    assert found
    assert [item["prevsequence"] for item in found] == ["0", *[item["sequence"] for item in found[:-1]]]
    assert [int(item["sequence"]) for item in found] == sorted({int(item["sequence"]) for item in found})
    assert [item["id"] for item in found] == [item["id"] for item in _all(lived, query, limit=1000)]


def test_it_holds_what_the_log_holds(lived: World) -> None:
    """For a key of all clinics: every position, dense, with the log's own leaf hash."""
    found = _all(lived, role="owner", at="all", limit=1000)
    records = lived.services.log.read(0, 100_000)
    assert [(int(item["sequence"]), item["type"], item["leafhash"]) for item in found] == [
        (record.position, record.name, record.leaf_hash.hex()) for record in records
    ]


def test_it_is_scoped(lived: World) -> None:
    """A key sees its clinics' events only, and cannot ask for another's."""
    clinic = lived.ids[ex.CLINIC]
    assert {item.get("clinic") for item in _all(lived)} == {clinic}
    nowhere, theirs = lived.get(f"/v1/events?clinic={uuid4()}", "integrator", "A"), None
    theirs = lived.get(f"/v1/events?clinic={lived.ids[ex.OTHER_CLINIC]}", "integrator", "A")
    assert nowhere.status_code == theirs.status_code == 404
    assert all(item["type"] != "patient.registered.v1" for item in _all(lived, at="B"))


def test_no_sealed_value_leaves(lived: World) -> None:
    """Names, phones and free text are withheld, whoever asks; coded facts are there."""
    text = str(_all(lived, role="owner", at="all"))
    for secret in ("Sam Example", "+1 555 0100", "Robin Example", "1978-04-12", "RN-000000", "The onset was in 2020"):
        assert secret not in text
    given = next(item for item in _all(lived) if item["type"] == "infusion.given.v1")
    assert given["data"]["purpose"] == "trial" and given["patient"] == lived.ids[ex.PATIENT]
    checked = next(item for item in _all(lived) if item["type"] == "infusion.pre_infusion_checked.v1")
    assert checked["data"]["driver_name"] == {"withheld": True}


@pytest.mark.parametrize("query", ["", "&types=infusion.*", "&types=diary.pain_scored.v1"])
def test_the_digest_is_recomputed_from_what_was_received(lived: World, query: str) -> None:
    """Count and SHA-256 per type over the leaf hashes in order."""
    found = [item for item in _all(lived, query) if 20 <= int(item["sequence"]) <= 150]
    hashes: dict[str, Any] = defaultdict(hashlib.sha256)
    counts: dict[str, int] = defaultdict(int)
    for item in found:
        hashes[item["type"]].update(bytes.fromhex(item["leafhash"]))
        counts[item["type"]] += 1
    said = lived.get(f"/v1/events/digest?from=20&to=150{query}", "integrator", "A").get_json()
    assert said["count"] == len(found)
    assert said["types"] == {
        name: {"count": counts[name], "sha256": hashes[name].hexdigest()} for name in sorted(counts)
    }


def test_a_number_is_a_cursor_too(lived: World) -> None:
    """`after=` takes a sequence number, and the first item still names the one before it."""
    found = _all(lived)
    page = lived.get(f"/v1/events?after={found[10]['sequence']}&limit=3", "integrator", "A").get_json()
    assert page["events"] == found[11:14]


@pytest.mark.parametrize("query", [
    "?after=%21%21", "?after=999999999", "?after=AAAA", "?limit=0", "?limit=1001", "?wait=31", "?types=",
    "?types=no.such", "?types=access.*", "?clinic=x", "?nothing=1",
])  # fmt: skip
def test_a_wrong_question_is_refused(lived: World, query: str) -> None:
    """422 with a pointer; a cursor from beyond the end is no silent wait."""
    answer = lived.get(f"/v1/events{query}", "integrator", "A")
    assert answer.status_code == 422, answer.text
    (error,) = answer.get_json()["errors"]
    assert error["pointer"].split("/")[1] == query[1:].partition("=")[0]


def test_waiting_ends_with_the_first_item(lived: World) -> None:
    """A long poll is answered when something happens, long before its time is over."""
    last = lived.get("/v1/events?limit=1000", "owner", "all").get_json()["next"]
    began = time.monotonic()
    assert lived.get(f"/v1/events?after={last}&wait=0", "owner", "all").get_json()["events"] == []

    def later() -> None:
        time.sleep(0.3)
        lived.registry.create_user("somebody")
        lived.post(
            f"/v1/diary/{lived.ids[ex.PATIENT]}/pain", {"score": 3}, key=lived.keys["nurse", "A"],
            idempotency_key=str(uuid4()),
        )

    thread = threading.Thread(target=later)
    thread.start()
    page = lived.get(f"/v1/events?after={last}&wait=10", "owner", "all").get_json()
    thread.join()
    assert [item["type"] for item in page["events"]] == ["diary.pain_scored.v1"]
    assert time.monotonic() - began < 5


def test_long_polls_leave_threads_to_others(lived: World) -> None:
    """When half of a worker's threads wait already, the next is answered at once."""
    waiting = lived.app.extensions[EXTENSION].waiting
    last = lived.get("/v1/events?limit=1000", "owner", "all").get_json()["next"]
    held = 0
    while waiting.acquire(blocking=False):
        held += 1
    try:
        began = time.monotonic()
        assert lived.get(f"/v1/events?after={last}&wait=20", "owner", "all").get_json()["events"] == []
        assert time.monotonic() - began < 2
    finally:
        waiting.release(held)


def test_a_page_that_left_is_noted(lived: World) -> None:
    """An export of records leaves an access entry; an empty poll does not."""
    log = lived.services.access.log
    before = log.head()
    page = lived.get("/v1/events?limit=1000", "auditor", "A").get_json()
    assert [record.name for record in log.read(before, 10)] == ["access.export_made.v1"]
    before = log.head()
    lived.get(f"/v1/events?after={page['next']}", "auditor", "A")
    assert log.head() == before

"""The feed proves its own completeness; the export is the log as other programs can read it."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from uuid import UUID, uuid4

import pytest

from services.log import EventLog, KeyUnsealer, UnknownEvent
from services.log.export import export
from services.log.feed import Feed
from tests.log.given import append, by_nurse, renamed, scored

A, B = UUID(int=1), UUID(int=2)
SCORED, RENAMED, OPENED = "infusion.sedation_scored.v1", "patient.demographics_corrected.v1", "system.log_opened.v1"


@pytest.fixture
def log(event_log: EventLog) -> EventLog:
    """Positions: 1 opened, 2 scored A, 3 renamed B, 4 scored B, 5 scored A, 6 renamed A, 7 scored without a clinic."""
    for event, clinic in ((scored(), A), (renamed("x"), B), (scored(), B), (scored(), A), (renamed("y"), A),
                          (scored(), None)):
        append(event_log, uuid4(), 0, event, envelope=by_nurse(clinic_id=clinic))
    return event_log


def chain(log: EventLog, **more: object) -> list[tuple[int, int]]:
    """(position, prevsequence) of every item, read in pages of two."""
    items, after = [], 0
    while True:
        page = Feed(log).page(after, limit=2, **more)  # type: ignore[arg-type]
        items += [(item.record.position, item.prevsequence) for item in page.items]
        after = page.next_after
        if after >= page.head:
            return items


def test_the_feed_is_in_order_and_complete(log: EventLog) -> None:
    assert chain(log) == [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, 5), (7, 6)]


def test_under_a_filter_each_item_names_the_one_before_it(log: EventLog) -> None:
    assert chain(log, types=[SCORED]) == [(2, 0), (4, 2), (5, 4), (7, 5)]
    assert chain(log, clinics=[A]) == [(2, 0), (5, 2), (6, 5)]
    assert chain(log, clinics=[A, B], types=[RENAMED]) == [(3, 0), (6, 3)]
    assert chain(log, clinics=[]) == [] and chain(log, types=[]) == []


def test_a_cursor_between_items_still_names_the_item_before(log: EventLog) -> None:
    (item,) = Feed(log).page(3, types=[SCORED], limit=1).items
    assert (item.record.position, item.prevsequence) == (4, 2)


def test_a_page_that_is_not_full_goes_on_from_the_head(log: EventLog) -> None:
    page = Feed(log).page(0, clinics=[B], limit=10)
    assert (page.next_after, page.head) == (7, 7)
    assert Feed(log).page(7).items == () and Feed(log).page(99).next_after == 99


def test_an_unknown_type_is_refused(log: EventLog) -> None:
    with pytest.raises(UnknownEvent):
        Feed(log).page(0, types=["infusion.sedation_scored.v9"])


def test_a_client_recomputes_the_digest_from_what_it_received(log: EventLog) -> None:
    items = Feed(log).page(0, clinics=[A, B]).items
    mine: dict[str, list[bytes]] = {}
    for item in items:
        mine.setdefault(item.record.name, []).append(item.record.leaf_hash)
    digest = Feed(log).digest(1, 7, clinics=[A, B])
    assert {name: (told.count, told.hash) for name, told in digest.types.items()} == {
        name: (len(leaves), hashlib.sha256(b"".join(leaves)).hexdigest()) for name, leaves in mine.items()
    }
    assert {name: told.count for name, told in Feed(log).digest(2, 3).types.items()} == {SCORED: 1, RENAMED: 1}
    assert Feed(log).digest(8, 99).types == {}


def test_waiting_answers_as_soon_as_something_comes(log: EventLog) -> None:
    later = threading.Timer(0.3, lambda: append(log, uuid4(), 0, scored()))
    began = time.monotonic()
    later.start()
    page = Feed(log).page(7, wait_s=10)
    assert [item.record.position for item in page.items] == [8]
    assert 0.2 < time.monotonic() - began < 3
    began = time.monotonic()
    assert Feed(log).page(8, wait_s=0.2).items == ()
    assert 0.15 < time.monotonic() - began < 2


def test_waiting_under_a_filter_is_not_ended_by_what_it_leaves_out(log: EventLog) -> None:
    later = threading.Timer(0.1, lambda: append(log, uuid4(), 0, scored()))
    later.start()
    page = Feed(log).page(7, types=[RENAMED], wait_s=0.5)
    later.join()
    assert page.items == () and page.next_after == 8


# --- export --------------------------------------------------------------------------------------


def lines(log: EventLog, **more: object) -> list[dict[str, object]]:
    return [json.loads(line) for line in export(log, **more)]  # type: ignore[arg-type]


def test_the_export_holds_every_event_with_its_envelope_and_seals_unopened(log: EventLog) -> None:
    exported = lines(log)
    assert [line["position"] for line in exported] == [1, 2, 3, 4, 5, 6, 7]
    third = exported[2]
    assert (third["name"], third["actor"], third["role"], third["clinic_id"]) == (RENAMED, "staff:1", "nurse", str(B))
    assert third["occurred_at"] == "2026-03-02T09:30:00-07:00" and str(third["recorded_at"]).endswith("Z")
    payload = third["payload"]
    assert isinstance(payload, dict) and payload["family_name"]["secret"] == "sealed"
    assert set(third) == {
        "position", "stream_id", "version", "name", "occurred_at", "recorded_at", "actor", "role", "origin",
        "clinic_id", "clinic_seq", "subject", "correlation_id", "causation_id", "command_id", "leaf_hash", "payload",
    }


def test_one_clinics_export_proves_its_completeness(log: EventLog) -> None:
    assert [(line["position"], line["clinic_seq"]) for line in lines(log, clinics={A})] == [(2, 1), (5, 2), (6, 3)]


def test_only_with_an_unsealer_is_the_export_readable(log: EventLog) -> None:
    assert log.keys is not None
    opened = lines(log, unsealer=KeyUnsealer(log.keys, log.upcasters))
    assert [line["payload"]["family_name"] for line in opened if line["name"] == RENAMED] == ["x", "y"]  # type: ignore[index]


def test_an_export_can_stop_at_a_position_and_go_on_after_it(log: EventLog) -> None:
    assert [line["position"] for line in lines(log, upto=3)] == [1, 2, 3]
    assert [line["position"] for line in lines(log, after=3)] == [4, 5, 6, 7]

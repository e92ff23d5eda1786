"""The room board over the demo, recounted from the export's lines at moments of its busiest days."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pandas as pd
import pytest

from tests.recount.asking import Asked, Question
from tests.recount.exported import Known
from tests.recount.test_demo import QUARTER

pytestmark = pytest.mark.xdist_group("recount")

ENDS = (
    "infusion.patient_discharged", "infusion.left_against_advice", "infusion.transferred_to_hospital",
    "infusion.visit_ended_without_infusion", "infusion.died_in_care",
)  # fmt: skip


def _moments(demo: Asked) -> list[pd.Timestamp]:
    """Twenty moments spread over the drug starts of the demo, each some minutes after one."""
    starts = demo.export.known().of("infusion.started")["at"].sort_values().reset_index(drop=True)
    places = range(0, len(starts), len(starts) // 20)
    return [starts[place] + pd.Timedelta(minutes=7 * (place % 13)) for place in places]


def _open(known: Known, begins: tuple[str, ...], ends: tuple[str, ...], key: str) -> set[Any]:
    """What began and has no end among the entries that stand."""
    begun, ended = known.of(*begins, fields=[key]), known.of(*ends, fields=[key])
    return set(begun[key]) - set(ended[key])


def test_the_board_is_the_recount_at_twenty_moments(demo: Asked) -> None:
    """Patients in the house, those waiting, rooms held and their visits, alerts, orders, draws: by sets of ids."""
    held_at_all = 0
    for as_of in _moments(demo):
        figures = demo.shown("operations", Question(*QUARTER, as_of))["figures"]
        known = demo.export.known(None, as_of)
        arrived = set(known.of("infusion.patient_arrived")["stream"])
        ended = set(known.of(*ENDS)["stream"])
        roomed = set(known.of("infusion.patient_roomed")["stream"])
        held = roomed - set(known.of("infusion.room_released")["stream"])
        boards = figures["by_clinic"].values()
        shown = {one["infusion"] for board in boards for room in board["rooms"] for one in room["patients"]}
        waiting = {one["infusion"] for board in boards for one in board["waiting"]}
        assert shown == held, as_of
        assert waiting == arrived - ended - roomed, as_of
        assert figures["together"]["patients_in"]["value"] == len(arrived - ended), as_of
        assert _states(boards, held) == _recounted(known, held, ended), as_of
        left: dict[str, set[Any]] = defaultdict(set)
        for board in boards:
            for one in board["loose_ends"]:
                left[one["what"]].add(one["subject"])
        assert left["order"] == _open(
            known, ("infusion.verbal_order_taken",), ("infusion.order_countersigned",), "order_id")
        assert left["alert"] == _open(
            known, ("infusion.alert_raised",), ("infusion.alert_acknowledged",), "alert_id")
        held_at_all += len(held)
    assert held_at_all > 20


def _states(boards: Any, held: set[Any]) -> Counter[str]:
    """How many of those held are being infused, paused, cleaned up after, or anything else."""
    found = Counter(
        one["state"] for board in boards for room in board["rooms"] for one in room["patients"]
        if one["infusion"] in held
    )  # fmt: skip
    other = sum(found[state] for state in ("recovering", "waiting_for_driver"))
    return Counter({
        "preparing": found["preparing"], "infusing": found["infusing"], "paused": found["paused"],
        "after": other, "cleaning": found["cleaning"],
    })  # fmt: skip


def _recounted(known: Known, held: set[Any], ended: set[Any]) -> Counter[str]:
    run = known.of("infusion.started", "infusion.paused", "infusion.resumed", "infusion.given")
    last = run.drop_duplicates("stream", keep="last").set_index("stream")["name"].to_dict()
    words = {"infusion.started": "infusing", "infusion.resumed": "infusing", "infusion.paused": "paused",
             "infusion.given": "after"}  # fmt: skip
    found = Counter(
        "cleaning" if visit in ended else words[last[visit].removesuffix(".v1")] if visit in last else "preparing"
        for visit in held
    )
    return Counter({state: found[state] for state in ("preparing", "infusing", "paused", "after", "cleaning")})

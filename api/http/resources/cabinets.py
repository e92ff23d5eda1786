"""Cabinets: lots of the controlled drug in one clinic: received, drawn, wasted before a second person."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields

from api.http import examples as ex
from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.context import wired
from api.http.reading import RECORD, answer, read_endpoint, record_response
from api.http.scope import new_lot, of_lot, see_clinic, see_lot
from api.http.second_person import WITNESS_PIN, check_witness
from domain import drug_lot
from domain.drug_lot import VialReceived
from services.log.feed import Feed

blueprint = ResourceBlueprint("cabinets", __name__, url_prefix="/v1", description=__doc__)

CABINET = "/cabinets/<uuid:clinic_id>"
HERE = f"{CABINET}/lots/<uuid:lot_id>"
SEEN = "/cabinets/{clinic_id}/lots/{id}"

COMMANDS = (
    CommandEndpoint(
        name="receive", path=f"{CABINET}/lots", command=drug_lot.ReceiveVials, place=new_lot, link=SEEN,
        example={"drug": "ketamine", "ndc": "00000-0000-00", "lot_number": "F2026-014", "expires_on": "2027-09-30",
                 "vials": 20, "mg_per_vial": "500", "ml_per_vial": "10", "supplier": "Example Wholesale"},
    ),
    CommandEndpoint(
        name="draw", path=f"{HERE}/draws", command=drug_lot.DrawDrug, place=of_lot, link=SEEN, new_ids=("draw_id",),
        example={"infusion_id": ex.INFUSION, "drawn_mg": "50", "vials_opened": 1, "drawn_by": ex.NURSE},
    ),
    CommandEndpoint(
        name="waste", path=f"{HERE}/draws/<uuid:draw_id>/waste", command=drug_lot.WasteDrug, place=of_lot, link=SEEN,
        from_path=("draw_id",), extra=WITNESS_PIN, before=check_witness, fills={"given_mg": Decimal(0)},
        example={"wasted_mg": "30", "wasted_by": ex.NURSE, "witness_id": ex.SECOND_NURSE,
                 "witness_pin": "135790", "method": "sequestration"},
    ),
    CommandEndpoint(
        name="break_vials", path=f"{HERE}/breakages", command=drug_lot.BreakVials, place=of_lot, link=SEEN,
        extra=WITNESS_PIN, before=check_witness,
        example={"vials": 1, "lost_mg": "500", "broken_by": ex.NURSE, "witness_id": ex.SECOND_NURSE,
                 "witness_pin": "135790"},
    ),
    CommandEndpoint(
        name="explain_discrepancy", path=f"{HERE}/discrepancies/<uuid:discrepancy_id>/explain",
        command=drug_lot.ExplainDiscrepancy, place=of_lot, link=SEEN, from_path=("discrepancy_id",), if_match=True,
        example={"reason_code": "spilled", "explanation": "Spilled while drawing", "explained_by": ex.NURSE},
    ),
)

register_commands(blueprint, COMMANDS)


class LotSchema(Schema):
    """One lot; milligrams. received = given + wasted + rounding + broken + drawn and open + on hand + differences."""

    id = fields.UUID(required=True)
    version = fields.Integer(required=True)
    drug = fields.String(required=True)
    ndc = fields.String(required=True)
    lot_number = fields.String(required=True)
    expires_on = fields.Date(required=True)
    received_mg = fields.String(required=True)
    on_hand_mg = fields.String(required=True)
    open_mg = fields.String(required=True, metadata={"description": "Drawn, its waste not yet recorded."})
    given_mg = fields.String(required=True)
    wasted_mg = fields.String(required=True)
    rounding_mg = fields.String(required=True)
    broken_mg = fields.String(required=True)
    difference_mg = fields.String(required=True)
    unexplained = fields.List(fields.UUID(), required=True, metadata={"description": "Open discrepancies."})


class CabinetSchema(Schema):
    """A clinic's cabinet."""

    lots = fields.List(fields.Nested(LotSchema), required=True)


_CABINET = {"lots": [{
    "id": ex.LOT, "version": 4, "drug": "ketamine", "ndc": "00000-0000-00", "lot_number": "F2026-014",
    "expires_on": "2027-09-30", "received_mg": "10000", "on_hand_mg": "9950", "open_mg": "0", "given_mg": "20",
    "wasted_mg": "29.5", "rounding_mg": "0.5", "broken_mg": "0", "difference_mg": "0", "unexplained": [],
}]}
MOST_RECEIPTS = 1_000


@read_endpoint(blueprint, CABINET, "list", CabinetSchema, _CABINET)
def list_lots(clinic_id: UUID) -> Response:
    """List the lots of a clinic's cabinet with their balance."""
    see_clinic(clinic_id)
    services = wired().services
    received = Feed(services.log).page(0, types={VialReceived.NAME}, clinics={clinic_id}, limit=MOST_RECEIPTS)
    lot_ids = dict.fromkeys(item.record.stream_id for item in received.items)
    loaded = [(lot_id, services.handling.current(drug_lot, lot_id)) for lot_id in lot_ids]
    return answer({"lots": [_balance(lot_id, one.version, one.state) for lot_id, one in loaded]})


def _balance(lot_id: UUID, version: int, state: drug_lot.State) -> dict[str, Any]:
    amounts = {
        "received_mg": state.received_mg, "on_hand_mg": state.on_hand_mg, "open_mg": state.open_mg,
        "given_mg": state.closed("given_mg"), "wasted_mg": state.closed("wasted_mg"),
        "rounding_mg": state.closed("rounding_mg"), "broken_mg": state.broken_mg,
        "difference_mg": state.closed("difference_mg"),
    }
    return {
        "id": str(lot_id), "version": version, "drug": state.drug, "ndc": state.ndc, "lot_number": state.lot_number,
        "expires_on": None if state.expires_on is None else state.expires_on.isoformat(),
        **{name: str(value) for name, value in amounts.items()},
        "unexplained": [str(one) for one in state.discrepancies],
    }


@read_endpoint(blueprint, HERE, "show", *RECORD, etag=True)
def show(clinic_id: UUID, lot_id: UUID) -> Response:
    """Read a lot's register, entry by entry."""
    see_lot(clinic_id, lot_id)
    return record_response("drug_lot", lot_id, clinic_id=clinic_id)

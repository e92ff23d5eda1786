"""Cabinets: lots of the controlled drug in one clinic: received, drawn, wasted before a second person."""

from __future__ import annotations

from api.http import examples as ex
from api.http.commands import CommandEndpoint, ResourceBlueprint, register_commands
from api.http.scope import new_lot, of_lot
from api.http.second_person import WITNESS_PIN, check_witness
from domain import drug_lot

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
        from_path=("draw_id",), extra=WITNESS_PIN, before=check_witness,
        example={"given_mg": "20", "wasted_mg": "30", "wasted_by": ex.NURSE, "witness_id": ex.SECOND_NURSE,
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

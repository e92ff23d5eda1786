"""One lot of a controlled drug in one clinic's cabinet: received, drawn, given, wasted, on hand.

What it guards (DESIGN section 4), at every moment: received = given + wasted + broken + rounding +
drawn and open + on hand + differences (explained or not). Milligrams given come from the visit's own
events; waste is measured and seen by a second person; nothing is drawn that is not there.
"""

from domain.drug_lot.discrepancies import DiscrepancyExplained, DiscrepancyFound, ExplainDiscrepancy
from domain.drug_lot.draws import DrawDrug, DrugDrawn, DrugWasted, RestateGiven, WasteDrug, drawn_for, shares
from domain.drug_lot.lot import decide, evolve, initial
from domain.drug_lot.state import Draw, Facts, State
from domain.drug_lot.vials import BreakVials, ReceiveVials, VialBroken, VialReceived

__all__ = [
    "BreakVials", "DiscrepancyExplained", "DiscrepancyFound", "Draw", "DrawDrug", "DrugDrawn", "DrugWasted",
    "ExplainDiscrepancy", "Facts", "ReceiveVials", "RestateGiven", "State", "VialBroken", "VialReceived", "WasteDrug",
    "decide", "drawn_for", "evolve", "initial", "shares",
]

"""The visit: one patient's infusion from the door to the door. State, evolve and the dispatch of decide."""

from __future__ import annotations

from domain.infusion.facts import (
    ClearanceFact,
    CourseFacts,
    CredentialFact,
    Facts,
    FindingFact,
    RoomFacts,
    StaffFacts,
)

__all__ = ["ClearanceFact", "CourseFacts", "CredentialFact", "Facts", "FindingFact", "RoomFacts", "StaffFacts"]

"""Ids and values that every documented example shares, so that the examples tell one story.

The tests replace these ids by those of a real clinic and send the examples as they stand.
"""

from __future__ import annotations

from typing import Any

import msgspec

from domain.protocol import EXAMPLE_PROTOCOL

CLINIC = "0b9d2f34-5c1e-4f0a-8a55-0c6d6a1b7e01"
OTHER_CLINIC = "0b9d2f34-5c1e-4f0a-8a55-0c6d6a1b7e02"
ROOM = "3c1f7a90-2b64-4d7e-9a11-5f0e8d3c2b01"
CLOSURE = "7d3e9b12-6f4a-4c8d-b2e1-9a0f1c2d3e01"
PRESCRIBER = "9e5a1c20-7b8d-4e3f-a1c2-3d4e5f607101"
NURSE = "9e5a1c20-7b8d-4e3f-a1c2-3d4e5f607102"
SECOND_NURSE = "9e5a1c20-7b8d-4e3f-a1c2-3d4e5f607103"
PATIENT = "5a7c3e10-9d2b-4f6a-8c1e-2b3d4f5a6c01"
DUPLICATE = "5a7c3e10-9d2b-4f6a-8c1e-2b3d4f5a6c02"
COURSE = "8f2d4b60-1a3c-4e5f-9b7d-6c5e4f3a2b01"
SERIES = "8f2d4b60-1a3c-4e5f-9b7d-6c5e4f3a2b11"
BOOSTER = "8f2d4b60-1a3c-4e5f-9b7d-6c5e4f3a2b21"
APPOINTMENT = "4e6b8d20-3f5a-4c7e-8d9b-1a2c3e4f5b01"
WAITLIST_ENTRY = "4e6b8d20-3f5a-4c7e-8d9b-1a2c3e4f5b11"
INFUSION = "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d10"
ORDER = "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d11"
SIDE_EFFECT = "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d12"
ALERT = "6f1c2a52-0b3a-4a1e-9a43-3e5f0a7a9d13"
LOT = "2d4f6b80-5a7c-4e9d-b1f3-7c8e9a0b1d01"
DRAW = "2d4f6b80-5a7c-4e9d-b1f3-7c8e9a0b1d11"
DISCREPANCY = "2d4f6b80-5a7c-4e9d-b1f3-7c8e9a0b1d21"
SHEET = "0d4e8c26-5b1f-5a3d-9c7e-4f2a1b0c9d81"
DIARY = "0d4e8c26-5b1f-5a3d-9c7e-4f2a1b0c9d82"
REQUEST = "1c3e5a70-4b6d-4f8a-9c2e-8d7f6e5a4c01"

DAY = "2026-03-02"
NINE = "2026-03-02T09:00:00-08:00"
ELEVEN = "2026-03-02T11:00:00-08:00"

PROTOCOL: dict[str, Any] = msgspec.to_builtins(EXAMPLE_PROTOCOL)
"""The shipped example protocol document, as JSON."""

ADOPTED_PROTOCOL: dict[str, Any] = {**PROTOCOL, "author": "Dr. Jo Example", "example": False}
"""The same under a prescriber's own name, as it must be to be adopted."""

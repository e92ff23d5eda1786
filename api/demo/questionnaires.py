"""What patients answer when they are asked about function, mood and memory."""

from __future__ import annotations

from decimal import Decimal
from random import Random

Asked = dict[str, object]


def peg(pain: float, rng: Random) -> Asked:
    """PEG: three items about as bad as the pain."""
    return {
        "instrument": "peg", "items": tuple(max(0, min(10, round(pain) + rng.choice((-1, 0, 0, 1)))) for _ in range(3))
    }


def mood(pain: float, rng: Random) -> Asked:
    """PHQ-9: worse with pain; nobody here is better off dead."""
    moods = (min(3, max(0, round(rng.gauss(pain / 5, 0.7)))) for _ in range(8))
    return {"instrument": "phq9", "items": (*moods, 0)}


def memory(baseline: float, rng: Random) -> Asked:
    """The patient's own rating of memory, 10 is worst: years of pain and its drugs weigh on it."""
    return {"instrument": "memory_self_rating", "total": Decimal(min(10, max(0, round(rng.gauss(baseline / 3, 1.2)))))}

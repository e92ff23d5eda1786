"""The groups of projections that the engine runs: facts without keys, the directory with its Unsealer."""

from __future__ import annotations

from domain.ports import Unsealer
from projections.care_relations import CareRelations
from projections.directory import BlindIndexes, Directory
from projections.engine.projection import Group
from projections.facts.catalogue import OUTCOMES, SAFETY, UTILIZATION, WATCH
from projections.facts.recording import FactProjection
from projections.loose_ends import LooseEnds
from projections.waiting_list import WAITLIST


def facts_group() -> Group:
    """Everything that needs no keys: rooms and visits, relief, safety, who cares for whom, who waits for a slot."""
    return Group(
        "facts",
        (
            FactProjection("utilization", 2, UTILIZATION),
            FactProjection("outcomes", 3, OUTCOMES),
            FactProjection("safety", 2, SAFETY),
            CareRelations(),
            FactProjection("waitlist", 1, WAITLIST),
        ),
    )


def board_group() -> Group:
    """What the room board needs besides the facts of visits. A group of its own: it is rebuilt by itself."""
    return Group("board", (FactProjection("watch", 1, WATCH), LooseEnds()))


def directory_group(unsealer: Unsealer, index_key: bytes) -> Group:
    """The names; `index_key` is the secret behind the blind indexes."""
    return Group("directory", (Directory(unsealer, BlindIndexes(index_key)),), whole_records=True)

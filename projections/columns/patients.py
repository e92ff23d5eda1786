"""Who is one patient: merges that stand, over codes."""

from __future__ import annotations

import numpy as np

from projections.columns.codes import Bools, Ints
from projections.columns.groups import cut, having_word
from projections.columns.store import Facts
from projections.facts.reading import Cut
from projections.facts.relief import EVER
from projections.facts.tables import patient_facts
from projections.metrics.courses import Identities


def survivors(facts: Facts, at: Cut) -> Ints:
    """By code of a patient the code it is read as; the last place, for null, is -1.

    Two records are one patient from the merge's position on, whatever moment is asked about.
    """
    names = facts.codes("patient")
    found = np.append(np.arange(len(names)), -1)
    rows = cut(having_word(facts, patient_facts, "merged", "unmerged"), Cut(EVER, at.known_at))
    if not len(rows):
        return found
    subjects, words = facts.codes("subject"), facts.codes("word")
    merges = Identities(
        {"position": int(position), "kind": words.name(int(kind)), "patient": names.name(int(patient)),
         "subject": subjects.name(int(subject))}
        for position, kind, patient, subject in zip(
            rows["position"], rows["kind"], rows["patient"], rows["subject"], strict=True
        )
    )  # fmt: skip
    for patient in merges.everyone():
        code = names.of(patient)
        if code >= 0:
            survivor = names.of(merges.of(patient))
            found[code] = survivor if survivor >= 0 else code
    return found


def everyone_of(survivor: Ints, patients: Ints) -> Bools:
    """By code whether it is read as one of these patients (by any code of theirs)."""
    chosen = np.zeros(len(survivor), dtype=bool)
    chosen[survivor[patients]] = True
    chosen[-1] = False
    found: Bools = chosen[survivor]
    found[-1] = False
    return found

"""Text as small whole numbers: each id or word of a domain has a code, given in order of first appearance."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NONE = -(2**62)
"""What stands for null in a column of whole numbers; in a column of codes it is -1."""

FOREVER = 2**62
"""`known_to` of a row that stands."""


class Codes(dict[str | None, int]):
    """A domain's codes. Only ever grows, so that readers need no lock; null has the code -1."""

    def __init__(self) -> None:
        super().__init__({None: -1})
        self.names: list[str] = []

    def __missing__(self, name: str | None) -> int:
        assert name is not None
        code = self[name] = len(self.names)
        self.names.append(name)
        return code

    def of(self, name: str) -> int:
        """The code of a name; -2, which no row has, of one that never appeared."""
        return self.get(name, -2)

    def name(self, code: int) -> str:
        """The name; empty for null."""
        return self.names[code] if code >= 0 else ""

    def marked(self, names: Collection[str]) -> Bools:
        """By code whether it is one of `names`; the last place answers for null: no."""
        marks = np.zeros(len(self.names) + 1, dtype=bool)
        marks[[code for name in names if (code := self.get(name, -1)) >= 0]] = True
        return marks


class Days(dict[str | None, int]):
    """ISO dates as ordinals (1 is 0001-01-01)."""

    def __init__(self) -> None:
        super().__init__({None: NONE})

    def __missing__(self, text: str | None) -> int:
        assert text is not None
        found = self[text] = date.fromisoformat(text).toordinal()
        return found

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

OWN_WORDS = ("screening", "not_suitable", "no_response", "nrs", "relief_percent")
"""Words that reports say of themselves, whether or not a row does."""


class Codes(dict[str | None, int]):
    """A domain's codes. Only ever grows, by one thread at a time; readers look through a `Known`."""

    def __init__(self) -> None:
        super().__init__({None: -1})
        self.names: list[str] = []

    def __missing__(self, name: str | None) -> int:
        assert name is not None
        code = len(self.names)
        self.names.append(name)
        self[name] = code
        return code


class Known:
    """A domain's codes as they stood when a report began, whatever other threads add meanwhile.

    All arrays by code that one report makes are thus of one length.
    """

    __slots__ = ("_codes", "_names", "_size")

    def __init__(self, codes: Codes) -> None:
        self._codes = codes
        self._names = codes.names
        self._size = len(codes.names)

    def __len__(self) -> int:
        return self._size

    def of(self, name: str) -> int:
        """The code of a name; -2, which no row has, of one that had not appeared (a clinic newly opened)."""
        code = self._codes.get(name, -2)
        return code if code < self._size else -2

    def name(self, code: int) -> str:
        """The name; empty for null."""
        return self._names[code] if code >= 0 else ""

    def column(self, value: int) -> Ints:
        """An array by code, with a place of its own for what never appeared (-2) and for null (-1)."""
        return np.full(self._size + 2, value, dtype=np.int64)

    def marked(self, names: Collection[str]) -> Bools:
        """By code whether it is one of `names`; the last place answers for null: no."""
        marks = np.zeros(self._size + 1, dtype=bool)
        marks[[code for name in names if (code := self.of(name)) >= 0]] = True
        return marks


class Days(dict[str | None, int]):
    """ISO dates as ordinals (1 is 0001-01-01)."""

    def __init__(self) -> None:
        super().__init__({None: NONE})

    def __missing__(self, text: str | None) -> int:
        assert text is not None
        found = self[text] = date.fromisoformat(text).toordinal()
        return found

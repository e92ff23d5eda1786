"""The shape of every answer: the value with its numerator, denominator, exclusions, n, interval and the rows behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

import msgspec
import numpy as np
import numpy.typing as npt

from projections.metrics.definitions import current
from projections.metrics.lazy import Each, Later
from projections.metrics.statistics import Interval, mean, mean_interval, median, quantile, wilson

SMALL = 10
"""Under this many, counts are shown and no rate (DESIGN section 7)."""


Numbers = npt.NDArray[np.float64] | Callable[[], npt.NDArray[np.float64]]


class FactIds(Sequence[str]):
    """The ids of facts of one table, kept as positions: thousands stand behind a figure, and few are ever read.

    Read, they are in order of position, whatever order they were given in. `numbers` are what each contributed, in the
    same order as the positions, or what makes them when they are asked for.
    """

    __slots__ = ("_numbers", "_order", "_positions", "_prefix")

    def __init__(
        self, prefix: str, positions: npt.NDArray[np.int64], numbers: Numbers | None = None
    ) -> None:
        self._prefix = prefix
        self._positions = positions
        self._numbers = numbers
        self._order: npt.NDArray[np.int64] | None = None

    def _ordered(self) -> npt.NDArray[np.int64]:
        if self._order is None:
            self._order = np.argsort(self._positions, kind="stable")
        return self._order

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if isinstance(index, slice):
            return tuple(f"{self._prefix}{position}" for position in self._positions[self._ordered()[index]].tolist())
        return f"{self._prefix}{self._positions[self._ordered()[index]]}"

    def __iter__(self) -> Iterator[str]:
        return iter(self[:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def with_numbers(self, numbers: Numbers) -> FactIds:
        """The same facts, each with what it contributed; nothing is copied."""
        return FactIds(self._prefix, self._positions, numbers)

    @property
    def numbers(self) -> list[float] | None:
        """What each fact contributed, in the order in which the ids are read; None where that was not kept."""
        if self._numbers is None:
            return None
        found: npt.NDArray[np.float64] = self._numbers() if callable(self._numbers) else self._numbers
        return [float(number) for number in found[self._ordered()]]

    @classmethod
    def joined(cls, parts: Sequence[FactIds]) -> FactIds:
        """One after the other; they are of one table."""
        return parts[0] if len(parts) == 1 else cls(parts[0]._prefix, np.concatenate([one._positions for one in parts]))


class LeftOut(dict[str, int]):
    """Counts of what was left out, by reason, with a way to the facts: `of(reason)`, made when it is called.

    `among` names the outcomes of what was counted, of which `of` gives the facts too.
    """

    __slots__ = ("among", "of")

    def __init__(
        self, counts: Mapping[str, int], of: Callable[[str], Sequence[str]], among: Sequence[str] = ()
    ) -> None:
        super().__init__(counts)
        self.of, self.among = of, among


class Measured(msgspec.Struct, frozen=True):
    """Numbers, each with the fact it came from."""

    numbers: npt.NDArray[np.float64]
    facts: FactIds

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def joined(cls, parts: Sequence[Measured]) -> Measured:
        """One after the other."""
        return cls(np.concatenate([one.numbers for one in parts]), FactIds.joined([one.facts for one in parts]))


def joined(parts: Sequence[Sequence[str]]) -> Sequence[str]:
    """Fact ids, one part after the other."""
    some = [part for part in parts if len(part)]
    if some and all(isinstance(part, FactIds) for part in some):
        return FactIds.joined([part for part in some if isinstance(part, FactIds)])
    return tuple(fact for part in some for fact in part)


def joined_values(
    parts: Sequence[Sequence[tuple[float, str]] | Measured],
) -> Sequence[tuple[float, str]] | Measured:
    """Values with their facts, one part after the other."""
    measured = [part for part in parts if isinstance(part, Measured)]
    if measured:
        return Measured.joined(measured)
    return [pair for part in parts if not isinstance(part, Measured) for pair in part]


def plain(value: Any) -> Any:
    """A report as builtins (`msgspec.to_builtins`), with everything made that was left for later."""
    return msgspec.to_builtins(value, enc_hook=_made)


def _made(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, FactIds | Later | Each):
        return list(value)
    raise NotImplementedError(type(value).__name__)


PER: Mapping[str, int] = {"side_effect_rate": 100, "infusions_per_90_days": 90}
"""By metric what numerator over denominator is multiplied with, where its value is no plain ratio."""


class Figure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One number and all that it rests on.

    `value` is null when there is no denominator, or when a rate would rest on fewer than ten; else it is numerator over
    denominator, or that times what `PER` says. `excluded` counts what
    was left out, by reason. `rows` are the ids of the facts counted; `numerator_rows` those in the numerator.

    `gc=False`: a report holds ten thousand figures and none is part of a cycle.
    """

    metric: str
    value: float | None
    unit: str
    numerator: float | None = None
    denominator: float | None = None
    excluded: Mapping[str, int] = {}
    n: int = 0
    interval: Interval | None = None
    method: str | None = None
    rows: Sequence[str] = ()
    numerator_rows: Sequence[str] = ()
    definition: str = ""
    definition_version: int = 1
    flags: Mapping[str, int] = {}


_KEPT = frozenset({FactIds, Later, tuple})


def _kept(rows: Iterable[str]) -> Sequence[str]:
    return rows if type(rows) in _KEPT else tuple(rows)  # type: ignore[return-value]


def left_out(reasons: Iterable[str]) -> dict[str, int]:
    """Counts by reason, in the order of the reasons' names."""
    return dict(sorted(Counter(reasons).items()))


def proportion(
    metric: str,
    counted: Sequence[str],
    among: Sequence[str],
    excluded: Mapping[str, int] | None = None,
    interval: Interval | None = None,
    method: str = "wilson",
) -> Figure:
    """A share of things: `counted` of `among` (fact ids). Under ten no value and no interval, only the counts."""
    n = len(among)
    shown = n >= SMALL
    limits = (interval if method != "wilson" else wilson(len(counted), n)) if shown else None
    definition = current(metric)
    return Figure(
        metric=metric, value=len(counted) / n if shown else None, unit="share", numerator=len(counted), denominator=n,
        excluded=excluded or {}, n=n, interval=limits, method=method if limits else None, rows=_kept(among),
        numerator_rows=_kept(counted), definition=definition.name, definition_version=definition.version,
    )  # fmt: skip


def quotient(
    metric: str,
    numerator: float,
    denominator: float,
    unit: str = "share",
    *,
    n: int = 0,
    rows: Iterable[str] = (),
    excluded: Mapping[str, int] | None = None,
    flags: Mapping[str, int] | None = None,
) -> Figure:
    """A ratio of amounts (minutes over minutes), times what `PER` says; null without a denominator, never 0."""
    definition = current(metric)
    return Figure(
        metric=metric, value=PER.get(metric, 1) * numerator / denominator if denominator else None,
        unit=unit, numerator=numerator, denominator=denominator, excluded=excluded or {}, n=n, rows=_kept(rows),
        flags=flags or {}, definition=definition.name, definition_version=definition.version,
    )  # fmt: skip


def amount(
    metric: str,
    value: float | None,
    unit: str,
    *,
    n: int = 0,
    rows: Iterable[str] = (),
    excluded: Mapping[str, int] | None = None,
    flags: Mapping[str, int] | None = None,
    interval: Interval | None = None,
    method: str | None = None,
    numerator_rows: Iterable[str] = (),
    numerator: float | None = None,
    denominator: float | None = None,
) -> Figure:
    """A plain amount: minutes, a count, a coefficient."""
    definition = current(metric)
    return Figure(
        metric=metric, value=value, unit=unit, numerator=numerator, denominator=denominator, n=n, rows=_kept(rows),
        excluded=excluded or {}, flags=flags or {},
        interval=interval, method=method, numerator_rows=_kept(numerator_rows), definition=definition.name,
        definition_version=definition.version,
    )  # fmt: skip


class Spread(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Order statistics of a set of durations or scores. The 90th percentile needs at least ten."""

    metric: str
    unit: str
    n: int
    median: float | None
    p90: float | None
    mean: float | None
    mean_interval: Interval | None
    excluded: Mapping[str, int] = {}
    rows: Sequence[str] = ()
    definition: str = ""
    definition_version: int = 1
    flags: Mapping[str, int] = {}


def spread(
    metric: str,
    values: Sequence[tuple[float, str]] | Measured,
    unit: str,
    excluded: Mapping[str, int] | None = None,
) -> Spread:
    """Median, 90th percentile and mean of `values`, each with the fact it came from."""
    facts: Sequence[str]
    if isinstance(values, Measured):
        numbers, facts = np.sort(values.numbers), values.facts.with_numbers(values.numbers)
    else:
        numbers = np.sort(np.array([value for value, _ in values], dtype=np.float64))
        facts = tuple(fact for _, fact in values)
    definition, centre = current(metric), mean(numbers)
    return Spread(
        metric=metric, unit=unit, n=len(numbers), median=median(numbers),
        p90=quantile(numbers, 0.9) if len(numbers) >= SMALL else None, mean=centre,
        mean_interval=mean_interval(numbers, centre=centre) if len(numbers) >= SMALL else None, excluded=excluded or {},
        rows=facts, definition=definition.name, definition_version=definition.version,
    )  # fmt: skip

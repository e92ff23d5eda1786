"""What is made when it is first looked at: long lists that an answer may only count, figures of a clinic not opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, overload

T = TypeVar("T")


class Later(Sequence[T]):
    """So many things, made when one of them is first asked for."""

    __slots__ = ("_made", "_make", "_size")

    def __init__(self, size: int, make: Callable[[], tuple[T, ...]]) -> None:
        self._size = size
        self._make = make
        self._made: tuple[T, ...] | None = None

    def _all(self) -> tuple[T, ...]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self._all()[index]

    def __iter__(self) -> Iterator[T]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return repr(self._all())


class Each(Sequence[T]):
    """One thing for each of some others, by its place from 0, made whenever it is asked for."""

    __slots__ = ("_make", "_others")

    def __init__(self, others: Sequence[Any], make: Callable[[int, Any], T]) -> None:
        self._others = others
        self._make = make

    def __len__(self) -> int:
        return len(self._others)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        places = range(len(self._others))[index]
        if isinstance(places, int):
            return self._make(places, self._others[places])
        return tuple(self._make(place, self._others[place]) for place in places)

    def __iter__(self) -> Iterator[T]:
        return (self._make(place, one) for place, one in enumerate(self._others))


class Sorted(Each[T]):
    """One thing for each of some others, of which it is known beforehand what sort it will be."""

    __slots__ = ("_sorts",)

    def __init__(self, others: Sequence[Any], make: Callable[[int, Any], T], sorts: Sequence[str]) -> None:
        super().__init__(others, make)
        self._sorts = sorts

    def of(self, sort: str) -> Each[T]:
        """Those of one sort."""
        mine = [other for other, its in zip(self._others, self._sorts, strict=True) if its == sort]
        return Each(mine, lambda _, other: self._make(0, other))


class Chained(Sequence[T]):
    """Some sequences, one behind the other, none of them read before it is looked at."""

    __slots__ = ("_parts",)

    def __init__(self, *parts: Sequence[T]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(len(self))[index])
        place = range(len(self))[index]
        for part in self._parts:
            if place < len(part):
                return part[place]
            place -= len(part)
        raise IndexError(index)


class Lazily(Mapping[str, Any]):
    """Values made when they are first asked for, by key."""

    def __init__(self, keys: Iterable[str], make: Callable[[str], Any]) -> None:
        self._made: dict[str, Any] = dict.fromkeys(keys)
        self._make = make

    def __getitem__(self, key: str) -> Any:
        found = self._made[key]
        if found is None:
            found = self._made[key] = self._make(key)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)

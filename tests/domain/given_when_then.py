"""Given these events, when this command, then those events: the shape of every test of a rule.

    given(initial(stream_id), evolve, [opened]).when(decide, add_room, facts).then(RoomAdded(...))
    given(initial(stream_id), evolve, [opened]).when(decide, add_room, facts).then_refused(RoomNameTaken, room_name="A")

Import it as `from tests.domain.given_when_then import given`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from domain.kernel import Claim, Command, Decision, DomainError, Event, Release

S = TypeVar("S")


class Given(Generic[S]):
    """A stream's past: its state, and how many events it has."""

    def __init__(self, state: S, evolve: Callable[[S, int, Event], S], version: int) -> None:
        self.state = state
        self._evolve = evolve
        self.version = version

    def and_given(self, *events: Event) -> Given[S]:
        """More past, after what there is."""
        state, version = self.state, self.version
        for event in events:
            version += 1
            state = self._evolve(state, version, event)
        return Given(state, self._evolve, version)

    def when(self, decide: Callable[[S, Any, Any], Decision], command: Command, facts: Any = None) -> Outcome[S]:
        """Decides; an error of the domain is the outcome, any other is a bug and raised."""
        try:
            return Outcome(self, decide(self.state, command, facts), None)
        except DomainError as refusal:
            return Outcome(self, None, refusal)


class Outcome(Generic[S]):
    """What deciding came to: a decision or a refusal."""

    def __init__(self, before: Given[S], decision: Decision | None, refusal: DomainError | None) -> None:
        self._before = before
        self.decision = decision
        self.refusal = refusal

    def _decided(self) -> Decision:
        assert self.decision is not None, f"refused: {self.refusal!r} {self.refusal.data if self.refusal else ''}"
        return self.decision

    def then(self, *events: Event) -> Given[S]:
        """Exactly these events, in this order; gives the state after them, to go on from."""
        assert self._decided().events == events
        return self._before.and_given(*events)

    def then_kinds(self, *kinds: type[Event]) -> Given[S]:
        """Events of exactly these kinds, in this order; gives the state after them."""
        assert tuple(type(event) for event in self._decided().events) == kinds
        return self._before.and_given(*self._decided().events)

    def then_claims(self, *claims: Claim) -> Outcome[S]:
        assert self._decided().claims == claims
        return self

    def then_releases(self, *releases: Release) -> Outcome[S]:
        assert self._decided().releases == releases
        return self

    def then_refused(self, error: type[DomainError], **data: Any) -> DomainError:
        """Refused by this rule, exactly this class, with at least this data."""
        assert self.decision is None, f"not refused: {self.decision}"
        assert type(self.refusal) is error, f"refused by {self.refusal!r}"
        assert self.refusal is not None
        for name, value in data.items():
            assert self.refusal.data.get(name) == value, f"{name}: {self.refusal.data.get(name)!r} != {value!r}"
        return self.refusal

    @property
    def events(self) -> tuple[Event, ...]:
        """The events decided, for a test that looks at parts of them."""
        return self._decided().events


def given(initial: S, evolve: Callable[[S, int, Event], S], events: Iterable[Event] = ()) -> Given[S]:
    """The state that `events` lead to from `initial`."""
    return Given(initial, evolve, 0).and_given(*events)

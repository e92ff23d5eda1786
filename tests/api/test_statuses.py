"""The one table from domain errors to HTTP statuses names real errors, and the rest are rules."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import domain
from api.http.statuses import BY_CODE, STATUSES, status_of
from domain.kernel import BadInput, DomainError
from services.handling import NotFound, StoredRefusal, VersionMismatch


def _errors() -> Iterator[type[DomainError]]:
    """Every named error of the domain."""
    for found in pkgutil.walk_packages(domain.__path__, "domain."):
        module = importlib.import_module(found.name)
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, DomainError) and thing.__module__ == module.__name__:
                yield thing


def test_every_name_in_the_table_is_an_error() -> None:
    """A renamed error does not silently become a 409."""
    known = {error.__name__ for error in _errors()} | {NotFound.__name__, VersionMismatch.__name__}
    assert set(STATUSES) <= known


def test_bad_input_is_422_and_the_table_does_not_say_otherwise() -> None:
    """What is never stored is a matter of the value alone."""
    for error in _errors():
        if issubclass(error, BadInput):
            assert status_of(error("x")) == 422, error
            assert STATUSES.get(error.__name__, 422) == 422, error


def test_the_same_name_means_the_same_status() -> None:
    """A retry is answered by the name that was stored, so two errors of one name must not differ."""
    seen: dict[str, int] = {}
    for error in _errors():
        made = error("x")
        assert seen.setdefault(made.code, status_of(made)) == status_of(made), error
        if not issubclass(error, BadInput):
            assert status_of(StoredRefusal(made.code, "x", {})) == status_of(made), error


def test_rules_are_conflicts() -> None:
    """Unless the table says otherwise: 409."""
    assert status_of(DomainError("x")) == 409
    assert BY_CODE["version-mismatch"] == 412

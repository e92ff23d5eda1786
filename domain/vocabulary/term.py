"""What every coded value has in common, and the one check that writing a code goes through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from domain.kernel import BadInput, Code

PROPOSED = "proposed here"
"""Source mark: a list made for this product, without an outside authority."""


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One coded value. `confirmed` is False where no source was read (background knowledge, own proposal)."""

    code: Code
    text: str
    source: str
    confirmed: bool = False


class Coding(msgspec.Struct, frozen=True):
    """A code of an outside system: icd10cm, snomed, loinc, meddra, rxnorm, cpt."""

    system: str
    code: str
    text: str = ""
    confirmed: bool = True


AnyTerm = TypeVar("AnyTerm", bound=Term)


class UnknownCode(BadInput):
    """A code that the vocabulary does not hold."""


def by_code(terms: Iterable[AnyTerm]) -> dict[Code, AnyTerm]:
    """The terms keyed by their codes; a code given twice is a mistake of this file, found at import."""
    listed: dict[Code, AnyTerm] = {}
    for term in terms:
        if term.code in listed:
            raise ValueError(f"code {term.code!r} twice")
        listed[term.code] = term
    return listed


def plain(source: str, confirmed: bool, /, **texts: str) -> dict[Code, Term]:
    """A vocabulary of bare codes and texts with one source."""
    return by_code(Term(code=code, text=text, source=source, confirmed=confirmed) for code, text in texts.items())


def require(code: Code, vocabulary: Mapping[Code, AnyTerm], pointer: str) -> AnyTerm:
    """The term `code` names. Raises UnknownCode, which says what would be known, at the body field `pointer`.

    Codes are checked when they are written, never when they are read: an old event may hold a retired one.
    """
    term = vocabulary.get(code)
    if term is None:
        raise UnknownCode(f"unknown code {code[:60]!r}", given=code[:60], allowed=sorted(vocabulary), pointer=pointer)
    return term

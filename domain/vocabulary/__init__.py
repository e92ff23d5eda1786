"""The coded values of the clinics' language, each with its text, its outside codes and its source."""

from domain.vocabulary.term import Coding, Term, UnknownCode, require

__all__ = ["Coding", "Term", "UnknownCode", "require"]

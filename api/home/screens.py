"""What stands on one screen behind a link: one question, its answers as buttons, and what goes along unseen.

Nothing is kept between screens but in the form itself, so no cookie and no session is needed, and an answer never
stands in an address.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from api.home.links import Link
from domain.kernel import Code
from domain.vocabulary.questions import (
    GRADES_IN_WORDS,
    HARM_ASKED,
    HARM_IN_WORDS,
    KINDS_IN_WORDS,
    ONSETS_IN_WORDS,
    QUESTIONNAIRES,
    SIDE_EFFECTS_ASKED,
    Item,
)

__all__ = ["Choice", "Screen", "item_screen", "side_effect_screen"]

STAGES = ("any", "kind", "grade", "harm", "onset", "note")
"""What is asked about a side effect, in this order."""


@dataclass(frozen=True)
class Choice:
    """One button: what it sends, what stands on it, and what it is called where its face alone does not tell."""

    value: str
    label: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Screen:
    """One question. `unseen` are the form's hidden fields; `number` of `of` questions."""

    question: str
    choices: tuple[Choice, ...]
    unseen: dict[str, str]
    number: int
    of: int
    stem: str = ""
    low_words: str = ""
    high_words: str = ""
    notice: str = ""
    layout: str = "words"
    can_go_back: bool = False
    can_leave: bool = True
    wants_note: bool = False
    note_needed: bool = False
    errors: tuple[str, ...] = field(default=())


def questions_of(link: Link) -> int:
    """How many questions the link asks (side effects count as one)."""
    return sum(len(QUESTIONNAIRES[asked].items) if asked in QUESTIONNAIRES else 1 for asked in link.asks)


def _number(link: Link, asked: Code, at: int) -> int:
    before = 0
    for one in link.asks:
        if one == asked:
            break
        before += len(QUESTIONNAIRES[one].items) if one in QUESTIONNAIRES else 1
    return before + at + 1


def item_screen(link: Link, asked: Code, given: tuple[int | None, ...], *, changing: bool, errors: tuple[str, ...] = ()
                ) -> Screen:
    """The questionnaire's next item after those `given`."""
    questionnaire, at = QUESTIONNAIRES[asked], len(given)
    item = questionnaire.items[at]
    unseen = {"asked": asked, "given": ",".join("" if one is None else str(one) for one in given), "at": str(at)}
    if changing:
        unseen["changing"] = "1"
    return Screen(
        question=item.text, stem=questionnaire.stem, choices=_choices(item), unseen=unseen,
        number=_number(link, asked, at), of=questions_of(link), low_words=item.low_words, high_words=item.high_words,
        notice=questionnaire.notice, layout="words" if item.words else "numbers", can_go_back=at > 0, errors=errors,
    )


def _choices(item: Item) -> tuple[Choice, ...]:
    if item.words:
        return tuple(Choice(str(value), words) for value, words in zip(item.values, item.words, strict=True))
    ends = {item.low: item.low_words, item.high: item.high_words}
    return tuple(
        Choice(str(value), f"{value}{item.unit}", f"{value}{item.unit}: {ends[value]}" if value in ends else "")
        for value in item.values
    )


def side_effect_screen(link: Link, stage: str, said: dict[str, str], reported: int, errors: tuple[str, ...] = ()
                       ) -> Screen:
    """The next question about a side effect; `said` are its answers so far, `reported` how many were told before."""
    number = _number(link, SIDE_EFFECTS_ASKED, 0)
    unseen = {"asked": SIDE_EFFECTS_ASKED, "stage": stage, "number": str(reported + 1), **said}
    question, choices = _about(stage, reported)
    note_needed = stage == "note" and said.get("kind") == "other"
    return Screen(
        question=question, choices=choices, unseen=unseen, number=number, of=questions_of(link),
        can_go_back=stage != "any", can_leave=stage == "any", wants_note=stage == "note", note_needed=note_needed,
        errors=errors, layout="many" if stage == "kind" else "words",
    )


def _about(stage: str, reported: int) -> tuple[str, tuple[Choice, ...]]:
    match stage:
        case "kind":
            return "What was it?", tuple(Choice(code, words) for code, words in KINDS_IN_WORDS.items())
        case "grade":
            return "How bad was it at its worst?", tuple(
                Choice(str(grade), words) for grade, words in GRADES_IN_WORDS.items())
        case "harm":
            return HARM_ASKED, tuple(Choice(code, words) for code, words in HARM_IN_WORDS.items())
        case "onset":
            return "When did it start, roughly?", tuple(
                Choice(code, words) for code, (words, _) in ONSETS_IN_WORDS.items())
        case "note":
            return "Is there anything else that your clinic should know about it?", ()
    again = "Have you had any other side effect?" if reported else "Have you had any side effects since your infusion?"
    return again, (Choice("no", "No"), Choice("yes", "Yes"))

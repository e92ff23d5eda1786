"""What an answer given behind a link becomes: a command of the patient's own diary, once for each question.

The first tap counts: link and question are the command's idempotency key, so a double tap or a retry changes nothing.
The patient acts themselves (role `patient`, at their home clinic). Nothing is read back and no key of theirs is
needed: whoever holds a link can say something and learns nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from api.bootstrap import Services
from api.home.links import Answered, Link, LinkStore
from domain import clinic, diary
from domain.corrections import AmendEntry
from domain.diary.home_reports import HomeAlertRaised, alert_of
from domain.kernel import Actor, Code, Command, derived_id
from domain.ledger import EntryAlreadyStruck, EntryNotFound, NothingToCorrect
from domain.patient import patient
from domain.vocabulary.questions import (
    LIFE_THREATENING,
    ONSETS_IN_WORDS,
    QUESTIONNAIRES,
    SIDE_EFFECTS_ASKED,
)
from domain.vocabulary.scales import SCALES, SUICIDE_ITEM
from services.handling import Receipt, Request
from services.log import Idempotency
from services.use_cases.case import diary_of

__all__ = ["CHANGED_WITHIN", "MOST_SIDE_EFFECTS", "Answering", "SideEffect", "Standing", "changeable", "next_asked"]

Standing = Literal["open", "expired", "over"]
Items = tuple[int | None, ...]

CHANGED_WITHIN = timedelta(minutes=10)
"""How long a wrong tap can be put right by the link itself; afterwards the clinic amends it."""

MOST_CHANGES = 3
MOST_SIDE_EFFECTS = 10
"""Reports of side effects that one link takes."""


@dataclass(frozen=True, kw_only=True)
class SideEffect:
    """A side effect as a patient told it."""

    kind: Code
    grade: int
    harm: bool
    onset: str
    note: str | None

    @property
    def serious(self) -> bool:
        """Whether it did harm, by their own word or by its grade."""
        return self.harm or self.grade >= LIFE_THREATENING


@dataclass(frozen=True)
class Answering:
    """Takes answers for links."""

    services: Services
    links: LinkStore

    def standing(self, link: Link, now: datetime) -> Standing:
        """Whether the link can be answered: `over` when revoked, its prompt gone, or its record closed."""
        if link.revoked_at is not None:
            return "over"
        if now >= link.expires_at:
            return "expired"
        whose: patient.State = self.services.handling.current(patient, link.patient_id).state
        if not whose.is_registered or whose.erased or whose.deceased or whose.merged_into is not None:
            return "over"
        if link.follow_up_id is None:
            return "open"
        state: diary.State = self.services.handling.current(diary, diary_of(link.patient_id)).state
        prompt = next((one for one in state.follow_ups if one.follow_up_id == link.follow_up_id), None)
        return "open" if prompt is not None and prompt.status == "open" else "over"

    def phone(self, link: Link) -> str | None:
        """The number of the clinic that cares for the patient, as the clinic gave it for patients."""
        state: clinic.State = self.services.handling.recent(clinic, link.clinic_id).state
        return state.on_call.clinic_phone

    def answer(self, link: Link, asked: Code, items: Items, now: datetime) -> bool:
        """Records one questionnaire; whether it raised an alert. Items left out (None) only where the scale allows."""
        scale = SCALES[asked]
        if items.count(None) > scale.missing_allowed:
            return self._unscored(link, asked, items, now)
        receipt = self._given(link, asked, _command(self._by(link), now, asked, items))
        self.links.note(link.link_id, Answered(asked=asked, entry=_entry(receipt), at=now))
        return _alarming(receipt)

    def _unscored(self, link: Link, asked: Code, items: Items, now: datetime) -> bool:
        """Too little for a score; but the answer that calls for somebody at once calls nevertheless."""
        receipt: Receipt | None = None
        if asked == "phq9" and items[SUICIDE_ITEM]:
            alert_id = derived_id("home_alert", link.link_id, asked)
            command = diary.RaiseHomeAlert(
                by=self._by(link), now=now, at=now, alert_id=alert_id, kind="suicidal_thoughts")
            receipt = self._given(link, f"{asked}/alert", command)
        self.leave(link, asked, now)
        return _alarming(receipt)

    def change(self, link: Link, answered: Answered, items: Items, now: datetime) -> bool:
        """Puts a wrong tap right; whether that raised an alert."""
        asked = answered.asked
        if answered.entry is None or items.count(None) > SCALES[asked].missing_allowed:
            return False
        command = AmendEntry(
            by=self._by(link), now=now, at=now, entry=answered.entry, corrections=_corrections(asked, items),
            reason_code="typing_error",
        )
        receipt: Receipt | None = None
        with suppress(NothingToCorrect, EntryAlreadyStruck, EntryNotFound):  # the same again, or the clinic was faster
            receipt = self._given(link, f"{asked}/change/{answered.changes + 1}", command)
        self.links.note(link.link_id, Answered(
            asked=asked, entry=answered.entry, at=answered.at, changes=answered.changes + 1))
        return _alarming(receipt)

    def alarm(self, link: Link, kinds: Collection[Code], number: int, now: datetime) -> bool:
        """Calls somebody as soon as the answer is tapped, whether or not the report is ever sent; once for each kind.

        The `number`th side effect of this link, when it is reported, raises none of these again.
        """
        receipts = [self._given(link, f"{SIDE_EFFECTS_ASKED}/{number}/{kind}", diary.RaiseHomeAlert(
            by=self._by(link), now=now, at=now, alert_id=alert_of(_side_effect_id(link, number), kind), kind=kind,
        )) for kind in kinds]
        return any(map(_alarming, receipts))

    def report(self, link: Link, side_effect: SideEffect, number: int, now: datetime) -> bool:
        """Records one side effect, the `number`th of this link; whether it raised an alert."""
        asked = f"{SIDE_EFFECTS_ASKED}/{number}"
        state: diary.State = self.services.handling.recent(diary, diary_of(link.patient_id)).state
        latest = max(state.noted, key=lambda one: one.infusion.drug_stopped_at, default=None)
        command = diary.ReportSideEffectFromHome(
            by=self._by(link), now=now, at=now, side_effect_id=_side_effect_id(link, number),
            kind=side_effect.kind, grade=side_effect.grade, serious=side_effect.serious,
            onset_at=now - timedelta(hours=ONSETS_IN_WORDS[side_effect.onset][1]),
            infusion_id=None if latest is None else latest.infusion.infusion_id, note=side_effect.note,
        )
        receipt = self._given(link, asked, command)
        self.links.note(link.link_id, Answered(asked=asked, entry=_entry(receipt), at=now))
        return _alarming(receipt)

    def leave(self, link: Link, asked: Code, now: datetime) -> None:
        """The patient would rather not answer, or has nothing (more) to report."""
        self.links.note(link.link_id, Answered(asked=asked, entry=None, at=now))

    def _by(self, link: Link) -> Actor:
        return Actor(id=f"patient:{link.patient_id}", role="patient")

    def _given(self, link: Link, question: str, command: Command) -> Receipt:
        """Carries the command out once per link and question; the first answer when it has been."""
        key = f"{question}@{link.link_id}"
        request = Request(
            by=command.by, clinic_id=None, patient_id=link.patient_id, command_id=derived_id("home", key),
            idempotency=Idempotency(principal=f"link:{link.link_id}", key=key, body_hmac=b""),
        )
        return self.services.handle(diary_of(link.patient_id), command, request)


def next_asked(link: Link, answered: Mapping[Code, Answered]) -> Code | None:
    """The first question that has not been dealt with; None when all have."""
    return next((asked for asked in link.asks if asked not in answered), None)


def changeable(answered: Mapping[Code, Answered], now: datetime) -> Answered | None:
    """The last questionnaire dealt with, while a wrong tap can still be put right."""
    scored = [one for one in answered.values() if one.asked in QUESTIONNAIRES]
    last = max(scored, key=lambda one: one.at, default=None)
    if last is None or now - last.at > CHANGED_WITHIN or last.changes >= MOST_CHANGES:
        return None
    return last


def _side_effect_id(link: Link, number: int) -> UUID:
    return derived_id("home_side_effect", link.link_id, number)


def _entry(receipt: Receipt) -> int:
    """The report itself comes first of what a command wrote; alerts after it."""
    return receipt.version - len(receipt.events) + 1


def _alarming(receipt: Receipt | None) -> bool:
    return receipt is not None and HomeAlertRaised.NAME in receipt.events


def _command(by: Actor, now: datetime, asked: Code, items: Items) -> Command:
    if asked == "phq9":
        return diary.ScoreMood(by=by, now=now, at=now, instrument=asked, items=items)
    whole = tuple(item for item in items if item is not None)
    if asked == "peg":
        return diary.ScoreFunction(by=by, now=now, at=now, instrument=asked, items=whole)
    if asked == "relief_percent":
        return diary.ReportRelief(by=by, now=now, at=now, relief_percent=whole[0])
    return diary.ScorePain(by=by, now=now, at=now, score=whole[0])


def _corrections(asked: Code, items: Items) -> dict[str, object]:
    names = {"nrs": "score", "relief_percent": "relief_percent"}
    return {names[asked]: items[0]} if asked in names else {"items": msgspec.to_builtins(items)}

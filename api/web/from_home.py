"""`/p/<token>`: what a patient sees behind a one-tap link. Large type, one question a screen, no JavaScript, no cookie.

A GET never answers (mail scanners follow links); answers are POSTs, and after the last there is only a thank-you. The
page names nobody, says before and after whom to call in an emergency and that nobody watches it round the clock.
An answer that calls for somebody raises its alert on the tap, not when the report is sent: many never come that far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

import structlog
from flask import Blueprint, Flask, Response, current_app, g, make_response, redirect, render_template, request
from limits import RateLimitItem, parse
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.wrappers import Response as AnyResponse

from api.home.answering import (
    MOST_SIDE_EFFECTS,
    Answering,
    SideEffect,
    changeable,
    next_asked,
)
from api.home.links import Answered, Link, LinkStore, Tokens
from api.home.screens import STAGES, Screen, item_screen, side_effect_screen
from api.http.limits import Windows, windows_of
from domain.diary.home_reports import alert_kinds
from domain.kernel import Code, DomainError
from domain.vocabulary.questions import (
    GRADES_IN_WORDS,
    HARM_IN_WORDS,
    KINDS_IN_WORDS,
    LIFE_THREATENING,
    ONSETS_IN_WORDS,
    QUESTIONNAIRES,
    SIDE_EFFECTS_ASKED,
)
from services.log import LogError

if TYPE_CHECKING:
    from api.bootstrap import ReadSide, Services
    from api.settings import Settings

__all__ = ["EXTENSION", "Home", "blueprint", "home", "register"]

EXTENSION = "anodyne-home"
HERE = Path(__file__).parent
LONGEST_NOTE = 500

POLICY = (
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
PER_LINK, PER_ADDRESS, GUESSES = parse("60 per minute"), parse("300 per minute"), parse("20 per minute")
"""How often a link is asked, an address asks, an address guesses. (A clinic's Wi-Fi is one address.)"""

blueprint = Blueprint("web_from_home", __name__, template_folder="templates")
_log = structlog.get_logger("anodyne.home")


@dataclass(frozen=True)
class Home:
    """What the pages need."""

    settings: Settings
    answering: Answering
    links: LinkStore
    tokens: Tokens
    windows: Windows
    style: bytes

    def url(self, link: Link) -> str:
        """The link's address, as it is sent."""
        return f"{self.settings.address}/p/{self.tokens.of(link.link_id)}"


def register(app: Flask, settings: Settings, services: Services, read_side: ReadSide) -> None:
    """Wires the pages into the application."""
    links = LinkStore(read_side.database.reads)
    app.extensions[EXTENSION] = Home(
        settings=settings, answering=Answering(services, links), links=links, tokens=Tokens(settings.secret(), "home"),
        windows=windows_of(settings.rate_limit_storage), style=(HERE / "static" / "css" / "p.css").read_bytes(),
    )
    app.register_blueprint(blueprint)


def home() -> Home:
    """The parts of the application that serves this request."""
    return cast(Home, current_app.extensions[EXTENSION])


@blueprint.get("/p/style.css")
def style() -> Response:
    """The pages' own style sheet (2 kB): old phones need not load more."""
    response = current_app.response_class(home().style, mimetype="text/css")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


@blueprint.route("/p/<token>", methods=["GET", "POST"])
def ask(token: str) -> AnyResponse:
    """One screen of a link."""
    parts = home()
    if _too_many(parts, "address", request.remote_addr or "-", PER_ADDRESS):
        return _closed("busy", 429)
    link_id = parts.tokens.read(token)
    if link_id is None:
        guessing = _too_many(parts, "guess", request.remote_addr or "-", GUESSES)
        return _closed("busy", 429) if guessing else _closed("unknown", 404)
    if _too_many(parts, "link", str(link_id), PER_LINK):
        return _closed("busy", 429)
    try:
        return _asked(parts, link_id, token)
    except (LogError, OperationalError, InterfaceError, PoolTimeout) as error:
        _log.warning("home.unavailable", error=type(error).__name__, request_id=g.get("request_id", ""))
        return _closed("unavailable", 503)


def _too_many(parts: Home, kind: str, who: str, limit: RateLimitItem) -> bool:
    return parts.windows.hit(limit, f"home-{kind}", who)[0] < 0


def _asked(parts: Home, link_id: UUID, token: str) -> AnyResponse:
    link = parts.links.find(link_id)
    if link is None:
        return _closed("unknown", 404)
    g.home_phone = parts.answering.phone(link)
    standing = parts.answering.standing(link, _now(parts))
    if standing != "open":
        return _closed(standing, 410)
    turn = Turn(parts, link, token, parts.links.answered(link.link_id))
    return turn.take(request.form) if request.method == "POST" else turn.show()


def _now(parts: Home) -> datetime:
    return parts.answering.services.clock.now()


@dataclass(frozen=True)
class Turn:
    """One request of an open link: what it shows, or what it does with an answer."""

    parts: Home
    link: Link
    token: str
    answered: Mapping[Code, Answered]

    @property
    def reported(self) -> int:
        """How many side effects have been told by this link."""
        return sum(1 for asked in self.answered if asked.startswith(f"{SIDE_EFFECTS_ASKED}/"))

    def show(self) -> AnyResponse:
        """The question that comes next, or the thanks."""
        asked = next_asked(self.link, self.answered)
        can_change = changeable(self.answered, _now(self.parts)) is not None
        if asked is None:
            return _page("p/thanks.html", can_change=can_change)
        if asked == SIDE_EFFECTS_ASKED:
            return self._screen(side_effect_screen(self.link, "any", {}, self.reported), can_change)
        return self._screen(item_screen(self.link, asked, (), changing=False), can_change)

    def take(self, form: Mapping[str, str]) -> AnyResponse:
        """An answer, a step back, a change of mind. Whatever is out of turn leads to the question that comes next."""
        if form.get("do") == "change":
            return self._change()
        asked = form.get("asked", "")
        last = changeable(self.answered, _now(self.parts))
        changing = form.get("changing") == "1" and last is not None and last.asked == asked
        if asked != next_asked(self.link, self.answered) and not changing:
            return self._next()
        if asked == SIDE_EFFECTS_ASKED:
            return self._side_effect(form)
        given = _items(form.get("given", ""), asked, form.get("at", ""))
        if given is None:
            return self._next()
        return self._item(asked, given, form, last if changing else None)

    def _change(self) -> AnyResponse:
        last = changeable(self.answered, _now(self.parts))
        if last is None:
            return self._next()
        if last.entry is None:
            self.parts.links.reopen(self.link.link_id, last.asked)
            return self._next()
        return self._screen(item_screen(self.link, last.asked, (), changing=True))

    def _item(
        self, asked: Code, given: tuple[int | None, ...], form: Mapping[str, str], changing: Answered | None
    ) -> AnyResponse:
        questionnaire, do = QUESTIONNAIRES[asked], form.get("do", "")
        item = questionnaire.items[len(given)]
        if do == "back":
            return self._screen(item_screen(self.link, asked, given[:-1], changing=changing is not None))
        if do == "leave" and not questionnaire.items_may_be_left_out:
            if changing is None:
                self.parts.answering.leave(self.link, asked, _now(self.parts))
            return self._next()
        if do == "leave":
            given = (*given, None)
        elif (value := _whole(form.get("value"))) is not None and value in item.values:
            given = (*given, value)
        else:
            return self._screen(
                item_screen(self.link, asked, given, changing=changing is not None,
                            errors=("Please choose one of the answers.",)), status=422)
        if len(given) < len(questionnaire.items):
            return self._screen(item_screen(self.link, asked, given, changing=changing is not None))
        if changing is not None:
            return self._recorded(self.parts.answering.change(self.link, changing, given, _now(self.parts)), asked)
        return self._recorded(self.parts.answering.answer(self.link, asked, given, _now(self.parts)), asked)

    def _side_effect(self, form: Mapping[str, str]) -> AnyResponse:
        stage, value = form.get("stage", ""), form.get("value", "")
        if stage not in STAGES or form.get("number") != str(self.reported + 1):
            return self._next()
        said = _said(form, stage)
        if said is None:
            return self._next()
        if form.get("do") == "back":
            earlier = STAGES[STAGES.index(stage) - 1]
            return self._screen(side_effect_screen(self.link, earlier, _said(form, earlier) or {}, self.reported))
        if stage == "any":
            if value == "yes" and self.reported < MOST_SIDE_EFFECTS:
                return self._screen(side_effect_screen(self.link, "kind", {}, self.reported))
            if value in ("no", "yes") or form.get("do") == "leave":
                self.parts.answering.leave(self.link, SIDE_EFFECTS_ASKED, _now(self.parts))
                return self._next()
        if stage == "note":
            return self._reported(form, said)
        if value not in KNOWN.get(stage, ()):
            wrong = ("Please choose one of the answers.",)
            return self._screen(side_effect_screen(self.link, stage, said, self.reported, wrong), status=422)
        if self._alarms(said, {**said, stage: value}) and form.get("seen") != "1":
            unseen = side_effect_screen(self.link, stage, said, self.reported).unseen
            go_on = {**unseen, "value": value, "seen": "1"}
            return _page("p/urgent.html", suicidal=False, token=self.token, go_on=go_on)
        following = STAGES[STAGES.index(stage) + 1]
        return self._screen(side_effect_screen(self.link, following, {**said, stage: value}, self.reported))

    def _alarms(self, before: Mapping[str, str], said: Mapping[str, str]) -> bool:
        """Whether the last of these answers calls for somebody at once; if so, the alert is raised."""
        kinds = [kind for kind in _alarming(said) if kind not in _alarming(before)]
        return self.parts.answering.alarm(self.link, kinds, self.reported + 1, _now(self.parts))

    def _reported(self, form: Mapping[str, str], said: dict[str, str]) -> AnyResponse:
        note = " ".join(form.get("note", "").split())[:LONGEST_NOTE] or None
        if said["kind"] == "other" and note is None:
            wrong = ("Please say in a few words what it was.",)
            return self._screen(side_effect_screen(self.link, "note", said, self.reported, wrong), status=422)
        told = SideEffect(kind=said["kind"], grade=int(said["grade"]), harm=said["harm"] == "yes",
                          onset=said["onset"], note=note)
        alarmed = self.parts.answering.report(self.link, told, self.reported + 1, _now(self.parts))
        return self._recorded(alarmed, SIDE_EFFECTS_ASKED)

    def _recorded(self, alarmed: bool, asked: Code) -> AnyResponse:
        """On to the next question; after an answer that calls for somebody, first whom to call now."""
        if alarmed:
            return _page("p/urgent.html", suicidal=asked == "phq9", token=self.token, go_on=None)
        return self._next()

    def _next(self) -> AnyResponse:
        return _finished(redirect(f"/p/{self.token}", 303))

    def _screen(self, screen: Screen, can_change: bool = False, status: int = 200) -> AnyResponse:
        return _page("p/question.html", status=status, screen=screen, token=self.token, can_change=can_change)


KNOWN: Mapping[str, frozenset[str]] = {
    "kind": frozenset(KINDS_IN_WORDS), "grade": frozenset(map(str, GRADES_IN_WORDS)),
    "harm": frozenset(HARM_IN_WORDS), "onset": frozenset(ONSETS_IN_WORDS),
}


def _alarming(said: Mapping[str, str]) -> tuple[Code, ...]:
    """The alerts that what was said so far about a side effect asks for."""
    grade = int(said.get("grade", "0"))
    return alert_kinds(
        said.get("kind", ""), grade, serious=said.get("harm") == "yes" or grade >= LIFE_THREATENING)


def _said(form: Mapping[str, str], stage: str) -> dict[str, str] | None:
    """What was answered about this side effect before `stage`; None when it is not what our screens send."""
    said = {one: form.get(one, "") for one in STAGES[1:STAGES.index(stage)]}
    return said if all(value in KNOWN[one] for one, value in said.items()) else None


def _items(text: str, asked: Code, at: str) -> tuple[int | None, ...] | None:
    """The answers before this one; None when they are not what our screens send."""
    if asked not in QUESTIONNAIRES or len(text) > 100:
        return None
    questionnaire, parts = QUESTIONNAIRES[asked], text.split(",") if at != "0" else []
    if at != str(len(parts)) or len(parts) >= len(questionnaire.items):
        return None
    given = tuple(None if not part else _whole(part) for part in parts)
    for part, value, item in zip(parts, given, questionnaire.items, strict=False):
        if (not part and not questionnaire.items_may_be_left_out) or (part and value not in item.values):
            return None
    return given


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 3 else None


def _closed(why: str, status: int) -> AnyResponse:
    return _page("p/closed.html", status=status, why=why)


def _page(template: str, *, status: int = 200, **context: object) -> AnyResponse:
    settings = home().settings
    page = render_template(
        template, emergency=settings.emergency_number, crisis=settings.crisis_line, phone=g.get("home_phone"),
        **context)
    return _finished(make_response(page, status))


def _finished(response: AnyResponse) -> AnyResponse:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


@blueprint.errorhandler(DomainError)
def _refused(error: DomainError) -> AnyResponse:
    """Nothing a patient could mend: the clinic's number is there."""
    _log.warning("home.refused", reason=error.code, request_id=g.get("request_id", ""))
    return _closed("unavailable", 409)

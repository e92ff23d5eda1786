"""Filling in a page's forms as a browser without scripts does: hidden fields, preset values, and what one types."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


@dataclass
class Form:
    """One form of a page with the fields as they stand."""

    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    offered: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select: str | None = None
        self._button = False

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in given}
        name, value = attributes.get("name", ""), attributes.get("value", "")
        if tag == "form":
            self._form = Form(attributes.get("action", ""), attributes.get("method", "get"))
            self.forms.append(self._form)
        if self._form is None:
            return
        if tag == "button":
            self._button = True
        elif tag == "input" and name:
            self._form.offered.setdefault(name, []).append(value)
            if attributes.get("type") not in ("radio", "checkbox") or "checked" in attributes:
                self._form.fields.setdefault(name, []).append(value)
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            self._form.offered.setdefault(self._select, []).append(value)
            if "selected" in attributes or self._select not in self._form.fields:
                self._form.fields[self._select] = [value]

    def handle_data(self, data: str) -> None:
        if self._button and self._form is not None:
            self._form.buttons.append(data.strip())

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "button":
            self._button = False


def forms_of(html: str) -> list[Form]:
    """Every form of the page's content (the menu's, by which one signs out, stands on every page)."""
    reader = _Reader()
    reader.feed(html.partition("<main")[2] or html)
    return reader.forms


def form_of(html: str, action: str) -> Form:
    """The one that is posted to an address that ends so."""
    return next(
        one for one in forms_of(html) if one.method == "post" and one.action.partition("?")[0].endswith(action)
    )


def submit(browser: FlaskClient, form: Form, **typed: Any) -> TestResponse:
    """Sends it with what was typed; None takes a field out. A field with a hyphen is typed with an underscore."""
    sent = dict(form.fields)
    for name, value in typed.items():
        known = name if name in form.offered else name.replace("_", "-")
        if value is None:
            sent.pop(known, None)
        else:
            sent[known] = list(value) if isinstance(value, list | tuple) else [str(value)]
    return browser.post(form.action, data=sent)

"""Charts: Vega-Lite specifications made beside the page, drawn by `static/js/charts.js`, never alone.

A colour in a specification is a name (`@series-1`) of a token of `static/css/tokens.css`, so that one specification
serves light, dark and print. Every chart has the table of the very data that it draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from markupsafe import Markup

from api.web.tables import Table
from projections.metrics.definitions import Definition

__all__ = ["Chart", "Spec"]

Spec = Mapping[str, Any]


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A picture and its table. `aid` says in one line how to read it, `description` in words what it shows.

    `definitions` stand by its title; `rows` are links to the rows behind it, each with what tells it from the others.
    `nothing` is said instead of a picture that would have no mark; `doubt` says why it is greyed. `below` is a small
    table that belongs to the picture and is always seen.
    """

    name: str
    title: str
    aid: str
    description: str
    spec: Spec
    table: Table
    height: int = 220
    definitions: tuple[Definition, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    nothing: str = ""
    doubt: str = ""
    below: Table | None = None

    @property
    def json(self) -> Markup:
        """The specification for a data block: nothing in it can end the block."""
        text = msgspec.json.encode(self.spec).decode()
        safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        return Markup(safe)  # noqa: S704  (escaped above; JSON holds no other way out)

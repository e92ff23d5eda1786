"""When something goes wrong on a page, a person is told in words, with a way on. The API keeps its problem+json."""

from __future__ import annotations

from flask import Flask, Response, current_app, g, render_template

from api.http.pages import is_page
from api.http.problems import PAGES, Problem
from api.web.page import frame

__all__ = ["register"]

TEXTS: dict[int, tuple[str, str]] = {
    400: ("That did not arrive whole", "The request could not be read. Go back and try once more."),
    401: ("Please sign in", "This page is for people who have signed in."),
    403: ("Not for your role", "Your role may not do this. Whoever runs your clinic's accounts can change that."),
    404: ("Nothing here", "There is no such page, or it belongs to a clinic that is not yours. If somebody sent you "
          "this address, ask which clinic it is about."),
    405: ("Not this way", "This address cannot be used like that. Go back and use the page's own buttons."),
    409: ("It has changed meanwhile", "Somebody or something was faster, or a rule forbids it as things stand."),
    410: ("This is over", "This address no longer leads anywhere."),
    412: ("It has changed meanwhile", "Somebody else has changed it since you opened it. Load it again and look."),
    413: ("Too large", "That is more than can be sent at once."),
    415: ("Not understood", "The request came in a form that this page does not read."),
    422: ("This cannot be", "Something asked for cannot be; it is named below."),
    428: ("Load it again first", "Load the page again, so that you see what you are about to change."),
    429: ("Too many at once", "Please wait a moment and try again."),
    500: ("Our fault", "Something went wrong on our side. Nothing you entered has been half-saved. Tell the operator "
          "the number below."),
    503: ("Back in a moment", "The database cannot be reached just now. Nothing was changed; try again shortly."),
}
TOLD = frozenset({409, 410, 412, 422})
"""Where the reason is the reader's to know; elsewhere it is ours."""
BY_CODE: dict[str, tuple[str, str]] = {
    "form-expired": ("Send it once more", "The page was open for too long, or you signed in anew meanwhile, so what "
                     "it sent was not taken. Go back, load the page again and send it once more."),
    "foreign-form": ("Not from here", "This was sent by another site's page. Nothing was done."),
    "second-step-needed": ("Your role needs it", "Your role needs a second step, so it cannot be taken away."),
    "second-step-first": ("A second step first", "That role needs a second step. Set up an authenticator app on your "
                          "account page, then act in it."),
}
"""Where the problem's own name says more than its status."""

USUAL = ("That did not work", "Go back and try again.")


def page(problem: Problem) -> Response | None:
    """The problem as a page; None where problem+json is wanted."""
    if not is_page():
        return None
    heading, text = BY_CODE.get(problem.code) or TEXTS.get(problem.status, USUAL)
    try:
        around = frame("")
    except Exception:  # the frame reads databases: where they are away, the page must still come
        around = {"navigation": [], "who": None, "fictional": False, "theme": "", "lag": 0.0, "lag_told": 5.0,
                  "alerts_waiting": 0, "may": lambda operation: False, "printed": ""}
    html = render_template(
        "error.html", title=heading, text=text, problem=problem, request_id=g.get("request_id", ""),
        detail=problem.detail if problem.status in TOLD and not problem.errors else "",
        lede="", active="", view=None, notes=[], quiet_since=None, **around,
    )
    response = current_app.response_class(html, status=problem.status, mimetype="text/html")
    for name, value in problem.headers.items():
        response.headers[name] = value
    return response


def register(app: Flask) -> None:
    """Tells the API's error handlers how people are told."""
    app.extensions[PAGES] = page

"""When something goes wrong people get words and a way on; programs keep problem+json; nothing leaks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError

from api.http.problems import Problem
from api.web import glossary, page
from services.log import LogUnavailable
from tests.api.world import World


def _failing(error: Exception) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise error

    return fail


@pytest.mark.parametrize(("error", "status", "words"), [
    (Problem(429, "too-many-requests", "Slow.", headers={"Retry-After": "7"}), 429, "wait a moment"),
    (OperationalError("select secret", {}, Exception("host=db password=x")), 503, "database cannot be reached"),
    (LogUnavailable("gone"), 503, "database cannot be reached"),
    (RuntimeError("patient Ada"), 500, "Our fault"),
    (Problem(409, "busy", "Others were faster five times: try again."), 409, "Others were faster"),
])  # fmt: skip
def test_a_page_that_fails_says_so_in_words(
    lived: World, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, words: str
) -> None:
    """The status, a sentence, the request's number; nothing of what went wrong inside."""
    monkeypatch.setattr(glossary, "groups", _failing(error))
    answer = lived.browser("manager", "A").get("/glossary")
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert words in answer.text and answer.headers["X-Request-Id"] in answer.text
    assert "password" not in answer.text and "Ada" not in answer.text and "Traceback" not in answer.text
    if status == 429:
        assert answer.headers["Retry-After"] == "7"


def test_the_page_comes_even_when_its_frame_cannot(lived: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given that nothing can be read at all, the error page stands without navigation."""
    monkeypatch.setattr(page, "clinics_seen", _failing(OperationalError("x", {}, Exception("gone"))))
    answer = lived.browser("manager", "A").get("/glossary")
    assert answer.status_code == 503 and "Back in a moment" in answer.text


def test_a_role_that_may_not_is_told_so(lived: World) -> None:
    """403 for a page that is not the role's, 404 for one that is nobody's, 405 for the wrong way."""
    biller = lived.browser("biller", "A")
    assert (biller.get("/utilization").status_code, biller.get("/nowhere").status_code) == (403, 404)
    assert "Not for your role" in biller.get("/utilization").text
    wrong = lived.browser("manager", "A").post("/glossary", headers={"Sec-Fetch-Site": "same-origin"})
    assert (wrong.status_code, wrong.mimetype) == (405, "text/html") and "GET" in wrong.headers["Allow"]


def test_the_lag_is_told_from_five_seconds_on(lived: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A banner on the page and as a part of its own, in seconds, then minutes; none while the figures are current."""
    client = lived.browser("manager", "A")
    for seconds, said in ((4.9, None), (5.1, "5 s behind"), (61.0, "61 s behind"), (7200.0, "2 h 00 min behind")):
        monkeypatch.setattr(page, "lag_seconds", lambda seconds=seconds: seconds)
        monkeypatch.setattr("api.web.preferences.lag_seconds", lambda seconds=seconds: seconds)
        for text in (client.get("/utilization").text, client.get("/lag").text):
            assert ("behind" in text) is (said is not None)
            assert said is None or said in text


def test_the_lag_is_the_read_side_s_own(lived: World) -> None:
    """A world whose projections have caught up is not behind."""
    lived.caught_up()
    with lived.app.test_request_context("/"):
        assert page.lag_seconds() == 0.0

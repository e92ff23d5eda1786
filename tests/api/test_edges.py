"""What is the same for every path: headers, methods, health, metrics, documentation."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError

from api.http import examples as ex
from projections.engine.engine import ProjectionEngine
from services.log import EventLog, LogUnavailable
from tests.api.world import World

PATHS = [
    "/healthz/live", "/healthz/ready", "/docs", "/openapi.json", "/metrics", "/v1/clinics", "/v1/nothing", "/nothing",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_its_headers(lived: World, path: str) -> None:
    """A request id, nothing to sniff, frame or store; on errors too."""
    headers = lived.client.get(path).headers
    assert re.fullmatch(r"[0-9a-f-]{36}", headers["X-Request-Id"])
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    page = headers["Content-Type"].startswith("text/html") and not path.startswith("/docs")
    assert headers["Referrer-Policy"] == ("same-origin" if page else "no-referrer")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe-eval" not in headers["Content-Security-Policy"]
    assert "script-src 'unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] in ("no-store", "no-cache")
    assert "Access-Control-Allow-Origin" not in headers


def test_the_callers_request_id_is_kept_when_it_is_one(lived: World) -> None:
    """So that a request can be followed through proxies; nonsense is replaced."""
    kept = lived.client.get("/healthz/live", headers={"X-Request-Id": "abc-12345678"})
    assert kept.headers["X-Request-Id"] == "abc-12345678"
    replaced = lived.client.get("/healthz/live", headers={"X-Request-Id": "<script>alert(1)</script>"})
    assert "<" not in replaced.headers["X-Request-Id"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "POST"])
def test_other_methods_are_405_with_allow(lived: World, method: str) -> None:
    """A problem that keeps its Allow header."""
    owner = {"Authorization": f"Bearer {lived.keys['owner', 'all']}"}
    answer = lived.client.open(f"/v1/clinics/{lived.ids[ex.CLINIC]}", method=method, headers=owner)
    assert answer.status_code == 405
    assert answer.content_type == "application/problem+json"
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize(
    "path", ["/v1/clinics/not-a-uuid", "/v1/clinics/%00", "/v1/clinics/%ff%fe", "/v1/../etc/passwd"]
)
def test_odd_paths_are_404(lived: World, path: str) -> None:
    """Not 400, not 500."""
    owner = {"Authorization": f"Bearer {lived.keys['owner', 'all']}"}
    answer = lived.client.get(path, headers=owner)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_ready_says_what_is_wrong(lived: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ready when log, views and projections are; otherwise 503, naming what is not."""
    lived.caught_up()
    assert lived.client.get("/healthz/ready").get_json()["status"] == "ready"

    def unreachable(*args: object) -> int:
        raise LogUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(EventLog, "head", unreachable)
        answer = lived.client.get("/healthz/ready")
        assert (answer.status_code, answer.get_json()["log"]) == (503, "unreachable")
        assert lived.client.get("/healthz/live").status_code == 200
    with monkeypatch.context() as patch:
        patch.setattr(ProjectionEngine, "status", unreachable)
        answer = lived.client.get("/healthz/ready")
        assert (answer.status_code, answer.get_json()["views"]) == (503, "unreachable")


def test_a_failing_log_is_503_and_an_unforeseen_error_500(lived: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are problems; none tells anything of the inside. Either database away is 503: a retry is safe."""
    url, owner = f"/v1/clinics/{lived.ids[ex.CLINIC]}", {"Authorization": f"Bearer {lived.keys['owner', 'all']}"}
    lost = OperationalError("SELECT secret", {}, Exception("host=10.0.0.1 is starting up"))
    for error, status in ((LogUnavailable("host=10.0.0.1"), 503), (lost, 503), (RuntimeError("secret"), 500)):

        def fail(*args: object, error: Exception = error, **kwargs: object) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(EventLog, "read_stream", fail)
            answer = lived.client.get(url, headers=owner)
        assert answer.status_code == status
        assert answer.content_type == "application/problem+json"
        assert "secret" not in answer.text and "10.0.0.1" not in answer.text


def test_metrics_hold_no_ids(lived: World) -> None:
    """Counters by route; no id, name or query of anybody."""
    lived.get(f"/v1/patients/{lived.ids[ex.PATIENT]}/timeline?kinds=pain", "nurse", "A")
    text = lived.client.get("/metrics").text
    assert 'route="/v1/patients/<uuid:patient_id>/timeline"' in text
    assert "anodyne_http_requests_total" in text
    assert 'anodyne_projection_lag_events{projection="safety"}' in text
    assert lived.ids[ex.PATIENT] not in text and "kinds=pain" not in text


def test_metrics_can_be_locked(make_world: Callable[..., World]) -> None:
    """With a token set, only its bearer reads them."""
    world = make_world(metrics_token="a-token-for-prometheus")
    assert world.client.get("/metrics").status_code == 401
    right = {"Authorization": "Bearer a-token-for-prometheus"}
    assert world.client.get("/metrics", headers=right).status_code == 200


def test_swagger_ui_is_our_own_copy(lived: World) -> None:
    """The page and its files come from us; nothing is loaded from elsewhere, nothing else is served."""
    page = lived.client.get("/docs").text
    assert "http" not in page.replace("<!doctype html>", "").replace("https://json", "")
    for name in re.findall(r'(?:src|href)="(/docs/[^"]+)"', page):
        answer = lived.client.get(name)
        assert answer.status_code == 200 and int(answer.headers["Content-Length"]) > 100, name
    assert lived.client.get("/docs/VERSION.md").status_code == 404
    assert lived.client.get("/docs/../app.py").status_code == 404

"""Logs go to places where health data must not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from api.logs import configure_logging


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def logged(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    (line,) = capsys.readouterr().err.splitlines()
    entry: dict[str, object] = json.loads(line)
    return entry


def test_an_exception_shows_where_but_no_message_and_no_local_variable(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    patient = "Ann Secretname"
    try:
        raise ValueError(f"Key (family_name)=({patient}) already exists")
    except ValueError:
        structlog.get_logger().exception("unexpected", request_id="r1")
    entry = logged(capsys)
    assert "Secretname" not in json.dumps(entry)
    assert (entry["error"], entry["request_id"], entry["level"]) == ("ValueError", "r1", "error")
    assert "test_logs.py" in str(entry["where"])


def test_a_key_that_is_not_known_as_harmless_is_left_out_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    structlog.get_logger().info("saved", position=7, family_name="Secretname")
    entry = logged(capsys)
    assert entry["position"] == 7
    assert entry["left_out"] == ["family_name"]
    assert "Secretname" not in json.dumps(entry)


def test_below_the_level_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("WARNING")
    structlog.get_logger().info("chatter")
    assert capsys.readouterr().err == ""

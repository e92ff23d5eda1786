"""What a log out there holds can still be read: a golden sample of every event, decoded by today's code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domain.catalogue import EVENTS
from domain.kernel import Sealed, secret_fields
from services.log.mapper import LogMapper
from services.log.upcasters import UPCASTERS, Upcasters
from tests.golden.make_events import encoded, lacking, sample_of, samples

SAMPLES = samples()


@pytest.fixture(scope="module")
def mapper() -> LogMapper:
    return LogMapper(EVENTS, Upcasters(UPCASTERS, EVENTS), None)


def test_every_event_has_a_sample_with_every_field_filled() -> None:
    """A new event or field without a sample: run `python -m tests.golden.make_events` and commit what it writes."""
    assert lacking() == {}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_sample_is_read_and_keeps_every_value(path: Path, mapper: LogMapper) -> None:
    """Decoding goes through the upcasters; a name still in the catalogue comes out as it went in."""
    stored = json.loads(path.read_text())
    name, event = mapper.decode(SAMPLES[path], path.read_bytes())
    assert type(event) is EVENTS[name]
    if name == SAMPLES[path]:
        assert encoded(event) == stored


@pytest.mark.parametrize("name", EVENTS)
def test_a_sample_of_today_survives_storing(name: str, mapper: LogMapper) -> None:
    event = sample_of(EVENTS[name])
    assert mapper.decode(name, json.dumps(encoded(event)).encode()) == (name, event)


@pytest.mark.parametrize("name", EVENTS)
def test_unknown_fields_of_a_later_release_are_ignored(name: str, mapper: LogMapper) -> None:
    event = sample_of(EVENTS[name])
    later = {**encoded(event), "field_of_a_later_release": {"any": 1}}
    assert mapper.decode(name, json.dumps(later).encode()) == (name, event)


def test_samples_hold_no_readable_secret() -> None:
    for path, name in SAMPLES.items():
        if name not in EVENTS:
            continue
        stored = json.loads(path.read_text())
        for field in secret_fields(EVENTS[name]):
            values = stored[field].values() if "secret" not in stored.get(field, {}) else [stored[field]]
            assert all(value["secret"] == Sealed.__struct_config__.tag for value in values), (name, field)

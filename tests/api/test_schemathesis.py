"""Requests made up from the OpenAPI document, right and wrong ones: no server error, nothing undocumented.

Twice: with the made-up ids, and with the ids of a clinic that has lived through the story, so that rules and reads
behind the 404 are reached too. Bounded and derandomised; `ANODYNE_TEST_EXAMPLES` asks for more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import booleans
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from api.http import examples as ex
from tests.api.world import World

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, negative_data_rejection, unsupported_method,
]  # fmt: skip
BOUNDED = settings(
    max_examples=int(os.environ.get("ANODYNE_TEST_EXAMPLES", "8")), deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
)  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def lived(make_world: Callable[..., World]) -> World:
    """A world of its own after its story: what is sent here changes it."""
    return make_world().tell().caught_up()


@pytest.fixture(scope="module")
def api_schema(lived: World) -> Any:
    """The document as the running application serves it."""
    return schemathesis.openapi.from_wsgi("/openapi.json", lived.app)


REAL = {
    "clinic_id": ex.CLINIC, "staff_id": ex.PRESCRIBER, "patient_id": ex.PATIENT, "course_id": ex.COURSE,
    "infusion_id": ex.INFUSION, "lot_id": ex.LOT, "draw_id": ex.DRAW, "room_id": ex.ROOM,
}

OPERATIONS = sorted(
    (path, method)
    for path, item in json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())["paths"].items()
    for method in item if method in ("get", "post")
)


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: str(mode.value))
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_operation(
    lived: World, api_schema: Any, path: str, method: str, mode: schemathesis.GenerationMode
) -> None:
    """Right and wrong requests, about ids that nothing has and about real ones."""
    operation = api_schema[path][method.upper()]

    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=mode), real=booleans())
    def request(case: schemathesis.Case, real: bool) -> None:
        case.headers["Authorization"] = f"Bearer {lived.keys['owner', 'all']}"
        if real:
            about_real_things(case, lived)
        case.call_and_validate(checks=[one for one in CHECKS if not (real and one is negative_data_rejection)])

    request()


def about_real_things(case: schemathesis.Case, world: World) -> None:
    """Puts ids of the story into the path, where the case has well-formed ones."""
    for name in list(case.path_parameters or {}):
        if name in REAL:
            case.path_parameters[name] = world.ids[REAL[name]]

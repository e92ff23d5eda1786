"""The OpenAPI document: committed, complete, with an example on every operation that its own schema accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.auth.policy import POLICY, PUBLIC
from api.http.openapi import EXTENSION, document
from api.http.pages import is_page
from tests.api.world import World

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def spec(make_world: Callable[..., World]) -> dict[str, Any]:
    found: dict[str, Any] = make_world().app.extensions[EXTENSION]
    return found


def _operations(spec: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            if method in ("get", "post", "put", "patch", "delete"):
                yield path, method, operation


def test_the_committed_document_is_this_programs() -> None:
    """`docs/openapi.json` is what the program says; `anodyne docs openapi > docs/openapi.json` renews it."""
    assert json.loads((ROOT / "docs" / "openapi.json").read_text()) == json.loads(document())


def test_paths_are_the_url_map(make_world: Callable[..., World], spec: dict[str, Any]) -> None:
    """Nothing is served that is not documented, nothing documented that is not served."""
    served = {
        (rule.endpoint, method.lower())
        for rule in make_world().app.url_map.iter_rules() if rule.endpoint not in PUBLIC and not is_page(rule.endpoint)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(operation["operationId"], method) for _, method, operation in _operations(spec)} == served


def test_the_policy_is_the_url_map(spec: dict[str, Any]) -> None:
    """Every operation stands in the policy and every row of the policy is an operation."""
    assert {operation["operationId"] for _, _, operation in _operations(spec)} == {
        name for name in POLICY if not is_page(name)
    }


def test_every_operation_has_examples_that_fit(spec: dict[str, Any]) -> None:
    """Request and success examples are there, and valid against the schemas beside them."""
    for path, method, operation in _operations(spec):
        contents = [operation["requestBody"]["content"]["application/json"]] if "requestBody" in operation else []
        assert method == "get" or contents, path
        success = next(answer for code, answer in operation["responses"].items() if code.startswith("2"))
        contents.append(success["content"]["application/json"])
        for content in contents:
            schema = {**content["schema"], "components": spec["components"]}
            Draft202012Validator(schema).validate(content["example"])


def test_every_error_is_a_documented_problem(spec: dict[str, Any]) -> None:
    """Errors are application/problem+json with an example that fits; no status hides behind `default`."""
    for path, _, operation in _operations(spec):
        assert "default" not in operation["responses"], path
        for code, answer in operation["responses"].items():
            if not code.startswith("2"):
                name = answer["$ref"].rpartition("/")[2]
                content = spec["components"]["responses"][name]["content"]["application/problem+json"]
                schema = {**content["schema"], "components": spec["components"]}
                Draft202012Validator(schema).validate(content["example"])


def test_headers_and_keys_are_documented(spec: dict[str, Any]) -> None:
    """Every POST asks for an Idempotency-Key; every operation says its roles."""
    for path, method, operation in _operations(spec):
        assert "Roles: " in operation["description"], path
        assert operation["summary"], path
        if method == "post":
            assert {"$ref": "#/components/parameters/IdempotencyKey"} in operation["parameters"], path


def test_no_reference_dangles(spec: dict[str, Any]) -> None:
    """Every $ref leads somewhere."""
    text = json.dumps(spec)
    for part in ("schemas", "responses", "parameters", "headers"):
        for name in set(re.findall(rf"#/components/{part}/([\w.-]+)", text)):
            assert name in spec["components"].get(part, {}), name

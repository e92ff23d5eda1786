"""Every command endpoint: refused without a key, in a wrong role, at a wrong clinic, with a bad body, without or with
a stale If-Match; carried out once under one Idempotency-Key."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from api.auth.policy import POLICY
from tests.api.probes import ANSWERING, ORGANISATION, REFUSING, Findings, probe_story
from tests.api.story import ENDPOINTS, story
from tests.api.world import World

CASES = [
    (operation, probe)
    for operation, endpoint in sorted(ENDPOINTS.items())
    for probe in (*REFUSING, *ANSWERING)
    if not (probe == "missing If-Match" and not endpoint.if_match)
    and not (probe == "wrong clinic" and operation in ORGANISATION)
]


@pytest.fixture(scope="module")
def findings(make_world: Callable[..., World]) -> Findings:
    """The story lived through once, with every probe made."""
    return probe_story(make_world(), story())


@pytest.mark.parametrize(("operation", "probe"), CASES)
def test_endpoint(findings: Findings, operation: str, probe: str) -> None:
    """Given the moment of the story at which `operation` is right, `probe` is answered as documented."""
    assert (operation, probe) in findings.made, findings.ended
    assert findings.wrong.get((operation, probe), []) == []


def test_the_policy_names_every_operation() -> None:
    """No command without a row in the policy."""
    assert set(ENDPOINTS) <= set(POLICY)

"""Style sheets and scripts: under the address of their content, compressed, kept for ever, and nothing else."""

from __future__ import annotations

import gzip
import re

import pytest

from tests.api.world import World


def _addresses(world: World) -> list[str]:
    page = world.browser("manager", "A").get("/utilization").text
    return sorted(set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)))


def test_a_page_s_files_are_there_for_ever(lived: World) -> None:
    """Whoever asks (also before signing in), compressed where the browser can."""
    client = lived.app.test_client()
    addresses = _addresses(lived)
    names = {address.rpartition("/")[2] for address in addresses}
    assert names >= {"tokens.css", "app.css", "charts.js", "vega.min.js"}
    for address in addresses:
        plain, zipped = client.get(address), client.get(address, headers={"Accept-Encoding": "gzip"})
        assert plain.status_code == 200 and "immutable" in plain.headers["Cache-Control"]
        if zipped.headers.get("Content-Encoding") == "gzip":
            assert gzip.decompress(zipped.data) == plain.data and zipped.headers["Vary"] == "Accept-Encoding"
            assert int(zipped.headers["Content-Length"]) == len(zipped.data) < len(plain.data)


@pytest.mark.parametrize("name", [
    "vendored/VERSION.md", "../app.py", "..%2fapp.py", "css/nothing.css", "css", "%2e%2e/%2e%2e/settings.py",
])  # fmt: skip
def test_nothing_but_the_files(lived: World, name: str) -> None:
    """No way out of the folder, no notes, no listing, no other hash."""
    client = lived.app.test_client()
    hashed = next(one for one in _addresses(lived) if one.endswith("app.css"))
    assert client.get(hashed.replace("css/app.css", name)).status_code == 404
    assert client.get("/assets/0000000000000000/css/app.css").status_code == 404


@pytest.mark.parametrize(("back", "leads_to"), [
    ("/utilization?from=2026-01-01", "/utilization?from=2026-01-01"), ("//evil.example/", "/"),
    ("https://evil.example", "/"), ("/\\evil.example", "/"), ("", "/"),
])  # fmt: skip
def test_the_look_is_remembered_and_leads_back(lived: World, back: str, leads_to: str) -> None:
    """Chosen once, kept in a cookie; never a way to another site."""
    client = lived.browser("manager", "A")
    answer = client.get("/theme/dark", query_string={"back": back})
    assert (answer.status_code, answer.headers["Location"]) == (303, leads_to)
    assert 'data-theme="dark"' in client.get("/glossary").text
    client.get("/theme/device")
    assert "data-theme" not in client.get("/glossary").text
    assert client.get("/theme/purple").status_code == 404

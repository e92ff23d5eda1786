"""The recount is a second computation, not the first one called twice: it imports nothing of ours."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.recount.compare import _differ

HERE = Path(__file__).parent
OURS = {"api", "domain", "projections", "services", "benchmarks"}
ASKING = {"asking", "conftest", "inventing", "places"}
"""What asks the product and makes histories with it; everything else counts."""
COUNTING = sorted(
    path.stem for path in HERE.glob("*.py") if path.stem not in ASKING and not path.stem.startswith("test_")
)


def _imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they lead"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("__import__", "importlib.import_module"):
            names.add("a dynamic import")
    return names


@pytest.mark.parametrize("module", COUNTING)
def test_a_module_that_counts_imports_nothing_of_ours(module: str) -> None:
    """Only the standard library, pandas and friends, and its neighbours that count too."""
    for name in _imported(HERE / f"{module}.py"):
        assert name.split(".")[0] not in OURS, name
        assert name != "a dynamic import"
        if name.startswith("tests."):
            assert name.split(".")[:2] == ["tests", "recount"], name
            assert not ASKING & set(name.split(".")[2:]), name


def test_the_modules_that_count_are_looked_at() -> None:
    """Those that this test is about are there."""
    known = {"rooms", "attendance", "relief", "duration", "boosters", "path", "safety", "exported", "stats", "clinic"}
    assert known <= set(COUNTING)


def test_a_figure_that_is_not_recounted_is_a_difference() -> None:
    """At any depth, under any name; what is no figure (a label, an id) may be the dashboard's alone."""
    mine: dict[str, object] = {"rooms": {"wait": {"n": 3}}}
    shown = {"rooms": {"wait": {"metric": "wait", "n": 3, "rows": {"count": 3}}, "title": "Rooms"}}
    assert list(_differ("", mine, shown)) == []
    new = {"by_day": [{"day": "2026-11-23", "wait": {"metric": "wait", "n": 1, "rows": {"count": 1}}}]}
    (said,) = _differ("", mine, {**shown, "rooms": {**shown["rooms"], **new}})
    assert said.startswith(".rooms.by_day: shown") and said.endswith("not recounted")

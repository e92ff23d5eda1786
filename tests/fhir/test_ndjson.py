"""Lines: whatever a file holds, each line is read or named, and memory stays bounded."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest

from api.fhir.ndjson import MAX_LINE_BYTES, NothingToImport, files_in, lines_of


def problems(path: Path) -> list[tuple[str, str | None]]:
    return [(line.place, line.problem) for line in lines_of(path)]


def test_every_kind_of_broken_line_is_named_and_the_lines_after_it_are_read(tmp_path: Path) -> None:
    good = b'{"resourceType": "Patient", "id": "a"}\n'
    path = tmp_path / "mixed.ndjson"
    path.write_bytes(
        b"\xef\xbb\xbf" + good
        + b'{"resourceType": "Patient", "id": \n'
        + b'{"resourceType": "Patient", "id": "\xff\xfe"}\n'
        + b"[1, 2]\n" + b'"text"\n' + b'{"id": "no type"}\n' + b'{"resourceType": 7}\n'
        + b"\n   \n"
        + b"{" * 100_000 + b"\n"
        + b"x" * (MAX_LINE_BYTES + 5) + b"\n"
        + good.strip()
    )
    assert problems(path) == [
        ("mixed.ndjson:1", None), ("mixed.ndjson:2", "broken_line"), ("mixed.ndjson:3", "broken_utf8"),
        ("mixed.ndjson:4", "not_a_resource"), ("mixed.ndjson:5", "not_a_resource"),
        ("mixed.ndjson:6", "not_a_resource"), ("mixed.ndjson:7", "not_a_resource"),
        ("mixed.ndjson:10", "broken_line"), ("mixed.ndjson:11", "line_too_long"), ("mixed.ndjson:12", None),
    ]


def test_a_compressed_file_cut_short_gives_its_whole_lines_and_says_where_it_broke(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"resourceType": "Patient", "id": "a"}\n' * 50_000)
    path = tmp_path / "cut.ndjson.gz"
    path.write_bytes(whole[: len(whole) // 2])
    found = problems(path)
    assert found[-1][1] == "file_broken_here"
    assert len(found) > 1
    assert {problem for _, problem in found[:-1]} == {None}


def test_what_is_not_gzip_at_all_is_one_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "not.ndjson.gz"
    path.write_bytes(b"plain text")
    assert problems(path) == [("not.ndjson.gz:1", "file_broken_here")]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    line = b'{"resourceType": "Observation", "note": "' + b"n" * 500 + b'"}\n'
    path = tmp_path / "long.ndjson.gz"
    path.write_bytes(gzip.compress(line * 40_000))
    tracemalloc.start()
    count = sum(1 for _ in lines_of(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 40_000
    assert peak < 4 * 1024 * 1024


def test_a_folder_without_an_export_is_said(tmp_path: Path) -> None:
    with pytest.raises(NothingToImport, match="holds no"):
        files_in(tmp_path)
    with pytest.raises(NothingToImport, match="is not a folder"):
        files_in(tmp_path / "missing")

"""The machine a run was made on, in a few words, without its name."""

from __future__ import annotations

import os
import platform
import sqlite3
from pathlib import Path


def describe(postgres_version: str) -> list[tuple[str, str]]:
    """Rows of (what, value) for the report's head."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()
    )
    memory = next(
        (int(line.split()[1]) // 2**20 for line in Path("/proc/meminfo").read_text().splitlines()
         if line.startswith("MemTotal")), 0,
    )
    return [
        ("processor", f"{model}, {os.cpu_count()} cores"),
        ("memory", f"{memory} GiB"),
        ("Python", platform.python_version()),
        ("PostgreSQL", f"{postgres_version}, default durability (fsync on, synchronous_commit on)"),
        ("SQLite", f"{sqlite3.sqlite_version}, WAL, synchronous=FULL"),
    ]


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []

"""The machine a run was made on, in a few words, without its name."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from pathlib import Path


def describe(postgres_version: str, folder: Path) -> dict[str, str]:
    """What matters about it, now: how busy it is and how long its disk takes are part of that."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{_memory_gib()} GiB",
        "flush to disk": f"{flush_us(folder):,.0f} us (4 KiB pwrite and fdatasync, median of 100)",
        "load before": f"{load:.1f}",
        "Python": platform.python_version(),
        "PostgreSQL": postgres_version,
        "SQLite": sqlite3.sqlite_version,
    }


def flush_us(folder: Path, count: int = 100) -> float:
    """Microseconds that one small durable write takes where the databases lie."""
    path, took = folder / "flush.probe", []
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.write(descriptor, bytes(4096 * count))
        os.fsync(descriptor)
        for number in range(count):
            began = time.perf_counter()
            os.pwrite(descriptor, b"x" * 4096, 4096 * number)
            os.fdatasync(descriptor)
            took.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()
    return sorted(took)[count // 2] * 1e6


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory_gib() -> int:
    path = Path("/proc/meminfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) // 2**20 for line in lines if line.startswith("MemTotal")), 0)

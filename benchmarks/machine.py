"""What was measured on: machine, system, versions, commit."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("aiohttp", "h3", "httptools", "isal", "litestar", "msgspec", "rapidfuzz", "uvicorn", "uvloop", "zstandard")


def described(root: Path) -> list[tuple[str, str]]:
    """Return what a reader must know to compare the figures, as (what, value)."""
    system = platform.uname()
    return [
        ("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("commit", commit(root)),
        ("processor", f"{_cpu_model()}, {len(os.sched_getaffinity(0))} cores usable of {os.cpu_count()}"),
        ("memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB"),
        ("system", f"{system.system} {system.release} {system.machine}, {_distribution()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}, SQLite {sqlite3.sqlite_version}"),
        ("libraries", ", ".join(f"{name} {version(name)}" for name in PACKAGES)),
        ("load before", " ".join(f"{load:.2f}" for load in os.getloadavg()) + " (1, 5, 15 min)"),
    ]


def commit(root: Path) -> str:
    """Return the commit checked out below ``root``, and whether files differ from it."""
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        return f"{head}, with changes not committed" if _git(root, "status", "--porcelain") else head
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(root: Path, *arguments: str) -> str:
    command = ("git", "-C", str(root), *arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


def _cpu_model() -> str:
    lines = _read("/proc/cpuinfo").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model")))
    return next(names, platform.processor() or "unknown processor")


def _distribution() -> str:
    lines = _read("/etc/os-release").splitlines()
    return next((line.partition("=")[2].strip('"') for line in lines if line.startswith("PRETTY_NAME=")), "unknown")


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""

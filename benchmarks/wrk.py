"""Load by wrk, and what it costs the server: requests a second and processor time a request."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec
from harness import BenchError

CONNECTIONS = 16
_REQUESTS = re.compile(r"(\d+) requests in ([\d.]+)(ms|s|m),")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of wrk came to: requests a second, processor seconds of the server a request, its utilisation 0..1."""

    per_s: float
    cpu_s: float
    busy_frac: float


def check_wrk() -> None:
    """Raise a plain error where wrk is not there.

    Raises:
        BenchError: it is not installed.
    """
    if shutil.which("wrk") is None:
        raise BenchError("wrk is not installed (Debian: apt install wrk)")


def pin(pid: int, core: int) -> None:
    """Keep all threads of a process, those to come too, on one core."""
    for task in Path("/proc", str(pid), "task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def load(url: str, pid: int, *, core: int, seconds: float) -> Load:
    """Ask ``url`` over 16 connections from one thread on ``core``; ``pid`` is the server's.

    Raises:
        BenchError: an answer was no 200, or wrk failed.
    """
    command = ("taskset", "-c", str(core), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", url)
    before = _cpu_s(pid)
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    used = _cpu_s(pid) - before
    counted = _REQUESTS.search(done.stdout)
    if done.returncode or counted is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise BenchError(f"wrk {url}: {done.stdout[-300:]}{done.stderr[-300:]}")
    requests, took_s = int(counted[1]), float(counted[2]) * {"ms": 0.001, "s": 1, "m": 60}[counted[3]]
    return Load(per_s=requests / took_s, cpu_s=used / requests, busy_frac=used / took_s)


def _cpu_s(pid: int) -> float:
    fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def cores() -> tuple[int, int]:
    """Return a core for the server and one for wrk; the same one where there is no other."""
    usable: Iterable[int] = sorted(os.sched_getaffinity(0))
    first, *others = usable
    return first, others[-1] if others else first

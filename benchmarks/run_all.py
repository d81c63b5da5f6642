"""Run every benchmark, each in a process of its own, and write the page of figures.

A benchmark that fails is said on the page; the others run all the same, and the exit code is 1. With
``--only`` the other sections of the page stay as they were measured before, each with its own commit.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import machine
import msgspec
from harness import ROOT, say
from report import Result, as_markdown

BENCHES = (
    "bench_hunt",
    "bench_flight",
    "bench_loop",
    "bench_parse",
    "bench_memory",
    "bench_statistics",
    "bench_memory_tier",
    "bench_fastpath",
    "bench_representations",
    "bench_sql",
    "bench_codec",
    "bench_codec_whb",
    "bench_ttl",
    "bench_week",
    "bench_strategies",
    "bench_budgets",
    "bench_warming",
    "bench_change_rates",
)
TIMEOUT_S = 1800.0
"""Longest time of one benchmark: 10 hunts and 2 sequential rivals take about 5 minutes."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the Markdown page to write")
    parser.add_argument("--quick", action="store_true", help="tiny counts, fast sandboxes: not for figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results there, raw numbers too")
    parser.add_argument(
        "--kept", type=Path, metavar="FILE", help="results without raw numbers, kept for the sections not run again"
    )
    parser.add_argument("--only", nargs="+", choices=BENCHES, default=BENCHES, metavar="BENCH", help=", ".join(BENCHES))
    given = parser.parse_args(argv)
    where = machine.described(ROOT)
    told = dict(where)
    new: dict[str, Result] = {}
    for bench in given.only:
        result = new[bench] = run(bench, is_quick=given.quick)
        result.commit, result.measured = told["commit"], told["date"]
        _write(given, where, new)  # after each: what was measured in an hour must not be lost in its last minute
    say(f"wrote {given.out}")
    return 1 if any(result.error for result in new.values()) else 0


def _write(given: argparse.Namespace, where: Sequence[tuple[str, str]], new: dict[str, Result]) -> None:
    """Write the page, and the files beside it, with what is there so far."""
    kept = _kept(given.kept)
    results = {bench: r for bench in BENCHES if (r := new.get(bench) or kept.get(bench)) is not None}
    given.out.write_text(page(where, list(results.values()), is_quick=given.quick))
    if given.json is not None:
        given.json.write_bytes(msgspec.json.encode(list(new.values())))
    if given.kept is not None:
        bare = {bench: msgspec.structs.replace(result, samples={}) for bench, result in results.items()}
        given.kept.write_bytes(msgspec.json.format(msgspec.json.encode(bare), indent=1))


def _kept(path: Path | None) -> dict[str, Result]:
    if path is None or not path.is_file():
        return {}
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Result])


def run(bench: str, *, is_quick: bool) -> Result:
    """Run one benchmark in a process group of its own; whatever it started ends with it."""
    script = ROOT / "benchmarks" / f"{bench}.py"
    say(f"{bench} …")
    started_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        file = Path(folder) / "result.json"
        command = (sys.executable, str(script), "--json", str(file), *(["--quick"] if is_quick else []))
        with subprocess.Popen(command, stderr=log, cwd=ROOT, start_new_session=True) as process:
            error = _waited(process)
        if error is None and file.exists():
            try:
                return msgspec.json.decode(file.read_bytes(), type=Result)
            except msgspec.MsgspecError as broken:
                error = f"its result cannot be read: {broken}"
        told = os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace").strip().splitlines()
    error = error or (told[-1] if told else f"exit code {process.returncode}")
    say(f"{bench} failed: {error}")
    took_s = time.perf_counter() - started_s
    return Result(title=bench, command=f"benchmarks/{bench}.py", error=error, took_s=took_s)


def _waited(process: subprocess.Popen[bytes]) -> str | None:
    """Wait for the benchmark; return why it has no result, ``None`` where it may have one."""
    try:
        return None if process.wait(TIMEOUT_S) == 0 else ""
    except subprocess.TimeoutExpired:
        return f"not done within {TIMEOUT_S:.0f} s"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def page(where: Sequence[tuple[str, str]], results: Sequence[Result], *, is_quick: bool) -> str:
    """Return the page of figures."""
    figures = [figure for result in results for figure in result.figures if figure.is_met is not None]
    missed = [figure for figure in figures if not figure.is_met]
    failed = [result.title for result in results if result.error]
    lines = [
        "# Figures",
        "",
        "Written by `make figures`, which runs the benchmarks in `benchmarks/`; the raw numbers: `--json FILE`.",
        "",
        *(["**A quick run with tiny counts and fast sandboxes: these are no figures.**", ""] if is_quick else []),
        f"Targets met: {len(figures) - len(missed)} of {len(figures)}."
        + "".join(f" Missed: {figure.name}." for figure in missed)
        + "".join(f" Failed to run: {title}." for title in failed),
        "",
        "| measured on | |",
        "| --- | --- |",
        *(f"| {what} | {value} |" for what, value in where),
        "",
    ]
    return "\n".join([*lines, *(as_markdown(result) for result in results)])


if __name__ == "__main__":
    sys.exit(main())

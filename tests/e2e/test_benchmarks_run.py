"""Every benchmark runs with tiny counts; what does not depend on time holds there too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from programs import needed

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = {"bench_fastpath": "wrk", "bench_sql": "mariadbd"}
"""What a benchmark runs beside Python."""


@pytest.mark.e2e
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "bench",
    [
        "bench_hunt",
        "bench_flight",
        "bench_loop",
        "bench_memory",
        "bench_memory_tier",
        "bench_representations",
        "bench_fastpath",
        "bench_sql",
        "bench_statistics",
        "bench_warming",
        "bench_strategies",
        "bench_week",
        pytest.param("bench_parse", marks=pytest.mark.recorded),
        pytest.param("bench_codec_whb", marks=pytest.mark.recorded),
    ],
)
def test_a_quick_benchmark_runs_and_its_exact_targets_are_met(bench: str, tmp_path: Path) -> None:
    if bench in PROGRAMS:
        needed(PROGRAMS[bench])
    out = tmp_path / "result.json"
    command = (sys.executable, str(ROOT / "benchmarks" / f"{bench}.py"), "--quick", "--json", str(out))
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result = msgspec.json.decode(out.read_bytes())
    assert result["title"] in done.stdout
    assert len(result["figures"]) > 2
    exact = [figure for figure in result["figures"] if figure["target"].startswith("= ")]
    assert [figure["name"] for figure in exact if not figure["is_met"]] == []

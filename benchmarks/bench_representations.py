"""Memory of 10,000 entries as typed records, as JSON bytes and as stored, with the latency of reading each.

The entries are menus and price lists of the sandbox's markets. Each representation is held by a
process of its own, whose growth in resident memory counts.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from harness import BenchError, Options, run_bench, say
from market_entries import market_entries
from report import Figure, Result, Table, at_least, exactly, median, number, quantile, told
from representations_child import MAKE, Held, Stored, write_stored

ENTRIES = 10_000
QUICK_ENTRIES = 150
REPEATS = 3
LEAST_SAVED_FRAC = 0.6
TIMEOUT_S = 600
MB = 1e6


def bench(options: Options) -> Result:
    """Measure all."""
    count = QUICK_ENTRIES if options.is_quick else ENTRIES
    repeats = options.repeats or (1 if options.is_quick else REPEATS)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "entries")
        say(f"representations: making {count:,} entries")
        write_stored(file, (Stored(str(entry.key), entry.body) for entry in market_entries(count)))
        runs = [_held(representation, file) for _ in range(repeats) for representation in MAKE]
    return Result(
        title="Memory of entries by representation",
        command="benchmarks/bench_representations.py",
        figures=_figures(runs, count),
        tables=[_table(runs)],
        notes=[
            "Half menus, half price lists, of the sandbox's markets. Growth of resident memory (RSS) of a fresh process "
            "that holds a dictionary from key to representation; MB = 1,000,000 bytes.",
            "Stored: the body as the tiers hold it. A read looks the key up and comes to the typed record, or to its JSON.",
        ],
        samples={
            f"{representation}, bytes": [float(run.grown_bytes) for run in runs if run.representation == representation]
            for representation in MAKE
        },
    )


def _held(representation: str, file: Path) -> Held:
    say(f"representations: {representation}")
    command = (sys.executable, str(Path(__file__).with_name("representations_child.py")), representation, str(file))
    done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        raise BenchError(f"{representation}: {done.stderr[-400:].decode(errors='replace')}")
    return msgspec.json.decode(done.stdout, type=Held)


def _figures(runs: Sequence[Held], count: int) -> list[Figure]:
    grown = {name: [run.grown_bytes / MB for run in runs if run.representation == name] for name in MAKE}
    saved = [1 - one / other for one, other in zip(grown["stored"], grown["JSON bytes"], strict=True)]
    return [
        exactly("entries held by each process", min(run.entries for run in runs), count),
        at_least("stored, saved of JSON bytes", median(saved), LEAST_SAVED_FRAC, spread=f"{min(saved):.3f} to {max(saved):.3f}"),
        *(told(name, median(values), "MB", spread=f"{min(values):.1f} to {max(values):.1f}") for name, values in grown.items()),
    ]  # fmt: skip


def _table(runs: Sequence[Held]) -> Table:
    rows = []
    for name in MAKE:
        own = [run for run in runs if run.representation == name]
        to_record = [each for run in own for each in run.record_us]
        to_json = [each for run in own for each in run.json_us]
        rows.append(
            (
                name, number(median([run.grown_bytes / MB for run in own])),
                number(median([run.grown_bytes / run.entries / 1e3 for run in own])),
                *(number(quantile(each, share)) for each in (to_record, to_json) for share in (0.5, 0.99)),
            )
        )  # fmt: skip
    columns = ("representation", "MB", "kB an entry", "record p50 us", "record p99 us", "JSON p50 us", "JSON p99 us")
    return Table(title="Memory and latency of a read", columns=columns, rows=tuple(rows))


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

"""How fast each adapter reads answers, in MB of JSON a second on one core, beside plain JSON decoders.

The recorded answers, and the menus that a sandbox gives around Denver: of some origins few menus
were recorded. Bodies are decompressed before; a round parses every body of an origin, as often as
it takes to fill a tenth of a second, so that small files are not measured by the clock's grain.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from harness import ROOT, BenchError, Options, run_bench, sandbox, say
from report import Figure, Result, Table, at_least, median, number, spread_of
from rival_sequential import sequential_hunt

from weedhounds import sources
from weedhounds.errors import SourceError
from weedhounds.pages import encode_parsed
from weedhounds.sources.base import Call, Kind

RECORDED = ROOT.parent / "shared" / "data"
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "dutchie": ("dutchie/filteredProducts_*",),
    "jane": ("jane/menu-products_*",),
    "weedmaps": ("weedmaps/menu_*",),
    "leafly": ("leafly/products_*",),
    "socrata_ct": ("socrata-ct/brand_registry_*",),
}
"""Where the recorded menus (and the registry) of each origin lie."""
RUNS = 9
ROUND_S = 0.1
TARGET_MB_S = 20.0


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One origin: how much was read, and MB/s of each run by what read them."""

    origin: str
    answers: int
    size_bytes: int
    items: int
    mb_s: dict[str, list[float]]


def bench(options: Options) -> Result:
    """Measure all; ``repeats`` is the number of runs."""
    runs = options.repeats or (2 if options.is_quick else RUNS)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    recorded = [_measured(origin, _recorded(origin), runs) for origin in ANSWERS]
    simulated = [_measured(origin, bodies, runs) for origin, bodies in _simulated().items()]
    return Result(
        title="Parsing answers",
        command="benchmarks/bench_parse.py",
        figures=[
            *(_figure("recorded", each) for each in recorded),
            *(_figure("simulated", each) for each in simulated),
        ],
        tables=[
            _table("Recorded answers, median speeds", recorded),
            _table("Simulated menus, median speeds", simulated),
        ],
        notes=[
            "MB = 1,000,000 bytes of uncompressed, compact JSON. One process, pinned to one core.",
            "With encoding: the parsed answer besides encoded as a job process hands it back. "
            "json.loads and msgspec (untyped) only decode: they are the floor, not equals.",
        ],
        samples={f"{m.origin}, {name}, MB per s": speeds for m in recorded for name, speeds in m.mb_s.items()},
    )


def _measured(origin: str, bodies: Sequence[bytes], runs: int) -> Measured:
    say(f"parse: {origin}")
    parse = sources.source_class(origin).parse
    items = 0
    for body in bodies:
        try:
            items += parse(body).seen
        except SourceError as error:
            raise BenchError(f"{origin}: an answer cannot be read: {error}") from error
    readers: dict[str, Callable[[bytes], Any]] = {
        "parse": parse,
        "with encoding": lambda body: encode_parsed(parse(body)),
        "json.loads": json.loads,
        "msgspec": msgspec.json.decode,
    }
    size = sum(map(len, bodies))
    speeds: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(runs):
        for name, read in readers.items():
            speeds[name].append(size / _seconds(read, bodies) / 1e6)
    return Measured(origin=origin, answers=len(bodies), size_bytes=size, items=items, mb_s=speeds)


def _recorded(origin: str) -> list[bytes]:
    paths = sorted({path for pattern in ANSWERS[origin] for path in RECORDED.glob(pattern)})
    if not paths:
        raise BenchError(f"no recorded answers of {origin} in {RECORDED}")
    return [_body(path) for path in paths]


def _simulated() -> dict[str, list[bytes]]:
    """Return the menus, and the registry's rows, of a Denver hunt in a sandbox without latency."""
    bodies: dict[str, list[bytes]] = {}

    def see(origin: str, call: Call, body: bytes) -> None:
        if call.kind in (Kind.MENU, Kind.LABS):
            bodies.setdefault(origin, []).append(body)

    with sandbox("--latency-ms", "0") as market:
        asyncio.run(sequential_hunt(market.url, see))
    return bodies


def _body(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _seconds(read: Callable[[bytes], object], bodies: Sequence[bytes]) -> float:
    """Return the seconds of one pass over the bodies, the mean of as many as fill ``ROUND_S``."""
    passes, started_s = 0, time.perf_counter()
    while True:
        for body in bodies:
            read(body)
        passes += 1
        taken_s = time.perf_counter() - started_s
        if taken_s >= ROUND_S:
            return taken_s / passes


def _figure(what: str, each: Measured) -> Figure:
    speeds = each.mb_s["parse"]
    return at_least(
        f"{each.origin}, {what}: parse, median", median(speeds), TARGET_MB_S, "MB/s", spread=spread_of(speeds)
    )


def _table(title: str, measured: Sequence[Measured]) -> Table:
    rows = []
    for each in measured:
        speeds = {name: median(values) for name, values in each.mb_s.items()}
        rows.append(
            (each.origin, str(each.answers), number(each.size_bytes / 1e6), f"{each.items:,}",
             *(number(speed) for speed in speeds.values()), f"{speeds['msgspec'] / speeds['parse']:.1f}")
        )  # fmt: skip
    columns = ("origin", "answers", "MB", "items", "parse MB/s", "with encoding MB/s", "json.loads MB/s",
               "msgspec MB/s", "times the msgspec floor")  # fmt: skip
    return Table(title=title, columns=columns, rows=tuple(rows))


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

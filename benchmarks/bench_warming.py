"""Warming and refresh-ahead: calls of first requests after warming, budgets kept, waits and calls over simulated hours."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from random import Random
from urllib.parse import quote

import msgspec
from harness import BenchError, Options, answer_of, calls_of, get, node, run_bench, sandbox, say
from refresh_sim import Came, RefreshSim, Scenario
from report import Figure, Result, Table, at_least, at_most, exactly, number, told
from sketches import CountMin, Sketch, SpaceSaving

from weedhounds.cache.demand import HALF_LIFE_S, HotKeys
from weedhounds.query.answer import DispensariesAnswer
from weedhounds.warming.place import WarmReport

NEAR = {"near": "Denver, CO", "radius_km": "40"}
TOP = 200
"""Keys of the first requests: the menus and price lists of the nearest listings."""
TRACKED = 8_000
TOP_KEYS = 2_000


class Warmed(msgspec.Struct):
    """What warming and the first requests after it came to."""

    report: WarmReport
    seconds: float
    refused: int
    keys: int
    key_calls: int
    hunt_calls: int
    told_calls: int


def bench(options: Options) -> Result:
    """Measure all."""
    warmed, real = warm_and_ask(options), warm_on_small_budgets(options)
    runs = simulate(options)
    sketches = [measure_sketch(name, make, options) for name, make in SKETCHES.items()]
    return Result(
        title="Warming and refresh-ahead",
        command="benchmarks/bench_warming.py",
        figures=[*_warm_figures(warmed, real), *_sim_figures(runs), *_sketch_figures(sketches)],
        tables=[_sim_table(runs), _sketch_table(sketches)],
        notes=_NOTES,
    )


def warm_and_ask(options: Options) -> Warmed:
    """Warm Denver with the command, then ask a node that starts on the same data folder."""
    say("warming: Denver")
    with tempfile.TemporaryDirectory() as folder, sandbox(is_quick=options.is_quick) as market:
        started_s = time.perf_counter()
        report = _warm(market.url, folder, "--strains", "20" if options.is_quick else "200")
        seconds = time.perf_counter() - started_s
        calls = calls_of(market.url)
        with node(market.url, Path(folder)) as running:
            body = get(running.url, "/v1/dispensaries", **NEAR, limit="1000").body
            near = msgspec.json.decode(body, type=DispensariesAnswer)
            shops = [key.split(":", 1)[1] for each in near.dispensaries for key in each.listings]
            keys = [f"{kind}/{quote(shop, safe=':')}" for shop in shops for kind in ("menus", "prices")][:TOP]
            for key in keys:
                get(running.url, f"/v1/{key}")
            key_calls = calls_of(market.url).total - calls.total
            answers = [answer_of(get(running.url, "/v1/hunt", q=q, **NEAR)) for q in ("Blue Dream", "gummies")]
            told_calls = sum(answer.meta.origin_calls for answer in answers)
            hunt_calls = calls_of(market.url).total - calls.total - key_calls
        refused = sum(call.is_refused for call in calls.log)
        return Warmed(report, seconds, refused, len(keys), key_calls, hunt_calls, told_calls)


def warm_on_small_budgets(options: Options) -> tuple[WarmReport, int, float]:
    """Warm within the budgets assumed of live origins; return the report, refused calls, and the most of a budget used."""
    say("warming: real budgets")
    limit_s = 4 if options.is_quick else 60
    flags = ("--budgets", "real")
    with tempfile.TemporaryDirectory() as folder, sandbox(*flags, is_quick=options.is_quick) as market:
        report = _warm(market.url, folder, "--strains", "0", "--limit-s", str(limit_s))
        calls = calls_of(market.url)
        return report, sum(call.is_refused for call in calls.log), calls.total - report.origin_calls


def _warm(sandbox_url: str, folder: str, *flags: str) -> WarmReport:
    command = (
        sys.executable, "-m", "weedhounds", "cache", "warm", "--near", NEAR["near"], "--radius-km", NEAR["radius_km"],
        "--sandbox", sandbox_url, "--data-dir", folder, "--json", *flags,
    )  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=600, check=False)
    if done.returncode:
        raise BenchError(done.stderr[-400:].decode(errors="replace"))
    return msgspec.json.decode(done.stdout, type=WarmReport)


def simulate(options: Options) -> list[tuple[str, Scenario, Came]]:
    """Run the scenarios: refresh-ahead off and on, each with and without stale-while-revalidate, and its other dials."""
    hours, per_day = (2.0, 50_000.0) if options.is_quick else (24.0, 100_000.0)
    off = Scenario(is_on=False, hours=hours, requests_per_day=per_day)
    on = msgspec.structs.replace(off, is_on=True)
    tight = {"burst": 10, "rate_per_s": 0.2}
    scenarios = {
        "off": off,
        "on": on,
        "off, window 0.1": msgspec.structs.replace(off, window_frac=0.1),
        "on, window 0.1": msgspec.structs.replace(on, window_frac=0.1),
        **{f"on, least uses {uses:g}": msgspec.structs.replace(on, least_uses=uses) for uses in (1.0, 2.0, 10.0, 20.0)},
        "off, small budget": msgspec.structs.replace(off, **tight),
        "on, small budget": msgspec.structs.replace(on, **tight),
    }
    runs = []
    for name, scenario in scenarios.items():
        say(f"simulated hours: {name}")
        runs.append((name, scenario, asyncio.run(RefreshSim(scenario).run())))
    return runs


class Sketched(msgspec.Struct):
    """One summary: microseconds for an addition, bytes, and how many of the truly most wanted keys it lists."""

    name: str
    us: float
    bytes: int
    recall: float
    overstated: float
    understated: float


class _Ours:
    """Our summary, told like its rivals: weights instead of rates."""

    def __init__(self, max_keys: int, half_life_s: float, start: float) -> None:
        self._hot: HotKeys[int] = HotKeys(max_keys, half_life_s=half_life_s)
        self.add = self._hot.add

    def top(self, n: int, now: float) -> list[tuple[int, float]]:
        """Return the most wanted keys with their decayed weights."""
        per_second = self._hot._per_second()
        return [(key, rate / per_second / self._hot._unit) for key, rate in self._hot.top(n, now)]


Make = Callable[[int, float, float], Sketch]
SKETCHES: dict[str, Make] = {
    "ours: Misra-Gries, trimmed in groups": _Ours,
    "Space-Saving, heap": SpaceSaving,
    "count-min, 4 rows, and candidates": CountMin,
}


def measure_sketch(name: str, make: Make, options: Options) -> Sketched:
    """Feed a summary a day's requests for many keys, whose popularity is shuffled half way."""
    say(f"summaries of demand: {name}")
    keys, requests = (5_000, 20_000) if options.is_quick else (200_000, 1_000_000)
    tracked, top = (400, 100) if options.is_quick else (TRACKED, TOP_KEYS)
    stream = _stream(keys, requests)
    tracemalloc.start()
    measured = make(tracked, HALF_LIFE_S, 0.0)
    for key, at in stream[: min(requests, 200_000)]:
        measured.add(key, 1, at)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    sketch = make(tracked, HALF_LIFE_S, 0.0)
    started_s = time.perf_counter()
    for key, at in stream:
        sketch.add(key, 1, at)
    us = 1e6 * (time.perf_counter() - started_s) / requests
    end = stream[-1][1]
    true: dict[int, float] = {}
    for key, at in stream:
        true[key] = true.get(key, 0.0) + 0.5 ** ((end - at) / HALF_LIFE_S)
    best = set(sorted(true, key=true.__getitem__, reverse=True)[:top])
    listed = sketch.top(top, end)
    total = sum(true.values())
    errors = [(weight - true.get(key, 0.0)) / total for key, weight in listed]
    recall = len(best & {key for key, _ in listed}) / top
    return Sketched(name, us, size, recall, max(0.0, *errors), max(0.0, *(-error for error in errors)))


def _stream(keys: int, requests: int) -> list[tuple[int, float]]:
    rng = Random(7)
    weights = list(accumulate(1.0 / (rank + 1) ** 0.9 for rank in range(keys)))
    names = list(range(keys))
    stream = []
    for part in range(2):
        rng.shuffle(names)
        chosen = rng.choices(names, cum_weights=weights, k=requests // 2)
        start_s = part * 43_200.0
        stream += [(key, start_s + 43_200.0 * n / len(chosen)) for n, key in enumerate(chosen)]
    return stream


def _warm_figures(warmed: Warmed, real: tuple[WarmReport, int, float]) -> list[Figure]:
    report, (small, small_refused, uncounted) = warmed.report, real
    return [
        exactly(f"upstream calls of the first requests for {warmed.keys} warmed keys, restarted node", warmed.key_calls, 0),
        exactly("upstream calls of the first hunts after warming, restarted node", warmed.hunt_calls, 0),
        exactly("the same, as the hunts' meta tells", warmed.told_calls, 0),
        exactly("429 answers while warming", warmed.refused, 0),
        exactly("429 answers while warming on the assumed live budgets", small_refused, 0),
        exactly("calls that the report of warming does not count", uncounted, 0),
        exactly("items missing after warming", len(report.missing), 0),
        told("records fetched", report.loaded),
        told("calls of warming", report.origin_calls),
        told("warming took", warmed.seconds, "s"),
        at_least("records fetched within the assumed live budgets", small.loaded, 1),
    ]  # fmt: skip


def _sim_figures(runs: Sequence[tuple[str, Scenario, Came]]) -> list[Figure]:
    came = {name: each for name, _, each in runs}
    off, on = came["off"], came["on"]
    off_window, on_window = came["off, window 0.1"], came["on, window 0.1"]
    tight_off, tight_on = came["off, small budget"], came["on, small budget"]
    return [
        told("requests that waited, refresh-ahead off", 100 * off.per_request(off.waited), "%"),
        told("requests that waited, refresh-ahead on", 100 * on.per_request(on.waited), "%"),
        told("the same, on / off", on.per_request(on.waited) / off.per_request(off.waited)),
        told("upstream calls, on / off", on.per_request(on.calls) / off.per_request(off.calls)),
        told("stale serves, off", 100 * off.per_request(off.stale), "%"),
        told("stale serves, on", 100 * on.per_request(on.stale), "%"),
        told("with a window of 0.1 of the lifetime: upstream calls, on / off",
             on_window.per_request(on_window.calls) / off_window.per_request(off_window.calls)),
        told("with a window of 0.1 of the lifetime: stale serves, on - off",
             100 * (on_window.per_request(on_window.stale) - off_window.per_request(off_window.stale)), "points"),
        at_most("loads over a small budget, on / off", tight_on.over_budget / max(1, tight_off.over_budget), 1.1),
    ]  # fmt: skip


def _sim_table(runs: Sequence[tuple[str, Scenario, Came]]) -> Table:
    rows = [
        (
            name, f"{each.requests:,}", f"{each.calls:,}", f"{100 * each.per_request(each.calls):.2f}",
            f"{100 * each.per_request(each.waited):.2f}", f"{1000 * each.per_request(each.wait_s):.2f}",
            f"{100 * each.per_request(each.stale):.2f}", f"{each.refreshes:,}", f"{each.skipped:,}", f"{each.over_budget:,}",
        )
        for name, _, each in runs
    ]  # fmt: skip
    columns = ("refresh-ahead", "requests", "calls", "calls % of requests", "waited %", "mean wait ms", "stale %",
               "keys refreshed", "skipped for budget", "loads over budget")  # fmt: skip
    return Table(title="Simulated hours", columns=columns, rows=tuple(rows))


def _sketch_figures(sketches: Sequence[Sketched]) -> list[Figure]:
    ours = sketches[0]
    return [
        told("summary of demand, one addition", ours.us, "us"),
        exactly("largest overstatement of a listed key, share of all demand, millionths", round(1e6 * ours.overstated), 0),
        told("truly most wanted keys that it lists", 100 * ours.recall, "%"),
    ]  # fmt: skip


def _sketch_table(sketches: Sequence[Sketched]) -> Table:
    rows = [
        (each.name, number(each.us), number(each.bytes / 2**20), f"{100 * each.recall:.1f}",
         f"{1e6 * each.overstated:.1f}", f"{1e6 * each.understated:.1f}")
        for each in sketches
    ]  # fmt: skip
    columns = ("summary", "us an addition", "MiB", "listed of the truly most wanted %", "overstated, millionths of all demand",
               "understated")  # fmt: skip
    return Table(title="Summaries of demand", columns=columns, rows=tuple(rows))


_NOTES = [
    "First requests go to a node that was started anew on the warmed data folder; calls are counted by the sandbox.",
    "Simulated hours: 120 shops with menu, price list and promotions, Zipf 0.9, two peaks a day and little at night, "
    "loads of 0.6 s, base lifetimes with jitter; the product's own refresher on a manual clock. The first sixth is "
    "warm-up. The small budget is a burst of 10 and 0.2 calls a second; a load over it would be refused.",
    "Summaries of demand: 1,000,000 requests over a day for 200,000 keys, Zipf 0.9, popularity shuffled half way, "
    "8,000 keys tracked, the 2,000 most wanted asked for; half-life half an hour.",
]


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

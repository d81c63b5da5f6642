"""Hit ratio of the memory tier against LRU and against the best that any cache could do; cost of its calls.

Six traces of equal entries: three kinds, each with a cache for 1 % and for 10 % of the keys. The
tier itself is driven, with entries and its byte budget; the rival is cachetools' LRU; the optimum is
Belady's algorithm, exact.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from random import Random

import cachebox
import cachetools
import msgspec
from harness import Options, run_bench, say
from report import Figure, Result, Table, at_least, exactly, median, number, spread_of, told
from traces import TRACES, Shape, lru_hits, optimal_hits

from weedhounds.cache.entry import Entry
from weedhounds.cache.memory import ENTRY_BYTES, MemoryTier
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey

SEEDS = 3
SIZES_FRAC = (0.01, 0.1)
BODY = b"x" * 100
WEIGHT = ENTRY_BYTES + len(BODY)
QUICK = Shape(keys=5_000, requests=30_000, drift_every=3_000)
DIGEST = bytes(20)
LEAST_OVER_LRU = 1.15
LEAST_OF_OPTIMUM = 0.84
ROUNDS = 7
"""Rounds of the costs of calls; rivals take turns."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One trace through one size of cache: hits of all three, the tier's greatest weight over its budget."""

    trace: str
    size_frac: float
    seed: int
    requests: int
    lru: int
    tier: int
    optimum: int
    over: int

    @property
    def over_lru(self) -> float:
        """Return the tier's hits as a multiple of LRU's."""
        return self.tier / self.lru

    @property
    def of_optimum(self) -> float:
        """Return the tier's hits as a share of the optimum's."""
        return self.tier / self.optimum


def bench(options: Options) -> Result:
    """Measure all."""
    shape = QUICK if options.is_quick else Shape()
    seeds = range(1, (options.repeats or (1 if options.is_quick else SEEDS)) + 1)
    runs = [run for seed in seeds for name in TRACES for run in _runs(name, seed, shape)]
    costs = _costs(2_000 if options.is_quick else 50_000)
    return Result(
        title="Memory tier: hit ratio and cost of a call",
        command="benchmarks/bench_memory_tier.py",
        figures=_figures(runs, costs),
        tables=[_table(runs), _costs_table(costs)],
        notes=[
            f"{shape.keys:,} keys, Zipf 0.9, {shape.requests:,} requests. plain; scan: every fourth request for a key "
            f"seen once; drift: a tenth of the keys change rank every {shape.drift_every:,} requests. "
            f"Cache: 1 % and 10 % of the keys. Seeds {seeds[0]} to {seeds[-1]}.",
            "The optimum may refuse what it fetches, so it is the highest of all; entries are of equal weight.",
            "Costs: one call in a loop, median of rounds; the tier's calls include freshness, weights and counters.",
        ],
        samples={
            "over_lru": [run.over_lru for run in runs],
            "of_optimum": [run.of_optimum for run in runs],
            **{f"{name}, ns": values for name, values in costs.items()},
        },
    )


def _runs(name: str, seed: int, shape: Shape) -> list[Run]:
    say(f"memory tier: {name}, seed {seed}")
    trace = TRACES[name](Random(seed), shape)
    keys = [RecordKey(DataType.DISPENSARY_MENU, "weedmaps", str(number)) for number in range(max(trace) + 1)]
    runs = []
    for frac in SIZES_FRAC:
        size = int(shape.keys * frac)
        hits, over = _tier_hits(trace, keys, size)
        runs.append(
            Run(
                trace=name, size_frac=frac, seed=seed, requests=len(trace), tier=hits, over=over,
                lru=_rival_hits(trace, cachetools.LRUCache(size)), optimum=optimal_hits(trace, size),
            )
        )  # fmt: skip
        assert runs[-1].lru == lru_hits(trace, size)
    return runs


def _tier_hits(trace: Sequence[int], keys: Sequence[RecordKey], size: int) -> tuple[int, int]:
    """Return the hits of the memory tier with room for ``size`` entries, and how far it went over its budget."""
    tier, hits, over = MemoryTier(size * WEIGHT), 0, 0
    for at, asked in enumerate(trace):
        if tier.get(keys[asked]) is not None:
            hits += 1
        else:
            tier.put(_entry(keys[asked]))
        if not at % 100:
            over = max(over, tier.stats().bytes - size * WEIGHT)
    return hits, over


def _entry(key: RecordKey) -> Entry:
    return Entry(key, BODY, fetched_at=0.0, expires_at=1e12, digest=DIGEST, origins=("weedmaps",))


def _rival_hits(trace: Sequence[int], rival: cachetools.LRUCache[int, bool]) -> int:
    hits = 0
    for key in trace:
        if key in rival:
            hits += 1
            rival[key]
        else:
            rival[key] = True
    return hits


def _costs(calls: int) -> dict[str, list[float]]:
    """Return nanoseconds a call: hits, and puts that evict, of the tier and of two LRU libraries."""
    keys = [RecordKey(DataType.DISPENSARY_MENU, "weedmaps", str(number)) for number in range(4000)]
    entries = [_entry(key) for key in keys]
    measured: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, get, put in _rivals():
            for entry in entries[:1000]:
                put(entry.key, entry)
            for entry in entries[:1000]:
                get(entry.key)
            measured.setdefault(f"{name}: hit", []).append(_timed(get, [(key,) for key in keys[:500]], calls))
            some = [(entry.key, entry) for entry in entries[1000:]]
            measured.setdefault(f"{name}: put that evicts", []).append(_timed(put, some, calls))
    return measured


def _rivals() -> list[tuple[str, Callable[..., object], Callable[..., object]]]:
    tier = MemoryTier(1000 * WEIGHT)
    tools: cachetools.LRUCache[RecordKey, Entry] = cachetools.LRUCache(1000)
    box: cachebox.LRUCache[RecordKey, Entry] = cachebox.LRUCache(1000)
    return [
        ("memory tier", tier.get, lambda _, entry: tier.put(entry)),
        ("cachetools LRU", tools.get, tools.__setitem__),
        ("cachebox LRU", box.get, box.insert),
    ]


def _timed(call: Callable[..., object], arguments: Sequence[tuple[object, ...]], calls: int) -> float:
    rounds = max(1, calls // len(arguments))
    started = time.perf_counter_ns()
    for _ in range(rounds):
        for each in arguments:
            call(*each)
    return (time.perf_counter_ns() - started) / (rounds * len(arguments))


def _figures(runs: Sequence[Run], costs: dict[str, list[float]]) -> list[Figure]:
    by_seed = sorted({run.seed for run in runs})
    over = [_mean([run.over_lru for run in runs if run.seed == seed]) for seed in by_seed]
    share = [_mean([run.of_optimum for run in runs if run.seed == seed]) for seed in by_seed]
    return [
        at_least("hit ratio over LRU's, mean of six traces", median(over), LEAST_OVER_LRU, "times", spread=spread_of(over)),
        at_least("hit ratio as a share of the optimum's, mean of six traces", median(share), LEAST_OF_OPTIMUM, spread=spread_of(share)),
        exactly("greatest weight over the budget", max(run.over for run in runs), 0, "bytes"),
        *(told(name, median(values), "ns", spread=spread_of(values)) for name, values in costs.items()),
    ]  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _table(runs: Sequence[Run]) -> Table:
    rows = []
    for name, frac in dict.fromkeys((run.trace, run.size_frac) for run in runs):
        own = [run for run in runs if (run.trace, run.size_frac) == (name, frac)]
        ratios = [[getattr(run, kind) / run.requests for run in own] for kind in ("lru", "tier", "optimum")]
        rows.append(
            (
                name, f"{frac:.0%}", *(f"{_mean(each):.4f}" for each in ratios),
                f"{_mean([run.over_lru for run in own]):.3f}", f"{_mean([run.of_optimum for run in own]):.3f}",
            )
        )  # fmt: skip
    columns = ("trace", "cache", "LRU", "memory tier", "optimum", "tier / LRU", "tier / optimum")
    return Table(title="Hit ratios, mean of the seeds", columns=columns, rows=tuple(rows))


def _costs_table(costs: dict[str, list[float]]) -> Table:
    rows = [(name, number(median(values)), number(min(values)), number(max(values))) for name, values in costs.items()]
    return Table(title="Nanoseconds a call", columns=("call", "median", "least", "greatest"), rows=tuple(rows))


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

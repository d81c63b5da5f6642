"""Cold hunts against their lower bound and their sequential rival; the same hunt again; restarts; real budgets.

Every seed has a sandbox and a node of its own, both fresh processes; what is measured is one HTTP
request to the node, from sending it to its last byte.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from bounds import Bound, hunt_bounds
from harness import (
    DENVER,
    Answer,
    BenchError,
    Calls,
    Client,
    Options,
    answer_of,
    budgets_of,
    calls_of,
    get,
    node,
    reset,
    run_bench,
    sandbox,
    say,
)
from report import Figure, Result, Table, at_least, at_most, exactly, median, number, quantile, spread_of, told, under
from rival_sequential import Sequential, sequential_hunt

SEEDS = 10
RIVALS = 2
AGAIN = 20
RESTARTS = ("200", "200", "1000")
REAL_DEADLINE_S, QUICK_DEADLINE_S = 5.0, 2.0
SLACK_S = 0.25
"""How far past its deadline an answer of thousands of offers may be complete at the client."""
SETTLE_S = 0.5
"""For calls that were cut off at the deadline to reach the sandbox's log."""
WAYS = {
    "kept connection, limit 200": (True, "200"),
    "new connection, limit 200": (False, "200"),
    "kept connection, limit 1000": (True, "1000"),
    "new connection, limit 1000": (False, "1000"),
}
"""How the same hunt is asked again: connection kept or new, and how many offers are wanted."""


class Cold(msgspec.Struct, frozen=True, kw_only=True):
    """One cold hunt: what the client, the node and the sandbox saw of it."""

    seconds: float
    answer: Answer
    calls: Calls
    bound: Bound
    schedule_s: float

    @property
    def ratio(self) -> float:
        """Return elapsed over lower bound."""
        return self.seconds / self.bound.seconds

    @property
    def drawn_s(self) -> float:
        """Return the sum of the latencies drawn."""
        return sum(call.latency_ms for call in self.calls.log) / 1000

    @property
    def refused(self) -> int:
        """Return the calls that the sandbox answered with 429."""
        return sum(1 for call in self.calls.log if call.is_refused)


class Warm(msgspec.Struct, frozen=True, kw_only=True):
    """The same hunt again: seconds by way, the first one after the cold hunt, and upstream calls."""

    seconds: dict[str, list[float]]
    first_s: float
    calls: int


class Restarted(msgspec.Struct, frozen=True, kw_only=True):
    """The first hunt of a node restarted on the same data: seconds, upstream calls, seconds until it was ready."""

    limit: str
    seconds: float
    calls: int
    start_s: float
    from_sql: int


class Seed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything measured of one seed."""

    seed: int
    cold: Cold
    warm: Warm
    restarts: list[Restarted]
    rival: Sequential | None


class Real(msgspec.Struct, frozen=True, kw_only=True):
    """A cold hunt within the budgets that live origins are assumed to bear."""

    seed: int
    deadline_s: float
    seconds: float
    answer: Answer
    calls: Calls


def bench(options: Options) -> Result:
    """Measure all; ``repeats`` is the number of seeds."""
    seeds = range(1, 1 + (options.repeats or (1 if options.is_quick else SEEDS)))
    rivals = 1 if options.is_quick else RIVALS
    measured = [measure_seed(seed, options, has_rival=seed <= rivals) for seed in seeds]
    real = [measure_real(seed, options) for seed in list(seeds)[: 1 if options.is_quick else 3]]
    return Result(
        title="Hunts: cold, again, restarted, within real budgets",
        command="benchmarks/bench_hunt.py",
        figures=[*_cold_figures(measured), *_warm_figures(measured), *_real_figures(real)],
        tables=[_cold_table(measured), _real_table(real)],
        notes=_NOTES,
        samples=_samples(measured),
    )


def measure_seed(seed: int, options: Options, *, has_rival: bool) -> Seed:
    """Measure one seed: cold, again, restarted, and where wanted the sequential rival."""
    say(f"hunt: seed {seed}")
    with tempfile.TemporaryDirectory() as folder, sandbox(seed=seed, is_quick=options.is_quick) as market:
        data = Path(folder) / "node"
        with node(market.url, data) as running:
            cold = _cold(running.url, market.url)
            warm = _warm(running.url, market.url, 3 if options.is_quick else AGAIN)
        limits = RESTARTS[-1:] if options.is_quick else RESTARTS
        restarts = [_restarted(market.url, data, limit) for limit in limits]
        return Seed(seed=seed, cold=cold, warm=warm, restarts=restarts, rival=_rival(market.url, has_rival))


def _cold(node_url: str, sandbox_url: str) -> Cold:
    reply = get(node_url, "/v1/hunt", **DENVER, limit="1000")
    calls = calls_of(sandbox_url)
    bounds = hunt_bounds(calls.log, budgets_of(sandbox_url))
    return Cold(
        seconds=reply.seconds,
        answer=answer_of(reply),
        calls=calls,
        bound=bounds[0],
        schedule_s=max(bound.schedule_s for bound in bounds),
    )


def _warm(node_url: str, sandbox_url: str, repeats: int) -> Warm:
    before = calls_of(sandbox_url).total
    seconds: dict[str, list[float]] = {}
    for way, (is_kept, limit) in WAYS.items():
        with Client(node_url) as client:
            ask = client.get if is_kept else lambda path, **given: get(node_url, path, **given)
            seconds[way] = [ask("/v1/hunt", **DENVER, limit=limit).seconds for _ in range(repeats)]
    first_s = next(iter(seconds.values()))[0]
    return Warm(seconds=seconds, first_s=first_s, calls=calls_of(sandbox_url).total - before)


def _restarted(sandbox_url: str, data: Path, limit: str) -> Restarted:
    before = calls_of(sandbox_url).total
    started_s = time.perf_counter()
    with node(sandbox_url, data) as running:
        start_s = time.perf_counter() - started_s
        reply = get(running.url, "/v1/hunt", **DENVER, limit=limit)
    calls = calls_of(sandbox_url).total - before
    from_sql = answer_of(reply).meta.by_tier["sql"]
    return Restarted(limit=limit, seconds=reply.seconds, calls=calls, start_s=start_s, from_sql=from_sql)


def _rival(sandbox_url: str, is_wanted: bool) -> Sequential | None:
    if not is_wanted:
        return None
    say("hunt: the same calls one after another")
    reset(sandbox_url)
    rival = asyncio.run(sequential_hunt(sandbox_url))
    if rival.calls != calls_of(sandbox_url).total:
        raise BenchError("the rival's calls were not all counted by the sandbox")
    return rival


def measure_real(seed: int, options: Options) -> Real:
    """Measure one cold hunt with ``--budgets real``; the deadline is the default's."""
    say(f"hunt: real budgets, seed {seed}")
    flags = ("--budgets", "real")
    deadline_s = QUICK_DEADLINE_S if options.is_quick else REAL_DEADLINE_S
    with tempfile.TemporaryDirectory() as folder, sandbox(*flags, seed=seed, is_quick=options.is_quick) as market:
        with node(market.url, Path(folder)) as running:
            reply = get(running.url, "/v1/hunt", **{**DENVER, "deadline_s": str(deadline_s)}, limit="1000")
        time.sleep(SETTLE_S)
        calls = calls_of(market.url)
        return Real(seed=seed, deadline_s=deadline_s, seconds=reply.seconds, answer=answer_of(reply), calls=calls)


def _cold_figures(seeds: Sequence[Seed]) -> list[Figure]:
    elapsed = [each.cold.seconds for each in seeds]
    ratios = [each.cold.ratio for each in seeds]
    reachable = [each.cold.seconds / each.cold.schedule_s for each in seeds]
    calls = [each.cold.calls.total for each in seeds]
    offers = [each.cold.answer.meta.offers_total for each in seeds]
    differ = sum(each.cold.calls.total != each.cold.answer.meta.origin_calls for each in seeds)
    rivals = [each.rival.seconds for each in seeds if each.rival is not None]
    drawn = [each.cold.drawn_s for each in seeds]
    return [
        under("cold hunt, p50", median(elapsed), 3, "s", spread=spread_of(elapsed)),
        under("cold hunt, max", max(elapsed), 5, "s"),
        at_most("cold hunt / lower bound, p50", median(ratios), 1.3, spread=spread_of(ratios)),
        told("cold hunt / list schedule, p50", median(reachable), spread=spread_of(reachable)),
        at_least("upstream calls of a cold hunt, least", min(calls), 150, spread=spread_of(calls)),
        at_most("upstream calls of a cold hunt, most", max(calls), 300),
        exactly("hunts whose meta.origin_calls is not the sandbox's count", differ, 0),
        exactly("429 answers in cold hunts", sum(each.cold.refused for each in seeds), 0),
        at_least("offers of a cold hunt, least", min(offers), 50, spread=spread_of(offers)),
        at_least(
            "the same calls one after another, really made, least", min(rivals), 45, "s", spread=spread_of(rivals)
        ),
        told("sum of the latencies drawn in a cold hunt, p50", median(drawn), "s", spread=spread_of(drawn)),
    ]


def _warm_figures(seeds: Sequence[Seed]) -> list[Figure]:
    figures = [exactly("upstream calls of the same hunt again", sum(each.warm.calls for each in seeds), 0)]
    for way in WAYS:
        ms = [1000 * s for each in seeds for s in each.warm.seconds[way]]
        figures.append(under(f"again, {way}, p50", median(ms), 50, "ms", spread=spread_of(ms)))
        figures.append(under(f"again, {way}, p99", quantile(ms, 0.99), 50, "ms"))
    first = [1000 * each.warm.first_s for each in seeds]
    figures.append(under("again, right after the cold hunt, p50", median(first), 50, "ms", spread=spread_of(first)))
    restarts = [restart for each in seeds for restart in each.restarts]
    figures.append(exactly("upstream calls of restarted nodes", sum(each.calls for each in restarts), 0))
    for limit in dict.fromkeys(each.limit for each in restarts):
        ms = [1000 * each.seconds for each in restarts if each.limit == limit]
        figures.append(
            under(f"first hunt after a restart, limit {limit}, max", max(ms), 300, "ms", spread=spread_of(ms))
        )
    starts = [each.start_s for each in restarts]
    return [*figures, told("restarted node ready after, p50", median(starts), "s", spread=spread_of(starts))]


def _real_figures(real: Sequence[Real]) -> list[Figure]:
    seconds = [each.seconds for each in real]
    refused = sum(call.is_refused for each in real for call in each.calls.log)
    differ = sum(each.calls.total != each.answer.meta.origin_calls for each in real)
    unsaid = sum(not each.answer.missing for each in real)
    offers = [each.answer.meta.offers_total for each in real]
    deadline_s = real[0].deadline_s
    limit_s = deadline_s + SLACK_S
    return [
        at_most(f"real budgets, deadline {deadline_s:g} s: answered after, max", max(seconds), limit_s, "s",
                spread=spread_of(seconds)),
        exactly("real budgets: answers that say nothing of what is missing", unsaid, 0),
        at_least("real budgets: offers in the partial answer, least", min(offers), 1, spread=spread_of(offers)),
        exactly("real budgets: 429 answers", refused, 0),
        exactly("real budgets: hunts whose meta.origin_calls is not the sandbox's count", differ, 0),
    ]  # fmt: skip


def _cold_table(seeds: Sequence[Seed]) -> Table:
    rows = []
    for each in seeds:
        cold = each.cold
        rival = number(each.rival.seconds) if each.rival is not None else ""
        own_s = cold.answer.meta.elapsed_ms / 1000
        rows.append(
            (str(each.seed), str(cold.calls.total), str(cold.answer.meta.offers_total), number(cold.seconds),
             number(own_s), number(cold.bound.seconds), f"{cold.bound.name}, {cold.bound.origin}", f"{cold.ratio:.2f}",
             number(cold.schedule_s), number(cold.drawn_s), rival, str(len(cold.answer.missing)))
        )  # fmt: skip
    columns = ("seed", "calls", "offers", "elapsed s", "by meta s", "bound s", "which", "ratio", "list schedule s",
               "drawn s", "one by one s", "missing")  # fmt: skip
    return Table(title="Cold hunts", columns=columns, rows=tuple(rows))


def _real_table(real: Sequence[Real]) -> Table:
    rows = []
    for each in real:
        meta = each.answer.meta
        origins = Counter(line["origin"] for line in each.answer.missing)
        lines = ", ".join(f"{origin} {count}" for origin, count in sorted(origins.items()))
        refused = sum(call.is_refused for call in each.calls.log)
        rows.append(
            (str(each.seed), number(each.seconds), str(meta.offers_total), str(each.calls.total), str(refused), lines)
        )
    columns = ("seed", "answered after s", "offers", "calls", "429", "lines in missing by origin")
    return Table(title="Cold hunts with real budgets", columns=columns, rows=tuple(rows))


def _samples(seeds: Sequence[Seed]) -> dict[str, list[float]]:
    samples = {
        "cold_s": [each.cold.seconds for each in seeds],
        "cold_bound_s": [each.cold.bound.seconds for each in seeds],
        "cold_schedule_s": [each.cold.schedule_s for each in seeds],
        "restart_s": [restart.seconds for each in seeds for restart in each.restarts],
    }
    for way in WAYS:
        samples[f"again, {way}, s"] = [s for each in seeds for s in each.warm.seconds[way]]
    return samples


_NOTES = [
    "The hunt: Blue Dream within 40 km of Denver, CO, deadline 20 s, limit 1000; sandbox defaults (median 300 ms, p99 1.2 s).",
    "Lower bound: over the latencies that the sandbox drew in that very hunt, the greatest of: search, then a first "
    "page, then the further ones; search, then the work divided by the calls allowed in flight; the token bucket. "
    "The list schedule keeps all limits at once and sends the longest chain first: no client can count on less.",
    "One by one: the same sources and client without concurrency, against the same sandbox. For the other seeds the "
    "sum of the latencies drawn stands for it; that sum leaves out all that is not waiting.",
]


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

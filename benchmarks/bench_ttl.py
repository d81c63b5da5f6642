"""Lifetimes judged: the learner, the rules and the baselines on the shared worlds, on others, and the replay's speed."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence

import msgspec
from harness import ROOT, BenchError, Options, run_bench, say
from report import Figure, Result, Table, at_least, at_most, number, spread_of, under

from weedhounds.sim.contestants import HYBRID, all_families
from weedhounds.sim.judge import PRICES, Family, Judge, Verdict, fixed_table
from weedhounds.sim.oracle import oracle_of
from weedhounds.sim.references import Reference, read_world
from weedhounds.sim.replay import Observation, Policy, replay
from weedhounds.sim.specs import KINDS, Spec
from weedhounds.sim.trace import Trace
from weedhounds.sim.world_files import reference_of
from weedhounds.sim.worlds import World, draw_world

WORLDS = ROOT.parent / "shared" / "ttl-worlds"
SEEDS = 1
FIRST_SEED = 201
"""Worlds of our own: seeds that nothing was tuned on."""
LIMITS = {0.25: (1.10, 1.05), 1.0: (1.10, 1.05), 4.0: (1.12, 1.06)}
"""J / oracle on the standard world: limit and goal, by price."""
SHARE_LIMIT, SHARE_GOAL = 0.225, 0.205
FURTHER_LIMIT = 1.28
ERROR_LIMIT, SKILL_LIMIT = 0.03, 0.15
CALL_LIMIT_MS = 0.3
REPLAY_LIMIT_S = 1.5
QUICK = {"days": 9, "stores": 2, "products": 2, "labs": 1, "strains": 3, "terpenes": 3, "requests_per_day": 400.0}


class Judged(msgspec.Struct):
    """What came out for one family: a verdict for each world."""

    family: Family
    verdicts: list[Verdict]

    def over_oracle(self, price: float) -> list[float]:
        """Return J / oracle in each world."""
        found = [each.over_oracle for v in self.verdicts for each in v.by_price if each.price == price]
        return [ratio for ratio in found if ratio is not None]


def bench(options: Options) -> Result:
    """Judge everybody on the standard worlds, the learner on the others."""
    worlds = _standard_worlds(is_quick=options.is_quick)
    traces = [trace for trace, _ in worlds]
    judges = [Judge(trace, oracle=reference.oracle() if reference else None) for trace, reference in worlds]
    judged = [_judged(family, judges) for family in all_families()]
    learner = judged[0]
    if learner.family.name != HYBRID:
        raise BenchError("the learner is not built in")
    seeds = 1 if options.is_quick else options.repeats or SEEDS
    further = {kind: _over_own_oracle(learner.family, kind, seeds, options) for kind in _kinds(options)}
    return Result(
        title="Lifetimes",
        command="benchmarks/bench_ttl.py",
        figures=[
            *_cost_figures(learner),
            *_further_figures(further),
            *_calibration_figures(learner),
            _call_figure(learner.family, traces[0]),
            _replay_figure(traces[0]),
        ],
        tables=[_standard_table(judged), _further_table(further), _reliability_table(learner.verdicts)],
        notes=[
            "Goals on the standard world: " + ", ".join(f"{LIMITS[p][1]} at price {p:g}" for p in PRICES) + ".",
            f"The goal for the share of the fixed table's calls is {SHARE_GOAL}.",
            "Rules have no price: each has the best multiplier on its lifetimes in hindsight, at each price.",
            "Calibration pools the three prices: at one price the lifetimes themselves even out what could be told.",
            f"Worlds of other kinds are drawn with seeds from {FIRST_SEED} on, each with an oracle of its own.",
        ],
        samples={f"over_oracle_at_{price:g}": learner.over_oracle(price) for price in PRICES},
    )


def _standard_worlds(*, is_quick: bool) -> list[tuple[Trace, Reference | None]]:
    if is_quick:
        world = draw_world(_spec("standard", is_quick=True), FIRST_SEED)
        return [(world.trace, reference_of(world))]
    if not WORLDS.is_dir():
        raise BenchError(f"the worlds are not there: {WORLDS}")
    return [read_world(folder) for folder in sorted(WORLDS.iterdir()) if folder.is_dir()]


def _spec(kind: str, *, is_quick: bool) -> Spec:
    return msgspec.structs.replace(KINDS[kind], **QUICK) if is_quick else KINDS[kind]


def _kinds(options: Options) -> Sequence[str]:
    return ("standard", "drift") if options.is_quick else tuple(KINDS)


def _judged(family: Family, judges: Sequence[Judge]) -> Judged:
    say(f"  {family.name}")
    return Judged(family, [judge.verdict(family) for judge in judges])


def _over_own_oracle(family: Family, kind: str, seeds: int, options: Options) -> dict[float, float]:
    """Return the mean J / oracle at each price, over worlds of our own."""
    say(f"  worlds: {kind}")
    ratios: dict[float, list[float]] = {price: [] for price in PRICES}
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        world = draw_world(_spec(kind, is_quick=options.is_quick), seed)
        for price in PRICES:
            best = _cost(world, oracle_of(world), price)
            ratios[price].append(_cost(world, family.make, price) / best)
    return {price: statistics.fmean(found) for price, found in ratios.items()}


def _cost(world: World, make: Callable[[float], Policy], price: float) -> float:
    return replay(world.trace, make(price)).total.cost(price)


def _cost_figures(learner: Judged) -> list[Figure]:
    figures = []
    for price, (limit, _) in LIMITS.items():
        if ratios := learner.over_oracle(price):
            name = f"J / oracle at price {price:g}, standard world"
            figures.append(at_most(name, statistics.fmean(ratios), limit, spread=spread_of(ratios)))
    shares = [verdict.calls_share for verdict in learner.verdicts if verdict.calls_share is not None]
    name = "share of the fixed table's calls at its stale fraction"
    return [*figures, at_most(name, statistics.fmean(shares), SHARE_LIMIT, spread=spread_of(shares))]


def _further_figures(further: dict[str, dict[float, float]]) -> list[Figure]:
    others = {kind: ratios for kind, ratios in further.items() if kind != "standard"}
    figures = []
    for price in PRICES:
        worst = max(others, key=lambda kind: others[kind][price])
        values = [ratios[price] for ratios in others.values()]
        name = f"J / oracle at price {price:g}, the worst of the other kinds ({worst})"
        figures.append(at_most(name, max(values), FURTHER_LIMIT, spread=spread_of(values)))
    return figures


def _calibration_figures(learner: Judged) -> list[Figure]:
    found = [verdict.calibration for verdict in learner.verdicts if verdict.calibration is not None]
    if not found:
        return []
    errors, skills = [each.error for each in found], [each.skill for each in found]
    return [
        at_most("expected calibration error", statistics.fmean(errors), ERROR_LIMIT, spread=spread_of(errors)),
        at_least(
            "Brier score better than base rate by", statistics.fmean(skills), SKILL_LIMIT, spread=spread_of(skills)
        ),
    ]


def _call_figure(family: Family, trace: Trace) -> Figure:
    """Measure the processor time of one call of the policy at price 1, the engine's own time taken off."""
    calls = 0

    def counting(policy: Policy) -> Policy:
        def lifetime(obs: Observation) -> float:
            nonlocal calls
            calls += 1
            return policy(obs)

        return lifetime

    started = time.process_time()
    replay(trace, counting(family.make(1.0)))
    spent = time.process_time() - started - _replay_s(trace)
    return under("processor time of a call of the learner", 1e3 * spent / max(1, calls), CALL_LIMIT_MS, "ms")


def _replay_figure(trace: Trace) -> Figure:
    times = [_replay_s(trace) for _ in range(3)]
    name = f"replay of {len(trace.request_times):,} requests under the fixed table"
    return under(name, statistics.median(times), REPLAY_LIMIT_S, "s", spread=spread_of(times))


def _replay_s(trace: Trace) -> float:
    started = time.process_time()
    replay(trace, fixed_table())
    return time.process_time() - started


def _standard_table(judged: Sequence[Judged]) -> Table:
    columns = (
        "policy",
        *(f"J / oracle, {price:g}" for price in PRICES),
        "share of fixed calls",
        "stale at fixed calls",
    )
    return Table(title="Standard world, mean", columns=columns, rows=tuple(map(_standard_row, judged)))


def _standard_row(judged: Judged) -> tuple[str, ...]:
    costs = [statistics.fmean(ratios) if (ratios := judged.over_oracle(price)) else None for price in PRICES]
    shares = [verdict.calls_share for verdict in judged.verdicts if verdict.calls_share is not None]
    stale = [verdict.stale_at_calls for verdict in judged.verdicts if verdict.stale_at_calls is not None]
    return (
        judged.family.name,
        *("" if cost is None else f"{cost:.3f}" for cost in costs),
        f"{statistics.fmean(shares):.3f}" if shares else "",
        f"{statistics.fmean(stale):.4f}" if stale else "",
    )


def _further_table(further: dict[str, dict[float, float]]) -> Table:
    return Table(
        title="The learner on worlds of our own, J / oracle, mean",
        columns=("kind", *(f"price {price:g}" for price in PRICES)),
        rows=tuple((kind, *(f"{ratios[price]:.3f}" for price in PRICES)) for kind, ratios in further.items()),
    )


def _reliability_table(verdicts: Sequence[Verdict]) -> Table:
    rows = []
    for verdict in verdicts[:1]:
        bins = verdict.calibration.bins if verdict.calibration is not None else ()
        rows += [(f"{b.low:.1f}-{b.high:.1f}", f"{b.serves:,}", number(b.told), number(b.stale)) for b in bins]
    return Table(
        title="Reliability of the told stale probability, first world, three prices",
        columns=("told", "serves", "mean told", "came true"),
        rows=tuple(rows),
    )


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

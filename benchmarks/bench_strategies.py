"""Read strategies judged in simulated time: six scripted situations and drawn ones, each at three prices."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from random import Random

import msgspec
from harness import Options, run_bench, say
from report import Figure, Result, Table, at_most, number, spread_of, told

from weedhounds.cache.memory import MemoryTier
from weedhounds.cache.meter import TierMeter
from weedhounds.clock import SystemClock
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.sim.explorers import Optimistic, Thompson
from weedhounds.sim.situations import (
    FAST_SQL,
    ORIGIN,
    PRICES,
    SCRIPTED,
    Parts,
    Price,
    Situation,
    Speed,
    Stage,
    drawn_situations,
    entry_of,
)
from weedhounds.strategies import STRATEGIES, Learned, Prices, ReadStrategy, TierGuard, TierLookup
from weedhounds.strategies.base import Group, Plan
from weedhounds.telemetry import configure_logging

LEARNING, MEASURED, SEEDS, DRAWN = 500, 2000, 3, 8
QUICK_LEARNING, QUICK_MEASURED = 100, 60
DRAW_SEEDS = (77, 123)
"""Situations of the first seed were looked at while the strategy was built, those of the second were not."""
LIMIT = 1.05
FIXED = tuple(name for name in STRATEGIES if name != Learned.name)
SLOWED_S = 0.05
TOLERATED_S = 0.025
"""A plan that waits for the slowed tier for longer has not noticed."""

Make = Callable[[Prices, int], ReadStrategy]
LEARNING_ONES: dict[str, Make] = {
    Learned.name: lambda prices, _: Learned(prices),
    Thompson.name: lambda prices, seed: Thompson(prices, Random(seed)),
    Optimistic.name: lambda prices, _: Optimistic(prices),
}


class Verdict(msgspec.Struct, frozen=True):
    """Mean cost of each strategy in one situation at one price, seconds; the shares of answered requests."""

    situation: str
    price: Price
    costs: dict[str, float]
    answered: dict[str, float]
    ratios: dict[str, list[float]]
    """to the best fixed one, by seed"""

    @property
    def best_fixed(self) -> str:
        """Return the cheapest strategy that does not learn."""
        return min(FIXED, key=self.costs.__getitem__)

    def over_best(self, name: str) -> float:
        """Return the cost of a strategy over that of the best fixed one."""
        return self.costs[name] / self.costs[self.best_fixed]


def bench(options: Options) -> Result:
    """Judge all strategies everywhere."""
    configure_logging("error")  # a simulated tier that is slow is no news
    seeds = range(1, 2 if options.is_quick else 1 + (options.repeats or SEEDS))
    scripted = list(_verdicts(SCRIPTED.values(), seeds, options))
    count = 1 if options.is_quick else DRAWN
    situations = [each for seed in DRAW_SEEDS for each in islice(drawn_situations(seed), count)]
    drawn = list(_verdicts(situations, seeds[:1], options))
    shifts = [_requests_until_noticed(seed, options) for seed in seeds]
    return Result(
        title="Read strategies",
        command="benchmarks/bench_strategies.py",
        figures=[
            *_scripted_figures(scripted),
            *_drawn_figures(drawn),
            _shift_figure(shifts),
            *asyncio.run(_own_cost_figures(options)),
        ],
        tables=[_cost_table(scripted), _explorer_table(scripted, drawn)],
        notes=[
            f"Simulated time; {LEARNING} requests to learn, {MEASURED} measured, {len(seeds)} seeds; drawn ones 1 seed.",
            "Cost of a request = its wait + price of a call x origin calls + price of a byte x bytes from peers, in s.",
            "Prices: " + "; ".join(f"{p.call_s:g} s a call, {p.byte_s * 1e6:g} s a MB" for p in PRICES) + ".",
            f"Noticed: three groups of keys, each with a plan of its own; SQL slowed by {1000 * SLOWED_S:.0f} ms.",
        ],
        samples={"over best fixed, drawn situations": [v.over_best(Learned.name) for v in drawn]},
    )


def _verdicts(situations: Iterable[Situation], seeds: Sequence[int], options: Options) -> Iterator[Verdict]:
    for situation in situations:
        say(f"strategies: {situation.name}")
        for price in PRICES:
            yield _verdict(situation, price, seeds, options)


def _verdict(situation: Situation, price: Price, seeds: Sequence[int], options: Options) -> Verdict:
    prices = Prices.fixed(price.call_s, price.byte_s)
    makes: dict[str, Make] = {name: lambda prices, _, name=name: STRATEGIES[name](prices) for name in FIXED}  # type: ignore[misc]
    costs: dict[str, list[float]] = {}
    answered: dict[str, float] = {}
    for name, make in (makes | LEARNING_ONES).items():
        own = seeds if name in STRATEGIES else seeds[:1]
        done = [Stage(situation, make(prices, seed), price, seed).run(*_counts(options)) for seed in own]
        costs[name] = [statistics.fmean(each.cost_s for each in requests) for requests in done]
        answered[name] = statistics.fmean(each.is_answered for requests in done for each in requests)
    means = {name: statistics.fmean(each) for name, each in costs.items()}
    best = min(FIXED, key=means.__getitem__)
    ratios = {name: [a / b for a, b in zip(each, costs[best], strict=False)] for name, each in costs.items()}
    return Verdict(situation.name, price, means, answered, ratios)


def _counts(options: Options) -> tuple[int, int]:
    return (QUICK_LEARNING, QUICK_MEASURED) if options.is_quick else (LEARNING, MEASURED)


class _Noticing(Learned):
    """Notes how long each plan waits for SQL before it asks somebody else."""

    def __init__(self, prices: Prices) -> None:
        super().__init__(prices)
        self.waits: list[float] = []

    def plan(self, group: Group, tiers: Sequence[str], now: float) -> Plan:
        """Return the plan; note the one without a probe."""
        plan = super().plan(group, tiers, now)
        planned = self.planned(group)
        assert planned is not None
        self.waits.append(_wait_for_sql(planned.plan))
        return plan


def _wait_for_sql(plan: Plan) -> float:
    """Return the seconds after which somebody else than SQL is asked, once memory has missed."""
    slow = [step for step in plan.steps if step.tier != "memory"]
    if not slow or slow[0].tier != "sql":
        return 0.0
    return slow[1].after_s if len(slow) > 1 else plan.origin_after_s


def _requests_until_noticed(seed: int, options: Options) -> int:
    """Return after how many requests every group's plan no longer waits for the slowed tier."""
    fast = Parts(sql=FAST_SQL, peers=Speed(0.02, 0.3), origin=ORIGIN, peers_fresh=0.8)
    slow = msgspec.structs.replace(fast, sql=msgspec.structs.replace(FAST_SQL, median_s=FAST_SQL.median_s + SLOWED_S))
    situation = Situation(name="slowed", parts=fast, then=slow, sql_fresh=1.0, lifetime_s=3000.0, in_memory=10)
    strategy = _Noticing(Prices.fixed(PRICES[1].call_s, PRICES[1].byte_s))
    learning, measured = _counts(options)
    Stage(situation, strategy, PRICES[1], seed).run(learning, measured)
    since = strategy.waits[learning + measured // 2 :]
    late = [n for n in range(len(since)) if since[n] > TOLERATED_S]
    return late[-1] + 1 if late else 0


def _scripted_figures(verdicts: Sequence[Verdict]) -> list[Figure]:
    figures = []
    for name in SCRIPTED:
        own = [v for v in verdicts if v.situation == name]
        worst = max(own, key=lambda v: v.over_best(Learned.name))
        spread = f"at the three prices {', '.join(number(v.over_best(Learned.name)) for v in own)}"
        figures.append(at_most(f"{name}: cost over best fixed", worst.over_best(Learned.name), LIMIT, spread=spread))
    return figures


def _drawn_figures(verdicts: Sequence[Verdict]) -> list[Figure]:
    figures = []
    for seed in DRAW_SEEDS:
        ratios = [v.over_best(Learned.name) for v in verdicts if v.situation.startswith(f"drawn {seed}-")]
        within = sum(ratio <= LIMIT for ratio in ratios)
        spread = f"worst {number(max(ratios))}; {within} of {len(ratios)} within 5 %"
        figures.append(
            told(f"drawn situations, seed {seed}: over best fixed, median", statistics.median(ratios), spread=spread)
        )
    return figures


def _shift_figure(shifts: Sequence[int]) -> Figure:
    spread = f"by seed {', '.join(map(str, shifts))}"
    return told("requests until SQL slowed by 50 ms is no longer waited for", statistics.median(shifts), spread=spread)


async def _own_cost_figures(options: Options) -> list[Figure]:
    """Return how long a look-up takes that memory can answer: the plans' own cost, in real time."""
    clock, memory = SystemClock(), MemoryTier(1 << 30)
    kinds = (DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING, DataType.PROMOTIONS)
    keys = [RecordKey(kind, f"origin{o}", str(n)) for o in range(5) for kind in kinds for n in range(40)]
    await memory.put_many([entry_of(key, clock.now(), 1e6) for key in keys])
    figures = []
    for name in ("local_first", Learned.name):
        guard, meters = TierGuard(["memory"], clock), {"memory": TierMeter()}
        strategy = STRATEGIES[name](Prices.fixed())
        lookup = TierLookup([memory], strategy, clock=clock, guard=guard, meters=meters, limits={})
        for asked in (keys, keys[:1]):
            took_ms = []
            for _ in range(20 if options.is_quick else 300):
                started = time.perf_counter()
                await lookup.look_up(asked)
                took_ms.append(1000 * (time.perf_counter() - started))
            title = f"{name}: look-up of {len(asked)} keys in memory, p50"
            figures.append(told(title, statistics.median(took_ms), "ms", spread=spread_of(took_ms)))
    return figures


def _cost_table(verdicts: Sequence[Verdict]) -> Table:
    names = (*FIXED, Learned.name)
    rows = [
        (v.situation, f"{v.price.call_s:g} / {1e6 * v.price.byte_s:g}",
         *(number(1000 * v.costs[name]) for name in names),
         number(v.over_best(Learned.name)), _range(v.ratios[Learned.name]),
         f"{number(v.answered[v.best_fixed])} / {number(v.answered[Learned.name])}")
        for v in verdicts
    ]  # fmt: skip
    columns = ("situation", "s a call / a MB", *(f"{name} ms" for name in names), "over best fixed", "by seed",
               "answered, best fixed / intelligent")  # fmt: skip
    return Table(title="Mean cost of a request", columns=columns, rows=tuple(rows))


def _explorer_table(scripted: Sequence[Verdict], drawn: Sequence[Verdict]) -> Table:
    rows = []
    for name in LEARNING_ONES:
        row = [name]
        for verdicts in (scripted, drawn):
            ratios = [v.ratios[name][0] for v in verdicts]
            row += [number(statistics.fmean(ratios)), number(max(ratios))]
        rows.append(tuple(row))
    columns = ("exploration", "scripted, mean", "scripted, worst", "drawn, mean", "drawn, worst")
    title = "Cost over the best fixed strategy by way of exploring, first seed"
    return Table(title=title, columns=columns, rows=tuple(rows))


def _range(ratios: Sequence[float]) -> str:
    return f"{number(min(ratios))} to {number(max(ratios))}"


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

"""A city's week: what share of the requests becomes calls, and how many answers are stale, at two levels of demand."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence

import msgspec
from harness import Options, run_bench, say
from report import Figure, Result, Table, at_most, spread_of, under

from weedhounds.query.answer import Place
from weedhounds.sim.week import Compared, Week, WeekSettings
from weedhounds.sim.week_city import city_week
from weedhounds.sim.week_rivals import ORACLE

DENVER = Place(name="Denver, CO", lat=39.7392, lon=-104.9847)
SHOPS = 120
BUSY, QUIET = 200_000.0, 20_000.0
"""Requests a day."""
SEEDS = 1
FIRST_SEED = 301
CALLS_LIMIT, STALE_LIMIT = 0.05, 0.02
OVER_ORACLE_LIMIT = 1.15
BUSY_PRICE, FRESH_PRICE = 0.5, 0.2
"""Of a call, in the busy city: for few calls, and for few stale answers."""
BUSY_LIMIT_S, QUIET_LIMIT_S = 240.0, 60.0


class Run(msgspec.Struct, frozen=True):
    """One week: what it came to, and the seconds that it took, comparing included."""

    name: str
    compared: Compared
    seconds: float


def bench(options: Options) -> Result:
    """Simulate the busy and the quiet city, each with a shop's prices as one record and as single ones."""
    seeds = range(FIRST_SEED, FIRST_SEED + (1 if options.is_quick else options.repeats or SEEDS))
    busy = [_run("busy", BUSY, seed, WeekSettings(price=BUSY_PRICE), options) for seed in seeds]
    fresh = _run("busy, fresh", BUSY, FIRST_SEED, WeekSettings(price=FRESH_PRICE, has_oracle=False), options)
    quiet = [_run("quiet", QUIET, seed, WeekSettings(), options) for seed in seeds]
    single = [
        _run("busy, single prices", BUSY, FIRST_SEED, WeekSettings(price=BUSY_PRICE, has_price_lists=False), options),
        _run("quiet, single prices", QUIET, FIRST_SEED, WeekSettings(has_price_lists=False), options),
    ]
    return Result(
        title="A city's week",
        command="benchmarks/bench_week.py",
        figures=[*_busy_figures(busy), *_told_figures(fresh), *_quiet_figures(quiet), *_single_figures(single)],
        tables=[_table(run) for run in (busy[0], fresh, quiet[0], *single)],
        notes=[
            f"{SHOPS} shops of Denver, change rates and demand of the standard world; a week of warm-up, a week judged.",
            f"The price of a call is {BUSY_PRICE:g} stale answers in the busy city ({FRESH_PRICE:g} where it is to be "
            "fresh), 1 in the quiet one.",
            "No lifetimes chosen without knowing the events reach both targets of the busy city: see the oracle's row.",
            f"Seeds from {FIRST_SEED} on: nothing was tuned on them.",
        ],
        samples={
            "busy_seconds_s": [run.seconds for run in busy],
            "quiet_seconds_s": [run.seconds for run in quiet],
        },
    )


def _run(name: str, requests_per_day: float, seed: int, settings: WeekSettings, options: Options) -> Run:
    say(f"  {name}, seed {seed}")
    shops, demand = (2, 300.0) if options.is_quick else (SHOPS, requests_per_day)
    started = time.perf_counter()
    week = Week(city_week(DENVER, shops=shops, requests_per_day=demand, seed=seed), settings)
    compared = week.compare(asyncio.run(week.serve()))
    return Run(name, compared, time.perf_counter() - started)


def _busy_figures(runs: Sequence[Run]) -> list[Figure]:
    calls, stale = _shares(runs)
    return [
        at_most("calls / requests, 200,000 a day", statistics.fmean(calls), CALLS_LIMIT, spread=spread_of(calls)),
        at_most(
            "stale answers / requests, 200,000 a day", statistics.fmean(stale), STALE_LIMIT, spread=spread_of(stale)
        ),
        under("a run of 200,000 a day", max(run.seconds for run in runs), BUSY_LIMIT_S, "s"),
    ]


def _quiet_figures(runs: Sequence[Run]) -> list[Figure]:
    calls, stale = _shares(runs)
    over = _over_oracle(runs)
    return [
        Figure(name="calls / requests, 20,000 a day", value=statistics.fmean(calls), spread=spread_of(calls)),
        Figure(name="stale answers / requests, 20,000 a day", value=statistics.fmean(stale), spread=spread_of(stale)),
        at_most(
            "J / oracle at price 1, 20,000 a day", statistics.fmean(over), OVER_ORACLE_LIMIT, spread=spread_of(over)
        ),
        under("a run of 20,000 a day", max(run.seconds for run in runs), QUIET_LIMIT_S, "s"),
    ]


def _single_figures(runs: Sequence[Run]) -> list[Figure]:
    figures: list[Figure] = []
    for run in runs:
        figures += [*_told_figures(run), Figure(name=f"J / oracle, {run.name}", value=_over_oracle([run])[0])]
    return figures


def _told_figures(run: Run) -> list[Figure]:
    row = run.compared.report.rows[0]
    return [
        Figure(name=f"calls / requests, {run.name}", value=row.calls_share),
        Figure(name=f"stale answers / requests, {run.name}", value=row.stale_share),
    ]


def _shares(runs: Sequence[Run]) -> tuple[list[float], list[float]]:
    rows = [run.compared.report.rows[0] for run in runs]
    return [row.calls_share for row in rows], [row.stale_share for row in rows]


def _over_oracle(runs: Sequence[Run]) -> list[float]:
    best = [run.compared.report.row(ORACLE).j for run in runs]
    return [run.compared.report.rows[0].j / j for run, j in zip(runs, best, strict=True)]


def _table(run: Run) -> Table:
    report = run.compared.report
    return Table(
        title=f"{run.name}: price {report.price:g}, {report.requests:,} requests",
        columns=("who", "calls / requests", "stale / requests", "J", "J / oracle"),
        rows=tuple(
            (
                row.name,
                f"{100 * row.calls_share:.2f} %",
                f"{100 * row.stale_share:.2f} %",
                f"{row.j:.4f}",
                "" if row.over_oracle is None else f"{row.over_oracle:.3f}",
            )
            for row in report.rows
        ),
    )


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

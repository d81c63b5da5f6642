"""How exactly origins are asked: the rate over the budget under 300 askers at once, and no call beyond it.

Three parts. In the first, 300 tasks send the calls of real loads through one origin's client, as fast as
it lets them, one origin after another. In the second, a node answers 300 hunts at once over several
cities within budgets that live origins are assumed to bear. In the third, calls leave at a steady rate
below the budget, with and without a second call for those that take unusually long. What arrived when
is the sandbox's log.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import msgspec
from bounds import LoggedCall
from harness import DENVER, BenchError, Options, budgets_of, calls_of, get, node, reset, run_bench, sandbox, say
from report import Figure, Result, Table, at_least, at_most, exactly, number, quantile, told

from weedhounds import sources
from weedhounds.clock import SystemClock
from weedhounds.config import load_settings
from weedhounds.errors import SourceError
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey, near_key
from weedhounds.origins import SandboxTerms, sandbox_origins
from weedhounds.query.nearby import Area
from weedhounds.query.places import Gazetteer
from weedhounds.sources.base import Budget, Call, OriginConfig
from weedhounds.sources.fetch import Fetcher, OriginClient, OriginStats
from weedhounds.telemetry import Counters, Trace

ASKERS = 300
CLIENT_S, QUICK_CLIENT_S = 14.0, 3.0
SETTLED_S, QUICK_SETTLED_S = 4.0, 1.5
"""After so long the burst is used up, and what goes out is the rate."""
HUNTS, QUICK_HUNTS = 300, 30
HUNT_S, QUICK_HUNT_S = 40.0, 6.0
CITIES = (
    "Denver, CO", "Colorado Springs, CO", "Fort Collins, CO", "Albuquerque, NM", "Phoenix, AZ", "Portland, OR",
    "Seattle, WA", "Los Angeles, CA", "Detroit, MI", "Chicago, IL",
)  # fmt: skip
HEDGED_CALLS, QUICK_HEDGED_CALLS = 1000, 120
HEDGED_PER_S = 30.0
SLOW = {"origin": "weedmaps", "fault": "slow", "frac": 0.02, "slow_ms": 3000}
"""One call in fifty takes three seconds more: a lost packet, a busy process."""
LEARNING = 400
"""Calls that are not measured: no call is sent twice before so many are known."""
DRAIN_S = 1.0
"""For calls that were cut off at the end to reach the sandbox's log."""
LEAST_ARRIVALS = 5
"""Fewer tell no rate."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How one origin was asked: its budget, arrivals (seconds from the first), 429 answers, calls as counted here."""

    origin: str
    budget: Budget
    arrived_s: list[float]
    refused: int
    counted: int
    settled_s: float
    stats: OriginStats

    @property
    def ratio(self) -> float | None:
        """Return rate over budget once the burst was used up; ``None`` where too few calls tell it."""
        settled = [at for at in self.arrived_s if at >= self.settled_s]
        if len(settled) < LEAST_ARRIVALS:
            return None
        return (len(settled) - 1) / (settled[-1] - settled[0]) / self.budget.rate_per_s

    @property
    def beyond(self) -> float:
        """Return by how many calls any stretch of time saw more than burst + rate x time; below 0 for less."""
        rate, worst, low = self.budget.rate_per_s, -float(self.budget.burst), float("inf")
        for n, at in enumerate(self.arrived_s):
            low = min(low, n - rate * at)
            worst = max(worst, n + 1 - rate * at - low - self.budget.burst)
        return worst


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """How long calls took at one share of second calls, and how many more calls that were."""

    share: float
    is_slow: bool
    seconds: list[float]
    stats: OriginStats
    arrived: int

    @property
    def name(self) -> str:
        """Return what it was in a few words."""
        return f"{'one in fifty slow' if self.is_slow else 'lognormal'}, share of second calls {self.share:g}"


def bench(options: Options) -> Result:
    """Measure all parts."""
    say(f"budgets: {ASKERS} askers of one origin after another")
    with sandbox(is_quick=options.is_quick) as market:
        asked = asyncio.run(_clients(market.url, is_quick=options.is_quick))
        say("budgets: calls with and without a second one")
        tails = [
            asyncio.run(_tail(market.url, share, is_slow=is_slow, is_quick=options.is_quick))
            for is_slow in (False, True)
            for share in (0.0, 0.05)
        ]
    hunts = QUICK_HUNTS if options.is_quick else HUNTS
    say(f"budgets: {hunts} hunts at once")
    with tempfile.TemporaryDirectory() as folder, sandbox("--budgets", "real", is_quick=options.is_quick) as market:
        with node(market.url, Path(folder)) as running:
            counted, latest_s = asyncio.run(_hunts(running.url, hunts, is_quick=options.is_quick))
            time.sleep(DRAIN_S)
            hunted = _hunted(market.url, running.url, is_quick=options.is_quick)
        differ = counted != sum(len(each.arrived_s) for each in hunted)
    return Result(
        title="Budgets of origins under many askers",
        command="benchmarks/bench_budgets.py",
        figures=[
            *_figures(f"{ASKERS} askers", asked),
            *_figures(f"{hunts} hunts", hunted),
            exactly(f"{hunts} hunts: answers' meta.origin_calls together that are not the sandbox's count", differ, 0),
            told(f"{hunts} hunts: the latest answer after", latest_s, "s"),
            *_tail_figures(tails),
        ],
        tables=[_table(f"{ASKERS} askers of one origin", asked), _table(f"{hunts} hunts at once", hunted)],
        notes=_NOTES,
        samples={
            **{f"{each.origin}, arrivals, s": each.arrived_s for each in asked},
            **{f"{each.name}, s": each.seconds for each in tails},
        },
    )


async def _clients(sandbox_url: str, *, is_quick: bool) -> list[Asked]:
    settings = load_settings(sandbox_url=sandbox_url)
    terms = msgspec.json.decode(get(sandbox_url, "/_sandbox/terms").body, type=dict[str, SandboxTerms])
    configs = sandbox_origins(settings, terms)
    async with Fetcher(settings.fetch, SystemClock()) as fetcher:
        chosen = [o for o in configs if DataType.DISPENSARY_MENU in sources.source_class(o).info().data_types]
        return [
            await _one(sandbox_url, configs[o], fetcher, is_quick=is_quick) for o in chosen[: 2 if is_quick else None]
        ]


async def _tail(sandbox_url: str, share: float, *, is_slow: bool, is_quick: bool) -> Tail:
    """Send calls at a steady rate and time those after the first ``LEARNING``."""
    settings = load_settings(sandbox_url=sandbox_url, fetch={"hedge_share": share})
    terms = msgspec.json.decode(get(sandbox_url, "/_sandbox/terms").body, type=dict[str, SandboxTerms])
    config = sandbox_origins(settings, terms)["weedmaps"]
    count = QUICK_HEDGED_CALLS if is_quick else HEDGED_CALLS
    async with Fetcher(settings.fetch, SystemClock()) as fetcher:
        calls = itertools.cycle(await _menu_calls(config, fetcher))
        client = OriginClient(config, fetcher, Counters())
        reset(sandbox_url)
        if is_slow:
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"{sandbox_url}/_sandbox/fault", json=SLOW) as done,
            ):
                done.raise_for_status()
        tasks = []
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                tasks.append(group.create_task(_timed(client, next(calls))))
                await asyncio.sleep(1 / HEDGED_PER_S)
        await asyncio.sleep(DRAIN_S)
    seconds = [task.result() for task in tasks[0 if is_quick else LEARNING :]]
    return Tail(
        share=share, is_slow=is_slow, seconds=seconds, stats=client.stats(), arrived=calls_of(sandbox_url).total
    )


async def _timed(client: OriginClient, call: Call) -> float:
    started_s = time.perf_counter()
    await client.send(call, deadline=None, trace=Trace())
    return time.perf_counter() - started_s


def _tail_figures(tails: Sequence[Tail]) -> list[Figure]:
    figures = []
    for each in tails:
        spread = f"{each.stats.hedges} of {each.stats.calls} calls are second ones, {each.stats.hedges_won} won"
        for q in (0.5, 0.95, 0.99):
            name = f"{each.name}: answered after, p{100 * q:.0f}"
            figures.append(told(name, 1000 * quantile(each.seconds, q), "ms", spread=spread))
    more = max(each.stats.hedges / (each.stats.calls - each.stats.hedges) for each in tails)
    return [
        *figures,
        at_most("second calls / calls, most", more, 0.055),
        exactly(
            "with second calls: counts that are not the sandbox's", sum(t.stats.calls != t.arrived for t in tails), 0
        ),
        exactly("with second calls: 429 answers", sum(t.stats.rate_limited for t in tails), 0),
    ]


async def _one(sandbox_url: str, config: OriginConfig, fetcher: Fetcher, *, is_quick: bool) -> Asked:
    calls = itertools.cycle(await _menu_calls(config, fetcher))
    client, trace = OriginClient(config, fetcher, Counters()), Trace()
    reset(sandbox_url)
    until = fetcher.clock.monotonic() + (QUICK_CLIENT_S if is_quick else CLIENT_S)
    await asyncio.gather(*(_ask(client, calls, until, trace) for _ in range(ASKERS)))
    await asyncio.sleep(DRAIN_S)
    log = calls_of(sandbox_url).log
    stats = client.stats()
    return _asked(config.origin, config.budget, log, counted=trace.origin_calls, stats=stats, is_quick=is_quick)


async def _menu_calls(config: OriginConfig, fetcher: Fetcher) -> list[Call]:
    """Return the first calls of the menus around Denver."""
    source = sources.source_class(config.origin)(config)
    client = OriginClient(config, fetcher, Counters())
    area = Area.of(Gazetteer.load().resolve(DENVER["near"]), float(DENVER["radius_km"]))
    shops = {}
    for load in source.plan([near_key(config.origin, cell) for cell in area.cells], {}):
        for call in load.calls:
            answer = await client.send(call, deadline=None, trace=Trace())
            shops.update({shop.id: shop for shop in source.parse(answer.body, call.kind).shops})
    keys = [RecordKey(DataType.DISPENSARY_MENU, config.origin, shop) for shop in shops]
    return [load.calls[0] for load in source.plan(keys, shops)]


async def _ask(client: OriginClient, calls: Iterator[Call], until: float, trace: Trace) -> None:
    clock = SystemClock()
    while clock.monotonic() < until:
        try:
            await client.send(next(calls), deadline=until, trace=trace)
        except SourceError:  # the time is up
            return


def _asked(
    origin: str, budget: Budget, log: Sequence[LoggedCall], *, counted: int, stats: OriginStats, is_quick: bool
) -> Asked:
    own = sorted((call for call in log if call.origin == origin), key=lambda call: call.arrived_s)
    return Asked(
        origin=origin,
        budget=budget,
        arrived_s=[call.arrived_s - own[0].arrived_s for call in own],
        refused=sum(call.is_refused for call in own),
        counted=counted,
        settled_s=QUICK_SETTLED_S if is_quick else SETTLED_S,
        stats=stats,
    )


async def _hunts(node_url: str, hunts: int, *, is_quick: bool) -> tuple[int, float]:
    """Ask for all hunts at once; return their calls together and when the latest was answered, seconds."""
    deadline_s = QUICK_HUNT_S if is_quick else HUNT_S
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=4 * deadline_s)
    started_s = time.perf_counter()
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        places = itertools.islice(itertools.cycle(CITIES), hunts)
        counted = await asyncio.gather(*(_hunt(session, node_url, near, deadline_s) for near in places))
    return sum(counted), time.perf_counter() - started_s


async def _hunt(session: aiohttp.ClientSession, node_url: str, near: str, deadline_s: float) -> int:
    asked = {"q": "Blue Dream", "near": near, "radius_km": "40", "deadline_s": f"{deadline_s:g}", "limit": "1"}
    async with session.get(f"{node_url}/v1/hunt?{urlencode(asked)}") as response:
        body = await response.read()
        if response.status != 200:
            raise BenchError(f"a hunt near {near}: {response.status} {body[:300]!r}")
    return msgspec.json.decode(body, type=_Hunted).meta.origin_calls


class _Meta(msgspec.Struct):
    origin_calls: int


class _Hunted(msgspec.Struct):
    meta: _Meta


class _Stats(msgspec.Struct):
    origins: dict[str, OriginStats]


def _hunted(sandbox_url: str, node_url: str, *, is_quick: bool) -> list[Asked]:
    stats = msgspec.json.decode(get(node_url, "/v1/stats").body, type=_Stats).origins
    log, budgets = calls_of(sandbox_url).log, budgets_of(sandbox_url)
    return [
        _asked(origin, budgets[origin], log, counted=each.calls, stats=each, is_quick=is_quick)
        for origin, each in stats.items()
        if any(call.origin == origin for call in log)
    ]


def _figures(what: str, asked: Sequence[Asked]) -> list[Figure]:
    ratios = [each.ratio for each in asked if each.ratio is not None]
    differ = sum(each.counted != len(each.arrived_s) for each in asked)
    spread = f"{len(ratios)} origins"
    rates = []
    if ratios:
        rates = [
            at_least(f"{what}: rate / budget, least of the origins", min(ratios), 0.95, spread=spread),
            at_most(f"{what}: rate / budget, most of the origins", max(ratios), 1.05, spread=spread),
        ]
    return [
        *rates,
        exactly(f"{what}: 429 answers", sum(each.refused for each in asked), 0),
        exactly(f"{what}: origins that saw other calls than were counted", differ, 0),
        at_most(f"{what}: calls beyond burst + rate x time, most in any stretch", max(e.beyond for e in asked), 0),
    ]


def _table(title: str, asked: Sequence[Asked]) -> Table:
    rows = []
    for each in asked:
        budget, stats = each.budget, each.stats
        kept = _share(stats.connections_reused, stats.connections_new)
        rows.append(
            (each.origin, f"{budget.burst}, then {number(budget.rate_per_s)}/s, {budget.concurrency} at once",
             str(len(each.arrived_s)), "" if each.ratio is None else f"{each.ratio:.3f}", str(each.refused),
             f"{each.beyond:.1f}", str(stats.hedges), kept)
        )  # fmt: skip
    columns = ("origin", "budget", "calls", "rate / budget", "429", "beyond", "hedges", "connections reused")
    return Table(title=title, columns=columns, rows=tuple(rows))


def _share(reused: int, new: int) -> str:
    return f"{100 * reused / (reused + new):.1f} %" if reused + new else ""


_NOTES = [
    f"Rate: arrivals at the sandbox from {SETTLED_S:g} s after the first one to the last, when the burst is used up.",
    "Beyond: over all stretches of time, arrivals less burst + rate x length; an origin's own bucket refuses what is over 0.",
    f"Second calls: {HEDGED_PER_S:g} calls a second to one origin; the first {LEARNING}, in which there are none, are not timed.",
    "Hunts: ten cities, budgets that live origins are assumed to bear; an origin that was asked for less is told without a rate.",
]


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

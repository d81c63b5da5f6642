"""A hit in memory: ``node.get`` against aiocache and cashews, and over HTTP against a bare ASGI callable and FastAPI.

Over HTTP each server has one core and wrk another; servers take turns, and each round compares
what it measured itself. The node is ``weedhounds up`` as users start it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import aiocache
import cashews
import uvloop
from harness import Client, Options, Running, node, run_bench, sandbox, say, started
from market_entries import market_entries, menu_of_about
from report import Figure, Result, Table, at_least, at_most, median, number, spread_of, told
from wrk import Load, check_wrk, cores, load, pin

from weedhounds.cache.entry import Entry
from weedhounds.config import load_settings
from weedhounds.node import Node

ROUNDS = 9
LOAD_S = 3.0
KEYS = 500
GETS = 20_000
BODY_BYTES = 19_300
"""Of the record; with what is around it the answer has about 20,000."""
GET_US = 5.0
RIVALS = ("bare", "fastapi", "fastapi-bytes")

Get = Callable[[str], Awaitable[object]]


def bench(options: Options) -> Result:
    """Measure all."""
    check_wrk()
    rounds = options.repeats or (2 if options.is_quick else ROUNDS)
    gets = _gets(rounds, 2_000 if options.is_quick else GETS)
    loads, size = _loads(rounds, 1.0 if options.is_quick else LOAD_S, is_quick=options.is_quick)
    return Result(
        title="Fast path: a hit in memory, in process and over HTTP",
        command="benchmarks/bench_fastpath.py",
        figures=[*_get_figures(gets), *_http_figures(loads)],
        tables=[_get_table(gets), _http_table(loads)],
        notes=[
            f"get: {KEYS} keys in random order, one after the other, microseconds of processor time for the whole "
            "await; the rivals hold the same entries as objects, without serialisation. plain: asyncio's own loop.",
            f"HTTP: one menu of {size:,} bytes of JSON, 16 connections, wrk on a core of its own. bare: an ASGI callable "
            "with the same server settings, two header fields and the same bytes. FastAPI: a route that returns the "
            "document; bytes: one that returns ready bytes in a Response.",
            "Ratios are medians of the rounds' own. Where the server's core is not fully used, wrk or another process "
            "was the limit: then the processor time a request tells more.",
        ],
        samples={
            **{f"{name}, us": values for name, values in gets.items()},
            **{f"{name}, requests/s": [each.per_s for each in runs] for name, runs in loads.items()},
            **{f"{name}, cpu us": [each.cpu_s * 1e6 for each in runs] for name, runs in loads.items()},
        },
    )


def _gets(rounds: int, calls: int) -> dict[str, list[float]]:
    """Return microseconds a get, by contender."""
    say("fast path: gets")
    entries = list(market_entries(KEYS if calls >= GETS else KEYS // 10))
    found = uvloop.run(_contest(entries, rounds, calls, ""))
    return found | asyncio.run(_contest(entries, rounds, calls, ", plain"))


async def _contest(entries: Sequence[Entry], rounds: int, calls: int, suffix: str) -> dict[str, list[float]]:
    measured: dict[str, list[float]] = {}
    texts = [str(entry.key) for entry in entries]
    order = Random(1).choices(texts, k=calls)
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder), fetch={"pool_workers": 0}, cache={"memory_bytes": 2**30})
        async with Node(settings) as running:
            now = running.clock.now()
            for entry in entries:
                entry.fetched_at, entry.expires_at = now, now + 3600
            await running._read.fill(entries)
            contenders: dict[str, Get] = {"node.get": running.get, **await _rivals(entries, texts)}
            for turn in range(rounds + 1):
                for name, get in contenders.items():
                    took_us = await _timed(get, order)
                    if turn:  # the first one warms up
                        measured.setdefault(name + suffix, []).append(took_us)
            hits = running.stats().tiers["memory"].hits
            assert hits == (rounds + 1) * calls, "every get was a hit"
    return measured


async def _rivals(entries: Sequence[Entry], texts: Sequence[str]) -> dict[str, Get]:
    plain = aiocache.SimpleMemoryCache()
    facade = cashews.Cache()
    facade.setup("mem://", size=2 * len(entries))
    for text, entry in zip(texts, entries, strict=True):
        await plain.set(text, entry, ttl=3600)
        await facade.set(text, entry, expire=3600)
    return {"aiocache get": plain.get, "cashews get": facade.get}


async def _timed(get: Get, order: Sequence[str]) -> float:
    """Return microseconds of this thread's processor time a get: none of them waits for anything."""
    started_s = time.thread_time()
    for text in order:
        await get(text)
    return (time.thread_time() - started_s) / len(order) * 1e6


def _loads(rounds: int, seconds: float, *, is_quick: bool) -> tuple[dict[str, list[Load]], int]:
    """Return what each server bore, round by round, and the size of the body."""
    server_core, wrk_core = cores()
    measured: dict[str, list[Load]] = {}
    path = f"/v1/menus/{menu_of_about(BODY_BYTES)}"
    with _servers(path, is_quick=is_quick) as (servers, size):
        for running in servers.values():
            pin(running.pid, server_core)
            load(running.url + path, running.pid, core=wrk_core, seconds=1)
        for turn in range(rounds):
            say(f"fast path: HTTP, round {turn + 1} of {rounds}")
            for name, running in servers.items():
                measured.setdefault(name, []).append(
                    load(running.url + path, running.pid, core=wrk_core, seconds=seconds)
                )
    return measured, size


@contextmanager
def _servers(path: str, *, is_quick: bool) -> Iterator[tuple[dict[str, Running], int]]:
    """Run the node with the menu in memory, and the rivals with the same bytes."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        market = stack.enter_context(sandbox(is_quick=is_quick))
        servers = {"node": stack.enter_context(node(market.url, Path(folder)))}
        with Client(servers["node"].url) as client:
            client.get(path)
            body = client.get(path).body
        file = Path(folder, "body.json")
        file.write_bytes(body)
        script = str(Path(__file__).with_name("http_child.py"))
        servers |= {kind: stack.enter_context(started(script, kind, str(file))) for kind in RIVALS}
        yield servers, len(body)


def _ratios(of: Sequence[float], to: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(of, to, strict=True)]


def _get_figures(gets: dict[str, list[float]]) -> list[Figure]:
    own = gets["node.get"]
    to_aiocache, to_cashews = _ratios(gets["aiocache get"], own), _ratios(gets["cashews get"], own)
    return [
        at_most("node.get of a hit", median(own), GET_US, "us", spread=spread_of(own)),
        at_most("node.get of a hit, plain", median(gets["node.get, plain"]), GET_US, "us", spread=spread_of(gets["node.get, plain"])),
        at_least("node.get, faster than aiocache's get", median(to_aiocache), 3, "times", spread=spread_of(to_aiocache)),
        at_least("node.get, faster than cashews' get", median(to_cashews), 10, "times", spread=spread_of(to_cashews)),
    ]  # fmt: skip


def _http_figures(loads: dict[str, list[Load]]) -> list[Figure]:
    rates = {name: [each.per_s for each in runs] for name, runs in loads.items()}
    cpu = {name: [each.cpu_s * 1e6 for each in runs] for name, runs in loads.items()}
    to_bare, to_fastapi = _ratios(rates["node"], rates["bare"]), _ratios(rates["node"], rates["fastapi"])
    to_bytes = _ratios(rates["node"], rates["fastapi-bytes"])
    cpu_to_bare, cpu_to_bytes = _ratios(cpu["bare"], cpu["node"]), _ratios(cpu["fastapi-bytes"], cpu["node"])
    return [
        at_least("HTTP hit, requests/s over the bare callable's", median(to_bare), 0.8, spread=spread_of(to_bare)),
        at_least("HTTP hit, requests/s over the FastAPI route's", median(to_fastapi), 3, "times", spread=spread_of(to_fastapi)),
        told("HTTP hit, requests/s over those of FastAPI with ready bytes", median(to_bytes), "times", spread=spread_of(to_bytes)),
        told("the same by processor time: over the bare callable", median(cpu_to_bare), spread=spread_of(cpu_to_bare)),
        told("the same by processor time: over FastAPI with ready bytes", median(cpu_to_bytes), "times", spread=spread_of(cpu_to_bytes)),
        told("HTTP hit", median(rates["node"]), "requests/s", spread=spread_of(rates["node"])),
        told("HTTP hit, processor time", median(cpu["node"]), "us", spread=spread_of(cpu["node"])),
    ]  # fmt: skip


def _get_table(gets: dict[str, list[float]]) -> Table:
    rows = [(name, number(median(each)), number(min(each)), number(max(each))) for name, each in gets.items()]
    return Table(title="Microseconds a get", columns=("get", "median", "least", "greatest"), rows=tuple(rows))


def _http_table(loads: dict[str, list[Load]]) -> Table:
    rows = []
    for name, runs in loads.items():
        rates, cpu = [each.per_s for each in runs], [each.cpu_s * 1e6 for each in runs]
        busy = median([each.busy_frac for each in runs])
        rows.append(
            (name, number(median(rates)), spread_of(rates), number(median(cpu)), number(min(cpu)), f"{busy:.0%}")
        )
    columns = ("server", "requests/s", "least to greatest", "CPU us a request", "least", "its core used")
    return Table(title="HTTP", columns=columns, rows=tuple(rows))


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

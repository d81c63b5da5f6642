"""Fifty concurrent cold requests for one menu against one request alone: as many upstream calls.

A first, fresh node is asked for menus one by one until, of each origin, a menu of one page and one
of several pages have been seen; the sandbox's log tells their calls. A second, fresh node is then
asked for the same menus fifty times at once.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from urllib.parse import quote

import aiohttp
import msgspec
from harness import DENVER, BenchError, Client, Options, calls_of, get, node, run_bench, sandbox, say
from report import Figure, Result, Table, exactly, median, number, told

from weedhounds.model.keys import RecordKey

TOGETHER = 50
TRIES = 12
"""Menus of an origin that are tried until both kinds have been seen."""
TIMEOUT_S = 60.0


class Alone(msgspec.Struct, frozen=True, kw_only=True):
    """One request for a cold menu: upstream calls, seconds, digest of the record."""

    key: str
    calls: int
    seconds: float
    digest: str


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """The same menu asked for many times at once: upstream calls in all, seconds of each, digests seen."""

    alone: Alone
    calls: int
    seconds: list[float]
    digests: set[str]


class _Shop(msgspec.Struct):
    listings: list[str]


class _Dispensaries(msgspec.Struct):
    dispensaries: list[_Shop]


class _Record(msgspec.Struct):
    digest: str


def bench(options: Options) -> Result:
    """Measure all."""
    say("flight: one request alone")
    with sandbox(is_quick=options.is_quick) as market:
        with tempfile.TemporaryDirectory() as folder, node(market.url, Path(folder)) as running:
            chosen = _chosen(running.url, market.url, tries=4 if options.is_quick else TRIES)
        say(f"flight: {TOGETHER} at once")
        with tempfile.TemporaryDirectory() as folder, node(market.url, Path(folder)) as running:
            _listings(running.url)
            together = [_together(running.url, market.url, each) for each in chosen]
    return Result(
        title="Concurrent cold requests for one menu",
        command="benchmarks/bench_flight.py",
        figures=_figures(together),
        tables=[_table(together)],
        notes=["Both nodes know the shops, and no menu, before: the calls are the menu's own."],
        samples={f"{each.alone.key}, s": each.seconds for each in together},
    )


def _listings(node_url: str) -> dict[str, list[str]]:
    """Return the menu keys around Denver by origin, nearest shop first."""
    reply = get(node_url, "/v1/dispensaries", near=DENVER["near"], radius_km=DENVER["radius_km"], limit="1000")
    by_origin: dict[str, list[str]] = defaultdict(list)
    for shop in msgspec.json.decode(reply.body, type=_Dispensaries).dispensaries:
        for listing in shop.listings:
            key = RecordKey.parse(listing)
            by_origin[key.origin].append(str(RecordKey.parse(f"dispensary_menu:{key.origin}:{quote(key.native_id)}")))
    return by_origin


def _chosen(node_url: str, sandbox_url: str, *, tries: int) -> list[Alone]:
    """Return, of each origin, a menu of one page and one of several, each asked for once."""
    chosen: list[Alone] = []
    with Client(node_url) as client:
        for keys in _listings(node_url).values():
            seen: dict[bool, Alone] = {}
            for key in keys[:tries]:
                before = calls_of(sandbox_url).total
                reply = client.get(_path(key))
                calls = calls_of(sandbox_url).total - before
                seen.setdefault(
                    calls > 1, Alone(key=key, calls=calls, seconds=reply.seconds, digest=_digest(reply.body))
                )
                if len(seen) == 2:
                    break
            chosen += [seen[kind] for kind in sorted(seen)]
    return chosen


def _together(node_url: str, sandbox_url: str, alone: Alone) -> Together:
    before = calls_of(sandbox_url).total
    answers = asyncio.run(_at_once(node_url + _path(alone.key)))
    return Together(
        alone=alone,
        calls=calls_of(sandbox_url).total - before,
        seconds=[seconds for seconds, _ in answers],
        digests={digest for _, digest in answers},
    )


async def _at_once(url: str) -> list[tuple[float, str]]:
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        return await asyncio.gather(*(_ask(session, url) for _ in range(TOGETHER)))


async def _ask(session: aiohttp.ClientSession, url: str) -> tuple[float, str]:
    started_s = time.perf_counter()
    async with session.get(url) as response:
        body = await response.read()
        if response.status != 200:
            raise BenchError(f"{url}: {response.status} {body[:300]!r}")
    return time.perf_counter() - started_s, _digest(body)


def _path(key: str) -> str:
    return "/v1/menus/" + quote(key, safe=":")


def _digest(body: bytes) -> str:
    return msgspec.json.decode(body, type=_Record).digest


def _figures(together: list[Together]) -> list[Figure]:
    differ = [each for each in together if each.calls != each.alone.calls]
    one_page = [each for each in together if each.alone.calls == 1]
    several = [each for each in together if each.alone.calls > 1]
    pages = ", ".join(str(each.calls) for each in several)
    return [
        exactly(f"menus for which {TOGETHER} requests at once made other calls than one alone", len(differ), 0,
                spread=f"{len(together)} menus"),
        exactly("calls for a menu of one page, most", max((each.calls for each in one_page), default=0), 1,
                spread=f"{len(one_page)} menus"),
        told("menus of several pages asked for", len(several), spread=f"calls: {pages}"),
        exactly("different records among the answers for one menu, most", max(len(t.digests) for t in together), 1),
        told("the slowest of the requests at once / one alone, p50",
             median([max(each.seconds) / each.alone.seconds for each in together])),
    ]  # fmt: skip


def _table(together: list[Together]) -> Table:
    rows = [
        (each.alone.key, str(each.alone.calls), str(each.calls), number(1000 * each.alone.seconds),
         number(1000 * median(each.seconds)), number(1000 * max(each.seconds)))
        for each in together
    ]  # fmt: skip
    columns = ("menu", "calls alone", f"calls of {TOGETHER}", "alone ms", f"{TOGETHER} at once, p50 ms", "max ms")
    return Table(title="Menus", columns=columns, rows=tuple(rows))


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

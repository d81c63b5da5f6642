"""Resident memory of a node that holds at least 500 menus, its job processes beside.

A node with all settings at their defaults hunts for everything in one sandbox city after the other
until the sandbox has given 500 different menus, then once more in all of them.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from harness import BenchError, Client, Options, calls_of, node, run_bench, sandbox, say
from report import Figure, Result, Table, at_least, number, told, under

from weedhounds.sandbox.cities import CITIES

MENUS = 500
QUICK_MENUS = 100
RADIUS_KM = "40"
DEADLINE_S = "60"
SETTLE_S = 1.0
"""After the hunts, for what was gathered to be written."""
MB = 1e6


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """A process's memory as the kernel counts it, bytes: resident, its share of it, and the highest so far."""

    name: str
    rss: int
    pss: int
    peak: int


class _Tier(msgspec.Struct):
    entries: int
    bytes: int
    evictions: int


class _Stats(msgspec.Struct):
    tiers: dict[str, _Tier]


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The node at one moment: its main process, all others below it, its tiers."""

    when: str
    menus: int
    main: Memory
    others: list[Memory]
    tiers: dict[str, _Tier]


def bench(options: Options) -> Result:
    """Measure all."""
    wanted = QUICK_MENUS if options.is_quick else MENUS
    with tempfile.TemporaryDirectory() as folder, sandbox(is_quick=options.is_quick) as market:
        with node(market.url, Path(folder)) as running, Client(running.url) as client:
            moments = [_moment("started", running.pid, client, market.url)]
            cities = _hunt_everything(client, market.url, wanted)
            moments.append(_moment("menus gathered", running.pid, client, market.url))
            for city in cities:
                _hunt(client, city)
            moments.append(_moment("the same hunts again", running.pid, client, market.url))
        held = _menus_in(Path(folder))
    last = moments[-1]
    return Result(
        title="Memory of a node that holds 500 menus",
        command="benchmarks/bench_memory.py",
        figures=_figures(moments, held, wanted),
        tables=[_processes(last), _tiers(moments)],
        notes=[
            f"All menus of {len(cities)} cities: {', '.join(cities)}. MB = 1,000,000 bytes; resident (RSS) and "
            "proportional (PSS: pages shared with others counted by share) as in smaps_rollup."
        ],
        samples={"main_rss_bytes": [float(moment.main.rss) for moment in moments]},
    )


def _hunt_everything(client: Client, sandbox_url: str, wanted: int) -> list[str]:
    """Hunt in city after city until the sandbox has given ``wanted`` menus; return the cities."""
    cities: list[str] = []
    for city in CITIES:
        cities.append(f"{city.name}, {city.state}")
        say(f"memory: {cities[-1]}")
        _hunt(client, cities[-1])
        if _menus_given(sandbox_url) >= wanted:
            return cities
    raise BenchError(f"the sandbox has only {_menus_given(sandbox_url)} menus")


def _hunt(client: Client, city: str) -> None:
    client.get("/v1/hunt", q="", near=city, radius_km=RADIUS_KM, deadline_s=DEADLINE_S, limit="1")


def _menus_given(sandbox_url: str) -> int:
    log = calls_of(sandbox_url).log
    return len({(call.origin, call.target) for call in log if call.kind == "menu" and call.status == 200})


def _menus_in(data_dir: Path) -> int:
    """Return the menus that the SQL tier holds, after the node has ended."""
    path = next(data_dir.glob("*.sqlite3"))
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT count(*) FROM entries WHERE key LIKE 'dispensary_menu:%'")
        return int(rows.fetchone()[0])


def _moment(when: str, pid: int, client: Client, sandbox_url: str) -> Moment:
    time.sleep(SETTLE_S)
    stats = msgspec.json.decode(client.get("/v1/stats").body, type=_Stats)
    main, *others = [_memory(each) for each in (pid, *_below(pid))]
    return Moment(when=when, menus=_menus_given(sandbox_url), main=main, others=others, tiers=stats.tiers)


def _below(pid: int) -> Iterator[int]:
    """Yield the processes that ``pid`` started, and those that they started."""
    for path in Path("/proc", str(pid), "task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            yield child
            yield from _below(child)


def _memory(pid: int) -> Memory:
    folder = Path("/proc", str(pid))
    fields = _fields((folder / "smaps_rollup").read_text())
    peak = _fields((folder / "status").read_text())["VmHWM"]
    return Memory(name=_name(folder), rss=fields["Rss"], pss=fields["Pss"], peak=peak)


def _name(folder: Path) -> str:
    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    kinds = {"resource_tracker": "resource tracker", "forkserver": "fork server or job process"}
    return next((name for word, name in kinds.items() if word in words), "main process")


def _fields(text: str) -> dict[str, int]:
    """Return the fields in bytes of a /proc file that states kB."""
    lines = (line.split() for line in text.splitlines() if line.endswith(" kB"))
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines}


def _figures(moments: list[Moment], held: int, wanted: int) -> list[Figure]:
    first, last = moments[0], moments[-1]
    tier = last.tiers["memory"]
    others = [memory for memory in last.others if "job" in memory.name]
    return [
        at_least("menus that the sandbox gave", last.menus, wanted),
        at_least("menus held (SQL tier)", held, wanted),
        under("main process, resident", last.main.rss / MB, 400, "MB"),
        told("main process, resident, highest so far", last.main.peak / MB, "MB"),
        told("main process, proportional", last.main.pss / MB, "MB"),
        told("main process, resident, before the first hunt", first.main.rss / MB, "MB"),
        told("fork server and job processes, resident together", sum(each.rss for each in others) / MB, "MB",
             spread=f"{len(others)} processes"),
        told("fork server and job processes, proportional together", sum(each.pss for each in others) / MB, "MB"),
        told("memory tier, as it counts", tier.bytes / MB, "MB", spread=f"{tier.entries:,} entries, {tier.evictions:,} evictions"),
    ]  # fmt: skip


def _processes(moment: Moment) -> Table:
    rows = [
        (each.name, number(each.rss / MB), number(each.pss / MB), number(each.peak / MB))
        for each in (moment.main, *moment.others)
    ]
    return Table(title="Processes at the end, MB", columns=("process", "RSS", "PSS", "highest"), rows=tuple(rows))


def _tiers(moments: list[Moment]) -> Table:
    rows = [
        (moment.when, str(moment.menus), number(moment.main.rss / MB), name, f"{tier.entries:,}",
         number(tier.bytes / MB), f"{tier.evictions:,}")
        for moment in moments
        for name, tier in moment.tiers.items()
    ]  # fmt: skip
    columns = ("when", "menus given", "main RSS MB", "tier", "entries", "MB", "evictions")
    return Table(title="Tiers", columns=columns, rows=tuple(rows))


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

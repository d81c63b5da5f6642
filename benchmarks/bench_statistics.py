"""What the statistics cost on a hit and when they are read, and what recording prices costs beside the answers.

Rivals, in the same run: the counters of prometheus-client with labels, and a row of a SQLite table
that is updated at each hit.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
import timeit
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from harness import Options, run_bench
from prometheus_client import CollectorRegistry, Counter
from report import Figure, Result, exactly, median, spread_of, told, under

from weedhounds import Node
from weedhounds.api.metrics import exposition
from weedhounds.cache.entry import Entry
from weedhounds.cache.history_memory import MemoryHistory
from weedhounds.cache.memory import MemoryTier
from weedhounds.cache.meter import RequestMeter, TierMeter
from weedhounds.cache.recorder import HistoryRecorder
from weedhounds.clock import ManualClock
from weedhounds.config import load_settings
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Menu, Price, PriceList
from weedhounds.model.units import Money

HITS, QUICK_HITS = 200_000, 5_000
LISTS, QUICK_LISTS = 60, 5
OFFERS = 300
CHANGED_FRAC = 0.06
ENTRIES, QUICK_ENTRIES = 10_000, 200
REPEATS, QUICK_REPEATS = 7, 2
LIMIT_NS = 1000.0
FAR = 4e9
COUNT = "held.served += 1"
"""How the memory tier counts a hit of its fast path."""


def bench(options: Options) -> Result:
    """Measure all."""
    repeats = options.repeats or (QUICK_REPEATS if options.is_quick else REPEATS)
    hits = QUICK_HITS if options.is_quick else HITS
    samples = {name: [per_call_ns(run, hits) for _ in range(repeats)] for name, run in counting().items()}
    with tempfile.TemporaryDirectory() as folder:
        samples["a row updated, ns"] = [updated_row_ns(Path(folder), min(hits, 2_000)) for _ in range(repeats)]
        entries = QUICK_ENTRIES if options.is_quick else ENTRIES
        writes, reading = asyncio.run(reading_figures(Path(folder), hits, entries, repeats))
    samples |= reading
    samples |= asyncio.run(recording(QUICK_LISTS if options.is_quick else LISTS))
    return Result(
        title="Statistics and price history",
        command="benchmarks/bench_statistics.py",
        figures=figures(samples, writes, entries),
        notes=[
            f"ns for each hit or key, {hits:,} at a time; CPU time of the process. Recording: price lists of {OFFERS} "
            f"offers, {CHANGED_FRAC:.0%} of them changed, in memory; decoding both lists is part of it.",
        ],
        samples=samples,
    )


def figures(samples: dict[str, list[float]], writes: int, entries: int) -> list[Figure]:
    """Return the figures."""
    mid = {name: median(values) for name, values in samples.items()}
    spread = {name: spread_of(values) for name, values in samples.items()}
    return [
        under("counting a hit of the fast path", mid["counted, ns"], LIMIT_NS, "ns", spread=spread["counted, ns"]),
        told("the whole hit in the memory tier, counted", mid["served and counted, ns"], "ns", spread=spread["served and counted, ns"]),
        under("counting a key on the read path", mid["read path, ns"], LIMIT_NS, "ns", spread=spread["read path, ns"]),
        told("rival: a labelled counter of prometheus-client", mid["prometheus, ns"], "ns", spread=spread["prometheus, ns"]),
        told("rival: a row updated at each hit", mid["a row updated, ns"], "ns", spread=spread["a row updated, ns"]),
        exactly("writes to the database by hits", writes, 0),
        told(f"reading all figures of {entries:,} entries", mid["stats, us"], "us", spread=spread["stats, us"]),
        told("the same as Prometheus text", mid["metrics, us"], "us", spread=spread["metrics, us"]),
        told("recording a list that says the same", mid["unchanged, us"], "us", spread=spread["unchanged, us"]),
        told("recording a list with changes", mid["changed, us"], "us", spread=spread["changed, us"]),
        told("recording a baseline", mid["baseline, us"], "us", spread=spread["baseline, us"]),
    ]  # fmt: skip


def _counted() -> dict[str, object]:
    """Return the names in :data:`COUNT`: those of a memory tier that counts a hit of its fast path."""
    tier, entry = MemoryTier(1 << 20), menu_entry(1)
    tier.put(entry)
    return {"held": tier.find(entry.key)}


def counting() -> dict[str, Callable[[], object] | str]:
    """Return what is done to count one hit, and what rivals do."""
    tier, entry = MemoryTier(1 << 20), menu_entry(1)
    tier.put(entry)
    key = entry.key
    meter, requests, keys, found = TierMeter(), RequestMeter(), [key], {key: entry}
    rival = Counter("hits", "Hits.", ("tier", "data_type"), registry=CollectorRegistry())

    def read_path() -> None:
        meter.asked(keys, found)
        requests.add(key.data_type, "hits")

    return {
        "counted, ns": COUNT,
        "served and counted, ns": lambda: tier.take_fresh(key, 0.0),
        "read path, ns": read_path,
        "prometheus, ns": lambda: rival.labels("memory", key.data_type.value).inc(),
    }


def per_call_ns(run: Callable[[], object] | str, count: int) -> float:
    """Return the CPU time of one call, or of the statement :data:`COUNT`."""
    if isinstance(run, str):
        return timeit.timeit(run, timer=time.process_time, number=count, globals=_counted()) / count * 1e9
    return timeit.timeit(run, timer=time.process_time, number=count) / count * 1e9


def updated_row_ns(folder: Path, count: int) -> float:
    """Return what one hit would cost that is counted in a table."""
    connection = sqlite3.connect(folder / "rival.sqlite3", isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
        "CREATE TABLE IF NOT EXISTS stats (name TEXT PRIMARY KEY, n INTEGER); INSERT OR IGNORE INTO stats VALUES ('hits', 0)"
    )
    try:
        return per_call_ns(lambda: connection.execute("UPDATE stats SET n = n + 1 WHERE name = 'hits'"), count)
    finally:
        connection.close()


async def reading_figures(folder: Path, hits: int, entries: int, repeats: int) -> tuple[int, dict[str, list[float]]]:
    """Return how often hits wrote to the database, and what reading the figures costs, us."""
    settings = load_settings(data_dir=folder / "node", fetch={"pool_workers": 0})
    async with Node(settings) as node:
        held = [menu_entry(n) for n in range(entries)]
        await node._read.fill(held)
        await asyncio.sleep(5 * settings.cache.write_behind_s)  # until what was stored is written
        watch = sqlite3.connect(next((folder / "node").glob("*.sqlite3")))
        before = watch.execute("PRAGMA data_version").fetchone()[0]
        texts = [str(entry.key) for entry in held[:100]]
        for n in range(hits):
            assert await node.get(texts[n % len(texts)]) is not None
        await asyncio.sleep(2 * settings.cache.write_behind_s)
        writes = watch.execute("PRAGMA data_version").fetchone()[0] - before
        watch.close()
        stats = [per_call_ns(node.stats, 20) / 1000 for _ in range(repeats)]
        shown = [per_call_ns(lambda: exposition(node.stats()), 20) / 1000 for _ in range(repeats)]
    return writes, {"stats, us": stats, "metrics, us": shown}


async def recording(lists: int) -> dict[str, list[float]]:
    """Return what recording one price list costs, us of CPU."""
    recorder = HistoryRecorder(MemoryHistory(10**7), clock=ManualClock(), retention_s=1e9, gather_s=0.0)
    recorder.start()
    came: dict[str, list[float]] = {"baseline, us": [], "changed, us": [], "unchanged, us": []}
    for n in range(lists):
        for name, entry in zip(came, observed(n), strict=True):
            started = time.process_time()
            recorder.observe(entry)
            await recorder.settle(10)
            came[name].append((time.process_time() - started) * 1e6)
    await recorder.close()
    return came


def observed(shop: int) -> tuple[Entry, Entry, Entry]:
    """Return a shop's first list, one with changes, and one that says the same; none of them decoded."""
    first = price_list(shop, 0)
    later = price_list(shop, int(OFFERS * CHANGED_FRAC))
    return undecoded(first, 1.0), undecoded(later, 2.0), undecoded(later, 3.0)


def price_list(shop: int, raised: int) -> PriceList:
    """Return a price list; the first ``raised`` prices are a dollar higher."""
    return PriceList(
        origin="weedmaps",
        shop_id=str(shop),
        prices=tuple(
            Price(
                product_id=f"p{n:04}",
                variant_label="1/8 oz",
                variant=None,
                market="rec",
                price=Money(Decimal(20 + n % 30 + (n < raised))),
                list_price=Money(Decimal(60)),
                in_stock=True,
                quantity=float(n),
            )
            for n in range(OFFERS)
        ),
    )


def undecoded(record: PriceList, at: float) -> Entry:
    """Return an entry that holds bytes alone, as one from an origin does."""
    key = RecordKey(DataType.PRODUCT_PRICING, record.origin, record.shop_id)
    whole = Entry.of(key, record, fetched_at=at, expires_at=at + 600)
    return Entry(key, whole.body, fetched_at=at, expires_at=at + 600, digest=whole.digest, origins=whole.origins)


def menu_entry(shop: int) -> Entry:
    """Return a small fresh entry."""
    key = RecordKey(DataType.DISPENSARY_MENU, "weedmaps", str(shop))
    return Entry.of(key, Menu(origin="weedmaps", shop_id=str(shop), products=()), fetched_at=0.0, expires_at=FAR)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    return run_bench(bench, argv)


if __name__ == "__main__":
    sys.exit(main())

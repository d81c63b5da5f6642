"""The SQL tier on SQLite and MariaDB against their drivers bare, and SQLAlchemy's asyncio; loads made once by two nodes.

Bodies of 8 KB, 32 tasks, batches of 256. Rivals take turns with the tier, round after round, on the
same rows; a ratio is that of a round, and what is told is the median of the rounds.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from harness import ROOT, BenchError, Options, calls_of, run_bench, sandbox, say
from report import Figure, Result, at_least, at_most, exactly, median, spread_of, told

sys.path.insert(0, str(ROOT / "tests"))

from sql_rivals import BATCH, TASKS, BareAsyncmy, RawSqlite, SqlAlchemyAsync, checkpoint, orders

from mariadb import running_mariadb
from weedhounds.cache.address import MysqlAddress, parse_address
from weedhounds.cache.database import Database, database_of
from weedhounds.cache.entry import Entry
from weedhounds.cache.sqlite_file import READER_CACHE_KIB, SWITCH_INTERVAL_S
from weedhounds.clock import SystemClock
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey

BODY_BYTES = 8192
ROWS, QUICK_ROWS = 4096, 512
READS, QUICK_READS = 400, 20
"""Reads of each task in a round; SQLAlchemy's are a tenth."""
ROUNDS, QUICK_ROUNDS = 7, 2
POOLS = (4, 32)
"""Connections of bare asyncmy; its better one counts."""
TOGETHER = 500
"""Requests for one key at once in each of two processes."""
LEASES = 50
OPEN_LIMIT_MS = 20.0


class Samples(msgspec.Struct):
    """Ratios and absolute numbers of the rounds, by name."""

    values: dict[str, list[float]] = {}

    def add(self, name: str, value: float) -> None:
        """Note one number."""
        self.values.setdefault(name, []).append(value)


def bench(options: Options) -> Result:
    """Measure all."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    samples = Samples()
    with tempfile.TemporaryDirectory() as folder, running_mariadb() as server:
        say("sql: SQLite")
        uvloop.run(sqlite_rounds(Path(folder) / "bench.sqlite3", samples, options))
        say("sql: MariaDB")
        uvloop.run(mariadb_rounds(server.new_database(), samples, options))
        say("sql: two processes on one database")
        shared = {
            "SQLite": two_processes(f"sqlite:///{folder}/shared.sqlite3", options),
            "MariaDB": two_processes(server.new_database(), options),
        }
        version = server.sql("SELECT VERSION()").strip()
    return Result(
        title="The SQL tier",
        command="benchmarks/bench_sql.py",
        figures=[*figures(samples.values), *shared_figures(shared)],
        notes=[
            f"{BODY_BYTES:,} bytes of random body, {ROWS:,} rows. The raw rivals read and write rows of the very same "
            "tables, prepared before the time starts; the tier takes entries and gives entries. MariaDB "
            f"{version}, on this machine, innodb_flush_log_at_trx_commit = 2.",
            f"Raw sqlite3 has SQLite's own page cache (2 MB), as a program that just opens a file; with the tier's "
            f"({READER_CACHE_KIB // 1024} MB) it is told besides.",
            f"Bare asyncmy with {' and '.join(map(str, POOLS))} connections; the better of each round counts.",
        ],
        samples=samples.values,
    )


def entries_of(rows: int, *, fetched_at: float) -> list[Entry]:
    """Return entries of random bodies; the same keys each time."""
    return [
        Entry(
            RecordKey(DataType.DISPENSARY_MENU, "weedmaps", str(number)),
            os.urandom(BODY_BYTES),
            fetched_at=fetched_at,
            expires_at=fetched_at + 3600,
            digest=os.urandom(20),
            origins=("weedmaps",),
        )
        for number in range(rows)
    ]


async def tier_read_s(database: Database, keys: list[list[RecordKey]]) -> float:
    """Return the seconds of reading by all tasks at once."""

    async def task(some: list[RecordKey]) -> None:
        for key in some:
            if not await database.tier.get_many((key,)):
                raise BenchError(f"{key} is not there")

    await asyncio.gather(*(task(some[:3]) for some in keys))
    started_s = time.perf_counter()
    await asyncio.gather(*map(task, keys))
    return time.perf_counter() - started_s


async def tier_upsert_s(database: Database, entries: Sequence[Entry]) -> float:
    """Return the seconds of putting and committing batch after batch."""
    started_s = time.perf_counter()
    for at in range(0, len(entries), BATCH):
        await database.tier.put_many(entries[at : at + BATCH])
        await database.tier.flush()
    return time.perf_counter() - started_s


def rounds_of(options: Options) -> int:
    """Return how often everything is measured."""
    return options.repeats or (QUICK_ROUNDS if options.is_quick else ROUNDS)


async def filled(url: str, rows: int) -> Database:
    """Return an open database with rows in it."""
    database = database_of(parse_address(url), clock=SystemClock(), timeout_s=60)
    await database.open()
    await tier_upsert_s(database, entries_of(rows, fetched_at=SystemClock().now()))
    return database


async def sqlite_rounds(path: Path, samples: Samples, options: Options) -> None:
    """Measure the tier on SQLite and its rivals."""
    rows, reads = (QUICK_ROWS, QUICK_READS) if options.is_quick else (ROWS, READS)
    database = await filled(f"sqlite:///{path}", rows)
    checkpoint(path)
    by_digest = {key.digest: key for key in await database.tier.keys(limit=rows)}
    raw, alike, rival = RawSqlite(path), RawSqlite(path, READER_CACHE_KIB), SqlAlchemyAsync(path)
    for round_ in range(rounds_of(options)):
        asked = orders(list(by_digest), reads, round_)
        count = TASKS * reads
        raw_s, alike_s = raw.read_s(asked), alike.read_s(asked)
        body_s = raw.read_s(asked, what="body")
        tier_s = await tier_read_s(database, [[by_digest[digest] for digest in some] for some in asked])
        few = [some[: max(2, reads // 10)] for some in asked]
        rival_s = await rival.read_s(few) / sum(map(len, few)) * count
        for name, seconds in {
            "raw": raw_s, "raw, same page cache": alike_s, "raw, body alone": body_s, "tier": tier_s, "SQLAlchemy": rival_s,
        }.items():  # fmt: skip
            samples.add(f"SQLite reads, {name}, 1/s", count / seconds)
        samples.add("SQLite reads, tier / raw", raw_s / tier_s)
        samples.add("SQLite reads, tier / raw with the same page cache", alike_s / tier_s)
        samples.add("SQLite reads, tier / SQLAlchemy", rival_s / tier_s)
        await sqlite_writes(database, raw, samples, rows)
    await leases(database, samples, "SQLite", options)
    await rival.close()
    raw.close()
    alike.close()
    await database.close()
    await openings(f"sqlite:///{path}", samples, "SQLite")


async def sqlite_writes(database: Database, raw: RawSqlite, samples: Samples, rows: int) -> None:
    """Measure one round of committed upserts."""
    raw_s = raw.upsert_s(entries_of(rows, fetched_at=SystemClock().now()))
    tier_s = await tier_upsert_s(database, entries_of(rows, fetched_at=SystemClock().now()))
    samples.add("SQLite upserts, raw, 1/s", rows / raw_s)
    samples.add("SQLite upserts, tier, 1/s", rows / tier_s)
    samples.add("SQLite upserts, tier / raw", raw_s / tier_s)


async def mariadb_rounds(url: str, samples: Samples, options: Options) -> None:
    """Measure the tier on MariaDB and its rival."""
    rows, reads = (QUICK_ROWS, QUICK_READS) if options.is_quick else (ROWS, READS)
    database = await filled(url, rows)
    address = parse_address(url)
    assert isinstance(address, MysqlAddress)
    bare = [BareAsyncmy(address, size) for size in POOLS]
    for rival in bare:
        await rival.open()
    by_digest = {key.digest: key for key in await database.tier.keys(limit=rows)}
    count = TASKS * reads
    for round_ in range(rounds_of(options)):
        asked = orders(list(by_digest), reads, round_)
        bare_s = min([await rival.read_s(asked) for rival in bare])
        tier_s = await tier_read_s(database, [[by_digest[digest] for digest in some] for some in asked])
        samples.add("MariaDB reads, bare, 1/s", count / bare_s)
        samples.add("MariaDB reads, tier, 1/s", count / tier_s)
        samples.add("MariaDB reads, tier / bare", bare_s / tier_s)
        multi_s, many_s = [
            await bare[0].upsert_s(entries_of(rows, fetched_at=SystemClock().now()), is_multi_row=is_multi_row)
            for is_multi_row in (True, False)
        ]
        tier_s = await tier_upsert_s(database, entries_of(rows, fetched_at=SystemClock().now()))
        samples.add("MariaDB batch, bare multi-row, ms", 1000 * multi_s / rows * BATCH)
        samples.add("MariaDB batch, bare executemany, ms", 1000 * many_s / rows * BATCH)
        samples.add("MariaDB batch, tier, ms", 1000 * tier_s / rows * BATCH)
        samples.add("MariaDB batch, tier / bare", tier_s / multi_s)
    await leases(database, samples, "MariaDB", options)
    for rival in bare:
        await rival.close()
    await database.close()
    await openings(url, samples, "MariaDB")


async def leases(database: Database, samples: Samples, name: str, options: Options) -> None:
    """Measure what a lease costs a node that is alone: one at a time, and many loads that start together."""

    async def one(number: int) -> None:
        async with database.loads.turn(
            str(number), [RecordKey(DataType.DISPENSARY_MENU, "jane", "x")], {}, deadline=None
        ):
            pass

    for round_ in range(10 if options.is_quick else 100):
        samples.add(f"{name} lease alone, ms", 1000 * await timed(lambda: one(-1 - round_)))  # noqa: B023 - awaited here
    for round_ in range(3 if options.is_quick else 20):
        together_s = await timed(lambda: asyncio.gather(*map(one, range(1000 * round_, 1000 * round_ + LEASES))))  # noqa: B023
        samples.add(f"{name} lease among {LEASES}, us", 1e6 * together_s / LEASES)


async def timed(run: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds of one call."""
    started_s = time.perf_counter()
    await run()
    return time.perf_counter() - started_s


async def openings(url: str, samples: Samples, name: str) -> None:
    """Measure opening a database whose schema is current."""
    for _ in range(5):
        database = database_of(parse_address(url), clock=SystemClock())
        samples.add(f"{name} opening, ms", 1000 * await timed(database.open))
        await database.close()


def two_processes(url: str, options: Options) -> list[dict[str, int]]:
    """Ask two nodes on one database for cold menus at the same time; return calls and answers of each."""
    with sandbox("--latency-ms", "200", "--latency-p99-ms", "400") as market, tempfile.TemporaryDirectory() as folder:
        script = str(ROOT / "benchmarks" / "sql_asker.py")
        processes = [
            subprocess.Popen(
                [sys.executable, script, market.url, url, f"{folder}/{number}"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for number in range(2)
        ]  # fmt: skip
        try:
            for process in processes:
                _answer(process)
            for process in processes:
                _tell(process, {"shops": "Denver, CO"})
            near = [_answer(process) for process in processes][-1]
            menus = [key for key in near if ":weedmaps:" in key or ":dutchie:" in key]
            return [_asked(processes, market.url, key) for key in menus[: 3 if options.is_quick else 12]]
        finally:
            for process in processes:
                assert process.stdin is not None
                process.stdin.close()
            for process in processes:
                process.wait(20)


def _asked(processes: list[subprocess.Popen[str]], market_url: str, key: str) -> dict[str, int]:
    before = calls_of(market_url).total
    for process in processes:
        _tell(process, {"get": key, "times": TOGETHER})
    answers = [_answer(process) for process in processes]
    return {
        "calls": calls_of(market_url).total - before,
        "found": sum(answer["found"] for answer in answers),
        "digests": len({digest for answer in answers for digest in answer["digests"]}),
        "loaders": sum(answer["origin_calls"] > 0 for answer in answers),
    }


def _tell(process: subprocess.Popen[str], question: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()


def _answer(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise BenchError("a node ended without a word")
    return json.loads(line)


def figures(samples: dict[str, list[float]]) -> list[Figure]:
    """Return the figures of both databases."""

    def mid(name: str) -> float:
        return median(samples[name])

    def plain(name: str) -> Figure:
        head, _, unit = name.rpartition(", ")
        return told(head, mid(name), unit, spread=spread_of(samples[name]))

    def ratio(name: str, judge: Callable[..., Figure], limit: float) -> Figure:
        return judge(name, mid(name), limit, spread=spread_of(samples[name]))

    return [
        ratio("SQLite reads, tier / raw", at_least, 0.6),
        ratio("SQLite reads, tier / SQLAlchemy", at_least, 15),
        told("SQLite reads, tier / raw with the same page cache", mid("SQLite reads, tier / raw with the same page cache")),
        ratio("SQLite upserts, tier / raw", at_least, 0.6),
        ratio("MariaDB reads, tier / bare", at_least, 0.8),
        ratio("MariaDB batch, tier / bare", at_most, 1.5),
        *(
            at_most(f"{name} opening, schema current", mid(f"{name} opening, ms"), OPEN_LIMIT_MS, "ms")
            for name in ("SQLite", "MariaDB")
        ),
        *(plain(name) for name in samples if name.endswith((", 1/s", ", us")) or "lease" in name or "batch, bare" in name),
        plain("MariaDB batch, tier, ms"),
    ]  # fmt: skip


def shared_figures(shared: dict[str, list[dict[str, int]]]) -> list[Figure]:
    """Return the figures of two processes on one database."""
    made: list[Figure] = []
    for name, menus in shared.items():
        single = [menu for menu in menus if menu["calls"] == 1]
        twice = [menu for menu in menus if menu["loaders"] != 1]
        unanswered = [menu for menu in menus if menu["found"] != 2 * TOGETHER or menu["digests"] != 1]
        made += [
            exactly(
                f"{name}: menus loaded by another number of nodes than one", len(twice), 0, spread=f"{len(menus)} menus"
            ),
            exactly(f"{name}: menus with missing or different answers among {2 * TOGETHER}", len(unanswered), 0),
            at_least(f"{name}: of them menus of one page, with 1 call for {2 * TOGETHER} requests", len(single), 1),
        ]
    return made


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

"""Formats and compressions on recorded answers, against what APIs ship: orjson with gzip, zstd and brotli; Parquet; Arrow.

Dictionaries are trained on other shops than those measured (for an origin with one recorded shop,
on other origins alone). Contenders are timed in turn over the same records; a figure is the
geometric mean over the origins of the ratio of medians.
"""

from __future__ import annotations

import io
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pyarrow.parquet as pq
from codec_records import LABS, MENUS, PRICES, Split, all_learnt, largest, split_origins, spread
from codec_rivals import (
    YARDSTICK_NOTE,
    Contender,
    Outcome,
    Ratios,
    baselines,
    columnar,
    floor,
    ours,
    race,
    ratios,
    table_of,
    without_nulls,
)
from harness import ROOT, Options, run_bench, say
from report import Figure, Result, Table, at_least, median, number, told, under

from weedhounds.clock import SystemClock
from weedhounds.codec import Compression, Encodable, Format
from weedhounds.codec.calibrate import calibrate
from weedhounds.codec.choose import Use
from weedhounds.codec.dictionary import Dictionary, train
from weedhounds.codec.dictionary_store import SHIPPED
from weedhounds.codec.kinds import items_of, kind_of
from weedhounds.codec.samples import MAX_ITEMS, cut, with_items
from weedhounds.model.records import Menu, Product

RUNS = 15
RECORDS = 40
MENUS_PER_ORIGIN = 3
LEAST_ITEMS = 20
PIECE = 100
COLUMN_LEVEL = 19
YARDSTICK = "orjson + gzip 6"
OWN, SHIPPED_ROW, ROW_ZSTD = "row + dictionary of other shops", "row + shipped dictionary", "row + zstd 3"
COLUMN, COLUMN_9 = f"column + dictionary, zstd {COLUMN_LEVEL}", "column + dictionary, zstd 9"
BOMB = ROOT / "tests" / "unit" / "codec" / "bomb_child.py"


class Dictionaries(NamedTuple):
    """Trained on other shops: by kind of record and format."""

    found: Mapping[tuple[str, Format], Dictionary]

    def of(self, record: Encodable, format_: Format) -> Dictionary | None:
        """Return the dictionary for a record, or ``None``."""
        return self.found.get((kind_of(record), format_))


def bench(options: Options) -> Result:
    """Measure all; ``repeats`` is the number of runs."""
    runs = options.repeats or (2 if options.is_quick else RUNS)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    say("codec: reading recorded answers")
    splits = split_origins(40 if options.is_quick else None)
    dictionaries = _trained(splits)
    say("codec: single records")
    single = {
        o: _singles(split, dictionaries, runs, 10 if options.is_quick else RECORDS) for o, split in splits.items()
    }
    say("codec: menus")
    menus = {o: _menus(split, dictionaries, runs) for o, split in splits.items() if _measurable(split)}
    say("codec: tables, bombs")
    return Result(
        title="Formats and compressions",
        command="benchmarks/bench_codec.py",
        figures=[
            *_single_figures(single),
            *_menu_figures(menus),
            *_columnar_figures(menus),
            *_large_table_figures(splits, is_quick=options.is_quick),
            *_calibration_figures(splits),
            *_bomb_figures(is_quick=options.is_quick),
        ],
        tables=[*_tables("A single record", single), *_tables("A menu", menus)],
        notes=[
            YARDSTICK_NOTE + " So do its rivals with zstd 3 and brotli 5. What whb reaches against it tells "
            "bench_codec_whb.py.",
            "Sizes of ours are whole envelopes, checksum included.",
            "Geometric means over origins; n is the number of origins. A single record is a product, of the registry "
            "a laboratory result.",
        ],
        samples={
            f"{what} of {origin}, {name}, {way} s": seconds
            for what, raced in (("record", single), ("menu", menus))
            for origin, outcomes in raced.items()
            for name, outcome in outcomes.items()
            for way, seconds in (("encode", outcome.encode_s), ("decode", outcome.decode_s))
        },
    )


Raced = Mapping[str, Mapping[str, Outcome]]
"""Outcomes by origin and contender."""


def _trained(splits: Mapping[str, Split]) -> Dictionaries:
    found: dict[tuple[str, Format], Dictionary] = {}
    for types in (MENUS, PRICES, LABS):
        bodies = _in_pieces(all_learnt(splits, types))
        items: list[Encodable] = [item for body in bodies for item in items_of(body)]
        for records, format_ in ((items, Format.WHB_ROW), (bodies, Format.WHB_ROW), (bodies, Format.WHB_COLUMN)):
            kind = kind_of(records[0])
            if (kind, format_) not in found:
                found[kind, format_] = train(records, kind, origins={}, format=format_)
    return Dictionaries(found)


def _in_pieces(records: Sequence[Encodable]) -> list[Encodable]:
    """Return long lists in pieces of a menu's length: a dictionary needs several samples."""
    return [
        with_items(record, items_of(record)[start : start + PIECE])
        for record in records
        for start in range(0, len(items_of(record)), PIECE)
    ]


def _measurable(split: Split) -> bool:
    return any(True for _ in largest(split.spare, 1, LEAST_ITEMS))


def _ways(record: Encodable, dictionaries: Dictionaries) -> list[Contender]:
    own = dictionaries.of(record, Format.WHB_ROW)
    kind = type(record)
    found = [*baselines(kind), floor(kind), without_nulls()]
    found.append(ours("msgpack + zstd 3", Format.MSGPACK, Compression.ZSTD))
    found.append(ours(ROW_ZSTD, Format.WHB_ROW, Compression.ZSTD))
    if own is not None:
        found.append(ours(OWN, Format.WHB_ROW, Compression.ZSTD_DICT, dictionary=own))
    shipped = SHIPPED.newest(kind_of(record), Format.WHB_ROW)
    if shipped is not None:
        found.append(ours(SHIPPED_ROW, Format.WHB_ROW, Compression.ZSTD_DICT, dictionary=shipped))
    return found


def _singles(split: Split, dictionaries: Dictionaries, runs: int, most: int) -> dict[str, Outcome]:
    records = spread(split.items, most)
    return race(records, _ways(records[0], dictionaries), runs)


def _menus(split: Split, dictionaries: Dictionaries, runs: int) -> dict[str, Outcome]:
    records = list(largest((b for b in split.spare if isinstance(b, MENUS + LABS)), MENUS_PER_ORIGIN, LEAST_ITEMS))
    records = [cut(record, MAX_ITEMS) for record in records]
    column = dictionaries.of(records[0], Format.WHB_COLUMN)
    contenders = [
        *_ways(records[0], dictionaries),
        *columnar(),
        ours("arrow + zstd 3", Format.ARROW, Compression.ZSTD),
        ours("protobuf + zstd 3", Format.PROTOBUF, Compression.ZSTD),
        ours(COLUMN_9, Format.WHB_COLUMN, Compression.ZSTD_DICT, level=9, dictionary=column),
        ours(COLUMN, Format.WHB_COLUMN, Compression.ZSTD_DICT, level=COLUMN_LEVEL, dictionary=column),
    ]
    return race(records, contenders, runs)


class Means(NamedTuple):
    """Geometric means of ratios over origins, and the text of their spread."""

    smaller: float
    encode: float
    decode: float
    spread: tuple[str, str, str]


def _means(raced: Raced, name: str, rival: str = YARDSTICK) -> Means:
    found = [ratios(outcomes[name], outcomes[rival]) for outcomes in raced.values() if name in outcomes]
    columns: list[list[float]] = [[getattr(each, field) for each in found] for field in Ratios._fields]
    spreads = [f"{number(min(each))} to {number(max(each))}, n = {len(each)}" for each in columns]
    means = [statistics.geometric_mean(each) for each in columns]
    return Means(means[0], means[1], means[2], (spreads[0], spreads[1], spreads[2]))


def _compared(what: str, means: Means, *, smaller: float, encode: float, decode: float) -> list[Figure]:
    """Return the three figures of a way, each with what it must reach; 0 for no target."""
    names = ("times smaller", "times faster to encode", "times faster to decode")
    found = []
    for name, value, target, spread_text in zip(names, means[:3], (smaller, encode, decode), means.spread, strict=True):
        title = f"{what}: {name}"
        found.append(
            at_least(title, value, target, spread=spread_text) if target else told(title, value, spread=spread_text)
        )
    return found


def _single_figures(raced: Raced) -> list[Figure]:
    return [
        *_compared("a record, against zstd 3", _means(raced, OWN, "orjson + zstd 3"), smaller=0, encode=0, decode=0),
        *_compared(
            "a record, against brotli 5", _means(raced, OWN, "orjson + brotli 5"), smaller=0, encode=0, decode=0
        ),
    ]


def _menu_figures(raced: Raced) -> list[Figure]:
    return [
        *_compared(
            "a menu as row, against zstd 3", _means(raced, OWN, "orjson + zstd 3"), smaller=1, encode=0, decode=0
        ),
        *_compared(
            "a menu as row, against brotli 5", _means(raced, OWN, "orjson + brotli 5"), smaller=0, encode=1, decode=1
        ),
    ]


def _columnar_figures(raced: Raced) -> list[Figure]:
    found = []
    for rival in ("Parquet + zstd", "Arrow IPC + zstd"):
        for name, what in ((OWN, "row"), (COLUMN_9, "column")):
            found += _compared(
                f"a menu as {what}, against {rival}", _means(raced, name, rival), smaller=1, encode=1, decode=1
            )
    return found


def _large_table_figures(splits: Mapping[str, Split], *, is_quick: bool) -> list[Figure]:
    """Say where columns of the whole world's formats win: one column out of very many rows."""
    products = [
        p
        for split in splits.values()
        for b in (*split.learnt, *split.spare)
        if isinstance(b, MENUS)
        for p in items_of(b)
    ]
    menu = Menu(
        origin="all",
        shop_id="all",
        products=tuple(p for p in products[: 1_000 if is_quick else None] if isinstance(p, Product)),
    )
    sink = io.BytesIO()
    pq.write_table(table_of(menu), sink, compression="zstd")
    row = ours("row", Format.WHB_ROW, Compression.ZSTD, level=9)
    column = ours("column", Format.WHB_COLUMN, Compression.ZSTD, level=9)
    data = {each.name: each.encode(menu) for each in (row, column)}
    scan_s = _best(lambda: pq.read_table(io.BytesIO(sink.getvalue()), columns=["brand"]).column("brand").value_counts())
    whole_s = {each.name: _best(lambda each=each: each.decode(data[each.name])) for each in (row, column)}  # type: ignore[misc]
    rows = f"n = {len(menu.products):,} products"
    return [
        told("one large table: Parquet + zstd, bytes a row", len(sink.getvalue()) / len(menu.products), spread=rows),
        told("one large table: column + zstd 9, bytes a row", len(data["column"]) / len(menu.products), spread=rows),
        told("one large table: Parquet counts the brands", 1e3 * scan_s, "ms", spread=rows),
        told("one large table: column is decoded whole", 1e3 * whole_s["column"], "ms", spread=rows),
        told("one large table: row is decoded whole", 1e3 * whole_s["row"], "ms", spread=rows),
    ]


def _best(work: Callable[[], object], runs: int = 3) -> float:
    found = []
    for _ in range(runs):
        started_s = time.perf_counter()
        work()
        found.append(time.perf_counter() - started_s)
    return min(found)


def _calibration_figures(splits: Mapping[str, Split]) -> list[Figure]:
    menus = [b for split in splits.values() for b in split.spare if isinstance(b, MENUS)]
    started_s = time.perf_counter()
    profile = calibrate(menus, clock=SystemClock())
    taken_s = time.perf_counter() - started_s
    size = profile.types["menu"][-1].size_bytes
    turned = {str(profile.choose("menu", size, Use.WIRE, link_bytes_per_s=link).way) for link in (1e4, 1e6, 1e8, 1e10)}
    return [
        under("calibration of menus", taken_s, 1.0, "s"),
        at_least("choices for a menu on links of 10 KB/s to 10 GB/s", len(turned), 2, spread=", ".join(sorted(turned))),
    ]


def _bomb_figures(*, is_quick: bool) -> list[Figure]:
    """Return what refusing a gigabyte costs each compression, in a process of its own."""
    costs = {}
    for compression in ("zlib",) if is_quick else ("zlib", "gzip", "lz4", "brotli", "zstd"):
        ran = subprocess.run(
            (sys.executable, str(BOMB), compression), capture_output=True, text=True, timeout=60, check=True
        )
        costs[compression] = [float(word) for word in ran.stdout.split()]
    worst_mb, worst_s = max(each[1] for each in costs.values()), max(each[2] for each in costs.values())
    names = ", ".join(costs)
    return [
        under("a bomb of 1 GB is refused, 100 KB declared: memory", worst_mb, 8, "MB", spread=names),
        under("a bomb of 1 GB is refused, 100 KB declared: time", worst_s, 1, "s", spread=names),
    ]


def _tables(what: str, raced: Raced) -> list[Table]:
    tables = []
    for origin, outcomes in raced.items():
        rival = outcomes[YARDSTICK]
        rows = []
        for name, outcome in sorted(outcomes.items(), key=lambda item: item[1].stored_bytes):
            found = ratios(outcome, rival)
            rows.append(
                (name, f"{outcome.stored_bytes:,}", number(1e6 * median(outcome.encode_s)),
                 number(1e6 * median(outcome.decode_s)), *(number(ratio) for ratio in found))
            )  # fmt: skip
        columns = (
            "way",
            "bytes",
            "encode us",
            "decode us",
            "times smaller",
            "times faster to encode",
            "times faster to decode",
        )
        tables.append(Table(title=f"{what}, {origin} (sums over the records)", columns=columns, rows=tuple(rows)))
    return tables


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

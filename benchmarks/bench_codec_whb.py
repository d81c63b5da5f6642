"""whb on recorded answers: single records, menus as rows and columns, patches, and what each of its means is worth.

This is where the promises of ``whb`` are measured, and nowhere else; ``bench_codec.py`` compares all
formats and rivals. The yardstick is ``codec_rivals.as_api``: both sides start from typed records and
end with typed records. Against the yardstick that stops at dictionaries is told besides, and so is
the floor: what msgspec and zstd alone cost, without envelope, checksum, checks and coding. Times are
processor seconds, the least of several rounds of each, taken in turn: the machine is shared.

Dictionaries are trained on other shops than those measured: the answers (the registry's
producers) fall into two halves, and each half is measured with what the other taught.
"""

from __future__ import annotations

import gzip
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

import brotli
import msgspec
import orjson
import zstandard
from codec_records import ANSWERS, RECORDED
from codec_rivals import YARDSTICK_NOTE, as_api, from_api
from harness import BenchError, Options, run_bench, say
from report import Figure, Result, Table, at_least, at_most, number, told

from weedhounds import sources
from weedhounds.codec import Compression, Encodable, Format, decode, encode, whb_column, whb_row
from weedhounds.codec.dictionary import Dictionary, train
from weedhounds.codec.dictionary_store import SHIPPED, MemoryDictionaries
from weedhounds.codec.kinds import KINDS, kind_of
from weedhounds.codec.patch import encode_patch
from weedhounds.model.records import Menu, Price, PriceList, Product
from weedhounds.model.units import Money, Potency
from weedhounds.sources.assemble import menu_bodies

RUNS = 7
RECORDS = 240
"""Records of each origin, spread over its answers."""

LEAST_PRODUCTS = 20
ROUND_S = 0.01
COLUMN_LEVEL = 19
CHANGED = 0.06
SIZES_KB = (8, 32, 112)
MENU_KINDS = ("menu", "price_list")
SINGLE_KINDS = ("offer", "product", "lab_result")
REGISTRY = "socrata_ct"


class Half(NamedTuple):
    """Half of the answers: single records as ``sources parse`` tells them, and bodies, by origin."""

    records: dict[str, list[Encodable]]
    bodies: dict[str, list[Encodable]]


class Way(NamedTuple):
    """There and back."""

    encode: Callable[[Any], bytes]
    decode: Callable[[Any], object]


class Ratios(NamedTuple):
    """How many times smaller and faster; ``decode_dicts`` against a yardstick that stops at dictionaries.

    ``floor_encode`` and ``floor_decode`` tell it of msgspec's MessagePack and zstd 3 alone, with a
    dictionary trained on such MessagePack of other shops: no envelope, no check, no coding.
    """

    smaller: float
    encode: float
    decode: float
    decode_dicts: float
    floor_encode: float
    floor_decode: float


def bench(options: Options) -> Result:
    """Measure all; ``repeats`` is the number of rounds."""
    runs = options.repeats or (2 if options.is_quick else RUNS)
    most = 20 if options.is_quick else RECORDS
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    say("whb: reading recorded answers")
    halves = read_halves(30 if options.is_quick else None)
    say("whb: single records")
    own = [_trained(half.records, SINGLE_KINDS, Format.WHB_ROW) for half in halves]
    singles = {
        name: _race({origin: _parts(halves, chosen, origin, most) for origin in ANSWERS}, runs)
        for name, chosen in (("dictionary of other shops", own[::-1]), ("shipped dictionary", [{}, {}]))
    }
    say("whb: menus")
    menus = {}
    for what, format_, level in (("row", Format.WHB_ROW, 3), ("column", Format.WHB_COLUMN, COLUMN_LEVEL)):
        taught = [_trained(half.bodies, MENU_KINDS, format_) for half in halves]
        for name, chosen in (("dictionary of other shops", taught[::-1]), ("shipped dictionary", [{}, {}])):
            parts = {o: _menu_parts(halves, chosen, o, format_, level) for o in ("dutchie", "leafly", "weedmaps")}
            menus[what, name] = _race(parts, runs)
    say("whb: patches, and what each of its means is worth")
    return Result(
        title="whb",
        command="benchmarks/bench_codec_whb.py",
        figures=[
            *_single_figures(singles),
            *_menu_figures(menus),
            *_patch_figures(halves),
        ],
        tables=[
            _kinds_table(halves),
            _rivals_table(halves),
            _dictionary_table(halves),
            _means_table(halves),
            _ratio_table("A record, by origin", singles["dictionary of other shops"]),
            _ratio_table("Menu and prices as rows, by origin", menus["row", "dictionary of other shops"]),
            _ratio_table("Menu and prices as columns, by origin", menus["column", "dictionary of other shops"]),
        ],
        notes=[
            YARDSTICK_NOTE,
            "The floor is what the libraries ask for: msgspec.msgpack of the typed records and zstd 3 with a dictionary "
            "of other shops; no envelope, checksum, check or coding.",
            "A record is what `sources parse` tells: an offer, a product without one, a laboratory result. A menu is "
            f"both bodies that a menu call fills, products and prices; shops with {LEAST_PRODUCTS} products and more.",
            "Sizes are whole envelopes. Figures are geometric means over origins. Memos (names, prices) are warm, as "
            "in a node that reads a menu again.",
        ],
    )


def read_halves(most_files: int | None) -> tuple[Half, Half]:
    """Return the recorded answers in two halves, no shop (producer) in both."""
    halves = (Half(defaultdict(list), defaultdict(list)), Half(defaultdict(list), defaultdict(list)))
    for origin, patterns in ANSWERS.items():
        paths = sorted({path for pattern in patterns for path in RECORDED.glob(pattern)})[:most_files]
        if not paths:
            raise BenchError(f"no recorded answers of {origin} in {RECORDED}")
        for at, path in enumerate(paths):
            data = path.read_bytes()
            parsed = sources.source_class(origin).parse(gzip.decompress(data) if path.suffix == ".gz" else data)
            half = halves[at % 2]
            for result in parsed.lab_results:
                halves[sum((result.producer or "").encode()) % 2].records[origin].append(result)
            if parsed.products:
                half.records[origin] += parsed.records()
                shop_id = parsed.shop_id or path.name
                half.bodies[origin] += menu_bodies(origin, shop_id, parsed.products, parsed.prices).values()
    return halves


def _trained(
    by_origin: Mapping[str, list[Encodable]], kinds: Iterable[str], format_: Format, size_kb: int = 112
) -> dict[str, Dictionary]:
    pool = [record for records in by_origin.values() for record in records]
    return {kind: train(pool, kind, origins={}, format=format_, size_bytes=size_kb * 1024) for kind in kinds}


def spread(items: Sequence[Encodable], most: int) -> list[Encodable]:
    """Return at most so many of the items, evenly spread."""
    return [items[at * len(items) // most] for at in range(most)] if len(items) > most else list(items)


class Part(NamedTuple):
    """Records, how whb encodes and decodes them, and the floor."""

    records: list[Encodable]
    way: Way
    floor: Floor


def _parts(halves: Sequence[Half], chosen: Sequence[Mapping[str, Dictionary]], origin: str, most: int) -> list[Part]:
    return [
        Part(
            [record for record in spread(half.records[origin], most) if kind_of(record) in SINGLE_KINDS],
            whb(Format.WHB_ROW, own),
            Floor(other.records, SINGLE_KINDS),
        )
        for half, other, own in zip(halves, halves[::-1], chosen, strict=True)
    ]


def _menu_parts(
    halves: Sequence[Half], chosen: Sequence[Mapping[str, Dictionary]], origin: str, format_: Format, level: int
) -> list[Part]:
    return [
        Part(list(menus_of(half, origin)), whb(format_, own, level), Floor(other.bodies, MENU_KINDS))
        for half, other, own in zip(halves, halves[::-1], chosen, strict=True)
    ]


def menus_of(half: Half, origin: str) -> Iterator[Encodable]:
    """Yield menu and price list of each shop with enough products."""
    bodies = half.bodies[origin]
    for menu, prices in zip(bodies[::2], bodies[1::2], strict=True):
        assert isinstance(menu, Menu)
        if len(menu.products) >= LEAST_PRODUCTS:
            yield from (menu, prices)


def whb(format_: Format, own: Mapping[str, Dictionary], level: int | None = None) -> Way:
    """Return whb with dictionaries by kind; the shipped one where there is none."""
    store = MemoryDictionaries(own.values(), below=SHIPPED)
    own_of = {kind: own.get(name) for kind, name in KINDS.items()}

    def pack(record: Encodable) -> bytes:
        return encode(record, format_, Compression.ZSTD_DICT, level=level, dictionary=own_of[record.__class__])

    return Way(pack, lambda data: decode(data, dictionaries=store))


def _race(parts_of: Mapping[str, list[Part]], runs: int) -> dict[str, Ratios]:
    return {origin: _ratios([part for part in parts if part.records], runs) for origin, parts in parts_of.items()}


def _ratios(parts: Sequence[Part], runs: int) -> Ratios:
    ours = [[part.way.encode(record) for record in part.records] for part in parts]
    plain = [[(as_api(record), type(record)) for record in part.records] for part in parts]
    alone = [[part.floor.packed(record) for record in part.records] for part in parts]
    for part, packed in zip(parts, ours, strict=True):
        assert [part.way.decode(data) for data in packed] == part.records
    took: dict[tuple[str, int], list[float]] = defaultdict(list)
    for _ in range(runs):
        for at, part in enumerate(parts):
            for name, work, items in (
                ("encode", part.way.encode, part.records),
                ("api encode", as_api, part.records),
                ("decode", part.way.decode, ours[at]),
                ("api typed", lambda p: from_api(*p), plain[at]),
                ("api dicts", lambda p: orjson.loads(gzip.decompress(p[0])), plain[at]),
                ("floor encode", part.floor.encode, part.records),
                ("floor decode", part.floor.decode, alone[at]),
            ):
                took[name, at].append(_seconds(work, items))
    best: dict[str, float] = defaultdict(float)
    for (name, _), seconds in took.items():
        best[name] += min(seconds)
    return Ratios(
        sum(len(p) for each in plain for p, _ in each) / sum(len(p) for each in ours for p in each),
        best["api encode"] / best["encode"],
        best["api typed"] / best["decode"],
        best["api dicts"] / best["decode"],
        best["api encode"] / best["floor encode"],
        best["api typed"] / best["floor decode"],
    )


class Floor:
    """The least that the libraries ask for: MessagePack of typed records, zstd with a dictionary, nothing else.

    Args:
        learnt: what the dictionaries are trained on: other records than those measured.
    """

    def __init__(self, learnt: Mapping[str, list[Encodable]], kinds: Iterable[str]) -> None:
        taught = _trained(learnt, kinds, Format.MSGPACK)
        self._own = {kind: taught[name] for kind, name in KINDS.items() if name in taught}
        self._decoders: dict[type, msgspec.msgpack.Decoder[Any]] = {k: msgspec.msgpack.Decoder(k) for k in self._own}

    def encode(self, record: Encodable) -> bytes:
        """Return a frame."""
        return self._own[record.__class__].frame(msgspec.msgpack.encode(record))

    def packed(self, record: Encodable) -> tuple[bytes, type[Any], int]:
        """Return a frame with the type and length that its envelope would tell."""
        return self.encode(record), type(record), len(msgspec.msgpack.encode(record))

    def decode(self, packed: tuple[bytes, type[Any], int]) -> object:
        """Return the record of a frame."""
        frame, kind, length = packed
        return self._decoders[kind].decode(self._own[kind].own.decompress(frame, length, False, False))


def _seconds(work: Callable[[Any], object], items: Sequence[Any]) -> float:
    """Return the processor seconds of one pass, the mean of as many as fill ``ROUND_S``."""
    passes, started_s = 0, time.process_time()
    while True:
        for item in items:
            work(item)
        passes += 1
        taken_s = time.process_time() - started_s
        if taken_s >= ROUND_S:
            return taken_s / passes


def _mean(raced: Mapping[str, Ratios], field: str) -> tuple[float, str]:
    values = [getattr(each, field) for each in raced.values()]
    spread_text = f"{number(min(values))} to {number(max(values))}, n = {len(values)}"
    return statistics.geometric_mean(values), spread_text


def _figures(what: str, raced: Mapping[str, Ratios], targets: Mapping[str, float]) -> list[Figure]:
    found = []
    for field, words in (
        ("smaller", "times smaller"),
        ("encode", "times faster to encode"),
        ("decode", "times faster to decode, typed"),
        ("decode_dicts", "times faster to decode than to dictionaries"),
        ("floor_encode", "times faster to encode is the floor"),
        ("floor_decode", "times faster to decode is the floor"),
    ):
        value, spread_text = _mean(raced, field)
        title, target = f"{what}: {words}", targets.get(field)
        found.append(
            told(title, value, spread=spread_text)
            if target is None
            else at_least(title, value, target, spread=spread_text)
        )
    return found


def _single_figures(raced: Mapping[str, Mapping[str, Ratios]]) -> list[Figure]:
    targets = {"dictionary of other shops": 3.0, "shipped dictionary": 2.5}
    return [
        figure
        for name, smaller in targets.items()
        for figure in _figures(f"a record, {name}", raced[name], {"smaller": smaller, "encode": 4.0, "decode": 3.5})
    ]


def _menu_figures(raced: Mapping[tuple[str, str], Mapping[str, Ratios]]) -> list[Figure]:
    row = {"smaller": 1.27, "encode": 4.0, "decode": 2.0}
    column = {"smaller": 1.7, "decode": 1.0}
    own, shipped = "dictionary of other shops", "shipped dictionary"
    return [
        *_figures(f"a menu as row, {own}", raced["row", own], row),
        *_figures(f"a menu as row, {shipped}", raced["row", shipped], {"smaller": 1.27}),
        *_figures(f"a menu as column, {own}", raced["column", own], column),
        *_figures(f"a menu as column, {shipped}", raced["column", shipped], {}),
    ]


def _patch_figures(halves: Sequence[Half]) -> list[Figure]:
    """Return patch over gzip size of all menus (and price lists) of each origin; the mean over origins."""
    rng, found = Random(1), {}
    for kind in (Menu, PriceList):
        shares = []
        for origin in ("dutchie", "leafly", "weedmaps"):
            bodies = [body for half in halves for body in menus_of(half, origin) if isinstance(body, kind)]
            fresh = [(body, refreshed(body, rng)) for body in bodies if len(_items(body)) >= LEAST_PRODUCTS]
            shares.append(
                100 * sum(len(encode_patch(new, old)) for old, new in fresh) / sum(len(as_api(new)) for _, new in fresh)
            )
        found[kind] = (statistics.geometric_mean(shares), f"{number(min(shares))} to {number(max(shares))}, n = 3")
    menus, prices = found[Menu], found[PriceList]
    what = f"{CHANGED:.0%} changed: patch over its gzip size"
    return [
        at_most(f"a menu, {what}", menus[0], 2.0, "%", spread=menus[1]),
        told(f"a price list, {what}", prices[0], "%", spread=prices[1]),
    ]


def _items(body: Menu | PriceList) -> Sequence[Product | Price]:
    return body.products if isinstance(body, Menu) else body.prices


def refreshed(body: Menu | PriceList, rng: Random) -> Menu | PriceList:
    """Return a body in which a share of the products have other contents and times, or prices and stock."""
    items: list[Any] = list(_items(body))
    for at in rng.sample(range(len(items)), max(1, round(CHANGED * len(items)))):
        items[at] = _changed(items[at], rng)
    field = "products" if isinstance(body, Menu) else "prices"
    return msgspec.structs.replace(body, **{field: tuple(items)})


def _changed(item: Product | Price, rng: Random) -> Product | Price:
    if isinstance(item, Price):
        paid = Money(Decimal(rng.randrange(800, 6000)).scaleb(-2))
        stock = None if item.quantity is None else float(rng.randrange(50))
        return msgspec.structs.replace(item, price=paid, list_price=paid, quantity=stock)
    thc = round(rng.uniform(12, 32), 2)
    moved = None if item.updated_at is None else item.updated_at + rng.randrange(3_600, 86_400)
    potency = {**item.potency, "thc": Potency(thc, thc, "%")}
    return msgspec.structs.replace(item, potency=potency, updated_at=moved)


def _some(halves: Sequence[Half], kind: str, most: int = 200) -> list[Encodable]:
    found: list[Encodable] = []
    for half in halves:
        for records in (*half.records.values(), *half.bodies.values()):
            parts = (
                each
                for record in records
                for each in (_items(record) if isinstance(record, Menu | PriceList) and kind not in MENU_KINDS else (record,))
            )  # fmt: skip
            found += spread([each for each in parts if kind_of(each) == kind], most)
    return found


def _kinds_table(halves: Sequence[Half]) -> Table:
    rows = []
    for kind in ("offer", "product", "price", "shop", "lab_result", *MENU_KINDS):
        records = _some(halves, kind)
        plain = statistics.mean(len(as_api(record)) for record in records)
        ours = statistics.mean(len(encode(r, Format.WHB_ROW, Compression.ZSTD_DICT)) for r in records)
        payload = statistics.mean(len(whb_row.encode_payload(record)) for record in records)
        rows.append(
            (kind, f"{len(records):,}", f"{plain:,.0f}", f"{payload:,.0f}", f"{ours:,.0f}", number(plain / ours))
        )
    columns = ("kind", "records", "orjson + gzip 6", "row", "row, shipped dictionary", "times smaller")
    return Table(title="Mean bytes by kind of record", columns=columns, rows=tuple(rows))


def _rivals_table(halves: Sequence[Half]) -> Table:
    packer, rows = zstandard.ZstdCompressor(level=3), []
    rivals: Mapping[str, Callable[[bytes], bytes]] = {
        "gzip 6": lambda data: gzip.compress(data, 6, mtime=0),
        "zstd 3": packer.compress,
        "brotli 5": lambda data: brotli.compress(data, quality=5),
    }
    for kind in ("offer", "lab_result", *MENU_KINDS):
        records = _some(halves, kind, 60)
        plain = [orjson.dumps(msgspec.to_builtins(record)) for record in records]
        sizes = [sum(len(pack(data)) for data in plain) for pack in rivals.values()]
        ours = [
            sum(len(encode(record, format_, Compression.ZSTD_DICT)) for record in records)
            for format_ in ((Format.WHB_ROW, Format.WHB_COLUMN) if kind in MENU_KINDS else (Format.WHB_ROW,))
        ]
        rows.append((kind, *(f"{size:,}" for size in (*sizes, *ours)), *([""] * (2 - len(ours)))))
    columns = ("kind", *(f"orjson + {rival}" for rival in rivals), "row", "column")
    return Table(title="Bytes with the shipped dictionary, and of rivals", columns=columns, rows=tuple(rows))


def _dictionary_table(halves: Sequence[Half]) -> Table:
    first, second = halves
    rows = []
    for kind, format_ in (
        ("offer", Format.WHB_ROW),
        ("lab_result", Format.WHB_ROW),
        ("menu", Format.WHB_ROW),
        ("menu", Format.WHB_COLUMN),
        ("price_list", Format.WHB_COLUMN),
    ):
        taught, measured = (first.bodies, second.bodies) if kind in MENU_KINDS else (first.records, second.records)
        records = [record for origin in measured for record in spread(measured[origin], 400) if kind_of(record) == kind]
        sizes = [
            sum(len(pack.encode(record)) for record in records)
            for pack in (whb(format_, _trained(taught, (kind,), format_, size_kb)) for size_kb in SIZES_KB)
        ]
        without = sum(len(encode(record, format_, Compression.ZSTD)) for record in records)
        rows.append((kind, str(format_), f"{without:,}", *(f"{size:,}" for size in sizes)))
    columns = ("kind", "format", "none", *(f"{size_kb} KB" for size_kb in SIZES_KB))
    return Table(title="Bytes by size of a dictionary of other shops", columns=columns, rows=tuple(rows))


def _means_table(halves: Sequence[Half]) -> Table:
    """Return what single means save, on the recorded Weedmaps menus."""
    menus = [body for half in halves for body in menus_of(half, "weedmaps") if isinstance(body, Menu)]
    zstd9, zstd3 = zstandard.ZstdCompressor(level=9), zstandard.ZstdCompressor(level=3)
    rng = Random(2)
    fresh = [(menu, refreshed(menu, rng)) for menu in menus]
    columns = [whb_column.encode_payload(menu) for menu in menus]
    shipped = SHIPPED.newest("menu", Format.WHB_COLUMN)
    assert shipped is not None
    pairs = {
        "rows: record by record, field by field": (
            [zstd3.compress(whb_row.encode_by_row(menu)) for menu in menus],
            [zstd3.compress(whb_row.encode_payload(menu)) for menu in menus],
        ),
        "slugs: whole, as what they add to the name's": (
            [zstd3.compress(whb_row.encode_payload(_with_whole_slugs(menu))) for menu in menus],
            [zstd3.compress(whb_row.encode_payload(menu)) for menu in menus],
        ),
        "columns: in one block, in blocks by content": (
            [zstd9.compress(payload) for payload in columns],
            [_in_blocks(zstd9, payload) for payload in columns],
        ),
        "columns: without and with the shipped dictionary": (
            [_in_blocks(zstd9, payload) for payload in columns],
            [shipped.compress_blocks(payload, whb_column.cuts(payload), 9) for payload in columns],
        ),
        "patches: of fields, of records": (
            [_patch_of(whb_row.encode_payload(old), whb_row.encode_payload(new)) for old, new in fresh],
            [_patch_of(whb_row.encode_by_row(old), whb_row.encode_by_row(new)) for old, new in fresh],
        ),
    }
    rows = tuple(
        (name, f"{sum(map(len, before)):,}", f"{sum(map(len, after)):,}",
         f"{100 * (1 - sum(map(len, after)) / sum(map(len, before))):.1f} %")
        for name, (before, after) in pairs.items()
    )  # fmt: skip
    titles = ("means: the first, the second", "bytes with the first", "with the second", "saved")
    return Table(title="What single means are worth, recorded Weedmaps menus", columns=titles, rows=rows)


def _with_whole_slugs(menu: Menu) -> Menu:
    """Return the menu with a mark in front of one slug: then all slugs are written whole."""
    first, *rest = menu.products
    marked = msgspec.structs.replace(first, slug=f"\0{first.slug}")
    return msgspec.structs.replace(menu, products=(marked, *rest))


def _in_blocks(compressor: zstandard.ZstdCompressor, payload: bytes) -> bytes:
    from weedhounds.codec.dictionary import compress_in_blocks

    return compress_in_blocks(compressor, payload, whb_column.cuts(payload))


def _patch_of(old: bytes, new: bytes) -> bytes:
    prefix = zstandard.ZstdCompressionDict(old, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdCompressor(level=9, dict_data=prefix).compress(new)


def _ratio_table(title: str, raced: Mapping[str, Ratios]) -> Table:
    rows = tuple((origin, *(number(value) for value in each)) for origin, each in raced.items())
    columns = (
        "origin",
        "times smaller",
        "faster to encode",
        "faster to decode, typed",
        "faster to decode than dicts",
        "floor: faster to encode",
        "floor: faster to decode",
    )
    return Table(title=title, columns=columns, rows=rows)


if __name__ == "__main__":
    sys.exit(run_bench(bench, None))

"""Bulk import: recorded answers of an origin, from files into the tiers, without a network.

Imported entries are pinned: they leave only by purge or by the storage limit of their origin's
terms. Importing the same file again changes nothing. An entry's time is when the origin gave
the data: the caller's option, else what the answer says, else the date in the file's name, else
the newest item's update, else the file's own time.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from weedhounds import sources
from weedhounds.cache.entry import Entry
from weedhounds.clock import Clock
from weedhounds.errors import BadInput, Corrupt, SourceError
from weedhounds.model.datatypes import LIFETIMES, DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import Terms
from weedhounds.model.records import (
    Body,
    LabResultList,
    Menu,
    PriceList,
    Shop,
    ShopList,
    ShopRef,
    StrainList,
)
from weedhounds.readthrough import ReadThrough, Trace
from weedhounds.sources.assemble import menu_bodies, shop_cell
from weedhounds.sources.base import Kind, Parsed, Skipped
from weedhounds.sources.shops_csv import ShopTable

MAX_FILE_BYTES = 512 * 2**20
_DATE = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01]))?")
_BATCH = 500
_MAX_SKIPPED = 1000


class ImportReport(msgspec.Struct, kw_only=True):
    """What an import did. ``skipped`` holds at most 1,000 items; ``skipped_total`` counts all."""

    origin: str
    files: int = 0
    records: int = 0
    offers: int = 0
    entries: int = 0
    unchanged: int = 0
    shops: int = 0
    not_placed: list[str] = []
    skipped_total: int = 0
    skipped: list[Skipped] = []
    failed: list[Skipped] = []


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to read the files: kind of answer, currency of unmarked prices, time of the data (Unix seconds)."""

    kind: Kind | None = None
    currency: str = "USD"
    observed_at: float | None = None
    shops: ShopTable | None = None


def read_file(path: Path) -> bytes:
    """Return a file's bytes, decompressed where it ends in ``.gz``.

    Raises:
        BadInput: it cannot be read, or is larger than 512 MB.
    """
    try:
        if path.suffix != ".gz":
            if path.stat().st_size > MAX_FILE_BYTES:
                raise BadInput(f"{path} is larger than {MAX_FILE_BYTES >> 20} MB")
            return path.read_bytes()
        with gzip.open(path) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise BadInput(f"{path} is larger than {MAX_FILE_BYTES >> 20} MB decompressed")
    return data


def observed_at(path: Path, parsed: Parsed) -> float:
    """Return the Unix time of a recorded answer's data, as far as file and answer tell."""
    if parsed.observed_at is not None:
        return parsed.observed_at
    dated = _DATE.search(path.name)
    if dated:
        try:
            return datetime(int(dated[1]), int(dated[2]), int(dated[3] or 1), tzinfo=UTC).timestamp()
        except ValueError:
            pass
    updates = [p.updated_at for p in parsed.products if p.updated_at]
    return max(updates) if updates else path.stat().st_mtime


class Importer:
    """Imports files of one origin into the tiers of a read path."""

    def __init__(self, read: ReadThrough, origin: str, terms: Terms, options: ImportOptions, *, clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._origin = origin
        self._terms = terms
        self._options = options
        self._report = ImportReport(origin=origin)

    async def run(self, paths: Sequence[Path], *, progress: Callable[[int, int], None] | None = None) -> ImportReport:
        """Import the files in order; a file that cannot be used is reported and the rest goes on.

        Args:
            progress: called with (files done, files in all).
        """
        for done, path in enumerate(paths):
            if progress:
                progress(done, len(paths))
            try:
                bodies, observed = await asyncio.to_thread(self._bodies, path)
            except (BadInput, SourceError) as error:
                self._report.failed.append(Skipped(path.name, str(error)))
                continue
            await self._store(bodies, observed)
            self._report.files += 1
        if progress:
            progress(len(paths), len(paths))
        self._report.not_placed = sorted(set(self._report.not_placed))
        return self._report

    def _bodies(self, path: Path) -> tuple[dict[RecordKey, Body], float]:
        parsed = sources.parse(self._origin, read_file(path), self._options.kind, self._options.currency)
        self._count(parsed, path)
        bodies: dict[RecordKey, Body] = {}
        for shop in self._shops(parsed, path):
            bodies[RecordKey(DataType.DISPENSARY_INFO, self._origin, shop.id)] = ShopList(
                origin=self._origin, cell=shop_cell(shop) or "", shops=(shop,)
            )
            self._report.shops += 1
            if shop.lat is None:
                self._report.not_placed.append(f"{shop.name} ({shop.id})")
        for shop_id, part in _by_shop(parsed).items():
            bodies |= menu_bodies(self._origin, shop_id, part.products, part.prices)
        for strain in parsed.strains:
            key = RecordKey(DataType.STRAIN_DATA, self._origin, strain.slug)
            bodies[key] = StrainList(origin=self._origin, strains=(strain,))
        for result in parsed.lab_results:
            key = RecordKey(DataType.LAB_RESULTS, self._origin, result.id)
            bodies[key] = LabResultList(origin=self._origin, results=(result,))
        observed = self._options.observed_at
        return bodies, round(observed_at(path, parsed) if observed is None else observed, 3)  # tiers keep milliseconds

    def _count(self, parsed: Parsed, path: Path) -> None:
        self._report.records += len(parsed.records())
        self._report.offers += len(parsed.prices)
        self._report.skipped_total += len(parsed.skipped)
        room = _MAX_SKIPPED - len(self._report.skipped)
        self._report.skipped += [Skipped(f"{path.name}: {s.where}", s.why) for s in parsed.skipped[:room]]

    def _shops(self, parsed: Parsed, path: Path) -> Iterable[Shop]:
        """Return the shops that the answer tells of, each filled in from the table of shops where it is there.

        A menu belongs to the shop that the table names for its file: an origin may answer with the menu
        of a chain's first shop, whose id then stands in the answer.
        """
        table = self._options.shops
        is_menu = not (parsed.shops_of or parsed.shops or parsed.strains or parsed.lab_results or parsed.brands)
        if table is not None and is_menu:
            known = table.find(self._origin, path.name, parsed.shop_id)
            parsed.shop_id = known.id if known else parsed.shop_id
        refs = {ref.id: ref for ref in parsed.shops_of.values()}
        if parsed.shop_id is not None:
            key = RecordKey(DataType.DISPENSARY_INFO, self._origin, parsed.shop_id)
            refs.setdefault(parsed.shop_id, ShopRef(key=str(key), id=parsed.shop_id))
        shops = {shop.id: shop for shop in parsed.shops}
        for ref in refs.values():
            known = table.find(self._origin, path.name if is_menu else "", ref.id) if table is not None else None
            shops.setdefault(ref.id, known or _shop_of(self._origin, ref))
        return shops.values()

    async def _store(self, bodies: Mapping[RecordKey, Body], observed: float) -> None:
        keys = list(bodies)
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            held = (await self._read.get_many(batch, deadline=None, trace=Trace(), offline=True)).found
            old = {key: found.entry for key, found in held.items()}
            entries = await asyncio.to_thread(self._entries, {key: bodies[key] for key in batch}, old, observed)
            joined = [e.key for e in entries if e.key in old and e.fetched_at < old[e.key].fetched_at]
            await self._read.discard(joined)  # tiers keep the newer of two entries; a joined one is as old as its parts
            await self._read.fill(entries)
            for key in batch:
                body = bodies[key]
                if isinstance(body, PriceList):  # as this file tells it, not as it was joined with others
                    self._read.observe_part(key, body, observed, old.get(key))
            self._report.entries += len(entries)

    def _entries(
        self, bodies: Mapping[RecordKey, Body], held: Mapping[RecordKey, Entry], observed: float
    ) -> list[Entry]:
        entries = []
        for key, body in bodies.items():
            entry = self._entry(key, body, held.get(key), observed)
            if entry is None:
                self._report.unchanged += 1
            else:
                entries.append(entry)
        return entries

    def _entry(self, key: RecordKey, body: Body, old: Entry | None, observed: float) -> Entry | None:
        """Return the entry to store; ``None`` where what is held says the same."""
        if old is not None:
            merged = _merged(old, body, is_newer=observed >= old.fetched_at)
            if merged != body and merged is not None:
                observed = min(observed, old.fetched_at)
                body = merged
        entry = Entry.of(
            key,
            body,
            fetched_at=observed,
            expires_at=observed + LIFETIMES[key.data_type].base_s,
            share=self._terms.share,
            pinned_at=self._clock.now() if old is None or old.pinned_at is None else old.pinned_at,
        )
        is_same = old is not None and old.pinned and old.digest == entry.digest and old.fetched_at <= observed
        return None if is_same else entry


def _merged(old: Entry, body: Body, *, is_newer: bool) -> Body | None:
    """Join menus and price lists item by item: several answers may each hold a part of a shop's menu."""
    try:
        held = old.record
    except Corrupt:
        return None
    if isinstance(held, Menu) and isinstance(body, Menu):
        first, second = (body, held) if is_newer else (held, body)
        bodies = menu_bodies(body.origin, body.shop_id, [*first.products, *second.products], [])
        return bodies[RecordKey(DataType.DISPENSARY_MENU, body.origin, body.shop_id)]
    if isinstance(held, PriceList) and isinstance(body, PriceList):
        first_prices, second_prices = (body, held) if is_newer else (held, body)
        rows = {(p.product_id, p.variant_label, p.market): p for p in (*second_prices.prices, *first_prices.prices)}
        return PriceList(origin=body.origin, shop_id=body.shop_id, prices=tuple(rows[r] for r in sorted(rows)))
    if isinstance(body, ShopList) and isinstance(held, ShopList) and _is_bare(body):
        return held
    return body if is_newer else held


def _is_bare(shops: ShopList) -> bool:
    """Tell whether a shop's record knows no more than its id (made for a menu that tells no more)."""
    return all(shop.lat is None and not (shop.slug or shop.city or shop.address) for shop in shops.shops)


def _by_shop(parsed: Parsed) -> dict[str, Parsed]:
    """Split products and prices by the shop that offers them; what no shop offers is left out."""
    if parsed.shop_id is not None:
        return {parsed.shop_id: parsed}
    products = {p.id: p for p in parsed.products}
    parts: dict[str, Parsed] = defaultdict(Parsed)
    for price in parsed.prices:
        ref = parsed.shops_of.get(price.product_id)
        if ref is not None:
            parts[ref.id].products.append(products[price.product_id])
            parts[ref.id].prices.append(price)
    return parts


def _shop_of(origin: str, ref: ShopRef) -> Shop:
    return Shop(
        key=ref.key,
        origin=origin,
        id=ref.id,
        name=ref.name or f"{origin} shop {ref.id}",
        address=ref.address,
        lat=ref.lat,
        lon=ref.lon,
    )

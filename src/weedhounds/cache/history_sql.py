"""The history of prices in the database of the SQL tier: compact rows, appended behind.

A row names its shop and offer (product x variant x market) by number, and holds a price as its
decimal digits and their scale in one integer, so that "35.00" comes back as "35.00". Rows of one
shop lie in order of time. Of two rows of one offer and moment the first is kept.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial

import blake3
import msgspec

from weedhounds.cache import purge, rows
from weedhounds.cache.history import MAX_CHANGES, PriceChange
from weedhounds.cache.purge import Scope
from weedhounds.cache.rows import MAX_MS, milliseconds, storable
from weedhounds.cache.totals import Totals, lock_totals
from weedhounds.cache.work import Ask, Backend, Do, DoMany, Row, Work, ask_in, delete_in
from weedhounds.cache.write_behind import WriteBehind
from weedhounds.clock import Clock
from weedhounds.model.keys import DIGEST_BYTES, MAX_KEY_BYTES, RecordKey
from weedhounds.model.records import Market

MAX_WAITING = 50_000
"""Changes that may wait for a commit; an addition beyond waits for one itself."""
MAX_ROWS = 50_000_000
"""Default for the rows of all shops (about 30 bytes each in SQLite); further ones are refused."""
MAX_NAME_BYTES = 8192
MAX_CURRENCY_BYTES = 16
DROP_BATCH = 1000
"""Rows that are dropped in one transaction; those of one moment and shop go together."""
CLEAN_AFTER_S = 86_400.0
"""How often offers and shops without rows are looked for."""
_SCALE_BITS = 5
_MAX_PACKED = 2**62
_ITEM = ("digest", "key_id", "product_id", "variant_label", "market")
_CHANGE = ("key_id", "at_ms", "item_id", "currency", "price", "list_price", "in_stock", "quantity")


class _Item(msgspec.Struct, frozen=True, gc=False):
    """An offer of a shop, and the digest that stands for it."""

    digest: bytes
    shop: bytes
    product_id: str
    variant_label: str
    market: str


class _Change(msgspec.Struct, frozen=True, gc=False):
    """A change that waits: as it was given, and as it is stored."""

    change: PriceChange
    item: _Item
    at_ms: int
    values: tuple[str, int | None, int | None, int | None, float | None]


class SqlHistory:
    """A :class:`weedhounds.cache.history.HistoryStore` in the database of the SQL tier.

    Make it before the backend is opened. Rows are readable at once and committed with the tier's entries.

    Args:
        clock: says when offers without rows are looked for.
        max_rows: what the table may hold.

    Bounds: ``max_rows`` in the database, ``MAX_WAITING`` in memory plus one batch.
    """

    def __init__(self, backend: Backend, *, clock: Clock, max_rows: int = MAX_ROWS) -> None:
        self._backend = backend
        self._clock = clock
        self._max_rows = max_rows
        self._cleaned_s = clock.monotonic()
        self._waiting: WriteBehind[tuple[bytes, int], _Change, int] = WriteBehind(
            self._store, self._count, lambda _: 1, max_items=MAX_WAITING, max_weight=MAX_WAITING
        )
        self.refused = 0
        """changes that cannot be stored as they are, or found the table full, since start"""
        backend.gather(self._waiting)

    async def append_many(self, changes: Sequence[PriceChange]) -> None:
        """Keep the changes; the same change again is kept once. Those that cannot be stored are counted.

        Raises:
            TierUnavailable: nothing was kept: the last commit failed, or the database is closed.
        """
        ready = await asyncio.to_thread(_pack_all, changes)  # 10 us each: a batch of baselines would hold up the loop
        await self._backend.make_room(self._waiting)
        for packed in ready:
            if packed is None:
                self.refused += 1
            elif self._waiting.get((packed.item.digest, packed.at_ms)) is None:
                self._waiting.add((packed.item.digest, packed.at_ms), packed)
        self._backend.wake()

    async def changes(
        self, key: RecordKey, *, since: float = 0.0, product_id: str | None = None, limit: int = MAX_CHANGES
    ) -> list[PriceChange]:
        """Return the changes of a shop's prices from ``since`` (Unix seconds) on, oldest first.

        Raises:
            TierUnavailable: the database cannot be read.
        """
        since_ms, most = milliseconds(since), max(0, min(limit, MAX_CHANGES))
        waiting = [
            held.change
            for held in self._waiting.items().values()
            if held.change.key == key and held.at_ms >= since_ms and product_id in (None, held.change.product_id)
        ]
        stored = await self._backend.read(lambda: _read(key, since_ms, product_id, most))
        merged = {_place(change): change for change in (*map(_in_ms, waiting), *stored)}
        return [merged[place] for place in sorted(merged)][:most]

    async def drop_before(self, moment: float) -> int:
        """Drop the changes seen before ``moment`` (Unix seconds), in small batches; return how many.

        Raises:
            TierUnavailable: not all were dropped.
        """
        moment_ms = milliseconds(moment)
        waiting = [place for place, held in self._waiting.items().items() if held.at_ms < moment_ms]
        dropped = sum(self._waiting.discard(place) for place in waiting)
        for shop, _ in await self._shops():
            dropped += await self._drop(shop, moment_ms)
        if self._clock.monotonic() - self._cleaned_s >= CLEAN_AFTER_S:
            self._cleaned_s = self._clock.monotonic()
            for shop, _ in await self._shops():
                await self._backend.write(partial(_clean, shop))
        return dropped

    async def purge(self, scopes: Sequence[Scope]) -> int:
        """Remove the changes of all shops that the scopes cover, in small batches; return how many.

        Raises:
            TierUnavailable: it may not have been done as a whole; doing it again does no harm.
        """
        waiting = [p for p, held in self._waiting.items().items() if _is_meant(held.change.key, scopes)]
        removed = sum(self._waiting.discard(place) for place in waiting)
        for shop, text in await self._shops():
            key = rows.parse_key(text)
            if key is None or _is_meant(key, scopes):
                removed += await self._drop(shop, MAX_MS)
                await self._backend.write(partial(_clean, shop))
        return removed

    async def _drop(self, shop: int, moment_ms: int) -> int:
        dropped = 0
        while count := await self._backend.write(partial(self._drop_some, shop, moment_ms)):
            dropped += count
        return dropped

    async def _shops(self) -> list[tuple[int, bytes]]:
        return await self._backend.read(_shops)

    # What follows is done by the writer, which may be a thread.

    def _count(self, refused: int) -> None:
        self.refused += refused

    def _store(self, waiting: Mapping[tuple[bytes, int], _Change], totals: Totals) -> Work[int]:
        """Write changes as far as there is room; return how many were refused."""
        dialect = self._backend.dialect
        keys = {held.item.shop: held.change.key for held in waiting.values()}
        purged = yield from purge.purged_ms_of({digest: (key, ()) for digest, key in keys.items()})
        wanted = [held for held in waiting.values() if held.at_ms > purged.get(held.item.shop, -MAX_MS)]
        accepted = wanted[: max(0, self._max_rows - totals.of("history").rows)]
        shops = yield from self._numbers(
            "history_keys", ("digest", "key"), [(held.item.shop, str(keys[held.item.shop])) for held in accepted]
        )
        offers = [(held.item, shops[held.item.shop]) for held in accepted]
        items = yield from self._numbers(
            "history_items", _ITEM, [(i.digest, shop, i.product_id, i.variant_label, i.market) for i, shop in offers]
        )
        made = [(shops[h.item.shop], h.at_ms, items[h.item.digest], *h.values) for h in accepted]
        head, tail = dialect.insert_new("history", _CHANGE, _CHANGE[:3])
        added = yield DoMany(head, sorted(made, key=lambda row: row[:3]), tail)
        yield from totals.add("history", max(0, added))
        return len(wanted) - len(accepted)

    def _numbers(self, table: str, columns: tuple[str, ...], named: Iterable[Row]) -> Work[dict[bytes, int]]:
        """Return the numbers of rows by digest, the first of their values; give one to those that have none."""
        wanted = {row[0]: row for row in named}
        sql = f"SELECT digest, id FROM {table} WHERE digest"
        known: dict[bytes, int] = dict((yield from ask_in(sql, wanted)))
        missing = [wanted[digest] for digest in sorted(wanted) if digest not in known]
        if missing:
            head, tail = self._backend.dialect.insert_new(table, columns, ("digest",))
            yield DoMany(head, missing, tail, lambda row: 100 + sum(len(v) for v in row if isinstance(v, str)))
            known |= dict((yield from ask_in(sql, [row[0] for row in missing])))
        return known

    def _drop_some(self, shop: int, moment_ms: int) -> Work[int]:
        totals = yield from lock_totals(self._backend.dialect)
        sql = "SELECT at_ms FROM history WHERE key_id = ? AND at_ms < ? ORDER BY at_ms LIMIT 1 OFFSET ?"
        boundary = yield Ask(sql, (shop, moment_ms, DROP_BATCH - 1))
        until_ms = boundary[0][0] + 1 if boundary else moment_ms
        gone = yield Do("DELETE FROM history WHERE key_id = ? AND at_ms < ?", (shop, until_ms))
        yield from totals.add("history", -gone)
        return int(gone)


def _pack_all(changes: Sequence[PriceChange]) -> list[_Change | None]:
    return [_pack(change) for change in changes]


def _shops() -> Work[list[tuple[int, bytes]]]:
    found = yield Ask("SELECT id, `key` FROM history_keys ORDER BY id")
    return [(int(number), text) for number, text in found]


def _clean(shop: int) -> Work[None]:
    """Remove the offers of a shop, and the shop, that have no rows any more."""
    held = {item for (item,) in (yield Ask("SELECT DISTINCT item_id FROM history WHERE key_id = ?", (shop,)))}
    items = yield Ask("SELECT id FROM history_items WHERE key_id = ?", (shop,))
    yield from delete_in("history_items", "id", [item for (item,) in items if item not in held])
    if not held:
        yield Do("DELETE FROM history_keys WHERE id = ?", (shop,))


def _read(key: RecordKey, since_ms: int, product_id: str | None, limit: int) -> Work[list[PriceChange]]:
    shops = yield Ask("SELECT id FROM history_keys WHERE digest = ?", (key.digest,))
    if not shops:
        return []
    condition, values = ("", ()) if product_id is None else (" AND i.product_id = ?", (storable_name(product_id),))
    found = yield Ask(
        "SELECT h.at_ms, i.product_id, i.variant_label, i.market, h.currency, h.price, h.list_price, h.in_stock,"
        " h.quantity FROM history AS h JOIN history_items AS i ON i.id = h.item_id"
        f" WHERE h.key_id = ? AND h.at_ms >= ?{condition}"
        " ORDER BY h.at_ms, i.product_id, i.variant_label, i.market LIMIT ?",
        (shops[0][0], since_ms, *values, limit),
    )
    changes = (_unpack(key, row) for row in found)
    return [change for change in changes if change is not None]


def storable_name(text: str) -> str | None:
    """Return a product's or variant's name as it is stored; ``None`` where it is too long."""
    return storable(text, MAX_NAME_BYTES)


def _pack(change: PriceChange) -> _Change | None:
    """Return a change as it is stored, or ``None`` where it cannot be."""
    product_id, variant, currency = (
        storable_name(change.product_id), storable_name(change.variant_label), storable(change.currency, MAX_CURRENCY_BYTES)
    )  # fmt: skip
    price, list_price = pack_price(change.price), pack_price(change.list_price)
    is_packed = (change.price is None) == (price is None) and (change.list_price is None) == (list_price is None)
    quantity = change.quantity
    if product_id is None or variant is None or currency is None or not is_packed:
        return None
    if len(str(change.key)) > MAX_KEY_BYTES:
        return None
    if not math.isfinite(change.at) or (quantity is not None and not math.isfinite(quantity)):
        return None
    shop = change.key.digest
    named = b"\0".join((shop, product_id.encode(), variant.encode(), change.market.encode()))
    item = _Item(blake3.blake3(named).digest(DIGEST_BYTES), shop, product_id, variant, change.market)
    in_stock = None if change.in_stock is None else int(change.in_stock)
    return _Change(change, item, milliseconds(change.at), (currency, price, list_price, in_stock, quantity))


def pack_price(price: Decimal | None) -> int | None:
    """Return the digits of a price and their scale in one integer; ``None`` for no price or one that does not fit.

    Example:
        >>> unpack_price(pack_price(Decimal("35.00")))
        Decimal('35.00')
    """
    if price is None or not price.is_finite():
        return None
    sign, digits, exponent = price.as_tuple()
    if not isinstance(exponent, int) or not -(2**_SCALE_BITS) < exponent <= 18 or len(digits) > 19:
        return None
    mantissa = int("".join(map(str, digits))) * 10 ** max(0, exponent) * (-1 if sign else 1)
    packed = (mantissa << _SCALE_BITS) | max(0, -exponent)
    return packed if abs(packed) < _MAX_PACKED else None


def unpack_price(packed: int | None) -> Decimal | None:
    """Return the price that :func:`pack_price` made an integer of."""
    if packed is None:
        return None
    return Decimal(packed >> _SCALE_BITS).scaleb(-(packed & (2**_SCALE_BITS - 1)))


def _unpack(key: RecordKey, row: Row) -> PriceChange | None:
    """Return the change of a row, or ``None`` for a damaged one."""
    at_ms, product_id, variant, market, currency, price, list_price, in_stock, quantity = row
    numbers = (at_ms, price or 0, list_price or 0, in_stock or 0)
    texts = (product_id, variant, market, currency)
    if any(type(number) is not int for number in numbers) or any(type(text) is not bytes for text in texts):
        return None
    markets: dict[bytes, Market] = {b"rec": "rec", b"med": "med"}
    if market not in markets:
        return None
    return PriceChange(
        key=key,
        at=at_ms / 1000,
        product_id=product_id.decode(errors="replace"),
        variant_label=variant.decode(errors="replace"),
        market=markets[market],
        currency=currency.decode(errors="replace"),
        price=unpack_price(price),
        list_price=unpack_price(list_price),
        in_stock=None if in_stock is None else bool(in_stock),
        quantity=quantity if isinstance(quantity, float) else None,
    )


def _place(change: PriceChange) -> tuple[float, str, str, str]:
    return change.at, change.product_id, change.variant_label, change.market


def _in_ms(change: PriceChange) -> PriceChange:
    """Return a change with the moment that it is stored with."""
    return msgspec.structs.replace(change, at=milliseconds(change.at) / 1000)


def _is_meant(key: RecordKey, scopes: Sequence[Scope]) -> bool:
    return any(scope.covers(key, ()) for scope in scopes)

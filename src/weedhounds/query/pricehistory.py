"""From rows of changes to the answer "price over time". Pure, but for the store that is read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from weedhounds.cache.changes import OfferId, is_same, milliseconds, offer_id, replay
from weedhounds.cache.history import MAX_CHANGES, HistoryStore, PriceChange
from weedhounds.errors import BadInput
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Market
from weedhounds.model.units import Money

MAX_POINTS = 1000
"""Most points of one answer; a cursor leads to the next ones."""
_CURSOR = re.compile(r"(\d{1,14})-(\d{1,5})", re.ASCII)
_NUMBER = re.compile(r"\d{1,11}(\.\d*)?", re.ASCII)
_MAX_TIME = 1e11


class PricePoint(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What one product x variant x market was seen to become; without ``price`` it was no longer listed.

    ``at`` is Unix seconds of the fetch that saw it: the change itself lies between the fetch before and this.
    """

    at: float
    product_id: str
    variant_label: str
    market: Market
    price: Money | None
    list_price: Money | None
    in_stock: bool | None
    quantity: float | None


class PriceHistory(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The observed prices of one shop at one origin, oldest first.

    ``key`` and ``origin`` say where every point comes from. ``opening`` holds what was in force at
    ``since`` (Unix seconds); ``None`` on further pages, and where too much lies before to be read.
    """

    key: str
    origin: str
    attribution: str | None
    since: float
    opening: tuple[PricePoint, ...] | None
    changes: tuple[PricePoint, ...]
    next_cursor: str | None = None


class HistoryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A checked question; ``after`` is where the page begins: a moment, and how many rows of it were given."""

    key: RecordKey
    since: float
    product_id: str | None
    limit: int
    after: tuple[float, int] | None

    @classmethod
    def of(
        cls, key: RecordKey, since: float, *, product_id: str | None = None, limit: int | None = None,
        cursor: str | None = None,
    ) -> HistoryRequest:  # fmt: skip
        """Check a question.

        Raises:
            BadInput: a time, limit or cursor that cannot be used.
        """
        if not math.isfinite(since) or abs(since) > _MAX_TIME:
            raise BadInput(f"since is no time: {since!r}", key=str(key))
        if limit is not None and not 1 <= limit <= MAX_POINTS:
            raise BadInput(f"limit must be 1 to {MAX_POINTS}, not {limit}", key=str(key))
        return cls(
            key=key,
            since=max(0.0, milliseconds(since)),
            product_id=product_id,
            limit=limit or MAX_POINTS,
            after=None if cursor is None else _after(cursor, key),
        )


def parse_time(text: str) -> float:
    """Return the Unix seconds that ``text`` states: a number, or ISO 8601 (without a zone: UTC).

    Raises:
        BadInput: it is neither.

    Example:
        >>> parse_time("1750000000"), parse_time("2025-06-15T15:06:40Z"), parse_time("2025-06-15")
        (1750000000.0, 1750000000.0, 1749945600.0)
    """
    for spelled in (text, "+".join(text.rsplit(" ", 1))):  # "+" of a zone that came decoded as a space
        try:
            return float(spelled) if _NUMBER.fullmatch(spelled) else _iso(spelled)
        except (ValueError, OverflowError):
            continue
    raise BadInput(f"not a time: {text!r:.60} (expected ISO 8601 or Unix seconds)")


def _iso(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _after(cursor: str, key: RecordKey) -> tuple[float, int]:
    match = _CURSOR.fullmatch(cursor)
    if not match:
        raise BadInput("not a cursor of this answer", key=str(key))
    return int(match[1]) / 1000, int(match[2])


async def price_history(
    store: HistoryStore, request: HistoryRequest, *, attribution: str | None = None
) -> PriceHistory | None:
    """Return one page of a shop's observed prices; ``None`` where nothing was ever observed.

    Raises:
        TierUnavailable: the store cannot be read.
    """
    key, product = request.key, request.product_id
    opening: dict[OfferId, PriceChange] | None = None
    if request.after is None:
        if not await store.changes(key, product_id=product, limit=1):
            return None
        opening = await _opening(store, request)
    rows, cursor = await _page(store, request)
    return PriceHistory(
        key=str(key),
        origin=key.origin,
        attribution=attribution,
        since=request.since,
        opening=None if opening is None else tuple(_point(row) for row in opening.values()),
        changes=tuple(_point(row) for row in _changed(rows, opening or {})),
        next_cursor=cursor,
    )


async def _opening(store: HistoryStore, request: HistoryRequest) -> dict[OfferId, PriceChange] | None:
    """Return the state at ``since``, that moment's own changes left out."""
    if request.since == 0:
        return {}
    rows = await store.changes(request.key, product_id=request.product_id, limit=MAX_CHANGES)
    before = [row for row in rows if row.at < request.since]
    return None if len(before) == MAX_CHANGES else replay(before)


async def _page(store: HistoryStore, request: HistoryRequest) -> tuple[list[PriceChange], str | None]:
    """Return the rows of a page, and the cursor of the next one."""
    since, given = request.after or (request.since, 0)
    wanted = min(request.limit, MAX_CHANGES - 1 - given)
    if wanted < 1:  # more rows of one moment than a store gives: cannot be
        return [], None
    found = await store.changes(request.key, since=since, product_id=request.product_id, limit=given + wanted + 1)
    rows, further = found[given : given + wanted], found[given + wanted :]
    if not further:
        return rows, None
    at = rows[-1].at
    count = sum(row.at == at for row in rows) + (given if at == since else 0)
    return rows, f"{round(at * 1000)}-{count}"


def _changed(rows: Iterable[PriceChange], before: dict[OfferId, PriceChange]) -> Iterable[PriceChange]:
    """Yield the rows that say something new: a shop's whole list is recorded again now and then."""
    last = dict(before)
    for row in rows:
        offer = offer_id(row)
        if offer not in last or not is_same(last[offer], row):
            yield row
        last[offer] = row


def _point(row: PriceChange) -> PricePoint:
    return PricePoint(
        at=row.at,
        product_id=row.product_id,
        variant_label=row.variant_label,
        market=row.market,
        price=_money(row.price, row.currency),
        list_price=_money(row.list_price, row.currency),
        in_stock=row.in_stock,
        quantity=row.quantity,
    )


def _money(amount: Decimal | None, currency: str) -> Money | None:
    return None if amount is None else Money(amount, currency)

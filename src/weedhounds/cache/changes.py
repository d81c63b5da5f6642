"""What differs between two price lists, and what a row of changes adds up to. Pure.

A *state* is what a shop was seen to list at one moment: for each offer the row that says so.
Replaying rows gives a state; the difference of two states gives rows. Both ways agree: replaying
a baseline and every difference since rebuilds each state that was seen.

History keeps what a price list says of money and stock. Amounts in other units and the names of
promotions are the menu's to tell and are not kept.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

import msgspec

from weedhounds.cache.history import PriceChange
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Market, Price, PriceList

OfferId = tuple[str, str, Market]
"""Product id, variant label and market: unique within one price list."""

State = Mapping[OfferId, PriceChange]
"""The offers listed at one moment, each with the row that tells its price and stock."""


def offer_id(row: PriceChange | Price) -> OfferId:
    """Return which offer of its shop a row or price is of."""
    return row.product_id, row.variant_label, row.market


def milliseconds(at: float) -> float:
    """Return Unix seconds cut to the milliseconds that every store keeps."""
    return round(at, 3)


def state_of(key: RecordKey, prices: PriceList, at: float) -> dict[OfferId, PriceChange]:
    """Return what a price list, seen at ``at`` (Unix seconds), says; of an offer told twice the first counts."""
    seen: dict[OfferId, PriceChange] = {}
    for price in prices.prices:
        seen.setdefault(offer_id(price), _row(key, price, at))
    return seen


def _row(key: RecordKey, price: Price, at: float) -> PriceChange:
    currency = price.price.currency
    return PriceChange(
        key=key,
        at=at,
        product_id=price.product_id,
        variant_label=price.variant_label,
        market=price.market,
        currency=currency,
        price=price.price.amount,
        list_price=price.list_price.amount if price.list_price.currency == currency else None,
        in_stock=price.in_stock,
        quantity=price.quantity,
    )


def is_same(one: PriceChange, other: PriceChange) -> bool:
    """Tell whether two rows of one offer say the same, whenever they were seen."""
    return (
        one.price == other.price
        and one.list_price == other.list_price
        and one.currency == other.currency
        and one.in_stock is other.in_stock
        and one.quantity == other.quantity
    )


def difference(before: State, after: State, at: float, *, is_whole: bool = True) -> list[PriceChange]:
    """Return the rows that lead from one state to another, all seen at ``at`` (Unix seconds).

    Args:
        is_whole: ``after`` is all that the shop lists: what is not in it has vanished. A part of a
            list proves no absence.
    """
    changed = [row for offer, row in after.items() if offer not in before or not is_same(before[offer], row)]
    return [*changed, *vanished(before, after, at)] if is_whole else changed


def vanished(before: State, after: Collection[OfferId], at: float) -> list[PriceChange]:
    """Return a row without a price for each offer that is no longer listed at ``at`` (Unix seconds)."""
    return [_gone(row, at) for offer, row in before.items() if offer not in after]


def _gone(row: PriceChange, at: float) -> PriceChange:
    return msgspec.structs.replace(row, at=at, price=None, list_price=None, in_stock=None, quantity=None)


def replay(rows: Iterable[PriceChange], *, until: float = math.inf) -> dict[OfferId, PriceChange]:
    """Return the state at ``until`` (Unix seconds, included) that rows, oldest first, add up to."""
    state: dict[OfferId, PriceChange] = {}
    for row in rows:
        if row.at > until:
            break
        if row.price is None:
            state.pop(offer_id(row), None)
        else:
            state[offer_id(row)] = row
    return state


def insertion(
    rows: Collection[PriceChange], seen: State, at: float, *, next_at: float | None, is_whole: bool = True
) -> list[PriceChange]:
    """Return the rows that put a state seen at ``at`` in its place among rows that are kept already.

    What was known to hold at the next observation holds there again: a state that arrives late
    changes nothing after it. Of two states seen in the same millisecond the first counts.

    Args:
        rows: all that is kept of the shop, oldest first.
        at, next_at: Unix seconds of this observation and of the next one that is known.
        is_whole: as in :func:`difference`; an offer that only a part of a list tells of is not taken
            to be gone at ``next_at``.
    """
    taken = {offer_id(row) for row in rows if row.at == at}
    before = replay(rows, until=at)
    placed = [row for row in difference(before, seen, at, is_whole=is_whole) if offer_id(row) not in taken]
    if next_at is None:
        return placed
    settled = {offer_id(row) for row in rows if row.at == next_at}
    return [*placed, *_restored(placed, before, settled, next_at, is_whole=is_whole)]


def _restored(
    placed: Iterable[PriceChange], before: State, settled: Collection[OfferId], next_at: float, *, is_whole: bool
) -> list[PriceChange]:
    """Return what is true again at ``next_at`` of the offers that an inserted state changed."""
    restored = []
    for row in placed:
        offer = offer_id(row)
        held = before.get(offer)
        if offer in settled or (held is None and not is_whole):
            continue
        restored.append(_gone(row, next_at) if held is None else msgspec.structs.replace(held, at=next_at))
    return restored

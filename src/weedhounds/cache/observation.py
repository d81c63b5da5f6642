"""One observed price list, and the rows that it comes to. Pure; runs beside the event loop."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from weedhounds.cache import changes
from weedhounds.cache.entry import Entry
from weedhounds.cache.history import MAX_CHANGES, PriceChange
from weedhounds.codec import decode_body
from weedhounds.errors import CodecError, Corrupt
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import PriceList

MAX_OFFERS = MAX_CHANGES // 2
"""Most offers of one price list that are recorded: all new and all old ones are one page of a store."""


class Seen(msgspec.Struct, frozen=True, gc=False):
    """An observation: a whole price list as an entry, or a part of one; ``old`` is the entry held before it."""

    key: RecordKey
    at: float
    source: Entry | PriceList
    old: Entry | None

    @property
    def is_whole(self) -> bool:
        """Tell whether it is all that the shop lists."""
        return isinstance(self.source, Entry)

    @property
    def digest(self) -> bytes | None:
        """Return the digest of a whole list."""
        return self.source.digest if isinstance(self.source, Entry) else None


class Step(msgspec.Struct, frozen=True, gc=False):
    """One observation and what it is compared with.

    Args:
        before: the last state; ``None`` for what ``rows``, all that is kept of the shop, add up to.
        next_at: Unix seconds of the next observation, for one that came late.
        is_baseline: the whole list is to be recorded again.
    """

    seen: Seen
    before: bytes | Entry | None
    rows: Sequence[PriceChange] = ()
    next_at: float | None = None
    is_baseline: bool = False


def rows_of(steps: Sequence[Step]) -> list[list[PriceChange] | None]:
    """Return the rows of each step; ``None`` where a record cannot be used. Runs beside the event loop."""
    outcomes: list[list[PriceChange] | None] = []
    for step in steps:
        try:
            outcomes.append(_difference(step))
        except CodecError:
            outcomes.append(None)
    return outcomes


def _difference(step: Step) -> list[PriceChange]:
    seen = step.seen
    after = _state(seen.key, _prices(seen.source), seen.at)
    if step.before is None and not step.is_baseline:
        return changes.insertion(step.rows, after, seen.at, next_at=step.next_at, is_whole=seen.is_whole)
    before = changes.replay(step.rows) if step.before is None else _state(seen.key, _prices(step.before), seen.at)
    if step.is_baseline:
        return [*after.values(), *changes.vanished(before, after, seen.at)]
    return changes.difference(before, after, seen.at)


def _state(key: RecordKey, prices: PriceList, at: float) -> changes.State:
    if len(prices.prices) > MAX_OFFERS:
        raise Corrupt(f"more than {MAX_OFFERS} offers", key=str(key))
    return changes.state_of(key, prices, at)


def _prices(source: Entry | PriceList | bytes) -> PriceList:
    record: object = source
    if isinstance(source, Entry):
        record = source.decode()  # kept by nobody: the tiers weigh what an entry holds
    elif isinstance(source, bytes):
        record = decode_body(source)
    if not isinstance(record, PriceList):
        raise Corrupt("a price list was expected")
    return record

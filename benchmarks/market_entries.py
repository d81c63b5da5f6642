"""Menus and price lists of the sandbox's markets as entries, made in this process."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from weedhounds.cache.entry import Entry
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.sandbox.market import Market
from weedhounds.sandbox.truth import Truth

NOW = 1_750_000_000.0
KINDS = (DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING)


def market_entries(count: int) -> Iterator[Entry]:
    """Yield ``count`` entries, menus and price lists in turn, of as many markets as are needed; 3 ms each."""
    seed = made = 0
    while made < count:
        seed += 1
        market = Market(seed)
        truth = Truth(market)
        for listing in market.listings:
            for kind in KINDS:
                if made == count:
                    return
                made += 1
                record = truth.record(RecordKey(kind, listing.origin, listing.id), NOW)
                key = RecordKey(kind, listing.origin, f"{seed}.{listing.id}")
                yield Entry.of(key, record, fetched_at=NOW, expires_at=NOW + 3600)


def menu_of_about(length: int, seed: int = 1) -> RecordKey:
    """Return the key of the menu in the market of ``seed`` whose JSON is nearest to ``length`` bytes."""
    market = Market(seed)
    truth = Truth(market)
    keys = [RecordKey(DataType.DISPENSARY_MENU, listing.origin, listing.id) for listing in market.listings]
    return min(keys, key=lambda key: abs(len(msgspec.json.encode(truth.record(key, NOW))) - length))

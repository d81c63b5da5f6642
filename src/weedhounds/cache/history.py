"""Observed changes of price and stock, kept so that "price of X over time" can be answered.

Append-only: a row says what one product x variant x market cost from a moment on, as this node
saw it. What is not seen (changes between two fetches) is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Market

MAX_CHANGES = 10_000
"""Most changes in one answer."""


class PriceChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one product x variant x market was seen to become.

    Args:
        key: the ``product_pricing`` key of the shop.
        at: Unix seconds of the fetch that saw it.
        price, list_price: ``None`` where the offer was no longer listed.
        in_stock, quantity: as in :class:`weedhounds.model.records.Price`.
    """

    key: RecordKey
    at: float
    product_id: str
    variant_label: str
    market: Market
    currency: str
    price: Decimal | None
    list_price: Decimal | None
    in_stock: bool | None = None
    quantity: float | None = None


class HistoryStore(Protocol):
    """Where changes are kept; one implementation for each SQL backend, and one in memory."""

    async def append_many(self, changes: Sequence[PriceChange]) -> None:
        """Keep the changes; the same change again is kept once.

        Raises:
            TierUnavailable: nothing was kept.
        """
        ...

    async def changes(
        self, key: RecordKey, *, since: float = 0.0, product_id: str | None = None, limit: int = MAX_CHANGES
    ) -> list[PriceChange]:
        """Return the changes of a shop's prices from ``since`` (Unix seconds) on, oldest first.

        Raises:
            TierUnavailable: the backend failed.
        """
        ...

    async def drop_before(self, moment: float) -> int:
        """Drop the changes seen before ``moment`` (Unix seconds), in small batches; return how many."""
        ...

"""Observed changes of price and stock in memory: bounded, and gone with the process."""

from __future__ import annotations

import asyncio
import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

from weedhounds.cache.history import MAX_CHANGES, PriceChange
from weedhounds.model.keys import RecordKey

MAX_ROWS = 100_000
"""Most changes held in memory, of all shops together (about 450 bytes each)."""
DROP_BATCH = 1_000
"""Changes dropped before other work gets its turn."""
_MAKE_ROOM_FRAC = 1 / 16
"""Share that leaves when the bound is reached: finding the oldest looks at all rows, so not for each one."""


def _place(row: PriceChange) -> tuple[float, str, str, str]:
    """Return where a row stands among those of its shop; equal for two rows of one offer and moment."""
    return row.at, row.product_id, row.variant_label, row.market


class MemoryHistory:
    """A :class:`weedhounds.cache.history.HistoryStore` in memory.

    Of two rows of one offer and moment the first is kept.

    Bounds: ``max_rows`` rows; beyond it the oldest of all shops leave.
    """

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self._max_rows = max_rows
        self._shops: dict[RecordKey, list[PriceChange]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    async def append_many(self, changes: Sequence[PriceChange]) -> None:
        """Keep the changes; the same change again is kept once."""
        for change in changes:
            rows = self._shops.setdefault(change.key, [])
            place = _place(change)
            i = len(rows) if not rows or _place(rows[-1]) < place else bisect_left(rows, place, key=_place)
            if i == len(rows) or _place(rows[i]) != place:
                insort(rows, change, lo=i, key=_place)
                self._count += 1
        if self._count > self._max_rows:
            await self._make_room()

    async def changes(
        self, key: RecordKey, *, since: float = 0.0, product_id: str | None = None, limit: int = MAX_CHANGES
    ) -> list[PriceChange]:
        """Return the changes of a shop's prices from ``since`` (Unix seconds) on, oldest first."""
        rows = self._shops.get(key, [])
        found: list[PriceChange] = []
        for i in range(bisect_left(rows, since, key=lambda row: row.at), len(rows)):
            if len(found) >= limit:
                break
            if product_id is None or rows[i].product_id == product_id:
                found.append(rows[i])
        return found

    async def drop_before(self, moment: float) -> int:
        """Drop the changes seen before ``moment`` (Unix seconds), in small batches; return how many."""
        dropped = 0
        for key in list(self._shops):
            while (count := self._drop_some(key, moment)) > 0:
                dropped += count
                await asyncio.sleep(0)
        return dropped

    def _drop_some(self, key: RecordKey, moment: float) -> int:
        rows = self._shops.get(key, [])
        count = min(DROP_BATCH, bisect_left(rows, moment, key=lambda row: row.at))
        self._cut(key, count)
        return count

    def _cut(self, key: RecordKey, count: int) -> None:
        """Let go of the oldest rows of a shop."""
        rows = self._shops.get(key, [])
        del rows[:count]
        self._count -= count
        if not rows:
            self._shops.pop(key, None)

    async def _make_room(self) -> None:
        """Let the oldest rows of all shops leave, those of one moment together."""
        surplus = self._count - self._max_rows + int(self._max_rows * _MAKE_ROOM_FRAC)
        times = (row.at for rows in self._shops.values() for row in rows)
        youngest = heapq.nsmallest(surplus, times)[-1]
        for key in list(self._shops):
            self._cut(key, bisect_right(self._shops[key], youngest, key=lambda row: row.at))

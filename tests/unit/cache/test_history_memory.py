"""The history in memory stays within its bound."""

from __future__ import annotations

from sample_prices import KEY, NOW, price, price_entry, prices
from weedhounds.cache.changes import state_of
from weedhounds.cache.history import PriceChange
from weedhounds.cache.history_memory import MemoryHistory


def rows(shop: str, at: float, count: int = 1) -> list[PriceChange]:
    record = prices(*(price(f"p{n}") for n in range(count)), shop=shop)
    return list(state_of(price_entry(record).key, record, NOW + at).values())


async def test_beyond_the_bound_the_oldest_rows_of_all_shops_leave() -> None:
    store = MemoryHistory(max_rows=100)
    for at in range(300):
        await store.append_many(rows(str(at % 3), at))
        assert len(store) <= 100
    held = [row.at - NOW for shop in "012" for row in await store.changes(rows(shop, 0)[0].key)]
    assert len(held) == len(store) >= 90
    assert min(held) == 300 - len(held)


async def test_one_moment_larger_than_the_bound_is_not_kept() -> None:
    store = MemoryHistory(max_rows=100)
    await store.append_many(rows("7", 0, count=200))
    assert len(store) == 0
    assert await store.changes(KEY) == []

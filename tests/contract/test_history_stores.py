"""What every store of price history does, whatever it keeps the changes in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

import msgspec
import pytest

from sql_kits import KINDS, kit_of
from weedhounds.cache.history import HistoryStore, PriceChange
from weedhounds.cache.history_memory import MemoryHistory
from weedhounds.cache.history_sql import SqlHistory
from weedhounds.clock import ManualClock
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey

NOW = 1_750_000_000.0
KEY = RecordKey(DataType.PRODUCT_PRICING, "weedmaps", "7")
OTHER = RecordKey(DataType.PRODUCT_PRICING, "weedmaps", "Größe/1:a b")


def change(at: float = 0.0, product: str = "p1", price: str | None = "35.00", **fields: object) -> PriceChange:
    """Return a change of shop 7, ``at`` seconds after ``NOW``."""
    made = PriceChange(
        key=KEY,
        at=NOW + at,
        product_id=product,
        variant_label="1/8 oz",
        market="rec",
        currency="USD",
        price=None if price is None else Decimal(price),
        list_price=None if price is None else Decimal("40.00"),
    )
    return msgspec.structs.replace(made, **fields)


@pytest.fixture(params=["memory", *(f"{kind}, {state}" for kind in KINDS for state in ("waiting", "committed"))])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[HistoryStore]:
    """Yield each store in turn; those of SQL once with rows that wait and once with committed ones."""
    if request.param == "memory":
        yield MemoryHistory()
        return
    name, _, state = request.param.partition(", ")
    backend = kit_of(name, request).backend()
    history = (_Committing if state == "committed" else SqlHistory)(backend, clock=ManualClock())
    await backend.open()
    yield history
    await backend.close()


class _Committing(SqlHistory):
    """The store in SQL, with a commit after every addition."""

    async def append_many(self, changes: Sequence[PriceChange]) -> None:
        await super().append_many(changes)
        await self._backend.flush()


async def test_an_empty_store_has_no_changes(store: HistoryStore) -> None:
    assert await store.changes(KEY) == []
    await store.append_many([])
    assert await store.drop_before(NOW) == 0


async def test_what_was_kept_comes_back_with_every_field(store: HistoryStore) -> None:
    kept = [
        change(0.123, in_stock=True, quantity=2.5),
        change(1, in_stock=False, quantity=0.0, list_price=None),
        change(2, price=None),
        change(3, price="9999999.99", currency="CAD", market="med"),
        change(4, price="0.0001", variant_label='½ "ounce"', product_id="Größe 'x'; --"),
    ]
    await store.append_many(kept)
    assert await store.changes(KEY) == kept


async def test_changes_are_told_oldest_first_however_they_came(store: HistoryStore) -> None:
    for at in (5, 1, 3):
        await store.append_many([change(at + 1), change(at)])
    assert [row.at - NOW for row in await store.changes(KEY)] == [1, 2, 3, 4, 5, 6]


async def test_the_same_change_again_is_kept_once(store: HistoryStore) -> None:
    rows = [change(1), change(1, "p2"), change(1, market="med")]
    await store.append_many(rows)
    await store.append_many([*rows, *rows])
    assert len(await store.changes(KEY)) == 3


async def test_shops_are_told_apart(store: HistoryStore) -> None:
    await store.append_many([change(1), change(1, key=OTHER), change(2, key=OTHER)])
    assert len(await store.changes(KEY)) == 1
    assert [row.key for row in await store.changes(OTHER)] == [OTHER, OTHER]


async def test_since_counts_the_moment_itself(store: HistoryStore) -> None:
    await store.append_many([change(at) for at in (1, 1.001, 2)])
    assert [round(row.at - NOW, 3) for row in await store.changes(KEY, since=NOW + 1.001)] == [1.001, 2]


async def test_one_product_alone(store: HistoryStore) -> None:
    await store.append_many([change(1, "a"), change(1, "b"), change(2, "a")])
    assert [row.at - NOW for row in await store.changes(KEY, product_id="a")] == [1, 2]
    assert await store.changes(KEY, product_id="c") == []


async def test_a_limit_takes_the_oldest(store: HistoryStore) -> None:
    await store.append_many([change(at) for at in range(10)])
    assert [row.at - NOW for row in await store.changes(KEY, since=NOW + 2, limit=3)] == [2, 3, 4]


async def test_rows_of_one_moment_come_in_the_same_order_each_time(store: HistoryStore) -> None:
    rows = [change(1, f"p{number % 7}", variant_label=f"{number}g") for number in range(100)]
    await store.append_many(rows)
    first = await store.changes(KEY)
    assert len(first) == 100
    assert await store.changes(KEY, limit=60) == first[:60]


async def test_what_is_older_than_a_moment_is_dropped_and_counted(store: HistoryStore) -> None:
    await store.append_many([*(change(at) for at in range(2_500)), change(3, key=OTHER), change(9_000, key=OTHER)])
    assert await store.drop_before(NOW + 2_400) == 2_401
    assert [row.at - NOW for row in await store.changes(KEY)] == list(range(2_400, 2_500))
    assert len(await store.changes(OTHER)) == 1
    assert await store.drop_before(NOW + 2_400) == 0

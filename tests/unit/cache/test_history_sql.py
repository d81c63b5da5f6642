"""Prices in one integer, and what the SQL history does beyond the contract of all stores."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql_kits import Kit, kit, kit_of
from weedhounds.cache import history_sql
from weedhounds.cache.history import PriceChange
from weedhounds.cache.history_sql import SqlHistory, pack_price, unpack_price
from weedhounds.clock import ManualClock
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey

__all__ = ["kit"]

NOW = 1_750_000_000.0
KEY = RecordKey(DataType.PRODUCT_PRICING, "weedmaps", "7")


def change(at: float = 0.0, **fields: object) -> PriceChange:
    made = PriceChange(
        key=KEY, at=NOW + at, product_id="p1", variant_label="1g", market="rec", currency="USD",
        price=Decimal("35.00"), list_price=None,
    )  # fmt: skip
    return msgspec.structs.replace(made, **fields)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4) | st.decimals(min_value=0, max_value=10**7, places=2))
def test_a_price_comes_back_as_it_was_written(price: Decimal) -> None:
    packed = pack_price(price)
    assert packed is not None
    back = unpack_price(packed)
    assert (back, str(back)) == (price, str(price))


@pytest.mark.parametrize("text", ["35.00", "35", "35.0", "0.0001", "9999999.9999", "0", "-1.50"])
def test_digits_and_scale_are_kept(text: str) -> None:
    assert str(unpack_price(pack_price(Decimal(text)))) == text


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1E+300", "1E-40", "123456789012345678901234"])
def test_what_is_no_price_is_refused(text: str) -> None:
    assert pack_price(Decimal(text)) is None


def test_no_price_stays_none() -> None:
    assert pack_price(None) is None
    assert unpack_price(None) is None


def test_a_common_price_takes_three_bytes() -> None:
    assert pack_price(Decimal("99.99")) < 2**23  # type: ignore[operator]


@pytest.mark.parametrize(
    "wrong",
    [
        {"price": Decimal("NaN")}, {"list_price": Decimal("1E+99")}, {"at": float("nan")}, {"at": float("inf")},
        {"quantity": float("nan")}, {"product_id": "x" * 9_000}, {"variant_label": "ü" * 4_097}, {"currency": "x" * 17},
        {"key": RecordKey(DataType.PRODUCT_PRICING, "weedmaps", "x" * 2_000)},
    ],
    ids=lambda fields: next(iter(fields)),
)  # fmt: skip
async def test_a_change_that_cannot_be_stored_is_counted_and_costs_no_other(kit: Kit, wrong: dict[str, object]) -> None:
    async with kit.opened() as node:
        await node.history.append_many([change(1), msgspec.structs.replace(change(2), **wrong), change(3)])
        await node.tier.flush()
        assert [row.at - NOW for row in await node.history.changes(KEY)] == [1, 3]
        assert node.history.refused == 1


async def test_rows_survive_a_restart_and_are_counted(kit: Kit) -> None:
    async with kit.opened() as node:
        await node.history.append_many([change(at) for at in range(5)])
    async with kit.opened() as node:
        assert len(await node.history.changes(KEY)) == 5
        await node.history.append_many([change(at) for at in range(8)])
        await node.tier.flush()
        assert kit.rows("SELECT `rows` FROM totals WHERE name = 'history'") == [(8,)]
        assert await node.history.drop_before(NOW + 6) == 6
        assert kit.rows("SELECT `rows` FROM totals WHERE name = 'history'") == [(2,)]


async def test_a_full_table_takes_no_more_and_counts_what_it_refused(kit: Kit) -> None:
    backend = kit.backend()
    history = SqlHistory(backend, clock=ManualClock(), max_rows=3)
    await backend.open()
    await history.append_many([change(at) for at in range(5)])
    await backend.flush()
    assert (len(await history.changes(KEY)), history.refused) == (3, 2)
    await backend.close()


async def test_offers_without_rows_are_removed_once_a_day(kit: Kit, clock: ManualClock) -> None:
    async with kit.opened(clock) as node:
        await node.history.append_many([change(at, product_id=f"p{at}") for at in range(4)])
        await node.tier.flush()
        await node.history.drop_before(NOW + 2)
        assert (kit.count("history_items"), kit.count("history_keys")) == (4, 1)
        clock.advance(history_sql.CLEAN_AFTER_S)
        await node.history.drop_before(NOW + 3)
        assert (kit.count("history_items"), kit.count("history_keys")) == (1, 1)
        clock.advance(history_sql.CLEAN_AFTER_S)
        await node.history.drop_before(NOW + 9)
        assert (kit.count("history_items"), kit.count("history_keys")) == (0, 0)


async def test_what_waits_is_told_as_it_will_be_stored(kit: Kit) -> None:
    """To the millisecond, so that what was told does not change with the commit."""
    async with kit.opened() as node:
        await node.history.append_many([change(0.12345)])
        before = await node.history.changes(KEY)
        await node.tier.flush()
        assert await node.history.changes(KEY) == before


async def test_two_nodes_append_to_one_history(kit: Kit) -> None:
    async with kit.opened() as one, kit.opened() as other:
        await one.history.append_many([change(1), change(2)])
        await other.history.append_many([change(2, price=Decimal("99.00")), change(3)])
        await one.tier.flush()
        await other.tier.flush()
        rows = await one.history.changes(KEY)
        assert [(row.at - NOW, str(row.price)) for row in rows] == [(1, "35.00"), (2, "35.00"), (3, "35.00")]


async def test_a_damaged_row_hides_only_itself(kit: Kit) -> None:
    async with kit.opened() as node:
        await node.history.append_many([change(1), change(2)])
        await node.tier.flush()
        kit.rows("UPDATE history_items SET market = 'moon'")
        assert await node.history.changes(KEY) == []
        kit.rows("UPDATE history_items SET market = 'med'")
        assert len(await node.history.changes(KEY)) == 2


async def test_a_row_takes_few_bytes(request: pytest.FixtureRequest) -> None:
    """Compact enough that a year of a city's changes fits beside the entries; measured where the file can be."""
    kit = kit_of("sqlite", request)
    async with kit.opened() as node:
        for some in range(20):
            await node.history.append_many(
                [change(some * 1_000 + at, product_id=f"p{at % 200}", list_price=Decimal("40.00"), in_stock=True) for at in range(1_000)]
            )  # fmt: skip
        await node.tier.flush()
    kit.rows("VACUUM")
    pages = kit.rows("PRAGMA page_count")[0][0] * kit.rows("PRAGMA page_size")[0][0]
    assert pages / 20_000 < 45

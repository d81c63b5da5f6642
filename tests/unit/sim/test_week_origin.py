"""The origin of a simulated week: versions in force, calls counted, bodies that hold the version."""

from __future__ import annotations

import pytest

from weedhounds.clock import ManualClock
from weedhounds.errors import BadInput, SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.readthrough import Origin
from weedhounds.sim.trace import Item, Trace
from weedhounds.sim.week_origin import ORIGIN, Shelf, WeekClient, origin_of, shop_of
from weedhounds.telemetry import Trace as RequestTrace

ITEMS = [
    Item("menu:0", DataType.DISPENSARY_MENU, "store000"),
    Item("price:0", DataType.PRODUCT_PRICING, "store000"),
    Item("info:0:0", DataType.DISPENSARY_INFO, "store000"),
    Item("strain:3", DataType.STRAIN_DATA, "reference"),
]
GROUPS = ((0, 1), (2,), (3,))


def market(clock: ManualClock) -> tuple[Shelf, Origin, WeekClient]:
    shelf = Shelf(Trace(ITEMS, {"price:0": [100.0, 200.0]}, {"menu:0": [1.0]}), GROUPS)
    return shelf, *origin_of(shelf, clock)


def test_a_version_is_in_force_from_its_change_on_until_the_next() -> None:
    shelf, _, _ = market(ManualClock(0.0))
    assert [shelf.version_at(1, t) for t in (0.0, 99.9, 100.0, 250.0)] == [0, 0, 1, 2]
    assert [shelf.stale_at(1, version) for version in (0, 1, 2)] == [100.0, 200.0, float("inf")]


def test_menu_and_prices_of_a_shop_have_the_shops_id_and_every_key_a_name_of_its_own() -> None:
    shelf, _, _ = market(ManualClock(0.0))
    assert [str(key) for key in shelf.keys] == [
        "dispensary_menu:market:store000",
        "product_pricing:market:store000",
        "dispensary_info:market:store000-0",
        "strain_data:market:strain-3",
    ]


def test_one_load_fills_what_one_call_gives() -> None:
    shelf, origin, _ = market(ManualClock(0.0))
    loads = origin.source.plan(shelf.keys, {})
    assert [(load.what, load.shop_id, len(load.keys), len(load.calls)) for load in loads] == [
        ("menu", "store000", 2, 1),
        ("record", "store000", 1, 1),
        ("record", None, 1, 1),
    ]


async def test_an_answer_holds_the_versions_in_force_and_is_useful_where_one_is_new() -> None:
    clock = ManualClock(50.0)
    shelf, origin, client = market(clock)
    [load] = origin.source.plan([shelf.keys[1]], {})
    for now, useful in ((50.0, 1), (90.0, 1), (150.0, 2)):
        clock.set_now(now)
        answer = await client.send(load.calls[0], deadline=None, trace=RequestTrace())
        assert (answer.fetched_at, client.useful_calls) == (now, useful)
    assert client.calls == 3
    page = await origin.pool.page(origin.source, load, load.calls[0], answer.body)
    assert [each.key for each in page.filled] == shelf.keys[:2]
    assert len({each.digest for each in page.filled}) == 2


def test_a_key_that_the_market_does_not_have_cannot_be_loaded() -> None:
    _, origin, _ = market(ManualClock(0.0))
    with pytest.raises(BadInput):
        origin.source.plan([RecordKey(DataType.DISPENSARY_MENU, ORIGIN, "store999")], {})


def test_its_answers_are_no_wire_format() -> None:
    _, origin, _ = market(ManualClock(0.0))
    with pytest.raises(SchemaMismatch):
        origin.source.parse(b"[]")


def test_groups_that_leave_a_key_out_are_refused() -> None:
    with pytest.raises(BadInput):
        Shelf(Trace(ITEMS, {}, {"menu:0": [1.0]}), GROUPS[:2])


def test_a_shop_tells_its_zone_and_reference_data_has_none() -> None:
    shop = shop_of(ITEMS[2], "America/Denver")
    assert shop is not None
    assert (shop.id, shop.time_zone) == ("store000", "America/Denver")
    assert shop_of(ITEMS[3], "America/Denver") is None

"""Prices of a shop joined to one record."""

from __future__ import annotations

import msgspec
import pytest

from weedhounds.model.datatypes import DataType
from weedhounds.sim import specs
from weedhounds.sim.specs import Drift
from weedhounds.sim.week_lists import apart, key_count, menus_with_prices, with_price_lists
from weedhounds.sim.worlds import KeyTruth, World, draw_world, rates

SPEC = msgspec.structs.replace(
    specs.STANDARD,
    days=14,
    stores=3,
    products=4,
    labs=1,
    strains=2,
    terpenes=2,
    requests_per_day=400.0,
    drift=Drift(share=0.9),
)


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(SPEC, 5)


def test_a_list_is_asked_for_and_changes_whenever_one_of_its_prices_is_and_does(world: World) -> None:
    joined = with_price_lists(world)
    own = [i for i, item in enumerate(world.trace.items) if item.key.startswith("price:1:")]
    [at] = [i for i, item in enumerate(joined.trace.items) if item.key == "price:1"]
    assert joined.trace.changes[at] == sorted({t for i in own for t in world.trace.changes[i]})
    asked = [t for t, i in zip(world.trace.request_times, world.trace.request_keys, strict=True) if i in own]
    kept = [t for t, i in zip(joined.trace.request_times, joined.trace.request_keys, strict=True) if i == at]
    assert kept == sorted(set(asked))


def test_the_other_records_stay_what_they_were(world: World) -> None:
    joined = with_price_lists(world)
    before = key_count(world.trace)
    after = key_count(joined.trace)
    assert before.pop("product_pricing") == 12
    assert after.pop("product_pricing") == 3
    assert after == before
    [menu] = [i for i, item in enumerate(world.trace.items) if item.key == "menu:2"]
    [same] = [i for i, item in enumerate(joined.trace.items) if item.key == "menu:2"]
    assert joined.trace.changes[same] == world.trace.changes[menu]


def test_the_rates_of_a_list_are_those_of_its_prices_added_up_whatever_their_drift(world: World) -> None:
    joined = with_price_lists(world)
    of_list = next(truth for truth in joined.truths if truth.item.key == "price:0")
    own = [truth for truth in world.truths if truth.item.key.startswith("price:0:")]
    assert any(truth.steps for truth in own)
    added = [sum(each) for each in zip(*(rates(_alone(t), SPEC.start, SPEC.days) for t in own), strict=True)]
    assert rates(_alone(of_list), SPEC.start, SPEC.days) == pytest.approx(added)
    assert of_list.request_rate == pytest.approx(sum(truth.request_rate for truth in own))


def test_a_repricing_that_touches_several_prices_is_one_change_of_the_list(world: World) -> None:
    joined = with_price_lists(world)
    of_list = next(truth for truth in joined.truths if truth.item.key == "price:0")
    touched = 1.0 - (1.0 - SPEC.repricings.share) ** 4
    assert of_list.steady_rate == pytest.approx(SPEC.repricings.per_day * touched / 86_400.0)


def test_one_call_fills_menu_and_prices_of_a_shop_and_nothing_else(world: World) -> None:
    trace = with_price_lists(world).trace
    groups = menus_with_prices(trace)
    assert sorted(i for group in groups for i in group) == list(range(len(trace.items)))
    together = [{trace.items[i].dtype for i in group} for group in groups if len(group) > 1]
    assert together == [{DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING}] * 3
    assert all(len({trace.items[i].source for i in group}) == 1 for group in groups)


def test_records_apart_take_a_call_each(world: World) -> None:
    assert apart(world.trace) == tuple((i,) for i in range(len(world.trace.items)))


def _alone(truth: KeyTruth) -> KeyTruth:
    return msgspec.structs.replace(truth, steady_rate=0.0)

"""A node's read path over a simulated week."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from weedhounds.model.datatypes import LIFETIMES, DataType
from weedhounds.sim import specs
from weedhounds.sim.judge import fixed_table
from weedhounds.sim.replay import ReplayOptions, Tally, replay
from weedhounds.sim.trace import DAY_S, Item, Trace
from weedhounds.sim.week_lists import apart, menus_with_prices, with_price_lists
from weedhounds.sim.week_node import NodeOptions, NodeOutcome, node_week
from weedhounds.sim.worlds import World, draw_world
from weedhounds.ttl.belief import Observation
from weedhounds.ttl.learner import Learner
from weedhounds.ttl.replay import make

SPEC = msgspec.structs.replace(
    specs.STANDARD,
    days=10,
    stores=2,
    products=2,
    labs=1,
    strains=2,
    terpenes=2,
    requests_per_day=300.0,
    zones_s=(-7 * 3600.0,),
)
ZONE = "America/Denver"


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(SPEC, 3)


def options(world: World, **fields: object) -> NodeOptions:
    start = NodeOptions(zone=ZONE, since=world.trace.start + 7 * DAY_S, has_sql=False, revalidate_frac=0.0)
    return msgspec.structs.replace(start, **fields)


async def week(world: World, **fields: object) -> NodeOutcome:
    return await node_week(world.trace, apart(world.trace), options(world, **fields))


async def test_every_judged_request_is_served_by_one_tier_and_every_load_is_a_call(world: World) -> None:
    outcome = await week(world)
    judged = sum(t >= world.trace.start + 7 * DAY_S for t in world.trace.request_times)
    assert sum(outcome.served.values()) == outcome.total.requests == judged
    assert outcome.served["origin"] == outcome.total.calls
    assert outcome.total.unserved == 0
    assert 0 < outcome.total.calls < judged


async def test_a_fixed_node_costs_what_the_fixed_table_does_but_for_its_jitter(world: World) -> None:
    outcome = await week(world, strategy="fixed")
    whole = replay(world.trace, fixed_table(), ReplayOptions()).total
    assert outcome.total.calls == pytest.approx(whole.calls, rel=0.03)
    assert outcome.total.stale == pytest.approx(whole.stale, rel=0.2)


async def test_an_unbounded_node_costs_what_its_learner_does_in_a_replay(world: World) -> None:
    outcome = await week(world, is_bounded=False)
    whole = replay(world.trace, make(1.0), ReplayOptions()).total
    assert outcome.total.cost(1.0) == pytest.approx(whole.cost(1.0), rel=0.1)


async def test_the_same_seed_serves_the_same(world: World) -> None:
    first, again = await week(world, has_sql=True), await week(world, has_sql=True)
    assert first.by_type == again.by_type
    assert (first.served, first.revalidated) == (again.served, again.revalidated)


async def test_a_second_tier_changes_nothing_while_memory_holds_everything(world: World) -> None:
    alone, above = await week(world), await week(world, has_sql=True)
    assert alone.by_type == above.by_type
    assert above.served["sql"] == 0
    assert above.tiers["sql"].entries == above.tiers["memory"].entries > 0


async def test_what_left_memory_is_served_by_the_second_tier(world: World) -> None:
    ample, tight = await week(world, has_sql=True), await week(world, has_sql=True, memory_bytes=6_000)
    assert tight.served["sql"] > 0
    assert tight.served["memory"] + tight.served["sql"] == pytest.approx(ample.served["memory"], rel=0.05)


async def test_every_request_is_told_to_the_learner_whichever_tier_served_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = 0

    class Counting(Learner):
        def decide(self, obs: Observation, price: float) -> float:
            nonlocal told
            told += obs.n_req if obs.dtype == DataType.DISPENSARY_MENU.value else 0
            return super().decide(obs, price)

    monkeypatch.setattr("weedhounds.sim.week_node.Learner", Counting)
    await week(world, has_sql=True, memory_bytes=6_000)
    menus = {i for i, item in enumerate(world.trace.items) if item.dtype is DataType.DISPENSARY_MENU}
    every = sum(i in menus for i in world.trace.request_keys)
    assert 0.97 * every < told <= every  # what was asked for since the last fetch is not told yet


async def test_the_learner_is_told_the_hours_of_the_shops_zone(world: World) -> None:
    at_home, abroad = await week(world), await week(world, zone="Asia/Tokyo")
    assert at_home.by_type != abroad.by_type


async def test_limits_cost_what_is_asked_for_seldom_and_changes_seldom(world: World) -> None:
    bounded, free = await week(world), await week(world, is_bounded=False)
    prices = DataType.PRODUCT_PRICING
    assert bounded.by_type[prices].calls > 1.5 * free.by_type[prices].calls


async def test_one_call_for_menu_and_prices_saves_calls(world: World) -> None:
    lists = with_price_lists(world)
    single = await node_week(lists.trace, apart(lists.trace), options(world))
    together = await node_week(lists.trace, menus_with_prices(lists.trace), options(world))
    both = (DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING)
    assert _calls(together, both) < _calls(single, both)
    assert together.total.stale <= single.total.stale


async def test_serving_while_fetching_anew_is_counted_and_its_load_has_come_before_the_next_request() -> None:
    expiry = LIFETIMES[DataType.DISPENSARY_MENU].base_s
    outcome = await _menu_week([0.0, 1.06 * expiry, 1.07 * expiry], changes=[60.0], revalidate_frac=0.3)
    assert (outcome.revalidated, outcome.total.calls) == (1, 2)
    assert outcome.total.stale == 1
    waited = await _menu_week([0.0, 1.06 * expiry, 1.07 * expiry], changes=[60.0], revalidate_frac=0.0)
    assert (waited.revalidated, waited.total.calls, waited.total.stale) == (0, 2, 0)


async def test_a_serve_is_stale_from_the_moment_of_the_change_on() -> None:
    outcome = await _menu_week([0.0, 59.0, 60.0, 100.0], changes=[60.0], revalidate_frac=0.0)
    assert outcome.total == Tally(requests=4, calls=1, useful_calls=1, stale=2, stale_weight=2.0, staleness_s=40.0)


async def test_told_stale_probabilities_are_judged_on_a_sample(world: World) -> None:
    outcome = await week(world, is_bounded=False)
    assert outcome.calibration.serves == outcome.total.requests  # fewer than the sample may hold
    assert 0.0 < outcome.calibration.error < 0.1


async def test_progress_is_told_from_the_first_request_to_the_last(world: World) -> None:
    told: list[tuple[int, int]] = []
    await node_week(
        world.trace, apart(world.trace), options(world), progress=lambda done, known: told.append((done, known))
    )
    every = len(world.trace.request_times)
    assert told[0] == (0, every)
    assert told == sorted(told)
    assert {known for _, known in told} == {every}


async def _menu_week(requests: list[float], *, changes: list[float], revalidate_frac: float) -> NodeOutcome:
    """Serve the requests for one menu under the fixed lifetime, none of them warm-up."""
    trace = Trace([Item("menu:0", DataType.DISPENSARY_MENU, "store000")], {"menu:0": changes}, {"menu:0": requests})
    chosen = NodeOptions(zone=ZONE, since=0.0, strategy="fixed", has_sql=False, revalidate_frac=revalidate_frac)
    return await node_week(trace, apart(trace), chosen)


def _calls(outcome: NodeOutcome, data_types: tuple[DataType, ...]) -> int:
    by_type: Mapping[DataType, Tally] = outcome.by_type
    return sum(by_type[data_type].calls for data_type in data_types)

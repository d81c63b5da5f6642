"""Replaying group by group: the same counts as request by request, and calls that fill several keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest

from weedhounds.model.datatypes import DataType
from weedhounds.sim import specs
from weedhounds.sim.judge import fixed_table, scaled
from weedhounds.sim.oracle import Oracle, oracle_of
from weedhounds.sim.replay import Observation, Policy, ReplayOptions, Tally, replay
from weedhounds.sim.rules import alex
from weedhounds.sim.trace import DAY_S, Item, Trace
from weedhounds.sim.week_lists import apart
from weedhounds.sim.week_replay import PolicyOf, Timeline, replay_groups
from weedhounds.sim.worlds import World, draw_world

SPEC = msgspec.structs.replace(
    specs.STANDARD, days=10, stores=2, products=2, labs=1, strains=2, terpenes=2, requests_per_day=400.0
)
MENU, PRICES = 0, 1


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(SPEC, 9)


def timeline_of(world: World) -> Timeline:
    return Timeline(world.trace, apart(world.trace), world.trace.start + 7 * DAY_S)


def seen(by_type: dict[DataType, Tally]) -> dict[DataType, Tally]:
    """Return the tallies of types that were asked for, staleness to the millisecond."""
    return {
        data_type: msgspec.structs.replace(tally, staleness_s=round(tally.staleness_s, 3))
        for data_type, tally in by_type.items()
        if tally.requests
    }


@pytest.mark.parametrize("is_bounded", [False, True])
def test_rules_come_to_the_same_as_in_a_replay_request_by_request(world: World, is_bounded: bool) -> None:
    for make in (fixed_table, scaled(alex)):
        grouped = replay_groups(timeline_of(world), _each(make), is_bounded=is_bounded)
        whole = replay(world.trace, make(0.5), ReplayOptions(is_bounded=is_bounded))
        assert seen(grouped) == seen(whole.by_type)


def test_the_oracle_comes_to_the_same_where_each_key_is_solved_by_itself(world: World) -> None:
    def alone(group: Sequence[int]) -> Policy:
        return Oracle(msgspec.structs.replace(world, truths=tuple(world.truths[i] for i in group)), 1.0)

    grouped = replay_groups(timeline_of(world), alone)
    assert seen(grouped) == seen(replay(world.trace, oracle_of(world)(1.0)).by_type)


def test_a_policy_sees_what_it_sees_in_a_replay_request_by_request(world: World) -> None:
    def noting(told: list[tuple[object, ...]]) -> Policy:
        def policy(obs: Observation) -> float:
            told.append((obs.key, obs.now, obs.prev, obs.changed, obs.n_req, obs.n_fetch, obs.prev_ttl))
            return 1800.0

        return policy

    grouped: list[tuple[object, ...]] = []
    whole: list[tuple[object, ...]] = []
    replay_groups(timeline_of(world), lambda _: noting(grouped))
    replay(world.trace, noting(whole))
    assert sorted(grouped, key=str) == sorted(whole, key=str)


def shop(
    menu: list[float], prices: list[float], *, changes: list[float] | None = None, of: str = "price:0"
) -> Timeline:
    """Return a shop whose menu and prices are filled by one call; requests at the given seconds."""
    items = [
        Item("menu:0", DataType.DISPENSARY_MENU, "store0"),
        Item("price:0", DataType.PRODUCT_PRICING, "store0"),
    ]
    trace = Trace(items, {of: changes or []}, {"menu:0": menu, "price:0": prices})
    return Timeline(trace, ((MENU, PRICES),), 0.0)


def lifetimes(menu_s: float, prices_s: float) -> Policy:
    return lambda obs: menu_s if obs.dtype == DataType.DISPENSARY_MENU.value else prices_s


def test_a_call_for_one_key_fills_the_others_of_its_group() -> None:
    timeline = shop([0.0, 50.0], [10.0, 60.0, 90.0])
    counted = replay_groups(timeline, lambda _: lifetimes(40.0, 45.0))
    assert counted[DataType.DISPENSARY_MENU].calls == 2  # at 0 and at 50, which fills the prices until 95 too
    assert counted[DataType.PRODUCT_PRICING] == Tally(requests=3)


@pytest.mark.parametrize(("of", "useful"), [("menu:0", 2), ("price:0", 2), ("none", 1)])
def test_a_call_is_useful_where_it_brings_anything_new_of_its_group(of: str, useful: int) -> None:
    changes, key = ([20.0], of) if of != "none" else ([], "menu:0")
    counted = replay_groups(shop([0.0, 50.0], [10.0], changes=changes, of=key), lambda _: lifetimes(40.0, 100.0))
    assert counted[DataType.DISPENSARY_MENU].useful_calls == useful


def test_what_is_stale_is_judged_by_the_latest_call_whoever_made_it() -> None:
    timeline = shop([0.0, 50.0], [10.0, 30.0, 60.0], changes=[20.0])
    counted = replay_groups(timeline, lambda _: lifetimes(40.0, 100.0))
    prices = counted[DataType.PRODUCT_PRICING]
    assert (prices.stale, prices.staleness_s) == (1, 10.0)  # at 30; at 60 the menu's call has brought the change


def test_a_request_at_the_moment_of_another_keys_call_is_served_the_old_copy_while_that_is_fresh() -> None:
    fresh = replay_groups(shop([0.0, 50.0], [50.0], changes=[20.0]), lambda _: lifetimes(40.0, 100.0))
    assert fresh[DataType.PRODUCT_PRICING].stale == 1
    expired = replay_groups(shop([0.0, 50.0], [50.0], changes=[20.0]), lambda _: lifetimes(40.0, 40.0))
    assert expired[DataType.PRODUCT_PRICING].stale == 0
    assert sum(tally.calls for tally in expired.values()) == 2


def _each(make: Callable[[float], Policy]) -> PolicyOf:
    return lambda _: make(0.5)

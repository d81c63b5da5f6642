"""What a node's week is compared with."""

from __future__ import annotations

import msgspec
import pytest

from weedhounds.sim import specs
from weedhounds.sim.bounds import clairvoyant
from weedhounds.sim.oracle import oracle_of
from weedhounds.sim.replay import replay
from weedhounds.sim.trace import DAY_S
from weedhounds.sim.week_lists import apart
from weedhounds.sim.week_replay import Timeline
from weedhounds.sim.week_rivals import bound_of, fixed_rival, lm_factor_rival, no_cache_rival, oracle_rival
from weedhounds.sim.worlds import World, draw_world

SPEC = msgspec.structs.replace(
    specs.STANDARD, days=10, stores=2, products=2, labs=1, strains=2, terpenes=2, requests_per_day=300.0
)


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(SPEC, 3)


@pytest.fixture(scope="module")
def timeline(world: World) -> Timeline:
    return Timeline(world.trace, apart(world.trace), world.trace.start + 7 * DAY_S)


def test_the_lm_factor_gets_the_multiplier_that_costs_least_of_all_that_were_tried(timeline: Timeline) -> None:
    rival = lm_factor_rival(timeline, 1.0, is_bounded=False)
    costs = [(calls + stale) / timeline.counted for calls, stale in rival.curve]
    assert rival.total.cost(1.0) == pytest.approx(min(costs))
    assert len(costs) > 10
    assert rival.dial is not None


def test_the_better_multiplier_is_larger_where_calls_cost_more(timeline: Timeline) -> None:
    cheap, dear = (lm_factor_rival(timeline, price, is_bounded=False) for price in (0.2, 4.0))
    assert cheap.dial is not None
    assert dear.dial is not None
    assert cheap.dial < dear.dial
    assert cheap.total.calls > dear.total.calls


def test_no_cache_calls_for_every_request_and_is_never_stale(timeline: Timeline) -> None:
    total = no_cache_rival(timeline).total
    assert (total.calls, total.stale, total.cost(0.5)) == (timeline.counted, 0, 0.5)


def test_the_oracle_is_the_one_of_the_whole_world_and_costs_less_than_the_rules(
    world: World, timeline: Timeline
) -> None:
    best = oracle_rival(world, timeline, 1.0)
    assert best.total.calls == replay(world.trace, oracle_of(world)(1.0)).total.calls
    assert best.total.cost(1.0) < lm_factor_rival(timeline, 1.0, is_bounded=False).total.cost(1.0)
    assert best.total.cost(1.0) < fixed_rival(timeline, is_bounded=False).total.cost(1.0)


def test_the_clairvoyant_is_the_one_of_the_whole_trace(world: World, timeline: Timeline) -> None:
    assert bound_of(world, timeline) == clairvoyant(world.trace, 7.0)


def test_progress_is_told_while_the_multiplier_is_searched(timeline: Timeline) -> None:
    told: list[tuple[int, int]] = []
    lm_factor_rival(timeline, 1.0, is_bounded=False, progress=lambda done, known: told.append((done, known)))
    assert [done for done, _ in told] == list(range(len(told)))
    assert all(done < known for done, known in told)

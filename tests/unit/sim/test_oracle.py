from __future__ import annotations

import math
import random

import msgspec
import pytest

from weedhounds.model.datatypes import DataType
from weedhounds.sim.estimators import gamma_poisson
from weedhounds.sim.judge import retrying
from weedhounds.sim.optimum import poisson_lifetime
from weedhounds.sim.oracle import Grid, Oracle, best_expiries, grid_of
from weedhounds.sim.profiles import Profile
from weedhounds.sim.replay import Observation, ReplayOptions, replay
from weedhounds.sim.specs import STANDARD, Drift, Outages
from weedhounds.sim.trace import DAY_S, Item
from weedhounds.sim.worlds import JobTimes, KeyTruth, World, draw_world

HOUR = 3600.0


def costs_of(grid: Grid, price: float, choose: list[int] | None) -> list[float]:
    """Return F for every step by trying every expiry, or with the expiries chosen."""
    n = len(grid.requests)
    hazard = [0.0]
    for change in grid.changes:
        hazard.append(hazard[-1] + change)
    expired, held = [0.0] * (n + 1), [0.0] * (n + 1)
    for i in range(n - 1, -1, -1):
        waited, options = 0.0, {}
        for j in range(i, n):
            change = grid.changes[j]
            fresh = math.exp(hazard[i] - hazard[j]) * ((1 - math.exp(-change)) / change if change > 1e-9 else 1.0)
            waited += grid.requests[j] * (1.0 - fresh)
            options[j + 1] = waited + expired[j + 1]
        held[i] = min(options.values()) if choose is None else options[choose[i]]
        called = 1.0 - math.exp(-grid.requests[i])
        expired[i] = called * (price + 0.5 * (held[i] + held[i + 1])) + (1.0 - called) * expired[i + 1]
    return held[:n]


@pytest.mark.parametrize("seed", range(12))
def test_the_expiries_found_are_as_good_as_trying_every_one(seed: int) -> None:
    rng = random.Random(seed)
    n = 60
    scale = rng.choice((0.01, 0.3, 3.0, 60.0))
    changes = [scale * rng.random() * (rng.random() < 0.7) for _ in range(n)]
    requests = [rng.choice((0.0, 0.1, 2.0)) * rng.random() for _ in range(n)]
    grid = Grid(0.0, 60.0, requests, changes)
    price = rng.choice((0.1, 1.0, 4.0))
    found = costs_of(grid, price, list(best_expiries(grid, price)))
    assert found == pytest.approx(costs_of(grid, price, None), rel=1e-9, abs=1e-9)


def truth(changes_per_day: float, requests_per_day: float, *jobs: JobTimes) -> KeyTruth:
    item = Item("a", DataType.PROMOTIONS, "shop", 0.0)
    return KeyTruth(item, changes_per_day / DAY_S, Profile(), requests_per_day / DAY_S, Profile(), jobs=jobs)


def test_with_constant_rates_the_oracle_keeps_to_the_closed_form() -> None:
    key, price = truth(5.0, 40.0), 1.0
    grid = grid_of(key, STANDARD.start, 20.0, price)
    best = best_expiries(grid, price)
    found = (best[10] - 10) * grid.step_s
    assert found == pytest.approx(poisson_lifetime(price, 5.0 / DAY_S, 40.0 / DAY_S), abs=2 * grid.step_s)


def test_a_nightly_job_is_waited_for() -> None:
    key = truth(0.0, 200.0, JobTimes(3 * HOUR, tuple(range(7)), 1.0, 1200.0))
    grid = grid_of(key, STANDARD.start, 20.0, 0.25)
    best = best_expiries(grid, 0.25)
    for hour in (4, 12, 20, 26):
        expiry = best[round(hour * HOUR / grid.step_s)] * grid.step_s
        after = (expiry - 3 * HOUR) % DAY_S
        assert 0.0 < after <= 1200.0 + 2 * grid.step_s


SMALL = msgspec.structs.replace(
    STANDARD, days=10, stores=2, products=2, labs=1, strains=2, terpenes=2, requests_per_day=600.0
)


@pytest.fixture(scope="module")
def small() -> World:
    return draw_world(msgspec.structs.replace(SMALL, drift=Drift(share=0.5)), seed=3)


@pytest.mark.parametrize("price", [0.25, 4.0])
def test_no_learner_without_its_knowledge_costs_less(small: World, price: float) -> None:
    best = replay(small.trace, Oracle(small, price)).total.cost(price)
    assert best < replay(small.trace, retrying(gamma_poisson(price))).total.cost(price)
    assert best < replay(small.trace, Oracle(small, price * 8.0)).total.cost(price)
    assert best < replay(small.trace, Oracle(small, price / 8.0)).total.cost(price)


def test_what_it_tells_of_staleness_comes_true(small: World) -> None:
    outcome = replay(small.trace, Oracle(small, 4.0), ReplayOptions(asks_staleness=True))
    told = [pair for pairs in outcome.told.values() for pair in pairs]
    assert sum(p for p, _ in told) == pytest.approx(sum(is_stale for _, is_stale in told), rel=0.35)


def test_it_tries_again_within_an_hour_where_a_source_fails() -> None:
    world = draw_world(msgspec.structs.replace(SMALL, outages=Outages(per_day=3.0, mean_s=6 * HOUR)), seed=1)
    waits: list[float] = []
    oracle = Oracle(world, 1.0)

    def policy(obs: Observation) -> float:
        lifetime = oracle(obs)
        waits.extend([] if obs.ok else [lifetime])
        return lifetime

    replay(world.trace, policy)
    assert waits
    assert max(waits) <= HOUR

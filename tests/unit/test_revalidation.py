"""Expired entries that are served while they are fetched anew, and refreshing before anybody asks."""

from __future__ import annotations

import asyncio

import pytest

from scripted_read import World, ids_of, menu_key, price_key, turns
from weedhounds.clock import ManualClock
from weedhounds.config import CacheSettings
from weedhounds.errors import OriginUnavailable
from weedhounds.learning import learning_of
from weedhounds.telemetry import Trace

KEY = menu_key("7")


@pytest.fixture
def world(clock: ManualClock) -> World:
    """Return a read path that serves for a tenth of the lifetime past expiry, and holds a menu of an hour."""
    world = World(clock, settings=CacheSettings(stale_while_revalidate_frac=0.1))
    world.client.page("7", ["new"])
    world.memory.held[KEY] = world.entry(KEY, age_s=3_700, lifetime_s=3_600)
    return world


async def landed(world: World) -> None:
    async with asyncio.timeout(5):
        await asyncio.gather(*world.read._revalidating.values())


async def test_an_entry_that_has_just_expired_is_served_at_once_and_fetched_anew(world: World) -> None:
    world.client.gates["/menu/7#0"] = asyncio.Event()
    trace = Trace()
    found = (await world.get(KEY, trace=trace)).found[KEY]
    assert (found.tier, found.is_stale, trace.origin_calls) == ("memory", True, 0)
    world.client.gates["/menu/7#0"].set()
    await landed(world)
    again = (await world.get(KEY)).found[KEY]
    assert (again.is_stale, ids_of(again), world.client.sent) == (False, ["new"], ["/menu/7#0"])


async def test_it_is_a_hit_and_a_stale_one(world: World) -> None:
    await world.get(KEY)
    stats = world.read.stats()
    assert (stats.requests.hits, stats.requests.stale, stats.revalidated) == (1, 0, 1)
    assert world.read.tier_stats()["memory"].stale == 1
    await landed(world)


async def test_a_hundred_requests_make_one_call(world: World) -> None:
    world.client.gates["/menu/7#0"] = asyncio.Event()
    results = await asyncio.gather(*(world.get(KEY) for _ in range(100)))
    assert all(result.found[KEY].is_stale for result in results)
    world.client.gates["/menu/7#0"].set()
    await landed(world)
    assert world.client.sent == ["/menu/7#0"]


async def test_past_the_window_the_request_waits(world: World, clock: ManualClock) -> None:
    clock.advance(300)
    found = (await world.get(KEY)).found[KEY]
    assert (found.tier, found.is_stale) == ("origin", False)


async def test_a_share_of_nothing_turns_it_off(clock: ManualClock) -> None:
    world = World(clock, settings=CacheSettings(stale_while_revalidate_frac=0.0))
    world.client.page("7", ["new"])
    world.memory.held[KEY] = world.entry(KEY, age_s=3_600, lifetime_s=3_600)
    assert (await world.get(KEY)).found[KEY].tier == "origin"


async def test_a_failure_beside_costs_nobody_anything_and_is_tried_again(world: World) -> None:
    world.client.answers["/menu/7#0"] = OriginUnavailable("down")
    for _ in range(3):
        result = await world.get(KEY)
        assert (result.found[KEY].is_stale, result.stale_errors) == (True, {})
        await landed(world)
    assert world.client.sent == ["/menu/7#0"] * 3


async def test_too_many_at_once_are_waited_for_as_usual(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weedhounds.readthrough.MAX_REVALIDATING", 0)
    assert (await world.get(KEY)).found[KEY].tier == "origin"


async def test_closing_ends_what_is_fetched_anew(world: World) -> None:
    world.client.gates["/menu/7#0"] = asyncio.Event()
    await world.get(KEY)
    await turns()
    await world.read.close()
    assert world.read.stats().in_flight == 0
    assert not world.read._revalidating


async def test_a_refresh_loads_what_is_fresh_and_counts_no_request(world: World) -> None:
    world.memory.held[KEY] = world.entry(KEY, age_s=10, lifetime_s=3_600)
    trace = Trace()
    result = await world.read.refresh_many([KEY], deadline=None, trace=trace)
    assert (ids_of(result.found[KEY]), trace.origin_calls) == (["new"], 1)
    assert world.read.stats().requests.requests == 0
    assert ids_of((await world.get(KEY)).found[KEY]) == ["new"]


async def test_a_refresh_that_fails_leaves_what_is_held(world: World) -> None:
    world.memory.held[KEY] = held = world.entry(KEY, age_s=10, lifetime_s=3_600)
    world.client.answers["/menu/7#0"] = OriginUnavailable("down")
    result = await world.read.refresh_many([KEY], deadline=None, trace=Trace())
    assert (list(result.missing), result.found) == ([KEY], {})
    assert (await world.get(KEY)).found[KEY].entry is held


async def test_a_refresh_asks_with_the_validators_of_what_is_held(world: World) -> None:
    world.memory.held[KEY] = world.entry(KEY, age_s=10, lifetime_s=3_600, etag='"v1"')
    await world.read.refresh_many([KEY], deadline=None, trace=Trace())
    [validators] = world.client.validators
    assert validators is not None
    assert validators.etag == '"v1"'


async def test_a_load_teaches_the_learner_of_all_that_it_brought(clock: ManualClock) -> None:
    learning = learning_of(CacheSettings(), clock=clock)
    world = World(clock, learning=learning)
    world.client.page("7", ["a"])
    await world.get(KEY)
    clock.advance(5 * 3_600)
    world.client.page("7", ["a", "b"])
    await world.get(KEY, price_key("7"))
    stats = learning.stats()
    assert (stats.keys, stats.decisions, stats.compared, stats.changed) == (2, 4, 2, 2)
    assert learning.lifetimes.learner.keys[str(KEY)].requests == pytest.approx(1.0, abs=0.1)


async def test_a_load_that_fails_teaches_no_lifetime(clock: ManualClock) -> None:
    learning = learning_of(CacheSettings(), clock=clock)
    world = World(clock, learning=learning)
    world.client.answers["/menu/7#0"] = OriginUnavailable("down")
    await world.get(KEY)
    assert (learning.stats().decisions, learning.lifetimes.learner.keys[str(KEY)].failing_since) == (0, clock.now())

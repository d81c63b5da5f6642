"""Hunts while an origin is down, flaps, or answers something else: none fails, what is held is kept, it is back soon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from origin_server import SkippingClock
from sandboxes import RunningSandbox, node_settings, running_sandbox
from weedhounds import Node
from weedhounds.breaker import BreakerState
from weedhounds.query.answer import HuntAnswer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]
FOUR_HOURS_S = 4 * 3600.0
"""No menu and no price list is fresh for longer."""


@pytest.fixture(scope="module")
def market() -> Iterator[RunningSandbox]:
    with running_sandbox("--latency-ms", "2", "--latency-p99-ms", "10", "--seed", "3") as sandbox:
        yield sandbox


async def _hunt(node: Node) -> HuntAnswer:
    return await node.hunt("", near="Denver, CO", radius_km=5, deadline_s=5)


def _oldest_s(answer: HuntAnswer, origin: str) -> float:
    sources = [source for offer in answer.offers for source in offer.sources]
    return max(source.provenance.age_s for source in sources if source.provenance.origin == origin)


async def test_an_origin_down_for_an_hour_fails_no_hunt_and_is_back_within_half_a_minute(
    market: RunningSandbox, tmp_path: Path
) -> None:
    market.reset()
    clock = SkippingClock()
    async with Node(node_settings(market, tmp_path, fetch={"retry_base_s": 0.01}), clock=clock) as node:
        before = await _hunt(node)
        market.fault("weedmaps", "down")
        calls_before = node.stats().origins["weedmaps"].calls
        for _ in range(12):
            clock.skip(300.0)
            during = await _hunt(node)
            assert {o.shop.key for o in during.offers} >= {o.shop.key for o in before.offers}
        assert _oldest_s(during, "weedmaps") > 1800
        assert any(gap.origin == "weedmaps" and "breaker open" in gap.why for gap in during.missing), during.missing
        stats = node.stats().origins["weedmaps"]
        assert stats.breaker is not BreakerState.CLOSED
        assert stats.calls - calls_before < 12 * 20
        market.fault("weedmaps", None)
        clock.skip(25.0)
        after = await _hunt(node)
        assert node.stats().origins["weedmaps"].breaker is BreakerState.CLOSED
    assert after.missing == ()
    assert _oldest_s(after, "weedmaps") < 1800
    assert market.calls() == sum(origin.calls for origin in node.stats().origins.values())


@pytest.mark.parametrize("fault", ["wrong_types", "garbage", "truncated", "html200"])
async def test_an_origin_that_answers_something_else_overnight_replaces_nothing_that_is_held(
    market: RunningSandbox, tmp_path: Path, fault: str
) -> None:
    market.reset()
    clock = SkippingClock()
    async with Node(node_settings(market, tmp_path), clock=clock) as node:
        found = await node.dispensaries("Denver, CO", radius_km=5, deadline_s=5)
        shop = next(key for each in found.dispensaries for key in each.listings if ":jane:" in key)
        menu = shop.replace("dispensary_info", "dispensary_menu")
        before = await node.record(menu)
        market.fault("jane", fault)
        clock.skip(FOUR_HOURS_S + 60)
        during = await node.record(menu)
        market.fault("jane", None)
        clock.skip(60.0)
        after = await node.record(menu)
    assert before is not None
    assert during is not None
    assert after is not None
    assert during.digest == before.digest
    assert during.provenance.age_s > FOUR_HOURS_S
    assert after.provenance.age_s < 60


async def test_an_origin_with_a_budget_of_nothing_is_named_and_never_asked(
    market: RunningSandbox, tmp_path: Path
) -> None:
    market.reset()
    async with Node(node_settings(market, tmp_path, origins={"jane": {"calls_per_day": 0}})) as node:
        answer = await _hunt(node)
    gaps = [gap for gap in answer.missing if gap.origin == "jane"]
    assert gaps
    assert all("never asked: its budget is 0" in gap.why for gap in gaps)
    assert market.control("/_sandbox/calls")["by_origin"]["jane"] == 0
    assert len({source.provenance.origin for offer in answer.offers for source in offer.sources}) >= 3
    assert market.calls() == answer.meta.origin_calls


async def test_a_days_budget_that_ends_within_a_hunt_is_kept_and_the_rest_is_named(
    market: RunningSandbox, tmp_path: Path
) -> None:
    market.reset()
    async with Node(node_settings(market, tmp_path, origins={"dutchie": {"calls_per_day": 3}})) as node:
        answers = [await _hunt(node) for _ in range(3)]
    assert market.control("/_sandbox/calls")["by_origin"]["dutchie"] == 3
    whys = [gap.why for gap in answers[-1].missing if gap.origin == "dutchie"]
    assert any("3 a day" in why for why in whys), whys


async def test_hunts_while_an_origin_flaps_all_answer_and_count_what_the_origins_saw(
    market: RunningSandbox, tmp_path: Path
) -> None:
    market.reset()
    clock, counted = SkippingClock(), 0
    async with Node(node_settings(market, tmp_path, fetch={"retry_base_s": 0.01}), clock=clock) as node:
        before = await _hunt(node)
        counted += before.meta.origin_calls
        for n in range(8):
            market.fault("leafly", None if n % 2 else "down")
            clock.skip(1200.0)
            answer = await _hunt(node)
            counted += answer.meta.origin_calls
            assert {offer.shop.key for offer in answer.offers} >= {offer.shop.key for offer in before.offers}
        stats = node.stats()
    market.fault("leafly", None)
    assert market.calls() == sum(origin.calls for origin in stats.origins.values())
    assert counted <= market.calls()  # what was served at once and fetched anew is in no answer's count

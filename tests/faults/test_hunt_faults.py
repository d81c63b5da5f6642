"""A hunt answers within its deadline whatever one origin does, and names the gap."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes import RunningSandbox, node_settings, running_sandbox
from weedhounds import Node
from weedhounds.query.answer import HuntAnswer

FAULTS = {
    "down": "no connection",
    "slow": "deadline",
    "429": "429",
    "html": "blocked",
    "html200": "blocked",
    "truncated": "JSON",
    "garbage": "",
    "wrong_types": "",
    "huge": "over the limit",
}
DEADLINE_S = 3.0


@pytest.fixture(scope="module")
def market() -> Iterator[RunningSandbox]:
    with running_sandbox("--latency-ms", "5", "--latency-p99-ms", "20") as sandbox:
        yield sandbox


async def _hunt(market: RunningSandbox, data_dir: Path) -> HuntAnswer:
    limits = {"pool_workers": 0, "max_body_bytes": 4 * 2**20, "attempts": 2, "retry_base_s": 0.05}
    async with Node(node_settings(market, data_dir, fetch=limits)) as node:
        return await node.hunt("Blue Dream", near="Denver, CO", radius_km=10, deadline_s=DEADLINE_S)


@pytest.mark.e2e
@pytest.mark.parametrize("origin", ["dutchie", "weedmaps"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_faulty_origin_costs_its_own_facts_only(
    market: RunningSandbox, tmp_path: Path, fault: str, origin: str
) -> None:
    market.reset()
    market.fault(origin, fault)
    started = time.monotonic()
    answer = await _hunt(market, tmp_path)
    elapsed_s = time.monotonic() - started
    market.reset()
    assert elapsed_s < DEADLINE_S + 2
    assert len(answer.offers) >= 10
    origins = {source.provenance.origin for offer in answer.offers for source in offer.sources}
    assert origin not in origins
    assert {"jane", "leafly"} <= origins
    gaps = [missing for missing in answer.missing if missing.origin == origin]
    assert gaps, answer.missing
    assert any(FAULTS[fault].lower() in gap.why.lower() for gap in gaps), gaps


@pytest.mark.e2e
async def test_an_origin_that_fails_after_a_while_is_served_stale_and_marked(
    market: RunningSandbox, tmp_path: Path
) -> None:
    market.reset()
    short = {"greatest_lifetimes_s": {"product_pricing": 60, "dispensary_menu": 300, "promotions": 300}}
    async with Node(node_settings(market, tmp_path, cache=short)) as node:
        first = await node.hunt("Blue Dream", near="Denver, CO", radius_km=10, deadline_s=5)
        clock = node.clock
        market.fault("*", "down")
        later = clock.now() + 100
        clock.now = lambda: later  # type: ignore[method-assign]
        second = await node.hunt("Blue Dream", near="Denver, CO", radius_km=10, deadline_s=5)
    market.reset()
    assert len(second.offers) == len(first.offers)
    assert all(offer.provenance.age_s >= 99 for offer in second.offers)
    assert all(
        offer.provenance.stale_probability > before.provenance.stale_probability
        for offer, before in zip(second.offers[:5], first.offers[:5], strict=True)
    )
    assert {missing.origin for missing in second.missing} >= {"dutchie", "weedmaps", "leafly", "jane"}

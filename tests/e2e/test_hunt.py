"""The main job against a real sandbox process: counts, warm answers, restarts, single-flight."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes import RunningSandbox, node_settings, running_sandbox
from weedhounds import Node
from weedhounds.errors import BadInput
from weedhounds.model.keys import RecordKey
from weedhounds.query.answer import HuntAnswer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def market() -> Iterator[RunningSandbox]:
    with running_sandbox("--latency-ms", "2", "--latency-p99-ms", "10", "--seed", "7") as sandbox:
        yield sandbox


async def _hunt(node: Node, query: str = "Blue Dream") -> HuntAnswer:
    return await node.hunt(query, near="Denver, CO", radius_km=40.0, deadline_s=20.0)


async def test_a_cold_hunt_counts_its_calls_as_the_origins_do_and_a_warm_one_makes_none(
    market: RunningSandbox, tmp_path: Path
) -> None:
    market.reset()
    async with Node(node_settings(market, tmp_path, fetch={"pool_workers": 1})) as node:
        assert market.calls() == 0
        cold = await _hunt(node)
        assert market.calls() == cold.meta.origin_calls
        warm = await _hunt(node)
        assert market.calls() == cold.meta.origin_calls
    assert 150 <= cold.meta.origin_calls <= 300
    assert len(cold.offers) >= 50
    assert cold.missing == ()
    assert (warm.meta.origin_calls, warm.meta.by_tier.memory) == (0, warm.meta.records)
    assert [o.price for o in warm.offers] == [o.price for o in cold.offers]
    async with Node(node_settings(market, tmp_path)) as node:
        restarted = await _hunt(node)
    assert (restarted.meta.origin_calls, restarted.meta.by_tier.sql) == (0, restarted.meta.records)
    assert [o.price for o in restarted.offers] == [o.price for o in cold.offers]


async def test_offers_are_merged_ranked_and_say_where_each_fact_is_from(market: RunningSandbox, tmp_path: Path) -> None:
    async with Node(node_settings(market, tmp_path)) as node:
        answer = await _hunt(node)
    priced = [offer for offer in answer.offers if offer.unit_price.per_g is not None]
    ranks = [(o.unit_price.per_g.amount, o.shop.distance_km) for o in priced if o.unit_price.per_g]
    assert ranks == sorted(ranks)
    assert priced == list(answer.offers[: len(priced)])
    sizes = Counter(len(offer.sources) for offer in answer.offers)
    assert sizes[2] + sizes[3] > sizes[1]
    for offer in answer.offers:
        origins = [source.provenance.origin for source in offer.sources]
        assert len(set(origins)) == len(origins)
        assert offer.provenance == offer.sources[0].provenance
        assert offer.price == offer.sources[offer.fact_sources["price"]].price
        assert all(0 <= index < len(offer.sources) for index in offer.fact_sources.values())
    assert answer.strain is not None
    assert answer.strain.slug == "blue-dream"
    assert answer.strain.terpenes
    assert answer.strain.lab_results


async def test_fifty_hunts_at_once_make_the_calls_of_one(market: RunningSandbox, tmp_path: Path) -> None:
    market.reset()
    async with Node(node_settings(market, tmp_path / "one")) as node:
        await node.hunt("Blue Dream", near="Denver, CO", radius_km=6, deadline_s=20)
    alone = market.calls()
    market.reset()
    async with Node(node_settings(market, tmp_path / "fifty")) as node:
        answers = await asyncio.gather(
            *(node.hunt("Blue Dream", near="Denver, CO", radius_km=6, deadline_s=20) for _ in range(50))
        )
    assert market.calls() == alone
    assert sum(answer.meta.origin_calls for answer in answers) == alone
    assert {len(answer.offers) for answer in answers} == {len(answers[0].offers)}


async def test_fifty_cold_requests_for_one_menu_make_the_calls_of_one(market: RunningSandbox, tmp_path: Path) -> None:
    async with Node(node_settings(market, tmp_path / "look")) as node:
        found = await node.dispensaries("Denver, CO", radius_km=40, deadline_s=20)
    infos = [RecordKey.parse(key) for each in found.dispensaries for key in each.listings]
    for origin in ("dutchie", "jane"):
        menu = next(f"dispensary_menu:{k.origin}:{k.native_id}" for k in infos if k.origin == origin)
        market.reset()
        async with Node(node_settings(market, tmp_path / f"{origin}-one")) as node:
            await node.get(menu)
        alone = market.calls()
        market.reset()
        async with Node(node_settings(market, tmp_path / f"{origin}-fifty")) as node:
            entries = await asyncio.gather(*(node.get(menu) for _ in range(50)))
        assert market.calls() == alone
        assert alone >= 1
        assert len({entry.digest for entry in entries if entry}) == 1


async def test_truth_and_the_node_say_the_same(market: RunningSandbox, tmp_path: Path) -> None:
    async with Node(node_settings(market, tmp_path)) as node:
        answer = await node.hunt("", near="Denver, CO", radius_km=5, deadline_s=20, limit=1)
        found = await node.dispensaries("Denver, CO", radius_km=5)
        keys = [RecordKey.parse(key) for each in found.dispensaries for key in each.listings]
        for key in keys:
            for kind in ("dispensary_menu", "product_pricing"):
                text = f"{kind}:{key.origin}:{key.native_id}"
                record = await node.record(text)
                truth = market.control(f"/_sandbox/truth?key={text}")
                assert record is not None
                if truth["since"] < record.provenance.fetched_at:
                    assert record.digest == truth["digest"], text
    assert answer.meta.offers_total > 100


async def test_a_deadline_is_kept_and_the_rest_is_said(tmp_path: Path) -> None:
    with running_sandbox("--budgets", "real") as slow:
        async with Node(node_settings(slow, tmp_path)) as node:
            answer = await node.hunt("Blue Dream", near="Denver, CO", radius_km=40, deadline_s=3)
        assert slow.calls() == answer.meta.origin_calls
    assert 2_000 <= answer.meta.elapsed_ms <= 4_000
    assert any(missing.origin == "dutchie" for missing in answer.missing)
    assert all(missing.why for missing in answer.missing)


@pytest.mark.parametrize(
    "question",
    [
        {"near": "Nowhere at all"},
        {"near": "Denver, CO", "radius_km": -1},
        {"near": "Denver, CO", "radius_km": float("nan")},
        {"near": "Denver, CO", "deadline_s": 0},
        {"near": "Denver, CO", "limit": 0},
        {"near": "Denver, CO", "cursor": "x"},
    ],
)
async def test_a_question_that_cannot_be_asked_is_bad_input(tmp_path: Path, question: dict[str, object]) -> None:
    async with Node(node_settings(RunningSandbox(""), tmp_path).model_copy(update={"sandbox_url": None})) as node:
        with pytest.raises(BadInput):
            await node.hunt("Blue Dream", **question)  # type: ignore[arg-type]

"""The figures of a node against an outside count, and its price history against what was fetched."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from sandboxes import RunningSandbox, node_settings, running_sandbox
from weedhounds import Node
from weedhounds.api import create_app
from weedhounds.model.records import PriceList
from weedhounds.query.pricehistory import PricePoint

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

CLIENTS = 64
REQUESTS = 12
SPEED = 43_200
"""Half a day of market time passes in a second: a shop changes its prices 0.6 times a day."""


@pytest.fixture(scope="module")
def market() -> Iterator[RunningSandbox]:
    flags = ("--latency-ms", "2", "--latency-p99-ms", "10", "--seed", "11", "--speed", str(SPEED))
    with running_sandbox(*flags) as sandbox:
        yield sandbox


async def test_hits_and_misses_are_the_requests_of_64_clients(market: RunningSandbox, tmp_path: Path) -> None:
    market.reset()
    settings = node_settings(market, tmp_path, server={"host": "127.0.0.1"})
    async with Node(settings) as node:
        transport = httpx.ASGITransport(app=create_app(node))  # type: ignore[arg-type]  # two spellings of ASGI
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8420", timeout=60) as client:
            near = (await client.get("/v1/dispensaries?near=Denver, CO&radius_km=40")).json()
            shops = [k.split(":", 1)[1] for each in near["dispensaries"] for k in each["listings"]][:20]
            before = (await client.get("/v1/stats")).json()
            outside: Counter[str] = Counter()

            async def ask(rng: Random) -> None:
                shop = rng.choice(shops)
                path, data_type = rng.choice((("menus", "dispensary_menu"), ("prices", "product_pricing")))
                outside[data_type] += 1
                way = rng.randrange(4)
                if way == 0:
                    await node.get(f"{data_type}:{shop}")
                elif way == 1:
                    await client.head(f"/v1/{path}/{shop}")
                elif way == 2:
                    await client.get(f"/v1/{path}/{shop}", params={"offline": "true"})
                else:
                    await client.get(f"/v1/{path}/{shop}", headers={"if-none-match": "*"})

            async def one_client(number: int) -> None:
                rng = Random(number)
                for _ in range(REQUESTS):
                    await ask(rng)

            await asyncio.gather(*(one_client(number) for number in range(CLIENTS)))
            after = (await client.get("/v1/stats")).json()
            exposed = (await client.get("/metrics")).text
    assert outside.total() == CLIENTS * REQUESTS
    for data_type, count in outside.items():
        requests, memory = (_grown(before, after, *path, data_type) for path in (("read",), ("tiers", "memory")))
        assert requests["requests"] == requests["hits"] + requests["misses"] == count
        assert memory["hits"] + memory["misses"] == count
        assert requests["hits"] > count / 2
        assert f'weedhounds_tier_requests_total{{class="hit",data_type="{data_type}",tier="memory"}}' in exposed
    assert sum(origin["calls"] for origin in after["origins"].values()) == market.calls()
    for tier in after["tiers"].values():
        assert sum(each["hits"] + each["misses"] for each in tier["by_type"].values()) == tier["hits"] + tier["misses"]


def _grown(before: dict[str, Any], after: dict[str, Any], *path: str) -> Counter[str]:
    """Return by how much the figures of a data type have grown."""
    *within, data_type = path
    for name in within:
        before, after = before[name], after[name]
    old = before["by_type"].get(data_type, {})
    return Counter({name: value - (old.get(name) or 0) for name, value in after["by_type"][data_type].items()})


async def test_prices_over_time_are_what_was_fetched(market: RunningSandbox, tmp_path: Path) -> None:
    market.reset()
    async with Node(node_settings(market, tmp_path, clock={"source": "sandbox"})) as node:
        near = await node.dispensaries("Denver, CO", radius_km=40, deadline_s=20)
        shops = [k.split(":", 1)[1] for each in near.dispensaries for k in each.listings][:12]
        keys = [f"product_pricing:{shop}" for shop in shops]
        fetched: dict[str, dict[float, PriceList]] = {key: {} for key in keys}
        digests: dict[str, set[str]] = {key: set() for key in keys}
        while sum(len(each) - 1 for each in digests.values()) < 5:
            for key in keys:
                answer = await node.record(key, deadline_s=20)
                assert answer is not None
                assert isinstance(answer.record, PriceList)
                fetched[key].setdefault(answer.provenance.fetched_at, answer.record)
                digests[key].add(answer.digest)
            await asyncio.sleep(0.05)
        changed = 0
        for key, lists in fetched.items():
            points = await _points(node, key)
            for at, record in lists.items():
                assert _state(points, at) == _listed(record), (key, at)
            changed += sum(point.at > min(lists) for point in points)
            newest = max(lists)
            recent = await node.price_history(key, since=newest)
            assert recent is not None
            assert recent.opening is not None
            assert {point.at for point in recent.changes} <= {newest}
            assert _state([*recent.opening, *recent.changes], newest) == _listed(lists[newest])
        assert changed >= 5
        assert node.stats().history.lost == 0


async def _points(node: Node, key: str) -> list[PricePoint]:
    """Return all that is known of a shop's prices, page by page."""
    points: list[PricePoint] = []
    cursor: str | None = None
    while True:
        page = await node.price_history(key, limit=97, cursor=cursor)
        assert page is not None
        points += page.changes
        cursor = page.next_cursor
        if cursor is None:
            return points


def _state(points: list[PricePoint], until: float) -> dict[tuple[str, str, str], tuple[object, ...]]:
    state: dict[tuple[str, str, str], tuple[object, ...]] = {}
    for point in points:
        if point.at <= until:
            offer = (point.product_id, point.variant_label, point.market)
            state.pop(offer, None)
            if point.price is not None:
                state[offer] = (point.price, point.list_price, point.in_stock, point.quantity)
    return state


def _listed(record: PriceList) -> dict[tuple[str, str, str], tuple[object, ...]]:
    return {
        (p.product_id, p.variant_label, p.market): (p.price, p.list_price, p.in_stock, p.quantity)
        for p in record.prices
    }

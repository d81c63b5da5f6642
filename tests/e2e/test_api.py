"""The HTTP API of a real node on a real market: what it answers is what it did and what the docs say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from sandboxes import RunningSandbox, node_settings, running_sandbox
from weedhounds import Node
from weedhounds.api import create_app

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

HUNT = {"q": "Blue Dream", "near": "Denver, CO", "radius_km": "40", "deadline_s": "20"}


@pytest.fixture(scope="module")
def market() -> Iterator[RunningSandbox]:
    with running_sandbox("--latency-ms", "2", "--latency-p99-ms", "10", "--seed", "11") as sandbox:
        yield sandbox


@pytest.fixture
async def client(market: RunningSandbox, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    market.reset()
    async with Node(node_settings(market, tmp_path)) as node:
        transport = httpx.ASGITransport(app=create_app(node))  # type: ignore[arg-type]  # two spellings of ASGI
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8420", timeout=30) as made:
            yield made


async def test_a_hunt_is_answered_in_pages_and_its_records_one_by_one(
    client: httpx.AsyncClient, market: RunningSandbox
) -> None:
    first = await client.get("/v1/hunt", params=HUNT)
    page: dict[str, Any] = first.json()
    assert market.calls() == page["meta"]["origin_calls"]
    assert first.headers["cache-status"] == "weedhounds; fwd=miss; detail=origin"
    assert len(page["offers"]) == 200
    seen = [json.dumps([o["shop"]["key"], o["product_id"], o["variant_label"], o["market"]]) for o in page["offers"]]
    while page["meta"]["next_cursor"]:
        answer = await client.get("/v1/hunt", params={**HUNT, "limit": "1000", "cursor": page["meta"]["next_cursor"]})
        assert answer.headers["cache-status"] == "weedhounds; hit; detail=memory"
        page = answer.json()
        seen += [
            json.dumps([o["shop"]["key"], o["product_id"], o["variant_label"], o["market"]]) for o in page["offers"]
        ]
    assert len(set(seen)) == len(seen) == page["meta"]["offers_total"]

    from_ = page["offers"][0]["provenance"]
    prices = await client.get(f"/v1/prices/{quote(from_['key'], safe='')}")
    assert (prices.status_code, prices.json()["key"]) == (200, from_["key"])
    assert prices.headers["cache-status"].startswith("weedhounds; hit; detail=memory; ttl=")
    shop = from_["key"].split(":", 1)[1]
    menu = await client.get(f"/v1/menus/{shop}")
    assert menu.json()["record"]["products"]
    again = await client.get(f"/v1/menus/{shop}", headers={"if-none-match": menu.headers["etag"]})
    assert again.status_code == 304
    strain = await client.get("/v1/strains/blue-dream")
    assert strain.json()["name"] == "Blue Dream"
    shops = (await client.get("/v1/dispensaries", params={"near": "Denver, CO", "radius_km": "40"})).json()
    assert len(shops["dispensaries"]) == page["meta"]["shops"]
    distances = [each["distance_km"] for each in shops["dispensaries"]]
    assert distances == sorted(distances)
    stats = (await client.get("/v1/stats")).json()
    assert sum(origin["calls"] for origin in stats["origins"].values()) == market.calls()


async def test_one_menu_asked_many_times_at_once_is_loaded_once(
    client: httpx.AsyncClient, market: RunningSandbox
) -> None:
    near = (await client.get("/v1/dispensaries", params={"near": "Denver, CO", "radius_km": "40"})).json()
    shop = next(k for each in near["dispensaries"] for k in each["listings"] if ":weedmaps:" in k).split(":", 1)[1]
    before = market.calls()
    answers = await asyncio.gather(*(client.get(f"/v1/menus/{shop}") for _ in range(50)))
    together = market.calls() - before
    assert {answer.status_code for answer in answers} == {200}
    total = len(answers[0].json()["record"]["products"])
    assert together == max(1, -(-total // 100))


async def test_an_origin_that_is_down_is_a_gap_in_a_hunt_and_a_problem_for_its_record(
    client: httpx.AsyncClient, market: RunningSandbox
) -> None:
    market.fault("jane", "down")
    hunt = (await client.get("/v1/hunt", params=HUNT)).json()
    assert "jane" in {missing["origin"] for missing in hunt["missing"]}
    assert hunt["offers"]
    menu = await client.get("/v1/menus/jane:1", params={"deadline_s": "5"})
    assert menu.status_code in (502, 504)
    assert menu.headers["content-type"] == "application/problem+json"


async def test_what_no_origin_has_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/menus/weedmaps:999999999")).status_code == 404
    assert (await client.get("/v1/strains/no-such-strain-at-all")).status_code == 404

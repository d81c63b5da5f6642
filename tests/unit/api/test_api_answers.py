from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from sample_answers import FakeNode, hunt_answer, menu_answer, offer, provenance, strain_answer
from weedhounds.api.headers import hunt_headers, record_headers
from weedhounds.query.answer import ByTier


async def test_a_hunt_is_the_nodes_answer_encoded_as_it_is(client: httpx.AsyncClient) -> None:
    got = await client.get("/v1/hunt", params={"near": "Denver, CO", "q": "Blue Dream"})
    assert got.status_code == 200
    assert got.headers["content-type"] == "application/json"
    assert got.content == msgspec.json.encode(hunt_answer())


async def test_a_hunts_parameters_reach_the_node(client: httpx.AsyncClient, node: FakeNode) -> None:
    asked = {
        "q": "gummies", "near": "Denver, CO", "radius_km": "40", "deadline_s": "2.5",
        "limit": "7", "cursor": "14", "offline": "true",
    }  # fmt: skip
    assert (await client.get("/v1/hunt", params=asked)).status_code == 200
    assert node.asked == {
        "query": "gummies", "near": "Denver, CO", "radius_km": 40.0, "deadline_s": 2.5,
        "limit": 7, "cursor": "14", "offline": True,
    }  # fmt: skip


async def test_a_hunt_without_a_limit_has_at_most_200_offers(client: httpx.AsyncClient, node: FakeNode) -> None:
    await client.get("/v1/hunt", params={"near": "Denver, CO"})
    assert node.asked["limit"] == 200


async def test_shops_near_a_place(client: httpx.AsyncClient, node: FakeNode) -> None:
    got = await client.get("/v1/dispensaries", params={"near": "Denver, CO", "radius_km": 3, "limit": 5})
    assert [each["shop"]["name"] for each in got.json()["dispensaries"]] == ["Green Lane"]
    assert (node.asked["radius_km"], node.asked["limit"]) == (3.0, 5)


@pytest.mark.parametrize(
    ("path", "key", "kind"),
    [
        ("/v1/menus/dispensary_menu:weedmaps:7", "dispensary_menu:weedmaps:7", "menu"),
        ("/v1/menus/weedmaps:7", "dispensary_menu:weedmaps:7", "menu"),
        ("/v1/prices/product_pricing:weedmaps:7", "product_pricing:weedmaps:7", "price_list"),
        ("/v1/prices/weedmaps:7", "product_pricing:weedmaps:7", "price_list"),
    ],
)
async def test_a_record_is_found_by_its_key_and_by_the_short_form(
    client: httpx.AsyncClient, path: str, key: str, kind: str
) -> None:
    got = (await client.get(path)).json()
    assert (got["key"], got["record"]["type"]) == (key, kind)


@pytest.mark.parametrize("part", ["a%252Fb%2520c", "a%2Fb%20c"])
async def test_a_native_id_may_stand_in_the_path_as_in_a_key_or_plain(
    client: httpx.AsyncClient, node: FakeNode, part: str
) -> None:
    assert (await client.get(f"/v1/menus/weedmaps:{part}")).status_code == 404
    assert node.asked["key"] == "dispensary_menu:weedmaps:a%2Fb%20c"


async def test_a_strain_is_found_by_its_slug(client: httpx.AsyncClient) -> None:
    got = await client.get("/v1/strains/blue-dream")
    assert got.content == msgspec.json.encode(strain_answer())


async def test_stats_are_the_nodes_figures_and_are_not_kept(client: httpx.AsyncClient, node: FakeNode) -> None:
    got = await client.get("/v1/stats")
    assert got.content == msgspec.json.encode(node.stats())
    assert got.headers["cache-control"] == "no-store"


async def test_health_is_told_in_every_state_and_readiness_only_when_ready(
    client: httpx.AsyncClient, node: FakeNode
) -> None:
    assert [(await client.get(p)).status_code for p in ("/healthz", "/readyz")] == [200, 200]
    node.is_ready = False
    states = [(await client.get(p)).status_code for p in ("/healthz", "/readyz", "/v1/stats", "/v1/hunt?near=x")]
    assert states == [200, 503, 503, 503]


async def test_a_records_answer_tells_its_age_its_lifetime_and_its_tier(client: httpx.AsyncClient) -> None:
    headers = (await client.get("/v1/menus/weedmaps:7")).headers
    assert headers["age"] == "90"
    assert headers["cache-control"] == "private, max-age=3600"
    assert headers["cache-status"] == "weedhounds; hit; detail=memory; ttl=3510"
    assert headers["etag"] == 'W/"0123456789abcdef-1750000000"'


def test_a_record_that_an_origin_just_gave_is_no_hit() -> None:
    assert record_headers(menu_answer(tier="origin"))["cache-status"] == "weedhounds; fwd=miss; detail=origin; ttl=3510"


def test_an_expired_record_is_told_with_what_it_is_overdue() -> None:
    old = msgspec.structs.replace(menu_answer(), provenance=provenance(age_s=4000.0))
    assert record_headers(old)["cache-status"].endswith("ttl=-400")


def test_a_hunt_is_as_old_as_its_oldest_fact_and_names_the_slowest_tier_needed() -> None:
    answer = hunt_answer(0)
    answer = msgspec.structs.replace(
        answer,
        offers=(offer(1), offer(2, provenance=provenance(age_s=500.4))),
        meta=msgspec.structs.replace(answer.meta, by_tier=ByTier(memory=3, sql=1)),
    )
    assert hunt_headers(answer) == {
        "age": "500",
        "cache-control": "private, max-age=0",
        "cache-status": "weedhounds; hit; detail=sql",
    }


def test_a_hunt_that_found_nothing_has_no_age() -> None:
    assert "age" not in hunt_headers(hunt_answer(0, records=0))


@pytest.mark.parametrize("path", ["/v1/hunt?near=Denver, CO", "/v1/menus/weedmaps:7", "/openapi.json", "/docs"])
async def test_who_holds_the_same_answer_gets_304_without_a_body(client: httpx.AsyncClient, path: str) -> None:
    first = await client.get(path)
    tag = first.headers["etag"]
    for known in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        again = await client.get(path, headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await client.get(path, headers={"if-none-match": '"other"'})).content == first.content


async def test_another_answer_has_another_etag(client: httpx.AsyncClient, node: FakeNode) -> None:
    first = await client.get("/v1/hunt?near=Denver, CO")
    node.answer = hunt_answer(2)
    second = await client.get("/v1/hunt?near=Denver, CO")
    assert first.headers["etag"] != second.headers["etag"]


async def test_head_is_get_without_the_body(client: httpx.AsyncClient) -> None:
    got, head = await client.get("/v1/menus/weedmaps:7"), await client.head("/v1/menus/weedmaps:7")
    assert (head.status_code, head.content) == (200, b"")
    volatile = ("x-request-id",)
    assert {k: v for k, v in head.headers.items() if k not in volatile} == {
        k: v for k, v in got.headers.items() if k not in volatile
    }


async def test_the_description_is_openapi_and_states_the_bounds(client: httpx.AsyncClient) -> None:
    schema: dict[str, Any] = (await client.get("/openapi.json")).json()
    assert schema["openapi"].startswith("3.1")
    parameters = {p["name"]: p for p in schema["paths"]["/v1/hunt"]["get"]["parameters"]}
    assert parameters["near"]["required"] is True
    assert parameters["limit"]["schema"] | {"description": ""} == {
        "type": "integer", "minimum": 1, "maximum": 1000, "description": ""
    }  # fmt: skip
    assert parameters["deadline_s"]["schema"]["exclusiveMinimum"] == 0
    assert schema["components"]["schemas"]["Money"]["properties"]["amount"]["type"] == "string"


async def test_the_page_of_the_docs_needs_no_other_host_and_no_script(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    assert "://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path in (await client.get("/openapi.json")).json()["paths"]:
        assert f"GET {path}" in page.text

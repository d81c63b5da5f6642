"""Prices over time over HTTP."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from sample_answers import FakeNode, price_history_answer
from weedhounds.errors import TierUnavailable

PATH = "/v1/prices/weedmaps:7"


async def test_prices_since_a_moment_are_the_nodes_answer_encoded_as_it_is(client: httpx.AsyncClient) -> None:
    got = await client.get(PATH, params={"since": "1750000001"})
    assert got.status_code == 200
    assert got.content == msgspec.json.encode(price_history_answer())
    assert got.headers["cache-control"] == "private, max-age=0"


@pytest.mark.parametrize(
    "since",
    ["1750000000", "1750000000.0", "2025-06-15T15:06:40Z", "2025-06-15T17:06:40+02:00", "2025-06-15 15:06:40"],
)
async def test_a_moment_is_told_in_unix_seconds_or_iso_8601(
    client: httpx.AsyncClient, node: FakeNode, since: str
) -> None:
    assert (await client.get(PATH, params={"since": since})).status_code == 200
    assert node.asked["since"] == 1_750_000_000.0


async def test_a_zone_whose_plus_sign_came_as_a_space_is_understood(client: httpx.AsyncClient, node: FakeNode) -> None:
    assert (await client.get(f"{PATH}?since=2025-06-15T17:06:40+02:00")).status_code == 200
    assert node.asked["since"] == 1_750_000_000.0


async def test_the_parameters_reach_the_node(client: httpx.AsyncClient, node: FakeNode) -> None:
    asked = {"since": "0", "product": "p1", "limit": "7", "cursor": "1750000000000-3"}
    assert (await client.get(PATH, params=asked)).status_code == 200
    assert node.asked == {
        "key": "product_pricing:weedmaps:7", "since": 0.0, "product_id": "p1", "limit": 7, "cursor": "1750000000000-3",
    }  # fmt: skip


async def test_without_a_limit_there_are_at_most_200_points(client: httpx.AsyncClient, node: FakeNode) -> None:
    await client.get(PATH, params={"since": "0"})
    assert node.asked["limit"] == 200


@pytest.mark.parametrize("since", ["yesterday", "", "nan", "inf", "-5", "1e999", "9" * 39, "2025-13-01", "٣"])
async def test_what_is_no_time_is_a_problem(client: httpx.AsyncClient, since: str) -> None:
    got = await client.get(PATH, params={"since": since})
    assert (got.status_code, got.json()["type"]) == (400, "/docs#bad-input")


@pytest.mark.parametrize("alone", [{"product": "p1"}, {"limit": "5"}, {"cursor": "1-1"}])
async def test_what_belongs_to_since_is_refused_without_it(client: httpx.AsyncClient, alone: dict[str, str]) -> None:
    got = await client.get(PATH, params=alone)
    assert got.status_code == 400
    assert "since" in got.json()["detail"]


async def test_what_was_never_observed_is_not_found(client: httpx.AsyncClient) -> None:
    got = await client.get("/v1/prices/weedmaps:8", params={"since": "0"})
    assert (got.status_code, "ever observed" in got.json()["detail"]) == (404, True)


async def test_a_store_that_fails_is_503(client: httpx.AsyncClient, node: FakeNode) -> None:
    node.error = TierUnavailable("the file is locked")
    assert (await client.get(PATH, params={"since": "0"})).status_code == 503

"""The API keeps to its own description, whatever is asked."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import positive_data_acceptance

from sample_answers import FakeNode
from weedhounds.api import create_app
from weedhounds.config import ServerSettings, Settings

ANY_HOST = Settings(server=ServerSettings(host="0.0.0.0", public_read=True))  # the client calls itself "testserver"
GOOD = {
    "/v1/hunt": "/v1/hunt?near=Denver, CO",
    "/v1/dispensaries": "/v1/dispensaries?near=Denver, CO",
    "/v1/menus/{key}": "/v1/menus/weedmaps:7",
    "/v1/prices/{key}": "/v1/prices/weedmaps:7",
    "/v1/strains/{slug}": "/v1/strains/blue-dream",
    "/v1/stats": "/v1/stats",
    "/metrics": "/metrics",
    "/healthz": "/healthz",
    "/readyz": "/readyz",
}

schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(FakeNode(ANY_HOST)))


@schema.parametrize()
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_the_description_names(case: Case[Any]) -> None:
    # no schema can say which places and keys there are: refusing them is no fault
    case.call_and_validate(excluded_checks=[positive_data_acceptance])


@pytest.mark.parametrize("path", sorted(GOOD))
async def test_a_good_answer_is_as_described(client: httpx.AsyncClient, path: str) -> None:
    got = await client.get(GOOD[path])
    assert got.status_code == 200
    schema[path]["GET"].validate_response(got)


async def test_prices_over_time_are_as_described(client: httpx.AsyncClient) -> None:
    got = await client.get("/v1/prices/weedmaps:7?since=0")
    assert got.json()["changes"]
    schema["/v1/prices/{key}"]["GET"].validate_response(got)


async def test_another_routes_answer_would_be_found_wrong(client: httpx.AsyncClient) -> None:
    got = await client.get("/readyz")
    with pytest.raises(Failure):
        schema["/healthz"]["GET"].validate_response(got)


def test_every_described_route_is_tried() -> None:
    assert set(schema.raw_schema["paths"]) == set(GOOD)

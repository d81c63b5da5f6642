from __future__ import annotations

from typing import Any

import httpx
import pytest

from sample_answers import FakeNode
from weedhounds.errors import (
    BadInput,
    Corrupt,
    DeadlinePassed,
    NotFound,
    OriginRejected,
    OriginUnavailable,
    RateLimited,
    SchemaMismatch,
    TaskTimeout,
    TierUnavailable,
    WorkerCrashed,
)

HUNT = "/v1/hunt?near=Denver, CO"


def checked(got: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem document of an answer, once it is one."""
    assert got.status_code == status
    assert got.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = got.json()
    assert document["status"] == status
    assert document["type"].startswith("/docs#")
    assert document["title"]
    assert document["detail"]
    assert document["instance"] == got.request.url.path
    assert document["request_id"] == got.headers["x-request-id"]
    return document


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (BadInput("radius_km must be 0 to 500"), 400, "bad-input"),
        (NotFound("no such shop"), 404, "not-found"),
        (RateLimited("429"), 429, "rate-limited"),
        (OriginUnavailable("no connection"), 502, "origin-failed"),
        (OriginRejected("blocked"), 502, "origin-failed"),
        (SchemaMismatch("no JSON"), 502, "origin-failed"),
        (DeadlinePassed("deadline passed before the answer"), 504, "deadline-passed"),
        (TaskTimeout("too slow"), 504, "deadline-passed"),
        (TierUnavailable("database is locked"), 503, "not-available"),
        (WorkerCrashed("gone"), 503, "not-available"),
        (Corrupt("checksum"), 500, "internal-error"),
    ],
)
async def test_each_error_is_a_problem_of_its_own(
    client: httpx.AsyncClient, node: FakeNode, error: Exception, status: int, kind: str
) -> None:
    node.error = error
    document = checked(await client.get(HUNT), status)
    assert (document["type"], document["detail"]) == (f"/docs#{kind}", str(error))


async def test_an_error_inside_a_group_is_answered_as_itself(client: httpx.AsyncClient, node: FakeNode) -> None:
    node.error = ExceptionGroup("tasks", [ExceptionGroup("more", [BadInput("no")])])
    assert checked(await client.get(HUNT), 400)["detail"] == "no"


@pytest.mark.parametrize(("wait_s", "field"), [(0.2, "1"), (12.1, "13"), (None, None), (float("inf"), None)])
async def test_rate_limited_says_when_to_come_again(
    client: httpx.AsyncClient, node: FakeNode, wait_s: float | None, field: str | None
) -> None:
    node.error = RateLimited("budget spent", wait_s)
    assert (await client.get(HUNT)).headers.get("retry-after") == field


async def test_an_unexpected_error_tells_no_internals(client: httpx.AsyncClient, node: FakeNode) -> None:
    node.error = RuntimeError("secret path /home/x")
    document = checked(await client.get(HUNT), 500)
    assert "secret" not in str(document)
    assert "RuntimeError" not in str(document)


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/v1/hunt?near=Denver, CO&radius_km=-1", "radius_km"),
        ("/v1/hunt?near=Denver, CO&radius_km=501", "radius_km"),
        ("/v1/hunt?near=Denver, CO&radius_km=nan", "radius_km"),
        ("/v1/hunt?near=Denver, CO&radius_km=wide", "radius_km"),
        ("/v1/hunt?near=Denver, CO&deadline_s=0", "deadline_s"),
        ("/v1/hunt?near=Denver, CO&deadline_s=inf", "deadline_s"),
        ("/v1/hunt?near=Denver, CO&limit=0", "limit"),
        ("/v1/hunt?near=Denver, CO&limit=1001", "limit"),
        ("/v1/hunt?near=Denver, CO&offline=perhaps", "offline"),
        ("/v1/dispensaries?near=Denver, CO&limit=many", "limit"),
        ("/v1/menus/weedmaps:7?deadline_s=-1", "deadline_s"),
    ],
)
async def test_a_parameter_out_of_range_is_named(client: httpx.AsyncClient, path: str, parameter: str) -> None:
    document = checked(await client.get(path), 400)
    assert [each["parameter"] for each in document["errors"]] == [parameter]
    assert parameter in document["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/hunt",
        "/v1/hunt?near=",
        "/v1/hunt?near=Atlantis",
        "/v1/hunt?near=%ED%A0%80%FF",
        f"/v1/hunt?near={'x' * 101}",
        "/v1/dispensaries",
        "/v1/menus/7",
        "/v1/menus/nope:weedmaps:7",
        "/v1/menus/product_pricing:weedmaps:7",
        "/v1/prices/dispensary_menu:weedmaps:7",
        "/v1/menus/dispensary_menu:Weed Maps:7",
        "/v1/menus/a:b:c:d:e",
    ],
)
async def test_a_question_that_cannot_be_asked_is_400(client: httpx.AsyncClient, path: str) -> None:
    checked(await client.get(path), 400)


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/hunt", "/v1/menus/", "/v1/menus/weedmaps:8", "/v1/strains/none"])
async def test_what_is_not_there_is_404(client: httpx.AsyncClient, path: str) -> None:
    checked(await client.get(path), 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_another_method_is_405_and_says_which_are_allowed(client: httpx.AsyncClient, method: str) -> None:
    got = await client.request(method, "/v1/hunt")
    checked(got, 405)
    assert "GET" in got.headers["allow"]


async def test_every_problem_type_is_explained_on_the_page_it_leads_to(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    document = checked(await client.get("/nope"), 404)
    assert f'id="{document["type"].removeprefix("/docs#")}"' in page

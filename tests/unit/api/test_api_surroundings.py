"""What surrounds every request: names, hosts, the log line, the bound on requests in flight."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from sample_answers import FakeNode, hunt_answer
from weedhounds import telemetry
from weedhounds.api import check_listen, create_app
from weedhounds.api.listen import host_name, is_loopback, url_of
from weedhounds.api.middleware import MAX_IN_FLIGHT, Observed
from weedhounds.clock import ManualClock
from weedhounds.config import ServerSettings, Settings
from weedhounds.errors import ConfigError
from weedhounds.query.answer import HuntAnswer

HUNT = "/v1/hunt?near=Denver, CO"


def client_of(node: FakeNode, **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=create_app(node))  # type: ignore[arg-type]  # two spellings of ASGI
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8420", **options)


async def test_a_request_keeps_the_id_that_it_came_with(client: httpx.AsyncClient) -> None:
    got = await client.get("/healthz", headers={"x-request-id": "abc-1.Z_9"})
    assert got.headers["x-request-id"] == "abc-1.Z_9"


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 65, "a\x00b", "\xe9"])
async def test_a_request_without_a_usable_id_gets_one(client: httpx.AsyncClient, given: str | None) -> None:
    headers = [] if given is None else [(b"x-request-id", given.encode("latin-1"))]
    got = await client.get("/healthz", headers=headers)
    assert re.fullmatch(r"[0-9a-f]{16}", got.headers["x-request-id"])


async def test_the_node_works_under_the_requests_id() -> None:
    class Named(FakeNode):
        async def hunt(self, query: str = "", *, near: str, **asked: object) -> HuntAnswer:
            self.asked = {"id": telemetry.request_id()}
            return self.answer

    node = Named()
    async with client_of(node) as client:
        await client.get(HUNT, headers={"x-request-id": "abc"})
    assert node.asked == {"id": "abc"}
    assert telemetry.request_id() is None


async def test_each_request_is_one_log_line_that_tells_no_query(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.get("/v1/hunt?near=Denver, CO&q=secret")
        await client.get("/line%0Abreak")
    assert [(each["event"], each["path"], each["status"]) for each in lines] == [
        ("request", "/v1/hunt", 200),
        ("request", "/line%0Abreak", 404),
    ]
    assert "secret" not in str(lines)
    assert lines[0]["bytes"] > 100


async def test_no_answer_may_be_taken_for_another_kind_of_document(client: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/nope", "/docs"):
        assert (await client.get(path)).headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8420", "LOCALHOST", "[::1]:8420", "127.0.0.1:1"])
async def test_on_loopback_the_node_answers_to_its_own_names(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/healthz", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.4:8420", ""])
async def test_on_loopback_the_node_refuses_other_names(client: httpx.AsyncClient, host: str) -> None:
    for path in ("/v1/stats", "/healthz", "/docs"):
        got = await client.get(path, headers={"host": host})
        assert got.status_code == 421
        assert got.json()["type"] == "/docs#wrong-host"
        assert got.json()["request_id"] == got.headers["x-request-id"]


async def test_a_public_node_answers_to_any_name() -> None:
    node = FakeNode(Settings(server=ServerSettings(host="0.0.0.0", public_read=True)))
    async with client_of(node) as client:
        assert (await client.get("/healthz", headers={"host": "node.example"})).status_code == 200


def test_a_node_listens_beyond_loopback_only_when_allowed() -> None:
    check_listen(ServerSettings(host="::1"))
    check_listen(ServerSettings(host="localhost"))
    check_listen(ServerSettings(host="0.0.0.0", public_read=True))
    for host in ("0.0.0.0", "::", "192.168.1.4", "node.example"):
        with pytest.raises(ConfigError, match="public-read"):
            check_listen(ServerSettings(host=host))


def test_addresses_are_spelt_so_that_they_can_be_opened() -> None:
    assert url_of("127.0.0.1", 8420) == "http://127.0.0.1:8420"
    assert url_of("::1", 80) == "http://[::1]:80"
    assert url_of("0.0.0.0", 1) == "http://127.0.0.1:1"
    assert [is_loopback(host) for host in ("127.0.0.2", "::1", "localhost", "10.0.0.1")] == [True, True, True, False]
    assert host_name("a:b:c") == "a"


async def test_requests_beyond_the_bound_are_told_to_come_again() -> None:
    started, release = asyncio.Event(), asyncio.Event()

    class Slow(FakeNode):
        async def hunt(self, query: str = "", *, near: str, **asked: object) -> HuntAnswer:
            self.asked["count"] = int(str(self.asked.get("count", 0))) + 1
            if self.asked["count"] == MAX_IN_FLIGHT:
                started.set()
            await release.wait()
            return hunt_answer(0)

    async with client_of(Slow()) as client, asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(client.get(HUNT)) for _ in range(MAX_IN_FLIGHT)]
        async with asyncio.timeout(15):
            await started.wait()
        refused = await client.get("/healthz")
        release.set()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert {task.result().status_code for task in waiting} == {200}


async def test_an_error_that_no_framework_answers_is_still_a_problem() -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret")

    transport = httpx.ASGITransport(app=Observed(broken, ManualClock()))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        got = await client.get("/")
    assert (got.status_code, got.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in got.text

"""The sandbox called in process: what all its contract tests share, and the plainest of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from weedhounds.clock import ManualClock
from weedhounds.sandbox import SandboxApp, SandboxConfig

NOW = 1_767_600_000.0


class Answer(msgspec.Struct):
    """What came back; ``status`` 0 is a connection closed without an answer."""

    status: int = 0
    headers: dict[str, str] = {}
    body: bytes = b""

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Caller:
    """Calls an application in process, at a time that a test sets.

    Args:
        options: of :class:`SandboxConfig`; no latency unless given.
    """

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock(NOW)
        self.app = SandboxApp(SandboxConfig(**{"latency_median_ms": 0.0, **options}), self.clock)
        self.goes_after_s: float | None = None
        """Seconds after which the client hangs up, where it does."""

    async def get(self, path: str, **params: object) -> Answer:
        return await self.call("GET", path, params=params)

    async def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> Answer:
        encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.call("POST", path, body=encoded, headers=headers)

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        answer, asked = Answer(), False

        async def receive() -> MutableMapping[str, Any]:
            nonlocal asked
            if asked:
                await asyncio.sleep(3600 if self.goes_after_s is None else self.goes_after_s)
                return {"type": "http.disconnect"}
            asked = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            else:
                answer.body += message.get("body", b"")

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": urlencode(params or {}).encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
        }
        await self.app(scope, receive, send)
        return answer


@pytest.fixture
def sandbox() -> Caller:
    return Caller()


async def test_an_unknown_path_says_which_origins_there_are(sandbox: Caller) -> None:
    answer = await sandbox.get("/nowhere")
    assert answer.status == 404
    assert "/weedmaps" in answer.json["error"]


async def test_lifespan_messages_are_answered() -> None:
    told: list[str] = []
    messages = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> MutableMapping[str, Any]:
        return {"type": next(messages)}

    async def send(message: MutableMapping[str, Any]) -> None:
        told.append(message["type"])

    await Caller().app({"type": "lifespan"}, receive, send)
    assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_request_body_over_a_megabyte_is_refused(sandbox: Caller) -> None:
    answer = await sandbox.post("/dutchie/graphql", b"x" * (1 << 20) + b"x")
    assert answer.status == 413


async def test_a_client_that_hangs_up_ends_its_call() -> None:
    slow = Caller(latency_median_ms=60_000.0, latency_p99_ms=60_000.0)
    slow.goes_after_s = 0.01
    answer = await asyncio.wait_for(slow.get("/leafly/strains/v1/blue-dream"), 5)
    assert answer.status == 0
    assert slow.app.gate.in_flight["leafly"] == 0
    assert slow.app.gate.log[0].status == 0


async def test_a_latency_is_waited_out_before_the_answer() -> None:
    caller = Caller(latency_median_ms=60.0, latency_p99_ms=60.0)
    loop = asyncio.get_running_loop()
    started = loop.time()
    answer = await caller.get("/leafly/strains/v1/blue-dream")
    assert answer.status == 200
    assert loop.time() - started >= 0.055
    assert caller.app.gate.log[0].latency_ms == pytest.approx(60.0)


async def test_the_same_seed_and_time_give_the_same_bytes() -> None:
    first, second, other = Caller(seed=3), Caller(seed=3), Caller(seed=4)
    ids = [x.id for x in first.app.market.listings if x.origin == "weedmaps"][:3]
    assert ids == [x.id for x in second.app.market.listings if x.origin == "weedmaps"][:3]
    for listing in ids:
        path = f"/weedmaps/v1/listings/dispensaries/{listing}/menu_items"
        await second.get(path, page_size=10, page=2)
        answers = [await c.get(path, page_size=100, page=1) for c in (first, second)]
        assert answers[0].body == answers[1].body
    near = "/leafly/_next/data/sandbox/dispensaries/near-me.json"
    told = [(await c.get(near, lat=39.7, lon=-105.0, radius=20)).body for c in (first, second, other)]
    assert told[0] == told[1] != told[2]


@pytest.mark.parametrize(
    "path",
    [
        "/dutchie/graphql",
        "/jane/1/indexes/menu-products-production/query",
        "/weedmaps/v2/listings",
        "/leafly/_next/data/sandbox/dispensaries/near-me.json",
        "/socrata_ct/resource/egd5-wb6r.json",
    ],
)
@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[1]", b'{"variables": 7}', b'{"page": "x", "filters": 3, "params": {}}', b"\xff\xfe", b"[" * 5000],
)
async def test_odd_requests_get_an_answer_and_never_an_exception(path: str, body: bytes) -> None:
    caller = Caller()
    key = {"x-algolia-api-key": "sandbox-key"}
    posted = await caller.post(path, body, headers=key)
    params = {"page": "-1", "lat": "x", "variables": "[", "operationName": "FilteredProducts", "$limit": "2"}
    asked = await caller.call("GET", path, params=params, headers=key)
    assert {posted.status, asked.status} <= {200, 400, 404}
    assert posted.json is not None

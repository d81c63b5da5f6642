"""The fast path answers exactly what the long way would have answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from sample_answers import FakeNode
from sample_entries import NOW, menu_entry, menu_key, price_list, raw_entry
from weedhounds.api import create_app, fastpath
from weedhounds.api import packed as packed_answers
from weedhounds.api.fastpath import FastPath
from weedhounds.api.middleware import MAX_IN_FLIGHT, is_known
from weedhounds.cache.entry import Entry
from weedhounds.cache.rendered import REUSE_S, Rendered
from weedhounds.clock import ManualClock
from weedhounds.codec.render import brotli_start
from weedhounds.config import load_settings
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.node import Node

MENU = "/v1/menus/weedmaps:1"
PRICES = "/v1/prices/product_pricing:weedmaps:1"
ODD = "/v1/menus/weedmaps:a%20b%3Fc%25"
PRICE_KEY = RecordKey(DataType.PRODUCT_PRICING, "weedmaps", "1")
ODD_KEY = RecordKey(DataType.DISPENSARY_MENU, "weedmaps", "a b?c%")
OWN_ID = {"x-request-id": "same"}


@pytest.fixture
async def held(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Node]:
    """Yield a node that holds a menu, one with an odd id, and a price list; 61.2345 s old."""
    async with Node(load_settings(data_dir=tmp_path, fetch={"pool_workers": 0}), clock=clock) as node:
        prices = Entry.of(PRICE_KEY, price_list("1", 40), fetched_at=NOW, expires_at=NOW + 600.4)
        await node._read.fill([menu_entry("1", products=30), menu_entry(ODD_KEY.native_id), prices])
        clock.advance(61.2345)
        yield node


class Both:
    """A client of the fast path and one of what lies behind it, over one node."""

    def __init__(self, node: Node | FakeNode) -> None:
        app = create_app(node)
        assert isinstance(app, FastPath)
        self.app = app
        self.fast = _client(self.app)
        self.slow = _client(self.app._app)

    async def answers(self, path: str, method: str = "GET", **headers: str) -> tuple[httpx.Response, httpx.Response]:
        asked = OWN_ID | {name.replace("_", "-"): value for name, value in headers.items()}
        return (
            await self.fast.request(method, path, headers=asked),
            await self.slow.request(method, path, headers=asked),
        )


def _client(app: Any) -> httpx.AsyncClient:
    headers = {"accept-encoding": "identity"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8420", headers=headers)


@pytest.fixture
def both(held: Node) -> Both:
    """Return both ways to the node."""
    return Both(held)


def same(one: httpx.Response, other: httpx.Response) -> bool:
    """Tell whether two answers agree in status, every field and every byte."""
    return (one.status_code, sorted(one.headers.multi_items()), one.content) == (
        other.status_code,
        sorted(other.headers.multi_items()),
        other.content,
    )


@pytest.fixture
def taken(held: Node, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the keys that the fast path answered, as they come."""
    keys: list[str] = []
    hit = held.hit

    def noted(key: str) -> Rendered | None:
        answer = hit(key)
        if answer is not None:
            keys.append(key)
        return answer

    monkeypatch.setattr(held, "hit", noted)
    return keys


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("path", "key"), [(MENU, menu_key("1")), (PRICES, PRICE_KEY), (ODD, ODD_KEY)])
async def test_both_ways_give_the_same_answer(
    both: Both, taken: list[str], path: str, key: RecordKey, method: str
) -> None:
    fast, slow = await both.answers(path, method)
    assert taken == [str(key)]
    assert same(fast, slow)
    assert fast.status_code == 200
    assert fast.headers["age"] == "61"
    assert fast.headers["cache-status"].startswith("weedhounds; hit; detail=memory; ttl=")
    assert (len(fast.content) > 300) is (method == "GET")


async def test_both_ways_agree_field_by_field_as_time_goes(both: Both, clock: ManualClock) -> None:
    for _ in range(20):
        clock.advance(31.7)
        fast, slow = await both.answers(MENU)
        assert same(fast, slow)


async def test_an_age_is_too_low_by_a_moment_at_most(both: Both, clock: ManualClock) -> None:
    await both.answers(MENU)
    clock.advance(REUSE_S * 0.9)
    fast, slow = await both.answers(MENU)
    ages = [each.json()["provenance"]["age_s"] for each in (fast, slow)]
    assert 0 <= ages[1] - ages[0] <= REUSE_S
    assert fast.json()["record"] == slow.json()["record"]


TAGS = {
    "the same": "{tag}",
    "strong": "{strong}",
    "in a list": '"other", {tag}',
    "in a list without spaces": '"other",{strong},"last"',
    "any": "*",
    "any, with spaces": "  * ",
    "another": '"other"',
    "in quotes of another": '"x{bare}"',
    "not quoted": "{bare}",
    "any in a list": '"other", *',
    "empty": "",
    "lower case weak": "w/{strong}",
    "a comma within": '"a,b", {tag}',
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("known", TAGS.values(), ids=TAGS)
async def test_conditional_requests_are_answered_alike(both: Both, taken: list[str], known: str, method: str) -> None:
    tag = (await both.slow.get(MENU)).headers["etag"]
    strong = tag.removeprefix("W/")
    asked = known.format(tag=tag, strong=strong, bare=strong.strip('"'))
    fast, slow = await both.answers(MENU, method, if_none_match=asked)
    assert len(taken) == 1
    assert same(fast, slow)
    is_held = "{tag}" in known or "{strong}" in known or known.strip() == "*"
    assert fast.status_code == (304 if is_held else 200)
    if is_held:
        assert fast.content == b""
        assert not {"content-length", "content-type"} & set(fast.headers)
        assert {"etag", "age", "cache-control", "cache-status", "x-request-id"} <= set(fast.headers)


@pytest.mark.parametrize(
    ("known", "is_it"),
    [('W/"a"', True), ('"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), ("a", False), ('"b", *', False)],
)
def test_a_tag_is_compared_weakly(known: str, is_it: bool) -> None:
    assert is_known(known, 'W/"a"') is is_it


async def test_a_list_that_comes_in_two_fields_is_one_list(both: Both) -> None:
    tag = (await both.fast.get(MENU)).headers["etag"]
    fields = [("if-none-match", '"other"'), ("if-none-match", tag), *OWN_ID.items()]
    answers = [await client.get(MENU, headers=fields) for client in (both.fast, both.slow)]
    assert [each.status_code for each in answers] == [304, 304]
    assert same(*answers)


@pytest.mark.parametrize(
    "path",
    [
        f"{MENU}?deadline_s=3",
        f"{MENU}?offline=true",
        f"{PRICES}?since=0",
        f"{MENU}?deadline_s=0",
        "/v1/menus/nonsense",
        "/v1/menus/product_pricing:weedmaps:1",
        "/v1/menus/nowhere:1",
        "/v1/menus/weedmaps:1/",
        "/v1/menus//weedmaps:1",
        "/v1/menus/",
        "/v1/menus",
        "/v1/prices/weedmaps:2?offline=true",
        "/healthz",
        "/nope",
    ],
)
async def test_everything_else_goes_the_long_way(both: Both, taken: list[str], path: str) -> None:
    fast, slow = await both.answers(path)
    assert taken == []
    assert same(fast, slow)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_go_the_long_way(both: Both, taken: list[str], method: str) -> None:
    fast, slow = await both.answers(MENU, method)
    assert taken == []
    assert fast.status_code == slow.status_code != 200
    assert fast.content == slow.content


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.4:8420", ""])
async def test_no_hit_is_given_to_another_name(both: Both, taken: list[str], host: str) -> None:
    fast, slow = await both.answers(MENU, host=host)
    assert taken == []
    assert same(fast, slow)
    assert fast.status_code == 421


async def test_a_request_with_two_hosts_is_judged_as_on_the_long_way(both: Both, taken: list[str]) -> None:
    for names in (("evil.example", "127.0.0.1"), ("127.0.0.1", "evil.example")):
        headers = [(b"host", name.encode()) for name in names]
        fast, slow = [(await sent_by(app, headers=headers))[0]["status"] for app in (both.app, both.app._app)]
        assert fast == slow
    assert taken == []


async def test_the_answer_to_head_has_no_body_on_the_wire(both: Both, taken: list[str]) -> None:
    for app in (both.app, both.app._app):
        start, body = await sent_by(app, method="HEAD")
        assert start["status"] == 200
        assert body["body"] == b""
        assert not body["more_body"]
    assert len(taken) == 1


async def sent_by(app: Any, **asked: Any) -> list[dict[str, Any]]:
    """Return the messages that an application sends for a request of the menu."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http", "method": "GET", "path": MENU, "raw_path": MENU.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost")], "http_version": "1.1", "scheme": "http", "server": None, "client": None,
    }  # fmt: skip
    await app(scope | asked, receive, send)
    return sent


@pytest.mark.parametrize("given", ["abc-1.Z_9", "a b", "x" * 65, "x\x00", ""])
async def test_ids_of_requests_are_kept_or_made_alike(both: Both, given: str) -> None:
    ids = [
        (await client.get(MENU, headers=[(b"x-request-id", given.encode())])).headers["x-request-id"]
        for client in (both.fast, both.slow)
    ]
    if given == "abc-1.Z_9":
        assert ids == [given, given]
    else:
        assert all(len(each) == 16 and int(each, 16) for each in ids)
        assert ids[0] != ids[1]


async def test_a_node_that_is_not_ready_gives_no_hits(both: Both, held: Node) -> None:
    assert (await both.fast.get(MENU)).status_code == 200
    await held.__aexit__(None, None, None)
    fast, slow = await both.answers(MENU)
    assert same(fast, slow)
    assert fast.status_code == 503


async def test_a_node_that_was_never_started_gives_no_hits(tmp_path: Path) -> None:
    fast, slow = await Both(Node(load_settings(data_dir=tmp_path))).answers(MENU)
    assert same(fast, slow)
    assert fast.status_code == 503


async def test_a_damaged_entry_is_told_by_the_long_way(both: Both, held: Node) -> None:
    held._memory.put(raw_entry("9", b"nonsense", expires_at=NOW + 1e6))
    fast, slow = await both.answers("/v1/menus/weedmaps:9")
    assert fast.status_code == slow.status_code == 500
    assert fast.content == slow.content


async def test_a_fault_of_the_fast_path_costs_no_answer(
    both: Both, held: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> Rendered | None:
        raise RuntimeError("broken")

    monkeypatch.setattr(held, "hit", broken)
    with capture_logs() as lines:
        fast, slow = await both.answers(MENU)
    assert same(fast, slow)
    assert [each["event"] for each in lines if each["log_level"] == "error"] == ["fast path failed"]


async def test_hits_that_wait_for_slow_readers_count_among_the_requests_at_once(held: Node) -> None:
    app = create_app(held)
    release, all_wait, waiting = asyncio.Event(), asyncio.Event(), 0

    async def slow_send(_: Any) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == MAX_IN_FLIGHT:
            all_wait.set()
        await release.wait()

    async def receive() -> Any:
        raise AssertionError

    scope: Any = {
        "type": "http", "method": "GET", "path": MENU, "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }  # fmt: skip
    async with asyncio.TaskGroup() as tasks:
        for _ in range(MAX_IN_FLIGHT):
            tasks.create_task(app(scope, receive, slow_send))  # type: ignore[arg-type]
        await all_wait.wait()
        refused = await _client(app).get(MENU)
        release.set()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert (await _client(app).get(MENU)).status_code == 200


async def test_a_hit_is_logged_at_debug_only_under_its_id(held: Node) -> None:
    logger = logging.getLogger("weedhounds.api.fastpath")
    with capture_logs() as lines:
        await Both(held).fast.get(MENU)
    assert lines == []
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        with capture_logs() as lines:
            await Both(held).fast.get(MENU, headers=OWN_ID)
    finally:
        logger.setLevel(level)
    assert [(each["event"], each["path"], each["status"], each["log_level"]) for each in lines] == [
        ("request", MENU, 200, "debug")
    ]


async def test_an_answer_is_as_long_as_it_says(both: Both, clock: ManualClock) -> None:
    for _ in range(3):
        got = await both.fast.get(MENU)
        assert int(got.headers["content-length"]) == len(got.content)
        clock.advance(400.0)


async def test_requests_of_64_clients_are_counted_exactly(held: Node) -> None:
    client, per_client = Both(held).fast, 25
    before = held.stats()
    paths = [MENU, PRICES, ODD, f"{MENU}?offline=true", "/v1/menus/weedmaps:none?offline=true"]
    sent = dict.fromkeys(paths, 0)

    async def one(seed: int) -> None:
        rng = Random(seed)
        for _ in range(per_client):
            path = rng.choice(paths)
            sent[path] += 1
            assert (await client.get(path)).status_code == (404 if "none" in path else 200)

    await asyncio.gather(*(one(seed) for seed in range(64)))
    after = held.stats()
    memory = {
        name: getattr(after.tiers["memory"], name) - getattr(before.tiers["memory"], name)
        for name in ("hits", "misses")
    }
    absent = sent[paths[-1]]
    assert memory == {"hits": 64 * per_client - absent, "misses": absent}
    assert after.tiers["sql"].misses - before.tiers["sql"].misses == absent
    requests = after.read.requests
    assert requests.hits == 64 * per_client - absent
    assert requests.missing == absent


async def test_paths_are_remembered_within_a_bound(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastpath, "MAX_PATHS", 3)
    for number in range(10):
        await both.fast.get(f"/v1/menus/weedmaps:{number}?offline=true")
        await both.fast.head(f"/v1/menus/weedmaps:{number}/?offline=true")
        assert len(both.app._key_of_path) == 0
    for _ in range(4):
        for path in (MENU, PRICES, ODD, "/v1/menus/dispensary_menu:weedmaps:1"):
            assert (await both.fast.get(path)).status_code == 200
            assert len(both.app._key_of_path) <= 3


@pytest.mark.parametrize("path", [MENU, PRICES])
async def test_who_accepts_brotli_gets_the_same_answer_in_fewer_bytes(
    both: Both, clock: ManualClock, path: str
) -> None:
    for _ in range(3):
        clock.advance(7.3)
        plain, _ = await both.answers(path)
        packed, long_way = await both.answers(path, accept_encoding="gzip, br;q=0.5")
        assert packed.json() == plain.json()  # httpx decompressed it
        assert packed.headers["content-encoding"] == "br"
        assert int(packed.headers["content-length"]) < len(plain.content) / 2
        assert packed.headers["etag"] == plain.headers["etag"]
        assert packed.headers["vary"] == plain.headers["vary"] == long_way.headers["vary"] == "accept-encoding"
        assert "content-encoding" not in {*plain.headers, *long_way.headers}


async def test_a_version_is_compressed_once(both: Both, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []

    def counted(document: bytes) -> bytes | None:
        made.append(document)
        return brotli_start(document)

    monkeypatch.setattr(packed_answers, "brotli_start", counted)
    for _ in range(5):
        clock.advance(1.0)
        await both.answers(MENU, accept_encoding="br")
        await both.answers(PRICES, accept_encoding="br")
    assert len(made) == 2


@pytest.mark.parametrize("accepted", ["identity", "gzip", "*", "br;q=0", "brotli", ""])
async def test_nobody_else_gets_brotli(both: Both, accepted: str) -> None:
    answers = await both.answers(MENU, accept_encoding=accepted)
    assert same(*answers)
    assert "content-encoding" not in answers[0].headers


async def test_a_known_answer_and_one_to_head_are_without_content_in_brotli_too(both: Both) -> None:
    whole, _ = await both.answers(MENU, accept_encoding="br")
    known = await both.answers(MENU, accept_encoding="br", if_none_match=whole.headers["etag"])
    assert same(*known)
    assert known[0].status_code == 304
    head, _ = await both.answers(MENU, "HEAD", accept_encoding="br")
    assert head.headers == whole.headers
    assert head.content == b""

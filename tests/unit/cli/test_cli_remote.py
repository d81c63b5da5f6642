"""A running node asked over HTTP: its API behind a real socket on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import web

from sample_answers import FakeNode, hunt_answer, offer
from weedhounds.cli import remote
from weedhounds.cli.remote import RemoteHunt, ask_node
from weedhounds.errors import BadInput, WeedHoundsError


class Paged:
    """Serves 2,500 offers page by page, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.reply: web.Response | None = None

    async def hunt(self, request: web.Request) -> web.Response:
        """Answer one page."""
        asked = dict(request.query)
        self.asked.append(asked)
        if self.reply is not None:
            return self.reply
        start, limit = int(asked.get("cursor", 0)), int(asked["limit"])
        end = min(2500, start + limit)
        whole = hunt_answer(2500)
        page = msgspec.structs.replace(
            whole,
            offers=tuple(offer(n) for n in range(start, end)),
            meta=msgspec.structs.replace(whole.meta, next_cursor=str(end) if end < 2500 else None),
        )
        return web.Response(body=msgspec.json.encode(page), content_type="application/json")


@pytest.fixture
async def paged() -> AsyncIterator[tuple[Paged, str]]:
    served = Paged()
    app = web.Application()
    app.router.add_get("/v1/hunt", served.hunt)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield served, f"http://{host}:{port}"
    await runner.cleanup()


def asking(limit: int | None = None) -> RemoteHunt:
    return RemoteHunt(query="Blue Dream", near="Denver, CO", radius_km=40.0, deadline_s=None, limit=limit)


async def test_every_page_is_fetched_and_joined(paged: tuple[Paged, str]) -> None:
    served, url = paged
    answer = await ask_node(url + "/", asking())
    assert [each.product_id for each in answer.offers] == [f"p{n}" for n in range(2500)]
    assert answer.meta.next_cursor is None
    first = {"q": "Blue Dream", "near": "Denver, CO", "radius_km": "40.0", "limit": "1000"}
    assert served.asked == [first, {**first, "cursor": "1000"}, {**first, "cursor": "2000"}]


@pytest.mark.parametrize(("limit", "pages"), [(1, ["1"]), (1000, ["1000"]), (1200, ["1000", "200"])])
async def test_no_more_is_fetched_than_was_asked_for(paged: tuple[Paged, str], limit: int, pages: list[str]) -> None:
    served, url = paged
    answer = await ask_node(url, asking(limit))
    assert len(answer.offers) == limit
    assert [asked["limit"] for asked in served.asked] == pages
    assert answer.meta.next_cursor == str(limit)


async def test_a_question_that_the_node_refuses_is_bad_input(paged: tuple[Paged, str]) -> None:
    served, url = paged
    served.reply = web.json_response({"status": 400, "detail": "unknown place 'x'"}, status=400)
    with pytest.raises(BadInput, match=r"^unknown place 'x'$"):
        await ask_node(url, asking())


@pytest.mark.parametrize("body", [b'{"detail": "starting"}', b"<html>", b"\xff"])
async def test_a_node_that_fails_is_said_so(paged: tuple[Paged, str], body: bytes) -> None:
    served, url = paged
    served.reply = web.Response(status=503, body=body)
    with pytest.raises(WeedHoundsError, match=r"failed: (starting|HTTP 503)"):
        await ask_node(url, asking())


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"offers": 1}', b""])
async def test_what_is_no_node_is_said_so(paged: tuple[Paged, str], body: bytes) -> None:
    served, url = paged
    served.reply = web.Response(body=body)
    with pytest.raises(WeedHoundsError, match="is not a hunt of a WeedHounds node"):
        await ask_node(url, asking())


async def test_an_answer_without_end_is_cut_off(paged: tuple[Paged, str], monkeypatch: pytest.MonkeyPatch) -> None:
    served, url = paged
    monkeypatch.setattr(remote, "_MAX_BODY_BYTES", 1 << 20)
    served.reply = web.Response(body=b" " * (2 << 20))
    with pytest.raises(WeedHoundsError, match="more than 1 MB"):
        await ask_node(url, asking())


async def test_a_node_that_is_not_there_is_said_so(unused_tcp_port: int) -> None:
    with pytest.raises(WeedHoundsError, match="cannot ask the node at"):
        await ask_node(f"http://127.0.0.1:{unused_tcp_port}", asking())


async def test_an_answer_of_this_nodes_api_is_understood() -> None:
    node = FakeNode()
    body = msgspec.json.encode(await node.hunt("Blue Dream", near="Denver, CO"))
    assert msgspec.json.decode(body, type=type(node.answer)) == node.answer

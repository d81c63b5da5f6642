"""What origins do wrong, over real sockets: every fault ends in a typed error, in time, and is counted."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from aiohttp import web

from origin_server import CLOCK, GET, POST, SETTINGS, OriginServer, client_of, within
from weedhounds.config import FetchSettings
from weedhounds.errors import NotFound, OriginRejected, OriginUnavailable, SchemaMismatch
from weedhounds.sources.base import Call, Kind
from weedhounds.sources.fetch import Fetcher
from weedhounds.telemetry import Trace


async def test_server_errors_are_retried_and_counted(server: OriginServer, fetcher: Fetcher) -> None:
    async def twice_broken(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503) if server.calls < 3 else await server.json(request)

    server.behave = twice_broken
    client, trace = client_of(server.base_url, fetcher), Trace()
    assert (await client.send(POST, deadline=within(5), trace=trace)).status == 200
    assert server.calls == trace.origin_calls == client.stats().calls == 3
    assert client.stats().retries == 2


async def test_a_server_that_stays_broken_is_unavailable_after_all_attempts(
    server: OriginServer, fetcher: Fetcher
) -> None:
    async def broken(_: web.Request) -> web.StreamResponse:
        return web.Response(status=500, text="<html>oops</html>", content_type="text/html")

    server.behave = broken
    client, trace = client_of(server.base_url, fetcher), Trace()
    with pytest.raises(OriginUnavailable, match="answered 500"):
        await client.send(GET, deadline=within(5), trace=trace)
    assert server.calls == trace.origin_calls == SETTINGS.attempts
    assert client.stats().errors == {"OriginUnavailable": 1}


@pytest.mark.parametrize(
    ("status", "content_type", "text", "expected", "words"),
    [
        (200, "text/html", "<!DOCTYPE html><title>Just a moment...</title>", OriginRejected, "blocked"),
        (403, "text/html", "<html>challenge</html>", OriginRejected, "blocked"),
        (200, "application/json", "  <!doctype HTML>", OriginRejected, "blocked"),
        (403, "application/json", '{"message":"stale key"}', OriginRejected, "refused"),
        (401, "application/json", "{}", OriginRejected, "refused"),
        (400, "text/plain", "bad", OriginRejected, "refused"),
        (404, "application/json", "{}", NotFound, "not found"),
        (410, "text/html", "<html>gone</html>", NotFound, "not found"),
    ],
)
async def test_a_refusal_is_told_by_its_kind_and_never_retried(
    server: OriginServer,
    fetcher: Fetcher,
    status: int,
    content_type: str,
    text: str,
    expected: type[OriginRejected],
    words: str,
) -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type=content_type)

    server.behave = refuse
    with pytest.raises(expected, match=words) as caught:
        await client_of(server.base_url, fetcher).send(GET, deadline=within(5), trace=Trace())
    assert isinstance(caught.value, NotFound) == (expected is NotFound)
    assert server.calls == 1


async def test_json_that_calls_itself_html_is_taken(server: OriginServer, fetcher: Fetcher) -> None:
    async def odd(_: web.Request) -> web.StreamResponse:
        return web.Response(text='{"a":1}', content_type="text/html")

    server.behave = odd
    answer = await client_of(server.base_url, fetcher).send(GET, deadline=within(5), trace=Trace())
    assert answer.body == b'{"a":1}'


async def test_a_page_is_taken_where_the_call_asks_for_one(server: OriginServer, fetcher: Fetcher) -> None:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>build 7</html>", content_type="text/html")

    server.behave = page
    call = Call(kind=Kind.MENU, path="/", headers=(("Accept", "text/html"),))
    answer = await client_of(server.base_url, fetcher).send(call, deadline=within(5), trace=Trace())
    assert answer.body == b"<html>build 7</html>"


async def _stream(server: OriginServer, request: web.Request, response: web.StreamResponse, total: int) -> None:
    await response.prepare(request)
    block = b"[" * 65_536
    for _ in range(total // len(block)):
        await response.write(block)
        server.bytes_sent += len(block)


async def test_a_huge_body_is_left_at_the_limit(server: OriginServer, fetcher: Fetcher) -> None:
    async def huge(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await _stream(server, request, response, 300_000_000)
        return response

    server.behave = huge
    with pytest.raises(SchemaMismatch, match="over the limit of 1048576 bytes"):
        await client_of(server.base_url, fetcher).send(GET, deadline=within(10), trace=Trace())
    assert server.calls == 1
    assert server.bytes_sent < 30_000_000  # the limit and what lay in socket buffers


async def test_a_declared_huge_body_is_refused_unread(server: OriginServer, fetcher: Fetcher) -> None:
    async def huge(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "300000000"})
        await _stream(server, request, response, 300_000_000)
        return response

    server.behave = huge
    with pytest.raises(SchemaMismatch, match="over the limit"):
        await client_of(server.base_url, fetcher).send(GET, deadline=within(10), trace=Trace())
    assert server.bytes_sent < 30_000_000


async def test_a_small_body_that_inflates_is_left_at_the_limit(server: OriginServer, fetcher: Fetcher) -> None:
    bomb = gzip.compress(b"[" * 50_000_000)
    assert len(bomb) < SETTINGS.max_body_bytes

    async def inflating(_: web.Request) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    server.behave = inflating
    with pytest.raises(SchemaMismatch, match="over the limit"):
        await client_of(server.base_url, fetcher).send(GET, deadline=within(10), trace=Trace())


async def test_a_compressed_body_within_the_limit_is_read(server: OriginServer, fetcher: Fetcher) -> None:
    text = b'{"a":"' + b"x" * 500_000 + b'"}'

    async def compressed(_: web.Request) -> web.StreamResponse:
        return web.Response(body=gzip.compress(text), headers={"Content-Encoding": "gzip"})

    server.behave = compressed
    client = client_of(server.base_url, fetcher)
    assert (await client.send(GET, deadline=within(5), trace=Trace())).body == text
    assert client.stats().bytes == len(text)


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", '"café"'.encode(), '"café"'),
        ("application/json; charset=utf-8", b"\xef\xbb\xbf[1]", "[1]"),
        ("application/json; charset=ISO-8859-1", '"café"'.encode("latin-1"), '"café"'),
        ("application/json; charset=utf-16", '"café"'.encode("utf-16"), '"café"'),
        ("application/json; charset=punycode", '"café"'.encode(), '"café"'),
        ("nonsense;;;=;", b"[2]", "[2]"),
    ],
)
async def test_text_arrives_as_utf8(
    server: OriginServer, fetcher: Fetcher, content_type: str, body: bytes, expected: str
) -> None:
    async def encoded(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, headers={"Content-Type": content_type})

    server.behave = encoded
    answer = await client_of(server.base_url, fetcher).send(GET, deadline=within(5), trace=Trace())
    assert answer.body.decode() == expected


async def test_large_text_of_another_encoding_arrives_as_utf8(server: OriginServer, fetcher: Fetcher) -> None:
    text = "é" * 400_000

    async def encoded(_: web.Request) -> web.StreamResponse:
        return web.Response(body=text.encode("latin-1"), headers={"Content-Type": "text/plain; charset=latin-1"})

    server.behave = encoded
    answer = await client_of(server.base_url, fetcher).send(GET, deadline=within(5), trace=Trace())
    assert answer.body == text.encode()


async def test_a_slow_origin_costs_no_more_than_the_deadline(server: OriginServer, fetcher: Fetcher) -> None:
    never = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        await never.wait()
        return await server.json(request)

    server.behave = slow
    client, trace = client_of(server.base_url, fetcher), Trace()
    started = CLOCK.monotonic()
    with pytest.raises(OriginUnavailable, match="deadline"):
        await client.send(GET, deadline=within(0.3), trace=trace)
    assert 0.29 <= CLOCK.monotonic() - started < 3
    assert server.calls == trace.origin_calls == 1


async def test_a_call_over_its_own_time_limit_is_retried(server: OriginServer) -> None:
    never = asyncio.Event()

    async def first_hangs(request: web.Request) -> web.StreamResponse:
        if server.calls == 1:
            await never.wait()
        return await server.json(request)

    server.behave = first_hangs
    settings = FetchSettings(timeout_s=0.2, retry_base_s=0.01)
    trace = Trace()
    async with Fetcher(settings, CLOCK) as impatient:
        answer = await client_of(server.base_url, impatient).send(GET, deadline=within(10), trace=trace)
    assert answer.status == 200
    assert server.calls == trace.origin_calls == 2


@pytest.mark.parametrize("call", [GET, POST], ids=["get", "post"])
async def test_calls_cancelled_at_any_moment_are_counted_as_the_origin_counts_them(
    server: OriginServer, fetcher: Fetcher, call: Call
) -> None:
    never = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        await never.wait()
        return await server.json(request)

    client, trace = client_of(server.base_url, fetcher), Trace()
    for turns in range(25):
        server.behave = server.json
        await client.send(call, deadline=within(10), trace=trace)  # leaves a connection to be used again
        server.behave = slow
        task = asyncio.create_task(client.send(call, deadline=within(10), trace=trace))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    counted = trace.origin_calls
    await server.reached(counted)  # what was sent is on its way
    await asyncio.sleep(0.05)  # a call sent but not counted would arrive now
    assert 25 < counted < 50
    assert server.calls == counted == client.stats().calls
    assert client.stats().in_flight == client.stats().waiting == 0


async def test_a_confirmed_copy_comes_as_not_modified(server: OriginServer, fetcher: Fetcher) -> None:
    from weedhounds.sources.fetch import Validators

    async def conditional(request: web.Request) -> web.StreamResponse:
        headers = {"ETag": 'W/"7"'}
        if request.headers.get("If-None-Match") == 'W/"7"':
            return web.Response(status=304, headers=headers)
        return web.json_response([1], headers=headers)

    server.behave = conditional
    client = client_of(server.base_url, fetcher)
    first = await client.send(GET, deadline=within(5), trace=Trace())
    assert (first.etag, first.not_modified) == ('W/"7"', False)
    validators = Validators(first.etag, first.last_modified)
    second = await client.send(GET, deadline=within(5), validators=validators, trace=Trace())
    assert (second.body, second.not_modified) == (b"", True)

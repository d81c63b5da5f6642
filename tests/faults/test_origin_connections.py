"""Where calls go and over what: hosts, redirects, connections that break or lead to no origin."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from origin_server import CLOCK, GET, SETTINGS, OriginServer, client_of, within
from weedhounds.errors import OriginRejected, OriginUnavailable, SchemaMismatch
from weedhounds.sources.base import Budget, Call, Kind
from weedhounds.sources.fetch import Fetcher
from weedhounds.telemetry import Trace


async def test_connections_are_reused(server: OriginServer, fetcher: Fetcher) -> None:
    client = client_of(server.base_url, fetcher)
    for _ in range(5):
        await client.send(GET, deadline=within(5), trace=Trace())
    assert len(server.peers) == 1


async def test_a_host_name_is_resolved(server: OriginServer, fetcher: Fetcher) -> None:
    client = client_of(server.base_url.replace("127.0.0.1", "localhost"), fetcher)
    answer = await client.send(GET, deadline=within(5), trace=Trace())
    assert answer.body == b'{"ok": true}'


async def test_a_redirect_to_another_host_is_not_followed(server: OriginServer, fetcher: Fetcher) -> None:
    async def elsewhere(_: web.Request) -> web.StreamResponse:
        target = server.base_url.replace("127.0.0.1", "localhost")
        return web.Response(status=302, headers={"Location": f"{target}/latest/meta-data"})

    server.behave = elsewhere
    with pytest.raises(OriginRejected, match="redirected elsewhere"):
        await client_of(server.base_url, fetcher).send(GET, deadline=within(5), trace=Trace())
    assert server.calls == 1


async def test_a_redirect_within_the_origin_is_followed_and_charged(server: OriginServer, fetcher: Fetcher) -> None:
    async def moved(request: web.Request) -> web.StreamResponse:
        if request.path == "/menu":
            return web.Response(status=301, headers={"Location": "/moved?x=1"})
        return await server.json(request)

    server.behave = moved
    client, trace = client_of(server.base_url, fetcher, Budget(burst=10, rate_per_s=0.001, concurrency=2)), Trace()
    assert (await client.send(GET, deadline=within(5), trace=trace)).status == 200
    assert server.calls == trace.origin_calls == 2
    assert client.stats().tokens == pytest.approx(8, abs=0.1)


async def test_a_redirect_that_never_ends_is_refused(server: OriginServer, fetcher: Fetcher) -> None:
    async def around(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/menu"})

    server.behave = around
    with pytest.raises(OriginRejected, match=r"refused \(302\)"):
        await client_of(server.base_url, fetcher).send(GET, deadline=within(5), trace=Trace())
    assert server.calls == 4


async def test_an_address_outside_of_the_origin_is_never_called(server: OriginServer, fetcher: Fetcher) -> None:
    client, trace = client_of("http://127.0.0.1:9", fetcher), Trace()
    for path in (f"{server.base_url}/menu", "ftp://127.0.0.1/x", "menu", "http://u:p@127.0.0.1/", "http://[::1"):
        with pytest.raises(OriginRejected):
            await client.send(Call(kind=Kind.MENU, path=path), deadline=within(5), trace=trace)
    assert server.calls == trace.origin_calls == 0


async def test_the_web_host_that_the_settings_name_may_be_called(server: OriginServer, fetcher: Fetcher) -> None:
    client = client_of("http://127.0.0.1:9", fetcher, options={"web_base": server.base_url})
    call = Call(kind=Kind.MENU, path=f"{server.base_url}/page", params=(("a[b]", "c d&e"),))
    assert (await client.send(call, deadline=within(5), trace=Trace())).status == 200
    request = server.requests[0]
    assert (request.path, dict(request.query)) == ("/page", {"a[b]": "c d&e"})


async def test_nothing_that_listens_is_unavailable_and_costs_no_call(fetcher: Fetcher) -> None:
    trace = Trace()
    with pytest.raises(OriginUnavailable, match="no connection"):
        await client_of("http://127.0.0.1:9", fetcher).send(GET, deadline=within(5), trace=trace)
    assert trace.origin_calls == 0


async def _raw(answer: bytes) -> tuple[asyncio.Server, str]:
    """Serve ``answer`` to every connection after its request, whatever it is, and close it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    return listening, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", OriginUnavailable),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"half":', OriginUnavailable),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2,\r\n", OriginUnavailable),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 16\r\n\r\nnot gzip, truly ", OriginUnavailable),
        (b"SSH-2.0-OpenSSH_9.2\r\n", SchemaMismatch),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", SchemaMismatch),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", SchemaMismatch),
    ],
    ids=["closed", "short", "chunk", "gzip", "ssh", "headers", "length"],
)
async def test_a_broken_connection_or_no_http_is_a_typed_error(
    fetcher: Fetcher, answer: bytes, expected: type[Exception]
) -> None:
    listening, base_url = await _raw(answer)
    async with listening:
        client = client_of(base_url, fetcher)
        with pytest.raises(expected):
            await client.send(GET, deadline=within(5), trace=Trace())
        assert client.stats().in_flight == 0


async def test_a_closed_client_is_told_so(server: OriginServer) -> None:
    fetcher = Fetcher(SETTINGS, CLOCK)
    with pytest.raises(OriginUnavailable, match="closed"):
        await client_of(server.base_url, fetcher).send(GET, deadline=within(5), trace=Trace())

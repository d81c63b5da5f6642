"""What origins do wrong, over real sockets: every fault ends in a typed error, in time, and is counted."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from weedhounds.clock import SystemClock
from weedhounds.config import FetchSettings
from weedhounds.errors import NotFound, OriginRejected, OriginUnavailable, RateLimited, SchemaMismatch
from weedhounds.model.provenance import Terms
from weedhounds.sources.base import Budget, Call, Kind, OriginConfig
from weedhounds.sources.fetch import Fetcher, OriginClient
from weedhounds.sources.limits import MARGIN_S
from weedhounds.telemetry import Counters, Trace

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]
CLOCK = SystemClock()
GENEROUS = Budget(burst=200, rate_per_s=200.0, concurrency=100)
SETTINGS = FetchSettings(retry_base_s=0.01, timeout_s=5.0, max_body_bytes=1 << 20)


class OriginServer:
    """An origin on loopback that counts what reaches it and behaves as it is told."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        self.peers: set[object] = set()
        self.requests: list[web.Request] = []
        self.base_url = ""
        self.behave: Behaviour = self.json
        self.bytes_sent = 0
        self._arrived = asyncio.Event()

    @property
    def calls(self) -> int:
        return len(self.arrivals)

    async def json(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"ok": True})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.arrivals.append(CLOCK.monotonic())
        self.requests.append(request)
        self.peers.add(request.transport.get_extra_info("peername") if request.transport else None)
        self._arrived.set()
        return await self.behave(request)

    async def reached(self, calls: int) -> None:
        """Wait until so many calls have arrived (the test's time limit ends the wait)."""
        while self.calls < calls:
            self._arrived.clear()
            await self._arrived.wait()


@pytest.fixture
async def server() -> AsyncIterator[OriginServer]:
    origin = OriginServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", origin.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield origin
    await runner.cleanup()


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher(SETTINGS, CLOCK) as opened:
        yield opened


def client_of(
    base_url: str, fetcher: Fetcher, budget: Budget = GENEROUS, options: dict[str, str] | None = None
) -> OriginClient:
    config = OriginConfig(origin="jane", base_url=base_url, budget=budget, terms=Terms(), options=options or {})
    return OriginClient(config, fetcher, Counters())


GET = Call(kind=Kind.MENU, path="/menu")
POST = Call(kind=Kind.MENU, path="/menu", method="POST", body=b'{"page":0}')


def within(seconds: float) -> float:
    return CLOCK.monotonic() + seconds


async def test_calls_never_exceed_the_budget_and_use_it(server: OriginServer, fetcher: Fetcher) -> None:
    budget = Budget(burst=10, rate_per_s=50.0, concurrency=32)
    client = client_of(server.base_url, fetcher, budget)
    await asyncio.gather(*(client.send(GET, deadline=within(10), trace=Trace()) for _ in range(60)))
    at = sorted(server.arrivals)
    assert len(at) == 60
    for first in range(60):
        for last in range(first + 1, 60):
            allowed = budget.burst + budget.rate_per_s * 1.05 * (at[last] - at[first])
            assert last - first + 1 <= allowed + 1
    sent_at_once = budget.burst - budget.rate_per_s * MARGIN_S
    assert (60 - sent_at_once) / (at[-1] - at[0]) > budget.rate_per_s * 0.5


async def test_an_origin_with_the_same_budget_answers_no_429(server: OriginServer, fetcher: Fetcher) -> None:
    budget = Budget(burst=20, rate_per_s=100.0, concurrency=32)
    tokens, at = float(budget.burst), CLOCK.monotonic()

    async def strict(request: web.Request) -> web.StreamResponse:
        nonlocal tokens, at
        now = CLOCK.monotonic()
        tokens, at = min(budget.burst, tokens + (now - at) * budget.rate_per_s), now
        if tokens < 1:
            return web.Response(status=429, headers={"Retry-After": "1"})
        tokens -= 1
        return await server.json(request)

    server.behave = strict
    client = client_of(server.base_url, fetcher, budget)
    await asyncio.gather(*(client.send(GET, deadline=within(10), trace=Trace()) for _ in range(80)))
    assert client.stats().rate_limited == 0
    assert server.calls == 80


async def test_no_more_calls_than_the_concurrency_are_in_flight(server: OriginServer, fetcher: Fetcher) -> None:
    flying = most = 0

    async def watch(request: web.Request) -> web.StreamResponse:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0.005)
        flying -= 1
        return await server.json(request)

    server.behave = watch
    client = client_of(server.base_url, fetcher, Budget(burst=100, rate_per_s=100.0, concurrency=4))
    await asyncio.gather(*(client.send(GET, deadline=within(10), trace=Trace()) for _ in range(30)))
    assert most == 4


async def test_connections_are_reused(server: OriginServer, fetcher: Fetcher) -> None:
    client = client_of(server.base_url, fetcher)
    for _ in range(5):
        await client.send(GET, deadline=within(5), trace=Trace())
    assert len(server.peers) == 1


async def test_a_host_name_is_resolved(server: OriginServer, fetcher: Fetcher) -> None:
    client = client_of(server.base_url.replace("127.0.0.1", "localhost"), fetcher)
    answer = await client.send(GET, deadline=within(5), trace=Trace())
    assert answer.body == b'{"ok": true}'


async def test_retry_after_is_respected_by_every_call_to_the_origin(server: OriginServer, fetcher: Fetcher) -> None:
    async def once(request: web.Request) -> web.StreamResponse:
        return (
            web.Response(status=429, headers={"Retry-After": "1"}) if server.calls == 1 else await server.json(request)
        )

    server.behave = once
    trace = Trace()
    client = client_of(server.base_url, fetcher, Budget(burst=50, rate_per_s=50.0, concurrency=1))
    await asyncio.gather(*(client.send(GET, deadline=within(10), trace=trace) for _ in range(4)))
    limited, *others = server.arrivals
    assert min(others) - limited >= 1.0
    assert server.calls == trace.origin_calls == 5


async def test_a_retry_after_beyond_the_deadline_fails_at_once_and_pauses_the_origin(
    server: OriginServer, fetcher: Fetcher
) -> None:
    async def limited(_: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "60"})

    server.behave = limited
    client, trace = client_of(server.base_url, fetcher), Trace()
    started = CLOCK.monotonic()
    with pytest.raises(RateLimited, match="429") as caught:
        await client.send(GET, deadline=within(10), trace=trace)
    with pytest.raises(RateLimited, match="budget"):
        await client.send(GET, deadline=within(10), trace=trace)
    assert CLOCK.monotonic() - started < 5
    assert caught.value.retry_after_s == 60
    assert caught.value.origin == "jane"
    assert server.calls == trace.origin_calls == 1


async def test_calls_already_waiting_are_refused_when_the_origin_pauses_past_their_deadline(
    server: OriginServer, fetcher: Fetcher
) -> None:
    async def limited(_: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "60"})

    server.behave = limited
    client = client_of(server.base_url, fetcher, Budget(burst=50, rate_per_s=50.0, concurrency=1))
    started = CLOCK.monotonic()
    sends = (client.send(GET, deadline=within(15), trace=Trace()) for _ in range(10))
    errors = await asyncio.gather(*sends, return_exceptions=True)
    assert all(isinstance(error, RateLimited) for error in errors)
    assert CLOCK.monotonic() - started < 10
    assert server.calls == 1


async def test_a_budget_that_gives_no_call_in_time_refuses_at_once(server: OriginServer, fetcher: Fetcher) -> None:
    client = client_of(server.base_url, fetcher, Budget(burst=2, rate_per_s=0.1, concurrency=4))
    started = CLOCK.monotonic()
    sends = (client.send(GET, deadline=within(5), trace=Trace()) for _ in range(6))
    answers = await asyncio.gather(*sends, return_exceptions=True)
    refused = [a for a in answers if isinstance(a, RateLimited)]
    assert CLOCK.monotonic() - started < 4
    assert server.calls == 6 - len(refused) == 2
    assert all(error.retry_after_s and error.retry_after_s > 5 for error in refused)


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

"""No origin sees more calls than its budget, and what it says of its limits is learnt, over real sockets."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from origin_server import CLOCK, GET, SETTINGS, OriginServer, SkippingClock, client_of, within
from weedhounds.breaker import BreakerState
from weedhounds.errors import OriginRejected, OriginUnavailable, RateLimited, SourceError
from weedhounds.sources.allowance import MARGIN_S
from weedhounds.sources.base import Budget
from weedhounds.sources.fetch import Fetcher
from weedhounds.telemetry import Trace


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


async def test_a_429_slows_the_origin_down_and_good_answers_speed_it_up_again(server: OriginServer) -> None:
    async def once(request: web.Request) -> web.StreamResponse:
        return (
            web.Response(status=429, headers={"Retry-After": "0"}) if server.calls == 1 else await server.json(request)
        )

    server.behave = once
    clock = SkippingClock()
    async with Fetcher(SETTINGS, clock) as fetcher:
        client = client_of(server.base_url, fetcher, Budget(burst=50, rate_per_s=50.0, concurrency=10))
        await client.send(GET, deadline=None, trace=Trace())
        assert client.stats().rate_per_s == 25.0
        for _ in range(30):
            clock.skip(10.0)
            await client.send(GET, deadline=None, trace=Trace())
    assert client.stats().rate_per_s == 50.0
    assert client.stats().rate_limited == 1


async def test_a_challenge_slows_the_origin_down_a_lot(server: OriginServer, fetcher: Fetcher) -> None:
    async def challenge(_: web.Request) -> web.StreamResponse:
        return web.Response(status=403, text="<!DOCTYPE html>Just a moment...", content_type="text/html")

    server.behave = challenge
    client = client_of(server.base_url, fetcher, Budget(burst=50, rate_per_s=50.0, concurrency=10))
    with pytest.raises(OriginRejected, match="blocked"):
        await client.send(GET, deadline=within(5), trace=Trace())
    assert client.stats().rate_per_s <= 10.0
    assert client.stats().challenged == 1


async def test_an_unavailable_origin_that_says_when_to_come_back_is_left_alone_until_then(
    server: OriginServer, fetcher: Fetcher
) -> None:
    async def busy(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503, headers={"Retry-After": "60"})

    server.behave = busy
    client = client_of(server.base_url, fetcher)
    for _ in range(3):
        with pytest.raises(SourceError):
            await client.send(GET, deadline=within(2), trace=Trace())
    assert server.calls == 1


async def test_no_day_sees_more_calls_than_its_budget_redirects_and_retries_included(server: OriginServer) -> None:
    async def troubled(request: web.Request) -> web.StreamResponse:
        if request.path == "/menu" and server.calls % 3 == 1:
            return web.Response(status=301, headers={"Location": "/moved"})
        return web.Response(status=503) if server.calls % 3 == 2 else await server.json(request)

    server.behave = troubled
    clock = SkippingClock()
    async with Fetcher(SETTINGS, clock) as fetcher:
        client = client_of(server.base_url, fetcher, calls_per_day=20)
        whys = []
        for _ in range(40):
            clock.skip(600.0)
            try:
                await client.send(GET, deadline=clock.monotonic() + 5, trace=Trace())
            except (RateLimited, OriginUnavailable) as error:
                whys.append(error.message)
        assert client.stats().day_left == 0
        assert server.calls == client.stats().calls == 20
        assert sum("20 a day" in why for why in whys) > 10
        clock.skip(86_400.0)
        server.behave = server.json
        await client.send(GET, deadline=clock.monotonic() + 5, trace=Trace())


async def test_a_daily_budget_of_nothing_sends_nothing_and_says_so(server: OriginServer, fetcher: Fetcher) -> None:
    client, trace = client_of(server.base_url, fetcher, calls_per_day=0), Trace()
    with pytest.raises(RateLimited, match="never asked: its budget is 0") as caught:
        await client.send(GET, deadline=within(5), trace=trace)
    assert caught.value.origin == "jane"
    assert server.calls == trace.origin_calls == 0


async def test_a_deadline_shorter_than_anything_costs_no_call_and_no_trust(
    server: OriginServer, fetcher: Fetcher
) -> None:
    client, trace = client_of(server.base_url, fetcher), Trace()
    for seconds in (-1.0, 0.0, 1e-9, 1e-4):
        for _ in range(10):
            with pytest.raises(OriginUnavailable, match="deadline"):
                await client.send(GET, deadline=within(seconds), trace=trace)
    assert client.stats().breaker is BreakerState.CLOSED
    assert server.calls == trace.origin_calls <= 10
    assert (await client.send(GET, deadline=within(5), trace=trace)).status == 200

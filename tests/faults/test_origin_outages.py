"""Origins that are down, hang, flap or answer a page: left alone, tried, asked again, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from origin_server import GET, SETTINGS, OriginServer, SkippingClock, client_of
from weedhounds.breaker import BreakerState
from weedhounds.config import FetchSettings
from weedhounds.errors import NotFound, OriginRejected, OriginUnavailable, SourceError
from weedhounds.sources.base import Budget
from weedhounds.sources.fetch import Answer, Fetcher, OriginClient
from weedhounds.sources.outage import CHALLENGES, FAILURES, OPEN_S
from weedhounds.telemetry import Trace


class Asker:
    """A client of the origin on a clock whose hours can be skipped."""

    def __init__(self, client: OriginClient, clock: SkippingClock) -> None:
        self.client = client
        self.clock = clock
        self.trace = Trace()

    async def ask(self, seconds: float = 5.0) -> Answer:
        """Send one call with a deadline."""
        return await self.client.send(GET, deadline=self.clock.monotonic() + seconds, trace=self.trace)

    async def fails(self, times: int, seconds: float = 5.0) -> list[str]:
        """Send calls one after another that all fail; return why."""
        whys = []
        for _ in range(times):
            with pytest.raises(SourceError) as caught:
                await self.ask(seconds)
            whys.append(caught.value.message)
        return whys

    @property
    def state(self) -> BreakerState:
        """Return the state of the origin's breaker."""
        return self.client.stats().breaker


@pytest.fixture
async def asker(server: OriginServer) -> AsyncIterator[Asker]:
    clock = SkippingClock()
    settings = SETTINGS.model_copy(update={"attempts": 1})
    async with Fetcher(settings, clock) as fetcher:
        yield Asker(client_of(server.base_url, fetcher), clock)


async def broken(_: web.Request) -> web.StreamResponse:
    return web.Response(status=500)


async def page(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<html><body>We are sorry</body></html>", content_type="text/html")


async def test_an_origin_that_stays_broken_is_asked_no_more(server: OriginServer, asker: Asker) -> None:
    server.behave = broken
    whys = await asker.fails(FAILURES + 20)
    assert ["breaker open" in why for why in whys] == [False] * FAILURES + [True] * 20
    assert server.calls == asker.trace.origin_calls == FAILURES
    stats = asker.client.stats()
    assert (stats.breaker, stats.breaker_opened, stats.breaker_refused) == (BreakerState.OPEN, 1, 20)
    assert stats.in_flight == stats.waiting == 0


async def test_an_origin_down_for_an_hour_is_tried_now_and_then_and_back_within_half_a_minute(
    server: OriginServer, asker: Asker
) -> None:
    server.behave = broken
    for _ in range(720):
        await asker.fails(1)
        asker.clock.skip(5.0)
    assert server.calls < 250
    server.behave = server.json
    for _ in range(6):
        asker.clock.skip(5.0)
        try:
            await asker.ask()
            break
        except OriginUnavailable:
            continue
    assert asker.state is BreakerState.CLOSED


async def test_when_it_is_back_one_call_tries_and_the_others_of_the_hunt_follow(
    server: OriginServer, asker: Asker
) -> None:
    server.behave = broken
    await asker.fails(FAILURES)
    server.behave = server.json
    asker.clock.skip(OPEN_S)
    answers = await asyncio.gather(*(asker.ask() for _ in range(40)))
    assert len(answers) == 40
    assert server.calls == FAILURES + 40


async def test_calls_in_flight_when_it_opens_finish(server: OriginServer, asker: Asker) -> None:
    goes_on = asyncio.Event()

    async def first_slow(request: web.Request) -> web.StreamResponse:
        if server.calls > 1:
            return await broken(request)
        await goes_on.wait()
        return await server.json(request)

    server.behave = first_slow
    slow = asyncio.create_task(asker.ask())
    await server.reached(1)
    await asker.fails(FAILURES)
    assert asker.state is BreakerState.OPEN
    goes_on.set()
    assert (await slow).status == 200


async def test_calls_that_wait_for_the_budget_when_it_opens_are_not_made(server: OriginServer) -> None:
    server.behave = broken
    clock = SkippingClock()
    async with Fetcher(SETTINGS.model_copy(update={"attempts": 1}), clock) as fetcher:
        asker = Asker(client_of(server.base_url, fetcher, Budget(100, 100.0, 1)), clock)
        results = await asyncio.gather(*(asker.ask() for _ in range(30)), return_exceptions=True)
    assert all(isinstance(error, OriginUnavailable) for error in results)
    assert server.calls == asker.trace.origin_calls == FAILURES
    assert asker.client.stats().tokens > 80


async def test_an_origin_that_flaps_serves_while_it_is_up(server: OriginServer, asker: Asker) -> None:
    served = 0
    for second in range(200):
        server.behave = broken if second // 4 % 2 else server.json
        try:
            await asker.ask()
            served += 1
        except OriginUnavailable:
            pass
        asker.clock.skip(1.0)
    assert served > 80
    assert server.calls == asker.trace.origin_calls


async def test_one_call_in_ten_that_fails_by_chance_opens_nothing(server: OriginServer) -> None:
    async def unlucky(request: web.Request) -> web.StreamResponse:
        return await broken(request) if server.calls % 10 == 3 else await server.json(request)

    server.behave = unlucky
    async with Fetcher(SETTINGS, SkippingClock()) as fetcher:
        client = client_of(server.base_url, fetcher)
        answers = await asyncio.gather(*(client.send(GET, deadline=None, trace=Trace()) for _ in range(150)))
    assert len(answers) == 150
    assert client.stats().breaker_opened == 0


async def test_an_error_page_with_status_200_is_no_answer_and_soon_not_asked_for(
    server: OriginServer, asker: Asker
) -> None:
    server.behave = page
    for _ in range(CHALLENGES):
        with pytest.raises(OriginRejected, match="blocked"):
            await asker.ask()
    with pytest.raises(OriginUnavailable, match="a bot guard answered"):
        await asker.ask()
    assert server.calls == CHALLENGES
    server.behave = server.json
    asker.clock.skip(25.0)
    assert (await asker.ask()).body == b'{"ok": true}'
    assert asker.state is BreakerState.CLOSED


async def test_what_is_not_there_or_not_allowed_says_nothing_against_the_origin(
    server: OriginServer, asker: Asker
) -> None:
    statuses = [404, 403, 400, 410, 401]

    async def refuses(_: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=statuses[server.calls % len(statuses)])

    server.behave = refuses
    for _ in range(4 * FAILURES):
        with pytest.raises((NotFound, OriginRejected)):
            await asker.ask()
    assert asker.state is BreakerState.CLOSED
    assert server.calls == 4 * FAILURES


async def test_nothing_that_listens_opens_it_without_a_call(asker: Asker) -> None:
    async with Fetcher(FetchSettings(attempts=1), asker.clock) as fetcher:
        nobody = Asker(client_of("http://127.0.0.1:9", fetcher), asker.clock)
        whys = await nobody.fails(FAILURES + 1)
    assert "no connection" in whys[0]
    assert "breaker open" in whys[-1]
    assert nobody.trace.origin_calls == 0


async def test_an_origin_that_hangs_is_found_out_by_deadlines_that_were_long_enough(
    server: OriginServer, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = asyncio.Event()

    async def hangs(request: web.Request) -> web.StreamResponse:
        await never.wait()
        return await server.json(request)

    monkeypatch.setattr("weedhounds.sources.fetch.UNANSWERED_S", 0.1)
    server.behave = hangs
    whys = await asker.fails(3 * FAILURES, seconds=0.03)
    assert {"breaker" in why for why in whys} == {False}
    await asker.fails(FAILURES, seconds=0.12)
    assert asker.state is BreakerState.OPEN


async def test_askers_that_give_up_on_a_hanging_origin_count_as_their_deadlines_would(
    server: OriginServer, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = asyncio.Event()

    async def hangs(request: web.Request) -> web.StreamResponse:
        await never.wait()
        return await server.json(request)

    monkeypatch.setattr("weedhounds.sources.fetch.UNANSWERED_S", 0.05)
    server.behave = hangs
    tasks = [asyncio.create_task(asker.ask()) for _ in range(FAILURES)]
    await server.reached(FAILURES)
    asker.clock.skip(1.0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert asker.state is BreakerState.OPEN

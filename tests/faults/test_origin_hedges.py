"""A call that takes unusually long is sent a second time, within its share and the budget, and every call is counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from origin_server import CLOCK, GENEROUS, GET, SETTINGS, OriginServer, client_of, within
from weedhounds.errors import NotFound, OriginUnavailable
from weedhounds.sources.base import Budget
from weedhounds.sources.fetch import Fetcher, OriginClient
from weedhounds.sources.hedging import LEAST_OBSERVED
from weedhounds.telemetry import Trace

Answers = dict[int, str]
"""By number of the call: ``hang``, ``broken``, ``missing``; every other one is answered well."""


@pytest.fixture
async def hedging(server: OriginServer, caplog: pytest.LogCaptureFixture) -> AsyncIterator[OriginClient]:
    """Return a client that has seen enough answers to send a call twice."""
    settings = SETTINGS.model_copy(update={"hedge_share": 0.05, "attempts": 1})
    with caplog.at_level(logging.ERROR, "asyncio"):
        async with Fetcher(settings, CLOCK) as fetcher:
            yield await practised(client_of(server.base_url, fetcher))
    assert caplog.records == []  # no task's error was lost


async def practised(client: OriginClient, elapsed_s: float = 0.01) -> OriginClient:
    """Let the client learn how fast the origin is."""
    for _ in range(LEAST_OBSERVED):
        client._hedging.observe(elapsed_s)
    return client


@pytest.fixture
async def patient(server: OriginServer) -> AsyncIterator[OriginClient]:
    """Return a client that knows the origin as slow."""
    async with Fetcher(SETTINGS, CLOCK) as fetcher:
        yield await practised(client_of(server.base_url, fetcher), 3.0)


def script(server: OriginServer, answers: Answers) -> None:
    """Have the origin answer as told, by the number of the call from 1."""
    never = asyncio.Event()

    async def behave(request: web.Request) -> web.StreamResponse:
        what = answers.get(server.calls, "")
        if what == "hang":
            await never.wait()
        if what.startswith("late"):
            await asyncio.sleep(0.4)
        if what.endswith("broken"):
            return web.Response(status=500)
        return web.json_response({}, status=404) if what.endswith("missing") else await server.json(request)

    server.behave = behave


async def test_the_second_call_answers_where_the_first_hangs(server: OriginServer, hedging: OriginClient) -> None:
    script(server, {1: "hang"})
    trace, started = Trace(), CLOCK.monotonic()
    assert (await hedging.send(GET, deadline=within(5), trace=trace)).status == 200
    assert CLOCK.monotonic() - started < 2
    stats = hedging.stats()
    assert server.calls == trace.origin_calls == stats.calls == 2
    assert (stats.hedges, stats.hedges_won, stats.in_flight) == (1, 1, 0)


async def test_a_call_that_is_answered_in_time_is_sent_once(server: OriginServer, patient: OriginClient) -> None:
    trace = Trace()
    for _ in range(20):
        await patient.send(GET, deadline=within(5), trace=trace)
    assert server.calls == trace.origin_calls == 20
    assert patient.stats().hedges == 0


async def test_the_first_answer_counts_where_it_comes_first_after_all(
    server: OriginServer, hedging: OriginClient
) -> None:
    script(server, {1: "late", 2: "hang"})
    assert (await hedging.send(GET, deadline=within(5), trace=Trace())).status == 200
    assert (hedging.stats().hedges, hedging.stats().hedges_won) == (1, 0)
    assert hedging.stats().in_flight == 0


@pytest.mark.parametrize("answers", [{1: "late broken", 2: "late"}, {1: "late", 2: "broken"}])
async def test_one_good_answer_is_enough(server: OriginServer, hedging: OriginClient, answers: Answers) -> None:
    script(server, answers)
    assert (await hedging.send(GET, deadline=within(5), trace=Trace())).status == 200
    assert server.calls == 2


async def test_two_failures_are_one_error(server: OriginServer, hedging: OriginClient) -> None:
    script(server, {1: "late broken", 2: "late broken"})
    with pytest.raises(OriginUnavailable, match="answered 500"):
        await hedging.send(GET, deadline=within(5), trace=Trace())
    assert hedging.stats().errors == {"OriginUnavailable": 1}


async def test_that_there_is_no_such_thing_is_an_answer(server: OriginServer, hedging: OriginClient) -> None:
    script(server, {1: "hang", 2: "missing"})
    with pytest.raises(NotFound):
        await hedging.send(GET, deadline=within(5), trace=Trace())


async def test_no_call_is_sent_twice_without_a_token_that_is_free(server: OriginServer) -> None:
    script(server, {1: "late"})
    async with Fetcher(SETTINGS.model_copy(update={"hedge_share": 0.5}), CLOCK) as fetcher:
        client = await practised(client_of(server.base_url, fetcher, Budget(1, 0.01, 10)))
        await client.send(GET, deadline=within(5), trace=Trace())
    assert server.calls == 1


async def test_second_calls_are_a_share_of_all_calls(server: OriginServer, hedging: OriginClient) -> None:
    script(server, dict.fromkeys(range(1, 200), "late"))
    sends = (hedging.send(GET, deadline=within(10), trace=Trace()) for _ in range(60))
    await asyncio.gather(*sends)
    assert 1 <= hedging.stats().hedges <= 5 + 60 * 0.05
    assert server.calls == 60 + hedging.stats().hedges


async def test_with_a_share_of_nothing_a_slow_call_is_waited_for(server: OriginServer) -> None:
    script(server, {1: "late"})
    async with Fetcher(SETTINGS.model_copy(update={"hedge_share": 0.0}), CLOCK) as fetcher:
        client = await practised(client_of(server.base_url, fetcher, GENEROUS))
        await client.send(GET, deadline=within(5), trace=Trace())
    assert server.calls == 1


async def test_calls_cancelled_while_two_are_out_are_counted_and_leave_nothing(
    server: OriginServer, hedging: OriginClient
) -> None:
    script(server, {1: "hang", 2: "hang"})
    trace = Trace()
    task = asyncio.create_task(hedging.send(GET, deadline=within(10), trace=trace))
    await server.reached(2)
    task.cancel()
    await asyncio.wait([task])
    stats = hedging.stats()
    assert server.calls == trace.origin_calls == 2
    assert (stats.in_flight, stats.waiting, stats.hedges_won) == (0, 0, 0)


async def test_connections_are_told_by_whether_they_were_new(server: OriginServer, patient: OriginClient) -> None:
    for _ in range(5):
        await patient.send(GET, deadline=within(5), trace=Trace())
    assert (patient.stats().connections_new, patient.stats().connections_reused) == (1, 4)
    assert len(server.peers) == 1

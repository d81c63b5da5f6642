"""Single-flight: joining, leaving, cancelling, charging."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from weedhounds.cache.entry import Entry
from weedhounds.errors import OriginUnavailable
from weedhounds.flight import Filling, Flight, Flights
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.telemetry import Trace

KEY = RecordKey(DataType.DISPENSARY_MENU, "jane", "7")
PRICES = RecordKey(DataType.PRODUCT_PRICING, "jane", "7")
ENTRY = Entry(KEY, b"", fetched_at=0.0, expires_at=1.0, digest=b"", origins=("jane",))
Run = Callable[[Flight], Coroutine[object, object, Filling]]


class Load:
    """A load that ends when told, counting how often it ran and whether it was cancelled."""

    def __init__(self, error: Exception | None = None) -> None:
        self.runs = 0
        self.was_cancelled = False
        self.may_end = asyncio.Event()
        self._error = error

    async def __call__(self, flight: Flight) -> Filling:
        self.runs += 1
        flight.called()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if self._error is not None:
            raise self._error
        return {KEY: ENTRY}


async def ask(flights: Flights, load: Run, trace: Trace, *, timeout_s: float = 10.0) -> Flight:
    flight = flights.get(KEY) or flights.start((KEY, PRICES), load, deadline=None, payer=trace)
    await flights.wait([flight], timeout_s=timeout_s, trace=trace)
    return flight


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_thousand_waiters_share_one_load() -> None:
    flights, load = Flights(), Load()
    traces = [Trace() for _ in range(1000)]
    tasks = [asyncio.create_task(ask(flights, load, trace)) for trace in traces]
    await turns()
    load.may_end.set()
    landed = await asyncio.gather(*tasks)
    assert load.runs == 1
    assert {flight.task.result()[KEY] for flight in landed} == {ENTRY}
    assert sum(trace.origin_calls for trace in traces) == 1
    assert (flights.started, flights.joined, len(flights)) == (1, 999, 0)


async def test_a_key_that_landed_is_loaded_anew() -> None:
    flights, load = Flights(), Load()
    load.may_end.set()
    await ask(flights, load, Trace())
    await ask(flights, load, Trace())
    assert load.runs == 2


async def test_every_key_that_a_load_fills_can_be_joined() -> None:
    flights, load = Flights(), Load()
    task = asyncio.create_task(ask(flights, load, Trace()))
    await turns()
    flight = flights.get(PRICES)
    assert flight is flights.get(KEY) is not None
    load.may_end.set()
    await task
    assert flights.get(PRICES) is None


async def test_a_cancelled_waiter_does_not_end_the_load_for_others() -> None:
    flights, load = Flights(), Load()
    first, second = (asyncio.create_task(ask(flights, load, Trace())) for _ in range(2))
    await turns()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not load.was_cancelled
    load.may_end.set()
    assert (await second).task.result() == {KEY: ENTRY}
    assert load.runs == 1


async def test_the_last_waiter_that_leaves_ends_the_load() -> None:
    flights, load = Flights(), Load()
    tasks = [asyncio.create_task(ask(flights, load, Trace())) for _ in range(3)]
    await turns()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert load.was_cancelled
    assert len(flights) == 0


async def test_a_waiter_whose_time_is_over_leaves_and_the_load_ends_before_it_goes_on() -> None:
    flights, load = Flights(), Load()
    flight = await ask(flights, load, Trace(), timeout_s=0.01)
    assert load.was_cancelled
    assert flight.task.cancelled()
    assert flights.get(KEY) is None


async def test_nobody_joins_a_load_that_is_being_ended() -> None:
    flights = Flights()
    is_ending, stubborn = asyncio.Event(), asyncio.Event()

    async def slow_to_end(_: Flight) -> Filling:
        try:
            await asyncio.Event().wait()
        finally:
            is_ending.set()
            await stubborn.wait()
        return {}

    leaving = asyncio.create_task(ask(flights, slow_to_end, Trace(), timeout_s=0.0))
    await is_ending.wait()
    load = Load()
    load.may_end.set()
    fresh = await ask(flights, load, Trace())
    assert fresh.task.result() == {KEY: ENTRY}
    stubborn.set()
    await leaving


async def test_calls_are_charged_to_a_waiter_that_is_still_there() -> None:
    flights, load = Flights(), Load()
    first, second = Trace(), Trace()
    early = asyncio.create_task(ask(flights, load, first))
    late = asyncio.create_task(ask(flights, load, second))
    await turns()
    flight = flights.get(KEY)
    assert flight is not None
    early.cancel()
    await asyncio.wait([early])
    flight.called()
    assert (first.origin_calls, second.origin_calls) == (1, 1)
    load.may_end.set()
    await late


async def test_a_failure_reaches_every_waiter() -> None:
    flights, load = Flights(), Load(OriginUnavailable("down"))
    tasks = [asyncio.create_task(ask(flights, load, Trace())) for _ in range(3)]
    await turns()
    load.may_end.set()
    errors = [flight.task.exception() for flight in await asyncio.gather(*tasks)]
    assert [str(error) for error in errors] == ["down"] * 3
    assert flights.get(KEY) is None


async def test_a_failure_that_nobody_waits_for_is_silent() -> None:
    flights, load = Flights(), Load(OriginUnavailable("down"))
    flight = flights.start((KEY,), load, deadline=None, payer=Trace())
    load.may_end.set()
    await asyncio.wait([flight.task])
    await turns()
    assert len(flights) == 0


async def test_progress_is_told_to_each_waiter_as_loads_end() -> None:
    flights, loads = Flights(), [Load(), Load()]
    told: list[tuple[int, int]] = []
    trace = Trace(on_progress=lambda done, known: told.append((done, known)))
    keys = [RecordKey(DataType.DISPENSARY_MENU, "jane", str(n)) for n in range(2)]
    flying = [flights.start((key,), load, deadline=None, payer=trace) for key, load in zip(keys, loads, strict=True)]
    waiting = asyncio.create_task(flights.wait(flying, timeout_s=10.0, trace=trace))
    await turns()
    loads[1].may_end.set()
    await turns()
    assert told == [(0, 2), (1, 2)]
    loads[0].may_end.set()
    await waiting
    assert told[-1] == (2, 2)


async def test_closing_ends_all_loads() -> None:
    flights, load = Flights(), Load()
    waiting = asyncio.create_task(ask(flights, load, Trace()))
    await turns()
    await flights.close()
    assert (await waiting).task.cancelled()
    assert len(flights) == 0


@pytest.mark.parametrize(
    ("own", "asked", "expected"),
    [
        (5.0, 9.0, True),
        (5.0, None, True),
        (5.0, 5.0, False),
        (5.0, 1.0, False),
        (None, None, False),
        (None, 5.0, False),
    ],
)
def test_a_flight_ended_too_early_only_for_those_who_could_wait_longer(
    own: float | None, asked: float | None, expected: bool
) -> None:
    assert Flight((KEY,), deadline=own, payer=Trace()).ended_too_early_for(asked) is expected

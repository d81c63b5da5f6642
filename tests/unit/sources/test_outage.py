"""An origin that fails is left alone, tried by one call at a time, and asked again as soon as it answers."""

from __future__ import annotations

import asyncio

import pytest

from weedhounds.breaker import BreakerState
from weedhounds.clock import ManualClock
from weedhounds.errors import OriginUnavailable
from weedhounds.sources.outage import (
    CHALLENGED_S,
    CHALLENGES,
    FAILURES,
    LONGEST_CHALLENGED_S,
    LONGEST_S,
    OPEN_S,
    Outage,
    Outcome,
)

FAR = 1e9


async def ends(outage: Outage, outcome: Outcome, times: int = 1) -> None:
    for _ in range(times):
        outage.leave(outcome, is_trial=await outage.enter(FAR))


async def opened(clock: ManualClock, outcome: Outcome = Outcome.FAILED) -> Outage:
    outage = Outage(clock)
    await ends(outage, outcome, FAILURES if outcome is Outcome.FAILED else CHALLENGES)
    assert outage.state is BreakerState.OPEN
    return outage


async def test_failures_in_a_row_shut_it_and_calls_then_fail_at_once() -> None:
    clock = ManualClock()
    outage = Outage(clock)
    await ends(outage, Outcome.FAILED, FAILURES - 1)
    assert not outage.is_shut
    await ends(outage, Outcome.FAILED)
    with pytest.raises(OriginUnavailable, match=r"breaker open.*next try in 2\.0 s") as caught:
        await outage.enter(FAR)
    assert not caught.value.retryable
    assert (outage.opened, outage.refused) == (1, 1)


@pytest.mark.parametrize("between", [Outcome.ANSWERED, Outcome.LIMITED, Outcome.CHALLENGED])
async def test_an_answer_of_any_kind_between_shows_that_it_is_there(between: Outcome) -> None:
    outage = Outage(ManualClock())
    for _ in range(2):
        await ends(outage, Outcome.FAILED, FAILURES - 1)
        await ends(outage, between)
    assert not outage.is_shut


async def test_calls_that_tell_nothing_change_nothing() -> None:
    outage = Outage(ManualClock())
    await ends(outage, Outcome.FAILED, FAILURES - 1)
    await ends(outage, Outcome.UNTOLD, 20)
    assert not outage.is_shut
    await ends(outage, Outcome.FAILED)
    assert outage.is_shut


async def test_one_call_tries_and_its_answer_lets_the_waiting_ones_through() -> None:
    clock = ManualClock()
    outage = await opened(clock)
    clock.advance(OPEN_S)
    assert await outage.enter(FAR)
    waiting = [asyncio.create_task(outage.enter(FAR)) for _ in range(40)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    outage.leave(Outcome.ANSWERED, is_trial=True)
    assert await asyncio.gather(*waiting) == [False] * 40
    assert outage.state is BreakerState.CLOSED


async def test_those_who_wait_for_a_trial_that_fails_are_refused() -> None:
    clock = ManualClock()
    outage = await opened(clock)
    clock.advance(OPEN_S)
    assert await outage.enter(FAR)
    waiting = [asyncio.create_task(outage.enter(FAR)) for _ in range(3)]
    await asyncio.sleep(0)
    outage.leave(Outcome.FAILED, is_trial=True)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(error, OriginUnavailable) for error in results)
    assert outage.opened == 1


async def test_a_trial_that_was_given_up_passes_to_the_next() -> None:
    clock = ManualClock()
    outage = await opened(clock)
    clock.advance(OPEN_S)
    assert await outage.enter(FAR)
    waiting = [asyncio.create_task(outage.enter(FAR)) for _ in range(2)]
    await asyncio.sleep(0)
    outage.leave(Outcome.UNTOLD, is_trial=True)
    done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [True]
    outage.leave(Outcome.ANSWERED, is_trial=True)
    assert [await task for task in pending] == [False]


async def test_nobody_waits_for_a_trial_beyond_their_deadline() -> None:
    clock = ManualClock()
    outage = await opened(clock)
    clock.advance(OPEN_S)
    assert await outage.enter(FAR)
    with pytest.raises(OriginUnavailable, match="one call is trying"):
        await outage.enter(clock.monotonic() + 0.02)


async def test_calls_from_before_it_opened_neither_open_it_again_nor_end_the_trial() -> None:
    clock = ManualClock()
    outage = Outage(clock)
    before = [await outage.enter(FAR) for _ in range(10)]
    assert before == [False] * 10
    await ends(outage, Outcome.FAILED, FAILURES)
    clock.advance(OPEN_S)
    assert await outage.enter(FAR)
    for outcome in (Outcome.FAILED, Outcome.UNTOLD, Outcome.FAILED):
        outage.leave(outcome, is_trial=False)
    assert outage.is_shut
    with pytest.raises(OriginUnavailable, match="one call is trying"):
        await outage.enter(clock.monotonic() + 0.02)
    outage.leave(Outcome.ANSWERED, is_trial=False)  # it is back, whoever noticed
    assert outage.state is BreakerState.CLOSED


async def test_an_hour_down_is_noticed_to_be_over_within_half_a_minute() -> None:
    clock = ManualClock()
    outage = await opened(clock)
    tried = 0
    while clock.monotonic() < 3600.0:
        clock.advance(1.0)
        try:
            is_trial = await outage.enter(FAR)
        except OriginUnavailable:
            continue
        tried += 1
        outage.leave(Outcome.FAILED, is_trial=is_trial)
    assert 3600 / LONGEST_S - 5 < tried < 3600 / LONGEST_S + 10
    back_at = clock.monotonic()
    while outage.is_shut:
        clock.advance(0.5)
        try:
            outage.leave(Outcome.ANSWERED, is_trial=await outage.enter(FAR))
        except OriginUnavailable:
            continue
    assert clock.monotonic() - back_at <= 30.0


async def test_challenges_shut_it_for_longer_and_say_why() -> None:
    clock = ManualClock()
    outage = await opened(clock, Outcome.CHALLENGED)
    clock.advance(OPEN_S + 1)
    with pytest.raises(OriginUnavailable, match="a bot guard answered; next try in 7"):
        await outage.enter(FAR)
    clock.advance(CHALLENGED_S - OPEN_S - 1)
    assert await outage.enter(FAR)
    outage.leave(Outcome.CHALLENGED, is_trial=True)
    clock.advance(LONGEST_CHALLENGED_S)
    assert await outage.enter(FAR)
    outage.leave(Outcome.ANSWERED, is_trial=True)
    assert not outage.is_shut


async def test_a_trial_that_is_challenged_or_limited_ends_the_outage_proper() -> None:
    for outcome, opens_after in ((Outcome.LIMITED, CHALLENGES), (Outcome.CHALLENGED, CHALLENGES - 1)):
        clock = ManualClock()
        outage = await opened(clock)
        clock.advance(OPEN_S)
        outage.leave(outcome, is_trial=await outage.enter(FAR))
        assert not outage.is_shut
        await ends(outage, Outcome.CHALLENGED, opens_after)
        assert outage.is_shut

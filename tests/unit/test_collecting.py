"""Long walks of the garbage collector are kept out of hunts."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from weedhounds import collecting
from weedhounds.clock import ManualClock
from weedhounds.collecting import LONGEST_S, THAW_S, IdleCollector

FULL, SHORT = ["collect 2", "freeze"], ["collect 1", "freeze"]


@pytest.fixture
def collections(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Count what the collector is told, without doing it."""
    made: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda generation=2: made.append(f"collect {generation}"))
    for name in ("freeze", "unfreeze"):
        monkeypatch.setattr(gc, name, lambda name=name: made.append(name))
    monkeypatch.setattr(collecting, "AFTER_S", 0.0)
    monkeypatch.setattr(collecting, "LEAST_S", 0.0)
    before = gc.get_threshold()
    yield made
    assert gc.get_threshold() == before


async def timers() -> None:
    """Let timers that are due fire."""
    due = asyncio.Event()
    asyncio.get_running_loop().call_later(0.001, due.set)
    await due.wait()


async def test_a_hunt_is_followed_by_a_collection_and_holds_none(clock: ManualClock, collections: list[str]) -> None:
    collector = IdleCollector(clock)
    collector.start()
    assert collections == FULL
    with collector.working():
        with collector.working():
            await timers()
        await timers()
        assert collections == FULL
    await timers()
    assert collections == [*FULL, *SHORT]
    collector.close()


async def test_the_interpreter_makes_no_full_collection_meanwhile(clock: ManualClock, collections: list[str]) -> None:
    young, middle, _ = gc.get_threshold()
    collector = IdleCollector(clock)
    collector.start()
    assert gc.get_threshold()[:2] == (young, middle)
    assert gc.get_threshold()[2] > 1_000_000
    collector.close()
    assert collections[-1] == "unfreeze"


async def test_one_is_made_during_a_hunt_where_the_last_was_long_ago(
    clock: ManualClock, collections: list[str]
) -> None:
    collector = IdleCollector(clock)
    collector.start()
    with collector.working():
        clock.advance(LONGEST_S - 1)
        collector._look()
        assert collections == FULL
        clock.advance(1)
        collector._look()
        assert collections == [*FULL, *SHORT]
    collector.close()


async def test_what_is_set_aside_is_walked_again_after_an_hour_but_not_during_a_hunt(
    clock: ManualClock, collections: list[str]
) -> None:
    collector = IdleCollector(clock)
    collector.start()
    clock.advance(THAW_S)
    with collector.working():
        collector._look()
    assert collections == [*FULL, *SHORT]
    collector._look()
    assert collections == [*FULL, *SHORT, "unfreeze", *FULL]
    collector.close()


async def test_a_closed_collector_collects_nothing_more(clock: ManualClock, collections: list[str]) -> None:
    collector = IdleCollector(clock)
    collector.start()
    collector.close()
    made = len(collections)
    with collector.working():
        pass
    await timers()
    assert len(collections) == made

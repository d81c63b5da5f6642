"""Warming a place: rounds until nothing is missing, then the strains that are sold there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from sample_answers import DENVER, hunt_answer, offer
from weedhounds.clock import ManualClock
from weedhounds.errors import BadInput
from weedhounds.query.answer import ByTier, HuntAnswer, Missing
from weedhounds.query.hunt import MAX_DEADLINE_S
from weedhounds.warming.place import STRAINS_AT_ONCE, Hunts, WarmReport, strains_of, warm_place

SPENT = Missing("dutchie", "menu of Green Lane", "no call left in the budget before the deadline (next one in 7.0 s)")
UNPLACED = Missing("weedmaps", "shop Nowhere (9)", "not placed: no position known")


def told(
    *, loaded: int = 0, calls: int = 0, missing: tuple[Missing, ...] = (), strains: tuple[str | None, ...] = ()
) -> HuntAnswer:
    """Return a hunt's answer that came to this."""
    answer = hunt_answer(0, missing=missing, records=10)
    meta = msgspec.structs.replace(answer.meta, origin_calls=calls, by_tier=ByTier(memory=10 - loaded, origin=loaded))
    offers = tuple(offer(n, strain=strain) for n, strain in enumerate(strains))
    return msgspec.structs.replace(answer, meta=meta, offers=offers)


class Scripted:
    """A node whose hunts for everything answer as scripted, the last answer again and again."""

    def __init__(self, clock: ManualClock, *script: HuntAnswer, took_s: float = 1.0) -> None:
        self.script = list(script)
        self.asked: list[tuple[str, float | None, float | None]] = []
        self.at_once = self.most_at_once = 0
        self.strain_answer = told(calls=2, loaded=2)
        self._clock = clock
        self._took_s = took_s

    async def hunt(
        self,
        query: str = "",
        *,
        near: str,
        radius_km: float | None = None,
        deadline_s: float | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> HuntAnswer:
        if near != DENVER.name:
            raise BadInput(f"unknown place {near!r}")
        self.asked.append((query, radius_km, deadline_s))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if progress is not None:
            progress(0, 4)
        await asyncio.sleep(0)
        if progress is not None:
            progress(4, 4)
        self.at_once -= 1
        self._clock.advance(self._took_s)
        if query:
            return self.strain_answer
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


async def warmed(
    node: Hunts, clock: ManualClock, *, limit_s: float = 600.0, strains: int = 10, near: str = DENVER.name
) -> WarmReport:
    return await warm_place(
        node, near, clock=clock, radius_km=40.0, limit_s=limit_s, strains=strains, pauses_s=(0.0, 0.0)
    )


async def test_one_round_is_enough_where_nothing_is_missing(clock: ManualClock) -> None:
    node = Scripted(clock, told(loaded=10, calls=12))
    report = await warmed(node, clock)
    assert node.asked == [("", 40.0, MAX_DEADLINE_S)]
    assert (report.rounds, report.loaded, report.origin_calls, report.records, report.missing) == (1, 10, 12, 10, ())
    assert (report.place, report.shops, report.elapsed_s) == (DENVER, 1, 1.0)


async def test_it_asks_again_until_the_budgets_have_given_everything(clock: ManualClock) -> None:
    rounds = [told(loaded=4, calls=4, missing=(SPENT,)), told(loaded=4, calls=4, missing=(SPENT,)), told(loaded=2)]
    report = await warmed(Scripted(clock, *rounds), clock)
    assert (report.rounds, report.loaded, report.missing) == (3, 10, ())


async def test_it_stops_where_nothing_more_comes_and_says_what_is_missing(clock: ManualClock) -> None:
    report = await warmed(Scripted(clock, told(loaded=4, missing=(SPENT,)), told(missing=(SPENT,))), clock)
    assert (report.rounds, report.missing) == (4, (SPENT,))


async def test_it_does_not_wait_for_what_no_call_can_bring(clock: ManualClock) -> None:
    report = await warmed(Scripted(clock, told(missing=(UNPLACED,))), clock)
    assert (report.rounds, report.missing) == (1, (UNPLACED,))


async def test_it_stops_when_its_time_is_over(clock: ManualClock) -> None:
    node = Scripted(clock, told(loaded=1, missing=(SPENT,), strains=("Blue Dream",)), took_s=100.0)
    report = await warmed(node, clock, limit_s=250.0)
    assert [deadline_s for _, _, deadline_s in node.asked] == [MAX_DEADLINE_S, MAX_DEADLINE_S, 50.0]
    assert report.missing == (Missing("*", "facts of 1 strains", "the time was over"), SPENT)


async def test_the_facts_of_the_strains_that_most_offers_name_are_fetched(clock: ManualClock) -> None:
    names = ("Gelato", "Blue Dream", "blue-dream", None, "OG Kush", "Gelato", "BLUE DREAM")
    node = Scripted(clock, told(loaded=3, calls=5, strains=names))
    report = await warmed(node, clock, strains=2)
    assert [(query, radius_km) for query, radius_km, _ in node.asked] == [
        ("", 40.0),
        ("blue-dream", 0.0),
        ("gelato", 0.0),
    ]
    assert (report.strains, report.loaded, report.origin_calls) == (2, 7, 9)


async def test_some_strains_are_asked_for_at_a_time_and_what_they_lack_is_said(clock: ManualClock) -> None:
    node = Scripted(clock, told(strains=tuple(f"Haze {n}" for n in range(40))))
    node.strain_answer = told(missing=(SPENT,))
    report = await warmed(node, clock, strains=30)
    assert (report.strains, node.most_at_once, report.missing) == (30, STRAINS_AT_ONCE, (SPENT,))


async def test_no_strains_are_asked_for_where_none_are_wanted(clock: ManualClock) -> None:
    node = Scripted(clock, told(strains=("Gelato",)))
    assert (await warmed(node, clock, strains=0)).strains == 0
    assert len(node.asked) == 1


async def test_progress_goes_on_from_hunt_to_hunt(clock: ManualClock) -> None:
    seen: list[tuple[int, int]] = []
    node = Scripted(clock, told(loaded=1, missing=(SPENT,)), told(strains=("Gelato",)))
    await warm_place(node, DENVER.name, clock=clock, progress=lambda done, known: seen.append((done, known)))
    assert seen == [(0, 4), (4, 4), (4, 8), (8, 8), (8, 12), (12, 12)]


async def test_an_unknown_place_is_bad_input(clock: ManualClock) -> None:
    with pytest.raises(BadInput, match="unknown place"):
        await warmed(Scripted(clock, told()), clock, near="Atlantis")


def test_strains_are_ranked_by_offers_then_by_name() -> None:
    offers = [offer(n, strain=name) for n, name in enumerate(["b", "a", "C!", "c", "", "?", None])]
    assert strains_of(offers) == ["c", "a", "b"]

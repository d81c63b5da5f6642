"""The look-up over scripted tiers, in simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import inf

import pytest

from scripted_tiers import GROUP, START_S, Desk, PlannedStrategy, ScriptedTier, entry_of, expired_entry_of, key_of
from weedhounds.cache.entry import Entry
from weedhounds.sim.virtual_time import run_virtually
from weedhounds.strategies.base import Group, Plan, Step
from weedhounds.strategies.local_first import LocalFirst
from weedhounds.strategies.lookup import is_of
from weedhounds.strategies.parallel import Parallel

A, B, C = key_of("a"), key_of("b"), key_of("c", "leafly")


def sequence(*steps: tuple[str, float], origin_after_s: float = inf) -> PlannedStrategy:
    return PlannedStrategy(Plan(tuple(Step(*step) for step in steps), origin_after_s))


def test_a_tier_is_asked_once_for_all_keys_that_want_it_at_the_same_moment() -> None:
    async def main() -> None:
        memory, sql = ScriptedTier("memory", entry_of(A)), ScriptedTier("sql", entry_of(B), entry_of(C))
        found = await Desk(LocalFirst(), memory, sql).found(A, B, C)
        assert {key: each.tier for key, each in found.items()} == {A: "memory", B: "sql", C: "sql"}
        assert (memory.asked, sql.asked) == ([[A, B, C]], [[B, C]])

    run_virtually(main())


def test_what_memory_can_answer_starts_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        keys = [key_of(str(n), origin) for n in range(200) for origin in ("jane", "leafly", "dutchie")]
        memory = ScriptedTier("memory", *map(entry_of, keys))
        desk = Desk(Parallel(), memory, ScriptedTier("sql"), ScriptedTier("peers"))
        started: list[object] = []
        monkeypatch.setattr(asyncio, "create_task", started.append)
        assert len(await desk.found(*keys)) == 600
        assert (len(memory.asked), started) == (1, [])

    run_virtually(main())


def test_one_tier_after_the_other_needs_no_task_either(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        desk = Desk(LocalFirst(), ScriptedTier("memory"), ScriptedTier("sql", entry_of(A), latency_s=0.1))
        monkeypatch.setattr(asyncio, "create_task", None)
        assert await desk.tier_of(A) == "sql"

    run_virtually(main())


def test_a_step_starts_early_where_the_one_before_takes_its_time() -> None:
    async def main() -> None:
        sql, peers = ScriptedTier("sql", entry_of(A), latency_s=1.0), ScriptedTier("peers", entry_of(A), latency_s=0.1)
        desk = Desk(sequence(("sql", inf), ("peers", 0.02)), sql, peers)
        assert await desk.tier_of(A) == "peers"
        assert (peers.asked_at, sql.cancelled) == ([0.02], 1)
        assert desk.clock.monotonic() == pytest.approx(0.12)

    run_virtually(main())


def test_a_step_starts_at_once_when_the_one_before_has_missed() -> None:
    async def main() -> None:
        sql, peers = ScriptedTier("sql", latency_s=0.01), ScriptedTier("peers", entry_of(A), latency_s=0.1)
        assert await Desk(sequence(("sql", inf), ("peers", 5.0)), sql, peers).tier_of(A) == "peers"
        assert peers.asked_at == [0.01]

    run_virtually(main())


def test_the_tiers_are_given_up_for_the_origin_when_it_is_time() -> None:
    async def main() -> None:
        sql = ScriptedTier("sql", entry_of(A), latency_s=1.0)
        desk = Desk(sequence(("sql", inf), origin_after_s=0.05), sql)
        assert await desk.tier_of(A) is None
        assert desk.clock.monotonic() == pytest.approx(0.05)
        assert sql.cancelled == 1

    run_virtually(main())


def test_each_group_goes_its_own_way_and_a_tier_still_answers_for_both() -> None:
    class ByOrigin(PlannedStrategy):
        def plan(self, group: Group, tiers: Sequence[str], now: float) -> Plan:
            order = ("sql", "peers") if group.origin == "jane" else ("peers", "sql")
            return Plan(tuple(Step(tier) for tier in order))

    async def main() -> None:
        sql, peers = ScriptedTier("sql", latency_s=0.01), ScriptedTier("peers", latency_s=0.01)
        assert await Desk(ByOrigin(Plan(())), sql, peers).found(A, B, C) == {}
        assert (sql.asked, peers.asked) == ([[A, B], [C]], [[C], [A, B]])

    run_virtually(main())


def test_a_question_that_nobody_needs_any_more_is_cancelled_while_others_go_on() -> None:
    class ByOrigin(PlannedStrategy):
        def plan(self, group: Group, tiers: Sequence[str], now: float) -> Plan:
            fast = Plan((Step("peers"), Step("sql", 0.0)))
            return fast if group.origin == "jane" else Plan((Step("slow"),))

    async def main() -> None:
        sql, peers = ScriptedTier("sql", entry_of(A), latency_s=0.5), ScriptedTier("peers", entry_of(A), latency_s=0.1)
        slow = ScriptedTier("slow", entry_of(C), latency_s=1.0)
        found = await Desk(ByOrigin(Plan(())), sql, peers, slow).found(A, C)
        assert (set(found), sql.cancelled, sql.answered) == ({A, C}, 1, 0)

    run_virtually(main())


def test_the_expired_entry_that_is_newest_is_told_besides() -> None:
    async def main() -> None:
        old, newer = entry_of(A, age_s=300.0, lifetime_s=100.0), entry_of(A, age_s=200.0, lifetime_s=100.0)
        desk = Desk(LocalFirst(), ScriptedTier("memory", old), ScriptedTier("sql", newer), ScriptedTier("peers", old))
        found, held = await desk.lookup.look_up([A])
        assert found == {}
        assert (held[A].entry, held[A].tier, held[A].is_stale) == (newer, "sql", True)

    run_virtually(main())


def test_a_fresh_entry_further_away_is_better_than_an_expired_one_near() -> None:
    async def main() -> None:
        memory = ScriptedTier("memory", expired_entry_of(A))
        peers = ScriptedTier("peers", entry_of(A), latency_s=0.1)
        found = await Desk(LocalFirst(), memory, ScriptedTier("sql"), peers).found(A)
        assert (found[A].tier, found[A].is_stale) == ("peers", False)

    run_virtually(main())


def test_an_entry_that_expires_while_it_is_waited_for_is_no_hit() -> None:
    async def main() -> None:
        dying = entry_of(A, age_s=10.0, lifetime_s=10.5)
        assert await Desk(LocalFirst(), ScriptedTier("sql", dying, latency_s=1.0)).tier_of(A) is None

    run_virtually(main())


def test_what_is_served_is_copied_into_every_faster_tier_and_no_other() -> None:
    async def main() -> None:
        memory, sql = ScriptedTier("memory"), ScriptedTier("sql", entry_of(B))
        peers = ScriptedTier("peers", entry_of(A))
        await Desk(LocalFirst(), memory, sql, peers).found(A, B)
        assert (memory.puts, sql.puts, peers.puts) == ([[B, A]], [[A]], [])

    run_virtually(main())


def test_offline_the_first_entry_held_is_served_however_old_whatever_the_strategy() -> None:
    async def main() -> None:
        memory, sql = ScriptedTier("memory"), ScriptedTier("sql", expired_entry_of(A))
        strategy = sequence()
        found, held = await Desk(strategy, memory, sql).lookup.look_up([A], serves_expired=True)
        assert (found[A].tier, found[A].is_stale, held) == ("sql", True, {})
        assert strategy.offered == []

    run_virtually(main())


def test_own_tiers_that_a_plan_leaves_out_can_be_asked_after_all_and_no_peer() -> None:
    async def main() -> None:
        sql, peers = ScriptedTier("sql", expired_entry_of(A), entry_of(B)), ScriptedTier("peers")
        desk = Desk(sequence(("memory", inf)), ScriptedTier("memory"), sql, peers)
        assert await desk.lookup.look_up([A, B]) == ({}, {})
        found, held = await desk.lookup.look_up_forgone([A, B])
        assert (set(found), set(held), peers.asked) == ({B}, {A}, [])

    run_virtually(main())


def test_a_strategy_that_leaves_no_tier_out_has_nobody_to_ask_after_all() -> None:
    async def main() -> None:
        sql = ScriptedTier("sql", expired_entry_of(A))
        assert await Desk(LocalFirst(), sql).lookup.look_up_forgone([A]) == ({}, {})
        assert sql.asked == []

    run_virtually(main())


def test_entries_over_the_storage_limit_are_dropped_everywhere_and_not_served() -> None:
    async def main() -> None:
        tiers = [ScriptedTier(name, entry_of(A, age_s=60.0), entry_of(C, age_s=60.0)) for name in ("memory", "sql")]
        desk = Desk(LocalFirst(), *tiers, limits={"jane": 50.0, "leafly": None})
        found, held = await desk.lookup.look_up([A, C])
        assert (set(found), held) == ({C}, {})
        assert [tier.held.keys() for tier in tiers] == [{C}, {C}]

    run_virtually(main())


def test_hits_and_misses_of_a_tier_are_the_keys_it_was_asked_for() -> None:
    async def main() -> None:
        desk = Desk(LocalFirst(), ScriptedTier("memory", entry_of(A)), sql := ScriptedTier("sql", entry_of(B)))
        await desk.found(A, B, C)
        await desk.lookup.look_up([A], is_counted=False)
        figures = {name: meter.over(sql.stats()) for name, meter in desk.meters.items()}
        assert {name: (each.hits, each.misses) for name, each in figures.items()} == {"memory": (1, 2), "sql": (1, 1)}
        assert desk.meters["memory"].latency.count == 1

    run_virtually(main())


def test_a_question_that_was_cancelled_is_no_question_in_the_figures() -> None:
    async def main() -> None:
        sql, peers = ScriptedTier("sql", entry_of(A), latency_s=0.01), ScriptedTier("peers", latency_s=1.0)
        desk = Desk(Parallel(), sql, peers)
        await desk.found(A)
        assert desk.meters["peers"].latency.count == 0
        assert (desk.trace.tier_errors, desk.guard.errors) == (0, 0)

    run_virtually(main())


def test_a_learning_strategy_is_told_of_each_answer_by_group() -> None:
    async def main() -> None:
        strategy = sequence(("memory", inf), ("sql", inf))
        fresh, old = entry_of(A), expired_entry_of(B)
        await Desk(strategy, ScriptedTier("memory"), ScriptedTier("sql", fresh, old, latency_s=0.5)).found(A, B, C)
        told = {(group, seen.tier): seen for group, seen in strategy.seen}
        seen = told[GROUP, "sql"]
        assert (seen.asked, seen.fresh, seen.expired, seen.size_bytes) == (2, 1, 1, len(fresh.body))
        assert (seen.latency_s, seen.outcome, seen.missed) == (0.5, "ok", ("memory",))
        assert (told[Group(C.data_type, "leafly"), "sql"].asked, len(told)) == (1, 4)

    run_virtually(main())


def test_a_learning_strategy_is_told_how_long_a_cancelled_question_had_taken() -> None:
    async def main() -> None:
        strategy = sequence(("sql", inf), ("peers", 0.0))
        sql, peers = ScriptedTier("sql", entry_of(A), latency_s=0.01), ScriptedTier("peers", latency_s=1.0)
        await Desk(strategy, sql, peers).found(A)
        seen = next(seen for _, seen in strategy.seen if seen.tier == "peers")
        assert seen.outcome == "cancelled"
        assert seen.latency_s == pytest.approx(0.01)

    run_virtually(main())


def test_a_learning_strategy_is_told_what_loads_came_to() -> None:
    async def main() -> None:
        strategy = sequence()
        Desk(strategy, ScriptedTier("memory")).lookup.loaded([A, B, C], {A}, 0.4)
        told = {group.origin: (seen.tier, seen.asked, seen.fresh, seen.outcome) for group, seen in strategy.seen}
        assert told == {"jane": ("origin", 2, 1, "ok"), "leafly": ("origin", 1, 0, "failed")}

    run_virtually(main())


def test_a_look_up_that_is_given_up_leaves_no_question_behind() -> None:
    async def main() -> None:
        sql, peers = ScriptedTier("sql", latency_s=inf), ScriptedTier("peers", latency_s=inf)
        asking = asyncio.create_task(Desk(Parallel(), sql, peers).found(A))
        await asyncio.sleep(0.1)
        asking.cancel()
        await asyncio.wait([asking])
        assert (sql.cancelled, peers.cancelled, asking.cancelled()) == (1, 1, True)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtually(main())


def test_after_the_deadline_nobody_is_waited_for_but_memory_still_answers() -> None:
    async def main() -> None:
        memory, sql = ScriptedTier("memory", entry_of(A)), ScriptedTier("sql", entry_of(B), latency_s=0.5)
        desk = Desk(LocalFirst(), memory, sql, ScriptedTier("peers", entry_of(B), latency_s=0.5))
        assert (await desk.found(A, B, deadline=-1.0)).keys() == {A}
        assert (await desk.found(A, B, deadline=0.6)).keys() == {A, B}
        assert desk.clock.monotonic() <= 0.6

    run_virtually(main())


def test_a_deadline_shorter_than_any_tier_is_no_tiers_fault() -> None:
    async def main() -> None:
        desk = Desk(LocalFirst(), ScriptedTier("sql", entry_of(A), latency_s=0.5))
        for _ in range(50):
            assert await desk.tier_of(A, desk.clock.monotonic() + 0.01) is None
        assert await desk.tier_of(A) == "sql"

    run_virtually(main())


def test_a_plan_with_a_tier_that_is_not_there_goes_on_with_the_next() -> None:
    async def main() -> None:
        strategy = sequence(("nowhere", 0.0), ("sql", inf), ("nowhere", 0.0))
        assert await Desk(strategy, ScriptedTier("sql", entry_of(A), latency_s=0.1)).tier_of(A) == "sql"
        assert await Desk(sequence(), ScriptedTier("sql", entry_of(A))).tier_of(A) is None

    run_virtually(main())


@pytest.mark.parametrize("strategy", [LocalFirst(), Parallel()])
def test_a_thousand_look_ups_at_once_do_not_disturb_each_other(strategy: LocalFirst | Parallel) -> None:
    async def main() -> None:
        keys = [key_of(str(n)) for n in range(1000)]
        memory, sql, peers = (
            ScriptedTier(name, latency_s=s) for name, s in (("memory", 0), ("sql", 0.01), ("peers", 0.05))
        )
        for n, key in enumerate(keys):
            (memory, sql, peers)[n % 3].held[key] = entry_of(key)
        desk = Desk(strategy, memory, sql, peers)
        results = await asyncio.gather(*(desk.found(key) for key in keys))
        assert [(set(found), found[key].tier) for key, found in zip(keys, results, strict=True)] == [
            ({key}, ("memory", "sql", "peers")[n % 3]) for n, key in enumerate(keys)
        ]
        assert desk.clock.monotonic() <= 0.07
        assert len(asyncio.all_tasks()) == 1

    run_virtually(main())


def test_a_peers_entry_from_the_far_future_is_not_believed() -> None:
    entry = entry_of(A)
    assert is_of(A, entry, "peers", START_S)
    assert not is_of(A, entry, "peers", START_S - 1000.0)
    assert is_of(A, entry, "sql", START_S - 1000.0)


def test_a_damaged_body_is_a_miss_where_a_peer_sent_it() -> None:
    entry = entry_of(A)
    damaged = Entry(
        A, entry.body[:-1] + b"?", fetched_at=entry.fetched_at, expires_at=entry.expires_at, digest=entry.digest,
        origins=entry.origins,
    )  # fmt: skip
    assert not is_of(A, damaged, "peers", START_S)

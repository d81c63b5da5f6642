"""The strategies that do not learn: whom they ask first, and who wins."""

from __future__ import annotations

from collections.abc import Coroutine
from math import inf

import pytest

from scripted_tiers import GROUP, Desk, ScriptedTier, entry_of, expired_entry_of, key_of
from weedhounds.sim.virtual_time import run_virtually
from weedhounds.strategies import DEFAULT, STRATEGIES, Prices, ReadStrategy
from weedhounds.strategies.dht_first import DhtFirst
from weedhounds.strategies.local_first import LocalFirst
from weedhounds.strategies.parallel import Parallel

KEY = key_of("7")
NAMES = ("memory", "sql", "peers")


def three(latency_s: tuple[float, float, float] = (0.0, 0.01, 0.1)) -> tuple[ScriptedTier, ScriptedTier, ScriptedTier]:
    memory, sql, peers = (ScriptedTier(name, latency_s=s) for name, s in zip(NAMES, latency_s, strict=True))
    return memory, sql, peers


async def outcome(strategy: ReadStrategy, *tiers: ScriptedTier) -> tuple[str | None, float]:
    """Return the tier that served the key and the seconds that it took."""
    desk = Desk(strategy, *tiers)
    served_by = await desk.tier_of(KEY)
    return served_by, round(desk.clock.monotonic(), 6)


def test_the_table_makes_every_strategy_by_its_name() -> None:
    made = {name: make(Prices.fixed()) for name, make in STRATEGIES.items()}
    assert {name: strategy.name for name, strategy in made.items()} == {name: name for name in made}
    assert set(made) == {"local_first", "dht_first", "parallel", "intelligent"}
    assert DEFAULT == "local_first"


@pytest.mark.parametrize(
    ("strategy", "order"),
    [(LocalFirst(), ["memory", "sql", "peers"]), (DhtFirst(), ["peers", "memory", "sql"])],
)
def test_one_tier_after_the_other_is_asked_in_the_order_of_the_strategy(
    strategy: ReadStrategy, order: list[str]
) -> None:
    async def main() -> None:
        tiers = three((0.001, 0.01, 0.1))
        desk = Desk(strategy, *tiers)
        assert await desk.tier_of(KEY) is None
        assert desk.clock.monotonic() == pytest.approx(0.111)
        assert desk.lookup.asked_first == {name: int(name == order[0]) for name in NAMES}
        assert [t.name for t in sorted(tiers, key=lambda tier: tier.asked_at)] == order

    run_virtually(main())


def test_local_first_asks_no_peer_for_what_it_has_itself() -> None:
    async def main() -> None:
        memory, sql, peers = three()
        sql.held[KEY] = peers.held[KEY] = entry_of(KEY)
        assert await outcome(LocalFirst(), memory, sql, peers) == ("sql", 0.01)
        assert peers.asked == []

    run_virtually(main())


def test_dht_first_asks_no_tier_of_its_own_for_what_a_peer_has() -> None:
    async def main() -> None:
        memory, sql, peers = three()
        sql.held[KEY] = peers.held[KEY] = entry_of(KEY)
        assert await outcome(DhtFirst(), memory, sql, peers) == ("peers", 0.1)
        assert memory.asked == sql.asked == []

    run_virtually(main())


def _race(sql_has: bool, peers_have: bool, latency_s: tuple[float, float, float]) -> Coroutine[object, object, object]:
    async def main() -> tuple[str | None, float, int, int]:
        memory, sql, peers = three(latency_s)
        if sql_has:
            sql.held[KEY] = entry_of(KEY)
        if peers_have:
            peers.held[KEY] = entry_of(KEY)
        served_by, took_s = await outcome(Parallel(), memory, sql, peers)
        assert sql.asked_at == peers.asked_at == [0.0]
        return served_by, took_s, sql.cancelled, peers.cancelled

    return main()


def test_in_parallel_the_first_hit_wins_and_the_rest_is_cancelled() -> None:
    assert run_virtually(_race(True, True, (0.0, 0.01, 0.1))) == ("sql", 0.01, 0, 1)
    assert run_virtually(_race(True, True, (0.0, 0.2, 0.1))) == ("peers", 0.1, 1, 0)


def test_in_parallel_the_first_answer_does_not_win_if_it_is_a_miss() -> None:
    assert run_virtually(_race(False, True, (0.0, 0.01, 0.1))) == ("peers", 0.1, 0, 0)


def test_in_parallel_a_key_is_missing_when_all_have_missed_it() -> None:
    assert run_virtually(_race(False, False, (0.0, 0.01, 0.1))) == (None, 0.1, 0, 0)


def test_in_parallel_an_expired_entry_is_no_hit() -> None:
    async def main() -> None:
        memory, sql, peers = three()
        sql.held[KEY] = expired_entry_of(KEY)
        peers.held[KEY] = entry_of(KEY)
        assert await outcome(Parallel(), memory, sql, peers) == ("peers", 0.1)

    run_virtually(main())


def test_in_parallel_nobody_is_asked_for_what_memory_has() -> None:
    async def main() -> None:
        memory, sql, peers = three()
        memory.held[KEY] = entry_of(KEY)
        assert await outcome(Parallel(), memory, sql, peers) == ("memory", 0.0)
        assert sql.asked == peers.asked == []

    run_virtually(main())


def test_a_strategy_plans_for_the_tiers_that_there_are() -> None:
    assert [step.tier for step in LocalFirst().plan(GROUP, ["sql"], 0.0).steps] == ["sql"]
    assert [step.tier for step in DhtFirst().plan(GROUP, ["memory", "sql"], 0.0).steps] == ["memory", "sql"]
    assert Parallel().plan(GROUP, [], 0.0).steps == ()
    assert LocalFirst().plan(GROUP, NAMES, 0.0).origin_after_s == inf

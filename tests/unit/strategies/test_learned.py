"""The strategy that learns, told of answers by hand."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from scripted_tiers import GROUP
from weedhounds.model.datatypes import DataType
from weedhounds.strategies.base import Group, Plan, Step, TierSeen
from weedhounds.strategies.learned import MAX_GROUPS, PROBE_AFTER, PROBE_AT_MOST, Learned, Prices

TIERS = ("memory", "sql", "peers")


class Market:
    """Answers to plans as tiers would that have these latencies and chances of a hit."""

    def __init__(self, latencies_s: Mapping[str, float], chances: Mapping[str, float], origin_s: float = 0.3) -> None:
        self.latencies_s = dict(latencies_s)
        self.chances = dict(chances)
        self.origin_s = origin_s
        self.fails = 0.0
        self._rng = Random(5)

    def request(self, strategy: Learned, group: Group = GROUP) -> Plan:
        """Carry a plan out one step after the other, as if its steps never overlapped."""
        plan = strategy.plan(group, TIERS, 0.0)
        missed: list[str] = []
        for tier, _ in plan.steps:
            fresh = int(self._rng.random() < self.chances[tier])
            seen = TierSeen(
                tier=tier,
                latency_s=self.latencies_s[tier] * self._rng.uniform(0.8, 1.25),
                asked=1,
                fresh=fresh,
                size_bytes=4000 * fresh,
                missed=tuple(sorted(missed)),
            )
            strategy.learn(group, seen, 0.0)
            if fresh:
                return plan
            missed.append(tier)
        filled = int(self._rng.random() >= self.fails)
        seen = TierSeen(tier="origin", latency_s=self.origin_s, asked=1, fresh=filled)
        strategy.learn(group, seen, 0.0)
        return plan


def settled(market: Market, prices: Prices, requests: int = 500) -> list[str]:
    """Return the order in which tiers are asked after so many requests."""
    strategy = Learned(prices)
    for _ in range(requests):
        market.request(strategy)
    planned = strategy.planned(GROUP)
    assert planned is not None
    return [step.tier for step in planned.plan.steps]


LATENCIES = {"memory": 0.00002, "sql": 0.01, "peers": 0.1}


def test_it_begins_with_the_tiers_in_their_order() -> None:
    plan = Learned(Prices.fixed()).plan(GROUP, TIERS, 0.0)
    assert [step.tier for step in plan.steps] == ["memory", "sql", "peers"]


def test_a_peer_that_is_faster_and_has_more_is_asked_before_sql() -> None:
    market = Market({**LATENCIES, "sql": 0.2, "peers": 0.02}, {"memory": 0.3, "sql": 0.3, "peers": 0.9})
    assert settled(market, Prices.fixed())[:2] == ["memory", "peers"]


def test_a_peer_that_has_nothing_is_left_out() -> None:
    market = Market(LATENCIES, {"memory": 0.3, "sql": 0.5, "peers": 0.0})
    assert "peers" not in settled(market, Prices.fixed())


def test_a_dear_call_brings_in_a_tier_that_seldom_has_anything() -> None:
    market = Market({**LATENCIES, "peers": 0.4}, {"memory": 0.3, "sql": 0.5, "peers": 0.1})
    assert "peers" not in settled(market, Prices.fixed(call_s=0.1))
    assert "peers" in settled(market, Prices.fixed(call_s=10.0))


def test_dear_bytes_keep_the_peers_out() -> None:
    market = Market({**LATENCIES, "peers": 0.02}, {"memory": 0.3, "sql": 0.5, "peers": 0.9})
    assert "peers" in settled(market, Prices.fixed(call_s=0.1, byte_s=0.0))
    assert "peers" not in settled(market, Prices.fixed(call_s=0.1, byte_s=0.001))


def test_an_origin_that_fails_brings_in_whoever_may_still_have_it() -> None:
    market = Market({**LATENCIES, "peers": 0.5}, {"memory": 0.3, "sql": 0.3, "peers": 0.2}, origin_s=0.05)
    assert "peers" not in settled(market, Prices.fixed(call_s=0.0))
    market.fails = 1.0
    assert "peers" in settled(market, Prices.fixed(call_s=0.0))


def test_the_price_is_that_of_the_groups_origin() -> None:
    market = Market({**LATENCIES, "peers": 0.4}, {"memory": 0.3, "sql": 0.5, "peers": 0.25})
    strategy = Learned(Prices(call_s=lambda group: 10.0 if group.origin == "dear" else 0.1))
    cheap, dear = Group(DataType.PROMOTIONS, "cheap"), Group(DataType.PROMOTIONS, "dear")
    for _ in range(400):
        market.request(strategy, cheap)
        market.request(strategy, dear)
    asked = {group: strategy.planned(group) for group in (cheap, dear)}
    assert [len(planned.plan.steps) for planned in asked.values() if planned] == [2, 3]


def test_what_is_known_of_all_groups_stands_for_a_new_one() -> None:
    market = Market({**LATENCIES, "sql": 0.2, "peers": 0.02}, {"memory": 0.3, "sql": 0.3, "peers": 0.9})
    strategy = Learned(Prices.fixed())
    for _ in range(300):
        market.request(strategy)
    new = strategy.plan(Group(DataType.PROMOTIONS, "new"), TIERS, 0.0)
    assert new.steps[1].tier == "peers"


def test_a_tier_that_is_left_out_is_probed_beside_one_that_is_asked() -> None:
    market = Market({**LATENCIES, "sql": 0.02}, {"memory": 0.0, "sql": 0.9, "peers": 0.0})
    strategy = Learned(Prices.fixed())
    plans = [market.request(strategy) for _ in range(600)][300:]
    probes = [plan for plan in plans if "peers" in [step.tier for step in plan.steps]]
    assert 300 / PROBE_AT_MOST - 1 <= len(probes) <= 300 / PROBE_AFTER
    assert probes[0].steps == (Step("memory"), Step("peers"), Step("sql", 0.0))


def test_a_probe_does_not_keep_long_from_the_origin() -> None:
    market = Market({**LATENCIES, "sql": 0.4}, {"memory": 0.0, "sql": 0.0, "peers": 0.0})
    strategy = Learned(Prices.fixed(call_s=0.0))
    plans = [market.request(strategy) for _ in range(600)][300:]
    probes = [plan for plan in plans if len(plan.steps) > 1]
    assert 0 < len(probes) < 50
    assert all(0 < plan.origin_after_s < 0.1 for plan in probes)


def test_a_tier_that_gets_better_is_found_out() -> None:
    market = Market(LATENCIES, {"memory": 0.0, "sql": 0.1, "peers": 0.0})
    strategy = Learned(Prices.fixed())
    for _ in range(500):
        market.request(strategy)
    market.chances["peers"] = 0.95
    for _ in range(6 * PROBE_AT_MOST):
        market.request(strategy)
    planned = strategy.planned(GROUP)
    assert planned is not None
    assert "peers" in [step.tier for step in planned.plan.steps]


def test_sql_that_becomes_slow_is_no_longer_waited_for_after_a_few_answers() -> None:
    market = Market({**LATENCIES, "sql": 0.003, "peers": 0.015}, {"memory": 0.0, "sql": 0.9, "peers": 0.9})
    strategy = Learned(Prices.fixed(byte_s=1e-6))
    for _ in range(500):
        market.request(strategy)
    market.latencies_s["sql"] = 0.053
    requests = 0
    while True:
        market.request(strategy)
        requests += 1
        planned = strategy.planned(GROUP)
        assert planned is not None
        first, *further = planned.plan.steps[1:]
        if first.tier == "peers" or (further and further[0].after_s < 0.02):
            break
    assert requests <= 10


def test_only_tiers_that_can_be_asked_are_planned_with() -> None:
    strategy = Learned(Prices.fixed())
    strategy.plan(GROUP, TIERS, 0.0)
    assert [step.tier for step in strategy.plan(GROUP, ("memory", "peers"), 0.0).steps] == ["memory", "peers"]
    assert strategy.plan(GROUP, (), 0.0).steps == ()


def test_a_bounded_number_of_groups_is_remembered() -> None:
    strategy = Learned(Prices.fixed())
    groups = [Group(DataType.PROMOTIONS, f"origin{n}") for n in range(MAX_GROUPS + 10)]
    for group in groups:
        strategy.plan(group, TIERS, 0.0)
    assert strategy.planned(groups[0]) is None
    assert strategy.planned(groups[-1]) is not None
    assert sum(strategy.planned(group) is not None for group in groups) == MAX_GROUPS


def test_after_a_change_the_tiers_that_are_left_out_are_probed_soon() -> None:
    market = Market({**LATENCIES, "sql": 0.02}, {"memory": 0.0, "sql": 0.9, "peers": 0.0})
    strategy = Learned(Prices.fixed())

    def until_probed() -> int:
        for requests in range(1, 1000):
            if "peers" in [step.tier for step in market.request(strategy).steps]:
                return requests
        raise AssertionError("never probed")

    for _ in range(800):
        market.request(strategy)
    until_probed()
    assert until_probed() > 2 * PROBE_AFTER
    market.latencies_s["sql"] = 0.2
    assert until_probed() <= 2 * PROBE_AFTER
    assert until_probed() <= 2 * PROBE_AFTER

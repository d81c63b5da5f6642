"""The cheapest plan, against plans that can be reckoned by hand and against trying them all."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weedhounds.strategies.base import Step
from weedhounds.strategies.costs import Belief, Chance, TierView, best_plan


def tier(name: str, *latencies_s: float, bill_s: float = 0.0) -> TierView:
    return TierView(name, tuple((1 / len(latencies_s), s) for s in latencies_s), bill_s)


def always(**shares: float) -> Chance:
    return lambda name, _: Belief(shares[name], 100.0)


MEMORY = tier("memory", 0.00001)


def test_without_tiers_the_origin_is_all_there_is() -> None:
    plan, cost_s = best_plan([], always(), 0.7)
    assert (plan.steps, cost_s) == ((), 0.7)


def test_what_answers_at_once_comes_first_even_if_it_never_has_anything() -> None:
    plan, _ = best_plan([tier("sql", 0.01), MEMORY], always(sql=1.0, memory=0.0), 0.5)
    assert [step.tier for step in plan.steps] == ["memory", "sql"]


def test_a_tier_whose_hits_do_not_pay_for_the_wait_is_not_asked() -> None:
    plan, cost_s = best_plan([MEMORY, tier("peers", 0.4)], always(memory=0.5, peers=0.3), 0.5)
    assert ([step.tier for step in plan.steps], cost_s) == (["memory"], 0.5)


def test_the_price_of_a_call_decides_whether_a_slow_tier_pays() -> None:
    tiers = [tier("peers", 0.4)]
    asked = [bool(best_plan(tiers, always(peers=0.3), origin_s).plan.steps) for origin_s in (1.0, 1.3, 1.4, 5.0)]
    assert asked == [False, False, True, True]


def test_the_price_of_bytes_decides_whether_the_peers_pay() -> None:
    cheap, dear = tier("peers", 0.01, bill_s=0.1), tier("peers", 0.01, bill_s=0.6)
    assert best_plan([cheap], always(peers=0.9), 0.5).plan.steps
    assert not best_plan([dear], always(peers=0.9), 0.5).plan.steps


def test_dear_bytes_are_asked_for_last() -> None:
    tiers = [tier("sql", 0.05), tier("peers", 0.04, bill_s=0.3)]
    plan, _ = best_plan(tiers, always(sql=0.6, peers=0.9), 2.0)
    assert plan.steps[0].tier == "sql"
    assert plan.steps[1].after_s == inf


def test_a_tail_is_cut_by_asking_the_next_when_the_answer_usually_is_there() -> None:
    often_fast = TierView("sql", ((0.9, 0.005), (0.1, 0.4)))
    peers = tier("peers", 0.05, bill_s=0.02)
    plan, _ = best_plan([often_fast, peers], always(sql=0.95, peers=0.9), 0.5)
    assert plan.steps[0] == Step("sql")
    assert plan.steps[1].after_s == pytest.approx(0.0055)


def test_a_tail_before_the_origin_is_cut_too() -> None:
    plan, cost_s = best_plan([TierView("sql", ((0.9, 0.005), (0.1, 3.0)))], always(sql=0.95), 0.5)
    assert plan.origin_after_s == pytest.approx(0.0055)
    assert cost_s == pytest.approx(0.9 * (0.005 + 0.05 * 0.5) + 0.1 * (0.0055 + 0.5))


def test_tiers_alike_are_asked_together_where_asking_is_free() -> None:
    plan, cost_s = best_plan([tier("sql", 0.02, 0.2), tier("peers", 0.02, 0.2)], always(sql=0.9, peers=0.9), 1.0)
    assert [step.after_s for step in plan.steps[1:]] == [0.0]
    assert cost_s < 0.11


def test_orders_that_disagree_about_what_nobody_has_are_not_chosen_for_it() -> None:
    """Seen in one order, SQL and peers together lack a tenth; little is known of the other, which promises all."""

    def chance(name: str, missed: frozenset[str]) -> Belief:
        if name == "peers":
            return Belief(0.8, 100.0)
        return Belief(1.0, 0.0) if missed else Belief(0.5, 100.0)

    _, cost_s = best_plan([tier("sql", 0.01), tier("peers", 0.2)], chance, 5.0)
    assert cost_s > 0.09 * 5.0


def by_hand(
    tiers: Mapping[str, TierView], shares: Mapping[str, float], order: tuple[str, ...], origin_s: float
) -> float:
    """Return the cost of asking one tier after the other."""
    cost_s, left = 0.0, 1.0
    for name in order:
        cost_s += left * (tiers[name].mean_s + shares[name] * tiers[name].bill_s)
        left *= 1.0 - shares[name]
    return cost_s + left * origin_s


@given(
    st.lists(st.tuples(st.floats(0.003, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 0.5)), min_size=0, max_size=4),
    st.floats(0.01, 10.0),
)
def test_no_order_of_asking_one_after_the_other_is_cheaper(
    drawn: list[tuple[float, float, float]], origin_s: float
) -> None:
    tiers = {str(n): tier(str(n), s, bill_s=bill_s) for n, (s, _, bill_s) in enumerate(drawn)}
    shares = {str(n): share for n, (_, share, _) in enumerate(drawn)}
    _, cost_s = best_plan(list(tiers.values()), always(**shares), origin_s)
    orders = [order for count in range(len(tiers) + 1) for order in permutations(tiers, count)]
    assert cost_s <= min(by_hand(tiers, shares, order, origin_s) for order in orders) + 1e-9

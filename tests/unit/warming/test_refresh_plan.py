"""The plan of refreshes: what is worth one, when, in which order, within which budget."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.warming.plan import (
    LEAST_USES,
    MOST_EARLY_FRAC,
    RESERVE_FRAC,
    OriginState,
    RefreshPlan,
    Settling,
    Wanted,
    worth,
)

NOW = 1_750_000_000.0
FULL = OriginState(tokens=80.0, capacity=80.0, latency_s=0.3)
ORIGINS = {"weedmaps": FULL, "leafly": FULL}
LATE = NOW + 599.0


def prices(shop: int, origin: str = "weedmaps") -> RecordKey:
    return RecordKey(DataType.PRODUCT_PRICING, origin, str(shop))


def wanted(key: RecordKey, *, per_lifetime: float = 100.0, lifetime_s: float = 600.0, stale: float = 0.1) -> Wanted:
    """Return a key fetched just now that is asked for so often in its lifetime."""
    return Wanted(
        key=key,
        fetched_at=NOW,
        expires_at=NOW + lifetime_s,
        rate_per_s=per_lifetime / lifetime_s,
        stale_at_expiry=stale,
    )


def plan_of(*keys: Wanted, max_keys: int = 100) -> RefreshPlan:
    plan = RefreshPlan(Random(1), max_keys=max_keys)
    for each in keys:
        assert plan.offer(each, FULL, NOW)
    return plan


def all_due(plan: RefreshPlan, now: float = LATE, room: int = 100) -> list[RecordKey]:
    return [key for keys in plan.due(now, ORIGINS, room=room) for key in keys]


def test_a_hot_key_is_refreshed_shortly_before_it_expires() -> None:
    plan = plan_of(wanted(prices(1)))
    assert all_due(plan, NOW + 600.0 * (1 - MOST_EARLY_FRAC) - 0.1) == []
    assert all_due(plan, NOW + 598.0) == [prices(1)]


def test_it_is_refreshed_in_time_for_the_load_to_end_before_expiry() -> None:
    slow = OriginState(tokens=80, capacity=80, latency_s=8.0)
    plan = RefreshPlan(Random(1), max_keys=10)
    plan.offer(wanted(prices(1)), slow, NOW)
    assert plan.due(NOW + 600 - 16, {"weedmaps": slow}, room=1) == [(prices(1),)]


def test_latency_is_real_time_where_the_time_of_facts_runs_faster() -> None:
    plan = RefreshPlan(Random(1), max_keys=10)
    plan.offer(wanted(prices(1), lifetime_s=3600.0), FULL, NOW, speed=60.0)
    assert plan.due(NOW + 3600 - 60 * 0.6, {"weedmaps": FULL}, room=1) == [(prices(1),)]


def test_what_was_fetched_together_is_not_refreshed_together() -> None:
    plan = plan_of(*(wanted(prices(n)) for n in range(100)))
    early = len(all_due(plan, NOW + 586.0))
    assert 0 < early < 70


@pytest.mark.parametrize("per_lifetime", [0.0, 1.0, LEAST_USES - 0.1])
def test_a_key_that_is_hardly_asked_for_within_its_lifetime_is_left_to_expire(per_lifetime: float) -> None:
    plan = RefreshPlan(Random(1), max_keys=10)
    assert not plan.offer(wanted(prices(1), per_lifetime=per_lifetime), FULL, NOW)
    assert len(plan) == 0


def test_a_key_whose_calls_cost_more_than_the_waits_is_left_to_expire() -> None:
    plan = RefreshPlan(Random(1), max_keys=10)
    dear = msgspec.structs.replace(FULL, price=50.0)
    assert plan.offer(wanted(prices(1), per_lifetime=6), FULL, NOW)
    assert not plan.offer(wanted(prices(1), per_lifetime=6), dear, NOW)
    assert len(plan) == 0


def test_an_expired_key_is_left_to_whoever_asks_next() -> None:
    plan = RefreshPlan(Random(1), max_keys=10)
    assert not plan.offer(wanted(prices(1)), FULL, NOW + 600.0)


@pytest.mark.parametrize("expires_at", [float("inf"), float("nan"), NOW])
def test_an_expiry_that_never_comes_or_is_none_plans_nothing(expires_at: float) -> None:
    plan = RefreshPlan(Random(1), max_keys=10)
    odd = Wanted(key=prices(1), fetched_at=NOW, expires_at=expires_at, rate_per_s=1.0)
    assert not plan.offer(odd, FULL, NOW)
    assert plan.due(NOW + 1e9, ORIGINS, room=9) == []


def test_each_expiry_is_dealt_with_once() -> None:
    plan = plan_of(wanted(prices(1)))
    assert all_due(plan) == [prices(1)]
    assert not plan.offer(wanted(prices(1)), FULL, LATE)
    assert all_due(plan) == []
    renewed = msgspec.structs.replace(wanted(prices(1)), fetched_at=LATE, expires_at=LATE + 600)
    assert plan.offer(renewed, FULL, LATE + 1)
    assert all_due(plan, LATE + 599) == [prices(1)]


def test_an_entry_renewed_meanwhile_is_planned_for_its_new_expiry_alone() -> None:
    plan = plan_of(wanted(prices(1)))
    renewed = msgspec.structs.replace(wanted(prices(1)), fetched_at=NOW + 300, expires_at=NOW + 900)
    assert plan.offer(renewed, FULL, NOW + 301)
    assert (len(plan), plan.expires_at(prices(1))) == (1, NOW + 900)
    assert all_due(plan) == []
    assert all_due(plan, NOW + 898) == [prices(1)]


def test_the_most_valuable_go_first_where_not_all_may() -> None:
    plan = plan_of(*(wanted(prices(n), per_lifetime=10.0 + 50 * n, stale=0.0) for n in range(10)))
    assert all_due(plan, NOW + 599, room=3) == [prices(9), prices(8), prices(7)]
    assert all_due(plan, NOW + 599, room=2) == [prices(6), prices(5)]


def test_a_key_that_has_become_hotter_moves_up() -> None:
    plan = plan_of(wanted(prices(1), per_lifetime=50), wanted(prices(2), per_lifetime=100))
    plan.offer(wanted(prices(1), per_lifetime=5000), FULL, NOW + 10)
    assert all_due(plan, NOW + 599, room=1) == [prices(1)]


def test_hunts_keep_their_reserve_of_the_budget() -> None:
    plan = plan_of(*(wanted(prices(n)) for n in range(30)))
    states = {"weedmaps": OriginState(tokens=45, capacity=80, latency_s=0.3)}
    assert len(plan.due(NOW + 599, states, room=100)) == 45 - RESERVE_FRAC * 80


@pytest.mark.parametrize("busy", [{"waiting": 1}, {"may_be_asked": False}, {"tokens": 40.0}])
def test_an_origin_that_is_busy_closed_or_spent_is_not_asked(busy: dict[str, float]) -> None:
    plan = plan_of(wanted(prices(1)), wanted(prices(2, "leafly")))
    states = {"weedmaps": msgspec.structs.replace(FULL, **busy), "leafly": FULL}
    assert plan.due(NOW + 599, states, room=9) == [(prices(2, "leafly"),)]


def test_what_expires_while_the_budget_is_spent_is_skipped_and_counted() -> None:
    plan = plan_of(wanted(prices(1)))
    spent = {"weedmaps": msgspec.structs.replace(FULL, tokens=0.0)}
    assert plan.due(NOW + 599, spent, room=9) == []
    assert plan.due(NOW + 600, ORIGINS, room=9) == []
    assert (plan.skipped_budget, len(plan), plan.has_due(NOW + 601)) == (1, 0, False)


def test_a_load_of_many_calls_takes_as_many_of_the_budget() -> None:
    plan = plan_of(*(wanted(prices(n)) for n in range(1, 9)))
    plan.spent([prices(1)], 10)
    assert len(plan.due(NOW + 599, ORIGINS, room=100)) == 4


def test_a_load_that_is_larger_than_what_is_ever_spare_may_go_when_nothing_else_does() -> None:
    plan = plan_of(wanted(prices(1)), wanted(prices(2)))
    plan.spent([prices(1)], 64)
    assert len(plan.due(NOW + 599, ORIGINS, room=9)) == 1


def test_menu_and_prices_of_a_shop_are_one_load() -> None:
    menu = RecordKey(DataType.DISPENSARY_MENU, "weedmaps", "1")
    plan = plan_of(wanted(prices(1)), wanted(menu), wanted(RecordKey(DataType.PROMOTIONS, "weedmaps", "1")))
    assert sorted(len(keys) for keys in plan.due(NOW + 599, ORIGINS, room=9)) == [1, 2]


def test_keys_that_are_no_longer_hot_leave_the_plan() -> None:
    plan = plan_of(wanted(prices(1)), wanted(prices(2)))
    plan.retain({prices(2)})
    assert all_due(plan) == [prices(2)]


def test_a_full_plan_refuses_further_keys_but_not_its_own() -> None:
    plan = plan_of(wanted(prices(1)), wanted(prices(2)), max_keys=2)
    assert not plan.offer(wanted(prices(3)), FULL, NOW)
    renewed = msgspec.structs.replace(wanted(prices(1)), expires_at=NOW + 700)
    assert plan.offer(renewed, FULL, NOW)
    assert len(plan) == 2


def test_the_heap_stays_small_however_often_entries_are_renewed() -> None:
    plan = RefreshPlan(Random(1), max_keys=10)
    for n in range(5_000):
        moved = msgspec.structs.replace(wanted(prices(n % 10)), expires_at=NOW + 600 + n)
        assert plan.offer(moved, FULL, NOW)
    assert len(plan._heap) <= 2 * 10 + 64


def test_an_origin_unknown_by_now_is_not_asked() -> None:
    plan = plan_of(wanted(prices(1)))
    assert plan.due(NOW + 599, {}, room=9) == []


def test_a_refresh_is_worth_the_waits_it_spares_less_the_calls_it_adds() -> None:
    hot = Wanted(key=prices(1), fetched_at=0, expires_at=600, rate_per_s=1.0)
    origin = OriginState(tokens=1, capacity=1, latency_s=0.5, price=2.0)
    # One second of load, one request that starts it and one that joins for half of it; (1 + 9) / (1 + 600) of a call more.
    assert worth(hot, origin, Settling(early_s=9.0)) == pytest.approx(1.5 - 2.0 * 10 / 601)


def test_where_expired_entries_are_served_meanwhile_it_is_worth_the_stale_ones_it_spares() -> None:
    hot = Wanted(key=prices(1), fetched_at=0, expires_at=600, rate_per_s=1.0, stale_at_expiry=0.2)
    origin = OriginState(tokens=1, capacity=1, latency_s=0.5, price=2.0)
    always = Settling(early_s=9.0, window_frac=1.0)
    assert worth(hot, origin, always) == pytest.approx(0.2 * 2 + 0.2 * (9 - 1) / 2 - 2.0 * 10 / 601)

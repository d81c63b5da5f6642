from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest

from small_traces import NO_WARMUP, constant, recording, trace_of
from weedhounds.errors import ConfigError
from weedhounds.model.datatypes import DataType
from weedhounds.sim.bounds import clairvoyant
from weedhounds.sim.judge import fixed_table
from weedhounds.sim.references import read_world
from weedhounds.sim.replay import Observation, ReplayOptions, Tally, replay
from weedhounds.sim.trace import Outage

WORLDS = Path(__file__).resolve().parents[4] / "shared" / "ttl-worlds"


def total(changes: list[float], requests: list[float], ttl_s: float, *, weight: float = 1.0) -> Tally:
    return replay(trace_of({"a": changes}, {"a": requests}, weight=weight), constant(ttl_s), NO_WARMUP).total


def test_requests_before_expiry_are_served_the_copy_and_the_one_at_expiry_calls() -> None:
    counted = total([], [0.0, 9.9, 10.0, 15.0, 20.0], 10.0)
    assert (counted.requests, counted.calls) == (5, 3)
    assert counted.hit_ratio == pytest.approx(0.4)


def test_a_copy_is_stale_from_the_first_change_after_its_fetch() -> None:
    counted = total([5.0, 7.0], [0.0, 4.0, 5.0, 9.0, 10.0, 11.0], 10.0)
    assert (counted.stale, counted.calls) == (2, 2)
    assert counted.staleness_s == pytest.approx((5.0 - 5.0) + (9.0 - 5.0))


def test_a_change_at_the_moment_of_a_fetch_is_in_the_copy() -> None:
    counted = total([10.0], [0.0, 10.0, 11.0], 10.0)
    assert (counted.stale, counted.useful_calls) == (0, 2)


def test_calls_that_find_nothing_new_are_not_useful() -> None:
    counted = total([15.0], [0.0, 10.0, 20.0], 1.0)
    assert (counted.calls, counted.useful_calls) == (3, 2)
    assert counted.useful_share == pytest.approx(2 / 3)


def test_the_cost_is_calls_at_the_price_and_stale_serves_at_their_weight_over_the_requests() -> None:
    counted = total([1.0], [0.0, 2.0, 3.0, 4.0], 100.0, weight=2.5)
    assert counted.cost(4.0) == pytest.approx((4.0 * 1 + 2.5 * 3) / 4)
    assert counted.stale_fraction == pytest.approx(0.75)


def test_an_infinite_lifetime_never_calls_again() -> None:
    assert total([1.0], [0.0, 1e9], math.inf).calls == 1


def test_the_warm_up_counts_nothing_but_what_it_left_is_held() -> None:
    day = 86_400.0
    trace = trace_of({"a": [2 * day]}, {"a": [0.0, day, 7 * day, 8 * day]})
    counted = replay(trace, constant(math.inf)).total
    assert (counted.requests, counted.calls, counted.stale) == (2, 0, 2)


def test_a_policy_is_shown_every_field() -> None:
    seen: list[Observation] = []
    trace = trace_of({"a": [5.0]}, {"a": [0.0, 1.0, 4.0, 12.0, 30.0], "b": [2.0]}, weight=3.0)
    options = ReplayOptions(warmup_days=0.0, tells_last_modified=True)
    replay(trace, recording(seen, lambda obs: 10.0 * obs.n_fetch), options)
    a = [obs for obs in seen if obs.key == "a"]
    assert [obs.now for obs in seen] == [0.0, 2.0, 12.0]
    assert (a[0].prev, a[0].changed, a[0].n_req, a[0].n_fetch, a[0].prev_ttl) == (None, None, 1, 1, None)
    assert (a[1].prev, a[1].changed, a[1].n_req, a[1].n_fetch, a[1].prev_ttl) == (0.0, True, 3, 2, 10.0)
    assert (a[0].last_modified, a[1].last_modified) == (None, 5.0)
    assert all((obs.ok, obs.dtype, obs.source) == (True, "dispensary_menu", "shop") for obs in seen)
    assert all((obs.tz, obs.weight) == (-3600.0, 3.0) for obs in seen)


def test_last_modified_is_not_told_unless_asked_for() -> None:
    seen: list[Observation] = []
    replay(trace_of({"a": [5.0]}, {"a": [0.0, 9.0]}), recording(seen, constant(1.0)), NO_WARMUP)
    assert {obs.last_modified for obs in seen} == {None}


def test_state_is_kept_for_each_key_of_its_own() -> None:
    def policy(obs: Observation) -> float:
        told = obs.state.setdefault("told", [])
        assert isinstance(told, list)
        told.append(obs.key)
        assert set(told) == {obs.key}
        assert len(told) == obs.n_fetch
        return 0.0

    replay(trace_of({}, {"a": [0.0, 2.0, 4.0], "b": [1.0, 3.0]}), policy, NO_WARMUP)


def test_beyond_a_limit_the_state_of_the_keys_called_longest_ago_is_forgotten() -> None:
    sizes: dict[float, int] = {}

    def policy(obs: Observation) -> float:
        obs.state[str(obs.now)] = True
        sizes[obs.now] = len(obs.state)
        return 0.0

    trace = trace_of({}, {"a": [0.0, 2.0, 5.0], "b": [1.0, 4.0], "c": [3.0]})
    replay(trace, policy, msgspec.structs.replace(NO_WARMUP, state_limit=2))
    assert sizes == {0.0: 1, 1.0: 1, 2.0: 2, 3.0: 1, 4.0: 1, 5.0: 1}


def test_a_failed_call_leaves_the_old_copy_in_service_until_the_next_try() -> None:
    seen: list[Observation] = []
    trace = trace_of({"a": [5.0, 22.0]}, {"a": [0.0, 10.0, 11.0, 12.0, 25.0]}, outages=[Outage("shop", 9.0, 12.0)])
    outcome = replay(trace, recording(seen, lambda obs: 10.0 if obs.ok else 2.0), NO_WARMUP)
    assert [(obs.now, obs.ok, obs.prev, obs.changed) for obs in seen] == [
        (0.0, True, None, None),
        (10.0, False, 0.0, None),
        (12.0, True, 0.0, True),
        (25.0, True, 12.0, True),
    ]
    counted = outcome.total
    assert (counted.calls, counted.failed_calls, counted.stale, counted.unserved) == (4, 1, 2, 0)
    assert counted.staleness_s == pytest.approx(5.0 + 6.0)


def test_requests_without_any_copy_count_as_stale() -> None:
    trace = trace_of({}, {"a": [0.0, 1.0, 5.0]}, outages=[Outage("shop", 0.0, 4.0)])
    counted = replay(trace, constant(3.0), NO_WARMUP).total
    assert (counted.calls, counted.failed_calls, counted.unserved, counted.stale) == (2, 1, 2, 2)


def test_bounded_lifetimes_keep_within_the_types_limits_but_waits_do_not() -> None:
    requests = [0.0, 200.0, 301.0, 400.0]
    trace = trace_of({}, {"a": requests})
    bounded = msgspec.structs.replace(NO_WARMUP, is_bounded=True)
    assert replay(trace, constant(1.0), bounded).total.calls == 2
    failing = trace_of({}, {"a": requests}, outages=[Outage("shop", 100.0, 1000.0)])
    assert replay(failing, constant(1.0), bounded).total.calls == 3


@pytest.mark.parametrize("answer", [math.nan, -1.0, "soon", None])
def test_an_answer_that_is_no_lifetime_is_an_error_that_names_the_call(answer: object) -> None:
    def policy(obs: Observation) -> float:
        return 1.0 if obs.n_fetch < 2 else answer  # type: ignore[return-value]

    with pytest.raises(ConfigError, match=r"^call 2 \(key a, t 5\.000\): the policy ") as failed:
        replay(trace_of({}, {"a": [0.0, 5.0]}), policy, NO_WARMUP)
    assert failed.value.key == "a"


def test_a_policy_that_raises_is_an_error_that_names_the_call() -> None:
    def policy(obs: Observation) -> float:
        raise KeyError("gone")

    with pytest.raises(ConfigError, match="the policy raised KeyError: 'gone'"):
        replay(trace_of({}, {"a": [0.0]}), policy, NO_WARMUP)


class Teller:
    """A policy that tells a stale probability."""

    def __init__(self, p: float) -> None:
        self.p = p
        self.asked: list[tuple[str, float]] = []

    def __call__(self, obs: Observation) -> float:
        return 10.0

    def stale_probability(self, key: str, now: float) -> float:
        self.asked.append((key, now))
        return self.p


ASKING = ReplayOptions(warmup_days=0.0, asks_staleness=True)


def test_the_stale_probability_is_asked_at_serves_from_a_copy_in_time_order() -> None:
    teller = Teller(0.25)
    trace = trace_of({"a": [3.0]}, {"a": [0.0, 2.0, 4.0, 10.0], "b": [1.0, 3.0]})
    told = replay(trace, teller, ASKING).told
    assert teller.asked == [("a", 2.0), ("b", 3.0), ("a", 4.0)]
    assert told == {DataType.DISPENSARY_MENU: [(0.25, False), (0.25, False), (0.25, True)]}


def test_it_is_not_asked_unless_wanted_nor_of_policies_that_cannot_tell() -> None:
    teller = Teller(0.25)
    trace = trace_of({}, {"a": [0.0, 2.0]})
    assert replay(trace, teller, NO_WARMUP).told == {}
    assert teller.asked == []
    assert replay(trace, constant(9.0), ASKING).told == {}


@pytest.mark.parametrize("p", [1.1, -0.1, math.nan])
def test_what_is_no_probability_is_an_error_that_names_key_and_time(p: float) -> None:
    with pytest.raises(ConfigError, match=r"key a, t 2\.000.*stale probability"):
        replay(trace_of({}, {"a": [0.0, 2.0]}), Teller(p), ASKING)


@pytest.mark.recorded
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_shared_worlds_cost_what_their_references_say(seed: int) -> None:
    trace, reference = read_world(WORLDS / f"seed{seed}")
    assert reference is not None
    fixed = replay(trace, fixed_table()).total
    assert fixed.requests == reference.requests_counted
    assert fixed.calls == reference.fixed_table.calls
    assert round(fixed.stale_fraction, 5) == reference.fixed_table.stale_fraction
    assert round(fixed.hit_ratio, 4) == reference.fixed_table.hit_ratio
    for price, each in reference.by_price.items():
        assert round(fixed.cost(float(price)), 5) == each.fixed_table_J
    bound = clairvoyant(trace)
    assert bound.calls_at(fixed.stale) == reference.clairvoyant_calls_at_the_fixed_tables_stale_count
    assert bound.calls_for_no_stale_serve == reference.clairvoyant_calls_for_no_stale_serve

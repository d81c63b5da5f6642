from __future__ import annotations

import pytest

from small_traces import trace_of
from weedhounds.sim.bounds import Clairvoyant, clairvoyant

DAY_S = 86_400.0


def test_each_version_that_is_asked_for_needs_one_call() -> None:
    trace = trace_of({"a": [10.0, 20.0, 30.0]}, {"a": [1.0, 11.0, 12.0, 13.0, 31.0, 32.0], "b": [5.0]})
    assert clairvoyant(trace, warmup_days=0.0).version_requests == (3, 2, 1, 1)


def test_a_version_fetched_in_the_warm_up_costs_nothing_later() -> None:
    trace = trace_of({"a": [8 * DAY_S]}, {"a": [0.0, 7.5 * DAY_S, 8.5 * DAY_S]})
    assert clairvoyant(trace).version_requests == (1,)


@pytest.mark.parametrize(("stale", "calls"), [(0, 3), (1, 2), (2, 2), (3, 1), (9, 1), (10, 0), (99, 0)])
def test_calls_go_to_the_versions_with_the_most_requests(stale: int, calls: int) -> None:
    assert Clairvoyant((7, 2, 1)).calls_at(stale) == calls


def test_what_calls_leave_stale_is_the_rest() -> None:
    assert [Clairvoyant((7, 2, 1)).stale_at(calls) for calls in (0, 1, 2, 3, 50)] == [10, 3, 1, 0, 0]


def test_without_requests_there_is_nothing_to_call_for() -> None:
    assert Clairvoyant(()).calls_at(0) == 0

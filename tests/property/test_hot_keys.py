"""The summary of demand keeps its promise whatever is asked for: who is listed, and how wrong a rate may be."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from weedhounds.cache.demand import HotKeys

HALF_LIFE_S = 100.0
NOW = 1_750_000_000.0
STREAMS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 50), st.floats(0, 300, allow_nan=False)), min_size=1, max_size=200
)
"""Requests: key, how many at once, seconds since the ones before."""


def exact(stream: list[tuple[int, int, float]]) -> tuple[dict[int, float], float]:
    """Return the decayed weight of each key at the end, and the time of the end."""
    end = NOW + sum(passed for _, _, passed in stream)
    now, weights = NOW, dict[int, float]()
    for key, count, passed in stream:
        now += passed
        weights[key] = weights.get(key, 0.0) + count * math.exp2(-(end - now) / HALF_LIFE_S)
    return weights, end


def summary(stream: list[tuple[int, int, float]], max_keys: int) -> HotKeys[int]:
    """Return the summary of a stream."""
    hot: HotKeys[int] = HotKeys(max_keys, half_life_s=HALF_LIFE_S)
    now = NOW
    for key, count, passed in stream:
        now += passed
        hot.add(key, count, now)
    return hot


@given(STREAMS, st.integers(1, 12))
def test_a_key_with_more_than_its_share_of_the_decayed_weight_is_always_listed(
    stream: list[tuple[int, int, float]], max_keys: int
) -> None:
    hot = summary(stream, max_keys)
    weights, end = exact(stream)
    listed = {key for key, _ in hot.top(2 * max_keys, end)}
    share = 1.000_001 / (max_keys + 1)
    assert {key for key, weight in weights.items() if weight > share * sum(weights.values())} <= listed


@given(STREAMS, st.integers(1, 12))
def test_a_rate_is_never_overstated_and_understated_by_the_share_at_most(
    stream: list[tuple[int, int, float]], max_keys: int
) -> None:
    hot = summary(stream, max_keys)
    alone = summary(stream, 50)  # never trimmed: exact
    weights, end = exact(stream)
    total_per_s = sum(rate for _, rate in alone.top(100, end))
    assert len(alone) == len(weights)
    error_per_s = hot.error_per_s(end)
    assert error_per_s <= total_per_s / (max_keys + 1) * 1.000_001
    for key in weights:
        true = alone.rate(key, end)
        assert true - error_per_s - 1e-9 * total_per_s <= hot.rate(key, end) <= true * 1.000_001


@given(STREAMS, st.integers(1, 12))
def test_the_bound_holds_and_the_list_is_in_order(stream: list[tuple[int, int, float]], max_keys: int) -> None:
    hot = summary(stream, max_keys)
    _, end = exact(stream)
    rates = [rate for _, rate in hot.top(1000, end)]
    assert len(hot) <= 2 * max_keys
    assert rates == sorted(rates, reverse=True)
    assert all(rate > 0 for rate in rates)

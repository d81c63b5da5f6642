"""When an entry is fresh, may be served stale, and must be gone."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weedhounds.cache.freshness import (
    Freshness,
    expires_at,
    freshness,
    may_serve_stale_on_error,
    must_be_gone,
)
from weedhounds.model.datatypes import LIFETIMES, DataType

T = 1_750_000_000.0
HOUR = 3600.0


@pytest.mark.parametrize(
    ("now", "expected"),
    [(T - 1, Freshness.FRESH), (T - 0.001, Freshness.FRESH), (T, Freshness.STALE), (T + 1, Freshness.STALE)],
)
def test_an_entry_is_fresh_until_the_moment_it_expires(now: float, expected: Freshness) -> None:
    assert freshness(T, now) is expected


def test_without_jitter_the_lifetime_is_exact() -> None:
    assert expires_at(T, HOUR, 0.0, Random(1)) == T + HOUR


def test_jitter_spreads_entries_fetched_together_evenly_over_both_sides() -> None:
    rng = Random(5)
    lives = [expires_at(T, HOUR, 0.05, rng) - T for _ in range(2_000)]
    assert 0.95 * HOUR <= min(lives) < 0.952 * HOUR
    assert 1.048 * HOUR < max(lives) < 1.05 * HOUR
    assert sum(lives) / len(lives) == pytest.approx(HOUR, rel=0.003)


def test_the_same_seed_gives_the_same_expiry() -> None:
    assert expires_at(T, HOUR, 0.05, Random(9)) == expires_at(T, HOUR, 0.05, Random(9))


@pytest.mark.parametrize("data_type", list(DataType))
@pytest.mark.parametrize("limit", ["min_s", "max_s"])
def test_a_lifetime_at_its_limit_is_still_spread_and_stays_within(data_type: DataType, limit: str) -> None:
    limits, rng = LIFETIMES[data_type], Random(3)
    lives = [expires_at(0.0, getattr(limits, limit), 0.05, rng, limits=limits) for _ in range(100)]
    assert all(limits.min_s <= life <= limits.max_s for life in lives)
    assert len(set(lives)) == 100


@given(
    st.sampled_from(list(DataType)),
    st.floats(0, 1e9),
    st.floats(0, 1),
    st.integers(0, 1000),
)
def test_jitter_never_leaves_the_limits_of_a_bounded_lifetime(
    data_type: DataType, lifetime_s: float, jitter_frac: float, seed: int
) -> None:
    limits = LIFETIMES[data_type]
    lifetime_s = min(limits.max_s, max(limits.min_s, lifetime_s))
    moment = expires_at(0.0, lifetime_s, jitter_frac, Random(seed), limits=limits)
    assert limits.min_s <= moment <= limits.max_s
    assert lifetime_s * (1 - jitter_frac) <= moment * (1 + 1e-12)
    assert moment <= lifetime_s * (1 + jitter_frac) * (1 + 1e-12)


def test_an_infinite_lifetime_never_expires() -> None:
    assert expires_at(T, math.inf, 0.05, Random(1)) == math.inf


def serve_stale(now: float, *, frac: float = 2.0, storage_limit_s: float | None = None) -> bool:
    return may_serve_stale_on_error(
        T, T + HOUR, now, lifetime_s=HOUR, stale_if_error_frac=frac, storage_limit_s=storage_limit_s
    )


@pytest.mark.parametrize(
    ("after_s", "expected"),
    [(0, True), (HOUR, True), (2 * HOUR, True), (3 * HOUR - 1, True), (3 * HOUR, False), (9 * HOUR, False)],
)
def test_stale_if_error_ends_after_its_share_of_the_lifetime(after_s: float, expected: bool) -> None:
    assert serve_stale(T + after_s) is expected


def test_a_share_of_nothing_allows_fresh_entries_only() -> None:
    assert serve_stale(T + HOUR - 1, frac=0)
    assert not serve_stale(T + HOUR, frac=0)


def test_the_storage_limit_of_the_terms_is_stronger_than_the_share() -> None:
    assert serve_stale(T + 2 * HOUR - 1, storage_limit_s=2 * HOUR)
    assert not serve_stale(T + 2 * HOUR, storage_limit_s=2 * HOUR)


def test_the_storage_limit_ends_even_a_fresh_entry() -> None:
    assert not serve_stale(T + 60, storage_limit_s=60)


def test_an_entry_that_never_expires_may_be_served() -> None:
    assert may_serve_stale_on_error(
        T, math.inf, T + 1e9, lifetime_s=math.inf, stale_if_error_frac=0, storage_limit_s=None
    )


@pytest.mark.parametrize(("limit_s", "gone"), [(None, False), (100.1, False), (100.0, True), (1.0, True)])
def test_terms_say_when_an_entry_must_be_gone(limit_s: float | None, gone: bool) -> None:
    assert must_be_gone(T, limit_s, T + 100) is gone


def test_a_clock_that_jumped_back_makes_nothing_gone() -> None:
    assert not must_be_gone(T, 60, T - 1_000)


@given(st.floats(0, 1e7), st.floats(0, 1e7), st.floats(0, 10), st.one_of(st.none(), st.floats(0, 1e7)))
def test_what_may_not_be_served_now_may_not_be_served_later(
    earlier_s: float, more_s: float, frac: float, limit_s: float | None
) -> None:
    assert serve_stale(T + earlier_s, frac=frac, storage_limit_s=limit_s) or not serve_stale(
        T + earlier_s + more_s, frac=frac, storage_limit_s=limit_s
    )

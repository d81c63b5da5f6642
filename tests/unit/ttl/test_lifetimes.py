"""Fixed lifetimes, their bounds, and the prior of staleness."""

from __future__ import annotations

import math

import pytest

from weedhounds.model.datatypes import LIFETIMES, DataType
from weedhounds.ttl.bound import bound
from weedhounds.ttl.decide import Lifetimes
from weedhounds.ttl.prior import stale_probability
from weedhounds.ttl.strategy import Seen

DAY = 86_400.0
MENU = DataType.DISPENSARY_MENU


def fixed_lifetime(data_type: DataType, base_s: dict[str, float]) -> float:
    lifetimes = Lifetimes(strategies=dict.fromkeys(DataType, "fixed"), base_s=base_s)
    seen = Seen(key="a", dtype=data_type.value, source="shop", base_s=1.0, now=1_750_000_000.0)
    return lifetimes.observe(seen).lifetime_s


@pytest.mark.parametrize("data_type", list(DataType))
def test_a_type_has_its_base_lifetime_unless_the_settings_say_otherwise(data_type: DataType) -> None:
    assert fixed_lifetime(data_type, {}) == LIFETIMES[data_type].base_s


def test_the_settings_change_one_type_only() -> None:
    overrides = {"dispensary_menu": 1_800.0}
    assert fixed_lifetime(MENU, overrides) == 1_800
    assert fixed_lifetime(DataType.PROMOTIONS, overrides) == LIFETIMES[DataType.PROMOTIONS].base_s


@pytest.mark.parametrize(
    ("given_s", "bounded_s"),
    [
        (1, 300),
        (300, 300),
        (5_000, 5_000),
        (14_400, 14_400),
        (1e9, 14_400),
        (-5, 300),
        (math.inf, 14_400),
        (-math.inf, 300),
        (math.nan, 300),
    ],
)
def test_a_lifetime_is_kept_within_the_limits_of_its_type(given_s: float, bounded_s: float) -> None:
    assert bound(MENU, given_s) == bounded_s
    if 0.0 < given_s < math.inf:
        assert fixed_lifetime(MENU, {"dispensary_menu": given_s}) == bounded_s


@pytest.mark.parametrize(
    ("data_type", "age_s", "expected"),
    [
        (MENU, 3_600, 0.4420),
        (MENU, DAY / 14, 0.6321),
        (DataType.PRODUCT_PRICING, 600, 0.0052),
        (DataType.PRODUCT_PRICING, DAY, 0.5276),
        (DataType.DISPENSARY_INFO, 7 * DAY, 0.1441),
        (DataType.STRAIN_DATA, 365 * DAY, 0.8388),
        (DataType.TERPENE_PROFILES, 120 * DAY, 0.6321),
        (DataType.LAB_RESULTS, 365 * DAY, 0.6321),
        (DataType.PROMOTIONS, 1_800, 0.0277),
        (DataType.ANALYTICS_DATA, DAY, 0.6321),
    ],
)
def test_the_prior_reproduces_the_standard_world(data_type: DataType, age_s: float, expected: float) -> None:
    assert stale_probability(data_type, age_s) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("data_type", list(DataType))
def test_the_chance_grows_with_age_from_nothing_to_certainty(data_type: DataType) -> None:
    ages = [0, 1, 60, 3_600, DAY, 30 * DAY, 100_000 * DAY]
    chances = [stale_probability(data_type, age) for age in ages]
    assert chances[0] == 0
    assert chances == sorted(chances)
    assert chances[-1] == pytest.approx(1)
    assert stale_probability(data_type, 1e300) == 1


def test_a_clock_that_jumped_back_makes_nothing_stale() -> None:
    assert stale_probability(MENU, -100) == 0

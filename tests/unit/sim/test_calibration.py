from __future__ import annotations

import pytest

from weedhounds.model.datatypes import DataType
from weedhounds.sim.calibration import calibration, calibration_by_type, reliability

MENU, LAB = DataType.DISPENSARY_MENU, DataType.LAB_RESULTS


def pairs(p: float, stale: int, fresh: int) -> list[tuple[float, bool]]:
    return [(p, True)] * stale + [(p, False)] * fresh


def test_probabilities_that_come_true_have_no_error() -> None:
    found = calibration({MENU: pairs(0.25, 25, 75) + pairs(0.75, 75, 25)})
    assert found.error == pytest.approx(0.0)
    assert found.brier == pytest.approx(0.1875)
    assert found.base_brier == pytest.approx(0.25)
    assert found.skill == pytest.approx(0.25)


def test_the_error_weighs_each_bin_by_its_serves() -> None:
    found = calibration({MENU: pairs(0.1, 0, 30) + pairs(0.6, 5, 5)})
    assert found.error == pytest.approx((30 * 0.1 + 10 * 0.1) / 40)


def test_the_base_rate_is_each_types_own() -> None:
    told = {MENU: pairs(0.9, 90, 10), LAB: pairs(0.1, 10, 90)}
    assert calibration(told).skill == pytest.approx(0.0)
    assert {t: c.serves for t, c in calibration_by_type(told).items()} == {MENU: 100, LAB: 100}


def test_certainty_is_in_the_last_bin() -> None:
    bins = reliability([(0.0, False), (1.0, True), (0.99, True)])
    assert [(each.low, each.serves) for each in bins] == [(0.0, 1), (0.9, 2)]


def test_nothing_told_is_no_error_and_no_skill() -> None:
    found = calibration({MENU: []})
    assert (found.serves, found.error, found.skill) == (0, 0.0, 0.0)


def test_a_perfect_base_rate_leaves_nothing_to_be_better_at() -> None:
    assert calibration({MENU: pairs(0.0, 0, 10)}).skill == 0.0

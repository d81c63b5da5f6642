"""The arithmetic of the benchmark that reads change rates out of recorded answers."""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

from bench_change_rates import (
    DAY_S,
    SeenTwice,
    Stamped,
    bench,
    busiest_hour_share,
    changes_within,
    item_rate,
    snapshot_rate,
    world_hours,
)
from harness import Options

NOW = 1e6 * DAY_S


def test_the_age_of_the_last_update_gives_back_a_poisson_rate_with_items_never_updated_censored() -> None:
    rng = random.Random(7)
    items = []
    for _ in range(4000):
        made, last = NOW - rng.uniform(1, 20) * DAY_S, NOW - rng.expovariate(0.2 / DAY_S)
        items.append(Stamped(made, max(made, last)))
    assert item_rate(items, NOW) == pytest.approx(0.2, rel=0.06)
    assert item_rate([Stamped(NOW, NOW)], NOW) == 0.0


def test_updates_within_a_minute_of_each_other_are_one_change() -> None:
    ages = (10.0, 40.0, 95.0, 500.0, 2 * DAY_S)
    assert changes_within([Stamped(0.0, NOW - age) for age in ages], NOW, DAY_S) == 2
    assert changes_within([], NOW, DAY_S) == 0


def test_snapshots_that_all_differ_still_give_a_rate() -> None:
    assert snapshot_rate([SeenTwice(2.0, True)] * 4) == pytest.approx(-math.log(0.5 / 4.5) / 2.0)
    assert snapshot_rate([SeenTwice(2.0, False)] * 4) == 0.0


def test_the_busiest_hour_is_a_share() -> None:
    items = [Stamped(0.0, 3600.0 * hour + 5.0) for hour in (1, 1, 1, 8)]
    assert busiest_hour_share(items) == 0.75


def test_the_worlds_hours_have_mean_one() -> None:
    assert sum(world_hours()) / 24 == pytest.approx(1.0)


@pytest.mark.recorded
def test_the_figures_of_the_page_are_those_that_come_out() -> None:
    result = bench(Options())
    told = {figure.name: figure.value for figure in result.figures}
    page = (Path(__file__).resolve().parents[3] / "docs" / "change-rates.md").read_text()
    assert f"{told['Weedmaps 2024: updates a day and item, all shops together']:.3f}" in page
    sigma = told["sigma of the shops' log rates"]
    assert f"sigma {sigma:.2f}" in page
    assert f"{told['changes a day of a price, bias-reduced']:.3f} changes a day" in page
    hours = told["correlation of the hours of update with the standard world's menu profile"]
    assert f"is {hours:.2f}" in page

"""Seeded draws: same everywhere, and of the laws they claim."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from statistics import fmean, quantiles

import pytest

from weedhounds.sandbox import draws

N = 20_000


def many(name: str, n: int = N) -> list[float]:
    return [u for i in range(n // 8) for u in draws.uniforms(7, name, i)]


def test_the_same_names_draw_the_same_in_a_process_with_another_hash_seed() -> None:
    program = "from weedhounds.sandbox import draws; print(draws.uniforms(3, 'a', 1), draws.rng(3, 'b').random())"
    environment = {"PYTHONHASHSEED": "4242", "PATH": "/usr/bin:/bin"}
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert told.stdout.strip() == f"{draws.uniforms(3, 'a', 1)} {draws.rng(3, 'b').random()}"


def test_other_names_or_another_seed_draw_something_else() -> None:
    drawn = {draws.uniforms(1, "a"), draws.uniforms(2, "a"), draws.uniforms(1, "b"), draws.uniforms(1, "a", 0)}
    assert len(drawn) == 4


def test_uniforms_fill_the_unit_interval_evenly() -> None:
    numbers = many("even")
    assert 0 <= min(numbers) < max(numbers) < 1
    assert fmean(numbers) == pytest.approx(0.5, abs=0.01)
    assert [round(q, 2) for q in quantiles(numbers, n=10)] == pytest.approx([i / 10 for i in range(1, 10)], abs=0.02)


def test_a_lognormal_of_mean_1_has_mean_1() -> None:
    numbers = [draws.lognormal_mean_1(u, 1.0) for u in many("lognormal", 80_000)]
    assert fmean(numbers) == pytest.approx(1.0, abs=0.04)
    assert fmean(math.log(x) for x in numbers) == pytest.approx(-0.5, abs=0.02)


@pytest.mark.parametrize("mean", [0.0, 0.3, 14.0, 130.0])
def test_poisson_draws_have_their_mean_and_variance(mean: float) -> None:
    generator = random.Random(5)
    numbers = [draws.poisson(generator, mean) for _ in range(4000)]
    average = fmean(numbers)
    assert average == pytest.approx(mean, abs=4 * math.sqrt(max(mean, 1e-9) / 4000))
    assert fmean((x - average) ** 2 for x in numbers) == pytest.approx(mean, rel=0.12)


def test_geometric_draws_begin_at_1_and_have_their_mean() -> None:
    generator = random.Random(5)
    numbers = [draws.geometric(generator, 5.0) for _ in range(N)]
    assert min(numbers) == 1
    assert fmean(numbers) == pytest.approx(5.0, abs=0.15)


def test_stratified_numbers_fall_one_into_each_part() -> None:
    assert sorted(int(u * 50) for u in draws.stratified(random.Random(1), 50)) == list(range(50))


def test_a_spread_takes_its_share_from_every_stretch() -> None:
    taken = draws.spread(random.Random(1), 40, 0.65)
    assert abs(sum(taken) - 26) <= 1
    assert all(6 <= sum(taken[i : i + 10]) <= 7 for i in range(0, 40, 10))


def test_a_quota_is_exact_and_what_is_left_is_labelled_last() -> None:
    labels = draws.quota(random.Random(1), 40, 0.5, 0.35)
    assert [labels.count(i) for i in range(3)] == [20, 14, 6]


def test_latencies_have_the_median_and_the_99th_percentile_asked_for() -> None:
    law = draws.latency_law(300.0, 1200.0)
    assert (law(0.5), law(0.99)) == pytest.approx((300.0, 1200.0))
    drawn = sorted(law(u) for u in many("latency"))
    assert drawn[N // 2] == pytest.approx(300, rel=0.03)
    assert drawn[int(N * 0.99)] == pytest.approx(1200, rel=0.08)


def test_a_median_of_0_is_no_latency() -> None:
    assert draws.latency_law(0.0, 0.0)(0.999) == 0.0

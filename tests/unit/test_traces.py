"""The traces of the benchmarks, and the bounds that caches are compared with."""

from __future__ import annotations

import doctest
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "benchmarks"))

import traces
from traces import Shape, drift, lru_hits, optimal_hits, plain, scan

from weedhounds.cache.admission import S3Fifo

SMALL = Shape(keys=200, requests=4_000, drift_every=400)


def _best(trace: tuple[int, ...], size: int) -> int:
    """Return the most hits by trying every choice of what to hold."""

    @cache
    def most(at: int, held: frozenset[int]) -> int:
        if at == len(trace):
            return 0
        key = trace[at]
        if key in held:
            return 1 + most(at + 1, held)
        if len(held) < size:
            return most(at + 1, held | {key})
        return max(most(at + 1, held), *(most(at + 1, held - {gone} | {key}) for gone in held))

    return most(0, frozenset())


@pytest.mark.parametrize("seed", range(40))
def test_no_choice_of_what_to_hold_beats_the_optimum(seed: int) -> None:
    rng = Random(seed)
    trace = tuple(rng.randrange(5) for _ in range(12))
    size = rng.randint(1, 3)
    assert optimal_hits(trace, size) == _best(trace, size)


@pytest.mark.parametrize("make", [plain, scan, drift], ids=lambda make: make.__name__)
def test_the_optimum_bounds_every_cache(make: traces.Make) -> None:
    trace = make(Random(3), SMALL)
    fifo: S3Fifo[int, int] = S3Fifo(20)
    hits = 0
    for key in trace:
        if fifo.get(key) is None:
            fifo.put(key, key, 1)
        else:
            hits += 1
    assert 0 < lru_hits(trace, 20) < hits < optimal_hits(trace, 20)


def test_a_cache_for_everything_misses_each_key_once() -> None:
    trace = plain(Random(1), SMALL)
    assert optimal_hits(trace, 200) == lru_hits(trace, 200) == len(trace) - len(set(trace))


def test_few_keys_are_popular() -> None:
    counts = Counter(plain(Random(1), SMALL))
    shares = sum(1 / rank**traces.SKEW for rank in range(1, 201))
    assert counts[0] / SMALL.requests == pytest.approx(1 / shares, rel=0.15)
    assert counts[0] > 3 * counts[9]


def test_every_fourth_request_of_a_scan_is_for_a_key_seen_once() -> None:
    trace = scan(Random(1), SMALL)
    once = trace[3::4]
    assert len(set(once)) == len(once) == SMALL.requests // 4
    assert set(once).isdisjoint(trace[0::4] + trace[1::4] + trace[2::4])


def test_a_tenth_of_the_keys_drifts_at_a_time() -> None:
    shape = Shape(keys=50, requests=200_000, drift_every=100_000)
    trace = drift(Random(1), shape)
    before, after = Counter(trace[:100_000]), Counter(trace[100_000:])
    moved = [key for key in range(50) if abs(before[key] - after[key]) > 0.25 * max(before[key], after[key])]
    assert 0 < len(moved) <= 5


def test_the_same_seed_gives_the_same_trace() -> None:
    assert all(make(Random(5), SMALL) == make(Random(5), SMALL) for make in traces.TRACES.values())


def test_the_examples_hold() -> None:
    assert doctest.testmod(traces).attempted > 0
    assert doctest.testmod(traces).failed == 0

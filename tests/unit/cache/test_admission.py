"""S3-FIFO keeps what is asked for again within its budget."""

from __future__ import annotations

from bisect import bisect
from collections import OrderedDict
from itertools import accumulate
from random import Random

import pytest

from weedhounds.cache.admission import MIN_GHOSTS, S3Fifo


def filled(budget: int, keys: range) -> S3Fifo[int, str]:
    cache: S3Fifo[int, str] = S3Fifo(budget)
    for key in keys:
        cache.put(key, f"value {key}", 1)
    return cache


def test_what_was_put_is_held() -> None:
    cache = filled(10, range(10))
    assert [cache.get(key) for key in range(10)] == [f"value {key}" for key in range(10)]
    assert (len(cache), cache.weight) == (10, 10)
    assert cache.get(10) is None


def test_the_oldest_unused_value_leaves_first() -> None:
    cache = filled(10, range(10))
    assert cache.put(10, "new", 1) == 1
    assert cache.peek(0) is None
    assert cache.peek(1) == "value 1"


def test_a_value_used_in_the_small_queue_survives_a_scan() -> None:
    cache = filled(10, range(5))
    cache.get(3)
    for key in range(100, 200):
        cache.put(key, "scanned", 1)
    assert cache.peek(3) == "value 3"
    assert cache.peek(2) is None


def test_a_look_without_a_use_does_not_save_a_value() -> None:
    cache = filled(10, range(5))
    cache.peek(3)
    for key in range(100, 200):
        cache.put(key, "scanned", 1)
    assert cache.peek(3) is None


def test_a_key_that_comes_back_soon_enters_the_main_queue() -> None:
    cache = filled(10, range(11))
    assert cache.peek(0) is None
    cache.put(0, "back", 1)
    for key in range(100, 109):
        cache.put(key, "scanned", 1)
    assert cache.peek(0) == "back"


def test_a_used_value_of_the_main_queue_gets_another_round() -> None:
    cache = filled(4, range(4))
    for key in (0, 1, 2, 3):
        cache.get(key)
    cache.put(4, "new", 1)  # 0..3 move to the main queue, 0 leaves
    cache.get(1)
    cache.put(5, "new", 1)
    cache.put(6, "new", 1)
    cache.put(7, "new", 1)
    assert cache.peek(1) == "value 1"


def test_replacing_a_value_corrects_the_weight() -> None:
    cache = filled(10, range(5))
    cache.put(0, "heavier", 4)
    assert (cache.weight, cache.peek(0)) == (8, "heavier")
    cache.put(0, "lighter", 1)
    assert cache.weight == 5


def test_a_value_over_the_budget_is_refused_and_nothing_else_leaves() -> None:
    cache = filled(10, range(5))
    assert cache.put(0, "too heavy", 11) == 0
    assert cache.peek(0) is None
    assert len(cache) == 4


def test_weighing_again_makes_room() -> None:
    cache = filled(10, range(10))
    assert cache.reweigh(9, 4) == 3
    assert cache.weight <= 10
    assert cache.reweigh(99, 4) == 0


def test_removing_gives_the_weight_back() -> None:
    cache = filled(10, range(5))
    assert cache.remove(2) == "value 2"
    assert cache.remove(2) is None
    assert (len(cache), cache.weight) == (4, 4)


def test_clearing_lets_go_of_everything() -> None:
    cache = filled(10, range(50))
    cache.clear()
    assert (len(cache), cache.weight, cache.ghosts, list(cache)) == (0, 0, 0, [])


def test_the_ghost_queue_is_bounded() -> None:
    cache = filled(10, range(10_000))
    assert cache.ghosts == MIN_GHOSTS


@pytest.mark.parametrize("seed", range(5))
def test_random_use_never_passes_the_budget_nor_loses_count(seed: int) -> None:
    rng = Random(seed)
    cache: S3Fifo[int, int] = S3Fifo(1000)
    weights: dict[int, int] = {}
    for _ in range(5_000):
        key, weight = rng.randrange(80), rng.randrange(1, 1200)
        action = rng.random()
        if action < 0.4:
            assert cache.get(key) in (None, key)
        elif action < 0.8:
            cache.put(key, key, weight)
            weights[key] = weight
        elif action < 0.9:
            if cache.peek(key) is not None:
                weights[key] = weight
            cache.reweigh(key, weight)
        else:
            cache.remove(key)
        assert cache.weight <= 1000
        assert cache.weight == sum(weights[held] for held in cache)


def _hit_ratio_lru(trace: list[int], size: int) -> float:
    held: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for key in trace:
        if key in held:
            hits += 1
            held.move_to_end(key)
        else:
            held[key] = None
            if len(held) > size:
                held.popitem(last=False)
    return hits / len(trace)


def test_it_hits_oftener_than_lru_where_few_keys_are_popular() -> None:
    rng = Random(7)
    summed = list(accumulate(1 / (rank + 1) ** 0.9 for rank in range(5_000)))
    trace = [bisect(summed, rng.random() * summed[-1]) for _ in range(30_000)]
    cache: S3Fifo[int, int] = S3Fifo(100)
    hits = 0
    for key in trace:
        if cache.get(key) is None:
            cache.put(key, key, 1)
        else:
            hits += 1
    assert hits / len(trace) > _hit_ratio_lru(trace, 100) + 0.05


class Layered:
    """A value of two layers, each dropped on its own."""

    def __init__(self, *layers: int) -> None:
        self.layers = list(layers)

    def lighten(self) -> int | None:
        if len(self.layers) == 1:
            return None
        self.layers.pop()
        return sum(self.layers)


def test_a_value_is_made_lighter_before_it_leaves() -> None:
    cache: S3Fifo[int, Layered] = S3Fifo(20, Layered.lighten)
    cache.put(0, Layered(1, 4, 5), 10)
    for key in range(1, 11):
        cache.put(key, Layered(1), 1)
    cache.put(11, Layered(1), 1)
    first = cache.peek(0)
    assert first is not None
    assert first.layers == [1, 4]
    assert (cache.weight, cache.lightened, cache.left_small) == (16, 1, 0)


def test_a_lightened_value_goes_round_once_more_and_then_leaves() -> None:
    cache: S3Fifo[int, Layered] = S3Fifo(20, Layered.lighten)
    cache.put(0, Layered(1, 4), 5)
    left = [cache.put(key, Layered(1), 1) for key in range(1, 60)]
    assert cache.peek(0) is None
    assert (cache.lightened, cache.left_small) == (1, sum(left))


def test_a_value_of_the_main_queue_is_made_lighter_only_after_its_uses() -> None:
    cache: S3Fifo[int, Layered] = S3Fifo(20, Layered.lighten)
    cache.put(0, Layered(1, 4), 5)
    cache.get(0)
    for key in range(1, 200):
        cache.put(key, Layered(1), 1)
        cache.get(0)
    first = cache.peek(0)
    assert first is not None
    assert first.layers == [1, 4]


def test_who_leaves_is_counted_by_queue() -> None:
    cache = filled(10, range(10))
    for key in range(10):
        cache.get(key)
    for key in range(100, 120):
        cache.put(key, "new", 1)
        cache.put(key - 100 + 1000, "new", 1)
    assert cache.left_small > 0
    for key in range(200, 260):
        cache.put(key, "new", 1)
        cache.get(key)
    assert cache.left_main > 0

"""Requests for keys as numbers, and what caches of equal entries make of them: LRU and the optimum. Pure.

Three kinds: plain (few keys are popular), scan (every fourth request is for a key that never comes
back, as one hunt in a far city asks), drift (now and then a tenth of the keys change their rank).
"""

from __future__ import annotations

import heapq
from bisect import bisect
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import accumulate
from random import Random

import msgspec

SKEW = 0.9
"""Exponent of Zipf's law."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How large the traces are: keys, requests, and after how many requests ranks change."""

    keys: int = 100_000
    requests: int = 600_000
    drift_every: int = 60_000


def plain(rng: Random, shape: Shape) -> list[int]:
    """Return requests for keys 0..keys-1, the k-th with a chance in proportion to 1 / k^0.9."""
    summed = list(accumulate(1 / rank**SKEW for rank in range(1, shape.keys + 1)))
    total, draw = summed[-1], rng.random
    return [bisect(summed, draw() * total) for _ in range(shape.requests)]


def scan(rng: Random, shape: Shape) -> list[int]:
    """Return the same with every fourth request for a key that is asked for once."""
    trace = plain(rng, shape)
    for at in range(3, len(trace), 4):
        trace[at] = shape.keys + at
    return trace


def drift(rng: Random, shape: Shape) -> list[int]:
    """Return the same with the ranks of a tenth of the keys exchanged every ``drift_every`` requests."""
    ranks, key_of, trace = plain(rng, shape), list(range(shape.keys)), list[int]()
    for at in range(0, len(ranks), shape.drift_every):
        if at:
            places = rng.sample(range(shape.keys), shape.keys // 10)
            moved = [key_of[place] for place in places]
            rng.shuffle(moved)
            for place, key in zip(places, moved, strict=True):
                key_of[place] = key
        trace += [key_of[rank] for rank in ranks[at : at + shape.drift_every]]
    return trace


Make = Callable[[Random, Shape], list[int]]
TRACES: dict[str, Make] = {"plain": plain, "scan": scan, "drift": drift}


def lru_hits(trace: Sequence[int], size: int) -> int:
    """Return the hits of a cache of ``size`` entries that evicts what was not asked for longest."""
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
    return hits


def optimal_hits(trace: Sequence[int], size: int) -> int:
    """Return the most hits that any cache of ``size`` entries can have (Belady's algorithm).

    What is asked for again last leaves, or does not enter at all: a cache need not hold what it
    fetches, so this is at least the optimum of those that must.

    Source: Belady, "A study of replacement algorithms for a virtual-storage computer" (1966).

    Example:
        >>> optimal_hits([1, 2, 3, 1, 2, 3, 1, 2, 3], 2), lru_hits([1, 2, 3, 1, 2, 3, 1, 2, 3], 2)
        (4, 0)
    """
    following = _following(trace)
    held: dict[int, int] = {}
    latest: list[tuple[int, int]] = []  # (-next request, key); what is no longer so is skipped
    hits = 0
    for at, key in enumerate(trace):
        again = following[at]
        if key in held:
            hits += 1
        elif len(held) >= size:
            while held.get(latest[0][1]) != -latest[0][0]:
                heapq.heappop(latest)
            if again >= -latest[0][0]:
                continue
            del held[heapq.heappop(latest)[1]]
        held[key] = again
        heapq.heappush(latest, (-again, key))
    return hits


def _following(trace: Sequence[int]) -> list[int]:
    """Return for each request when its key is asked for next; never is later than all requests."""
    seen: dict[int, int] = {}
    following = [0] * len(trace)
    for at in range(len(trace) - 1, -1, -1):
        following[at] = seen.get(trace[at], len(trace) + at)
        seen[trace[at]] = at
    return following

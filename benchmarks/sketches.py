"""Rival summaries of demand: Space-Saving over a heap, and a count-min sketch with a heap. Decayed as ours is.

They are here to be compared with :class:`weedhounds.cache.demand.HotKeys`, in the same language and with the
same forward decay; each bounds its keys the same way.
"""

from __future__ import annotations

import heapq
import math
from operator import itemgetter
from typing import Protocol


class Sketch(Protocol):
    """What the rivals have in common."""

    def add(self, key: int, count: float, now: float) -> None:
        """Count requests for a key."""
        ...

    def top(self, n: int, now: float) -> list[tuple[int, float]]:
        """Return the most wanted keys."""
        ...


class SpaceSaving:
    """Metwally, Agrawal and El Abbadi (2005): a new key takes the place, and the weight, of the least one.

    Weights only grow, so the heap may hold them as they were: the least is put right when it is looked at.
    """

    def __init__(self, max_keys: int, half_life_s: float, start: float) -> None:
        self._max_keys = max_keys
        self._decay = math.log(2.0) / half_life_s
        self._start = start
        self._weights: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def add(self, key: int, count: float, now: float) -> None:
        """Count requests for a key."""
        weight = count * math.exp(self._decay * (now - self._start))
        weights = self._weights
        if key in weights:
            weights[key] += weight
            return
        if len(weights) >= self._max_keys:
            weight += self._replaced()
        weights[key] = weight
        heapq.heappush(self._heap, (weight, key))

    def _replaced(self) -> float:
        """Let the least key go; return its weight."""
        while True:
            told, key = self._heap[0]
            true = self._weights[key]
            if true == told:
                heapq.heappop(self._heap)
                del self._weights[key]
                return true
            heapq.heapreplace(self._heap, (true, key))

    def top(self, n: int, now: float) -> list[tuple[int, float]]:
        """Return the most wanted keys with their decayed weights."""
        unit = math.exp(self._decay * (now - self._start))
        found = heapq.nlargest(n, self._weights.items(), key=itemgetter(1))
        return [(key, weight / unit) for key, weight in found]


class CountMin:
    """Cormode and Muthukrishnan (2005), four rows, with a dict of candidates that is cut back when it is full.

    Args:
        max_keys: candidates; each row is eight times as wide.
    """

    def __init__(self, max_keys: int, half_life_s: float, start: float) -> None:
        self._max_keys = max_keys
        self._decay = math.log(2.0) / half_life_s
        self._start = start
        self._width = 8 * max_keys
        self._rows = [[0.0] * self._width for _ in range(4)]
        self._best: dict[int, float] = {}

    def add(self, key: int, count: float, now: float) -> None:
        """Count requests for a key."""
        weight = count * math.exp(self._decay * (now - self._start))
        least = math.inf
        for number, row in enumerate(self._rows):
            at = hash((number, key)) % self._width
            row[at] += weight
            least = min(least, row[at])
        self._best[key] = least
        if len(self._best) > 2 * self._max_keys:
            self._best = dict(heapq.nlargest(self._max_keys, self._best.items(), key=itemgetter(1)))

    def top(self, n: int, now: float) -> list[tuple[int, float]]:
        """Return the most wanted keys with their decayed weights."""
        unit = math.exp(self._decay * (now - self._start))
        return [(key, weight / unit) for key, weight in heapq.nlargest(n, self._best.items(), key=itemgetter(1))]

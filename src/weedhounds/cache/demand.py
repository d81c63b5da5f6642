"""Which keys are wanted most, and how often: a bounded summary of a stream of requests. Pure.

A request's weight halves with each half-life, so that yesterday's favourites make room for today's.
Weights are kept as if at a fixed moment (forward decay): nothing is decayed key by key.

The summary is that of Misra and Gries, trimmed in groups: a dict that may grow to twice its bound, then
loses the weight of its first key too many from every key. It never overstates a key, so a key that
nobody wants is never taken for a hot one; `benchmarks/bench_warming.py` compares it with Space-Saving
and with a count-min sketch.

Sources: Misra and Gries, "Finding repeated elements" (1982); Anderson et al., "A high-performance algorithm for
identifying frequent items in data streams" (IMC 2017): trimming in groups; Cormode, Shkapenyuk, Srivastava and
Xu, "Forward decay" (ICDE 2009).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from heapq import nlargest
from operator import itemgetter
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

HALF_LIFE_S = 1_800.0
"""Half an hour: demand falls to a tenth within the two hours that end a shop's day."""
LEAST_SEEN_S = 60.0
"""A rate is told as if at least so long had been looked: one request in the first second is not one a second."""
MAX_KEYS = 65_536
"""Largest bound that a summary may have."""
MAX_PENDING = 65_536
"""Keys whose requests are counted between two drains; those of further keys are not."""
_MOST_EXPONENT = 40.0
"""Weights are brought back to the present once they stand e^40 above it: far from what a float loses."""
_MOST_STEP_S = 366 * 86_400.0


class HotKeys(Generic[K]):
    """The keys of most recent demand.

    Args:
        max_keys: 1..``MAX_KEYS``. A key with more than 1 / (``max_keys`` + 1) of the decayed weight of all
            requests is always listed, and no rate is understated by more than that share of all.
        half_life_s: seconds after which a request counts half.

    Times are Unix seconds. Where the clock was set back, nothing decays until it has moved on.

    Bounds: 2 x ``max_keys`` keys. ``add`` is O(1) amortised, ``top`` sorts.
    """

    def __init__(self, max_keys: int, *, half_life_s: float = HALF_LIFE_S) -> None:
        self.max_keys = max(1, min(max_keys, MAX_KEYS))
        self._decay = math.log(2.0) / half_life_s
        self._weights: dict[K, float] = {}
        self._lost = 0.0
        self._last: float | None = None
        self._seen_s = 0.0
        self._exponent = 0.0
        self._unit = 1.0  # what a request of this moment weighs

    def __len__(self) -> int:
        return len(self._weights)

    def add(self, key: K, count: float, now: float) -> None:
        """Count ``count`` requests for a key."""
        if count <= 0.0:
            return
        self._advance(now)
        weights = self._weights
        weights[key] = weights.get(key, 0.0) + count * self._unit
        if len(weights) > 2 * self.max_keys:
            self._trim()

    def rate(self, key: K, now: float) -> float:
        """Return how often a key is asked for, requests a second; never overstated."""
        self._advance(now)
        return self._weights.get(key, 0.0) * self._per_second()

    def top(self, n: int, now: float) -> list[tuple[K, float]]:
        """Return the ``n`` most wanted keys with their rates, most wanted first."""
        self._advance(now)
        per_second = self._per_second()
        return [(key, weight * per_second) for key, weight in nlargest(n, self._weights.items(), key=itemgetter(1))]

    def error_per_s(self, now: float) -> float:
        """Return by how much a rate may be understated at most, requests a second."""
        self._advance(now)
        return self._lost * self._per_second()

    def _per_second(self) -> float:
        """Return the rate that a weight of one stands for: requests over the time looked, decayed alike."""
        looked = -math.expm1(-self._decay * max(self._seen_s, LEAST_SEEN_S)) / self._decay
        return 1.0 / (self._unit * looked)

    def _advance(self, now: float) -> None:
        if now == self._last:
            return
        passed_s = 0.0 if self._last is None else min(max(0.0, now - self._last), _MOST_STEP_S)
        self._last = now
        self._seen_s += passed_s
        self._exponent += self._decay * passed_s
        if self._exponent > _MOST_EXPONENT:
            self._rebase()
        else:
            self._unit = math.exp(self._exponent)

    def _rebase(self) -> None:
        """Bring the weights back to the present; those of requests long gone leave."""
        factor = math.exp(-self._exponent)
        self._weights = {key: weight * factor for key, weight in self._weights.items() if weight * factor > 1e-9}
        self._lost *= factor
        self._exponent, self._unit = 0.0, 1.0

    def _trim(self) -> None:
        """Take the weight of the first key over the bound from every key; those left with nothing leave."""
        cut = sorted(self._weights.values(), reverse=True)[self.max_keys]
        self._weights = {key: weight - cut for key, weight in self._weights.items() if weight > cut}
        self._lost += cut


class PendingDemand(Generic[K]):
    """Requests since they were drained last, by key: what the read path counts and a summary takes over.

    Args:
        also: drains what is counted elsewhere, such as the hits that never came to the read path.

    Bounds: ``MAX_PENDING`` keys.
    """

    def __init__(self, also: Callable[[], Mapping[K, int]] | None = None) -> None:
        self._counts: dict[K, int] = {}
        self._also = also

    def asked(self, keys: Iterable[K]) -> None:
        """Count one request for each key."""
        counts = self._counts
        has_room = len(counts) < MAX_PENDING
        for key in keys:
            if has_room or key in counts:
                counts[key] = counts.get(key, 0) + 1

    def drain(self) -> dict[K, int]:
        """Return the requests since the last call."""
        drained, self._counts = self._counts, {}
        if self._also is not None:
            for key, count in self._also().items():
                drained[key] = drained.get(key, 0) + count
        return drained

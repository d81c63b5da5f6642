"""The volatility strategy: the base lifetime in proportion to how rarely a key was seen to change. Pure.

The rate is the bias-reduced estimate of Cho and Garcia-Molina, -ln((n - X + 1/2) / (n + 1/2)) / I, from
n looks of mean interval I of which X found a change. The lifetime is the base lifetime times (usual
rate of the data type / rate of the key), between 1/8 and 8 times; after the first three looks.
"""

from __future__ import annotations

import math

import msgspec

from weedhounds.model.datatypes import DataType
from weedhounds.ttl.prior import CHANGES_PER_DAY
from weedhounds.ttl.strategy import KeyTable, Seen

_LEAST_LOOKS = 3
_MOST_FACTOR = 8.0
_FADE = 0.98
_DAY_S = 86_400.0


class _Looks(msgspec.Struct):
    looks: float = 0.0
    changes: float = 0.0
    watched_s: float = 0.0
    count: int = 0


class Volatility:
    """Decides by the observed change rate."""

    def __init__(self) -> None:
        self._keys: KeyTable[_Looks] = KeyTable()

    def __call__(self, seen: Seen) -> float:
        """Learn from a call and return the lifetime, seconds."""
        looks = self._keys.of(seen.key, _Looks)
        if seen.changed is not None and seen.waited_s > 0.0:
            looks.looks = looks.looks * _FADE + 1.0
            looks.changes = looks.changes * _FADE + seen.changed
            looks.watched_s = looks.watched_s * _FADE + seen.waited_s
            looks.count += 1
        if looks.count < _LEAST_LOOKS:
            return seen.base_s
        rate = changes_per_day(looks.looks, looks.changes, looks.watched_s)
        factor = _usual_rate(seen.dtype) / rate
        return seen.base_s * min(_MOST_FACTOR, max(1.0 / _MOST_FACTOR, factor))


def changes_per_day(looks: float, changes: float, watched_s: float) -> float:
    """Return the bias-reduced rate, changes a day.

    Args:
        watched_s: sum of the intervals between the looks, seconds.

    Example:
        >>> round(changes_per_day(10, 5, 10 * 3600.0), 3)
        15.514
    """
    interval_days = watched_s / _DAY_S / looks
    return max(1e-9, -math.log((looks - changes + 0.5) / (looks + 0.5)) / interval_days)


def _usual_rate(dtype: str) -> float:
    try:
        return CHANGES_PER_DAY[DataType(dtype)]
    except ValueError:
        return 1.0

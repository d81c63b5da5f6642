"""The adaptive strategy: a key's own history of changes and of requests. Pure.

A lifetime doubles after an answer that has not changed and halves after one that has, between 1/16 and
16 times the base. Where the origin tells when the record last changed, a fifth of that age (the rule of
Alex) is weighed in, as a geometric mean. Records asked for often are kept shorter, rarely asked ones
longer: by the square root of the requests within the base lifetime, against four, between 1/2 and 2 times.
"""

from __future__ import annotations

import math

import msgspec

from weedhounds.ttl.strategy import KeyTable, Seen

_MOST_FACTOR = 16.0
_ALEX = 0.2
_USUAL_REQUESTS = 4.0
_MOST_DEMAND = 2.0
_FADE = 0.8


class _History(msgspec.Struct):
    factor: float = 1.0
    requests: float = 0.0
    watched_s: float = 0.0


class Adaptive:
    """Decides by access and change history."""

    def __init__(self) -> None:
        self._keys: KeyTable[_History] = KeyTable()

    def __call__(self, seen: Seen) -> float:
        """Learn from a call and return the lifetime, seconds."""
        history = self._keys.of(seen.key, _History)
        if seen.changed is not None:
            history.factor *= 0.5 if seen.changed else 2.0
            history.factor = min(_MOST_FACTOR, max(1.0 / _MOST_FACTOR, history.factor))
        if seen.waited_s > 0.0:
            history.requests = history.requests * _FADE + max(0, seen.n_req)
            history.watched_s = history.watched_s * _FADE + seen.waited_s
        return _with_age(seen, seen.base_s * history.factor) * _demand_factor(history, seen.base_s)


def _with_age(seen: Seen, lifetime_s: float) -> float:
    if seen.last_modified is None or not seen.last_modified < seen.now:
        return lifetime_s
    return math.sqrt(lifetime_s * _ALEX * (seen.now - seen.last_modified))


def _demand_factor(history: _History, base_s: float) -> float:
    if history.watched_s <= 0.0:
        return 1.0
    within_base = max(1e-9, history.requests / history.watched_s * base_s)
    return min(_MOST_DEMAND, max(1.0 / _MOST_DEMAND, math.sqrt(_USUAL_REQUESTS / within_base)))

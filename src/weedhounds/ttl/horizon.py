"""When a fetched copy should expire, where changes and demand follow the week and events are scheduled. Pure.

Solved backwards on a grid over the coming days. With F the cost to come from a time at which the copy
is fresh, E from one at which it has expired, A the expected requests up to a time and L the expected
changes:

    F(t) = min over s of  A(s) - A(t) - (R(t) - e^-(L(s) - L(t)) R(s)) + E(s)
    E(t) = price + F at the next request

R(t) is how many requests a copy fetched at t would serve fresh were it kept for ever.

At the best s, the copy is stale with the probability `threshold(s)` = price + F(s) - E(s). So what is
kept of the solution is the threshold over time: a copy should expire when its own probability of being
stale, uncertain rates and all, first reaches it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from weedhounds.ttl.optimum import changes_at_expiry
from weedhounds.ttl.schedule import Schedule
from weedhounds.ttl.week import DAY_S, WeekShape

_PER_LIFETIME = 5.0
"""Grid points in a typical lifetime. Measured: 8, with half the longest step, gains 0.6 % at price 4 for 1.6 times the time."""
_LEAST_STEP_S = 120.0
_MOST_STEP_S = 1_800.0
_SLOW_POINTS = 16.0
_MOST_POINTS = 400
_SLOW_S = 1.5 * DAY_S
_LONGEST_DAYS = 60.0
_LEAST_HORIZON_S = 2.5 * DAY_S
_STRIDES = 20


class Plan(msgspec.Struct, gc=False):
    """The thresholds of one key over the coming hours or days.

    Args:
        times: local times of the grid, ascending.
        exposure: days of the change clock at each, from the first on.
        threshold: stale probability at which a copy should expire there.
        best: for a copy fetched at a point, the index of the point at which it should expire.
        until: the local time up to which the plan may be used.
        change_rate, request_rate, price: what it was made for.
    """

    times: list[float]
    exposure: list[float]
    threshold: list[float]
    best: list[int]
    until: float
    change_rate: float
    request_rate: float
    price: float

    def index(self, local_s: float) -> int:
        """Return the last point at or before a time, but never the very last."""
        return max(0, min(bisect_right(self.times, local_s) - 1, len(self.times) - 2))


class Outlook(msgspec.Struct, frozen=True, gc=False):
    """What the plan of one key is made of.

    Args:
        change_rate, request_rate: a day.
        price: of a call, in stale serves of this key.
        schedule: its scheduled events, or ``None``.
    """

    change_rate: float
    request_rate: float
    price: float
    changes: WeekShape
    demand: WeekShape
    schedule: Schedule | None = None


def plan(now_s: float, outlook: Outlook) -> Plan:
    """Return the plan from the local time ``now_s`` on. About 0.5 ms for 150 points."""
    x = changes_at_expiry(outlook.request_rate / outlook.change_rate, outlook.price)
    times, until = _grid(now_s, x, outlook)
    exposure = outlook.changes.clocks(times)
    start = exposure[0]
    exposure = [c - start for c in exposure]
    demand = [outlook.request_rate * c for c in outlook.demand.clocks(times)]
    changes = [outlook.change_rate * c for c in exposure]
    if outlook.schedule is not None:
        clock = outlook.schedule.clock
        first = clock(now_s)
        changes = [c + clock(t) - first for c, t in zip(changes, times, strict=True)]
    last = -math.expm1(-x) if x < 50.0 else 1.0
    threshold, best = _solve(changes, demand, outlook.price, last)
    return Plan(times, exposure, threshold, best, until, outlook.change_rate, outlook.request_rate, outlook.price)


def _grid(now_s: float, x: float, outlook: Outlook) -> tuple[list[float], float]:
    """Return the grid's times and the time until which the plan is good."""
    typical = min(x / outlook.change_rate, _LONGEST_DAYS) * DAY_S if math.isfinite(x) else 0.5 * DAY_S
    step, span, horizon = _steps(typical)
    times = [now_s + i * step for i in range(int(horizon / step) + 2)]
    if outlook.schedule is not None and outlook.schedule.starts:
        times = sorted({*times, *outlook.schedule.marks(now_s, times[-1])})
    return times, now_s + span


def _steps(typical_s: float) -> tuple[float, float, float]:
    """Return step, span of use and horizon, seconds, for a typical lifetime."""
    if typical_s > _SLOW_S:
        return typical_s / 20.0, 1.5 * typical_s, 4.0 * typical_s
    step = min(max(typical_s / _PER_LIFETIME, _LEAST_STEP_S), max(_MOST_STEP_S, typical_s / _SLOW_POINTS))
    span = DAY_S
    horizon = span + max(0.5 * DAY_S, 3.0 * typical_s)
    if step >= 0.9 * _MOST_STEP_S:
        span = max(span, 2.5 * typical_s)
        horizon = max(span + 2.0 * typical_s, _LEAST_HORIZON_S)
    if horizon / step > _MOST_POINTS:
        span, horizon = 0.5 * DAY_S, DAY_S
        step = max(step, horizon / _MOST_POINTS)
    return step, span, horizon


def _fresh_requests(changes: Sequence[float], demand: Sequence[float]) -> list[float]:
    """Return R: for each point, the requests to come that a copy fetched there would still serve fresh.

    Exact for rates that are constant between two points.
    """
    fresh = [0.0] * len(changes)
    for i in range(len(changes) - 2, -1, -1):
        grown = changes[i + 1] - changes[i]
        same = math.exp(-grown)
        mean = (1.0 - same) / grown if grown > 1e-6 else 1.0 - 0.5 * grown
        fresh[i] = (demand[i + 1] - demand[i]) * mean + same * fresh[i + 1]
    return fresh


def _solve(
    changes: Sequence[float], demand: Sequence[float], price: float, last: float
) -> tuple[list[float], list[int]]:
    """Return threshold and best expiry of each point; ``last`` is the threshold at the end of the grid."""
    n = len(changes) - 1
    exp = math.exp
    fresh = _fresh_requests(changes, demand)
    threshold = [last] * (n + 1)
    best = [n] * (n + 1)
    ahead = [0.0] * (n + 1)  # A + E of each point
    ahead[n] = demand[n]
    expired, next_fresh, at = 0.0, last - price, n
    for i in range(n - 1, -1, -1):
        at, cost = _best_expiry(i, max(at, i + 1), ahead, (fresh, changes))
        best[i] = at
        now_fresh = cost - demand[i] - fresh[i]
        m = demand[i + 1] - demand[i]
        none = exp(-m)
        late = (1.0 - none) / m - none if m > 1e-5 else 0.5 * m
        expired = expired * none + (1.0 - none) * (price + now_fresh) + (next_fresh - now_fresh) * late
        next_fresh = min(now_fresh, expired)
        ahead[i] = demand[i] + expired
        threshold[i] = price + next_fresh - expired
    return threshold, best


def _best_expiry(
    i: int, at: int, ahead: Sequence[float], terms: tuple[Sequence[float], Sequence[float]]
) -> tuple[int, float]:
    """Return the best expiry of a copy fetched at ``i`` and its cost, less what does not depend on it.

    It is never after that of the next point (``at``). Costs have several valleys (before and after a
    night, a scheduled event), so long ranges are first looked at in strides.
    """
    fresh, changes = terms
    exp, now = math.exp, changes[i]
    found, least = at, ahead[at] + exp(now - changes[at]) * fresh[at]
    reach = at - i
    if reach > 8 and (i & 3 == 0 or reach > 60):
        stride = reach // _STRIDES or 1
        for j in range(at - stride, i, -stride):
            cost = ahead[j] + exp(now - changes[j]) * fresh[j]
            if cost < least:
                found, least = j, cost
    for j in range(found - 1, i, -1):
        cost = ahead[j] + exp(now - changes[j]) * fresh[j]
        if cost >= least:
            break
        found, least = j, cost
    for j in range(found + 1, at + 1):
        cost = ahead[j] + exp(now - changes[j]) * fresh[j]
        if cost >= least:
            break
        found, least = j, cost
    return found, least

"""The oracle: the policy that knows every key's rate, profile, schedule, changes of rate and demand, but no events. Pure.

It solves section 4 of the lifetime model for each key, backwards on a grid. With Λ the expected
number of changes and μ the rate of requests, a copy fetched at t and expiring at s costs

    C(t, s) = ∫ₜˢ μ(u) (1 − e^(−(Λ(u) − Λ(t)))) du   and   F(t) = min over s of C(t, s) + E(s).

C is Monge: once a nearer expiry beats a farther one, it does at every earlier t too, and the Λ(t)
where that happens has a closed form. So the candidates form a queue, and a key with n steps takes
O(n), whatever its lifetimes. C is computed from R(t) = ∫ₜ^∞ μ(u) e^(−(Λ(u) − Λ(t))) du, which
neither overflows nor loses digits where Λ grows by thousands.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Sequence

import msgspec

from weedhounds.sim.optimum import poisson_lifetime
from weedhounds.sim.profiles import STEP_S, unrolled
from weedhounds.sim.replay import Observation
from weedhounds.sim.worlds import KeyTruth, World, job_windows, rates

AFTER_DAYS = 7.0
"""Days solved beyond the world's end, so that the end casts no shadow."""
_STEPS_S = (3600.0, 1800.0, 900.0, 300.0, 150.0, 60.0, 30.0, 15.0)
_STEPS_A_LIFETIME = 8.0
_PEAK = 3.0
"""Rates reach about this many times their mean at the peak of a week."""
_STEPS_A_WINDOW = 4.0
_RETRY_S = 3600.0
_ALMOST_SURE = 0.9999


class Grid(msgspec.Struct, frozen=True):
    """What the oracle knows of one key, by steps.

    Args:
        requests: expected in each step.
        changes: expected in each step.
    """

    start: float
    step_s: float
    requests: Sequence[float]
    changes: Sequence[float]


class _Solver:
    """The backward recursion for one key at one price."""

    def __init__(self, grid: Grid, price: float) -> None:
        self._price = price
        self._grid = grid
        self._asked = _summed(grid.requests)
        self._hazard = _summed(grid.changes)
        self._fresh = _fresh_requests(grid)
        self._expired = [0.0] * (len(grid.requests) + 1)

    def expiries(self) -> array[int]:
        """Return the best expiry, as a step, of a copy fetched at the beginning of each step."""
        n = len(self._grid.requests)
        best = array("l", bytes(array("l").itemsize * n))
        ends, marks, front = [n], [math.inf], 0
        later = held = 0.0
        for i in range(n - 1, -1, -1):
            if i + 1 < n:
                self._add(i + 1, ends, marks, front)
            while front + 1 < len(ends) and self._hazard[i] < marks[front + 1]:
                front += 1
            best[i] = end = ends[front]
            later, held = held, self._held_cost(i, end)
            called = -math.expm1(-self._grid.requests[i])
            to_call = self._price + 0.5 * (held + later)
            self._expired[i] = called * to_call + (1.0 - called) * self._expired[i + 1]
        return best

    def _held_cost(self, i: int, end: int) -> float:
        """Return C(i, end) + E(end)."""
        kept = math.exp(self._hazard[i] - self._hazard[end]) * self._fresh[end]
        return self._asked[end] - self._asked[i] - self._fresh[i] + kept + self._expired[end]

    def _add(self, near: int, ends: list[int], marks: list[float], front: int) -> None:
        """Put an expiry at the queue's end; those that it beats before they were ever best leave."""
        mark = self._beats_below(near, ends[-1])
        while len(ends) - 1 > front and mark >= marks[-1]:
            ends.pop()
            marks.pop()
            mark = self._beats_below(near, ends[-1])
        if mark > -math.inf:
            ends.append(near)
            marks.append(mark)

    def _beats_below(self, near: int, far: int) -> float:
        """Return the Λ(t) below which the expiry ``near`` is better than ``far``."""
        longer = self._asked[far] - self._asked[near] + self._expired[far] - self._expired[near]
        if longer <= 0.0:
            return -math.inf
        saved = self._fresh[near] - math.exp(self._hazard[near] - self._hazard[far]) * self._fresh[far]
        return self._hazard[near] + math.log(longer / saved) if saved > 0.0 else math.inf


def _summed(values: Sequence[float]) -> list[float]:
    total, sums = 0.0, [0.0]
    for value in values:
        total += value
        sums.append(total)
    return sums


def _fresh_requests(grid: Grid) -> list[float]:
    """Return R: the requests, from each step on, that a copy fetched at its beginning serves fresh for ever."""
    fresh = [0.0] * (len(grid.requests) + 1)
    for i in range(len(grid.requests) - 1, -1, -1):
        changes = grid.changes[i]
        unchanged = math.exp(-changes)
        share = (1.0 - unchanged) / changes if changes > 1e-9 else 1.0
        fresh[i] = grid.requests[i] * share + unchanged * fresh[i + 1]
    return fresh


def best_expiries(grid: Grid, price: float) -> array[int]:
    """Return for a fetch at the beginning of each step the step at whose beginning the copy best expires.

    Args:
        price: of a call, in stale serves of this key.
    """
    return _Solver(grid, price).expiries()


def grid_of(truth: KeyTruth, start: float, days: float, price: float) -> Grid:
    """Return what the oracle knows of a key, in steps that suit its lifetimes at ``price``."""
    step_s = _step(truth, price)
    changes = _resampled(rates(truth, start, days), step_s)
    for at, job in job_windows(truth, start, days):
        for i, expected in _job_changes((at - start) / step_s, job.within_s / step_s, job.probability):
            if i < len(changes):
                changes[i] += expected
    demand = unrolled(truth.demand.table(), start, days, truth.item.tz)
    requests = _resampled([truth.request_rate * value for value in demand], step_s)
    return Grid(start, step_s, requests, changes)


def _step(truth: KeyTruth, price: float) -> float:
    rate = truth.change_rate + truth.steady_rate
    factor = max([1.0, *(factor for _, factor in truth.steps)])
    lifetime = poisson_lifetime(price, _PEAK * factor * rate, _PEAK * truth.request_rate)
    wanted = min([lifetime / _STEPS_A_LIFETIME, *(job.within_s / _STEPS_A_WINDOW for job in truth.jobs)])
    return next((step for step in _STEPS_S if step <= wanted), _STEPS_S[-1])


def _resampled(per_second: Sequence[float], step_s: float) -> list[float]:
    """Return events expected in steps of ``step_s`` from rates in steps of ``STEP_S``."""
    if step_s <= STEP_S:
        parts = round(STEP_S / step_s)
        return [rate * step_s for rate in per_second for _ in range(parts)]
    parts = round(step_s / STEP_S)
    return [STEP_S * sum(per_second[i : i + parts]) for i in range(0, len(per_second), parts)]


def _job_changes(at: float, within: float, probability: float) -> Iterator[tuple[int, float]]:
    """Yield the expected changes of each step around a job: as hazard, given that it has not run yet."""
    sure = min(probability, _ALMOST_SURE)

    def survived(step: float) -> float:
        return 1.0 - sure * min(1.0, max(0.0, (step - at) / within))

    for i in range(math.floor(at), math.ceil(at + within)):
        yield i, math.log(survived(i) / survived(i + 1))


class Oracle:
    """The policy. Each key is solved at its first call.

    Args:
        price: of a call, in stale serves of weight 1.

    Bounds: eight bytes a step and key: 50 MB for the standard world.
    """

    def __init__(self, world: World, price: float) -> None:
        self._price = price
        self._start = world.spec.start
        self._days = world.spec.days + AFTER_DAYS
        self._truths = {truth.item.key: truth for truth in world.truths}
        self._solved: dict[str, tuple[float, array[int], list[float]]] = {}
        self._fetched: dict[str, float] = {}

    def __call__(self, obs: Observation) -> float:
        """Return the best lifetime; after a failed call what a new copy's would be, an hour at most."""
        step_s, best, _ = self._solution(obs.key)
        if obs.ok:
            self._fetched[obs.key] = obs.now
        at = (obs.now - self._start) / step_s
        i = min(len(best) - 1, max(0, int(at)))
        lifetime = max(step_s, self._start + best[i] * step_s - obs.now)
        return lifetime if obs.ok else min(_RETRY_S, lifetime)

    def stale_probability(self, key: str, now: float) -> float:
        """Return the probability that the copy held is stale."""
        step_s, _, hazard = self._solution(key)
        return -math.expm1(self._hazard_at(hazard, step_s, self._fetched[key]) - self._hazard_at(hazard, step_s, now))

    def _hazard_at(self, hazard: Sequence[float], step_s: float, t: float) -> float:
        at = min(len(hazard) - 1.001, max(0.0, (t - self._start) / step_s))
        i = int(at)
        return hazard[i] + (at - i) * (hazard[i + 1] - hazard[i])

    def _solution(self, key: str) -> tuple[float, array[int], list[float]]:
        if key not in self._solved:
            truth = self._truths[key]
            price = self._price / max(truth.item.weight, 1e-9)
            grid = grid_of(truth, self._start, self._days, price)
            self._solved[key] = (grid.step_s, best_expiries(grid, price), _summed(grid.changes))
        return self._solved[key]


def oracle_of(world: World) -> Callable[[float], Oracle]:
    """Return the oracle of ``world`` as a factory of policies by price."""
    return lambda price: Oracle(world, price)

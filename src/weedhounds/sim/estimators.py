"""Baselines with a price: change rates estimated key by key, put into the optimum. Pure.

They know the mean change rate of each data type, and demand as the mean rate of a key's requests
so far; of other keys, sources or schedules they learn nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from weedhounds.model.datatypes import LIFETIMES
from weedhounds.sim.judge import Family, retrying
from weedhounds.sim.optimum import gamma_lifetime, poisson_lifetime
from weedhounds.sim.profiles import WEEK_S, week_second
from weedhounds.sim.replay import Observation, Policy
from weedhounds.ttl.prior import CHANGES_PER_DAY

_DAY_S = 86_400.0
_HOUR_S = 3_600.0
_BASE_S = {data_type.value: lifetime.base_s for data_type, lifetime in LIFETIMES.items()}
_MEAN_RATE = {data_type.value: per_day / _DAY_S for data_type, per_day in CHANGES_PER_DAY.items()}
_SHAPE = 0.58
"""Shape of a Gamma with the variance of a lognormal of sigma 1: 1 / (e - 1)."""
_FEW_LOOKS = 2
_FIRST_REQUEST_S = 1_800.0
"""Demand counts as one request in this time before anything is known."""


class _Key(msgspec.Struct):
    """What is known of one key."""

    shape: float
    rate_s: float
    first: float
    requests: int = 0
    looks: int = 0
    changed: int = 0
    watched_s: float = 0.0

    def demand(self, now: float) -> float:
        return (self.requests + 1) / (now - self.first + _FIRST_REQUEST_S)

    def learn(self, tau: float, *, is_changed: bool) -> None:
        """Update the Gamma belief; after a change by the first two moments of the exact one."""
        if not is_changed:
            self.rate_s += tau
            return
        a, b = self.shape, self.rate_s
        same = math.exp(-a * math.log1p(tau / b))
        seen = max(1e-12, 1.0 - same)
        mean = (a / b - same * a / (b + tau)) / seen
        square = (a * (a + 1) / b**2 - same * a * (a + 1) / (b + tau) ** 2) / seen
        variance = max(1e-9 * mean**2, square - mean**2)
        self.shape, self.rate_s = mean**2 / variance, mean / variance


class _Keys:
    """The keys seen so far: one small record each, as many as the trace has."""

    def __init__(self) -> None:
        self._known: dict[str, _Key] = {}

    def seen(self, obs: Observation) -> _Key:
        """Return the key's record, its requests counted."""
        key = self._known.get(obs.key)
        if key is None:
            key = self._known[obs.key] = _Key(_SHAPE, _SHAPE / _MEAN_RATE[obs.dtype], obs.now)
        else:
            key.requests += obs.n_req
        return key


def rate_estimate(price: float) -> Policy:
    """Return the policy: the bias-reduced rate estimate in the optimum.

    Source: Cho and Garcia-Molina, "Estimating frequency of change" (2003).
    """
    keys = _Keys()

    def lifetime(obs: Observation) -> float:
        key = keys.seen(obs)
        if obs.ok and obs.prev is not None:
            key.looks += 1
            key.changed += bool(obs.changed)
            key.watched_s += obs.now - obs.prev
        if key.looks < _FEW_LOOKS or key.watched_s <= 0.0:
            return _BASE_S[obs.dtype]
        rate = -math.log((key.looks - key.changed + 0.5) / (key.looks + 0.5)) * key.looks / key.watched_s
        longest = max(_BASE_S[obs.dtype], key.watched_s)  # no change seen is no proof that there is none
        return min(longest, poisson_lifetime(_own_price(price, obs), rate, key.demand(obs.now)))

    return lifetime


def gamma_poisson(price: float) -> Policy:
    """Return the policy: a Gamma belief of each key's constant change rate in the optimum."""
    keys = _Keys()

    def lifetime(obs: Observation) -> float:
        key = keys.seen(obs)
        if obs.ok and obs.prev is not None:
            key.learn(obs.now - obs.prev, is_changed=bool(obs.changed))
        return gamma_lifetime(_own_price(price, obs), key.shape, key.rate_s, key.demand(obs.now))

    return lifetime


def gamma_poisson_weekly(price: float) -> Policy:
    """Return the policy: the same, each type's changes following a weekly profile that is learnt on the way."""
    return _Weekly(price).lifetime


def _own_price(price: float, obs: Observation) -> float:
    return price / max(obs.weight, 1e-9)


_HOURS = 168
_PRIOR_CHANGES = 0.5
"""Weight of the flat profile, in changes an hour of the week."""
_FIRST_STEP_S = 20.0
_STEP_SHARE = 0.2
_SMOOTH = (0.25, 0.5, 0.25)


class _Week:
    """A profile over the local week by hours, mean 1: changes seen over changes expected of a flat one."""

    def __init__(self) -> None:
        self._seen = [_PRIOR_CHANGES] * _HOURS
        self._expected = [_PRIOR_CHANGES] * _HOURS
        self.profile = [1.0] * _HOURS
        self._since = 0

    def spans(self, start: float, end: float, tz: float) -> Iterator[tuple[int, float]]:
        """Yield (hour of the week, seconds in it) from ``start`` to ``end``."""
        at = week_second(start, tz)
        left = end - start
        while left > 0.0:
            part = min(left, _HOUR_S - at % _HOUR_S)
            yield int(at // _HOUR_S) % _HOURS, part
            at = (at + part) % WEEK_S
            left -= part

    def learn(self, spans: list[tuple[int, float]], rate: float, *, is_changed: bool) -> float:
        """Take in one look; return how long it was in the profile's clock, seconds."""
        lengths = [self.profile[hour] * seconds for hour, seconds in spans]
        passed = max(1e-9, sum(lengths))
        changes = rate * passed / -math.expm1(-rate * passed) if is_changed else 0.0
        for (hour, seconds), length in zip(spans, lengths, strict=True):
            self._expected[hour] += rate * seconds
            self._seen[hour] += changes * length / passed
        self._since += 1
        if self._since >= _HOURS:
            self._renew()
        return passed

    def _renew(self) -> None:
        self._since = 0
        raw = [seen / expected for seen, expected in zip(self._seen, self._expected, strict=True)]
        smooth = [
            sum(weight * raw[(hour + i - 1) % _HOURS] for i, weight in enumerate(_SMOOTH)) for hour in range(_HOURS)
        ]
        mean = sum(smooth) / _HOURS
        self.profile = [value / mean for value in smooth]


class _Weekly:
    def __init__(self, price: float) -> None:
        self._price = price
        self._keys = _Keys()
        self._weeks = {dtype: _Week() for dtype in _BASE_S}

    def lifetime(self, obs: Observation) -> float:
        key, week = self._keys.seen(obs), self._weeks[obs.dtype]
        if obs.ok and obs.prev is not None:
            start = max(obs.prev, obs.now - WEEK_S)  # whole weeks before add the same to every hour
            spans = list(week.spans(start, obs.now, obs.tz))
            passed = week.learn(spans, key.shape / key.rate_s, is_changed=bool(obs.changed))
            key.learn(passed + start - obs.prev, is_changed=bool(obs.changed))
        return self._best(obs, key, week)

    def _best(self, obs: Observation, key: _Key, week: _Week) -> float:
        """Go hour by hour until waiting longer costs more than calling."""
        price, demand = _own_price(self._price, obs), key.demand(obs.now)
        passed = fresh_s = waited = before = 0.0
        for rate, part in self._steps(obs, week):
            same = math.exp(-key.shape * math.log1p((passed + 0.5 * rate * part) / key.rate_s))
            passed, waited, fresh_s = passed + rate * part, waited + part, fresh_s + same * part
            cost = (1.0 - same) * (1.0 + demand * waited) - demand * (waited - fresh_s)
            if cost >= price:
                return waited - part * (cost - price) / max(1e-12, cost - before)
            before = cost
        return max(WEEK_S, gamma_lifetime(price, key.shape, key.rate_s, demand))

    def _steps(self, obs: Observation, week: _Week) -> Iterator[tuple[float, float]]:
        """Yield (rate of the profile, seconds) over the coming week, in steps that grow with the time waited."""
        waited = 0.0
        for hour, seconds in week.spans(obs.now, obs.now + WEEK_S, obs.tz):
            left = seconds
            while left > 0.0:
                part = min(left, max(_FIRST_STEP_S, _STEP_SHARE * waited))
                yield week.profile[hour], part
                left -= part
                waited += part


def estimator_families() -> list[Family]:
    """Return the estimators; their dial is the price."""
    return [
        Family("rate estimate", lambda price: retrying(rate_estimate(price))),
        Family("Gamma-Poisson", lambda price: retrying(gamma_poisson(price))),
        Family("Gamma-Poisson, weekly", lambda price: retrying(gamma_poisson_weekly(price))),
    ]

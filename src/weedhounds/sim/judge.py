"""Judge a policy on a trace: its cost at several prices, against the oracle, the fixed table and the clairvoyant. Pure.

A policy is judged as a *family*: one number in, a policy out. For a policy with a price that number
is the price of a call; for a rule without one it is a multiplier on its lifetimes, and the rule is
given the best multiplier in hindsight at each price.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from weedhounds.model.datatypes import LIFETIMES, DataType
from weedhounds.sim.bounds import Clairvoyant, clairvoyant
from weedhounds.sim.calibration import Calibration, calibration, calibration_by_type
from weedhounds.sim.replay import Outcome, Policy, ReplayOptions, Tally, TellsStaleness, replay
from weedhounds.sim.trace import Trace

PRICES = (0.25, 1.0, 4.0)
_LEAST, _GREATEST = 1e-4, 1e5
"""Where searches over prices and multipliers end."""
_SEARCH_STEPS = 8
_MULTIPLIERS = tuple(2.0**step for step in range(-8, 13))
_MULTIPLIER_STEPS = 6
"""After the multipliers above: to within 3 % of the best one, where costs have one valley."""
RETRY_S = 600.0
"""Longest wait after a failed call, of policies that do not decide it themselves."""
_CLOSE = 0.004
"""A stale fraction, or a number of calls, within this share of the wanted one is close enough to interpolate."""

Dial = Literal["price", "multiplier", "none"]


class Family(msgspec.Struct, frozen=True):
    """A policy with its dial.

    Args:
        dial: what ``make`` takes: the price of a call, a multiplier on the lifetimes, or nothing
            that it heeds (one operating point).
    """

    name: str
    make: Callable[[float], Policy]
    dial: Dial = "price"


class Figures(msgspec.Struct, frozen=True):
    """What was counted, as ratios.

    Args:
        j: (price x calls + weights of the stale serves) / requests.
        mean_staleness_s: over all requests; a fresh serve counts as 0.
        useful_share: calls that brought a first body or another one / calls.
    """

    requests: int
    calls: int
    failed_calls: int
    unserved: int
    j: float
    stale_fraction: float
    mean_staleness_s: float
    hit_ratio: float
    useful_share: float


class AtPrice(msgspec.Struct, frozen=True):
    """A policy at one price.

    Args:
        dial: the number that ``make`` was given.
        over_oracle: J / the oracle's, where that is known.
        over_clairvoyant: calls / the fewest that leave as many stale serves; ``None`` where that is none.
        calibration: where the policy tells stale probabilities.
    """

    price: float
    dial: float
    total: Figures
    over_oracle: float | None
    over_clairvoyant: float | None
    by_type: dict[str, Figures]
    calibration: Calibration | None


class Verdict(msgspec.Struct, frozen=True):
    """A policy on one trace.

    Args:
        calls_share: share of the fixed table's calls that are needed at its stale fraction.
        stale_at_calls: stale fraction at the fixed table's calls.
        calibration: of the probabilities told at all the prices together; by type besides.
    """

    name: str
    dial: Dial
    by_price: tuple[AtPrice, ...]
    calls_share: float | None
    stale_at_calls: float | None
    calibration: Calibration | None
    calibration_by_type: dict[str, Calibration]


def figures_of(tally: Tally, price: float) -> Figures:
    """Return a tally as ratios."""
    return Figures(
        requests=tally.requests,
        calls=tally.calls,
        failed_calls=tally.failed_calls,
        unserved=tally.unserved,
        j=tally.cost(price),
        stale_fraction=tally.stale_fraction,
        mean_staleness_s=tally.mean_staleness_s,
        hit_ratio=tally.hit_ratio,
        useful_share=tally.useful_share,
    )


def fixed_table(_: float = 1.0) -> Policy:
    """Return the policy that gives each data type its base lifetime."""
    table = {data_type.value: lifetime.base_s for data_type, lifetime in LIFETIMES.items()}
    return retrying(lambda obs: table[obs.dtype])


def retrying(policy: Policy) -> Policy:
    """Return ``policy`` with a wait of ten minutes at most after a failed call, for those that know of none."""
    return lambda obs: policy(obs) if obs.ok else min(RETRY_S, policy(obs))


def scaled(rule: Callable[[], Policy]) -> Callable[[float], Policy]:
    """Return a family of ``rule``: its lifetimes times a multiplier; waits after failed calls stay."""

    def make(multiplier: float) -> Policy:
        policy = rule()
        return retrying(lambda obs: policy(obs) * multiplier)

    return make


class Judge:
    """Judges families on one trace.

    Args:
        oracle: the oracle's J by price, where known.
        options: how the trace is replayed, for every family and for the fixed table alike.

    Bounds: one tally is kept for each dial tried of the family at hand; told probabilities for its three prices.
    """

    def __init__(
        self,
        trace: Trace,
        *,
        oracle: Mapping[float, float] | None = None,
        options: ReplayOptions | None = None,
        prices: Sequence[float] = PRICES,
    ) -> None:
        self.trace = trace
        self.prices = tuple(prices)
        self._oracle = dict(oracle or {})
        self._options = options or ReplayOptions()
        self.fixed = replay(trace, fixed_table(), self._options).total
        self.bound: Clairvoyant = clairvoyant(trace, self._options.warmup_days)

    def verdict(self, family: Family, *, compares_fixed: bool = True) -> Verdict:
        """Judge a family; without ``compares_fixed`` the search for the fixed table's point is left out."""
        curve = _Curve(self.trace, family, self._options)
        told: dict[DataType, list[tuple[float, bool]]] = {}
        by_price = []
        for price in self.prices:
            dial = curve.best_dial(price)
            outcome = curve.outcome(dial, asks_staleness=True)
            by_price.append(self._at_price(price, dial, outcome))
            for data_type, pairs in outcome.told.items():
                told.setdefault(data_type, []).extend(pairs)
        share = stale = None
        if compares_fixed and family.dial != "none":
            share = curve.calls_at_stale(self.fixed.stale_fraction) / max(1, self.fixed.calls)
            stale = curve.stale_at_calls(self.fixed.calls)
        return Verdict(
            name=family.name,
            dial=family.dial,
            by_price=tuple(by_price),
            calls_share=share,
            stale_at_calls=stale,
            calibration=calibration(told) if told else None,
            calibration_by_type={data_type.value: each for data_type, each in calibration_by_type(told).items()},
        )

    def _at_price(self, price: float, dial: float, outcome: Outcome) -> AtPrice:
        total = outcome.total
        fewest = self.bound.calls_at(total.stale)
        oracle = self._oracle.get(price)
        return AtPrice(
            price=price,
            dial=dial,
            total=figures_of(total, price),
            over_oracle=total.cost(price) / oracle if oracle else None,
            over_clairvoyant=total.calls / fewest if fewest else None,
            by_type={data_type.value: figures_of(tally, price) for data_type, tally in outcome.by_type.items()},
            calibration=calibration(outcome.told) if outcome.told else None,
        )


class _Curve:
    """The operating points of one family on one trace: more dial, fewer calls, more stale serves."""

    def __init__(self, trace: Trace, family: Family, options: ReplayOptions) -> None:
        self._trace = trace
        self._family = family
        self._options = options
        self._points: dict[float, Tally] = {}

    def outcome(self, dial: float, *, asks_staleness: bool = False) -> Outcome:
        """Replay at ``dial``."""
        policy = self._family.make(dial)
        asks = asks_staleness and isinstance(policy, TellsStaleness)
        outcome = replay(self._trace, policy, msgspec.structs.replace(self._options, asks_staleness=asks))
        self._points[dial] = outcome.total
        return outcome

    def point(self, dial: float) -> Tally:
        """Return what is counted at ``dial``."""
        return self._points[dial] if dial in self._points else self.outcome(dial).total

    def best_dial(self, price: float) -> float:
        """Return the dial for ``price``: itself, or the best multiplier in hindsight."""
        if self._family.dial == "price":
            return price
        if self._family.dial == "none":
            return 1.0
        best = min(_MULTIPLIERS, key=lambda dial: self.point(dial).cost(price))
        self._golden(price, math.log(best / 2.0), math.log(best * 2.0))
        return min(self._points, key=lambda dial: self._points[dial].cost(price))

    def _golden(self, price: float, low: float, high: float) -> None:
        """Try dials between e^low and e^high, ever nearer to the least cost: golden section."""
        ratio = (math.sqrt(5.0) - 1.0) / 2.0
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        for _ in range(_MULTIPLIER_STEPS):
            if self.point(math.exp(a)).cost(price) <= self.point(math.exp(b)).cost(price):
                high, b, a = b, a, b - ratio * (b - low)
            else:
                low, a, b = a, b, a + ratio * (high - a)

    def calls_at_stale(self, wanted: float) -> float:
        """Return the calls needed to have no more than the stale fraction ``wanted``, between two points."""
        low, high = self._bracket(lambda tally: tally.stale_fraction, wanted)
        return _between(low.stale_fraction, high.stale_fraction, wanted, low.calls, high.calls)

    def stale_at_calls(self, wanted: float) -> float:
        """Return the stale fraction at ``wanted`` calls, between two points."""
        low, high = self._bracket(lambda tally: -float(tally.calls), -float(wanted))
        return _between(-low.calls, -high.calls, -wanted, low.stale_fraction, high.stale_fraction)

    def _bracket(self, of: Callable[[Tally], float], wanted: float) -> tuple[Tally, Tally]:
        """Return the points just below and just above ``wanted``; ``of`` grows with the dial."""
        low = high = min(self._points, key=lambda dial: abs(of(self._points[dial]) - wanted), default=1.0)
        while of(self.point(low)) > wanted and low > _LEAST:
            low /= 4.0
        while of(self.point(high)) < wanted and high < _GREATEST:
            high *= 4.0
        for _ in range(_SEARCH_STEPS):
            if of(self.point(high)) - of(self.point(low)) <= _CLOSE * abs(wanted):
                break
            middle = math.sqrt(low * high)
            low, high = (middle, high) if of(self.point(middle)) <= wanted else (low, middle)
        return self.point(low), self.point(high)


def _between(x0: float, x1: float, x: float, y0: float, y1: float) -> float:
    """Return y at x on the line through two points; outside of them the nearer one's."""
    if x1 == x0:
        return y0
    share = min(1.0, max(0.0, (x - x0) / (x1 - x0)))
    return y0 + share * (y1 - y0)

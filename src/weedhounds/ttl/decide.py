"""Which strategy decides a record's lifetime, and its bounds: the one door to `ttl` for the read path. Pure.

Whatever strategy decides, the learner sees every call, so that stale probabilities are learnt. Bounds
are the last step, apart from the decision, so that what they cost can be seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from weedhounds.errors import ConfigError
from weedhounds.model.datatypes import LIFETIMES, DataType, Lifetime
from weedhounds.ttl import prior
from weedhounds.ttl.adaptive import Adaptive
from weedhounds.ttl.business_hours import BusinessHours
from weedhounds.ttl.hybrid import Hybrid
from weedhounds.ttl.learner import Learner
from weedhounds.ttl.strategy import Seen, Strategy
from weedhounds.ttl.volatility import Volatility


class StrategyName(StrEnum):
    """The strategies that a data type can have."""

    FIXED = "fixed"
    ADAPTIVE = "adaptive"
    BUSINESS_HOURS = "business_hours"
    VOLATILITY = "volatility"
    HYBRID = "hybrid"


class Decided(msgspec.Struct, frozen=True):
    """A lifetime and how it came about.

    Args:
        unbounded_s: what the strategy answered; ``lifetime_s``: within the type's limits.
        stale_at_expiry: how likely a copy is stale at the end of ``lifetime_s``, as far as is known now.
        price: of a call, in stale serves, that was reckoned with.
    """

    strategy: StrategyName
    unbounded_s: float
    lifetime_s: float
    stale_at_expiry: float
    price: float


def fixed(seen: Seen) -> float:
    """Return the base lifetime: the fixed strategy."""
    return seen.base_s


class Lifetimes:
    """Decides lifetimes, each data type by its own strategy.

    Args:
        strategies: name of the strategy by name of the data type; types not named use ``hybrid``.
        base_s: base lifetimes by name of the data type, seconds; types not named keep their own.
        limits: least and greatest lifetimes by name; types not named keep their own.
        learner: what was learnt before; a new one where none is given.

    Raises:
        ConfigError: an unknown data type or strategy, a lifetime that is no positive number, least > greatest.
    """

    def __init__(
        self,
        *,
        strategies: Mapping[str, str] | None = None,
        base_s: Mapping[str, float] | None = None,
        limits: Mapping[str, Lifetime] | None = None,
        learner: Learner | None = None,
    ) -> None:
        self.learner = learner if learner is not None else Learner()
        given = {_type(t): _strategy(t, name) for t, name in (strategies or {}).items()}
        self._names = {t: given.get(t, StrategyName.HYBRID) for t in DataType}
        own = {_type(t): _checked(t, limit) for t, limit in (limits or {}).items()}
        self._limits = {t: own.get(t, LIFETIMES[t]) for t in DataType}
        bases = {_type(t): _positive(t, value) for t, value in (base_s or {}).items()}
        self._bases = {t: bases.get(t, self._limits[t].base_s) for t in DataType}
        made: dict[StrategyName, Strategy] = {
            StrategyName.FIXED: fixed,
            StrategyName.ADAPTIVE: Adaptive(),
            StrategyName.BUSINESS_HOURS: BusinessHours(),
            StrategyName.VOLATILITY: Volatility(),
            StrategyName.HYBRID: Hybrid(self.learner),
        }
        self._strategies = made

    def strategy_of(self, data_type: DataType) -> StrategyName:
        """Return the strategy of ``data_type``."""
        return self._names[data_type]

    def base_of(self, data_type: DataType) -> float:
        """Return the base lifetime of ``data_type``, seconds."""
        return self._bases[data_type]

    def limits_of(self, data_type: DataType) -> Lifetime:
        """Return the limits of ``data_type``."""
        return self._limits[data_type]

    def observe(self, seen: Seen) -> Decided:
        """Learn from one call and decide; of a call that failed, the wait before the next.

        ``seen.base_s`` is passed over: the base lifetime is the data type's.
        """
        data_type = _type(seen.dtype)
        seen = msgspec.structs.replace(seen, base_s=self._bases[data_type])
        name = self._names[data_type]
        learnt_s = self.learner.decide(seen, seen.price)
        by_learner = name is StrategyName.HYBRID or not seen.ok
        unbounded_s = learnt_s if by_learner else self._strategies[name](seen)
        lifetime_s = _within(self._limits[data_type], unbounded_s) if seen.ok else unbounded_s
        stale = self.learner.stale_probability(seen.key, seen.now + lifetime_s)
        return Decided(name, unbounded_s, lifetime_s, stale, seen.price)

    def stale_probability(self, key: str, data_type: DataType, times: tuple[float, float]) -> float:
        """Return how likely a copy is stale.

        Args:
            times: Unix seconds of its fetch, and of the question. A copy that the learner did not see
                fetched (another node's, an imported one) is judged by its data type's prior.
        """
        fetched_at, now = times
        known = self.learner.keys.get(key)
        if known is None or known.fetched_at is None or abs(known.fetched_at - fetched_at) > 1.0:
            return prior.stale_probability(data_type, now - fetched_at)
        return self.learner.stale_probability(key, now)


def _within(limit: Lifetime, lifetime_s: float) -> float:
    if math.isnan(lifetime_s):
        return limit.min_s
    return min(limit.max_s, max(limit.min_s, lifetime_s))


def _type(name: str) -> DataType:
    try:
        return DataType(name)
    except ValueError as error:
        raise ConfigError(f"unknown data type {name!r} (known: {', '.join(DataType)})") from error


def _strategy(data_type: str, name: str) -> StrategyName:
    try:
        return StrategyName(name)
    except ValueError as error:
        known = ", ".join(StrategyName)
        raise ConfigError(f"{data_type}: unknown strategy {name!r} (known: {known})") from error


def _positive(data_type: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0.0):
        raise ConfigError(f"{data_type}: a lifetime of {value} s is no positive number")
    return value


def _checked(data_type: str, limit: Lifetime) -> Lifetime:
    for value in (limit.base_s, limit.min_s, limit.max_s):
        _positive(data_type, value)
    if limit.min_s > limit.max_s:
        raise ConfigError(f"{data_type}: the least lifetime {limit.min_s} s is above the greatest {limit.max_s} s")
    return limit

"""What the learner holds of keys and data types. Pure records; :mod:`weedhounds.ttl.learner` moves them."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from typing import Protocol

from weedhounds.model.datatypes import DataType
from weedhounds.ttl.prior import CHANGES_PER_DAY
from weedhounds.ttl.rates import RatePrior, flat
from weedhounds.ttl.schedule import PLAIN, StartPrior
from weedhounds.ttl.week import WeekShape

SAMPLE_KEYS = 128
"""Keys of a type from which its priors are learnt: those looked at last."""
SAMPLE_SOURCES = 4_096
_REQUESTS_PER_DAY = 8.0
"""Of a key, before any is known."""
_UNKNOWN_TYPE = 0.1
_FADE = 0.9999

_SCHEDULED: dict[str, float] = {DataType.PROMOTIONS.value: 0.5, DataType.ANALYTICS_DATA.value: 0.5}
"""Prior share of keys with a daily schedule. Types that are not named are not searched for one."""
_BACKGROUND: dict[str, float] = {DataType.PROMOTIONS.value: 0.5, DataType.ANALYTICS_DATA.value: 0.03}
"""Assumed changes a day beside the scheduled ones."""
DAYTIME = frozenset(t.value for t in (DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING, DataType.DISPENSARY_INFO))
"""Types that people at a shop change: they lend each other the shape of the day."""
OPEN_HOURS = tuple(1.4 if 18 <= i < 42 else 0.45 for i in range(48))
"""Before anything is known, a shop's people work from 9 to 21 h."""


class Observation(Protocol):
    """One call to a source, as the lifetime model defines it (`docs/ttl-judging.md`)."""

    @property
    def key(self) -> str: ...

    @property
    def dtype(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def tz(self) -> float: ...

    @property
    def weight(self) -> float: ...

    @property
    def now(self) -> float: ...

    @property
    def prev(self) -> float | None: ...

    @property
    def ok(self) -> bool: ...

    @property
    def changed(self) -> bool | None: ...

    @property
    def last_modified(self) -> float | None: ...

    @property
    def n_req(self) -> int: ...


class KeyBelief:
    """What is known of one key.

    Bounds: about 0.6 KB with its name, without schedule and plan; the learner bounds how many there are.

    Args:
        like: likelihood of its change rate on the grid.
        change_rate: expected, a day; ``request_rate`` likewise.
        requests, watched_days: of its demand, fading; days of the demand clock.
        asked_at: Unix seconds of the last call, failed ones included; ``fetched_at``: of the last that succeeded.
        failing_since: Unix seconds of the first of the calls that fail now.
        looks, changes: how often it was compared, how often it differed.
    """

    __slots__ = (
        "asked_at", "change_rate", "changes", "data_type", "failing_since", "fetched_at", "like", "looks",
        "request_rate", "requests", "source", "tz", "watched_days",
    )  # fmt: skip

    def __init__(self, data_type: str, source: str, tz: float) -> None:
        self.data_type = data_type
        self.source = source
        self.tz = tz
        self.like: array[float] = flat()
        self.change_rate = 0.0
        self.request_rate = 0.0
        self.requests = 0.0
        self.watched_days = 0.0
        self.asked_at: float | None = None
        self.fetched_at: float | None = None
        self.failing_since: float | None = None
        self.looks = 0
        self.changes = 0

    def learn_demand(self, prior_rate: float) -> None:
        """Set the expected requests a day from what was counted and the type's mean."""
        self.request_rate = (1.0 + self.requests) / (1.0 / prior_rate + self.watched_days)


class TypeBelief:
    """What the keys of one data type share.

    Args:
        scheduled: share of its keys that have a daily schedule; 0: none is searched for.
        sample: its keys looked at last.
        next_refresh, next_shape, next_pool: Unix seconds before which nothing is learnt anew.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.prior = RatePrior(_base(name))
        self.week = WeekShape()
        self.scheduled = _SCHEDULED.get(name, 0.0)
        self.starts: StartPrior = PLAIN
        self.sample: OrderedDict[str, KeyBelief] = OrderedDict()
        self.requests = 0.0
        self.watched_days = 0.0
        self.next_refresh: float | None = None
        self.next_shape = 0.0
        self.next_pool = 0.0

    @property
    def prior_schedule(self) -> float:
        """Return the share of scheduled keys assumed at the start."""
        return _SCHEDULED.get(self.name, 0.0)

    @property
    def requests_per_day(self) -> float:
        """Return the mean requests a day of a key of this type."""
        return (self.requests + 1.0) / (self.watched_days + 1.0 / _REQUESTS_PER_DAY)

    def count(self, requests: float, days: float) -> None:
        """Take in how often a key was asked for within ``days`` of the demand clock."""
        self.requests = self.requests * _FADE + requests
        self.watched_days = self.watched_days * _FADE + days

    def touch(self, key: str, belief: KeyBelief) -> None:
        """Keep ``belief`` in the sample of keys."""
        self.sample[key] = belief
        self.sample.move_to_end(key)
        if len(self.sample) > SAMPLE_KEYS:
            self.sample.popitem(last=False)


def _base(name: str) -> float:
    known = _BACKGROUND.get(name)
    if known is not None:
        return known
    try:
        return CHANGES_PER_DAY[DataType(name)]
    except ValueError:
        return _UNKNOWN_TYPE

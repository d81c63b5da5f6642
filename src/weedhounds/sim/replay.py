"""Replay a trace through a read-through cache whose lifetimes a policy decides. Pure.

The rules: a request before expiry is served the copy held; the first request at or after expiry
calls the source and is served the new copy. Nothing is called without a request. A copy is stale
from the first change after its fetch. A call that fails leaves the old copy in service until the
next try; where there is none, the requests go without an answer and count as stale.

Counted is what happens from ``warmup_days`` after the trace's first midnight on.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import msgspec

from weedhounds.errors import ConfigError
from weedhounds.model.datatypes import DataType
from weedhounds.sim.trace import DAY_S, Item, Outage, Trace
from weedhounds.ttl.bound import bound

WARMUP_DAYS = 7.0
_NEVER = math.inf


class Observation(msgspec.Struct):
    """What a policy sees of one call to a source.

    Args:
        tz: local time of the source minus UTC, seconds.
        weight: price of one stale serve of this key.
        now: Unix seconds of this call; ``prev``: of the previous that succeeded (``None``: first).
        changed: the body differs from the previous that succeeded (``None``: first, or failed).
        last_modified: Unix seconds, where the source tells it.
        n_req: requests since the previous call, this one included.
        n_fetch: calls of this key, this one included.
        prev_ttl: the previous answer.
        state: a dict kept for this key.
    """

    key: str
    dtype: str
    source: str
    tz: float
    weight: float
    now: float
    prev: float | None
    ok: bool
    changed: bool | None
    last_modified: float | None
    n_req: int
    n_fetch: int
    prev_ttl: float | None
    state: dict[str, object]


Policy = Callable[[Observation], float]
"""Answers the lifetime, seconds: a finite or infinite number >= 0."""


@runtime_checkable
class TellsStaleness(Protocol):
    """A policy that can say how likely the copy that it decided on is stale by now."""

    def stale_probability(self, key: str, now: float) -> float:
        """Return the probability, 0..1, that the copy of ``key`` is stale at ``now``; change nothing."""
        ...


class Tally(msgspec.Struct):
    """What was counted of some keys.

    Args:
        calls: to the sources, failed ones included.
        useful_calls: those that brought a first body or another one.
        stale: serves of a stale copy, and requests that got no answer.
        stale_weight: the same, each times its key's weight.
        staleness_s: sum over the serves of the time since the first change that the copy lacks.
        unserved: requests without any copy to serve.
    """

    requests: int = 0
    calls: int = 0
    failed_calls: int = 0
    useful_calls: int = 0
    stale: int = 0
    stale_weight: float = 0.0
    staleness_s: float = 0.0
    unserved: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__struct_fields__))

    def cost(self, price: float) -> float:
        """Return J = (price x calls + weights of the stale serves) / requests."""
        return (price * self.calls + self.stale_weight) / max(1, self.requests)

    @property
    def stale_fraction(self) -> float:
        """Return stale serves / requests."""
        return self.stale / max(1, self.requests)

    @property
    def hit_ratio(self) -> float:
        """Return the share of the requests that made no call."""
        return 1.0 - self.calls / max(1, self.requests)

    @property
    def useful_share(self) -> float:
        """Return useful calls / calls."""
        return self.useful_calls / max(1, self.calls)

    @property
    def mean_staleness_s(self) -> float:
        """Return the mean staleness age over all requests, seconds; a fresh serve counts as 0."""
        return self.staleness_s / max(1, self.requests)


class Outcome(msgspec.Struct, frozen=True):
    """What a replay came to: a tally for each data type that was asked for, and their sum.

    Args:
        told: (probability told, was stale) of every serve from a copy held, by data type; empty
            unless asked for.
    """

    total: Tally
    by_type: dict[DataType, Tally]
    told: dict[DataType, list[tuple[float, bool]]]


class _Held:
    """One key during a replay: its copy, and what is counted for its policy."""

    __slots__ = ("changes", "dtype", "expiry", "fetched", "item", "n_fetch", "n_req", "outages", "prev_ttl", "stale_at")

    def __init__(self, item: Item, changes: list[float], outages: list[Outage]) -> None:
        self.item = item
        self.dtype = item.dtype.value
        self.changes = changes
        self.outages = outages
        self.expiry = -_NEVER
        self.stale_at = _NEVER
        self.fetched: float | None = None
        self.prev_ttl: float | None = None
        self.n_req = self.n_fetch = 0

    def fails_at(self, now: float) -> bool:
        return any(outage.since <= now < outage.until for outage in self.outages)

    def next_change(self, after: float) -> float:
        at = bisect_right(self.changes, after)
        return self.changes[at] if at < len(self.changes) else _NEVER

    def last_change(self, now: float) -> float | None:
        at = bisect_right(self.changes, now)
        return self.changes[at - 1] if at else None


class _States:
    """The dicts of the keys; with a limit, those of the keys called longest ago are forgotten."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, dict[str, object]] = OrderedDict()

    def of(self, key: str) -> dict[str, object]:
        state = self._kept.get(key)
        if state is None:
            state = self._kept[key] = {}
            if self._limit is not None and len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        elif self._limit is not None:
            self._kept.move_to_end(key)
        return state


class ReplayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a trace is replayed.

    Args:
        is_bounded: keep every lifetime within its data type's least and greatest.
        asks_staleness: ask the policy at every serve from a copy how likely it is stale.
        tells_last_modified: sources tell the time of their last change.
        warmup_days: days that count nothing.
        state_limit: most keys whose ``state`` is kept; ``None``: all of the trace.
    """

    is_bounded: bool = False
    asks_staleness: bool = False
    tells_last_modified: bool = False
    warmup_days: float = WARMUP_DAYS
    state_limit: int | None = None


def replay(trace: Trace, policy: Policy, options: ReplayOptions | None = None) -> Outcome:
    """Replay ``trace`` under ``policy`` and count.

    Raises:
        ConfigError: the policy raised, or answered something that is no lifetime (or no
            probability); it names the call.

    Bounds: time in proportion to the requests; about 0.3 us each, and 1.5 us a call besides the policy's own.
    """
    options = options or ReplayOptions()
    return _Replay(trace, policy, options).run()


class _Replay:
    def __init__(self, trace: Trace, policy: Policy, options: ReplayOptions) -> None:
        self._trace = trace
        self._policy = policy
        self._options = options
        self._states = _States(options.state_limit)
        self._held = [
            _Held(item, changes, trace.outages.get(item.source, []))
            for item, changes in zip(trace.items, trace.changes, strict=True)
        ]
        self._calls = 0
        self._ask: Callable[[str, float], float] | None = None
        if options.asks_staleness and isinstance(policy, TellsStaleness):
            self._ask = policy.stale_probability

    def run(self) -> Outcome:
        """Go through the requests in time order."""
        tallies = {item.dtype: Tally() for item in self._trace.items}
        told: dict[DataType, list[tuple[float, bool]]] = {data_type: [] for data_type in tallies} if self._ask else {}
        tally_of = [tallies[item.dtype] for item in self._trace.items]
        counted_from = self._trace.start + self._options.warmup_days * DAY_S
        for now, at in zip(self._trace.request_times, self._trace.request_keys, strict=True):
            held = self._held[at]
            held.n_req += 1
            is_call = now >= held.expiry
            if is_call:
                ok, is_useful = self._call(held, now)
            if now < counted_from:
                continue
            tally = tally_of[at]
            tally.requests += 1
            if is_call:
                tally.calls += 1
                tally.failed_calls += not ok
                tally.useful_calls += is_useful
                if ok:
                    continue
            if held.fetched is None:
                tally.unserved += 1
            is_stale = now >= held.stale_at
            if is_stale or held.fetched is None:
                tally.stale += 1
                tally.stale_weight += held.item.weight
            if is_stale:
                tally.staleness_s += now - held.stale_at
            if self._ask is not None and held.fetched is not None:
                told[held.item.dtype].append((self._probability(held, now), is_stale))
        return Outcome(sum(tallies.values(), Tally()), {t: c for t, c in tallies.items() if c.requests}, told)

    def _call(self, held: _Held, now: float) -> tuple[bool, bool]:
        """Call the source; return whether it succeeded and whether it brought anything new."""
        ok = not held.outages or not held.fails_at(now)
        changed = None if held.fetched is None or not ok else now >= held.stale_at
        held.n_fetch += 1
        item = held.item
        obs = Observation(
            item.key,
            held.dtype,
            item.source,
            item.tz,
            item.weight,
            now,
            held.fetched,
            ok,
            changed,
            held.last_change(now) if ok and self._options.tells_last_modified else None,
            held.n_req,
            held.n_fetch,
            held.prev_ttl,
            self._states.of(item.key),
        )
        is_useful = ok and changed is not False
        if ok:
            held.fetched = now
            held.stale_at = held.next_change(now)
        held.n_req = 0
        ttl = held.prev_ttl = self._lifetime(obs)
        if self._options.is_bounded and ok:
            ttl = bound(item.dtype, ttl)
        held.expiry = now + ttl
        return ok, is_useful

    def _lifetime(self, obs: Observation) -> float:
        self._calls += 1
        try:
            ttl = float(self._policy(obs))
        except Exception as error:
            raise self._failed(obs.key, obs.now, f"raised {type(error).__name__}: {error}") from error
        if not ttl >= 0.0:
            raise self._failed(obs.key, obs.now, f"answered {ttl!r}, expected seconds >= 0")
        return ttl

    def _probability(self, held: _Held, now: float) -> float:
        assert self._ask is not None
        try:
            p = float(self._ask(held.item.key, now))
        except Exception as error:
            why = f"raised {type(error).__name__} in stale_probability: {error}"
            raise self._failed(held.item.key, now, why) from error
        if not 0.0 <= p <= 1.0:
            raise self._failed(held.item.key, now, f"told the stale probability {p!r}, expected 0..1")
        return p

    def _failed(self, key: str, now: float, why: str) -> ConfigError:
        return ConfigError(f"call {self._calls} (key {key}, t {now:.3f}): the policy {why}", key=key)

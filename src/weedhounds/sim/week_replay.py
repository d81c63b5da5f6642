"""Replay a trace group by group: what one call fills is fetched together, and only calls are visited. Pure.

For policies that keep nothing beyond a group's keys, this counts what :mod:`weedhounds.sim.replay`
counts, in time proportional to the calls instead of the requests; and what a policy has worked out for
one group can be let go of before the next. The oracle of a city's week would not fit into memory otherwise.
Outages are left out: a city's week has none.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from weedhounds.model.datatypes import DataType
from weedhounds.sim.replay import Observation, Policy, Tally
from weedhounds.sim.trace import Item, Trace
from weedhounds.sim.week_lists import Groups
from weedhounds.ttl.bound import bound

PolicyOf = Callable[[Sequence[int]], Policy]
"""Makes the policy of a group, given the places of its keys in the trace."""
Progress = Callable[[int, int], None]


class Timeline:
    """A trace's requests by key, and how it is counted.

    Args:
        groups: what one call fills together.
        since: requests count from then on, Unix seconds.

    Bounds: 8 bytes a request beside the trace.
    """

    def __init__(self, trace: Trace, groups: Groups, since: float) -> None:
        self.trace = trace
        self.groups = groups
        self.since = since
        self.requests: list[list[float]] = [[] for _ in trace.items]
        for t, i in zip(trace.request_times, trace.request_keys, strict=True):
            self.requests[i].append(t)
        self.counted = sum(len(own) - bisect_left(own, since) for own in self.requests)


def replay_groups(
    timeline: Timeline, policy_of: PolicyOf, *, is_bounded: bool = False, progress: Progress | None = None
) -> dict[DataType, Tally]:
    """Replay every group under its own policy and return what was counted, by data type.

    Args:
        is_bounded: keep every lifetime within its data type's least and greatest.
    """
    tallies: dict[DataType, Tally] = {}
    for done, group in enumerate(timeline.groups):
        if progress is not None:
            progress(done, len(timeline.groups))
        for data_type, tally in _Group(timeline, group, policy_of(group), is_bounded=is_bounded).run():
            tallies[data_type] = tallies.get(data_type, Tally()) + tally
    return tallies


class _Copy:
    """One key of a group: its times, its copy, what is counted."""

    __slots__ = ("asked", "at", "changes", "expiry", "fetched", "item", "n_fetch", "prev_ttl", "requests", "state", "tally")  # fmt: skip

    def __init__(self, item: Item, requests: list[float], changes: list[float]) -> None:
        self.item = item
        self.requests = requests
        self.changes = changes
        self.expiry = -math.inf
        self.fetched: float | None = None
        self.at = self.asked = self.n_fetch = 0
        self.prev_ttl: float | None = None
        self.state: dict[str, object] = {}
        self.tally = Tally()

    def next_call(self) -> float:
        """Return the first request at or after expiry among those not yet served."""
        at = bisect_left(self.requests, self.expiry, self.at)
        return self.requests[at] if at < len(self.requests) else math.inf

    def serve(self, until: float, since: float, *, is_inclusive: bool) -> None:
        """Count the requests up to ``until``, served from the copy held."""
        end = (bisect_right if is_inclusive else bisect_left)(self.requests, until, self.at)
        first = max(self.at, bisect_left(self.requests, since, self.at, end))
        self.tally.requests += max(0, end - first)
        stale_from = bisect_left(self.requests, self.stale_at(), first, end) if first < end else end
        if stale_from < end:
            self.tally.stale += end - stale_from
            self.tally.stale_weight += self.item.weight * (end - stale_from)
            stale_at = self.stale_at()
            self.tally.staleness_s += sum(t - stale_at for t in self.requests[stale_from:end])
        self.asked += end - self.at
        self.at = end

    def stale_at(self) -> float:
        """Return the time of the first change that the copy lacks."""
        if self.fetched is None:
            return math.inf
        at = bisect_right(self.changes, self.fetched)
        return self.changes[at] if at < len(self.changes) else math.inf

    def fetch(self, now: float, policy: Policy, *, is_bounded: bool) -> bool:
        """Take a new copy; tell whether it brought anything new."""
        is_changed = None if self.fetched is None else now >= self.stale_at()
        self.n_fetch += 1
        item = self.item
        obs = Observation(
            item.key,
            item.dtype.value,
            item.source,
            item.tz,
            item.weight,
            now,
            self.fetched,
            True,
            is_changed,
            None,
            self.asked,
            self.n_fetch,
            self.prev_ttl,
            self.state,
        )
        self.fetched, self.asked = now, 0
        lifetime = self.prev_ttl = float(policy(obs))
        self.expiry = now + (bound(item.dtype, lifetime) if is_bounded else lifetime)
        return is_changed is not False


class _Group:
    def __init__(self, timeline: Timeline, group: Sequence[int], policy: Policy, *, is_bounded: bool) -> None:
        trace = timeline.trace
        self._copies = [_Copy(trace.items[i], timeline.requests[i], trace.changes[i]) for i in group]
        self._policy = policy
        self._since = timeline.since
        self._is_bounded = is_bounded

    def run(self) -> list[tuple[DataType, Tally]]:
        """Go from call to call."""
        copies = self._copies
        while True:
            caller = min(copies, key=_Copy.next_call)
            now = caller.next_call()
            if now == math.inf:
                break
            for copy in copies:  # a request at this very moment is served the old copy while that is fresh
                copy.serve(now, self._since, is_inclusive=copy.expiry > now)
            self._call(caller, now)
        for copy in copies:
            copy.serve(math.inf, self._since, is_inclusive=True)
        return [(copy.item.dtype, copy.tally) for copy in copies]

    def _call(self, caller: _Copy, now: float) -> None:
        """Call the origin for ``caller``: every key of the group is filled."""
        caller.asked += 1
        caller.at += 1
        is_useful = False
        for copy in self._copies:
            is_useful |= copy.fetch(now, self._policy, is_bounded=self._is_bounded)
        if now >= self._since:
            caller.tally.requests += 1
            caller.tally.calls += 1
            caller.tally.useful_calls += is_useful

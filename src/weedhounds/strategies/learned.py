"""The strategy ``intelligent``: learns how the tiers do for each group of keys, and takes the cheapest plan.

What is learnt of a group rests on all groups as long as little is known of it. A tier that the plan
does not reach is asked now and then all the same, beside the tier that is, so that nobody waits for
the curiosity: a probe. When answers change suddenly, what was learnt before is dropped and the probes
come sooner.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf

import msgspec

from weedhounds.strategies.base import ORIGIN, PEERS, Group, Plan, Step, TierSeen
from weedhounds.strategies.costs import QUICK_S, Belief, Planned, TierView, best_plan
from weedhounds.strategies.estimates import STREAK, Hits, Latency, Points

MAX_GROUPS = 256
"""Groups that are remembered, the latest asked; there are eight data types for each origin."""
REPLAN_AFTER = 16
REPLAN_S = 5.0
"""Answers, and seconds, after which a plan is made anew."""
ALIKE = 8.0
"""For how many keys of its own what is known of other cases stands in a case that is little known."""
OUTDATED = 4.0
"""How much faster what is known of a case is forgotten while the tier is seen in other cases than in its own."""
KNOWN = STREAK
"""Latencies of a group below which those of all groups stand for it."""
PROBE_AFTER = 16
PROBE_AT_MOST = 64
"""Requests of a group between two probes of a tier: doubled with each, until answers change."""
PROBE_WORTH_S = 0.005
"""What a tier could save at best for a probe of it to be worth a question."""
PROBE_SHARE = 0.1
"""The longest that a probe may keep from the origin, as a share of what going there costs."""
MISSED_S = 5.0
"""What a key that nobody has is taken to cost: the default deadline of a hunt, waited for in vain."""

UNKNOWN_S: Mapping[str, float] = {"memory": 0.000_02, "sql": 0.002, PEERS: 0.05, ORIGIN: 0.5}
"""Latencies that are expected before any is known, seconds; of other tiers 0.01."""
UNKNOWN_BYTES = 4096.0

Missed = frozenset[str]


def unknown_s(tier: str) -> float:
    """Return the latency that is expected of a tier before any is known, seconds."""
    return UNKNOWN_S.get(tier, 0.01)


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be saved, in seconds of waiting.

    Args:
        call_s: what a call to the group's origin is worth; asked for anew with each plan.
        byte_s: what a byte from a peer is worth; 1e-7 where that takes as long on a line of 10 MB/s.
    """

    call_s: Callable[[Group], float]
    byte_s: float = 1e-7

    @classmethod
    def fixed(cls, call_s: float = 0.5, byte_s: float = 1e-7) -> Prices:
        """Return prices that are the same for all origins."""
        return cls(call_s=lambda _: call_s, byte_s=byte_s)


class _Seen:
    """What has been seen of one group, or of all together."""

    __slots__ = ("hits", "latencies", "sizes")

    def __init__(self) -> None:
        self.hits: dict[tuple[str, Missed | None], Hits] = {}
        self.latencies: dict[str, Latency] = {}
        self.sizes: dict[str, float] = {}

    def take(self, seen: TierSeen) -> bool:
        """Take note of an answer; tell whether something has changed."""
        latency = self.latencies.setdefault(seen.tier, Latency())
        if seen.outcome == "cancelled":
            return latency.at_least(seen.latency_s, unknown_s(seen.tier))
        has_changed = latency.observe(seen.latency_s)
        missed = frozenset(seen.missed)
        self.hits.setdefault((seen.tier, missed), Hits())
        self.hits.setdefault((seen.tier, None), Hits())
        has_changed |= self.hits[seen.tier, missed].observe(seen.fresh, seen.asked)
        self.hits[seen.tier, None].observe(seen.fresh, seen.asked)
        for (tier, others), hits in self.hits.items():
            if tier == seen.tier and others not in (missed, None):
                hits.fade(inf if has_changed else OUTDATED * seen.asked)
        if seen.fresh:
            each, old = seen.size_bytes / seen.fresh, self.sizes.get(seen.tier)
            self.sizes[seen.tier] = each if old is None else old + 0.1 * (each - old)
        return has_changed


class _Group(_Seen):
    """One group, with its plan."""

    __slots__ = ("answers", "last_seen", "planned", "planned_at", "probe_after", "requests", "tiers")

    def __init__(self) -> None:
        super().__init__()
        self.planned = Planned(Plan(()), inf)
        self.planned_at = -inf
        self.tiers: tuple[str, ...] = ()
        self.answers = 0
        self.requests = 0
        self.last_seen: dict[str, int] = {}
        self.probe_after: dict[str, int] = {}


class Learned:
    """Learns, and plans for the least expected cost.

    Bounds: ``MAX_GROUPS`` groups of a few kilobytes each.
    """

    name = "intelligent"
    is_learning = True

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._groups: OrderedDict[Group, _Group] = OrderedDict()
        self._all = _Seen()

    def plan(self, group: Group, tiers: Sequence[str], now: float) -> Plan:
        """Return the cheapest plan, or that with a probe."""
        own = self._group(group)
        own.requests += 1
        if own.tiers != tuple(tiers) or own.answers >= REPLAN_AFTER or now - own.planned_at > REPLAN_S:
            self._replan(group, own, tiers, now)
        probe = self._to_probe(group, own)
        if probe is None:
            return own.planned.plan
        own.last_seen[probe] = own.requests
        own.probe_after[probe] = min(2 * own.probe_after.get(probe, PROBE_AFTER), PROBE_AT_MOST)
        return self._with_probe(group, own, probe)

    def learn(self, group: Group, seen: TierSeen, now: float) -> None:
        """Take note of an answer."""
        own = self._group(group)
        own.answers += 1
        if seen.outcome != "cancelled":
            own.last_seen[seen.tier] = own.requests
        self._all.take(seen)
        if own.take(seen):
            own.planned_at = -inf
            own.probe_after.clear()

    def planned(self, group: Group) -> Planned | None:
        """Return the plan made last for a group, without probes; ``None`` where there is none."""
        own = self._groups.get(group)
        return own.planned if own is not None and own.tiers else None

    def _group(self, group: Group) -> _Group:
        own = self._groups.get(group)
        if own is None:
            own = self._groups[group] = _Group()
            if len(self._groups) > MAX_GROUPS:
                self._groups.popitem(last=False)
        self._groups.move_to_end(group)
        return own

    def _replan(self, group: Group, own: _Group, tiers: Sequence[str], now: float) -> None:
        views = [TierView(tier, self._points(own, tier), self._bill_s(own, tier)) for tier in tiers]
        own.planned = best_plan(views, partial(self._chance, own), self._origin_s(group, own))
        own.planned_at = now
        own.tiers = tuple(tiers)
        own.answers = 0

    def _chance(self, own: _Group, tier: str, missed: Missed) -> Belief:
        """Return how likely a tier has a key fresh which others have missed."""
        share, weight = 0.5, 0.0
        for hits in (
            self._all.hits.get((tier, None)),
            self._all.hits.get((tier, missed)),
            own.hits.get((tier, missed)),
        ):
            if hits is not None:
                share, weight = hits.mean(share, ALIKE), hits.weight
        return Belief(share, weight)

    def _points(self, own: _Group, tier: str) -> Points:
        for seen in (own, self._all):
            latency = seen.latencies.get(tier)
            if latency is not None and len(latency) >= KNOWN:
                return latency.points()
        return ((1.0, unknown_s(tier)),)

    def _mean_s(self, own: _Group, tier: str) -> float:
        return sum(weight * latency for weight, latency in self._points(own, tier))

    def _bill_s(self, own: _Group, tier: str) -> float:
        if tier != PEERS:
            return 0.0
        return self._prices.byte_s * own.sizes.get(tier, self._all.sizes.get(tier, UNKNOWN_BYTES))

    def _origin_s(self, group: Group, own: _Group) -> float:
        """Return what going to the origin costs: the wait, the price, and the chance to come back with nothing."""
        fails = 1.0 - self._chance(own, ORIGIN, frozenset()).share if (ORIGIN, None) in self._all.hits else 0.0
        return self._mean_s(own, ORIGIN) + self._prices.call_s(group) + fails * MISSED_S

    def _to_probe(self, group: Group, own: _Group) -> str | None:
        """Return the tier that has not been heard of for longest, if it could be worth something."""
        silent = {tier: own.requests - own.last_seen.get(tier, 0) for tier in own.tiers}
        quiet = [(n, tier) for tier, n in silent.items() if n >= own.probe_after.get(tier, PROBE_AFTER)]
        worth = [tier for _, tier in sorted(quiet, reverse=True) if self._could_save_s(own, tier) > PROBE_WORTH_S]
        return worth[0] if worth else None

    def _could_save_s(self, own: _Group, tier: str) -> float:
        """Return what a tier would save if it had everything at once: the steps before it, or all."""
        saved = 0.0
        for step in own.planned.plan.steps:
            if step.tier == tier:
                return saved
            saved += self._mean_s(own, step.tier)
        return own.planned.cost_s - self._bill_s(own, tier)

    def _with_probe(self, group: Group, own: _Group, probe: str) -> Plan:
        """Return the plan with a tier asked beside the first that takes time."""
        steps, origin_after_s = own.planned.plan
        others = [step for step in steps if step.tier != probe]
        quick = [step for step in others if self._mean_s(own, step.tier) < QUICK_S]
        slow = [step for step in others if step not in quick]
        if not slow:
            return Plan((*quick, Step(probe)), PROBE_SHARE * self._origin_s(group, own))
        return Plan((*quick, Step(probe), slow[0]._replace(after_s=0.0), *slow[1:]), origin_after_s)

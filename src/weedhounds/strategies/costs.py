"""The plan of least expected cost, given what is known of the tiers. Pure.

Cost is in seconds: the wait, plus what an origin call and a peer's bytes are said to be worth. For
each set of tiers that may have missed already, the best way on is the origin, or the tier whose
expected cost is least; so the whole order comes out of one pass backwards over the sets. A step may
begin before the one before it has answered (a hedge), where the tail of that one's latency costs more
than the second question does.

Source: for one tier after the other this is Weitzman's search (Econometrica 47, 1979): order by
latency per probability of a hit, and stop where the origin is cheaper; the sets also allow
probabilities that depend on who has missed. Tiers that answer at once come first in any case, so that
the others are only ever known, and judged, by the keys that those do not have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple

from weedhounds.strategies.base import Plan, Step
from weedhounds.strategies.estimates import Points

MAX_TIERS = 5
"""Tiers that are weighed; a further one is not asked. The work doubles with each."""
QUICK_S = 0.002
"""What answers as fast is asked before all others, and waited for: what it may save needs no weighing."""
QUESTION_S = 0.001
"""What a question is taken to cost that is asked before it is known to be needed: somebody has to answer it."""
_DOUBT = 4.0
"""Weight of a belief that rests on nothing of its own: it was derived from other cases."""


class Belief(NamedTuple):
    """The probability of a hit, 0..1, and how many keys it rests on."""

    share: float
    weight: float


Chance = Callable[[str, frozenset[str]], Belief]
"""What is believed of a tier, given which tiers have missed the key."""


class TierView(NamedTuple):
    """What is expected of a tier.

    Args:
        points: its latency.
        bill_s: what a hit costs besides the wait, in seconds.
    """

    name: str
    points: Points
    bill_s: float = 0.0

    @property
    def mean_s(self) -> float:
        """Return the mean latency, seconds."""
        return sum(weight * latency for weight, latency in self.points)


class Planned(NamedTuple):
    """A plan and what a key that no quick tier has is expected to cost with it, seconds."""

    plan: Plan
    cost_s: float


class _Choice(NamedTuple):
    """The best way on: ask ``first`` (``None``: the origin), and ``then`` at the latest ``after_s`` seconds later."""

    cost_s: float
    first: int | None = None
    then: int | None = None
    after_s: float = inf


def best_plan(tiers: Sequence[TierView], chance: Chance, origin_s: float) -> Planned:
    """Return the cheapest plan.

    Args:
        tiers: in any order.
        origin_s: what going to the origin costs, all told, seconds.
    """
    quick = [tier for tier in tiers if tier.mean_s < QUICK_S]
    slow = [tier for tier in tiers if tier.mean_s >= QUICK_S][:MAX_TIERS]
    weighing = _Weighing(slow, _misses(slow, frozenset(tier.name for tier in quick), chance), origin_s)
    best = weighing.best()
    steps = [Step(tier.name) for tier in quick]
    missed, after_s, first = 0, inf, best[0].first
    while first is not None:
        choice = best[missed]
        is_second = choice.first != first  # the other of a pair is on its way already
        steps.append(Step(slow[first].name, after_s))
        missed |= 1 << first
        follows = best[missed]
        after_s, first = (inf, follows.first) if is_second else (choice.after_s, choice.then)
    return Planned(Plan(tuple(steps), after_s), best[0].cost_s)


def _misses(tiers: Sequence[TierView], always: frozenset[str], chance: Chance) -> list[float]:
    """Return for each set of tiers the probability that all of them miss.

    A set can be reached in several orders, and what is believed along them need not agree: the mean
    counts each by what it rests on. Otherwise one order would seem better than another for what is not
    known of it.
    """
    none = [1.0] * (1 << len(tiers))
    weights = [inf] * len(none)
    for missed in range(1, len(none)):
        ways = []
        for n, tier in enumerate(tiers):
            if missed >> n & 1:
                before = missed & ~(1 << n)
                names = always.union(t.name for k, t in enumerate(tiers) if before >> k & 1)
                belief = chance(tier.name, names)
                ways.append((min(weights[before], belief.weight + _DOUBT), none[before] * (1.0 - belief.share)))
        weights[missed] = sum(weight for weight, _ in ways)
        none[missed] = sum(weight * share for weight, share in ways) / weights[missed]
    return none


class _Weighing:
    """Finds the best way on from every set of slow tiers that may have missed."""

    def __init__(self, tiers: Sequence[TierView], none: Sequence[float], origin_s: float) -> None:
        self._tiers = tiers
        self._none = none
        self._origin_s = origin_s
        self._best = [_Choice(origin_s)] * len(none)

    def best(self) -> list[_Choice]:
        """Return the best way on by the set of tiers that have missed, as bits."""
        for missed in reversed(range(len(self._best) - 1)):  # sets before their subsets
            for first in range(len(self._tiers)):
                if not missed >> first & 1:
                    choice = self._asking(first, missed)
                    if choice.cost_s < self._best[missed].cost_s:
                        self._best[missed] = choice
        return self._best

    def _hit(self, tier: int, missed: int) -> float:
        """Return the probability that a tier has what others missed."""
        none = self._none[missed]
        return min(1.0, max(0.0, 1.0 - self._none[missed | 1 << tier] / none)) if none > 0 else 0.0

    def _asking(self, first: int, missed: int) -> _Choice:
        """Return what it costs to ask ``first`` now, and when it is best to go on without its answer."""
        tier, hit, after = self._tiers[first], self._hit(first, missed), self._best[missed | 1 << first]
        further_s = hit * tier.bill_s + (1.0 - hit) * after.cost_s
        patient = _Choice(tier.mean_s + further_s, first, after.first)
        moments = [1.1 * latency for _, latency in tier.points[:-1]]
        if after.first is None:
            ways = [_Choice(_cut(tier, d, further_s, self._origin_s), first, None, d) for d in moments]
        else:
            pair = self._pair(first, after.first, missed)
            ways = [_Choice(_hedged(pair, d, further_s), first, after.first, d) for d in moments]
        for other, tried in enumerate(self._tiers):
            if not (missed | 1 << first) >> other & 1 and tried.mean_s >= tier.mean_s:
                ways.append(_Choice(_hedged(self._pair(first, other, missed), 0.0, 0.0), first, other, 0.0))
        return min([patient, *ways], key=lambda way: way.cost_s)

    def _pair(self, first: int, other: int, missed: int) -> _Pair:
        both = missed | 1 << first | 1 << other
        hit, other_hit = self._hit(first, missed), self._hit(other, missed | 1 << first)
        return _Pair(self._tiers[first], self._tiers[other], hit, other_hit, self._best[both].cost_s)


class _Pair(NamedTuple):
    """Two tiers that are asked together: ``other_hit`` where the first misses; the cost after both have."""

    tier: TierView
    other: TierView
    hit: float
    other_hit: float
    after_both_s: float


def _cut(tier: TierView, at_s: float, further_s: float, origin_s: float) -> float:
    """Return the cost of going to the origin where there is no answer at ``at_s``."""
    return sum(weight * (s + further_s if s <= at_s else at_s + origin_s) for weight, s in tier.points)


def _hedged(pair: _Pair, at_s: float, further_s: float) -> float:
    """Return the cost of asking the other tier too where there is no answer at ``at_s``."""
    return sum(weight * (s + further_s if s <= at_s else _both(s, at_s, pair)) for weight, s in pair.tier.points)


def _both(s: float, at_s: float, pair: _Pair) -> float:
    """Return the cost where the first answers after ``s`` seconds, and the other is asked after ``at_s``."""
    p, q, bill_s, other_bill_s = pair.hit, pair.other_hit, pair.tier.bill_s, pair.other.bill_s
    total = QUESTION_S
    for weight, latency in pair.other.points:
        t = at_s + latency
        first_s = s + bill_s if s <= t else q * (t + other_bill_s) + (1 - q) * (s + bill_s)
        other_s = q * (t + other_bill_s) + (1 - q) * (max(s, t) + pair.after_both_s)
        total += weight * (p * first_s + (1 - p) * other_s)
    return total

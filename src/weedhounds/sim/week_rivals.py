"""What a node's week is compared with: fixed table, LM-factor, no cache, oracle, clairvoyant, on the same trace. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

from weedhounds.model.datatypes import DataType
from weedhounds.sim.bounds import Clairvoyant, clairvoyant
from weedhounds.sim.judge import fixed_table, scaled
from weedhounds.sim.oracle import Oracle
from weedhounds.sim.replay import Policy, Tally
from weedhounds.sim.rules import alex
from weedhounds.sim.trace import DAY_S
from weedhounds.sim.week_replay import Progress, Timeline, replay_groups
from weedhounds.sim.worlds import World

FIXED, LM_FACTOR, NO_CACHE, ORACLE = "fixed table", "LM-factor", "no cache", "oracle"
_MULTIPLIERS = tuple(2.0**step for step in range(-6, 4))
_STEPS = 5
"""After the multipliers above: to within 5 % of the best one."""
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """One that the node is compared with.

    Args:
        dial: the multiplier on its lifetimes, where that was searched for.
        curve: (calls, stale serves) of every multiplier tried.
    """

    name: str
    total: Tally
    by_type: dict[DataType, Tally] = {}
    dial: float | None = None
    curve: tuple[tuple[int, int], ...] = ()


def fixed_rival(timeline: Timeline, *, is_bounded: bool) -> Rival:
    """Return what the base lifetimes come to."""
    return _rival(FIXED, replay_groups(timeline, lambda _: fixed_table(), is_bounded=is_bounded))


def lm_factor_rival(timeline: Timeline, price: float, *, is_bounded: bool, progress: Progress | None = None) -> Rival:
    """Return what a share of the time since the last change comes to: the best share in hindsight at ``price``."""
    tried: dict[float, dict[DataType, Tally]] = {}

    def cost(multiplier: float) -> float:
        if multiplier not in tried:
            if progress is not None:
                progress(len(tried), len(_MULTIPLIERS) + _STEPS + 1)
            tried[multiplier] = replay_groups(timeline, _each(scaled(alex), multiplier), is_bounded=is_bounded)
        return _total(tried[multiplier]).cost(price)

    best = min(_MULTIPLIERS, key=cost)
    _narrow(cost, math.log(best / 2.0), math.log(best * 2.0))
    best = min(tried, key=cost)
    curve = tuple((total.calls, total.stale) for total in (_total(tried[each]) for each in sorted(tried)))
    return msgspec.structs.replace(_rival(LM_FACTOR, tried[best]), dial=best, curve=curve)


def no_cache_rival(timeline: Timeline) -> Rival:
    """Return what calling for every request comes to."""
    return Rival(name=NO_CACHE, total=Tally(requests=timeline.counted, calls=timeline.counted))


def oracle_rival(world: World, timeline: Timeline, price: float, *, progress: Progress | None = None) -> Rival:
    """Return what lifetimes come to that are the best for each key by itself, its rates known.

    Each group's keys are solved, replayed and let go of: all of a city's at once would take gigabytes.
    """

    def policy_of(group: Sequence[int]) -> Policy:
        truths = tuple(world.truths[i] for i in group)
        return Oracle(msgspec.structs.replace(world, truths=truths), price)

    return _rival(ORACLE, replay_groups(timeline, policy_of, progress=progress))


def bound_of(world: World, timeline: Timeline) -> Clairvoyant:
    """Return the clairvoyant's bound, who needs a call of its own for each version of each key."""
    return clairvoyant(timeline.trace, (timeline.since - world.trace.start) / DAY_S)


def _each(make: Callable[[float], Policy], dial: float) -> Callable[[Sequence[int]], Policy]:
    return lambda _: make(dial)


def _rival(name: str, by_type: dict[DataType, Tally]) -> Rival:
    return Rival(name=name, total=_total(by_type), by_type=by_type)


def _total(by_type: dict[DataType, Tally]) -> Tally:
    return sum(by_type.values(), Tally())


def _narrow(cost: Callable[[float], float], low: float, high: float) -> None:
    """Try multipliers between e^low and e^high, ever nearer to the least cost: golden section."""
    a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    for _ in range(_STEPS):
        if cost(math.exp(a)) <= cost(math.exp(b)):
            high, b, a = b, a, b - _GOLDEN * (b - low)
        else:
            low, a, b = a, b, a + _GOLDEN * (high - a)

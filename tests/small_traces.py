"""Small traces and policies for the tests of replays and judgements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from weedhounds.model.datatypes import DataType
from weedhounds.sim.replay import Observation, Policy, ReplayOptions
from weedhounds.sim.trace import Item, Outage, Trace

NO_WARMUP = ReplayOptions(warmup_days=0.0)

Times = Mapping[str, Sequence[float]]


def trace_of(changes: Times, requests: Times, *, weight: float = 1.0, outages: Sequence[Outage] = ()) -> Trace:
    """Return a trace of menus of one source."""
    keys = sorted({*changes, *requests})
    items = [Item(key, DataType.DISPENSARY_MENU, "shop", -3600.0, weight) for key in keys]
    return Trace(items, changes, requests, outages=outages)


def constant(ttl_s: float) -> Policy:
    """Return the policy that always answers ``ttl_s``."""
    return lambda obs: ttl_s


def recording(seen: list[Observation], answer: Callable[[Observation], float]) -> Policy:
    """Return a policy that keeps what it was shown."""

    def policy(obs: Observation) -> float:
        seen.append(obs)
        return answer(obs)

    return policy

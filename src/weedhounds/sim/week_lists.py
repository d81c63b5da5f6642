"""A world in which a shop's prices are one record: the keys of a node, where one call fills menu and prices. Pure.

The standard world has a key for each product's price. Origins tell all prices of a shop at once, and
a node keeps them as one list. The list changes whenever one of its prices does, and is asked for
whenever one of them is.
"""

from __future__ import annotations

from weedhounds.model.datatypes import DataType
from weedhounds.sim.profiles import STEP_S
from weedhounds.sim.specs import Spec
from weedhounds.sim.trace import DAY_S, Item, Trace
from weedhounds.sim.worlds import KeyTruth, World

Groups = tuple[tuple[int, ...], ...]
"""Places in a trace's items: what one call fills together. Every item stands in one group."""


def with_price_lists(world: World) -> World:
    """Return ``world`` with the prices of each store joined to one list."""
    stores: dict[str, list[KeyTruth]] = {}
    for truth in world.truths:
        if truth.item.dtype is DataType.PRODUCT_PRICING:
            stores.setdefault(truth.item.source, []).append(truth)
    lists = {source: _list_truth(world.spec, own) for source, own in stores.items()}
    names = {truth.item.key: lists[truth.item.source].item.key for own in stores.values() for truth in own}
    others = [truth for truth in world.truths if truth.item.key not in names]
    truths = (*others, *lists.values())
    changes, requests = _times(world.trace)
    joined = Trace(
        [truth.item for truth in truths],
        _joined(changes, names),
        _joined(requests, names),
        outages=[outage for own in world.trace.outages.values() for outage in own],
    )
    return World(world.spec, world.seed, truths, joined)


def apart(trace: Trace) -> Groups:
    """Return the groups of an origin that gives each record by a call of its own."""
    return tuple((i,) for i in range(len(trace.items)))


def menus_with_prices(trace: Trace) -> Groups:
    """Return the groups of an origin that gives a shop's menu and prices by one call."""
    kinds = (DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING)
    groups: dict[str, list[int]] = {}
    for i, item in enumerate(trace.items):
        groups.setdefault(item.source if item.dtype in kinds else f"only {item.key}", []).append(i)
    return tuple(map(tuple, groups.values()))


def _times(trace: Trace) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return changes and requests by key."""
    requests: list[list[float]] = [[] for _ in trace.items]
    for t, i in zip(trace.request_times, trace.request_keys, strict=True):
        requests[i].append(t)
    keys = [item.key for item in trace.items]
    return dict(zip(keys, trace.changes, strict=True)), dict(zip(keys, requests, strict=True))


def _joined(times: dict[str, list[float]], names: dict[str, str]) -> dict[str, list[float]]:
    """Return the times by key, those of joined keys together."""
    found: dict[str, list[float]] = {}
    for key, own in times.items():
        found.setdefault(names.get(key, key), []).extend(own)
    return {key: sorted(set(own)) for key, own in found.items()}


def _list_truth(spec: Spec, own: list[KeyTruth]) -> KeyTruth:
    """Return the truth of the list: rates add up; a repricing that touches several prices is one change."""
    first = own[0]
    touched = 1.0 - (1.0 - spec.repricings.share) ** len(own)
    store = first.item.key.split(":")[1]
    return KeyTruth(
        item=Item(f"price:{store}", first.item.dtype, first.item.source, first.item.tz, first.item.weight),
        change_rate=sum(truth.change_rate for truth in own),
        profile=first.profile,
        request_rate=sum(truth.request_rate for truth in own),
        demand=first.demand,
        steps=_added_steps(spec, own),
        steady_rate=spec.repricings.per_day * touched / DAY_S,
        jobs=tuple(job for truth in own for job in truth.jobs),
    )


def _added_steps(spec: Spec, own: list[KeyTruth]) -> tuple[tuple[float, float], ...]:
    """Return when the sum of the rates changes, and by which factor; moments in one step of the grid are one."""
    rates = [truth.change_rate for truth in own]
    events = sorted((at, i, factor) for i, truth in enumerate(own) for at, factor in truth.steps)
    steps: dict[int, tuple[float, float]] = {}
    for at, i, factor in events:
        before = sum(rates)
        rates[i] *= factor
        mark = round((at - spec.start) / STEP_S)
        since, so_far = steps.get(mark, (at, 1.0))
        steps[mark] = (since, so_far * sum(rates) / before)
    return tuple(steps.values())


def key_count(trace: Trace) -> dict[str, int]:
    """Return how many keys there are of each data type."""
    counts: dict[str, int] = {}
    for item in trace.items:
        counts[item.dtype.value] = counts.get(item.dtype.value, 0) + 1
    return counts

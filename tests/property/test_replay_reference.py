"""The replay against the rules of the model written down as plainly as can be."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from weedhounds.model.datatypes import LIFETIMES, DataType
from weedhounds.sim.replay import Observation, ReplayOptions, replay
from weedhounds.sim.trace import Item, Outage, Trace

KEYS = ("a", "b", "c")
SECONDS = st.integers(0, 60).map(float)
TIMES = st.dictionaries(st.sampled_from(KEYS), st.lists(SECONDS, max_size=30), max_size=3)
OUTAGES = st.lists(st.tuples(st.sampled_from(("s0", "s1")), SECONDS, SECONDS), max_size=3)


def answer(obs: Observation) -> float:
    """Answer lifetimes that depend on all that may be seen."""
    seen = (obs.key, obs.now, obs.prev, obs.ok, obs.changed, obs.last_modified, obs.n_req, obs.n_fetch, obs.prev_ttl)
    return float(sum(map(ord, repr(seen))) % 17)


def plain(trace: Trace, *, warmup_s: float) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Replay by looking at every change at every request."""
    count = dict.fromkeys(
        ("requests", "calls", "failed_calls", "useful_calls", "stale", "stale_weight", "staleness_s", "unserved"), 0.0
    )
    shown = []
    held: dict[int, dict[str, Any]] = {}
    for now, at in zip(trace.request_times, trace.request_keys, strict=True):
        item, changes = trace.items[at], trace.changes[at]
        key = held.setdefault(at, {"expiry": None, "fetched": None, "n_req": 0, "n_fetch": 0, "ttl": None})
        key["n_req"] += 1
        is_call = key["expiry"] is None or now >= key["expiry"]
        useful = ok = False
        if is_call:
            ok = not any(o.since <= now < o.until for o in trace.outages.get(item.source, []))
            changed = None
            if ok and key["fetched"] is not None:
                changed = any(key["fetched"] < c <= now for c in changes)
            key["n_fetch"] += 1
            past = [c for c in changes if c <= now]
            seen: dict[str, Any] = {
                "key": item.key,
                "now": now,
                "prev": key["fetched"],
                "ok": ok,
                "changed": changed,
                "last_modified": past[-1] if past and ok else None,
                "n_req": key["n_req"],
                "n_fetch": key["n_fetch"],
                "prev_ttl": key["ttl"],
            }
            shown.append(seen)
            useful = ok and changed is not False
            obs = Observation(
                dtype=item.dtype.value, source=item.source, tz=item.tz, weight=item.weight, state={}, **seen
            )
            key["ttl"] = answer(obs)
            key["expiry"] = now + key["ttl"]
            key["n_req"] = 0
            if ok:
                key["fetched"] = now
        if now < trace.start + warmup_s:
            continue
        count["requests"] += 1
        count["calls"] += is_call
        count["failed_calls"] += is_call and not ok
        count["useful_calls"] += useful
        lacking = [c for c in changes if key["fetched"] is not None and key["fetched"] < c <= now]
        count["unserved"] += key["fetched"] is None
        if lacking or key["fetched"] is None:
            count["stale"] += 1
            count["stale_weight"] += item.weight
        count["staleness_s"] += now - lacking[0] if lacking else 0.0
    return count, shown


@given(changes=TIMES, requests=TIMES, outages=OUTAGES, weight=st.sampled_from((1.0, 0.5)), warmup_s=SECONDS)
@settings(max_examples=150)
def test_the_replay_agrees_with_the_plain_rules(
    changes: dict[str, list[float]],
    requests: dict[str, list[float]],
    outages: list[tuple[str, float, float]],
    weight: float,
    warmup_s: float,
) -> None:
    types = list(DataType)
    items = [Item(key, types[i], f"s{i % 2}", 60.0 * i, weight) for i, key in enumerate(KEYS)]
    broken = [Outage(source, min(a, b), max(a, b)) for source, a, b in outages]
    trace = Trace(items, changes, {**requests, "c": [*requests.get("c", []), 60.0]}, outages=broken)
    shown: list[Observation] = []

    def policy(obs: Observation) -> float:
        shown.append(obs)
        return answer(obs)

    options = ReplayOptions(warmup_days=warmup_s / 86_400.0, tells_last_modified=True)
    outcome = replay(trace, policy, options)
    expected, expected_shown = plain(trace, warmup_s=options.warmup_days * 86_400.0)
    assert {name: getattr(outcome.total, name) for name in expected} == expected
    assert [{name: getattr(obs, name) for name in seen} for obs, seen in zip(shown, expected_shown, strict=True)] == (
        expected_shown
    )


@given(requests=st.lists(SECONDS, min_size=1, max_size=30), ttl_s=st.floats(0.0, 1e9))
def test_bounded_lifetimes_call_no_oftener_than_the_least_lifetime_allows(requests: list[float], ttl_s: float) -> None:
    trace = Trace([Item("a", DataType.PROMOTIONS, "s")], {}, {"a": [60.0 * t for t in requests]})
    calls: list[float] = []

    def policy(obs: Observation) -> float:
        calls.append(obs.now)
        return ttl_s

    replay(trace, policy, ReplayOptions(warmup_days=0.0, is_bounded=True))
    least = LIFETIMES[DataType.PROMOTIONS].min_s
    assert all(later - earlier >= least for earlier, later in pairwise(calls))

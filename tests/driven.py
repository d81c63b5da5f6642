"""A small read-through loop: drives a policy over given changes and requests of one key."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

import msgspec

DAY = 86_400.0
HOUR = 3_600.0
MONDAY = 1_736_121_600.0
"""2025-01-06 0:00 UTC."""


class Obs(msgspec.Struct, kw_only=True):
    """One call, as the lifetime model defines it."""

    key: str = "menu:1"
    dtype: str = "dispensary_menu"
    source: str = "store1"
    tz: float = 0.0
    weight: float = 1.0
    now: float = MONDAY
    prev: float | None = None
    ok: bool = True
    changed: bool | None = None
    last_modified: float | None = None
    n_req: int = 1


Policy = Callable[[Obs], float]


class Outcome(msgspec.Struct):
    """What a drive came to: times of the calls, the answers, stale serves."""

    calls: list[float]
    lifetimes: list[float]
    stale: int


def drive(policy: Policy, changes: Sequence[float], requests: Sequence[float], like: Obs) -> Outcome:
    """Replay one key; all calls succeed. Both sequences ascend."""
    out = Outcome([], [], 0)
    prev: float | None = None
    expires, held, waiting = -1.0, -1, 0
    for at in requests:
        waiting += 1
        version = bisect_right(changes, at)
        if at < expires:
            out.stale += version != held
            continue
        changed = None if prev is None else version != held
        obs = msgspec.structs.replace(like, now=at, prev=prev, changed=changed, n_req=waiting)
        lifetime = policy(obs)
        out.calls.append(at)
        out.lifetimes.append(lifetime)
        prev, held, waiting, expires = at, version, 0, at + lifetime
    return out

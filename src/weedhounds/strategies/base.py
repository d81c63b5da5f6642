"""What a read strategy is: it plans in which order and when to ask the tiers, and may learn from their answers.

A strategy is pure: it knows no tier, no entry and no clock. ``lookup.py`` carries its plans out.
Keys are told apart by :class:`Group`, all keys of a group are asked for alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Literal, NamedTuple, Protocol

import msgspec

from weedhounds.model.datatypes import DataType

PEERS = "peers"
"""The name of the tier whose answers come from other nodes; all others are this node's own."""
ORIGIN = "origin"
"""The name under which a strategy is told how the origins answered."""


class Group(NamedTuple):
    """The keys that are alike to a strategy: one data type of one origin."""

    data_type: DataType
    origin: str


class Step(NamedTuple):
    """One tier to ask.

    It is asked once the steps before it have all answered and keys are still wanted, or ``after_s``
    seconds after the step before it was, whichever comes first. ``inf`` only waits for the answers, 0
    asks together with the step before.
    """

    tier: str
    after_s: float = inf


class Plan(NamedTuple):
    """Which tiers to ask, in order; tiers that do not stand in it are not asked.

    Args:
        origin_after_s: seconds after the start of the last step at which the tiers are given up for the
            origin, although they have not all answered; ``inf`` waits for them.
    """

    steps: tuple[Step, ...]
    origin_after_s: float = inf


Outcome = Literal["ok", "failed", "cancelled", "skipped"]
"""What came of a question; ``skipped`` was not asked, because the breaker of its tier was open."""


class TierSeen(msgspec.Struct, frozen=True, kw_only=True):
    """How a tier answered for the keys of one group.

    Args:
        tier: its name; ``origin`` for the group's origin.
        latency_s: seconds from asking to the answer, or to its end without one.
        asked: keys of the group that it was asked for.
        fresh: of them, those that it could serve.
        expired: of them, those that it held too old to be served.
        size_bytes: the bodies of the fresh ones.
        outcome: ``cancelled`` where the answer was not waited for: then only ``latency_s`` says something,
            that the answer would have taken longer.
        missed: the tiers that had answered without the keys by the time of this answer, in order of name.
    """

    tier: str
    latency_s: float
    asked: int
    fresh: int = 0
    expired: int = 0
    size_bytes: int = 0
    outcome: Outcome = "ok"
    missed: tuple[str, ...] = ()


class ReadStrategy(Protocol):
    """Chooses how to read. Times are monotonic seconds."""

    name: str
    is_learning: bool
    """Whether :meth:`learn` wants to be told; nobody counts for a strategy that does not."""

    def plan(self, group: Group, tiers: Sequence[str], now: float) -> Plan:
        """Return how to look for keys of ``group``.

        Args:
            tiers: those that may be asked now, fastest first.
        """
        ...

    def learn(self, group: Group, seen: TierSeen, now: float) -> None:
        """Take note of an answer."""
        ...


def in_order(tiers: Sequence[str]) -> Plan:
    """Return the plan that asks one tier after the other."""
    return Plan(tuple(Step(tier) for tier in tiers))

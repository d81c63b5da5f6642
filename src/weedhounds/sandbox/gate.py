"""What stands before every origin: budget, latency, errors, faults, and the log of calls.

Pure but for the clock that is passed in: the gate decides, the application waits and sends.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

import msgspec

from weedhounds.sandbox.config import ORIGINS, SandboxConfig
from weedhounds.sandbox.draws import latency_law, uniforms
from weedhounds.sandbox.terms import budgets_of
from weedhounds.sources.base import Budget

LOG_CALLS = 20_000
FAULTS = ("down", "slow", "429", "html", "html200", "truncated", "huge", "wrong_types", "garbage")

FaultName = Literal["down", "slow", "429", "html", "html200", "truncated", "huge", "wrong_types", "garbage"]


class Fault(msgspec.Struct, frozen=True):
    """A fault switched on for an origin: the share of calls that it hits, and how slow ``slow`` is."""

    fault: FaultName
    frac: float = 1.0
    slow_ms: float = 8000.0


class Call(msgspec.Struct, frozen=True):
    """One attempt at an origin's address, as the log shows it.

    Args:
        kind: ``menu``, ``near``, ``shop``, ``promotions``, ``strain``, ``labs`` or ``other``.
        arrived_s: monotonic seconds of the sandbox.
        latency_ms: the latency drawn; 0 for calls that the budget refused.
        status: of the answer; 0 where the connection was closed without one.
        bytes: of the body.
        target: native id of the shop that it is of; ``None`` where of none, or not answered.
        page: of the answer, from 0.
    """

    origin: str
    kind: str
    arrived_s: float
    latency_ms: float
    status: int
    bytes: int
    target: str | None = None
    page: int = 0


class Bucket:
    """A token bucket; times are monotonic seconds."""

    def __init__(self, budget: Budget, now_s: float) -> None:
        self._budget = budget
        self._tokens = float(budget.burst)
        self._at_s = now_s

    def take(self, now_s: float) -> float:
        """Take a token; return 0, or the seconds until there is one (none is taken then)."""
        refilled = self._tokens + (now_s - self._at_s) * self._budget.rate_per_s
        self._tokens, self._at_s = min(refilled, float(self._budget.burst)), now_s
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._budget.rate_per_s


class Verdict(msgspec.Struct, frozen=True):
    """What the gate decided of one call.

    Args:
        retry_after_s: whole seconds, where the call is refused with 429, else 0.
        latency_ms: to wait before answering; a slow fault's delay included.
        fault: what else to do to the answer.
        is_error: answer 503.
        number: of the call, from 0; names what is drawn for it.
    """

    number: int
    latency_ms: float = 0.0
    retry_after_s: int = 0
    is_error: bool = False
    fault: FaultName | None = None


class Gate:
    """Budgets, draws and counters of all origins.

    Bounds: the log keeps the latest 20,000 calls.
    """

    def __init__(self, config: SandboxConfig, now_s: float) -> None:
        self._config = config
        self._law = latency_law(config.latency_median_ms, config.latency_p99_ms)
        self.budgets = budgets_of(config)
        self.in_flight = dict.fromkeys(ORIGINS, 0)
        self.counts: dict[str, int] = {}
        self.faults: dict[str, Fault] = {}
        self.log: deque[Call] = deque(maxlen=LOG_CALLS)
        self._buckets: dict[str, Bucket] = {}
        self._number = 0
        self.reset(now_s)

    def reset(self, now_s: float) -> None:
        """Clear faults, counters, log and buckets; calls in flight stay counted as such."""
        self.counts = dict.fromkeys(ORIGINS, 0)
        self.faults.clear()
        self.log.clear()
        self._buckets = {origin: Bucket(budget, now_s) for origin, budget in self.budgets.items()}
        self._number = 0

    def set_fault(self, origin: str, fault: Fault | None) -> None:
        """Switch a fault of an origin (``*``: of all) on, or off with ``None``."""
        for name in ORIGINS if origin == "*" else (origin,):
            if fault is None:
                self.faults.pop(name, None)
            else:
                self.faults[name] = fault

    def enter(self, origin: str, now_s: float) -> Verdict:
        """Count a call that arrives and decide what becomes of it; follow with :meth:`leave`."""
        number = self._number
        self._number += 1
        self.counts[origin] += 1
        self.in_flight[origin] += 1
        drawn = uniforms(self._config.seed, "call", number)
        fault = self._fault(origin, drawn[2])
        if fault == "down":
            return Verdict(number, fault="down")
        wait_s = self._buckets[origin].take(now_s)
        if wait_s or self.in_flight[origin] > self.budgets[origin].concurrency:
            return Verdict(number, retry_after_s=max(1, math.ceil(wait_s)))
        if fault == "429":
            return Verdict(number, retry_after_s=2)
        latency_ms = self._law(drawn[0]) + (self.faults[origin].slow_ms if fault == "slow" else 0.0)
        return Verdict(number, latency_ms, is_error=drawn[1] < self._config.error_frac, fault=fault)

    def leave(self, call: Call) -> None:
        """Log a call that is over."""
        self.in_flight[call.origin] -= 1
        self.log.append(call)

    def _fault(self, origin: str, u: float) -> FaultName | None:
        fault = self.faults.get(origin)
        return fault.fault if fault is not None and u < fault.frac else None

"""Asks tiers so that one that fails costs its answer and nothing else.

Owns time-outs, breakers, the count of failures and the log line of an outage. A tier has two
breakers, one for reading and one for writing: a disk that is full can still be read, and one that
reads slowly still takes what was loaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import TypeVar

import msgspec

from weedhounds.breaker import Breaker, BreakerState
from weedhounds.cache.entry import Entry
from weedhounds.cache.tier import Tier
from weedhounds.clock import Clock
from weedhounds.errors import TierUnavailable, WeedHoundsError
from weedhounds.model.keys import RecordKey
from weedhounds.strategies.base import Outcome
from weedhounds.telemetry import Trace, get_logger

TIER_TIMEOUT_S = 5.0
"""How long a tier may take before it counts as failed."""
SLOW_S = 1.0
"""An answer that takes as long is used, and counts as a failure for the breaker: a hunt has five seconds."""

T = TypeVar("T")
log = get_logger("weedhounds.strategies")


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What asking a tier came to: ``entries`` is ``None`` unless the outcome is ``ok``."""

    entries: dict[RecordKey, Entry] | None
    latency_s: float
    outcome: Outcome


class TierGuard:
    """Asks the named tiers on behalf of everybody.

    ``errors`` counts the times that a tier was skipped because it failed, or because its breaker was open.

    Bounds: two breakers for each tier.
    """

    def __init__(self, names: Iterable[str], clock: Clock, *, breaker: Callable[[], Breaker] = Breaker) -> None:
        self._clock = clock
        self._reading = {name: breaker() for name in names}
        self._writing = {name: breaker() for name in self._reading}
        self._failing: set[str] = set()
        self.errors = 0

    def well(self, names: Iterable[str], trace: Trace | None) -> list[str]:
        """Return the tiers that may be read now, and count the others as skipped; takes no probe's place."""
        now, well = self._clock.monotonic(), []
        for name in names:
            if self._reading[name].retry_in_s(now) > 0:
                self._skip(trace)
            else:
                well.append(name)
        return well

    def states(self) -> dict[str, BreakerState]:
        """Return the state of each tier's breaker for reading."""
        return {name: breaker.state for name, breaker in self._reading.items()}

    async def get(
        self, tier: Tier, keys: Collection[RecordKey], trace: Trace | None, *, timeout_s: float = TIER_TIMEOUT_S
    ) -> Answer:
        """Ask a tier for keys.

        Args:
            timeout_s: may be shorter than any tier can answer; then the tier is not to blame.
        """
        breaker, started = self._reading[tier.name], self._clock.monotonic()
        if not breaker.allows(started):
            self._skip(trace)
            return Answer(None, 0.0, "skipped")
        if breaker.state is BreakerState.HALF_OPEN:
            timeout_s = min(timeout_s, SLOW_S)
        try:
            async with asyncio.timeout(timeout_s):
                entries = await tier.get_many(keys)
            if not isinstance(entries, dict):
                raise TierUnavailable(f"answered with {type(entries).__name__}")
        except asyncio.CancelledError:
            breaker.released(self._clock.monotonic())
            raise
        except Exception as error:
            took_s = self._clock.monotonic() - started
            is_out_of_time = isinstance(error, TimeoutError) and timeout_s < SLOW_S
            self._report(breaker, None if is_out_of_time else False)
            self._failed(tier.name, error, trace, timeout_s=timeout_s)
            return Answer(None, took_s, "cancelled" if is_out_of_time else "failed")
        took_s = self._clock.monotonic() - started
        self._report(breaker, took_s < SLOW_S)
        self._answered(tier.name)
        return Answer(entries, took_s, "ok")

    async def put(self, tier: Tier, entries: Sequence[Entry], trace: Trace | None) -> None:
        """Store entries in a tier, unless it keeps failing to."""
        breaker = self._writing[tier.name]
        if not breaker.allows(self._clock.monotonic()):
            self._skip(trace)
            return
        is_stored: bool | None = None
        try:
            is_stored = await self.ask(_stored(tier, entries), tier.name, False, trace)
        finally:
            self._report(breaker, is_stored)

    async def ask(
        self, work: Awaitable[T], name: str, default: T, trace: Trace | None, *, timeout_s: float = TIER_TIMEOUT_S
    ) -> T:
        """Await an answer; a failure counts, and answers ``default``."""
        try:
            async with asyncio.timeout(timeout_s):
                answer = await work
        except Exception as error:
            self._failed(name, error, trace, timeout_s=timeout_s)
            return default
        self._answered(name)
        return answer

    def _report(self, breaker: Breaker, is_well: bool | None) -> None:
        now = self._clock.monotonic()
        report = breaker.released if is_well is None else breaker.succeeded if is_well else breaker.failed
        report(now)

    def _skip(self, trace: Trace | None) -> None:
        self.errors += 1
        if trace is not None:
            trace.tier_errors += 1

    def _failed(self, name: str, error: Exception, trace: Trace | None, *, timeout_s: float) -> None:
        self._skip(trace)
        if name in self._failing:  # one line for an outage, not one for each request
            return
        self._failing.add(name)
        is_expected = isinstance(error, WeedHoundsError | TimeoutError | OSError)
        why = str(error) or (f"no answer within {timeout_s:.1f} s" if is_expected else type(error).__name__)
        log.warning("tier skipped", tier=name, why=why, exc_info=None if is_expected else error)

    def _answered(self, name: str) -> None:
        if name in self._failing:
            self._failing.discard(name)
            log.info("tier is back", tier=name)


async def _stored(tier: Tier, entries: Sequence[Entry]) -> bool:
    await tier.put_many(entries)
    return True

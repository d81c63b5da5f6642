"""Tiers that are told how to behave, and everything around a look-up, in simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from math import inf

from weedhounds.cache.entry import Entry
from weedhounds.cache.meter import TierMeter
from weedhounds.cache.tier import TierStats
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Menu
from weedhounds.sim.virtual_time import LoopClock
from weedhounds.strategies.base import Group, Plan, ReadStrategy, TierSeen
from weedhounds.strategies.guard import TierGuard
from weedhounds.strategies.lookup import Found, TierLookup
from weedhounds.telemetry import Trace

START_S = 1_750_000_000.0
"""Unix seconds at which simulated time begins."""
GROUP = Group(DataType.DISPENSARY_MENU, "jane")


def key_of(shop: str, origin: str = "jane") -> RecordKey:
    return RecordKey(DataType.DISPENSARY_MENU, origin, shop)


def entry_of(key: RecordKey, *, age_s: float = 10.0, lifetime_s: float = 1000.0) -> Entry:
    record = Menu(origin=key.origin, shop_id=key.native_id, products=())
    fetched_at = START_S - age_s
    return Entry.of(key, record, fetched_at=fetched_at, expires_at=fetched_at + lifetime_s)


def expired_entry_of(key: RecordKey) -> Entry:
    return entry_of(key, age_s=200.0, lifetime_s=100.0)


class ScriptedTier:
    """Answers after ``latency_s`` simulated seconds (``inf``: never), fails with ``error``, lies with ``lies``."""

    def __init__(self, name: str, *entries: Entry, latency_s: float = 0.0) -> None:
        self.name = name
        self.held = {entry.key: entry for entry in entries}
        self.latency_s = latency_s
        self.put_latency_s = 0.0
        self.error: Exception | None = None
        self.lies: Mapping[RecordKey, Entry] | None = None
        self.asked_at: list[float] = []
        self.asked: list[list[RecordKey]] = []
        self.answered = 0
        self.cancelled = 0
        self.puts: list[list[RecordKey]] = []

    async def get_many(self, keys: Collection[RecordKey]) -> dict[RecordKey, Entry]:
        self.asked_at.append(asyncio.get_running_loop().time())
        self.asked.append(list(keys))
        await self._wait(self.latency_s)
        self.answered += 1
        if self.lies is not None:
            return dict(self.lies)
        return {key: self.held[key] for key in keys if key in self.held}

    async def put_many(self, entries: Sequence[Entry]) -> None:
        await self._wait(self.put_latency_s)
        self.puts.append([entry.key for entry in entries])
        for entry in entries:
            old = self.held.get(entry.key)
            if old is None or old.fetched_at <= entry.fetched_at:
                self.held[entry.key] = entry

    async def discard(self, keys: Collection[RecordKey]) -> int:
        await self._wait(0.0)
        return sum(self.held.pop(key, None) is not None for key in keys)

    def stats(self) -> TierStats:
        return TierStats(entries=len(self.held))

    async def close(self) -> None:
        """Nothing is open."""

    async def _wait(self, seconds: float) -> None:
        if self.error is not None:
            raise self.error
        if seconds:
            try:
                await asyncio.sleep(1e9 if seconds == inf else seconds)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise


class PlannedStrategy:
    """Follows a plan that it is given, and notes what it is told."""

    name = "planned"
    is_learning = True

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.seen: list[tuple[Group, TierSeen]] = []
        self.offered: list[tuple[str, ...]] = []

    def plan(self, group: Group, tiers: Sequence[str], now: float) -> Plan:
        self.offered.append(tuple(tiers))
        return self._plan

    def learn(self, group: Group, seen: TierSeen, now: float) -> None:
        self.seen.append((group, seen))


class Desk:
    """A look-up over scripted tiers. Make it inside of the running loop."""

    def __init__(
        self,
        strategy: ReadStrategy,
        *tiers: ScriptedTier,
        limits: Mapping[str, float | None] | None = None,
        waitless: Collection[str] = ("memory",),
    ) -> None:
        self.clock = LoopClock(START_S)
        self.guard = TierGuard([tier.name for tier in tiers], self.clock)
        self.meters = {tier.name: TierMeter() for tier in tiers}
        self.trace = Trace()
        self.lookup = TierLookup(
            tiers,
            strategy,
            clock=self.clock,
            guard=self.guard,
            meters=self.meters,
            limits=limits or {},
            waitless=waitless,
        )

    async def found(self, *keys: RecordKey, deadline: float | None = None) -> dict[RecordKey, Found]:
        return (await self.lookup.look_up(keys, self.trace, deadline=deadline))[0]

    async def tier_of(self, key: RecordKey, deadline: float | None = None) -> str | None:
        found = await self.found(key, deadline=deadline)
        return found[key].tier if key in found else None

"""The timing of one look-up: starts the steps of several plans together, and ends what nobody wants any more.

Knows when a tier is asked, and nothing of what its answer is worth: that a judge tells by taking keys
off the lanes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import inf
from typing import Protocol

from weedhounds.cache.tier import Tier
from weedhounds.clock import Clock
from weedhounds.model.keys import RecordKey
from weedhounds.strategies.base import Group, Plan
from weedhounds.strategies.guard import Answer, TierGuard
from weedhounds.telemetry import Trace

END_TIMEOUT_S = 1.0
"""How long a cancelled question may take to end."""
_SLACK_S = 0.0005
"""Timers of event loops are as coarse as a millisecond."""


class Lane:
    """The keys of one group on their way through its plan.

    Args:
        now: monotonic seconds.

    ``left`` are the keys still wanted, ``missed`` the tiers that answered without them.
    """

    __slots__ = ("_last_start", "group", "left", "missed", "pending", "plan", "started")

    def __init__(self, group: Group, keys: Sequence[RecordKey], plan: Plan, now: float) -> None:
        self.group = group
        self.left: Sequence[RecordKey] = keys
        self.plan = plan
        self.started = 0
        self.pending = 0
        self.missed: list[str] = []
        self._last_start = now

    @property
    def next_tier(self) -> str | None:
        """Return the tier of the next step, where there is one."""
        steps = self.plan.steps
        return steps[self.started].tier if self.started < len(steps) else None

    def next_at(self) -> float:
        """Return when the next step (or the origin) is due if the tiers asked do not answer before."""
        return self._last_start + self._after_s(self.started)

    def is_patient_after_next(self) -> bool:
        """Tell whether after the next step only its answer is waited for."""
        return self._after_s(self.started + 1) == inf

    def pass_over(self, known: Collection[str]) -> None:
        """Go on to the next step whose tier is there."""
        while (tier := self.next_tier) is not None and tier not in known:
            self.started += 1

    def start_step(self, now: float) -> None:
        """Count the next step as started, and an answer as pending."""
        self.started += 1
        self.pending += 1
        self._last_start = now

    def _after_s(self, step: int) -> float:
        steps = self.plan.steps
        return steps[step].after_s if step < len(steps) else self.plan.origin_after_s


class Ask:
    """One question to one tier, for the keys that several lanes want of it."""

    __slots__ = ("keys", "lanes", "started_at", "tier")

    def __init__(self, tier: Tier, lanes: Sequence[Lane], started_at: float) -> None:
        self.tier = tier
        self.lanes = lanes
        self.keys: Sequence[RecordKey] = [key for lane in lanes for key in lane.left]
        self.started_at = started_at


class Judge(Protocol):
    """Decides what is a hit."""

    async def answered(self, ask: Ask, answer: Answer) -> None:
        """Take the keys that are found off the lanes of ``ask``; the answer may be a failure."""
        ...

    def given_up(self, ask: Ask, latency_s: float) -> None:
        """Take note of a question that was cancelled after ``latency_s`` seconds."""
        ...


class Race:
    """Runs lanes to their end.

    Args:
        tiers: steps of others are passed over.
        waitless: names of tiers that are asked in place, because they answer without waiting.
        timeout_s: the longest that one tier may take.
        deadline: monotonic seconds after which none is waited for; ``None`` for no such moment.

    ``first`` is the name of the tier that was asked first.

    Bounds: one task for each tier and moment; no step is started twice. All have ended afterwards, but
    for a tier that does not end within ``END_TIMEOUT_S`` of being cancelled.
    """

    def __init__(
        self,
        lanes: Iterable[Lane],
        tiers: Sequence[Tier],
        guard: TierGuard,
        *,
        judge: Judge,
        clock: Clock,
        waitless: Collection[str],
        trace: Trace | None,
        timeout_s: float,
        deadline: float | None = None,
    ) -> None:
        self._lanes = list(lanes)
        self._tiers = {tier.name: tier for tier in tiers}
        self._guard = guard
        self._judge = judge
        self._clock = clock
        self._waitless = waitless
        self._trace = trace
        self._timeout_s = timeout_s
        self._deadline = deadline
        self.first: str | None = None
        self._open: dict[asyncio.Task[Answer], Ask] = {}
        self._ending: list[asyncio.Task[Answer]] = []

    async def run(self) -> None:
        """Ask until every key is found or every plan has come to its end."""
        try:
            while self._lanes_on_their_way():
                due = self._due()
                if not due:
                    await self._wait()
                elif (tier := self._to_ask_in_place(due)) is not None:
                    await self._ask_in_place(tier, due[tier.name])
                else:
                    self._start(due)
        finally:
            await self._end()

    def _lanes_on_their_way(self) -> bool:
        """Drop the lanes that have come to their end, and cancel what only they had asked."""
        now = self._clock.monotonic()
        for lane in self._lanes:
            lane.pass_over(self._tiers)
        lanes = [lane for lane in self._lanes if lane.left and not self._is_over(lane, now)]
        if len(lanes) < len(self._lanes):
            self._lanes = lanes
            for task, ask in list(self._open.items()):
                if not any(lane in lanes for lane in ask.lanes) and not task.done():
                    self._give_up(task, now)
        return bool(lanes)

    def _is_over(self, lane: Lane, now: float) -> bool:
        return lane.next_tier is None and (not lane.pending or now >= lane.next_at() - _SLACK_S)

    def _due(self) -> dict[str, list[Lane]]:
        """Return the lanes whose next step is due, by its tier."""
        due: dict[str, list[Lane]] = {}
        now = self._clock.monotonic()
        for lane in self._lanes:
            tier = lane.next_tier
            if tier is not None and (not lane.pending or now >= lane.next_at() - _SLACK_S):
                due.setdefault(tier, []).append(lane)
        return due

    def _to_ask_in_place(self, due: Mapping[str, Sequence[Lane]]) -> Tier | None:
        """Return a tier that needs no task: it does not wait, or nothing else is to be done meanwhile."""
        for name, lanes in due.items():
            is_all_there_is = len(due) == 1 and not self._open
            if name in self._waitless or (is_all_there_is and all(lane.is_patient_after_next() for lane in lanes)):
                return self._tiers[name]
        return None

    async def _ask_in_place(self, tier: Tier, lanes: Sequence[Lane]) -> None:
        ask = self._begin(tier, lanes)
        await self._take(ask, await self._get(ask))

    def _start(self, due: Mapping[str, Sequence[Lane]]) -> None:
        for name, lanes in due.items():
            ask = self._begin(self._tiers[name], lanes)
            self._open[asyncio.create_task(self._get(ask))] = ask

    def _begin(self, tier: Tier, lanes: Sequence[Lane]) -> Ask:
        now = self._clock.monotonic()
        self.first = self.first or tier.name
        for lane in lanes:
            lane.start_step(now)
        return Ask(tier, lanes, now)

    async def _get(self, ask: Ask) -> Answer:
        timeout_s = self._timeout_s
        if self._deadline is not None:
            timeout_s = min(timeout_s, self._deadline - self._clock.monotonic())
        return await self._guard.get(ask.tier, ask.keys, self._trace, timeout_s=timeout_s)

    async def _wait(self) -> None:
        """Wait for an answer or for the next moment at which something is due."""
        at = min(lane.next_at() for lane in self._lanes)
        timeout_s = None if at == inf else max(0.0, at - self._clock.monotonic())
        done, _ = await asyncio.wait(self._open, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in self._open if task in done]:  # in the order in which they were asked
            await self._take(self._open.pop(task), task.result())

    async def _take(self, ask: Ask, answer: Answer) -> None:
        await self._judge.answered(ask, answer)
        for lane in ask.lanes:
            lane.pending -= 1
            if answer.entries is not None:
                lane.missed.append(ask.tier.name)

    def _give_up(self, task: asyncio.Task[Answer], now: float) -> None:
        ask = self._open.pop(task)
        task.cancel()
        self._ending.append(task)
        self._judge.given_up(ask, now - ask.started_at)

    async def _end(self) -> None:
        """Cancel what is still asked, and wait for it."""
        now = self._clock.monotonic()
        for task in [task for task in self._open if not task.done()]:
            self._give_up(task, now)
        if self._ending:
            await asyncio.wait(self._ending, timeout=END_TIMEOUT_S)

"""Hands what was observed of prices to the history, beside the path of answers.

Owns which state of each shop is recorded last, and therefore what a new observation changes. An
observation is taken in a moment and never waited for; one task turns observations into rows, off
the event loop where records must be decoded, and appends them in batches. A store that fails
costs no read: it is tried again, and what is lost is counted.

Where a shop's last state is not known here (after a start, or when an observation arrives late)
it comes from the entry that was replaced, if the store has nothing newer, else from the store's
own rows. Once in each half of the retention a shop's whole list is recorded again, so that dropping
old rows never takes the price of an offer that has not changed since.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Protocol

import msgspec

from weedhounds.cache import changes
from weedhounds.cache.entry import Entry
from weedhounds.cache.history import MAX_CHANGES, HistoryStore, PriceChange
from weedhounds.cache.observation import Seen, Step, rows_of
from weedhounds.clock import Clock
from weedhounds.errors import TierUnavailable
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import PriceList
from weedhounds.telemetry import get_logger

MAX_WAITING = 4096
"""Observations that wait to be recorded; beyond it the oldest are lost, and counted."""
MAX_KNOWN = 4096
MAX_KNOWN_BYTES = 32 * 2**20
"""Shops whose last state is remembered, and bytes of their encoded price lists (which the tiers mostly
hold too)."""
MAX_REPLAYED = 50_000
"""Most rows of one shop that are read to find out what its last state was."""
BATCH = 8
"""Price lists turned into rows in one go."""
GATHER_S = 0.5
"""How long observations gather before they are recorded; so much a crash may lose."""
PAUSE_S = 0.01
"""Pause between two batches: recording must not compete with answering."""
SWEEP_S = 600.0
"""Seconds between two droppings of rows past the retention; the first comes that long after the start."""
CLOSE_S = 15.0
MAX_RETRY_S = 60.0
_TIMES = 16

log = get_logger("weedhounds.cache.recorder")


class PriceObserver(Protocol):
    """Who is told of observed prices, and never waited for; :class:`HistoryRecorder` is one."""

    def observe(self, entry: Entry, old: Entry | None = None) -> None:
        """Take the price list that an origin gave, and the entry that it replaces."""
        ...

    def observe_part(self, key: RecordKey, prices: PriceList, at: float, old: Entry | None = None) -> None:
        """Take prices that are perhaps not all of the shop's, given at ``at`` (Unix seconds)."""
        ...


class HistoryStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the price history since start.

    Args:
        observations: price lists handed over.
        unchanged: of them, those that changed nothing.
        rows: changes appended; a baseline counts one for each offer.
        expired_rows: changes dropped because their retention was over.
        waiting: observations not recorded yet.
        skipped: observations that cannot be recorded: damaged, too many offers, too much history.
        lost: observations given up because the store failed for too long, or too many waited.
        failures: appends, reads and drops that the store failed.
    """

    observations: int = 0
    unchanged: int = 0
    rows: int = 0
    expired_rows: int = 0
    waiting: int = 0
    skipped: int = 0
    lost: int = 0
    failures: int = 0


class _Known(msgspec.Struct, frozen=True, gc=False):
    """What is recorded of a shop: its last whole state, and the latest times at which it was observed.

    Without a ``body`` the state is not known here and comes from the store.
    """

    at: float
    times: tuple[float, ...]
    digest: bytes | None = None
    body: bytes | None = None

    def observed(self, at: float) -> _Known:
        return msgspec.structs.replace(self, at=max(self.at, at), times=_latest((*self.times, at)))


class HistoryRecorder:
    """Records observed price lists in a :class:`weedhounds.cache.history.HistoryStore`.

    Call :meth:`start` first. All methods belong to one event loop.

    Args:
        retention_s: how long rows are kept, seconds of ``clock.now()``.
        gather_s: how long observations gather, seconds.

    Bounds: ``MAX_WAITING`` observations, ``MAX_KNOWN`` shops with ``MAX_KNOWN_BYTES``.
    """

    def __init__(self, store: HistoryStore, *, clock: Clock, retention_s: float, gather_s: float = GATHER_S) -> None:
        self._store = store
        self._clock = clock
        self._retention_s = retention_s
        self._gather_s = gather_s
        self._waiting: deque[Seen] = deque()
        self._known: OrderedDict[RecordKey, _Known] = OrderedDict()
        self._known_bytes = 0
        self._arrived = asyncio.Event()
        self._hurry = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._is_closing = self._is_failing = False
        self._task: asyncio.Task[None] | None = None
        self._swept_s = 0.0
        self._observations = self._unchanged = self._appended = self._expired = 0
        self._skipped = self._lost = self._failures = 0

    def start(self) -> None:
        """Begin to record."""
        self._swept_s = self._clock.monotonic()
        self._task = asyncio.create_task(self._run(), name="price history")

    def observe(self, entry: Entry, old: Entry | None = None) -> None:
        """Take the price list that an origin gave; returns at once.

        Args:
            entry: of a ``product_pricing`` key; others are not looked at.
            old: the entry that it replaces, where one was held.
        """
        if entry.key.data_type is DataType.PRODUCT_PRICING:
            self._take_in(Seen(entry.key, changes.milliseconds(entry.fetched_at), entry, old))

    def observe_part(self, key: RecordKey, prices: PriceList, at: float, old: Entry | None = None) -> None:
        """Take prices that are perhaps not all of the shop's, given at ``at`` (Unix seconds); returns at once."""
        self._take_in(Seen(key, changes.milliseconds(at), prices, old))

    async def settle(self, timeout_s: float) -> None:
        """Return once what was observed so far is recorded, the store has failed, or the time is over."""
        if self._settled.is_set() or self._task is None:
            return
        self._hurry.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._settled.wait()

    def stats(self) -> HistoryStats:
        """Return the figures."""
        return HistoryStats(
            observations=self._observations,
            unchanged=self._unchanged,
            rows=self._appended,
            expired_rows=self._expired,
            waiting=len(self._waiting),
            skipped=self._skipped,
            lost=self._lost,
            failures=self._failures,
        )

    async def close(self) -> None:
        """Record what waits, and end. What cannot be recorded within 15 s is lost, and said so."""
        self._is_closing = True
        for event in (self._hurry, self._arrived):
            event.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=CLOSE_S)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CLOSE_S)
        if self._waiting:
            self._lost += len(self._waiting)
            log.warning("price history not recorded", observations=len(self._waiting))
            self._waiting.clear()

    def _take_in(self, seen: Seen) -> None:
        self._observations += 1
        if self._is_closing:
            self._lost += 1
            return
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(seen)
        self._settled.clear()
        self._arrived.set()

    async def _run(self) -> None:
        pause_s = self._gather_s
        while not self._is_closing:
            await self._wait(self._arrived, SWEEP_S - self._since_sweep_s())
            if self._waiting:
                await self._wait(self._hurry, pause_s)
                is_good = await self._drain()
                pause_s = self._gather_s if is_good else min(2 * max(pause_s, 1.0), MAX_RETRY_S)
            if self._since_sweep_s() >= SWEEP_S and not self._is_closing:
                await self._sweep()
        await self._drain()

    async def _wait(self, event: asyncio.Event, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, timeout_s)):
                await event.wait()

    def _since_sweep_s(self) -> float:
        return self._clock.monotonic() - self._swept_s

    async def _drain(self) -> bool:
        """Record what waits; tell whether the store took it all."""
        is_good = True
        while self._waiting and is_good:
            is_good = await self._record(self._next_batch())
            if is_good and not self._hurry.is_set():
                await self._wait(self._hurry, PAUSE_S)
        if not self._waiting:
            self._arrived.clear()
        if not self._is_closing:
            self._hurry.clear()
        self._settled.set()
        return is_good

    def _next_batch(self) -> list[Seen]:
        """Take the next observations, at most one of each shop: the second one builds on the first."""
        batch: dict[RecordKey, Seen] = {}
        while self._waiting and len(batch) < BATCH and self._waiting[0].key not in batch:
            seen = self._waiting.popleft()
            batch[seen.key] = seen
        return list(batch.values())

    async def _record(self, batch: Sequence[Seen]) -> bool:
        """Append what a batch changes; put it back where the store fails."""
        try:
            steps = [step for seen in batch if (step := await self._step(seen)) is not None]
            outcomes = await asyncio.to_thread(rows_of, steps) if steps else []
            rows = [row for outcome in outcomes if outcome is not None for row in outcome]
            if rows:
                await self._store.append_many(rows)
        except TierUnavailable as error:
            self._failed(error)
            self._waiting.extendleft(reversed(batch))
            return False
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(batch))
            raise
        except Exception:
            log.exception("price history: a batch cannot be recorded", observations=len(batch))
            self._skipped += len(batch)
            return True
        self._is_failing = False
        self._appended += len(rows)
        for step, outcome in zip(steps, outcomes, strict=True):
            self._learn(step, outcome)
        return True

    def _failed(self, error: TierUnavailable) -> None:
        self._failures += 1
        if not self._is_failing:  # one line for an outage, not one for each batch
            self._is_failing = True
            log.warning("price history cannot be written", why=str(error))

    async def _step(self, seen: Seen) -> Step | None:
        """Return what an observation is to be compared with; ``None`` where that is known to change nothing.

        Raises:
            TierUnavailable: the store cannot be read.
        """
        known = self._known.get(seen.key)
        if known is not None and seen.is_whole and seen.at > known.at and known.body is not None:
            is_baseline = self._is_new_half(known.at, seen.at)
            if known.digest == seen.digest and not is_baseline:
                self._unchanged += 1
                self._remember(seen.key, known.observed(seen.at))
                return None
            return Step(seen, known.body, is_baseline=is_baseline)
        if known is not None and seen.is_whole and (seen.at == known.at or seen.at in known.times):
            self._unchanged += 1
            return None
        if known is None and await self._follows(seen):
            assert seen.old is not None
            return Step(seen, seen.old, is_baseline=self._is_new_half(seen.old.fetched_at, seen.at))
        return await self._placed(seen, known)

    async def _follows(self, seen: Seen) -> bool:
        """Tell whether the entry that was replaced is the state that was recorded last."""
        old = seen.old
        if old is None or not seen.is_whole or old.fetched_at >= seen.at:
            return False
        if not await self._store.changes(seen.key, limit=1):
            return False
        after = changes.milliseconds(old.fetched_at) + 0.001
        return not await self._store.changes(seen.key, since=after, limit=1)

    async def _placed(self, seen: Seen, known: _Known | None) -> Step | None:
        """Return an observation with all rows of its shop and the time of the next observation."""
        rows = await self._kept(seen.key)
        if rows is None:
            self._skipped += 1
            return None
        times = [*(row.at for row in rows), *(known.times if known else ())]
        if seen.old is not None:
            times.append(changes.milliseconds(seen.old.fetched_at))
        next_at = min((at for at in times if at > seen.at), default=None)
        is_baseline = seen.is_whole and next_at is None and bool(rows) and self._is_new_half(rows[-1].at, seen.at)
        return Step(seen, None, rows, next_at, is_baseline)

    async def _kept(self, key: RecordKey) -> list[PriceChange] | None:
        """Return all rows of a shop, oldest first; ``None`` where there are too many."""
        rows: list[PriceChange] = []
        since = 0.0
        while len(rows) <= MAX_REPLAYED:
            page = await self._store.changes(key, since=since)
            if len(page) < MAX_CHANGES:
                return [*rows, *page]
            since = page[-1].at
            whole = [row for row in page if row.at < since]
            if not whole:  # one moment fills the page; there is no more of it (its bound)
                whole, since = page, since + 0.001
            rows += whole
        return None

    def _is_new_half(self, before: float, at: float) -> bool:
        half_s = self._retention_s / 2
        return before // half_s != at // half_s

    def _learn(self, step: Step, outcome: Sequence[PriceChange] | None) -> None:
        """Remember what is recorded now; an outcome of ``None`` was not to be read."""
        seen, known = step.seen, self._known.get(step.seen.key)
        if outcome is None:
            self._skipped += 1
            return
        self._unchanged += not outcome
        now_known = (known or _Known(seen.at, ())).observed(seen.at)
        if isinstance(seen.source, Entry) and step.next_at is None:
            now_known = msgspec.structs.replace(now_known, digest=seen.source.digest, body=seen.source.body)
        elif not seen.is_whole:
            now_known = msgspec.structs.replace(now_known, digest=None, body=None)
        self._remember(seen.key, now_known)

    def _remember(self, key: RecordKey, known: _Known) -> None:
        old = self._known.pop(key, None)
        self._known[key] = known
        self._known_bytes += _size(known) - _size(old)
        while len(self._known) > MAX_KNOWN or self._known_bytes > MAX_KNOWN_BYTES:
            _, left = self._known.popitem(last=False)
            self._known_bytes -= _size(left)

    async def _sweep(self) -> None:
        """Drop what is past its retention."""
        self._swept_s = self._clock.monotonic()
        try:
            self._expired += await self._store.drop_before(self._clock.now() - self._retention_s)
        except TierUnavailable as error:
            self._failed(error)


def _latest(times: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sorted(set(times))[-_TIMES:])


def _size(known: _Known | None) -> int:
    return 0 if known is None or known.body is None else len(known.body)

"""What is in force at a moment: the latest event of each part of a key."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import msgspec

from weedhounds.sandbox import rhythm
from weedhounds.sandbox.changes import Event, Stream
from weedhounds.sandbox.lru import Memo


class Standing(msgspec.Struct, frozen=True):
    """The state of a key from ``since`` on, as far as events tell it.

    Args:
        latest: for each part, the latest event that hit it; a first state has id -1.
        since: Unix seconds of the key's latest event, or the era's start.
        until: the moment from which it must be asked for again.
    """

    latest: tuple[Event, ...]
    since: float
    until: float


class History:
    """Events of streams by time, with the blocks and standings used of late kept.

    Bounds: at most ``blocks`` blocks of events and ``standings`` standings are held.
    """

    def __init__(self, *, blocks: int = 2048, standings: int = 2048) -> None:
        self._blocks: Memo[tuple[tuple[str | int, ...], int], tuple[Event, ...]] = Memo(blocks)
        self._standings: Memo[tuple[str | int, ...], Standing] = Memo(standings)

    def between(self, stream: Stream, start_s: float, end_s: float) -> Iterator[Event]:
        """Yield the events with ``start_s < t <= end_s`` in time order."""
        first, last = self._block_of(stream, start_s), self._block_of(stream, end_s)
        for index in range(first, last + 1):
            yield from (e for e in self._block(stream, index) if start_s < e.t <= end_s)

    def last(self, stream: Stream, now: float) -> Event:
        """Return the latest event at or before ``now``; a first one, id -1, where the era has none."""
        return self.standing(stream, 1, now, whole=True).latest[0]

    def standing(self, stream: Stream, parts: int, now: float, *, whole: bool = False) -> Standing:
        """Return the state at ``now`` of a key with ``parts`` parts.

        Args:
            whole: each event hits the one part, whatever it names.
        """
        held = self._standings.peek(stream.name)
        if held is not None and held.since <= now < held.until:
            return held
        found = held and self._advance(stream, held, now, whole)
        found = found or self._read(stream, parts, now, whole)
        self._standings.put(stream.name, found)
        return found

    def _advance(self, stream: Stream, held: Standing, now: float, whole: bool) -> Standing | None:
        """Return the state at ``now`` from an earlier one of at most two blocks ago, else ``None``."""
        index, before = self._block_of(stream, now), self._block_of(stream, held.until)
        oldest = rhythm.era_start(index * stream.block_weeks)
        if not (held.until <= now and index - before <= 2 and before * stream.block_weeks > oldest):
            return None
        latest, since = list(held.latest), held.since
        for event in self.between(stream, math.nextafter(held.until, 0.0), now):
            since = event.t
            for part in (0,) if whole else event.hits:
                latest[part] = event
        return Standing(tuple(latest), since, self._next(stream, index, now))

    def _read(self, stream: Stream, parts: int, now: float, whole: bool) -> Standing:
        index = self._block_of(stream, now)
        oldest = rhythm.era_start(index * stream.block_weeks)
        start = rhythm.unix_of(rhythm.week_start_date(oldest), 0, stream.zone)
        latest: list[Event | None] = [None] * parts
        missing, since = parts, start
        for event in self._backwards(stream, index, oldest // stream.block_weeks, now):
            since = max(since, event.t)
            for part in (0,) if whole else event.hits:
                if latest[part] is None:
                    latest[part] = event
                    missing -= 1
            if not missing:
                break
        first = Event(start, -1, ())
        return Standing(tuple(e or first for e in latest), since, self._next(stream, index, now))

    def _backwards(self, stream: Stream, index: int, oldest: int, now: float) -> Iterator[Event]:
        for at in range(index, oldest - 1, -1):
            events: Sequence[Event] = self._block(stream, at)
            yield from (e for e in reversed(events) if e.t <= now)

    def _next(self, stream: Stream, index: int, now: float) -> float:
        """Return the next event's time in the block, or the end of the block."""
        events = self._block(stream, index)
        i = bisect_right(events, now, key=_time_of)
        if i < len(events):
            return events[i].t
        following = rhythm.week_start_date((index + 1) * stream.block_weeks)
        return rhythm.unix_of(following, 0, stream.zone)

    def _block(self, stream: Stream, index: int) -> tuple[Event, ...]:
        return self._blocks.get((stream.name, index), lambda: stream.block(index))

    @staticmethod
    def _block_of(stream: Stream, t: float) -> int:
        return rhythm.local_week(t, stream.zone) // stream.block_weeks


def _time_of(event: Event) -> float:
    return event.t

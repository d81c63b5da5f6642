"""Single-flight: one load of a key at a time, joined by everybody who asks meanwhile.

A flight belongs to the table, not to who started it: a waiter that gives up or is cancelled
does not end it for the others; the last one that leaves does. Calls are charged to a waiter that
is still there, so that what the answers report adds up to what the origins saw.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping

from weedhounds.cache.entry import Entry
from weedhounds.errors import DeadlinePassed, NotFound, OriginUnavailable, RateLimited, WeedHoundsError
from weedhounds.model.keys import RecordKey
from weedhounds.telemetry import Trace

MAX_LANDED = 4096
"""Keys whose landing is remembered: a request that was asking the tiers meanwhile looks there again."""
CANCEL_TIMEOUT_S = 2.0
"""How long a cancelled load may take to end, seconds."""

_SLACK_S = 0.05

Filling = Mapping[RecordKey, Entry]
"""What a load yields: the entries it filled, asked ones and others."""


class Flight:
    """A load in flight.

    Args:
        deadline: monotonic seconds, of whoever started it; ``None`` for no deadline.
        payer: charged with calls that go out after the last waiter has left.
    """

    __slots__ = ("_payer", "_waiters", "deadline", "keys", "task")

    def __init__(self, keys: Collection[RecordKey], *, deadline: float | None, payer: Trace) -> None:
        self.keys = keys
        self.deadline = deadline
        self.task: asyncio.Task[Filling]
        self._payer = payer
        self._waiters: dict[object, Trace] = {}

    @property
    def waiters(self) -> int:
        """Return how many wait for it."""
        return len(self._waiters)

    def called(self) -> None:
        """Charge a call attempt to the waiter that has waited longest."""
        payer = next(iter(self._waiters.values()), self._payer)
        payer.called()

    def ended_too_early_for(self, deadline: float | None) -> bool:
        """Tell whether it ended at its own deadline while one with ``deadline`` could have waited on."""
        return self.deadline is not None and (deadline is None or deadline > self.deadline)

    def outcome(self, key: RecordKey) -> Entry | WeedHoundsError:
        """Return what it came to for one key, for whoever waited for it."""
        if not self.task.done():
            return DeadlinePassed("deadline passed before the answer", str(key), key.origin)
        if self.task.cancelled():
            return OriginUnavailable("the load was ended", str(key), key.origin)
        error = self.task.exception()
        if isinstance(error, WeedHoundsError):
            return error
        if error is not None:
            raise error
        return self.task.result().get(key) or NotFound("the origin gave no such record", str(key), key.origin)

    def is_worth_another(self, error: WeedHoundsError, deadline: float | None) -> bool:
        """Tell whether one that ended with ``error`` may do better for somebody who can wait until ``deadline``."""
        is_of_time = isinstance(error, OriginUnavailable | RateLimited)
        return is_of_time and self.ended_too_early_for(None if deadline is None else deadline - _SLACK_S)

    def join(self, token: object, trace: Trace) -> None:
        """Become a waiter."""
        self._waiters[token] = trace

    def leave(self, token: object) -> bool:
        """Stop waiting; tell whether nobody waits any more while it still flies."""
        self._payer = self._waiters.pop(token)
        return not self._waiters and not self.task.done()


class Flights:
    """The loads in flight, by key.

    Bounds: as many as their waiters asked for; each ends with its last waiter. ``MAX_LANDED`` keys
    that have landed are remembered.
    """

    def __init__(self) -> None:
        self._by_key: dict[RecordKey, Flight] = {}
        self._landings: OrderedDict[RecordKey, int] = OrderedDict()
        self.landings = 0
        self._flying: set[Flight] = set()
        self.started = 0
        self.joined = 0

    def __len__(self) -> int:
        return len(self._flying)

    def get(self, key: RecordKey) -> Flight | None:
        """Return the flight that will fill ``key``, where there is one."""
        return self._by_key.get(key)

    def landed_since(self, keys: Iterable[RecordKey], landing: int) -> list[RecordKey]:
        """Return the keys that were filled after ``landings`` stood at ``landing``."""
        return [key for key in keys if self._landings.get(key, 0) > landing]

    def start(
        self,
        keys: Collection[RecordKey],
        run: Callable[[Flight], Coroutine[object, object, Filling]],
        *,
        deadline: float | None,
        payer: Trace,
    ) -> Flight:
        """Start the load that fills ``keys``; the caller must :meth:`wait` for it.

        Args:
            run: does the work; gets the flight to charge calls to.
        """
        flight = Flight(keys, deadline=deadline, payer=payer)
        flight.task = asyncio.create_task(run(flight))
        self._flying.add(flight)
        self.started += 1
        for key in keys:
            self._by_key.setdefault(key, flight)
        flight.task.add_done_callback(lambda _: self._landed(flight))
        return flight

    async def wait(self, flights: Collection[Flight], *, timeout_s: float, trace: Trace) -> None:
        """Wait until all have landed or the time is over; end those that then nobody waits for."""
        token = object()
        for flight in flights:
            self.joined += flight.waiters > 0
            flight.join(token, trace)
            flight.task.add_done_callback(trace.load_done)
        trace.loads_started(len(flights))
        try:
            await asyncio.wait([flight.task for flight in flights], timeout=max(0.0, timeout_s))
        finally:
            for flight in flights:
                flight.task.remove_done_callback(trace.load_done)
            await self._end([flight for flight in flights if flight.leave(token)])

    async def close(self) -> None:
        """End all flights."""
        await self._end(list(self._flying))

    async def _end(self, flights: Collection[Flight]) -> None:
        """Cancel the loads and wait for them, so that no call goes out after the answer was given."""
        for flight in flights:
            self._forget(flight)  # nobody may join what is about to end
            flight.task.cancel()
        if flights:
            await asyncio.wait([flight.task for flight in flights], timeout=CANCEL_TIMEOUT_S)

    def _landed(self, flight: Flight) -> None:
        self._flying.discard(flight)
        self._forget(flight)
        if flight.task.cancelled():
            return
        if flight.task.exception() is None:  # a failure that nobody waits for any more is no surprise
            self._remember(flight.task.result())

    def _remember(self, keys: Iterable[RecordKey]) -> None:
        self.landings += 1
        for key in keys:
            self._landings[key] = self.landings
            self._landings.move_to_end(key)
        while len(self._landings) > MAX_LANDED:
            self._landings.popitem(last=False)

    def _forget(self, flight: Flight) -> None:
        for key in flight.keys:
            if self._by_key.get(key) is flight:
                del self._by_key[key]

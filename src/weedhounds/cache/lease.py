"""Single-flight across the nodes of one database: a lease row with a deadline for each load.

Who holds the lease of a load makes it; the others look again and again whether what they want has
come, whether the lease has ended, or whether their own time is over. A lease ends when it is
released, which is committed together with what the load filled, or by its deadline: a holder that
died costs no more than that. Deadlines are compared by the machine's clock (SQLite) or the server's
(MySQL), never by the nodes', so that nodes whose clocks differ neither wait for ever nor load twice.

A database that fails or is slow costs no load: it is then made without a lease.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Protocol

import blake3
import msgspec

from weedhounds.cache.entry import Entry
from weedhounds.cache.rows import milliseconds
from weedhounds.cache.totals import Totals
from weedhounds.cache.work import Ask, Backend, Dialect, Do, DoMany, Work, ask_in, marks
from weedhounds.cache.write_behind import WriteBehind
from weedhounds.clock import Clock
from weedhounds.errors import TierUnavailable
from weedhounds.model.keys import DIGEST_BYTES, RecordKey

MAX_LEASE_S = 30.0
"""Longest lease, and the longest time that a dead holder can cost."""
SLACK_S = 1.0
"""How much longer than its load a lease lasts: what was filled must be committed by then."""
ANSWER_S = 2.0
"""How long the database may take to give a lease; then the load is made without."""
LEAST_PAUSE_S, MOST_PAUSE_S = 0.02, 0.1
"""Pauses between two looks while another node loads."""
MAX_ASKING = 10_000
"""Loads that may wait to be given a lease at once; a further one is made without."""
_SWEEP_EVERY = 1000
_HOLDER_BYTES = 8
_AT_ONCE = 1000


class Leases(Protocol):
    """Who loads what, as all nodes of one database know it."""

    async def acquire(self, name: bytes, *, duration_s: float) -> bytes | None:
        """Return a token if the load is this caller's now; ``None`` where another one holds it.

        Raises:
            TierUnavailable: the database cannot say.
        """
        ...

    async def is_held(self, name: bytes) -> bool:
        """Tell whether somebody holds the load. Raises as :meth:`acquire`."""
        ...

    def release(self, name: bytes, token: bytes) -> None:
        """Let go of a load, together with the next commit of what was filled before."""
        ...


class _Asked(msgspec.Struct, frozen=True, gc=False):
    """A lease that is asked for: by which token, for how long, and the token of an own one that it may replace."""

    name: bytes
    token: bytes
    duration_ms: int
    own: bytes | None
    answer: asyncio.Future[bool]


class SqlLeases:
    """Leases as rows of the table ``leases``.

    Make it before the tier, so that what a load filled is never committed after its release. Loads
    that start together are asked for in one transaction.

    Args:
        rng: names this holder among all others.

    Bounds: ``MAX_ASKING`` callers; rows of dead holders are removed after their deadline, now and then.
    """

    def __init__(self, backend: Backend, *, rng: Random | None = None) -> None:
        self._backend = backend
        self._holder = (rng or Random()).randbytes(_HOLDER_BYTES)
        self._count = 0
        self._asking: list[_Asked] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._released: WriteBehind[bytes, bytes, None] = WriteBehind(
            self._release, lambda _: None, lambda _: 1, max_items=MAX_ASKING, max_weight=MAX_ASKING, is_dispensable=True
        )
        backend.gather(self._released)

    async def acquire(self, name: bytes, *, duration_s: float) -> bytes | None:
        """Return a token if the load is this caller's now; ``None`` where another one holds it.

        Args:
            name: digest of what is loaded.
            duration_s: longest time that it is held, at most ``MAX_LEASE_S``.

        Raises:
            TierUnavailable: the database failed, or too many ask.
        """
        if len(self._asking) >= MAX_ASKING:
            raise TierUnavailable(f"{MAX_ASKING} loads wait for a lease")
        self._count += 1
        token = self._holder + self._count.to_bytes(_HOLDER_BYTES, "big")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()
        if not self._asking:
            loop.call_soon(self._ask)
        # What this node has let go of, and not yet committed, is not waited for: it goes in the same transaction.
        own = self._released.get(name)
        self._released.discard(name)
        self._asking.append(_Asked(name, token, round(1000 * min(duration_s, MAX_LEASE_S)), own, answer))
        try:
            return token if await answer else None
        except asyncio.CancelledError:
            # One that is given later is let go of then.
            if not answer.cancelled() and answer.exception() is None and answer.result():
                self.release(name, token)
            raise

    async def is_held(self, name: bytes) -> bool:
        """Tell whether somebody holds the load.

        Raises:
            TierUnavailable: the database cannot be read.
        """
        return await self._backend.read(lambda: _is_held(self._backend.dialect, name))

    def release(self, name: bytes, token: bytes) -> None:
        """Let go of a load, together with the next commit of what was filled before."""
        self._released.add(name, token)
        self._backend.wake()

    async def close(self) -> None:
        """Wait for what was asked."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=MAX_LEASE_S)

    def _ask(self) -> None:
        """Ask for all leases that were wanted in this turn of the loop."""
        asked, self._asking = self._asking, []
        task = asyncio.create_task(self._answer(asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, asked: Sequence[_Asked]) -> None:
        is_sweep = self._count % _SWEEP_EVERY < len(asked)
        given: set[bytes] = set()
        failure: TierUnavailable | None = None
        try:
            given = await self._backend.write_apart(lambda: _acquire(self._backend.dialect, asked, is_sweep=is_sweep))
        except TierUnavailable as error:
            failure = error
        for each in asked:
            if failure is not None and each.own is not None and self._released.get(each.name) is None:
                self._released.add(each.name, each.own)
            if each.answer.done():
                if each.token in given:
                    self.release(each.name, each.token)
            elif failure is None:
                each.answer.set_result(each.token in given)
            else:
                each.answer.set_exception(TierUnavailable(failure.message, elapsed_s=failure.elapsed_s))

    def _release(self, released: Mapping[bytes, bytes], _: Totals) -> Work[None]:
        yield from _delete(released)


def _now_ms(dialect: Dialect) -> Work[int]:
    return int((yield Ask(f"SELECT {dialect.now_ms}"))[0][0])


def _delete(released: Mapping[bytes, bytes]) -> Work[None]:
    """Remove leases, by name, that are still of the token."""
    names = sorted(released)
    for at in range(0, len(names), _AT_ONCE):
        some = names[at : at + _AT_ONCE]
        several = marks(len(some))
        yield Do(
            f"DELETE FROM leases WHERE name IN ({several}) AND holder IN ({several})",
            [*some, *(released[name] for name in some)],
        )


def _acquire(dialect: Dialect, asked: Sequence[_Asked], *, is_sweep: bool) -> Work[set[bytes]]:
    """Take the leases that are free; return the tokens of those that were given.

    One statement takes them, and only where no lease holds; what the rows then say is the answer.
    A lease that would last longer than any may is of a clock that was set back: it holds nothing.
    """
    now_ms = yield from _now_ms(dialect)
    most_ms = now_ms + round(1000 * MAX_LEASE_S)
    yield from _delete({each.name: each.own for each in asked if each.own is not None})
    first: dict[bytes, _Asked] = {}
    for each in asked:
        first.setdefault(each.name, each)
    made = [(name, each.token, now_ms + each.duration_ms) for name, each in sorted(first.items())]
    # Whole numbers of our own, not values from outside: the two databases name the new row differently.
    free = f"(leases.until_ms <= {now_ms} OR leases.until_ms > {most_ms})"
    if dialect.name == "sqlite":
        tail = f" ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms WHERE {free}"
    else:  # set from left to right
        tail = (
            f" ON DUPLICATE KEY UPDATE holder = IF({free}, VALUES(holder), holder),"
            " until_ms = IF(holder = VALUES(holder), VALUES(until_ms), until_ms)"
        )
    yield DoMany("INSERT INTO leases (name, holder, until_ms)", made, tail)
    held = yield from ask_in("SELECT holder FROM leases WHERE name", list(first))
    if is_sweep:
        yield Do("DELETE FROM leases WHERE until_ms <= ?", (now_ms,))
    return {bytes(holder) for (holder,) in held}


def _is_held(dialect: Dialect, name: bytes) -> Work[bool]:
    found = yield Ask(f"SELECT until_ms, {dialect.now_ms} FROM leases WHERE name = ?", (name,))
    return any(now_ms < until_ms <= now_ms + round(1000 * MAX_LEASE_S) for until_ms, now_ms in found)


class _Known(msgspec.Struct, frozen=True):
    """What was there before a wait: expired entries of any tier, and what the shared tier showed."""

    held: Mapping[RecordKey, Entry]
    shown: Mapping[RecordKey, Entry]

    def has_changed(self, keys: Collection[RecordKey], found: Mapping[RecordKey, Entry]) -> bool:
        """Tell whether the shared tier shows another entry of each key than before.

        It was written during the wait: it is new, whatever the clocks of the two nodes say of its times.
        """
        return all(key in found and _is_other(found[key], self.shown.get(key)) for key in keys)


def _is_newer(entry: Entry, before: Entry | None) -> bool:
    return before is None or milliseconds(entry.fetched_at) > milliseconds(before.fetched_at)


def _is_other(entry: Entry, before: Entry | None) -> bool:
    """Tell entries apart by the moment of their fetch as it is stored: to the millisecond."""
    return before is None or milliseconds(entry.fetched_at) != milliseconds(before.fetched_at)


class SharedLoads:
    """Makes the nodes of one database load each thing once. What the read path asks.

    Args:
        peek: looks in the tier that the nodes share, uncounted (:meth:`weedhounds.cache.sql.SqlTier.peek_many`).
        clock: measures waiting, and tells what is fresh.

    Bounds: a load waits no longer than its own deadline, nor than the lease of whoever loads.
    """

    def __init__(
        self,
        leases: Leases,
        peek: Callable[[Collection[RecordKey]], Awaitable[Mapping[RecordKey, Entry]]],
        *,
        clock: Clock,
    ) -> None:
        self._leases = leases
        self._peek = peek
        self._clock = clock
        self.waited = 0
        """loads that another node was making, since start"""
        self.spared = 0
        """of them, those that need not be made"""

    @asynccontextmanager
    async def turn(
        self,
        name: str,
        keys: Collection[RecordKey],
        held: Mapping[RecordKey, Entry],
        *,
        deadline: float | None,
    ) -> AsyncIterator[dict[RecordKey, Entry]]:
        """Wait until the load may be made; yield what another node has filled meanwhile, else nothing.

        What the block fills is seen by the other nodes before the lease ends.

        Args:
            name: of the load, the same in every node.
            keys: what is wanted of it.
            held: the expired entries that were held when it was asked for.
            deadline: monotonic seconds.
        """
        digest = blake3.blake3(name.encode()).digest(DIGEST_BYTES)
        token: bytes | None = None
        try:
            token, filled = await self._wait(digest, keys, held, deadline)
            yield filled
        finally:
            if token is not None:
                self._leases.release(digest, token)

    async def _wait(
        self,
        name: bytes,
        keys: Collection[RecordKey],
        held: Mapping[RecordKey, Entry],
        deadline: float | None,
    ) -> tuple[bytes | None, dict[RecordKey, Entry]]:
        """Return the token of the load, or what came; neither where the database cannot say."""
        token: bytes | None = None
        try:
            for attempt in itertools.count():
                async with asyncio.timeout(ANSWER_S):
                    token = await self._leases.acquire(name, duration_s=self._left_s(deadline) + SLACK_S)
                # Another node may have filled it between the look that found nothing and now.
                found = await self._peek(keys)
                filled = found if self._is_served(keys, found, held) else {}
                if token is None and not filled:
                    self.waited += attempt == 0
                    filled = await self._watch(name, keys, _Known(held, found), deadline)
                self.spared += bool(filled)
                if token is not None or filled or self._left_s(deadline) <= 0:
                    return token, dict(filled)
        except (TierUnavailable, TimeoutError):
            pass
        except BaseException:  # the caller goes away between the lease and the look
            if token is not None:
                self._leases.release(name, token)
            raise
        return token, {}

    async def _watch(
        self, name: bytes, keys: Collection[RecordKey], known: _Known, deadline: float | None
    ) -> Mapping[RecordKey, Entry]:
        """Look again and again; return what came, or nothing where the lease or the time has ended."""
        pause_s = LEAST_PAUSE_S
        while (left_s := self._left_s(deadline)) > 0:
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(1.5 * pause_s, MOST_PAUSE_S)
            is_held = await self._leases.is_held(name)  # before the look: a lease ends with what it filled
            found = await self._peek(keys)
            if self._is_served(keys, found, known.held) or known.has_changed(keys, found):
                return found
            if not is_held:
                break
        return {}

    def _is_served(
        self, keys: Collection[RecordKey], found: Mapping[RecordKey, Entry], held: Mapping[RecordKey, Entry]
    ) -> bool:
        """Tell whether all keys can be served as if they had been found at once: fresh, and newer than what was held."""
        now = self._clock.now()
        return all(key in found and found[key].is_fresh(now) and _is_newer(found[key], held.get(key)) for key in keys)

    def _left_s(self, deadline: float | None) -> float:
        return math.inf if deadline is None else deadline - self._clock.monotonic()

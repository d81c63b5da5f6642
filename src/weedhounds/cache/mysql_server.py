"""One MySQL or MariaDB database, reached over a few connections on the event loop.

Owns connections, transactions, retries and write-behind. Knows nothing of entries or identities:
they hand in work (:mod:`weedhounds.cache.work`).

Look-ups that wait while all reading connections are busy become one statement, so that many
small reads cost little more than one. Writes gather in :class:`WriteBehind` maps, and the writer
commits what gathered as one transaction, at most once every ``write_behind_s``; writers of all
nodes take turns by a lock on ``totals``, as SQLite's do by its own. A deadlock is tried again; a
connection that was lost too, once: work is such that doing it twice does no harm. A commit that fails
leaves everything gathered in place; it is tried again, with growing pauses.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from weedhounds.cache import rows
from weedhounds.cache.address import MysqlAddress
from weedhounds.cache.mysql_errors import is_in_step, is_lost, is_passing
from weedhounds.cache.mysql_pool import LEAST_PAUSE_S, MysqlPool
from weedhounds.cache.mysql_schema import prepare
from weedhounds.cache.totals import lock_totals
from weedhounds.cache.work import MYSQL, Ask, Do, DoMany, Row, Statement, Work, ask_in, marks
from weedhounds.cache.write_behind import WriteBehind
from weedhounds.errors import TierUnavailable, WeedHoundsError
from weedhounds.telemetry import get_logger

if TYPE_CHECKING:
    from asyncmy import Connection
    from asyncmy.cursors import Cursor

T = TypeVar("T")
log = get_logger("weedhounds.cache.mysql")

MAX_JOBS = 10_000
"""Reads, writes and flushes that may wait at once; a further one is refused."""
GROUP, LEAST_GROUP = 512, 8
"""Rows that are looked up by one statement, where several callers ask for them."""
MAX_RETRY_S = 5.0
"""Longest pause between two tries of a commit that fails."""
ATTEMPTS = 5
"""Tries of a transaction that meets deadlocks."""
DEADLOCK_PAUSE_S = 0.02
"""Pause before the next one, times the number of tries, drawn evenly up to twice as long."""
MAX_ROWS_AT_ONCE = 256
MAX_BYTES_AT_ONCE = 4 * 2**20
"""Rows, and bytes of values, of one ``INSERT``."""
WRITERS = 2
"""Connections beside those for reading: one for the writer, one for what is written apart."""
_PACKET_SLACK = 64 * 2**10
"""Bytes of a packet that are left for all but the body."""


class MysqlServer:
    """The database and what is done in it. All methods belong to the loop of :meth:`open`.

    Args:
        pool_size: connections for reading.
        timeout_s: how long one transaction may take, waiting for a connection included.
        busy_timeout_s: how long a lock of another transaction is waited for.
        write_behind_s: longest time that a gathered write waits for its commit.
        rng: draws the pauses after deadlocks.

    Bounds: ``MAX_JOBS`` calls waiting; ``pool_size`` + ``WRITERS`` connections; what gathers is bounded
    by who gathers it.
    """

    dialect = MYSQL

    def __init__(
        self,
        address: MysqlAddress,
        *,
        pool_size: int = 4,
        timeout_s: float = 5.0,
        busy_timeout_s: float = 2.0,
        write_behind_s: float = 0.2,
        rng: Random | None = None,
    ) -> None:
        self.address = address
        self._write_behind_s = write_behind_s
        self._rng = rng or Random()
        self._pool_size = pool_size
        self._pool = MysqlPool(
            address,
            size=pool_size + WRITERS,
            timeout_s=timeout_s,
            lock_wait_s=busy_timeout_s,
            prepare=lambda connection: prepare(connection, address),
        )
        self._gathered: list[WriteBehind[Any, Any, Any]] = []
        self._asked = 0
        self._look_ups: deque[tuple[Sequence[bytes], asyncio.Future[list[Row]]]] = deque()
        self._is_pumped = False
        self._reading = 0
        self._order = asyncio.Lock()
        self._dirty = asyncio.Event()
        self._urgent = asyncio.Event()
        self._waiters: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._writer: asyncio.Task[None] | None = None
        self._opener: asyncio.Task[None] | None = None
        self._is_open = False
        self._is_closing = False

    @property
    def place(self) -> str:
        """Return server and database, without a password."""
        return self.address.place

    @property
    def is_tried_again(self) -> bool:
        """Tell whether the server could not be reached when this was opened, and is tried again by itself."""
        return self._opener is not None and not self._is_closing

    @property
    def max_body_bytes(self) -> int:
        """Return the largest body that one packet to the server holds."""
        return self._pool.max_packet_bytes - _PACKET_SLACK

    def gather(self, gathered: WriteBehind[Any, Any, Any]) -> None:
        """Let the writer commit what gathers in ``gathered``, from now on. What is given first is taken first."""
        self._gathered.append(gathered)

    async def open(self) -> None:
        """Connect, make the tables in an empty database, and start the writer.

        Raises:
            ConfigError: a setting to mend; nothing was started.
            TierUnavailable: the server cannot be reached: it is tried again whenever it is needed, unless
                the caller closes this.
        """
        if self._writer is not None:
            raise TierUnavailable(f"{self.place} was opened before", retryable=False)
        self._is_open = True
        self._writer = asyncio.create_task(self._serve_writes())
        try:
            await self._pool.open()
        except TierUnavailable:
            self._opener = asyncio.create_task(self._open_later())
            raise
        except BaseException:
            await self.close()
            raise

    def look_up(self, digests: Sequence[bytes]) -> asyncio.Future[list[Row]]:
        """Return the rows of ``entries`` with these digests.

        Raises:
            TierUnavailable: the server failed or cannot be reached, this is closed, or too many calls wait.
        """
        self._check_open()
        future: asyncio.Future[list[Row]] = asyncio.get_running_loop().create_future()
        self._look_ups.append((digests, future))
        self._asked += 1
        if not self._is_pumped:  # in the next turn of the loop: whoever asks in this one is asked for together
            self._is_pumped = True
            asyncio.get_running_loop().call_soon(self._pump)
        return future

    async def read(self, work: Callable[[], Work[T]]) -> T:
        """Run work that changes nothing. Raises as :meth:`look_up`."""
        self._check_open()
        self._asked += 1
        try:
            return await self._run(work, is_write=False)
        finally:
            self._asked -= 1

    async def write(self, work: Callable[[], Work[T]]) -> T:
        """Run work in a transaction of its own, in order with what gathers; it goes on if the caller is cancelled.

        Raises:
            TierUnavailable: the server failed or cannot be reached, or this is closed.
        """
        done: T = await self._spawned(self._in_order(work))
        return done

    async def write_apart(self, work: Callable[[], Work[T]]) -> T:
        """Run work in a transaction of its own, in no order with what gathers. Raises as :meth:`write`."""
        done: T = await self._spawned(self._run(work, is_write=True))
        return done

    async def flush(self) -> None:
        """Commit what has gathered so far.

        Raises:
            TierUnavailable: the commit failed; what gathered is kept and tried again later.
        """
        self._check_open()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._urgent.set()
        await waiter

    async def make_room(self, gathered: WriteBehind[Any, Any, Any]) -> None:
        """Return once more may be added to ``gathered``: at once, unless it is full.

        Raises:
            TierUnavailable: closed, or the last commit failed and was not made good since.
        """
        self._check_open()
        failure = gathered.failure
        if failure is not None:
            raise TierUnavailable(failure.message, elapsed_s=failure.elapsed_s, retryable=failure.retryable)
        if gathered.is_full:
            await self.flush()

    def wake(self) -> None:
        """Tell the writer that something has gathered."""
        self._dirty.set()

    async def close(self) -> None:
        """Commit what has gathered and close the connections. Calling it again does no harm.

        Raises:
            TierUnavailable: the last commit failed; says how many writes were lost.
        """
        self._is_closing = True
        self._urgent.set()
        if self._opener is not None:
            self._opener.cancel()
            await asyncio.wait([self._opener])
        if self._writer is not None:
            await asyncio.wait([self._writer])
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._pool.close()
        lost = sum(len(gathered) for gathered in self._gathered if gathered.failure is not None)
        if lost:
            raise TierUnavailable(f"{self.place} was closed with {lost} writes not stored", retryable=False)

    def _check_open(self) -> None:
        if not self._is_open or self._is_closing:
            raise TierUnavailable(f"{self.place} is not open")
        if self._asked >= MAX_JOBS:
            raise TierUnavailable(f"{self.place}: {MAX_JOBS} calls are waiting")

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _spawned(self, work: Any) -> Any:
        """Await work that goes on when the caller is cancelled: half of a discard is worse than all of it."""
        try:
            self._check_open()
        except TierUnavailable:
            work.close()
            raise
        self._asked += 1
        task = self._spawn(work)
        task.add_done_callback(self._answered)
        return await asyncio.shield(task)

    def _answered(self, task: asyncio.Task[Any]) -> None:
        self._asked -= 1
        if not task.cancelled():
            task.exception()  # a caller that went away does not ask for it

    async def _in_order(self, work: Callable[[], Work[T]]) -> T:
        async with self._order:
            return await self._run(work, is_write=True)

    async def _open_later(self) -> None:
        """Go on trying to open the database; what is to be mended at the server may be mended any time."""
        pause_s = LEAST_PAUSE_S
        while True:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, MAX_RETRY_S)
            try:
                await self._pool.open()
            except WeedHoundsError:
                continue
            log.info("database is there", place=self.place)
            return

    def _pump(self) -> None:
        """Look up what waits, as far as connections for reading are free, spread over them.

        Several statements under way keep client and server busy at the same time.
        """
        self._is_pumped = False
        free = self._pool_size - self._reading
        while self._look_ups and free > 0:
            most = min(GROUP, max(LEAST_GROUP, -(-len(self._look_ups) // free)))
            group, count = [], 0
            while self._look_ups and count < most:
                group.append(self._look_ups.popleft())
                count += len(group[-1][0])
            self._reading += 1
            free -= 1
            self._spawn(self._look_up(group))

    async def _look_up(self, group: list[tuple[Sequence[bytes], asyncio.Future[list[Row]]]]) -> None:
        """Answer several look-ups by one statement."""
        try:
            wanted = dict.fromkeys([digest for digests, _ in group for digest in digests])
            found = {row[0]: row for row in await self._run(lambda: ask_in(rows.READ, wanted), is_write=False)}
            for digests, future in group:
                if not future.done():
                    future.set_result([row for digest in digests if (row := found.get(digest)) is not None])
        except WeedHoundsError as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(TierUnavailable(error.message, elapsed_s=error.elapsed_s))
        finally:
            self._reading -= 1
            self._asked -= len(group)
            self._pump()

    async def _serve_writes(self) -> None:
        pause_s = self._write_behind_s
        is_last = False
        while not is_last:
            await self._next_turn(pause_s)
            is_last = self._is_closing
            if await self._commit_round():
                pause_s = self._write_behind_s
            else:
                pause_s = max(self._write_behind_s, min(2 * pause_s, MAX_RETRY_S))
                self._dirty.set()

    async def _next_turn(self, pause_s: float) -> None:
        """Wait until something has gathered and waited for ``pause_s``, or somebody asks for a commit."""
        dirty, urgent = asyncio.create_task(self._dirty.wait()), asyncio.create_task(self._urgent.wait())
        try:
            await asyncio.wait([dirty, urgent], return_when=asyncio.FIRST_COMPLETED)
            if not urgent.done():
                await asyncio.wait([urgent], timeout=pause_s)
        finally:
            dirty.cancel()
            urgent.cancel()
        self._dirty.clear()
        self._urgent.clear()

    async def _commit_round(self) -> bool:
        """Commit what gathered; tell whether that went well.

        What gathered is fixed before the turn in the order of writes is waited for: a discard that
        stands before has been asked for before, and a put after a discard waits for the next round.
        """
        waiters, self._waiters = self._waiters, []
        taken = [gathered for gathered in self._gathered if gathered.take()]
        error: TierUnavailable | None = None
        if taken:
            try:
                await self._in_order(lambda: self._commit(taken))
            except WeedHoundsError as failure:
                error = (
                    failure if isinstance(failure, TierUnavailable) else TierUnavailable(failure.message)
                )  # a setting that was right when this was opened
            for gathered in taken:
                gathered.finish(error)
        for waiter in waiters:
            if not waiter.done():
                if error is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(TierUnavailable(error.message, elapsed_s=error.elapsed_s))
        return error is None

    def _commit(self, taken: list[WriteBehind[Any, Any, Any]]) -> Work[None]:
        # The lock first: what a discard took back while this waited must not be written.
        totals = yield from lock_totals(self.dialect)
        for gathered in taken:
            yield from gathered.write(totals)

    async def _run(self, work: Callable[[], Work[T]], *, is_write: bool) -> T:
        """Run work on a connection; again after a deadlock, and once after a connection turned out to be dead."""
        is_fresh = False
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._pool.connection() as connection:
                    return await (_transacted if is_write else _perform)(work, connection)
            except TierUnavailable as error:
                cause = error.__cause__
                if cause is None or attempt == ATTEMPTS:
                    raise
                if is_passing(cause):
                    await asyncio.sleep(DEADLOCK_PAUSE_S * attempt * (1 + self._rng.random()))
                elif is_lost(cause) and not is_fresh:
                    is_fresh = True
                    self._pool.drop_idle()
                else:
                    raise
        raise AssertionError("the last attempt returns or raises")


async def _transacted(work: Callable[[], Work[T]], connection: Connection) -> T:
    await connection.begin()
    try:
        result = await _perform(work, connection)
    except Exception as error:
        if is_in_step(error):  # after any other the connection is closed, which does the same
            await connection.rollback()
        raise
    await connection.commit()
    return result


async def _perform(work: Callable[[], Work[T]], connection: Connection) -> T:
    """Run work to its end on a connection; statements that fail end it."""
    running = work()
    answer: Any = None
    async with connection.cursor() as cursor:
        try:
            while True:
                try:
                    statement = running.send(answer)
                except StopIteration as done:
                    result: T = done.value
                    return result
                answer = await _execute(statement, cursor)
        finally:
            running.close()


async def _execute(statement: Statement, cursor: Cursor) -> Any:
    if type(statement) is Ask:
        await cursor.execute(_pyformat(statement.sql), tuple(statement.values))
        return await cursor.fetchall()
    if type(statement) is Do:
        await cursor.execute(_pyformat(statement.sql), tuple(statement.values))
        return cursor.rowcount
    assert isinstance(statement, DoMany)
    changed = 0
    for some in _portions(statement):
        group = f"({marks(len(some[0]))})"
        sql = f"{statement.head} VALUES {','.join([group] * len(some))}{statement.tail}"
        await cursor.execute(_pyformat(sql), tuple([value for row in some for value in row]))
        changed += int(str(cursor.rowcount))
    return changed


def _portions(statement: DoMany) -> Iterator[Sequence[Row]]:
    """Split rows for statements: few different numbers of rows, and not too many bytes each."""
    rest = statement.rows
    while rest:
        count = size = 0
        for row in rest[:MAX_ROWS_AT_ONCE]:
            size += statement.row_bytes(row)
            if count and size > MAX_BYTES_AT_ONCE:
                break
            count += 1
        count = 1 << (count.bit_length() - 1)
        yield rest[:count]
        rest = rest[count:]


@lru_cache(256)
def _pyformat(sql: str) -> str:
    """Return a statement as asyncmy takes it."""
    return sql.replace("?", "%s")

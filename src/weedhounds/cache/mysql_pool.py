"""A few connections to a MySQL or MariaDB server, opened when needed and dropped when anything is wrong with them.

While the server cannot be reached, callers are told so at once, and one in a while tries again:
an outage costs a request no more than its first one did.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from weedhounds.cache.address import MysqlAddress
from weedhounds.cache.mysql_errors import is_in_step, opening_error, unavailable
from weedhounds.clock import Clock, SystemClock
from weedhounds.errors import TierUnavailable, WeedHoundsError

if TYPE_CHECKING:
    from asyncmy import Connection

STATEMENTS = 32
"""Prepared statements that each connection keeps: with them asyncmy speaks the binary protocol, which is
ten times as fast for bodies, since nothing is escaped."""
LEAST_PAUSE_S, MOST_PAUSE_S = 0.1, 5.0
"""How long nobody tries to connect after a failure; doubles from one to the next."""
PREPARE_S = 600.0
"""Longest time to make the tables, or to bring them up to date."""
QUIT_S = 1.0

Prepare = Callable[["Connection"], Awaitable[None]]


class MysqlPool:
    """Connections to one server.

    Args:
        size: most connections at once; further callers wait for one.
        timeout_s: longest time to connect, and of one use of a connection.
        lock_wait_s: how long a lock of another transaction is waited for.
        prepare: done once, on the first connection.

    Bounds: ``size`` connections.
    """

    def __init__(
        self, address: MysqlAddress, *, size: int, timeout_s: float, lock_wait_s: float, prepare: Prepare
    ) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._lock_wait_s = lock_wait_s
        self._prepare = prepare
        self._is_prepared = False
        self._free = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._pace: Clock = SystemClock()
        self._pause_s = 0.0
        self._down_until_s = 0.0
        self._failure: WeedHoundsError | None = None
        self.max_packet_bytes = 2**24

    async def open(self) -> None:
        """Connect and prepare the database; until that has gone well, nobody gets a connection.

        Raises:
            ConfigError: a setting to mend: user, password, database, a newer schema.
            TierUnavailable: the server cannot be reached.
        """
        connection: Connection | None = None
        started_s = self._pace.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._dial()
            async with asyncio.timeout(PREPARE_S):
                await self._prepare(connection)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if not isinstance(error, Exception):
                raise
            failure = opening_error(self._address.place, error, self._pace.monotonic() - started_s)
            self._note_failure(failure)
            raise failure from error
        self._is_prepared = True
        self._pause_s, self._failure = 0.0, None
        self._idle.append(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Yield a connection for one use, within ``timeout_s``.

        Raises:
            TierUnavailable: the server cannot be reached, failed, or took too long.
        """
        started_s = self._pace.monotonic()
        connection: Connection | None = None
        is_sound = False
        try:
            async with asyncio.timeout(self._timeout_s), self._free:
                try:
                    connection = self._idle.pop() if self._idle else await self._connect()
                    yield connection
                    is_sound = True
                except Exception as error:
                    is_sound = is_in_step(error)
                    raise
                finally:
                    if connection is not None:
                        self._give_back(connection, is_sound=is_sound)
        except WeedHoundsError:
            raise
        except Exception as error:
            failure = unavailable(self._address.place, error, self._pace.monotonic() - started_s)
            if isinstance(error, TimeoutError):
                self._note_failure(failure)
            raise failure from error

    def drop_idle(self) -> None:
        """Close the connections that nobody uses: the server was found to be gone."""
        while self._idle:
            self._idle.pop().close()

    async def close(self) -> None:
        """Close all connections that nobody uses."""
        while self._idle:
            connection = self._idle.pop()
            with suppress(Exception):
                async with asyncio.timeout(QUIT_S):
                    await connection.ensure_closed()

    def _give_back(self, connection: Connection, *, is_sound: bool) -> None:
        if is_sound and connection.connected:
            self._idle.append(connection)
        else:
            connection.close()

    async def _connect(self) -> Connection:
        failure = self._failure
        if failure is not None and (not self._is_prepared or self._pace.monotonic() < self._down_until_s):
            raise TierUnavailable(failure.message)
        started_s = self._pace.monotonic()
        try:
            connection = await self._dial()
        except Exception as error:
            failure = opening_error(self._address.place, error, self._pace.monotonic() - started_s)
            self._note_failure(failure)
            raise TierUnavailable(failure.message, elapsed_s=failure.elapsed_s) from error
        self._pause_s, self._failure = 0.0, None
        return connection

    def _note_failure(self, failure: WeedHoundsError) -> None:
        self._failure = failure
        self._pause_s = min(max(LEAST_PAUSE_S, 2 * self._pause_s), MOST_PAUSE_S)
        self._down_until_s = self._pace.monotonic() + self._pause_s
        self.drop_idle()

    async def _dial(self) -> Connection:
        import asyncmy  # 0.1 s: only where a server is used

        address = self._address
        connection: Connection = await asyncmy.connect(
            host=address.host,
            port=address.port,
            unix_socket=address.socket,
            user=address.user,
            password=address.password,
            database=address.database,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=max(0.01, self._timeout_s),
            stmt_cache_size=STATEMENTS,
            program_name="weedhounds",
        )
        try:
            found = await self._start_session(connection)
        except BaseException:
            connection.close()
            raise
        self.max_packet_bytes = int(found[0][0])
        return connection

    async def _start_session(self, connection: Connection) -> Any:
        """Make the session the same whatever the server's defaults are; return its largest packet."""
        wait_s = max(1, round(self._lock_wait_s))
        async with connection.cursor() as cursor:
            await cursor.execute(
                "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',"
                f" innodb_lock_wait_timeout = {wait_s}, sql_notes = 0, max_error_count = 0"
            )
            # What is read under the lock of `totals` must be what was committed last; and no gaps are locked.
            await cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            await cursor.execute("SELECT @@max_allowed_packet")
            return await cursor.fetchall()

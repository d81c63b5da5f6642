"""All that lives in one SQL database: the tier, the identity index, the history of prices, the leases.

Chooses the backend by ``database.url``. Everything is committed together and closed together.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from weedhounds.cache.address import Address, SqliteAddress
from weedhounds.cache.history_sql import SqlHistory
from weedhounds.cache.identity import IdentityIndex
from weedhounds.cache.lease import SharedLoads, SqlLeases
from weedhounds.cache.purge import Scope, last_purge, purged_since
from weedhounds.cache.sql import MAX_BYTES, SqlTier
from weedhounds.cache.sqlite_file import SqliteFile
from weedhounds.cache.work import Backend
from weedhounds.clock import Clock
from weedhounds.errors import TierUnavailable

WRITE_BEHIND_S = 0.2
BUSY_TIMEOUT_S = 2.0
TIMEOUT_S = 5.0
POOL_SIZE = 4
PURGE_OVERLAP = 100
"""Numbers of purges that are looked at again: where several nodes purge at once, a lower one may appear later."""


class Database:
    """The SQL database of a node. All methods belong to one event loop.

    Args:
        backend: a :class:`SqliteFile` or a :class:`weedhounds.cache.mysql_server.MysqlServer`, not opened yet.
        max_bytes, stale_if_error_frac: as for :class:`SqlTier`.
        rng: draws the sample of rows that might leave, and names this node's leases.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        clock: Clock,
        max_bytes: int = MAX_BYTES,
        stale_if_error_frac: float = 2.0,
        rng: Random | None = None,
    ) -> None:
        self.backend = backend
        rng = rng or Random()
        self.leases = SqlLeases(backend, rng=rng)  # first: releases are never committed before what was filled
        self.tier = SqlTier(backend, clock=clock, max_bytes=max_bytes, stale_if_error_frac=stale_if_error_frac, rng=rng)
        self.identities = IdentityIndex(backend)
        self.history = SqlHistory(backend, clock=clock)
        self.loads = SharedLoads(self.leases, self.tier.peek_many, clock=clock)
        self._seen_purges: set[int] | None = None

    @property
    def is_tried_again(self) -> bool:
        """Tell whether a database that could not be opened is tried again by itself."""
        return self.backend.is_tried_again

    async def open(self) -> None:
        """Open the database; make its tables where there are none.

        Raises:
            ConfigError: a setting to mend: path, address, user, a newer schema.
            TierUnavailable: damaged or locked (nothing is open), or a server that cannot be reached: that
                one is tried again by itself until :meth:`close`.
        """
        await self.backend.open()
        try:
            await self.tier.load()
            await self._begin_watch()
        except TierUnavailable:
            await self.close()
            raise

    async def purge(self, scopes: Sequence[Scope], why: str = "") -> int:
        """Remove all that the scopes cover from tier, identity index and history; return how many entries were held.

        Late writes of what was fetched before are kept out, whichever node makes them.

        Raises:
            TierUnavailable: it may not have been done as a whole; doing it again does no harm.
        """
        removed = await self.tier.purge(scopes, why)
        await self.identities.purge(scopes)
        await self.history.purge(scopes)
        return removed

    async def new_purges(self) -> list[tuple[Scope, float]]:
        """Return what any node has purged since the last call, or since :meth:`open`, and up to which moment.

        Raises:
            TierUnavailable: the database cannot be read.
        """
        if self._seen_purges is None:  # the server was not there at the start
            self._seen_purges = await self._begin_watch()
        seen = self._seen_purges
        last = max(seen, default=0)
        found = await self.backend.read(lambda: purged_since(last - PURGE_OVERLAP))
        known = seen | {number for number, _, _ in found}
        self._seen_purges = {number for number in known if number >= max(known) - PURGE_OVERLAP}
        new = [(text, moment) for number, text, moment in found if number not in seen]
        return [(Scope.parse(text.decode(errors="replace")), moment / 1000) for text, moment in new]

    async def _begin_watch(self) -> set[int]:
        """Take all purges so far as known."""
        last = await self.backend.read(last_purge)
        found = await self.backend.read(lambda: purged_since(last - PURGE_OVERLAP))
        self._seen_purges = {last, *(number for number, _, _ in found)}
        return self._seen_purges

    async def close(self) -> None:
        """Commit what waits and let go of the database. Calling it again does no harm.

        Raises:
            TierUnavailable: the last commit failed; says how many writes were lost.
        """
        await self.leases.close()
        await self.tier.note_uses()
        await self.backend.close()


def database_of(
    address: Address,
    *,
    clock: Clock,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    write_behind_s: float = WRITE_BEHIND_S,
    timeout_s: float = TIMEOUT_S,
    pool_size: int = POOL_SIZE,
    max_bytes: int = MAX_BYTES,
    stale_if_error_frac: float = 2.0,
) -> Database:
    """Return the database at ``address``, not opened yet.

    Args:
        busy_timeout_s: how long another writer's lock is waited for.
        write_behind_s: longest time that a write waits for its commit.
        timeout_s, pool_size: of a server: longest time of one transaction, connections for reading.
        max_bytes, stale_if_error_frac: as for :class:`Database`.
    """
    backend: Backend
    if isinstance(address, SqliteAddress):
        backend = SqliteFile(address.path, clock=clock, busy_timeout_s=busy_timeout_s, write_behind_s=write_behind_s)
    else:
        from weedhounds.cache.mysql_server import MysqlServer  # imports its client when it is opened

        backend = MysqlServer(
            address,
            pool_size=pool_size,
            timeout_s=timeout_s,
            busy_timeout_s=busy_timeout_s,
            write_behind_s=write_behind_s,
        )
    return Database(backend, clock=clock, max_bytes=max_bytes, stale_if_error_frac=stale_if_error_frac)

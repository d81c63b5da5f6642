"""How the tables of a MySQL or MariaDB database are made or brought up to date.

Statements that define tables commit by themselves there. So one node does it at a time, under a
lock of the server that ends with its connection; the version is noted last; and what is found to
be there already, from an attempt that was cut off, is passed over.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import blake3

from weedhounds.cache.address import MysqlAddress
from weedhounds.cache.ddl import SCHEMA_VERSION, head_statements
from weedhounds.cache.mysql_errors import code_of
from weedhounds.cache.work import MYSQL
from weedhounds.errors import ConfigError, TierUnavailable

if TYPE_CHECKING:
    from asyncmy import Connection

LOOK_S = 10.0
"""How long the server may take to say which schema it has."""
LOCK_WAIT_S = 60
"""How long another node's work on the tables is waited for."""
_NO_SUCH_TABLE = 1146
_THERE_ALREADY = frozenset({1050, 1060, 1061, 1062})
"""A table, column, index or row of that name exists."""
OURS = frozenset(
    {"entries", "identities", "uses", "tombstones", "leases", "history_keys", "history_items", "history", "totals",
     "schema_version"}
)  # fmt: skip


async def prepare(connection: Connection, address: MysqlAddress) -> None:
    """Make the tables in an empty database, bring those of an older schema up to date; accept current ones.

    Raises:
        ConfigError: a newer schema, another program's tables, or a user without the right to make tables.
        TierUnavailable: another node has been at it for too long.
    """
    async with asyncio.timeout(LOOK_S):
        if await version_of(connection, address) == SCHEMA_VERSION:
            return
    name = "weedhounds:" + blake3.blake3(address.database.encode()).hexdigest(20)
    if (await _ask(connection, f"SELECT GET_LOCK('{name}', {LOCK_WAIT_S})"))[0][0] != 1:
        raise TierUnavailable(f"{address.place}: another node has been making the tables for {LOCK_WAIT_S} s")
    try:
        version = await version_of(connection, address)
        if version != SCHEMA_VERSION:
            for statement in _statements(version):
                await _make(connection, statement, address)
    finally:
        await _ask(connection, f"SELECT RELEASE_LOCK('{name}')")


async def version_of(connection: Connection, address: MysqlAddress) -> int:
    """Return 0 where there are no tables of ours, else the schema version, at most ours.

    Raises:
        ConfigError: a newer schema, or another program's tables.
    """
    try:
        found = await _ask(connection, "SELECT version_num FROM schema_version")
    except Exception as error:
        if code_of(error) != _NO_SUCH_TABLE:
            raise
        found = ()
    if found:
        version = int(found[0][0])
        if version > SCHEMA_VERSION:
            raise ConfigError(
                f"{address.place} has schema version {version}, this program knows {SCHEMA_VERSION}: "
                "use a newer weedhounds, or another database in database.url"
            )
        return version
    tables = {
        str(name)
        for (name,) in await _ask(
            connection, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
        )
    }
    if foreign := sorted(tables - OURS):
        raise ConfigError(
            f"{address.place} holds another program's tables ({foreign[0]}): name an empty database in database.url"
        )
    return 0


def _statements(version: int) -> list[str]:
    if version == 0:
        return head_statements(MYSQL)
    from weedhounds.cache.migrate import upgrade_statements

    return upgrade_statements(MYSQL, version)


async def _make(connection: Connection, statement: str, address: MysqlAddress) -> None:
    try:
        await _ask(connection, statement)
    except Exception as error:
        if code_of(error) in (1044, 1142, 1227):
            raise ConfigError(
                f"{address.place}: this user may not make tables ({error.args[1]}); "
                "run weedhounds db init once as one who may"
            ) from error
        if code_of(error) not in _THERE_ALREADY:
            raise


async def _ask(connection: Connection, sql: str) -> Any:
    async with connection.cursor() as cursor:
        await cursor.execute(sql)
        return await cursor.fetchall()

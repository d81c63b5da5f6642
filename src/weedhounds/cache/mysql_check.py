"""What is wrong with a MySQL or MariaDB database, found without changing anything in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from weedhounds.cache.address import MysqlAddress
from weedhounds.cache.check import Finding, Structure, compare, counts_finding
from weedhounds.cache.ddl import SCHEMA_VERSION
from weedhounds.cache.mysql_errors import code_of, opening_error, unavailable
from weedhounds.cache.mysql_schema import version_of
from weedhounds.cache.work import MYSQL
from weedhounds.clock import Clock, SystemClock
from weedhounds.errors import WeedHoundsError

if TYPE_CHECKING:
    from asyncmy import Connection

CONNECT_S = 10.0
SKEW_S = 5.0
"""From here on a difference of the clocks is told."""
LEAST_PACKET_BYTES = 4 * 2**20
_COUNTED = ("entries", "identities", "history")


async def check_mysql(address: MysqlAddress, *, clock: Clock, limit_s: float) -> list[Finding]:
    """Return what is found of a server's database; stops where nothing further can be judged."""
    import asyncmy

    found: list[Finding] = []
    try:
        async with asyncio.timeout(CONNECT_S):
            connection = await asyncmy.connect(
                host=address.host, port=address.port, unix_socket=address.socket, user=address.user,
                password=address.password, database=address.database, charset="utf8mb4", autocommit=True,
                connect_timeout=CONNECT_S,
            )  # fmt: skip
    except Exception as error:
        return [Finding("server", False, str(opening_error(address.place, error, CONNECT_S)))]
    try:
        async for finding in _look(connection, address, clock, limit_s):
            found.append(finding)  # noqa: PERF401 - what was found before an error counts
    except WeedHoundsError as error:
        found.append(Finding("schema version", False, str(error)))
    except Exception as error:
        found.append(Finding("server", False, str(unavailable(address.place, error, 0.0))))
    finally:
        connection.close()
    return found


async def _look(connection: Connection, address: MysqlAddress, clock: Clock, limit_s: float) -> AsyncIterator[Finding]:
    yield Finding("server", True, f"{address.place}, {(await _ask(connection, 'SELECT VERSION()'))[0][0]}")
    yield await _clock(connection, clock)
    yield await _packet(connection)
    version = await version_of(connection, address)
    if version != SCHEMA_VERSION:
        what = f"{version}, this program wants {SCHEMA_VERSION}" if version else "no tables yet"
        yield Finding("schema version", False, f"{what}: weedhounds db init")
        return
    yield Finding("schema version", True, str(version))
    cure = "restore a backup, or name an empty database in database.url"
    for finding in compare(_expected(), await _structure(connection), cure=cure):
        yield finding
    yield await _rights(connection)
    pace = SystemClock()
    until_s = pace.monotonic() + limit_s
    try:
        async with asyncio.timeout(limit_s):
            counts = await _counts(connection)
    except TimeoutError:
        yield Finding("counts", True, f"not counted within {limit_s:g} s")
        return  # the connection is out of step
    yield counts
    for table in _expected():
        try:
            async with asyncio.timeout(max(0.1, until_s - pace.monotonic())):
                finding = await _damage(connection, table)
        except TimeoutError:
            yield Finding("damage", True, f"looked for it {limit_s:g} s long, up to the table {table}")
            return
        yield finding


async def _clock(connection: Connection, clock: Clock) -> Finding:
    """Compare the clocks: no lifetime depends on the server's, so a difference is told and harms nothing."""
    sql = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)), @@session.time_zone"
    microseconds, zone = (await _ask(connection, sql))[0]
    ahead_s = int(microseconds) / 1e6 - clock.now()
    if abs(ahead_s) < SKEW_S:
        return Finding("clock", True, f"the server's agrees with this machine's (its zone: {zone})")
    which = "ahead of" if ahead_s > 0 else "behind"
    return Finding("clock", True, f"the server's is {abs(ahead_s):,.0f} s {which} this machine's: harmless")


async def _packet(connection: Connection) -> Finding:
    size = int((await _ask(connection, "SELECT @@max_allowed_packet"))[0][0])
    if size >= LEAST_PACKET_BYTES:
        return Finding("largest packet", True, f"{size:,} bytes; larger entries are not stored")
    return Finding("largest packet", False, f"{size:,} bytes: set max_allowed_packet to 16M or more")


def _expected() -> Structure:
    from weedhounds.cache.tables import metadata_of

    structure = {"schema_version": frozenset({"column version_num"})}
    for table in metadata_of(MYSQL).sorted_tables:
        columns = {f"column {c.name} {'' if c.nullable else 'not '}null" for c in table.columns}
        indexes = {
            f"{'unique ' if i.unique else ''}index {i.name} on {', '.join(c.name for c in i.columns)}"
            for i in table.indexes
        }
        key = f"unique index PRIMARY on {', '.join(c.name for c in table.primary_key.columns)}"
        structure[table.name] = frozenset({*columns, *indexes, key})
    return structure


async def _structure(connection: Connection) -> Structure:
    parts: dict[str, set[str]] = {}
    sql = "SELECT table_name, column_name, is_nullable FROM information_schema.columns WHERE table_schema = DATABASE()"
    for table, column, nullable in await _ask(connection, sql):
        kinds = {f"column {column} {'not ' if nullable == 'NO' else ''}null"}
        parts.setdefault(str(table), set()).update({*kinds, f"column {column}"})
    sql = (
        "SELECT table_name, index_name, non_unique, column_name FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() ORDER BY table_name, index_name, seq_in_index"
    )
    indexes: dict[tuple[str, str, int], list[str]] = {}
    for table, index, non_unique, column in await _ask(connection, sql):
        indexes.setdefault((str(table), str(index), int(non_unique)), []).append(str(column))
    for (table, index, non_unique), columns in indexes.items():
        parts[table].add(f"{'' if non_unique else 'unique '}index {index} on {', '.join(columns)}")
    return {table: frozenset(found) for table, found in parts.items()}


async def _rights(connection: Connection) -> Finding:
    """Try what a node does, and take it back."""
    name = "X'" + "00" * 20 + "'"
    steps = {
        "SELECT": f"SELECT 1 FROM leases WHERE name = {name} FOR UPDATE",
        "INSERT": f"INSERT INTO leases VALUES ({name}, X'{'00' * 16}', 0) ON DUPLICATE KEY UPDATE until_ms = 0",
        "UPDATE": f"UPDATE leases SET until_ms = 0 WHERE name = {name}",
        "DELETE": f"DELETE FROM leases WHERE name = {name}",
    }
    missing = []
    await connection.begin()
    try:
        for right, sql in steps.items():
            try:
                await _ask(connection, sql)
            except Exception as error:
                if code_of(error) not in (1142, 1143, 1290, 1836):
                    raise
                missing.append(right if code_of(error) in (1142, 1143) else f"{right} (the server is read-only)")
    finally:
        await connection.rollback()
    detail = f"missing: {', '.join(missing)}; GRANT them to this user" if missing else ", ".join(steps)
    return Finding("rights", not missing, detail)


async def _damage(connection: Connection, table: str) -> Finding:
    rows = await _ask(connection, f"CHECK TABLE `{table}` QUICK")
    told = [(str(kind), str(text)) for _, _, kind, text in rows]
    bad = [text for kind, text in told if kind == "error" or (kind == "status" and text != "OK")]
    return Finding(f"table {table}", not bad, "; ".join(bad) or "no damage found")


async def _counts(connection: Connection) -> Finding:
    told = {_name(name): int(count) for name, count in await _ask(connection, "SELECT name, `rows` FROM totals")}
    found = {t: int((await _ask(connection, f"SELECT count(*) FROM {t}"))[0][0]) for t in _COUNTED}
    return counts_finding(told, found)


def _name(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


async def _ask(connection: Connection, sql: str) -> Any:
    ask: Callable[..., Any] = connection.cursor
    async with ask() as cursor:
        await cursor.execute(sql)
        return await cursor.fetchall()

"""A server that is gone, hangs, is full, read-only, locked or not ours: one clear error, and nothing is lost or hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncmy
import pytest

from mariadb import PASSWORD, USER, MariaDb, running_mariadb
from sample_entries import NOW, menu_entry, menu_key, raw_entry, same
from sql_kits import Kit, commits_of, until
from weedhounds.cache import mysql_server
from weedhounds.cache.address import MysqlAddress, parse_address
from weedhounds.cache.database import Database
from weedhounds.cache.mysql_pool import MysqlPool
from weedhounds.clock import SystemClock
from weedhounds.errors import ConfigError, TierUnavailable


@pytest.fixture
def kit(mariadb: MariaDb, mysql_url: str) -> Kit:
    return Kit(mysql_url, mariadb)


@pytest.fixture(scope="module")
def mortal() -> Iterator[MariaDb]:
    """Yield a server beside that of the test run."""
    with running_mariadb() as server:
        yield server


@pytest.fixture
def own_server(mortal: MariaDb) -> MariaDb:
    """Return a server that the test may stop, kill and pause."""
    mortal.start()
    return mortal


@asynccontextmanager
async def locked(kit: Kit) -> AsyncIterator[None]:
    """Hold the lock that all writers take, from another connection."""
    assert isinstance(kit.address, MysqlAddress)
    connection = await asyncmy.connect(
        host=kit.address.host, port=kit.address.port, user=USER, password=PASSWORD, database=kit.address.database
    )
    await connection.begin()
    async with connection.cursor() as cursor:
        await cursor.execute("SELECT name FROM totals FOR UPDATE")
    try:
        yield
    finally:
        connection.close()


async def outcome(call: Awaitable[object]) -> TierUnavailable | None:
    try:
        await call
    except TierUnavailable as error:
        return error
    return None


async def can_read(node: Database) -> bool:
    return await outcome(node.tier.peek_many([menu_key(1)])) is None


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("ends", ["stop", "kill"])
async def test_a_server_that_goes_in_mid_batch_and_comes_back_costs_nothing_but_time(
    own_server: MariaDb, ends: str
) -> None:
    """What was accepted waits, is readable, and is committed once the server is back; each call ends soon."""
    kit = Kit(own_server.new_database(), own_server)
    clock = SystemClock()
    async with kit.opened(write_behind_s=0.02, timeout_s=1) as node:
        commits = commits_of(node)
        accepted: dict[int, float] = {}
        number = 0
        for phase in ("up", "down", "up again"):
            if phase == "down":
                getattr(own_server, ends)()
            elif phase == "up again":
                own_server.start()
                await until(lambda: can_read(node), limit_s=20)
            for _ in range(30):
                number += 1
                started_s = clock.monotonic()
                refusal = await outcome(node.tier.put_many([menu_entry(number, fetched_at=NOW + number)]))
                if refusal is None:
                    accepted[number] = NOW + number
                else:
                    assert phase != "up"
                    assert refusal.retryable
                    assert "p@ss" not in str(refusal)
                assert clock.monotonic() - started_s < 3
                await asyncio.sleep(0.003)
            if phase == "down":
                with pytest.raises(TierUnavailable, match=r"cannot be reached|not be reached|gave no answer"):
                    await node.tier.get_many([menu_key(number)])
        while await asyncio.wait_for(commits.get(), 20) is not None:
            pass
        await node.tier.flush()
        found = await node.tier.get_many([menu_key(n) for n in accepted])
        assert {int(key.native_id): entry.fetched_at for key, entry in found.items()} == accepted
        assert len(accepted) > 30
        assert kit.count() == len(accepted)
        assert kit.rows("SELECT `rows` FROM totals WHERE name = 'entries'") == [(len(accepted),)]


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_server_that_hangs_costs_its_time_limit_once_and_then_nothing(own_server: MariaDb) -> None:
    kit = Kit(own_server.new_database(), own_server)
    clock = SystemClock()
    async with kit.opened(timeout_s=0.5) as node:
        await node.tier.put_many([menu_entry(1)])
        await node.tier.flush()
        own_server.pause()
        try:
            started_s = clock.monotonic()
            results = await asyncio.gather(
                *(node.tier.get_many([menu_key(1)]) for _ in range(50)), return_exceptions=True
            )
            assert all(isinstance(result, TierUnavailable) for result in results)
            assert clock.monotonic() - started_s < 3
            took_s = []
            for _ in range(5):
                started_s = clock.monotonic()
                with pytest.raises(TierUnavailable):
                    await node.tier.get_many([menu_key(1)])
                took_s.append(clock.monotonic() - started_s)
            assert min(took_s) < 0.05
        finally:
            own_server.resume()
        await until(lambda: can_read(node), limit_s=20)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_node_that_starts_while_its_server_hangs_does_not(own_server: MariaDb) -> None:
    kit = Kit(own_server.new_database(), own_server)
    node = kit.database(timeout_s=0.5)
    own_server.pause()
    try:
        with pytest.raises(TierUnavailable, match="gave no answer in time"):
            async with asyncio.timeout(5):
                await node.open()
        assert node.is_tried_again
    finally:
        own_server.resume()
    await until(lambda: can_read(node), limit_s=20)
    await node.close()


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_node_that_starts_without_its_server_finds_it_later(own_server: MariaDb) -> None:
    kit = Kit(own_server.new_database(), own_server)
    own_server.stop()
    node = kit.database(write_behind_s=0.02, timeout_s=1)
    with pytest.raises(TierUnavailable, match="cannot be reached"):
        await node.open()
    assert node.is_tried_again
    await node.tier.put_many([menu_entry(1)])
    with pytest.raises(TierUnavailable):
        await node.tier.get_many([menu_key(1)])
    assert await node.loads._wait(b"n" * 20, [menu_key(1)], {}, None) == (None, {})
    own_server.start()
    await until(lambda: can_read(node), limit_s=20)
    await node.tier.flush()
    assert kit.count() == 1
    assert await node.new_purges() == []
    await node.close()
    assert not node.is_tried_again


async def test_closing_without_the_server_says_how_much_was_lost() -> None:
    node = Kit("mysql://a:b@127.0.0.1:1/x").database(timeout_s=0.5)
    with pytest.raises(TierUnavailable, match="cannot be reached"):
        await node.open()
    await node.tier.put_many([menu_entry(1), menu_entry(2)])
    with pytest.raises(TierUnavailable, match="closed with 2 writes not stored"):
        await node.close()


async def test_a_lock_held_too_long_fails_the_flush_and_loses_nothing(kit: Kit) -> None:
    entries = [menu_entry(number) for number in range(5)]
    async with kit.opened(busy_timeout_s=1) as node:
        async with locked(kit):
            await node.tier.put_many(entries)
            with pytest.raises(TierUnavailable, match="is locked by another transaction") as caught:
                await node.tier.flush()
            assert caught.value.retryable
            with pytest.raises(TierUnavailable):
                await node.tier.put_many([menu_entry(9)])
            # Readers are not blocked.
            assert len(await node.tier.get_many([entry.key for entry in entries])) == 5
        await node.tier.flush()
        assert kit.count() == 5
        await node.tier.put_many([menu_entry(9)])


async def test_a_deadlock_is_tried_again(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two transactions lock two rows crosswise: the server ends one of them, and it is made again."""
    async with kit.opened(timeout_s=5) as node:
        await node.tier.put_many([menu_entry(1), menu_entry(2)])
        await node.tier.flush()
        first, second = sorted((menu_key(1).digest, menu_key(2).digest))
        assert isinstance(kit.address, MysqlAddress)
        other = await asyncmy.connect(
            host=kit.address.host, port=kit.address.port, user=USER, password=PASSWORD, database=kit.address.database
        )
        touch = "UPDATE entries SET expires_ms = expires_ms WHERE digest = %s"
        turns = 0
        perform: Callable[..., Any] = mysql_server._perform

        async def crosswise(work: Any, connection: Any) -> Any:
            nonlocal turns
            turns += 1
            if turns > 1:
                return await perform(work, connection)
            async with other.cursor() as cursor:
                await other.begin()
                await cursor.execute(touch, (second,))
                async with connection.cursor() as own:
                    await own.execute(touch, (first,))
                    blocked = asyncio.create_task(cursor.execute(touch, (first,)))
                    await asyncio.sleep(0.05)
                    try:
                        await own.execute(touch, (second,))
                    finally:
                        await asyncio.gather(blocked, return_exceptions=True)
                        await other.rollback()
            raise AssertionError("no deadlock")

        monkeypatch.setattr(mysql_server, "_perform", crosswise)
        monkeypatch.setattr(mysql_server, "ATTEMPTS", 3)
        await node.backend.write(lambda: node.tier._discard([]))
        assert turns >= 2
        other.close()


async def test_deadlocks_without_end_become_an_error(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    async with kit.opened() as node:
        tries = 0

        async def fails(*_: Any) -> None:
            nonlocal tries
            tries += 1
            raise asyncmy.OperationalError(1213, "Deadlock found when trying to get lock")

        monkeypatch.setattr(mysql_server, "DEADLOCK_PAUSE_S", 0.001)
        with monkeypatch.context() as patch:
            patch.setattr(mysql_server, "_perform", fails)
            with pytest.raises(TierUnavailable, match="deadlock again and again"):
                await node.tier.discard([menu_key(1)])
        assert tries == mysql_server.ATTEMPTS
        assert await node.tier.discard([menu_key(1)]) == 0


async def test_a_read_only_server_can_still_be_read(kit: Kit, mariadb: MariaDb) -> None:
    node = kit.database()
    await node.open()
    await node.tier.put_many([menu_entry(1)])
    await node.tier.flush()
    mariadb.sql("SET GLOBAL read_only = 1")
    try:
        assert len(await node.tier.get_many([menu_key(1)])) == 1
        await node.tier.put_many([menu_entry(2)])
        with pytest.raises(TierUnavailable, match="is read-only"):
            await node.tier.flush()
        with pytest.raises(TierUnavailable, match="is read-only"):
            await node.tier.discard([menu_key(1)])
        assert len(await node.tier.get_many([menu_key(1)])) == 1
    finally:
        mariadb.sql("SET GLOBAL read_only = 0")
    await node.close()
    assert kit.count() == 2


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_full_disk_fails_the_commit_and_keeps_what_was_there(tmp_path: Path) -> None:
    """All tables in one file that may not grow: what a full disk is to the server."""
    with running_mariadb(["--innodb-file-per-table=0", "--innodb-data-file-path=ibdata1:24M"]) as server:
        kit = Kit(server.new_database(), server)
        node = kit.database(timeout_s=10)
        await node.open()
        await node.tier.put_many([menu_entry(1)])
        await node.tier.flush()
        await node.tier.put_many([raw_entry(f"large{n}", bytes(200_000)) for n in range(150)])
        with pytest.raises(TierUnavailable, match=r"cannot grow"):
            await node.tier.flush()
        with pytest.raises(TierUnavailable, match=r"cannot grow"):
            await node.tier.put_many([menu_entry(2)])
        assert len(await node.tier.get_many([menu_key(1), menu_key("large3")])) == 2
        assert kit.count() == 1
        with pytest.raises(TierUnavailable, match="150 writes not stored"):
            await node.close()


@pytest.mark.parametrize(
    "change",
    ["DROP TABLE uses", "ALTER TABLE entries DROP COLUMN seal", "DROP TABLE totals"],
    ids=["table", "column", "totals"],
)
async def test_a_wrong_schema_is_an_error_that_says_where_to_look(mariadb: MariaDb, change: str) -> None:
    kit = Kit(mariadb.new_database(), mariadb)
    async with kit.opened() as node:
        await node.tier.put_many([menu_entry(1)])
        await node.tier.flush()
    kit.rows(change)
    node = kit.database()
    errors = [
        await outcome(call)
        for call in (node.open(), node.tier.discard([menu_key(1)]), node.tier.get_many([menu_key(1)]))
    ]
    assert "weedhounds db check says more" in str(next(error for error in errors if error is not None))
    await node.close()


async def test_a_newer_schema_is_refused(mariadb: MariaDb) -> None:
    kit = Kit(mariadb.new_database(), mariadb)
    async with kit.opened():
        pass
    kit.rows("UPDATE schema_version SET version_num = '0007'")
    with pytest.raises(ConfigError, match=r"has schema version 7, this program knows 2: use a newer weedhounds"):
        await kit.database().open()


async def test_another_programs_tables_are_left_alone(mariadb: MariaDb) -> None:
    kit = Kit(mariadb.new_database(), mariadb)
    kit.rows("CREATE TABLE bookmarks (url VARCHAR(99))")
    with pytest.raises(ConfigError, match=r"another program's tables \(bookmarks\)"):
        await kit.database().open()
    assert kit.rows("SHOW TABLES") == [("bookmarks",)]


async def test_tables_half_made_by_an_attempt_that_was_cut_off_are_completed(mariadb: MariaDb) -> None:
    whole = Kit(mariadb.new_database(), mariadb)
    async with whole.opened():
        pass
    tables = whole.rows("SHOW TABLES")
    kit = Kit(mariadb.new_database(), mariadb)
    async with kit.opened():
        pass
    kit.rows(
        "DROP TABLE schema_version; DROP TABLE uses; DROP INDEX identities_by_key ON identities; DELETE FROM totals"
    )
    async with kit.opened() as node:
        await node.tier.put_many([menu_entry(1)])
        await node.tier.flush()
        assert node.tier.stats().entries == 1
    assert kit.rows("SHOW TABLES") == tables


async def test_nodes_that_start_together_on_a_new_database_all_succeed(mariadb: MariaDb) -> None:
    kit = Kit(mariadb.new_database(), mariadb)
    nodes = [kit.database() for _ in range(5)]
    await asyncio.gather(*(node.open() for node in nodes))
    await asyncio.gather(*(node.tier.put_many([menu_entry(n)]) for n, node in enumerate(nodes)))
    await asyncio.gather(*(node.close() for node in nodes))
    assert kit.count() == 5
    assert kit.rows("SELECT `rows` FROM totals WHERE name = 'entries'") == [(5,)]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"user": "nobody"}, "refuses this user or password"),
        ({"password": "wrong"}, "refuses this user or password"),
        ({"database": "weedhounds_none"}, "there is no such database"),
    ],
)
async def test_an_address_that_cannot_work_is_a_setting_to_mend(kit: Kit, changed: dict[str, str], said: str) -> None:
    assert kit.server is not None
    parts = {"database": kit.url.rpartition("/")[2], "user": USER, "password": "p%40ss%3Aw%2Frd", **changed}
    url = kit.server.url(parts["database"], user=parts["user"], password=parts["password"])
    node = Kit(url, kit.server).database()
    with pytest.raises(ConfigError, match=said) as caught:
        await node.open()
    assert "wrong" not in str(caught.value)
    await node.close()


async def test_a_user_without_the_right_to_make_tables_is_told_what_to_do(mariadb: MariaDb) -> None:
    url = mariadb.new_database()
    name = url.rpartition("/")[2]
    mariadb.sql(
        f"CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'x'; GRANT SELECT, INSERT, UPDATE, DELETE ON other.* TO reader@'127.0.0.1'; GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO reader@'127.0.0.1'"
    )
    try:
        kit = Kit(mariadb.url(name, user="reader", password="x"), mariadb)
        with pytest.raises(ConfigError, match="run weedhounds db init once as one who may"):
            await kit.database().open()
        async with Kit(url, mariadb).opened():
            pass
        async with kit.opened() as node:
            await node.tier.put_many([menu_entry(1)])
            await node.tier.flush()
        assert kit.count() == 1
    finally:
        mariadb.sql("DROP USER reader@'127.0.0.1'")


async def test_an_entry_larger_than_the_servers_packet_is_left_out(kit: Kit) -> None:
    async with kit.opened() as node:
        limit = node.backend.max_body_bytes
        assert 15 * 2**20 < limit < 16 * 2**20
        await node.tier.put_many([raw_entry(1, bytes(limit + 1)), raw_entry(2, b"small")])
        await node.tier.flush()
        assert (kit.count(), node.tier.stats().errors) == (1, 1)


@pytest.mark.timeout(60)
async def test_the_largest_entry_that_is_taken_comes_back(kit: Kit) -> None:
    async with kit.opened(timeout_s=20) as node:
        entry = raw_entry(1, bytes(range(256)) * (node.backend.max_body_bytes // 256))
        await node.tier.put_many([entry])
        await node.tier.flush()
        assert same((await node.tier.get_many([entry.key]))[entry.key], entry)


async def test_connections_are_few_and_reused(kit: Kit, mariadb: MariaDb) -> None:
    async with kit.opened() as node:
        await node.tier.put_many([raw_entry(n, b"%d" % n) for n in range(400)])
        await node.tier.flush()
        before = int(mariadb.sql("SHOW GLOBAL STATUS LIKE 'Connections'").split()[1])
        for _ in range(5):
            await asyncio.gather(*(node.tier.get_many([menu_key(n)]) for n in range(400)))
            await asyncio.gather(*(node.tier.discard([menu_key(n)]) for n in range(0, 400, 40)))
        opened = int(mariadb.sql("SHOW GLOBAL STATUS LIKE 'Connections'").split()[1]) - before - 1
        assert opened <= 6
        sql = f"SELECT count(*) FROM information_schema.processlist WHERE user = '{USER}'"
        assert int(mariadb.sql(sql)) <= 6


async def test_too_many_waiting_calls_are_refused(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql_server, "MAX_JOBS", 5)
    async with kit.opened() as node:
        results = await asyncio.gather(*(node.tier.get_many([menu_key(1)]) for _ in range(8)), return_exceptions=True)
        assert sum(isinstance(result, TierUnavailable) for result in results) == 3
        assert await node.tier.get_many([menu_key(1)]) == {}


async def test_a_connection_that_the_server_closed_is_not_noticed(kit: Kit, mariadb: MariaDb) -> None:
    """wait_timeout, a proxy, an operator: the next use finds out, and takes another one."""
    async with kit.opened() as node:
        await node.tier.put_many([menu_entry(1)])
        await node.tier.flush()
        for _ in range(3):
            ids = mariadb.sql(f"SELECT id FROM information_schema.processlist WHERE user = '{USER}'").split()
            mariadb.sql("".join(f"KILL {number};" for number in ids))
            assert len(await node.tier.get_many([menu_key(1)])) == 1
            ids = mariadb.sql(f"SELECT id FROM information_schema.processlist WHERE user = '{USER}'").split()
            mariadb.sql("".join(f"KILL {number};" for number in ids))
            assert await node.tier.discard([menu_key(99)]) == 0
        assert node.tier.stats().errors == 0


async def test_sessions_do_not_depend_on_the_servers_defaults(kit: Kit) -> None:
    pool = MysqlPool(parse_address(kit.url), size=1, timeout_s=5, lock_wait_s=2, prepare=lambda _: asyncio.sleep(0))  # type: ignore[arg-type]
    await pool.open()
    async with pool.connection() as connection, connection.cursor() as cursor:
        await cursor.execute("SELECT @@time_zone, @@tx_isolation, @@autocommit, @@innodb_lock_wait_timeout")
        assert await cursor.fetchone() == ("+00:00", "READ-COMMITTED", 1, 2)
    await pool.close()


async def test_a_caller_that_is_cancelled_in_mid_query_costs_a_connection_and_no_answer(kit: Kit) -> None:
    async with kit.opened() as node:
        await node.tier.put_many([raw_entry(n, bytes([n]) * 50_000) for n in range(40)])
        await node.tier.flush()
        for turns in range(12):
            task = asyncio.create_task(node.tier.keys())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            found = await node.tier.get_many([menu_key(n) for n in range(40)])
            assert all(entry.body == bytes([int(key.native_id)]) * 50_000 for key, entry in found.items())
            assert len(found) == 40


def test_an_error_never_shows_the_password() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_address("mysql://me:s3cret@/db")
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(parse_address("mysql://me:s3cret@host/db"))

"""``db check`` finds what is wrong with a database, says it in words, and changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mariadb import MariaDb
from sample_entries import menu_entry
from sql_kits import Kit, kit, kit_of
from weedhounds.cache.check import Finding, check_database, counts_finding
from weedhounds.clock import ManualClock, SystemClock

__all__ = ["kit"]


async def findings(kit: Kit, *, limit_s: float = 60.0) -> list[Finding]:
    return await check_database(kit.address, clock=SystemClock(), limit_s=limit_s)


async def wrong(kit: Kit) -> list[str]:
    return [f"{each.what}: {each.detail}" for each in await findings(kit) if not each.ok]


async def fill(kit: Kit) -> None:
    async with kit.opened() as node:
        await node.tier.put_many([menu_entry(shop, products=20) for shop in range(30)])
        await node.identities.add_many([("strain:haze", menu_entry(1).key)])


async def test_nothing_is_wrong_with_a_database_in_use(kit: Kit) -> None:
    async with kit.opened() as node:
        await node.tier.put_many([menu_entry(shop) for shop in range(30)])
        await node.tier.flush()
        assert await wrong(kit) == []
        await node.tier.put_many([menu_entry(99)])
    assert kit.count() == 31


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP TABLE leases", "table leases"),
        ("ALTER TABLE history DROP COLUMN quantity", "history: column quantity"),
        ("DROP INDEX {tombstones_by_digest}", "tombstones: unique index tombstones_by_digest on digest"),
        ("DELETE FROM entries", "counts: entries: 0 rows, 30 counted"),
    ],
    ids=["table", "column", "index", "counts"],
)
async def test_what_is_missing_is_named(request: pytest.FixtureRequest, change: str, said: str) -> None:
    for kind in ("sqlite", "mariadb"):
        kit = kit_of(kind, request)
        if kit.server is not None:
            kit = Kit(kit.server.new_database(), kit.server)  # what is broken here is not used again
        await fill(kit)
        index = "tombstones_by_digest" + ("" if kit.server is None else " ON tombstones")
        kit.rows(change.replace("{tombstones_by_digest}", index))
        found = await wrong(kit)
        assert any(said in each for each in found), found


async def test_another_version_is_told(request: pytest.FixtureRequest, mariadb: MariaDb) -> None:
    sqlite = kit_of("sqlite", request)
    await fill(sqlite)
    for version, said in ((1, "weedhounds db init"), (9, "use a newer weedhounds")):
        sqlite.rows(f"PRAGMA user_version = {version}")
        assert any(each.startswith("schema version:") and said in each for each in await wrong(sqlite))
    server = Kit(mariadb.new_database(), mariadb)
    assert await wrong(server) == ["schema version: no tables yet: weedhounds db init"]
    await fill(server)
    server.rows("UPDATE schema_version SET version_num = '0009'")
    assert "use a newer weedhounds" in (await wrong(server))[0]


async def test_damaged_pages_are_found(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    kit = kit_of("sqlite", request)
    await fill(kit)
    path = tmp_path / "tier.sqlite3"
    content = bytearray(path.read_bytes())
    for page in range(20, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xa5" * 64
    path.write_bytes(content)
    assert any(each.startswith("pages:") for each in await wrong(kit))


async def test_a_search_for_damage_ends_at_its_limit(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = kit_of("sqlite", request)
    await fill(kit)
    monkeypatch.setattr("weedhounds.cache.check._STEPS", 1)
    found = {each.what: each for each in await findings(kit, limit_s=-1)}
    assert found["pages"].ok
    assert "too large for all of it" in found["pages"].detail


async def test_a_lock_held_by_another_process_is_told(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kit = kit_of("sqlite", request)
    await fill(kit)
    connect = sqlite3.connect
    with closing(connect(tmp_path / "tier.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(
            "weedhounds.cache.check.sqlite3.connect",
            lambda path, **options: connect(path, **{**options, "timeout": 0.05}),
        )
        assert await wrong(kit) == ["writing: database is locked"]


@pytest.mark.parametrize("content", [b"", b"this is no database\n" * 500], ids=["empty", "a letter"])
async def test_what_is_no_database_of_ours_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tier.sqlite3"
    path.write_bytes(content)
    found = await wrong(Kit(f"sqlite:///{path}"))
    assert len(found) == 1
    assert "another program's database" in found[0] or "not a database" in found[0]
    assert path.read_bytes() == content


async def test_missing_rights_are_named(mariadb: MariaDb) -> None:
    url = mariadb.new_database()
    await fill(Kit(url, mariadb))
    name = url.rpartition("/")[2]
    mariadb.sql(f"CREATE USER half@'127.0.0.1' IDENTIFIED BY 'x'; GRANT SELECT, UPDATE ON {name}.* TO half@'127.0.0.1'")
    try:
        found = await wrong(Kit(mariadb.url(name, user="half", password="x"), mariadb))
        assert found == ["rights: missing: INSERT, DELETE; GRANT them to this user"]
    finally:
        mariadb.sql("DROP USER half@'127.0.0.1'")


async def test_a_servers_clock_that_differs_is_told_and_harmless(mariadb: MariaDb, mysql_url: str) -> None:
    kit = Kit(mysql_url, mariadb)
    for ahead_s, said in ((3600.0, "behind"), (-3600.0, "ahead of")):
        clock = ManualClock(SystemClock().now() + ahead_s)
        found = {each.what: each for each in await check_database(kit.address, clock=clock)}
        assert found["clock"].ok
        assert f"s {said} this machine's: harmless" in found["clock"].detail


async def test_a_check_changes_nothing(kit: Kit) -> None:
    await fill(kit)
    before = [kit.rows(f"SELECT * FROM {table}") for table in ("totals", "leases", "tombstones")], kit.count()
    await findings(kit)
    assert ([kit.rows(f"SELECT * FROM {table}") for table in ("totals", "leases", "tombstones")], kit.count()) == before


def test_counts_are_compared_table_by_table() -> None:
    assert counts_finding({"a": 1}, {"a": 1}).ok
    assert counts_finding({"a": 1}, {"a": 2, "b": 0}).detail == "a: 2 rows, 1 counted; b: 0 rows, 0 counted"

"""A row with a flipped bit is a miss, or an error when it is decoded; never another answer."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import pytest

from sample_entries import NOW, menu_entry, menu_key, same
from sql_kits import Kit, kit, kit_of
from weedhounds.cache.rows import READ
from weedhounds.errors import CodecError, ConfigError, TierUnavailable

__all__ = ["kit"]


async def test_a_damaged_row_is_a_miss_is_removed_and_makes_room_for_a_good_one(kit: Kit) -> None:
    """A flipped bit in the time of the fetch would otherwise keep every later entry out for ever."""
    async with kit.opened() as node:
        await node.tier.put_many([menu_entry(1), menu_entry(2)])
        await node.tier.flush()
        change = (
            "UPDATE entries SET fetched_ms = fetched_ms + 4611686018427387 WHERE `key` = 'dispensary_menu:weedmaps:1'"
        )
        kit.rows(change)
        assert set(await node.tier.get_many([menu_key(1), menu_key(2)])) == {menu_key(2)}
        assert (node.tier.stats().hits, node.tier.stats().misses) == (1, 1)
        await node.tier.flush()
        assert kit.count() == 1
        assert node.tier.stats().entries == 1
        again = menu_entry(1, fetched_at=NOW + 1)
        await node.tier.put_many([again])
        await node.tier.flush()
        assert same((await node.tier.get_many([again.key]))[again.key], again)


async def test_a_good_row_that_came_in_place_of_a_damaged_one_is_kept(kit: Kit) -> None:
    async with kit.opened() as node:
        await node.tier.put_many([menu_entry(1)])
        await node.tier.flush()
        kit.rows("UPDATE entries SET expires_ms = expires_ms + 1")
        assert await node.tier.get_many([menu_key(1)]) == {}
        better = menu_entry(1, fetched_at=NOW + 1, marker="better")
        await node.tier.put_many([better])
        await node.tier.flush()
        assert same((await node.tier.get_many([better.key]))[better.key], better)


@pytest.mark.parametrize(
    "change",
    ["fetched_ms = fetched_ms - 1", "expires_ms = expires_ms + 1024", "origins = 'leafly'", "share = 'public'",
     "etag = 'other'", "last_modified = NULL", "pinned = 7", "signed_by = 'somebody'", "seal = seal + 1"],
)  # fmt: skip
async def test_nothing_beside_the_body_can_change_unnoticed(kit: Kit, change: str) -> None:
    async with kit.opened() as node:
        entry = menu_entry(1)
        entry.etag, entry.last_modified = "tag", "yesterday"
        await node.tier.put_many([entry])
        await node.tier.flush()
        kit.rows(f"UPDATE entries SET {change}")
        assert await node.tier.get_many([menu_key(1)]) == {}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", range(4))
async def test_bits_flipped_anywhere_in_a_file_never_make_another_answer(
    request: pytest.FixtureRequest, tmp_path: Path, seed: int
) -> None:
    """Whatever the bit hits (rows, indexes, tables), each answer is the right one, a miss, or a typed error."""
    kit = kit_of("sqlite", request)
    entries = {number: menu_entry(number, products=1 + number % 40) for number in range(60)}
    async with kit.opened() as node:
        await node.tier.put_many(list(entries.values()))
    path = tmp_path / "tier.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content, rng = path.read_bytes(), Random(seed)
    for _ in range(12):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 1, 8))):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        for suffix in ("-wal", "-shm"):
            (tmp_path / f"tier.sqlite3{suffix}").unlink(missing_ok=True)
        path.write_bytes(damaged)
        node = kit.database(busy_timeout_s=0.05)
        try:
            async with asyncio.timeout(20):
                await node.open()
                found = await node.tier.get_many([menu_key(number) for number in entries])
        except TierUnavailable:
            continue
        except ConfigError:
            continue  # it looks like another program's file, or a newer schema's
        finally:
            with suppress(TierUnavailable):
                await node.close()
        for key, entry in found.items():
            right = entries[int(key.native_id)]
            assert (entry.fetched_at, entry.expires_at, entry.digest) == (
                right.fetched_at,
                right.expires_at,
                right.digest,
            )
            with suppress(CodecError):
                assert entry.record == right.record


def test_the_columns_that_are_read_are_those_that_are_sealed_or_checked() -> None:
    read = READ.removeprefix("SELECT ").partition(" FROM")[0].replace("`", "").split(", ")
    assert read == [
        "digest", "key", "fetched_ms", "expires_ms", "pinned", "content", "origins", "share", "etag", "last_modified",
        "signed_by", "seal", "body",
    ]  # fmt: skip

"""What every tier does, whatever it stores in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from sample_entries import NOW, menu_entry, menu_key, raw_entry, same
from sql_kits import KINDS, kit_of
from weedhounds.cache.entry import Entry
from weedhounds.cache.memory import MemoryTier
from weedhounds.cache.sql import SqlTier
from weedhounds.cache.tier import Tier
from weedhounds.clock import ManualClock
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey, near_key
from weedhounds.model.provenance import ShareScope


@pytest.fixture(params=["memory", *(f"{kind}, {state}" for kind in KINDS for state in ("waiting", "committed"))])
async def tier(request: pytest.FixtureRequest, clock: ManualClock) -> AsyncIterator[Tier]:
    """Yield each tier in turn; the SQL tiers once with entries that wait and once with committed ones."""
    if request.param == "memory":
        memory = MemoryTier(1 << 26)
        yield memory
        await memory.close()
        return
    name, _, state = request.param.partition(", ")
    # Ten seconds: within a test nothing is committed unless it is asked for.
    backend = kit_of(name, request).backend(clock, write_behind_s=10)
    sql = (_Committing if state == "committed" else SqlTier)(backend, clock=clock)
    await backend.open()
    await sql.load()
    yield sql
    await sql.close()


class _Committing(SqlTier):
    """The SQL tier, with a commit after every put."""

    async def put_many(self, entries: Sequence[Entry]) -> None:
        await super().put_many(entries)
        await self.flush()


async def test_an_empty_tier_answers_nothing(tier: Tier) -> None:
    assert await tier.get_many([menu_key(1), menu_key(2)]) == {}
    assert await tier.get_many([]) == {}


async def test_what_was_put_comes_back_with_every_field(tier: Tier) -> None:
    entry = raw_entry(
        "Größe/1:a b",
        b"\x00\xffany bytes\x00" * 50,
        fetched_at=NOW + 0.123,
        expires_at=NOW + 456.789,
        etag='W/"äö"',
        last_modified="Sat, 14 Jun 2025 12:00:00 GMT",
        origins=("weedmaps", "leafly"),
        share=ShareScope.CIRCLE,
        pinned_at=1.75e9,
        signed_by="peer-1",
    )
    await tier.put_many([entry])
    found = await tier.get_many([entry.key])
    assert list(found) == [entry.key]
    assert same(found[entry.key], entry)


async def test_an_entry_without_validators_comes_back_without(tier: Tier) -> None:
    await tier.put_many([raw_entry(1, b"")])
    found = (await tier.get_many([menu_key(1)]))[menu_key(1)]
    assert (found.etag, found.last_modified, found.signed_by, found.pinned) == (None, None, None, False)
    assert found.share is ShareScope.NEVER


async def test_the_record_of_a_found_entry_decodes(tier: Tier) -> None:
    entry = menu_entry(1, products=30)
    await tier.put_many([entry])
    assert (await tier.get_many([entry.key]))[entry.key].record == entry.record


async def test_only_the_keys_asked_for_are_answered(tier: Tier) -> None:
    await tier.put_many([menu_entry(number) for number in range(5)])
    found = await tier.get_many([menu_key(1), menu_key(3), menu_key(9)])
    assert set(found) == {menu_key(1), menu_key(3)}


async def test_keys_that_differ_in_one_part_are_different(tier: Tier) -> None:
    keys = [
        RecordKey(DataType.DISPENSARY_MENU, "weedmaps", "1"),
        RecordKey(DataType.PRODUCT_PRICING, "weedmaps", "1"),
        RecordKey(DataType.DISPENSARY_MENU, "leafly", "1"),
        RecordKey(DataType.DISPENSARY_MENU, "weedmaps", "1", "x"),
        near_key("weedmaps", "85268cdbfffffff"),
    ]
    entries = []
    for number, key in enumerate(keys):
        entry = raw_entry("any", bytes([number]))
        entry.key = key
        entries.append(entry)
    await tier.put_many(entries)
    found = await tier.get_many(keys)
    assert [found[key].body for key in keys] == [bytes([number]) for number in range(len(keys))]


async def test_expired_entries_are_kept_and_returned(tier: Tier, clock: ManualClock) -> None:
    await tier.put_many([menu_entry(1, fetched_at=NOW - 9e6, expires_at=NOW - 8e6)])
    clock.advance(1e6)
    found = await tier.get_many([menu_key(1)])
    assert not found[menu_key(1)].is_fresh(clock.now())


async def test_a_newer_put_replaces_an_older_one(tier: Tier) -> None:
    await tier.put_many([menu_entry(1, fetched_at=NOW, marker="old")])
    newer = menu_entry(1, fetched_at=NOW + 1, marker="new")
    await tier.put_many([newer])
    assert same((await tier.get_many([newer.key]))[newer.key], newer)


@pytest.mark.parametrize("older_is_pinned", [False, True])
@pytest.mark.parametrize("newer_is_pinned", [False, True])
async def test_an_older_put_never_replaces_a_newer_one(
    tier: Tier, older_is_pinned: bool, newer_is_pinned: bool
) -> None:
    newer = menu_entry(1, fetched_at=NOW, marker="new", pinned_at=NOW if newer_is_pinned else None)
    await tier.put_many([newer])
    await tier.put_many([menu_entry(1, fetched_at=NOW - 1, marker="old", pinned_at=NOW if older_is_pinned else None)])
    assert same((await tier.get_many([newer.key]))[newer.key], newer)


async def test_of_two_puts_of_one_fetch_the_last_stays(tier: Tier) -> None:
    await tier.put_many([menu_entry(1, marker="first")])
    last = menu_entry(1, marker="last")
    await tier.put_many([last])
    assert same((await tier.get_many([last.key]))[last.key], last)


async def test_one_batch_may_hold_a_key_twice(tier: Tier) -> None:
    newer = menu_entry(1, fetched_at=NOW, marker="new")
    await tier.put_many([newer, menu_entry(1, fetched_at=NOW - 1, marker="old")])
    assert same((await tier.get_many([newer.key]))[newer.key], newer)


async def test_discarded_keys_are_gone_and_counted(tier: Tier) -> None:
    await tier.put_many([menu_entry(number) for number in range(4)])
    assert await tier.discard([menu_key(1), menu_key(2), menu_key(2), menu_key(99)]) == 2
    assert set(await tier.get_many([menu_key(number) for number in range(4)])) == {menu_key(0), menu_key(3)}
    assert await tier.discard([menu_key(1)]) == 0
    assert await tier.discard([]) == 0


async def test_a_discarded_key_may_come_back_even_older(tier: Tier) -> None:
    await tier.put_many([menu_entry(1, fetched_at=NOW)])
    await tier.discard([menu_key(1)])
    older = menu_entry(1, fetched_at=NOW - 100)
    await tier.put_many([older])
    assert same((await tier.get_many([older.key]))[older.key], older)


async def test_hits_and_misses_are_the_keys_asked(tier: Tier) -> None:
    await tier.put_many([menu_entry(1), menu_entry(2)])
    await tier.get_many([menu_key(1), menu_key(2), menu_key(3)])
    await tier.get_many([menu_key(2)])
    await tier.get_many([menu_key(3), menu_key(4)])
    await tier.get_many([menu_key(1), menu_key(1)])
    stats = tier.stats()
    assert (stats.hits, stats.misses, stats.puts, stats.errors) == (4, 3, 2, 0)


async def test_the_counters_given_out_do_not_change_afterwards(tier: Tier) -> None:
    before = tier.stats()
    await tier.get_many([menu_key(1)])
    assert (before.misses, tier.stats().misses) == (0, 1)


async def test_many_keys_at_once_are_all_answered(tier: Tier) -> None:
    entries = [raw_entry(number, b"body %d" % number) for number in range(1_203)]
    await tier.put_many(entries)
    found = await tier.get_many([entry.key for entry in entries] + [menu_key("none")])
    assert {key: entry.body for key, entry in found.items()} == {entry.key: entry.body for entry in entries}
    assert await tier.discard([entry.key for entry in entries]) == 1_203


async def test_concurrent_callers_each_get_their_own_answer(tier: Tier) -> None:
    await tier.put_many([raw_entry(number, b"%d" % number) for number in range(50)])

    async def ask(number: int) -> bytes:
        return (await tier.get_many([menu_key(number)]))[menu_key(number)].body

    assert await asyncio.gather(*(ask(number % 50) for number in range(300))) == [
        b"%d" % (number % 50) for number in range(300)
    ]


async def test_a_large_body_survives(tier: Tier) -> None:
    body = bytes(range(256)) * 20_000
    await tier.put_many([raw_entry(1, body)])
    assert (await tier.get_many([menu_key(1)]))[menu_key(1)].body == body


async def test_text_that_no_database_stores_does_not_hurt_the_others(tier: Tier) -> None:
    await tier.put_many([raw_entry(1, b"one", etag="bad \ud800 etag", signed_by="\udfff"), raw_entry(2, b"two")])
    found = await tier.get_many([menu_key(1), menu_key(2)])
    assert [found[menu_key(1)].body, found[menu_key(2)].body] == [b"one", b"two"]


@pytest.mark.parametrize("expires_at", [float("inf"), float("nan"), 1e300, -1e300, 0.0])
async def test_an_absurd_expiry_does_not_hurt(tier: Tier, expires_at: float) -> None:
    await tier.put_many([raw_entry(1, b"one", expires_at=expires_at), raw_entry(2, b"two")])
    found = await tier.get_many([menu_key(1), menu_key(2)])
    assert set(found) == {menu_key(1), menu_key(2)}
    assert found[menu_key(1)].is_fresh(NOW) is (expires_at > NOW)


async def test_closing_twice_does_no_harm(tier: Tier) -> None:
    await tier.close()
    await tier.close()
    assert tier.stats().errors == 0

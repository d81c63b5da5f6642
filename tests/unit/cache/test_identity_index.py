"""Identity indexes answer which keys speak of one strain or cell."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sample_entries import menu_entry, menu_key
from sql_kits import KINDS, Kit, kit, kit_of
from weedhounds.cache import identity as identity_module
from weedhounds.cache.identity import IdentityIndex, IdentityStore, MemoryIdentityIndex, TolerantIndex
from weedhounds.errors import TierUnavailable
from weedhounds.model.keys import near_key

__all__ = ["kit"]

BLUE, HAZE, NOWHERE = "strain:blue-dream", "strain:haze", "cell:none"


@pytest.fixture(params=["memory", *KINDS])
async def index(request: pytest.FixtureRequest) -> AsyncIterator[IdentityStore]:
    if request.param == "memory":
        yield MemoryIdentityIndex()
        return
    backend = kit_of(request.param, request).backend()
    index = IdentityIndex(backend)
    await backend.open()
    yield index
    await backend.close()


async def test_the_keys_of_each_identity_come_back_in_order(index: IdentityStore) -> None:
    near = near_key("weedmaps", "85268cdbfffffff")
    await index.add_many([(BLUE, menu_key(2)), (HAZE, menu_key(3)), (BLUE, near), (BLUE, menu_key(1))])
    assert await index.keys_of([BLUE, HAZE]) == {BLUE: [near, menu_key(1), menu_key(2)], HAZE: [menu_key(3)]}


async def test_an_identity_without_keys_is_absent(index: IdentityStore) -> None:
    await index.add_many([(BLUE, menu_key(1))])
    assert await index.keys_of([HAZE, NOWHERE]) == {}
    assert await index.keys_of([]) == {}


async def test_adding_a_pair_again_changes_nothing(index: IdentityStore) -> None:
    for _ in range(3):
        await index.add_many([(BLUE, menu_key(1)), (BLUE, menu_key(1))])
    assert await index.keys_of([BLUE, BLUE]) == {BLUE: [menu_key(1)]}


async def test_names_in_any_script_are_identities(index: IdentityStore) -> None:
    await index.add_many([("strain:größe-麻", menu_key("ü 1"))])
    assert await index.keys_of(["strain:größe-麻"]) == {"strain:größe-麻": [menu_key("ü 1")]}


async def test_a_malformed_identity_is_refused_and_the_others_are_kept(index: IdentityStore) -> None:
    wrong = ["", "strain:\ud800", "strain:" + "x" * 300]
    await index.add_many([*((text, menu_key(1)) for text in wrong), (BLUE, menu_key(2))])
    assert await index.keys_of([*wrong, BLUE]) == {BLUE: [menu_key(2)]}
    assert index.refused == 3  # type: ignore[attr-defined]


async def test_at_most_so_many_keys_are_answered_for_one_identity(
    index: IdentityStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_module, "MAX_KEYS", 5)
    await index.add_many((NOWHERE, menu_key(number)) for number in range(10, 30))
    assert await index.keys_of([NOWHERE]) == {NOWHERE: [menu_key(number) for number in range(10, 15)]}


async def test_pairs_survive_a_restart_with_the_entries(kit: Kit) -> None:
    async with kit.opened() as node:
        await node.tier.put_many([menu_entry(1)])
        await node.identities.add_many([(BLUE, menu_key(1)), (HAZE, menu_key(2))])
    async with kit.opened() as node:
        assert await node.identities.keys_of([BLUE, HAZE]) == {BLUE: [menu_key(1)], HAZE: [menu_key(2)]}
        assert len(await node.tier.get_many([menu_key(1)])) == 1


async def test_what_is_stored_and_what_waits_are_answered_together(kit: Kit) -> None:
    async with kit.opened() as node:
        await node.identities.add_many([(BLUE, menu_key(1))])
        await node.tier.flush()
        await node.identities.add_many([(BLUE, menu_key(2)), (BLUE, menu_key(1))])
        assert await node.identities.keys_of([BLUE]) == {BLUE: [menu_key(1), menu_key(2)]}


async def test_a_full_table_takes_no_more_and_counts_what_it_refused(kit: Kit) -> None:
    backend = kit.backend()
    index = IdentityIndex(backend, max_pairs=4)
    await backend.open()
    await index.add_many((BLUE, menu_key(number)) for number in range(3))
    await backend.flush()
    await index.add_many((HAZE, menu_key(number)) for number in range(3))
    await backend.flush()
    found = await index.keys_of([BLUE, HAZE])
    assert (len(found[BLUE]), len(found[HAZE]), index.refused) == (3, 1, 2)
    await backend.close()


async def test_many_waiting_pairs_wait_for_a_commit(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity_module, "MAX_WAITING", 10)
    async with kit.opened() as node:
        await node.identities.add_many((BLUE, menu_key(number)) for number in range(10))
        await node.identities.add_many([(HAZE, menu_key(1))])
        assert kit.count("identities") == 10


async def test_one_identity_with_very_many_keys_hides_no_other(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity_module, "MAX_KEYS", 5)
    async with kit.opened() as node:
        await node.identities.add_many((BLUE, menu_key(number)) for number in range(10, 40))
        await node.identities.add_many([(HAZE, menu_key(number)) for number in range(3)])
        await node.tier.flush()
        found = await node.identities.keys_of([BLUE, HAZE, NOWHERE])
        assert found == {BLUE: [menu_key(n) for n in range(10, 15)], HAZE: [menu_key(n) for n in range(3)]}


async def test_a_damaged_row_hides_only_itself(kit: Kit) -> None:
    async with kit.opened() as node:
        await node.identities.add_many([(BLUE, menu_key(1))])
        await node.tier.flush()
        kit.rows(f"INSERT INTO identities VALUES ('{BLUE}', 'no key'), ('{BLUE}', x'fffe'), ('{BLUE}', 7)")
        assert await node.identities.keys_of([BLUE]) == {BLUE: [menu_key(1)]}


async def test_an_index_whose_database_is_not_open_says_so(kit: Kit) -> None:
    node = kit.database()
    with pytest.raises(TierUnavailable, match="not open"):
        await node.identities.add_many([(BLUE, menu_key(1))])
    with pytest.raises(TierUnavailable, match="not open"):
        await node.identities.keys_of([BLUE])


async def test_the_index_in_memory_forgets_what_was_added_to_longest_ago() -> None:
    index = MemoryIdentityIndex(max_pairs=6)
    await index.add_many([("strain:a", menu_key(1)), ("strain:a", menu_key(2)), ("strain:b", menu_key(3))])
    await index.add_many([("strain:a", menu_key(4)), ("strain:c", menu_key(5)), ("strain:c", menu_key(6))])
    await index.add_many([("strain:d", menu_key(7))])
    assert set(await index.keys_of([f"strain:{name}" for name in "abcd"])) == {"strain:a", "strain:c", "strain:d"}
    await index.add_many([("strain:d", menu_key(8))])
    assert set(await index.keys_of([f"strain:{name}" for name in "abcd"])) == {"strain:c", "strain:d"}


async def test_one_identity_that_fills_the_index_in_memory_takes_no_more() -> None:
    index = MemoryIdentityIndex(max_pairs=5)
    await index.add_many((NOWHERE, menu_key(number)) for number in range(8))
    assert len((await index.keys_of([NOWHERE]))[NOWHERE]) == 5
    assert index.refused == 3


async def test_a_failing_index_costs_a_question_what_it_would_have_added(kit: Kit) -> None:
    node = kit.database()  # not open
    index = TolerantIndex(node.identities)
    assert await index.keys_of([BLUE]) == {}
    assert await index.keys_of([BLUE]) == {}
    assert index.failures == 2
    with pytest.raises(TierUnavailable):
        await index.add_many([(BLUE, menu_key(1))])
    await node.open()
    await index.add_many([(BLUE, menu_key(1))])
    assert await index.keys_of([BLUE]) == {BLUE: [menu_key(1)]}
    await node.close()

"""A purge removes what is held, keeps late writes of it out, and is noticed by the other nodes of the database."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from sample_entries import NOW, menu_entry, menu_key, raw_entry
from sql_kits import Kit, kit
from weedhounds.cache import purge
from weedhounds.cache.entry import Entry
from weedhounds.cache.history import PriceChange
from weedhounds.cache.purge import PurgeWatch, Scope
from weedhounds.clock import ManualClock
from weedhounds.errors import BadInput, TierUnavailable
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey

__all__ = ["kit"]

STRAIN = RecordKey(DataType.STRAIN_DATA, "leafly", "haze")
PRICES = RecordKey(DataType.PRODUCT_PRICING, "weedmaps", "1")


def entry_of(
    key: RecordKey, *, fetched_at: float = NOW, origins: tuple[str, ...] = (), pinned_at: float | None = None
) -> Entry:
    entry = raw_entry("any", b"body", fetched_at=fetched_at, origins=origins or (key.origin,), pinned_at=pinned_at)
    entry.key = key
    return entry


def change_of(key: RecordKey, at: float = NOW) -> PriceChange:
    return PriceChange(
        key=key, at=at, product_id="p", variant_label="1g", market="rec", currency="USD", price=Decimal("5.00"), list_price=None
    )  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        (Scope.of_key(menu_key(1)), {menu_key(12), STRAIN, PRICES}),
        (Scope("origin", "weedmaps"), {STRAIN}),
        (Scope("origin", "leafly"), {menu_key(1), menu_key(12), PRICES}),
        (Scope("type", "product_pricing"), {menu_key(1), menu_key(12), STRAIN}),
        (Scope("all"), set()),
        (Scope("origin", "jane"), {menu_key(1), menu_key(12), STRAIN, PRICES}),
    ],
    ids=lambda value: value.text if isinstance(value, Scope) else "",
)
@pytest.mark.parametrize("is_committed", [True, False])
async def test_what_a_purge_covers_is_gone_and_the_rest_is_left(
    kit: Kit, clock: ManualClock, scope: Scope, left: set[RecordKey], is_committed: bool
) -> None:
    keys = {menu_key(1), menu_key(12), STRAIN, PRICES}
    async with kit.opened(clock) as node:
        await node.tier.put_many([entry_of(key) for key in keys])
        await node.identities.add_many([("strain:haze", key) for key in keys])
        await node.history.append_many([change_of(PRICES)])
        if is_committed:
            await node.tier.flush()
        assert await node.purge([scope], "asked to") == 4 - len(left)
        await node.tier.flush()
        assert set(await node.tier.get_many(list(keys))) == left
        assert set((await node.identities.keys_of(["strain:haze"])).get("strain:haze", [])) == left
        assert len(await node.history.changes(PRICES)) == (PRICES in left)
        assert kit.rows("SELECT `rows` FROM totals ORDER BY name") == [
            (len(left),),
            (int(PRICES in left),),
            (len(left),),
        ]
    stones = kit.rows("SELECT scope, purged_ms, why FROM tombstones")
    assert stones == [(scope.text, int(NOW * 1000), "asked to")]


async def test_what_was_made_of_a_purged_origin_goes_too(kit: Kit) -> None:
    merged = entry_of(menu_key(1), origins=("weedmaps", "leafly"))
    async with kit.opened() as node:
        await node.tier.put_many([merged, entry_of(menu_key(2))])
        await node.tier.flush()
        assert await node.purge([Scope("origin", "leafly")]) == 1
        assert set(await node.tier.get_many([menu_key(1), menu_key(2)])) == {menu_key(2)}
        await node.tier.put_many([merged])
        await node.tier.flush()
        assert await node.tier.get_many([menu_key(1)]) == {}


@pytest.mark.parametrize(
    "scope", [Scope.of_key(menu_key(1)), Scope("origin", "weedmaps"), Scope("all")], ids=lambda s: s.text
)
async def test_a_late_write_of_older_data_does_not_come_back(kit: Kit, clock: ManualClock, scope: Scope) -> None:
    """Another node fetched it before the purge, and its commit comes after."""
    async with kit.opened(clock) as node, kit.opened(clock) as late:
        await late.tier.put_many([menu_entry(1, fetched_at=NOW - 5)])
        await late.history.append_many([change_of(PRICES, NOW - 5)])
        await node.purge([scope])
        await late.tier.flush()
        assert await node.tier.get_many([menu_key(1)]) == {}
        assert kit.count() == 0
        assert kit.rows("SELECT `rows` FROM totals WHERE name = 'entries'") == [(0,)]
        if scope.kind != "key":
            assert kit.count("history") == 0
        newer = menu_entry(1, fetched_at=NOW + 1)
        await late.tier.put_many([newer])
        await late.tier.flush()
        assert set(await node.tier.get_many([menu_key(1)])) == {menu_key(1)}


async def test_what_is_imported_after_a_purge_is_welcome_however_old_it_is(kit: Kit, clock: ManualClock) -> None:
    async with kit.opened(clock) as node:
        await node.purge([Scope("all")])
        clock.advance(60)
        await node.tier.put_many([entry_of(menu_key(1), fetched_at=NOW - 9e6, pinned_at=clock.now())])
        await node.tier.flush()
        assert set(await node.tier.get_many([menu_key(1)])) == {menu_key(1)}


async def test_a_purge_of_many_rows_is_done_in_steps(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weedhounds.cache.sql._SCAN", 50)
    monkeypatch.setattr("weedhounds.cache.identity._BATCH", 30)
    async with kit.opened() as node:
        await node.tier.put_many([raw_entry(number, b"x") for number in range(260)])
        await node.identities.add_many([("cell:none", menu_key(number)) for number in range(260)])
        await node.tier.flush()
        assert await node.purge([Scope("type", "dispensary_menu")]) == 260
        assert (kit.count(), kit.count("identities"), node.tier.stats().entries) == (0, 0, 0)


async def test_purging_again_is_harmless_and_moves_the_moment(kit: Kit, clock: ManualClock) -> None:
    async with kit.opened(clock) as node:
        await node.purge([Scope("all"), Scope("all")], "first")
        clock.advance(100)
        await node.purge([Scope("all")], "again")
        assert kit.rows("SELECT purged_ms, why FROM tombstones") == [(int((NOW + 100) * 1000), "again")]
        await node.tier.put_many([menu_entry(1, fetched_at=NOW + 50)])
        await node.tier.flush()
        assert kit.count() == 0


async def test_tombstones_are_bounded_in_age_and_number(
    kit: Kit, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "MAX_TOMBSTONES", 5)
    async with kit.opened(clock) as node:
        await node.purge([Scope.of_key(menu_key(number)) for number in range(8)])
        assert kit.count("tombstones") == 5
        clock.advance(purge.RETENTION_S + 1)
        await node.purge([Scope.of_key(menu_key(99))])
        assert kit.rows("SELECT scope FROM tombstones") == [("key:dispensary_menu:weedmaps:99",)]


async def test_other_nodes_are_told_of_each_purge_once(kit: Kit, clock: ManualClock) -> None:
    async with kit.opened(clock) as node:
        await node.purge([Scope.of_key(menu_key(1))])
    async with kit.opened(clock) as node, kit.opened(clock) as other:
        assert await other.new_purges() == []  # it starts with an empty memory
        clock.advance(1)
        await node.purge([Scope("origin", "weedmaps")])
        assert await other.new_purges() == [(Scope("origin", "weedmaps"), NOW + 1)]
        assert await other.new_purges() == []
        clock.advance(1)
        await node.purge([Scope("origin", "weedmaps")])
        await node.purge([Scope.of_key(menu_key(2))])
        assert await other.new_purges() == [
            (Scope("origin", "weedmaps"), NOW + 2),
            (Scope.of_key(menu_key(2)), NOW + 2),
        ]
        assert await other.new_purges() == []


async def test_the_watch_tells_what_is_new_and_outlives_failures() -> None:
    answers: list[object] = [TierUnavailable("away"), BadInput("odd"), [(Scope("all"), 5.0)]]
    told: asyncio.Queue[tuple[Scope, float]] = asyncio.Queue()

    async def new() -> list[tuple[Scope, float]]:
        answer = answers.pop(0) if answers else []
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]

    async def let_go(scope: Scope, moment: float) -> None:
        told.put_nowait((scope, moment))

    watch = PurgeWatch(new, let_go, poll_s=0.001)
    watch.start()
    assert await asyncio.wait_for(told.get(), 10) == (Scope("all"), 5.0)
    await watch.close()
    await PurgeWatch(new, let_go).close()


@pytest.mark.parametrize("text", ["key:dispensary_menu:weedmaps:1", "origin:leafly", "type:promotions", "all:"])
def test_a_scope_is_the_same_after_being_stored(text: str) -> None:
    assert Scope.parse(text).text == text


def test_a_scope_of_another_kind_is_refused() -> None:
    with pytest.raises(BadInput, match="not a scope"):
        Scope.parse("planet:mars")

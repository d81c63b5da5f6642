"""The read path over tiers and origins that are told how to behave."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection
from random import Random

import pytest
import structlog

from scripted_read import (
    ORIGIN,
    DictTier,
    World,
    ids_of,
    menu_key,
    price_key,
    strain_key,
    turns,
)
from weedhounds.cache.entry import Entry
from weedhounds.cache.negative import LIFETIME_S
from weedhounds.clock import ManualClock, SystemClock
from weedhounds.config import CacheSettings
from weedhounds.errors import (
    BadInput,
    NotFound,
    OriginRejected,
    OriginUnavailable,
    RateLimited,
    SchemaMismatch,
)
from weedhounds.loader import EMPTY_LIFETIME_S, MAX_CALLS
from weedhounds.model.datatypes import LIFETIMES, DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import ShareScope, Terms
from weedhounds.model.records import PriceList, Shop, StrainList
from weedhounds.readthrough import ReadThrough, Trace
from weedhounds.sources.fetch import Validators

LIFETIME_OF_PRICES = LIFETIMES[DataType.PRODUCT_PRICING].base_s


@pytest.fixture
def world(clock: ManualClock) -> World:
    return World(clock)


async def test_a_cold_key_comes_from_the_origin_and_fills_every_tier(world: World) -> None:
    world.client.page("7", ["a", "b"])
    trace = Trace()
    result = await world.get(menu_key("7"), trace=trace)
    found = result.found[menu_key("7")]
    assert (found.tier, found.is_stale, ids_of(found)) == ("origin", False, ["a", "b"])
    assert (trace.origin_calls, trace.by_tier["origin"]) == (1, 1)
    for tier in (world.memory, world.sql):
        assert tier.held.keys() == {menu_key("7"), price_key("7")}
    entry = world.memory.held[price_key("7")]
    assert (entry.origins, entry.share, entry.fetched_at) == ((ORIGIN,), ShareScope.CIRCLE, world.clock.now())
    assert abs(entry.expires_at - entry.fetched_at - LIFETIME_OF_PRICES) <= 0.05 * LIFETIME_OF_PRICES


async def test_menu_and_prices_of_a_shop_cost_one_call(world: World) -> None:
    world.client.page("7", ["a"])
    result = await world.get(menu_key("7"), price_key("7"))
    assert result.found.keys() == {menu_key("7"), price_key("7")}
    assert world.client.sent == ["/menu/7#0"]


async def test_a_warm_key_makes_no_call(world: World) -> None:
    world.client.page("7", ["a"])
    await world.get(menu_key("7"))
    trace = Trace()
    result = await world.get(menu_key("7"), trace=trace)
    assert result.found[menu_key("7")].tier == "memory"
    assert (trace.origin_calls, trace.by_tier["memory"]) == (0, 1)
    assert len(world.client.sent) == 1


async def test_what_a_lower_tier_has_is_copied_up(world: World) -> None:
    key = menu_key("7")
    world.sql.held[key] = world.entry(key, age_s=10, lifetime_s=100)
    assert (await world.get(key)).found[key].tier == "sql"
    assert (await world.get(key)).found[key].tier == "memory"
    assert len(world.sql.asked) == 1
    assert world.client.sent == []


async def test_a_fresh_entry_below_an_expired_one_is_found(world: World) -> None:
    key = menu_key("7")
    world.memory.held[key] = world.entry(key, age_s=200, lifetime_s=100)
    world.sql.held[key] = world.entry(key, age_s=10, lifetime_s=100)
    found = (await world.get(key)).found[key]
    assert (found.tier, found.is_stale) == ("sql", False)
    assert world.memory.held[key] is world.sql.held[key]


async def test_an_expired_key_is_loaded_again(world: World) -> None:
    key = menu_key("7")
    world.memory.held[key] = world.entry(key, age_s=200, lifetime_s=100)
    world.client.page("7", ["new"])
    found = (await world.get(key)).found[key]
    assert (found.tier, ids_of(found)) == ("origin", ["new"])


async def test_fifty_concurrent_requests_of_a_cold_key_make_the_calls_of_one(world: World) -> None:
    world.client.page("7", ["a"], pages=2)
    world.client.page("7", ["b"], page=1)
    world.client.gates["/menu/7#0"] = asyncio.Event()
    traces = [Trace() for _ in range(1000)]
    keys = [menu_key("7"), price_key("7")]
    tasks = [asyncio.create_task(world.get(keys[n % 2], trace=trace)) for n, trace in enumerate(traces)]
    await turns()
    world.client.gates["/menu/7#0"].set()
    results = await asyncio.gather(*tasks)
    assert all(len(result.found) == 1 for result in results)
    assert world.client.sent == ["/menu/7#0", "/menu/7#1"]
    assert sum(trace.origin_calls for trace in traces) == 2


async def test_all_pages_become_one_menu_each_item_once(world: World) -> None:
    world.client.page("7", ["a", "b"], pages=3)
    world.client.page("7", ["b", "c"], page=1, pages=3)
    world.client.page("7", ["d"], page=2, pages=3)
    found = (await world.get(menu_key("7"))).found[menu_key("7")]
    assert ids_of(found) == ["a", "b", "c", "d"]
    assert found.entry.etag is None


async def test_a_page_that_fails_fails_the_whole_load_and_stores_nothing(world: World) -> None:
    world.client.page("7", ["a"], pages=2)
    world.client.answers["/menu/7#1"] = OriginUnavailable("down", origin=ORIGIN)
    result = await world.get(menu_key("7"))
    assert result.found == {}
    assert str(result.missing[menu_key("7")]) == "down"
    assert world.memory.held == world.sql.held == {}


async def test_a_failure_names_origin_key_and_time(world: World) -> None:
    world.client.answers["/menu/7#0"] = RateLimited("slow down", 3.0)
    error = (await world.get(price_key("7"))).missing[price_key("7")]
    assert isinstance(error, RateLimited)
    assert (error.origin, error.key, error.retry_after_s) == (ORIGIN, str(price_key("7")), 3.0)
    assert error.elapsed_s is not None


async def test_one_failing_shop_does_not_cost_the_others(world: World) -> None:
    world.client.page("7", ["a"])
    world.client.answers["/menu/8#0"] = SchemaMismatch("garbage")
    result = await world.get(menu_key("7"), menu_key("8"))
    assert result.found.keys() == {menu_key("7")}
    assert result.missing.keys() == {menu_key("8")}


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"{", "JSON"), (b'[["crash"],1]', "cannot be read: KeyError"), (b'[["broken"],1]', "none of 1 items")],
)
async def test_an_answer_that_cannot_be_used_never_replaces_a_good_one(world: World, body: bytes, words: str) -> None:
    key = menu_key("7")
    good = world.memory.held[key] = world.entry(key, age_s=110, lifetime_s=100)
    world.client.answers["/menu/7#0"] = body
    result = await world.get(key)
    assert world.memory.held[key] is good
    assert isinstance(result.stale_errors[key], SchemaMismatch)
    assert words in str(result.stale_errors[key])


@pytest.mark.parametrize(("age_s", "is_served"), [(8_000, True), (21_599, True), (21_601, False)])
async def test_an_expired_entry_is_served_on_error_within_a_share_of_its_lifetime(
    world: World, age_s: float, is_served: bool
) -> None:
    key = menu_key("7")
    world.sql.held[key] = world.entry(key, age_s=age_s, lifetime_s=7_200)
    world.client.answers["/menu/7#0"] = OriginUnavailable("down")
    trace = Trace()
    result = await world.get(key, trace=trace)
    assert (key in result.found) is is_served
    assert (key in result.missing) is not is_served
    if is_served:
        assert (result.found[key].tier, result.found[key].is_stale) == ("sql", True)
        assert str(result.stale_errors[key]) == "down"
        assert trace.by_tier["sql"] == 1
        assert world.read.stats().stale_served == 1


async def test_a_short_lifetime_is_served_on_error_for_as_long_as_the_base_lifetime_would_be(world: World) -> None:
    world.client.answers["/menu/7#0"] = OriginUnavailable("down")
    for age_s, is_served in ((60 + 7_199, True), (60 + 7_201, False)):
        world.sql.held[menu_key("7")] = world.entry(menu_key("7"), age_s=age_s, lifetime_s=60)
        assert (menu_key("7") in (await world.get(menu_key("7"))).found) is is_served


async def test_an_imported_entry_is_served_on_error_whatever_its_age(world: World) -> None:
    key = menu_key("7")
    world.sql.held[key] = world.entry(key, age_s=1e8, lifetime_s=100, pinned_at=1.0)
    world.client.answers["/menu/7#0"] = OriginUnavailable("down")
    assert (await world.get(key)).found[key].is_stale


async def test_the_storage_limit_of_an_imported_entry_counts_from_its_import(clock: ManualClock) -> None:
    world = World(clock, Terms(storage_limit_s=50.0))
    young, old = menu_key("7"), menu_key("8")
    world.sql.held[young] = world.entry(young, age_s=1e8, lifetime_s=100, pinned_at=clock.now() - 40)
    world.sql.held[old] = world.entry(old, age_s=1e8, lifetime_s=100, pinned_at=clock.now() - 60)
    offline = await world.read.get_many([young, old], deadline=None, trace=Trace(), offline=True)
    assert (set(offline.found), set(offline.missing)) == ({young}, {old})


async def test_entries_over_the_storage_limit_are_dropped_and_never_served(clock: ManualClock) -> None:
    world = World(clock, Terms(storage_limit_s=50.0))
    key = menu_key("7")
    for tier in (world.memory, world.sql):
        tier.held[key] = world.entry(key, age_s=60, lifetime_s=1000)
    offline = await world.read.get_many([key], deadline=None, trace=Trace(), offline=True)
    assert offline.missing.keys() == {key}
    assert world.memory.held == world.sql.held == {}
    world.client.page("7", ["a"])
    await world.get(key)
    assert world.memory.held[key].expires_at == clock.now() + 50.0


async def test_offline_serves_what_is_held_however_old_and_makes_no_call(world: World) -> None:
    old, fresh, absent = menu_key("1"), menu_key("2"), menu_key("3")
    world.sql.held[old] = world.entry(old, age_s=1e7, lifetime_s=100)
    world.memory.held[fresh] = world.entry(fresh, age_s=1, lifetime_s=100)
    result = await world.read.get_many([old, fresh, absent], deadline=None, trace=Trace(), offline=True)
    assert {key: found.is_stale for key, found in result.found.items()} == {old: True, fresh: False}
    assert isinstance(result.missing[absent], NotFound)
    assert world.client.sent == []


async def test_a_tier_that_fails_is_skipped_and_counted(world: World) -> None:
    key = menu_key("7")
    world.memory.is_down = True
    world.sql.held[key] = world.entry(key, age_s=1, lifetime_s=100)
    trace = Trace()
    assert (await world.get(key, trace=trace)).found[key].tier == "sql"
    assert trace.tier_errors == 2  # asking it, and copying up
    world.sql.is_down = True
    world.client.page("8", ["a"])
    assert (await world.get(menu_key("8"))).found[menu_key("8")].tier == "origin"
    assert world.read.stats().tier_errors == 6


async def test_an_outage_of_a_tier_is_logged_once_and_so_is_its_end(world: World) -> None:
    world.memory.is_down = True
    world.client.page("7", ["a"])
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            await world.get(menu_key("7"))
        world.memory.is_down = False
        await world.get(menu_key("7"))
    assert [(line["event"], line["tier"]) for line in lines] == [("tier skipped", "memory"), ("tier is back", "memory")]


async def test_a_record_that_the_origin_does_not_have_is_not_asked_for_again_for_a_while(
    world: World, clock: ManualClock
) -> None:
    key = strain_key("nowhere-kush")
    world.client.answers["/strains/nowhere-kush#0"] = NotFound("not found (404)")
    for _ in range(3):
        assert isinstance((await world.get(key)).missing[key], NotFound)
    assert len(world.client.sent) == 1
    assert world.read.stats().negative_entries == 1
    clock.advance(LIFETIME_S + 1)
    await world.get(key)
    assert len(world.client.sent) == 2


async def test_a_record_that_is_gone_is_not_served_stale(world: World) -> None:
    key = menu_key("7")
    world.memory.held[key] = world.entry(key, age_s=101, lifetime_s=100)
    world.client.answers["/menu/7#0"] = NotFound("not found (404)")
    assert isinstance((await world.get(key)).missing[key], NotFound)


async def test_an_empty_answer_of_a_long_lived_type_is_asked_again_the_next_day(world: World) -> None:
    key = strain_key("new-kush")
    world.client.answers["/strains/new-kush#0"] = b"[[],1]"
    entry = (await world.get(key)).found[key].entry
    assert entry.expires_at == world.clock.now() + EMPTY_LIFETIME_S
    assert world.index.pairs == {("strain:any", key)}


async def test_the_deadline_ends_waiting_and_what_is_missing_is_said() -> None:
    world = World(SystemClock())
    world.client.page("7", ["a"])
    world.client.page("8", ["b"])
    world.client.gates["/menu/8#0"] = asyncio.Event()
    trace = Trace()
    result = await world.get(menu_key("7"), menu_key("8"), deadline_s=0.05, trace=trace)
    assert result.found.keys() == {menu_key("7")}
    error = result.missing[menu_key("8")]
    assert isinstance(error, OriginUnavailable)
    assert "deadline" in str(error)
    assert error.elapsed_s is not None
    assert error.elapsed_s >= 0.04
    assert trace.origin_calls == len(world.client.sent) == 2
    assert world.read.stats().in_flight == 0


async def test_a_deadline_already_past_still_serves_what_memory_holds() -> None:
    world = World(SystemClock())
    key = menu_key("7")
    world.memory.held[key] = world.entry(key, age_s=1, lifetime_s=100)
    result = await world.get(key, menu_key("8"), deadline_s=-1.0)
    assert result.found.keys() == {key}
    assert result.missing.keys() == {menu_key("8")}


async def test_who_can_wait_longer_gets_the_answer_though_the_load_ended_at_anothers_deadline() -> None:
    world = World(SystemClock())
    world.client.page("7", ["a"])
    world.client.gates["/menu/7#0"] = asyncio.Event()
    hasty = asyncio.create_task(world.get(menu_key("7"), deadline_s=0.05))
    await turns()
    patient = asyncio.create_task(world.get(menu_key("7"), deadline_s=10.0))
    assert menu_key("7") in (await hasty).missing
    world.client.gates["/menu/7#0"].set()
    assert ids_of((await patient).found[menu_key("7")]) == ["a"]


async def test_a_cancelled_request_does_not_cost_the_others_their_answer(world: World) -> None:
    world.client.page("7", ["a"])
    world.client.gates["/menu/7#0"] = asyncio.Event()
    first = asyncio.create_task(world.get(menu_key("7")))
    second = asyncio.create_task(world.get(menu_key("7")))
    await turns()
    first.cancel()
    await asyncio.wait([first])
    world.client.gates["/menu/7#0"].set()
    assert menu_key("7") in (await second).found
    assert len(world.client.sent) == 1


async def test_a_copy_that_the_origin_confirms_is_renewed(world: World, clock: ManualClock) -> None:
    world.client.page("7", ["a"])
    world.client.etag = '"1"'
    first = (await world.get(menu_key("7"), price_key("7"))).found[menu_key("7")].entry
    clock.advance(100_000)
    world.client.answers["/menu/7#0"] = world.client.answer(b"", not_modified=True)
    second = (await world.get(menu_key("7"), price_key("7"))).found[menu_key("7")]
    assert world.client.validators == [None, Validators('"1"', None)]
    assert (second.tier, second.entry.body, second.entry.digest) == ("origin", first.body, first.digest)
    assert second.entry.fetched_at == clock.now()
    assert second.entry.is_fresh(clock.now())


async def test_validators_stand_for_the_first_page_only(world: World, clock: ManualClock) -> None:
    world.client.page("7", ["a"])
    world.client.etag = '"1"'
    await world.get(menu_key("7"))
    clock.advance(100_000)
    world.client.page("7", ["a"], pages=2)
    world.client.page("7", ["b"], page=1)
    found = (await world.get(menu_key("7"))).found[menu_key("7")]
    assert ids_of(found) == ["a", "b"]
    assert world.client.validators == [None, Validators('"1"', None), None]


async def test_a_confirmed_menu_does_not_answer_for_prices_that_nobody_holds(world: World, clock: ManualClock) -> None:
    world.client.page("7", ["a"])
    world.client.etag = '"1"'
    await world.get(menu_key("7"))
    clock.advance(100_000)
    for tier in (world.memory, world.sql):
        del tier.held[price_key("7")]
    confirmed, full = world.client.answer(b"", not_modified=True), world.client.answers["/menu/7#0"]
    world.client.answers["/menu/7#0"] = confirmed
    world.client.gates["/menu/7#0"] = asyncio.Event()
    menus = asyncio.create_task(world.get(menu_key("7")))
    await turns()
    prices = asyncio.create_task(world.get(price_key("7")))
    await turns()
    assert len(world.client.sent) == 3
    world.client.answers["/menu/7#0"] = full
    world.client.gates["/menu/7#0"].set()
    assert price_key("7") in (await prices).found
    assert menu_key("7") in (await menus).found


async def test_a_key_that_the_origin_cannot_fill_does_not_spoil_the_others(world: World) -> None:
    world.client.page("7", ["a"])
    bad, bug, odd = menu_key("bad"), menu_key("bug"), menu_key("unplanned")
    strange = menu_key("7", "nobody")
    result = await world.get(menu_key("7"), bad, bug, odd, strange)
    assert result.found.keys() == {menu_key("7")}
    assert {key: type(error) for key, error in result.missing.items()} == {
        bad: BadInput,
        bug: OriginRejected,
        odd: OriginRejected,
        strange: OriginRejected,
    }


async def test_known_shops_are_handed_to_the_source_that_needs_their_slug(world: World) -> None:
    world.client.page("green-door", ["a"])
    shop = Shop(key="dispensary_info:jane:7", origin=ORIGIN, id="7", name="Green Door", slug="green-door")
    shops = {(ORIGIN, "7"): shop}
    result = await world.read.get_many([menu_key("7")], deadline=10.0, trace=Trace(), shops=shops)
    assert menu_key("7") in result.found


async def test_an_origin_that_asks_for_ever_more_pages_is_not_believed(world: World) -> None:
    world.client.page("7", ["a"], pages=100_000)
    for page in range(1, MAX_CALLS + 5):
        world.client.page("7", ["b"], page=page)
    result = await world.get(menu_key("7"))
    assert "pages" in str(result.missing[menu_key("7")])
    assert len(world.client.sent) <= MAX_CALLS


async def test_a_mistake_in_our_own_code_becomes_a_missing_record(world: World) -> None:
    result = await world.get(menu_key("7"))  # nothing is scripted: the client raises KeyError
    assert isinstance(result.missing[menu_key("7")], OriginUnavailable)


async def test_discarded_keys_leave_every_tier(world: World) -> None:
    world.client.page("7", ["a"])
    await world.get(menu_key("7"))
    await world.read.discard([menu_key("7")])
    assert menu_key("7") not in world.memory.held
    assert menu_key("7") not in world.sql.held


async def test_imported_entries_are_stored_and_found_by_their_identity(world: World) -> None:
    key = strain_key("blue-dream")
    entry = Entry.of(key, StrainList(origin=ORIGIN, strains=()), fetched_at=1.0, expires_at=2.0, pinned_at=1.0)
    await world.read.fill([entry])
    assert world.sql.held[key] is entry
    assert world.index.pairs == {("strain:any", key)}


async def test_nothing_is_decoded_to_index_menus(world: World) -> None:
    world.client.page("7", ["a"])
    await world.get(menu_key("7"))
    assert not world.memory.held[menu_key("7")].is_decoded


async def test_closing_ends_loads_in_flight(world: World) -> None:
    world.client.gates["/menu/7#0"] = asyncio.Event()
    asking = asyncio.create_task(world.get(menu_key("7")))
    await turns()
    await world.read.close()
    assert "ended" in str((await asking).missing[menu_key("7")])


class Observed:
    """Notes what the history is told."""

    def __init__(self) -> None:
        self.whole: list[tuple[RecordKey, Entry | None]] = []
        self.parts: list[tuple[RecordKey, float]] = []

    def observe(self, entry: Entry, old: Entry | None = None) -> None:
        self.whole.append((entry.key, old))

    def observe_part(self, key: RecordKey, prices: PriceList, at: float, old: Entry | None = None) -> None:
        self.parts.append((key, at))


async def test_fetched_prices_are_handed_to_the_history_with_what_they_replace(world: World) -> None:
    observed = Observed()
    world.read._history = observed
    old = world.entry(price_key("7"), age_s=1000, lifetime_s=600)
    await world.sql.put_many([old])
    world.client.page("7", ["a"])
    await world.get(menu_key("7"), price_key("7"))
    assert observed.whole == [(price_key("7"), old)]


async def test_imported_prices_are_handed_over_by_the_import_alone(world: World) -> None:
    observed = Observed()
    world.read._history = observed
    entry = world.entry(price_key("7"), age_s=0, lifetime_s=600, pinned_at=1.0)
    await world.read.fill([entry, world.entry(menu_key("7"), age_s=0, lifetime_s=600)])
    assert observed.whole == []
    record = entry.record
    assert isinstance(record, PriceList)
    world.read.observe_part(price_key("7"), record, 5.0)
    assert observed.parts == [(price_key("7"), 5.0)]


async def test_each_request_is_counted_by_what_became_of_it(world: World) -> None:
    world.client.page("1", ["a"])
    world.client.answers["/menu/2#0"] = OriginUnavailable("down")
    world.client.answers["/menu/3#0"] = NotFound("no such shop")
    stale = world.entry(menu_key("2"), age_s=3700, lifetime_s=3600)
    await world.memory.put_many([stale])
    await world.get(menu_key("1"), price_key("1"), menu_key("2"), menu_key("3"))
    await world.get(menu_key("1"), menu_key("1"), menu_key("3"))
    stats = world.read.stats()
    menus = stats.by_type["dispensary_menu"]
    assert (menus.requests, menus.hits, menus.misses) == (5, 1, 4)
    assert (menus.loaded, menus.stale, menus.missing) == (1, 1, 2)
    assert stats.requests.requests == 6
    assert (stats.negative_served, stats.stale_served) == (1, 1)
    memory, sql = world.read.tier_stats()["memory"], world.read.tier_stats()["sql"]
    assert (memory.hits, memory.misses, memory.stale) == (2, 4, 1)
    assert (sql.hits, sql.misses) == (0, 5)
    assert memory.by_type["dispensary_menu"].stale == 1
    assert memory.latency is not None
    assert memory.latency.count == 2


async def test_what_is_served_offline_though_expired_is_a_hit_that_is_stale(world: World) -> None:
    await world.sql.put_many([world.entry(menu_key("1"), age_s=9000, lifetime_s=3600)])
    await world.read.get_many([menu_key("1"), menu_key("2")], deadline=None, trace=Trace(), offline=True)
    requests = world.read.stats().requests
    assert (requests.hits, requests.stale, requests.missing) == (1, 0, 1)
    assert world.read.tier_stats()["sql"].stale == 1


async def test_hits_without_the_read_path_are_requests_and_hits_of_the_first_tier(clock: ManualClock) -> None:
    direct = {DataType.DISPENSARY_MENU: 3}
    memory, sql = DictTier("memory"), DictTier("sql")
    read = ReadThrough(
        tiers=[memory, sql], origins={}, clock=clock, settings=CacheSettings(), direct_hits=lambda: direct
    )
    await read.get_many([menu_key("1")], deadline=None, trace=Trace(), offline=True)
    direct[DataType.DISPENSARY_MENU] += 1
    assert (read.stats().requests.requests, read.stats().requests.hits) == (5, 4)
    tiers = read.tier_stats()
    assert (tiers["memory"].hits, tiers["memory"].misses, tiers["memory"].hit_ratio) == (4, 1, 0.8)
    assert (tiers["sql"].hits, tiers["sql"].misses) == (0, 1)


async def test_a_tier_that_fails_is_not_asked_in_the_figures(world: World) -> None:
    world.sql.is_down = True
    world.client.page("1", ["a"])
    await world.get(menu_key("1"))
    assert (world.read.tier_stats()["sql"].misses, world.read.tier_stats()["memory"].misses) == (0, 1)


async def test_64_concurrent_clients_are_counted_exactly(world: World) -> None:
    """Cold keys, warm ones, joined loads, loads that land meanwhile, absences, failures, clients that leave."""
    rng = Random(7)
    shops = [str(n) for n in range(12)]
    for shop in shops:
        world.client.page(shop, ["a"])
    world.client.answers["/menu/3#0"] = OriginUnavailable("down")
    world.client.answers["/menu/4#0"] = NotFound("no such shop")
    world.client.gates["/menu/5#0"] = asyncio.Event()
    outside: dict[DataType, int] = defaultdict(int)
    at_once = world.sql.get_many

    async def later(keys: Collection[RecordKey]) -> dict[RecordKey, Entry]:
        await turns(4)
        return await at_once(keys)

    world.sql.get_many = later  # type: ignore[method-assign]

    async def client(number: int) -> None:
        for _ in range(20):
            make = rng.choice((menu_key, price_key))
            keys = {make(shop) for shop in rng.sample(shops, rng.randint(1, 4))}
            for key in keys:
                outside[key.data_type] += 1
            asking = asyncio.create_task(world.get(*keys))
            if number % 8 == 0 or menu_key("5") in keys or price_key("5") in keys:
                await turns(rng.randint(1, 9))
                asking.cancel()
            await asyncio.wait([asking])
            if rng.random() < 0.2:
                await world.read.discard([menu_key(rng.choice(shops))])

    await asyncio.gather(*(client(number) for number in range(64)))
    stats, memory = world.read.stats(), world.read.tier_stats()["memory"]
    assert stats.joined > 0
    assert {name: each.requests for name, each in stats.by_type.items()} == {t.value: n for t, n in outside.items()}
    for name, each in stats.by_type.items():
        assert each.hits + each.misses == each.requests
        tier = memory.by_type[name]
        assert tier.hits + tier.misses == each.requests
    assert memory.hits + memory.misses == sum(outside.values())

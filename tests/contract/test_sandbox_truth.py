"""The truth of the sandbox is what the adapters make of its answers, for every origin and time."""

from __future__ import annotations

from collections.abc import Mapping

import h3
import msgspec
import pytest
from test_sandbox_asgi import NOW, Caller

from weedhounds import sources
from weedhounds.cache.entry import record_digest
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import NEAR_RESOLUTION, RecordKey, near_key
from weedhounds.model.records import Body, LabResultList, Shop, ShopList, StrainList
from weedhounds.sandbox.truth import Truth
from weedhounds.sources.assemble import assemble
from weedhounds.sources.base import Load, Parsed, Source

DENVER = (39.7392, -104.9847)
MENU_ORIGINS = ("dutchie", "jane", "weedmaps", "leafly")
OPTIONS: Mapping[str, Mapping[str, str]] = {"leafly": {"build_id": "sandbox", "web_base": ""}}


@pytest.fixture(scope="module")
def shared() -> Caller:
    return Caller(seed=8)


@pytest.fixture
def sandbox(shared: Caller) -> Caller:
    shared.app.gate.reset(shared.clock.monotonic())
    shared.clock.set_now(NOW)
    return shared


def source_of(origin: str) -> Source:
    found = sources.source_class(origin)
    live = found.info().live
    options = {**live.options, **OPTIONS.get(origin, {})}
    config = msgspec.structs.replace(
        live, base_url=f"http://sandbox/{origin}", options=options, keys={"search_key": "sandbox-key"}
    )
    return found(config)


async def fill(sandbox: Caller, source: Source, load: Load) -> dict[RecordKey, Body]:
    """Return what the calls of a load, its further pages included, give."""
    waiting, pages = list(load.calls), list[tuple[int, Parsed]]()
    while waiting:
        call = waiting.pop(0)
        answer = await sandbox.call(
            call.method,
            f"/{load.origin}{call.path}",
            params=dict(call.params),
            headers=dict(call.headers),
            body=call.body or b"",
        )
        assert answer.status == 200, (call, answer.body[:300])
        parsed = source.parse(answer.body, call.kind)
        assert parsed.skipped == []
        pages.append((call.page, parsed))
        waiting += source.follow(call, parsed)
    return assemble(load, [parsed for _, parsed in sorted(pages, key=lambda page: page[0])])


async def shops_near(sandbox: Caller, source: Source, origin: str) -> dict[str, Shop]:
    cells = h3.grid_disk(h3.latlng_to_cell(*DENVER, NEAR_RESOLUTION), 3)
    (load,) = source.plan([near_key(origin, cell) for cell in cells], {})
    bodies = await fill(sandbox, source, load)
    return {s.id: s for body in bodies.values() if isinstance(body, ShopList) for s in body.shops}


def menu_keys(origin: str, shop_id: str) -> list[RecordKey]:
    return [RecordKey(t, origin, shop_id) for t in (DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING)]


@pytest.mark.parametrize("origin", MENU_ORIGINS)
async def test_menus_and_prices_read_by_the_adapter_are_the_truth(sandbox: Caller, origin: str) -> None:
    source, truth = source_of(origin), Truth(sandbox.app.market)
    shops = await shops_near(sandbox, source, origin)
    for shop_id in sorted(shops)[:6]:
        for days in (0.0, 1.37, 40.5):
            sandbox.app.gate.reset(0.0)
            sandbox.clock.set_now(NOW + days * 86400)
            (load,) = source.plan(menu_keys(origin, shop_id), shops)
            bodies = await fill(sandbox, source, load)
            for key in menu_keys(origin, shop_id):
                assert bodies[key] == truth.record(key, sandbox.clock.now())
                told = (await sandbox.get("/_sandbox/truth", key=key)).json
                assert told["digest"] == record_digest(bodies[key]).hex()


@pytest.mark.parametrize("origin", MENU_ORIGINS)
async def test_shops_read_by_the_adapter_are_those_of_the_market(sandbox: Caller, origin: str) -> None:
    shops = await shops_near(sandbox, source_of(origin), origin)
    listings = {x.id: x for x in sandbox.app.market.listings if x.origin == origin and x.id in shops}
    assert len(listings) == len(shops) >= 14
    for shop_id, shop in shops.items():
        listing = listings[shop_id]
        assert (shop.name, shop.slug, shop.lat, shop.lon) == (listing.name, listing.slug, listing.lat, listing.lon)
        assert (shop.phone, shop.license_number) == (listing.phone, listing.licence)
        assert (shop.city, shop.time_zone) == (listing.shop.city.name, listing.shop.city.zone)
        assert shop.address is not None
        assert shop.address.startswith(listing.address)


@pytest.mark.parametrize("origin", MENU_ORIGINS)
async def test_since_is_the_moment_of_the_last_change(sandbox: Caller, origin: str) -> None:
    listing = next(x for x in sandbox.app.market.listings if x.origin == origin)
    for key in menu_keys(origin, listing.id):
        sandbox.clock.set_now(NOW)
        told = (await sandbox.get("/_sandbox/truth", key=key)).json
        assert told["since"] <= told["now"] == NOW
        sandbox.clock.set_now(told["since"])
        at = (await sandbox.get("/_sandbox/truth", key=key)).json
        sandbox.clock.set_now(told["since"] - 0.001)
        before = (await sandbox.get("/_sandbox/truth", key=key)).json
        assert at["digest"] == told["digest"] != before["digest"]
        assert before["since"] < told["since"]


async def test_a_menu_event_changes_the_menu_key_alone_and_a_price_event_the_pricing_key(sandbox: Caller) -> None:
    market, truth = sandbox.app.market, Truth(sandbox.app.market)
    listing = next(x for x in market.listings if x.origin == "weedmaps")
    menu, prices = menu_keys("weedmaps", listing.id)
    for kind, changed, same in (("menu", menu, prices), ("price", prices, menu)):
        event = next(market.events(kind, listing.shop.index, NOW, NOW + 300 * 86400))
        assert truth.record(changed, event.t) != truth.record(changed, event.t - 0.0005)
        assert truth.record(same, event.t) == truth.record(same, event.t - 0.0005)


async def test_all_origins_of_a_shop_show_the_same_potency_and_regular_prices(sandbox: Caller) -> None:
    market, truth = sandbox.app.market, Truth(sandbox.app.market)
    wanted = ("dutchie", "weedmaps", "leafly")
    by_shop: dict[int, dict[str, str]] = {}
    for x in market.listings:
        by_shop.setdefault(x.shop.index, {})[x.origin] = x.id
    ids = next(found for found in by_shop.values() if set(wanted) <= set(found))
    facts = []
    for origin in wanted:
        menu, prices = (truth.record(key, NOW) for key in menu_keys(origin, ids[origin]))
        potency = sorted(p.potency["thc"].low for p in menu.products if "thc" in p.potency)  # type: ignore[union-attr]
        regular = sorted(p.list_price.amount for p in prices.prices if p.market == "rec")  # type: ignore[union-attr]
        facts.append((potency, regular))
    assert facts[0] == facts[1] == facts[2]


async def test_the_strain_page_and_the_registry_agree_on_the_leading_terpene(sandbox: Caller) -> None:
    leafly, registry = source_of("leafly"), source_of("socrata_ct")
    (load,) = leafly.plan([RecordKey(DataType.STRAIN_DATA, "leafly", "blue-dream")], {})
    (strains,) = (await fill(sandbox, leafly, load)).values()
    (load,) = registry.plan([RecordKey(DataType.LAB_RESULTS, "socrata_ct", "strain/blue-dream")], {})
    (results,) = (await fill(sandbox, registry, load)).values()
    assert isinstance(strains, StrainList)
    assert isinstance(results, LabResultList)
    assert strains.strains[0].top_terpene == "myrcene"
    assert len(results.results) >= 6
    for result in results.results:
        leading = max(result.terpenes, key=lambda r: r.value or 0)
        assert leading.analyte == "myrcene"


async def test_the_value_of_a_truth_is_the_record_in_plain_json(sandbox: Caller) -> None:
    listing = next(x for x in sandbox.app.market.listings if x.origin == "jane")
    _, key = menu_keys("jane", listing.id)
    told = (await sandbox.get("/_sandbox/truth", key=key)).json
    assert told["key"] == str(key)
    assert told["value"]["type"] == "price_list"
    assert set(told["value"]["prices"][0]["price"]) == {"amount", "currency"}

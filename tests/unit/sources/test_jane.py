"""Jane's search answers and calls."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from weedhounds.errors import BadInput, ConfigError, OriginRejected, SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey, near_key
from weedhounds.model.provenance import ShareScope
from weedhounds.model.records import Category, Lab, Price, Product
from weedhounds.model.units import Amount, Money, Potency, Reading
from weedhounds.sources.base import Call, Kind, OriginConfig, Parsed
from weedhounds.sources.jane import JaneSource

FLOWER = "menu-products_store-1517_flower_2026-07-09_batch.json"
DENVER = "85268cdbfffffff"
BOULDER = "85268cd7fffffff"


def config(**options: str) -> OriginConfig:
    live = JaneSource.info().live
    return msgspec.structs.replace(live, keys={"search_key": "k"}, options={**live.options, **options})


def key(data_type: DataType, native_id: str, variant: str | None = None) -> RecordKey:
    return RecordKey(data_type, "jane", native_id, variant)


def posted(call: Call) -> dict[str, Any]:
    assert call.method == "POST"
    assert call.body is not None
    body: dict[str, Any] = msgspec.json.decode(call.body)
    return body


def usd(text: str) -> Money:
    return Money(Decimal(text), "USD")


def percent(value: float) -> Potency:
    return Potency(value, value, "%")


@pytest.fixture
def edge(golden: Path) -> Parsed:
    return JaneSource.parse((golden / "jane" / "menu_edge_cases.json").read_bytes())


def rows(parsed: Parsed, product_id: str) -> dict[tuple[str, str], Price]:
    return {(p.variant_label, p.market): p for p in parsed.prices if p.product_id == product_id}


def product(parsed: Parsed, product_id: str) -> Product:
    return next(p for p in parsed.products if p.id == product_id)


# recorded answers


@pytest.mark.recorded
def test_every_hit_of_a_recorded_batch_is_normalised(recorded: Path) -> None:
    parsed = JaneSource.parse((recorded / "jane" / FLOWER).read_bytes())
    assert (parsed.seen, parsed.total, len(parsed.products), parsed.skipped) == (4, 4, 4, [])
    assert (parsed.shop_id, parsed.shops_of) == ("1517", {})
    assert len(parsed.prices) == 8
    assert {p.market for p in parsed.prices} == {"rec"}
    assert {p.in_stock for p in parsed.prices} == {True}


@pytest.mark.recorded
def test_recorded_weights_keep_price_and_list_price(recorded: Path) -> None:
    parsed = JaneSource.parse((recorded / "jane" / FLOWER).read_bytes())
    found = rows(parsed, "6147688")
    assert {label: (p.variant, p.price, p.list_price) for (label, _), p in found.items()} == {
        "quarter ounce": (Amount(7.0, "g"), usd("48.75"), usd("65.00")),
        "half ounce": (Amount(14.0, "g"), usd("90.00"), usd("120.00")),
        "ounce": (Amount(28.0, "g"), usd("100.00"), usd("200.00")),
    }
    assert rows(parsed, "25440918")["quarter ounce", "rec"].price == usd("44.40")


@pytest.mark.recorded
def test_recorded_potencies_belong_to_their_weight(recorded: Path) -> None:
    parsed = JaneSource.parse((recorded / "jane" / FLOWER).read_bytes())
    express = product(parsed, "6147688")
    assert express.potency == {"thc": percent(21.26), "cbd": percent(0.08)}
    assert express.potency_by_variant == {
        "quarter ounce": {"thc": percent(28.33)},
        "ounce": {"thc": percent(21.26)},
        "half ounce": {"thc": percent(24.79)},
    }
    assert product(parsed, "29383367").potency_by_variant == {}
    assert (express.category, express.strain_type, express.brand) == (Category.FLOWER, "hybrid", "High Supply™")


@pytest.mark.recorded
def test_a_recorded_special_is_named_at_the_weights_that_it_lowers(recorded: Path) -> None:
    parsed = JaneSource.parse((recorded / "jane" / FLOWER).read_bytes())
    found = rows(parsed, "6147688")
    assert found["half ounce", "rec"].promotions == ("ENTIRE-STORE-25%-OFF",)
    assert found["ounce", "rec"].promotions == ()


# menus


def test_a_weight_without_a_price_is_not_sold_so(edge: Parsed) -> None:
    labels = {label for label, _ in rows(edge, "101")}
    assert labels == {"gram", "eighth ounce", "ounce"}


def test_the_lowest_lower_price_is_paid_and_the_regular_one_listed(edge: Parsed) -> None:
    found = rows(edge, "101")
    assert (found["eighth ounce", "rec"].price, found["eighth ounce", "rec"].list_price) == (usd("29.50"), usd("50.00"))
    assert (found["ounce", "rec"].price, found["ounce", "rec"].list_price) == (usd("200.00"), usd("200.00"))


def test_a_special_price_may_be_a_bare_number(edge: Parsed) -> None:
    row = rows(edge, "105")["gram", "rec"]
    assert (row.price, row.list_price) == (usd("32.50"), usd("40.00"))


def test_a_store_of_both_kinds_sells_in_both_markets(edge: Parsed) -> None:
    assert {market for _, market in rows(edge, "101")} == {"rec", "med"}
    assert {market for _, market in rows(edge, "102")} == {"med"}
    assert {market for _, market in rows(edge, "103")} == {"rec"}


def test_stock_is_what_the_available_weights_say(edge: Parsed) -> None:
    assert rows(edge, "101")["eighth ounce", "rec"].in_stock is True
    assert rows(edge, "101")["gram", "rec"].in_stock is False
    assert rows(edge, "105")["gram", "rec"].in_stock is None


def test_a_piece_without_available_weights_is_there_where_it_fits_a_cart(edge: Parsed) -> None:
    assert rows(edge, "102")["each", "med"].in_stock is True
    assert rows(edge, "103")["each", "rec"].in_stock is True


def test_a_piece_holds_its_net_weight_or_the_amount_beside_it(edge: Parsed) -> None:
    assert rows(edge, "103")["each", "rec"].variant == Amount(2.5, "g")
    assert rows(edge, "102")["each", "med"].variant == Amount(100.0, "mg")


def test_zero_percent_states_nothing(edge: Parsed) -> None:
    assert product(edge, "101").potency == {"thc": percent(24.1), "thca": percent(27.2)}
    assert product(edge, "101").potency_by_variant == {
        "eighth ounce": {"thc": percent(24.1)},
        "ounce": {"thc": percent(21.5)},
    }


def test_percent_fields_of_edibles_are_not_believed(edge: Parsed) -> None:
    assert product(edge, "102").potency == {}
    assert product(edge, "102").potency_by_variant == {}


def test_lab_values_need_a_unit(edge: Parsed) -> None:
    joints = product(edge, "103")
    assert joints.terpenes == (Reading("myrcene", 0.7, "%"),)
    assert joints.potency == {"thc": percent(19.5), "cbg": percent(1.1)}
    assert joints.lab == Lab(report_url="https://lab.example/103.pdf")


def test_a_price_of_another_type_skips_its_weight_and_keeps_the_rest(edge: Parsed) -> None:
    assert list(rows(edge, "104")) == [("gram", "rec")]
    assert [s.why for s in edge.skipped if "104" in s.where] == ["half gram: not a price: [20]"]


def test_a_broken_hit_is_skipped_and_reported_and_a_repeated_one_counts_once(edge: Parsed) -> None:
    assert (edge.seen, edge.total, len(edge.products)) == (9, 9, 6)
    assert product(edge, "101").name == "Larkspur Gelato"
    assert [s.where for s in edge.skipped] == ["hits[3] 104", "hits[5]", "hits[6]"]


def test_a_hit_without_a_price_is_a_product(edge: Parsed) -> None:
    assert rows(edge, "107") == {}
    assert product(edge, "107").category is Category.ACCESSORY


def test_products_of_several_stores_tell_each_their_own() -> None:
    hits = b'{"objectID":"1","name":"A","store_id":7,"_geoloc":{"lat":39.5,"lng":-104.5}},{"objectID":"2","name":"B","store_id":8}'
    parsed = JaneSource.parse(b'{"hits":[' + hits + b"]}")
    assert parsed.shop_id is None
    assert [(r.key, r.lat, r.lon) for r in parsed.shops_of.values()] == [
        ("dispensary_info:jane:7", 39.5, -104.5),
        ("dispensary_info:jane:8", None, None),
    ]


def test_products_in_placements_are_read() -> None:
    body = b'{"placements":[{"products":[{"search_attributes":{"objectID":"1","name":"A","kind":"flower","price_gram":"9.99"}}]}]}'
    parsed = JaneSource.parse(body, Kind.MENU)
    assert parsed.prices[0].price == usd("9.99")


def test_half_a_surrogate_pair_does_not_lose_the_answer() -> None:
    parsed = JaneSource.parse(rb'{"hits":[{"objectID":"1","name":"A\udf3f","kind":"flower"}]}')
    assert parsed.products[0].name == "A\ufffd"


# stores


def test_stores_are_told_apart_from_products_and_placed(golden: Path) -> None:
    parsed = JaneSource.parse((golden / "jane" / "stores.json").read_bytes())
    store = parsed.shops[0]
    assert (store.key, store.slug, store.menu_size) == ("dispensary_info:jane:77", "harebell-store", 412)
    assert (store.lat, store.lon, store.postcode, store.time_zone) == (39.74, -104.99, "80202", "America/Denver")
    assert store.markets == ("rec", "med")
    assert (parsed.seen, len(parsed.shops), [s.why for s in parsed.skipped]) == (4, 2, ["no name (id 79)"])
    assert (parsed.shops[1].lat, parsed.shops[1].menu_size) == (None, None)


def test_a_single_store_is_read(golden: Path) -> None:
    (store,) = JaneSource.parse((golden / "jane" / "store.json").read_bytes()).shops
    assert (store.id, store.lat, store.lon, store.markets) == ("77", 39.74, -104.99, ("med",))


@pytest.mark.parametrize("kind", [Kind.MENU, Kind.SHOPS])
def test_no_hits_are_an_empty_answer_of_the_kind_asked_for(kind: Kind) -> None:
    parsed = JaneSource.parse(b'{"hits":[],"nbHits":0}', kind)
    assert (parsed.seen, parsed.total, parsed.records()) == (0, 0, [])


# what is no answer


def test_html_is_blocked() -> None:
    with pytest.raises(OriginRejected, match="blocked"):
        JaneSource.parse(b"\n<html><body>Attention Required!</body></html>")


def test_a_stale_key_is_told() -> None:
    with pytest.raises(OriginRejected, match="Invalid Application-ID or API key"):
        JaneSource.parse(b'{"message":"Invalid Application-ID or API key","status":403}')


@pytest.mark.parametrize("cut", [2, 40, 400, 2000])
def test_a_truncated_answer_is_a_schema_mismatch(golden: Path, cut: int) -> None:
    with pytest.raises(SchemaMismatch):
        JaneSource.parse((golden / "jane" / "menu_edge_cases.json").read_bytes()[:-cut])


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"hits":{}}', b'{"message":7}', b'{"results":[{"message":"x"}]}']
)
def test_json_of_another_shape_is_a_schema_mismatch(body: bytes) -> None:
    with pytest.raises(SchemaMismatch):
        JaneSource.parse(body)


def test_an_answer_of_another_kind_than_asked_for_is_a_schema_mismatch(golden: Path) -> None:
    with pytest.raises(SchemaMismatch, match="menu"):
        JaneSource.parse((golden / "jane" / "store.json").read_bytes(), Kind.MENU)


# plans


def test_menu_and_prices_of_a_store_are_one_load_of_one_call() -> None:
    keys = [key(DataType.DISPENSARY_MENU, "1517"), key(DataType.PRODUCT_PRICING, "1517")]
    (load,) = JaneSource(config()).plan(keys, {})
    (call,) = load.calls
    assert (load.what, load.shop_id, load.keys) == ("menu", "1517", tuple(keys))
    assert (call.kind, call.path, call.page) == (Kind.MENU, "/1/indexes/menu-products-production/query", 0)
    assert posted(call) == {"query": "", "filters": "store_id:1517", "hitsPerPage": 1000, "page": 0}
    headers = dict(call.headers)
    assert (headers["x-algolia-api-key"], headers["x-algolia-application-id"]) == ("k", "VFM4X0N23A")


def test_several_cells_are_one_search_around_all_of_them() -> None:
    keys = [near_key("jane", DENVER), near_key("jane", BOULDER)]
    (load,) = JaneSource(config()).plan(keys, {})
    body = posted(load.calls[0])
    assert (load.what, load.keys, load.calls[0].path) == ("near", tuple(keys), "/1/indexes/stores-production/query")
    lat, lon = map(float, body["aroundLatLng"].split(","))
    assert abs(lat - 39.8) < 1
    assert abs(lon + 105) < 1
    assert isinstance(body["aroundRadius"], int)
    assert body["aroundRadius"] > 8_000


def test_one_store_is_asked_for_by_its_id() -> None:
    asked = key(DataType.DISPENSARY_INFO, "77")
    (load,) = JaneSource(config()).plan([asked], {})
    assert (load.what, load.keys, load.calls[0].kind) == ("near", (asked,), Kind.SHOPS)
    assert posted(load.calls[0])["filters"] == "objectID:77"


def test_a_missing_key_is_told_by_its_setting() -> None:
    source = JaneSource(JaneSource.info().live)
    with pytest.raises(OriginRejected, match=r"no key: origins\.jane\.keys\.search_key"):
        source.plan([key(DataType.DISPENSARY_MENU, "1517")], {})


@pytest.mark.parametrize(
    "unknown",
    [
        key(DataType.PROMOTIONS, "1517"),
        key(DataType.DISPENSARY_MENU, "1517 OR store_id:1"),
        key(DataType.DISPENSARY_MENU, "²"),
        key(DataType.DISPENSARY_INFO, "near", "nowhere"),
        key(DataType.DISPENSARY_MENU, "1517", "x"),
        RecordKey(DataType.DISPENSARY_MENU, "elsewhere", "1517"),
    ],
)
def test_a_key_that_the_origin_cannot_fill_is_bad_input(unknown: RecordKey) -> None:
    with pytest.raises(BadInput):
        JaneSource(config()).plan([unknown], {})


@pytest.mark.parametrize("text", ["", "many", "0", "1001"])
def test_a_page_size_that_is_none_is_a_setting_error(text: str) -> None:
    with pytest.raises(ConfigError, match="hits_per_page"):
        JaneSource(config(hits_per_page=text)).plan([key(DataType.DISPENSARY_MENU, "1")], {})


# further pages


def first_call(source: JaneSource) -> Call:
    return source.plan([key(DataType.DISPENSARY_MENU, "1517")], {})[0].calls[0]


def test_all_further_pages_follow_at_once() -> None:
    source = JaneSource(config(hits_per_page="100"))
    calls = source.follow(first_call(source), Parsed(seen=100, total=250))
    assert [(c.page, posted(c)["page"], posted(c)["filters"]) for c in calls] == [
        (1, 1, "store_id:1517"),
        (2, 2, "store_id:1517"),
    ]
    assert source.follow(calls[0], Parsed(seen=100, total=250)) == []


def test_a_whole_menu_on_one_page_leads_to_no_more_calls() -> None:
    source = JaneSource(config())
    assert source.follow(first_call(source), Parsed(seen=872, total=872)) == []
    assert source.follow(first_call(source), Parsed(seen=0, total=0)) == []


def test_a_menu_over_the_index_limit_is_split_by_kind_without_leaving_any_out() -> None:
    source = JaneSource(config(kinds="flower, pre-roll"))
    calls = source.follow(first_call(source), Parsed(seen=1000, total=1700))
    assert [posted(c)["filters"] for c in calls] == [
        'store_id:1517 AND kind:"flower"',
        'store_id:1517 AND kind:"pre-roll"',
        'store_id:1517 AND NOT kind:"flower" AND NOT kind:"pre-roll"',
    ]
    assert {c.page for c in calls} == {0}


def test_a_split_call_over_the_limit_is_paged_to_the_limit_and_not_split_again() -> None:
    source = JaneSource(config(hits_per_page="500"))
    split = source.follow(first_call(source), Parsed(seen=500, total=1700))
    assert [c.page for c in source.follow(split[0], Parsed(seen=500, total=1200))] == [1]


def test_stores_are_paged_and_never_split() -> None:
    source = JaneSource(config(hits_per_page="500"))
    (call,) = source.plan([near_key("jane", DENVER)], {})[0].calls
    calls = source.follow(call, Parsed(seen=500, total=1700))
    assert [c.page for c in calls] == [1]
    assert posted(calls[0])["aroundLatLng"] == posted(call)["aroundLatLng"]


def test_a_full_page_without_a_total_asks_for_the_next_and_is_bounded() -> None:
    source = JaneSource(config(hits_per_page="10"))
    call, pages = first_call(source), 1
    while further := source.follow(call, Parsed(seen=10)):
        (call,) = further
        pages += 1
    assert pages == 40


def test_the_description_says_what_is_tested_and_that_nothing_is_shared() -> None:
    info = JaneSource.info()
    assert dict(info.tested) == {"menu": "recorded", "shops": "hand-made"}
    assert info.key_needed == "search_key"
    assert info.live.terms.share is ShareScope.NEVER

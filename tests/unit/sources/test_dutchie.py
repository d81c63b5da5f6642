"""Dutchie's consumer answers and calls."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from weedhounds.errors import BadInput, ConfigError, OriginRejected, SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey, near_key
from weedhounds.model.provenance import ShareScope
from weedhounds.model.records import Category, OpenPeriod, Price, Product
from weedhounds.model.units import Amount, Money, Potency, Reading
from weedhounds.sources.base import Call, Kind, OriginConfig, Parsed
from weedhounds.sources.dutchie import DutchieSource

STORE = "filteredProducts_flower_store-5fefa138b2782100c5acd671_2023-11-28.json.gz"
SINGLE = "filteredProducts_single_kushmart-north_2026-06-24.json"
CARDS = "getSpecialMenuCards_the-vault-silvana_2020-solutions_2026-07-02.json"
DENVER = "85268cdbfffffff"
BOULDER = "85268cd7fffffff"


def config(**options: str) -> OriginConfig:
    live = DutchieSource.info().live
    return msgspec.structs.replace(live, base_url="http://127.0.0.1:1/dutchie", options={**live.options, **options})


def key(data_type: DataType, native_id: str, variant: str | None = None) -> RecordKey:
    return RecordKey(data_type, "dutchie", native_id, variant)


def posted(call: Call) -> dict[str, Any]:
    assert call.method == "POST"
    assert call.body is not None
    body: dict[str, Any] = msgspec.json.decode(call.body)
    return body


def usd(text: str) -> Money:
    return Money(Decimal(text), "USD")


@pytest.fixture
def edge(golden: Path) -> Parsed:
    return DutchieSource.parse((golden / "dutchie" / "menu_edge_cases.json").read_bytes())


def rows(parsed: Parsed, product_id: str) -> dict[tuple[str, str], Price]:
    return {(p.variant_label, p.market): p for p in parsed.prices if p.product_id == product_id}


def product(parsed: Parsed, product_id: str) -> Product:
    return next(p for p in parsed.products if p.id == product_id)


# recorded answers


@pytest.mark.recorded
def test_every_product_of_a_recorded_menu_is_normalised(recorded: Path) -> None:
    parsed = DutchieSource.parse(gzip.decompress((recorded / "dutchie" / STORE).read_bytes()), currency="CAD")
    assert (parsed.seen, len(parsed.products), parsed.skipped) == (31, 31, [])
    assert parsed.total == 138
    assert parsed.shop_id == "5fefa138b2782100c5acd671"
    assert not parsed.shops_of
    assert len(parsed.prices) == 68
    assert {p.price.currency for p in parsed.prices} == {"CAD"}
    assert {p.category for p in parsed.products} == {Category.FLOWER}


@pytest.mark.recorded
def test_a_recorded_product_keeps_its_price_stock_and_potency(recorded: Path) -> None:
    parsed = DutchieSource.parse(gzip.decompress((recorded / "dutchie" / STORE).read_bytes()))
    fuel = product(parsed, "64554628b8bf460001eb7647")
    assert (fuel.name, fuel.brand, fuel.slug) == ("Sonic Lemon Fuel", "Spinach", "sonic-lemon-fuel")
    assert fuel.potency == {"thc": Potency(20.0, 27.5, "%"), "cbd": Potency(1.0, 1.0, "%")}
    assert fuel.updated_at == 1683310120.137
    row = rows(parsed, fuel.id)["3.5g", "rec"]
    assert (row.price, row.list_price) == (usd("28.24"), usd("28.24"))
    assert (row.quantity, row.in_stock, row.variant) == (12.0, True, Amount(3.5, "g"))


@pytest.mark.recorded
def test_recorded_milligrams_per_gram_keep_their_unit(recorded: Path) -> None:
    parsed = DutchieSource.parse(gzip.decompress((recorded / "dutchie" / STORE).read_bytes()))
    crop = next(p for p in parsed.products if p.name.startswith("Top Crop"))
    assert crop.potency == {"thc": Potency(210.0, 270.0, "mg/g"), "cbd": Potency(0.0, 10.0, "mg/g")}


@pytest.mark.recorded
def test_recorded_options_keep_their_own_price_where_net_weights_are_fewer(recorded: Path) -> None:
    parsed = DutchieSource.parse(gzip.decompress((recorded / "dutchie" / STORE).read_bytes()))
    kush = next(p for p in parsed.products if p.name == "Wes' Coast Kush")
    found = rows(parsed, kush.id)
    assert {label: row.price for (label, market), row in found.items() if market == "rec"} == {
        "3.5g": usd("35.36"),
        "14g": usd("98.98"),
    }
    assert found["14g", "rec"].in_stock is False
    cake = next(p for p in parsed.products if p.name == "Wedding Cake")
    assert rows(parsed, cake.id)["28g", "rec"].variant == Amount(28.0, "g")


@pytest.mark.recorded
def test_a_recorded_special_is_the_price_and_the_regular_one_the_list_price(recorded: Path) -> None:
    parsed = DutchieSource.parse((recorded / "dutchie" / SINGLE).read_bytes())
    assert (parsed.seen, parsed.total, parsed.skipped) == (1, 1, [])
    assert [(p.market, p.price, p.list_price) for p in parsed.prices] == [
        ("rec", usd("4.00"), usd("8.00")),
        ("med", usd("4.00"), usd("8.00")),
    ]
    assert parsed.prices[0].promotions == ("50% Off Brands",)
    assert (parsed.prices[0].variant, parsed.prices[0].quantity) == (Amount(2.0, "g"), 25.0)
    assert parsed.products[0].potency["cbd"] == Potency(0.04, 0.05, "%")
    assert parsed.products[0].strain_type == "indica"
    assert parsed.products[0].category is Category.PRE_ROLL


@pytest.mark.recorded
def test_recorded_specials_cards_keep_their_local_stamps(recorded: Path) -> None:
    parsed = DutchieSource.parse((recorded / "dutchie" / CARDS).read_bytes())
    assert (parsed.seen, parsed.skipped) == (2, [])
    plain, glass = parsed.promotions
    assert (plain.id, plain.name, plain.kind) == ("69c183a096eefa000746812f", "20% Off All Cannabis Items", "sale")
    assert (plain.percent_off, plain.starts_local, plain.ends_local) == (None, None, None)
    assert (glass.id, glass.starts_local) == ("49193", "2026-07-01T11:00:00.0000000")
    assert glass.categories == ("Accessories", "Hide")


@pytest.mark.recorded
def test_a_recorded_file_that_is_no_answer_is_refused(recorded: Path) -> None:
    with pytest.raises(SchemaMismatch):
        DutchieSource.parse((recorded / "dutchie" / "dispensary_slugs.json").read_bytes())


# menus


def test_each_list_index_belongs_to_its_option(edge: Parsed) -> None:
    found = rows(edge, "a1")
    assert {k: (str(p.price.amount), str(p.list_price.amount)) for k, p in found.items()} == {
        ("1/8oz", "rec"): ("28.00", "35.00"),
        ("1/4oz", "rec"): ("60.00", "60.00"),
        ("1oz", "rec"): ("200.00", "200.00"),
        ("1/8oz", "med"): ("30.00", "30.00"),
    }


def test_a_special_that_is_not_lower_is_no_special(edge: Parsed) -> None:
    assert rows(edge, "a1")["1oz", "rec"].price == usd("200.00")


def test_stock_is_the_sum_of_an_options_lines_under_either_spelling(edge: Parsed) -> None:
    found = rows(edge, "a1")
    assert (found["1/8oz", "rec"].quantity, found["1/8oz", "rec"].in_stock) == (7.0, True)
    assert (found["1oz", "rec"].quantity, found["1oz", "rec"].in_stock) == (0.0, False)


def test_an_option_below_its_threshold_is_not_in_stock(edge: Parsed) -> None:
    assert (rows(edge, "a1")["1/4oz", "rec"].quantity, rows(edge, "a1")["1/4oz", "rec"].in_stock) == (None, False)
    assert rows(edge, "a4")["100mg", "rec"].in_stock is False
    assert rows(edge, "a7")["1g", "rec"].in_stock is None


def test_specials_are_named_in_their_market_only(edge: Parsed) -> None:
    assert rows(edge, "a1")["1/8oz", "rec"].promotions == ("Rec Friday", "All week")
    assert rows(edge, "a1")["1/8oz", "med"].promotions == ("All week", "Two for one")


def test_a_content_is_not_overwritten_by_a_cannabinoid(edge: Parsed) -> None:
    assert product(edge, "a1").potency == {"thc": Potency(22.4, 22.4, "%"), "thca": Potency(25.1, 25.1, "%")}


def test_terpenes_need_a_value_and_a_unit(edge: Parsed) -> None:
    assert product(edge, "a1").terpenes == (Reading("myrcene", 0.85, "%"), Reading("linalool", None, "%", 0.1))


def test_zero_and_null_prices_are_no_offers_but_a_product(edge: Parsed) -> None:
    assert rows(edge, "a2") == {}
    assert product(edge, "a2").name == "Sold nowhere"
    assert not [s for s in edge.skipped if "a2" in s.where]


def test_a_medical_only_product_has_no_adult_offer(edge: Parsed) -> None:
    assert {k: p.price for k, p in rows(edge, "a3").items()} == {("30ml", "med"): usd("41.50")}


def test_an_adult_only_product_has_no_medical_offer(edge: Parsed) -> None:
    assert list(rows(edge, "a4")) == [("100mg", "rec")]


def test_units_of_contents_are_kept(edge: Parsed) -> None:
    assert product(edge, "a3").potency == {"thc": Potency(100.0, 120.0, "mg"), "cbd": Potency(20.0, 20.0, "mg/ml")}
    assert product(edge, "a3").strain_type == "cbd"


def test_an_edibles_option_in_milligrams_stays_so_whatever_the_net_weight(edge: Parsed) -> None:
    assert rows(edge, "a4")["100mg", "rec"].variant == Amount(100.0, "mg")


def test_the_plain_price_list_stands_in_where_both_others_are_empty(edge: Parsed) -> None:
    assert {k: p.price for k, p in rows(edge, "a5").items()} == {("N/A", "rec"): usd("9.50")}


def test_the_plain_price_list_is_not_taken_for_adult_prices_where_medical_ones_are_told(edge: Parsed) -> None:
    assert list(rows(edge, "a6")) == [("1g", "med")]


def test_net_weight_stands_in_for_a_label_without_an_amount(edge: Parsed) -> None:
    assert rows(edge, "a5")["N/A", "rec"].variant == Amount(1.5, "g")


def test_net_weight_of_options_that_are_not_listed_is_not_used(edge: Parsed) -> None:
    assert rows(edge, "b1")["King", "rec"].variant is None


def test_a_price_of_another_type_skips_its_variant_and_keeps_the_rest(edge: Parsed) -> None:
    assert {k: p.price for k, p in rows(edge, "a7").items()} == {("1g", "rec"): usd("35.00")}
    assert [s.why for s in edge.skipped if "a7" in s.where] == ["recPrices[0]: not a price: {'amount': 20}"]


def test_other_fields_of_another_type_do_not_lose_the_item(edge: Parsed) -> None:
    assert product(edge, "a7").potency == {}
    assert product(edge, "b3").potency == {"cbd": Potency(0.0, 0.0, "%")}


def test_numbers_as_text_are_numbers(edge: Parsed) -> None:
    row = rows(edge, "a8")["1g", "rec"]
    assert (row.price, row.list_price) == (usd("19.99"), usd("24.00"))
    assert product(edge, "a8").potency == {"thc": Potency(71.5, 74.0, "%")}


def test_a_price_without_its_option_is_reported(edge: Parsed) -> None:
    assert list(rows(edge, "b2")) == [("1g", "rec")]
    assert [s.why for s in edge.skipped if "b2" in s.where] == ["recPrices[1]: a price without its option"]


def test_over_a_hundred_percent_is_dropped(edge: Parsed) -> None:
    assert "thc" not in product(edge, "b3").potency
    assert product(edge, "b3").category is Category.BEVERAGE


def test_a_broken_item_is_skipped_and_reported_and_a_repeated_one_counts_once(edge: Parsed) -> None:
    assert (edge.seen, edge.total, len(edge.products)) == (14, 14, 11)
    assert product(edge, "a1").name == "Larkspur Dream"
    assert [s.where for s in edge.skipped] == ["products[6] a7", "products[8]", "products[9]", "products[12] b2"]


def test_products_of_several_shops_tell_each_their_own() -> None:
    items = b'{"_id":"1","Name":"A","DispensaryID":"s1"},{"_id":"2","Name":"B","DispensaryID":"s2"}'
    parsed = DutchieSource.parse(b'{"data":{"filteredProducts":{"products":[' + items + b"]}}}")
    assert parsed.shop_id is None
    assert {p: ref.key for p, ref in parsed.shops_of.items()} == {
        "1": "dispensary_info:dutchie:s1",
        "2": "dispensary_info:dutchie:s2",
    }


def test_half_a_surrogate_pair_and_nan_do_not_lose_the_answer() -> None:
    item = rb'{"_id":"1","Name":"Caf\ud83d \\ud800 \ud83c\udf3f","Options":["1g"],"recPrices":[10],"weight":NaN}'
    parsed = DutchieSource.parse(b'{"data":{"filteredProducts":{"products":[' + item + b"]}}}")
    assert parsed.products[0].name == "Caf\ufffd \\ud800 \U0001f33f"
    assert parsed.prices[0].price == usd("10.00")


# shops


def test_shops_are_placed_and_opened_as_told(golden: Path) -> None:
    parsed = DutchieSource.parse((golden / "dutchie" / "shops.json").read_bytes())
    house = parsed.shops[0]
    assert (house.lat, house.lon, house.time_zone) == (39.74, -104.99, "America/Denver")
    assert (house.key, house.slug) == ("dispensary_info:dutchie:5f00c0ffee", "harebell-house")
    assert (house.address, house.city, house.postcode) == ("1 Invented Way, Unit B", "Denver", "80202")
    assert house.markets == ("rec", "med")
    assert house.hours == (OpenPeriod(0, 540, 1305), OpenPeriod(4, 600, 1500))


def test_a_shop_without_a_usable_position_is_not_placed(golden: Path) -> None:
    parsed = DutchieSource.parse((golden / "dutchie" / "shops.json").read_bytes(), Kind.SHOPS)
    assert [(s.id, s.lat, s.lon) for s in parsed.shops[1:]] == [
        ("5f00c0ffef", None, None),
        ("5f00c0fff0", None, None),
    ]
    assert parsed.shops[2].address == "2 Invented Way"
    assert (parsed.seen, [s.where for s in parsed.skipped]) == (5, ["filteredDispensaries[3]"])


def test_an_unknown_slug_gives_no_shops() -> None:
    assert DutchieSource.parse(b'{"data":{"filteredDispensaries":[]}}').shops == []


# what is no answer


def test_html_is_blocked_and_not_an_empty_menu() -> None:
    with pytest.raises(OriginRejected, match="blocked"):
        DutchieSource.parse(b"<!DOCTYPE html><title>Just a moment...</title>")


@pytest.mark.parametrize("cut", [2, 40, 400, 2000])
def test_a_truncated_answer_is_a_schema_mismatch(golden: Path, cut: int) -> None:
    body = (golden / "dutchie" / "menu_edge_cases.json").read_bytes()
    with pytest.raises(SchemaMismatch):
        DutchieSource.parse(body[:-cut])


def test_a_stale_hash_is_told() -> None:
    body = b'{"errors":[{"message":"PersistedQueryNotFound","extensions":{"code":"PERSISTED_QUERY_NOT_FOUND"}}]}'
    with pytest.raises(OriginRejected, match="PersistedQueryNotFound"):
        DutchieSource.parse(body)


def test_errors_beside_data_do_not_lose_the_data() -> None:
    body = b'{"errors":[{"message":"partly"}],"data":{"filteredProducts":{"products":[{"_id":"1","Name":"A"}]}}}'
    assert len(DutchieSource.parse(body).products) == 1


def test_errors_with_empty_data_refuse() -> None:
    with pytest.raises(OriginRejected, match="no reason given"):
        DutchieSource.parse(b'{"errors":7,"data":{"filteredProducts":null}}')


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"7", b'{"data":{}}', b'{"data":{"filteredProducts":{"products":{}}}}']
)
def test_json_of_another_shape_is_a_schema_mismatch(body: bytes) -> None:
    with pytest.raises(SchemaMismatch):
        DutchieSource.parse(body)


def test_nesting_without_end_is_a_schema_mismatch() -> None:
    body = b'{"data":{"filteredProducts":{"products":[{"_id":"1","Name":"A","x":' + b"[" * 200_000
    with pytest.raises(SchemaMismatch):
        DutchieSource.parse(body)


def test_an_answer_of_another_kind_than_asked_for_is_a_schema_mismatch() -> None:
    with pytest.raises(SchemaMismatch, match="menu"):
        DutchieSource.parse(b'{"data":{"filteredDispensaries":[]}}', Kind.MENU)


# plans


def test_menu_and_prices_of_a_shop_are_one_load_of_one_call() -> None:
    keys = [key(t, s) for s in ("s1", "s2") for t in (DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING)]
    loads = DutchieSource(config()).plan(keys, {})
    assert [(load.what, load.shop_id, load.keys) for load in loads] == [
        ("menu", "s1", tuple(keys[:2])),
        ("menu", "s2", tuple(keys[2:])),
    ]
    assert [len(load.calls) for load in loads] == [1, 1]


def test_a_menu_call_has_an_explicit_sort_and_goes_to_the_products_path() -> None:
    (load,) = DutchieSource(config(per_page="50")).plan([key(DataType.PRODUCT_PRICING, "s1")], {})
    (call,) = load.calls
    body = posted(call)
    assert (call.kind, call.path, call.page) == (Kind.MENU, "/api-2/graphql", 0)
    assert body["operationName"] == "FilteredProducts"
    assert "filteredProducts(filter:$productsFilter,page:$page,perPage:$perPage)" in body["query"]
    assert (body["variables"]["page"], body["variables"]["perPage"]) == (0, 50)
    asked = body["variables"]["productsFilter"]
    assert (asked["dispensaryId"], asked["pricingType"], asked["Status"]) == ("s1", "rec", "Active")
    assert (asked["sortBy"], asked["sortDirection"], asked["isDefaultSort"]) == ("name", 1, False)
    assert dict(call.headers)["x-apollo-operation-name"] == "FilteredProducts"
    assert dict(call.headers)["content-type"] == "application/json"


def test_a_persisted_hash_makes_it_a_get() -> None:
    source = DutchieSource(config(hash_FilteredProducts="a" * 64))
    (call,) = source.plan([key(DataType.DISPENSARY_MENU, "s1")], {})[0].calls
    params = dict(call.params)
    assert (call.method, call.body, params["operationName"]) == ("GET", None, "FilteredProducts")
    assert " " not in params["variables"]
    assert msgspec.json.decode(params["variables"])["productsFilter"]["dispensaryId"] == "s1"
    assert msgspec.json.decode(params["extensions"]) == {"persistedQuery": {"version": 1, "sha256Hash": "a" * 64}}


def test_several_cells_are_one_search_around_all_of_them() -> None:
    keys = [near_key("dutchie", DENVER), near_key("dutchie", BOULDER)]
    (load,) = DutchieSource(config()).plan(keys, {})
    (call,) = load.calls
    asked = posted(call)["variables"]["dispensaryFilter"]
    assert (load.what, load.keys, call.path, call.kind) == ("near", tuple(keys), "/graphql", Kind.SHOPS)
    assert isinstance(asked["distance"], int)
    assert asked["distance"] > 5
    assert abs(asked["nearLat"] - 39.8) < 1
    assert abs(asked["nearLng"] + 105) < 1
    assert (asked["medical"], asked["recreational"], asked["activeOnly"]) == (True, True, True)


def test_one_shop_is_asked_for_by_its_id() -> None:
    asked = key(DataType.DISPENSARY_INFO, "5f00c0ffee")
    (load,) = DutchieSource(config()).plan([asked], {})
    body = posted(load.calls[0])
    assert (load.what, load.keys, load.calls[0].path) == ("near", (asked,), "/graphql")
    assert body["operationName"] == "ConsumerDispensaries"
    assert body["variables"] == {"dispensaryFilter": {"cNameOrID": "5f00c0ffee"}}


def test_specials_of_a_shop_are_a_load_of_their_own() -> None:
    (load,) = DutchieSource(config()).plan([key(DataType.PROMOTIONS, "s1")], {})
    assert (load.what, load.shop_id, load.calls[0].kind) == ("promotions", "s1", Kind.PROMOTIONS)
    assert posted(load.calls[0])["variables"]["dispensaryId"] == "s1"


@pytest.mark.parametrize(
    "unknown",
    [
        key(DataType.STRAIN_DATA, "blue-dream"),
        key(DataType.DISPENSARY_INFO, "near", "nowhere"),
        key(DataType.DISPENSARY_INFO, "near", "ffffffffffffffffffff"),
        key(DataType.DISPENSARY_MENU, "q", "ab" * 20),
        RecordKey(DataType.DISPENSARY_MENU, "elsewhere", "s1"),
    ],
)
def test_a_key_that_the_origin_cannot_fill_is_bad_input(unknown: RecordKey) -> None:
    with pytest.raises(BadInput):
        DutchieSource(config()).plan([unknown], {})


@pytest.mark.parametrize("text", ["", "many", "0", "5001", "-1", "²"])
def test_a_page_size_that_is_none_is_a_setting_error(text: str) -> None:
    with pytest.raises(ConfigError, match="per_page"):
        DutchieSource(config(per_page=text)).plan([key(DataType.DISPENSARY_MENU, "s1")], {})


# further pages


def first_call(source: DutchieSource) -> Call:
    return source.plan([key(DataType.DISPENSARY_MENU, "s1")], {})[0].calls[0]


@pytest.mark.parametrize("digest", ["", "b" * 64])
def test_all_further_pages_follow_at_once_where_the_total_is_told(digest: str) -> None:
    source = DutchieSource(config(hash_FilteredProducts=digest, per_page="50"))
    calls = source.follow(first_call(source), Parsed(seen=50, total=138))
    assert [c.page for c in calls] == [1, 2]
    variables = [msgspec.json.decode(dict(c.params)["variables"]) if digest else posted(c)["variables"] for c in calls]
    assert [v["page"] for v in variables] == [1, 2]
    assert {v["productsFilter"]["dispensaryId"] for v in variables} == {"s1"}


def test_pages_are_counted_by_what_the_origin_really_serves() -> None:
    source = DutchieSource(config(per_page="1000"))
    assert len(source.follow(first_call(source), Parsed(seen=50, total=138))) == 2


def test_a_full_page_without_a_total_asks_for_the_next() -> None:
    source = DutchieSource(config(per_page="50"))
    (second,) = source.follow(first_call(source), Parsed(seen=50))
    assert second.page == 1
    assert [c.page for c in source.follow(second, Parsed(seen=50))] == [2]
    assert source.follow(second, Parsed(seen=49)) == []


def test_later_pages_of_a_told_total_lead_to_no_more_calls() -> None:
    source = DutchieSource(config(per_page="50"))
    second = source.follow(first_call(source), Parsed(seen=50, total=138))[0]
    assert source.follow(second, Parsed(seen=50, total=138)) == []


@pytest.mark.parametrize("total", [0, 100, 10**12])
def test_pages_are_bounded(total: int) -> None:
    source = DutchieSource(config())
    assert len(source.follow(first_call(source), Parsed(seen=100, total=total))) <= 39
    assert source.follow(first_call(source), Parsed(seen=0, total=total)) == []


def test_shops_and_specials_have_one_page() -> None:
    source = DutchieSource(config())
    for asked in (near_key("dutchie", DENVER), key(DataType.PROMOTIONS, "s1")):
        (call,) = source.plan([asked], {})[0].calls
        assert source.follow(call, Parsed(seen=100, total=1000)) == []


def test_the_description_says_what_is_tested_and_that_nothing_is_shared() -> None:
    info = DutchieSource.info()
    assert dict(info.tested) == {"menu": "recorded", "shops": "hand-made", "promotions": "recorded"}
    assert info.live.terms.share is ShareScope.NEVER
    assert (info.live.budget.burst, round(1 / info.live.budget.rate_per_s)) == (3, 7)

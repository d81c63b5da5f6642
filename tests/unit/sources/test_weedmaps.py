"""Weedmaps: every recorded menu against an independent reading of its JSON, and hand-made edge cases."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from weedhounds.errors import BadInput, OriginRejected, SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey, near_key
from weedhounds.model.records import Category, Price, Product, Shop
from weedhounds.model.units import Amount, Potency, Reading
from weedhounds.sources.assemble import assemble
from weedhounds.sources.base import Call, Kind, OriginConfig, Parsed, Source
from weedhounds.sources.weedmaps import WeedmapsSource

DENVER = "85268cdbfffffff"
Json = dict[str, Any]


def source(**options: str) -> WeedmapsSource:
    live = WeedmapsSource.info().live
    config = OriginConfig(
        origin="weedmaps", base_url=live.base_url, budget=live.budget, terms=live.terms, options=options
    )
    return WeedmapsSource(config)


def answers(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((folder / "weedmaps").glob("menu_*")):
        data = path.read_bytes()
        yield path.name, gzip.decompress(data) if path.suffix == ".gz" else data


def golden_answer(folder: Path, name: str, kind: Kind | None = None) -> Parsed:
    return WeedmapsSource.parse((folder / "weedmaps" / name).read_bytes(), kind)


def rows_of(parsed: Parsed, product_id: str) -> list[Price]:
    return [p for p in parsed.prices if p.product_id == product_id]


def product(parsed: Parsed, product_id: str) -> Product:
    return next(p for p in parsed.products if p.id == product_id)


# --- recorded menus -------------------------------------------------------------------------


@pytest.mark.recorded
def test_every_recorded_menu_item_is_normalised_and_nothing_is_skipped(recorded: Path) -> None:
    seen = products = prices = 0
    for name, body in answers(recorded):
        parsed = WeedmapsSource.parse(body, Kind.MENU)
        given = json.loads(body)
        listings = {str(item["relationships"]["listing"]["data"]["id"]) for item in given["data"]}
        assert parsed.skipped == [], name
        assert parsed.total == given["meta"]["total"], name
        assert parsed.seen == len(parsed.products), name
        assert {parsed.shop_id or ""} == (listings or {""}), name
        seen, products, prices = seen + parsed.seen, products + len(parsed.products), prices + len(parsed.prices)
    assert (seen, products, prices) == (10_041, 10_041, 11_869)


GRAMS = {
    "price_half_gram": "0.5", "price_gram": "1", "price_two_grams": "2", "price_eighth": "3.5", "price_quarter": "7",
    "price_half_ounce": "14", "price_ounce": "28",
}  # fmt: skip


def expected_prices(item: Json) -> set[tuple[str, str]]:
    """Return (grams or "each", price) of an item, read straight from its JSON."""
    found = set()
    attributes = item["attributes"]
    for key, value in attributes["prices"].items():
        if key != "prices_other" and value:
            found.add((GRAMS.get(key, "each"), f"{value:.2f}"))
    for variant in attributes["variants"]:
        weight = variant["weight"]
        grams = weight["value"] * (28 if weight["unit"] == "oz" else 1)
        found.add((f"{grams:g}", variant["price"]["amount"]))
    return found


@pytest.mark.recorded
def test_the_offers_of_every_recorded_item_are_exactly_the_prices_in_its_json(recorded: Path) -> None:
    for name, body in answers(recorded):
        offers: dict[str, list[tuple[str, str]]] = {}
        markets: dict[str, set[str]] = {}
        for price in WeedmapsSource.parse(body).prices:
            assert price.variant is not None
            assert price.price == price.list_price
            assert price.price.currency == "USD"
            size = "each" if price.variant.unit == "each" else f"{price.variant.grams:g}"
            offers.setdefault(price.product_id, []).append((size, str(price.price.amount)))
            markets.setdefault(price.product_id, set()).add(price.market)
        for item in json.loads(body)["data"]:
            got = offers.get(str(item["id"]), [])
            assert len(got) == len(set(got)), (name, item["id"])
            assert set(got) == expected_prices(item), (name, item["id"])
            if got:
                expected = {"medical": {"med"}, "recreational": {"rec"}}[item["attributes"]["license_type"]]
                assert markets[str(item["id"])] == expected


@pytest.mark.recorded
def test_every_recorded_potency_is_a_measurement_with_its_unit_and_none_is_lost(recorded: Path) -> None:
    reported: Counter[str] = Counter()
    for _, body in answers(recorded):
        products = {p.id: p for p in WeedmapsSource.parse(body).products}
        for item in json.loads(body)["data"]:
            stated = {(m["name"].lower(), float(m["value"]), m["unit"]) for m in item["attributes"]["measurements"]}
            got = products[str(item["id"])].potency
            for analyte, content in got.items():
                assert content.low == content.high
                assert (analyte, content.low, content.unit) in stated
                reported[content.unit] += 1
            assert set(got) >= {analyte for analyte, value, _ in stated if value}
    assert reported == {"%": 5100, "mg": 1645}


@pytest.mark.recorded
def test_labels_are_unique_for_every_recorded_product_and_market(recorded: Path) -> None:
    for name, body in answers(recorded):
        rows = Counter((p.product_id, p.variant_label, p.market) for p in WeedmapsSource.parse(body).prices)
        assert max(rows.values(), default=1) == 1, name


def recorded_menu(folder: Path, start: str) -> Parsed:
    return next(WeedmapsSource.parse(body) for name, body in answers(folder) if name.startswith(start))


@pytest.mark.recorded
def test_a_flower_sold_by_weight_has_seven_variants_with_their_own_stock(recorded: Path) -> None:
    parsed = recorded_menu(recorded, "menu_320873")
    rows = {p.variant_label: (str(p.price.amount), p.quantity, p.in_stock) for p in rows_of(parsed, "108000326")}
    assert rows == {
        "1 g": ("10.00", 268, True),
        "2 g": ("20.00", 134, True),
        "3 g": ("30.00", 89, True),
        "1/8 oz": ("35.00", 76, True),
        "1/4 oz": ("65.00", 38, True),
        "1/2 oz": ("125.00", 19, True),
        "1 oz": ("245.00", 9, True),
    }
    out_of_stock = {p.variant_label for p in rows_of(parsed, "137292313") if p.in_stock is False}
    assert out_of_stock == {"3 g", "1/8 oz", "1/4 oz", "1/2 oz", "1 oz"}


@pytest.mark.recorded
def test_a_price_that_stands_only_in_a_variant_is_kept_with_its_sale_as_promotion(recorded: Path) -> None:
    parsed = recorded_menu(recorded, "menu_320720")
    (row,) = rows_of(parsed, "143237255")
    assert (row.variant_label, row.variant, row.price.amount) == ("5 g", Amount(5.0, "g"), Decimal("25.00"))
    assert (row.list_price, row.promotions, row.quantity) == (row.price, ("20% off",), 17)
    shake = product(parsed, "143237255")
    assert shake.potency == {"thc": Potency(16.9, 16.9, "%"), "cbd": Potency(0.1, 0.1, "%")}
    assert (shake.brand, shake.strain_type, shake.category) == ("OMC", "sativa", Category.FLOWER)


@pytest.mark.recorded
def test_a_piece_price_and_a_gram_price_of_one_item_are_two_offers(recorded: Path) -> None:
    rows = rows_of(recorded_menu(recorded, "menu_338119"), "145474864")
    assert {(p.variant_label, str(p.price.amount)) for p in rows} == {("each", "7.46"), ("1 g", "7.46")}


@pytest.mark.recorded
def test_zero_percent_beside_milligrams_is_not_reported(recorded: Path) -> None:
    bar = product(recorded_menu(recorded, "menu_314830"), "138255537")
    assert bar.potency == {"thc": Potency(100.0, 100.0, "mg")}
    syringe = product(recorded_menu(recorded, "menu_311723"), "145648101")
    assert (syringe.category, syringe.potency) == (Category.CONCENTRATE, {"thc": Potency(75.81, 75.81, "%")})


@pytest.mark.recorded
def test_the_menu_of_2014_is_read(recorded: Path) -> None:
    path = recorded / "weedmaps" / "legacy-2014_menu_items_dispensary-28795.json"
    parsed = WeedmapsSource.parse(path.read_bytes())
    assert (parsed.seen, len(parsed.products), len(parsed.prices), parsed.skipped) == (53, 53, 74, [])
    assert parsed.shop_id == "28795"
    assert {(p.variant_label, str(p.price.amount)) for p in rows_of(parsed, "3905165")} == {
        ("1/8 oz", "40.00"),
        ("1/4 oz", "80.00"),
        ("1/2 oz", "160.00"),
        ("1 oz", "240.00"),
    }
    stated = sum(
        1 for item in json.loads(path.read_bytes()) for key, v in item.items() if key.startswith("price_") and v
    )
    assert len(parsed.prices) == stated


@pytest.mark.recorded
def test_a_location_answer_is_none_of_the_kinds(recorded: Path) -> None:
    body = (recorded / "weedmaps" / "discovery_location_abq_2024.json").read_bytes()
    with pytest.raises(SchemaMismatch, match="no Weedmaps menu or listings"):
        WeedmapsSource.parse(body)


# --- hand-made answers ----------------------------------------------------------------------


@pytest.fixture
def menu(golden: Path) -> Parsed:
    return golden_answer(golden, "menu_edge_cases.json")


def test_variants_and_price_table_of_one_weight_are_one_offer(menu: Parsed) -> None:
    rows = {(p.variant_label, str(p.price.amount), p.in_stock) for p in rows_of(menu, "1")}
    assert rows == {("1 g", "12.00", True), ("3 g", "33.00", False), ("1/8 oz", "40.50", True), ("each", "7.00", True)}


def test_zero_is_not_sold_and_text_is_a_price(menu: Parsed) -> None:
    assert [(p.variant_label, str(p.price.amount)) for p in rows_of(menu, "2")] == [("1 oz", "199.90")]


def test_a_broken_price_is_noted_and_the_other_prices_stay(menu: Parsed) -> None:
    assert [(p.variant_label, str(p.price.amount)) for p in rows_of(menu, "3")] == [("1/4 oz", "60.00")]
    notes = [s for s in menu.skipped if s.where.startswith("data[2]")]
    assert {s.where for s in notes} == {"data[2] prices 1 g", "data[2] prices 1/8 oz"}
    assert all("not a price" in s.why for s in notes)


def test_variants_that_share_a_label_get_labels_that_tell_them_apart(menu: Parsed) -> None:
    rows = [(p.variant_label, str(p.price.amount)) for p in rows_of(menu, "4")]
    assert rows == [("1 g", "10.00"), ("1 g (B2)", "12.00")]


def test_a_shop_of_both_markets_has_each_offer_in_both(menu: Parsed) -> None:
    assert [(p.market, str(p.price.amount)) for p in rows_of(menu, "5")] == [("rec", "20.00"), ("med", "20.00")]
    gummies = product(menu, "5")
    assert (gummies.category, gummies.potency) == (Category.EDIBLE, {"thc": Potency(100.0, 100.0, "mg")})


def test_another_currency_is_kept_and_an_unreadable_one_gives_no_price(menu: Parsed) -> None:
    (euros,) = rows_of(menu, "6")
    assert (euros.market, euros.price.currency, euros.variant) == ("med", "EUR", Amount(3.5, "g"))
    assert rows_of(menu, "7") == []
    assert any("not a currency" in s.why for s in menu.skipped if s.where.startswith("data[6]"))


def test_a_withdrawn_item_is_out_of_stock_whatever_its_inventory(menu: Parsed) -> None:
    (row,) = rows_of(menu, "8")
    assert (row.in_stock, row.quantity) == (False, 4)


def test_a_sale_is_a_promotion_and_no_price_that_the_answer_does_not_hold(menu: Parsed) -> None:
    (row,) = rows_of(menu, "9")
    assert (str(row.price.amount), row.list_price, row.promotions) == ("10.00", row.price, ("25% off",))


def test_contents_keep_zero_beside_a_value_and_drop_the_impossible(menu: Parsed) -> None:
    item = product(menu, "10")
    assert item.potency == {
        "thc": Potency(23.5, 23.5, "%"),
        "cbg": Potency(1.2, 1.2, "%"),
        "cbd": Potency(0.0, 0.0, "%"),
    }
    assert item.terpenes == (Reading("myrcene", 0.61, "%"), Reading("limonene", 0.4, "%"))


def test_where_both_units_state_an_analyte_the_category_decides(menu: Parsed) -> None:
    assert product(menu, "11").potency == {"thc": Potency(81.0, 81.0, "%")}
    assert product(menu, "18").potency == {"thc": Potency(500.0, 500.0, "mg")}


def test_an_item_without_a_price_is_a_product_without_an_offer(menu: Parsed) -> None:
    assert rows_of(menu, "12") == []
    assert product(menu, "12") in menu.records()


def test_a_repeated_item_counts_once_and_the_first_wins(menu: Parsed) -> None:
    assert product(menu, "1").name == "Two layouts"
    assert len([p for p in menu.products if p.id == "1"]) == 1


def test_broken_items_are_skipped_and_reported_with_their_place(menu: Parsed) -> None:
    broken = {s.where: s.why for s in menu.skipped if " " not in s.where}
    assert sorted(broken) == ["data[13]", "data[14]", "data[15]", "data[16]"]
    assert "without a name" in broken["data[13]"]
    assert menu.seen == 21
    assert (menu.total, menu.shop_id) == (250, "900")


def test_fields_of_the_wrong_type_do_not_lose_the_item(menu: Parsed) -> None:
    odd = product(menu, "15")
    assert (odd.name, odd.brand, odd.strain_type, odd.potency) == ("Wrong types everywhere", None, None, {})
    assert [(p.variant_label, str(p.price.amount)) for p in rows_of(menu, "15")] == [("1 g", "11.00")]


def test_what_is_filed_under_gear_is_an_accessory(menu: Parsed) -> None:
    assert product(menu, "16").category is Category.ACCESSORY


def test_other_sizes_are_read_by_their_labels(menu: Parsed) -> None:
    rows = {(p.variant_label, p.variant, str(p.price.amount)) for p in rows_of(menu, "17")}
    assert rows == {("5 g", Amount(5.0, "g"), "45.00"), ("1 oz", Amount(28.0, "g"), "150.00")}


def test_the_discovery_layout_states_special_and_regular_price(golden: Path) -> None:
    parsed = golden_answer(golden, "menu_discovery.json")
    rows = {p.variant_label: (str(p.price.amount), str(p.list_price.amount)) for p in rows_of(parsed, "5")}
    assert rows == {"1 g": ("10.00", "10.00"), "1/8 oz": ("28.00", "35.00")}
    og = product(parsed, "5")
    assert (og.category, og.strain_type, og.brand, og.subcategory) == (
        Category.FLOWER,
        "indica",
        "Example Farms",
        "Big Buds",
    )
    assert og.potency == {"thc": Potency(22.5, 22.5, "%")}
    assert og.terpenes == (Reading("limonene", 0.5, "%"),)
    (gummies,) = rows_of(parsed, "6")
    assert (gummies.variant_label, gummies.variant) == ("each", Amount(1.0, "each"))
    assert gummies.promotions == ("Two for one on Tuesdays",)
    assert (parsed.seen, parsed.total, rows_of(parsed, "7")) == (3, 3, [])


def test_page_data_in_camel_case_is_read(golden: Path) -> None:
    parsed = golden_answer(golden, "menu_page.json")
    (row,) = parsed.prices
    assert (row.market, str(row.price.amount), str(row.list_price.amount)) == ("med", "8.40", "14.00")
    (item,) = parsed.products
    assert (item.category, item.strain_type, parsed.total) == (Category.PRE_ROLL, "hybrid", 51)
    assert item.image_url == "https://images.example/1.jpg"


def test_the_flat_layout_is_read(golden: Path) -> None:
    parsed = golden_answer(golden, "menu_2014.json")
    assert {(p.variant_label, str(p.price.amount)) for p in rows_of(parsed, "71")} == {
        ("1/8 oz", "40.00"),
        ("1/2 oz", "160.00"),
    }
    (cookie,) = rows_of(parsed, "72")
    assert (cookie.in_stock, product(parsed, "72").category) == (False, Category.EDIBLE)
    assert [s.where for s in parsed.skipped] == ["menu_items[2]"]


def test_listings_become_shops(golden: Path) -> None:
    parsed = golden_answer(golden, "listings.json", Kind.SHOPS)
    shop, delivery = parsed.shops
    assert (shop.id, shop.slug, shop.key) == ("900", "example-shop", "dispensary_info:weedmaps:900")
    assert (shop.lat, shop.lon, shop.position, shop.time_zone) == (35.1, -106.5, "exact", "America/Denver")
    assert (shop.markets, shop.license_number, shop.menu_size) == (("rec", "med"), "CCD-1", 250)
    assert (delivery.kind, delivery.lat, delivery.time_zone, delivery.menu_size) == ("delivery", None, None, None)
    assert (delivery.postcode, delivery.markets) == ("87101", ("med",))
    assert [s.where for s in parsed.skipped] == ["listings[3]", "listings[4]"]
    assert (parsed.seen, parsed.total) == (5, 320)


def test_one_listing_alone_is_a_shop(golden: Path) -> None:
    parsed = golden_answer(golden, "listing.json")
    assert [s.name for s in parsed.shops] == ["Example Shop"]


def test_a_search_past_its_end_is_an_empty_page_and_any_other_error_a_refusal(golden: Path) -> None:
    assert golden_answer(golden, "errors.json", Kind.SHOPS) == Parsed()
    with pytest.raises(OriginRejected, match="page out of range"):
        golden_answer(golden, "errors.json", Kind.MENU)


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><html>", b"  <html><body>blocked"])
def test_html_is_told_as_blocked(body: bytes) -> None:
    with pytest.raises(OriginRejected, match="blocked"):
        WeedmapsSource.parse(body)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"17", b'"text"', b"null", b'[{"title": "x"}]', b'{"data": {}}', b"\xff\xfe"]
)
def test_anything_else_is_a_schema_mismatch(body: bytes) -> None:
    with pytest.raises(SchemaMismatch):
        WeedmapsSource.parse(body)


def test_a_truncated_answer_is_a_schema_mismatch(golden: Path) -> None:
    body = (golden / "weedmaps" / "menu_edge_cases.json").read_bytes()
    with pytest.raises(SchemaMismatch):
        WeedmapsSource.parse(body[: len(body) // 2])


def test_an_answer_of_another_kind_than_asked_is_a_schema_mismatch(golden: Path) -> None:
    with pytest.raises(SchemaMismatch, match="of kind shops, not menu"):
        golden_answer(golden, "listings.json", Kind.MENU)


def test_an_empty_menu_is_no_error() -> None:
    parsed = WeedmapsSource.parse(b'{"meta": {"page": 1, "total": 0}, "data": []}', Kind.MENU)
    assert (parsed.seen, parsed.total, parsed.products) == (0, 0, [])


# --- plans ----------------------------------------------------------------------------------

MENU_KEY = RecordKey(DataType.DISPENSARY_MENU, "weedmaps", "900")
PRICE_KEY = RecordKey(DataType.PRODUCT_PRICING, "weedmaps", "900")


def shop(**changes: Any) -> Shop:
    fields: dict[str, Any] = {"key": "k", "origin": "weedmaps", "id": "900", "name": "Example", "slug": "a shop"}
    return Shop(**{**fields, **changes})


def test_the_source_follows_the_protocol() -> None:
    checked: Source = source()
    assert checked.info().live.terms.share == "never"


def test_menu_and_prices_of_a_shop_are_one_call() -> None:
    (load,) = source().plan([MENU_KEY, PRICE_KEY], {"900": shop()})
    assert (load.what, load.shop_id, set(load.keys)) == ("menu", "900", {MENU_KEY, PRICE_KEY})
    (call,) = load.calls
    assert (call.kind, call.path) == (Kind.MENU, "/v1/listings/dispensaries/a%20shop/menu_items")
    assert call.params == (("page_size", "100"), ("page", "1"))


def test_an_unknown_shop_is_asked_by_its_id_and_a_delivery_under_its_own_path() -> None:
    (load,) = source(menu_page_size="50").plan([MENU_KEY], {})
    assert load.calls[0].path == "/v1/listings/dispensaries/900/menu_items"
    assert load.calls[0].params[0] == ("page_size", "50")
    (load,) = source().plan([MENU_KEY], {"900": shop(kind="delivery")})
    assert load.calls[0].path.startswith("/v1/listings/deliveries/")


def test_near_cells_become_one_search_in_miles() -> None:
    (load,) = source().plan([near_key("weedmaps", DENVER)], {})
    params = dict(load.calls[0].params)
    assert (load.what, load.calls[0].path) == ("near", "/v2/listings")
    assert params["filter[any_retailer_services][]"] == "storefront"
    assert params["filter[bounding_latlng]"] == params["latlng"]
    miles = int(params["filter[bounding_radius]"].removesuffix("mi"))
    assert 5 <= miles <= 9
    assert (params["page_size"], params["page"]) == ("150", "1")


def test_one_shop_is_asked_alone(golden: Path) -> None:
    key = RecordKey(DataType.DISPENSARY_INFO, "weedmaps", "900")
    (load,) = source().plan([key], {"900": shop(slug="example-shop")})
    assert load.calls[0].path == "/v1/listings/dispensaries/example-shop"
    parsed = golden_answer(golden, "listing.json", load.calls[0].kind)
    assert key in assemble(load, [parsed])
    assert source().follow(load.calls[0], parsed) == []


def test_what_the_origin_does_not_have_is_bad_input() -> None:
    with pytest.raises(BadInput, match="has no lab_results"):
        source().plan([RecordKey(DataType.LAB_RESULTS, "weedmaps", "1")], {})
    with pytest.raises(BadInput, match="not a search for shops"):
        source().plan([RecordKey(DataType.DISPENSARY_INFO, "weedmaps", "near", "no-cell")], {})
    with pytest.raises(BadInput, match="menu_page_size"):
        source(menu_page_size="many").plan([MENU_KEY], {})


def first_call() -> Call:
    (load,) = source().plan([MENU_KEY], {})
    return load.calls[0]


def test_the_total_shows_all_further_pages_at_once() -> None:
    calls = source().follow(first_call(), Parsed(seen=100, total=250))
    assert [(dict(c.params)["page"], c.page) for c in calls] == [("2", 1), ("3", 2)]
    assert source().follow(calls[0], Parsed(seen=100, total=250)) == []


def test_pages_smaller_than_asked_are_counted_by_their_own_size() -> None:
    calls = source().follow(first_call(), Parsed(seen=24, total=100))
    assert [dict(c.params)["page"] for c in calls] == ["2", "3", "4", "5"]


def test_a_load_takes_at_most_forty_pages() -> None:
    assert len(source().follow(first_call(), Parsed(seen=100, total=1_000_000))) == 39


def test_without_a_total_each_full_page_shows_the_next() -> None:
    (call,) = source().follow(first_call(), Parsed(seen=100))
    assert (dict(call.params)["page"], call.page) == ("2", 1)
    assert source().follow(call, Parsed(seen=99)) == []
    assert source().follow(first_call(), Parsed(seen=0, total=0)) == []


def test_a_load_fills_menu_and_prices(golden: Path) -> None:
    (load,) = source().plan([MENU_KEY, PRICE_KEY], {})
    bodies = assemble(load, [golden_answer(golden, "menu_edge_cases.json")])
    assert set(bodies) == {MENU_KEY, PRICE_KEY}

"""Leafly: every recorded file against an independent reading of its JSON, and hand-made edge cases."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from weedhounds.errors import BadInput, OriginRejected, SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey, near_key
from weedhounds.model.records import Category, OpenPeriod, Price, Product, Shop
from weedhounds.model.units import Amount, Potency, Reading
from weedhounds.sources.assemble import assemble
from weedhounds.sources.base import Kind, OriginConfig, Parsed, Source
from weedhounds.sources.leafly import LeaflySource
from weedhounds.sources.leafly_shops import markets_of

DENVER = "85268cdbfffffff"
PRODUCT_FILES = {
    "products_beverages_bestOfferVariant_2021-12.json.gz": (869, 645, 35),
    "products_gummies_bestOfferVariant_2021-12.json.gz": (400, 367, 32),
    "products_phoenix_2021-12.json.gz": (1979, 1693, 0),
}
"""Items, items by id, offers."""


def source(**options: str) -> LeaflySource:
    live = LeaflySource.info().live
    merged = {**live.options, "build_id": "b1", **options}
    return LeaflySource(
        OriginConfig(origin="leafly", base_url=live.base_url, budget=live.budget, terms=live.terms, options=merged)
    )


def recorded_answer(folder: Path, name: str) -> bytes:
    return gzip.decompress((folder / name).read_bytes())


def golden_answer(folder: Path, name: str, kind: Kind | None = None) -> Parsed:
    return LeaflySource.parse((folder / "leafly" / name).read_bytes(), kind)


def rows_of(parsed: Parsed, product_id: str) -> list[Price]:
    return [p for p in parsed.prices if p.product_id == product_id]


def product(parsed: Parsed, product_id: str) -> Product:
    return next(p for p in parsed.products if p.id == product_id)


# --- recorded answers -----------------------------------------------------------------------


@pytest.mark.recorded
@pytest.mark.parametrize(("name", "counts"), PRODUCT_FILES.items())
def test_every_recorded_product_is_normalised(recorded: Path, name: str, counts: tuple[int, int, int]) -> None:
    parsed = LeaflySource.parse(recorded_answer(recorded / "leafly", name), Kind.PRODUCTS)
    assert (parsed.seen, len(parsed.products), len(parsed.prices)) == counts
    assert parsed.skipped == []
    assert parsed.shop_id is None
    assert set(parsed.shops_of) == {p.product_id for p in parsed.prices}
    assert {ref.id for ref in parsed.shops_of.values()} == {s.id for s in parsed.shops}


@pytest.mark.recorded
@pytest.mark.parametrize("name", PRODUCT_FILES)
def test_the_offers_of_recorded_products_are_exactly_those_in_the_json(recorded: Path, name: str) -> None:
    body = recorded_answer(recorded / "leafly", name)
    parsed = LeaflySource.parse(body)
    got = {
        (p.product_id, str(p.price.amount), str(p.list_price.amount), parsed.shops_of[p.product_id].id)
        for p in parsed.prices
    }
    expected = set()
    for item in json.loads(body):
        best = item.get("bestOfferVariant")
        if best:
            price = f"{best['price']:.2f}"
            expected.add((str(item["id"]), price, price, str(best["dispensary"]["id"])))
            (row,) = rows_of(parsed, str(item["id"]))
            each = best["unit"] in ("pc", "each")
            assert row.variant == (Amount(1.0, "each") if each else Amount(best["quantity"], best["unit"]))
            assert row.promotions == ((best["deal"]["title"],) if best["deal"] else ())
    assert got == expected


@pytest.mark.recorded
@pytest.mark.parametrize("name", PRODUCT_FILES)
def test_recorded_contents_keep_their_number_and_unit(recorded: Path, name: str) -> None:
    body = recorded_answer(recorded / "leafly", name)
    parsed = {p.id: p for p in LeaflySource.parse(body).products}
    found = 0
    for item in json.loads(body):
        for analyte in ("thc", "cbd"):
            value, kind = item[f"{analyte}Content"], item[f"{analyte}ContentType"]
            got = parsed[str(item["id"])].potency.get(analyte)
            if kind in (None, "none") or not value:
                assert got is None
            elif value != "0":
                low, _, high = value.partition("-")
                unit = "mg" if kind == "mg" else "%"
                assert got == Potency(float(low), float(high or low), unit)
                found += 1
    assert found > 200


@pytest.mark.recorded
def test_a_recorded_deal_is_a_promotion_and_the_price_stays_the_regular_one(recorded: Path) -> None:
    name = "products_beverages_bestOfferVariant_2021-12.json.gz"
    parsed = LeaflySource.parse(recorded_answer(recorded / "leafly", name))
    (row,) = rows_of(parsed, "295812")
    assert (str(row.price.amount), str(row.list_price.amount), row.promotions) == (
        "20.31",
        "20.31",
        ("30% Off Baked Bros",),
    )
    (water,) = rows_of(parsed, "204575")
    assert (water.variant_label, water.variant, str(water.price.amount)) == ("0.025 g", Amount(0.025, "g"), "6.00")
    (cola,) = rows_of(parsed, "58004")
    assert cola.market == "med"  # "Curaleaf - Gilbert (Medical)"
    soda = product(parsed, "58005")
    assert (soda.category, soda.potency) == (Category.BEVERAGE, {"thc": Potency(100.0, 100.0, "mg")})


@pytest.mark.recorded
def test_every_recorded_shop_is_placed_and_open_by_its_weekly_schedule(recorded: Path) -> None:
    body = recorded_answer(recorded / "leafly", "dispensaries_phoenix_2021-12.json.gz")
    parsed = LeaflySource.parse(body, Kind.SHOPS)
    assert (parsed.seen, len(parsed.shops), parsed.skipped) == (122, 49, [])
    shops = {s.id: s for s in parsed.shops}
    for given in json.loads(body):
        shop = shops[str(given["id"])]
        assert (shop.lat, shop.lon) == tuple(given["primaryLocation"].values())
        assert (shop.name, shop.slug, shop.time_zone) == (given["name"].strip(), given["slug"], "America/Phoenix")
        saturday = next(p for p in shop.hours if p.weekday == 5)
        opens = f"{saturday.open_min // 60:02}:{saturday.open_min % 60:02}"
        assert given["openNext"].startswith(f"2021-12-18 {opens}")  # that day was a Saturday


@pytest.mark.recorded
def test_every_recorded_strain_stub_and_brand_is_normalised(recorded: Path) -> None:
    strains = LeaflySource.parse(recorded_answer(recorded / "leafly", "strains_min_phoenix_2021-12.json.gz"))
    assert (strains.seen, len(strains.strains), strains.skipped) == (514, 280, [])
    headband = next(s for s in strains.strains if s.slug == "headband")
    assert (headband.id, headband.strain_type, headband.aka) == ("132", "hybrid", ("Humboldt Headband", "Head Band"))
    brands = LeaflySource.parse(recorded_answer(recorded / "leafly", "brands_phoenix_2021-12.json.gz"))
    assert (brands.seen, len(brands.brands), brands.skipped) == (1898, 407, [])


@pytest.mark.recorded
def test_the_strain_table_of_2021_is_read(recorded: Path) -> None:
    body = recorded_answer(recorded / "strains", "leafly_strain_data_2021.json.gz")
    parsed = LeaflySource.parse(body)
    given = json.loads(body)
    assert (parsed.seen, parsed.skipped) == (3182, [])
    assert {s.name for s in parsed.strains} == {g["name"].strip() for g in given}
    gg4 = next(s for s in parsed.strains if s.name == "GG4")
    assert gg4.potency == {"thc": Potency(20.0, 20.0, "%")}
    assert (gg4.top_terpene, gg4.effects["relaxed"]) == ("caryophyllene", 66.0)


@pytest.mark.recorded
def test_tables_of_other_programs_are_schema_mismatches(recorded: Path) -> None:
    for name in ("leafly/alberta-2021-04_menu_snapshots.csv", "strains/leafly_strains_cleaned_2022.csv.gz"):
        data = (recorded / name).read_bytes()
        with pytest.raises(SchemaMismatch):
            LeaflySource.parse(gzip.decompress(data) if name.endswith(".gz") else data)


# --- hand-made answers ----------------------------------------------------------------------


@pytest.fixture
def menu(golden: Path) -> Parsed:
    return golden_answer(golden, "menu_edge_cases.json", Kind.MENU)


def test_a_menu_item_has_an_offer_for_each_variant_with_a_price(menu: Parsed) -> None:
    rows = {p.variant_label: (str(p.price.amount), p.variant, p.promotions) for p in rows_of(menu, "1")}
    assert rows == {
        "1g": ("12.00", Amount(1.0, "g"), ()),
        "1/8 oz": ("40.00", Amount(3.5, "g"), ("Happy hour",)),
        "1g (15)": ("13.00", Amount(1.0, "g"), ()),
    }
    haze = product(menu, "1")
    assert (haze.name, haze.brand, haze.strain, haze.strain_type) == (
        "Example Haze (S)",
        "Example Farms",
        "Example Haze",
        "sativa",
    )
    assert haze.potency == {"thc": Potency(22.5, 22.5, "%"), "cbd": Potency(0.0, 0.0, "%")}
    assert all((p.quantity, p.in_stock, p.market) == (6, True, "rec") for p in rows_of(menu, "1"))


def test_an_item_without_variants_is_its_own_offer(menu: Parsed) -> None:
    (row,) = rows_of(menu, "2")
    assert (row.market, row.variant_label, row.variant) == ("med", "0.025 g", Amount(0.025, "g"))
    assert (row.in_stock, row.quantity, str(row.price.amount)) == (False, 0, "18.50")
    assert product(menu, "2").potency["thc"] == Potency(100.0, 100.0, "mg")


def test_a_broken_price_is_noted_and_the_product_stays(menu: Parsed) -> None:
    assert rows_of(menu, "3") == []
    assert product(menu, "3") in menu.records()
    assert any(s.where == "menu[2]" and "not a price" in s.why for s in menu.skipped)


def test_no_price_is_no_offer_and_a_range_of_contents_stays_a_range(menu: Parsed) -> None:
    assert rows_of(menu, "4") == []
    assert product(menu, "4").potency == {"thc": Potency(25.0, 29.0, "%")}


def test_fields_of_the_wrong_type_do_not_lose_the_item(menu: Parsed) -> None:
    (row,) = rows_of(menu, "5")
    assert (row.variant_label, row.variant, str(row.price.amount), row.market) == ("each", None, "7.25", "rec")
    assert (row.promotions, row.quantity, product(menu, "5").brand) == ((), None, None)


def test_a_content_without_a_unit_is_left_out(menu: Parsed) -> None:
    assert product(menu, "6").potency == {}


def test_broken_items_and_variants_are_noted_and_the_rest_is_kept(menu: Parsed) -> None:
    places = [s.where for s in menu.skipped]
    assert places == ["menu[2]", "menu[7]", "menu[8]", "menu[9] variants[0]", "menu[9] variants[1]"]
    assert [str(p.price.amount) for p in rows_of(menu, "8")] == ["21.00"]
    assert (menu.seen, menu.total, menu.shop_id, menu.shops_of) == (10, 130, "300", {})
    assert len([p for p in menu.products if p.id == "1"]) == 1


def test_page_data_of_a_menu_is_read(golden: Path) -> None:
    parsed = golden_answer(golden, "menu_page.json", Kind.MENU)
    assert ([p.id for p in parsed.products], parsed.total) == (["21"], 19)


def test_a_catalogue_product_keeps_its_offers_shop(golden: Path) -> None:
    parsed = golden_answer(golden, "products.json")
    (row,) = rows_of(parsed, "50")
    assert (row.market, str(row.price.amount), row.promotions) == ("med", "18.00", ("20% off",))
    ref = parsed.shops_of["50"]
    assert (ref.id, ref.lat, ref.address) == ("300", 39.7, "1 Main Street, Suite 2")
    assert product(parsed, "51") in parsed.records()
    assert [s.where for s in parsed.skipped] == ["products[2] bestOfferVariant dispensary"]
    (unplaced,) = rows_of(parsed, "52")
    assert (str(unplaced.price.amount), unplaced.variant) == ("30.00", Amount(3.5, "g"))


def test_shops_have_their_weekly_hours_or_else_their_periods(golden: Path) -> None:
    parsed = golden_answer(golden, "near.json", Kind.SHOPS)
    first, second, third, sponsored = parsed.shops
    assert first.hours == (OpenPeriod(0, 540, 1290), OpenPeriod(5, 600, 1560))
    assert second.hours == (OpenPeriod(6, 600, 1080), OpenPeriod(0, 600, 1260))
    assert (second.lat, second.lon, second.markets) == (39.8, -105.0, ("med",))
    assert (third.lat, third.hours, third.time_zone, third.markets) == (39.9, (), None, ())
    assert (first.markets, sponsored.markets, first.postcode) == (("rec", "med"), (), "80200")
    assert (parsed.seen, parsed.total, len(parsed.skipped)) == (6, 205, 1)


@pytest.mark.parametrize(
    ("name", "markets"),
    [
        ("A (Med/Rec)", ("rec", "med")),
        ("A (Adult Use/Rec)", ("rec",)),
        ("A (Recreational 21+)", ("rec",)),
        ("A (Medical) ", ("med",)),
        ("A (Coming Soon)", ()),
        ("Medical Arts", ()),
    ],
)
def test_a_shops_name_tells_its_markets_only_in_brackets(name: str, markets: tuple[str, ...]) -> None:
    assert markets_of(name) == markets


def test_one_strain_has_quartiles_scores_and_effects(golden: Path) -> None:
    (strain,) = golden_answer(golden, "strain.json", Kind.STRAINS).strains
    assert (strain.slug, strain.id, strain.aka) == ("example-haze", "132", ("Haze No. 1", "EH"))
    assert strain.potency == {"thc": Potency(17.0, 21.5, "%"), "cbg": Potency(1.0, 1.0, "%")}
    assert strain.terpenes == (Reading("myrcene", 0.52, "score"), Reading("limonene", 0.31, "score"))
    assert (strain.top_terpene, strain.effects) == ("myrcene", {"relaxed": 1.8, "happy": 0.7})
    assert (strain.strain_type, strain.description) == ("sativa", "Made up.")


def test_a_list_of_strains_skips_the_nameless(golden: Path) -> None:
    parsed = golden_answer(golden, "strain_playlist.json")
    assert [s.slug for s in parsed.strains] == ["stub", "example-haze"]
    assert [s.where for s in parsed.skipped] == ["strains[2]"]
    assert parsed.total == 3


def test_brands_are_read(golden: Path) -> None:
    parsed = golden_answer(golden, "brands.json")
    (brand,) = parsed.brands
    assert (brand.id, brand.name, brand.website) == ("9", "Example Farms", "https://farms.example")
    assert [s.where for s in parsed.skipped] == ["brands[1]"]


def test_an_error_answer_is_a_refusal_and_html_is_told_as_blocked(golden: Path) -> None:
    with pytest.raises(OriginRejected, match="Not Found"):
        golden_answer(golden, "error.json")
    with pytest.raises(OriginRejected, match="blocked"):
        LeaflySource.parse(b"<!doctype html><html></html>")


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"17", b"null", b'[{"title": "x"}]', b'{"pageProps": {"x": 1}}'])
def test_anything_else_is_a_schema_mismatch(body: bytes) -> None:
    with pytest.raises(SchemaMismatch):
        LeaflySource.parse(body)


def test_an_answer_of_another_kind_than_asked_is_a_schema_mismatch(golden: Path) -> None:
    with pytest.raises(SchemaMismatch, match="of kind shops, not menu"):
        golden_answer(golden, "near.json", Kind.MENU)


# --- plans ----------------------------------------------------------------------------------

MENU_KEY = RecordKey(DataType.DISPENSARY_MENU, "leafly", "300")
PRICE_KEY = RecordKey(DataType.PRODUCT_PRICING, "leafly", "300")


def shop(**changes: Any) -> Shop:
    fields: dict[str, Any] = {"key": "k", "origin": "leafly", "id": "300", "name": "Example", "slug": "example-shop"}
    return Shop(**{**fields, **changes})


def test_the_source_follows_the_protocol() -> None:
    checked: Source = source()
    assert checked.info().live.terms.share == "never"


def test_menu_and_prices_of_a_shop_are_one_call_and_pages_skip_items(golden: Path) -> None:
    (load,) = source().plan([MENU_KEY, PRICE_KEY], {"300": shop()})
    (call,) = load.calls
    assert (call.path, call.params) == ("/dispensaries/v2/example-shop/menu_items", (("take", "60"), ("skip", "0")))
    assert ("x-app", "web-web") in call.headers
    assert (load.shop_id, set(load.keys)) == ("300", {MENU_KEY, PRICE_KEY})
    further = source().follow(call, Parsed(seen=60, total=130))
    assert [(dict(c.params)["skip"], c.page) for c in further] == [("60", 1), ("120", 2)]
    further = source().follow(call, Parsed(seen=18, total=50))
    assert [dict(c.params)["skip"] for c in further] == ["18", "36"]
    (following,) = source().follow(call, Parsed(seen=60))
    assert dict(following.params)["skip"] == "60"
    assert set(assemble(load, [golden_answer(golden, "menu_edge_cases.json")])) == {MENU_KEY, PRICE_KEY}


def test_a_search_goes_to_the_web_site_of_the_configured_build() -> None:
    (load,) = source().plan([near_key("leafly", DENVER)], {})
    (call,) = load.calls
    assert call.path == "https://www.leafly.com/_next/data/b1/dispensaries/near-me.json"
    params = dict(call.params)
    assert (params["page"], params["limit"]) == ("1", "100")
    assert 5 <= int(params["radius"]) <= 9
    assert [dict(c.params)["page"] for c in source().follow(call, Parsed(seen=100, total=205))] == ["2", "3"]


def test_without_a_web_base_the_search_is_relative_and_without_a_build_it_is_refused() -> None:
    (load,) = source(web_base="").plan([near_key("leafly", DENVER)], {})
    assert load.calls[0].path == "/_next/data/b1/dispensaries/near-me.json"
    with pytest.raises(OriginRejected, match=r"no build_id: origins.leafly.options.build_id"):
        source(build_id="").plan([near_key("leafly", DENVER)], {})
    assert source(build_id="").plan([MENU_KEY], {})


def test_a_single_shop_is_found_by_a_search_around_it() -> None:
    key = RecordKey(DataType.DISPENSARY_INFO, "leafly", "300")
    (load,) = source().plan([key], {"300": shop(lat=39.7, lon=-104.9)})
    assert (load.what, load.keys) == ("near", (key,))
    with pytest.raises(BadInput, match="found by position"):
        source().plan([key], {})


def test_strain_and_terpenes_are_one_call_that_fills_both(golden: Path) -> None:
    keys = [RecordKey(t, "leafly", "example-haze") for t in (DataType.STRAIN_DATA, DataType.TERPENE_PROFILES)]
    (load,) = source().plan(keys, {})
    assert (load.what, load.calls[0].path) == ("strains", "/strains/v1/example-haze")
    bodies = assemble(load, [golden_answer(golden, "strain.json", load.calls[0].kind)])
    assert set(bodies) == set(keys)
    assert source().follow(load.calls[0], Parsed(seen=1)) == []

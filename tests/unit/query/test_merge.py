"""Merging shops and offers across origins; unit prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from weedhounds.model.provenance import Provenance
from weedhounds.model.records import Category, Price, Product, Shop
from weedhounds.model.units import Amount, Money, Potency
from weedhounds.query.answer import FoundOffer, OfferShop
from weedhounds.query.identity import merge_shops
from weedhounds.query.merge import Claim, Ranking
from weedhounds.query.unitprice import unit_price

HERE = OfferShop(key="dispensary_info:jane:1", name="Here", address=None, lat=0, lon=0, distance_km=1)


def _shop(origin: str, id: str, name: str = "Green Door", **facts: object) -> Shop:
    known: dict[str, object] = {"lat": 39.7, "lon": -105.0, **facts}
    return Shop(key=f"dispensary_info:{origin}:{id}", origin=origin, id=id, name=name, **known)  # type: ignore[arg-type]


def _sizes(*shops: Shop) -> list[int]:
    return sorted(len(group) for group in merge_shops(shops))


def test_one_licence_is_one_shop_whatever_the_name() -> None:
    assert _sizes(
        _shop("jane", "1", "A", license_number="402-1"), _shop("leafly", "2", "B", license_number="402R1")
    ) == [1, 1]
    assert _sizes(
        _shop("jane", "1", "A", license_number="402-1"), _shop("leafly", "2", "B", license_number="4021")
    ) == [2]


def test_the_same_spot_under_a_similar_name_is_one_shop() -> None:
    assert _sizes(
        _shop("jane", "1", "The Green Door Dispensary"), _shop("weedmaps", "2", "Green Door - Denver", lat=39.7005)
    ) == [2]
    assert _sizes(_shop("jane", "1"), _shop("weedmaps", "2", "Purple Haus")) == [1, 1]
    assert _sizes(_shop("jane", "1"), _shop("weedmaps", "2", lat=39.71)) == [1, 1]


def test_a_city_centre_is_no_evidence() -> None:
    assert _sizes(_shop("jane", "1", position="city"), _shop("weedmaps", "2", position="city")) == [1, 1]


def test_a_phone_number_and_a_similar_name_are_one_shop() -> None:
    far: dict[str, Any] = {"lat": 39.9, "phone": "+1 (303) 555-0100"}
    assert _sizes(_shop("jane", "1", phone="303-555-0100"), _shop("weedmaps", "2", **far)) == [2]


def test_two_ids_of_one_origin_never_merge_even_through_a_third() -> None:
    same = {"license_number": "402-1"}
    groups = merge_shops([_shop("jane", "1", **same), _shop("weedmaps", "9", **same), _shop("jane", "2", **same)])
    assert sorted(len(g) for g in groups) == [1, 2]
    assert all(len({s.origin for s in g}) == len(g) for g in groups)


def merge_claims(claims: list[Claim]) -> list[FoundOffer]:
    return Ranking(claims).page(0, None)


def _claim(origin: str, name: str, price: str, *, id: str = "p", stale: float = 0.1, **facts: object) -> Claim:
    product = Product(id=id, name=name, origin=origin, category=Category.FLOWER, **facts)  # type: ignore[arg-type]
    money = Money(Decimal(price))
    row = Price(
        product_id=id, variant_label="1/8 oz", variant=Amount(3.5, "g"), market="rec", price=money, list_price=money
    )
    told = Provenance(
        origin=origin, key=f"product_pricing:{origin}:1", fetched_at=0, age_s=1, tier="origin", stale_probability=stale
    )
    return Claim(HERE, product, row, told)


def test_claims_of_several_origins_become_one_offer_with_every_source() -> None:
    offers = merge_claims(
        [
            _claim("jane", "Blue Dream", "35.00", brand="Acme", stale=0.3, potency={"thc": Potency(20, 20, "%")}),
            _claim("weedmaps", "Acme - BlueDream 3.5g", "30.00", brand="ACME", stale=0.05),
        ]
    )
    assert len(offers) == 1
    offer = offers[0]
    assert (offer.price.amount, offer.provenance.origin) == (Decimal("30.00"), "weedmaps")
    assert [s.provenance.origin for s in offer.sources] == ["weedmaps", "jane"]
    assert offer.sources[offer.fact_sources["potency"]].provenance.origin == "jane"
    assert offer.sources[offer.fact_sources["price"]].price == offer.price


def test_two_products_of_one_origin_stay_two_offers() -> None:
    offers = merge_claims(
        [_claim("jane", "Blue Dream", "35.00", id="a"), _claim("jane", "Blue Dream", "35.00", id="b")]
    )
    assert len(offers) == 2


@pytest.mark.parametrize("other", ["Blue Dream Haze", "Purple Kush"])
def test_other_names_and_other_brands_stay_apart(other: str) -> None:
    assert len(merge_claims([_claim("jane", "Blue Dream", "35.00"), _claim("leafly", other, "35.00")])) == 2
    apart = [_claim("jane", "Blue Dream", "35.00", brand="Acme"), _claim("leafly", "Blue Dream", "35.00", brand="Zeta")]
    assert len(merge_claims(apart)) == 2


def test_offers_are_ranked_by_price_per_gram() -> None:
    offers = merge_claims([_claim("jane", "A", "70.00", id="a"), _claim("jane", "B", "35.00", id="b")])
    assert [str(o.unit_price.per_g.amount) for o in offers if o.unit_price.per_g] == ["10.00", "20.00"]


def test_an_offer_whose_origins_name_no_strain_is_of_the_one_it_was_matched_by() -> None:
    claims = [_claim("jane", "A", "50.00", id="a"), _claim("jane", "B", "60.00", id="b", strain="blue dream")]
    told = Ranking(claims, strain="Blue Dream").page(0, None)
    assert [(offer.strain, "strain" in offer.fact_sources) for offer in told] == [
        ("Blue Dream", False),
        ("blue dream", True),
    ]


def test_a_page_of_a_ranking_is_a_part_of_the_whole() -> None:
    ranking = Ranking(_claim("jane", f"P{n}", f"{50 + n}.00", id=str(n)) for n in range(9))
    whole = ranking.page(0, None)
    assert (len(ranking), len(whole)) == (9, 9)
    assert [*ranking.page(0, 4), *ranking.page(4, 4), *ranking.page(8, 4)] == whole
    assert ranking.page(9, 4) == []


def test_prices_of_several_currencies_are_never_compared() -> None:
    def claim(id: str, price: str, currency: str) -> Claim:
        dollars = _claim("jane", id, price, id=id)
        money = Money(Decimal(price), currency)
        row = msgspec.structs.replace(dollars.price, price=money, list_price=money)
        return msgspec.structs.replace(dollars, price=row)

    offers = merge_claims([claim("a", "20.00", "CAD"), claim("b", "90.00", "USD"), claim("c", "30.00", "USD")])
    assert [offer.product for offer in offers] == ["c", "b", "a"]


def test_unit_prices_are_computed_only_from_what_is_known() -> None:
    thc = {"thc": Potency(20, 20, "%")}
    both = unit_price(Money(Decimal(35)), Amount(3.5, "g"), Category.FLOWER, thc)
    assert (both.per_g, both.per_100mg_thc) == (Money(Decimal("10.00")), Money(Decimal("5.00")))
    dose = unit_price(Money(Decimal(20)), Amount(100, "mg"), Category.EDIBLE, {"thc": Potency(100, 100, "mg")})
    assert (dose.per_g, dose.per_100mg_thc) == (None, Money(Decimal("20.00")))
    serving = {"thc": Potency(10, 10, "mg", "serving")}
    assert unit_price(Money(Decimal(20)), Amount(1, "each", 10), Category.EDIBLE, serving).per_100mg_thc is None
    thca = unit_price(Money(Decimal(35)), Amount(3.5, "g"), Category.FLOWER, {"thca": Potency(20, 20, "%")})
    assert thca.per_100mg_thc == Money(Decimal("5.70"))

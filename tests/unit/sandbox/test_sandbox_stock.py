"""Lots and shelves: what changes about a product, and what of it agrees everywhere."""

from __future__ import annotations

from statistics import fmean

import pytest

from weedhounds.model.records import Category
from weedhounds.sandbox import Market
from weedhounds.sandbox.changes import Event
from weedhounds.sandbox.stock import SOLD_OUT_FRAC, SPECIAL_FRAC

NOW = 1_767_600_000.0


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(4)


def test_a_new_lot_has_another_potency_and_code(market: Market) -> None:
    shop = market.shops[0]
    product = next(p for p in market.menu(shop) if p.category is Category.FLOWER)
    lots = [market.batch(shop, product, Event(NOW + i, i, ())) for i in range(200)]
    assert len({lot.code for lot in lots}) == 200
    assert len({(lot.thc, lot.terpenes) for lot in lots}) == 200
    assert fmean(lot.thc for lot in lots) == pytest.approx(product.strain.thc if product.strain else 0, rel=0.05)
    assert all(lot.since == NOW + i for i, lot in enumerate(lots))


def test_the_terpenes_of_a_lot_follow_the_profile_of_its_strain(market: Market) -> None:
    shop = market.shops[1]
    for product in market.menu(shop):
        if product.strain is None:
            continue
        lot = market.batch(shop, product, Event(NOW, 9, ()))
        profile = market.profiles[product.strain.slug]
        assert [name for name, _ in lot.terpenes] == [name for name, _ in profile[:3]]
        ratio = lot.terpenes[0][1] / lot.terpenes[2][1]
        assert ratio == pytest.approx(profile[0][1] / profile[2][1], rel=0.05)


def test_a_profile_adds_up_to_1_and_is_led_by_the_strains_own_terpene(market: Market) -> None:
    for slug, profile in market.profiles.items():
        assert sum(share for _, share in profile) == pytest.approx(1.0)
        assert profile[0][0] == market.strains[slug].leading


def test_potency_stays_within_what_can_be(market: Market) -> None:
    for shop in market.shops[:25]:
        for product in market.menu(shop):
            if product.has_batches:
                lot = market.batch(shop, product, Event(NOW, 3, ()))
                assert min(lot.thc, lot.cbd) >= 0
                assert lot.unit == "mg" or lot.thc + lot.cbd <= 100


def test_cbd_strains_have_more_cbd_than_thc(market: Market) -> None:
    shop = max(market.shops, key=lambda s: s.menu_size)
    products = [p for p in market.menu(shop) if p.strain and p.strain.kind == "cbd"]
    lots = [market.batch(shop, p, Event(NOW, 3, ())) for p in products]
    assert lots
    assert all(lot.cbd > lot.thc for lot in lots if lot.thc < 40)


def test_shelves_have_their_share_of_specials_and_of_sold_out_variants(market: Market) -> None:
    shelves = [
        market.shelf(shop, product, Event(NOW, 5, ())) for shop in market.shops[:120] for product in market.menu(shop)
    ]
    specials = fmean(shelf.special is not None for shelf in shelves)
    sold_out = fmean(not n for shelf in shelves for n in shelf.quantity)
    assert specials == pytest.approx(SPECIAL_FRAC, abs=0.015)
    assert sold_out == pytest.approx(SOLD_OUT_FRAC, abs=0.015)


def test_a_special_lowers_what_is_paid_by_its_percentage(market: Market) -> None:
    shop = market.shops[2]
    shelves = [market.shelf(shop, p, Event(NOW, 5, ())) for p in market.menu(shop)]
    shelf = next(s for s in shelves if s.special)
    assert shelf.special is not None
    assert shelf.paid(2000) == 2000 - 20 * shelf.special.percent
    assert next(s for s in shelves if not s.special).paid(2000) == 2000


def test_patients_pay_less_and_only_where_a_shop_sells_to_them(market: Market) -> None:
    for shop in market.shops[:30]:
        shelf = market.shelf(shop, market.menu(shop)[0], Event(NOW, 5, ()))
        if "med" in shop.markets:
            assert all(m <= r for m, r in zip(shelf.med_cents, shelf.cents, strict=True))
        else:
            assert shelf.med_cents == ()


def test_a_tag_moves_prices_by_a_few_percent_around_the_products_own(market: Market) -> None:
    shop = market.shops[3]
    product = market.menu(shop)[0]
    ratios = [market.shelf(shop, product, Event(NOW, i, ())).cents[0] / product.variants[0].cents for i in range(400)]
    assert fmean(ratios) == pytest.approx(1.0, abs=0.02)
    assert 0.6 < min(ratios) < max(ratios) < 1.5


def test_strain_pages_and_registry_rows_agree_with_the_profile(market: Market) -> None:
    strain = market.strains["blue-dream"]
    profile = dict(market.profiles["blue-dream"])
    for name, score in market.page(strain, NOW).scores:
        assert score == pytest.approx(profile[name], rel=0.02)
    rows = [r for r in market.registry if r.strain is strain]
    assert len(rows) >= 6
    for row in rows:
        values = dict(market.analysis(row, NOW).terpenes)
        total = sum(values.values())
        assert values["myrcene"] / total == pytest.approx(profile["myrcene"], abs=0.02)


def test_deals_change_with_the_promotions_events_and_only_then(market: Market) -> None:
    shop = market.shops[4]
    events = list(market.events("promotions", shop.index, NOW, NOW + 5 * 86400))
    assert market.deals(shop, events[0].t) == market.deals(shop, events[1].t - 0.001)
    assert market.deals(shop, events[1].t) != market.deals(shop, events[0].t)
    assert 1 <= len(market.deals(shop, NOW)) <= 3


def test_an_entrys_change_gives_other_hours_or_another_suite(market: Market) -> None:
    shop = market.shops[5]
    event = next(market.events("info", shop.index, NOW, NOW + 3000 * 86400))
    assert market.opening(shop, event.t) != market.opening(shop, event.t - 0.001)

"""The strain's name in product names: patterns as sellers and registers write them."""

from __future__ import annotations

import pytest

from weedhounds.model.strains import MAX_NAME, strain_of, strain_slug


@pytest.mark.parametrize(
    ("name", "strain"),
    [
        ("Blue Dream", "Blue Dream"),
        ("Mama J's: Alien Rock Candy - PR 2pk", "Alien Rock Candy"),
        ("Blue Dream Flower T16.22% S 00177", "Blue Dream"),
        ("Blue Dream 0.5g Vape T411 S 00288", "Blue Dream"),
        ("Example Farms Whole Flower 3.5g Mr E Pupil (S) 00431", "Mr E Pupil"),
        ("Example Cartridge 1g Blue Dream (H) 20953", "Blue Dream"),
        ("Example | 1g Disposable | Cherry Kush | Hybrid", "Cherry Kush"),
        ("EXAMPLE - KY Jealousy - Live Resin - wet sugar", "KY Jealousy"),
        ("P37 - Fat Albert- 1 G - PRE ROLL", "Fat Albert"),
        ("Cure Example 2G Skywalker OG All in One Device", "Skywalker OG"),
        ("BLACKBERRY PIE (1G Pre-Roll)", "BLACKBERRY PIE"),
        ("Motorbreath BHO Live Resin Sugar T74.62% H 24124", "Motorbreath"),
        ("Goat P x Blue Dream Pure T396C1 20001", "Goat P x Blue Dream"),
        ("Forzavin X 23.76 NDC: 4682", "Forzavin"),
        ("Gelato 41 1/8 oz", "Gelato 41"),
        ("GG #4 Live Resin - 1 g", "GG #4"),
        ("AK-47 3.5g", "AK-47"),
        ("Ice Cream Cake #2", "Ice Cream Cake #2"),
        ("Sugar Mama | Outdoor", "Sugar Mama"),
        ("Preroll 1G- El Chivo #9", "El Chivo #9"),
    ],
)
def test_the_strain_is_found_among_brand_form_size_and_codes(name: str, strain: str) -> None:
    assert strain_of(name) == strain


@pytest.mark.parametrize(
    "name",
    [
        "Sour Watermelon Gummies 100mg",
        "Chocolate Brownie 10pk",
        "T10 Tabs 6845",
        "CBD Lotion 2oz",
        "Pre rolls $10 / 1gm",
        "1g",
        "28%",
        "",
        "  - | ()",
    ],
)
def test_where_nothing_sensible_remains_there_is_no_strain(name: str) -> None:
    assert strain_of(name) is None


def test_a_sellers_own_words_are_dropped_at_the_ends_of_a_name() -> None:
    noise = frozenset({"example", "cr"})
    assert strain_of("Example Blue Dream CR 4186", noise=noise) == "Blue Dream"
    assert strain_of("GSC - Under 25 Percent | Example", noise=noise) == "GSC"


def test_an_absurdly_long_name_is_cut_and_takes_no_time() -> None:
    found = strain_of("Blue Dream " * 100_000)
    assert found is not None
    assert len(found) <= MAX_NAME
    assert strain_of("(((" * 100_000 + " -" * 100_000) is None


def test_a_slug_is_the_normalised_name() -> None:
    assert strain_slug("Girl Scout Cookies\u2122") == "girl-scout-cookies"
    assert strain_slug(strain_of("BLUE DREAM 3.5g") or "") == "blue-dream"

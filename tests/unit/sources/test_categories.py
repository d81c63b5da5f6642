"""Categories from trade words."""

from __future__ import annotations

import pytest

from weedhounds.model.records import Category
from weedhounds.sources.categories import canonical_category


@pytest.mark.parametrize(
    ("names", "category"),
    [
        (("Flower", "Infused Flower"), Category.FLOWER),
        (("Indica",), Category.FLOWER),
        (("Pre-Rolls", "singles"), Category.PRE_ROLL),
        (("pre_roll",), Category.PRE_ROLL),
        (("Infused Preroll",), Category.PRE_ROLL),
        (("Vaporizers", "live-resin"), Category.VAPE),
        (("Vape Batteries",), Category.ACCESSORY),
        (("gear",), Category.ACCESSORY),
        (("extract", "Live Resin"), Category.CONCENTRATE),
        (("Flower Rosin",), Category.CONCENTRATE),
        (("Edible", "gummies"), Category.EDIBLE),
        (("Edible", "drinks"), Category.BEVERAGE),
        (("Edible", "capsules-tablets"), Category.CAPSULE),
        (("CBD", "gummies"), Category.EDIBLE),
        (("grow", "Clones"), Category.SEED),
        (("Tincture", None), Category.TINCTURE),
        (("TOPICALS", "lotions"), Category.TOPICAL),
        (("Not Applicable", None, ""), Category.OTHER),
        ((), Category.OTHER),
        (("\ud800",), Category.OTHER),
        (("x" * 10_000,), Category.OTHER),
    ],
)
def test_trade_words_give_their_category(names: tuple[str | None, ...], category: Category) -> None:
    assert canonical_category(*names) is category


def test_a_subcategory_narrows_edibles_only() -> None:
    assert canonical_category("Flower", "drinks") is Category.FLOWER
    assert canonical_category("Topical", "capsule") is Category.TOPICAL

"""Prices made comparable: per gram, and per 100 mg of THC."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from weedhounds.model.records import Category
from weedhounds.model.units import Amount, Money, Potency
from weedhounds.query.answer import UnitPrice

THCA_TO_THC = 0.877
"""Mass of THC that a mass of THCA becomes when heated: 314.46 / 358.47 g/mol."""

_CENT = Decimal("0.01")
_BY_WEIGHT = frozenset({Category.FLOWER, Category.PRE_ROLL, Category.VAPE, Category.CONCENTRATE, Category.OTHER})


def unit_price(price: Money, variant: Amount | None, category: Category, potency: Mapping[str, Potency]) -> UnitPrice:
    """Return what a gram and 100 mg of THC cost, where the facts allow.

    Per gram: the variant states a weight and the category is sold by weight (an edible's "100 mg" is
    a dose). Per 100 mg THC: the content is a mass fraction and the weight is known, or the content
    is milligrams of the whole package. A range counts with its middle.
    """
    thc_mg = _thc_mg(_grams(variant, category), potency)
    per_g = price_per_g(price, variant, category)
    return UnitPrice(per_g=per_g, per_100mg_thc=_divided(price, thc_mg / 100) if thc_mg else None)


def price_per_g(price: Money, variant: Amount | None, category: Category) -> Money | None:
    """Return what a gram costs; ``None`` where no weight is stated or the category is not sold by it."""
    grams = _grams(variant, category)
    return _divided(price, grams) if grams else None


def _grams(variant: Amount | None, category: Category) -> float | None:
    return variant.grams if variant is not None and category in _BY_WEIGHT else None


def _thc_mg(grams: float | None, potency: Mapping[str, Potency]) -> float | None:
    for name, factor in (("total_thc", 1.0), ("thc", 1.0), ("thca", THCA_TO_THC)):
        content = potency.get(name)
        if content is None:
            continue
        middle = (content.low + content.high) / 2 * factor
        if content.unit == "%" and grams and 0 < middle <= 100:
            return middle * 10 * grams
        if content.unit == "mg/g" and grams and 0 < middle <= 1000:
            return middle * grams
        if content.unit == "mg" and content.basis in (None, "package") and middle > 0 and grams is None:
            return middle
    return None


def _divided(price: Money, by: float) -> Money | None:
    value = (price.amount / Decimal(str(by))).quantize(_CENT, ROUND_HALF_EVEN)
    return Money(value, price.currency) if value > 0 else None

"""What each origin reveals of a product: the rules by which truth is told for it.

Written against what the origins are known to tell, apart from the code that renders their
answers. Two origins differ in what they call a thing, in which facts they tell and in how they
state amounts; never in the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from weedhounds.model.units import Amount
from weedhounds.sandbox.catalogue import Variant
from weedhounds.sandbox.stock import Special

Label = Callable[[Variant], tuple[str, Amount | None]]

EACH = Amount(1.0, "each")
_TRADE = {3.5: "1/8", 7.0: "1/4", 14.0: "1/2", 28.0: "1"}
_WORDS = {
    0.5: "half gram", 1.0: "gram", 3.5: "eighth ounce", 7.0: "quarter ounce", 14.0: "half ounce", 28.0: "ounce",
}  # fmt: skip


class Revealed(msgspec.Struct, frozen=True, kw_only=True):
    """What one origin tells.

    Args:
        label: the name of a variant, and the amount that it states.
        promotion: the name of a special.
        lowers_price: a special's price is told; else only its name.
        med: patients' prices are told.
        quantity: units in stock are told.
        hides_sold_out: a sold-out variant is left out, and the others are said to be there.
        strain_name: the strain's name stands beside the product's.
        cbd_type: what strains of the type cbd are called.
        terpenes: a lot's terpenes are told.
        zero: a content of 0 is told.
        report_url: a lot's laboratory report is linked.
        stocked_at: since when a lot stands is told; ``listed_at``: else since when the product is
            listed.
    """

    label: Label
    promotion: Callable[[Special], str]
    lowers_price: bool
    med: bool = False
    quantity: bool = False
    hides_sold_out: bool = False
    strain_name: bool = False
    cbd_type: str | None = "cbd"
    terpenes: bool = True
    zero: bool = True
    report_url: bool = False
    stocked_at: bool = True
    listed_at: bool = False


def _grams(variant: Variant) -> Amount | None:
    return None if variant.grams is None else Amount(variant.grams, "g")


def _compact(variant: Variant) -> tuple[str, Amount | None]:
    """Label as "1/8oz", ".5g", "100mg", "N/A"."""
    if variant.grams is not None:
        trade = _TRADE.get(variant.grams)
        return f"{trade}oz" if trade else f"{variant.grams:g}g".removeprefix("0"), _grams(variant)
    return ("N/A", None) if variant.mg is None else (f"{variant.mg}mg", Amount(float(variant.mg), "mg"))


def _in_words(variant: Variant) -> tuple[str, Amount | None]:
    """Label as "eighth ounce", "each"."""
    words = _WORDS.get(variant.grams) if variant.grams is not None else None
    return (words, _grams(variant)) if words else ("each", EACH)


def _by_weight(variant: Variant) -> tuple[str, Amount | None]:
    """Label as "1/8 oz", "1/2 g", "each" (packs and doses are sold as one piece)."""
    if variant.grams is None or variant.grams not in _WORDS:
        return "each", EACH
    trade = _TRADE.get(variant.grams)
    return f"{trade} oz" if trade else {0.5: "1/2 g", 1.0: "1 g"}[variant.grams], _grams(variant)


def _spaced(variant: Variant) -> tuple[str, Amount | None]:
    """Label as "1/8 oz", "0.5 g", "100 mg", "1 each"."""
    if variant.grams is not None:
        trade = _TRADE.get(variant.grams)
        return f"{trade} oz" if trade else f"{variant.grams:g} g", _grams(variant)
    return ("1 each", EACH) if variant.mg is None else (f"{variant.mg} mg", Amount(float(variant.mg), "mg"))


def _own_name(special: Special) -> str:
    return special.name


def _percent_name(special: Special) -> str:
    return f"{special.percent}% off"


REVEALED: Mapping[str, Revealed] = {
    "dutchie": Revealed(
        label=_compact, promotion=_own_name, lowers_price=True, med=True, quantity=True, listed_at=True
    ),
    "jane": Revealed(
        label=_in_words,
        promotion=_own_name,
        lowers_price=True,
        hides_sold_out=True,
        zero=False,
        report_url=True,
        stocked_at=False,
    ),
    "weedmaps": Revealed(label=_by_weight, promotion=_percent_name, lowers_price=False, quantity=True, cbd_type=None),
    "leafly": Revealed(
        label=_spaced,
        promotion=_own_name,
        lowers_price=False,
        strain_name=True,
        cbd_type="hybrid",
        terpenes=False,
    ),
}

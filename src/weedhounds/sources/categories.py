"""Canonical product categories from the words that menus use for them.

Knows generic trade words only, no origin's codes. A category is what a thing is used as: hash in
a joint is a pre-roll, resin in a cartridge a vape, a battery for it an accessory.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from weedhounds.model.names import tokens
from weedhounds.model.records import Category

MAX_NAME = 120
"""Characters of a name that are looked at."""

_WORDS: tuple[tuple[Category, str], ...] = (
    (Category.PRE_ROLL, "preroll prerolls prerolled pre-roll pre-rolls pre-rolled blunt blunts joint joints"),
    (
        Category.ACCESSORY,
        "accessory accessories gear merch merchandise apparel clothing battery batteries lighter lighters pipe pipes bong bongs "
        "grinder grinders rig rigs tool tools torch torches tray trays papers glass glassware paraphernalia equipment hardware",
    ),
    (Category.SEED, "seed seeds clone clones seedling seedlings"),
    (Category.CAPSULE, "capsule capsules tablet tablets pill pills softgel softgels soft-gels gelcap gelcaps"),
    (
        Category.VAPE,
        "vape vapes vaping vaporizer vaporizers vaporiser vaporisers cartridge cartridges cart carts disposable disposables "
        "pod pods 510-thread",
    ),
    (Category.BEVERAGE, "drink drinks beverage beverages tea teas coffee soda sodas seltzer seltzers lemonade juice juices drinkable"),
    (Category.TINCTURE, "tincture tinctures sublingual sublinguals"),
    (
        Category.TOPICAL,
        "topical topicals lotion lotions balm balms salve salves creams ointment ointments patch patches transdermal "
        "transdermals bath lubricant lubricants",
    ),
    (
        Category.EDIBLE,
        "edible edibles gummy gummies chocolate chocolates candy candies baked cookie cookies brownie brownies mint mints "
        "lozenge lozenges chew chews caramel caramels taffy food foods ingestible ingestibles confections",
    ),
    (
        Category.CONCENTRATE,
        "concentrate concentrates extract extracts wax shatter rosin resin hash hashish kief badder batter budder crumble sauce "
        "diamonds sugar rso distillate isolate dab dabs solventless",
    ),
    (Category.FLOWER, "flower flowers bud buds shake smalls indica sativa hybrid"),
)  # fmt: skip
"""Words by category, the most telling first: a name's category is the first one that has a word in it."""

_REFINES_EDIBLE = frozenset({Category.BEVERAGE, Category.CAPSULE, Category.TINCTURE})
_RANK = {word: (rank, category) for rank, (category, words) in enumerate(_WORDS) for word in words.split()}


@lru_cache(maxsize=4096)
def canonical_category(*names: str | None) -> Category:
    """Return the category that the first telling one of ``names`` states; ``OTHER`` where none does.

    Pass the broadest name first (category, then subcategory). A later name only narrows
    ``EDIBLE`` to ``BEVERAGE``, ``CAPSULE`` or ``TINCTURE``: many menus file those under edibles.

    Bounds: memoised for the 4,096 latest combinations.

    Example:
        >>> canonical_category("Edible", "drinks")
        <Category.BEVERAGE: 'beverage'>
        >>> canonical_category("Vaporizers", "live-resin")
        <Category.VAPE: 'vape'>
    """
    found = [category for name in names if name and (category := _category_of(name))]
    if not found:
        return Category.OTHER
    if found[0] is Category.EDIBLE:
        return next((c for c in found[1:] if c in _REFINES_EDIBLE), Category.EDIBLE)
    return found[0]


def _category_of(name: str) -> Category | None:
    words = tokens(name[:MAX_NAME])
    pairs = (f"{a}-{b}" for a, b in pairwise(words))
    ranked = [_RANK[word] for word in (*words, *pairs) if word in _RANK]
    return min(ranked)[1] if ranked else None

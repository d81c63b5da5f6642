"""What a shop carries: its products, constant over time; what of them changes is in ``stock``.

A menu is drawn from the seed and the shop when it is first asked for. Each category has its share
of the menu; strains follow a Zipf law of their popularity; no product appears twice.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from random import Random

import msgspec

from weedhounds.model.names import slugify
from weedhounds.model.records import Category
from weedhounds.sandbox import vocabulary as words
from weedhounds.sandbox.draws import rng, zipf_cumulative
from weedhounds.sandbox.shops import Shop

STRAIN_EXPONENT = 0.9
CATEGORY_SHARES: tuple[tuple[Category, float], ...] = (
    (Category.FLOWER, 0.30),
    (Category.PRE_ROLL, 0.15),
    (Category.VAPE, 0.17),
    (Category.CONCENTRATE, 0.12),
    (Category.EDIBLE, 0.14),
    (Category.BEVERAGE, 0.03),
    (Category.TINCTURE, 0.03),
    (Category.TOPICAL, 0.03),
    (Category.ACCESSORY, 0.03),
)
_GRAM_RUNS = (
    (3.5,),
    (1.0, 3.5),
    (3.5, 7.0),
    (3.5, 7.0, 14.0),
    (1.0, 3.5, 7.0, 14.0, 28.0),
    (3.5, 7.0, 14.0, 28.0),
    (14.0, 28.0),
)
_DISCOUNT = {0.5: 1.12, 1.0: 1.0, 2.5: 0.9, 3.5: 0.85, 7.0: 0.8, 14.0: 0.7, 28.0: 0.6}
"""Price of a gram by the weight bought, over the price of a single gram."""


class Strain(msgspec.Struct, frozen=True):
    """A cultivar: ``kind`` is indica, sativa, hybrid or cbd; ``thc`` its typical total THC, percent."""

    rank: int
    name: str
    slug: str
    kind: str
    thc: float
    leading: str


STRAINS: tuple[Strain, ...] = tuple(
    Strain(rank, name, slugify(name), kind, thc, leading)
    for rank, (name, kind, thc, leading) in enumerate(words.STRAIN_ROWS)
)
_STRAIN_SUMS = zipf_cumulative(len(STRAINS), STRAIN_EXPONENT)
_BRANDS = {c: tuple(i for i, row in enumerate(words.BRAND_ROWS) if c in row[2]) for c, _ in CATEGORY_SHARES}


class Variant(msgspec.Struct, frozen=True):
    """A unit of sale: ``grams`` (weight) or ``mg`` (dose of the package) or neither; regular price in cents."""

    grams: float | None
    mg: int | None
    pieces: int
    cents: int


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A product on one shop's menu.

    Args:
        index: its number on the menu; names everything drawn for it.
        form: what it is within its category ("Smalls", "Live Resin", "Gummies").
        strain: ``None`` for what is not made of one.
        flavour: what it is called besides, where there is no strain.
        brand: index into ``vocabulary.BRAND_ROWS``.
    """

    index: int
    category: Category
    form: str
    strain: Strain | None
    flavour: str
    brand: int
    variants: tuple[Variant, ...]

    @property
    def brand_name(self) -> str:
        """Return the brand's name."""
        return words.BRAND_ROWS[self.brand][0]

    @property
    def listed_at(self) -> float:
        """Return since when it is on the menu, Unix seconds."""
        return 1_640_000_000.0 + self.index * 86400

    @property
    def has_batches(self) -> bool:
        """Tell whether it has potency, so that its batches differ."""
        return self.category is not Category.ACCESSORY


def make_menu(seed: int, shop: Shop) -> tuple[Product, ...]:
    """Return the products of ``shop``: those with batches first, then the rest."""
    generator = rng(seed, "menu", shop.index)
    products: list[Product] = []
    for category, count in _counts(shop.menu_size):
        taken: set[tuple[str, str, int]] = set()
        for _ in range(count):
            products.append(_product(generator, len(products), category, shop, taken=taken))
    return tuple(products)


def _counts(size: int) -> list[tuple[Category, int]]:
    """Return how many products of each category a menu of ``size`` has; the last takes what is left."""
    bounds = [0]
    share_sum = 0.0
    for _, share in CATEGORY_SHARES:
        share_sum += share
        bounds.append(round(size * share_sum))
    return [(category, bounds[i + 1] - bounds[i]) for i, (category, _) in enumerate(CATEGORY_SHARES)]


def _product(
    generator: Random, index: int, category: Category, shop: Shop, *, taken: set[tuple[str, str, int]]
) -> Product:
    while True:
        form = generator.choice(_FORMS[category])
        strain = draw_strain(generator) if category in _OF_STRAINS else None
        flavour = "" if strain else generator.choice(words.GEAR if category is Category.ACCESSORY else words.FLAVOURS)
        brand = generator.choice(_BRANDS[category])
        name = (form, strain.slug if strain else flavour, brand)
        if name not in taken:
            break
    taken.add(name)
    level = shop.price_level * words.BRAND_ROWS[brand][1] * math.exp(0.1 * generator.gauss(0, 1))
    return Product(
        index=index,
        category=category,
        form=form,
        strain=strain,
        flavour=flavour,
        brand=brand,
        variants=_variants(generator, category, form, level),
    )


def draw_strain(generator: Random) -> Strain:
    """Return a strain by popularity."""
    return STRAINS[bisect_left(_STRAIN_SUMS, generator.random() * _STRAIN_SUMS[-1])]


_OF_STRAINS = frozenset({Category.FLOWER, Category.PRE_ROLL, Category.VAPE, Category.CONCENTRATE})
_FORMS: dict[Category, tuple[str, ...]] = {
    Category.FLOWER: ("Flower", "Flower", "Flower", "Smalls"),
    Category.PRE_ROLL: ("Pre-Roll", "Pre-Roll", "Half Gram Pre-Roll", "Pre-Roll 5pk"),
    Category.VAPE: ("Cartridge", "Cartridge", "Half Gram Cartridge", "Disposable Vape"),
    Category.CONCENTRATE: ("Live Resin", "Rosin", "Shatter", "Badder", "Diamonds"),
    Category.EDIBLE: ("Gummies", "Gummies", "Chocolate", "Hard Candy"),
    Category.BEVERAGE: ("Seltzer", "Soda"),
    Category.TINCTURE: ("Tincture",),
    Category.TOPICAL: ("Balm", "Lotion"),
    Category.ACCESSORY: ("Gear",),
}
_GRAM_CENTS = {
    "Flower": 1150, "Smalls": 800, "Pre-Roll": 900, "Half Gram Pre-Roll": 900, "Pre-Roll 5pk": 1000, "Cartridge": 3600,
    "Half Gram Cartridge": 4200, "Disposable Vape": 4200, "Live Resin": 3200, "Rosin": 5000, "Shatter": 2200,
    "Badder": 2600, "Diamonds": 3800,
}  # fmt: skip
_WEIGHT = {"Half Gram Pre-Roll": 0.5, "Pre-Roll 5pk": 2.5, "Half Gram Cartridge": 0.5}
_PACKAGE = {
    "Gummies": (1800, 100, 10), "Chocolate": (2000, 100, 10), "Hard Candy": (1600, 100, 20), "Seltzer": (700, 10, 1),
    "Soda": (900, 100, 1), "Tincture": (4200, 1000, 1), "Balm": (3200, 300, 1), "Lotion": (2900, 200, 1),
}  # fmt: skip
"""Cents, milligrams of the leading cannabinoid in the package, pieces."""


def _variants(generator: Random, category: Category, form: str, level: float) -> tuple[Variant, ...]:
    if form in ("Flower", "Smalls"):
        run = _GRAM_RUNS[-1] if form == "Smalls" else generator.choice(_GRAM_RUNS[:-1])
        return tuple(_by_weight(grams, form, level) for grams in run)
    if form in _GRAM_CENTS:
        return (_by_weight(_WEIGHT.get(form, 1.0), form, level),)
    if form in _PACKAGE:
        cents, mg, pieces = _PACKAGE[form]
        return (Variant(None, mg, pieces, _priced(cents * level)),)
    return (Variant(None, None, 1, _priced(generator.choice((600, 1200, 2500, 4500)) * level)),)


def _by_weight(grams: float, form: str, level: float) -> Variant:
    pieces = 5 if form == "Pre-Roll 5pk" else 1
    return Variant(grams, None, pieces, _priced(_GRAM_CENTS[form] * _DISCOUNT[grams] * grams * level))


def _priced(cents: float) -> int:
    """Return a shelf price: whole half dollars."""
    return max(100, round(cents / 50) * 50)

"""How each origin names a shop's products: native ids, names, slugs, pictures, category words.

Both the wire and the truth read these; they are facts of the world (what an origin calls a
thing), not of a format.
"""

from __future__ import annotations

import msgspec

from weedhounds.model.names import slugify
from weedhounds.model.records import Category
from weedhounds.sandbox.catalogue import Product, Strain
from weedhounds.sandbox.draws import digest
from weedhounds.sandbox.shops import Listing

_KIND_LETTERS = {"indica": "I", "sativa": "S", "hybrid": "H", "cbd": "CBD"}

CATEGORY_WORDS: dict[str, dict[Category, str]] = {
    "dutchie": {
        Category.FLOWER: "Flower", Category.PRE_ROLL: "Pre-Rolls", Category.VAPE: "Vaporizers",
        Category.CONCENTRATE: "Concentrate", Category.EDIBLE: "Edible", Category.BEVERAGE: "Edible",
        Category.TINCTURE: "Tincture", Category.TOPICAL: "Topicals", Category.ACCESSORY: "Accessories",
    },
    "jane": {
        Category.FLOWER: "flower", Category.PRE_ROLL: "pre-roll", Category.VAPE: "vape",
        Category.CONCENTRATE: "extract", Category.EDIBLE: "edible", Category.BEVERAGE: "edible",
        Category.TINCTURE: "tincture", Category.TOPICAL: "topical", Category.ACCESSORY: "gear",
    },
    "weedmaps": {
        Category.FLOWER: "Flower", Category.PRE_ROLL: "Flower", Category.VAPE: "Vape Pens",
        Category.CONCENTRATE: "Concentrates", Category.EDIBLE: "Edibles", Category.BEVERAGE: "Edibles",
        Category.TINCTURE: "Edibles", Category.TOPICAL: "Topicals", Category.ACCESSORY: "Gear",
    },
    "leafly": {
        Category.FLOWER: "Flower", Category.PRE_ROLL: "PreRoll", Category.VAPE: "Cartridge",
        Category.CONCENTRATE: "Concentrate", Category.EDIBLE: "Edible", Category.BEVERAGE: "Edible",
        Category.TINCTURE: "Tincture", Category.TOPICAL: "Topical", Category.ACCESSORY: "Accessory",
    },
}  # fmt: skip
"""The broad category as each origin writes it."""

FORM_WORDS: dict[str, dict[str, str]] = {
    "dutchie": {
        "Smalls": "popcorn", "Pre-Roll": "singles", "Half Gram Pre-Roll": "singles", "Pre-Roll 5pk": "packs",
        "Cartridge": "cartridges", "Half Gram Cartridge": "cartridges", "Disposable Vape": "disposables",
        "Live Resin": "live-resin", "Rosin": "rosin", "Shatter": "shatter", "Badder": "badder", "Diamonds": "diamonds",
        "Gummies": "gummies", "Chocolate": "chocolates", "Hard Candy": "hard-candies", "Seltzer": "drinks",
        "Soda": "drinks", "Balm": "balms", "Lotion": "lotions",
    },
    "jane": {
        "Flower": "Whole Flower", "Smalls": "Popcorn", "Pre-Roll": "Single", "Half Gram Pre-Roll": "Single",
        "Pre-Roll 5pk": "Multipack", "Cartridge": "Cartridge", "Half Gram Cartridge": "Cartridge",
        "Disposable Vape": "Disposable", "Live Resin": "Live Resin", "Rosin": "Rosin", "Shatter": "Shatter",
        "Badder": "Badder", "Diamonds": "Diamonds", "Gummies": "Gummies", "Chocolate": "Chocolates",
        "Hard Candy": "Candies", "Seltzer": "Beverages", "Soda": "Beverages", "Balm": "Balms", "Lotion": "Lotions",
    },
    "weedmaps": {
        "Flower": "Flower", "Smalls": "Flower", "Pre-Roll": "Pre Roll", "Half Gram Pre-Roll": "Pre Roll",
        "Pre-Roll 5pk": "Pre Roll", "Cartridge": "Cartridge", "Half Gram Cartridge": "Cartridge",
        "Disposable Vape": "Disposable", "Live Resin": "Live Resin", "Rosin": "Rosin", "Shatter": "Shatter",
        "Badder": "Badder", "Diamonds": "Diamonds", "Gummies": "Gummies", "Chocolate": "Chocolates",
        "Hard Candy": "Hard Candy", "Seltzer": "Drinks", "Soda": "Drinks", "Tincture": "Tinctures", "Balm": "Balms",
        "Lotion": "Lotions", "Gear": "Accessories",
    },
    "leafly": {"Seltzer": "Beverages", "Soda": "Beverages"},
}  # fmt: skip
"""The narrower category as each origin writes it; what is missing it leaves out."""


class Item(msgspec.Struct, frozen=True):
    """What an origin calls one product of one listing."""

    id: str
    name: str
    slug: str
    image_url: str | None


def make_items(listing: Listing, menu: tuple[Product, ...]) -> tuple[Item, ...]:
    """Return the names of a menu's products at a listing, in the menu's order."""
    return tuple(_item(listing, product) for product in menu)


def _item(listing: Listing, product: Product) -> Item:
    name = _named(listing, product)
    native = item_id(listing, product.index)
    slug = slugify(name) if listing.origin == "dutchie" else f"{slugify(name)}-{native[-5:]}"
    picture = f"https://images.{listing.origin}.example/{product.category}-{product.brand}.jpg"
    return Item(native, name, slug, picture if product.index % 8 else None)


def item_id(listing: Listing, index: int) -> str:
    """Return the id of a product at a listing; unique within the origin."""
    shop = listing.shop.index
    if listing.origin == "dutchie":
        return f"6{digest(0, 'item', listing.id, index)[:8].hex()}{shop:04x}{index:03x}"
    first = {"jane": 6_000_000, "weedmaps": 80_000_000, "leafly": 600_000_000}[listing.origin]
    return str(first + shop * 1000 + index)


def _named(listing: Listing, product: Product) -> str:
    if product.category is Category.ACCESSORY:
        return product.flavour
    if product.strain is None:
        return _dosed(listing.origin, product)
    strain = spelt(product.strain, listing.style)
    name = strain if product.form == "Flower" else f"{strain} - {product.form}"
    if listing.origin == "weedmaps" and listing.style % 2:
        return f"{product.brand_name}: {name}"
    return name


def _dosed(origin: str, product: Product) -> str:
    variant = product.variants[0]
    name = f"{product.flavour} {product.form}"
    pack = f"{variant.pieces}pk" if variant.pieces > 1 else ""
    if origin == "jane":
        return f"{name} [{pack}] ({variant.mg}mg)" if pack else f"{name} ({variant.mg}mg)"
    if origin == "leafly":
        return f"{name} - {variant.mg}mg"
    return " ".join(part for part in (name, pack, f"{variant.mg}mg") if part)


def spelt(strain: Strain, style: int) -> str:
    """Return the strain's name in one of six spellings; the words stay the strain's own.

    Example:
        >>> from weedhounds.sandbox.catalogue import STRAINS
        >>> [spelt(STRAINS[0], style) for style in range(6)]
        ['Blue Dream', 'BlueDream', 'blue dream', 'Blue Dream (H)', 'BLUE DREAM | Hybrid', 'Blue-Dream']
    """
    name = strain.name
    if style == 1:
        return name.replace(" ", "")
    if style == 2:
        return name.lower()
    if style == 3:
        return f"{name} ({_KIND_LETTERS[strain.kind]})"
    if style == 4:
        return f"{name.upper()} | {'CBD' if strain.kind == 'cbd' else strain.kind.title()}"
    return name.replace(" ", "-") if style == 5 else name
